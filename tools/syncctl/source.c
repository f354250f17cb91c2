#include "source.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "check.h"
#include "ctl.h"
#include "i18n.h"
#include "json_in.h"
#include "proto/pack.h"
#include "screen.h"

#define LINE_SIZE_MAX (1024 * 1024)

bool ctl_format_parse(const char *word, const char *path, enum ctl_format *ret_format)
{
    size_t size = strlen(path);
    bool is_named_csv = size > 4 && strcasecmp(path + size - 4, ".csv") == 0;
    if (word == NULL)
        *ret_format = is_named_csv ? CTL_CSV : CTL_JSONL;
    else if (strcmp(word, "jsonl") == 0)
        *ret_format = CTL_JSONL;
    else if (strcmp(word, "csv") == 0)
        *ret_format = CTL_CSV;
    else
        return false;
    return true;
}

static enum qn_err refuse(struct ctl_source *source, const char *problem)
{
    snprintf(source->problem, sizeof(source->problem), "%s", problem);
    return QN_ERR_INVALID;
}

static enum qn_err refuse_row(struct ctl_source *source, enum qn_err err)
{
    return refuse(source, err == QN_ERR_LIMIT ? _("this row is longer than 1 MiB")
                                              : _("this row is not valid CSV"));
}

static enum qn_err refuse_keyless(struct ctl_source *source)
{
    snprintf(source->problem, sizeof(source->problem), _("the key field %s is missing"),
             source->key_field);
    return QN_ERR_INVALID;
}

static enum qn_err read_names(struct ctl_source *source)
{
    bool has_key = false;
    source->number = 1;
    enum qn_err err = ctl_csv_next(&source->csv);
    if (err == QN_ERR_CLOSED)
        return refuse(source, _("the row with the names of the fields is missing"));
    if (err != QN_OK)
        return refuse_row(source, err);
    for (size_t i = 0; i < source->csv.cells.count; i++) {
        struct qn_span cell = ctl_csv_cell(&source->csv, i);
        char *name = ctl_dup_text(cell);
        for (size_t j = 0; j < source->names.count; j++) {
            if (strcmp(source->names.items[j], name) == 0) {
                qn_free(name);
                return refuse(source, _("two columns have the same name"));
            }
        }
        has_key = has_key || strcmp(name, source->key_field) == 0;
        qn_vec_push(&source->names, name);
    }
    return has_key ? QN_OK : refuse_keyless(source);
}

enum qn_err ctl_source_open(struct ctl_source *source, FILE *file, enum ctl_format format,
                            const char *key_field)
{
    *source = (struct ctl_source){.file = file, .format = format, .key_field = key_field};
    rewind(file);
    ctl_csv_init(&source->csv, file);
    return format == CTL_CSV ? read_names(source) : QN_OK;
}

void ctl_source_close(struct ctl_source *source)
{
    for (size_t i = 0; i < source->names.count; i++)
        qn_free(source->names.items[i]);
    qn_vec_free(&source->names);
    ctl_csv_deinit(&source->csv);
    free(source->line);
}

/* A cell that is empty and not quoted is no field. */
static enum qn_err next_csv(struct ctl_source *source, json_t **ret_object)
{
    enum qn_err err = ctl_csv_next(&source->csv);
    source->number = source->csv.row_line;
    if (err == QN_ERR_CLOSED)
        return err;
    if (err != QN_OK)
        return refuse_row(source, err);
    if (source->csv.cells.count != source->names.count)
        return refuse(source, _("this row has not as many cells as the first one"));
    json_t *object = json_object();
    for (size_t i = 0; i < source->names.count; i++) {
        struct qn_span cell = ctl_csv_cell(&source->csv, i);
        if (cell.size == 0 && !source->csv.cells.items[i].is_quoted)
            continue;
        json_t *text = json_stringn((const char *)cell.data, cell.size);
        if (text == NULL || json_object_set_new(object, source->names.items[i], text) != 0) {
            json_decref(object);
            return refuse(source, _("this row is not valid UTF-8"));
        }
    }
    *ret_object = object;
    return QN_OK;
}

static bool is_blank(struct qn_span line)
{
    for (size_t i = 0; i < line.size; i++) {
        if (memchr(" \t\r\n", line.data[i], 4) == NULL)
            return false;
    }
    return true;
}

/* A line, bounded: getline() would take a file without line breaks whole. */
static enum qn_err read_line(struct ctl_source *source, struct qn_span *ret_line)
{
    if (source->line == NULL)
        source->line = malloc(LINE_SIZE_MAX);
    size_t size = 0;
    int letter = EOF;
    source->number++;
    while (source->line != NULL && (letter = getc(source->file)) != EOF && letter != '\n') {
        if (size == LINE_SIZE_MAX)
            return refuse(source, _("this line is longer than 1 MiB"));
        source->line[size++] = (char)letter;
    }
    *ret_line = qn_span(source->line, size);
    return size == 0 && letter == EOF ? QN_ERR_CLOSED : QN_OK;
}

static enum qn_err next_json(struct ctl_source *source, json_t **ret_object)
{
    struct qn_span line;
    do {
        enum qn_err err = read_line(source, &line);
        if (err != QN_OK)
            return err;
    } while (is_blank(line));
    json_error_t reason;
    json_t *object = ctl_json_parse(line, &reason);
    if (object == NULL) {
        QN_AUTO_BUF struct qn_buf why;
        qn_buf_init(&why, sizeof(source->problem));
        ctl_json_explain(line, &reason, &why);
        snprintf(source->problem, sizeof(source->problem), _("not valid JSON: %.*s"), (int)why.size,
                 (const char *)why.data);
        return QN_ERR_INVALID;
    }
    if (!json_is_object(object)) {
        json_decref(object);
        return refuse(source, _("not a JSON object"));
    }
    *ret_object = object;
    return QN_OK;
}

static enum qn_err pack_key(struct ctl_source *source, const json_t *value, struct qn_buf *out)
{
    char number[32];
    struct qn_span key = {0};
    if (json_is_string(value)) {
        key = qn_span(json_string_value(value), json_string_length(value));
    } else if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        key = qn_span_str(number);
    } else {
        return value == NULL ? refuse_keyless(source)
                             : refuse(source, _("the key is neither text nor a whole number"));
    }
    const char *code = ctl_check_key(key);
    if (code != NULL)
        return refuse(source, ctl_error_text(qn_span_str(code)));
    qn_pack_str(out, key);
    return QN_OK;
}

static enum qn_err check_fields(struct ctl_source *source, struct qn_span fields)
{
    struct qn_span name;
    const char *code = ctl_check_fields(fields, &name);
    if (code == NULL)
        return QN_OK;
    const char *text = ctl_error_text(qn_span_str(code));
    if (name.size == 0)
        return refuse(source, text);
    QN_AUTO_BUF struct qn_buf shown;
    qn_buf_init(&shown, name.size * 6 + 1);
    ctl_append_text(&shown, name);
    snprintf(source->problem, sizeof(source->problem), _("field %.*s: %s"), (int)shown.size,
             (const char *)shown.data, text);
    return QN_ERR_INVALID;
}

/* QN_ERR_NOTFOUND: it has no field beside the key, and a record has at least one. */
static enum qn_err pack_record(struct ctl_source *source, json_t *object, struct qn_buf *out)
{
    qn_pack_array(out, 2);
    QN_TRY(pack_key(source, json_object_get(object, source->key_field), out));
    json_object_del(object, source->key_field);
    if (json_object_size(object) == 0)
        return QN_ERR_NOTFOUND;
    size_t before = out->size;
    ctl_json_pack(object, out);
    if (out->is_over)
        return refuse(source, ctl_error_text(qn_span_str("record-too-large")));
    return check_fields(source, qn_span_from(qn_buf_view(out), before));
}

static enum qn_err next_or_empty(struct ctl_source *source, struct qn_buf *out)
{
    json_t *object = NULL;
    QN_TRY(source->format == CTL_CSV ? next_csv(source, &object) : next_json(source, &object));
    enum qn_err err = pack_record(source, object, out);
    json_decref(object);
    return err;
}

enum qn_err ctl_source_next(struct ctl_source *source, struct qn_buf *out)
{
    size_t before = out->size;
    enum qn_err err;
    while ((err = next_or_empty(source, out)) == QN_ERR_NOTFOUND) {
        qn_buf_truncate(out, before);
        source->skipped++;
    }
    return err;
}
