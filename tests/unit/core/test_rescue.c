/* What no site will ever bring is written anew after a day: also where nobody is clean, and where
 * the daemon is started anew in between. */
#include <criterion/criterion.h>

#include "core/late.h"
#include "model/late.h"
#include "model/tables.h"
#include "support/core_rig.h"

#define HOUR_MS (3600 * UINT64_C(1000))

static struct rig rig;
static struct qn_coll_id id;

static void become_late(void)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 64);
    qn_pack_array(&payload, 2);
    qn_pack_bin(&payload, QN_SPAN_OF(id.bytes));
    qn_pack_bool(&payload, false);
    rig_write(&rig, qn_intent_new(QN_INTENT_LATE, 1, &payload));
}

static void run(struct qn_applier *applier, struct memkv *disk, struct qn_intent *take_intent)
{
    struct qn_commit *commit = qn_commit_new();
    cr_assert_eq(qn_applier_begin(applier, memkv_begin(disk), WORLD_START_MS, 1), QN_OK);
    cr_assert_eq(qn_applier_execute(applier, take_intent, commit), QN_OK);
    cr_assert_eq(qn_applier_seal(applier, commit), QN_OK);
    cr_assert_eq(memkv_commit(disk), QN_OK);
    qn_applier_done(applier, commit, QN_OK);
    cr_assert_eq(commit->outcomes.items[0].err, QN_OK);
    qn_intent_free(take_intent);
    qn_commit_free(commit);
}

static struct qn_intent *write_of_peer(void)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 256);
    qn_pack_array(&payload, 2);
    qn_pack_bin(&payload, QN_SPAN_OF(id.bytes));
    qn_pack_array(&payload, 1);
    qn_pack_array(&payload, 4);
    qn_pack_u64(&payload, QN_OP_PUT);
    qn_pack_cstr(&payload, "A");
    qn_pack_cstr(&payload, "somebody");
    qn_pack_array(&payload, 2);
    qn_pack_cstr(&payload, "x");
    qn_pack_u64(&payload, 5);
    return qn_intent_new(QN_INTENT_WRITE, 1, &payload);
}

/* Reads a page and takes it. */
static void take_page(struct memkv *source, size_t size_wish, struct qn_page_read *at)
{
    struct qn_page_request request = {
        .coll = id, .after = qn_span(at->next, at->next_size), .size_wish = size_wish};
    struct qn_page_read read;
    QN_AUTO_BUF struct qn_buf page;
    struct qn_buf payload;
    qn_buf_init(&page, QN_PAGE_SIZE_MAX);
    cr_assert_eq(qn_read_page(memkv_reader(source), &request, &page, &read), QN_OK);
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(&payload, 3);
    qn_pack_bin(&payload, QN_SPAN_OF(id.bytes));
    qn_pack_bin(&payload, qn_buf_view(&page));
    qn_pack_array(&payload, 0);
    rig_write(&rig, qn_intent_new(QN_INTENT_PAGE, 1, &payload));
    *at = read;
}

/* The copy is another site's: it writes under its own incarnation. */
static void forget_self(struct memkv *disk)
{
    struct qn_key key;
    struct qn_kv *kv = memkv_begin(disk);
    cr_assert_eq(qn_kv_del(kv, QN_TABLE_META, qn_key_name(&key, QN_META_SELF)), QN_OK);
    cr_assert_eq(memkv_commit(disk), QN_OK);
}

/* The first page of the peer has an operation of its own that nobody else has; then it goes back to
 * an older disk, of which the rest comes. */
static void take_phantom(void)
{
    const struct world_site *peer = &rig.world.sites[1];
    struct memkv *older = memkv_clone(rig.disk), *disk = memkv_clone(rig.disk);
    struct qn_applier *applier = qn_applier_new(&peer->id, peer->signer);
    struct qn_page_read at = {.next_size = 0};
    forget_self(disk);
    cr_assert_eq(qn_applier_load(applier, memkv_reader(disk)), QN_OK);
    run(applier, disk, write_of_peer());
    become_late();
    take_page(disk, 1, &at);
    while (!at.is_last)
        take_page(older, 1 << 16, &at);
    qn_applier_free(applier);
    memkv_free(disk);
    memkv_free(older);
}

static void set_up(void)
{
    rig_init(&rig, 1);
    id = world_coll(1);
    rig_start(&rig);
    rig_put(&rig, 1, "a");
    rig_put(&rig, 1, "b");
    take_phantom();
    rig_start(&rig);
    cr_assert_lt(qn_site_id_cmp(&rig.world.sites[0].id, &rig.world.sites[1].id), 0,
                 "of those that are late, the one with the lowest identity");
}

static void tear_down(void)
{
    rig_deinit(&rig);
}

TestSuite(rescue, .init = set_up, .fini = tear_down);

/* The peer has what this site has. */
static void say_clock(uint64_t flags)
{
    struct qn_buf out;
    QN_AUTO_VV struct qn_vv cc = {0};
    cr_assert_eq(qn_read_cc(memkv_reader(rig.disk), &id, &cc), QN_OK);
    rig_message(&out, QN_MSG_CLOCK, 3);
    qn_pack_bin(&out, QN_SPAN_OF(id.bytes));
    qn_vv_pack(&cc, &out);
    qn_pack_u64(&out, QN_CLOCK_PAGES | flags);
    rig_frame(&rig, &out);
}

/* The peer is late as well. */
static void meet(void)
{
    rig_link(&rig);
    say_clock(QN_CLOCK_LATE);
}

static bool has_rescued(void)
{
    qn_vec_each (&rig.intents, intent)
        if ((*intent)->kind == QN_INTENT_RESCUE)
            return true;
    return false;
}

static bool is_late(void)
{
    return core_coll(rig.core, &id)->info.late.is_late;
}

/* Hours in which everything is stored that is to be. */
static void pass(unsigned hours)
{
    for (unsigned i = 0; i < hours && !has_rescued(); i++) {
        rig_wait(&rig, HOUR_MS);
        if (!has_rescued())
            rig_commit(&rig);
    }
}

Test(rescue, where_all_are_late_one_of_them_becomes_clean_after_a_day)
{
    cr_assert(is_late());
    meet();
    pass(23);
    cr_assert_not(has_rescued());
    pass(3);
    cr_assert(has_rescued());
    rig_commit(&rig);
    rig_wait(&rig, 2000);
    rig_commit(&rig);
    rig_wait(&rig, 2000);
    cr_assert_not(is_late());
}

Test(rescue, not_while_one_of_them_is_not_there)
{
    pass(60);
    cr_assert_not(has_rescued());
}

/* The day begins after the peer was last heard of. */
static void begin_day_anew(void)
{
    struct coll *coll = core_coll(rig.core, &id);
    coll->info.late.is_late = false;
    rig_wait(&rig, 1000);
    coll->info.late.is_late = true;
    rig_wait(&rig, 1000);
    rig_commit(&rig);
    cr_assert(coll->is_stuck);
    cr_assert_gt(coll->stuck_wall_ms, coll_known_of(coll, &rig.world.sites[1].id)->heard_ms);
}

/* The last beacon comes back: equal clocks are equal digests. */
static void echo_beacon(void)
{
    struct qn_buf out = {0};
    qn_vec_each (&rig.frames, frame) {
        struct qn_cursor cursor = qn_cursor(qn_buf_view(frame));
        size_t count;
        uint64_t number;
        cr_assert(qn_cursor_array(&cursor, 64, &count) == QN_OK &&
                  qn_cursor_u64(&cursor, &number) == QN_OK);
        if (number != QN_MSG_BEACON)
            continue;
        qn_buf_deinit(&out);
        qn_buf_init(&out, QN_FRAME_SIZE_MAX);
        qn_buf_append_span(&out, qn_buf_view(frame));
    }
    cr_assert_gt(out.size, 0);
    rig_frame(&rig, &out);
    rig_forget(&rig);
}

/* Two sites that stay connected and have nothing to say to one another. */
Test(rescue, who_has_nothing_new_for_a_day_was_heard_all_the_same)
{
    rig_link(&rig);
    say_clock(0);
    begin_day_anew();
    for (unsigned hour = 0; hour < 26 && !has_rescued(); hour++) {
        pass(1);
        if (!has_rescued())
            echo_beacon();
    }
    cr_assert(has_rescued());
}

/* What it sent before it said that it is late has to wait for what others bring: they must be let.
 */
Test(rescue, a_late_sender_does_not_keep_the_right_to_send)
{
    struct qn_buf live;
    rig_link(&rig);
    say_clock(0);
    struct share *share = peer_share(core_peer(rig.core, &rig.world.sites[1].id), &id);
    qn_vec_push(&share->inbound,
                ((struct inbound){
                    .lane = QN_LANE_CATCHUP, .seq = 1, .body = qn_memdup("held", 4), .size = 4}));
    share->inbound_size = 4;
    share->inbound_count[QN_LANE_CATCHUP] = 1;
    share->coll->grant = RIG_LINK;
    rig_message(&live, QN_MSG_LIVE, 1);
    qn_pack_bin(&live, QN_SPAN_OF(id.bytes));
    rig_frame(&rig, &live);
    cr_assert_eq(share->coll->grant, RIG_LINK);
    say_clock(QN_CLOCK_LATE);
    cr_assert_eq(share->coll->grant, 0);
}

static void withdraw_peer(void)
{
    struct qn_buf body, payload, entry;
    world_withdraw_body(&rig.world, rig.world.ledger, 1, &body);
    cr_assert_eq(world_write(&rig.world, rig.world.ledger, 1, &body, &entry), QN_OK);
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(&entry));
    rig_write(&rig, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
    qn_buf_deinit(&body);
    qn_buf_deinit(&entry);
}

/* The one that it took pages of has left in the middle: nobody will ever bring the rest. */
Test(rescue, who_is_left_alone_becomes_clean_after_a_day)
{
    become_late();
    withdraw_peer();
    rig_start(&rig);
    const struct coll *coll = core_coll(rig.core, &id);
    cr_assert(is_late() && coll->info.late.is_passing);
    cr_assert_not(core_shares(rig.core, coll, &rig.world.sites[1].id));
    pass(26);
    cr_assert(has_rescued());
    rig_commit(&rig);
    rig_wait(&rig, 2000);
    rig_commit(&rig);
    rig_wait(&rig, 2000);
    cr_assert_not(is_late());
}

Test(rescue, a_restart_does_not_begin_the_day_anew)
{
    for (int night = 0; night < 3; night++) {
        meet();
        pass(10);
        if (has_rescued())
            break;
        rig_start(&rig);
    }
    cr_assert(has_rescued(), "30 hours, in three runs");
}

Test(rescue, nor_does_it_count_what_went_by_before_it_was_clean)
{
    meet();
    pass(20);
    struct coll *coll = core_coll(rig.core, &id);
    cr_assert(coll->is_stuck_noted);
    coll->info.late.is_late = coll->info.late.is_passing = false;
    rig_wait(&rig, 1000);
    rig_commit(&rig);
    rig_start(&rig);
    cr_assert_eq(core_coll(rig.core, &id)->stuck_before_ms, 0);
    meet();
    pass(20);
    cr_assert_not(has_rescued());
}
