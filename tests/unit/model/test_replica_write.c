#include <criterion/criterion.h>

#include "base/limits.h"
#include "proto/pack.h"
#include "support/sites.h"
#include "support/span.h"

static struct group group;
static struct site *a, *b;

static void setup(void)
{
    group_init(&group, 2, 1);
    a = &group.sites[0];
    b = &group.sites[1];
}

static void teardown(void)
{
    group_deinit(&group);
}

TestSuite(replica_write, .init = setup, .fini = teardown);

static enum qn_err put_raw(struct site *site, struct qn_span key, struct qn_span field,
                           struct qn_span value, struct qn_write_result *result)
{
    struct qn_op_set set = {field, value};
    struct qn_write write = {
        .coll = group.coll, .kind = QN_OP_PUT, .key = key, .fields = &set, .field_count = 1};
    return site_write(site, &write, result);
}

Test(replica_write, a_put_is_shown_and_counted)
{
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_str_eq(site_shown(a, "k", "f"), "1");
    struct qn_coll_info info = site_info(a);
    cr_assert(info.live == 1 && info.rows == 1 && info.order_head == 1);
    cr_assert_null(site_check(a));
}

Test(replica_write, what_changes_nothing_is_no_operation)
{
    struct qn_write_result result;
    cr_assert_eq(put_raw(a, SPAN("k"), SPAN("f"), SPAN("\x01"), &result), QN_OK);
    cr_assert(result.is_changed);
    cr_assert_eq(result.dot.ctr, 1);
    cr_assert_eq(put_raw(a, SPAN("k"), SPAN("f"), SPAN("\x01"), &result), QN_OK);
    cr_assert(!result.is_changed);
    cr_assert_eq(site_info(a).order_head, 1);
}

Test(replica_write, names_and_values_are_checked)
{
    struct qn_write_result result;
    static uint8_t longer[QN_KEY_SIZE_MAX + 1];
    memset(longer, 'x', sizeof(longer));
    cr_assert_eq(put_raw(a, SPAN(""), SPAN("f"), SPAN("\x01"), &result), QN_ERR_INVALID);
    cr_assert_eq(put_raw(a, SPAN("\xff"), SPAN("f"), SPAN("\x01"), &result), QN_ERR_INVALID);
    cr_assert_eq(put_raw(a, QN_SPAN_OF(longer), SPAN("f"), SPAN("\x01"), &result), QN_ERR_LIMIT);
    cr_assert_eq(put_raw(a, SPAN("k"), SPAN(""), SPAN("\x01"), &result), QN_ERR_INVALID);
    cr_assert_eq(put_raw(a, SPAN("k"), QN_SPAN_OF(longer), SPAN("\x01"), &result), QN_ERR_LIMIT);
    cr_assert_eq(put_raw(a, SPAN("k"), SPAN("f"), SPAN("\xc1"), &result), QN_ERR_INVALID);
    cr_assert_eq(put_raw(a, SPAN("k"), SPAN(QN_FIELD_TRASH), SPAN("\x01"), &result), QN_ERR_DENIED);
    struct qn_op_set twice[] = {{SPAN("f"), SPAN("\x01")}, {SPAN("f"), SPAN("\x02")}};
    struct qn_write write = {
        .coll = group.coll, .kind = QN_OP_PUT, .key = SPAN("k"), .fields = twice, .field_count = 2};
    cr_assert_eq(site_write(a, &write, &result), QN_ERR_INVALID);
    cr_assert_eq(site_info(a).order_head, 0);
    cr_assert_eq(put_raw(a, SPAN("_k"), SPAN("_f"), SPAN("\x01"), &result), QN_OK);
}

Test(replica_write, a_refused_write_leaves_the_transaction_as_it_was)
{
    struct qn_write_result result;
    struct qn_op_set good = {SPAN("f"), SPAN("\x01")}, bad = {SPAN(QN_FIELD_TRASH), SPAN("\x01")};
    struct qn_write write = {
        .coll = group.coll, .kind = QN_OP_PUT, .key = SPAN("k"), .fields = &good, .field_count = 1};
    cr_assert_eq(qn_replica_begin(a->replica, memkv_begin(a->store), 1000, 1), QN_OK);
    cr_assert_eq(qn_replica_write(a->replica, &write, &result), QN_OK);
    write.fields = &bad;
    cr_assert_eq(qn_replica_write(a->replica, &write, &result), QN_ERR_DENIED);
    write.fields = &good;
    good.value = SPAN("\x02");
    cr_assert_eq(qn_replica_write(a->replica, &write, &result), QN_OK);
    cr_assert_eq(result.dot.ctr, 2);
    cr_assert_eq(qn_replica_seal(a->replica), QN_OK);
    size_t count;
    cr_assert(qn_coll_id_eq(qn_replica_touched(a->replica, &count), &group.coll));
    cr_assert_eq(count, 1);
    cr_assert_eq(memkv_commit(a->store), QN_OK);
    qn_replica_done(a->replica, true);
    cr_assert_null(site_check(a));
    cr_assert_eq(memkv_count(a->store, QN_TABLE_CHAIN), 1, "one signature a commit");
    cr_assert_eq(memkv_count(a->store, QN_TABLE_HIST), 1, "they saw each other");
}

Test(replica_write, the_name_of_a_collection_is_not_counted)
{
    cr_assert_eq(site_put(a, QN_KEY_COLLECTION, "name", "Résidents"), QN_OK);
    struct qn_coll_info info = site_info(a);
    cr_assert(info.live == 0 && info.rows == 1);
    cr_assert_str_eq((char *)info.name, "Résidents");
    cr_assert_null(site_check(a));
}

Test(replica_write, trash_and_restore)
{
    cr_assert_eq(site_do(a, QN_OP_TRASH, "k"), QN_ERR_NOTFOUND);
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_RESTORE, "k"), QN_ERR_NOTFOUND);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "k"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "k"), QN_ERR_NOTFOUND);
    cr_assert_eq(site_state(a, "k"), QN_RECORD_TRASHED);
    cr_assert(site_info(a).live == 0 && site_info(a).trashed == 1);
    cr_assert_null(site_check(a));
    cr_assert_eq(site_do(a, QN_OP_RESTORE, "k"), QN_OK);
    cr_assert_eq(site_state(a, "k"), QN_RECORD_LIVE);
    cr_assert_str_eq(site_shown(a, "k", "f"), "1");
    cr_assert_null(site_check(a));
}

Test(replica_write, a_put_on_the_trash_starts_afresh)
{
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(a, "k", "g", "1"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "k"), QN_OK);
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_state(a, "k"), QN_RECORD_LIVE);
    cr_assert_str_eq(site_shown(a, "k", "f"), "1");
    cr_assert_str_eq(site_shown(a, "k", "g"), "");
    cr_assert_null(site_check(a));
}

static void contest(void)
{
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(a, "k", "g", "1"), QN_OK);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "k"), QN_OK);
    cr_assert_eq(site_put(b, "k", "f", "2"), QN_OK);
    group_settle(&group);
    cr_assert_eq(site_state(a, "k"), QN_RECORD_CONTESTED);
    cr_assert_eq(site_state(b, "k"), QN_RECORD_CONTESTED);
    cr_assert(site_info(a).live == 1 && site_info(a).conflicts == 1);
    cr_assert_null(site_check(a));
}

Test(replica_write, a_put_decides_a_contested_record)
{
    contest();
    cr_assert_eq(site_put(a, "k", "f", "2"), QN_OK);
    cr_assert_eq(site_state(a, "k"), QN_RECORD_LIVE);
    cr_assert_str_eq(site_shown(a, "k", "g"), "1");
    group_settle(&group);
    cr_assert_null(group_check_equal(&group));
    cr_assert_null(site_check(b));
}

Test(replica_write, trash_or_restore_decides_a_contested_record)
{
    contest();
    cr_assert_eq(site_do(b, QN_OP_TRASH, "k"), QN_OK);
    cr_assert_eq(site_state(b, "k"), QN_RECORD_TRASHED);
    cr_assert_eq(site_do(b, QN_OP_RESTORE, "k"), QN_OK);
    cr_assert_eq(site_state(b, "k"), QN_RECORD_LIVE);
    cr_assert_null(site_check(b));
}

Test(replica_write, erase_leaves_log_and_clock_only)
{
    cr_assert_eq(site_do(a, QN_OP_ERASE, "k"), QN_ERR_NOTFOUND);
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(a, "k", "f", "2"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "k"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_ERASE, "k"), QN_OK);
    enum qn_table tables[] = {QN_TABLE_REC, QN_TABLE_HIST, QN_TABLE_FP, QN_TABLE_CONF,
                              QN_TABLE_TRASH};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        cr_assert_eq(memkv_count(a->store, tables[i]), 0, "table %d", tables[i]);
    cr_assert_eq(site_info(a).order_head, 4);
    cr_assert_null(site_check(a));
    cr_assert_eq(site_put(a, "k", "f", "3"), QN_OK);
    cr_assert_null(site_check(a));
}

Test(replica_write, an_edit_that_erase_had_not_seen_survives)
{
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_ERASE, "k"), QN_OK);
    cr_assert_eq(site_put(b, "k", "f", "2"), QN_OK);
    group_settle(&group);
    cr_assert_str_eq(site_shown(a, "k", "f"), "2");
    cr_assert_null(group_check_equal(&group));
}

Test(replica_write, concurrent_puts_conflict_until_somebody_decides)
{
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(b, "k", "f", "2"), QN_OK);
    group_settle(&group);
    cr_assert_eq(site_info(a).conflicts, 1);
    cr_assert_str_eq(site_shown(a, "k", "f"), "2");
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    group_settle(&group);
    cr_assert_eq(site_info(b).conflicts, 0);
    cr_assert_str_eq(site_shown(b, "k", "f"), "1");
    cr_assert_null(group_check_equal(&group));
}

Test(replica_write, renew_draws_a_new_incarnation_once)
{
    struct qn_write_result one, two, three;
    cr_assert_eq(put_raw(a, SPAN("k"), SPAN("f"), SPAN("\x01"), &one), QN_OK);
    cr_assert_eq(qn_replica_begin(a->replica, memkv_begin(a->store), 1000, 1), QN_OK);
    cr_assert_eq(qn_replica_renew(a->replica), QN_OK);
    cr_assert_eq(qn_replica_seal(a->replica), QN_OK);
    cr_assert_eq(memkv_commit(a->store), QN_OK);
    qn_replica_done(a->replica, true);
    cr_assert_eq(put_raw(a, SPAN("k"), SPAN("f"), SPAN("\x02"), &two), QN_OK);
    cr_assert_eq(put_raw(a, SPAN("k"), SPAN("f"), SPAN("\x03"), &three), QN_OK);
    cr_assert_neq(qn_actor_cmp(&one.dot.actor, &two.dot.actor), 0);
    cr_assert_eq(qn_actor_cmp(&two.dot.actor, &three.dot.actor), 0);
    cr_assert_eq(two.dot.ctr, 1);
    cr_assert(qn_actor_is_of(&two.dot.actor, &a->id));
    cr_assert_null(site_check(a));
}

Test(replica_write, clocks_never_go_back)
{
    struct qn_write_result one, two;
    cr_assert_eq(put_raw(a, SPAN("k"), SPAN("f"), SPAN("\x01"), &one), QN_OK);
    group.wall_ms -= 1000000;
    cr_assert_eq(put_raw(a, SPAN("k"), SPAN("f"), SPAN("\x02"), &two), QN_OK);
    cr_assert_eq(two.hlc, one.hlc + 1);
    cr_assert_eq(site_pull(b, a), QN_OK);
    struct qn_write_result three;
    cr_assert_eq(put_raw(b, SPAN("k"), SPAN("f"), SPAN("\x03"), &three), QN_OK);
    cr_assert_eq(three.hlc >> 63, 0);
}

/* Invariant 8, for failures that are noticed: any put may fail, and nothing is left. */
static bool write_with_failure(uint64_t nth)
{
    struct memkv *before = memkv_clone(a->store);
    memkv_fail_put(a->store, nth, nth % 2 ? QN_ERR_NOSPACE : QN_ERR_IO);
    enum qn_err err = site_put(a, "k", "f", "3");
    bool has_failed = err != QN_OK;
    if (has_failed) {
        cr_assert_eq(err, nth % 2 ? QN_ERR_NOSPACE : QN_ERR_IO);
        cr_assert(memkv_is_equal(before, a->store));
    }
    memkv_free(before);
    return has_failed;
}

Test(replica_write, any_put_may_fail)
{
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(b, "k", "f", "2"), QN_OK);
    group_settle(&group);
    uint64_t nth = 1;
    while (write_with_failure(nth))
        nth++;
    cr_assert_gt(nth, 8);
    cr_assert_str_eq(site_shown(a, "k", "f"), "3");
    cr_assert_null(site_check(a));
}

static void hash_of(struct site *site, const char *key, uint8_t hash[QN_STATE_HASH_SIZE])
{
    QN_AUTO_RECORD struct qn_record record = {0};
    cr_assert_eq(qn_read_record(memkv_reader(site->store), &group.coll, qn_span_str(key), &record),
                 QN_OK);
    qn_record_hash(&record, false, hash);
}

static enum qn_err put_if(const char *value, bool must_be_new, const uint8_t *must_be)
{
    struct qn_write_result result;
    struct qn_op_set set = {SPAN("f"), qn_span_str(value)};
    struct qn_write write = {.coll = group.coll,
                             .kind = QN_OP_PUT,
                             .key = SPAN("k"),
                             .fields = &set,
                             .field_count = 1,
                             .must_be_new = must_be_new,
                             .must_be = must_be};
    return site_write(a, &write, &result);
}

/* Whoever has not seen what is there does not write over it. */
Test(replica_write, only_over_what_was_seen)
{
    uint8_t first[QN_STATE_HASH_SIZE], second[QN_STATE_HASH_SIZE];
    memset(first, 7, sizeof(first));
    cr_assert_eq(put_if("\x01", false, first), QN_ERR_EXISTS);
    cr_assert_eq(put_if("\x01", true, NULL), QN_OK);
    cr_assert_eq(put_if("\x02", true, NULL), QN_ERR_EXISTS);
    hash_of(a, "k", first);
    cr_assert_eq(put_if("\x02", false, first), QN_OK);
    cr_assert_eq(put_if("\x03", false, first), QN_ERR_EXISTS);
    hash_of(a, "k", second);
    cr_assert_eq(put_if("\x02", false, first), QN_ERR_EXISTS, "also if it would change nothing");
    cr_assert_eq(put_if("\x03", false, second), QN_OK);
    struct qn_write trash = {
        .coll = group.coll, .kind = QN_OP_TRASH, .key = SPAN("k"), .must_be = second};
    struct qn_write_result result;
    cr_assert_eq(site_write(a, &trash, &result), QN_ERR_EXISTS);
    hash_of(a, "k", second);
    cr_assert_eq(site_write(a, &trash, &result), QN_OK);
    hash_of(a, "k", second);
    cr_assert_eq(put_if("\x04", false, second), QN_ERR_EXISTS, "in the trash nothing is shown");
    cr_assert_eq(put_if("\x04", true, NULL), QN_OK);
    cr_assert_null(site_check(a));
}
