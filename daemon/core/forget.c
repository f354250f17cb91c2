/* What was kept long enough goes: each hour what is due in the trash, each day replaced values.
 * Both in transactions of bounded size, one after the other until nothing is left that is due. */
#include "core/state.h"

#define PURGE_MS  3600000
#define FORGET_MS (24 * 3600 * UINT64_C(1000))

void forget_start(struct qn_core *core)
{
    core->purge_ms = core->now_ms + core_jitter(core, PURGE_MS / 4);
    core->forget_ms = core->now_ms + core_jitter(core, PURGE_MS / 2);
}

void qn_core_set_history_days(struct qn_core *core, uint64_t days)
{
    core->history_days = days > 0 ? days : QN_HISTORY_DAYS;
}

/* A step, behind where the last one ended. */
static void let_go(struct qn_core *core, enum qn_intent_kind kind, struct qn_span after)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 1024);
    qn_pack_array(&payload, 2);
    qn_pack_u64(&payload, kind == QN_INTENT_PURGE ? QN_PURGE_OPS : core->history_days);
    qn_pack_bin(&payload, after);
    core_commit(core, kind, &payload, PENDING_FORGET);
}

/* After an error it is tried again at the next hour, or day. */
void forget_outcome(struct qn_core *core, const struct qn_outcome *outcome)
{
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    struct qn_span after;
    size_t count;
    if (outcome->err != QN_OK)
        core_note(core, "commit-failed", outcome->err, "");
    else if (qn_cursor_array(&cursor, 1, &count) == QN_OK &&
             qn_cursor_bin(&cursor, 1024, &after) == QN_OK && after.size > 0)
        let_go(core, outcome->kind, after);
}

void forget_tick(struct qn_core *core)
{
    if (core->now_ms >= core->purge_ms) {
        core->purge_ms = core->now_ms + PURGE_MS;
        let_go(core, QN_INTENT_PURGE, qn_span(NULL, 0));
    }
    if (core->now_ms >= core->forget_ms) {
        core->forget_ms = core->now_ms + FORGET_MS;
        let_go(core, QN_INTENT_FORGET, qn_span(NULL, 0));
    }
    core_wake(core, core->purge_ms);
    core_wake(core, core->forget_ms);
}
