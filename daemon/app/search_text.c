#include "app/search_text.h"

#include "base/limits.h"
#include "proto/cursor.h"

static void append_value(struct qn_cursor *cursor, unsigned depth, struct qn_buf *out);

static void append_items(struct qn_cursor *cursor, bool is_map, unsigned depth, struct qn_buf *out)
{
    size_t count;
    enum qn_err err = is_map ? qn_cursor_map(cursor, SIZE_MAX, &count)
                             : qn_cursor_array(cursor, SIZE_MAX, &count);
    for (size_t i = 0; err == QN_OK && i < count * (is_map ? 2 : 1); i++) {
        qn_buf_append_str(out, i == 0 ? "" : " ");
        append_value(cursor, depth + 1, out);
    }
}

/* true and nil are no words to search for. */
static void append_value(struct qn_cursor *cursor, unsigned depth, struct qn_buf *out)
{
    struct qn_span span;
    uint64_t positive;
    int64_t negative;
    double decimal;
    if (qn_cursor_str(cursor, QN_VALUE_SIZE_MAX, &span) == QN_OK)
        qn_buf_append_span(out, span);
    else if (qn_cursor_u64(cursor, &positive) == QN_OK)
        qn_buf_printf(out, "%llu", (unsigned long long)positive);
    else if (qn_cursor_i64(cursor, &negative) == QN_OK)
        qn_buf_printf(out, "%lld", (long long)negative);
    else if (qn_cursor_double(cursor, &decimal) == QN_OK)
        qn_buf_printf(out, "%.15g", decimal);
    else if (depth < QN_VALUE_DEPTH_MAX && qn_cursor_peek(cursor) == QN_ITEM_ARRAY)
        append_items(cursor, false, depth, out);
    else if (depth < QN_VALUE_DEPTH_MAX && qn_cursor_peek(cursor) == QN_ITEM_MAP)
        append_items(cursor, true, depth, out);
    else if (qn_cursor_skip(cursor, QN_VALUE_DEPTH_MAX, &span) != QN_OK)
        return; /* damaged: the rest of this value is left out */
}

/* Nothing of a value without words. */
static void append_pair(struct qn_span name, struct qn_span value, struct qn_buf *out)
{
    struct qn_cursor cursor = qn_cursor(value);
    size_t begin = out->size;
    qn_buf_append_span(out, name);
    qn_buf_append_str(out, ": ");
    size_t before = out->size;
    append_value(&cursor, 0, out);
    if (out->size == before)
        qn_buf_truncate(out, begin);
    else
        qn_buf_append_str(out, "\n");
}

void qn_search_text(const struct qn_record *record, struct qn_buf *out)
{
    qn_vec_each (&record->fields, field) {
        if (qn_span_eq_str(field->name, QN_FIELD_TRASH))
            continue;
        qn_vec_each (&field->pairs, pair) {
            append_pair(field->name, pair->value, out);
        }
    }
}
