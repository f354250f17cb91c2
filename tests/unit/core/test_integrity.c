/* What differs is located in three round trips behind the first flight, and repaired (RECORDS 1.6).
 * The peer has a whole copy of the store, and answers from it. */
#include <criterion/criterion.h>

#include "core/integrity.h"
#include "model/copy.h"
#include "model/intents.h"
#include "model/row.h"
#include "model/tables.h"
#include "support/core_rig.h"

static struct rig rig;
static struct memkv *theirs;
static struct qn_coll_id coll;
static unsigned rounds; /* questions that were answered */

static void set_up(void)
{
    char key[8] = "key00";
    rig_init(&rig, 1);
    rig_start(&rig);
    coll = world_coll(1);
    for (int i = 0; i < 30; i++) {
        key[3] = (char)('0' + i / 10);
        key[4] = (char)('0' + i % 10);
        rig_put(&rig, 1, key);
    }
    theirs = memkv_clone(rig.disk);
    rounds = 0;
}

static void tear_down(void)
{
    memkv_free(theirs);
    rig_deinit(&rig);
}

TestSuite(integrity, .init = set_up, .fini = tear_down);

/* ---- damage ---- */

static void find_row(struct memkv *disk, const char *key, struct qn_key *ret_at,
                     struct qn_buf *ret_row)
{
    struct qn_coll_row row;
    struct qn_span value;
    struct qn_kv *kv = memkv_reader(disk);
    cr_assert_eq(qn_coll_row_get(kv, &coll, &row), QN_OK);
    qn_key_record(ret_at, row.number, qn_span_str(key));
    cr_assert_eq(qn_kv_get(kv, QN_TABLE_REC, qn_key_view(ret_at), &value), QN_OK);
    qn_buf_append_span(ret_row, value);
}

static void put_row(struct memkv *disk, const struct qn_key *at, const struct qn_buf *row)
{
    struct qn_kv *kv = memkv_begin(disk);
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_REC, qn_key_view(at), qn_buf_view(row)), QN_OK);
    cr_assert_eq(memkv_commit(disk), QN_OK);
}

static void flip_in(struct memkv *disk, const char *key)
{
    struct qn_key at;
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, 4096);
    find_row(disk, key, &at, &row);
    row.data[row.size - 1] ^= 1;
    put_row(disk, &at, &row);
}

static void flip(const char *key)
{
    flip_in(rig.disk, key);
}

static void recount(void)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 64);
    qn_pack_array(&payload, 2);
    qn_pack_bin(&payload, QN_SPAN_OF(coll.bytes));
    qn_pack_u64(&payload, 1000);
    rig_write(&rig, qn_intent_new(QN_INTENT_RECOUNT, 1, &payload));
}

/* A value that nobody wrote, with a hash and sums that fit it: only another site can tell. */
static void diverge(const char *key)
{
    struct qn_key at;
    struct qn_dict dict;
    struct qn_row_head head;
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_AUTO_BUF struct qn_buf row, other;
    qn_buf_init(&row, 4096);
    qn_buf_init(&other, 4096);
    find_row(rig.disk, key, &at, &row);
    struct qn_kv *kv = memkv_begin(rig.disk);
    qn_dict_init(&dict, kv, true);
    cr_assert_eq(qn_row_decode(&dict, qn_buf_view(&row), &record), QN_OK);
    cr_assert_eq(qn_row_decode_head(qn_buf_view(&row), &head), QN_OK);
    record.fields.items[0].pairs.items[0].value = qn_span("\x2a", 1);
    qn_record_hash(&record, false, head.hash);
    cr_assert_eq(qn_row_encode(&dict, &head, &record, &other), QN_OK);
    qn_dict_deinit(&dict);
    cr_assert_eq(memkv_commit(rig.disk), QN_OK);
    put_row(rig.disk, &at, &other);
    recount();
}

/* ---- the peer ---- */

static void say_colls(void)
{
    struct qn_coll_info info;
    struct qn_digest clock;
    QN_AUTO_VV struct qn_vv cc = {0};
    uint8_t both[2 * QN_ROOT_SIZE];
    struct qn_kv *kv = memkv_reader(theirs);
    cr_assert_eq(qn_read_coll(kv, &coll, &info), QN_OK);
    cr_assert_eq(qn_read_cc(kv, &coll, &cc), QN_OK);
    qn_vv_digest(&cc, &clock);
    memcpy(both, clock.bytes, QN_ROOT_SIZE);
    memcpy(both + QN_ROOT_SIZE, info.root, QN_ROOT_SIZE);
    struct qn_buf out;
    rig_message(&out, QN_MSG_COLLS, 1);
    qn_pack_array(&out, 3);
    qn_pack_bin(&out, qn_span(coll.bytes, 4));
    qn_pack_bin(&out, QN_SPAN_OF(both));
    qn_pack_u64(&out, 0);
    rig_frame(&rig, &out);
}

static void answer_read(const struct qn_read *read, enum qn_message number, size_t field_count,
                        const uint64_t *places, size_t place_count)
{
    struct qn_read_result result;
    struct qn_buf out;
    qn_core_read(memkv_reader(theirs), read, &result);
    cr_assert_eq(result.err, QN_OK);
    rig_message(&out, number, field_count);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    for (size_t i = 0; i < place_count; i++)
        qn_pack_u64(&out, places[i]);
    if (number == QN_MSG_FP)
        qn_pack_bin(&out, qn_buf_view(&result.body));
    else
        qn_pack_raw(&out, qn_buf_view(&result.body));
    qn_read_result_deinit(&result);
    rig_frame(&rig, &out);
}

static void answer_sums(struct qn_cursor *cursor)
{
    uint64_t places[2];
    cr_assert_eq(qn_cursor_u64(cursor, &places[0]), QN_OK);
    cr_assert_eq(qn_cursor_u64(cursor, &places[1]), QN_OK);
    answer_read(&(struct qn_read){.kind = QN_READ_FP,
                                  .coll = coll,
                                  .level = (unsigned)places[0],
                                  .prefix = (uint8_t)places[1]},
                QN_MSG_FP, 4, places, 2);
}

static void answer_keys(struct qn_cursor *cursor)
{
    uint64_t bucket;
    cr_assert_eq(qn_cursor_u64(cursor, &bucket), QN_OK);
    answer_read(&(struct qn_read){.kind = QN_READ_BUCKET, .coll = coll, .bucket = (uint16_t)bucket},
                QN_MSG_KEYS, 3, &bucket, 1);
}

static void answer_want(struct qn_cursor *cursor)
{
    struct qn_span keys;
    struct qn_read read = {.kind = QN_READ_COPIES, .coll = coll};
    cr_assert_eq(qn_cursor_skip(cursor, 1, &keys), QN_OK);
    if (!qn_cursor_is_end(cursor))
        cr_assert_eq(qn_cursor_bool(cursor, &read.with_left), QN_OK);
    qn_buf_init(&read.names, 8192);
    qn_buf_append_span(&read.names, keys);
    answer_read(&read, QN_MSG_COPIES, read.with_left ? 4 : 3, NULL, 0);
    qn_buf_deinit(&read.names);
}

/* Answers the first question of that kind that was asked; false if there is none. */
static bool answer(enum qn_message question, void (*with)(struct qn_cursor *cursor))
{
    qn_vec_each (&rig.frames, frame) {
        struct qn_cursor cursor = qn_cursor(qn_buf_view(frame));
        uint64_t number;
        uint8_t id[QN_COLL_ID_SIZE];
        size_t count;
        cr_assert_eq(qn_cursor_array(&cursor, 16, &count), QN_OK);
        cr_assert_eq(qn_cursor_u64(&cursor, &number), QN_OK);
        if (number != question)
            continue;
        cr_assert_eq(qn_cursor_bytes(&cursor, id, sizeof(id)), QN_OK);
        QN_AUTO_BUF struct qn_buf copy; /* the frames go with the next step */
        qn_buf_init(&copy, QN_FRAME_SIZE_MAX);
        qn_buf_append_span(&copy, qn_buf_view(frame));
        struct qn_cursor at = {.input = qn_buf_view(&copy), .at = cursor.at};
        rig_forget(&rig);
        with(&at);
        rig_read_all(&rig, QN_OK);
        rounds++;
        return true;
    }
    return false;
}

static void descend(void)
{
    while (answer(QN_MSG_FP_ASK, answer_sums) || answer(QN_MSG_KEYS_ASK, answer_keys))
        cr_assert_lt(rounds, 1000);
}

static void meet(void)
{
    rig_start(&rig);
    rig_link(&rig);
    rig_forget(&rig);
    say_colls();
    rig_read_all(&rig, QN_OK);
}

static struct qn_coll_info info_of(struct memkv *disk)
{
    struct qn_coll_info info;
    cr_assert_eq(qn_read_coll(memkv_reader(disk), &coll, &info), QN_OK);
    return info;
}

/* ---- tests ---- */

Test(integrity, what_differs_is_located_in_three_and_a_half_round_trips)
{
    diverge("key07");
    meet(); /* half a round trip: the peer's row of the first flight */
    descend();
    cr_assert_eq(rounds, 3);
    rig_wait(&rig, 0);
    rig_read_all(&rig, QN_OK);
    cr_assert_eq(rig_count(&rig, QN_MSG_WANT), 1);
}

Test(integrity, equal_roots_cost_nothing)
{
    meet();
    cr_assert_eq(rig_count(&rig, QN_MSG_FP_ASK), 0);
    cr_assert_eq(rig_count(&rig, QN_MSG_WANT), 0);
}

/* ---- while a connection lasts ---- */

static void beacon(const struct qn_span *roots)
{
    static const uint8_t clocks[QN_DIGEST_SIZE];
    struct qn_buf out;
    rig_message(&out, QN_MSG_BEACON, roots == NULL ? 2 : 3);
    qn_pack_bin(&out, QN_SPAN_OF(clocks));
    qn_pack_u64(&out, WORLD_START_MS);
    if (roots != NULL)
        qn_pack_bin(&out, *roots);
    rig_frame(&rig, &out);
}

/* Of the beacons that were sent; how many of them said the roots, and what. */
static size_t count_roots(struct qn_buf *ret_last)
{
    size_t found = 0;
    qn_vec_each (&rig.frames, frame) {
        struct qn_cursor cursor = qn_cursor(qn_buf_view(frame));
        struct qn_span rest;
        uint64_t number;
        size_t count;
        cr_assert_eq(qn_cursor_array(&cursor, 16, &count), QN_OK);
        cr_assert_eq(qn_cursor_u64(&cursor, &number), QN_OK);
        if (number != QN_MSG_BEACON || count < 4)
            continue;
        cr_assert_eq(qn_cursor_skip(&cursor, 1, &rest), QN_OK);
        cr_assert_eq(qn_cursor_skip(&cursor, 1, &rest), QN_OK);
        cr_assert_eq(qn_cursor_bin(&cursor, QN_ROOT_SIZE, &rest), QN_OK);
        qn_buf_reset(ret_last);
        qn_buf_append_span(ret_last, rest);
        found++;
    }
    return found;
}

Test(integrity, roots_are_compared_once_an_hour)
{
    QN_AUTO_BUF struct qn_buf said;
    qn_buf_init(&said, QN_ROOT_SIZE);
    meet();
    rig_forget(&rig);
    for (int minute = 0; minute < 6 * 60; minute++)
        rig_wait(&rig, 61000);
    size_t beacons = rig_count(&rig, QN_MSG_BEACON), with_roots = count_roots(&said);
    cr_assert_gt(beacons, 200);
    cr_assert(with_roots >= 4 && with_roots <= 8, "%zu", with_roots);
    rig_forget(&rig);
    struct qn_span equal = qn_buf_view(&said);
    beacon(&equal);
    beacon(NULL);
    cr_assert_eq(rig_count(&rig, QN_MSG_COLLS), 0, "as is what the release before says");
    said.data[0] ^= 1;
    beacon(&equal);
    cr_assert_eq(rig_count(&rig, QN_MSG_COLLS), 1);
    cr_assert_not(rig.has_closed);
}

Test(integrity, what_comes_to_differ_is_found_while_a_connection_lasts)
{
    static const uint8_t other[QN_ROOT_SIZE];
    struct qn_span roots = QN_SPAN_OF(other);
    diverge("key07");
    rig_start(&rig);
    rig_link(&rig);
    rig_wait(&rig, 5000);
    rig_read_all(&rig, QN_OK);
    cr_assert_eq(rig_count(&rig, QN_MSG_FP_ASK), 0);
    rig_forget(&rig);
    beacon(&roots);
    cr_assert_eq(rig_count(&rig, QN_MSG_COLLS), 1);
    say_colls(); /* for the peer heard such a beacon, too */
    rig_read_all(&rig, QN_OK);
    descend();
    rig_wait(&rig, 0);
    rig_read_all(&rig, QN_OK);
    cr_assert_eq(rig_count(&rig, QN_MSG_WANT), 1);
}

static bool has_alert(const char *code)
{
    struct qn_alert *alerts;
    struct qn_health health = {.wall_ms = 1};
    size_t count = qn_core_alerts(rig.core, &health, &alerts);
    bool is_found = false;
    for (size_t i = 0; i < count; i++)
        is_found |= strcmp(alerts[i].code, code) == 0;
    qn_free(alerts);
    return is_found;
}

static void scrub(void)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 64);
    qn_pack_map(&args, 2);
    qn_pack_cstr(&args, "scrub");
    qn_pack_bool(&args, true);
    qn_pack_cstr(&args, "timeout_ms");
    qn_pack_u64(&args, 60000);
    rig_request(&rig, "verify", &args);
    for (int i = 0; i < 40; i++) {
        rig_read_all(&rig, QN_OK);
        if (rig.intents.count > 0)
            rig_commit(&rig);
        rig_wait(&rig, 25);
    }
}

Test(integrity, a_flipped_byte_is_found_by_a_scrub_and_repaired)
{
    flip("key07");
    meet();
    cr_assert_eq(rig_count(&rig, QN_MSG_FP_ASK), 0, "the sums do not show it");
    scrub();
    cr_assert_eq(info_of(rig.disk).damage.damaged, 1);
    cr_assert(has_alert("damaged"));
    cr_assert_eq(rig_count(&rig, QN_MSG_WANT), 1);
    cr_assert(answer(QN_MSG_WANT, answer_want));
    rig_commit(&rig);
    cr_assert_eq(info_of(rig.disk).damage.damaged, 0);
    cr_assert_not(has_alert("damaged"));
    cr_assert(has_alert("repaired"));
    cr_assert_arr_eq(info_of(rig.disk).root, info_of(theirs).root, QN_ROOT_SIZE);
}

/* The peer is late: its copies are of no clock. */
static void make_late(struct memkv *disk)
{
    struct qn_coll_row row;
    struct qn_kv *kv = memkv_begin(disk);
    cr_assert_eq(qn_coll_row_get(kv, &coll, &row), QN_OK);
    row.is_late = true;
    cr_assert_eq(qn_coll_row_put(kv, &coll, &row), QN_OK);
    cr_assert_eq(memkv_commit(disk), QN_OK);
}

static void suspect(const char *key)
{
    struct care *care = &core_coll(rig.core, &coll)->care;
    qn_buf_init(&care->suspects, QN_CONTROL_FRAME_SIZE_MAX);
    qn_pack_cstr(&care->suspects, key);
    care->suspect_count = 1;
}

/* A comparison may have named it before the others became late. */
Test(integrity, a_damaged_record_that_is_suspected_too_is_given_up_after_a_day)
{
    flip("key07");
    meet();
    scrub();
    flip_in(theirs, "key07");
    make_late(theirs);
    suspect("key07");
    uint64_t until_ms = rig.core->now_ms + GIVE_UP_MS + 10 * REPAIR_RETRY_MS;
    while (rig.core->now_ms < until_ms && info_of(rig.disk).damage.damaged > 0) {
        rig_wait(&rig, 10000);
        rig_read_all(&rig, QN_OK);
        answer(QN_MSG_WANT, answer_want);
        if (rig.intents.count > 0)
            rig_commit(&rig);
    }
    cr_assert_eq(info_of(rig.disk).damage.damaged, 0);
}

static void forget_log(void)
{
    struct qn_replica *replica = rig.applier->replica;
    struct qn_kv *kv = memkv_begin(rig.disk);
    cr_assert_eq(qn_applier_begin(rig.applier, kv, 1, 1), QN_OK);
    cr_assert_eq(qn_replica_truncate(replica, &coll, UINT64_MAX), QN_OK);
    struct qn_commit *commit = qn_commit_new();
    cr_assert_eq(qn_applier_seal(rig.applier, commit), QN_OK);
    cr_assert_eq(memkv_commit(rig.disk), QN_OK);
    qn_applier_done(rig.applier, commit, QN_OK);
    qn_commit_free(commit);
}

/* Copies of it are worth nothing: what is asked for after a day is what is left of it. */
Test(integrity, of_a_record_that_is_damaged_at_all_sites_the_log_of_another_one_is_asked)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_AUTO_RECORD struct qn_record before = {0};
    struct memkv *was = memkv_clone(rig.disk);
    flip("key07");
    flip_in(theirs, "key07");
    meet();
    scrub();
    forget_log();
    uint64_t until_ms = rig.core->now_ms + GIVE_UP_MS + 10 * REPAIR_RETRY_MS;
    while (rig.core->now_ms < until_ms && info_of(rig.disk).damage.damaged > 0) {
        rig_wait(&rig, 10000);
        rig_read_all(&rig, QN_OK);
        answer(QN_MSG_WANT, answer_want);
        if (rig.intents.count > 0)
            rig_commit(&rig);
    }
    cr_assert_eq(info_of(rig.disk).damage.damaged, 0);
    cr_assert_eq(qn_read_record(memkv_reader(rig.disk), &coll, qn_span_str("key07"), &record),
                 QN_OK);
    cr_assert_eq(qn_read_record(memkv_reader(was), &coll, qn_span_str("key07"), &before), QN_OK);
    cr_assert_eq(record.fields.count, before.fields.count);
    cr_assert(qn_span_eq(qn_field_shown(&record.fields.items[0])->value,
                         qn_field_shown(&before.fields.items[0])->value));
    memkv_free(was);
}

Test(integrity, a_peer_that_gives_nonsense_for_a_record_changes_nothing)
{
    flip("key07");
    meet();
    scrub();
    struct qn_buf out;
    QN_AUTO_VV struct qn_vv cc = {0};
    struct qn_digest clock;
    cr_assert_eq(qn_read_cc(memkv_reader(rig.disk), &coll, &cc), QN_OK);
    qn_vv_digest(&cc, &clock);
    rig_message(&out, QN_MSG_COPIES, 3);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    qn_pack_bin(&out, qn_span(clock.bytes, QN_ROOT_SIZE));
    qn_pack_array(&out, 2);
    qn_pack_cstr(&out, "key07");
    qn_pack_array(&out, 2); /* a field without a pair */
    qn_pack_cstr(&out, "field");
    qn_pack_array(&out, 0);
    rig_forget(&rig);
    rig_frame(&rig, &out);
    rig_wait(&rig, 10000);
    if (rig.intents.count > 0)
        rig_commit(&rig);
    cr_assert_eq(info_of(rig.disk).damage.damaged, 1);
    cr_assert(has_alert("damaged"));
}

Test(integrity, a_scrub_comes_by_itself_at_night)
{
    rig_start(&rig);
    rig.wall_ahead_ms = 0;
    for (int hour = 0; hour < 24 && info_of(rig.disk).damage.scrubbed_ms == 0; hour++) {
        for (int i = 0; i < 20; i++) {
            rig_read_all(&rig, QN_OK);
            if (rig.intents.count > 0)
                rig_commit(&rig);
            rig_wait(&rig, 25);
        }
        rig_wait(&rig, 3600 * 1000);
    }
    cr_assert_gt(info_of(rig.disk).damage.scrubbed_ms, 0);
}

Test(integrity, a_scrub_that_fails_is_not_begun_again_before_the_next_night)
{
    unsigned begun = 0;
    rig_start(&rig);
    rig.wall_ahead_ms = 0;
    for (int hour = 0; hour < 24; hour++) {
        for (int i = 0; i < 20; i++) {
            qn_vec_each (&rig.reads, read)
                begun += (*read)->kind == QN_READ_SCRUB;
            rig_read_all(&rig, QN_ERR_IO);
            rig_wait(&rig, 25);
        }
        rig_wait(&rig, 3600 * 1000);
    }
    cr_assert_geq(begun, 1);
    cr_assert_leq(begun, 4);
}

static void want(const char *key)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_WANT, 2);
    qn_pack_bin(&out, QN_SPAN_OF(coll.bytes));
    qn_pack_array(&out, 1);
    qn_pack_cstr(&out, key);
    rig_frame(&rig, &out);
}

Test(integrity, a_peer_that_wants_copies_over_and_over_has_one_answer_under_way)
{
    meet();
    rig_forget(&rig);
    for (int i = 0; i < 100; i++)
        want("key07");
    rig_read_all(&rig, QN_OK);
    cr_assert_eq(rig_count(&rig, QN_MSG_COPIES), 1);
    want("key07");
    rig_read_all(&rig, QN_OK);
    cr_assert_eq(rig_count(&rig, QN_MSG_COPIES), 2);
}

/* ---- whole at nobody who is there ---- */

static void join_third_site(void)
{
    struct qn_buf payload;
    size_t from = qn_ledger_count(rig.world.ledger);
    world_join(&rig.world, 2, 0);
    size_t count = qn_ledger_count(rig.world.ledger);
    qn_buf_init(&payload, QN_LEDGER_SIZE_MAX);
    qn_pack_array(&payload, count - from);
    for (size_t i = from; i < count; i++)
        qn_pack_bin(&payload, qn_ledger_entry(rig.world.ledger, i));
    qn_vec_push(&rig.intents, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
    rig_commit(&rig);
}

static void give_up(void)
{
    QN_AUTO_BUF struct qn_buf args;
    struct qn_coll_info info = info_of(rig.disk);
    qn_buf_init(&args, 256);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, (const char *)info.name);
    rig.code = NULL;
    rig_request(&rig, "collection.give-up", &args);
}

static void answer_copies(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        rig_wait(&rig, 1000);
        rig_read_all(&rig, QN_OK);
        while (answer(QN_MSG_WANT, answer_want))
            rig_read_all(&rig, QN_OK);
        if (rig.intents.count > 0)
            rig_commit(&rig);
    }
}

Test(integrity, what_only_somebody_who_is_away_may_have_waits_until_people_give_it_up)
{
    join_third_site();
    flip("key07");
    memkv_free(theirs);
    theirs = memkv_clone(rig.disk);
    meet();
    scrub();
    answer_copies(3 * 24 * 3600 / 600);
    cr_assert_eq(info_of(rig.disk).damage.damaged, 1);
    cr_assert(has_alert("damaged-waits"));
    for (int hour = 0; hour < 72; hour++) {
        rig_wait(&rig, 3600 * 1000);
        answer_copies(1);
    }
    cr_assert_eq(info_of(rig.disk).damage.damaged, 1, "no time decides it");
    give_up();
    cr_assert_null(rig.code);
    answer_copies(120);
    cr_assert_eq(info_of(rig.disk).damage.damaged, 0);
    cr_assert_not(has_alert("damaged-waits"));
}

Test(integrity, what_does_not_wait_is_not_given_up)
{
    flip("key07");
    meet();
    scrub();
    give_up();
    cr_assert_str_eq(rig.code, "not-waiting");
}
