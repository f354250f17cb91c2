#include "base/search.h"
#include "model/ledger.h"

static int order_of_site(const void *item, const void *id)
{
    const struct qn_site *site = item;
    return qn_site_id_cmp(&site->id, id);
}

const struct qn_site *qn_group_site(const struct qn_group *group, const struct qn_site_id *id)
{
    bool is_there;
    size_t at = qn_vec_search(&group->sites, id, order_of_site, &is_there);
    return is_there ? &group->sites.items[at] : NULL;
}

/* A member before a withdrawn site of the same name. */
const struct qn_site *qn_group_site_named(const struct qn_group *group, struct qn_span name)
{
    const struct qn_site *withdrawn = NULL;
    qn_vec_each (&group->sites, site) {
        if (!qn_span_eq_str(name, site->name))
            continue;
        if (site->state == QN_SITE_MEMBER)
            return site;
        if (withdrawn == NULL)
            withdrawn = site;
    }
    return withdrawn;
}

const struct qn_site *qn_group_site_by_key(const struct qn_group *group,
                                           const struct qn_public_key *key)
{
    qn_vec_each (&group->sites, site) {
        if (qn_public_key_eq(&site->keys.site, key))
            return site;
    }
    return NULL;
}

const struct qn_site *qn_group_site_by_prefix(const struct qn_group *group,
                                              const uint8_t prefix[QN_ACTOR_PREFIX_SIZE])
{
    qn_vec_each (&group->sites, site) {
        if (memcmp(site->id.bytes, prefix, QN_ACTOR_PREFIX_SIZE) == 0)
            return site;
    }
    return NULL;
}

static int order_of_collection(const void *item, const void *id)
{
    const struct qn_collection *collection = item;
    return memcmp(collection->id.bytes, id, QN_COLL_ID_SIZE);
}

const struct qn_collection *qn_group_collection(const struct qn_group *group,
                                                const struct qn_coll_id *id)
{
    bool is_there;
    size_t at = qn_vec_search(&group->collections, id, order_of_collection, &is_there);
    return is_there ? &group->collections.items[at] : NULL;
}

bool qn_group_shares(const struct qn_group *group, const struct qn_collection *collection,
                     const struct qn_site_id *site)
{
    const struct qn_site *found = qn_group_site(group, site);
    if (found == NULL || found->state != QN_SITE_MEMBER)
        return false;
    if (collection->is_for_all)
        return true;
    qn_vec_each (&collection->members, member) {
        if (qn_site_id_eq(member, site))
            return true;
    }
    return false;
}

bool qn_group_keeps(const struct qn_group *group, const struct qn_collection *collection,
                    const struct qn_site_id *site)
{
    const struct qn_site *found = qn_group_site(group, site);
    if (found == NULL || found->state == QN_SITE_MEMBER)
        return false;
    if (collection->is_for_all)
        return true;
    qn_vec_each (&collection->left, left) {
        if (qn_site_id_eq(left, site))
            return true;
    }
    return false;
}

const struct qn_invite *qn_group_invite(const struct qn_group *group,
                                        const struct qn_public_key *key)
{
    qn_vec_each (&group->invites, invite) {
        if (qn_public_key_eq(&invite->key, key))
            return invite;
    }
    return NULL;
}

bool qn_invite_is_open(const struct qn_invite *invite, uint64_t wall_ms)
{
    return !invite->is_revoked && !invite->is_used && wall_ms <= invite->expiry_ms;
}
