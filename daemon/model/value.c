#include "model/value.h"

#include <math.h>

#include "base/limits.h"
#include "proto/cursor.h"

static enum qn_err check_item(struct qn_cursor *cursor, unsigned depth_left);

static enum qn_err check_list(struct qn_cursor *cursor, unsigned depth_left)
{
    size_t count;
    if (depth_left == 0)
        return QN_ERR_LIMIT;
    QN_TRY(qn_cursor_array(cursor, QN_VALUE_SIZE_MAX, &count));
    for (size_t i = 0; i < count; i++)
        QN_TRY(check_item(cursor, depth_left - 1));
    return QN_OK;
}

static enum qn_err check_map(struct qn_cursor *cursor, unsigned depth_left)
{
    size_t count;
    struct qn_span key, before = qn_span(NULL, 0);
    if (depth_left == 0)
        return QN_ERR_LIMIT;
    QN_TRY(qn_cursor_map(cursor, QN_VALUE_SIZE_MAX, &count));
    for (size_t i = 0; i < count; i++, before = key) {
        QN_TRY(qn_cursor_str(cursor, QN_VALUE_SIZE_MAX, &key));
        if (i > 0 && qn_span_cmp(before, key) >= 0)
            return QN_ERR_INVALID;
        QN_TRY(check_item(cursor, depth_left - 1));
    }
    return QN_OK;
}

static enum qn_err check_decimal(struct qn_cursor *cursor)
{
    double number;
    QN_TRY(qn_cursor_double(cursor, &number));
    return isfinite(number) ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err check_item(struct qn_cursor *cursor, unsigned depth_left)
{
    struct qn_span passed;
    switch (qn_cursor_peek(cursor)) {
    case QN_ITEM_NIL:
    case QN_ITEM_BOOL:
    case QN_ITEM_UINT:
    case QN_ITEM_INT:
    case QN_ITEM_STR:
        return qn_cursor_skip(cursor, 0, &passed);
    case QN_ITEM_DOUBLE:
        return check_decimal(cursor);
    case QN_ITEM_ARRAY:
        return check_list(cursor, depth_left);
    case QN_ITEM_MAP:
        return check_map(cursor, depth_left);
    case QN_ITEM_BIN:
    case QN_ITEM_END:
    case QN_ITEM_BAD:
        break;
    }
    return QN_ERR_INVALID;
}

enum qn_err qn_value_check(struct qn_span value)
{
    if (value.size > QN_VALUE_SIZE_MAX)
        return QN_ERR_LIMIT;
    struct qn_cursor cursor = qn_cursor(value);
    QN_TRY(check_item(&cursor, QN_VALUE_DEPTH_MAX));
    return qn_cursor_finish(&cursor);
}
