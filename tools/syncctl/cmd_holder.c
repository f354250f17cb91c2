/* syncctl backup holder: what this site keeps for others. */
#include <string.h>
#include <time.h>

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

/* The last second of that day, local time. */
static bool parse_last_day(const char *text, uint64_t *ret_ms)
{
    struct tm parts = {.tm_isdst = -1};
    const char *end = strptime(text, "%Y-%m-%d", &parts);
    if (end == NULL || *end != '\0')
        return false;
    parts.tm_hour = 23, parts.tm_min = parts.tm_sec = 59;
    time_t seconds = mktime(&parts);
    *ret_ms = (uint64_t)seconds * 1000;
    return seconds > 0;
}

int ctl_run_backup_agreement(struct ctl *ctl)
{
    uint64_t until_ms = 0;
    if (!ctl_has(ctl, "reference"))
        return ctl_usage_error(ctl, _("give --reference TEXT"));
    if (ctl_has(ctl, "until") && !parse_last_day(ctl_value(ctl, "until"), &until_ms))
        return ctl_usage_error(ctl, _("--until wants a date such as 2027-03-31"));
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 3);
    ctl_arg_str(&args, "holder", ctl->arguments.items[0]);
    ctl_arg_str(&args, "reference", ctl_value(ctl, "reference"));
    ctl_arg_u64(&args, "until", until_ms);
    return ctl_do(ctl, "backup.agreement", &args, _("Noted; both sites see it."));
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
