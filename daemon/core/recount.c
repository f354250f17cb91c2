/* Sums, counters and indexes of a collection are counted anew, in steps of a few milliseconds, one
 * transaction each: what people write goes between them. */
#include "core/integrity.h"

static void go_on(struct qn_core *core, struct coll *coll)
{
    struct qn_buf payload;
    size_t wished = core->options.count_step, entries = wished > 0 ? wished : COUNT_ENTRIES;
    qn_buf_init(&payload, 64);
    qn_pack_array(&payload, 2);
    qn_pack_bin(&payload, QN_SPAN_OF(coll->id.bytes));
    qn_pack_u64(&payload, entries);
    struct pending *pending = core_commit(core, QN_INTENT_RECOUNT, &payload, PENDING_INTEGRITY);
    pending->level = INTEGRITY_COUNT;
    pending->coll = coll->id;
    core_last_intent(core)->op_count = entries;
}

void recount_begin(struct qn_core *core, struct coll *coll)
{
    coll->care.is_counting = true;
    coll->care.wants_count = false;
    go_on(core, coll);
}

/* An error ends it: what is uncounted in the store is begun again by the next tick. */
void recount_outcome(struct qn_core *core, struct coll *coll, const struct qn_outcome *outcome)
{
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    size_t count;
    bool is_done;
    bool goes_on = outcome->err == QN_OK && qn_cursor_array(&cursor, 1, &count) == QN_OK &&
                   qn_cursor_bool(&cursor, &is_done) == QN_OK && !is_done;
    coll->care.is_counting = goes_on;
    if (goes_on)
        go_on(core, coll);
}
