/* Checkpoints of audit trails: told once, kept before it is said, told again where they were not,
 * and what contradicts is an alert at both ends. */
#include <criterion/criterion.h>

#include "core/state.h"
#include "people/audit.h"
#include "support/core_rig.h"

#define LISTEN_MS 11000

static struct rig rig;

static void setup(void)
{
    rig_init(&rig, 1);
    rig_start(&rig);
    rig_link(&rig);
    rig_commit(&rig);
    rig_forget(&rig);
}

static void teardown(void)
{
    rig_deinit(&rig);
}

TestSuite(trail, .init = setup, .fini = teardown);

/* A checkpoint of a site's trail. */
static void make(size_t site, uint64_t seq, uint8_t hash, const struct qn_signer *signer,
                 struct qn_buf *out)
{
    struct qn_audit_checkpoint checkpoint = {
        .seq = seq, .wall_ms = WORLD_START_MS, .hash = {{hash}}};
    cr_assert_eq(qn_audit_checkpoint_sign(&checkpoint, &rig.world.sites[site].id, signer), QN_OK);
    qn_buf_init(out, QN_TRAIL_CHECKPOINT_SIZE_MAX);
    qn_audit_checkpoint_pack(&checkpoint, out);
}

static void peer_tells(uint64_t seq, uint8_t hash, const struct qn_signer *signer)
{
    QN_AUTO_BUF struct qn_buf row;
    struct qn_buf out;
    make(1, seq, hash, signer, &row);
    rig_message(&out, QN_MSG_TRAIL_TELL, 1);
    qn_pack_bin(&out, qn_buf_view(&row));
    rig_frame(&rig, &out);
}

static void peer_keeps(uint64_t seq, uint64_t contradicted_ms)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_TRAIL_KEPT, 2);
    qn_pack_u64(&out, seq);
    qn_pack_u64(&out, contradicted_ms);
    rig_frame(&rig, &out);
}

static void set_own(uint64_t seq)
{
    QN_AUTO_BUF struct qn_buf row;
    make(0, seq, 1, rig.world.sites[0].signer, &row);
    qn_core_set_trail(rig.core, seq, qn_buf_view(&row));
    rig_wait(&rig, 1);
}

static bool has_alert(const char *code)
{
    struct qn_health health = {.wall_ms = WORLD_START_MS};
    QN_AUTO_FREE struct qn_alert *alerts = NULL;
    size_t count = qn_core_alerts(rig.core, &health, &alerts);
    for (size_t i = 0; i < count; i++)
        if (strcmp(alerts[i].code, code) == 0)
            return true;
    return false;
}

Test(trail, a_checkpoint_is_told_once_and_until_it_is_kept)
{
    set_own(7);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_TELL), 1);
    rig_wait(&rig, 10000);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_TELL), 1);
    rig_wait(&rig, 10000);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_TELL), 2, "nobody said that it is kept");
    rig_wait(&rig, 20000);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_TELL), 2, "ever more rarely");
    peer_keeps(7, 0);
    rig_wait(&rig, 3600000);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_TELL), 2);
    set_own(9);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_TELL), 3);
    peer_keeps(9, 0);
    set_own(10);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_TELL), 3, "not faster than others store it");
    rig_wait(&rig, 20000);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_TELL), 4);
    cr_assert_not(has_alert("trail-differs"));
}

Test(trail, a_new_connection_is_told_again)
{
    set_own(7);
    peer_keeps(7, 0);
    rig_forget(&rig);
    rig_link(&rig);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_TELL), 1);
}

Test(trail, kept_is_said_when_it_is_durable)
{
    peer_tells(5, 1, rig.world.sites[1].signer);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_KEPT), 0);
    cr_assert_eq(rig.intents.count, 1);
    rig_commit(&rig);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_KEPT), 1);
    peer_tells(5, 1, rig.world.sites[1].signer);
    cr_assert_eq(rig.intents.count, 0, "it is there");
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_KEPT), 2);
}

Test(trail, what_could_not_be_stored_is_not_said_to_be_kept)
{
    peer_tells(5, 1, rig.world.sites[1].signer);
    rig_fail_commit(&rig, QN_ERR_NOSPACE);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_KEPT), 0);
    rig_wait(&rig, LISTEN_MS);
    peer_tells(5, 1, rig.world.sites[1].signer);
    rig_commit(&rig);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_KEPT), 1);
}

Test(trail, nobody_tells_for_another_site_or_faster_than_is_stored)
{
    peer_tells(5, 1, rig.world.sites[2].signer);
    cr_assert_eq(rig.intents.count, 0);
    cr_assert_not(rig.has_closed);
    peer_tells(5, 1, rig.world.sites[1].signer);
    rig_commit(&rig);
    peer_tells(6, 1, rig.world.sites[1].signer);
    cr_assert_eq(rig.intents.count, 0);
    rig_wait(&rig, LISTEN_MS);
    peer_tells(6, 1, rig.world.sites[1].signer);
    cr_assert_eq(rig.intents.count, 1);
}

Test(trail, a_contradiction_is_an_alert_here_and_there_also_after_a_restart)
{
    peer_tells(50, 1, rig.world.sites[1].signer);
    rig_commit(&rig);
    rig_wait(&rig, LISTEN_MS);
    cr_assert_not(has_alert("trail-contradicted"));
    peer_tells(40, 1, rig.world.sites[1].signer);
    rig_commit(&rig);
    cr_assert(has_alert("trail-contradicted"));
    cr_assert_str_eq(rig.note, "trail-contradicted");
    peer_keeps(1, WORLD_START_MS);
    cr_assert(has_alert("trail-differs"));
    rig_start(&rig);
    rig_link(&rig);
    rig_commit(&rig);
    cr_assert(has_alert("trail-contradicted"));
}

/* The daemon's own proof: until one finds nothing. */
Test(trail, what_a_proof_finds_is_an_alert_until_it_is_gone)
{
    struct qn_span site = qn_span_str(rig.world.sites[1].name);
    qn_core_found_trail(rig.core, site, WORLD_START_MS);
    cr_assert(has_alert("trail-differs"));
    peer_keeps(1, 0);
    cr_assert(has_alert("trail-differs"), "a peer that knows nothing takes it back");
    qn_core_found_trail(rig.core, site, 0);
    cr_assert_not(has_alert("trail-differs"));
}

Test(trail, who_asks_gets_what_is_kept_of_its_own_trail)
{
    struct qn_buf out;
    for (uint64_t seq = 1; seq <= 3; seq++) {
        peer_tells(seq, 1, rig.world.sites[1].signer);
        rig_commit(&rig);
        rig_wait(&rig, LISTEN_MS);
    }
    rig_forget(&rig);
    rig_message(&out, QN_MSG_TRAIL_ASK, 1);
    qn_pack_u64(&out, 0);
    rig_frame(&rig, &out);
    rig_read_all(&rig, QN_OK);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_HELD), 1);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&rig.frames.items[0]));
    size_t count;
    uint64_t number;
    cr_assert_eq(qn_cursor_array(&cursor, 4, &count), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &number), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &number), QN_OK);
    cr_assert_eq(qn_cursor_array(&cursor, 100, &count), QN_OK);
    cr_assert_eq(count, 3 * 3);
}

static void peer_holds(uint64_t after, uint64_t place, bool is_last)
{
    QN_AUTO_BUF struct qn_buf row;
    struct qn_buf out;
    make(0, 3, 1, rig.world.sites[0].signer, &row);
    rig_message(&out, QN_MSG_TRAIL_HELD, 3);
    qn_pack_u64(&out, after);
    qn_pack_array(&out, 3);
    qn_pack_u64(&out, place);
    qn_pack_u64(&out, WORLD_START_MS);
    qn_pack_bin(&out, qn_buf_view(&row));
    qn_pack_bool(&out, is_last);
    rig_frame(&rig, &out);
}

static void ask_others(void)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 8);
    qn_pack_map(&args, 0);
    rig_request(&rig, "audit.witnesses", &args);
}

Test(trail, the_others_are_asked_page_by_page)
{
    ask_others();
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_ASK), 1);
    cr_assert_eq(rig.replies, 0);
    peer_holds(0, 10, false);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_ASK), 2);
    peer_holds(0, 10, false);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_ASK), 2, "an answer that comes twice");
    peer_holds(10, 11, true);
    cr_assert_eq(rig.replies, 1);
    cr_assert_null(rig.code);
}

static void ask_newest(uint64_t points)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 32);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "points");
    qn_pack_u64(&args, points);
    rig_request(&rig, "audit.witnesses", &args);
}

Test(trail, of_the_newest_no_more_are_asked_for_than_are_wanted)
{
    ask_newest(2);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_ASK), 1);
    peer_holds(0, 10, false);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_ASK), 2);
    peer_holds(10, 11, false);
    cr_assert_eq(rig.replies, 1, "there are two");
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_ASK), 2);
}

static size_t count_held(uint64_t wanted)
{
    struct qn_buf out;
    size_t count;
    struct qn_span rest;
    rig_forget(&rig);
    rig_message(&out, QN_MSG_TRAIL_ASK, 2);
    qn_pack_u64(&out, 0);
    qn_pack_u64(&out, wanted);
    rig_frame(&rig, &out);
    rig_read_all(&rig, QN_OK);
    cr_assert_eq(rig_count(&rig, QN_MSG_TRAIL_HELD), 1);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&rig.frames.items[0]));
    cr_assert_eq(qn_cursor_array(&cursor, 4, &count), QN_OK);
    cr_assert_eq(qn_cursor_skip(&cursor, 1, &rest), QN_OK);
    cr_assert_eq(qn_cursor_skip(&cursor, 1, &rest), QN_OK);
    cr_assert_eq(qn_cursor_array(&cursor, 1000, &count), QN_OK);
    return count / 3;
}

Test(trail, who_wants_few_gets_few)
{
    for (uint64_t seq = 1; seq <= 5; seq++) {
        peer_tells(seq, 1, rig.world.sites[1].signer);
        rig_commit(&rig);
        rig_wait(&rig, LISTEN_MS);
    }
    cr_assert_eq(count_held(2), 2);
    cr_assert_eq(count_held(0), 5);
    cr_assert_eq(count_held(UINT64_MAX), 5);
}

Test(trail, a_site_that_does_not_answer_is_not_waited_for_for_ever)
{
    ask_others();
    for (int i = 0; i < 12; i++)
        rig_wait(&rig, 1000);
    cr_assert_eq(rig.replies, 1);
    peer_holds(0, 10, true);
    cr_assert_eq(rig.replies, 1);
}

Test(trail, places_that_go_back_end_the_connection)
{
    peer_holds(20, 10, false);
    cr_assert(rig.has_closed);
}
