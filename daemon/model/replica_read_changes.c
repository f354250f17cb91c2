/* Which records changed, in the order of application: for those who follow (the search index). */
#include "base/limits.h"
#include "model/replica_read.h"
#include "model/tables.h"
#include "proto/cursor.h"

/* Of a row of LOG: its local sequence, then the operation (op.h): ctr, hlc, kind, key, ... */
static enum qn_err key_of(struct qn_span row, struct qn_span *ret_key)
{
    struct qn_cursor cursor = qn_cursor(qn_span_from(row, 8));
    struct qn_span skipped;
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, 16, &count));
    for (int i = 0; i < 3; i++)
        QN_TRY(qn_cursor_skip(&cursor, 1, &skipped));
    return qn_cursor_str(&cursor, QN_KEY_SIZE_MAX, ret_key);
}

/* QN_ERR_NOTFOUND: nothing was applied since. */
static enum qn_err read_one(struct qn_kv *kv, uint32_t coll, uint64_t seq, struct qn_span *ret_key)
{
    struct qn_key key;
    struct qn_span found, order, op;
    QN_TRY(qn_kv_seek(kv, QN_TABLE_ORDER, qn_key_seq(&key, coll, seq), &found, &order));
    if (found.size != 12 || qn_read_u32(found.data) != coll)
        return QN_ERR_NOTFOUND;
    if (qn_read_u64(found.data + 4) != seq)
        return QN_ERR_HELD;
    if (order.size != 12)
        return QN_ERR_CORRUPT;
    if (qn_order_is_break(order))
        return QN_ERR_HELD; /* pages changed any number of records */
    uint32_t actor = qn_read_u32(order.data);
    uint64_t ctr = qn_read_u64(order.data + 4);
    QN_TRY(qn_must_exist(qn_kv_get(kv, QN_TABLE_LOG, qn_key_dot(&key, coll, actor, ctr), &op)));
    enum qn_err err = key_of(op, ret_key);
    return err == QN_OK ? QN_OK : QN_ERR_CORRUPT;
}

enum qn_err qn_read_changes(struct qn_kv *kv, const struct qn_coll_id *coll, uint64_t from_seq,
                            size_t count_max, void (*each)(void *context, struct qn_span key),
                            void *context, uint64_t *ret_next)
{
    struct qn_coll_row row;
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    *ret_next = from_seq;
    if (row.number == 0 || from_seq == row.order_head + 1)
        return QN_OK;
    if (from_seq == 0 || from_seq > row.order_head)
        return QN_ERR_HELD;
    for (size_t i = 0; i < count_max && *ret_next <= row.order_head; i++) {
        struct qn_span key;
        enum qn_err err = read_one(kv, row.number, *ret_next, &key);
        if (err == QN_ERR_NOTFOUND)
            return QN_ERR_HELD; /* the log ends before its head: it was shortened up to there */
        QN_TRY(err);
        each(context, key);
        ++*ret_next;
    }
    return QN_OK;
}
