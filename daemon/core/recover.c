/* Coming back with nothing but the kit: what differs from joining (join.c; docs/protocol.md, 8.7).
 * The site keeps its identity and gets a new key; what it wrote before comes back from the others,
 * and it writes on as a new incarnation, because its store is new. */
#include "core/state.h"

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
    if (peer == NULL || peer->state != QN_SITE_MEMBER || self == NULL ||
        self->state != QN_SITE_MEMBER)
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

/* Who promised to hold the vault, also if it was long ago: the key lies beside the packs. */
static const struct qn_place *place_of(const struct qn_core *core)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    qn_vec_each (&group->places, place)
        if (qn_site_id_eq(&place->owner, &core->site) && place->state != QN_PLACE_PROPOSED)
            return place;
    return NULL;
}

void recover_settle(struct qn_core *core)
{
    if (core->is_keyless && core_has_key(core) && place_of(core) == NULL)
        core_vault_key(core, qn_span(NULL, 0));
}

const char *recover_key_holder(const struct qn_core *core)
{
    const struct qn_place *place = core->is_keyless ? place_of(core) : NULL;
    const struct qn_site *holder =
        place == NULL ? NULL : qn_group_site(qn_ledger_group(core->ledger), &place->holder);
    return holder == NULL ? "" : holder->name;
}
