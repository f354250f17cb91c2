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

static const uint8_t lease_id[16] = {4};

static void lease(bool is_end)
{
    for_owner(3);
    qn_pack_bin(&payload, QN_SPAN_OF(lease_id));
    qn_pack_bool(&payload, is_end);
    cr_assert_eq(run(QN_INTENT_HELD_LEASE)->err, QN_OK);
}

static void offer_three(const struct qn_digest *names)
{
    for_owner(4);
    qn_pack_bin(&payload, QN_SPAN_OF(lease_id));
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
}

static void send_list(const struct qn_list_head *head, struct qn_span sealed, struct qn_span names)
{
    struct qn_digest list;
    qn_list_id(head, &list);
    for_owner(5);
    digest(&head->snapshot);
    digest(&head->names);
    qn_pack_u64(&payload, head->name_count);
    qn_pack_bin(&payload, sealed);
    cr_assert_eq(run(QN_INTENT_HELD_LIST)->err, QN_OK);
    struct qn_cursor cursor = answer();
    cr_array(&cursor, 1);
    cr_u64(&cursor, 0);
    for_owner(4);
    digest(&list);
    qn_pack_u64(&payload, 0);
    qn_pack_bin(&payload, names);
    cr_assert_eq(run(QN_INTENT_HELD_NAMES)->err, QN_OK);
}

static enum qn_err finish(const struct qn_digest *list)
{
    for_owner(3);
    digest(list);
    qn_pack_u64(&payload, 10);
    return run(QN_INTENT_HELD_FINISH)->err;
}

static void sweep_yields(uint64_t count_max, const struct qn_digest *name, bool is_end)
{
    static const struct qn_digest zero = {0};
    bool found;
    sweep(&zero, count_max);
    struct qn_cursor cursor = answer();
    cr_array(&cursor, 3);
    cr_names(&cursor, name, 1);
    cr_names(&cursor, name, 1);
    cr_assert_eq(qn_cursor_bool(&cursor, &found), QN_OK);
    cr_assert_eq(found, is_end);
}

Test(custody_intents, a_holder_from_offer_to_unlink)
{
    struct qn_digest names[] = {pack(1), pack(2), pack(3)}, list;
    static const uint8_t sealed[8] = "sealed";
    struct qn_list_head head = {.name_count = 2};
    QN_DIGEST(&head.snapshot, QN_SPAN_OF(sealed));
    QN_DIGEST(&head.names, qn_span(names, 64));
    qn_list_id(&head, &list);
    tick(0);
    agree(1000, 1);
    lease(false);
    offer_three(names);
    cr_assert_eq(store(1, 200), QN_OK);
    cr_assert_eq(store(3, 200), QN_OK);
    send_list(&head, QN_SPAN_OF(sealed), qn_span(names, 64));
    cr_assert_eq(finish(&list), QN_ERR_HELD);
    struct qn_cursor cursor = answer();
    cr_array(&cursor, 1);
    cr_names(&cursor, &names[1], 1);
    cr_assert_eq(store(2, 200), QN_OK);
    cr_assert_eq(finish(&list), QN_OK);
    cursor = answer();
    cr_array(&cursor, 1);
    cr_u64(&cursor, 24 * WORLD_HOUR_MS); /* how long it is locked */
    lease(true);
    tick(24u * WORLD_HOUR_MS);
    sweep_yields(10, &names[2], true); /* it is in no list */
    for_owner(2);
    qn_pack_bin(&payload, QN_SPAN_OF(names[2]));
    cr_assert_eq(run(QN_INTENT_HELD_UNLINKED)->err, QN_OK);
    struct qn_digest lists[] = {list, pack(9)};
    for_owner(2);
    qn_pack_bin(&payload, QN_SPAN_OF(lists));
    cr_assert_eq(run(QN_INTENT_HELD_FORGET)->err, QN_OK);
    for_owner(2);
    qn_pack_bin(&payload, qn_span(lists, 33));
    cr_assert_eq(run(QN_INTENT_HELD_FORGET)->err, QN_ERR_INVALID);
    for_owner(3);
    qn_pack_u64(&payload, 1);
    qn_pack_bin(&payload, qn_span_str("sealed"));
    cr_assert_eq(run(QN_INTENT_HELD_KEY)->err, QN_OK);
    uint32_t epoch;
    cr_assert_eq(qn_held_key_newest(memkv_reader(memkv), &world.sites[OWNER].id, &epoch), QN_OK);
    cr_assert_eq(epoch, 1);
    sweep_yields(1, &names[0], false);
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

static void plan_intent(enum qn_intent_kind kind, const uint64_t *values, size_t count)
{
    qn_pack_array(&payload, 1 + count);
    qn_pack_cstr(&payload, "nightly");
    for (size_t i = 0; i < count; i++)
        qn_pack_u64(&payload, values[i]);
    cr_assert_eq(run(kind)->err, QN_OK);
}

Test(custody_intents, an_owner_keeps_its_plans)
{
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, 4096);
    struct qn_plan plan = {.name = qn_span_str("nightly"), .schedule = qn_span_str("daily 02:00")};
    qn_plan_pack(&plan, &packed);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(&packed));
    cr_assert_eq(run(QN_INTENT_PLAN_PUT)->err, QN_OK);
    plan_intent(QN_INTENT_PLAN_STARTED, (uint64_t[]){11}, 1);
    qn_pack_array(&payload, 5);
    qn_pack_cstr(&payload, "nightly");
    qn_pack_u64(&payload, 12);
    qn_pack_u64(&payload, QN_ERR_IO);
    qn_pack_u64(&payload, 3);
    qn_pack_cstr(&payload, "/srv/a");
    cr_assert_eq(run(QN_INTENT_PLAN_ENDED)->err, QN_OK);
    static const struct qn_digest snapshot = {{7}};
    qn_pack_array(&payload, 6);
    qn_pack_cstr(&payload, "nightly");
    qn_pack_u64(&payload, 13);
    qn_pack_u64(&payload, QN_OK);
    qn_pack_u64(&payload, 20);
    qn_pack_u64(&payload, 2000);
    qn_pack_bin(&payload, qn_digest_view(&snapshot));
    cr_assert_eq(run(QN_INTENT_PLAN_DRILLED)->err, QN_OK);
    struct qn_plan_runs runs;
    cr_assert_eq(qn_book_runs_get(memkv_reader(memkv), plan.name, &runs), QN_OK);
    cr_assert_eq(runs.start_ms, 11);
    cr_assert_eq(runs.attempt_err, QN_ERR_IO);
    cr_assert_eq(runs.attempt_files_failed, 3);
    cr_assert_str_eq(runs.attempt_first, "/srv/a");
    cr_assert_eq(runs.success_ms, 0);
    cr_assert_eq(runs.drill_files, 20);
    cr_assert_eq(runs.drill_err, QN_OK);
    plan_intent(QN_INTENT_PLAN_REMOVE, NULL, 0);
    cr_assert_eq(memkv_count(memkv, QN_TABLE_PLAN), 0);
}

static void add_pack(const struct qn_digest *name)
{
    qn_pack_array(&payload, 1);
    qn_pack_array(&payload, 3);
    digest(name);
    qn_pack_u64(&payload, 500);
    qn_pack_u64(&payload, 1);
    cr_assert_eq(run(QN_INTENT_OWN_PACKS)->err, QN_OK);
}

static void add_snapshot(const struct qn_list_head *head)
{
    qn_pack_array(&payload, 10);
    digest(&head->snapshot);
    qn_pack_cstr(&payload, "nightly");
    qn_pack_u64(&payload, 11);
    qn_pack_u64(&payload, 12);
    qn_pack_bool(&payload, false);
    for (uint64_t i = 0; i < 3; i++)
        qn_pack_u64(&payload, i);
    digest(&head->names);
    qn_pack_u64(&payload, head->name_count);
    cr_assert_eq(run(QN_INTENT_OWN_SNAP)->err, QN_OK);
}

/* Site OWNER is the holder of this one here. */
static void acknowledge(const struct qn_digest *name, const struct qn_list_head *head)
{
    for_owner(3);
    qn_pack_u64(&payload, 14);
    qn_pack_array(&payload, 2);
    digest(name);
    qn_pack_u64(&payload, 500);
    cr_assert_eq(run(QN_INTENT_COPY_ACKED)->err, QN_OK);
    for_owner(5);
    qn_pack_u64(&payload, 15);
    digest(&head->snapshot);
    digest(&head->names);
    qn_pack_u64(&payload, head->name_count);
    cr_assert_eq(run(QN_INTENT_COPY_LIST)->err, QN_OK);
}

static enum qn_err with_digest(enum qn_intent_kind kind, const struct qn_digest *name)
{
    qn_pack_array(&payload, 1);
    digest(name);
    return run(kind)->err;
}

static enum qn_err with_holder(enum qn_intent_kind kind, const struct qn_digest *name)
{
    for_owner(2);
    digest(name);
    return run(kind)->err;
}

Test(custody_intents, an_owner_keeps_its_book)
{
    struct qn_digest name = pack(1), list, forget;
    struct qn_list_head head = {.snapshot = pack(2), .names = pack(3), .name_count = 1};
    const struct qn_site_id *holder = &world.sites[OWNER].id;
    struct qn_own_snap snap;
    enum qn_copy_state state;
    qn_list_id(&head, &list);
    add_pack(&name);
    add_snapshot(&head);
    acknowledge(&name, &head);
    struct qn_kv *kv = memkv_reader(memkv);
    cr_assert_eq(qn_book_snap_get(kv, &head.snapshot, &snap), QN_OK);
    cr_assert_eq(qn_book_copy_state(kv, holder, &snap, &state), QN_OK);
    cr_assert_eq(state, QN_COPY_COMPLETE);
    cr_assert_eq(with_holder(QN_INTENT_COPY_LOST, &name), QN_OK);
    cr_assert_eq(with_digest(QN_INTENT_OWN_SNAP_GONE, &head.snapshot), QN_OK);
    cr_assert_eq(qn_book_next_forget(memkv_reader(memkv), holder, NULL, &forget), QN_OK);
    cr_assert(qn_digest_eq(&forget, &list));
    cr_assert_eq(with_holder(QN_INTENT_COPY_FORGOTTEN, &list), QN_OK);
    cr_assert_eq(with_digest(QN_INTENT_OWN_PACK_GONE, &name), QN_OK);
    for_owner(2);
    qn_pack_u64(&payload, 100);
    cr_assert_eq(run(QN_INTENT_COPY_DROP)->err, QN_OK);
    cr_assert_eq(memkv_count(memkv, QN_TABLE_COPY), 0);
    cr_assert_eq(memkv_count(memkv, QN_TABLE_OWN_PACK), 1, "the totals");
}

Test(custody_intents, a_proof_is_noted)
{
    const struct qn_site_id *holder = &world.sites[OWNER].id;
    struct qn_digest name = pack(1);
    struct qn_list_head head = {.snapshot = pack(2), .names = pack(3), .name_count = 1};
    struct qn_proof proof;
    add_pack(&name);
    add_snapshot(&head);
    acknowledge(&name, &head);
    for_owner(7);
    for (uint64_t i = 1; i <= 6; i++)
        qn_pack_u64(&payload, i);
    cr_assert_eq(run(QN_INTENT_COPY_PROOF)->err, QN_OK);
    cr_assert_eq(qn_book_proof_get(memkv_reader(memkv), holder, &proof), QN_OK);
    cr_assert_eq(proof.verified_ms, 1);
    cr_assert_eq(proof.at, 4);
    cr_assert_eq(proof.unknown, 6);
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
    for (int kind = QN_INTENT_LOCK_CLOCK; kind <= QN_INTENT_LOCAL; kind++) {
        qn_pack_array(&payload, 17);
        cr_assert_eq(run((enum qn_intent_kind)kind)->err, QN_ERR_INVALID, "kind %d", kind);
        qn_pack_array(&payload, 1);
        qn_pack_nil(&payload);
        cr_assert_eq(run((enum qn_intent_kind)kind)->err, QN_ERR_INVALID, "kind %d", kind);
        cr_assert_null(commit->outcomes.items[0].answer);
    }
}
