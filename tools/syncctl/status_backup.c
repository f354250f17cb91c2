/* The part of `status` on backups: this site's own, and what it holds for others. */
#include "answer.h"
#include "backup_args.h"
#include "i18n.h"
#include "status.h"

static void add_ago(struct ctl_grid *grid, struct qn_span map, const char *key, uint64_t now_ms)
{
    QN_AUTO_BUF struct qn_buf text;
    uint64_t time_ms;
    qn_buf_init(&text, 256);
    if (ctl_map_time(map, key, &time_ms))
        ctl_append_ago(&text, now_ms, time_ms);
    else
        qn_buf_append_str(&text, _("never"));
    ctl_grid_add(grid, qn_buf_view(&text));
}

/* When a restore was last tried, and what came of it. */
static void add_drill(struct ctl_grid *grid, struct qn_span backup, uint64_t now_ms)
{
    QN_AUTO_BUF struct qn_buf text;
    struct qn_span drill = {0};
    uint64_t time_ms;
    qn_buf_init(&text, 256);
    if (ctl_map_find(backup, "last_drill", &drill) && ctl_map_time(drill, "time", &time_ms)) {
        qn_buf_append_str(&text, ctl_map_bool(drill, "ok") ? _("good") : _("failed"));
        qn_buf_append_str(&text, ", ");
        ctl_append_ago(&text, now_ms, time_ms);
    } else {
        qn_buf_append_str(&text, _("not yet"));
    }
    ctl_grid_add(grid, qn_buf_view(&text));
}

static void add_next(struct ctl_grid *grid, struct qn_span backup)
{
    if (ctl_map_bool(backup, "running"))
        ctl_grid_add_str(grid, _("running"));
    else
        ctl_add_time(grid, backup, "next_run");
}

static void add_backup(const struct ctl_report *report, struct ctl_grid *grid,
                       struct qn_span backup)
{
    ctl_add_text(grid, backup, "name");
    add_ago(grid, backup, "last_success", report->now_ms);
    add_next(grid, backup);
    ctl_add_number(grid, backup, "snapshots");
    ctl_add_size(grid, backup, "size_bytes");
    ctl_add_size(grid, backup, "stored_bytes");
    ctl_add_copies(grid, backup);
    add_drill(grid, backup, report->now_ms);
}

static void add_held(const struct ctl_report *report, struct ctl_grid *grid, struct qn_span held)
{
    ctl_add_text(grid, held, "owner");
    ctl_add_number(grid, held, "snapshots");
    ctl_add_size(grid, held, "stored_bytes");
    ctl_add_size(grid, held, "quota_bytes");
    add_ago(grid, held, "scrubbed_at", report->now_ms);
}

struct section {
    const char *key, *title;
    size_t columns;
    const char *heads[CTL_GRID_COLUMNS_MAX];
    void (*add)(const struct ctl_report *report, struct ctl_grid *grid, struct qn_span item);
};

static const struct section sections[] = {
    {"backups",
     N_("backups:"),
     8,
     {N_("NAME"), N_("LAST SUCCESS"), N_("NEXT RUN"), N_("SNAPSHOTS"), N_("SIZE"), N_("STORED"),
      N_("COPIES"), N_("RESTORE TESTED")},
     add_backup},
    {"held",
     N_("kept for others:"),
     5,
     {N_("OWNER"), N_("SNAPSHOTS"), N_("STORED"), N_("QUOTA"), N_("CHECKED")},
     add_held},
};

static void print_section(const struct ctl_report *report, const struct section *section,
                          struct qn_span items)
{
    struct ctl_grid grid;
    struct ctl_walk walk = ctl_walk(items);
    ctl_grid_init(&grid, section->columns);
    for (size_t i = 0; i < section->columns; i++)
        ctl_grid_add_str(&grid, gettext(section->heads[i]));
    while (ctl_walk_next(&walk))
        section->add(report, &grid, walk.value);
    fprintf(report->out, "\n%s\n", gettext(section->title));
    ctl_grid_print(&grid, report->out, "  ", false);
    ctl_grid_deinit(&grid);
}

/* Briefly, only the alerts say what is wrong with them. */
void ctl_report_backups(const struct ctl_report *report, struct qn_span status)
{
    struct qn_span items;
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        if (!report->is_brief && ctl_map_find(status, sections[i].key, &items) &&
            ctl_count(items) > 0)
            print_section(report, &sections[i], items);
}
