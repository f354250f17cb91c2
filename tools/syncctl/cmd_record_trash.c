/* syncctl record trash, empty-trash */
#include <inttypes.h>

#include "answer.h"
#include "backup_args.h"
#include "commands.h"
#include "i18n.h"
#include "proto/pack.h"

static void add_trash(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "key");
    ctl_add_text(grid, item, "site");
    ctl_add_time(grid, item, "time");
}

int ctl_run_record_trash(struct ctl *ctl)
{
    static const char *const heads[] = {N_("KEY"), N_("DELETED AT"), N_("TIME")};
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "collection", ctl->arguments.items[0]);
    return ctl_list(ctl, "record.trash", &args,
                    &(struct ctl_listing){ctl_trash_shape, 3, heads, add_trash, true});
}

/* ---- empty-trash ---- */

struct emptying {
    struct ctl *ctl;
    struct ctl_progress progress;
    bool has_begun;
    uint64_t erased; /* so far */
};

static int on_progress(void *context, struct qn_span item)
{
    struct emptying *emptying = context;
    const struct ctl *ctl = emptying->ctl;
    bool is_wanted = ctl->is_err_terminal && !ctl->is_quiet;
    if (!emptying->has_begun)
        ctl_progress_begin(&emptying->progress, is_wanted ? ctl->err : NULL,
                           ctl_map_u64(item, "total"));
    emptying->has_begun = true;
    emptying->erased = ctl_map_u64(item, "erased");
    ctl_progress_show(&emptying->progress, ctl_map_u64(item, "looked"));
    return CTL_DONE;
}

static void print_end(struct ctl *ctl, struct qn_span end)
{
    uint64_t erased = ctl_map_u64(end, "erased"), kept = ctl_map_u64(end, "kept");
    if (ctl->is_json) {
        ctl_json_object(ctl->out, end, ctl_emptied_shape);
        fputc('\n', ctl->out);
        return;
    }
    if (ctl->is_quiet)
        return;
    if (ctl_has(ctl, "dry-run"))
        fprintf(ctl->out, _("records that would be erased for good: %" PRIu64 "\n"), erased);
    else
        fprintf(ctl->out, _("records erased for good, at all sites: %" PRIu64 "\n"), erased);
    if (kept > 0)
        fprintf(ctl->out, _("still there, because they are damaged or too large: %" PRIu64 "\n"),
                kept);
}

static int empty(struct emptying *emptying, const struct qn_buf *args)
{
    struct ctl *ctl = emptying->ctl;
    QN_AUTO_BUF struct qn_buf end;
    qn_buf_init(&end, 1024);
    int code = ctl_call(ctl, "record.empty-trash", args,
                        &(struct ctl_sink){.on_data = on_progress,
                                           .context = emptying,
                                           .end = &end,
                                           .waits_for_ever = !ctl->has_timeout});
    if (emptying->has_begun)
        ctl_progress_end(&emptying->progress);
    if (code == CTL_DONE)
        print_end(ctl, qn_buf_view(&end));
    else if (emptying->erased > 0 && !ctl_has(ctl, "dry-run"))
        ctl_say(ctl, _("  records erased before that: %" PRIu64), emptying->erased);
    return code;
}

int ctl_run_record_empty_trash(struct ctl *ctl)
{
    const char *older = ctl_value(ctl, "older-than");
    uint64_t days;
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 3);
    ctl_arg_str(&args, "collection", ctl->arguments.items[0]);
    qn_pack_cstr(&args, "dry_run");
    qn_pack_bool(&args, ctl_has(ctl, "dry-run"));
    if (older == NULL)
        ctl_arg_nil(&args, "older_days");
    else if (ctl_parse_days(older, &days))
        ctl_arg_u64(&args, "older_days", days);
    else
        return ctl_usage_error(ctl, _("--older-than takes a time: 30d, 8w, 12m, 1y"));
    struct emptying emptying = {.ctl = ctl};
    return empty(&emptying, &args);
}
