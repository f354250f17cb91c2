/* The intent of rooms at the edge: rows that the model keeps without looking into them. */
#include "base/local.h"
#include "model/intents.h"
#include "model/tables.h"

_Static_assert(QN_LOCAL_KEY_SIZE_MAX <= QN_KV_KEY_SIZE_MAX, "every key of a row is a key");
#define ROWS_MAX QN_LOCAL_PUT_SIZE_MAX /* a key has a byte */

/* The value's data is NULL: the row goes. */
static enum qn_err read_row(struct qn_cursor *cursor, struct qn_span *ret_key,
                            struct qn_span *ret_value)
{
    QN_TRY(qn_cursor_bin(cursor, QN_LOCAL_KEY_SIZE_MAX, ret_key));
    if (ret_key->size == 0)
        return QN_ERR_INVALID;
    *ret_value = qn_span(NULL, 0);
    if (qn_cursor_peek(cursor) == QN_ITEM_NIL)
        return qn_cursor_nil(cursor);
    return qn_cursor_bin(cursor, QN_LOCAL_ROW_SIZE_MAX, ret_value);
}

static enum qn_err read_count(struct qn_cursor *cursor, size_t *ret_count)
{
    QN_TRY(qn_cursor_array(cursor, 2 * ROWS_MAX, ret_count));
    return *ret_count % 2 == 0 ? QN_OK : QN_ERR_INVALID;
}

/* All are read before the first is written: a refusal changes nothing. */
static enum qn_err check_rows(struct qn_cursor cursor)
{
    size_t count, total = 0;
    QN_TRY(read_count(&cursor, &count));
    for (size_t i = 0; i < count; i += 2) {
        struct qn_span key, value;
        QN_TRY(read_row(&cursor, &key, &value));
        total += key.size + value.size;
    }
    QN_TRY(qn_cursor_finish(&cursor));
    return total <= QN_LOCAL_PUT_SIZE_MAX ? QN_OK : QN_ERR_LIMIT;
}

static enum qn_err write_row(struct qn_kv *kv, struct qn_span key, struct qn_span value)
{
    if (value.data != NULL)
        return qn_kv_put(kv, QN_TABLE_LOCAL, key, value);
    return qn_may_miss(qn_kv_del(kv, QN_TABLE_LOCAL, key));
}

enum qn_err qn_intent_run_local(struct qn_applier *applier, struct qn_cursor *cursor)
{
    size_t count;
    QN_TRY(check_rows(*cursor));
    QN_TRY(read_count(cursor, &count));
    for (size_t i = 0; i < count; i += 2) {
        struct qn_span key, value;
        QN_TRY(read_row(cursor, &key, &value));
        QN_TRY(write_row(applier->kv, key, value));
    }
    return QN_OK;
}
