#include "answer.h"

#include <stdlib.h>

#include "base/limits.h"
#include "i18n.h"
#include "proto/cursor.h"
#include "status.h"

struct listing_run {
    struct ctl *ctl;
    const struct ctl_listing *listing;
    struct ctl_json_list json;
    struct ctl_grid grid;
};

static void take_item(struct listing_run *run, struct qn_span item)
{
    if (!run->ctl->is_json) {
        run->listing->add(&run->grid, item);
        return;
    }
    ctl_json_list_next(&run->json);
    ctl_json_object(run->ctl->out, item, run->listing->shape);
}

static int on_item(void *context, struct qn_span data)
{
    struct listing_run *run = context;
    if (!run->listing->is_batched) {
        take_item(run, data);
        return CTL_DONE;
    }
    struct ctl_walk walk = ctl_walk(data);
    while (ctl_walk_next(&walk))
        take_item(run, walk.value);
    return CTL_DONE;
}

int ctl_list_and(struct ctl *ctl, const char *cmd, const struct qn_buf *args,
                 const struct ctl_listing *listing,
                 void (*on_end)(struct ctl *ctl, struct qn_span end))
{
    struct listing_run run = {.ctl = ctl, .listing = listing, .json = {.out = ctl->out}};
    ctl_grid_init(&run.grid, listing->columns);
    for (size_t i = 0; i < listing->columns; i++)
        ctl_grid_add_str(&run.grid, gettext(listing->heads[i]));
    QN_AUTO_BUF struct qn_buf end;
    qn_buf_init(&end, QN_CONTROL_FRAME_SIZE_MAX);
    int code = ctl_call(ctl, cmd, args,
                        &(struct ctl_sink){.on_data = on_item, .context = &run, .end = &end});
    if (code == CTL_DONE && ctl->is_json)
        ctl_json_list_end(&run.json);
    if (code == CTL_DONE && !ctl->is_json)
        ctl_grid_print(&run.grid, ctl->out, "", !ctl->is_terminal);
    if (code == CTL_DONE && on_end != NULL)
        on_end(ctl, qn_buf_view(&end));
    ctl_grid_deinit(&run.grid);
    return code;
}

int ctl_list(struct ctl *ctl, const char *cmd, const struct qn_buf *args,
             const struct ctl_listing *listing)
{
    return ctl_list_and(ctl, cmd, args, listing, NULL);
}

int ctl_arg_limit(struct ctl *ctl, struct qn_buf *args)
{
    const char *limit = ctl_value(ctl, "limit");
    char *end = NULL;
    unsigned long long number = limit != NULL ? strtoull(limit, &end, 10) : 0;
    if (limit != NULL && (limit[0] < '0' || limit[0] > '9' || *end != '\0'))
        return ctl_usage_error(ctl, _("--limit takes a number, not %s"), limit);
    if (limit != NULL)
        ctl_arg_u64(args, "limit", number);
    else
        ctl_arg_nil(args, "limit");
    return CTL_DONE;
}

static const char *label_of(const char *key)
{
    static const struct {
        const char *key, *label;
    } labels[] = {
        {"name", N_("name")},
        {"identity", N_("identity")},
        {"state", N_("state")},
        {"last_contact", N_("last contact")},
        {"address", N_("address")},
        {"role", N_("role")},
        {"version", N_("version")},
        {"legal_entity", N_("legal entity")},
        {"withdrawn", N_("withdrawn")},
        {"records", N_("records")},
        {"conflicts", N_("conflicts")},
        {"members", N_("members")},
        {"behind", N_("behind")},
        {"in_sync", N_("in sync")},
        {"id", N_("id")},
        {"created_by", N_("made by")},
        {"kind", N_("kind")},
        {"home", N_("home")},
        {"path", N_("directory")},
        {"files", N_("files")},
        {"bytes", N_("bytes")},
        {"complete", N_("all counted")},
        {"free_bytes", N_("bytes free")},
        {"alike", N_("names alike")},
        {"alike_path", N_("one of them")},
        {"unfit", N_("names Windows cannot show")},
        {"unfit_path", N_("one of these")},
    };
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (strcmp(labels[i].key, key) == 0)
            return gettext(labels[i].label);
    }
    return key;
}

/* "a, b", or with what a map says of them: "a 3, b 2". */
static void append_names(struct qn_buf *out, struct qn_span list)
{
    struct ctl_walk walk = ctl_walk(list);
    while (ctl_walk_next(&walk)) {
        qn_buf_append_str(out, out->size > 0 ? ", " : "");
        if (walk.is_map) {
            ctl_append_text(out, walk.key);
            qn_buf_append_str(out, " ");
        }
        ctl_append_value(out, walk.value);
    }
}

static void append_member(struct qn_buf *out, const struct ctl_shape *shape, struct qn_span value)
{
    struct qn_cursor cursor = qn_cursor(value);
    enum qn_item item = qn_cursor_peek(&cursor);
    uint64_t time_ms = ctl_u64_of(value);
    bool is_true, is_word = strcmp(shape->key, "state") == 0 || strcmp(shape->key, "role") == 0;
    if (shape->kind == CTL_TIME && time_ms != 0)
        ctl_append_time(out, time_ms);
    else if (is_word && item == QN_ITEM_STR)
        qn_buf_append_str(out, ctl_state_word(ctl_text_of(value)));
    else if (item == QN_ITEM_BOOL && qn_cursor_bool(&cursor, &is_true) == QN_OK)
        qn_buf_append_str(out, is_true ? _("yes") : _("no"));
    else if (item == QN_ITEM_ARRAY || item == QN_ITEM_MAP)
        append_names(out, value);
    else if (item != QN_ITEM_NIL)
        ctl_append_value(out, value);
    if (out->size == 0)
        qn_buf_append_str(out, "-");
}

static void print_member(FILE *out, const struct ctl_shape *shape, struct qn_span value)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, QN_CONTROL_FRAME_SIZE_MAX * 8);
    append_member(&text, shape, value);
    fprintf(out, _("%s: "), label_of(shape->key));
    ctl_put_raw(out, qn_buf_view(&text));
    fputc('\n', out);
}

int ctl_show(struct ctl *ctl, const char *cmd, const struct qn_buf *args,
             const struct ctl_shape *shape)
{
    QN_AUTO_BUF struct qn_buf map;
    qn_buf_init(&map, QN_CONTROL_FRAME_SIZE_MAX);
    int code = ctl_call(ctl, cmd, args, &(struct ctl_sink){.end = &map});
    if (code != CTL_DONE)
        return code;
    if (ctl->is_json) {
        ctl_json_object(ctl->out, qn_buf_view(&map), shape);
        fputc('\n', ctl->out);
        return CTL_DONE;
    }
    for (; shape->key != NULL; shape++) {
        struct qn_span value;
        if (ctl_map_find(qn_buf_view(&map), shape->from ? shape->from : shape->key, &value))
            print_member(ctl->out, shape, value);
    }
    return CTL_DONE;
}

int ctl_do(struct ctl *ctl, const char *cmd, const struct qn_buf *args, const char *message)
{
    int code = ctl_call(ctl, cmd, args, &(struct ctl_sink){0});
    if (code == CTL_DONE && ctl->is_json)
        fputs("{\"done\":true}\n", ctl->out);
    else if (code == CTL_DONE)
        ctl_say(ctl, "%s", message);
    return code;
}

void ctl_add_text(struct ctl_grid *grid, struct qn_span map, const char *key)
{
    struct qn_span text = ctl_map_text(map, key);
    ctl_grid_add(grid, text.size > 0 ? text : qn_span_str("-"));
}

void ctl_add_state(struct ctl_grid *grid, struct qn_span map)
{
    ctl_grid_add_str(grid, ctl_state_word(ctl_map_text(map, "state")));
}

void ctl_add_time(struct ctl_grid *grid, struct qn_span map, const char *key)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 64);
    uint64_t time_ms;
    if (ctl_map_time(map, key, &time_ms))
        ctl_append_time(&text, time_ms);
    else
        qn_buf_append_str(&text, "-");
    ctl_grid_add(grid, qn_buf_view(&text));
}

void ctl_add_number(struct ctl_grid *grid, struct qn_span map, const char *key)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)ctl_map_u64(map, key));
    ctl_grid_add_str(grid, text);
}

void ctl_add_names(struct ctl_grid *grid, struct qn_span map, const char *key)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, QN_CONTROL_FRAME_SIZE_MAX);
    struct qn_span list;
    struct ctl_walk walk = {0};
    if (ctl_map_find(map, key, &list))
        walk = ctl_walk(list);
    while (ctl_walk_next(&walk)) {
        qn_buf_append_str(&text, text.size > 0 ? "," : "");
        qn_buf_append_span(&text, ctl_text_of(walk.value));
    }
    ctl_grid_add(grid, text.size > 0 ? qn_buf_view(&text) : qn_span_str("-"));
}

void ctl_append_value(struct qn_buf *out, struct qn_span packed)
{
    struct qn_cursor cursor = qn_cursor(packed);
    if (qn_cursor_peek(&cursor) == QN_ITEM_STR) {
        ctl_append_text(out, ctl_text_of(packed));
        return;
    }
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (memory == NULL)
        return;
    ctl_json_value(memory, packed);
    fclose(memory);
    ctl_append_text(out, qn_span(text, size));
    free(text);
}

#define EXPIRES_MAX_S (365u * 24 * 3600)

/* "90s", "30m", "24h", "7d"; 0: no duration. Without a unit, nobody knows what was meant. */
static uint64_t duration_s(const char *text)
{
    char *unit;
    if (text[0] < '0' || text[0] > '9')
        return 0;
    unsigned long long number = strtoull(text, &unit, 10);
    static const char letters[] = "smhd";
    static const unsigned seconds[] = {1, 60, 3600, 86400};
    const char *letter = *unit != '\0' ? strchr(letters, *unit) : NULL;
    if (letter == NULL || unit[1] != '\0' || number > EXPIRES_MAX_S)
        return 0;
    number *= seconds[letter - letters];
    return number <= EXPIRES_MAX_S ? number : 0;
}

uint64_t ctl_expires_s(struct ctl *ctl, const char *text)
{
    uint64_t seconds = duration_s(text);
    if (seconds == 0)
        (void)!ctl_usage_error(
            ctl, _("--expires takes a number with a unit, s, m, h or d, up to 365d, not %s"), text);
    return seconds;
}
