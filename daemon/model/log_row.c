#include "model/log_row.h"

#include "base/limits.h"
#include "model/fixed.h"

#define FORMAT       1
#define SAMPLE_COUNT 256 /* operations that an estimate looks at */
#define MARK_SIZE    16

/* --- how much --- */

/* The size of the operation that an entry of the order names. */
static enum qn_err size_of(struct qn_kv *kv, uint32_t coll, struct qn_span order, size_t *ret_size)
{
    struct qn_key key;
    struct qn_span op;
    if (order.size != 12)
        return QN_ERR_CORRUPT;
    qn_key_dot(&key, coll, qn_read_u32(order.data), qn_read_u64(order.data + 4));
    QN_TRY(qn_must_exist(qn_kv_get(kv, QN_TABLE_LOG, qn_key_view(&key), &op)));
    if (op.size <= 8)
        return QN_ERR_CORRUPT;
    *ret_size = op.size - 8;
    return QN_OK;
}

static enum qn_err estimate(struct qn_kv *kv, uint32_t coll, uint64_t head,
                            struct qn_log_row *ret_row)
{
    struct qn_key prefix, at;
    struct qn_span key, order;
    uint64_t first = 0, count = 0, bytes = 0;
    qn_key_coll(&prefix, coll);
    qn_key_coll(&at, coll);
    while (count < SAMPLE_COUNT) {
        size_t size;
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_ORDER, qn_key_view(&at), &key, &order);
        QN_TRY(qn_may_miss(err));
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            break;
        if (key.size != 12)
            return QN_ERR_CORRUPT;
        first = count == 0 ? qn_read_u64(key.data + 4) : first;
        qn_key_copy(&at, key);
        qn_key_next(&at);
        QN_TRY(size_of(kv, coll, order, &size));
        bytes += size;
        count++;
    }
    uint64_t ops = count < SAMPLE_COUNT || head < first ? count : head - first + 1;
    *ret_row = (struct qn_log_row){ops, count == 0 ? 0 : bytes / count * ops + bytes % count};
    return QN_OK;
}

enum qn_err qn_log_row_get(struct qn_kv *kv, uint32_t coll, uint64_t head,
                           struct qn_log_row *ret_row)
{
    struct qn_key key;
    struct qn_span value;
    struct qn_log_row row;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_META, qn_key_coll_log(&key, coll), &value);
    QN_TRY(qn_may_miss(err));
    if (err != QN_OK)
        return estimate(kv, coll, head, ret_row);
    struct qn_fixed fixed = qn_fixed(value, FORMAT);
    uint64_t written_at = qn_fixed_u64(&fixed);
    row.ops = qn_fixed_u64(&fixed);
    row.bytes = qn_fixed_u64(&fixed);
    QN_TRY(qn_fixed_end(&fixed));
    if (written_at != head)
        return estimate(kv, coll, head, ret_row);
    *ret_row = row;
    return QN_OK;
}

enum qn_err qn_log_row_put(struct qn_kv *kv, uint32_t coll, uint64_t head,
                           const struct qn_log_row *row)
{
    struct qn_key key;
    uint8_t bytes[1 + 3 * 8] = {FORMAT};
    qn_write_u64(bytes + 1, head);
    qn_write_u64(bytes + 9, row->ops);
    qn_write_u64(bytes + 17, row->bytes);
    return qn_kv_put(kv, QN_TABLE_META, qn_key_coll_log(&key, coll), QN_SPAN_OF(bytes));
}

/* --- how old --- */

struct mark {
    uint64_t ms, seq; /* at that time it was the last */
};

struct marks {
    struct mark items[QN_LOG_MARKS]; /* ascending */
    size_t count;
};

static enum qn_err read_marks(struct qn_kv *kv, uint32_t coll, struct marks *ret_marks)
{
    struct qn_key key;
    struct qn_span value;
    ret_marks->count = 0;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_META, qn_key_coll_marks(&key, coll), &value);
    if (err != QN_OK)
        return qn_may_miss(err);
    if (value.size % MARK_SIZE != 0 || value.size > QN_LOG_MARKS * MARK_SIZE)
        return QN_ERR_CORRUPT;
    for (; value.size > 0; value = qn_span_from(value, MARK_SIZE))
        ret_marks->items[ret_marks->count++] =
            (struct mark){qn_read_u64(value.data), qn_read_u64(value.data + 8)};
    return QN_OK;
}

static enum qn_err write_marks(struct qn_kv *kv, uint32_t coll, const struct marks *marks)
{
    struct qn_key key;
    uint8_t bytes[QN_LOG_MARKS * MARK_SIZE];
    for (size_t i = 0; i < marks->count; i++) {
        qn_write_u64(bytes + i * MARK_SIZE, marks->items[i].ms);
        qn_write_u64(bytes + i * MARK_SIZE + 8, marks->items[i].seq);
    }
    return qn_kv_put(kv, QN_TABLE_META, qn_key_coll_marks(&key, coll),
                     qn_span(bytes, marks->count * MARK_SIZE));
}

static void drop_first(struct marks *marks)
{
    marks->count--;
    memmove(&marks->items[0], &marks->items[1], marks->count * sizeof(marks->items[0]));
}

static bool is_old(const struct mark *mark, uint64_t now_ms, uint64_t age_ms)
{
    return mark->ms <= now_ms && now_ms - mark->ms >= age_ms;
}

/* Old marks say the same as the youngest of them, which stays: it may not be done what it says. */
enum qn_err qn_log_aged(struct qn_kv *kv, uint32_t coll, uint64_t head, uint64_t now_ms,
                        uint64_t age_ms, uint64_t *ret_seq)
{
    struct marks marks;
    QN_TRY(read_marks(kv, coll, &marks));
    while (marks.count > 1 && is_old(&marks.items[1], now_ms, age_ms))
        drop_first(&marks);
    *ret_seq = marks.count > 0 && is_old(&marks.items[0], now_ms, age_ms) ? marks.items[0].seq : 0;
    const struct mark *last = marks.count == 0 ? NULL : &marks.items[marks.count - 1];
    if (last != NULL && (last->seq >= head || !is_old(last, now_ms, age_ms / (QN_LOG_MARKS - 2))))
        return QN_OK;
    if (marks.count == QN_LOG_MARKS)
        drop_first(&marks);
    marks.items[marks.count++] = (struct mark){now_ms, head};
    return write_marks(kv, coll, &marks);
}
