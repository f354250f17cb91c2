#include "model/ledger.h"

#include "base/assert.h"
#include "base/search.h"
#include "model/ledger_fold.h"
#include "model/ledger_impl.h"

struct qn_ledger *qn_ledger_new(void)
{
    struct qn_ledger *ledger = QN_NEW(struct qn_ledger);
    ledger->state = QN_NEW(struct qn_ledger_state);
    return ledger;
}

static void chain_free(struct qn_chain *chain)
{
    qn_vec_free(&chain->nodes);
    qn_vec_free(&chain->admissions);
    qn_vec_free(&chain->keys);
    qn_free(chain);
}

static void invite_free(struct qn_invite_slot *invite)
{
    qn_vec_free(&invite->admits);
    qn_free(invite);
}

static void coll_free(struct qn_coll_slot *coll)
{
    qn_vec_free(&coll->acts);
    qn_free(coll);
}

void qn_ledger_free(struct qn_ledger *ledger)
{
    if (ledger == NULL)
        return;
    qn_vec_each (&ledger->nodes, node)
        qn_free(*node);
    qn_vec_each (&ledger->chains, chain)
        chain_free(*chain);
    qn_vec_each (&ledger->invites, invite)
        invite_free(*invite);
    qn_vec_each (&ledger->colls, coll)
        coll_free(*coll);
    qn_vec_free(&ledger->nodes);
    qn_vec_free(&ledger->admin);
    qn_vec_free(&ledger->chains);
    qn_vec_free(&ledger->invites);
    qn_vec_free(&ledger->colls);
    qn_group_clear(&ledger->state->group);
    qn_free(ledger->state);
    qn_free(ledger);
}

/* ---- the sorted indexes ---- */

static int order_of_chain(const void *item, const void *id)
{
    const struct qn_chain *const *chain = item;
    return qn_site_id_cmp(&(*chain)->id, id);
}

static int order_of_invite(const void *item, const void *key)
{
    const struct qn_invite_slot *const *invite = item;
    return memcmp((*invite)->key.bytes, key, QN_KEY_SIZE);
}

static int order_of_coll(const void *item, const void *id)
{
    const struct qn_coll_slot *const *coll = item;
    return memcmp((*coll)->id.bytes, id, QN_COLL_ID_SIZE);
}

struct qn_chain *qn_ledger_chain(const struct qn_ledger *ledger, const struct qn_site_id *id)
{
    bool is_there;
    size_t at = qn_vec_search(&ledger->chains, id, order_of_chain, &is_there);
    return is_there ? ledger->chains.items[at] : NULL;
}

struct qn_invite_slot *qn_ledger_invite(const struct qn_ledger *ledger,
                                        const struct qn_public_key *key)
{
    bool is_there;
    size_t at = qn_vec_search(&ledger->invites, key, order_of_invite, &is_there);
    return is_there ? ledger->invites.items[at] : NULL;
}

struct qn_coll_slot *qn_ledger_coll(const struct qn_ledger *ledger, const struct qn_coll_id *id)
{
    bool is_there;
    size_t at = qn_vec_search(&ledger->colls, id, order_of_coll, &is_there);
    return is_there ? ledger->colls.items[at] : NULL;
}

static struct qn_chain *chain_of(struct qn_ledger *ledger, const struct qn_public_key *key)
{
    struct qn_site_id id;
    qn_site_id_of(key, &id);
    bool is_there;
    size_t at = qn_vec_search(&ledger->chains, &id, order_of_chain, &is_there);
    if (is_there)
        return ledger->chains.items[at];
    struct qn_chain *chain = QN_NEW(struct qn_chain);
    chain->id = id;
    qn_vec_push(&chain->keys, *key);
    *qn_vec_insert_slot(&ledger->chains, at) = chain;
    return chain;
}

const struct qn_node *qn_ledger_node(const struct qn_ledger *ledger, const struct qn_digest *hash)
{
    for (size_t i = ledger->nodes.count; i > 0; i--) { /* what is new is asked for most */
        if (qn_digest_eq(&ledger->nodes.items[i - 1]->hash, hash))
            return ledger->nodes.items[i - 1];
    }
    return NULL;
}

static struct qn_coll_slot *coll_of(struct qn_ledger *ledger, const struct qn_coll_id *id)
{
    bool is_there;
    size_t at = qn_vec_search(&ledger->colls, id, order_of_coll, &is_there);
    if (is_there)
        return ledger->colls.items[at];
    struct qn_coll_slot *coll = QN_NEW(struct qn_coll_slot);
    coll->id = *id;
    *qn_vec_insert_slot(&ledger->colls, at) = coll;
    return coll;
}

/* ---- adding what was checked ---- */

static struct qn_node *node_new(const struct qn_entry *entry, struct qn_chain *chain)
{
    struct qn_node *node = qn_alloc_zero(sizeof(*node) + entry->bytes.size);
    node->hash = entry->hash;
    node->author = chain;
    node->aseq = entry->aseq;
    node->ref_term = entry->ref.term;
    node->ref_seq = entry->ref.seq;
    node->type = entry->body.type;
    node->is_understood = entry->body.is_understood;
    node->size = entry->bytes.size;
    node->body_offset = (size_t)(entry->body_bytes.data - entry->bytes.data);
    node->body_size = entry->body_bytes.size;
    memcpy(node->bytes, entry->bytes.data, entry->bytes.size);
    return node;
}

static bool builds_on_stopped(const struct qn_ledger *ledger, const struct qn_node *node)
{
    const struct qn_node_vec *own = &node->author->nodes;
    if (own->count > 0 && own->items[own->count - 1]->is_stopped)
        return true;
    return node->ref_seq > 0 && ledger->admin.items[node->ref_seq - 1]->is_stopped;
}

static void index_invite(struct qn_ledger *ledger, struct qn_node *node,
                         const struct qn_body_invite *body)
{
    struct qn_invite_slot *invite = QN_NEW(struct qn_invite_slot);
    invite->key = body->invite_key;
    invite->invite = node;
    invite->expiry_ms = body->expiry_ms;
    bool is_there; /* it is not: ledger_check.c refuses a second one */
    size_t at = qn_vec_search(&ledger->invites, &invite->key, order_of_invite, &is_there);
    *qn_vec_insert_slot(&ledger->invites, at) = invite;
    node->invite = invite;
}

static void index_revoke(struct qn_ledger *ledger, struct qn_node *node,
                         const struct qn_public_key *key)
{
    node->invite = qn_ledger_invite(ledger, key);
    if (node->invite->revoked == NULL)
        node->invite->revoked = node;
}

static void index_member(struct qn_ledger *ledger, struct qn_node *node,
                         const struct qn_public_key *key)
{
    node->subject = chain_of(ledger, key);
    qn_vec_push(&node->subject->admissions, node);
}

static void index_admit(struct qn_ledger *ledger, struct qn_node *node,
                        const struct qn_body_admit *body)
{
    index_member(ledger, node, &body->keys.site);
    node->invite = qn_ledger_invite(ledger, &body->invite_key);
    qn_vec_push(&node->invite->admits, node);
}

static void index_coll(struct qn_ledger *ledger, struct qn_node *node, const struct qn_coll_id *id)
{
    node->coll = coll_of(ledger, id);
    qn_vec_push(&node->coll->acts, node);
}

static void index_rotate(struct qn_node *node, const struct qn_body_rotate_key *body)
{
    struct qn_chain *chain = node->author;
    qn_vec_push(&chain->keys, body->key);
    chain->pinned = qn_chain_admission(chain, &body->admission);
    if (body->is_by_recovery && !node->is_stopped)
        chain->recovered_aseq = node->aseq;
}

static void index_body(struct qn_ledger *ledger, struct qn_node *node, const struct qn_body *body)
{
    switch (body->type) {
    case QN_BODY_GENESIS:
        index_member(ledger, node, &body->genesis.keys.site);
        break;
    case QN_BODY_INVITE:
        index_invite(ledger, node, &body->invite);
        break;
    case QN_BODY_REVOKE_INVITE:
        index_revoke(ledger, node, &body->revoked);
        break;
    case QN_BODY_ADMIT:
        index_admit(ledger, node, &body->admit);
        break;
    case QN_BODY_CREATE_COLLECTION:
        index_coll(ledger, node, &body->create.coll);
        break;
    case QN_BODY_GRANT:
    case QN_BODY_UNGRANT:
    case QN_BODY_CLOSE_COLLECTION:
        index_coll(ledger, node, &body->grant.coll);
        break;
    case QN_BODY_PLACE_ACCEPT:
        node->target = qn_ledger_node(ledger, &body->accept.place);
        break;
    case QN_BODY_ROTATE_KEY:
        index_rotate(node, &body->rotate);
        break;
    case QN_BODY_WITHDRAW:
        node->target = qn_chain_admission(node->author, &body->admission);
        break;
    default: /* a number from outside: nothing to find it by */
        break;
    }
}

static bool is_admin(uint64_t type)
{
    return type == QN_BODY_GENESIS || type == QN_BODY_INVITE || type == QN_BODY_REVOKE_INVITE;
}

/* At most: with the longest head that a binary of this size has. */
static size_t packed_size(const struct qn_entry *entry)
{
    return entry->bytes.size + 3;
}

static bool is_by_kit(const struct qn_entry *entry)
{
    const struct qn_body *body = &entry->body;
    return body->is_understood && body->type == QN_BODY_ROTATE_KEY && body->rotate.is_by_recovery;
}

static bool is_full(const struct qn_ledger *ledger, const struct qn_entry *entry)
{
    static const size_t array_head = 5;
    size_t count_max = QN_LEDGER_ENTRIES_MAX, size_max = QN_LEDGER_SIZE_MAX;
    if (!is_by_kit(entry)) {
        count_max -= QN_LEDGER_ENTRIES_KIT;
        size_max -= QN_LEDGER_SIZE_KIT;
    }
    return ledger->nodes.count >= count_max ||
           array_head + ledger->size + packed_size(entry) > size_max;
}

static void append(struct qn_ledger *ledger, struct qn_chain *chain, const struct qn_entry *entry)
{
    struct qn_node *node = node_new(entry, chain);
    const struct qn_body *body = &entry->body;
    node->is_stopped =
        (body->is_critical && !body->is_understood) || builds_on_stopped(ledger, node);
    qn_vec_push(&ledger->nodes, node);
    ledger->size += packed_size(entry);
    qn_vec_push(&chain->nodes, node);
    if (is_admin(node->type)) {
        qn_vec_push(&ledger->admin, node);
        node->admin_seq = ledger->admin.count;
    }
    if (node->is_understood)
        index_body(ledger, node, body);
    ledger->state->is_current = false;
}

/* ---- deciding ---- */

static enum qn_err add_genesis(struct qn_ledger *ledger, const struct qn_entry *entry,
                               bool *ret_is_new)
{
    static const struct qn_digest nothing = {0};
    if (ledger->nodes.count > 0 && !qn_digest_eq(&entry->hash, qn_ledger_group_id(ledger)))
        return QN_ERR_DENIED; /* another group */
    if (!entry->body.is_understood)
        return QN_ERR_UNSUPPORTED;
    const struct qn_public_key *key = &entry->body.genesis.keys.site;
    struct qn_site_id founder;
    qn_site_id_of(key, &founder);
    bool is_first = entry->epoch == 0 && entry->aseq == 1 && entry->ref.term == 1 &&
                    entry->ref.seq == 0 && qn_digest_eq(&entry->aprev, &nothing) &&
                    qn_digest_eq(&entry->ref.hash, &nothing);
    if (!is_first || !qn_site_id_eq(&founder, &entry->author))
        return QN_ERR_INVALID;
    QN_TRY(qn_entry_verify(entry, key));
    *ret_is_new = ledger->nodes.count == 0;
    if (*ret_is_new)
        append(ledger, chain_of(ledger, key), entry);
    return QN_OK;
}

/* The entry that stands at that place of the author's chain, or NULL. */
static const struct qn_node *at_same_place(const struct qn_chain *chain,
                                           const struct qn_entry *entry)
{
    return entry->aseq <= chain->nodes.count ? chain->nodes.items[entry->aseq - 1] : NULL;
}

/* The key that the entry says it is signed with. A RotateKey is signed with the one it brings. */
static const struct qn_public_key *key_of(const struct qn_chain *chain,
                                          const struct qn_entry *entry)
{
    const struct qn_body *body = &entry->body;
    if (entry->epoch < chain->keys.count)
        return &chain->keys.items[entry->epoch];
    bool is_next = entry->epoch == chain->keys.count && body->is_understood &&
                   body->type == QN_BODY_ROTATE_KEY;
    return is_next ? &body->rotate.key : NULL;
}

static enum qn_err add_statement(struct qn_ledger *ledger, struct qn_chain *chain,
                                 const struct qn_entry *entry, bool *ret_is_new)
{
    const struct qn_public_key *key = key_of(chain, entry);
    if (key == NULL) /* a rotation that is missing, or one of a newer form */
        return entry->body.type == QN_BODY_ROTATE_KEY && !entry->body.is_understood
                   ? QN_ERR_UNSUPPORTED
                   : QN_ERR_HELD;
    QN_TRY(qn_entry_verify(entry, key));
    const struct qn_node *there = at_same_place(chain, entry);
    if (there != NULL && qn_digest_eq(&there->hash, &entry->hash)) {
        *ret_is_new = false; /* the same statement, signed again */
        return QN_OK;
    }
    QN_TRY(qn_ledger_check(ledger, chain, entry));
    if (is_full(ledger, entry))
        return QN_ERR_LIMIT;
    append(ledger, chain, entry);
    *ret_is_new = true;
    return QN_OK;
}

enum qn_err qn_ledger_add(struct qn_ledger *ledger, struct qn_span bytes, bool *ret_is_new)
{
    struct qn_entry entry;
    QN_TRY(qn_entry_unpack(bytes, &entry));
    struct qn_chain *chain = qn_ledger_chain(ledger, &entry.author);
    const struct qn_node *there = chain == NULL ? NULL : at_same_place(chain, &entry);
    if (there != NULL && qn_span_eq(qn_span(there->bytes, there->size), bytes)) {
        *ret_is_new = false;
        return QN_OK;
    }
    if (entry.body.type == QN_BODY_GENESIS)
        return add_genesis(ledger, &entry, ret_is_new);
    if (ledger->nodes.count == 0)
        return QN_ERR_HELD;
    if (!qn_digest_eq(&entry.body.group, qn_ledger_group_id(ledger)))
        return QN_ERR_DENIED;
    if (chain == NULL)
        return QN_ERR_HELD;
    return add_statement(ledger, chain, &entry, ret_is_new);
}

size_t qn_ledger_count(const struct qn_ledger *ledger)
{
    return ledger->nodes.count;
}

struct qn_span qn_ledger_entry(const struct qn_ledger *ledger, size_t index)
{
    QN_ASSERT(index < ledger->nodes.count);
    const struct qn_node *node = ledger->nodes.items[index];
    return qn_span(node->bytes, node->size);
}

const struct qn_group *qn_ledger_group(const struct qn_ledger *ledger)
{
    if (ledger->nodes.count == 0)
        return NULL;
    if (!ledger->state->is_current) {
        qn_group_clear(&ledger->state->group);
        qn_ledger_fold(ledger, &ledger->state->group);
        ledger->state->is_current = true;
    }
    return &ledger->state->group;
}
