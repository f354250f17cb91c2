/* Challenges that somebody asked for (`backup.verify`): a sample of one batch from a random place,
 * or a whole round. They need no line that is free, and end by themselves: with a result, or with
 * what kept the holder from giving one. */
#include "core/offsite_impl.h"

#define OFFLINE_MS 10000 /* a connection that was lost is waited for */

void demand_end(struct qn_core *core, struct bulk *bulk, enum challenge_result result)
{
    struct demand *demand = &bulk->offsite->proofs.demand;
    if (demand->kind == DEMAND_NONE)
        return;
    demand->kind = DEMAND_NONE;
    demand->result = result;
    core_wake(core, core->now_ms);
}

static bool is_online(const struct bulk *bulk)
{
    return peer_is_connected(bulk->peer);
}

void offsite_challenge(struct qn_core *core, struct bulk *bulk, bool is_all)
{
    struct offsite *offsite = bulk->offsite;
    struct demand *demand = &offsite->proofs.demand;
    enum demand_kind before = demand->kind;
    if (before == DEMAND_NONE)
        *demand = (struct demand){0};
    demand->kind = is_all || before == DEMAND_ALL ? DEMAND_ALL : DEMAND_SAMPLE;
    demand->moved_ms = core->now_ms;
    if (!is_online(bulk))
        demand_end(core, bulk, CHALLENGE_OFFLINE);
    else if (core->now_ms < offsite->proofs.busy_ms)
        demand_end(core, bulk, CHALLENGE_BUSY);
    if (before == DEMAND_NONE && book_copy(core, holder_of(bulk)) != NULL) {
        uint64_t order = core->backup->book.totals.order;
        demand->at = order == 0 ? 0 : qn_prng_next(&core->prng) % order;
    }
    offsite->proofs.retry_ms = 0;
    if (!offsite->is_stopped)
        offsite->want_ms = 0;
    core_wake(core, core->now_ms);
}

bool offsite_is_challenged(const struct bulk *bulk)
{
    return bulk->offsite->proofs.demand.kind != DEMAND_NONE;
}

void offsite_challenged(const struct bulk *bulk, struct challenged *ret_challenged)
{
    const struct demand *demand = &bulk->offsite->proofs.demand;
    *ret_challenged = (struct challenged){.result = demand->result,
                                          .packs = demand->packs,
                                          .bytes = demand->bytes,
                                          .bad = demand->bad};
}

/* What was compared, before the batch is committed. Of a sample that is done when somebody asked
 * for all of it only what is lost counts: the rest is proven with the round. */
void demand_count(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    struct demand *demand = &proofs->demand;
    if (demand->kind == DEMAND_NONE)
        return;
    demand->moved_ms = core->now_ms;
    demand->bad += proofs->lost.count;
    if (proofs->is_sample && demand->kind == DEMAND_ALL) {
        demand->packs += proofs->lost.count;
        return;
    }
    demand->packs += proofs->batch.count;
    qn_vec_each (&proofs->batch, challenge)
        demand->bytes += challenge->pack.size;
}

/* A sample answers only who asked for one: the round of who asked for all comes after it. */
void demand_batch_done(struct qn_core *core, struct bulk *bulk, bool is_stored)
{
    const struct proofs *proofs = &bulk->offsite->proofs;
    bool is_last = proofs->is_sample || proofs->row.started_ms == 0;
    if (!is_last)
        return;
    if (!is_stored)
        demand_end(core, bulk, CHALLENGE_LATE);
    else if (!proofs->is_sample || proofs->demand.kind == DEMAND_SAMPLE)
        demand_end(core, bulk, CHALLENGE_DONE);
}

void demand_tick(struct qn_core *core, struct bulk *bulk)
{
    const struct offsite *offsite = bulk->offsite;
    const struct demand *demand = &offsite->proofs.demand;
    if (demand->kind == DEMAND_NONE)
        return;
    uint64_t end_ms = demand->moved_ms + (is_online(bulk) ? PROOF_ANSWER_MS : OFFLINE_MS);
    if (offsite->role != ROLE_SEND || offsite->is_stopped ||
        (offsite->stage == STAGE_OPEN && offsite->own_packs == 0))
        demand_end(core, bulk, CHALLENGE_NONE);
    else if (core->now_ms >= end_ms)
        demand_end(core, bulk, is_online(bulk) ? CHALLENGE_LATE : CHALLENGE_OFFLINE);
    else
        core_wake(core, end_ms);
}
