#include "model/ledger_fold.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/text.h"
#include "model/ledger_seats.h"

/* What was added was checked, so it reads. */
static struct qn_body body_of(const struct qn_node *node)
{
    struct qn_body body;
    QN_ASSERT(qn_body_unpack(qn_node_body(node), &body) == QN_OK);
    return body;
}

static void set_text(char *out, size_t size, struct qn_span text)
{
    QN_ASSERT(text.size < size);
    if (text.size > 0)
        memcpy(out, text.data, text.size);
    out[text.size] = 0;
}

#define SET_TEXT(out, text) set_text((out), sizeof(out), (text))

static void fold_head(struct qn_fold *fold)
{
    const struct qn_node *genesis = fold->ledger->nodes.items[0];
    struct qn_body body = body_of(genesis);
    fold->group->id = genesis->hash;
    fold->group->term = 1;
    fold->group->admin = genesis->author->id;
    SET_TEXT(fold->group->name, body.genesis.group_name);
    qn_vec_each (&fold->ledger->nodes, node)
        fold->group->needs_upgrade |= (*node)->is_stopped;
}

/* ---- sites ---- */

static void fill_site(struct qn_site *site, const struct qn_node *admission)
{
    struct qn_body body = body_of(admission);
    bool is_founder = body.type == QN_BODY_GENESIS;
    SET_TEXT(site->name, is_founder ? body.genesis.site_name : body.admit.name);
    SET_TEXT(site->legal_entity, is_founder ? body.genesis.legal_entity : body.admit.legal_entity);
    site->admission = admission->hash;
}

/* Whose recovery keys count: the first admission's. A RotateKey may have named a later one, which
 * is as good if its keys are the same; or one of a thief. */
static const struct qn_node *recovery_of(const struct qn_chain *chain, const struct qn_node *root)
{
    struct qn_site_keys first, named;
    if (chain->pinned == NULL)
        return root;
    if (qn_admission_cmp(chain->pinned, root) <= 0)
        return chain->pinned;
    qn_node_keys(root, &first);
    qn_node_keys(chain->pinned, &named);
    bool is_same = qn_public_key_eq(&first.recovery_sign, &named.recovery_sign) &&
                   qn_public_key_eq(&first.recovery_seal, &named.recovery_seal);
    return is_same ? chain->pinned : root;
}

/* The site's key follows the chain alone, as the signatures of its next entries do. */
static void fill_keys(struct qn_site *site, const struct qn_chain *chain,
                      const struct qn_node *root)
{
    const struct qn_node *counts = recovery_of(chain, root);
    qn_node_keys(counts, &site->keys);
    site->recovery_admission = counts->hash;
    site->keys.site = *qn_chain_key(chain);
    qn_vec_each (&chain->keys, key)
        qn_vec_push(&site->epochs, *key);
}

/* The last word of the site about itself; a Withdraw takes it back. */
static void describe(const struct qn_fold *fold, const struct qn_chain *chain, struct qn_site *site)
{
    const struct qn_node *last = NULL;
    qn_vec_each (&chain->nodes, node) {
        if (!qn_seats_counts(&fold->seats, *node))
            continue;
        if ((*node)->type == QN_BODY_DESCRIBE)
            last = *node;
        else if ((*node)->type == QN_BODY_WITHDRAW && !qn_withdraw_is_void(*node))
            last = NULL;
    }
    if (last != NULL)
        SET_TEXT(site->legal_entity, body_of(last).legal_entity);
}

static void list_memberships(struct qn_site *site, const struct qn_seat *seat)
{
    qn_vec_each (&seat->memberships, membership)
        if (membership->is_valid && membership->ended_aseq == QN_NEVER)
            qn_vec_push(&site->memberships, membership->admission->hash);
}

static void fold_sites(struct qn_fold *fold)
{
    for (size_t i = 0; i < fold->seats.count; i++) {
        const struct qn_seat *seat = &fold->seats.items[i];
        if (seat->last == NULL)
            continue;
        const struct qn_chain *chain = fold->ledger->chains.items[i];
        struct qn_site *site = qn_vec_push_slot(&fold->group->sites);
        *site = (struct qn_site){.id = chain->id};
        site->state = qn_seat_is_present(seat) ? QN_SITE_MEMBER : QN_SITE_WITHDRAWN;
        fill_site(site, seat->last->admission);
        list_memberships(site, seat);
        fill_keys(site, chain, seat->root);
        describe(fold, chain, site);
    }
}

/* ---- names: unique among members (docs/ledger.md, "Names") ---- */

#define SUFFIX_STEP 7  /* letters of an identity's group */
#define SUFFIX_MAX  52 /* letters of a whole identity */

struct claim {
    const struct qn_node *admission;
    struct qn_site *site;
};

static int compare_claims(const void *a, const void *b)
{
    const struct claim *first = a, *second = b;
    return qn_node_cmp(first->admission, second->admission);
}

static bool is_taken(const struct claim *claims, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(claims[i].site->name, name) == 0)
            return true;
    return false;
}

/* The name, cut at a letter if it must be, with so many letters of the identity behind it. */
static void name_with_suffix(const struct qn_site *site, const char *wanted, size_t letters,
                             char ret_name[QN_NAME_SIZE_MAX + 1])
{
    QN_AUTO_BUF struct qn_buf identity;
    qn_buf_init(&identity, SUFFIX_MAX);
    qn_text_append_base32(&identity, QN_SPAN_OF(site->id.bytes), 0);
    size_t room = QN_NAME_SIZE_MAX - 1 - letters;
    size_t size = strlen(wanted);
    if (size > room)
        size = room;
    while (size > 0 && ((uint8_t)wanted[size] & 0xc0) == 0x80)
        size--;
    memcpy(ret_name, wanted, size);
    ret_name[size++] = '-';
    memcpy(ret_name + size, identity.data, letters);
    ret_name[size + letters] = 0;
}

static void settle_name(struct claim *claims, size_t index)
{
    struct qn_site *site = claims[index].site;
    char wanted[sizeof(site->name)];
    memcpy(wanted, site->name, sizeof(wanted));
    for (size_t letters = SUFFIX_STEP; is_taken(claims, index, site->name);
         letters += SUFFIX_STEP) {
        if (letters > SUFFIX_MAX)
            return; /* two equal identities: there are none */
        name_with_suffix(site, wanted, letters, site->name);
    }
}

static void fold_names(struct qn_fold *fold)
{
    struct claim *claims = qn_alloc(fold->group->sites.count * sizeof(claims[0]));
    size_t count = 0;
    qn_vec_each (&fold->group->sites, site) {
        const struct qn_chain *chain = qn_ledger_chain(fold->ledger, &site->id);
        if (site->state == QN_SITE_MEMBER)
            claims[count++] = (struct claim){
                .admission = fold->seats.items[chain->index].last->admission, .site = site};
    }
    qsort(claims, count, sizeof(claims[0]), compare_claims);
    for (size_t i = 1; i < count; i++)
        settle_name(claims, i);
    qn_free(claims);
}

/* ---- invites ---- */

static void fold_invites(struct qn_fold *fold)
{
    qn_vec_each (&fold->ledger->admin, node) {
        const struct qn_invite_slot *slot = (*node)->invite;
        if ((*node)->type != QN_BODY_INVITE || slot == NULL || (*node)->is_stopped)
            continue;
        struct qn_invite *invite = qn_vec_push_slot(&fold->group->invites);
        *invite = (struct qn_invite){.key = slot->key, .expiry_ms = slot->expiry_ms};
        SET_TEXT(invite->label, body_of(*node).invite.label);
        invite->is_revoked = slot->revoked != NULL && !slot->revoked->is_stopped;
        const struct qn_node *winner = qn_invite_winner(slot);
        invite->is_used = winner != NULL;
        if (winner != NULL)
            invite->used_by = winner->subject->id;
    }
}

/* ---- collections ---- */

static const struct qn_node *creation_of(const struct qn_fold *fold,
                                         const struct qn_coll_slot *slot)
{
    const struct qn_node *creation = NULL;
    qn_vec_each (&slot->acts, act) {
        bool is_candidate =
            (*act)->type == QN_BODY_CREATE_COLLECTION && qn_seats_counts(&fold->seats, *act);
        if (is_candidate && (creation == NULL ||
                             memcmp((*act)->hash.bytes, creation->hash.bytes, QN_DIGEST_SIZE) < 0))
            creation = *act;
    }
    return creation;
}

/* By qn_chain.index: who was granted access and not ungranted since. Sites that nobody admitted
 * are passed over. */
static void grant(const struct qn_fold *fold, const struct qn_site_id *id, bool is_granted,
                  bool *granted)
{
    const struct qn_chain *chain = qn_ledger_chain(fold->ledger, id);
    if (chain != NULL)
        granted[chain->index] = is_granted;
}

static void grant_first(const struct qn_fold *fold, const struct qn_node *creation, bool *granted,
                        bool *ret_is_for_all)
{
    struct qn_body body = body_of(creation);
    *ret_is_for_all = body.create.is_for_all;
    for (size_t i = 0; i < body.create.count; i++) {
        struct qn_site_id id;
        qn_body_member(&body.create, i, &id);
        grant(fold, &id, true, granted);
    }
}

static void act_on(const struct qn_fold *fold, const struct qn_node *act,
                   struct qn_collection *collection, bool *granted)
{
    if (act->type == QN_BODY_CLOSE_COLLECTION) {
        collection->is_closed = true;
        return;
    }
    if (act->type != QN_BODY_GRANT && act->type != QN_BODY_UNGRANT)
        return;
    struct qn_body body = body_of(act);
    grant(fold, &body.grant.site, act->type == QN_BODY_GRANT, granted);
}

static void list_members(const struct qn_fold *fold, struct qn_collection *collection,
                         const bool *granted)
{
    for (size_t i = 0; i < fold->seats.count; i++) {
        const struct qn_site_id *id = &fold->ledger->chains.items[i]->id;
        bool is_member = granted[i] || qn_site_id_eq(id, &collection->creator);
        if (is_member && qn_seat_is_present(&fold->seats.items[i]))
            qn_vec_push(&collection->members, *id);
        else if (is_member)
            qn_vec_push(&collection->left, *id);
    }
}

static void fold_collection(struct qn_fold *fold, const struct qn_coll_slot *slot, bool *granted)
{
    const struct qn_node *creation = creation_of(fold, slot);
    if (creation == NULL)
        return;
    struct qn_collection *collection = qn_vec_push_slot(&fold->group->collections);
    *collection = (struct qn_collection){.id = slot->id, .creator = creation->author->id};
    memset(granted, 0, fold->seats.count * sizeof(granted[0]));
    grant_first(fold, creation, granted, &collection->is_for_all);
    qn_vec_each (&slot->acts, act) {
        if ((*act)->author == creation->author && qn_seats_counts(&fold->seats, *act))
            act_on(fold, *act, collection, granted);
    }
    if (!collection->is_for_all)
        list_members(fold, collection, granted);
}

static void fold_collections(struct qn_fold *fold)
{
    bool *granted = qn_alloc(fold->seats.count * sizeof(granted[0]));
    qn_vec_each (&fold->ledger->colls, slot)
        fold_collection(fold, *slot, granted);
    qn_free(granted);
}

void qn_ledger_fold(const struct qn_ledger *ledger, struct qn_group *ret_group)
{
    struct qn_fold fold = {.ledger = ledger, .group = ret_group};
    qn_seats_init(&fold.seats, ledger);
    fold_head(&fold);
    fold_sites(&fold);
    fold_names(&fold);
    fold_invites(&fold);
    fold_collections(&fold);
    qn_fold_places(&fold);
    qn_fold_reports(&fold);
    qn_seats_deinit(&fold.seats);
}

void qn_group_clear(struct qn_group *group)
{
    qn_vec_each (&group->collections, collection)
        qn_vec_free(&collection->members), qn_vec_free(&collection->left);
    qn_vec_each (&group->sites, site)
        qn_vec_free(&site->epochs), qn_vec_free(&site->memberships);
    qn_vec_free(&group->sites);
    qn_vec_free(&group->collections);
    qn_vec_free(&group->invites);
    qn_vec_free(&group->places);
    qn_vec_free(&group->reports);
    *group = (struct qn_group){0};
}
