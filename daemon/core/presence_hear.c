#include "core/presence.h"

/* This site's own word from before it was started anew: it is not to be believed any more. */
static void heard_of_self(struct qn_core *core, uint64_t stamp)
{
    if (stamp <= core->presence.stamp)
        return;
    core->presence.stamp = stamp;
    presence_renew_stamp(core);
}

static enum qn_err heard_list(struct qn_cursor *cursor, site_prefixes *list)
{
    struct qn_span bytes;
    QN_TRY(qn_cursor_bin(cursor, PRESENCE_PREFIX * QN_MESH_LINKS_MAX, &bytes));
    for (size_t at = 0; at + PRESENCE_PREFIX <= bytes.size; at += PRESENCE_PREFIX)
        qn_vec_push(list, qn_read_u32(bytes.data + at));
    return QN_OK;
}

static void take_presence(struct qn_core *core, struct peer *peer, struct presence *take_said)
{
    struct presence *presence = &peer->presence;
    presence_take_lists(presence, &take_said->links, &take_said->calls);
    presence->stamp = take_said->stamp;
    presence->seq = ++core->presence_seq;
    presence->source = take_said->source;
    core->is_presence_stale = true;
    if (peer->contact_ms < presence->stamp && presence->stamp <= core->wall_ms) {
        peer->contact_ms = presence->stamp; /* it was there then */
        peer->is_contact_dirty = true;
    }
}

/* A site's own word from before it was started anew: it goes above that, once it knows of it. */
static void remind(struct qn_core *core, struct peer *peer)
{
    QN_AUTO_BUF struct qn_buf sites;
    qn_buf_init(&sites, QN_FRAME_SIZE_MAX);
    presence_pack(&peer->site, &peer->presence, &sites);
    presence_send(core, peer->session->link, 1, qn_buf_view(&sites));
}

static void heard_one(struct qn_core *core, uint32_t prefix, struct presence *take_said)
{
    struct peer *peer = presence_peer(core, prefix);
    if (peer == NULL && prefix == presence_prefix(&core->site))
        heard_of_self(core, take_said->stamp);
    bool is_of_sender =
        peer != NULL && peer->session != NULL && peer->session->link == take_said->source;
    if (is_of_sender && take_said->stamp < peer->presence.stamp)
        remind(core, peer);
    if (peer != NULL && take_said->stamp > peer->presence.stamp)
        take_presence(core, peer, take_said);
    else
        presence_free(take_said);
}

static enum qn_err heard_sites(struct qn_core *core, qn_link source, struct qn_cursor *cursor)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, PRESENCE_SITE_FIELDS * QN_SITES_MAX, &count));
    for (size_t i = 0; i < count / PRESENCE_SITE_FIELDS; i++) {
        struct presence said = {.source = source};
        uint8_t site[PRESENCE_PREFIX];
        QN_TRY(qn_cursor_bytes(cursor, site, sizeof(site)));
        QN_TRY(qn_cursor_u64(cursor, &said.stamp));
        enum qn_err err = heard_list(cursor, &said.links);
        if (err == QN_OK)
            err = heard_list(cursor, &said.calls);
        if (err == QN_OK && said.stamp > PRESENCE_STAMP_MAX)
            err = QN_ERR_LIMIT;
        if (err != QN_OK) {
            presence_free(&said);
            return err;
        }
        heard_one(core, qn_read_u32(site), &said);
    }
    return count % PRESENCE_SITE_FIELDS == 0 ? QN_OK : QN_ERR_INVALID;
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
    for (size_t at = 0; at + PRESENCE_PREFIX <= sites.size; at += PRESENCE_PREFIX) {
        const struct peer *peer = presence_peer(core, qn_read_u32(sites.data + at));
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
    QN_TRY(qn_cursor_array(cursor, 3 * PRESENCE_GROUPS_MAX, &count));
    for (size_t i = 0; i < count / 3; i++) {
        struct coll_state state = {.source = source};
        struct qn_span sites;
        QN_TRY(qn_cursor_bytes(cursor, state.hash, sizeof(state.hash)));
        QN_TRY(qn_cursor_u64(cursor, &state.total));
        QN_TRY(qn_cursor_bin(cursor, PRESENCE_PREFIX * QN_SITES_MAX, &sites));
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
