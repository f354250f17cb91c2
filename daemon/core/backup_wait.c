#include <stdio.h>

#include "core/args.h"
#include "core/offsite.h"

void backup_wait(struct qn_core *core, const struct waiter *waiter)
{
    struct waiter *added = qn_vec_push_slot(&core->backup->waiters);
    const struct running *running = &core->backup->running;
    *added = *waiter;
    added->sent_before = core->backup->sent_bytes;
    qn_buf_init(&added->data, 4096);
    if (running->token != 0 && want_is_same(&running->what, &waiter->what))
        added->token = running->token;
}

void waiters_started(struct qn_core *core, const struct want *want, uint64_t token)
{
    qn_vec_each (&core->backup->waiters, waiter)
        if (waiter->token == 0 && want_is_same(&waiter->what, want))
            waiter->token = token;
}

void waiters_progress(struct qn_core *core, const struct qn_buf *progress)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 1024);
    answer_progress(core, qn_buf_view(progress), &data);
    qn_vec_each (&core->backup->waiters, waiter)
        if (waiter->token == core->backup->running.token)
            core_reply_data(core, waiter->request, &data);
}

void waiters_problem(struct qn_core *core, struct qn_span problem)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, problem.size);
    qn_buf_append_span(&data, problem);
    qn_vec_each (&core->backup->waiters, waiter)
        if (waiter->token == core->backup->running.token)
            core_reply_data(core, waiter->request, &data);
}

/* ---- the end ---- */

static void drop(struct qn_core *core, size_t at)
{
    qn_buf_deinit(&core->backup->waiters.items[at].data);
    qn_vec_remove(&core->backup->waiters, at);
}

static const char *code_of(enum qn_err err)
{
    switch (err) {
    case QN_ERR_NOTFOUND:
        return "plan-unknown";
    case QN_ERR_CLOSED:
        return "stopped";
    case QN_ERR_NOSPACE:
        return "disk-full";
    case QN_ERR_BUSY:
        return "vault-busy";
    case QN_ERR_CORRUPT:
        return "vault-bad";
    case QN_ERR_COMMAND:
        return "command-failed";
    default:
        return "vault-failed";
    }
}

static void refuse(struct qn_core *core, size_t at, enum qn_err err)
{
    const struct waiter *waiter = &core->backup->waiters.items[at];
    core_reply_error(core, waiter->request, err, code_of(err), waiter->what.plan);
    drop(core, at);
}

void waiters_refuse(struct qn_core *core, const struct want *want)
{
    for (size_t i = core->backup->waiters.count; i-- > 0;) {
        const struct waiter *waiter = &core->backup->waiters.items[i];
        if (waiter->token == 0 && want_is_same(&waiter->what, want))
            refuse(core, i, QN_ERR_NOTFOUND);
    }
}

/* The copies that a snapshot still lacks; SIZE_MAX: the book does not know it yet. */
static size_t copies_missing(const struct qn_core *core, const struct waiter *waiter)
{
    const struct plan *plan = backup_plan(core, qn_span_str(waiter->what.plan));
    size_t missing = 0;
    if (plan == NULL)
        return 0;
    qn_vec_each (&core->backup->book.snaps, snap) {
        if (!qn_digest_eq(&snap->snap.name, &waiter->snapshot))
            continue;
        qn_vec_each (&plan->row.copies, holder)
            missing += !book_is_complete(core, snap, holder);
        return missing;
    }
    return SIZE_MAX;
}

/* Whether a verification waits for a holder that is being challenged. */
static bool waits_for_proofs(const struct qn_core *core, const struct waiter *waiter)
{
    const struct plan *only = backup_plan(core, qn_span_str(waiter->what.plan));
    if (waiter->what.kind != QN_JOB_VERIFY || core->now_ms >= waiter->proofs_until_ms)
        return false;
    qn_vec_each (&core->backup->plans, plan) {
        if (only != NULL && *plan != only)
            continue;
        qn_vec_each (&(*plan)->row.copies, holder) {
            const struct peer *peer = core_peer(core, holder);
            if (peer != NULL && offsite_is_challenged(peer->bulk))
                return true;
        }
    }
    return false;
}

/* A run is answered when `list` shows its snapshot, and, if wished, when the copies are complete; a
 * forget, when `list` no longer shows what went. */
static bool is_waited_for(const struct qn_core *core, const struct waiter *waiter)
{
    if (waiter->reads > 0 || waits_for_proofs(core, waiter))
        return true;
    if (!waiter->has_snapshot)
        return false;
    size_t missing = copies_missing(core, waiter);
    return missing == SIZE_MAX || (waiter->wants_copies && missing > 0);
}

static void finish(struct qn_core *core, size_t at)
{
    const struct waiter *waiter = &core->backup->waiters.items[at];
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, QN_CONTROL_FRAME_SIZE_MAX / 2);
    answer_end(core, waiter, &data);
    core_reply_end(core, waiter->request, &data);
    drop(core, at);
}

static bool waits_for_copies(const struct waiter *waiter)
{
    return waiter->is_for_copies && waiter->has_snapshot && waiter->wants_copies;
}

/* To the byte while something goes there, else what the book knows. */
static uint64_t bytes_missing_at(const struct qn_core *core, const struct qn_site_id *holder)
{
    const struct peer *peer = core_peer(core, holder);
    const struct copy_view *copy = book_copy(core, holder);
    const struct qn_own_totals *totals = &core->backup->book.totals;
    if (peer == NULL || !bulk_is_up(peer->bulk))
        return copy == NULL ? totals->bytes : qn_copy_missing_bytes(&copy->copy, totals);
    return offsite_bytes_left(peer->bulk);
}

/* What the holders of the plan lack of all that is here. */
static uint64_t bytes_missing(const struct qn_core *core, const struct waiter *waiter)
{
    const struct plan *plan = backup_plan(core, qn_span_str(waiter->what.plan));
    uint64_t missing = 0;
    if (plan == NULL)
        return 0;
    qn_vec_each (&plan->row.copies, holder)
        missing += bytes_missing_at(core, holder);
    return missing;
}

static void measure(const struct qn_core *core, struct waiter *waiter)
{
    waiter->bytes_missing = bytes_missing(core, waiter);
    if (waiter->bytes_missing > waiter->bytes_lacked)
        waiter->bytes_lacked = waiter->bytes_missing;
}

/* Its work is durable. A read of the book that is under way may be older than that. */
static void answer(struct qn_core *core, size_t at)
{
    struct waiter *waiter = &core->backup->waiters.items[at];
    waiter->commit = 0;
    waiter->is_for_copies = true;
    waiter->copies_ms = core->now_ms;
    if (waiter->forgotten > 0)
        waiter->reads = core->backup->book_token != 0 ? 2 : 1;
    if (waits_for_copies(waiter))
        measure(core, waiter);
    if (!is_waited_for(core, waiter))
        finish(core, at);
}

void waiters_done(struct qn_core *core, uint64_t token, enum qn_err err, const struct qn_buf *data,
                  const struct qn_digest *snapshot, uint64_t commit)
{
    for (size_t i = core->backup->waiters.count; i-- > 0;) {
        struct waiter *waiter = &core->backup->waiters.items[i];
        if (waiter->token != token)
            continue;
        waiter->token = UINT64_MAX;
        qn_buf_append_span(&waiter->data, qn_buf_view(data));
        waiter->has_snapshot = snapshot != NULL;
        if (snapshot != NULL)
            waiter->snapshot = *snapshot;
        waiter->commit = commit;
        if (waiter->what.kind == QN_JOB_PRUNE)
            waiter->forgotten = core->backup->running.names.size / sizeof(struct qn_digest);
        if (err != QN_OK)
            refuse(core, i, err);
        else if (commit == 0)
            answer(core, i);
    }
}

void waiters_committed(struct qn_core *core, uint64_t commit, enum qn_err err)
{
    for (size_t i = core->backup->waiters.count; i-- > 0;) {
        if (core->backup->waiters.items[i].commit != commit)
            continue;
        if (err != QN_OK)
            refuse(core, i, err);
        else
            answer(core, i);
    }
}

void waiters_look(struct qn_core *core)
{
    bool is_waited = false;
    qn_vec_each (&core->backup->waiters, waiter)
        is_waited |= waits_for_copies(waiter);
    if (!is_waited)
        return;
    core->backup->book_ms = core->now_ms;
    book_touch(core);
}

/* It goes on waiting: somebody may give more room. */
static void tell_full(struct qn_core *core, struct waiter *waiter, const struct qn_site_id *holder)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 1024);
    qn_pack_map(&data, 2);
    qn_pack_cstr(&data, "path");
    qn_pack_bin(&data, qn_span_str(core_site_name(core, holder)));
    qn_pack_cstr(&data, "what");
    qn_pack_cstr(&data, "quota-full");
    core_reply_data(core, waiter->request, &data);
    waiter->was_told_full = true;
}

static void look_for_room(struct qn_core *core, struct waiter *waiter)
{
    const struct plan *plan = backup_plan(core, qn_span_str(waiter->what.plan));
    if (plan == NULL || waiter->was_told_full)
        return;
    qn_vec_each (&plan->row.copies, holder) {
        const struct peer *peer = core_peer(core, holder);
        if (peer == NULL || !offsite_is_full(peer->bulk))
            continue;
        tell_full(core, waiter, holder);
        return;
    }
}

static void tell_copies(struct qn_core *core, struct waiter *waiter)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 1024);
    look_for_room(core, waiter);
    measure(core, waiter);
    answer_copies(core, waiter, &data);
    core_reply_data(core, waiter->request, &data);
}

void waiters_tick(struct qn_core *core)
{
    for (size_t i = core->backup->waiters.count; i-- > 0;) {
        struct waiter *waiter = &core->backup->waiters.items[i];
        if (!waiter->is_for_copies)
            continue;
        waiter->reads -= waiter->reads > 0;
        if (waits_for_copies(waiter))
            tell_copies(core, waiter);
        if (!is_waited_for(core, waiter))
            finish(core, i);
    }
}

static void tell_proofs(struct qn_core *core, const struct waiter *waiter)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 1024);
    answer_proofs(core, waiter, &data);
    core_reply_data(core, waiter->request, &data);
}

/* Verifications whose job is done and that waited for challenges. */
static void tick_verifies(struct qn_core *core)
{
    for (size_t i = core->backup->waiters.count; i-- > 0;) {
        const struct waiter *waiter = &core->backup->waiters.items[i];
        if (!waiter->is_for_copies || waiter->what.kind != QN_JOB_VERIFY)
            continue;
        if (!waits_for_proofs(core, waiter))
            finish(core, i);
        else if (waiter->proofs_until_ms != UINT64_MAX)
            core_wake(core, waiter->proofs_until_ms);
    }
}

void waiters_tell_copies(struct qn_core *core)
{
    struct backup *backup = core->backup;
    bool is_due = core->now_ms >= backup->tell_ms, has_one = false;
    tick_verifies(core);
    qn_vec_each (&backup->waiters, waiter) {
        bool is_verify = waiter->is_for_copies && waiter->what.kind == QN_JOB_VERIFY;
        has_one |= waits_for_copies(waiter) || is_verify;
        if (is_due && is_verify)
            tell_proofs(core, waiter);
        else if (is_due && waits_for_copies(waiter))
            tell_copies(core, waiter);
    }
    if (is_due)
        backup->tell_ms = core->now_ms + TELL_MS;
    if (has_one)
        core_wake(core, backup->tell_ms);
}

void waiters_gone(struct qn_core *core, uint64_t request)
{
    for (size_t i = core->backup->waiters.count; i-- > 0;)
        if (core->backup->waiters.items[i].request == request)
            drop(core, i);
}
