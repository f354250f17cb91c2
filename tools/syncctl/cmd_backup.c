/* syncctl backup ...: plans and their runs. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "backup_args.h"
#include "base/limits.h"
#include "base/text.h"
#include "commands.h"
#include "i18n.h"
#include "proto/cursor.h"
#include "proto/pack.h"

/* ---- create, change, delete ---- */

/* Relative paths are of the directory that the person is in. */
static int pack_paths(struct ctl *ctl, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf items;
    qn_buf_init(&items, QN_CONTROL_FRAME_SIZE_MAX);
    size_t count = 0;
    for (size_t i = 0; i < ctl->given.count; i++) {
        const struct ctl_given *given = &ctl->given.items[i];
        char path[PATH_MAX];
        if (strcmp(given->option->name, "path") != 0)
            continue;
        if (realpath(given->value, path) == NULL)
            return ctl_fail_str(ctl, "read-failed", given->value);
        qn_pack_bin(&items, qn_span_str(path));
        count++;
    }
    if (count == 0)
        qn_pack_nil(out);
    else
        qn_pack_array(out, count);
    qn_pack_raw(out, qn_buf_view(&items));
    return CTL_DONE;
}

/* "" : no copies any more. */
static int pack_copies(struct ctl *ctl, struct qn_buf *args)
{
    const char *copies = ctl_value(ctl, "copies");
    qn_pack_cstr(args, "copies");
    if (copies == NULL)
        qn_pack_nil(args);
    else if (copies[0] == '\0')
        qn_pack_array(args, 0);
    else if (ctl_pack_names(copies, args) == 0)
        return ctl_usage_error(ctl, _("--copies takes names of sites between commas"));
    return CTL_DONE;
}

static int pack_lock(struct ctl *ctl, struct qn_buf *args)
{
    const char *lock = ctl_value(ctl, "lock");
    uint64_t days;
    if (lock == NULL)
        ctl_arg_nil(args, "lock_days");
    else if (ctl_parse_days(lock, &days))
        ctl_arg_u64(args, "lock_days", days);
    else
        return ctl_usage_error(ctl, _("--lock takes a time: 30d, 8w, 12m, 1y"));
    return CTL_DONE;
}

static int pack_plan(struct ctl *ctl, struct qn_buf *args)
{
    ctl_args_init(args, 7);
    int code = pack_copies(ctl, args);
    if (code != CTL_DONE)
        return code;
    qn_pack_cstr(args, "exclude");
    if (ctl_has(ctl, "exclude"))
        ctl_pack_values(ctl, "exclude", args);
    else
        qn_pack_nil(args);
    ctl_arg_str(args, "keep", ctl_value(ctl, "keep"));
    code = pack_lock(ctl, args);
    if (code != CTL_DONE)
        return code;
    ctl_arg_str(args, "name", ctl->arguments.items[0]);
    qn_pack_cstr(args, "paths");
    code = pack_paths(ctl, args);
    if (code != CTL_DONE)
        return code;
    ctl_arg_str(args, "schedule", ctl_value(ctl, "schedule"));
    return CTL_DONE;
}

int ctl_run_backup_create(struct ctl *ctl)
{
    bool is_new = strcmp(ctl->command->verb, "create") == 0;
    QN_AUTO_BUF struct qn_buf args = {0};
    if (is_new && !ctl_has(ctl, "path"))
        return ctl_usage_error(ctl, _("which folder? Give --path DIR, once or more"));
    int code = pack_plan(ctl, &args);
    if (code != CTL_DONE)
        return code;
    return ctl_do(ctl, is_new ? "backup.create" : "backup.change", &args,
                  is_new ? _("The backup is planned.") : _("The backup's plan is changed."));
}

int ctl_run_backup_delete(struct ctl *ctl)
{
    bool is_stop = strcmp(ctl->command->verb, "stop") == 0;
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    return ctl_do(ctl, is_stop ? "backup.stop" : "backup.delete", &args,
                  is_stop ? _("The run ends. What it stored stays.")
                          : _("The plan is gone. Its snapshots stay."));
}

/* ---- plans ---- */

static void add_paths(struct ctl_grid *grid, struct qn_span item)
{
    QN_AUTO_BUF struct qn_buf text;
    struct qn_span list;
    qn_buf_init(&text, QN_CONTROL_FRAME_SIZE_MAX);
    if (ctl_map_find(item, "paths", &list)) {
        struct ctl_walk walk = ctl_walk(list);
        while (ctl_walk_next(&walk)) {
            struct qn_cursor cursor = qn_cursor(walk.value);
            struct qn_span path = {0};
            (void)!qn_cursor_bin(&cursor, SIZE_MAX, &path);
            qn_buf_append_str(&text, text.size > 0 ? ":" : "");
            ctl_append_text(&text, path);
        }
    }
    ctl_grid_add(grid, qn_buf_view(&text));
}

/* A lock is for copies: without them there is none. */
static void add_days(struct ctl_grid *grid, struct qn_span item)
{
    char text[32];
    struct qn_span copies;
    bool has_copies = ctl_map_find(item, "copies", &copies) && ctl_count(copies) > 0;
    snprintf(text, sizeof(text), "%" PRIu64 "d", ctl_map_u64(item, "lock_days"));
    ctl_grid_add_str(grid, has_copies ? text : "-");
}

static void add_plan(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "name");
    ctl_add_text(grid, item, "schedule");
    ctl_add_text(grid, item, "keep");
    ctl_add_time(grid, item, "next_run");
    ctl_add_names(grid, item, "copies");
    add_days(grid, item);
    add_paths(grid, item);
}

int ctl_run_backup_plans(struct ctl *ctl)
{
    static const char *const heads[] = {N_("NAME"),   N_("SCHEDULE"), N_("KEEP"), N_("NEXT RUN"),
                                        N_("COPIES"), N_("LOCK"),     N_("PATHS")};
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 0);
    return ctl_list(ctl, "backup.plans", &args,
                    &(struct ctl_listing){ctl_plan_shape, 7, heads, add_plan, false});
}

/* ---- list ---- */

static void add_snapshot(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "id");
    ctl_add_text(grid, item, "plan");
    ctl_add_time(grid, item, "time");
    ctl_add_number(grid, item, "files");
    ctl_add_size(grid, item, "size");
    ctl_add_size(grid, item, "new_bytes");
    ctl_add_copies(grid, item);
    ctl_add_time(grid, item, "locked_until");
}

int ctl_run_backup_list(struct ctl *ctl)
{
    static const char *const heads[] = {N_("ID"),   N_("PLAN"), N_("TIME"),   N_("FILES"),
                                        N_("SIZE"), N_("NEW"),  N_("COPIES"), N_("LOCKED UNTIL")};
    QN_AUTO_BUF struct qn_buf args;
    const char *from = ctl_value(ctl, "from");
    ctl_args_init(&args, from == NULL ? 1 : 2);
    if (from != NULL)
        ctl_arg_str(&args, "from", from);
    ctl_arg_str(&args, "name", ctl->arguments.count > 0 ? ctl->arguments.items[0] : NULL);
    return ctl_list(ctl, from == NULL ? "backup.list" : "backup.held", &args,
                    &(struct ctl_listing){ctl_snapshot_shape, 8, heads, add_snapshot, false});
}
