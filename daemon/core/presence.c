/* Who is there and how far each site has each collection, also where no connection leads
 * (docs/protocol.md 4.7). Each site says whom it is connected to and what it has; what is new is
 * passed on. All of it is hearsay: it is shown to people, and nothing is done by it.
 *
 * A site is reachable if connections lead there of which both ends speak. So one that fell silent
 * is noticed as soon as its neighbours say so, and nobody has to say again and again that he is
 * there.
 */
#include "core/state.h"

#define GATHER_MS   300  /* what changes together is told together */
#define SPREAD_MS   2000 /* and then no more for a while */
#define STAMP_MAX   (UINT64_MAX / 2)
#define SIZE_WISH   (128 * 1024)
#define PREFIX      4 /* bytes of a site's id */
#define GROUPS_MAX  QN_SITES_MAX
#define SITE_FIELDS 4

static uint32_t prefix_of(const struct qn_site_id *site)
{
    return qn_read_u32(site->bytes);
}

static struct peer *peer_by_prefix(const struct qn_core *core, uint32_t prefix)
{
    struct peer *found = NULL;
    qn_vec_each (&core->peers, slot) {
        if (prefix_of(&(*slot)->site) != prefix)
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
    return has(&peer->presence.calls, prefix_of(&core->site));
}

static bool is_same_list(const site_prefixes *a, const site_prefixes *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof(a->items[0])) == 0);
}

static void renew_stamp(struct qn_core *core)
{
    struct presence *own = &core->presence;
    own->stamp = own->stamp < core->wall_ms ? core->wall_ms : own->stamp + 1;
    own->seq = ++core->presence_seq;
}

static void take_lists(struct presence *presence, site_prefixes *take_links,
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
        uint32_t prefix = prefix_of(&(*slot)->site);
        if (peer_is_connected(*slot) && links.count < QN_MESH_LINKS_MAX)
            qn_vec_push(&links, prefix);
        else if (verify_wants(core, &(*slot)->site) && calls.count < QN_MESH_LINKS_MAX)
            qn_vec_push(&calls, prefix);
    }
    bool is_same =
        is_same_list(&links, &core->presence.links) && is_same_list(&calls, &core->presence.calls);
    take_lists(&core->presence, &links, &calls);
    if (!is_same)
        renew_stamp(core);
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
        struct peer *other = peer_by_prefix(core, *link);
        if (other != NULL && has(&other->presence.links, prefix_of(&peer->site)))
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

/* ---- telling ---- */

static bool is_new_to(const struct session *session, uint64_t told, uint64_t seq, qn_link source)
{
    return seq > told && source != session->link;
}

static void pack_list(const site_prefixes *list, struct qn_buf *out)
{
    uint8_t bytes[PREFIX * QN_MESH_LINKS_MAX];
    for (size_t i = 0; i < list->count; i++)
        qn_write_u32(bytes + PREFIX * i, list->items[i]);
    qn_pack_bin(out, qn_span(bytes, PREFIX * list->count));
}

static void pack_presence(const struct qn_site_id *site, const struct presence *presence,
                          struct qn_buf *out)
{
    qn_pack_bin(out, qn_span(site->bytes, PREFIX));
    qn_pack_u64(out, presence->stamp);
    pack_list(&presence->links, out);
    pack_list(&presence->calls, out);
}

static size_t pack_sites(const struct qn_core *core, const struct peer *to, struct qn_buf *out)
{
    const struct session *session = to->session;
    size_t count = 0;
    if (core->presence.seq > session->presence_seq) {
        pack_presence(&core->site, &core->presence, out);
        count++;
    }
    qn_vec_each (&core->peers, slot) {
        const struct presence *presence = &(*slot)->presence;
        if (*slot == to ||
            !is_new_to(session, session->presence_seq, presence->seq, presence->source))
            continue;
        pack_presence(&(*slot)->site, presence, out);
        count++;
    }
    return count;
}

/* Sites that have the same of a collection: most of them, at most times. */
struct group {
    const struct coll_state *state;
    size_t count;
    uint8_t sites[PREFIX * QN_SITES_MAX];
};

struct groups {
    QN_VEC(struct group) list;
};

static bool is_same(const struct coll_state *a, const struct coll_state *b)
{
    return a->total == b->total && memcmp(a->hash, b->hash, sizeof(a->hash)) == 0;
}

static void add_state(struct groups *groups, const struct coll_state *state,
                      const struct qn_site_id *site)
{
    struct group *group = NULL;
    qn_vec_each (&groups->list, it)
        if (is_same(it->state, state) && it->count < QN_SITES_MAX)
            group = it;
    if (group == NULL) {
        if (groups->list.count >= GROUPS_MAX)
            return;
        group = qn_vec_push_slot(&groups->list);
        group->state = state;
        group->count = 0;
    }
    memcpy(group->sites + PREFIX * group->count++, site->bytes, PREFIX);
}

static bool pack_states(const struct qn_core *core, const struct peer *to,
                        const struct share *share, struct qn_buf *out)
{
    const struct coll *coll = share->coll;
    struct groups groups = {0};
    if (coll->state.seq > share->states_seq)
        add_state(&groups, &coll->state, &core->site);
    qn_vec_each (&coll->known, slot) {
        const struct coll_state *state = &(*slot)->state;
        if (!qn_site_id_eq(&(*slot)->site, &to->site) &&
            is_new_to(to->session, share->states_seq, state->seq, state->source) &&
            core_shares(core, coll, &(*slot)->site))
            add_state(&groups, state, &(*slot)->site);
    }
    bool has_some = groups.list.count > 0;
    if (has_some) {
        qn_pack_bin(out, qn_span(coll->id.bytes, 4));
        qn_pack_array(out, 3 * groups.list.count);
    }
    qn_vec_each (&groups.list, group) {
        qn_pack_bin(out, QN_SPAN_OF(group->state->hash));
        qn_pack_u64(out, group->state->total);
        qn_pack_bin(out, qn_span(group->sites, PREFIX * group->count));
    }
    qn_vec_free(&groups.list);
    return has_some;
}

/* What does not fit this time stays new. */
static size_t pack_colls(struct qn_core *core, struct peer *to, struct qn_buf *out,
                         bool *ret_is_all)
{
    size_t count = 0;
    *ret_is_all = true;
    qn_vec_each (&to->session->shares, slot) {
        struct share *share = *slot;
        if (share->coll->newest_seq <= share->states_seq)
            continue;
        if (out->size > SIZE_WISH) {
            *ret_is_all = false;
            break;
        }
        count += pack_states(core, to, share, out);
        share->states_seq = core->presence_seq;
    }
    return count;
}

static void say(struct qn_core *core, struct peer *peer)
{
    struct session *session = peer->session;
    QN_AUTO_BUF struct qn_buf sites, colls;
    bool is_all;
    qn_buf_init(&sites, QN_FRAME_SIZE_MAX);
    qn_buf_init(&colls, QN_FRAME_SIZE_MAX);
    size_t site_count = pack_sites(core, peer, &sites);
    size_t coll_count = pack_colls(core, peer, &colls, &is_all);
    if (is_all)
        session->presence_seq = core->presence_seq;
    session->presence_ms = 0;
    if (site_count + coll_count == 0)
        return;
    struct qn_buf *out = core_message(core, QN_MSG_PRESENCE, 2);
    qn_pack_array(out, SITE_FIELDS * site_count);
    qn_pack_raw(out, qn_buf_view(&sites));
    qn_pack_array(out, 2 * coll_count);
    qn_pack_raw(out, qn_buf_view(&colls));
    core_send(core, session->link);
    session->presence_next_ms = core->now_ms + SPREAD_MS;
}

static void tell(struct qn_core *core, struct peer *peer)
{
    struct session *session = peer->session;
    if (session->presence_seq >= core->presence_seq)
        return;
    if (session->presence_ms == 0) {
        uint64_t soon_ms = core->now_ms + GATHER_MS;
        session->presence_ms =
            session->presence_next_ms > soon_ms ? session->presence_next_ms : soon_ms;
    }
    if (core->now_ms >= session->presence_ms)
        say(core, peer);
    else
        core_wake(core, session->presence_ms);
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
            tell(core, *peer);
}

/* ---- hearing ---- */

/* This site's own word from before it was started anew: it is not to be believed any more. */
static void heard_of_self(struct qn_core *core, uint64_t stamp)
{
    if (stamp <= core->presence.stamp)
        return;
    core->presence.stamp = stamp;
    renew_stamp(core);
}

static enum qn_err heard_list(struct qn_cursor *cursor, site_prefixes *list)
{
    struct qn_span bytes;
    QN_TRY(qn_cursor_bin(cursor, PREFIX * QN_MESH_LINKS_MAX, &bytes));
    for (size_t at = 0; at + PREFIX <= bytes.size; at += PREFIX)
        qn_vec_push(list, qn_read_u32(bytes.data + at));
    return QN_OK;
}

static void take_presence(struct qn_core *core, struct peer *peer, struct presence *take_said)
{
    struct presence *presence = &peer->presence;
    take_lists(presence, &take_said->links, &take_said->calls);
    presence->stamp = take_said->stamp;
    presence->seq = ++core->presence_seq;
    presence->source = take_said->source;
    core->is_presence_stale = true;
    if (peer->contact_ms < presence->stamp && presence->stamp <= core->wall_ms) {
        peer->contact_ms = presence->stamp; /* it was there then */
        peer->is_contact_dirty = true;
    }
}

static void heard_one(struct qn_core *core, uint32_t prefix, struct presence *take_said)
{
    struct peer *peer = peer_by_prefix(core, prefix);
    if (peer == NULL && prefix == prefix_of(&core->site))
        heard_of_self(core, take_said->stamp);
    if (peer != NULL && take_said->stamp > peer->presence.stamp)
        take_presence(core, peer, take_said);
    else
        presence_free(take_said);
}

static enum qn_err heard_sites(struct qn_core *core, qn_link source, struct qn_cursor *cursor)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, SITE_FIELDS * QN_SITES_MAX, &count));
    for (size_t i = 0; i < count / SITE_FIELDS; i++) {
        struct presence said = {.source = source};
        uint8_t site[PREFIX];
        QN_TRY(qn_cursor_bytes(cursor, site, sizeof(site)));
        QN_TRY(qn_cursor_u64(cursor, &said.stamp));
        enum qn_err err = heard_list(cursor, &said.links);
        if (err == QN_OK)
            err = heard_list(cursor, &said.calls);
        if (err == QN_OK && said.stamp > STAMP_MAX)
            err = QN_ERR_LIMIT;
        if (err != QN_OK) {
            presence_free(&said);
            return err;
        }
        heard_one(core, qn_read_u32(site), &said);
    }
    return count % SITE_FIELDS == 0 ? QN_OK : QN_ERR_INVALID;
}

/* Counters only grow, so more is newer. Of two that are as much one counts everywhere. */
static bool is_newer(const struct coll_state *state, const struct coll_state *than)
{
    if (state->total != than->total)
        return state->total > than->total;
    return memcmp(state->hash, than->hash, sizeof(state->hash)) > 0;
}

static void take_states(struct qn_core *core, struct coll *coll, struct coll_state state,
                        struct qn_span sites)
{
    for (size_t at = 0; at + PREFIX <= sites.size; at += PREFIX) {
        const struct peer *peer = peer_by_prefix(core, qn_read_u32(sites.data + at));
        if (peer == NULL || !core_shares(core, coll, &peer->site))
            continue;
        struct known *known = coll_known(coll, &peer->site);
        if (!is_newer(&state, &known->state))
            continue;
        state.seq = coll->newest_seq = ++core->presence_seq;
        known->state = state;
    }
}

static enum qn_err heard_states(struct qn_core *core, struct coll *coll, qn_link source,
                                struct qn_cursor *cursor)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 3 * GROUPS_MAX, &count));
    for (size_t i = 0; i < count / 3; i++) {
        struct coll_state state = {.source = source};
        struct qn_span sites;
        QN_TRY(qn_cursor_bytes(cursor, state.hash, sizeof(state.hash)));
        QN_TRY(qn_cursor_u64(cursor, &state.total));
        QN_TRY(qn_cursor_bin(cursor, PREFIX * QN_SITES_MAX, &sites));
        if (coll != NULL)
            take_states(core, coll, state, sites);
    }
    return count % 3 == 0 ? QN_OK : QN_ERR_INVALID;
}

enum qn_err presence_heard(struct qn_core *core, struct peer *peer, struct qn_cursor *cursor)
{
    size_t count;
    QN_TRY(heard_sites(core, peer->session->link, cursor));
    QN_TRY(qn_cursor_array(cursor, 2 * QN_COLLECTIONS_MAX, &count));
    for (size_t i = 0; i < count / 2; i++) {
        uint8_t prefix[4];
        QN_TRY(qn_cursor_bytes(cursor, prefix, sizeof(prefix)));
        struct share *share = session_share_by_prefix(peer->session, prefix);
        QN_TRY(heard_states(core, share == NULL ? NULL : share->coll, peer->session->link, cursor));
    }
    return count % 2 == 0 ? QN_OK : QN_ERR_INVALID;
}

bool presence_is_equal(const struct coll *coll, const struct known *known)
{
    return known->state.total > 0 && is_same(&known->state, &coll->state);
}

uint64_t presence_behind(const struct coll *coll, const struct known *known)
{
    const struct coll_state *theirs = &known->state, *ours = &coll->state;
    if (theirs->total == 0)
        return UINT64_MAX;
    if (is_same(theirs, ours) || theirs->total > ours->total)
        return 0;
    return theirs->total == ours->total ? 1 : ours->total - theirs->total;
}
