/* The weekly challenge: whether a holder still has, byte by byte, what it acknowledged
 * (docs/protocol.md 10.9). In batches, in the order of the packs; the round stands in the book.
 *
 *   LOOKING -> READING (the own packs) -> READY -> ASKED -> ... -> COMMITTING -> LOOKING
 *
 * Where the answer differs, the batch is halved until single packs are left. One whose own copy is
 * whole is lost there, and is sent again; with a damaged own copy nothing can be said of the other.
 */
#include "core/offsite_impl.h"

/* ---- life ---- */

static void clear(struct proofs *proofs)
{
    proofs->state = PROOF_NONE;
    proofs->batch.count = proofs->ranges.count = proofs->lost.count = 0;
    proofs->next = proofs->reading = 0;
    proofs->commits = 0;
    proofs->has_failed = false;
    proofs->request = 0;
    proofs->is_sample = false;
}

void proofs_end(struct offsite *offsite)
{
    clear(&offsite->proofs);
    offsite->proofs.retry_ms = 0;
}

void proofs_free(struct proofs *proofs)
{
    qn_vec_free(&proofs->batch);
    qn_vec_free(&proofs->ranges);
    qn_vec_free(&proofs->lost);
}

bool proofs_are_idle(const struct offsite *offsite)
{
    return offsite->proofs.state == PROOF_NONE;
}

/* ---- when ---- */

/* So that not all holders of a group are asked in the same night. */
static uint64_t spread_ms(const struct qn_core *core, const struct bulk *bulk)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, QN_SPAN_OF(core->site.bytes), QN_SPAN_OF(holder_of(bulk)->bytes));
    return qn_read_u64(digest.bytes) % PROOF_SPREAD_MS;
}

uint64_t proofs_due_ms(const struct qn_core *core, const struct bulk *bulk)
{
    const struct offsite *offsite = bulk->offsite;
    const struct qn_proof *row = &offsite->proofs.row;
    bool is_fine = row->ended_ms != 0 && row->ended_ms == row->verified_ms;
    if (offsite->own_packs == 0)
        return UINT64_MAX;
    if (offsite->proofs.demand.kind == DEMAND_ALL)
        return 0;
    if (row->started_ms != 0 || row->ended_ms == 0 || row->ended_ms > core->wall_ms)
        return 0; /* under way, never yet, or the clock was wrong */
    if (!is_fine || offsite->packs.has_claims)
        return row->ended_ms + PROOF_AGAIN_MS;
    return row->ended_ms + PROOF_EVERY_MS - spread_ms(core, bulk);
}

bool proofs_are_due(struct qn_core *core, const struct bulk *bulk)
{
    const struct proofs *proofs = &bulk->offsite->proofs;
    if (proofs->demand.kind != DEMAND_NONE)
        return true;
    if (!proofs->is_known || proofs_due_ms(core, bulk) > core->wall_ms)
        return false;
    if (core->now_ms < proofs->busy_ms)
        core_wake(core, proofs->busy_ms);
    return core->now_ms >= proofs->busy_ms;
}

/* ---- the batch ---- */

static void look_behind(struct qn_core *core, struct bulk *bulk, uint64_t at)
{
    struct qn_buf args = copy_read(bulk, COPY_READ_ACKED, 2);
    qn_pack_u64(&args, at);
    qn_pack_u64(&args, BULK_PROOF_BATCH);
    read_copy(core, bulk, &args, TAG_CHALLENGE);
    bulk->offsite->proofs.state = PROOF_LOOKING;
}

static void look(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    clear(proofs);
    if (proofs->row.started_ms == 0) {
        proofs->row.started_ms = core->wall_ms;
        proofs->row.at = proofs->row.bad = proofs->row.unknown = 0;
        bulk->offsite->packs.has_claims = false;
    }
    look_behind(core, bulk, proofs->row.at);
}

static void look_for_sample(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    clear(proofs);
    proofs->is_sample = true;
    look_behind(core, bulk, proofs->demand.at);
}

/* Nobody can foresee it without this site's key, and no two are equal. */
static enum qn_err make_key(struct qn_core *core, const struct bulk *bulk, uint8_t ret_key[32])
{
    struct qn_signature signature;
    struct qn_digest key;
    QN_AUTO_BUF struct qn_buf message;
    qn_buf_init(&message, 256);
    qn_buf_append_span(&message, QN_SPAN_OF(holder_of(bulk)->bytes));
    qn_buf_append_u64(&message, core->wall_ms);
    qn_buf_append_u64(&message, core->now_ms);
    qn_buf_append_u64(&message, core_token(core));
    qn_buf_append_u64(&message, qn_prng_next(&core->prng));
    QN_TRY(qn_signer_sign(core->options.signer, "quoin proof key 1", qn_buf_view(&message),
                          &signature));
    QN_DIGEST(&key, QN_SPAN_OF(signature.bytes));
    memcpy(ret_key, key.bytes, sizeof(key.bytes));
    return QN_OK;
}

static enum qn_err take_batch(struct proofs *proofs, struct qn_cursor *answer)
{
    size_t count;
    QN_TRY(qn_cursor_array(answer, 3, &count));
    QN_TRY(qn_cursor_u64(answer, &proofs->after));
    QN_TRY(qn_cursor_bool(answer, &proofs->is_end));
    QN_TRY(qn_cursor_array(answer, 3 * BULK_PROOF_BATCH, &count));
    for (size_t i = 0; i < count; i += 3) {
        struct challenge challenge = {0};
        QN_TRY(read_digest(answer, &challenge.pack.pack));
        QN_TRY(qn_cursor_u64(answer, &challenge.pack.size));
        QN_TRY(qn_cursor_u64(answer, &challenge.pack.order));
        qn_vec_push(&proofs->batch, challenge);
    }
    return QN_OK;
}

void proofs_put_off(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    clear(proofs);
    proofs->is_known = false; /* until the row is read again */
    proofs->retry_ms = core->now_ms + FULL_MS;
    bulk->offsite->is_dirty = true;
}

void proofs_give_up(struct qn_core *core, struct bulk *bulk, enum qn_err err)
{
    core_note(core, "proof-failed", err, holder_name(core, bulk));
    proofs_put_off(core, bulk);
    demand_end(core, bulk, CHALLENGE_LATE);
}

void proofs_read_done(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    struct qn_cursor answer = qn_cursor(qn_buf_view(&result->body));
    if (proofs->state != PROOF_LOOKING)
        return;
    enum qn_err err = result->err == QN_OK ? take_batch(proofs, &answer) : result->err;
    if (err == QN_OK)
        err = make_key(core, bulk, proofs->key);
    if (err != QN_OK)
        proofs_give_up(core, bulk, err);
    else if (proofs->is_sample && proofs->batch.count == 0 && proofs->demand.at > 0)
        proofs->state = PROOF_NONE; /* nothing is behind it: from the first one on */
    else
        proofs->state = PROOF_READING;
    if (err == QN_OK && proofs->state == PROOF_NONE)
        proofs->demand.at = 0;
}

void proofs_say_again(struct offsite *offsite)
{
    struct proofs *proofs = &offsite->proofs;
    if (proofs->state == PROOF_ASKED)
        proofs->state = PROOF_READY; /* an answer to before is passed over */
}

/* ---- what came of a batch ---- */

static void commit_row(struct qn_core *core, struct bulk *bulk, const struct qn_proof *row)
{
    struct qn_buf payload = copy_intent(bulk, 6);
    qn_pack_u64(&payload, row->verified_ms);
    qn_pack_u64(&payload, row->ended_ms);
    qn_pack_u64(&payload, row->started_ms);
    qn_pack_u64(&payload, row->at);
    qn_pack_u64(&payload, row->bad);
    qn_pack_u64(&payload, row->unknown);
    commit_copy(core, bulk, QN_INTENT_COPY_PROOF, &payload, TAG_PROVEN);
    bulk->offsite->proofs.commits++;
}

static void commit_lost_packs(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    if (proofs->lost.count == 0)
        return;
    commit_lost(core, bulk,
                qn_span(proofs->lost.items, proofs->lost.count * sizeof(proofs->lost.items[0])),
                TAG_PROVEN);
    proofs->commits++;
}

/* A sample that is as it should be changes nothing that is stored; else a round is made anew in a
 * day. */
static void commit_sample(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    proofs->has_mended = false;
    if (proofs->lost.count == 0) {
        demand_batch_done(core, bulk, true);
        clear(proofs);
        return;
    }
    commit_lost_packs(core, bulk);
    if (proofs->row.started_ms == 0)
        proofs->row.ended_ms = core->wall_ms;
    commit_row(core, bulk, &proofs->row);
    proofs->state = PROOF_COMMITTING;
}

static void commit_batch(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    struct qn_proof *row = &proofs->row;
    demand_count(core, bulk);
    if (proofs->is_sample) {
        commit_sample(core, bulk);
        return;
    }
    commit_lost_packs(core, bulk);
    row->at = proofs->after;
    if (proofs->is_end) {
        row->ended_ms = core->wall_ms;
        row->started_ms = row->at = 0;
        if (row->bad == 0 && row->unknown == 0)
            row->verified_ms = core->wall_ms;
    }
    commit_row(core, bulk, row);
    proofs->has_mended = false; /* the next batch has other packs */
    proofs->state = PROOF_COMMITTING;
}

void proofs_committed(struct qn_core *core, struct bulk *bulk, const struct qn_outcome *outcome)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    if (proofs->commits == 0 || proofs->state != PROOF_COMMITTING)
        return;
    proofs->commits--;
    if (outcome->err != QN_OK) {
        proofs->has_failed = true;
        proofs->retry_ms = core->now_ms + FULL_MS;
        bulk->offsite->is_dirty = true; /* the row is what the book says */
    }
    if (proofs->commits > 0)
        return;
    if (proofs->lost.count > 0)
        packs_look(bulk->offsite, true);
    demand_batch_done(core, bulk, !proofs->has_failed);
    clear(proofs);
}

/* ---- what is due ---- */

static bool may_begin(const struct qn_core *core, const struct bulk *bulk)
{
    const struct offsite *offsite = bulk->offsite;
    bool is_idle = packs_are_idle(offsite) && lists_are_idle(offsite);
    return offsite->role == ROLE_SEND && offsite->proofs.is_known &&
           !offsite_is_ending(core, bulk) &&
           (is_idle || offsite->proofs.demand.kind != DEMAND_NONE) &&
           core->now_ms >= offsite->proofs.retry_ms && core->now_ms >= offsite->proofs.busy_ms &&
           !(offsite->proofs.has_mended && backup_is_mending(core));
}

static void begin(struct qn_core *core, struct bulk *bulk)
{
    uint64_t due_ms = proofs_due_ms(core, bulk);
    if (bulk->offsite->proofs.demand.kind == DEMAND_SAMPLE)
        look_for_sample(core, bulk);
    else if (due_ms <= core->wall_ms)
        look(core, bulk);
    else if (due_ms != UINT64_MAX)
        core_wake(core, core->now_ms + (due_ms - core->wall_ms));
}

void proofs_tick(struct qn_core *core, struct bulk *bulk)
{
    struct proofs *proofs = &bulk->offsite->proofs;
    if (proofs->state == PROOF_NONE && may_begin(core, bulk))
        begin(core, bulk);
    else if (core->now_ms < proofs->busy_ms)
        core_wake(core, proofs->busy_ms);
    if (proofs->state == PROOF_READING)
        proofs_read_own(core, bulk);
    if (proofs->state == PROOF_READY && proofs->ranges.count > 0)
        proofs_ask(core, bulk);
    else if (proofs->state == PROOF_READY)
        commit_batch(core, bulk);
    if (proofs->state != PROOF_ASKED)
        return;
    if (core->now_ms >= proofs->asked_ms + PROOF_ANSWER_MS)
        proofs_give_up(core, bulk, QN_ERR_TIMEOUT);
    else
        core_wake(core, proofs->asked_ms + PROOF_ANSWER_MS);
}
