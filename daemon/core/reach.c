/* What those who serve the folders of other sites ask: where a folder is, who asks for it, how its
 * site is connected to, also from there. In a large group there may be no connection: then one is
 * asked for through others (docs/protocol.md 4.7). */
#include "core/presence.h"

#define WEB_CALLS_MS  10000  /* in which one site is dialled */
#define WEB_CALLS_MAX 32     /* so often, whatever it asks for */
#define WEB_WANTED_MS 600000 /* a connection that was made for folders is kept so long */

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
    struct qn_reach reach = {.key = member->keys.site, .can_be_called = peer_is_online(peer)};
    reach.has_dialled = peer_is_connected(peer) && !peer->session->is_dialled;
    reach.is_far = reach.can_be_called && !peer_is_connected(peer);
    size_t known = peer->said.address_count > 0 ? peer->said.address_count : 1;
    while (reach.count < known && reach.count < QN_ADDRESSES_MAX &&
           peer_address(peer, peer->address_next + reach.count, reach.addresses[reach.count]))
        reach.count++;
    *ret_reach = reach;
    return reach.count > 0 || reach.can_be_called;
}

/* ---- calls: protocol.md 11.6 ---- */

bool reach_wants(const struct qn_core *core, const struct peer *peer)
{
    return peer->web_ms > core->now_ms;
}

/* Others tell it that it is called (PRESENCE), and then it dials; or it can be dialled after all.
 */
static void want(struct qn_core *core, struct peer *peer)
{
    peer->web_ms = core->now_ms + WEB_WANTED_MS;
    peer->web_calls += peer->web_calls < QN_WEB_LINES_MAX;
    core->is_presence_stale = true;
}

static void say_call(struct qn_core *core, const struct peer *peer)
{
    core_message(core, QN_MSG_WEB_CALL, 0);
    core_send(core, peer->session->link);
}

void reach_call(struct qn_core *core, const struct qn_public_key *key)
{
    const struct qn_site *site = member_of_key(core, key);
    struct peer *peer = site == NULL ? NULL : core_peer(core, &site->id);
    if (peer == NULL)
        return;
    if (peer->web_ms > 0) /* the connection is kept for as long as it is used */
        peer->web_ms = core->now_ms + WEB_WANTED_MS;
    if (peer_is_connected(peer))
        say_call(core, peer);
    else if (peer->is_reachable)
        want(core, peer);
}

void reach_up(struct qn_core *core, struct peer *peer)
{
    for (; peer->web_calls > 0; peer->web_calls--)
        say_call(core, peer);
}

void reach_tick(struct qn_core *core)
{
    qn_vec_each (&core->peers, slot) {
        struct peer *peer = *slot;
        if (peer->web_ms > core->now_ms) {
            core_wake(core, peer->web_ms);
        } else if (peer->web_ms > 0) {
            peer->web_ms = 0;
            peer->web_calls = 0;
            core->is_presence_stale = true;
        }
    }
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
