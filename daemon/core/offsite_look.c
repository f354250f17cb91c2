/* What the plans and the ledger make of a holder, and whether the book has anything for it. */
#include "core/offsite_impl.h"

/* ---- the role ---- */

static enum role role_of(const struct qn_core *core, const struct qn_site_id *holder,
                         uint64_t *ret_interval_ms, uint64_t *ret_quota)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_place *place =
        group == NULL ? NULL : qn_group_place(group, &core->site, holder);
    uint64_t interval = 0;
    bool is_in_a_plan = false;
    if (place == NULL || place->state == QN_PLACE_PROPOSED || !core_is_member(core) ||
        core->recovery.stage != RECOVERY_NONE) /* what it wants is not known before its plans are */
        return ROLE_NONE;
    qn_vec_each (&core->backup->plans, plan) {
        uint64_t period = plan_period_ms(*plan);
        if (!plan_names(*plan, holder))
            continue;
        is_in_a_plan = true;
        if (period > 0 && (interval == 0 || period < interval))
            interval = period;
    }
    *ret_interval_ms = interval;
    *ret_quota = place->quota_bytes;
    return is_in_a_plan && place->state == QN_PLACE_ACCEPTED ? ROLE_SEND : ROLE_FORGET;
}

/* A holder that had no room and agreed to more is asked at once. */
static void take_quota(struct qn_core *core, struct bulk *bulk, uint64_t quota)
{
    struct offsite *offsite = bulk->offsite;
    if (quota > offsite->quota_bytes && offsite->packs.is_full) {
        packs_unblock(core, bulk);
        lists_unblock(core, bulk);
        offsite->want_ms = 0;
    }
    offsite->quota_bytes = quota;
}

/* The holder hears of another interval at once. */
void offsite_refresh_role(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    uint64_t interval = 0, quota = 0;
    enum role role = role_of(core, holder_of(bulk), &interval, &quota);
    take_quota(core, bulk, quota);
    bool is_same = offsite->is_role_known && role == offsite->role;
    if (is_same && interval == offsite->interval_ms)
        return;
    offsite->is_role_known = true;
    offsite->role = role;
    offsite->interval_ms = interval;
    offsite->heard_ms = 0;
    offsite->want_ms = 0;
    offsite->is_stopped = false;
    offsite->needs_ask = true;
    if (role == ROLE_NONE)
        offsite_drop(offsite);
}

/* ---- looking into the book ---- */

void offsite_look(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    if (!offsite->is_dirty || offsite->look_token != 0)
        return;
    if (core->now_ms < offsite->look_ms) {
        core_wake(core, offsite->look_ms);
        return;
    }
    struct qn_buf args = copy_read(bulk, COPY_READ_LOOK, 0);
    offsite->look_token =
        bulk_read(core, bulk, QN_READ_COPY, &args, PENDING_OFFSITE, tag_of(TAG_LOOK, 0))->token;
    offsite->is_dirty = false;
    offsite->look_ms = core->now_ms + LOOK_MS;
}

static enum qn_err take_proof(struct offsite *offsite, struct qn_cursor *answer)
{
    struct qn_proof proof;
    QN_TRY(qn_cursor_u64(answer, &proof.verified_ms));
    QN_TRY(qn_cursor_u64(answer, &proof.ended_ms));
    QN_TRY(qn_cursor_u64(answer, &proof.started_ms));
    QN_TRY(qn_cursor_u64(answer, &proof.at));
    QN_TRY(qn_cursor_u64(answer, &proof.bad));
    QN_TRY(qn_cursor_u64(answer, &proof.unknown));
    if (offsite->proofs.state == PROOF_NONE)
        offsite->proofs.row = proof;
    offsite->proofs.is_known = true;
    return QN_OK;
}

static enum qn_err take_look(struct offsite *offsite, struct qn_cursor *answer)
{
    size_t count;
    QN_TRY(qn_cursor_array(answer, 16, &count));
    QN_TRY(read_digest(answer, &offsite->pack_sum));
    QN_TRY(read_digest(answer, &offsite->list_sum));
    QN_TRY(qn_cursor_bool(answer, &offsite->has_packs));
    QN_TRY(qn_cursor_bool(answer, &offsite->has_list));
    QN_TRY(qn_cursor_bool(answer, &offsite->has_forget));
    QN_TRY(qn_cursor_u64(answer, &offsite->own_packs));
    QN_TRY(qn_cursor_u64(answer, &offsite->missing_bytes));
    QN_TRY(qn_cursor_u64(answer, &offsite->unread_packs));
    return take_proof(offsite, answer);
}

static void ask(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    struct qn_buf *out = core_message(core, QN_MSG_VAULT_ASK, 3);
    qn_pack_bin(out, qn_digest_view(&offsite->pack_sum));
    qn_pack_bin(out, qn_digest_view(&offsite->list_sum));
    qn_pack_u64(out, offsite->role == ROLE_SEND ? offsite->interval_ms : 0);
    bulk_send(core, bulk);
    offsite->needs_ask = false;
    offsite->asks++;
}

/* What is new is taken up where the connection stands already. */
static void look_again(struct offsite *offsite)
{
    packs_look(offsite, false);
    offsite->lists.needs_list = offsite->has_list;
    offsite->lists.needs_forget = offsite->has_forget;
}

void offsite_looked(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result)
{
    struct offsite *offsite = bulk->offsite;
    struct qn_cursor answer = qn_cursor(qn_buf_view(&result->body));
    enum qn_err err = result->err == QN_OK ? take_look(offsite, &answer) : result->err;
    offsite->look_token = 0;
    if (err != QN_OK) {
        core_note(core, "read-failed", err, holder_name(core, bulk));
        offsite->is_dirty = true;
        offsite->look_ms = core->now_ms + RETRY_READ_MS;
    } else if (offsite->stage == STAGE_LOOK) {
        ask(core, bulk);
        offsite->stage = STAGE_ASKED;
    } else if (offsite->stage == STAGE_OPEN) {
        if (offsite->needs_ask &&
            offsite->asks == 0) /* only for the interval: what is on its way makes sums differ */
            ask(core, bulk);
        look_again(offsite);
    }
}

void offsite_mended(struct qn_core *core, bool some_are_whole)
{
    qn_vec_each (&core->peers, peer) {
        struct offsite *offsite = (*peer)->bulk->offsite;
        offsite->proofs.retry_ms = 0;
        if (!some_are_whole || offsite->stage != STAGE_OPEN)
            continue;
        offsite->packs.skipped.count = 0;
        packs_look(offsite, true);
    }
    offsite_touch(core);
}

void offsite_touch(struct qn_core *core)
{
    qn_vec_each (&core->peers, peer) {
        struct offsite *offsite = (*peer)->bulk->offsite;
        offsite->is_dirty = true;
        if (!offsite->is_stopped)
            offsite->want_ms = 0;
    }
    core_wake(core, core->now_ms);
}
