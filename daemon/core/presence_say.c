#include "core/presence.h"

#define GATHER_MS 300  /* what changes together is told together */
#define SPREAD_MS 2000 /* and then no more for a while */
#define SIZE_WISH (128 * 1024)

static bool is_new_to(const struct session *session, uint64_t told, uint64_t seq, qn_link source)
{
    return seq > told && source != session->link;
}

static void pack_list(const site_prefixes *list, struct qn_buf *out)
{
    uint8_t bytes[PRESENCE_PREFIX * QN_MESH_LINKS_MAX];
    for (size_t i = 0; i < list->count; i++)
        qn_write_u32(bytes + PRESENCE_PREFIX * i, list->items[i]);
    qn_pack_bin(out, qn_span(bytes, PRESENCE_PREFIX * list->count));
}

void presence_pack(const struct qn_site_id *site, const struct presence *presence,
                   struct qn_buf *out)
{
    qn_pack_bin(out, qn_span(site->bytes, PRESENCE_PREFIX));
    qn_pack_u64(out, presence->stamp);
    pack_list(&presence->links, out);
    pack_list(&presence->calls, out);
}

static size_t pack_sites(const struct qn_core *core, const struct peer *to, struct qn_buf *out)
{
    const struct session *session = to->session;
    size_t count = 0;
    if (core->presence.seq > session->sites_seq || !session->has_told_own) {
        presence_pack(&core->site, &core->presence, out);
        count++;
    }
    qn_vec_each (&core->peers, slot) {
        const struct presence *presence = &(*slot)->presence;
        if (*slot == to || !is_new_to(session, session->sites_seq, presence->seq, presence->source))
            continue;
        presence_pack(&(*slot)->site, presence, out);
        count++;
    }
    return count;
}

/* Sites that have the same of a collection: most of them, at most times. */
struct group {
    const struct coll_state *state;
    size_t count;
    uint8_t sites[PRESENCE_PREFIX * QN_SITES_MAX];
};

struct groups {
    QN_VEC(struct group) list;
};

static void add_state(struct groups *groups, const struct coll_state *state,
                      const struct qn_site_id *site)
{
    struct group *group = NULL;
    qn_vec_each (&groups->list, it)
        if (presence_is_same(it->state, state) && it->count < QN_SITES_MAX)
            group = it;
    if (group == NULL) {
        if (groups->list.count >= PRESENCE_GROUPS_MAX)
            return;
        group = qn_vec_push_slot(&groups->list);
        group->state = state;
        group->count = 0;
    }
    memcpy(group->sites + PRESENCE_PREFIX * group->count++, site->bytes, PRESENCE_PREFIX);
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
        qn_pack_bin(out, qn_span(group->sites, PRESENCE_PREFIX * group->count));
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

static void send(struct qn_core *core, qn_link link, size_t site_count, struct qn_span sites,
                 size_t coll_count, struct qn_span colls)
{
    struct qn_buf *out = core_message(core, QN_MSG_PRESENCE, 2);
    qn_pack_array(out, PRESENCE_SITE_FIELDS * site_count);
    qn_pack_raw(out, sites);
    qn_pack_array(out, 2 * coll_count);
    qn_pack_raw(out, colls);
    core_send(core, link);
}

void presence_send(struct qn_core *core, qn_link link, size_t count, struct qn_span sites)
{
    send(core, link, count, sites, 0, qn_span(NULL, 0));
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
    session->sites_seq = core->presence_seq;
    session->has_told_own = true;
    session->presence_ms = 0;
    if (site_count + coll_count == 0)
        return;
    send(core, session->link, site_count, qn_buf_view(&sites), coll_count, qn_buf_view(&colls));
    session->presence_next_ms = core->now_ms + SPREAD_MS;
}

void presence_tell(struct qn_core *core, struct peer *peer)
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
