/* What may be added. An entry is refused for what it builds on only (its author's chain up to it,
 * the administrator's chain up to its reference), which is the same wherever the entry arrives;
 * what depends on the rest of the set is left to the fold. */
#include "model/ledger_impl.h"

static bool is_admin_type(uint64_t type)
{
    return type == QN_BODY_INVITE || type == QN_BODY_REVOKE_INVITE;
}

static enum qn_err check_chain(const struct qn_chain *chain, const struct qn_entry *entry)
{
    static const struct qn_digest nothing = {0};
    if (entry->aseq > chain->nodes.count + 1)
        return QN_ERR_HELD;
    if (entry->aseq <= chain->nodes.count)
        return QN_ERR_EXISTS;
    const struct qn_node *last =
        chain->nodes.count == 0 ? NULL : chain->nodes.items[chain->nodes.count - 1];
    if (last == NULL && !qn_digest_eq(&entry->aprev, &nothing))
        return QN_ERR_INVALID;
    if (last != NULL && !qn_digest_eq(&entry->aprev, &last->hash))
        return QN_ERR_EXISTS; /* it follows another entry that its author signed for our last place
                               */
    /* A site does not forget what it has seen; without this, an old reference would be free to win
     * a contest for an invite. */
    if (last != NULL && (entry->ref.term < last->ref_term ||
                         (entry->ref.term == last->ref_term && entry->ref.seq < last->ref_seq)))
        return QN_ERR_INVALID;
    return QN_OK;
}

/* Another hash at a place that is taken is HELD too: the administrator signed two entries, and this
 * author saw the other one, or the author invents. */
static enum qn_err check_ref(const struct qn_ledger *ledger, const struct qn_ledger_ref *ref)
{
    if (ref->seq == 0)
        return QN_ERR_INVALID;
    if (ref->term > 1 || ref->seq > ledger->admin.count)
        return QN_ERR_HELD;
    return qn_digest_eq(&ledger->admin.items[ref->seq - 1]->hash, &ref->hash) ? QN_OK : QN_ERR_HELD;
}

static enum qn_err check_admin(const struct qn_ledger *ledger, const struct qn_chain *chain,
                               const struct qn_entry *entry)
{
    if (chain != ledger->nodes.items[0]->author)
        return QN_ERR_DENIED;
    return entry->ref.seq < ledger->admin.count ? QN_ERR_EXISTS : QN_OK;
}

static enum qn_err check_admit(const struct qn_ledger *ledger, const struct qn_entry *entry)
{
    const struct qn_body_admit *admit = &entry->body.admit;
    const struct qn_invite_slot *invite = qn_ledger_invite(ledger, &admit->invite_key);
    if (invite == NULL)
        return QN_ERR_HELD;
    if (invite->invite->admin_seq > entry->ref.seq)
        return QN_ERR_DENIED;
    if (invite->revoked != NULL && invite->revoked->admin_seq <= entry->ref.seq)
        return QN_ERR_DENIED;
    if (qn_hlc_ms(entry->hlc) > invite->expiry_ms)
        return QN_ERR_EXPIRED;
    QN_TRY(qn_admit_verify(qn_ledger_group_id(ledger), admit));
    struct qn_site_id id;
    qn_site_id_of(&admit->keys.site, &id);
    bool is_room = ledger->chains.count < QN_SITES_MAX;
    return is_room || qn_ledger_chain(ledger, &id) != NULL ? QN_OK : QN_ERR_LIMIT;
}

static bool has_created(const struct qn_coll_slot *coll, const struct qn_chain *chain)
{
    qn_vec_each (&coll->acts, act) {
        if ((*act)->author == chain && (*act)->type == QN_BODY_CREATE_COLLECTION)
            return true;
    }
    return false;
}

static enum qn_err check_create(const struct qn_ledger *ledger, const struct qn_chain *chain,
                                const struct qn_coll_id *id)
{
    const struct qn_coll_slot *coll = qn_ledger_coll(ledger, id);
    if (coll == NULL)
        return ledger->colls.count < QN_COLLECTIONS_MAX ? QN_OK : QN_ERR_LIMIT;
    return has_created(coll, chain) ? QN_ERR_INVALID : QN_OK;
}

static enum qn_err check_creator(const struct qn_ledger *ledger, const struct qn_chain *chain,
                                 const struct qn_coll_id *id)
{
    const struct qn_coll_slot *coll = qn_ledger_coll(ledger, id);
    if (coll == NULL)
        return QN_ERR_HELD;
    return has_created(coll, chain) ? QN_OK : QN_ERR_DENIED;
}

const struct qn_node *qn_chain_admission(const struct qn_chain *chain, const struct qn_digest *hash)
{
    qn_vec_each (&chain->admissions, admission) {
        if (qn_digest_eq(&(*admission)->hash, hash))
            return *admission;
    }
    return NULL;
}

static enum qn_err check_withdraw(const struct qn_ledger *ledger, const struct qn_chain *chain,
                                  const struct qn_digest *admission)
{
    if (qn_chain_admission(chain, admission) != NULL)
        return QN_OK;
    return qn_ledger_node(ledger, admission) != NULL ? QN_ERR_INVALID : QN_ERR_HELD;
}

/* A holder promises no more than it was asked for, and only to who asked. */
static enum qn_err check_accept(const struct qn_ledger *ledger, const struct qn_chain *chain,
                                const struct qn_body_place_accept *accept)
{
    const struct qn_node *node = qn_ledger_node(ledger, &accept->place);
    if (node == NULL)
        return QN_ERR_HELD;
    struct qn_body body;
    QN_TRY(qn_body_unpack(qn_node_body(node), &body));
    if (body.type != QN_BODY_PLACE)
        return QN_ERR_INVALID;
    if (!body.is_understood)
        return QN_ERR_UNSUPPORTED;
    if (!qn_site_id_eq(&body.place.holder, &chain->id))
        return QN_ERR_DENIED;
    bool is_within =
        accept->quota_bytes <= body.place.quota_bytes && accept->lock_days <= body.place.lock_days;
    return is_within ? QN_OK : QN_ERR_INVALID;
}

/* After a RotateKey the keys before it sign nothing more. */
static enum qn_err check_epoch(const struct qn_chain *chain, const struct qn_entry *entry)
{
    bool is_rotation = entry->body.is_understood && entry->body.type == QN_BODY_ROTATE_KEY;
    uint64_t expected = is_rotation ? chain->keys.count : chain->keys.count - 1;
    return entry->epoch == expected ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err check_body(const struct qn_ledger *ledger, const struct qn_chain *chain,
                              const struct qn_entry *entry)
{
    const struct qn_body *body = &entry->body;
    switch (body->type) {
    case QN_BODY_INVITE:
        return qn_ledger_invite(ledger, &body->invite.invite_key) == NULL ? QN_OK : QN_ERR_INVALID;
    case QN_BODY_REVOKE_INVITE:
        return qn_ledger_invite(ledger, &body->revoked) != NULL ? QN_OK : QN_ERR_INVALID;
    case QN_BODY_ADMIT:
        return check_admit(ledger, entry);
    case QN_BODY_CREATE_COLLECTION:
        return check_create(ledger, chain, &body->create.coll);
    case QN_BODY_GRANT:
    case QN_BODY_UNGRANT:
    case QN_BODY_CLOSE_COLLECTION:
        return check_creator(ledger, chain, &body->grant.coll);
    case QN_BODY_PLACE:
        return qn_site_id_eq(&body->place.holder, &chain->id) ? QN_ERR_INVALID : QN_OK;
    case QN_BODY_PLACE_ACCEPT:
        return check_accept(ledger, chain, &body->accept);
    case QN_BODY_ROTATE_KEY:
        return qn_ledger_check_rotate(ledger, chain, &body->rotate);
    case QN_BODY_WITHDRAW:
        return check_withdraw(ledger, chain, &body->admission);
    default: /* a number from outside: Describe, and what is kept without being understood */
        return QN_OK;
    }
}

enum qn_err qn_ledger_check(const struct qn_ledger *ledger, const struct qn_chain *chain,
                            const struct qn_entry *entry)
{
    QN_TRY(check_chain(chain, entry));
    QN_TRY(check_epoch(chain, entry));
    QN_TRY(check_ref(ledger, &entry->ref));
    if (is_admin_type(entry->body.type))
        QN_TRY(check_admin(ledger, chain, entry));
    return entry->body.is_understood ? check_body(ledger, chain, entry) : QN_OK;
}
