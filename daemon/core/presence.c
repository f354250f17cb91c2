#include "core/presence.h"

uint32_t presence_prefix(const struct qn_site_id *site)
{
    return qn_read_u32(site->bytes);
}

struct peer *presence_peer(const struct qn_core *core, uint32_t prefix)
{
    struct peer *found = NULL;
    qn_vec_each (&core->peers, slot) {
        if (presence_prefix(&(*slot)->site) != prefix)
            continue;
        if (found != NULL)
            return NULL; /* two begin alike: neither is meant */
        found = *slot;
    }
    return found;
}

void presence_free(struct presence *presence)
{
    qn_vec_free(&presence->links);
    qn_vec_free(&presence->calls);
}

static bool has(const site_prefixes *prefixes, uint32_t prefix)
{
    qn_vec_each (prefixes, it)
        if (*it == prefix)
            return true;
    return false;
}

/* ---- this site's own ---- */

bool peer_is_online(const struct peer *peer)
{
    return peer_is_connected(peer) || peer->is_reachable;
}

bool presence_is_called(const struct qn_core *core, const struct peer *peer)
{
    return has(&peer->presence.calls, presence_prefix(&core->site));
}

static bool is_same_list(const site_prefixes *a, const site_prefixes *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof(a->items[0])) == 0);
}

void presence_renew_stamp(struct qn_core *core)
{
    struct presence *own = &core->presence;
    own->stamp = own->stamp < core->wall_ms ? core->wall_ms : own->stamp + 1;
    own->seq = ++core->presence_seq;
}

void presence_take_lists(struct presence *presence, site_prefixes *take_links,
                         site_prefixes *take_calls)
{
    qn_vec_free(&presence->links);
    qn_vec_free(&presence->calls);
    presence->links = *take_links;
    presence->calls = *take_calls;
}

static void refresh_own(struct qn_core *core)
{
    site_prefixes links = {0}, calls = {0};
    qn_vec_each (&core->peers, slot) {
        uint32_t prefix = presence_prefix(&(*slot)->site);
        if (peer_is_connected(*slot) && links.count < QN_MESH_LINKS_MAX)
            qn_vec_push(&links, prefix);
        else if ((verify_wants(core, &(*slot)->site) || reach_wants(core, *slot)) &&
                 calls.count < QN_MESH_LINKS_MAX)
            qn_vec_push(&calls, prefix);
    }
    bool is_same =
        is_same_list(&links, &core->presence.links) && is_same_list(&calls, &core->presence.calls);
    presence_take_lists(&core->presence, &links, &calls);
    if (!is_same)
        presence_renew_stamp(core);
}

void presence_moved(struct qn_core *core, struct coll *coll)
{
    coll->state.seq = coll->newest_seq = ++core->presence_seq;
}

/* ---- who is reachable ---- */

struct search {
    struct peer **found;
    size_t count;
};

static void add_reachable(struct search *search, struct peer *peer)
{
    if (peer->is_reachable)
        return;
    peer->is_reachable = true;
    search->found[search->count++] = peer;
}

static void add_beyond(const struct qn_core *core, struct search *search, const struct peer *peer)
{
    qn_vec_each (&peer->presence.links, link) {
        struct peer *other = presence_peer(core, *link);
        if (other != NULL && has(&other->presence.links, presence_prefix(&peer->site)))
            add_reachable(search, other);
    }
}

static void search_all(const struct qn_core *core)
{
    QN_AUTO_FREE struct peer **found = qn_alloc((core->peers.count + 1) * sizeof(struct peer *));
    struct search search = {.found = found};
    qn_vec_each (&core->peers, peer)
        if (peer_is_connected(*peer))
            add_reachable(&search, *peer);
    for (size_t i = 0; i < search.count; i++)
        add_beyond(core, &search, search.found[i]);
}

static void refresh_reachable(struct qn_core *core)
{
    QN_AUTO_FREE bool *before = qn_alloc(core->peers.count + 1);
    for (size_t i = 0; i < core->peers.count; i++) {
        before[i] = core->peers.items[i]->is_reachable;
        core->peers.items[i]->is_reachable = false;
    }
    if (core->is_mesh)
        search_all(core);
    for (size_t i = 0; i < core->peers.count; i++) {
        struct peer *peer = core->peers.items[i];
        if (before[i] && !peer->is_reachable) {
            peer->contact_ms = core->wall_ms;
            peer->is_contact_dirty = true;
        }
    }
}

void presence_again(struct qn_core *core)
{
    qn_vec_each (&core->peers, peer) {
        if ((*peer)->session == NULL)
            continue;
        (*peer)->session->presence_seq = 0;
        qn_vec_each (&(*peer)->session->shares, share)
            (*share)->states_seq = 0;
    }
}

void presence_tick(struct qn_core *core)
{
    if (core->is_presence_stale) {
        core->is_presence_stale = false;
        refresh_own(core);
        refresh_reachable(core);
    }
    if (!core->is_mesh)
        return;
    qn_vec_each (&core->peers, peer)
        if (peer_is_connected(*peer))
            presence_tell(core, *peer);
}

bool presence_is_same(const struct coll_state *a, const struct coll_state *b)
{
    return a->total == b->total && memcmp(a->hash, b->hash, sizeof(a->hash)) == 0;
}

bool presence_is_equal(const struct coll *coll, const struct known *known)
{
    return known->state.total > 0 && presence_is_same(&known->state, &coll->state);
}

uint64_t presence_behind(const struct coll *coll, const struct known *known)
{
    const struct coll_state *theirs = &known->state, *ours = &coll->state;
    if (theirs->total == 0)
        return UINT64_MAX;
    if (presence_is_same(theirs, ours) || theirs->total > ours->total)
        return 0;
    return theirs->total == ours->total ? 1 : ours->total - theirs->total;
}
