#include "core/backup.h"

#define ACCEPT_AGAIN_MS 10000
#define QUOTA_SHARE     10 /* of the disk: a tenth is lent without asking */

static void pack_append(const struct qn_buf *body, struct qn_buf *ret_payload)
{
    qn_buf_init(ret_payload, QN_LEDGER_ENTRY_SIZE_MAX + 16);
    qn_pack_array(ret_payload, 1);
    qn_pack_bin(ret_payload, qn_buf_view(body));
}

void place_propose(struct qn_core *core, const struct qn_site_id *holder, uint64_t quota_bytes,
                   uint32_t lock_days)
{
    QN_AUTO_BUF struct qn_buf body;
    struct qn_buf payload;
    const struct qn_place *before =
        qn_group_place(qn_ledger_group(core->ledger), &core->site, holder);
    struct qn_body_place place = {
        .holder = *holder, .quota_bytes = quota_bytes, .lock_days = lock_days};
    if (before != NULL) { /* what is on paper stays */
        place.agreement = qn_span_str(before->agreement);
        place.agreement_until_ms = before->agreement_until_ms;
    }
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_place_pack(&qn_ledger_group(core->ledger)->id, &place, &body);
    pack_append(&body, &payload);
    core->backup->place_token =
        core_commit(core, QN_INTENT_LEDGER_APPEND, &payload, PENDING_QUIET)->token;
}

void place_pack_accept(const struct qn_core *core, const struct qn_place *place,
                       uint64_t quota_bytes, struct qn_buf *ret_payload)
{
    QN_AUTO_BUF struct qn_buf body;
    struct qn_body_place_accept accept = {.place = place->proposal,
                                          .quota_bytes = quota_bytes < place->asked_quota_bytes
                                                             ? quota_bytes
                                                             : place->asked_quota_bytes,
                                          .lock_days = place->asked_lock_days};
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_place_accept_pack(&qn_ledger_group(core->ledger)->id, &accept, &body);
    pack_append(&body, ret_payload);
}

void place_pack_agreement(const struct qn_core *core, const struct qn_place *place,
                          struct qn_span reference, uint64_t until_ms, struct qn_buf *ret_payload)
{
    QN_AUTO_BUF struct qn_buf body;
    struct qn_body_place again = {.holder = place->holder,
                                  .quota_bytes = place->asked_quota_bytes,
                                  .lock_days = place->asked_lock_days,
                                  .agreement = reference,
                                  .agreement_until_ms = until_ms};
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_place_pack(&qn_ledger_group(core->ledger)->id, &again, &body);
    pack_append(&body, ret_payload);
}

uint64_t place_share(const struct qn_core *core)
{
    return core->options.disk_bytes / QUOTA_SHARE;
}

/* What this site lends without a person: a tenth of its disk for all owners together. */
static uint64_t room_to_lend(const struct qn_core *core, const struct qn_group *group)
{
    uint64_t lent = 0, share = place_share(core);
    qn_vec_each (&group->places, place)
        if (qn_site_id_eq(&place->holder, &core->site) && place->state == QN_PLACE_ACCEPTED)
            lent += place->quota_bytes;
    return lent < share ? share - lent : 0;
}

static void accept_one(struct qn_core *core, const struct qn_group *group,
                       const struct qn_place *place)
{
    bool is_as_before =
        place->state == QN_PLACE_ACCEPTED && place->lock_days == place->asked_lock_days;
    uint64_t room = (is_as_before ? 0 : room_to_lend(core, group)) + place->quota_bytes;
    struct qn_buf payload;
    if (room == 0)
        return;
    place_pack_accept(core, place, room, &payload);
    core->backup->place_token =
        core_commit(core, QN_INTENT_LEDGER_APPEND, &payload, PENDING_QUIET)->token;
}

/* Whether an acceptance or a proposal is on its way, or failed a moment ago: else a ledger that
 * moves meanwhile would have it said twice, and a full disk not at all. */
static bool is_at_it(struct qn_core *core)
{
    struct backup *backup = core->backup;
    qn_vec_each (&core->pending, pending)
        if (backup->place_token != 0 && pending->token == backup->place_token)
            return true;
    if (backup->place_token != 0) {
        backup->place_token = 0;
        backup->is_place_seen = false;
        backup->place_ms = core->now_ms + ACCEPT_AGAIN_MS;
    }
    if (core->now_ms >= backup->place_ms)
        return false;
    core_wake(core, backup->place_ms);
    return true;
}

bool place_is_asked(const struct qn_core *core, const struct qn_site_id *holder, uint32_t lock_days)
{
    const struct qn_place *place =
        qn_group_place(qn_ledger_group(core->ledger), &core->site, holder);
    return place != NULL && place->state != QN_PLACE_ENDED && place->asked_quota_bytes > 0 &&
           place->asked_lock_days >= lock_days;
}

/* What a plan asked for when it was made, and could not be stored then. One that ended stays so
 * until a person changes the plan. */
static bool propose_again(struct qn_core *core, const struct qn_group *group)
{
    qn_vec_each (&core->backup->plans, plan)
        qn_vec_each (&(*plan)->row.copies, holder) {
            const struct qn_place *place = qn_group_place(group, &core->site, holder);
            if ((place != NULL && place->state == QN_PLACE_ENDED) ||
                place_is_asked(core, holder, (*plan)->row.lock_days) ||
                core_peer(core, holder) == NULL) /* it is no member */
                continue;
            place_propose(core, holder, PLACE_QUOTA_ASKED, (*plan)->row.lock_days);
            return true;
        }
    return false;
}

/* One at a time: the ledger moves, and it is asked again. */
void place_tick(struct qn_core *core)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    if (is_at_it(core) || core->backup->is_place_seen || group == NULL || !core_may_append(core))
        return;
    core->backup->is_place_seen = true;
    if (propose_again(core, group))
        return;
    qn_vec_each (&group->places, place) {
        if (!qn_site_id_eq(&place->holder, &core->site) || !place->is_pending ||
            place->asked_quota_bytes == 0 || !qn_group_may_hold(group, &place->owner, &core->site))
            continue;
        accept_one(core, group, place);
        return;
    }
}
