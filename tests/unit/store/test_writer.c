#include "base/limits.h"
#include "support/store_fixture.h"

static void assert_errors(const struct results *results, size_t from, size_t to, enum qn_err err)
{
    for (size_t i = from; i < to; i++) {
        cr_assert_eq(results->outcomes.items[i].token, i, "order of submission");
        cr_assert_eq(results->outcomes.items[i].err, err, "outcome %zu", i);
    }
}

static void assert_groups(const struct results *results, size_t count, const size_t *wanted)
{
    cr_assert_eq(results->groups.count, count);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(results->groups.items[i], wanted[i], "group %zu", i);
}
#define GROUPS(results, ...)                                                                       \
    assert_groups(results, sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t),                       \
                  (size_t[]){__VA_ARGS__})

static struct qn_store_health health_of(struct store_fixture *f)
{
    struct qn_store_health health;
    qn_store_health(f->store, &health);
    return health;
}

Test(writer, an_outcome_speaks_of_what_can_be_read)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    uint64_t txn_id = qn_store_txn_id(f.store);
    store_fixture_start(&f);
    submit_put(&f, 0, "a");
    collect(&f, 1, &results);
    assert_errors(&results, 0, 1, QN_OK);
    cr_assert_eq(results.outcomes.items[0].changed, 1);
    cr_assert(store_has(&f, "a"));
    cr_assert_eq(atomic_load(&f.notified_txn_id), txn_id + 1, "known when the loop is woken");
    cr_assert_eq(health_of(&f).last, QN_OK);
    cr_assert_eq(health_of(&f).queued, 0);
    cr_assert_null(qn_store_collect(f.store));
}

Test(writer, nothing_is_done_before_the_commit)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    store_fixture_start(&f);
    hold_writer(&f, 0);
    submit_put(&f, 1, "a");
    cr_assert_null(qn_store_collect(f.store));
    cr_assert_not(store_has(&f, "a"));
    cr_assert_eq(health_of(&f).queued, 2, "the group in hand counts");
    release_writer(&f);
    collect(&f, 2, &results);
    assert_errors(&results, 0, 2, QN_OK);
    cr_assert(store_has(&f, "a"));
}

Test(writer, what_queued_meanwhile_is_one_transaction)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    store_fixture_start(&f);
    hold_writer(&f, 0);
    for (uint64_t i = 1; i <= 1000; i++)
        submit_put(&f, i, "key");
    release_writer(&f);
    collect(&f, 1001, &results);
    assert_errors(&results, 0, 1001, QN_OK);
    GROUPS(&results, 1, 1000);
    cr_assert_eq(atomic_load(&f.notify_count), 2, "one word for each transaction");
}

Test(writer, a_group_has_a_bounded_number_of_operations)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    store_fixture_start(&f);
    hold_writer(&f, 0);
    for (uint64_t i = 1; i <= 5; i++) {
        struct qn_intent *intent = fake_put(i, SPAN("key"), SPAN("value"));
        intent->op_count = QN_TXN_OPS_MAX / 2;
        submit(&f, intent);
    }
    release_writer(&f);
    collect(&f, 6, &results);
    GROUPS(&results, 1, 2, 2, 1);
}

Test(writer, a_group_has_a_bounded_size_but_a_large_intent_gets_its_turn)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    static uint8_t value[2 * QN_TXN_SIZE_MAX];
    static const size_t sizes[] = {300000, 300000, 300000, sizeof(value), 1, 1};
    store_fixture_start(&f);
    hold_writer(&f, 0);
    for (uint64_t i = 1; i <= 6; i++)
        submit(&f, fake_put(i, SPAN("key"), qn_span(value, sizes[i - 1])));
    release_writer(&f);
    collect(&f, 7, &results);
    assert_errors(&results, 0, 7, QN_OK);
    GROUPS(&results, 1, 2, 1, 1, 2);
}

Test(writer, closing_commits_what_is_queued)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    char key[16];
    store_fixture_start(&f);
    hold_writer(&f, 0);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "%u", i);
        submit_put(&f, i, key);
    }
    release_writer(&f);
    store_fixture_close(&f);
    cr_assert_eq(atomic_load(&f.fake->done), 2);
    store_fixture_open(&f, STORE_MAP_SIZE);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "%u", i);
        cr_assert(store_has(&f, key), "%s", key);
    }
}

Test(writer, can_be_closed_without_having_worked)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    store_fixture_start(&f);
}

Test(writer, the_queue_is_bounded_by_number)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    store_fixture_start(&f);
    hold_writer(&f, 0);
    for (uint64_t i = 1; i < QN_WRITER_QUEUE_MAX; i++)
        submit_put(&f, i, "key");
    cr_assert_eq(qn_store_submit(f.store, fake_put(0, SPAN("key"), SPAN(""))), QN_ERR_BUSY);
    cr_assert_eq(health_of(&f).queued, QN_WRITER_QUEUE_MAX);
    release_writer(&f);
    collect(&f, QN_WRITER_QUEUE_MAX, &results);
    assert_errors(&results, 0, QN_WRITER_QUEUE_MAX, QN_OK);
    submit_put(&f, QN_WRITER_QUEUE_MAX, "key");
    collect(&f, QN_WRITER_QUEUE_MAX + 1, &results);
}

Test(writer, the_queue_is_bounded_by_size)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    static uint8_t value[QN_WRITER_QUEUE_SIZE_MAX];
    store_fixture_start(&f);
    hold_writer(&f, 0);
    submit(&f, fake_put(1, SPAN("key"), qn_span(value, sizeof(value) / 2)));
    submit(&f, fake_put(2, SPAN("key"), qn_span(value, sizeof(value) / 2 - 100)));
    cr_assert_eq(qn_store_submit(f.store, fake_put(0, SPAN("key"), qn_span(value, 200))),
                 QN_ERR_BUSY);
    cr_assert_eq(qn_store_submit(f.store, fake_put(0, SPAN("key"), QN_SPAN_OF(value))),
                 QN_ERR_LIMIT, "it would never fit");
    release_writer(&f);
    collect(&f, 3, &results);
    assert_errors(&results, 0, 3, QN_OK);
}

Test(writer, a_refusal_stays_with_its_intent)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    store_fixture_start(&f);
    hold_writer(&f, 0);
    submit_put(&f, 1, "a");
    submit(&f, fake_refuse(2, QN_ERR_DENIED));
    submit_put(&f, 3, "b");
    release_writer(&f);
    collect(&f, 4, &results);
    GROUPS(&results, 1, 3);
    cr_assert_eq(results.outcomes.items[1].err, QN_OK);
    cr_assert_eq(results.outcomes.items[2].err, QN_ERR_DENIED);
    cr_assert_eq(results.outcomes.items[3].err, QN_OK);
    cr_assert(store_has(&f, "a") && store_has(&f, "b"));
}

/* `breaker` (token 2) breaks a group of three with `err`; the next one must be fine. */
static void check_failed_group(struct store_fixture *f, struct qn_intent *breaker, enum qn_err err)
{
    AUTO_RESULTS struct results results = {0};
    store_fixture_start(f);
    hold_writer(f, 0);
    submit_put(f, 1, "before");
    submit(f, breaker);
    submit_put(f, 3, "after");
    release_writer(f);
    collect(f, 4, &results);
    GROUPS(&results, 1, 3);
    assert_errors(&results, 1, 4, err);
    cr_assert_not(store_has(f, "before") || store_has(f, "after"));
    cr_assert_eq(health_of(f).last, err);
    cr_assert_eq(health_of(f).fatal, QN_OK);
    submit_put(f, 4, "next");
    collect(f, 5, &results);
    assert_errors(&results, 4, 5, QN_OK);
    cr_assert(store_has(f, "next"));
    cr_assert_eq(health_of(f).last, QN_OK);
    cr_assert_eq(atomic_load(&f->fake->aborted), 1);
}

Test(writer, a_failure_fails_its_whole_group_and_no_other)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    check_failed_group(&f, fake_fail(2, QN_ERR_NOSPACE, true), QN_ERR_NOSPACE);
}

Test(writer, a_failure_without_an_outcome_gets_one)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    check_failed_group(&f, fake_fail(2, QN_ERR_CRYPTO, false), QN_ERR_CRYPTO);
}

/* Even if the applier overlooked it: the commit does not. */
Test(writer, a_full_map_fails_the_group_and_no_other)
{
    STORE_FIXTURE((size_t)1 << 20);
    check_failed_group(&f, fake_overfill(2, 2 << 20), QN_ERR_NOSPACE);
}

Test(writer, a_seal_that_fails_aborts)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    f.fake->seal_err = QN_ERR_CRYPTO;
    store_fixture_start(&f);
    submit_put(&f, 0, "a");
    collect(&f, 1, &results);
    assert_errors(&results, 0, 1, QN_ERR_CRYPTO);
    cr_assert_not(store_has(&f, "a"));
    cr_assert_eq(atomic_load(&f.fake->aborted), 1);
}

Test(writer, a_begin_that_fails_aborts)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    f.fake->begin_err = QN_ERR_NOSPACE;
    store_fixture_start(&f);
    submit_put(&f, 0, "a");
    collect(&f, 1, &results);
    assert_errors(&results, 0, 1, QN_ERR_NOSPACE);
    cr_assert_eq(atomic_load(&f.fake->aborted), 0, "what did not begin is not ended");
    submit_put(&f, 1, "a");
    collect(&f, 2, &results);
    assert_errors(&results, 1, 2, QN_OK);
}

static void check_fatal(enum qn_err err)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    store_fixture_start(&f);
    hold_writer(&f, 0);
    submit(&f, fake_fail(1, err, true));
    struct qn_intent *alone = fake_put(2, SPAN("a"), SPAN(""));
    alone->op_count = QN_TXN_OPS_MAX;
    submit(&f, alone);
    submit_put(&f, 3, "b");
    release_writer(&f);
    collect(&f, 4, &results);
    GROUPS(&results, 1, 1, 1, 1);
    assert_errors(&results, 0, 1, QN_OK);
    assert_errors(&results, 1, 4, err);
    cr_assert_eq(health_of(&f).fatal, err);
    cr_assert_eq(qn_store_submit(f.store, fake_put(4, SPAN("c"), SPAN(""))), QN_ERR_STATE);
    cr_assert_eq(atomic_load(&f.fake->begun), 2, "nothing is tried any more");
    cr_assert_not(store_has(&f, "a") || store_has(&f, "b"));
}

Test(writer, after_a_fault_of_the_disk_everything_is_refused)
{
    check_fatal(QN_ERR_IO);
}

Test(writer, after_corruption_everything_is_refused)
{
    check_fatal(QN_ERR_CORRUPT);
}

Test(writer, has_a_state)
{
    STORE_FIXTURE(STORE_MAP_SIZE);
    struct qn_kv *kv;
    cr_assert_eq(qn_store_submit(f.store, fake_refuse(0, QN_OK)), QN_ERR_STATE);
    cr_assert_null(qn_store_collect(f.store));
    store_fixture_start(&f);
    cr_assert_eq(qn_store_start(f.store, fake_applier(f.fake), store_fixture_notify, &f),
                 QN_ERR_STATE);
    cr_assert_eq(qn_store_write_begin(f.store, &kv), QN_ERR_STATE);
}

/* Reads, health and submissions on one thread, commits on the other, as the daemon does it. */
Test(writer, two_threads_for_a_while)
{
    enum { COUNT = 20000, WINDOW = 500 };
    STORE_FIXTURE(STORE_MAP_SIZE);
    AUTO_RESULTS struct results results = {0};
    uint64_t sent = 0;
    store_fixture_start(&f);
    while (results.outcomes.count < COUNT) {
        for (; sent < COUNT && sent - results.outcomes.count < WINDOW; sent++) {
            uint8_t key[8], value[60] = {0};
            qn_write_u64(key, sent);
            submit(&f, fake_put(sent, QN_SPAN_OF(key), QN_SPAN_OF(value)));
        }
        wait_for(&f.notified);
        collect_into(&f, &results);
        cr_assert_not(store_has(&f, "no such key"));
        cr_assert_leq(health_of(&f).queued, WINDOW);
    }
    assert_errors(&results, 0, COUNT, QN_OK);
    cr_assert_lt(results.groups.count, COUNT / 10, "grouped");
}
