#include "core/state.h"

static bool has_more(const struct qn_core *core, const struct session *session,
                     const struct share *share, enum qn_lane which)
{
    if (which == QN_LANE_CATCHUP && session->catchup_size >= QN_OPS_LINK_WINDOW_SIZE)
        return false;
    const struct lane *lane = &share->lanes[which];
    if (!lane->is_active || lane->is_reading || lane->inflight_size >= QN_OPS_WINDOW_SIZE ||
        lane->inflight_count >= QN_OPS_WINDOW_COUNT || lane->retry_ms > core->now_ms)
        return false;
    return which == QN_LANE_CATCHUP || lane->next_seq <= share->coll->info.order_head;
}

bool outbox_is_sending(const struct qn_core *core, const struct share *share)
{
    const struct lane *lane = &share->lanes[QN_LANE_LIVE];
    return lane->is_active && (lane->is_reading || lane->next_seq <= share->coll->info.order_head);
}

/* What the read leaves out: what the peer has; and on the live lane, where each pair of sites is
 * connected, all that is not this site's own, since its authors send it themselves. So does a late
 * site, which may have others' operations without what they build on. */
static void leave_out(const struct qn_core *core, const struct peer *peer,
                      const struct share *share, enum qn_lane which, struct qn_vv *ret_known)
{
    const struct known *known = coll_known(share->coll, &peer->site);
    qn_vv_copy(ret_known, &known->clock);
    if (which == QN_LANE_CATCHUP)
        return;
    qn_vv_join(ret_known, &share->offered);
    if (core->is_mesh && !share->coll->info.late.is_late)
        return;
    qn_vec_each (&share->coll->cc.entries, entry)
        if (!qn_actor_is_of(&entry->actor, &core->site))
            qn_vv_raise(ret_known, &entry->actor, entry->ctr);
}

static void read_lane(struct qn_core *core, struct peer *peer, struct share *share,
                      enum qn_lane which)
{
    struct lane *lane = &share->lanes[which];
    struct qn_read *read = QN_NEW(struct qn_read);
    read->kind = QN_READ_OPS;
    read->coll = share->coll->id;
    read->from_seq = lane->next_seq;
    read->to_seq = which == QN_LANE_CATCHUP ? lane->end_seq : share->coll->info.order_head;
    read->size_wish = QN_OPS_BATCH_SIZE;
    leave_out(core, peer, share, which, &read->known);
    uint64_t to_seq = read->to_seq;
    struct pending *pending = core_read_later(core, read, PENDING_READ);
    pending->link = peer->session->link;
    pending->coll = share->coll->id;
    pending->lane = which;
    pending->seq = to_seq;
    lane->is_reading = true;
    if (which == QN_LANE_CATCHUP)
        peer->session->catchup_size += QN_OPS_BATCH_SIZE;
}

void outbox_pump(struct qn_core *core, struct peer *peer, struct share *share)
{
    if (!share->has_clock)
        return;
    for (enum qn_lane which = 0; which < QN_LANE_COUNT; which++)
        if (has_more(core, peer->session, share, which))
            read_lane(core, peer, share, which);
}

/* Room on the link is room for any of its collections. */
static void pump_all(struct qn_core *core, struct peer *peer)
{
    qn_vec_each (&peer->session->shares, slot)
        outbox_pump(core, peer, *slot);
}

static void send_ops(struct qn_core *core, struct peer *peer, struct share *share,
                     enum qn_lane which, const struct qn_read_result *result)
{
    struct inflight *sent = qn_vec_push_slot(&share->inflight);
    *sent = (struct inflight){.lane = which, .seq = ++share->out_seq, .size = result->body.size};
    qn_vv_copy(&sent->last, &result->ops.last);
    share->lanes[which].inflight_size += sent->size;
    share->lanes[which].inflight_count++;
    if (which == QN_LANE_CATCHUP)
        peer->session->catchup_size += sent->size;
    qn_vv_join(&share->told, &sent->last);
    struct qn_buf *out = core_message(core, QN_MSG_OPS, 4);
    qn_pack_bin(out, QN_SPAN_OF(share->coll->id.bytes));
    qn_pack_u64(out, which);
    qn_pack_u64(out, sent->seq);
    qn_pack_raw(out, qn_buf_view(&result->body));
    core_send(core, peer->session->link);
}

static void finish_catchup(struct qn_core *core, struct peer *peer, struct share *share)
{
    share->lanes[QN_LANE_CATCHUP].is_active = false;
    share->was_live = true;
    if (!share->has_grant)
        return;
    share->has_grant = false;
    struct qn_buf *out = core_message(core, QN_MSG_LIVE, 1);
    qn_pack_bin(out, QN_SPAN_OF(share->coll->id.bytes));
    core_send(core, peer->session->link);
}

/* The lane stays where it was and is read again a little later; meanwhile the peer's grant is ours,
 * so after some tries the link ends and another site may have it. */
static void read_failed(struct qn_core *core, struct peer *peer, struct share *share,
                        struct lane *lane, enum qn_err err)
{
    core_note(core, "read-failed", err, (const char *)share->coll->info.name);
    lane->retry_ms = core->now_ms + RETRY_READ_MS;
    if (err == QN_ERR_CORRUPT)
        share->coll->care.wants_scrub = true;
    if (++lane->failures >= READ_TRIES_MAX)
        peer_hang_up(core, peer);
}

void outbox_tick(struct qn_core *core, struct peer *peer, struct share *share)
{
    for (enum qn_lane which = 0; which < QN_LANE_COUNT; which++)
        if (share->lanes[which].retry_ms > core->now_ms)
            core_wake(core, share->lanes[which].retry_ms);
        else if (share->lanes[which].retry_ms != 0)
            outbox_pump(core, peer, share);
}

static void take_read(struct qn_core *core, struct peer *peer, struct share *share,
                      const struct pending *pending, const struct qn_read_result *result)
{
    struct lane *lane = &share->lanes[pending->lane];
    lane->is_reading = false;
    if (result->err == QN_ERR_HELD) {
        lane->next_seq = share->coll->info.order_head + 1; /* LIVE: what is new, as at the start */
        share_is_beyond(core, peer, share);
        return;
    }
    if (result->err != QN_OK) {
        read_failed(core, peer, share, lane, result->err);
        return;
    }
    lane->failures = 0;
    lane->retry_ms = 0;
    lane->next_seq = result->ops.next_seq;
    if (result->ops.is_end && lane->next_seq <= pending->seq)
        lane->next_seq = pending->seq + 1; /* up to there nothing is left in the log */
    if (result->ops.op_count > 0)
        send_ops(core, peer, share, pending->lane, result);
    if (result->ops.is_end && pending->lane == QN_LANE_CATCHUP)
        finish_catchup(core, peer, share);
    outbox_pump(core, peer, share);
}

void outbox_read_done(struct qn_core *core, const struct pending *pending,
                      const struct qn_read_result *result)
{
    struct peer *peer = core_peer_of_link(core, pending->link);
    if (peer == NULL)
        return;
    struct share *share = session_share(peer->session, &pending->coll);
    if (pending->lane == QN_LANE_CATCHUP)
        peer->session->catchup_size -= QN_OPS_BATCH_SIZE;
    if (share != NULL)
        take_read(core, peer, share, pending, result);
    if (pending->lane == QN_LANE_CATCHUP && peer->session != NULL)
        pump_all(core, peer);
}

void outbox_ack(struct qn_core *core, struct peer *peer, struct share *share, uint64_t lane,
                uint64_t seq)
{
    for (size_t i = 0; i < share->inflight.count; i++) {
        struct inflight *sent = &share->inflight.items[i];
        if (sent->seq != seq || sent->lane != lane)
            continue;
        struct known *known = coll_known(share->coll, &peer->site);
        qn_vv_join(&known->clock, &sent->last);
        known->heard_ms = core->wall_ms;
        known->is_dirty = true;
        share->lanes[lane].inflight_size -= sent->size;
        share->lanes[lane].inflight_count--;
        if (lane == QN_LANE_CATCHUP)
            peer->session->catchup_size -= sent->size;
        qn_vv_deinit(&sent->last);
        qn_vec_remove(&share->inflight, i);
        break;
    }
    outbox_pump(core, peer, share);
    if (lane == QN_LANE_CATCHUP)
        pump_all(core, peer);
}
