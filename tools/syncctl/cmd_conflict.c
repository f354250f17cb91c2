/* syncctl conflict ..., syncctl verify */
#include "answer.h"
#include "base/limits.h"
#include "check.h"
#include "commands.h"
#include "i18n.h"
#include "json_in.h"
#include "proto/pack.h"
#include "record_text.h"

static void add_conflict(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "collection");
    ctl_add_text(grid, item, "key");
    ctl_add_names(grid, item, "fields");
}

static const char *first_or_null(const struct ctl *ctl)
{
    return ctl->arguments.count > 0 ? ctl->arguments.items[0] : NULL;
}

int ctl_run_conflict_list(struct ctl *ctl)
{
    static const char *const heads[] = {N_("COLLECTION"), N_("KEY"), N_("FIELDS")};
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "collection", first_or_null(ctl));
    return ctl_list(ctl, "conflict.list", &args,
                    &(struct ctl_listing){ctl_conflict_shape, 3, heads, add_conflict, false});
}

int ctl_run_conflict_show(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args, record;
    ctl_args_init(&args, 2);
    ctl_arg_str(&args, "collection", ctl->arguments.items[0]);
    ctl_arg_str(&args, "key", ctl->arguments.items[1]);
    qn_buf_init(&record, QN_CONTROL_FRAME_SIZE_MAX);
    int code = ctl_call(ctl, "record.get", &args, &(struct ctl_sink){.end = &record});
    if (code != CTL_DONE)
        return code;
    struct qn_span conflicts;
    if (!ctl_map_find(qn_buf_view(&record), "conflicts", &conflicts))
        return ctl_fail_str(ctl, "no-conflict", ctl->arguments.items[1]);
    if (ctl->is_json) {
        ctl_json_object(ctl->out, qn_buf_view(&record), ctl_conflicts_shape);
        fputc('\n', ctl->out);
    } else {
        ctl_print_conflicts(ctl->out, conflicts);
    }
    return CTL_DONE;
}

static int pack_choice(struct ctl *ctl, struct qn_buf *args)
{
    if (ctl_has(ctl, "take")) {
        ctl_arg_str(args, "take", ctl_value(ctl, "take"));
        return CTL_DONE;
    }
    if (ctl_has(ctl, "value")) {
        ctl_arg_str(args, "value", ctl_value(ctl, "value"));
        return CTL_DONE;
    }
    json_error_t reason;
    struct qn_span text = qn_span_str(ctl_value(ctl, "json-value"));
    json_t *value = ctl_json_parse(text, &reason);
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, QN_CONTROL_FRAME_SIZE_MAX);
    if (value == NULL) {
        ctl_json_explain(text, &reason, &packed);
        return ctl_usage_error(ctl, _("--json-value is not valid JSON: %.*s"), (int)packed.size,
                               (const char *)packed.data);
    }
    ctl_json_pack(value, &packed);
    json_decref(value);
    const char *code = packed.is_over ? "value-too-large" : ctl_check_value(qn_buf_view(&packed));
    if (code != NULL)
        return ctl_fail_str(ctl, code, ctl->arguments.items[2]);
    ctl_arg_raw(args, "value", qn_buf_view(&packed));
    return CTL_DONE;
}

int ctl_run_conflict_resolve(struct ctl *ctl)
{
    int given = ctl_has(ctl, "take") + ctl_has(ctl, "value") + ctl_has(ctl, "json-value");
    if (given != 1)
        return ctl_usage_error(ctl, _("give either --take SITE or --value TEXT"));
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 4);
    ctl_arg_str(&args, "collection", ctl->arguments.items[0]);
    ctl_arg_str(&args, "field", ctl->arguments.items[2]);
    ctl_arg_str(&args, "key", ctl->arguments.items[1]);
    int code = pack_choice(ctl, &args);
    if (code != CTL_DONE)
        return code;
    return ctl_do(ctl, "conflict.resolve", &args, _("The conflict is resolved, for all sites."));
}

/* ---- verify ---- */

static void add_verified(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "collection");
    ctl_add_text(grid, item, "site");
    ctl_add_state(grid, item);
    ctl_add_names(grid, item, "keys");
}

static const char results_head[] = "{\"results\":[";

struct verification {
    struct ctl *ctl;
    struct ctl_grid grid;
    size_t count;
    bool differs; /* else those that are not identical could not be asked */
};

static int on_verified(void *context, struct qn_span item)
{
    struct verification *run = context;
    struct qn_span state = ctl_map_text(item, "state");
    run->differs |= qn_span_eq_str(state, "different") || qn_span_eq_str(state, "behind");
    if (!run->ctl->is_json) {
        add_verified(&run->grid, item);
        return CTL_DONE;
    }
    fputs(run->count++ > 0 ? "," : results_head, run->ctl->out);
    ctl_json_object(run->ctl->out, item, ctl_verify_shape);
    return CTL_DONE;
}

static const char *what_was(struct qn_span what)
{
    static const struct {
        const char *what, *text;
    } words[] = {
        {"damaged", N_("damaged, and set aside")},
        {"repaired", N_("repaired with the copy of that site")},
        {"majority", N_("replaced by what most sites had")},
        {"both", N_("different: all values were kept")},
        {"counted", N_("sums and counters made anew")},
        {"log", N_("a part of the log was let go")},
        {"order", N_("the order of the log made anew")},
        {"clock", N_("the clock read from the log")},
        {"given-up", N_("whole nowhere: what was left of it was written anew")},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (qn_span_eq_str(what, words[i].what))
            return _(words[i].text);
    return "?";
}

static void print_incidents(const struct ctl *ctl, struct qn_span list)
{
    const char *const heads[] = {_("WHEN"), _("COLLECTION"), _("KEY"), _("SITE"), _("WHAT")};
    struct ctl_grid grid;
    struct ctl_walk walk = ctl_walk(list);
    size_t count = 0;
    ctl_grid_init(&grid, 5);
    for (size_t i = 0; i < 5; i++)
        ctl_grid_add_str(&grid, heads[i]);
    for (; ctl_walk_next(&walk); count++) {
        ctl_add_time(&grid, walk.value, "time");
        ctl_add_text(&grid, walk.value, "collection");
        ctl_add_text(&grid, walk.value, "key");
        ctl_add_text(&grid, walk.value, "site");
        ctl_grid_add_str(&grid, what_was(ctl_map_text(walk.value, "what")));
    }
    if (count > 0) {
        fprintf(ctl->out, "%s\n", _("Damage that this site found, and what became of it:"));
        ctl_grid_print(&grid, ctl->out, "", !ctl->is_terminal);
    }
    ctl_grid_deinit(&grid);
}

static void print_json_incidents(const struct ctl *ctl, struct qn_span list)
{
    struct ctl_walk walk = ctl_walk(list);
    const char *comma = "";
    fputs(",\"incidents\":[", ctl->out);
    for (; ctl_walk_next(&walk); comma = ",") {
        fputs(comma, ctl->out);
        ctl_json_object(ctl->out, walk.value, ctl_incident_shape);
    }
    fputs("]", ctl->out);
}

static void print_verdict(struct verification *run, bool is_identical, struct qn_span incidents)
{
    FILE *out = run->ctl->out;
    if (run->ctl->is_json) {
        fprintf(out, "%s],\"identical\":%s", run->count > 0 ? "" : results_head,
                is_identical ? "true" : "false");
        print_json_incidents(run->ctl, incidents);
        fputs("}\n", out);
        return;
    }
    if (run->ctl->is_terminal || !is_identical)
        ctl_grid_print(&run->grid, out, "", !run->ctl->is_terminal);
    const char *verdict = run->differs ? _("not identical everywhere")
                                       : _("no difference found, but not every site answered");
    fprintf(out, "%s\n", is_identical ? _("identical") : verdict);
    print_incidents(run->ctl, incidents);
}

int ctl_run_verify(struct ctl *ctl)
{
    const char *const heads[] = {_("COLLECTION"), _("SITE"), _("STATE"), _("KEYS")};
    struct verification run = {.ctl = ctl};
    ctl_grid_init(&run.grid, 4);
    for (size_t i = 0; i < 4; i++)
        ctl_grid_add_str(&run.grid, heads[i]);
    QN_AUTO_BUF struct qn_buf args, end;
    ctl_args_init(&args, 3);
    ctl_arg_str(&args, "collection", first_or_null(ctl));
    qn_pack_cstr(&args, "scrub");
    qn_pack_bool(&args, ctl_has(ctl, "scrub"));
    ctl_arg_u64(&args, "timeout_ms", (uint64_t)ctl->timeout_s * 1000);
    qn_buf_init(&end, QN_CONTROL_FRAME_SIZE_MAX);
    int code = ctl_call(
        ctl, "verify", &args,
        &(struct ctl_sink){.on_data = on_verified, .context = &run, .end = &end, .extra_s = 10});
    bool is_identical = ctl_map_bool(qn_buf_view(&end), "identical");
    struct qn_span incidents = {0};
    ctl_map_find(qn_buf_view(&end), "incidents", &incidents);
    if (code == CTL_DONE)
        print_verdict(&run, is_identical, incidents);
    ctl_grid_deinit(&run.grid);
    return code == CTL_DONE && !is_identical ? CTL_ATTENTION : code;
}
