#include "check.h"

#include "base/limits.h"
#include "model/record.h"
#include "model/value.h"
#include "proto/cursor.h"

#define ANY_DEPTH 4096 /* jansson stops before that */

const char *ctl_check_key(struct qn_span key)
{
    bool is_good =
        key.size >= 1 && key.size <= QN_KEY_SIZE_MAX && !qn_span_eq_str(key, QN_KEY_COLLECTION);
    return is_good ? NULL : "bad-key";
}

static const char *check_name(struct qn_span name)
{
    bool is_good =
        name.size >= 1 && name.size <= QN_FIELD_SIZE_MAX && !qn_span_eq_str(name, QN_FIELD_TRASH);
    return is_good ? NULL : "bad-field";
}

const char *ctl_check_value(struct qn_span value)
{
    if (value.size > QN_VALUE_SIZE_MAX)
        return "value-too-large";
    return qn_value_check(value) == QN_OK ? NULL : "bad-value";
}

const char *ctl_check_fields(struct qn_span fields, struct qn_span *ret_field)
{
    struct qn_cursor cursor = qn_cursor(fields);
    size_t count;
    *ret_field = qn_span(NULL, 0);
    if (qn_cursor_map(&cursor, SIZE_MAX, &count) != QN_OK)
        return "bad-value";
    if (count > QN_OP_FIELDS_MAX || fields.size > QN_OP_SIZE_MAX)
        return "record-too-large";
    for (size_t i = 0; i < count; i++) {
        struct qn_span value;
        if (qn_cursor_str(&cursor, fields.size, ret_field) != QN_OK ||
            qn_cursor_skip(&cursor, ANY_DEPTH, &value) != QN_OK)
            return "bad-value";
        const char *code = check_name(*ret_field);
        if (code == NULL)
            code = ctl_check_value(value);
        if (code != NULL)
            return code;
    }
    *ret_field = qn_span(NULL, 0);
    return NULL;
}
