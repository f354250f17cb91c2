/* Which connections this site wants, by the rule of mesh.h and by who has business with whom; and
 * the end of those that neither end needs. */
#include "core/bulk.h"
#include "core/late.h"
#include "core/mesh.h"
#include "core/presence.h"

/* What the rule is asked about: the present members, in order of their ids. */
struct map {
    struct mesh_site *sites;
    size_t *orders[MESH_RINGS];
    bool *takes_part, *wanted;
    size_t count, self;
};

static void map_init(struct map *map, size_t sites_max)
{
    *map = (struct map){.sites = qn_alloc_zero((sites_max + 1) * sizeof(struct mesh_site)),
                        .takes_part = qn_alloc_zero(sites_max + 1),
                        .wanted = qn_alloc_zero(sites_max + 1)};
    for (size_t i = 0; i < MESH_RINGS; i++)
        map->orders[i] = qn_alloc_zero((sites_max + 1) * sizeof(size_t));
}

static void map_deinit(struct map *map)
{
    for (size_t i = 0; i < MESH_RINGS; i++)
        qn_free(map->orders[i]);
    qn_free(map->sites);
    qn_free(map->takes_part);
    qn_free(map->wanted);
}

static bool is_away(const struct peer *peer)
{
    return peer->session == NULL && peer->failures > 0;
}

static void map_sites(const struct qn_core *core, struct map *map)
{
    qn_vec_each (&qn_ledger_group(core->ledger)->sites, site) {
        const struct peer *peer = core_peer(core, &site->id);
        bool is_self = qn_site_id_eq(&site->id, &core->site);
        if (peer == NULL && !is_self)
            continue;
        if (is_self)
            map->self = map->count;
        map->sites[map->count++] =
            (struct mesh_site){.id = site->id,
                               .can_be_dialled = peer != NULL && peer_has_address(peer),
                               .is_away = peer != NULL && is_away(peer)};
    }
    for (enum mesh_ring ring = 0; ring < MESH_RINGS; ring++)
        mesh_order(map->sites, map->count, ring, map->orders[ring]);
}

static size_t count_wanted(const struct map *map)
{
    size_t count = 0;
    for (size_t i = 0; i < map->count; i++)
        count += map->wanted[i];
    return count;
}

/* The first ring of every collection, for each of them has to hold together; then the second ones,
 * as long as there are not many connections already. A collection of all sites has the rings of the
 * whole group, whose ledger travels on every connection. */
static void choose(const struct qn_core *core, struct map *map)
{
    for (enum mesh_ring ring = 0; ring < MESH_RINGS; ring++) {
        memset(map->takes_part, true, map->count);
        mesh_neighbours(map->sites, map->orders[ring], map->count, map->self, map->takes_part,
                        map->wanted);
        qn_vec_each (&core->colls, slot) {
            const struct qn_collection *c =
                qn_group_collection(qn_ledger_group(core->ledger), &(*slot)->id);
            bool is_apart = (*slot)->is_shared && c != NULL && !c->is_for_all;
            if (!is_apart || (ring > 0 && count_wanted(map) >= QN_MESH_WANTED_MAX))
                continue;
            for (size_t i = 0; i < map->count; i++)
                map->takes_part[i] = core_shares(core, *slot, &map->sites[i].id);
            mesh_neighbours(map->sites, map->orders[ring], map->count, map->self, map->takes_part,
                            map->wanted);
        }
    }
}

/* One of the two holds, or held, the other's vault. */
static bool is_partner(const struct qn_core *core, const struct peer *peer)
{
    qn_vec_each (&qn_ledger_group(core->ledger)->places, place) {
        const struct qn_site_id *other =
            qn_site_id_eq(&place->owner, &core->site) ? &place->holder : &place->owner;
        bool is_ours =
            qn_site_id_eq(&place->owner, &core->site) || qn_site_id_eq(&place->holder, &core->site);
        if (is_ours && place->state != QN_PLACE_PROPOSED && qn_site_id_eq(other, &peer->site))
            return true;
    }
    return false;
}

static void refresh(struct qn_core *core)
{
    struct map map;
    core->are_neighbours_stale = false;
    core->is_mesh = core_is_member(core) && core->peers.count >= QN_MESH_FULL_MAX;
    if (!core->is_mesh)
        return;
    map_init(&map, qn_ledger_group(core->ledger)->sites.count);
    map_sites(core, &map);
    choose(core, &map);
    for (size_t i = 0; i < map.count; i++) {
        struct peer *peer = core_peer(core, &map.sites[i].id);
        if (peer != NULL)
            peer->is_neighbour = map.wanted[i] || is_partner(core, peer);
    }
    map_deinit(&map);
}

static bool has_bulk_work(const struct bulk *bulk)
{
    return bulk->link != 0 || bulk->is_wanted || bulk->is_little_wanted || bulk->is_called;
}

bool peer_is_wanted(const struct qn_core *core, const struct peer *peer)
{
    return !core->is_mesh || peer->is_neighbour || peer->is_to_be_told ||
           has_bulk_work(peer->bulk) || verify_wants(core, &peer->site) ||
           presence_is_called(core, peer) || reach_wants(core, peer) || late_needs(peer);
}

bool neighbours_have_room(const struct qn_core *core, const struct peer *peer)
{
    size_t count = 0;
    qn_vec_each (&core->peers, slot)
        count += (*slot)->session != NULL;
    return count < QN_MESH_LINKS_MAX || peer_is_wanted(core, peer);
}

static bool is_idle(const struct session *session)
{
    if (session->catchup_size > 0 || session->merge_count > 0)
        return false;
    qn_vec_each (&session->shares, share)
        if ((*share)->inflight.count > 0 || (*share)->inbound.count > 0)
            return false;
    return true;
}

static void say_need(struct qn_core *core, struct peer *peer, bool is_needed)
{
    struct qn_buf *out = core_message(core, QN_MSG_NEED, 1);
    qn_pack_bool(out, is_needed);
    core_send(core, peer->session->link);
    peer->session->is_spare_here = !is_needed;
}

/* A while, so that nothing flaps: a site that comes back would otherwise end connections that are
 * made anew when it goes again. */
static void tick_spare(struct qn_core *core, struct peer *peer)
{
    struct session *session = peer->session;
    if (!session_is_spare(session)) {
        session->spare_ms = 0;
        return;
    }
    if (session->spare_ms == 0)
        session->spare_ms = core->now_ms + core_jitter(core, MESH_SPARE_MS);
    if (core->now_ms < session->spare_ms)
        core_wake(core, session->spare_ms);
    else if (is_idle(session))
        peer_hang_up(core, peer);
    else
        session->spare_ms = 0;
}

void neighbours_tick(struct qn_core *core)
{
    if (core->are_neighbours_stale)
        refresh(core);
    qn_vec_each (&core->peers, slot) {
        struct peer *peer = *slot;
        if (!peer_is_connected(peer))
            continue;
        bool is_needed = peer_is_wanted(core, peer);
        if (is_needed == peer->session->is_spare_here)
            say_need(core, peer, is_needed);
        tick_spare(core, peer);
    }
}
