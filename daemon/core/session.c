#include "core/bulk.h"
#include "core/late.h"
#include "core/presence.h"
#include "core/trail.h"
#include "core/twin.h"

struct share *session_share(const struct session *session, const struct qn_coll_id *id)
{
    qn_vec_each (&session->shares, slot)
        if (qn_coll_id_eq(&(*slot)->coll->id, id))
            return *slot;
    return NULL;
}

struct share *peer_share(const struct peer *peer, const struct qn_coll_id *id)
{
    return peer == NULL || peer->session == NULL ? NULL : session_share(peer->session, id);
}

bool peer_is_connected(const struct peer *peer)
{
    return peer != NULL && peer->session != NULL && peer->session->has_hello;
}

/* ---- the first flight: HELLO, then clocks, then one row for every collection ---- */

static void say_hello(struct qn_core *core, const struct peer *peer, qn_link link)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    struct qn_digest digest;
    qn_ledger_digest(core->ledger, &digest);
    struct qn_buf *out = core_message(core, QN_MSG_HELLO, 8);
    qn_pack_u64(out, QN_PROTOCOL_VERSION_MIN);
    qn_pack_u64(out, QN_PROTOCOL_VERSION);
    qn_pack_bin(out, QN_SPAN_OF(group->id.bytes));
    qn_pack_bin(out, QN_SPAN_OF(digest.bytes));
    qn_pack_u64(out, core->wall_ms);
    qn_pack_cstr(out, core->version);
    core_pack_own_announcement(core, out);
    summary_pack(core, peer, out);
    core_send(core, link);
}

void session_say_colls(struct qn_core *core, struct peer *peer, bool is_first)
{
    struct session *session = peer->session;
    struct qn_buf *out = core_message(core, QN_MSG_COLLS, is_first ? 2 : 1);
    qn_pack_array(out, 3 * session->shares.count);
    qn_vec_each (&session->shares, slot) {
        struct coll *coll = (*slot)->coll;
        uint8_t both[2 * QN_ROOT_SIZE];
        bool grants = is_first && share_take_grant(core, peer, *slot);
        memcpy(both, coll->cc_hash, QN_ROOT_SIZE);
        memcpy(both + QN_ROOT_SIZE, coll->info.root, QN_ROOT_SIZE);
        qn_pack_bin(out, qn_span(coll->id.bytes, 4));
        qn_pack_bin(out, QN_SPAN_OF(both));
        qn_pack_u64(out, (grants ? QN_CLOCK_GRANTS : 0u) | late_own_flags(coll));
    }
    if (is_first)
        summary_pack_states(core, peer, out);
    core_send(core, session->link);
}

static struct share *add_share(struct session *session, struct coll *coll)
{
    struct share *share = QN_NEW(struct share);
    share->coll = coll;
    qn_vec_push(&session->shares, share);
    return share;
}

/* Where what we last knew of the peer is not what we have, our clock goes ahead of the rows. */
static void say_clocks(struct qn_core *core, struct peer *peer)
{
    qn_vec_each (&peer->session->shares, slot) {
        const struct known *known = coll_known_of((*slot)->coll, &peer->site);
        if (known == NULL || !qn_vv_eq(&known->clock, &(*slot)->coll->cc))
            share_say_clock(core, peer, *slot, 0);
        else
            qn_vv_copy(&(*slot)->told, &(*slot)->coll->cc);
    }
}

bool session_is_spare(const struct session *session)
{
    return session->is_spare_here && session->is_spare_there;
}

void session_start(struct qn_core *core, struct peer *peer, qn_link link, bool is_dialled)
{
    struct session *session = QN_NEW(struct session);
    session->link = link;
    session->up_ms = core->now_ms;
    session->is_dialled = is_dialled;
    session->beacon_ms = core->now_ms + core_jitter(core, BEACON_MS);
    peer->session = session;
    core->are_neighbours_stale = true;
    peer->tell_ms = 0;
    if (!peer->is_bad) /* else it is dialled ever more rarely until it behaves (heard_beacon) */
        peer->failures = 0;
    peer_heard(core, peer);
    trail_session_starts(peer);
    qn_vec_each (&core->colls, slot)
        if ((*slot)->is_shared && core_shares(core, *slot, &peer->site))
            add_share(session, *slot);
    say_hello(core, peer, link);
    say_clocks(core, peer);
    session_say_colls(core, peer, true);
}

static void note_peer(struct qn_core *core, const struct peer *peer, const char *code)
{
    core_note(core, code, QN_OK, core_site_name(core, &peer->site));
}

void session_refuse(struct qn_core *core, const struct peer *peer, qn_link link)
{
    if (twin_is_told(core, peer->twin_ms)) {
        say_hello(core, peer, link);
        twin_tell(core, peer, link);
    }
    core_close(core, link);
}

void session_end(struct qn_core *core, struct peer *peer)
{
    struct session *session = peer->session;
    bulk_session_ends(core, peer);
    peer->session = NULL;
    peer->refused_ms = 0;
    peer_heard(core, peer);
    core->are_neighbours_stale = core->is_presence_stale = true;
    if (session->has_hello)
        note_peer(core, peer, session_is_spare(session) ? "link-spare" : "offline");
    qn_vec_each (&session->shares, slot) {
        struct coll *coll = (*slot)->coll;
        late_session_ends(core, *slot, session->link);
        if (coll->grant == session->link) {
            coll->grant = 0;
            coll_grant_next(core, coll);
        }
        share_free(*slot);
    }
    qn_vec_free(&session->shares);
    qn_buf_deinit(&session->chains);
    qn_free(session);
}

/* After the ledger moved: what is shared now that was not is opened by clocks that want an answer;
 * what is not shared any more is dropped. */
void session_refresh_shares(struct qn_core *core, struct peer *peer)
{
    struct session *session = peer->session;
    for (size_t i = session->shares.count; i-- > 0;) {
        struct share *share = session->shares.items[i];
        if (share->coll->is_shared && core_shares(core, share->coll, &peer->site))
            continue;
        if (share->coll->grant == session->link)
            share->coll->grant = 0;
        session->catchup_size -= share->lanes[QN_LANE_CATCHUP].inflight_size;
        late_session_ends(core, share, session->link);
        share_free(share);
        qn_vec_remove(&session->shares, i);
    }
    qn_vec_each (&core->colls, slot) {
        if (!(*slot)->is_shared || session_share(session, &(*slot)->id) != NULL ||
            !core_shares(core, *slot, &peer->site))
            continue;
        struct share *share = add_share(session, *slot);
        share_say_clock(core, peer, share,
                        QN_CLOCK_WANTS_ANSWER |
                            (share_take_grant(core, peer, share) ? QN_CLOCK_GRANTS : 0u));
    }
}

/* ---- frames ---- */

static enum qn_err heard_hello(struct qn_core *core, struct peer *peer, struct qn_cursor *cursor)
{
    uint64_t version_min, version_max, wall_ms;
    struct qn_digest group_id, theirs, ours;
    struct qn_span version, announcement, summary = {0};
    QN_TRY(qn_cursor_u64(cursor, &version_min));
    QN_TRY(qn_cursor_u64(cursor, &version_max));
    QN_TRY(qn_cursor_bytes(cursor, group_id.bytes, sizeof(group_id.bytes)));
    QN_TRY(qn_cursor_bytes(cursor, theirs.bytes, sizeof(theirs.bytes)));
    QN_TRY(qn_cursor_u64(cursor, &wall_ms));
    QN_TRY(qn_cursor_str(cursor, QN_NAME_SIZE_MAX, &version));
    if (version_min > QN_PROTOCOL_VERSION || version_max < QN_PROTOCOL_VERSION_MIN)
        return QN_ERR_UNSUPPORTED;
    if (!qn_digest_eq(&group_id, &qn_ledger_group(core->ledger)->id))
        return QN_ERR_DENIED;
    if (qn_cursor_bin(cursor, QN_ANNOUNCEMENT_SIZE_MAX, &announcement) == QN_OK)
        peer_announced_itself(core, peer, announcement);
    else
        QN_TRY(qn_cursor_nil(cursor));
    bool has_summary = !qn_cursor_is_end(cursor);
    if (has_summary)
        QN_TRY(qn_cursor_bin(cursor, QN_FRAME_SIZE_MAX, &summary));
    peer->session->has_hello = core->is_presence_stale = true;
    note_peer(core, peer, "online");
    session_heard_wall_clock(core, peer, wall_ms);
    qn_ledger_digest(core->ledger, &ours);
    if (qn_digest_eq(&theirs, &ours))
        group_compared(core);
    else
        group_say_heads(core, peer->session->link, true);
    if (has_summary)
        summary_heard(core, peer, summary);
    else
        summary_missing(core, peer);
    twin_tell(core, peer, peer->session->link);
    reach_up(core, peer);
    return QN_OK;
}

struct share *session_share_by_prefix(const struct session *session, const uint8_t prefix[4])
{
    struct share *found = NULL;
    qn_vec_each (&session->shares, slot) {
        if (memcmp((*slot)->coll->id.bytes, prefix, 4) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = *slot;
    }
    return found;
}

static enum qn_err heard_row(struct qn_core *core, struct peer *peer, struct qn_cursor *cursor)
{
    uint8_t prefix[4], both[2 * QN_ROOT_SIZE];
    uint64_t flags;
    QN_TRY(qn_cursor_bytes(cursor, prefix, sizeof(prefix)));
    QN_TRY(qn_cursor_bytes(cursor, both, sizeof(both)));
    QN_TRY(qn_cursor_u64(cursor, &flags));
    struct share *share = session_share_by_prefix(peer->session, prefix);
    if (share == NULL)
        return QN_OK;
    late_heard_flags(core, peer, share, flags & ~(uint64_t)QN_CLOCK_SHORT);
    if (flags & QN_CLOCK_GRANTS)
        share_granted(core, peer, share);
    share_heard_hash(core, peer, share, both, both + QN_ROOT_SIZE);
    return QN_OK;
}

/* Behind the rows: four bytes for each of them. */
static enum qn_err heard_states(const struct qn_core *core, const struct peer *peer,
                                struct qn_cursor rows, size_t count, struct qn_cursor *cursor)
{
    struct qn_span sums;
    QN_TRY(qn_cursor_bin(cursor, 4 * QN_COLLECTIONS_MAX, &sums));
    for (size_t i = 0; i < count; i++) {
        uint8_t prefix[4], sum[4] = {0};
        struct qn_span rest;
        QN_TRY(qn_cursor_bytes(&rows, prefix, sizeof(prefix)));
        QN_TRY(qn_cursor_skip(&rows, 1, &rest));
        QN_TRY(qn_cursor_skip(&rows, 1, &rest));
        struct share *share = session_share_by_prefix(peer->session, prefix);
        for (size_t k = 0; k < 4 && 4 * i + k < sums.size; k++)
            sum[k] = sums.data[4 * i + k];
        if (share != NULL)
            summary_heard_states(core, share, peer, qn_read_u32(sum));
    }
    return QN_OK;
}

static enum qn_err heard_colls(struct qn_core *core, struct peer *peer, struct qn_cursor *cursor)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 3 * QN_COLLECTIONS_MAX, &count));
    struct qn_cursor rows = *cursor;
    for (size_t i = 0; i < count / 3; i++)
        QN_TRY(heard_row(core, peer, cursor));
    bool has_sums = count % 3 == 0 && !qn_cursor_is_end(cursor); /* an older version has none */
    return has_sums ? heard_states(core, peer, rows, count / 3, cursor) : QN_OK;
}

static enum qn_err heard_announce(struct qn_core *core, qn_link link, struct qn_cursor *cursor)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, QN_SITES_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct qn_span announcement;
        QN_TRY(qn_cursor_bin(cursor, QN_ANNOUNCEMENT_SIZE_MAX, &announcement));
        peer_announced(core, announcement, link);
    }
    return QN_OK;
}

static enum qn_err dispatch(struct qn_core *core, struct peer *peer, uint64_t number,
                            struct qn_cursor *cursor)
{
    struct qn_span rest;
    bool wants_answer;
    if (number == QN_MSG_HELLO)
        return heard_hello(core, peer, cursor);
    if (!peer->session->has_hello)
        return QN_ERR_STATE;
    switch (number) {
    case QN_MSG_LEDGER_HEADS: {
        struct qn_cursor heads;
        QN_TRY(qn_cursor_skip(cursor, 2, &rest));
        QN_TRY(qn_cursor_bool(cursor, &wants_answer));
        heads = qn_cursor(rest);
        group_heard_heads(core, peer, &heads, wants_answer);
        return QN_OK;
    }
    case QN_MSG_LEDGER:
        QN_TRY(qn_cursor_skip(cursor, 2, &rest));
        group_heard_entries(core, peer->session, rest);
        return QN_OK;
    case QN_MSG_COLLS:
        return heard_colls(core, peer, cursor);
    case QN_MSG_BEACON:
        return session_heard_beacon(core, peer, cursor);
    case QN_MSG_ANNOUNCE:
        return heard_announce(core, peer->session->link, cursor);
    case QN_MSG_BULK_CALL:
        bulk_called(core, peer);
        return QN_OK;
    case QN_MSG_WEB_CALL:
        reach_called(core, peer);
        return QN_OK;
    case QN_MSG_PRESENCE:
        return presence_heard(core, peer, cursor);
    case QN_MSG_TWIN:
        twin_heard(core);
        return QN_OK;
    case QN_MSG_SITES:
        return summary_heard_sites(core, peer, cursor);
    case QN_MSG_NEED:
        QN_TRY(qn_cursor_bool(cursor, &wants_answer));
        peer->session->is_spare_there = !wants_answer;
        return QN_OK;
    default:
        if (trail_is_message(number))
            return trail_frame(core, peer, number, cursor);
        if (bulk_is_message(number))
            return bulk_narrow_frame(core, peer, number, cursor);
        return session_about_share(core, peer, number, cursor);
    }
}

void session_frame(struct qn_core *core, struct peer *peer, struct qn_span frame)
{
    struct qn_cursor cursor = qn_cursor(frame);
    size_t count;
    uint64_t number;
    enum qn_err err = qn_cursor_array(&cursor, 64, &count);
    if (err == QN_OK)
        err = qn_cursor_u64(&cursor, &number);
    peer_heard(core, peer);
    twin_spoke(core, peer);
    if (err == QN_OK && bulk_is_message(number) && frame.size > BULK_NARROW_FRAME)
        err = QN_ERR_LIMIT;
    if (err == QN_OK)
        err = dispatch(core, peer, number, &cursor);
    if (err != QN_OK && peer->session != NULL)
        peer_bad(core, peer, "bad-frame", err);
}

/* Entries that came while the disk was full. */
static void ask_heads_again(struct qn_core *core, struct session *session)
{
    if (session->heads_ms == 0)
        return;
    if (core->now_ms < session->heads_ms) {
        core_wake(core, session->heads_ms);
        return;
    }
    session->heads_ms = 0;
    group_say_heads(core, session->link, session->keys == KEYS_ASKED);
}

void session_tick(struct qn_core *core, struct peer *peer)
{
    if (core->now_ms >= peer->session->beacon_ms)
        session_say_beacon(core, peer);
    core_wake(core, peer->session->beacon_ms);
    ask_heads_again(core, peer->session);
    fork_tick(core, peer);
    if (peer->session == NULL)
        return;
    if (core->now_ms >= peer->session->clocks_ms)
        qn_vec_each (&peer->session->shares, slot)
            share_tell_clock(core, peer, *slot);
    for (size_t i = 0; peer->session != NULL && i < peer->session->shares.count; i++)
        share_tick(core, peer, peer->session->shares.items[i]);
}
