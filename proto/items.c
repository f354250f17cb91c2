#include "proto/items.h"

#include "base/limits.h"
#include "proto/cursor.h"

#define ITEM_DEPTH_MAX (QN_VALUE_DEPTH_MAX + 16)
#define ITEMS_MAX      QN_CONTROL_FRAME_SIZE_MAX

struct qn_items qn_items(struct qn_span packed)
{
    struct qn_items walk = {0};
    struct qn_cursor cursor = qn_cursor(packed);
    walk.is_map = qn_cursor_peek(&cursor) == QN_ITEM_MAP;
    enum qn_err err = walk.is_map ? qn_cursor_map(&cursor, ITEMS_MAX, &walk.left)
                                  : qn_cursor_array(&cursor, ITEMS_MAX, &walk.left);
    if (err != QN_OK)
        walk.left = 0;
    walk.rest = qn_span_from(packed, cursor.at);
    return walk;
}

bool qn_items_next(struct qn_items *walk)
{
    if (walk->left == 0)
        return false;
    struct qn_cursor cursor = qn_cursor(walk->rest);
    walk->left--;
    if (walk->is_map && qn_cursor_str(&cursor, walk->rest.size, &walk->key) != QN_OK)
        return false;
    if (qn_cursor_skip(&cursor, ITEM_DEPTH_MAX, &walk->value) != QN_OK)
        return false;
    walk->rest = qn_span_from(walk->rest, cursor.at);
    return true;
}

size_t qn_item_count(struct qn_span packed)
{
    return qn_items(packed).left;
}

bool qn_map_find(struct qn_span map, const char *key, struct qn_span *ret_value)
{
    struct qn_items walk = qn_items(map);
    while (walk.is_map && qn_items_next(&walk)) {
        if (qn_span_eq_str(walk.key, key)) {
            *ret_value = walk.value;
            return true;
        }
    }
    return false;
}

struct qn_span qn_text_of(struct qn_span packed)
{
    struct qn_cursor cursor = qn_cursor(packed);
    struct qn_span text;
    return qn_cursor_str(&cursor, packed.size, &text) == QN_OK ? text : qn_span_str("");
}

struct qn_span qn_map_text(struct qn_span map, const char *key)
{
    struct qn_span value;
    return qn_map_find(map, key, &value) ? qn_text_of(value) : qn_span_str("");
}

bool qn_map_has_u64(struct qn_span map, const char *key, uint64_t *ret_ms)
{
    struct qn_span value;
    if (!qn_map_find(map, key, &value))
        return false;
    struct qn_cursor cursor = qn_cursor(value);
    return qn_cursor_u64(&cursor, ret_ms) == QN_OK;
}

uint64_t qn_map_u64(struct qn_span map, const char *key)
{
    uint64_t value;
    return qn_map_has_u64(map, key, &value) ? value : 0;
}

bool qn_map_bool(struct qn_span map, const char *key)
{
    struct qn_span value;
    bool is_true;
    if (!qn_map_find(map, key, &value))
        return false;
    struct qn_cursor cursor = qn_cursor(value);
    return qn_cursor_bool(&cursor, &is_true) == QN_OK && is_true;
}

uint64_t qn_u64_of(struct qn_span packed)
{
    struct qn_cursor cursor = qn_cursor(packed);
    uint64_t value;
    return qn_cursor_u64(&cursor, &value) == QN_OK ? value : 0;
}
