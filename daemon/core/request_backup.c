#include <stdio.h>

#include "core/backup.h"
#include "core/call.h"
#include "core/offsite.h"

#define WAIT_MS_MAX (24ull * 3600 * 1000)

static void pack_names(const struct qn_core *core, const struct plan *plan, struct qn_buf *out)
{
    qn_pack_array(out, plan->row.copies.count);
    qn_vec_each (&plan->row.copies, holder) {
        qn_pack_cstr(out, core_site_name(core, holder));
    }
}

static void pack_plan(const struct qn_core *core, const struct plan *plan, struct qn_buf *out)
{
    qn_pack_map(out, 8);
    qn_pack_cstr(out, "copies");
    pack_names(core, plan, out);
    qn_pack_cstr(out, "exclude");
    qn_pack_array(out, plan->row.excludes.count);
    qn_vec_each (&plan->row.excludes, pattern)
        qn_pack_str(out, *pattern);
    qn_pack_cstr(out, "keep");
    plan->row.keep.size == 0 ? qn_pack_nil(out) : qn_pack_str(out, plan->row.keep);
    qn_pack_cstr(out, "lock_days");
    qn_pack_u64(out, plan->row.lock_days);
    qn_pack_cstr(out, "name");
    qn_pack_cstr(out, plan->name);
    qn_pack_cstr(out, "next_run");
    plan->due_ms == UINT64_MAX ? qn_pack_nil(out) : qn_pack_u64(out, plan->due_ms);
    qn_pack_cstr(out, "paths");
    qn_pack_array(out, plan->row.paths.count);
    qn_vec_each (&plan->row.paths, path)
        qn_pack_bin(out, *path);
    qn_pack_cstr(out, "schedule");
    plan->row.schedule.size == 0 ? qn_pack_nil(out) : qn_pack_str(out, plan->row.schedule);
}

void call_backup_plans(const struct call *call)
{
    qn_vec_each (&call->core->backup->plans, plan) {
        QN_AUTO_BUF struct qn_buf data;
        qn_buf_init(&data, QN_PLAN_SIZE_MAX + 4096);
        pack_plan(call->core, *plan, &data);
        core_reply_data(call->core, call->id, &data);
    }
    core_reply_end(call->core, call->id, NULL);
}

/* ---- list ---- */

static void pack_time(struct qn_buf *out, uint64_t ms)
{
    ms == 0 ? qn_pack_nil(out) : qn_pack_u64(out, ms);
}

/* The longest of the locks at the holders of the plan. */
static uint64_t locked_until(const struct qn_core *core, const struct plan *plan,
                             const struct snap_view *snap)
{
    uint64_t latest = 0;
    for (size_t i = 0; plan != NULL && i < plan->row.copies.count; i++) {
        uint64_t until = book_locked_until(core, snap, &plan->row.copies.items[i]);
        latest = until > latest ? until : latest;
    }
    return latest;
}

static void pack_copies(const struct qn_core *core, const struct plan *plan,
                        const struct snap_view *snap, struct qn_buf *out)
{
    qn_pack_array(out, plan == NULL ? 0 : plan->row.copies.count);
    if (plan == NULL)
        return;
    qn_vec_each (&plan->row.copies, holder) {
        bool is_complete = book_is_complete(core, snap, holder);
        qn_pack_map(out, 4);
        qn_pack_cstr(out, "complete");
        qn_pack_bool(out, is_complete);
        qn_pack_cstr(out, "locked_until");
        pack_time(out, book_locked_until(core, snap, holder));
        qn_pack_cstr(out, "missing_bytes");
        qn_pack_u64(out, is_complete ? 0 : book_missing_bytes(core, holder));
        qn_pack_cstr(out, "site");
        qn_pack_cstr(out, core_site_name(core, holder));
    }
}

static void pack_snapshot(const struct qn_core *core, const struct snap_view *view,
                          struct qn_buf *out)
{
    const struct qn_own_snap *snap = &view->snap;
    const struct plan *plan = backup_plan(core, qn_span_str(snap->plan));
    qn_pack_map(out, 9);
    qn_pack_cstr(out, "copies");
    pack_copies(core, plan, view, out);
    qn_pack_cstr(out, "files");
    qn_pack_u64(out, snap->files);
    answer_id(&snap->name, out);
    qn_pack_cstr(out, "locked_until");
    pack_time(out, locked_until(core, plan, view));
    qn_pack_cstr(out, "new_bytes");
    qn_pack_u64(out, snap->bytes_stored);
    qn_pack_cstr(out, "partial");
    qn_pack_bool(out, snap->is_partial);
    qn_pack_cstr(out, "plan");
    qn_pack_cstr(out, snap->plan);
    qn_pack_cstr(out, "size");
    qn_pack_u64(out, snap->bytes);
    qn_pack_cstr(out, "time");
    qn_pack_u64(out, snap->started_ms);
}

/* Snapshots stay for a while when their plan is deleted. */
static bool has_snapshots(const struct qn_core *core, struct qn_span plan)
{
    qn_vec_each (&core->backup->book.snaps, snap)
        if (qn_span_eq_str(plan, snap->snap.plan))
            return true;
    return false;
}

void call_backup_list(const struct call *call)
{
    struct qn_span name = {0};
    bool is_one = args_text(call->args, "name", QN_NAME_SIZE_MAX, &name);
    if (is_one && !has_snapshots(call->core, name) && call_plan(call) == NULL)
        return;
    qn_vec_each (&call->core->backup->book.snaps, snap) {
        if (is_one && !qn_span_eq_str(name, snap->snap.plan))
            continue;
        QN_AUTO_BUF struct qn_buf data;
        qn_buf_init(&data, 16 * 1024);
        pack_snapshot(call->core, snap, &data);
        core_reply_data(call->core, call->id, &data);
    }
    core_reply_end(call->core, call->id, NULL);
}

/* ---- jobs on request ---- */

bool call_flag(const struct call *call, const char *key)
{
    struct qn_cursor cursor = qn_cursor(args_value(call->args, key));
    bool value;
    return qn_cursor_bool(&cursor, &value) == QN_OK && value;
}

void call_run_job(const struct call *call, enum qn_job_kind kind, const char *plan)
{
    struct want want = {.kind = kind,
                        .reads_data = call_flag(call, "read_data") || call_flag(call, "data")};
    snprintf(want.plan, sizeof(want.plan), "%s", plan);
    struct waiter waiter = {.request = call->id,
                            .what = want,
                            .wants_copies = call_flag(call, "wait"),
                            .proofs_until_ms = UINT64_MAX};
    uint64_t timeout_ms;
    if (args_u64(call->args, "timeout_ms", &timeout_ms) && timeout_ms < WAIT_MS_MAX)
        waiter.proofs_until_ms = call->core->now_ms + timeout_ms;
    backup_want(call->core, &want);
    backup_wait(call->core, &waiter);
    backup_next_job(call->core);
}

void call_backup_run(const struct call *call)
{
    const struct plan *plan = call_plan(call);
    if (plan != NULL)
        call_run_job(call, QN_JOB_BACKUP, plan->name);
}

void call_backup_stop(const struct call *call)
{
    const struct plan *plan = call_plan(call);
    if (plan == NULL)
        return;
    if (!backup_is_running(call->core, plan->name)) {
        call_fail(call, QN_ERR_STATE, "not-running", plan->row.name);
        return;
    }
    core_stop_job(call->core, call->core->backup->running.token);
    core_reply_end(call->core, call->id, NULL);
}

void call_backup_prune(const struct call *call)
{
    call_run_job(call, QN_JOB_PRUNE, "");
}

/* While the vault here is read: all that they have, or a part. */
static void challenge_holders(const struct call *call, const struct plan *plan)
{
    qn_vec_each (&plan->row.copies, holder) {
        struct bulk *bulk = bulk_of(call->core, holder);
        if (bulk != NULL)
            offsite_challenge(call->core, bulk, call_flag(call, "read_data"));
    }
}

void call_backup_verify(const struct call *call)
{
    if (args_value(call->args, "name").size == 0) {
        qn_vec_each (&call->core->backup->plans, plan)
            challenge_holders(call, *plan);
        call_run_job(call, QN_JOB_VERIFY, "");
        return;
    }
    const struct plan *plan = call_plan(call);
    if (plan == NULL)
        return;
    challenge_holders(call, plan);
    call_run_job(call, QN_JOB_VERIFY, plan->name);
}

/* ---- forget: says what the keep rules do, and does it ---- */

static bool is_chosen(const struct qn_buf *names, const struct qn_digest *name)
{
    for (size_t at = 0; at < names->size; at += sizeof(*name))
        if (memcmp(names->data + at, name->bytes, sizeof(*name)) == 0)
            return true;
    return false;
}

static void tell_choice(const struct call *call, const struct plan *plan,
                        const struct qn_buf *names)
{
    qn_vec_each (&call->core->backup->book.snaps, snap) {
        if (strcmp(snap->snap.plan, plan->name) != 0)
            continue;
        QN_AUTO_BUF struct qn_buf data;
        qn_buf_init(&data, 256);
        qn_pack_map(&data, 3);
        qn_pack_cstr(&data, "id");
        qn_pack_bin(&data, qn_digest_view(&snap->snap.name));
        qn_pack_cstr(&data, "keep");
        qn_pack_bool(&data, !is_chosen(names, &snap->snap.name));
        qn_pack_cstr(&data, "time");
        qn_pack_u64(&data, snap->snap.started_ms);
        core_reply_data(call->core, call->id, &data);
    }
}

void call_backup_forget(const struct call *call)
{
    const struct plan *plan = call_plan(call);
    if (plan == NULL)
        return;
    QN_AUTO_BUF struct qn_buf names, data;
    qn_buf_init(&names, 65536 * sizeof(struct qn_digest));
    qn_buf_init(&data, 64);
    backup_choose(call->core, plan, &names);
    tell_choice(call, plan, &names);
    if (!call_flag(call, "dry_run") && names.size > 0) {
        call_run_job(call, QN_JOB_PRUNE, plan->name);
        return;
    }
    qn_pack_map(&data, 1);
    qn_pack_cstr(&data, "forgotten");
    qn_pack_u64(&data, 0);
    core_reply_end(call->core, call->id, &data);
}
