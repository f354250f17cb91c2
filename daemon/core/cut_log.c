/* When the log of a collection is cut (RECORDS 1.3): each hour, of what every member has; and at
 * once when it holds too much, whoever lacks it. Nobody is waited for.
 *
 * What every member has stays for an hour or two, so that those who follow on this machine, such as
 * the search, need not read all records again. */
#include "core/state.h"

#define CUTS_MAX  8  /* collections whose log is being cut at the same time */
#define OVER_PART 16 /* so much below a cap the log is cut, that it is not done at each commit */

void qn_core_set_log_caps(struct qn_core *core, const struct qn_log_caps *caps)
{
    core->log_caps = *caps;
    if (caps->ops == 0)
        core->log_caps.ops = QN_LOG_OPS;
    if (caps->bytes == 0)
        core->log_caps.bytes = QN_LOG_SIZE;
    if (caps->days == 0)
        core->log_caps.days = QN_LOG_DAYS;
}

static bool is_over(const struct qn_core *core, const struct coll *coll)
{
    return coll->info.log_ops > core->log_caps.ops || coll->info.log_bytes > core->log_caps.bytes;
}

void cut_log_grew(struct qn_core *core, struct coll *coll)
{
    if (!is_over(core, coll))
        return;
    coll->is_cut_due = coll->is_over = core->is_cut_due = true;
}

void cut_log_start(struct qn_core *core)
{
    core->cut_ms = core->now_ms + core_jitter(core, CUT_MS);
    qn_vec_each (&core->colls, slot)
        cut_log_grew(core, *slot);
}

static void every_hour(struct qn_core *core)
{
    core->cut_ms = core->now_ms + CUT_MS;
    qn_vec_each (&core->colls, slot) {
        struct coll *coll = *slot;
        coll->covered_seq = coll->hour_seq;
        coll->hour_seq = coll->info.order_head;
        coll->is_cut_due |= coll->is_shared && coll->info.log_ops > 0;
    }
    core->is_cut_due = true;
}

/* ---- what may go ---- */

static void keep_common(struct qn_vv *vv, const struct qn_vv *other)
{
    for (size_t i = vv->entries.count; i-- > 0;) {
        struct qn_vv_entry entry = vv->entries.items[i];
        uint64_t ctr = qn_vv_get(other, &entry.actor);
        if (ctr < entry.ctr)
            qn_vv_set(vv, &entry.actor, ctr);
    }
}

/* What every member has durably, as far as this site knows. */
static void common_clock(const struct qn_core *core, const struct coll *coll, struct qn_vv *ret_vv)
{
    static const struct qn_vv nothing;
    qn_vv_copy(ret_vv, &coll->cc);
    qn_vec_each (&core->peers, peer) {
        if (!core_shares(core, coll, &(*peer)->site))
            continue;
        const struct known *known = coll_known_of(coll, &(*peer)->site);
        if (known != NULL && core->is_mesh && presence_is_equal(coll, known))
            continue; /* by hearsay, where no connection leads: a log that is cut is no loss */
        keep_common(ret_vv, known == NULL ? &nothing : &known->clock);
    }
}

static uint64_t cap(const struct coll *coll, uint64_t max)
{
    return coll->is_over ? max - max / OVER_PART : max;
}

static void cut(struct qn_core *core, struct coll *coll)
{
    QN_AUTO_VV struct qn_vv common = {0};
    struct qn_buf payload;
    common_clock(core, coll, &common);
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(&payload, 6);
    qn_pack_bin(&payload, QN_SPAN_OF(coll->id.bytes));
    qn_vv_pack(&common, &payload);
    qn_pack_u64(&payload, coll->covered_seq);
    qn_pack_u64(&payload, cap(coll, core->log_caps.ops));
    qn_pack_u64(&payload, cap(coll, core->log_caps.bytes));
    qn_pack_u64(&payload, core->log_caps.days * 24 * 3600 * 1000);
    core_commit(core, QN_INTENT_CUT_LOG, &payload, PENDING_CUT)->coll = coll->id;
    coll->is_cutting = true;
    core->cuts++;
}

void cut_log_tick(struct qn_core *core)
{
    if (core->now_ms >= core->cut_ms)
        every_hour(core);
    core_wake(core, core->cut_ms);
    if (!core->is_cut_due || core->cuts >= CUTS_MAX)
        return;
    core->is_cut_due = false;
    qn_vec_each (&core->colls, slot) {
        if (!(*slot)->is_cut_due || (*slot)->is_cutting)
            continue;
        if (core->cuts < CUTS_MAX)
            cut(core, *slot);
        else
            core->is_cut_due = true;
    }
}

/* After an error it is tried again in an hour, or when the log grew. */
static bool is_done(const struct qn_outcome *outcome)
{
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    size_t count;
    bool is_done;
    return outcome->err != QN_OK || qn_cursor_array(&cursor, 1, &count) != QN_OK ||
           qn_cursor_bool(&cursor, &is_done) != QN_OK || is_done;
}

void cut_log_outcome(struct qn_core *core, const struct pending *pending,
                     const struct qn_outcome *outcome)
{
    struct coll *coll = core_coll(core, &pending->coll);
    core->cuts--;
    core->is_cut_due = true; /* another one may wait for its turn */
    if (outcome->err != QN_OK)
        core_note(core, "commit-failed", outcome->err, "");
    if (coll == NULL)
        return;
    coll->is_cutting = false;
    if (!is_done(outcome))
        return;
    coll->is_cut_due = coll->is_over = false;
    if (outcome->err == QN_OK)
        cut_log_grew(core, coll);
}
