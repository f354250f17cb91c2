#include <stdio.h>

#include "core/offsite.h"

#define AGREEMENT_DAYS 60 /* before its end one is told */
#define DAY_MS         (24 * 3600 * UINT64_C(1000))

static void pack_time(struct qn_buf *out, const char *key, uint64_t ms)
{
    qn_pack_cstr(out, key);
    if (ms == 0 || ms == UINT64_MAX)
        qn_pack_nil(out);
    else
        qn_pack_u64(out, ms);
}

static void pack_count(struct qn_buf *out, const char *key, uint64_t value)
{
    qn_pack_cstr(out, key);
    qn_pack_u64(out, value);
}

static void pack_copy(const struct qn_core *core, const struct plan *plan,
                      const struct qn_site_id *holder, struct qn_buf *out)
{
    const struct snap_view *latest = book_latest(core, plan->name);
    const struct copy_view *copy = book_copy(core, holder);
    qn_pack_map(out, 4);
    qn_pack_cstr(out, "complete");
    qn_pack_bool(out, latest != NULL && book_is_complete(core, latest, holder));
    pack_count(out, "missing_bytes", book_missing_bytes(core, holder));
    qn_pack_cstr(out, "site");
    qn_pack_cstr(out, core_site_name(core, holder));
    pack_time(out, "verified_at", copy == NULL ? 0 : copy->proof.verified_ms);
}

/* The last restore for practice; nil: none yet. */
static void pack_drill(const struct qn_plan_runs *runs, struct qn_buf *out)
{
    qn_pack_cstr(out, "last_drill");
    if (runs->drill_ms == 0) {
        qn_pack_nil(out);
        return;
    }
    qn_pack_map(out, 4);
    pack_count(out, "bytes", runs->drill_bytes);
    pack_count(out, "files", runs->drill_files);
    qn_pack_cstr(out, "ok");
    qn_pack_bool(out, runs->drill_err == QN_OK);
    pack_time(out, "time", runs->drill_ms);
}

static void pack_plan(const struct qn_core *core, const struct plan *plan, struct qn_buf *out)
{
    uint64_t snapshots = 0;
    const struct snap_view *latest = book_latest(core, plan->name);
    qn_vec_each (&core->backup->book.snaps, snap)
        snapshots += strcmp(snap->snap.plan, plan->name) == 0;
    qn_pack_map(out, 9);
    qn_pack_cstr(out, "copies");
    qn_pack_array(out, plan->row.copies.count);
    qn_vec_each (&plan->row.copies, holder)
        pack_copy(core, plan, holder, out);
    pack_drill(&plan->runs, out);
    pack_time(out, "last_success", plan->runs.success_ms);
    qn_pack_cstr(out, "name");
    qn_pack_cstr(out, plan->name);
    pack_time(out, "next_run", plan->due_ms);
    qn_pack_cstr(out, "running");
    qn_pack_bool(out, backup_is_running(core, plan->name));
    pack_count(out, "size_bytes", latest == NULL ? 0 : latest->snap.bytes);
    pack_count(out, "snapshots", snapshots);
    pack_count(out, "stored_bytes", book_stored_bytes(core, plan->name));
}

void backup_pack_status(const struct qn_core *core, struct qn_buf *out)
{
    qn_pack_array(out, core->backup->plans.count);
    qn_vec_each (&core->backup->plans, plan)
        pack_plan(core, *plan, out);
}

/* Lock time as people's time: only the difference to now means something. */
uint64_t held_scrubbed_ms(const struct qn_core *core, const struct qn_held *held)
{
    uint64_t ago = core->backup->book.lock_ms - held->scrub_plan_ms;
    return held->scrub_done == 0 || ago > core->wall_ms ? 0 : core->wall_ms - ago;
}

void held_pack_status(const struct qn_core *core, struct qn_buf *out)
{
    qn_pack_array(out, core->backup->book.held.count);
    qn_vec_each (&core->backup->book.held, held) {
        qn_pack_map(out, 5);
        qn_pack_cstr(out, "owner");
        qn_pack_cstr(out, core_site_name(core, &held->owner));
        pack_count(out, "quota_bytes", held->held.quota_bytes);
        pack_time(out, "scrubbed_at", held_scrubbed_ms(core, &held->held));
        pack_count(out, "snapshots", held->held.list_count);
        pack_count(out, "stored_bytes", held->held.used_bytes);
    }
}

/* ---- alerts ---- */

bool plan_names(const struct plan *plan, const struct qn_site_id *holder)
{
    qn_vec_each (&plan->row.copies, copy)
        if (qn_site_id_eq(copy, holder))
            return true;
    return false;
}

uint64_t plan_period_ms(const struct plan *plan)
{
    static const uint64_t hour = 3600 * 1000;
    switch (plan->schedule.kind) {
    case QN_SCHEDULE_MANUAL:
        return 0;
    case QN_SCHEDULE_EVERY:
        return (uint64_t)plan->schedule.minutes * 60 * 1000;
    case QN_SCHEDULE_HOURLY:
        return hour;
    case QN_SCHEDULE_DAILY:
        return 24 * hour;
    case QN_SCHEDULE_WEEKLY:
        return 7 * 24 * hour;
    }
    return 0;
}

static void alerts_of_runs(const struct qn_core *core, const struct plan *plan, backup_alert alert,
                           void *context)
{
    const struct qn_plan_runs *runs = &plan->runs;
    uint64_t period = plan_period_ms(plan),
             since = runs->success_ms > 0 ? runs->success_ms : plan->row.created_ms;
    if (period > 0 && core->wall_ms > since + 2 * period + RUN_GRACE_MS)
        alert(context, "attention", "backup-late", plan->name, 0, runs->success_ms, "");
    if (runs->attempt_ms > 0 && runs->attempt_err != QN_OK && runs->attempt_err != QN_ERR_CLOSED)
        alert(context, "attention", "backup-failed", plan->name, 0, runs->attempt_ms,
              runs->attempt_first);
    else if (runs->attempt_files_failed > 0)
        alert(context, "attention", "backup-problems", plan->name, runs->attempt_files_failed,
              runs->attempt_ms, runs->attempt_first);
    if (runs->drill_ms > 0 && runs->drill_err != QN_OK)
        alert(context, "critical", "drill-failed", plan->name, 0, runs->drill_ms, "");
    uint64_t drilled = runs->drill_ms > 0 ? runs->drill_ms : plan->row.created_ms;
    if (runs->success_ms > 0 && core->wall_ms > drilled + DRILL_LATE_MS)
        alert(context, "attention", "drill-late", plan->name, 0, runs->drill_ms, "");
}

/* The youngest snapshot that is complete at a holder; 0: none. */
static uint64_t complete_ms(const struct qn_core *core, const struct plan *plan,
                            const struct qn_site_id *holder)
{
    uint64_t latest = 0;
    qn_vec_each (&core->backup->book.snaps, snap)
        if (strcmp(snap->snap.plan, plan->name) == 0 && book_is_complete(core, snap, holder) &&
            snap->snap.started_ms > latest)
            latest = snap->snap.started_ms;
    return latest;
}

static void alerts_of_copies(const struct qn_core *core, const struct plan *plan,
                             backup_alert alert, void *context)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    uint64_t period = plan_period_ms(plan);
    qn_vec_each (&plan->row.copies, holder) {
        char object[QN_NAME_SIZE_MAX * 2 + 8];
        const struct qn_place *place = qn_group_place(group, &core->site, holder);
        uint64_t since = complete_ms(core, plan, holder);
        if (place == NULL || place->state != QN_PLACE_ACCEPTED) {
            alert(context, "attention", "place-waiting", core_site_name(core, holder), 0, 0, "");
            continue;
        }
        snprintf(object, sizeof(object), "%s @ %s", plan->name, core_site_name(core, holder));
        if (since == 0)
            since = plan->row.created_ms;
        if (period > 0 && plan->runs.success_ms > 0 &&
            core->wall_ms > since + 2 * period + RUN_GRACE_MS)
            alert(context, "attention", "copy-late", object, 0, since, "");
    }
}

static void alerts_of_holders(const struct qn_core *core, backup_alert alert, void *context)
{
    qn_vec_each (&core->peers, peer) {
        const char *holder = core_site_name(core, &(*peer)->site);
        uint64_t bad = offsite_bad_packs((*peer)->bulk);
        if (offsite_is_full((*peer)->bulk))
            alert(context, "attention", "quota-full", holder, 0, 0, "");
        if (bad > 0)
            alert(context, "critical", "copy-bad", holder, bad, 0, "");
    }
}

/* Who asks this site for a place that it does not give by itself. */
static void alerts_of_places(const struct qn_core *core, backup_alert alert, void *context)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    qn_vec_each (&group->places, place)
        if (qn_site_id_eq(&place->holder, &core->site) && place->is_pending &&
            place->asked_quota_bytes > 0 && place->state != QN_PLACE_ACCEPTED)
            alert(context, "hint", "place-asked", core_site_name(core, &place->owner), 0, 0, "");
}

/* What is on paper ends: both sides are told in good time, and as long as nothing else is noted. */
static void alerts_of_agreements(const struct qn_core *core, backup_alert alert, void *context)
{
    qn_vec_each (&qn_ledger_group(core->ledger)->places, place) {
        bool is_owner = qn_site_id_eq(&place->owner, &core->site);
        bool is_party = is_owner || qn_site_id_eq(&place->holder, &core->site);
        uint64_t until_ms = place->agreement_until_ms;
        if (!is_party || place->state != QN_PLACE_ACCEPTED || until_ms == 0 ||
            (until_ms > core->wall_ms && until_ms - core->wall_ms > AGREEMENT_DAYS * DAY_MS))
            continue;
        uint64_t left_ms = until_ms > core->wall_ms ? until_ms - core->wall_ms : 0;
        alert(context, "attention", "agreement-ends",
              core_site_name(core, is_owner ? &place->holder : &place->owner),
              (left_ms + DAY_MS - 1) / DAY_MS, 0, "");
    }
}

void backup_alerts(const struct qn_core *core, backup_alert alert, void *context)
{
    const struct qn_book_view *book = &core->backup->book;
    if (qn_ledger_group(core->ledger) == NULL)
        return;
    qn_vec_each (&core->backup->plans, plan) {
        alerts_of_runs(core, *plan, alert, context);
        alerts_of_copies(core, *plan, alert, context);
    }
    if (core->backup->bad_count > 0)
        alert(context, "critical", "vault-bad", core->name, core->backup->bad_count, 0, "");
    alerts_of_holders(core, alert, context);
    alerts_of_places(core, alert, context);
    alerts_of_agreements(core, alert, context);
    qn_vec_each (&book->held, held) {
        const char *owner = core_site_name(core, &held->owner);
        if (!held->held.is_ended && qn_held_is_overdue(&held->held, book->lock_ms))
            alert(context, "attention", "held-late", owner, 0, held->held.snapshot_wall_ms, "");
        if ((held->held.alarms & (QN_HELD_ALARM_QUOTA | QN_HELD_ALARM_ROOM)) != 0)
            alert(context, "attention", "quota-full", owner, 0, 0, "");
        if ((held->held.alarms & QN_HELD_ALARM_EXPECT) != 0)
            alert(context, "attention", "held-expect", owner, 0, 0, "");
        if (held->held.bad_count > 0)
            alert(context, "attention", "held-bad", owner, held->held.bad_count, 0, "");
    }
}
