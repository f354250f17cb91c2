#include "core/args.h"

#include <string.h>

#include "base/limits.h"

#define ARGS_MAX 16

static bool is_allowed(struct qn_span key, const char *allowed)
{
    for (const char *word = allowed; *word != '\0';) {
        size_t size = strcspn(word, " ");
        if (qn_span_eq(key, qn_span(word, size)))
            return true;
        word += size + (word[size] == ' ');
    }
    return false;
}

bool args_are_only(struct qn_span args, const char *allowed)
{
    struct qn_cursor cursor = qn_cursor(args);
    size_t count;
    if (qn_cursor_map(&cursor, ARGS_MAX, &count) != QN_OK)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct qn_span key, value;
        if (qn_cursor_str(&cursor, 64, &key) != QN_OK || !is_allowed(key, allowed) ||
            qn_cursor_skip(&cursor, QN_VALUE_DEPTH_MAX + 4, &value) != QN_OK)
            return false;
    }
    return qn_cursor_is_end(&cursor);
}

struct qn_span args_value(struct qn_span args, const char *key)
{
    struct qn_cursor cursor = qn_cursor(args);
    size_t count;
    if (qn_cursor_map(&cursor, ARGS_MAX, &count) != QN_OK)
        return qn_span(NULL, 0);
    for (size_t i = 0; i < count; i++) {
        struct qn_span found, value;
        if (qn_cursor_str(&cursor, 64, &found) != QN_OK ||
            qn_cursor_skip(&cursor, QN_VALUE_DEPTH_MAX + 4, &value) != QN_OK)
            break;
        if (qn_span_eq_str(found, key))
            return value.size == 1 && value.data[0] == 0xc0 ? qn_span(NULL, 0) : value;
    }
    return qn_span(NULL, 0);
}

bool args_text(struct qn_span args, const char *key, size_t size_max, struct qn_span *ret_text)
{
    struct qn_cursor cursor = qn_cursor(args_value(args, key));
    return qn_cursor_str(&cursor, size_max, ret_text) == QN_OK;
}

bool args_u64(struct qn_span args, const char *key, uint64_t *ret_value)
{
    struct qn_cursor cursor = qn_cursor(args_value(args, key));
    return qn_cursor_u64(&cursor, ret_value) == QN_OK;
}
