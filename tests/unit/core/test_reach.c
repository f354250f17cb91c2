/* Calls between sites that serve folders: one that cannot be dialled is asked to dial. */
#include <criterion/criterion.h>

#include "core/state.h"
#include "support/core_rig.h"

static struct rig rig;

static struct peer *peer(void)
{
    return rig.core->peers.items[0];
}

static void start(void)
{
    rig_init(&rig, 2);
    rig_start(&rig);
    rig_link(&rig);
    rig_commit(&rig);
    rig_forget(&rig);
}

static void stop(void)
{
    rig_deinit(&rig);
}

TestSuite(reach, .init = start, .fini = stop);

/* The second collection becomes a folder of that site's. */
static void make_folder(const struct qn_site_id *home)
{
    struct coll *coll = rig.core->colls.items[1];
    coll->info.is_folder = true;
    coll->info.home = *home;
}

static void call(const struct qn_public_key *key)
{
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_CALL, .key = *key});
}

static void be_called(size_t times)
{
    for (size_t i = 0; i < times; i++) {
        struct qn_buf out;
        rig_message(&out, QN_MSG_WEB_CALL, 0);
        rig_frame(&rig, &out);
    }
}

/* ---- calling ---- */

Test(reach, a_call_is_one_message_on_the_first_connection)
{
    call(&peer()->key);
    cr_assert_eq(rig_count(&rig, QN_MSG_WEB_CALL), 1);
    call(&peer()->key);
    cr_assert_eq(rig_count(&rig, QN_MSG_WEB_CALL), 2);
}

Test(reach, who_is_not_connected_or_no_member_is_not_called)
{
    struct qn_public_key nobody = {{1, 2, 3}}, key = peer()->key;
    call(&nobody);
    cr_assert_eq(rig_count(&rig, QN_MSG_WEB_CALL), 0);
    rig_step(&rig,
             (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK, .err = QN_ERR_CLOSED});
    call(&key);
    cr_assert_eq(rig_count(&rig, QN_MSG_WEB_CALL), 0);
}

Test(reach, a_site_without_an_address_can_be_called_while_it_is_connected)
{
    struct qn_reach reach;
    struct qn_span name = qn_span_str(core_site_name(rig.core, &peer()->site));
    peer()->said.address_count = 0;
    peer()->hint[0] = '\0';
    peer()->session->is_dialled = false;
    cr_assert(qn_core_reach(rig.core, name, &reach));
    cr_assert_eq(reach.count, 0);
    cr_assert(reach.can_be_called && reach.has_dialled);
    cr_assert(qn_public_key_eq(&reach.key, &peer()->key));
    rig_step(&rig,
             (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK, .err = QN_ERR_CLOSED});
    cr_assert_not(qn_core_reach(rig.core, name, &reach), "then there is no way to it");
    strcpy(peer()->hint, "192.0.2.1:8404");
    cr_assert(qn_core_reach(rig.core, name, &reach));
    cr_assert_str_eq(reach.addresses[0], "192.0.2.1:8404");
    cr_assert_not(reach.can_be_called || reach.has_dialled);
}

/* ---- through others, in a large group ---- */

#define FAR 5

static void fill_group(void)
{
    struct qn_buf payload;
    size_t from = qn_ledger_count(rig.world.ledger);
    for (size_t site = 2; site < 14; site++)
        world_join(&rig.world, site, 0);
    size_t count = qn_ledger_count(rig.world.ledger);
    qn_buf_init(&payload, QN_LEDGER_SIZE_MAX);
    qn_pack_array(&payload, count - from);
    for (size_t i = from; i < count; i++)
        qn_pack_bin(&payload, qn_ledger_entry(rig.world.ledger, i));
    qn_vec_push(&rig.intents, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
    rig_commit(&rig);
}

static struct peer *far(void)
{
    return core_peer(rig.core, &rig.world.sites[FAR].id);
}

static void pack_word(struct qn_buf *out, size_t site, size_t link)
{
    qn_pack_bin(out, qn_span(rig.world.sites[site].id.bytes, 4));
    qn_pack_u64(out, 1000);
    qn_pack_bin(out, qn_span(rig.world.sites[link].id.bytes, 4));
    qn_pack_bin(out, qn_span(NULL, 0));
}

/* The peer, and another site behind it, say that they are connected. */
static void hear_of_far(void)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_PRESENCE, 2);
    qn_pack_array(&out, 8);
    pack_word(&out, 1, FAR);
    pack_word(&out, FAR, 1);
    qn_pack_array(&out, 0);
    rig_frame(&rig, &out);
    rig_wait(&rig, 5000);
    rig_commit(&rig);
    rig_forget(&rig);
}

/* Whether a word was told in which this site calls it. */
static bool is_calling(void)
{
    uint8_t calls[6] = {0xc4, 4};
    memcpy(calls + 2, far()->site.bytes, 4);
    bool is_found = false;
    qn_vec_each (&rig.frames, frame)
        is_found |= memmem(frame->data, frame->size, calls, sizeof(calls)) != NULL;
    return is_found;
}

static void far_connects(void)
{
    struct qn_buf out;
    struct qn_digest digest;
    rig_step(&rig,
             (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK, .err = QN_ERR_CLOSED});
    rig_step(&rig,
             (struct qn_event){.kind = QN_EVENT_LINK_UP, .link = RIG_LINK, .key = far()->key});
    qn_ledger_digest(rig.world.ledger, &digest);
    rig_message(&out, QN_MSG_HELLO, 7);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION_MIN);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION);
    qn_pack_bin(&out, QN_SPAN_OF(rig.world.group.bytes));
    qn_pack_bin(&out, QN_SPAN_OF(digest.bytes));
    qn_pack_u64(&out, WORLD_START_MS);
    qn_pack_cstr(&out, "test");
    qn_pack_nil(&out);
    rig_frame(&rig, &out);
}

Test(reach, who_is_connected_through_others_is_called_through_them)
{
    struct qn_reach reach;
    fill_group();
    hear_of_far();
    struct qn_public_key key = far()->key;
    struct qn_span name = qn_span_str(core_site_name(rig.core, &far()->site));
    cr_assert(qn_core_reach(rig.core, name, &reach));
    cr_assert(reach.can_be_called && reach.is_far && !reach.has_dialled);
    rig_wait(&rig, 5000);
    cr_assert_not(is_calling(), "nobody has asked");
    call(&key);
    call(&key);
    rig_wait(&rig, 3000);
    cr_assert(is_calling());
    cr_assert_eq(rig_count(&rig, QN_MSG_WEB_CALL), 0);
    far_connects();
    cr_assert_eq(rig_count(&rig, QN_MSG_WEB_CALL), 2, "once for each connection that is wanted");
    cr_assert(qn_core_reach(rig.core, name, &reach));
    cr_assert_not(reach.is_far);
}

Test(reach, a_connection_for_folders_is_kept_while_it_is_used)
{
    fill_group();
    hear_of_far();
    struct qn_public_key key = far()->key;
    call(&key);
    far_connects();
    far()->is_neighbour = false;
    rig_wait(&rig, 500000);
    cr_assert(reach_wants(rig.core, far()));
    call(&key);
    rig_wait(&rig, 500000);
    cr_assert(reach_wants(rig.core, far()));
    rig_wait(&rig, 200000);
    cr_assert_not(reach_wants(rig.core, far()));
}

Test(reach, what_is_not_answered_is_not_called_for_ever)
{
    fill_group();
    hear_of_far();
    struct qn_public_key key = far()->key;
    call(&key);
    rig_wait(&rig, 700000);
    cr_assert_not(reach_wants(rig.core, far()));
    far_connects();
    cr_assert_eq(rig_count(&rig, QN_MSG_WEB_CALL), 0);
}

/* ---- being called ---- */

Test(reach, who_has_a_part_in_a_folder_of_this_site_is_dialled)
{
    make_folder(&rig.core->site);
    be_called(1);
    cr_assert_eq(rig.called, 1);
    cr_assert(qn_public_key_eq(&rig.called_key, &peer()->key));
    cr_assert_not(rig.has_closed);
}

Test(reach, a_call_for_nothing_is_passed_over)
{
    be_called(1);
    cr_assert_eq(rig.called, 0, "there is no folder");
    make_folder(&peer()->site);
    be_called(1);
    cr_assert_eq(rig.called, 0, "it is at the other site");
    cr_assert_not(rig.has_closed, "it may come to share one");
}

Test(reach, a_site_that_calls_all_the_time_is_dialled_so_often_and_no_more)
{
    make_folder(&rig.core->site);
    be_called(2000);
    cr_assert_eq(rig.called, 32);
    cr_assert_not(rig.has_closed);
    rig_wait(&rig, 6000);
    be_called(1);
    cr_assert_eq(rig.called, 32);
    rig_wait(&rig, 3000);
    be_called(1);
    cr_assert_eq(rig.called, 33);
}
