/* The scrub: one collection at a time, a few hundred entries in a step, each step a short reading
 * transaction of its own. What a step finds is mended before the next one. A restart begins the
 * collection anew; those that are done have their time in the store. */
#include "core/backup.h"
#include "core/integrity.h"

static void stop(struct qn_core *core)
{
    core->scrubbing.is_active = false;
}

/* ---- which one ---- */

static bool is_night(const struct qn_core *core)
{
    int64_t local_s = (int64_t)(core->wall_ms / 1000) + core->backup->offset_s;
    int64_t hour = local_s / 3600 % 24;
    return hour >= SCRUB_NIGHT_FROM && hour < SCRUB_NIGHT_TO;
}

/* One that was never read counts from the start of the daemon. What just began once, and failed or
 * left nothing in the store (nothing is stored of that collection), is not begun again at once. */
static bool is_due(const struct qn_core *core, const struct coll *coll)
{
    uint64_t begun_ms = coll->care.scrubbed_ms;
    if (begun_ms != 0 && core->now_ms - begun_ms < SCRUB_AGE_MS)
        return false;
    uint64_t last_ms = coll->info.damage.scrubbed_ms;
    uint64_t age_ms = core->wall_ms > last_ms ? core->wall_ms - last_ms : 0;
    bool is_ahead = last_ms > core->wall_ms + SCRUB_AGE_MS; /* somebody set the clock back */
    if (last_ms == 0)
        age_ms = core->now_ms - core->started_ms;
    if (is_ahead || age_ms >= SCRUB_OLD_MS)
        return true;
    return is_night(core) && (last_ms == 0 || age_ms >= SCRUB_AGE_MS);
}

static void start_scrub(struct qn_core *core, struct coll *coll)
{
    core->scrubbing.coll = coll->id;
    core->scrubbing.is_active = true;
    core->scrubbing.is_waiting = false;
    core->scrubbing.step_ms = core->now_ms;
    *core->scrubbing.at = (struct qn_scrub){0};
    coll->care.wants_scrub = false;
    coll->care.scrubbed_ms = core->now_ms;
}

static void choose(struct qn_core *core)
{
    bool is_time = core->now_ms >= core->scrubbing.look_ms;
    if (is_time)
        core->scrubbing.look_ms = core->now_ms + core_jitter(core, SCRUB_LOOK_MS);
    qn_vec_each (&core->colls, coll)
        if ((*coll)->is_shared && (*coll)->care.wants_scrub) {
            start_scrub(core, *coll);
            return;
        }
    for (size_t i = 0; is_time && i < core->colls.count; i++)
        if (core->colls.items[i]->is_shared && is_due(core, core->colls.items[i])) {
            start_scrub(core, core->colls.items[i]);
            core->scrubbing.look_ms = core->now_ms; /* there may be others */
            return;
        }
}

void scrub_want(struct qn_core *core, struct coll *coll)
{
    coll->care.wants_scrub = true;
    core_wake(core, core->now_ms);
}

bool scrub_is_wanted(const struct qn_core *core, const struct coll *coll)
{
    return coll->care.wants_scrub ||
           (core->scrubbing.is_active && qn_coll_id_eq(&core->scrubbing.coll, &coll->id));
}

/* ---- a step ---- */

static void step(struct qn_core *core)
{
    struct qn_read *read = QN_NEW(struct qn_read);
    *read = (struct qn_read){.kind = QN_READ_SCRUB, .coll = core->scrubbing.coll};
    read->scrub = qn_memdup(core->scrubbing.at, sizeof(*core->scrubbing.at));
    struct pending *pending = core_read_later(core, read, PENDING_INTEGRITY);
    pending->level = INTEGRITY_SCRUB;
    pending->coll = core->scrubbing.coll;
    core->scrubbing.is_waiting = true;
}

static void commit(struct qn_core *core, enum qn_intent_kind kind, enum integrity_pending level,
                   const struct qn_buf *findings)
{
    struct qn_buf payload;
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(&payload, findings == NULL ? 1 : 2);
    qn_pack_bin(&payload, QN_SPAN_OF(core->scrubbing.coll.bytes));
    if (findings != NULL)
        qn_pack_raw(&payload, qn_buf_view(findings));
    struct pending *pending = core_commit(core, kind, &payload, PENDING_INTEGRITY);
    pending->level = level;
    pending->coll = core->scrubbing.coll;
    core->scrubbing.is_waiting = true;
}

static void go_on(struct qn_core *core)
{
    core->scrubbing.is_waiting = false;
    core->scrubbing.step_ms = core->now_ms + SCRUB_STEP_MS;
    if (core->scrubbing.at->stage == QN_SCRUB_END)
        commit(core, QN_INTENT_SCRUBBED, INTEGRITY_SCRUBBED, NULL);
}

void scrub_read_done(struct qn_core *core, const struct pending *pending,
                     const struct qn_read_result *result)
{
    struct coll *coll = core_coll(core, &pending->coll);
    if (!core->scrubbing.is_active || coll == NULL)
        return;
    if (result->err != QN_OK) {
        core_note(core, "scrub-failed", result->err, coll->shown);
        stop(core);
        return;
    }
    *core->scrubbing.at = *result->scrub;
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&result->body));
    size_t count = 0;
    if (qn_cursor_array(&cursor, QN_FRAME_SIZE_MAX, &count) == QN_OK && count > 0) {
        core_note(core, "damage", QN_ERR_CORRUPT, coll->shown);
        commit(core, QN_INTENT_MEND, INTEGRITY_MEND, &result->body);
        return;
    }
    go_on(core);
}

void scrub_outcome(struct qn_core *core, const struct pending *pending,
                   const struct qn_outcome *outcome)
{
    struct coll *coll = core_coll(core, &pending->coll);
    if (!core->scrubbing.is_active || coll == NULL)
        return;
    coll->care.wants_count |= pending->level == INTEGRITY_MEND && outcome->changed > 0;
    if (outcome->err != QN_OK)
        core_note(core, "scrub-failed", outcome->err, coll->shown);
    if (outcome->err != QN_OK || pending->level == INTEGRITY_SCRUBBED)
        stop(core);
    else
        go_on(core);
}

void scrub_tick(struct qn_core *core)
{
    if (!core->scrubbing.is_active)
        choose(core);
    if (!core->scrubbing.is_active) {
        core_wake(core, core->scrubbing.look_ms);
        return;
    }
    struct coll *coll = core_coll(core, &core->scrubbing.coll);
    if (coll == NULL || !coll->is_shared) {
        stop(core);
        return;
    }
    if (core->scrubbing.is_waiting)
        return;
    if (core->now_ms >= core->scrubbing.step_ms)
        step(core);
    else
        core_wake(core, core->scrubbing.step_ms);
}
