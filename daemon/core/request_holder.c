/* The holder's side of agreements: what is asked of this site, and what it promises. */
#include "core/call.h"
#include "core/hold.h"

static void pack_holder(const struct qn_core *core, const struct qn_place *place,
                        struct qn_buf *out)
{
    static const char *const states[] = {[QN_PLACE_PROPOSED] = "proposed",
                                         [QN_PLACE_ACCEPTED] = "accepted",
                                         [QN_PLACE_ENDED] = "ended"};
    const struct qn_site *owner = qn_group_site(qn_ledger_group(core->ledger), &place->owner);
    const struct qn_held *held = NULL;
    qn_vec_each (&core->backup->book.held, view)
        if (qn_site_id_eq(&view->owner, &place->owner))
            held = &view->held;
    uint64_t scrubbed = held == NULL ? 0 : held_scrubbed_ms(core, held);
    qn_pack_map(out, 8);
    qn_pack_cstr(out, "entity");
    qn_pack_cstr(out, owner == NULL ? "" : owner->legal_entity);
    qn_pack_cstr(out, "lock_days");
    qn_pack_u64(out, place->lock_days > 0 ? place->lock_days : place->asked_lock_days);
    qn_pack_cstr(out, "owner");
    qn_pack_cstr(out, owner == NULL ? "?" : owner->name);
    qn_pack_cstr(out, "quota_bytes");
    qn_pack_u64(out, place->quota_bytes);
    qn_pack_cstr(out, "scrubbed_at");
    scrubbed == 0 ? qn_pack_nil(out) : qn_pack_u64(out, scrubbed);
    qn_pack_cstr(out, "snapshots");
    qn_pack_u64(out, held == NULL ? 0 : held->list_count);
    qn_pack_cstr(out, "state");
    qn_pack_cstr(out, states[place->state]);
    qn_pack_cstr(out, "stored_bytes");
    qn_pack_u64(out, held == NULL ? 0 : held->used_bytes);
}

void call_holder_list(const struct call *call)
{
    const struct qn_core *core = call->core;
    qn_vec_each (&qn_ledger_group(core->ledger)->places, place) {
        if (!qn_site_id_eq(&place->holder, &core->site))
            continue;
        QN_AUTO_BUF struct qn_buf data;
        qn_buf_init(&data, 1024);
        pack_holder(core, place, &data);
        core_reply_data(call->core, call->id, &data);
    }
    core_reply_end(call->core, call->id, NULL);
}

/* What is on paper between this site, as owner, and a holder: the Place says it, once more. */
void call_backup_agreement(const struct call *call)
{
    struct qn_core *core = call->core;
    const struct qn_group *group = qn_ledger_group(core->ledger);
    struct qn_span name = {0}, reference = {0};
    uint64_t until_ms;
    const struct qn_site *holder = NULL;
    if (args_text(call->args, "holder", QN_NAME_SIZE_MAX, &name))
        holder = qn_group_site_named(group, name);
    const struct qn_place *place =
        holder == NULL ? NULL : qn_group_place(group, &core->site, &holder->id);
    if (place == NULL || place->asked_quota_bytes == 0) {
        call_fail(call, QN_ERR_NOTFOUND, "place-unknown", name);
        return;
    }
    if (!args_text(call->args, "reference", QN_AGREEMENT_SIZE_MAX, &reference) ||
        !qn_text_is_printable(reference) || !args_u64(call->args, "until", &until_ms)) {
        call_fail(call, QN_ERR_INVALID, "bad-request", qn_span_str("reference, until"));
        return;
    }
    struct qn_buf payload;
    place_pack_agreement(core, place, reference, until_ms, &payload);
    call_commit(call, QN_INTENT_LEDGER_APPEND, &payload, name);
}

static const struct qn_place *place_asked(const struct call *call)
{
    const struct qn_group *group = qn_ledger_group(call->core->ledger);
    struct qn_span name = {0};
    const struct qn_site *owner = NULL;
    if (args_text(call->args, "owner", QN_NAME_SIZE_MAX, &name))
        owner = qn_group_site_named(group, name);
    if (owner == NULL) {
        call_fail(call, QN_ERR_NOTFOUND, "site-unknown", name);
        return NULL;
    }
    const struct qn_place *place = qn_group_place(group, &owner->id, &call->core->site);
    if (place == NULL || place->asked_quota_bytes == 0) {
        call_fail(call, QN_ERR_NOTFOUND, "place-unknown", name);
        return NULL;
    }
    return place;
}

static void accept_with(const struct call *call, const struct qn_place *place, uint64_t quota)
{
    struct qn_buf payload;
    struct qn_span owner = {0};
    place_pack_accept(call->core, place, quota, &payload);
    (void)args_text(call->args, "owner", QN_NAME_SIZE_MAX, &owner);
    call_commit(call, QN_INTENT_LEDGER_APPEND, &payload, owner);
}

void call_holder_accept(const struct call *call)
{
    const struct qn_place *place = place_asked(call);
    if (place == NULL)
        return;
    custodian_calm(call->core, &place->owner); /* a person has looked at it */
    if (place->state == QN_PLACE_ACCEPTED && !place->is_pending)
        core_reply_end(call->core, call->id, NULL); /* a quota that was given stays */
    else
        accept_with(call, place, place_share(call->core));
}

void call_holder_quota(const struct call *call)
{
    uint64_t quota;
    const struct qn_place *place = place_asked(call);
    if (place == NULL)
        return;
    if (!args_u64(call->args, "quota_bytes", &quota))
        call_fail(call, QN_ERR_INVALID, "bad-size", qn_span_str(""));
    else
        accept_with(call, place, quota);
    custodian_calm(call->core, &place->owner);
}
