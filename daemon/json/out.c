#include "base/text.h"
#include "json/out.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/civil.h"
#include "proto/cursor.h"
#include "proto/items.h"

static void put_escaped(struct qn_buf *out, uint8_t byte)
{
    if (byte == '"' || byte == '\\')
        qn_buf_printf(out, "\\%c", byte);
    else if (byte == '\n')
        qn_buf_append_str(out, "\\n");
    else if (byte == '\t')
        qn_buf_append_str(out, "\\t");
    else if (byte == '\r')
        qn_buf_append_str(out, "\\r");
    else
        qn_buf_printf(out, "\\u%04x", byte);
}

void qn_json_text(struct qn_buf *out, struct qn_span text)
{
    qn_buf_append_u8(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\')
            put_escaped(out, byte);
        else
            qn_buf_append_u8(out, byte);
    }
    qn_buf_append_u8(out, '"');
}

static void put_double(struct qn_buf *out, double value)
{
    char text[64];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    char *comma = strchr(text, ','); /* the point of some locales */
    if (comma != NULL)
        *comma = '.';
    qn_buf_append_str(out, text);
    if (strpbrk(text, ".en") == NULL)
        qn_buf_append_str(out, ".0");
}

static void put_int(struct qn_buf *out, struct qn_cursor *cursor)
{
    uint64_t positive;
    int64_t negative;
    if (qn_cursor_u64(cursor, &positive) == QN_OK)
        qn_buf_printf(out, "%llu", (unsigned long long)positive);
    else if (qn_cursor_i64(cursor, &negative) == QN_OK)
        qn_buf_printf(out, "%lld", (long long)negative);
}

static void put_array(struct qn_buf *out, struct qn_span packed)
{
    struct qn_items walk = qn_items(packed);
    qn_buf_append_u8(out, '[');
    for (bool is_first = true; qn_items_next(&walk); is_first = false) {
        if (!is_first)
            qn_buf_append_u8(out, ',');
        qn_json_value(out, walk.value);
    }
    qn_buf_append_u8(out, ']');
}

static void put_map(struct qn_buf *out, struct qn_span packed)
{
    struct qn_items walk = qn_items(packed);
    qn_buf_append_u8(out, '{');
    for (bool is_first = true; qn_items_next(&walk); is_first = false) {
        if (!is_first)
            qn_buf_append_u8(out, ',');
        qn_json_text(out, walk.key);
        qn_buf_append_u8(out, ':');
        qn_json_value(out, walk.value);
    }
    qn_buf_append_u8(out, '}');
}

/* JSON has no bytes: hexadecimal. Only records of other programs can have them. */
static void put_bytes(struct qn_buf *out, struct qn_span bytes)
{
    qn_buf_append_u8(out, '"');
    qn_text_append_hex(out, bytes);
    qn_buf_append_u8(out, '"');
}

/* Items were checked by qn_items() or the client; what is bad all the same is null. */
static void put_scalar(struct qn_buf *out, struct qn_cursor *cursor, enum qn_item item)
{
    bool truth;
    double real;
    struct qn_span text;
    if (item == QN_ITEM_UINT || item == QN_ITEM_INT)
        put_int(out, cursor);
    else if (item == QN_ITEM_BOOL && qn_cursor_bool(cursor, &truth) == QN_OK)
        qn_buf_append_str(out, truth ? "true" : "false");
    else if (item == QN_ITEM_DOUBLE && qn_cursor_double(cursor, &real) == QN_OK)
        put_double(out, real);
    else if (item == QN_ITEM_STR && qn_cursor_str(cursor, cursor->input.size, &text) == QN_OK)
        qn_json_text(out, text);
    else if (item == QN_ITEM_BIN && qn_cursor_bin(cursor, cursor->input.size, &text) == QN_OK)
        put_bytes(out, text);
    else
        qn_buf_append_str(out, "null");
}

void qn_json_value(struct qn_buf *out, struct qn_span packed)
{
    struct qn_cursor cursor = qn_cursor(packed);
    enum qn_item item = qn_cursor_peek(&cursor);
    if (item == QN_ITEM_ARRAY)
        put_array(out, packed);
    else if (item == QN_ITEM_MAP)
        put_map(out, packed);
    else
        put_scalar(out, &cursor, item);
}

void qn_json_time(struct qn_buf *out, bool is_known, uint64_t time_ms)
{
    char text[QN_CIVIL_TEXT_SIZE];
    if (!is_known) {
        qn_buf_append_str(out, "null");
        return;
    }
    qn_civil_print(time_ms, text);
    qn_json_text(out, qn_span_str(text));
}

static void put_objects(struct qn_buf *out, struct qn_span list, const struct qn_json_shape *shape)
{
    struct qn_items walk = qn_items(list);
    qn_buf_append_u8(out, '[');
    for (bool is_first = true; qn_items_next(&walk); is_first = false) {
        if (!is_first)
            qn_buf_append_u8(out, ',');
        qn_json_object(out, walk.value, shape);
    }
    qn_buf_append_u8(out, ']');
}

static void put_by_field(struct qn_buf *out, struct qn_span map, const struct qn_json_shape *shape)
{
    struct qn_items walk = qn_items(map);
    qn_buf_append_u8(out, '{');
    for (bool is_first = true; qn_items_next(&walk); is_first = false) {
        if (!is_first)
            qn_buf_append_u8(out, ',');
        qn_json_text(out, walk.key);
        qn_buf_append_u8(out, ':');
        put_objects(out, walk.value, shape);
    }
    qn_buf_append_u8(out, '}');
}

static void put_missing(struct qn_buf *out, enum qn_json_kind kind)
{
    if (kind == QN_JSON_LIST || kind == QN_JSON_OBJECTS)
        qn_buf_append_str(out, "[]");
    else if (kind == QN_JSON_MAP)
        qn_buf_append_str(out, "{}");
    else
        qn_buf_append_str(out, "null");
}

static void put_member(struct qn_buf *out, struct qn_span value, const struct qn_json_shape *shape)
{
    struct qn_cursor cursor = qn_cursor(value);
    uint64_t time_ms = 0;
    bool is_time;
    switch (shape->kind) {
    case QN_JSON_VALUE:
    case QN_JSON_LIST:
    case QN_JSON_MAP:
    case QN_JSON_MARK:
        qn_json_value(out, value);
        break;
    case QN_JSON_TIME:
        is_time = qn_cursor_u64(&cursor, &time_ms) == QN_OK;
        qn_json_time(out, is_time, time_ms);
        break;
    case QN_JSON_OBJECT:
        qn_json_object(out, value, shape->inner);
        break;
    case QN_JSON_OBJECTS:
        put_objects(out, value, shape->inner);
        break;
    case QN_JSON_BY_FIELD:
        put_by_field(out, value, shape->inner);
        break;
    }
}

void qn_json_members(struct qn_buf *out, struct qn_span map, const struct qn_json_shape *shape)
{
    bool is_first = true;
    for (; shape->key != NULL; shape++) {
        struct qn_span value;
        bool has_it = qn_map_find(map, shape->from ? shape->from : shape->key, &value);
        if (!has_it && (shape->kind == QN_JSON_BY_FIELD || shape->kind == QN_JSON_MARK))
            continue;
        qn_buf_printf(out, "%s\"%s\":", is_first ? "" : ",", shape->key);
        is_first = false;
        if (has_it)
            put_member(out, value, shape);
        else
            put_missing(out, shape->kind);
    }
}

void qn_json_object(struct qn_buf *out, struct qn_span map, const struct qn_json_shape *shape)
{
    struct qn_cursor cursor = qn_cursor(map);
    if (qn_cursor_peek(&cursor) != QN_ITEM_MAP) {
        qn_buf_append_str(out, "null");
        return;
    }
    qn_buf_append_u8(out, '{');
    qn_json_members(out, map, shape);
    qn_buf_append_u8(out, '}');
}
