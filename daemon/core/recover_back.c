/* What a recovered site has in its vault: first the vault itself, from every holder that can be
 * reached; then what the copy of its store in the newest snapshot has and nobody gave it yet.
 *
 * Operations come back as anybody's, with the dots that they had: this store writes on as another
 * incarnation. Of the rest of the copy only the plans count: what others know is theirs to tell,
 * and what was held for them burnt. */
#include "core/args.h"
#include "core/late.h"
#include "core/offsite.h"
#include "core/recover.h"

#define PAGE_OP_SIZE 256 /* bytes of a page for one operation of the writer's measure */

/* ---- the vault ---- */

static void want(struct qn_core *core, enum qn_job_kind kind, const char *name)
{
    struct want want = {.kind = kind};
    memcpy(want.plan, name, strnlen(name, sizeof(want.plan) - 1));
    core->recovery.is_busy = true;
    backup_want(core, &want);
    backup_next_job(core);
}

static bool is_connected(const struct qn_core *core, const struct qn_site_id *site)
{
    const struct peer *peer = core_peer(core, site);
    return peer != NULL && peer->session != NULL;
}

/* Those that are away are waited for only while nobody gave anything. */
static void vault_tick(struct qn_core *core)
{
    struct recovery *recovery = &core->recovery;
    bool is_any_done = recovery->holders.count == 0;
    qn_vec_each (&recovery->holders, holder)
        is_any_done |= holder->is_done && !recovery->needs_another;
    qn_vec_each (&recovery->holders, holder) {
        if (holder->is_done || !is_connected(core, &holder->site))
            continue;
        if (core->now_ms >= holder->retry_ms) {
            recovery->from = holder->site;
            want(core, QN_JOB_REBUILD, core_site_name(core, &holder->site));
            return;
        }
        core_wake(core, holder->retry_ms);
    }
    if (!is_any_done)
        return; /* a connection is an event */
    recovery->stage = RECOVERY_STORE;
    recovery->failed.count = 0;
}

/* One whose snapshots were all bad gave nothing. */
static void vault_ended(struct qn_core *core, enum qn_err err, struct qn_span payload)
{
    struct recovery *recovery = &core->recovery;
    struct recovery_holder *holder = recover_holder(core, &recovery->from);
    uint64_t snapshots = 0, bad = 0;
    bool is_told = args_u64(payload, "snapshots", &snapshots) && args_u64(payload, "bad", &bad);
    if (holder == NULL)
        return;
    holder->is_done = err == QN_OK && (!is_told || snapshots > 0 || bad == 0);
    recovery->needs_another &= !holder->is_done;
    holder->retry_ms = core->now_ms + (err == QN_ERR_TIMEOUT ? RECOVER_AGAIN_MS : RECOVER_RETRY_MS);
}

/* ---- the store ---- */

static bool is_passed_over(const struct qn_core *core, const struct qn_coll_id *id)
{
    qn_vec_each (&core->recovery.failed, failed)
        if (qn_coll_id_eq(failed, id))
            return true;
    return false;
}

/* Where the pass stands that is running, if there is one. */
static void pack_place(const struct qn_late *late, struct qn_buf *out)
{
    size_t cursor_size = late->is_passing ? late->cursor_size : 0;
    bool has_clock = late->is_passing && late->has_clock;
    qn_pack_bin(out, qn_span(late->cursor, cursor_size));
    qn_pack_bin(out, qn_span(late->clock.bytes, has_clock ? sizeof(late->clock.bytes) : 0));
}

/* Collections of which this site is no member any more do not come back. */
void recover_pack_recall(const struct qn_core *core, struct qn_buf *out)
{
    size_t count = 0;
    qn_vec_each (&core->colls, coll)
        count += (*coll)->is_shared && !is_passed_over(core, &(*coll)->id);
    qn_pack_map(out, 1);
    qn_pack_cstr(out, "colls");
    qn_pack_array(out, 4 * count);
    qn_vec_each (&core->colls, coll) {
        if (!(*coll)->is_shared || is_passed_over(core, &(*coll)->id))
            continue;
        qn_pack_bin(out, QN_SPAN_OF((*coll)->id.bytes));
        qn_vv_pack(&(*coll)->cc, out);
        pack_place(&(*coll)->info.late, out);
    }
}

static void recovered(struct qn_core *core)
{
    core->recovery.stage = RECOVERY_NONE;
    offsite_touch(core);
    core_note(core, "recovery-complete", QN_OK, core->name);
    core_recovered(core);
}

/* The end is told when the snapshots are shown. */
static void end_tick(struct qn_core *core)
{
    struct backup *backup = core->backup;
    if (backup->book_token != 0)
        return; /* its answer is an event */
    if (!backup->is_book_stale) {
        recovered(core);
        return;
    }
    backup->book_ms = core->now_ms;
    core_wake(core, core->now_ms + 1);
}

/* Everything that the last job told is stored, or was refused. */
static void store_tick(struct qn_core *core)
{
    struct recovery *recovery = &core->recovery;
    if (recovery->commits > 0)
        return;
    if (recovery->is_whole)
        end_tick(core);
    else if (core->now_ms >= recovery->retry_ms)
        want(core, QN_JOB_RECALL, "");
    else
        core_wake(core, recovery->retry_ms);
}

/* The round is over: what was refused is tried again in the next one. */
static void round_ended(struct qn_core *core)
{
    struct recovery *recovery = &core->recovery;
    recovery->is_whole = recovery->failed.count == 0;
    if (recovery->is_whole)
        return;
    recovery->failed.count = 0;
    recovery->retry_ms = core->now_ms + RECOVER_RETRY_MS;
}

/* Nothing is on its way any more. */
static void told(struct qn_core *core)
{
    struct recovery *recovery = &core->recovery;
    bool has_failed = recovery->has_failed;
    recovery->has_failed = false;
    if (has_failed)
        core_note(core, "recover-store", QN_ERR_STATE, core->name);
    if (!recovery->has_more && !has_failed)
        round_ended(core);
    else if (has_failed && recovery->failed.count == 0) /* a plan, or the disk */
        recovery->retry_ms = core->now_ms + RECOVER_RETRY_MS;
}

static bool has_undone_holder(const struct qn_core *core)
{
    qn_vec_each (&core->recovery.holders, holder)
        if (!holder->is_done)
            return true;
    return false;
}

/* No snapshot of those that are here carries a copy: one of another holder may. */
static void no_copy(struct qn_core *core)
{
    core->recovery.is_whole = !has_undone_holder(core);
    if (core->recovery.is_whole)
        return;
    core->recovery.stage = RECOVERY_VAULT;
    core->recovery.needs_another = true;
}

static void store_ended(struct qn_core *core, enum qn_err err, struct qn_span payload)
{
    struct recovery *recovery = &core->recovery;
    struct qn_cursor more = qn_cursor(args_value(payload, "more"));
    if (err == QN_ERR_NOTFOUND) {
        no_copy(core);
        return;
    }
    if (err != QN_OK) {
        recovery->retry_ms = core->now_ms + RECOVER_RETRY_MS;
        return;
    }
    if (qn_cursor_bool(&more, &recovery->has_more) != QN_OK)
        recovery->has_more = false;
    if (recovery->commits == 0)
        told(core);
}

void recover_job_ended(struct qn_core *core, const struct want *want, enum qn_err err,
                       struct qn_span payload)
{
    struct recovery *recovery = &core->recovery;
    bool is_ours = recovery->is_busy && recovery->stage == RECOVERY_VAULT &&
                   want->kind == QN_JOB_REBUILD &&
                   strcmp(want->plan, core_site_name(core, &recovery->from)) == 0;
    if (want->kind == QN_JOB_RECALL && recovery->stage == RECOVERY_STORE) {
        recovery->is_busy = false;
        store_ended(core, err, payload);
    } else if (is_ours) {
        recovery->is_busy = false;
        vault_ended(core, err, payload);
    }
}

void recover_back_tick(struct qn_core *core)
{
    if (core->recovery.is_busy)
        return;
    if (core->recovery.stage == RECOVERY_VAULT)
        vault_tick(core);
    if (core->recovery.stage == RECOVERY_STORE && !core->recovery.is_busy)
        store_tick(core);
}

/* ---- what a RECALL tells ---- */

static struct pending *commit(struct qn_core *core, enum qn_intent_kind kind,
                              struct qn_buf *take_payload)
{
    core->recovery.commits++;
    return core_commit(core, kind, take_payload, PENDING_RECOVER);
}

static void commit_started(struct qn_core *core, struct qn_span name, uint64_t start_ms)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 256);
    qn_pack_array(&payload, 2);
    qn_pack_str(&payload, name);
    qn_pack_u64(&payload, start_ms);
    commit(core, QN_INTENT_PLAN_STARTED, &payload);
}

static void commit_success(struct qn_core *core, struct qn_span name, uint64_t success_ms)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 256);
    qn_pack_array(&payload, 5);
    qn_pack_str(&payload, name);
    qn_pack_u64(&payload, success_ms);
    qn_pack_u64(&payload, QN_OK);
    qn_pack_u64(&payload, 0);
    qn_pack_cstr(&payload, "");
    commit(core, QN_INTENT_PLAN_ENDED, &payload);
}

/* It goes on at its next time from now on: at once it would find the folders that nobody has
 * restored yet empty. */
static void take_plan(struct qn_core *core, struct qn_span name, struct qn_span packed,
                      uint64_t success_ms)
{
    struct qn_plan_runs runs = {
        .start_ms = core->wall_ms, .success_ms = success_ms, .attempt_ms = success_ms};
    struct qn_buf payload;
    qn_buf_init(&payload, packed.size + 64);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, packed);
    uint64_t token = commit(core, QN_INTENT_PLAN_PUT, &payload)->token;
    plan_comes_back(core, token, name, packed, &runs);
    if (success_ms > 0)
        commit_success(core, name, success_ms);
    commit_started(core, name, runs.start_ms);
}

/* One that people made meanwhile under that name stays, unless it never ran: then it may be ours,
 * of a recovery that was cut off. */
void recover_heard_plan(struct qn_core *core, struct qn_span payload)
{
    struct qn_cursor cursor = qn_cursor(args_value(payload, "packed"));
    struct qn_span packed, name;
    uint64_t success_ms;
    if (qn_cursor_bin(&cursor, QN_PLAN_SIZE_MAX, &packed) != QN_OK ||
        !args_text(payload, "plan", QN_NAME_SIZE_MAX, &name) ||
        !args_u64(payload, "started", &success_ms)) {
        core->recovery.has_failed = true;
        return;
    }
    const struct plan *known = backup_plan(core, name);
    if (plan_is_coming(core, name) || (known != NULL && known->runs.start_ms > 0))
        return;
    take_plan(core, name, known != NULL ? qn_buf_view(&known->packed) : packed, success_ms);
}

void recover_heard_ops(struct qn_core *core, struct qn_span payload)
{
    struct qn_cursor id = qn_cursor(args_value(payload, "coll")),
                     body = qn_cursor(args_value(payload, "ops"));
    struct qn_span coll, ops;
    struct qn_buf intent;
    if (qn_cursor_bin(&id, QN_COLL_ID_SIZE, &coll) != QN_OK || coll.size != QN_COLL_ID_SIZE ||
        qn_cursor_bin(&body, QN_FRAME_SIZE_MAX, &ops) != QN_OK) {
        core->recovery.has_failed = true;
        return;
    }
    qn_buf_init(&intent, ops.size + 64);
    qn_pack_array(&intent, 2);
    qn_pack_bin(&intent, coll);
    qn_pack_raw(&intent, ops);
    struct pending *pending = commit(core, QN_INTENT_APPLY, &intent);
    memcpy(pending->coll.bytes, coll.data, coll.size);
    core_last_intent(core)->op_count = QN_OPS_ITEMS_MAX / 16;
}

/* ---- pages of the copy ---- */

bool recover_brings_pages(const struct qn_core *core, const struct coll *coll)
{
    qn_vec_each (&core->recovery.paged, paged)
        if (qn_coll_id_eq(paged, &coll->id))
            return true;
    return false;
}

static void bring_no_more(struct recovery *recovery, const struct qn_coll_id *id)
{
    for (size_t i = recovery->paged.count; i-- > 0;)
        if (qn_coll_id_eq(&recovery->paged.items[i], id))
            qn_vec_remove(&recovery->paged, i);
}

/* While its pages come, no other source is asked: with the clocks of two of them the pass could end
 * without what only the copy has. What this site itself deleted is deleted, however much it is. */
static void begin_pages(struct qn_core *core, const struct coll *coll)
{
    struct qn_buf intent;
    qn_vec_push(&core->recovery.paged, coll->id);
    qn_buf_init(&intent, 64);
    qn_pack_array(&intent, 2);
    qn_pack_bin(&intent, QN_SPAN_OF(coll->id.bytes));
    qn_pack_bool(&intent, true);
    commit(core, QN_INTENT_LATE, &intent)->coll = coll->id;
}

static void commit_page(struct qn_core *core, const struct coll *coll, struct qn_span page,
                        struct qn_span lost)
{
    struct qn_buf intent;
    qn_buf_init(&intent, page.size + lost.size + 64);
    qn_pack_array(&intent, 3);
    qn_pack_bin(&intent, QN_SPAN_OF(coll->id.bytes));
    qn_pack_bin(&intent, page);
    if (lost.size > 0)
        qn_pack_raw(&intent, lost);
    else
        qn_pack_array(&intent, 0);
    commit(core, QN_INTENT_PAGE, &intent)->coll = coll->id;
    core_last_intent(core)->op_count = page.size / PAGE_OP_SIZE + 1;
}

static void pass_over(struct recovery *recovery, const struct qn_core *core,
                      const struct qn_coll_id *id)
{
    recovery->has_failed = true;
    bring_no_more(recovery, id);
    if (!is_passed_over(core, id))
        qn_vec_push(&recovery->failed, *id);
}

void recover_heard_page(struct qn_core *core, struct qn_span payload)
{
    struct qn_cursor cursor = qn_cursor(args_value(payload, "coll")),
                     body = qn_cursor(args_value(payload, "page"));
    struct qn_coll_id id;
    struct qn_span page;
    if (qn_cursor_bytes(&cursor, id.bytes, sizeof(id.bytes)) != QN_OK ||
        qn_cursor_bin(&body, QN_PAGE_SIZE_MAX, &page) != QN_OK) {
        core->recovery.has_failed = true;
        return;
    }
    struct coll *coll = core_coll(core, &id);
    if (coll == NULL || is_passed_over(core, &id))
        return;
    if (coll->pass != NULL && coll->pass->link != 0) { /* another site is bringing it */
        pass_over(&core->recovery, core, &id);
        return;
    }
    if (!recover_brings_pages(core, coll))
        begin_pages(core, coll);
    commit_page(core, coll, page, args_value(payload, "lost"));
}

static bool is_end_of_pass(const struct qn_outcome *outcome)
{
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    size_t count;
    bool is_end;
    return outcome->kind == QN_INTENT_PAGE && qn_cursor_array(&cursor, 1, &count) == QN_OK &&
           qn_cursor_bool(&cursor, &is_end) == QN_OK && is_end;
}

static bool is_of_coll(const struct qn_outcome *outcome)
{
    return outcome->kind == QN_INTENT_APPLY || outcome->kind == QN_INTENT_LATE ||
           outcome->kind == QN_INTENT_PAGE;
}

void recover_outcome(struct qn_core *core, const struct pending *pending,
                     const struct qn_outcome *outcome)
{
    struct recovery *recovery = &core->recovery;
    recovery->commits--;
    if (outcome->err == QN_OK && is_end_of_pass(outcome))
        bring_no_more(recovery, &pending->coll);
    if (outcome->err != QN_OK && is_of_coll(outcome))
        pass_over(recovery, core, &pending->coll);
    recovery->has_failed |= outcome->err != QN_OK;
    if (recovery->commits == 0 && !recovery->is_busy && recovery->stage == RECOVERY_STORE)
        told(core);
}
