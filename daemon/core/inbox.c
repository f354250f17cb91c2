#include "core/twin.h"
#include "model/bugs.h"

/* Both windows, and one message that may overshoot each. */
#define INBOUND_SIZE_MAX (2 * (QN_OPS_WINDOW_SIZE + QN_FRAME_SIZE_MAX))
#define RETRY_AT_ONCE    16 /* messages of a lane that are tried again together */

static struct inbound *find(struct share *share, enum qn_lane lane, uint64_t seq)
{
    qn_vec_each (&share->inbound, in)
        if (in->lane == lane && in->seq == seq)
            return in;
    return NULL;
}

static size_t count_ops(struct qn_span body)
{
    struct qn_cursor cursor = qn_cursor(body);
    struct qn_span actors;
    size_t count;
    bool is_read = qn_cursor_array(&cursor, 2, &count) == QN_OK &&
                   qn_cursor_skip(&cursor, 1, &actors) == QN_OK &&
                   qn_cursor_array(&cursor, SIZE_MAX, &count) == QN_OK;
    return is_read ? count / 2 : 1;
}

static void submit(struct qn_core *core, struct peer *peer, struct share *share, struct inbound *in)
{
    struct qn_span body = qn_span(in->body, in->size);
    struct qn_buf payload;
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX + 64);
    qn_pack_array(&payload, 2);
    qn_pack_bin(&payload, QN_SPAN_OF(share->coll->id.bytes));
    qn_pack_raw(&payload, body);
    struct pending *pending = core_commit(core, QN_INTENT_APPLY, &payload, PENDING_APPLY);
    pending->link = peer->session->link;
    pending->coll = share->coll->id;
    pending->lane = in->lane;
    pending->seq = in->seq;
    core_last_intent(core)->op_count = count_ops(body) + 1;
    in->is_submitted = true;
    in->retry_ms = 0;
}

static void say_ack(struct qn_core *core, struct peer *peer, const struct share *share,
                    enum qn_lane lane, uint64_t seq)
{
    struct qn_buf *out = core_message(core, QN_MSG_ACK, 3);
    qn_pack_bin(out, QN_SPAN_OF(share->coll->id.bytes));
    qn_pack_u64(out, lane);
    qn_pack_u64(out, seq);
    core_send(core, peer->session->link);
}

/* The last operations of a message, of each of its actors. */
static void lasts_of(struct qn_span body, struct qn_vv *ret_lasts)
{
    struct qn_cursor cursor = qn_cursor(body);
    struct qn_ops ops = {0};
    if (qn_ops_unpack(&cursor, &ops) == QN_OK)
        qn_vec_each (&ops.actors, actor)
            qn_vv_raise(ret_lasts, &actor->last.actor, actor->last.ctr);
    qn_ops_deinit(&ops);
}

/* What the peer sent it has; and by the acknowledgement it learns that we have it. */
static void note_lasts(struct qn_core *core, struct peer *peer, struct share *share,
                       struct qn_span body)
{
    struct known *known = coll_known(share->coll, &peer->site);
    QN_AUTO_VV struct qn_vv lasts = {0};
    lasts_of(body, &lasts);
    qn_vv_join(&known->clock, &lasts);
    qn_vv_join(&share->told, &lasts);
    known->heard_ms = core->wall_ms;
    known->is_dirty = true;
}

static void applied(struct qn_core *core, struct peer *peer, struct share *share,
                    struct inbound *in)
{
    note_lasts(core, peer, share, qn_span(in->body, in->size));
    if (!QN_BUG(QN_BUG_ACK_BEFORE_COMMIT))
        say_ack(core, peer, share, in->lane, in->seq);
    peer->session->has_asked_chain = false;
    share->inbound_size -= in->size;
    share->inbound_count[in->lane]--;
    qn_free(in->body);
    qn_vec_remove(&share->inbound, (size_t)(in - share->inbound.items));
    share_release_grant(core, peer, share);
}

/* By another way it has come before, and is durable. In any case it need not go back. */
static bool is_known_here(struct share *share, struct qn_span body)
{
    QN_AUTO_VV struct qn_vv lasts = {0};
    lasts_of(body, &lasts);
    if (share->offered.entries.count + lasts.entries.count <= QN_CLOCK_ACTORS_MAX)
        qn_vv_join(&share->offered, &lasts);
    return lasts.entries.count > 0 && qn_vv_covers(&share->coll->cc, &lasts);
}

void inbox_ops(struct qn_core *core, struct peer *peer, struct share *share, uint64_t lane,
               uint64_t seq, struct qn_span body)
{
    if (body.size > INBOUND_SIZE_MAX - share->inbound_size ||
        share->inbound_count[lane] >= QN_OPS_WINDOW_COUNT ||
        find(share, (enum qn_lane)lane, seq) != NULL) {
        peer_bad(core, peer, "flood", QN_ERR_LIMIT);
        return;
    }
    struct inbound *in = qn_vec_push_slot(&share->inbound);
    *in = (struct inbound){.lane = (enum qn_lane)lane,
                           .seq = seq,
                           .body = qn_memdup(body.data, body.size),
                           .size = body.size};
    share->inbound_size += body.size;
    share->inbound_count[lane]++;
    if (QN_BUG(QN_BUG_ACK_BEFORE_COMMIT))
        say_ack(core, peer, share, in->lane, seq);
    if (is_known_here(share, body))
        applied(core, peer, share, in);
    else
        submit(core, peer, share, in);
}

static void take_outcome(struct qn_core *core, struct peer *peer, struct share *share,
                         struct inbound *in, const struct qn_outcome *outcome)
{
    in->is_submitted = false;
    switch (outcome->err) {
    case QN_OK:
        applied(core, peer, share, in);
        break;
    case QN_ERR_HELD:
    case QN_ERR_DENIED: /* by a site that our ledger does not know yet */
        break;
    case QN_ERR_SIGNATURE:
        if (group_may_lack_key(core, peer) ||
            fork_asks(core, peer, share, qn_span(in->body, in->size)))
            break;
        peer_bad(core, peer, "bad-operation", outcome->err);
        break;
    case QN_ERR_INVALID:
    case QN_ERR_LIMIT:
    case QN_ERR_EXISTS:
        peer_bad(core, peer, "bad-operation", outcome->err);
        break;
    default: /* this site's store: later */
        in->retry_ms = core->now_ms + RETRY_COMMIT_MS;
    }
}

/* What was tried in the meantime to be tried again, once. */
static void retry_wanted(struct qn_core *core, struct peer *peer, struct share *share)
{
    bool is_busy = false;
    qn_vec_each (&share->inbound, in)
        is_busy |= in->is_submitted;
    if (is_busy || !share->wants_retry)
        return;
    share->wants_retry = false;
    inbox_retry(core, peer, share);
}

void inbox_outcome(struct qn_core *core, const struct pending *pending,
                   const struct qn_outcome *outcome)
{
    struct peer *peer = core_peer_of_link(core, pending->link);
    struct share *share = peer_share(peer, &pending->coll);
    struct inbound *in = share == NULL ? NULL : find(share, pending->lane, pending->seq);
    if (in == NULL)
        return;
    take_outcome(core, peer, share, in, outcome);
    peer = core_peer_of_link(core, pending->link);
    share = peer_share(peer, &pending->coll);
    if (share != NULL)
        retry_wanted(core, peer, share);
}

/* Lanes are in causal order, so nothing of a lane can go on before its first message does. */
static void retry_lane(struct qn_core *core, struct peer *peer, struct share *share,
                       enum qn_lane lane)
{
    size_t count = 0;
    qn_vec_each (&share->inbound, in)
        if (in->lane == lane && (in->is_submitted || in->retry_ms > core->now_ms)) {
            share->wants_retry |= in->is_submitted;
            return;
        }
    for (size_t i = 0; i < share->inbound.count && count < RETRY_AT_ONCE; i++)
        if (share->inbound.items[i].lane == lane) {
            submit(core, peer, share, &share->inbound.items[i]);
            count++;
        }
}

void inbox_retry(struct qn_core *core, struct peer *peer, struct share *share)
{
    for (enum qn_lane lane = 0; lane < QN_LANE_COUNT; lane++)
        retry_lane(core, peer, share, lane);
}
