#include "status.h"

#include <time.h>

#include "app/words.h"
#include "client/client.h"
#include "commands.h"
#include "i18n.h"
#include "proto/cursor.h"
#include "json_out.h"
#include "screen.h"
#include "wire.h"
#include "words/alert_words.h"

#define ALERT_TEXT_MAX 4096

static const char *const state_words[] = {
    N_("ok"),          N_("attention"),     N_("critical"),  N_("here"),       N_("online"),
    N_("offline"),     N_("never-seen"),    N_("hint"),      N_("open"),       N_("used"),
    N_("revoked"),     N_("expired"),       N_("identical"), N_("different"),  N_("behind"),
    N_("unreachable"), N_("administrator"), N_("member"),    N_("joining"),    N_("proposed"),
    N_("accepted"),    N_("ended"),         N_("complete"),  N_("incomplete"), N_("bad"),
    N_("recovering"),  N_("elsewhere"),     N_("gone"),      N_("agreed"),     N_("held"),
    N_("destroyed"),   N_("unreported"),
};

const char *ctl_state_word(struct qn_span state)
{
    for (size_t i = 0; i < sizeof(state_words) / sizeof(state_words[0]); i++) {
        if (qn_span_eq_str(state, state_words[i]))
            return gettext(state_words[i]);
    }
    return _("unknown");
}

int ctl_report_exit(struct qn_span status)
{
    struct qn_span state = ctl_map_text(status, "state");
    if (qn_span_eq_str(state, "ok"))
        return CTL_DONE;
    return qn_span_eq_str(state, "attention") ? CTL_ATTENTION : CTL_FAILED;
}

static struct qn_alert_view alert_of(struct qn_span map, uint64_t now_ms)
{
    struct qn_alert_view alert = {
        .code = ctl_map_text(map, "code"),
        .severity = ctl_map_text(map, "severity"),
        .object = ctl_map_text(map, "object"),
        .detail = ctl_map_text(map, "detail"),
        .count = ctl_map_u64(map, "count"),
        .now_ms = now_ms,
    };
    alert.has_time = ctl_map_time(map, "time", &alert.time_ms);
    if (qn_alert_is_refusal(&alert))
        alert.shown = ctl_error_text(alert.object);
    return alert;
}

/* ---- JSON ---- */

static void json_member(FILE *out, const char *key, struct qn_span text)
{
    fprintf(out, ",\"%s\":", key);
    ctl_json_text(out, text);
}

static void json_alert(FILE *out, struct qn_span map)
{
    struct qn_alert_view alert = alert_of(map, 0);
    alert.shown = NULL; /* programs want the code */
    QN_AUTO_BUF struct qn_buf text, action;
    qn_buf_init(&text, ALERT_TEXT_MAX);
    qn_buf_init(&action, ALERT_TEXT_MAX);
    qn_alert_text(&alert, &qn_tongue_english, &text);
    qn_alert_action(&alert, &qn_tongue_english, &action);
    fputs("{\"severity\":", out);
    ctl_json_text(out, alert.severity);
    json_member(out, "code", alert.code);
    json_member(out, "object", alert.object);
    json_member(out, "text", qn_buf_view(&text));
    json_member(out, "action", qn_buf_view(&action));
    fputc('}', out);
}

static void json_alerts(FILE *out, struct qn_span status)
{
    struct qn_span alerts = {0};
    struct ctl_walk walk = {0};
    if (ctl_map_find(status, "alerts", &alerts))
        walk = ctl_walk(alerts);
    fputs("\"alerts\":[", out);
    for (bool is_first = true; ctl_walk_next(&walk); is_first = false) {
        if (!is_first)
            fputc(',', out);
        json_alert(out, walk.value);
    }
    fputc(']', out);
}

void ctl_report_json(FILE *out, struct qn_span status)
{
    fputc('{', out);
    ctl_json_members(out, status, ctl_status_shape);
    fputc(',', out);
    json_alerts(out, status);
    fputs("}\n", out);
}

/* ---- for people ---- */

static const char *colour_of(struct qn_span state)
{
    static const char *const green[] = {"ok", "here", "online"};
    static const char *const red[] = {"critical"};
    for (size_t i = 0; i < sizeof(green) / sizeof(green[0]); i++) {
        if (qn_span_eq_str(state, green[i]))
            return "\033[32m";
    }
    return qn_span_eq_str(state, red[0]) ? "\033[1;31m" : "\033[33m";
}

static void put_state(const struct ctl_report *report, struct qn_span state)
{
    const char *word = ctl_state_word(state);
    if (report->has_colour)
        fprintf(report->out, "%s%s\033[0m", colour_of(state), word);
    else
        fputs(word, report->out);
}

static void print_heading(const struct ctl_report *report, struct qn_span status)
{
    FILE *out = report->out;
    fprintf(out, "%s ", _("  group:"));
    struct qn_span group = ctl_map_text(status, "group");
    ctl_put_text(out, group.size > 0 ? group : qn_span_str("-")); /* not known before the join */
    fprintf(out, "\n%s ", _("   site:"));
    ctl_put_text(out, ctl_map_text(status, "site"));
    fprintf(out, " (Quoin ");
    ctl_put_text(out, ctl_map_text(status, "version"));
    fprintf(out, ")\n%s ", _("  state:"));
    put_state(report, ctl_map_text(status, "state"));
    fputc('\n', out);
}

static void add_contact(struct ctl_grid *grid, struct qn_span site, uint64_t now_ms)
{
    QN_AUTO_BUF struct qn_buf ago;
    qn_buf_init(&ago, 256);
    uint64_t time_ms;
    struct qn_span state = ctl_map_text(site, "state");
    if (qn_span_eq_str(state, "here"))
        qn_buf_append_str(&ago, "-");
    else if (ctl_map_time(site, "last_contact", &time_ms))
        ctl_append_ago(&ago, now_ms, time_ms);
    else
        qn_buf_append_str(&ago, _("never"));
    ctl_grid_add(grid, qn_buf_view(&ago));
}

static void add_or_dash(struct ctl_grid *grid, struct qn_span text)
{
    ctl_grid_add(grid, text.size > 0 ? text : qn_span_str("-"));
}

static bool is_site_well(struct qn_span site)
{
    struct qn_span state = ctl_map_text(site, "state");
    return qn_span_eq_str(state, "here") || qn_span_eq_str(state, "online");
}

static size_t add_sites(const struct ctl_report *report, struct qn_span sites,
                        struct ctl_grid *grid)
{
    size_t count = 0;
    struct ctl_walk walk = ctl_walk(sites);
    while (ctl_walk_next(&walk)) {
        struct qn_span site = walk.value;
        if (report->is_brief && is_site_well(site))
            continue;
        count++;
        ctl_grid_add(grid, ctl_map_text(site, "name"));
        ctl_grid_add_str(grid, ctl_state_word(ctl_map_text(site, "state")));
        add_contact(grid, site, report->now_ms);
        add_or_dash(grid, ctl_map_text(site, "address"));
        ctl_grid_add_str(grid, ctl_state_word(ctl_map_text(site, "role")));
        add_or_dash(grid, ctl_map_text(site, "version"));
    }
    return count;
}

static void print_sites(const struct ctl_report *report, struct qn_span status)
{
    struct qn_span sites;
    if (!ctl_map_find(status, "sites", &sites))
        return;
    struct ctl_grid grid;
    ctl_grid_init(&grid, 6);
    const char *const heads[] = {_("NAME"),    _("STATE"), _("LAST CONTACT"),
                                 _("ADDRESS"), _("ROLE"),  _("VERSION")};
    for (size_t i = 0; i < 6; i++)
        ctl_grid_add_str(&grid, heads[i]);
    if (add_sites(report, sites, &grid) > 0) {
        fprintf(report->out, "\n%s\n", _("sites:"));
        ctl_grid_print(&grid, report->out, "  ", false);
    }
    ctl_grid_deinit(&grid);
}

static void append_behind(struct qn_span collection, struct qn_buf *out)
{
    struct qn_span behind;
    struct ctl_walk walk = {0};
    if (ctl_map_find(collection, "behind", &behind))
        walk = ctl_walk(behind);
    size_t before = out->size;
    while (ctl_walk_next(&walk)) {
        uint64_t count = ctl_u64_of(walk.value);
        if (count == 0)
            continue;
        qn_buf_append_str(out, out->size > before ? ", " : "");
        ctl_append_text(out, walk.key);
        qn_buf_printf(out, " %llu", (unsigned long long)count);
    }
}

/* "incomplete: 42 % done, 3 min left", as far as it is known. */
static void append_late(struct qn_span collection, struct qn_buf *out)
{
    struct qn_span late, value;
    uint64_t done = 0, left_s = 0;
    qn_buf_append_str(out, _("incomplete"));
    if (!ctl_map_find(collection, "late", &late) || !ctl_map_find(late, "done", &value))
        return;
    struct qn_cursor cursor = qn_cursor(value);
    if (qn_cursor_u64(&cursor, &done) != QN_OK)
        return;
    qn_buf_append_str(out, ", ");
    qn_buf_printf(out, _("%llu%% done"), (unsigned long long)done);
    if (!ctl_map_find(late, "left_s", &value))
        return;
    cursor = qn_cursor(value);
    if (qn_cursor_u64(&cursor, &left_s) != QN_OK)
        return;
    qn_buf_append_str(out, ", ");
    qn_buf_printf(out, _("%llu min left"), (unsigned long long)(left_s / 60 + 1));
}

static void add_sync(struct ctl_grid *grid, struct qn_span collection)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 64 * 1024);
    if (ctl_map_bool(collection, "incomplete")) {
        append_late(collection, &text);
    } else if (ctl_map_bool(collection, "in_sync")) {
        qn_buf_append_str(&text, _("in sync"));
    } else {
        qn_buf_append_str(&text, _("behind:"));
        qn_buf_append_str(&text, " ");
        append_behind(collection, &text);
    }
    ctl_grid_add(grid, qn_buf_view(&text));
}

static void add_number(struct ctl_grid *grid, uint64_t number)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    ctl_grid_add_str(grid, text);
}

static size_t add_collections(const struct ctl_report *report, struct qn_span collections,
                              struct ctl_grid *grid)
{
    size_t count = 0;
    struct ctl_walk walk = ctl_walk(collections);
    while (ctl_walk_next(&walk)) {
        bool is_well =
            ctl_map_bool(walk.value, "in_sync") && ctl_map_u64(walk.value, "conflicts") == 0;
        if (report->is_brief && is_well)
            continue;
        count++;
        ctl_grid_add(grid, ctl_map_text(walk.value, "name"));
        add_number(grid, ctl_map_u64(walk.value, "records"));
        add_number(grid, ctl_map_u64(walk.value, "conflicts"));
        add_sync(grid, walk.value);
    }
    return count;
}

static void print_collections(const struct ctl_report *report, struct qn_span status)
{
    struct qn_span collections;
    if (!ctl_map_find(status, "collections", &collections))
        return;
    struct ctl_grid grid;
    ctl_grid_init(&grid, 4);
    const char *const heads[] = {_("NAME"), _("RECORDS"), _("CONFLICTS"), _("STATE")};
    for (size_t i = 0; i < 4; i++)
        ctl_grid_add_str(&grid, heads[i]);
    if (add_collections(report, collections, &grid) > 0) {
        fprintf(report->out, "\n%s\n", _("collections:"));
        ctl_grid_print(&grid, report->out, "  ", false);
    }
    ctl_grid_deinit(&grid);
}

static void print_alert(const struct ctl_report *report, struct qn_span map)
{
    struct qn_alert_view alert = alert_of(map, report->now_ms);
    QN_AUTO_BUF struct qn_buf text, action;
    qn_buf_init(&text, ALERT_TEXT_MAX);
    qn_buf_init(&action, ALERT_TEXT_MAX);
    qn_alert_text(&alert, &qn_words_tongue, &text);
    qn_alert_action(&alert, &qn_words_tongue, &action);
    fputs("  ", report->out);
    put_state(report, alert.severity);
    fputs(_(": "), report->out);
    ctl_put_text(report->out, qn_buf_view(&text));
    fputs(" [", report->out);
    ctl_put_text(report->out, alert.code);
    fprintf(report->out, "]\n    %s ", _("action:"));
    ctl_put_text(report->out, qn_buf_view(&action));
    fputc('\n', report->out);
}

static bool is_hint(struct qn_span alert)
{
    return qn_span_eq_str(ctl_map_text(alert, "severity"), "hint");
}

static void print_alerts(const struct ctl_report *report, struct qn_span status)
{
    struct qn_span alerts;
    if (!ctl_map_find(status, "alerts", &alerts))
        return;
    bool is_first = true;
    struct ctl_walk walk = ctl_walk(alerts);
    while (ctl_walk_next(&walk)) {
        if (report->is_brief && is_hint(walk.value))
            continue;
        if (is_first)
            fprintf(report->out, "\n%s\n", _("alerts:"));
        is_first = false;
        print_alert(report, walk.value);
    }
}

void ctl_report_print(const struct ctl_report *report, struct qn_span status)
{
    if (report->is_brief && ctl_report_exit(status) == CTL_DONE) {
        fprintf(report->out, "%s\n", _("all sites are healthy"));
        return;
    }
    print_heading(report, status);
    print_sites(report, status);
    print_collections(report, status);
    ctl_report_backups(report, status);
    print_alerts(report, status);
}

/* ---- the command ---- */

static int show_once(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args, status;
    ctl_args_init(&args, 0);
    qn_buf_init(&status, 1024 * 1024);
    int code = ctl_call(ctl, "status", &args, &(struct ctl_sink){.end = &status});
    if (code != CTL_DONE)
        return code;
    if (ctl_has(ctl, "watch") && ctl->is_terminal)
        fputs("\033[H\033[2J", ctl->out);
    struct ctl_report report = {.out = ctl->out,
                                .has_colour = ctl->has_colour,
                                .is_brief = ctl_has(ctl, "x"),
                                .now_ms = ctl_now_ms()};
    if (ctl->is_json)
        ctl_report_json(ctl->out, qn_buf_view(&status));
    else
        ctl_report_print(&report, qn_buf_view(&status));
    return ctl_report_exit(qn_buf_view(&status));
}

/* The daemon may be restarted meanwhile: each turn has a connection of its own. */
static int show_again(struct ctl *ctl)
{
    fflush(ctl->out);
    nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
    if (!ctl->is_terminal && !ctl->is_json)
        fputc('\n', ctl->out);
    qn_client_free(ctl->client);
    ctl->client = NULL;
    return show_once(ctl);
}

int ctl_run_status(struct ctl *ctl)
{
    int code = show_once(ctl);
    bool goes_on = ctl_has(ctl, "watch") && code != CTL_UNREACHABLE;
    while (goes_on && !ferror(ctl->out))
        code = show_again(ctl);
    return code;
}
