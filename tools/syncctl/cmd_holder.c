/* syncctl backup holder: what this site keeps for others. */
#include <string.h>

#include "answer.h"
#include "backup_args.h"
#include "commands.h"
#include "i18n.h"

static void add_days(struct ctl_grid *grid, struct qn_span item)
{
    char text[32];
    snprintf(text, sizeof(text), "%llud", (unsigned long long)ctl_map_u64(item, "lock_days"));
    ctl_grid_add_str(grid, text);
}

static void add_place(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "owner");
    ctl_add_state(grid, item);
    ctl_add_number(grid, item, "snapshots");
    ctl_add_size(grid, item, "stored_bytes");
    ctl_add_size(grid, item, "quota_bytes");
    add_days(grid, item);
    ctl_add_time(grid, item, "scrubbed_at");
    ctl_add_text(grid, item, "entity");
}

static int run_list(struct ctl *ctl)
{
    static const char *const heads[] = {N_("OWNER"), N_("STATE"), N_("SNAPSHOTS"), N_("STORED"),
                                        N_("QUOTA"), N_("LOCK"),  N_("CHECKED"),   N_("ENTITY")};
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 0);
    return ctl_list(ctl, "holder.list", &args,
                    &(struct ctl_listing){ctl_held_shape, 8, heads, add_place, false});
}

static int run_accept(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "owner", ctl->arguments.items[1]);
    return ctl_do(ctl, "holder.accept", &args, _("This site keeps copies for that one now."));
}

static int run_quota(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args = {0};
    uint64_t bytes;
    if (!ctl_parse_size(ctl->arguments.items[2], &bytes))
        return ctl_fail_str(ctl, "bad-size", ctl->arguments.items[2]);
    ctl_args_init(&args, 2);
    ctl_arg_str(&args, "owner", ctl->arguments.items[1]);
    ctl_arg_u64(&args, "quota_bytes", bytes);
    return ctl_do(ctl, "holder.quota", &args,
                  bytes > 0 ? _("The space for that site's copies is set.")
                            : _("Nothing new is taken from that site. What is locked stays."));
}

int ctl_run_backup_holder(struct ctl *ctl)
{
    static const struct {
        const char *word;
        size_t count;
        int (*run)(struct ctl *ctl);
    } verbs[] = {{"list", 1, run_list}, {"accept", 2, run_accept}, {"quota", 3, run_quota}};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(ctl->arguments.items[0], verbs[i].word) == 0 &&
            ctl->arguments.count == verbs[i].count)
            return verbs[i].run(ctl);
    return ctl_usage_error(ctl, _("write `backup holder list`, `backup holder accept OWNER` or "
                                  "`backup holder quota OWNER SIZE`"));
}
