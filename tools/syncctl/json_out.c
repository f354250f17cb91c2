#include "json_out.h"

#include <stdlib.h>

#include "base/limits.h"
#include "proto/cursor.h"
#include "screen.h"
#include "wire.h"

static void put_escaped(FILE *out, uint8_t byte)
{
    if (byte == '"' || byte == '\\')
        fprintf(out, "\\%c", byte);
    else if (byte == '\n')
        fputs("\\n", out);
    else if (byte == '\t')
        fputs("\\t", out);
    else if (byte == '\r')
        fputs("\\r", out);
    else
        fprintf(out, "\\u%04x", byte);
}

void ctl_json_text(FILE *out, struct qn_span text)
{
    fputc('"', out);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\')
            put_escaped(out, byte);
        else
            fputc(byte, out);
    }
    fputc('"', out);
}

static void put_double(FILE *out, double value)
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
    fputs(text, out);
    if (strpbrk(text, ".en") == NULL)
        fputs(".0", out);
}

static void put_int(FILE *out, struct qn_cursor *cursor)
{
    uint64_t positive;
    int64_t negative;
    if (qn_cursor_u64(cursor, &positive) == QN_OK)
        fprintf(out, "%llu", (unsigned long long)positive);
    else if (qn_cursor_i64(cursor, &negative) == QN_OK)
        fprintf(out, "%lld", (long long)negative);
}

static void put_array(FILE *out, struct qn_span packed)
{
    struct ctl_walk walk = ctl_walk(packed);
    fputc('[', out);
    for (bool is_first = true; ctl_walk_next(&walk); is_first = false) {
        if (!is_first)
            fputc(',', out);
        ctl_json_value(out, walk.value);
    }
    fputc(']', out);
}

static void put_map(FILE *out, struct qn_span packed)
{
    struct ctl_walk walk = ctl_walk(packed);
    fputc('{', out);
    for (bool is_first = true; ctl_walk_next(&walk); is_first = false) {
        if (!is_first)
            fputc(',', out);
        ctl_json_text(out, walk.key);
        fputc(':', out);
        ctl_json_value(out, walk.value);
    }
    fputc('}', out);
}

/* JSON has no bytes: hexadecimal. Only records of other programs can have them. */
static void put_bytes(FILE *out, struct qn_span bytes)
{
    fputc('"', out);
    for (size_t i = 0; i < bytes.size; i++)
        fprintf(out, "%02x", bytes.data[i]);
    fputc('"', out);
}

/* Items were checked by ctl_walk() or the client; what is bad all the same is null. */
static void put_scalar(FILE *out, struct qn_cursor *cursor, enum qn_item item)
{
    bool truth;
    double real;
    struct qn_span text;
    if (item == QN_ITEM_UINT || item == QN_ITEM_INT)
        put_int(out, cursor);
    else if (item == QN_ITEM_BOOL && qn_cursor_bool(cursor, &truth) == QN_OK)
        fputs(truth ? "true" : "false", out);
    else if (item == QN_ITEM_DOUBLE && qn_cursor_double(cursor, &real) == QN_OK)
        put_double(out, real);
    else if (item == QN_ITEM_STR && qn_cursor_str(cursor, cursor->input.size, &text) == QN_OK)
        ctl_json_text(out, text);
    else if (item == QN_ITEM_BIN && qn_cursor_bin(cursor, cursor->input.size, &text) == QN_OK)
        put_bytes(out, text);
    else
        fputs("null", out);
}

void ctl_json_value(FILE *out, struct qn_span packed)
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

void ctl_json_time(FILE *out, bool is_known, uint64_t time_ms)
{
    if (!is_known) {
        fputs("null", out);
        return;
    }
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 64);
    ctl_append_time(&text, time_ms);
    ctl_json_text(out, qn_buf_view(&text));
}

static void put_objects(FILE *out, struct qn_span list, const struct ctl_shape *shape)
{
    struct ctl_walk walk = ctl_walk(list);
    fputc('[', out);
    for (bool is_first = true; ctl_walk_next(&walk); is_first = false) {
        if (!is_first)
            fputc(',', out);
        ctl_json_object(out, walk.value, shape);
    }
    fputc(']', out);
}

static void put_by_field(FILE *out, struct qn_span map, const struct ctl_shape *shape)
{
    struct ctl_walk walk = ctl_walk(map);
    fputc('{', out);
    for (bool is_first = true; ctl_walk_next(&walk); is_first = false) {
        if (!is_first)
            fputc(',', out);
        ctl_json_text(out, walk.key);
        fputc(':', out);
        put_objects(out, walk.value, shape);
    }
    fputc('}', out);
}

static void put_missing(FILE *out, enum ctl_shape_kind kind)
{
    if (kind == CTL_LIST || kind == CTL_OBJECTS)
        fputs("[]", out);
    else if (kind == CTL_MAP)
        fputs("{}", out);
    else
        fputs("null", out);
}

static void put_member(FILE *out, struct qn_span value, const struct ctl_shape *shape)
{
    struct qn_cursor cursor = qn_cursor(value);
    uint64_t time_ms = 0;
    bool is_time;
    switch (shape->kind) {
    case CTL_VALUE:
    case CTL_LIST:
    case CTL_MAP:
        ctl_json_value(out, value);
        break;
    case CTL_TIME:
        is_time = qn_cursor_u64(&cursor, &time_ms) == QN_OK;
        ctl_json_time(out, is_time, time_ms);
        break;
    case CTL_OBJECT:
        ctl_json_object(out, value, shape->inner);
        break;
    case CTL_OBJECTS:
        put_objects(out, value, shape->inner);
        break;
    case CTL_BY_FIELD:
        put_by_field(out, value, shape->inner);
        break;
    }
}

void ctl_json_members(FILE *out, struct qn_span map, const struct ctl_shape *shape)
{
    bool is_first = true;
    for (; shape->key != NULL; shape++) {
        struct qn_span value;
        bool has_it = ctl_map_find(map, shape->from ? shape->from : shape->key, &value);
        if (!has_it && shape->kind == CTL_BY_FIELD)
            continue;
        fprintf(out, "%s\"%s\":", is_first ? "" : ",", shape->key);
        is_first = false;
        if (has_it)
            put_member(out, value, shape);
        else
            put_missing(out, shape->kind);
    }
}

void ctl_json_object(FILE *out, struct qn_span map, const struct ctl_shape *shape)
{
    struct qn_cursor cursor = qn_cursor(map);
    if (qn_cursor_peek(&cursor) != QN_ITEM_MAP) {
        fputs("null", out);
        return;
    }
    fputc('{', out);
    ctl_json_members(out, map, shape);
    fputc('}', out);
}

void ctl_json_list_next(struct ctl_json_list *list)
{
    fputs(list->count == 0 ? "[\n" : ",\n", list->out);
    list->count++;
}

void ctl_json_list_end(struct ctl_json_list *list)
{
    fputs(list->count == 0 ? "[]\n" : "\n]\n", list->out);
}
