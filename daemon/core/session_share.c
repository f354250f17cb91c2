/* What a peer says about one collection, as its messages have it. Each is handed on to the file
 * that it is for; nothing is decided here but whether the two share the collection. */
#include "core/integrity.h"
#include "core/late.h"
#include "core/twin.h"
#include "model/value.h"

#define COPIES_DEPTH_MAX (QN_VALUE_DEPTH_MAX + 4)

static enum qn_err heard_clock(struct qn_core *core, struct peer *peer, struct share *share,
                               struct qn_cursor *cursor)
{
    QN_AUTO_VV struct qn_vv clock = {0};
    uint64_t flags;
    QN_TRY(qn_vv_unpack(cursor, &clock));
    QN_TRY(qn_cursor_u64(cursor, &flags));
    return share_heard_clock(core, peer, share, &clock, flags);
}

static enum qn_err heard_ops(struct qn_core *core, struct peer *peer, struct share *share,
                             bool is_ack, struct qn_cursor *cursor)
{
    uint64_t lane, seq;
    struct qn_span body;
    QN_TRY(qn_cursor_u64(cursor, &lane));
    QN_TRY(qn_cursor_u64(cursor, &seq));
    if (lane >= QN_LANE_COUNT)
        return QN_ERR_INVALID;
    if (is_ack) {
        outbox_ack(core, peer, share, lane, seq);
        return QN_OK;
    }
    QN_TRY(qn_cursor_skip(cursor, 4, &body));
    inbox_ops(core, peer, share, lane, seq, body);
    return QN_OK;
}

static enum qn_err heard_audit(struct qn_core *core, struct peer *peer, struct share *share,
                               uint64_t number, struct qn_cursor *cursor)
{
    uint8_t both[2 * QN_ROOT_SIZE];
    uint64_t level, prefix;
    struct qn_span rest;
    const struct qn_coll_id *coll = &share->coll->id;
    if (number == QN_MSG_STATE) {
        QN_TRY(qn_cursor_bytes(cursor, both, sizeof(both)));
        uint64_t flags = 0;
        if (!qn_cursor_is_end(cursor)) /* there were none before pages were known */
            QN_TRY(qn_cursor_u64(cursor, &flags));
        verify_heard_state(core, peer, coll, both, both + QN_ROOT_SIZE,
                           (flags & QN_CLOCK_LATE) != 0);
        return QN_OK;
    }
    QN_TRY(qn_cursor_u64(cursor, &level)); /* or the bucket */
    if (number == QN_MSG_KEYS_ASK || number == QN_MSG_KEYS) {
        if (level > UINT16_MAX)
            return QN_ERR_INVALID;
        if (number == QN_MSG_KEYS_ASK) {
            verify_asked(core, peer, share, QN_READ_BUCKET, 0, 0, (uint16_t)level);
            return QN_OK;
        }
        QN_TRY(qn_cursor_skip(cursor, 1, &rest));
        verify_heard_keys(core, peer, coll, level, rest);
        return QN_OK;
    }
    QN_TRY(qn_cursor_u64(cursor, &prefix));
    if (level < 1 || level > 2 || prefix > 255)
        return QN_ERR_INVALID;
    if (number == QN_MSG_FP_ASK) {
        verify_asked(core, peer, share, QN_READ_FP, (unsigned)level, (uint8_t)prefix, 0);
        return QN_OK;
    }
    QN_TRY(qn_cursor_bin(cursor, 256 * QN_ROOT_SIZE, &rest));
    if (rest.size != 256 * QN_ROOT_SIZE)
        return QN_ERR_INVALID;
    verify_heard_fp(core, peer, coll, level, prefix, rest);
    return QN_OK;
}

static enum qn_err heard_copies(struct qn_core *core, struct peer *peer, struct share *share,
                                uint64_t number, struct qn_cursor *cursor)
{
    struct qn_span first, last;
    QN_TRY(qn_cursor_skip(cursor, COPIES_DEPTH_MAX, &first));
    if (number == QN_MSG_WANT) {
        bool with_left = false;
        if (!qn_cursor_is_end(cursor)) /* earlier releases do not ask for it */
            QN_TRY(qn_cursor_bool(cursor, &with_left));
        repair_asked(core, peer, share, first, with_left);
        return QN_OK;
    }
    QN_TRY(qn_cursor_skip(cursor, COPIES_DEPTH_MAX, &last)); /* the clock, then the copies */
    if (!qn_cursor_is_end(cursor)) /* and what is left, where it was asked for */
        QN_TRY(qn_cursor_skip(cursor, COPIES_DEPTH_MAX, &last));
    size_t size = (size_t)(last.data + last.size - first.data);
    repair_heard(core, peer, share, qn_span(first.data, size));
    return QN_OK;
}

static enum qn_err heard_chain(struct qn_core *core, struct peer *peer, struct share *share,
                               bool is_question, struct qn_cursor *cursor)
{
    struct qn_span rest;
    QN_TRY(qn_cursor_skip(cursor, 3, &rest));
    if (is_question)
        fork_asked(core, peer, share, rest);
    else
        fork_heard(core, peer, share, rest);
    return QN_OK;
}

static enum qn_err heard_about_pages(struct qn_core *core, struct peer *peer, struct share *share,
                                     uint64_t number, struct qn_cursor *cursor)
{
    uint64_t pass, seq, held_ms = 0;
    struct qn_span at, clock;
    if (number == QN_MSG_PAGE)
        return late_heard_page(core, peer, share, cursor);
    QN_TRY(qn_cursor_u64(cursor, &pass));
    if (number == QN_MSG_NEEDPAGES) {
        QN_TRY(qn_cursor_bin(cursor, QN_SPOT_SIZE_MAX, &at));
        QN_TRY(qn_cursor_bin(cursor, QN_DIGEST_SIZE, &clock));
        pages_asked(core, peer, share, pass, at, clock);
        return QN_OK;
    }
    QN_TRY(qn_cursor_u64(cursor, &seq));
    if (!qn_cursor_is_end(cursor)) /* earlier releases do not tell */
        QN_TRY(qn_cursor_u64(cursor, &held_ms));
    pages_acked(core, peer, share, pass, seq, held_ms);
    return QN_OK;
}

static void say_state(struct qn_core *core, struct peer *peer, const struct coll *coll)
{
    uint8_t both[2 * QN_ROOT_SIZE];
    memcpy(both, coll->cc_hash, QN_ROOT_SIZE);
    memcpy(both + QN_ROOT_SIZE, coll->info.root, QN_ROOT_SIZE);
    struct qn_buf *out = core_message(core, QN_MSG_STATE, 3);
    qn_pack_bin(out, QN_SPAN_OF(coll->id.bytes));
    qn_pack_bin(out, QN_SPAN_OF(both));
    qn_pack_u64(out, late_own_flags(coll));
    core_send(core, peer->session->link);
}

/* Messages that name a collection. One that is not shared with this peer, as our ledger stands, is
 * passed over without a word: it may be ahead of us, and it must not learn what exists. */
enum qn_err session_about_share(struct qn_core *core, struct peer *peer, uint64_t number,
                                struct qn_cursor *cursor)
{
    bool is_known = (number >= QN_MSG_CLOCK && number <= QN_MSG_LIVE) ||
                    (number >= QN_MSG_STATE_ASK && number <= QN_MSG_KEYS) ||
                    (number >= QN_MSG_NEEDPAGES && number <= QN_MSG_PAGEACK) ||
                    number == QN_MSG_WANT || number == QN_MSG_COPIES ||
                    number == QN_MSG_CHAIN_ASK || number == QN_MSG_CHAIN;
    if (!is_known)
        return QN_OK;
    struct qn_coll_id id;
    QN_TRY(qn_cursor_bytes(cursor, id.bytes, sizeof(id.bytes)));
    struct share *share = session_share(peer->session, &id);
    if (share == NULL) {
        peer_asks_foreign(core, peer);
        return QN_OK;
    }
    switch (number) {
    case QN_MSG_CLOCK:
        return heard_clock(core, peer, share, cursor);
    case QN_MSG_LIVE:
        share_live(core, peer, share);
        return QN_OK;
    case QN_MSG_OPS:
    case QN_MSG_ACK:
        return heard_ops(core, peer, share, number == QN_MSG_ACK, cursor);
    case QN_MSG_STATE_ASK:
        say_state(core, peer, share->coll);
        return QN_OK;
    case QN_MSG_WANT:
    case QN_MSG_COPIES:
        return heard_copies(core, peer, share, number, cursor);
    case QN_MSG_CHAIN_ASK:
    case QN_MSG_CHAIN:
        return heard_chain(core, peer, share, number == QN_MSG_CHAIN_ASK, cursor);
    case QN_MSG_NEEDPAGES:
    case QN_MSG_PAGE:
    case QN_MSG_PAGEACK:
        return heard_about_pages(core, peer, share, number, cursor);
    default:
        return heard_audit(core, peer, share, number, cursor);
    }
}
