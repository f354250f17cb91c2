#include "json/in.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proto/pack.h"

json_t *qn_json_parse(struct qn_span text, json_error_t *ret_reason)
{
    return json_loadb(text.size > 0 ? (const char *)text.data : "", text.size,
                      JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, ret_reason);
}

static size_t string_end(struct qn_span text, size_t at)
{
    for (at++; at < text.size && text.data[at] != '"'; at++)
        at += text.data[at] == '\\';
    return at;
}

bool qn_json_is_shallow(struct qn_span text, size_t depth_max)
{
    size_t depth = 0;
    for (size_t at = 0; at < text.size; at++) {
        uint8_t byte = text.data[at];
        if (byte == '"')
            at = string_end(text, at);
        else if ((byte == '[' || byte == '{') && ++depth > depth_max)
            return false;
        else if (byte == ']' || byte == '}')
            depth -= depth > 0;
    }
    return true;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right); /* names hold no U+0000: jansson refuses it */
}

static void pack_object(json_t *object, struct qn_buf *out)
{
    size_t count = json_object_size(object), at = 0;
    const char **names = qn_alloc((count + 1) * sizeof(*names));
    const char *name;
    json_t *member;
    json_object_foreach(object, name, member) names[at++] = name;
    qsort(names, count, sizeof(*names), compare_names);
    qn_pack_map(out, count);
    for (size_t i = 0; i < count; i++) {
        qn_pack_cstr(out, names[i]);
        qn_json_pack(json_object_get(object, names[i]), out);
    }
    qn_free(names);
}

static void pack_array(json_t *array, struct qn_buf *out)
{
    qn_pack_array(out, json_array_size(array));
    for (size_t i = 0; i < json_array_size(array); i++)
        qn_json_pack(json_array_get(array, i), out);
}

void qn_json_pack(json_t *value, struct qn_buf *out)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        pack_object(value, out);
        break;
    case JSON_ARRAY:
        pack_array(value, out);
        break;
    case JSON_STRING:
        qn_pack_str(out, qn_span(json_string_value(value), json_string_length(value)));
        break;
    case JSON_INTEGER:
        qn_pack_i64(out, json_integer_value(value));
        break;
    case JSON_REAL:
        qn_pack_double(out, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        qn_pack_bool(out, json_is_true(value));
        break;
    case JSON_NULL:
        qn_pack_nil(out);
        break;
    }
}
