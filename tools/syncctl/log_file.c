#include "log_file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/limits.h"
#include "base/text.h"
#include "i18n.h"
#include "people/audit.h"
#include "proto/cursor.h"

#define LINE_SIZE_MAX (64 * 1024)
#define VERSION       1

/* ---- out ---- */

static struct qn_span bytes_of(struct qn_span packed)
{
    struct qn_cursor cursor = qn_cursor(packed);
    struct qn_span bytes;
    return qn_cursor_bin(&cursor, QN_CONTROL_FRAME_SIZE_MAX, &bytes) == QN_OK ? bytes
                                                                              : qn_span(NULL, 0);
}

static struct qn_span member(struct qn_span map, const char *key)
{
    struct qn_span value = {0};
    ctl_map_find(map, key, &value);
    return value;
}

static void put_hex(FILE *out, struct qn_span bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        fprintf(out, "%02x", bytes.data[i]);
}

static void put_head(FILE *out, struct qn_span proof)
{
    size_t count = 0;
    struct ctl_walk keys = ctl_walk(member(proof, "keys"));
    fprintf(out, "{\"quoin_trail\":%d,\"exported\":%llu,\"id\":\"", VERSION,
            (unsigned long long)ctl_now_ms());
    put_hex(out, bytes_of(member(proof, "id")));
    fputs("\",\"keys\":[", out);
    while (ctl_walk_next(&keys)) {
        fputs(count++ > 0 ? ",\"" : "\"", out);
        put_hex(out, bytes_of(keys.value));
        fputc('"', out);
    }
    fputs("]}\n", out);
}

static void put_point(FILE *out, struct qn_span site, struct qn_span point)
{
    struct ctl_walk walk = ctl_walk(point);
    uint64_t received_ms = 0;
    if (ctl_walk_next(&walk)) {
        struct qn_cursor cursor = qn_cursor(walk.value);
        if (qn_cursor_u64(&cursor, &received_ms) != QN_OK)
            return;
    }
    if (!ctl_walk_next(&walk))
        return;
    fputs("{\"witness\":", out);
    ctl_json_text(out, site);
    fprintf(out, ",\"received\":%llu,\"checkpoint\":\"", (unsigned long long)received_ms);
    put_hex(out, bytes_of(walk.value));
    fputs("\"}\n", out);
}

static int put_witness(void *context, struct qn_span data)
{
    struct ctl *ctl = context;
    struct ctl_walk points = ctl_walk(member(data, "points"));
    while (ctl_walk_next(&points))
        put_point(ctl->out, ctl_map_text(data, "site"), points.value);
    return CTL_DONE;
}

static int put_rows(void *context, struct qn_span rows)
{
    struct ctl *ctl = context;
    struct ctl_walk walk = ctl_walk(rows);
    while (ctl_walk_next(&walk)) {
        struct ctl_walk row = ctl_walk(walk.value);
        fputs("{\"key\":\"", ctl->out);
        if (ctl_walk_next(&row))
            put_hex(ctl->out, bytes_of(row.value));
        fputs("\",\"value\":\"", ctl->out);
        if (ctl_walk_next(&row))
            put_hex(ctl->out, bytes_of(row.value));
        fputs("\"}\n", ctl->out);
    }
    return CTL_DONE;
}

int ctl_export_trail(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args, end;
    ctl_args_init(&args, 0);
    qn_buf_init(&end, QN_CONTROL_FRAME_SIZE_MAX);
    int code = ctl_call(ctl, "audit.proof", &args, &(struct ctl_sink){.end = &end});
    if (code != CTL_DONE)
        return code;
    put_head(ctl->out, qn_buf_view(&end));
    struct ctl_sink witnesses = {.on_data = put_witness, .context = ctl, .waits_for_ever = true};
    struct ctl_sink rows = {.on_data = put_rows, .context = ctl, .waits_for_ever = true};
    code = ctl_call(ctl, "audit.witnesses", &args, &witnesses);
    return code == CTL_DONE ? ctl_call(ctl, "audit.rows", &args, &rows) : code;
}

/* ---- in ---- */

struct reading {
    const struct ctl_trail_file *sink;
    struct qn_buf bytes[2 + QN_SITE_KEYS_MAX];
    bool has_head;
};

/* Bytes of a text in hexadecimal; false: it is none. */
static bool read_hex(const json_t *text, struct qn_buf *out)
{
    qn_buf_deinit(out);
    qn_buf_init(out, LINE_SIZE_MAX);
    return json_is_string(text) &&
           qn_text_parse_hex(qn_span(json_string_value(text), json_string_length(text)), out) ==
               QN_OK;
}

static int take_head(struct reading *reading, const json_t *line, bool *ret_is_fine)
{
    const json_t *keys = json_object_get(line, "keys"),
                 *exported = json_object_get(line, "exported");
    struct qn_span spans[QN_SITE_KEYS_MAX];
    size_t count = json_array_size(keys);
    *ret_is_fine = !reading->has_head && count > 0 && count <= QN_SITE_KEYS_MAX &&
                   json_integer_value(json_object_get(line, "quoin_trail")) == VERSION &&
                   json_is_integer(exported) &&
                   read_hex(json_object_get(line, "id"), &reading->bytes[0]);
    for (size_t i = 0; i < count && *ret_is_fine; i++) {
        *ret_is_fine = read_hex(json_array_get(keys, i), &reading->bytes[2 + i]);
        spans[i] = qn_buf_view(&reading->bytes[2 + i]);
    }
    if (!*ret_is_fine)
        return CTL_FAILED;
    reading->has_head = true;
    return reading->sink->on_head(reading->sink->context, qn_buf_view(&reading->bytes[0]), spans,
                                  count, (uint64_t)json_integer_value(exported));
}

static int take_point(struct reading *reading, const json_t *line, bool *ret_is_fine)
{
    const json_t *site = json_object_get(line, "witness"),
                 *received = json_object_get(line, "received");
    *ret_is_fine = reading->has_head && json_is_string(site) && json_is_integer(received) &&
                   read_hex(json_object_get(line, "checkpoint"), &reading->bytes[0]);
    if (!*ret_is_fine)
        return CTL_FAILED;
    return reading->sink->on_witness(
        reading->sink->context, qn_span(json_string_value(site), json_string_length(site)),
        (uint64_t)json_integer_value(received), qn_buf_view(&reading->bytes[0]));
}

static int take_row(struct reading *reading, const json_t *line, bool *ret_is_fine)
{
    *ret_is_fine = reading->has_head &&
                   read_hex(json_object_get(line, "key"), &reading->bytes[0]) &&
                   read_hex(json_object_get(line, "value"), &reading->bytes[1]);
    if (!*ret_is_fine)
        return CTL_FAILED;
    return reading->sink->on_row(reading->sink->context, qn_buf_view(&reading->bytes[0]),
                                 qn_buf_view(&reading->bytes[1]));
}

static int take_line(struct reading *reading, const char *text, size_t size, bool *ret_is_fine)
{
    json_t *line = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    int code;
    if (json_object_get(line, "key") != NULL)
        code = take_row(reading, line, ret_is_fine);
    else if (json_object_get(line, "witness") != NULL)
        code = take_point(reading, line, ret_is_fine);
    else
        code = take_head(reading, line, ret_is_fine);
    json_decref(line);
    return code;
}

static int read_lines(struct ctl *ctl, const char *path, FILE *file, struct reading *reading)
{
    QN_AUTO_FREE char *line = qn_alloc(LINE_SIZE_MAX);
    int code = CTL_DONE;
    for (unsigned long long number = 1;
         code == CTL_DONE && fgets(line, LINE_SIZE_MAX, file) != NULL; number++) {
        bool is_fine = true;
        code = take_line(reading, line, strlen(line), &is_fine);
        if (!is_fine)
            return ctl_fail_text(ctl, _("%s: line %llu is not of an exported trail"), path, number);
    }
    if (code == CTL_DONE && (ferror(file) || !reading->has_head))
        return ctl_fail_str(ctl, "read-failed", path);
    return code;
}

int ctl_read_trail_of(struct ctl *ctl, const char *path, FILE *file,
                      const struct ctl_trail_file *sink)
{
    struct reading reading = {.sink = sink};
    int code = read_lines(ctl, path, file, &reading);
    for (size_t i = 0; i < sizeof(reading.bytes) / sizeof(reading.bytes[0]); i++)
        qn_buf_deinit(&reading.bytes[i]);
    return code;
}

int ctl_read_trail(struct ctl *ctl, const char *path, const struct ctl_trail_file *sink)
{
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "rbe");
    if (file == NULL)
        return ctl_fail_str(ctl, "read-failed", path);
    int code = ctl_read_trail_of(ctl, path, file, sink);
    if (!is_stdin)
        fclose(file);
    return code;
}

/* ---- shown ---- */

struct showing {
    struct ctl *ctl;
    struct ctl_json_list list;
};

static int skip_head(void *context, struct qn_span id, const struct qn_span *keys, size_t key_count,
                     uint64_t exported_ms)
{
    return CTL_DONE;
}

static int skip_witness(void *context, struct qn_span site, uint64_t received_ms,
                        struct qn_span checkpoint)
{
    return CTL_DONE;
}

static void show_line(FILE *out, const struct qn_audit_entry *entry)
{
    const struct qn_span texts[] = {entry->actor,  entry->device, entry->address,
                                    entry->action, entry->result, entry->object};
    QN_AUTO_BUF struct qn_buf time;
    qn_buf_init(&time, 64);
    ctl_append_time(&time, entry->wall_ms);
    ctl_put_raw(out, qn_buf_view(&time));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fputc('\t', out);
        ctl_put_text(out, texts[i].size > 0 ? texts[i] : qn_span_str("-"));
    }
    fputc('\n', out);
}

static void show_json(struct showing *showing, const struct qn_audit_entry *entry)
{
    FILE *out = showing->ctl->out;
    const struct {
        const char *key;
        struct qn_span text;
    } members[] = {{"site", entry->site},     {"actor", entry->actor},
                   {"device", entry->device}, {"address", entry->address},
                   {"action", entry->action}, {"object", entry->object},
                   {"result", entry->result}};
    ctl_json_list_next(&showing->list);
    fprintf(out, "{\"seq\":%llu,\"time\":", (unsigned long long)entry->seq);
    ctl_json_time(out, true, entry->wall_ms);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        fprintf(out, ",\"%s\":", members[i].key);
        ctl_json_text(out, members[i].text);
    }
    fputc('}', out);
}

static int show_row(void *context, struct qn_span key, struct qn_span value)
{
    struct showing *showing = context;
    struct qn_audit_entry entry;
    if (!qn_span_has_prefix(key, qn_span_str(QN_AUDIT_ENTRY_PREFIX)) ||
        qn_audit_entry_unpack(value, &entry) != QN_OK)
        return CTL_DONE; /* what is damaged is for the proof */
    if (showing->ctl->is_json)
        show_json(showing, &entry);
    else
        show_line(showing->ctl->out, &entry);
    return CTL_DONE;
}

int ctl_show_trail(struct ctl *ctl, const char *path)
{
    struct showing showing = {.ctl = ctl, .list.out = ctl->out};
    const struct ctl_trail_file sink = {
        .on_head = skip_head, .on_witness = skip_witness, .on_row = show_row, .context = &showing};
    int code = ctl_read_trail(ctl, path, &sink);
    if (ctl->is_json && code == CTL_DONE)
        ctl_json_list_end(&showing.list);
    return code;
}
