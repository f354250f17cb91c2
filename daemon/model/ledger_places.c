/* Who holds whose vault: the fold of Place and PlaceAccept (docs/ledger.md, "Places"), and
 * questions to it. */
#include "base/assert.h"
#include "base/search.h"
#include "model/ledger_seats.h"

struct pair {
    const struct qn_site_id *owner, *holder;
};

static int order_of_place(const void *item, const void *key)
{
    const struct qn_place *place = item;
    const struct pair *pair = key;
    int order = qn_site_id_cmp(&place->owner, pair->owner);
    return order != 0 ? order : qn_site_id_cmp(&place->holder, pair->holder);
}

static struct qn_place *find(const struct qn_group *group, const struct qn_site_id *owner,
                             const struct qn_site_id *holder)
{
    struct pair pair = {.owner = owner, .holder = holder};
    bool is_there;
    size_t at = qn_vec_search(&group->places, &pair, order_of_place, &is_there);
    return is_there ? &group->places.items[at] : NULL;
}

static struct qn_place *place_of(struct qn_group *group, const struct qn_site_id *owner,
                                 const struct qn_site_id *holder)
{
    struct pair pair = {.owner = owner, .holder = holder};
    bool is_there;
    size_t at = qn_vec_search(&group->places, &pair, order_of_place, &is_there);
    if (is_there)
        return &group->places.items[at];
    struct qn_place *place = qn_vec_insert_slot(&group->places, at);
    *place = (struct qn_place){.owner = *owner, .holder = *holder};
    return place;
}

static void take_back(struct qn_place *place, const struct qn_node *node)
{
    place->asked_quota_bytes = 0;
    place->is_pending = false;
    place->ended_aseq = node->aseq;
}

static void propose(struct qn_group *group, const struct qn_node *node)
{
    struct qn_body body;
    QN_ASSERT(qn_body_unpack(qn_node_body(node), &body) == QN_OK);
    struct qn_place *place = place_of(group, &node->author->id, &body.place.holder);
    place->proposal = node->hash;
    place->is_pending = true;
    place->asked_quota_bytes = body.place.quota_bytes;
    place->asked_lock_days = (uint32_t)body.place.lock_days;
    place->agreement_until_ms = body.place.agreement_until_ms;
    memset(place->agreement, 0, sizeof(place->agreement));
    if (body.place.agreement.size > 0)
        memcpy(place->agreement, body.place.agreement.data, body.place.agreement.size);
    if (body.place.quota_bytes == 0)
        take_back(place, node);
}

static void take_back_all(struct qn_group *group, const struct qn_node *withdrawal)
{
    qn_vec_each (&group->places, place) {
        if (qn_site_id_eq(&place->owner, &withdrawal->author->id))
            take_back(place, withdrawal);
    }
}

/* The owner's part: its last Place for each holder. After its Withdraw it asks for nothing. */
static void fold_owner(struct qn_fold *fold, const struct qn_chain *chain)
{
    qn_vec_each (&chain->nodes, node) {
        if (!qn_seats_counts(&fold->seats, *node))
            continue;
        if ((*node)->type == QN_BODY_PLACE)
            propose(fold->group, *node);
        if ((*node)->type == QN_BODY_WITHDRAW && !qn_withdraw_is_void(*node))
            take_back_all(fold->group, *node);
    }
}

/* The holder's last answer stands, to whichever of the owner's Places it is, but for those that the
 * owner took back since. */
static void answer(struct qn_place *place, const struct qn_node *asked,
                   const struct qn_body_place_accept *accept)
{
    if (asked->aseq < place->ended_aseq)
        return;
    if (accept->quota_bytes == 0) {
        place->state = QN_PLACE_ENDED;
    } else {
        place->state = QN_PLACE_ACCEPTED;
        place->quota_bytes = accept->quota_bytes;
        place->lock_days = (uint32_t)accept->lock_days;
    }
    if (qn_digest_eq(&accept->place, &place->proposal))
        place->is_pending = false;
}

static void fold_answer(struct qn_fold *fold, const struct qn_node *node)
{
    const struct qn_node *asked = node->target;
    struct qn_place *place = find(fold->group, &asked->author->id, &node->author->id);
    if (place == NULL || !qn_seats_counts(&fold->seats, asked))
        return;
    struct qn_body body;
    QN_ASSERT(qn_body_unpack(qn_node_body(node), &body) == QN_OK);
    answer(place, asked, &body.accept);
}

static void end_all(struct qn_group *group, const struct qn_site_id *holder)
{
    qn_vec_each (&group->places, place) {
        if (qn_site_id_eq(&place->holder, holder) && place->state == QN_PLACE_ACCEPTED)
            place->state = QN_PLACE_ENDED;
    }
}

/* The holder's part, when all owners have spoken. */
static void fold_holder(struct qn_fold *fold, const struct qn_chain *chain)
{
    qn_vec_each (&chain->nodes, node) {
        if (!qn_seats_counts(&fold->seats, *node))
            continue;
        if ((*node)->type == QN_BODY_WITHDRAW && !qn_withdraw_is_void(*node))
            end_all(fold->group, &chain->id);
        if ((*node)->type == QN_BODY_PLACE_ACCEPT)
            fold_answer(fold, *node);
    }
}

static bool is_member(const struct qn_group *group, const struct qn_site_id *id)
{
    const struct qn_site *site = qn_group_site(group, id);
    return site != NULL && site->state == QN_SITE_MEMBER;
}

/* What either of them took back, or what one of them left behind by going. */
static void settle(const struct qn_group *group, struct qn_place *place)
{
    bool is_wanted = place->asked_quota_bytes > 0 && is_member(group, &place->owner) &&
                     is_member(group, &place->holder);
    if (!is_wanted) {
        place->state = QN_PLACE_ENDED;
        place->is_pending = false;
    }
    if (place->state == QN_PLACE_ENDED && place->is_pending)
        place->state = QN_PLACE_PROPOSED;
    if (place->state != QN_PLACE_ACCEPTED)
        place->quota_bytes = place->lock_days = 0;
}

void qn_fold_places(struct qn_fold *fold)
{
    qn_vec_each (&fold->ledger->chains, chain)
        fold_owner(fold, *chain);
    qn_vec_each (&fold->ledger->chains, chain)
        fold_holder(fold, *chain);
    qn_vec_each (&fold->group->places, place)
        settle(fold->group, place);
}

const struct qn_place *qn_group_place(const struct qn_group *group, const struct qn_site_id *owner,
                                      const struct qn_site_id *holder)
{
    return find(group, owner, holder);
}

bool qn_group_may_hold(const struct qn_group *group, const struct qn_site_id *owner,
                       const struct qn_site_id *holder)
{
    const struct qn_site *a = qn_group_site(group, owner), *b = qn_group_site(group, holder);
    if (a == NULL || b == NULL || a == b)
        return false;
    if (a->state != QN_SITE_MEMBER || b->state != QN_SITE_MEMBER)
        return false;
    return a->legal_entity[0] == 0 || b->legal_entity[0] == 0 ||
           strcmp(a->legal_entity, b->legal_entity) == 0;
}
