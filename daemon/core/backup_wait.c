#include <stdio.h>

#include "core/args.h"
#include "core/offsite.h"

void backup_wait(struct qn_core *core, const struct waiter *waiter)
{
    struct waiter *added = qn_vec_push_slot(&core->backup->waiters);
    const struct running *running = &core->backup->running;
    *added = *waiter;
    qn_buf_init(&added->data, 32 * 1024); /* with what a verification says of holders */
    if (running->token != 0 && want_is_same(&running->what, &waiter->what))
        added->token = running->token;
}

void waiters_started(struct qn_core *core, const struct want *want, uint64_t token)
{
    qn_vec_each (&core->backup->waiters, waiter)
        if (waiter->token == 0 && want_is_same(&waiter->what, want))
            waiter->token = token;
}

static uint64_t rate_of(const struct qn_core *core, struct qn_span progress)
{
    uint64_t done = 0, ms = core->now_ms - core->backup->running.started_ms;
    if (!args_u64(progress, "bytes_done", &done) || ms == 0)
        return 0;
    return (uint64_t)((double)done * 1000 / (double)ms);
}

static void pack_count(struct qn_buf *out, const char *key, struct qn_span from)
{
    uint64_t value = 0;
    qn_pack_cstr(out, key);
    qn_pack_u64(out, args_u64(from, key, &value) ? value : 0);
}

void waiters_progress(struct qn_core *core, const struct qn_buf *progress)
{
    struct qn_span map = qn_buf_view(progress);
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 1024);
    qn_pack_map(&data, 8);
    pack_count(&data, "bytes_done", map);
    pack_count(&data, "bytes_total", map);
    pack_count(&data, "errors", map);
    pack_count(&data, "files_done", map);
    pack_count(&data, "files_total", map);
    qn_pack_cstr(&data, "phase");
    qn_pack_cstr(&data, "files");
    qn_pack_cstr(&data, "rate");
    qn_pack_u64(&data, rate_of(core, map));
    pack_count(&data, "stored", map);
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

/* A run is answered when `list` shows its snapshot, and, if wished, when the copies are complete.
 */
static bool is_waited_for(const struct qn_core *core, const struct waiter *waiter)
{
    if (!waiter->has_snapshot)
        return false;
    size_t missing = copies_missing(core, waiter);
    return missing == SIZE_MAX || (waiter->wants_copies && missing > 0);
}

static void answer(struct qn_core *core, size_t at)
{
    struct waiter *waiter = &core->backup->waiters.items[at];
    waiter->commit = 0;
    waiter->is_for_copies = true;
    if (is_waited_for(core, waiter))
        return;
    core_reply_end(core, waiter->request, &waiter->data);
    drop(core, at);
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

/* Of all holders of a plan together, those that are not connected too. */
static void sum_progress(const struct qn_core *core, const struct plan *plan,
                         struct offsite_progress *sum)
{
    *sum = (struct offsite_progress){0};
    if (plan == NULL)
        return;
    qn_vec_each (&plan->row.copies, holder) {
        const struct peer *peer = core_peer(core, holder);
        struct offsite_progress one;
        if (peer == NULL)
            continue;
        offsite_progress(peer->bulk, &one);
        sum->bytes_left += one.bytes_left;
        sum->bytes_sent += one.bytes_sent;
        sum->rate += one.rate;
    }
}

static void tell_copies(struct qn_core *core, const struct waiter *waiter)
{
    struct offsite_progress progress;
    sum_progress(core, backup_plan(core, qn_span_str(waiter->what.plan)), &progress);
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, 256);
    qn_pack_map(&data, 5);
    qn_pack_cstr(&data, "bytes_done");
    qn_pack_u64(&data, progress.bytes_sent);
    qn_pack_cstr(&data, "bytes_missing");
    qn_pack_u64(&data, progress.bytes_left);
    qn_pack_cstr(&data, "bytes_total");
    qn_pack_u64(&data, progress.bytes_sent + progress.bytes_left);
    qn_pack_cstr(&data, "phase");
    qn_pack_cstr(&data, "copies");
    qn_pack_cstr(&data, "rate");
    qn_pack_u64(&data, progress.rate);
    core_reply_data(core, waiter->request, &data);
}

void waiters_tick(struct qn_core *core)
{
    for (size_t i = core->backup->waiters.count; i-- > 0;)
        if (core->backup->waiters.items[i].is_for_copies)
            answer(core, i);
}

static bool waits_for_copies(const struct waiter *waiter)
{
    return waiter->is_for_copies && waiter->wants_copies;
}

void waiters_tell_copies(struct qn_core *core)
{
    struct backup *backup = core->backup;
    bool is_due = core->now_ms >= backup->tell_ms, has_one = false;
    qn_vec_each (&backup->waiters, waiter) {
        has_one |= waits_for_copies(waiter);
        if (is_due && waits_for_copies(waiter))
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
