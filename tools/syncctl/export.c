/* syncctl record export: JSON Lines in one pass; CSV in two, since its first row names all fields.
 */
#include <stdlib.h>

#include "answer.h"
#include "base/limits.h"
#include "commands.h"
#include "csv.h"
#include "i18n.h"
#include "proto/cursor.h"
#include "source.h"

#define COLUMNS_MAX 4096

struct export
{
    struct ctl *ctl;
    const char *key_field;
    QN_VEC(char *) names; /* of CSV, sorted */
    void (*put)(struct export * export, struct qn_span record);
    struct ctl_progress progress;
    uint64_t count;
};

static struct qn_span fields_of(struct qn_span record)
{
    struct qn_span fields;
    return ctl_map_find(record, "fields", &fields) ? fields : qn_span(NULL, 0);
}

static int compare_name(const void *key, const void *item)
{
    const struct qn_span *name = key;
    const char *const *other = item;
    return qn_span_cmp(*name, qn_span_str(*other));
}

static void add_name(struct export *export, struct qn_span name)
{
    size_t at = 0;
    if (export->names.count > 0 && bsearch(&name, export->names.items, export->names.count,
                                           sizeof(char *), compare_name) != NULL)
        return;
    while (at < export->names.count && compare_name(&name, &export->names.items[at]) > 0)
        at++;
    char *copy = ctl_dup_text(name);
    *qn_vec_insert_slot(&export->names, at) = copy;
}

static void gather_names(struct export *export, struct qn_span record)
{
    struct ctl_walk walk = ctl_walk(fields_of(record));
    while (ctl_walk_next(&walk) && export->names.count <= COLUMNS_MAX)
        add_name(export, walk.key);
}

static void put_cell(FILE *out, struct qn_span packed)
{
    struct qn_cursor cursor = qn_cursor(packed);
    if (qn_cursor_peek(&cursor) == QN_ITEM_STR) {
        ctl_csv_put(out, ctl_text_of(packed));
        return;
    }
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (memory == NULL)
        return;
    ctl_json_value(memory, packed);
    fclose(memory);
    ctl_csv_put(out, qn_span(text, size));
    free(text);
}

static void put_csv(struct export *export, struct qn_span record)
{
    FILE *out = export->ctl->out;
    ctl_csv_put(out, ctl_map_text(record, "key"));
    for (size_t i = 0; i < export->names.count; i++) {
        struct qn_span value;
        fputc(',', out);
        if (ctl_map_find(fields_of(record), export->names.items[i], &value))
            put_cell(out, value);
    }
    fputs("\r\n", out);
}

static void put_json(struct export *export, struct qn_span record)
{
    FILE *out = export->ctl->out;
    fputc('{', out);
    ctl_json_text(out, qn_span_str(export->key_field));
    fputc(':', out);
    ctl_json_text(out, ctl_map_text(record, "key"));
    struct ctl_walk walk = ctl_walk(fields_of(record));
    while (ctl_walk_next(&walk)) {
        fputc(',', out);
        ctl_json_text(out, walk.key);
        fputc(':', out);
        ctl_json_value(out, walk.value);
    }
    fputs("}\n", out);
}

static int on_records(void *context, struct qn_span data)
{
    struct export *export = context;
    struct ctl_walk walk = ctl_walk(data);
    while (ctl_walk_next(&walk)) {
        struct qn_span value;
        if (ctl_map_find(fields_of(walk.value), export->key_field, &value))
            return ctl_fail_text(export->ctl,
                                 _("a record has a field named %s; choose another name for the "
                                   "key with --key"),
                                 export->key_field);
        export->put(export, walk.value);
        ctl_progress_show(&export->progress, ++export->count);
    }
    return ferror(export->ctl->out) ? ctl_fail_str(export->ctl, "output-failed", "") : CTL_DONE;
}

static int pass(struct export *export, void (*put)(struct export *, struct qn_span))
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 3);
    ctl_arg_str(&args, "collection", export->ctl->arguments.items[0]);
    ctl_arg_nil(&args, "limit");
    ctl_arg_nil(&args, "prefix");
    export->put = put;
    export->count = 0;
    return ctl_call(export->ctl, "record.list", &args,
                    &(struct ctl_sink){.on_data = on_records,
                                       .context = export,
                                       .waits_for_ever = !export->ctl->has_timeout});
}

static int run_csv(struct export *export)
{
    FILE *out = export->ctl->out;
    int code = pass(export, gather_names);
    if (code != CTL_DONE)
        return code;
    ctl_csv_put(out, qn_span_str(export->key_field));
    for (size_t i = 0; i < export->names.count; i++) {
        fputc(',', out);
        ctl_csv_put(out, qn_span_str(export->names.items[i]));
    }
    fputs("\r\n", out);
    return pass(export, put_csv);
}

int ctl_run_record_export(struct ctl *ctl)
{
    enum ctl_format format;
    const char *key = ctl_value(ctl, "key");
    if (!ctl_format_parse(ctl_value(ctl, "format"), "", &format))
        return ctl_usage_error(ctl, _("--format is jsonl or csv, not %s"),
                               ctl_value(ctl, "format"));
    struct export export = {.ctl = ctl, .key_field = key != NULL ? key : "key"};
    bool has_progress = ctl->is_err_terminal && !ctl->is_terminal && !ctl->is_quiet;
    ctl_progress_begin(&export.progress, has_progress ? ctl->err : NULL, 0);
    int code = format == CTL_CSV ? run_csv(&export) : pass(&export, put_json);
    ctl_progress_end(&export.progress);
    for (size_t i = 0; i < export.names.count; i++)
        qn_free(export.names.items[i]);
    qn_vec_free(&export.names);
    return code;
}
