/* syncctl record ... but import and export */
#include <stdlib.h>

#include "answer.h"
#include "base/limits.h"
#include "check.h"
#include "commands.h"
#include "i18n.h"
#include "json_in.h"
#include "proto/pack.h"
#include "record_text.h"

#define INPUT_SIZE_MAX (4 * 1024 * 1024)

static void key_request(const struct ctl *ctl, struct qn_buf *args)
{
    ctl_args_init(args, 2);
    ctl_arg_str(args, "collection", ctl->arguments.items[0]);
    ctl_arg_str(args, "key", ctl->arguments.items[1]);
}

/* ---- put ---- */

static int given_twice(struct ctl *ctl, const char *field)
{
    return ctl_usage_error(ctl, _("field %s is given twice"), field);
}

static int merge_object(struct ctl *ctl, json_t *fields, json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (json_object_get(fields, name) != NULL)
            return given_twice(ctl, name);
        json_object_set(fields, name, value);
    }
    return CTL_DONE;
}

/* What to do about JSON that is none. */
static int say_object(const struct ctl *ctl)
{
    fprintf(ctl->err, "  %s\n", _("Write an object of fields, such as '{\"floor\": 1}'."));
    return CTL_FAILED;
}

static int merge_json(struct ctl *ctl, json_t *fields, struct qn_span text, const char *where)
{
    json_error_t reason;
    json_t *object = ctl_json_parse(text, &reason);
    if (object == NULL) {
        QN_AUTO_BUF struct qn_buf why;
        qn_buf_init(&why, 1024);
        ctl_json_explain(text, &reason, &why);
        ctl_fail_text(ctl, _("%s: line %d: not valid JSON: %.*s"), where, reason.line,
                      (int)why.size, (const char *)why.data);
        return say_object(ctl);
    }
    bool is_object = json_is_object(object);
    int code = is_object ? merge_object(ctl, fields, object) : CTL_FAILED;
    json_decref(object);
    if (is_object)
        return code;
    ctl_fail_text(ctl, _("%s: this must be a JSON object"), where);
    return say_object(ctl);
}

static int merge_stdin(struct ctl *ctl, json_t *fields)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, INPUT_SIZE_MAX);
    char part[16 * 1024];
    size_t size;
    while (!text.is_over && (size = fread(part, 1, sizeof(part), stdin)) > 0)
        qn_buf_append(&text, part, size);
    if (qn_buf_status(&text) != QN_OK)
        return ctl_fail_str(ctl, "record-too-large", _("standard input"));
    return merge_json(ctl, fields, qn_buf_view(&text), _("standard input"));
}

static int merge_word(struct ctl *ctl, json_t *fields, const char *word)
{
    if (strcmp(word, "-") == 0)
        return merge_stdin(ctl, fields);
    const char *equals = strchr(word, '=');
    if (equals == NULL || equals == word)
        return ctl_usage_error(ctl, _("%s is no FIELD=VALUE"), word);
    char *name = strndup(word, (size_t)(equals - word));
    bool is_twice = json_object_get(fields, name) != NULL;
    if (!is_twice)
        json_object_set_new(fields, name, json_string(equals + 1));
    int code = is_twice ? given_twice(ctl, name) : CTL_DONE;
    free(name);
    return code;
}

static int merge_option(struct ctl *ctl, json_t *fields, const char *value)
{
    if (strcmp(value, "-") == 0)
        return merge_stdin(ctl, fields);
    return merge_json(ctl, fields, qn_span_str(value), "--json-value");
}

static int gather_fields(struct ctl *ctl, json_t *fields)
{
    int code = CTL_DONE;
    for (size_t i = 0; code == CTL_DONE && i < ctl->given.count; i++)
        code = merge_option(ctl, fields, ctl->given.items[i].value);
    for (size_t i = 2; code == CTL_DONE && i < ctl->arguments.count; i++)
        code = merge_word(ctl, fields, ctl->arguments.items[i]);
    return code;
}

static int check_record(struct ctl *ctl, struct qn_span fields)
{
    const char *key = ctl->arguments.items[1];
    const char *code = ctl_check_key(qn_span_str(key));
    if (code != NULL)
        return ctl_fail_str(ctl, code, key);
    struct qn_span field;
    code = ctl_check_fields(fields, &field);
    if (code == NULL)
        return CTL_DONE;
    return field.size > 0 ? ctl_fail(ctl, code, field) : ctl_fail_str(ctl, code, key);
}

static int put_fields(struct ctl *ctl, json_t *fields)
{
    QN_AUTO_BUF struct qn_buf packed = {0}, args = {0}, end = {0};
    if (json_object_size(fields) == 0)
        return ctl_usage_error(ctl, _("which fields? Give FIELD=VALUE, --json-value or -"));
    qn_buf_init(&packed, QN_CONTROL_FRAME_SIZE_MAX);
    ctl_json_pack(fields, &packed);
    if (qn_buf_status(&packed) != QN_OK)
        return ctl_fail_str(ctl, "record-too-large", ctl->arguments.items[1]);
    int code = check_record(ctl, qn_buf_view(&packed));
    if (code != CTL_DONE)
        return code;
    ctl_args_init(&args, 3);
    ctl_arg_str(&args, "collection", ctl->arguments.items[0]);
    ctl_arg_raw(&args, "fields", qn_buf_view(&packed));
    ctl_arg_str(&args, "key", ctl->arguments.items[1]);
    qn_buf_init(&end, 1024);
    code = ctl_call(ctl, "record.put", &args, &(struct ctl_sink){.end = &end});
    if (code != CTL_DONE)
        return code;
    bool is_changed = ctl_map_bool(qn_buf_view(&end), "changed");
    if (ctl->is_json)
        fprintf(ctl->out, "{\"changed\":%s}\n", is_changed ? "true" : "false");
    else if (ctl->is_terminal)
        ctl_say(ctl, "%s", is_changed ? _("changed") : _("unchanged"));
    return CTL_DONE;
}

int ctl_run_record_put(struct ctl *ctl)
{
    json_t *fields = json_object();
    int code = gather_fields(ctl, fields);
    if (code == CTL_DONE)
        code = put_fields(ctl, fields);
    json_decref(fields);
    return code;
}

/* ---- get, list ---- */

int ctl_run_record_get(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args = {0}, record;
    key_request(ctl, &args);
    qn_buf_init(&record, QN_CONTROL_FRAME_SIZE_MAX);
    int code = ctl_call(ctl, "record.get", &args, &(struct ctl_sink){.end = &record});
    if (code != CTL_DONE)
        return code;
    if (ctl->is_json) {
        ctl_json_object(ctl->out, qn_buf_view(&record), ctl_record_shape);
        fputc('\n', ctl->out);
    } else {
        ctl_print_record(ctl->out, qn_buf_view(&record));
    }
    return CTL_DONE;
}

static void put_row(FILE *out, struct qn_span record)
{
    struct qn_span fields;
    struct ctl_walk walk = {0};
    if (ctl_map_find(record, "fields", &fields))
        walk = ctl_walk(fields);
    ctl_put_text(out, ctl_map_text(record, "key"));
    while (ctl_walk_next(&walk)) {
        QN_AUTO_BUF struct qn_buf value;
        qn_buf_init(&value, QN_CONTROL_FRAME_SIZE_MAX * 8);
        ctl_append_value(&value, walk.value);
        fputc('\t', out);
        ctl_put_text(out, walk.key);
        fputc('=', out);
        ctl_put_raw(out, qn_buf_view(&value));
    }
    fputc('\n', out);
}

struct record_listing {
    struct ctl *ctl;
    struct ctl_json_list json;
};

/* Streamed: a collection may be larger than the memory. */
static int on_records(void *context, struct qn_span data)
{
    struct record_listing *listing = context;
    struct ctl_walk walk = ctl_walk(data);
    while (ctl_walk_next(&walk)) {
        if (!listing->ctl->is_json) {
            put_row(listing->ctl->out, walk.value);
            continue;
        }
        ctl_json_list_next(&listing->json);
        ctl_json_object(listing->ctl->out, walk.value, ctl_record_shape);
    }
    return ferror(listing->ctl->out) ? ctl_fail_str(listing->ctl, "output-failed", "") : CTL_DONE;
}

int ctl_run_record_list(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 3);
    ctl_arg_str(&args, "collection", ctl->arguments.items[0]);
    if (ctl_arg_limit(ctl, &args) != CTL_DONE)
        return CTL_USAGE;
    ctl_arg_str(&args, "prefix", ctl_value(ctl, "prefix"));
    struct record_listing listing = {.ctl = ctl, .json = {.out = ctl->out}};
    int code = ctl_call(ctl, "record.list", &args,
                        &(struct ctl_sink){.on_data = on_records,
                                           .context = &listing,
                                           .waits_for_ever = !ctl->has_timeout});
    if (code == CTL_DONE && ctl->is_json)
        ctl_json_list_end(&listing.json);
    return code;
}

/* ---- trash and history ---- */

int ctl_run_record_change(struct ctl *ctl)
{
    static const char *const verbs[] = {"delete", "restore", "erase"};
    static const char *const requests[] = {"record.delete", "record.restore", "record.erase"};
    const char *const messages[] = {_("The record is in the trash, at all sites."),
                                    _("The record is back."), _("The record is erased.")};
    size_t i = 0;
    while (strcmp(verbs[i], ctl->command->verb) != 0)
        i++;
    QN_AUTO_BUF struct qn_buf args = {0};
    key_request(ctl, &args);
    return ctl_do(ctl, requests[i], &args, messages[i]);
}

static void add_change(struct ctl_grid *grid, struct qn_span item)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, QN_CONTROL_FRAME_SIZE_MAX * 8);
    struct qn_span value;
    if (ctl_map_find(item, "value", &value))
        ctl_append_value(&text, value);
    ctl_add_time(grid, item, "time");
    ctl_add_text(grid, item, "site");
    ctl_add_text(grid, item, "user");
    ctl_add_text(grid, item, "field");
    ctl_grid_add(grid, qn_buf_view(&text));
}

int ctl_run_record_history(struct ctl *ctl)
{
    static const char *const heads[] = {N_("TIME"), N_("SITE"), N_("USER"), N_("FIELD"),
                                        N_("VALUE")};
    QN_AUTO_BUF struct qn_buf args = {0};
    key_request(ctl, &args);
    return ctl_list(ctl, "record.history", &args,
                    &(struct ctl_listing){ctl_history_shape, 5, heads, add_change, false});
}
