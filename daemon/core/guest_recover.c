/* Giving a lost site its place back: the member's side of the recovery by kit (docs/protocol.md,
 * 8.7). The kit proves who the guest is; RotateKey makes its new key the site's. What the old key
 * did stays, and it opens nothing any more. */
#include "core/hold_impl.h"
#include "model/ledger_entry.h"

static const struct qn_site *site_by_recovery(const struct qn_group *group,
                                              const struct qn_public_key *key)
{
    qn_vec_each (&group->sites, site)
        if (qn_public_key_eq(&site->keys.recovery_sign, key))
            return site;
    return NULL;
}

static bool has_third_member(const struct qn_core *core, const struct qn_site *lost)
{
    qn_vec_each (&core->peers, peer)
        if (!qn_site_id_eq(&(*peer)->site, &lost->id))
            return true;
    return false;
}

/* A site that left comes back where its backups are still held: it may have been a thief with its
 * key who left, so that nobody can reach them any more.
 *
 * A store that may be an old copy may lack what the lost site wrote last, and a RotateKey in its
 * place would be an equivocation for good; unless there is nobody else who could have it, and who
 * could end the doubt. */
static const char *why_not(const struct qn_core *core, const struct qn_site *lost)
{
    if (lost == NULL)
        return "recover-unknown";
    if (lost->state != QN_SITE_MEMBER && !custodian_knows(core, &lost->id))
        return "recover-withdrawn";
    if (qn_site_id_eq(&lost->id, &core->site))
        return "recover-here";
    return core_may_append(core) || !has_third_member(core, lost) ? NULL : "in-doubt";
}

enum qn_err guest_heard_recover(struct qn_core *core, struct guest *guest, struct qn_cursor *cursor)
{
    uint64_t version;
    struct qn_public_key key;
    struct qn_signature signature;
    QN_TRY(qn_cursor_u64(cursor, &version));
    QN_TRY(qn_cursor_bytes(cursor, key.bytes, sizeof(key.bytes)));
    QN_TRY(qn_cursor_bytes(cursor, signature.bytes, sizeof(signature.bytes)));
    QN_TRY(qn_verify(&key, "quoin recover 1", QN_SPAN_OF(guest->exporter), &signature));
    const struct qn_site *lost = site_by_recovery(qn_ledger_group(core->ledger), &key);
    const char *refusal = why_not(core, lost);
    if (refusal != NULL) {
        guest_refuse(core, guest, refusal);
        return QN_OK;
    }
    guest->is_recovery = true;
    guest->lost = lost->id;
    guest->state = GUEST_PROVEN;
    guest_say_ledger(core, guest, 0);
    return QN_OK;
}

/* It is to be what it was proven for: this site, by its kit, to the key of this very connection. */
static enum qn_err check_entry(const struct guest *guest, struct qn_span bytes)
{
    struct qn_entry entry;
    QN_TRY(qn_entry_unpack(bytes, &entry));
    const struct qn_body *body = &entry.body;
    bool is_wanted = qn_site_id_eq(&entry.author, &guest->lost) && body->is_understood &&
                     body->type == QN_BODY_ROTATE_KEY && body->rotate.is_by_recovery &&
                     qn_public_key_eq(&body->rotate.key, &guest->key);
    return is_wanted ? QN_OK : QN_ERR_DENIED;
}

enum qn_err guest_heard_rotate(struct qn_core *core, struct guest *guest, struct qn_cursor *cursor)
{
    struct qn_span entry;
    QN_TRY(qn_cursor_bin(cursor, QN_LEDGER_ENTRY_SIZE_MAX, &entry));
    QN_TRY(check_entry(guest, entry));
    struct qn_buf payload;
    qn_buf_init(&payload, QN_LEDGER_ENTRY_SIZE_MAX + 16);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, entry);
    guest->state = GUEST_ADMITTING;
    core_commit(core, QN_INTENT_LEDGER_MERGE, &payload, PENDING_ADMIT)->link = guest->link;
    return QN_OK;
}

const char *guest_rotate_refusal(enum qn_err err)
{
    switch ((int)err) {
    case QN_ERR_EXISTS:    /* something else stands in its place, */
    case QN_ERR_INVALID:   /* or it is not for the next epoch, */
    case QN_ERR_SIGNATURE: /* which its proof is over: somebody was faster */
    case QN_ERR_HELD:
        return "recover-raced";
    case QN_ERR_LIMIT:
        return "recover-limit";
    default:
        return "busy";
    }
}
