/* What those who serve the folders of other sites ask: where a folder is, who asks for it, how its
 * site is connected to. */
#include "core/presence.h"

static const struct qn_site *present(const struct qn_site *site)
{
    return site != NULL && site->state == QN_SITE_MEMBER ? site : NULL;
}

bool qn_core_folder_home(const struct qn_core *core, struct qn_span name,
                         struct qn_folder_home *ret_home)
{
    const struct coll *coll = core_coll_named(core, name);
    const struct qn_group *group = qn_ledger_group(core->ledger);
    if (coll == NULL || !coll->info.is_folder || group == NULL)
        return false;
    const struct qn_site *home = present(qn_group_site(group, &coll->info.home));
    const struct peer *peer = home == NULL ? NULL : core_peer(core, &home->id);
    *ret_home = (struct qn_folder_home){
        .site = home == NULL ? "" : home->name,
        .is_here = qn_site_id_eq(&coll->info.home, &core->site),
        .is_online = peer != NULL && peer_is_online(peer),
    };
    return true;
}

static const struct qn_site *member_of_key(const struct qn_core *core,
                                           const struct qn_public_key *key)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    return group == NULL ? NULL : present(qn_group_site_by_key(group, key));
}

const char *qn_core_member_of_key(const struct qn_core *core, const struct qn_public_key *key)
{
    const struct qn_site *site = member_of_key(core, key);
    return site == NULL ? NULL : site->name;
}

bool qn_core_key_shares(const struct qn_core *core, const struct qn_public_key *key,
                        struct qn_span name)
{
    const struct qn_site *site = member_of_key(core, key);
    const struct coll *coll = core_coll_named(core, name);
    return site != NULL && coll != NULL && core_shares(core, coll, &site->id);
}

size_t qn_core_reach(const struct qn_core *core, struct qn_span site, struct qn_public_key *ret_key,
                     char (*ret_addresses)[QN_ADDRESS_SIZE_MAX + 1], size_t max)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *member = group == NULL ? NULL : present(qn_group_site_named(group, site));
    const struct peer *peer = member == NULL ? NULL : core_peer(core, &member->id);
    if (peer == NULL)
        return 0;
    size_t known = peer->said.address_count > 0 ? peer->said.address_count : 1, count = 0;
    while (count < known && count < max &&
           peer_address(peer, peer->address_next + count, ret_addresses[count]))
        count++;
    *ret_key = member->keys.site;
    return count;
}
