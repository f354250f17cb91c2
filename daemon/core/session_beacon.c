/* The beacon of a connection, once a minute: that both have the same of what they share, and what
 * the other's wall clock says. */
#include "core/state.h"

void session_heard_wall_clock(const struct qn_core *core, struct peer *peer, uint64_t wall_ms)
{
    peer->skew_s = ((int64_t)wall_ms - (int64_t)core->wall_ms) / 1000;
    peer->said_wall_ms = wall_ms;
    peer->said_at_ms = core->now_ms;
}

/* A digest over all shared clocks, and their roots if they are wanted. */
static void shared_digest(const struct session *session, bool with_roots,
                          struct qn_digest *ret_digest)
{
    uint8_t sum[QN_DIGEST_SIZE] = {0};
    qn_vec_each (&session->shares, slot) {
        const struct coll *coll = (*slot)->coll;
        struct qn_digest one;
        QN_DIGEST(&one, QN_SPAN_OF(coll->id.bytes), QN_SPAN_OF(coll->cc_hash),
                  qn_span(coll->info.root, with_roots ? QN_ROOT_SIZE : 0));
        for (size_t i = 0; i < sizeof(sum); i++)
            sum[i] ^= one.bytes[i]; /* the order of collections differs from site to site */
    }
    memcpy(ret_digest->bytes, sum, sizeof(sum));
}

/* A connection lives for weeks, and roots are compared as it begins: so they are once an hour, too.
 * Where something differs all of it is said, for a collection in which much is written must not
 * hide the others. */
static enum qn_err heard_roots(struct qn_core *core, struct peer *peer, struct qn_cursor *cursor)
{
    uint8_t theirs[QN_ROOT_SIZE];
    struct qn_digest ours;
    QN_TRY(qn_cursor_bytes(cursor, theirs, sizeof(theirs)));
    shared_digest(peer->session, true, &ours);
    if (memcmp(ours.bytes, theirs, sizeof(theirs)) != 0)
        session_say_colls(core, peer, false);
    return QN_OK;
}

/* Equal digests: the peer has of each collection what is here, now. Who has nothing to say for days
 * was heard of all the same (late_rescue.c). */
static void confirm_clocks(struct qn_core *core, const struct peer *peer)
{
    qn_vec_each (&peer->session->shares, slot)
        share_confirm_clock(core, peer, *slot);
}

enum qn_err session_heard_beacon(struct qn_core *core, struct peer *peer, struct qn_cursor *cursor)
{
    struct qn_digest theirs, ours;
    uint64_t wall_ms;
    QN_TRY(qn_cursor_bytes(cursor, theirs.bytes, sizeof(theirs.bytes)));
    QN_TRY(qn_cursor_u64(cursor, &wall_ms));
    session_heard_wall_clock(core, peer, wall_ms);
    peer->is_bad = false; /* it has behaved for a minute */
    shared_digest(peer->session, false, &ours);
    if (qn_digest_eq(&theirs, &ours))
        confirm_clocks(core, peer);
    else
        qn_vec_each (&peer->session->shares, slot)
            share_say_clock(core, peer, *slot, 0);
    return qn_cursor_is_end(cursor) ? QN_OK : heard_roots(core, peer, cursor);
}

void session_say_beacon(struct qn_core *core, struct peer *peer)
{
    struct qn_digest digest;
    bool with_roots = ++peer->session->beacons % ROOTS_BEACONS == 0;
    shared_digest(peer->session, false, &digest);
    struct qn_buf *out = core_message(core, QN_MSG_BEACON, with_roots ? 3 : 2);
    qn_pack_bin(out, QN_SPAN_OF(digest.bytes));
    qn_pack_u64(out, core->wall_ms);
    if (with_roots) {
        shared_digest(peer->session, true, &digest);
        qn_pack_bin(out, qn_span(digest.bytes, QN_ROOT_SIZE));
    }
    core_send(core, peer->session->link);
    peer->session->beacon_ms = core->now_ms + core_jitter(core, BEACON_MS);
}
