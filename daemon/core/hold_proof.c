/* PROOF_ASK: how much an owner may have read here, which costs it nothing. Of each owner so many
 * bytes a day as make two rounds through all that is held for it, and one batch more; what is not
 * used in a day is not saved up. It is kept in memory: only this site's restart renews it. */
#include "core/hold_impl.h"

#define DAY_S       (24u * 3600)
#define ROUNDS      2
#define FLOOR_BYTES ((uint64_t)QN_HELD_PACK_SIZE_MAX * BULK_PROOF_BATCH)

static uint64_t budget_max(uint64_t held_bytes)
{
    return ROUNDS * held_bytes + FLOOR_BYTES;
}

/* What came back since it was looked at last, by whole seconds. */
static void refill(const struct qn_core *core, struct hold_budget *budget, uint64_t max)
{
    uint64_t passed_s = (core->now_ms - budget->at_ms) / 1000;
    if (budget->at_ms == 0 || passed_s >= DAY_S) {
        budget->left = max;
        budget->at_ms = core->now_ms;
        return;
    }
    budget->left += max / DAY_S * passed_s;
    budget->at_ms += passed_s * 1000;
    if (budget->left > max)
        budget->left = max;
}

/* 0: it may be read now; else when it may. */
static uint64_t take_budget(const struct qn_core *core, struct hold_budget *budget, uint64_t cost,
                            uint64_t held_bytes)
{
    uint64_t max = budget_max(held_bytes);
    refill(core, budget, max);
    if (cost <= budget->left) {
        budget->left -= cost;
        return 0;
    }
    uint64_t wait_s = (cost - budget->left) / (max / DAY_S) + 1;
    return 1000 * (wait_s < DAY_S ? wait_s : DAY_S);
}

static enum qn_err take_resolved(struct hold_request *request, struct qn_span body,
                                 uint64_t *ret_cost, uint64_t *ret_held)
{
    struct qn_cursor cursor = qn_cursor(body);
    struct qn_span names;
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, 3, &count));
    QN_TRY(qn_cursor_u64(&cursor, ret_cost));
    QN_TRY(qn_cursor_u64(&cursor, ret_held));
    QN_TRY(qn_cursor_bin(&cursor, BULK_NAMES_MAX * QN_DIGEST_SIZE, &names));
    qn_buf_append_span(&request->wanted, names);
    return qn_buf_status(&request->wanted);
}

void hold_proof_resolved(struct qn_core *core, struct bulk *bulk, struct hold_request *request,
                         struct qn_span body)
{
    uint64_t cost, held_bytes;
    if (take_resolved(request, body, &cost, &held_bytes) != QN_OK) {
        hold_request_fail(core, bulk, request, "failed");
        return;
    }
    if (cost > budget_max(held_bytes)) { /* it names packs again and again */
        hold_request_fail(core, bulk, request, "range");
        return;
    }
    request->again_ms = take_budget(core, &bulk->hold->budget, cost, held_bytes);
    if (request->again_ms > 0)
        hold_request_fail(core, bulk, request, "busy");
    else
        request->has_row = true;
}
