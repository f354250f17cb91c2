/* syncctl search WORD... */
#include "answer.h"
#include "base/limits.h"
#include "commands.h"
#include "i18n.h"
#include "proto/cursor.h"
#include "proto/pack.h"

static void add_hit(struct ctl_grid *grid, struct qn_span item)
{
    struct qn_span folder;
    bool is_file = ctl_map_find(item, "folder", &folder);
    ctl_add_text(grid, item, is_file ? "folder" : "collection");
    ctl_add_text(grid, item, is_file ? "path" : "key");
    ctl_add_text(grid, item, "text");
}

static void say_silent(struct ctl *ctl, struct qn_span end)
{
    struct qn_span sites = {0};
    ctl_map_find(end, "silent", &sites);
    struct ctl_walk walk = ctl_walk(sites);
    while (ctl_walk_next(&walk)) {
        struct qn_buf name;
        qn_buf_init(&name, 256);
        ctl_append_value(&name, walk.value);
        qn_buf_append_u8(&name, '\0');
        ctl_say(ctl, _("The folders of %s could not be searched."), (const char *)name.data);
        qn_buf_deinit(&name);
    }
}

static void say_end(struct ctl *ctl, struct qn_span end)
{
    struct qn_span value;
    say_silent(ctl, end);
    bool is_indexing = false;
    if (!ctl_map_find(end, "indexing", &value))
        return;
    struct qn_cursor cursor = qn_cursor(value);
    if (qn_cursor_bool(&cursor, &is_indexing) == QN_OK && is_indexing)
        ctl_say(ctl, "%s", _("The search index is being made; something may be missing."));
}

static void append_words(const struct ctl *ctl, struct qn_buf *out)
{
    for (size_t i = 0; i < ctl->arguments.count; i++)
        qn_buf_printf(out, "%s%s", i > 0 ? " " : "", ctl->arguments.items[i]);
    qn_buf_append_u8(out, '\0');
}

int ctl_run_search(struct ctl *ctl)
{
    static const char *const heads[] = {N_("WHERE"), N_("KEY OR PATH"), N_("TEXT")};
    QN_AUTO_BUF struct qn_buf args = {0}, words;
    qn_buf_init(&words, QN_VALUE_SIZE_MAX);
    append_words(ctl, &words);
    if (qn_buf_status(&words) != QN_OK)
        return ctl_fail_str(ctl, "bad-words", ctl->arguments.items[0]);
    ctl_args_init(&args, 2);
    if (ctl_arg_limit(ctl, &args) != CTL_DONE)
        return CTL_USAGE;
    ctl_arg_str(&args, "words", (const char *)words.data);
    return ctl_list_and(ctl, "search", &args,
                        &(struct ctl_listing){ctl_hit_shape, 3, heads, add_hit, false}, say_end);
}
