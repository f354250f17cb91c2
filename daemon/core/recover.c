/* Coming back with nothing but the kit: what differs from joining (join.c; docs/protocol.md, 8.7).
 * The site keeps its identity and gets a new key; what it wrote before comes back from the others,
 * and it writes on as a new incarnation, because its store is new. */
#include "core/recover.h"

enum qn_err recover_say_hello(struct qn_core *core, const uint8_t exporter[32])
{
    const struct qn_signer *recovery = core->joining.recovery;
    struct qn_signature signature;
    QN_TRY(qn_signer_sign(recovery, "quoin recover 1", qn_span(exporter, 32), &signature));
    struct qn_buf *out = core_message(core, QN_MSG_RECOVER_HELLO, 3);
    qn_pack_u64(out, QN_PROTOCOL_VERSION);
    qn_pack_bin(out, QN_SPAN_OF(qn_signer_public(recovery)->bytes));
    qn_pack_bin(out, QN_SPAN_OF(signature.bytes));
    core_send(core, core->joining.link);
    return QN_OK;
}

static enum qn_err compose(struct qn_core *core, const struct qn_site *self, struct qn_buf *out)
{
    const struct qn_ledger *ledger = core->joining.ledger;
    struct qn_body_rotate_key rotate = {.admission = self->recovery_admission,
                                        .key = core->options.keys.site,
                                        .is_by_recovery = true};
    QN_TRY(qn_rotate_sign(ledger, &core->site, core->joining.recovery, &rotate));
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_rotate_key_pack(&qn_ledger_group(ledger)->id, &rotate, &body);
    QN_TRY(qn_buf_status(&body));
    return qn_ledger_compose(ledger, core->options.signer, &core->site, (qn_hlc)core->wall_ms << 16,
                             qn_buf_view(&body), out);
}

/* Two machines with one kit would throw each other out for ever. So a key that came while this one
 * was asking has the last word, until people start this one again. */
static bool was_raced(struct joining *joining, const struct qn_site *self)
{
    if (joining->epoch_count == 0)
        joining->epoch_count = self->epochs.count;
    return self->epochs.count > joining->epoch_count;
}

enum qn_err recover_ask(struct qn_core *core)
{
    struct joining *joining = &core->joining;
    const struct qn_group *group = qn_ledger_group(joining->ledger);
    const struct qn_site *peer = qn_group_site_by_key(group, &joining->peer_key);
    const struct qn_site *self = qn_group_site(group, &core->site);
    if (peer == NULL || peer->state != QN_SITE_MEMBER || self == NULL)
        return QN_ERR_DENIED;
    if (qn_public_key_eq(&self->keys.site, &core->options.keys.site)) {
        join_store(core); /* it was rotated already, and the answer got lost */
        return QN_OK;
    }
    if (was_raced(joining, self)) {
        join_stop(core, "recover-raced");
        return QN_OK;
    }
    QN_AUTO_BUF struct qn_buf entry;
    qn_buf_init(&entry, QN_LEDGER_ENTRY_SIZE_MAX);
    QN_TRY(compose(core, self, &entry));
    struct qn_buf *out = core_message(core, QN_MSG_RECOVER_ROTATE, 1);
    qn_pack_bin(out, qn_buf_view(&entry));
    core_send(core, joining->link);
    return QN_OK;
}

/* ---- what it still lacks ---- */

void recovery_free(struct recovery *recovery)
{
    qn_vec_free(&recovery->holders);
    qn_vec_free(&recovery->failed);
    qn_vec_free(&recovery->paged);
}

bool core_is_keyless(const struct qn_core *core)
{
    return core->recovery.stage == RECOVERY_KEY;
}

struct recovery_holder *recover_holder(struct qn_core *core, const struct qn_site_id *site)
{
    qn_vec_each (&core->recovery.holders, holder)
        if (qn_site_id_eq(&holder->site, site))
            return holder;
    return NULL;
}

/* Also of a place that ended long ago: the key lies beside the packs. A site that left the group
 * cannot be asked. */
static bool is_holder(const struct qn_core *core, const struct qn_place *place)
{
    return qn_site_id_eq(&place->owner, &core->site) && place->state != QN_PLACE_PROPOSED &&
           core_peer(core, &place->holder) != NULL;
}

static void refresh_holders(struct qn_core *core)
{
    struct recovery *recovery = &core->recovery;
    for (size_t i = recovery->holders.count; i-- > 0;)
        if (core_peer(core, &recovery->holders.items[i].site) == NULL)
            qn_vec_remove(&recovery->holders, i);
    qn_vec_each (&qn_ledger_group(core->ledger)->places, place)
        if (is_holder(core, place) && recover_holder(core, &place->holder) == NULL)
            qn_vec_push(&recovery->holders, ((struct recovery_holder){.site = place->holder}));
}

void recover_tick(struct qn_core *core)
{
    if (core->recovery.stage == RECOVERY_NONE || core->joining.is_active || !core_has_key(core))
        return;
    refresh_holders(core);
    if (core->recovery.stage == RECOVERY_KEY)
        recover_key_tick(core);
    if (core->recovery.stage != RECOVERY_KEY)
        recover_back_tick(core);
}

const char *recover_key_holder(const struct qn_core *core)
{
    qn_vec_each (&core->recovery.holders, holder)
        if (!holder->has_none)
            return core_site_name(core, &holder->site);
    return "";
}

void recover_alerts(const struct qn_core *core, recover_alert alert, void *context)
{
    const struct recovery *recovery = &core->recovery;
    if (recovery->stage == RECOVERY_STORE)
        alert(context, "recover-store", core->name);
    qn_vec_each (&recovery->holders, holder) {
        const char *name = core_site_name(core, &holder->site);
        if (recovery->stage == RECOVERY_KEY && !holder->has_none)
            alert(context, "recover-key", name);
        if (recovery->stage == RECOVERY_VAULT && !holder->is_done)
            alert(context, "recover-vault", name);
    }
}
