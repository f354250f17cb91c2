/* What those who serve the folders of other sites ask: where a folder is, who asks for it, how its
 * site is connected to, also from there. */
#include "core/presence.h"

#define WEB_CALLS_MS  10000 /* in which one site is dialled */
#define WEB_CALLS_MAX 32    /* so often, whatever it asks for */

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

bool qn_core_reach(const struct qn_core *core, struct qn_span site, struct qn_reach *ret_reach)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *member = group == NULL ? NULL : present(qn_group_site_named(group, site));
    const struct peer *peer = member == NULL ? NULL : core_peer(core, &member->id);
    if (peer == NULL)
        return false;
    struct qn_reach reach = {.key = member->keys.site, .can_be_called = peer_is_connected(peer)};
    reach.has_dialled = reach.can_be_called && !peer->session->is_dialled;
    size_t known = peer->said.address_count > 0 ? peer->said.address_count : 1;
    while (reach.count < known && reach.count < QN_ADDRESSES_MAX &&
           peer_address(peer, peer->address_next + reach.count, reach.addresses[reach.count]))
        reach.count++;
    *ret_reach = reach;
    return reach.count > 0 || reach.can_be_called;
}

/* ---- calls: protocol.md 11.6 ---- */

void reach_call(struct qn_core *core, const struct qn_public_key *key)
{
    const struct qn_site *site = member_of_key(core, key);
    const struct peer *peer = site == NULL ? NULL : core_peer(core, &site->id);
    if (!peer_is_connected(peer))
        return;
    core_message(core, QN_MSG_WEB_CALL, 0);
    core_send(core, peer->session->link);
}

static bool has_folder_for(const struct qn_core *core, const struct peer *peer)
{
    qn_vec_each (&core->colls, slot)
        if ((*slot)->is_shared && (*slot)->info.is_folder &&
            qn_site_id_eq(&(*slot)->info.home, &core->site) &&
            core_shares(core, *slot, &peer->site))
            return true;
    return false;
}

/* Each costs a handshake here, and there only a message. */
static bool calls_too_often(const struct qn_core *core, struct peer *peer)
{
    if (core->now_ms >= peer->calls_ms + WEB_CALLS_MS) {
        peer->calls_ms = core->now_ms;
        peer->calls = 0;
    }
    return ++peer->calls > WEB_CALLS_MAX;
}

void reach_called(struct qn_core *core, struct peer *peer)
{
    if (has_folder_for(core, peer) && !calls_too_often(core, peer))
        core_called(core, &peer->key);
}
