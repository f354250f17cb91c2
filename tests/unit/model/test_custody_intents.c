/* Custody and the book as intents: terms come from the ledger, answers go back with the outcome. */
#include <criterion/criterion.h>

#include "model/applier.h"
#include "model/book.h"
#include "proto/pack.h"
#include "support/ledger_world.h"
#include "support/memkv.h"

enum { OWNER = 1, HOLDER = 2 };

static struct world world;
static struct memkv *memkv;
static struct qn_applier *applier;
static struct qn_commit *commit; /* of the last intent */
static struct qn_buf payload;

static const struct qn_outcome *run(enum qn_intent_kind kind)
{
    qn_commit_free(commit);
    commit = qn_commit_new();
    struct qn_intent *intent = qn_intent_new(kind, 7, &payload);
    qn_buf_init(&payload, 1u << 20);
    cr_assert_eq(qn_applier_begin(applier, memkv_begin(memkv), WORLD_START_MS, 5), QN_OK);
    cr_assert_eq(qn_applier_execute(applier, intent, commit), QN_OK);
    cr_assert_eq(qn_applier_seal(applier, commit), QN_OK);
    cr_assert_eq(memkv_commit(memkv), QN_OK);
    qn_applier_done(applier, commit, QN_OK);
    qn_intent_free(intent);
    cr_assert_eq(commit->outcomes.items[0].token, 7);
    return &commit->outcomes.items[0];
}

static void merge_ledger(void)
{
    size_t count = qn_ledger_count(world.ledger);
    qn_pack_array(&payload, count);
    for (size_t i = 0; i < count; i++)
        qn_pack_bin(&payload, qn_ledger_entry(world.ledger, i));
    cr_assert_eq(run(QN_INTENT_LEDGER_MERGE)->err, QN_OK);
}

static void append(size_t author, struct qn_buf *body)
{
    cr_assert_eq(world_append(&world, author, body), QN_OK);
    qn_buf_deinit(body);
}

static void agree(uint64_t quota, uint64_t days)
{
    struct qn_buf body;
    world_place_body(&world, HOLDER, quota, days, &body);
    append(OWNER, &body);
    world_accept_body(&world, world.ledger, OWNER, HOLDER, quota, days, &body);
    append(HOLDER, &body);
    merge_ledger();
}

static void tick(uint64_t boot_ms)
{
    static const uint8_t boot[32] = {1};
    qn_pack_array(&payload, 5);
    qn_pack_bin(&payload, QN_SPAN_OF(boot));
    qn_pack_u64(&payload, boot_ms);
    qn_pack_u64(&payload, WORLD_START_MS);
    qn_pack_u64(&payload, 0);
    qn_pack_u64(&payload, 0);
    cr_assert_eq(run(QN_INTENT_LOCK_CLOCK)->err, QN_OK);
}

static void setup(void)
{
    world_init(&world);
    world_join(&world, OWNER, 0);
    world_join(&world, HOLDER, 0);
    memkv = memkv_new();
    memkv_lend_strictly(memkv);
    qn_buf_init(&payload, 1u << 20);
    applier = qn_applier_new(&world.sites[HOLDER].id, world.sites[HOLDER].signer);
    merge_ledger();
}

static void teardown(void)
{
    qn_commit_free(commit);
    qn_applier_free(applier);
    qn_buf_deinit(&payload);
    memkv_free(memkv);
    world_deinit(&world);
}

TestSuite(custody_intents, .init = setup, .fini = teardown);

static struct qn_digest pack(uint8_t number)
{
    return (struct qn_digest){{number, 9}};
}

static void for_owner(size_t count)
{
    qn_pack_array(&payload, count);
    qn_pack_bin(&payload, QN_SPAN_OF(world.sites[OWNER].id.bytes));
}

static void digest(const struct qn_digest *digest)
{
    qn_pack_bin(&payload, qn_digest_view(digest));
}

static enum qn_err store(uint8_t number, uint64_t size)
{
    struct qn_digest name = pack(number);
    for_owner(3);
    digest(&name);
    qn_pack_u64(&payload, size);
    return run(QN_INTENT_HELD_STORED)->err;
}

static struct qn_cursor answer(void)
{
    const struct qn_outcome *outcome = &commit->outcomes.items[0];
    cr_assert_not_null(outcome->answer);
    return qn_cursor(qn_span(outcome->answer, outcome->answer_size));
}

static void cr_array(struct qn_cursor *cursor, size_t count)
{
    size_t found;
    cr_assert_eq(qn_cursor_array(cursor, 100, &found), QN_OK);
    cr_assert_eq(found, count);
}

static void cr_u64(struct qn_cursor *cursor, uint64_t expected)
{
    uint64_t found;
    cr_assert_eq(qn_cursor_u64(cursor, &found), QN_OK);
    cr_assert_eq(found, expected, "%lu", found);
}

static void cr_names(struct qn_cursor *cursor, const struct qn_digest *names, size_t count)
{
    struct qn_span bytes;
    cr_assert_eq(qn_cursor_bin(cursor, 4096, &bytes), QN_OK);
    cr_assert_eq(bytes.size, count * sizeof(names[0]));
    cr_assert(count == 0 || memcmp(bytes.data, names, bytes.size) == 0);
}

static void sweep(const struct qn_digest *after, uint64_t count_max)
{
    for_owner(3);
    digest(after);
    qn_pack_u64(&payload, count_max);
    cr_assert_eq(run(QN_INTENT_HELD_SWEEP)->err, QN_OK);
}

static void expect_terms(enum qn_err expected)
{
    for_owner(1);
    cr_assert_eq(run(QN_INTENT_HELD_TERMS)->err, expected);
}

Test(custody_intents, terms_are_those_of_the_ledger)
{
    cr_assert_eq(store(1, 100), QN_ERR_STATE, "no lock time yet");
    tick(0);
    cr_assert_eq(store(1, 100), QN_ERR_DENIED, "no agreement");
    agree(150, 3);
    cr_assert_eq(store(1, 100), QN_OK);
    cr_assert_eq(store(2, 51), QN_ERR_LIMIT);
    agree(200, 3);
    cr_assert_eq(store(2, 51), QN_OK);
    struct qn_buf body;
    world_place_body(&world, HOLDER, 0, 0, &body);
    append(OWNER, &body);
    merge_ledger();
    cr_assert_eq(store(3, 1), QN_ERR_DENIED);
    expect_terms(QN_OK);
    struct qn_held held;
    cr_assert_eq(qn_held_get(memkv_reader(memkv), &world.sites[OWNER].id, &held), QN_OK);
    cr_assert(held.is_ended);
    cr_assert_eq(held.pack_count, 2);
}

Test(custody_intents, a_holder_from_offer_to_unlink)
{
    struct qn_digest names[] = {pack(1), pack(2), pack(3)}, zero = {0};
    uint8_t sealed[8] = "sealed";
    struct qn_list_head head = {.name_count = 2};
    QN_DIGEST(&head.snapshot, QN_SPAN_OF(sealed));
    QN_DIGEST(&head.names, qn_span(names, 64));
    struct qn_digest list;
    qn_list_id(&head, &list);
    tick(0);
    agree(1000, 1);
    uint8_t lease[16] = {4};
    for_owner(3);
    qn_pack_bin(&payload, QN_SPAN_OF(lease));
    qn_pack_bool(&payload, false);
    cr_assert_eq(run(QN_INTENT_HELD_LEASE)->err, QN_OK);
    for_owner(4);
    qn_pack_bin(&payload, QN_SPAN_OF(lease));
    qn_pack_u64(&payload, 500);
    qn_pack_array(&payload, 6);
    for (size_t i = 0; i < 3; i++) {
        digest(&names[i]);
        qn_pack_u64(&payload, 200);
    }
    cr_assert_eq(run(QN_INTENT_HELD_OFFER)->err, QN_OK);
    struct qn_cursor cursor = answer();
    cr_array(&cursor, 3);
    cr_u64(&cursor, QN_OFFER_WANTED);
    cr_u64(&cursor, QN_OFFER_WANTED);
    cr_u64(&cursor, QN_OFFER_ROOM);
    cr_assert_eq(store(1, 200), QN_OK);
    cr_assert_eq(store(3, 200), QN_OK);
    for_owner(5);
    digest(&head.snapshot);
    digest(&head.names);
    qn_pack_u64(&payload, head.name_count);
    qn_pack_bin(&payload, QN_SPAN_OF(sealed));
    cr_assert_eq(run(QN_INTENT_HELD_LIST)->err, QN_OK);
    cursor = answer();
    cr_array(&cursor, 1);
    cr_u64(&cursor, 0);
    for_owner(4);
    digest(&list);
    qn_pack_u64(&payload, 0);
    qn_pack_bin(&payload, qn_span(names, 64));
    cr_assert_eq(run(QN_INTENT_HELD_NAMES)->err, QN_OK);
    for (int round = 0; round < 2; round++) {
        for_owner(3);
        digest(&list);
        qn_pack_u64(&payload, 10);
        cr_assert_eq(run(QN_INTENT_HELD_FINISH)->err, round == 0 ? QN_ERR_HELD : QN_OK);
        if (round == 0) {
            cursor = answer();
            cr_array(&cursor, 1);
            cr_names(&cursor, &names[1], 1);
            cr_assert_eq(store(2, 200), QN_OK);
        }
    }
    for_owner(3);
    qn_pack_bin(&payload, QN_SPAN_OF(lease));
    qn_pack_bool(&payload, true);
    cr_assert_eq(run(QN_INTENT_HELD_LEASE)->err, QN_OK);
    tick(24u * WORLD_HOUR_MS);
    sweep(&zero, 10); /* the third pack is in no list */
    cursor = answer();
    cr_array(&cursor, 3);
    cr_names(&cursor, &names[2], 1);
    cr_names(&cursor, &names[2], 1);
    bool is_end;
    cr_assert_eq(qn_cursor_bool(&cursor, &is_end), QN_OK);
    cr_assert(is_end);
    for_owner(2);
    qn_pack_bin(&payload, QN_SPAN_OF(names[2]));
    cr_assert_eq(run(QN_INTENT_HELD_UNLINKED)->err, QN_OK);
    for_owner(2);
    digest(&list);
    cr_assert_eq(run(QN_INTENT_HELD_FORGET)->err, QN_OK);
    sweep(&zero, 1);
    cursor = answer();
    cr_array(&cursor, 3);
    cr_names(&cursor, &names[0], 1);
    cr_names(&cursor, &names[0], 1);
}

Test(custody_intents, scrubs_expectations_and_alarms)
{
    struct qn_digest name = pack(1);
    struct qn_held held;
    tick(0);
    agree(1000, 1);
    cr_assert_eq(store(1, 10), QN_OK);
    for_owner(3);
    digest(&name);
    qn_pack_bool(&payload, false);
    cr_assert_eq(run(QN_INTENT_HELD_SCRUBBED)->err, QN_OK);
    for (uint64_t days = 1; days <= 2; days++) {
        for_owner(2);
        qn_pack_u64(&payload, days * 1000);
        cr_assert_eq(run(QN_INTENT_HELD_EXPECT)->err, QN_OK);
    }
    cr_assert_eq(qn_held_get(memkv_reader(memkv), &world.sites[OWNER].id, &held), QN_OK);
    cr_assert_eq(held.alarms, QN_HELD_ALARM_BAD | QN_HELD_ALARM_EXPECT);
    for_owner(2);
    qn_pack_u64(&payload, QN_HELD_ALARM_EXPECT);
    cr_assert_eq(run(QN_INTENT_HELD_CALM)->err, QN_OK);
    cr_assert_eq(qn_held_get(memkv_reader(memkv), &world.sites[OWNER].id, &held), QN_OK);
    cr_assert_eq(held.alarms, QN_HELD_ALARM_BAD);
}

Test(custody_intents, an_owner_keeps_its_book)
{
    struct qn_digest name = pack(1), snapshot = pack(2), names = pack(3);
    struct qn_list_head head = {.snapshot = snapshot, .names = names, .name_count = 1};
    struct qn_digest list;
    qn_list_id(&head, &list);
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, 4096);
    struct qn_plan plan = {.name = qn_span_str("nightly"), .schedule = qn_span_str("daily 02:00")};
    qn_plan_pack(&plan, &packed);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(&packed));
    cr_assert_eq(run(QN_INTENT_PLAN_PUT)->err, QN_OK);
    qn_pack_array(&payload, 2);
    qn_pack_cstr(&payload, "nightly");
    qn_pack_u64(&payload, 11);
    cr_assert_eq(run(QN_INTENT_PLAN_STARTED)->err, QN_OK);
    qn_pack_array(&payload, 4);
    qn_pack_cstr(&payload, "nightly");
    qn_pack_u64(&payload, 12);
    qn_pack_u64(&payload, QN_ERR_IO);
    qn_pack_u64(&payload, 3);
    cr_assert_eq(run(QN_INTENT_PLAN_ENDED)->err, QN_OK);
    qn_pack_array(&payload, 5);
    qn_pack_cstr(&payload, "nightly");
    qn_pack_u64(&payload, 13);
    qn_pack_u64(&payload, 0);
    qn_pack_u64(&payload, 20);
    qn_pack_u64(&payload, 2000);
    cr_assert_eq(run(QN_INTENT_PLAN_DRILLED)->err, QN_OK);
    struct qn_plan_runs runs;
    cr_assert_eq(qn_book_runs_get(memkv_reader(memkv), plan.name, &runs), QN_OK);
    cr_assert_eq(runs.start_ms, 11);
    cr_assert_eq(runs.attempt_err, QN_ERR_IO);
    cr_assert_eq(runs.attempt_files_failed, 3);
    cr_assert_eq(runs.success_ms, 0);
    cr_assert_eq(runs.drill_files, 20);
    cr_assert_eq(runs.drill_err, QN_OK);

    qn_pack_array(&payload, 1);
    qn_pack_array(&payload, 3);
    digest(&name);
    qn_pack_u64(&payload, 500);
    qn_pack_u64(&payload, 1);
    cr_assert_eq(run(QN_INTENT_OWN_PACKS)->err, QN_OK);
    qn_pack_array(&payload, 10);
    digest(&snapshot);
    qn_pack_cstr(&payload, "nightly");
    qn_pack_u64(&payload, 11);
    qn_pack_u64(&payload, 12);
    qn_pack_bool(&payload, false);
    for (uint64_t i = 0; i < 3; i++)
        qn_pack_u64(&payload, i);
    digest(&names);
    qn_pack_u64(&payload, 1);
    cr_assert_eq(run(QN_INTENT_OWN_SNAP)->err, QN_OK);
    for_owner(3); /* here the holder of it */
    qn_pack_u64(&payload, 14);
    qn_pack_array(&payload, 2);
    digest(&name);
    qn_pack_u64(&payload, 500);
    cr_assert_eq(run(QN_INTENT_COPY_ACKED)->err, QN_OK);
    for_owner(5);
    qn_pack_u64(&payload, 15);
    digest(&head.snapshot);
    digest(&head.names);
    qn_pack_u64(&payload, head.name_count);
    cr_assert_eq(run(QN_INTENT_COPY_LIST)->err, QN_OK);
    struct qn_own_snap snap;
    enum qn_copy_state state;
    struct qn_kv *kv = memkv_reader(memkv);
    cr_assert_eq(qn_book_snap_get(kv, &snapshot, &snap), QN_OK);
    cr_assert_eq(qn_book_copy_state(kv, &world.sites[OWNER].id, &snap, &state), QN_OK);
    cr_assert_eq(state, QN_COPY_COMPLETE);

    qn_pack_array(&payload, 3);
    digest(&name);
    qn_pack_u64(&payload, 0);
    qn_pack_bin(&payload, qn_span("0123456789abcdefFEDCBA9876543210", 32));
    cr_assert_eq(run(QN_INTENT_TOKENS_ADD)->err, QN_OK);
    for (uint64_t round = 0; round < 2; round++) {
        qn_pack_array(&payload, 1);
        digest(&name);
        cr_assert_eq(run(QN_INTENT_TOKEN_TAKE)->err, QN_OK);
        struct qn_cursor cursor = answer();
        uint8_t token[16];
        cr_array(&cursor, 2);
        cr_u64(&cursor, round);
        cr_assert_eq(qn_cursor_bytes(&cursor, token, sizeof(token)), QN_OK);
        cr_assert_eq(token[0], round == 0 ? '0' : 'F');
    }
    qn_pack_array(&payload, 1);
    digest(&name);
    cr_assert_eq(run(QN_INTENT_TOKEN_TAKE)->err, QN_ERR_NOTFOUND);

    for_owner(2);
    qn_pack_bin(&payload, qn_digest_view(&name));
    cr_assert_eq(run(QN_INTENT_COPY_LOST)->err, QN_OK);
    qn_pack_array(&payload, 1);
    digest(&snapshot);
    cr_assert_eq(run(QN_INTENT_OWN_SNAP_GONE)->err, QN_OK);
    struct qn_digest forget;
    cr_assert_eq(qn_book_next_forget(memkv_reader(memkv), &world.sites[OWNER].id, NULL, &forget),
                 QN_OK);
    cr_assert(qn_digest_eq(&forget, &list));
    for_owner(2);
    digest(&list);
    cr_assert_eq(run(QN_INTENT_COPY_FORGOTTEN)->err, QN_OK);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_digest_view(&name));
    cr_assert_eq(run(QN_INTENT_OWN_PACK_GONE)->err, QN_OK);
    for_owner(2);
    qn_pack_u64(&payload, 100);
    cr_assert_eq(run(QN_INTENT_COPY_DROP)->err, QN_OK);
    qn_pack_array(&payload, 1);
    qn_pack_cstr(&payload, "nightly");
    cr_assert_eq(run(QN_INTENT_PLAN_REMOVE)->err, QN_OK);
    cr_assert_eq(memkv_count(memkv, QN_TABLE_PLAN), 0);
    cr_assert_eq(memkv_count(memkv, QN_TABLE_COPY), 0);
    cr_assert_eq(memkv_count(memkv, QN_TABLE_OWN_PACK), 1); /* the totals */
    cr_assert_eq(memkv_count(memkv, QN_TABLE_TOKEN), 0);
}

Test(custody_intents, an_aborted_transaction_takes_its_answers_along)
{
    struct qn_digest zero = {0};
    tick(0);
    agree(1000, 1);
    cr_assert_eq(store(1, 10), QN_OK);
    for_owner(3);
    digest(&zero);
    qn_pack_u64(&payload, 10);
    struct qn_intent *intent = qn_intent_new(QN_INTENT_HELD_SWEEP, 7, &payload);
    qn_buf_init(&payload, 1u << 20);
    qn_commit_free(commit);
    commit = qn_commit_new();
    cr_assert_eq(qn_applier_begin(applier, memkv_begin(memkv), WORLD_START_MS, 5), QN_OK);
    cr_assert_eq(qn_applier_execute(applier, intent, commit), QN_OK);
    cr_assert_not_null(commit->outcomes.items[0].answer);
    memkv_abort(memkv);
    qn_applier_done(applier, commit, QN_ERR_IO);
    cr_assert_null(commit->outcomes.items[0].answer);
    cr_assert_eq(commit->outcomes.items[0].err, QN_ERR_IO);
    qn_intent_free(intent);
}

Test(custody_intents, payloads_that_are_no_payloads_are_refused)
{
    tick(0);
    agree(1000, 1);
    for (int kind = QN_INTENT_LOCK_CLOCK; kind <= QN_INTENT_TOKEN_TAKE; kind++) {
        qn_pack_array(&payload, 17);
        cr_assert_eq(run((enum qn_intent_kind)kind)->err, QN_ERR_INVALID, "kind %d", kind);
        qn_pack_array(&payload, 1);
        qn_pack_nil(&payload);
        cr_assert_eq(run((enum qn_intent_kind)kind)->err, QN_ERR_INVALID, "kind %d", kind);
        cr_assert_null(commit->outcomes.items[0].answer);
    }
}
