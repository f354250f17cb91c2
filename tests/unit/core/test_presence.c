/* What sites say of each other: shown, bounded, and nothing for whom it does not concern. */
#include <criterion/criterion.h>

#include "core/presence.h"
#include "support/core_rig.h"

#define SITES 14
#define FAR   5 /* not connected to this site */
#define COLL  1
#define APART 2 /* a collection in which the peer has no part */

static struct rig rig;

static void hear_ledger(void)
{
    QN_AUTO_BUF struct qn_buf heads, entries;
    struct qn_buf out;
    size_t count;
    qn_buf_init(&heads, QN_FRAME_SIZE_MAX);
    qn_buf_init(&entries, QN_FRAME_SIZE_MAX);
    qn_ledger_pack_heads(rig.core->ledger, &heads);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&heads));
    cr_assert_eq(
        qn_ledger_pack_missing(rig.world.ledger, &cursor, QN_FRAME_SIZE_MAX / 2, &entries, &count),
        QN_OK);
    rig_message(&out, QN_MSG_LEDGER, 1);
    qn_pack_raw(&out, qn_buf_view(&entries));
    rig_frame(&rig, &out);
    rig_commit(&rig);
}

static void setup(void)
{
    struct qn_buf body = {0};
    const size_t members[] = {0, FAR};
    rig_init(&rig, COLL);
    rig_start(&rig);
    rig_link(&rig);
    rig_commit(&rig);
    for (size_t i = 2; i < SITES; i++)
        world_join(&rig.world, i, 0);
    world_create_body(&rig.world, APART, members, 2, false, &body);
    cr_assert_eq(world_append(&rig.world, 0, &body), QN_OK);
    qn_buf_deinit(&body);
    hear_ledger();
    cr_assert(rig.core->is_mesh);
    rig_wait(&rig, 5000);
    rig_forget(&rig);
}

static void teardown(void)
{
    rig_deinit(&rig);
}

TestSuite(presence, .init = setup, .fini = teardown);

static struct peer *peer_of(size_t site)
{
    return core_peer(rig.core, &rig.world.sites[site].id);
}

static void pack_links(struct qn_buf *out, size_t site, uint64_t stamp, const size_t *links,
                       size_t count)
{
    uint8_t bytes[4 * SITES];
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + 4 * i, rig.world.sites[links[i]].id.bytes, 4);
    qn_pack_bin(out, qn_span(rig.world.sites[site].id.bytes, 4));
    qn_pack_u64(out, stamp);
    qn_pack_bin(out, qn_span(bytes, 4 * count));
    qn_pack_bin(out, qn_span(NULL, 0));
}

/* The peer says whom a site is connected to. */
static void say_links(size_t site, uint64_t stamp, const size_t *links, size_t count)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_PRESENCE, 2);
    qn_pack_array(&out, 4);
    pack_links(&out, site, stamp, links, count);
    qn_pack_array(&out, 0);
    rig_frame(&rig, &out);
}

static void say_state(uint8_t coll, size_t site, uint8_t hash, uint64_t total)
{
    struct qn_buf out;
    struct qn_coll_id id = world_coll(coll);
    uint8_t bytes[8];
    memset(bytes, hash, sizeof(bytes));
    rig_message(&out, QN_MSG_PRESENCE, 2);
    qn_pack_array(&out, 0);
    qn_pack_array(&out, 2);
    qn_pack_bin(&out, qn_span(id.bytes, 4));
    qn_pack_array(&out, 3);
    qn_pack_bin(&out, QN_SPAN_OF(bytes));
    qn_pack_u64(&out, total);
    qn_pack_bin(&out, qn_span(rig.world.sites[site].id.bytes, 4));
    rig_frame(&rig, &out);
}

Test(presence, a_site_is_there_while_both_ends_of_a_way_say_so)
{
    cr_assert_not(peer_is_online(peer_of(FAR)));
    say_links(1, 1, (const size_t[]){0, FAR}, 2);
    cr_assert_not(peer_is_online(peer_of(FAR)), "it does not say so itself");
    say_links(FAR, 1, (const size_t[]){1}, 1);
    cr_assert(peer_is_online(peer_of(FAR)));
    say_links(1, 2, (const size_t[]){0}, 1);
    cr_assert_not(peer_is_online(peer_of(FAR)));
    cr_assert_gt(peer_of(FAR)->contact_ms, 0);
}

Test(presence, an_older_word_does_not_count)
{
    say_links(FAR, 7, (const size_t[]){1}, 1);
    say_links(1, 7, (const size_t[]){0, FAR}, 2);
    say_links(FAR, 6, NULL, 0);
    cr_assert(peer_is_online(peer_of(FAR)));
}

Test(presence, it_ends_with_the_connection)
{
    say_links(FAR, 1, (const size_t[]){1}, 1);
    say_links(1, 1, (const size_t[]){0, FAR}, 2);
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK});
    cr_assert_not(peer_is_online(peer_of(FAR)));
}

Test(presence, the_own_word_of_an_earlier_run_is_outdone)
{
    uint64_t stamp = rig.core->presence.stamp + 1000;
    say_links(0, stamp, (const size_t[]){FAR}, 1);
    cr_assert_gt(rig.core->presence.stamp, stamp);
    rig_wait(&rig, 5000);
    cr_assert_eq(rig_count(&rig, QN_MSG_PRESENCE), 1, "and that is told");
}

Test(presence, how_far_a_site_is_by_its_last_word)
{
    rig_put(&rig, COLL, "a");
    rig_put(&rig, COLL, "b");
    const struct qn_coll_id id = world_coll(COLL);
    struct coll *coll = core_coll(rig.core, &id);
    cr_assert_eq(coll->state.total, 2);
    cr_assert_eq(presence_behind(coll, coll_known(coll, &rig.world.sites[FAR].id)), UINT64_MAX);
    say_state(COLL, FAR, 1, 1);
    cr_assert_eq(presence_behind(coll, coll_known(coll, &rig.world.sites[FAR].id)), 1);
    say_state(COLL, FAR, 2, 3);
    cr_assert_eq(presence_behind(coll, coll_known(coll, &rig.world.sites[FAR].id)), 0);
    say_state(COLL, FAR, 9, 2);
    cr_assert_eq(coll_known(coll, &rig.world.sites[FAR].id)->state.total, 3, "counters only grow");
}

Test(presence, hearsay_is_never_what_a_site_is_known_to_have)
{
    rig_put(&rig, COLL, "a");
    say_state(COLL, FAR, 1, 100);
    const struct qn_coll_id id = world_coll(COLL);
    const struct coll *coll = core_coll(rig.core, &id);
    cr_assert_eq(coll_known_of(coll, &rig.world.sites[FAR].id)->clock.entries.count, 0);
}

Test(presence, who_has_no_part_in_a_collection_hears_nothing_and_is_not_heard)
{
    const struct qn_coll_id id = world_coll(APART);
    struct coll *coll = core_coll(rig.core, &id);
    say_state(APART, FAR, 1, 100);
    cr_assert_null(coll_known_of(coll, &rig.world.sites[FAR].id));
    rig_put(&rig, APART, "secret");
    rig_put(&rig, COLL, "open");
    rig_forget(&rig);
    rig_wait(&rig, 5000);
    rig_wait(&rig, 5000);
    qn_vec_each (&rig.frames, frame)
        cr_assert_null(memmem(frame->data, frame->size, id.bytes, 4));
}

Test(presence, a_site_that_calls_is_wanted)
{
    struct qn_buf out;
    cr_assert_not(peer_is_wanted(rig.core, peer_of(FAR)));
    rig_message(&out, QN_MSG_PRESENCE, 2);
    qn_pack_array(&out, 4);
    qn_pack_bin(&out, qn_span(rig.world.sites[FAR].id.bytes, 4));
    qn_pack_u64(&out, 5);
    qn_pack_bin(&out, qn_span(NULL, 0));
    qn_pack_bin(&out, qn_span(rig.world.sites[0].id.bytes, 4));
    qn_pack_array(&out, 0);
    rig_frame(&rig, &out);
    cr_assert(peer_is_wanted(rig.core, peer_of(FAR)));
    say_links(FAR, 6, NULL, 0);
    cr_assert_not(peer_is_wanted(rig.core, peer_of(FAR)));
}

Test(presence, who_is_to_be_compared_with_is_called)
{
    struct qn_buf args;
    qn_buf_init(&args, 64);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "timeout_ms");
    qn_pack_u64(&args, 30000);
    rig_request(&rig, "verify", &args);
    qn_buf_deinit(&args);
    cr_assert_eq(rig.core->presence.calls.count, SITES - 2);
    cr_assert(peer_is_wanted(rig.core, peer_of(FAR)));
    rig_wait(&rig, 60000);
    cr_assert_eq(rig.core->presence.calls.count, 0);
}

Test(presence, what_cannot_be_ends_the_connection)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_PRESENCE, 2);
    qn_pack_array(&out, 1);
    qn_pack_nil(&out);
    qn_pack_array(&out, 0);
    rig_frame(&rig, &out);
    cr_assert(rig.has_closed);
}

Test(presence, a_connection_that_neither_end_needs_ends_after_a_while)
{
    struct qn_buf out;
    cr_assert(peer_of(1)->session->is_spare_here, "nobody knows an address of it");
    rig_wait(&rig, 200000);
    cr_assert_not(rig.has_closed, "the other end may need it");
    rig_message(&out, QN_MSG_NEED, 1);
    qn_pack_bool(&out, false);
    rig_frame(&rig, &out);
    rig_wait(&rig, 1000);
    cr_assert_not(rig.has_closed);
    rig_wait(&rig, 2 * MESH_SPARE_MS);
    cr_assert(rig.has_closed);
}

Test(presence, one_that_is_needed_again_stays)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_NEED, 1);
    qn_pack_bool(&out, false);
    rig_frame(&rig, &out);
    rig_wait(&rig, MESH_SPARE_MS / 2);
    peer_of(1)->is_neighbour = true;
    rig_wait(&rig, 2 * MESH_SPARE_MS);
    cr_assert_eq(rig_count(&rig, QN_MSG_NEED), 1);
    cr_assert_not(rig.has_closed);
}
