#include <criterion/criterion.h>
#include <stdio.h>

#include "base/limits.h"
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

TestSuite(replica_read, .init = setup, .fini = teardown);

Test(replica_read, of_nothing)
{
    struct qn_coll_info info = site_info(a);
    struct qn_kv *kv = memkv_reader(a->store);
    QN_AUTO_VV struct qn_vv vv = {0};
    struct qn_record record = {0};
    struct qn_span key;
    struct qn_digest digest;
    uint8_t zeros[40] = {0};
    uint64_t seq;
    QN_DIGEST(&digest, QN_SPAN_OF(zeros));
    cr_assert_arr_eq(info.root, digest.bytes, QN_ROOT_SIZE);
    cr_assert(info.rows == 0 && info.order_head == 0 && info.name[0] == 0);
    cr_assert_eq(qn_read_cc(kv, &group.coll, &vv), QN_OK);
    cr_assert_eq(vv.entries.count, 0);
    cr_assert_eq(qn_read_record(kv, &group.coll, SPAN("k"), &record), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_read_next(kv, &group.coll, SPAN(""), SPAN(""), &key, &record), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_read_start(kv, &group.coll, &vv, &seq), QN_OK);
    cr_assert_eq(seq, 0);
    cr_assert_null(site_check(a));
}

static void assert_next(const char *after, const char *prefix, const char *wanted)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    struct qn_span key;
    enum qn_err err = qn_read_next(memkv_reader(a->store), &group.coll, qn_span_str(after),
                                   qn_span_str(prefix), &key, &record);
    cr_assert_eq(err, wanted == NULL ? QN_ERR_NOTFOUND : QN_OK);
    if (wanted != NULL)
        assert_span_eq(key, qn_span_str(wanted));
}

Test(replica_read, records_in_order_with_a_prefix)
{
    const char *keys[] = {"a", "ab", "abc", "b", "ba"};
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(site_put(a, keys[i], "f", "1"), QN_OK);
    group.coll.bytes[0]++;
    cr_assert_eq(site_put(a, "bb", "f", "other collection"), QN_OK);
    group.coll.bytes[0]--;
    assert_next("", "", "a");
    assert_next("a", "", "ab");
    assert_next("abc", "", "b");
    assert_next("ba", "", NULL);
    assert_next("", "ab", "ab");
    assert_next("ab", "ab", "abc");
    assert_next("abc", "ab", NULL);
    assert_next("a", "b", "b");
    assert_next("b", "a", NULL);
}

Test(replica_read, batches_end_at_checkpoints)
{
    struct qn_write_result result;
    cr_assert_eq(qn_replica_begin(a->replica, memkv_begin(a->store), group.wall_ms, 1), QN_OK);
    for (int i = 0; i < 10; i++) { /* ten in one transaction: one checkpoint */
        uint8_t value = (uint8_t)i;
        struct qn_op_set set = {SPAN("f"), QN_SPAN_OF(value)};
        struct qn_write write = {.coll = group.coll,
                                 .kind = QN_OP_PUT,
                                 .key = SPAN("k"),
                                 .fields = &set,
                                 .field_count = 1};
        cr_assert_eq(qn_replica_write(a->replica, &write, &result), QN_OK);
    }
    cr_assert_eq(qn_replica_seal(a->replica), QN_OK);
    cr_assert_eq(memkv_commit(a->store), QN_OK);
    qn_replica_done(a->replica, true);
    cr_assert_eq(site_put(a, "k", "f", "last"), QN_OK);
    struct messages messages = {0};
    site_collect(a, b, &messages);
    cr_assert_eq(messages.list.count, 2);
    messages_free(&messages);
    struct qn_ops_request request = {
        .coll = group.coll, .from_seq = 1, .to_seq = 3, .size_wish = 1, .ops_wish = 1};
    QN_AUTO_BUF struct qn_buf body;
    struct qn_ops_read read;
    qn_buf_init(&body, QN_FRAME_SIZE_MAX);
    cr_assert_eq(qn_read_ops(memkv_reader(a->store), &request, &body, &read), QN_OK);
    cr_assert(read.op_count == 10 && read.next_seq == 11);
    cr_assert_eq(read.last.entries.items[0].ctr, 10);
    qn_vv_deinit(&read.last);
}

Test(replica_read, what_the_receiver_knows_is_left_out)
{
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_eq(site_put(b, "k", "f", "2"), QN_OK);
    cr_assert_eq(site_pull(a, b), QN_OK);
    QN_AUTO_VV struct qn_vv known = {0};
    QN_AUTO_BUF struct qn_buf body;
    struct qn_ops_read read;
    qn_buf_init(&body, QN_FRAME_SIZE_MAX);
    cr_assert_eq(qn_read_cc(memkv_reader(b->store), &group.coll, &known), QN_OK);
    struct qn_ops_request request = {
        .coll = group.coll, .from_seq = 1, .known = &known, .size_wish = 1000, .ops_wish = 1000};
    cr_assert_eq(qn_read_ops(memkv_reader(a->store), &request, &body, &read), QN_OK);
    cr_assert(read.op_count == 0 && read.is_end && body.size == 0 && read.next_seq == 3);
    qn_vv_deinit(&read.last);
}

/* A reader that was streaming when the log was cut under it is told. */
Test(replica_read, a_log_that_was_cut_is_not_read_over)
{
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(a, "k", "f", "2"), QN_OK);
    cr_assert_eq(qn_replica_begin(a->replica, memkv_begin(a->store), group.wall_ms, 1), QN_OK);
    cr_assert_eq(qn_replica_truncate(a->replica, &group.coll, 1), QN_OK);
    cr_assert_eq(memkv_commit(a->store), QN_OK);
    qn_replica_done(a->replica, true);
    QN_AUTO_BUF struct qn_buf body;
    struct qn_ops_read read;
    struct qn_ops_request request = {
        .coll = group.coll, .from_seq = 1, .size_wish = 1000, .ops_wish = 1000};
    qn_buf_init(&body, QN_FRAME_SIZE_MAX);
    cr_assert_eq(qn_read_ops(memkv_reader(a->store), &request, &body, &read), QN_ERR_HELD);
}

static void note_change(void *context, struct qn_span key)
{
    qn_buf_append_span(context, key);
    qn_buf_append_str(context, " ");
}

static void check_changes(uint64_t from, size_t count_max, const char *wanted, uint64_t wanted_next)
{
    QN_AUTO_BUF struct qn_buf keys;
    uint64_t next;
    qn_buf_init(&keys, 4096);
    cr_assert_eq(qn_read_changes(memkv_reader(a->store), &group.coll, from, count_max, note_change,
                                 &keys, &next),
                 QN_OK);
    cr_assert(qn_span_eq_str(qn_buf_view(&keys), wanted), "%.*s", (int)keys.size,
              (const char *)keys.data);
    cr_assert_eq(next, wanted_next);
}

static enum qn_err changes_err(uint64_t from)
{
    QN_AUTO_BUF struct qn_buf keys;
    uint64_t next;
    qn_buf_init(&keys, 4096);
    return qn_read_changes(memkv_reader(a->store), &group.coll, from, 10, note_change, &keys,
                           &next);
}

Test(replica_read, changes_in_the_order_of_application)
{
    check_changes(1, 10, "", 1); /* nothing is stored yet */
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(a, "l", "f", "1"), QN_OK);
    cr_assert_eq(site_do(a, QN_OP_TRASH, "k"), QN_OK);
    check_changes(1, 10, "k l k ", 4);
    check_changes(1, 2, "k l ", 3);
    check_changes(3, 10, "k ", 4);
    check_changes(4, 10, "", 4);
    cr_assert_eq(changes_err(0), QN_ERR_HELD);
    cr_assert_eq(changes_err(5), QN_ERR_HELD); /* a store that was restored */
}

Test(replica_read, changes_that_left_the_log)
{
    for (int i = 0; i < 3; i++)
        cr_assert_eq(site_put(a, "k", "f", i == 0 ? "0" : i == 1 ? "1" : "2"), QN_OK);
    cr_assert_eq(qn_replica_begin(a->replica, memkv_begin(a->store), group.wall_ms, 1), QN_OK);
    cr_assert_eq(qn_replica_truncate(a->replica, &group.coll, 2), QN_OK);
    cr_assert_eq(memkv_commit(a->store), QN_OK);
    qn_replica_done(a->replica, true);
    cr_assert_eq(changes_err(1), QN_ERR_HELD);
    cr_assert_eq(changes_err(2), QN_ERR_HELD);
    check_changes(3, 10, "k ", 4);
}

Test(replica_read, bucket_lists_its_keys)
{
    QN_AUTO_BUF struct qn_buf out;
    size_t count, total;
    struct qn_span key;
    uint8_t hash[QN_STATE_HASH_SIZE];
    qn_buf_init(&out, 10000);
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(a, "other", "f", "1"), QN_OK);
    cr_assert_eq(qn_read_bucket(memkv_reader(a->store), &group.coll, qn_record_bucket(SPAN("k")),
                                10, &out, &count),
                 QN_OK);
    cr_assert_eq(count, 1);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&out));
    cr_assert_eq(qn_cursor_array(&cursor, 10, &total), QN_OK);
    cr_assert_eq(total, 2);
    cr_assert_eq(qn_cursor_str(&cursor, 255, &key), QN_OK);
    assert_span_eq(key, SPAN("k"));
    cr_assert_eq(qn_cursor_bytes(&cursor, hash, sizeof(hash)), QN_OK);
    QN_AUTO_RECORD struct qn_record record = {0};
    uint8_t wanted[QN_STATE_HASH_SIZE];
    cr_assert_eq(qn_read_record(memkv_reader(a->store), &group.coll, key, &record), QN_OK);
    qn_record_hash(&record, false, wanted);
    cr_assert_arr_eq(hash, wanted, sizeof(hash));
}
