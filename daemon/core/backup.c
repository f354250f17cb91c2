#include "core/offsite.h"

struct backup *backup_new(void)
{
    struct backup *backup = QN_NEW(struct backup);
    backup->catalog_ms = UINT64_MAX;
    qn_buf_init(&backup->mend, QN_MEND_PACKS_MAX * sizeof(struct qn_digest));
    qn_buf_init(&backup->running.progress, 4096);
    qn_buf_init(&backup->running.first, QN_PLAN_FIRST_SIZE_MAX);
    qn_buf_init(&backup->running.packs, PACKS_BATCH * PACK_ROW_SIZE * 1024);
    qn_buf_init(&backup->running.names, QN_HELD_LIST_NAMES_MAX * 2 * sizeof(struct qn_digest));
    qn_buf_init(&backup->running.snaps, QN_HELD_LIST_NAMES_MAX * sizeof(struct qn_digest));
    return backup;
}

static void plan_free(struct plan *plan)
{
    qn_plan_deinit(&plan->row);
    qn_buf_deinit(&plan->packed);
    qn_free(plan);
}

void backup_free(struct backup *backup)
{
    if (backup == NULL)
        return;
    qn_vec_each (&backup->plans, plan)
        plan_free(*plan);
    qn_vec_free(&backup->plans);
    qn_vec_each (&backup->changes, change)
        qn_buf_deinit(&change->packed);
    qn_vec_free(&backup->changes);
    qn_vec_free(&backup->wants);
    qn_vec_each (&backup->waiters, waiter)
        qn_buf_deinit(&waiter->data);
    qn_vec_free(&backup->waiters);
    qn_buf_deinit(&backup->mend);
    qn_buf_deinit(&backup->running.progress);
    qn_buf_deinit(&backup->running.first);
    qn_buf_deinit(&backup->running.packs);
    qn_buf_deinit(&backup->running.names);
    qn_buf_deinit(&backup->running.snaps);
    book_view_deinit(&backup->book);
    qn_free(backup);
}

/* ---- plans ---- */

struct plan *backup_plan(const struct qn_core *core, struct qn_span name)
{
    qn_vec_each (&core->backup->plans, plan)
        if (qn_span_eq_str(name, (*plan)->name))
            return *plan;
    return NULL;
}

void plan_reckon(struct qn_core *core, struct plan *plan)
{
    plan->due_ms = qn_schedule_next(&plan->schedule, plan->runs.start_ms, plan->row.created_ms,
                                    core->wall_ms, core->backup->offset_s);
}

/* Its texts were checked when it was made; of a newer version's, what is not understood never runs
 * by itself and keeps everything. */
static void read_rules(struct plan *plan)
{
    if (plan->row.schedule.size == 0 ||
        qn_schedule_parse(plan->row.schedule, &plan->schedule) != QN_OK)
        plan->schedule = (struct qn_schedule){.kind = QN_SCHEDULE_MANUAL};
    if (plan->row.keep.size == 0 || qn_keep_parse(plan->row.keep, &plan->keep) != QN_OK)
        plan->keep = (struct qn_keep){0};
}

static struct plan *insert_sorted(struct backup *backup, struct plan *plan)
{
    size_t at = 0;
    while (at < backup->plans.count && strcmp(backup->plans.items[at]->name, plan->name) < 0)
        at++;
    *qn_vec_insert_slot(&backup->plans, at) = plan;
    return plan;
}

static void plan_drop(struct qn_core *core, struct qn_span name)
{
    struct backup *backup = core->backup;
    for (size_t i = 0; i < backup->plans.count; i++)
        if (qn_span_eq_str(name, backup->plans.items[i]->name)) {
            plan_free(backup->plans.items[i]);
            qn_vec_remove(&backup->plans, i);
            return;
        }
}

/* Takes over a plan as it is stored; replaces one of that name. */
static enum qn_err plan_take(struct qn_core *core, struct qn_span packed)
{
    struct plan *plan = QN_NEW(struct plan);
    qn_buf_init(&plan->packed, QN_PLAN_SIZE_MAX);
    qn_buf_append_span(&plan->packed, packed);
    enum qn_err err = qn_plan_unpack(qn_buf_view(&plan->packed), &plan->row);
    if (err != QN_OK) {
        qn_buf_deinit(&plan->packed);
        qn_free(plan);
        return err;
    }
    memcpy(plan->name, plan->row.name.data,
           plan->row.name.size < sizeof(plan->name) ? plan->row.name.size : sizeof(plan->name) - 1);
    read_rules(plan);
    struct plan *old = backup_plan(core, plan->row.name);
    if (old != NULL)
        plan->runs = old->runs;
    plan_drop(core, plan->row.name);
    insert_sorted(core->backup, plan);
    plan_reckon(core, plan);
    return QN_OK;
}

void plan_changes(struct qn_core *core, uint64_t token, struct qn_span name, struct qn_span packed)
{
    struct plan_change *change = qn_vec_push_slot(&core->backup->changes);
    *change = (struct plan_change){.token = token, .is_removal = packed.size == 0};
    memcpy(change->name, name.data, name.size);
    qn_buf_init(&change->packed, QN_PLAN_SIZE_MAX);
    qn_buf_append_span(&change->packed, packed);
}

void plan_comes_back(struct qn_core *core, uint64_t token, struct qn_span name,
                     struct qn_span packed, const struct qn_plan_runs *runs)
{
    plan_changes(core, token, name, packed);
    core->backup->changes.items[core->backup->changes.count - 1].runs = *runs;
}

bool plan_is_coming(const struct qn_core *core, struct qn_span name)
{
    qn_vec_each (&core->backup->changes, change)
        if (!change->is_removal && qn_span_eq_str(name, change->name))
            return true;
    return false;
}

static void take_change(struct qn_core *core, const struct plan_change *change)
{
    if (change->is_removal)
        plan_drop(core, qn_span_str(change->name));
    else if (plan_take(core, qn_buf_view(&change->packed)) != QN_OK)
        core_note(core, "book-failed", QN_ERR_CORRUPT, change->name); /* it was just packed */
    struct plan *plan = backup_plan(core, qn_span_str(change->name));
    if (change->runs.start_ms == 0 || plan == NULL)
        return;
    plan->runs = change->runs;
    plan_reckon(core, plan);
}

void plans_committed(struct qn_core *core, uint64_t token, enum qn_err err)
{
    struct backup *backup = core->backup;
    for (size_t i = 0; i < backup->changes.count; i++) {
        struct plan_change change = backup->changes.items[i];
        if (change.token != token)
            continue;
        qn_vec_remove(&backup->changes, i);
        if (err == QN_OK)
            take_change(core, &change);
        qn_buf_deinit(&change.packed);
        book_touch(core);
        offsite_touch(core);
        return;
    }
}

/* A result that this site did not sign is none: somebody wrote it into the store. */
static enum qn_err load_runs(struct qn_core *core, struct qn_kv *kv, struct plan *plan)
{
    const struct qn_site *self = qn_group_site(qn_ledger_group(core->ledger), &core->site);
    QN_TRY(qn_book_runs_get(kv, plan->row.name, &plan->runs));
    if (self == NULL)
        return QN_OK;
    enum qn_err err = qn_book_drill_check(kv, &core->site, self->epochs.items, self->epochs.count,
                                          plan->row.name);
    if (err != QN_ERR_SIGNATURE)
        return err;
    plan->runs.drill_ms = plan->runs.drill_files = plan->runs.drill_bytes = 0;
    plan->runs.drill_err = QN_OK;
    return QN_OK;
}

static enum qn_err load_plans(struct qn_core *core, struct qn_kv *kv)
{
    struct qn_span packed;
    char after[QN_NAME_SIZE_MAX + 1] = "";
    enum qn_err err;
    while ((err = qn_book_plan_next(kv, qn_span_str(after), &packed)) == QN_OK) {
        QN_TRY(plan_take(core, packed));
        struct plan *plan = core->backup->plans.items[core->backup->plans.count - 1];
        QN_TRY(load_runs(core, kv, plan));
        memcpy(after, plan->name, sizeof(after));
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

enum qn_err backup_load(struct qn_core *core, struct qn_kv *kv)
{
    QN_TRY(load_plans(core, kv));
    return book_view_read(kv, &core->backup->book);
}

/* ---- what is due ---- */

void backup_start(struct qn_core *core)
{
    struct backup *backup = core->backup;
    backup->prune_ms = core->now_ms + PRUNE_EVERY_MS;
    qn_vec_each (&backup->plans, plan)
        plan_reckon(core, *plan);
    backup->catalog_ms = core->now_ms; /* the store may be older than the vault */
}

static void want_of(struct qn_core *core, enum qn_job_kind kind, const char *plan)
{
    struct want want = {.kind = kind};
    if (plan != NULL)
        memcpy(want.plan, plan, strnlen(plan, sizeof(want.plan) - 1));
    backup_want(core, &want);
}

/* A wall clock that jumps makes a run due early or late, once: nothing depends on it. */
static void tick_plan(struct qn_core *core, struct plan *plan)
{
    uint64_t drilled_ms = plan->runs.drill_ms > 0 ? plan->runs.drill_ms : plan->row.created_ms;
    if (plan->due_ms <= core->wall_ms && !backup_is_running(core, plan->name)) {
        plan->due_ms = UINT64_MAX; /* until it starts */
        want_of(core, QN_JOB_BACKUP, plan->name);
    } else if (plan->due_ms != UINT64_MAX && plan->due_ms > core->wall_ms) {
        core_wake(core, core->now_ms + (plan->due_ms - core->wall_ms));
    }
    if (drilled_ms + DRILL_EVERY_MS <= core->wall_ms && plan->runs.success_ms > 0)
        want_of(core, QN_JOB_DRILL, plan->name);
}

static void read_book(struct qn_core *core)
{
    struct backup *backup = core->backup;
    if (!backup->is_book_stale || backup->book_token != 0)
        return;
    if (core->now_ms < backup->book_ms) {
        core_wake(core, backup->book_ms);
        return;
    }
    struct qn_read *read = QN_NEW(struct qn_read);
    read->kind = QN_READ_BOOK;
    backup->book_token = core_read_later(core, read, PENDING_BOOK)->token;
    backup->is_book_stale = false;
    backup->book_ms = core->now_ms + BOOK_MS;
}

void backup_tick(struct qn_core *core)
{
    struct backup *backup = core->backup;
    if (!core->is_started || !core_is_member(core))
        return;
    if (core->now_ms >= backup->catalog_ms) {
        backup->catalog_ms = UINT64_MAX;
        want_of(core, QN_JOB_CATALOG, NULL);
    }
    core_wake(core, backup->catalog_ms);
    qn_vec_each (&backup->plans, plan)
        tick_plan(core, *plan);
    if (core->now_ms >= backup->prune_ms) {
        backup->prune_ms = core->now_ms + PRUNE_EVERY_MS;
        if (backup->plans.count > 0)
            want_of(core, QN_JOB_PRUNE, NULL);
    }
    if (backup->plans.count > 0)
        core_wake(core, backup->prune_ms);
    place_tick(core);
    backup_next_job(core);
    backup_tell_packs(core);
    read_book(core);
    waiters_tell_copies(core);
}
