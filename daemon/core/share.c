#include "core/integrity.h"
#include "core/late.h"
#include "model/bugs.h"

void share_free(struct share *share)
{
    qn_vec_each (&share->inflight, sent)
        qn_vv_deinit(&sent->last);
    qn_vec_each (&share->inbound, in)
        qn_free(in->body);
    qn_vec_free(&share->inflight);
    qn_vec_free(&share->inbound);
    qn_vv_deinit(&share->told);
    pages_end(NULL, share);
    qn_vv_deinit(&share->offered);
    qn_free(share);
}

static const struct known *known_of(const struct peer *peer, const struct share *share)
{
    return coll_known(share->coll, &peer->site);
}

/* ---- saying ---- */

static void send_clock(struct qn_core *core, struct peer *peer, struct share *share,
                       const struct qn_vv *clock, unsigned flags)
{
    struct qn_buf *out = core_message(core, QN_MSG_CLOCK, 3);
    qn_pack_bin(out, QN_SPAN_OF(share->coll->id.bytes));
    qn_vv_pack(clock, out);
    qn_pack_u64(out, flags | late_own_flags(share->coll));
    core_send(core, peer->session->link);
    share->owes_clock = false;
}

void share_say_clock(struct qn_core *core, struct peer *peer, struct share *share, unsigned flags)
{
    send_clock(core, peer, share, &share->coll->cc, flags);
    qn_vv_copy(&share->told, &share->coll->cc);
}

/* Only what the peer cannot know yet: operations that came from somebody else. */
void share_tell_clock(struct qn_core *core, struct peer *peer, struct share *share)
{
    if (!share->owes_clock || !share->has_clock || outbox_is_sending(core, share))
        return;
    share->owes_clock = false;
    QN_AUTO_VV struct qn_vv delta = {0};
    qn_vec_each (&share->coll->cc.entries, entry)
        if (entry->ctr > qn_vv_get(&share->told, &entry->actor))
            qn_vv_set(&delta, &entry->actor, entry->ctr);
    if (delta.entries.count == 0)
        return;
    send_clock(core, peer, share, &delta, QN_CLOCK_DELTA);
    qn_vv_join(&share->told, &delta);
    peer->session->clocks_ms = core->now_ms + CLOCK_SPREAD_MS;
}

/* ---- the right to send catch-up: one link at a time for each collection ---- */

static bool has_more_than_we(const struct peer *peer, const struct share *share)
{
    return !share->is_short && !qn_vv_covers(&share->coll->cc, &known_of(peer, share)->clock);
}

/* While pages are on their way, operations would come twice. */
static bool takes_catchup(const struct qn_core *core, const struct coll *coll)
{
    return coll->grant == 0 && !coll->is_becoming_late && !late_takes_pages(core, coll);
}

/* At the first flight the peer's clock is a guess, so the right is given freely; else only to one
 * that has something for us. */
bool share_take_grant(struct qn_core *core, struct peer *peer, struct share *share)
{
    struct coll *coll = share->coll;
    if (takes_catchup(core, coll) && (!share->has_clock || has_more_than_we(peer, share))) {
        coll->grant = peer->session->link;
        share->peer_is_done = false;
    }
    return coll->grant == peer->session->link;
}

void coll_grant_next(struct qn_core *core, struct coll *coll)
{
    if (!takes_catchup(core, coll))
        return;
    qn_vec_each (&core->peers, slot) {
        struct share *share = peer_share(*slot, &coll->id);
        if (share == NULL || !share->has_clock || !has_more_than_we(*slot, share))
            continue;
        share_take_grant(core, *slot, share);
        share_say_clock(core, *slot, share, QN_CLOCK_GRANTS);
        return;
    }
}

static bool waits_for_catchup(const struct share *share)
{
    qn_vec_each (&share->inbound, in)
        if (in->lane == QN_LANE_CATCHUP)
            return true;
    return false;
}

/* The next link's turn, once this one is done and all that it sent is durable. */
void share_release_grant(struct qn_core *core, struct peer *peer, struct share *share)
{
    struct coll *coll = share->coll;
    if (coll->grant != peer->session->link || !share->has_clock)
        return;
    bool has_nothing = !has_more_than_we(peer, share);
    if (waits_for_catchup(share) || (!share->peer_is_done && !has_nothing))
        return;
    coll->grant = 0;
    late_forgive(core, coll);
    coll_grant_next(core, coll);
}

/* A late site has no more to give before it is clean, and what it sent may have to wait for what
 * others bring. It may say that it is late before or after the end of what it sent. */
static void pass_grant_on(struct qn_core *core, const struct peer *peer, struct share *share)
{
    if (!share->is_late_there || !share->peer_is_done || share->coll->grant != peer->session->link)
        return;
    share->is_short = true;
    share->coll->grant = 0;
    coll_grant_next(core, share->coll);
}

void share_live(struct qn_core *core, struct peer *peer, struct share *share)
{
    share->peer_is_done = true;
    pass_grant_on(core, peer, share);
    share_release_grant(core, peer, share);
}

/* ---- sending what the peer lacks ---- */

/* What it lacks is not in the log, or would come better as pages. It asks for them, if it can. */
void share_is_beyond(struct qn_core *core, struct peer *peer, struct share *share)
{
    share->lanes[QN_LANE_CATCHUP].is_active = false;
    share->has_grant = false;
    share->is_beyond = true;
    share_say_clock(core, peer, share, QN_CLOCK_SHORT);
}

static void start_catchup(struct qn_core *core, struct peer *peer, struct share *share)
{
    struct lane *lane = &share->lanes[QN_LANE_CATCHUP];
    if (lane->is_active)
        return;
    if (pages_are_better(share, &known_of(peer, share)->clock)) {
        share_is_beyond(core, peer, share);
        return;
    }
    lane->is_active = true;
    lane->next_seq = 0;
    lane->end_seq = share->coll->info.order_head;
    share->recheck_ms = 0;
    outbox_pump(core, peer, share);
}

void share_granted(struct qn_core *core, struct peer *peer, struct share *share)
{
    share->has_grant = true;
    if (share->has_clock)
        start_catchup(core, peer, share);
}

static void clock_is_known(struct qn_core *core, struct peer *peer, struct share *share)
{
    if (!share->has_clock) {
        share->has_clock = true;
        share->lanes[QN_LANE_LIVE] =
            (struct lane){.is_active = true, .next_seq = share->coll->info.order_head + 1};
    }
    if (share->has_grant)
        start_catchup(core, peer, share);
    share_release_grant(core, peer, share);
    if (share->coll->grant == 0)
        coll_grant_next(core, share->coll);
}

/* ---- hearing ---- */

/* Fingerprints mean something only between equal clocks. */
static void compare_roots(struct qn_core *core, struct peer *peer, struct share *share,
                          const uint8_t *root)
{
    struct coll *coll = share->coll;
    if (coll->info.damage.is_uncounted || coll->info.late.is_late || share->is_late_there)
        return;
    if (memcmp(root, coll->info.root, QN_ROOT_SIZE) == 0)
        coll_known(coll, &peer->site)->differs = false;
    else
        verify_differs(core, peer, coll);
}

void share_confirm_clock(struct qn_core *core, const struct peer *peer, struct share *share)
{
    struct known *known = coll_known(share->coll, &peer->site);
    if (!qn_vv_eq(&known->clock, &share->coll->cc)) {
        qn_vv_copy(&known->clock, &share->coll->cc);
        known->is_dirty = true;
    }
    known->heard_ms = core->wall_ms;
}

void share_heard_hash(struct qn_core *core, struct peer *peer, struct share *share,
                      const uint8_t *hash, const uint8_t *root)
{
    struct coll *coll = share->coll;
    struct known *known = coll_known(coll, &peer->site);
    uint8_t believed[QN_ROOT_SIZE];
    hash_vv(&known->clock, believed);
    bool is_equal = memcmp(hash, coll->cc_hash, QN_ROOT_SIZE) == 0;
    if (is_equal || QN_BUG(QN_BUG_COMPARE_UNEQUAL))
        compare_roots(core, peer, share, root);
    if (is_equal)
        share_confirm_clock(core, peer, share);
    else
        known->heard_ms = core->wall_ms;
    repair_soon(coll);
    if (is_equal || memcmp(hash, believed, QN_ROOT_SIZE) == 0)
        clock_is_known(core, peer, share);
    else if (!share->has_clock)
        share_say_clock(core, peer, share, QN_CLOCK_WANTS_ANSWER);
}

void share_renew(struct qn_core *core)
{
    struct qn_buf payload;
    if (core->has_renewed)
        return;
    qn_buf_init(&payload, 16);
    qn_pack_array(&payload, 0);
    core_commit(core, QN_INTENT_RENEW, &payload, PENDING_RENEW);
    core->has_renewed = true;
}

/* A peer that has more of our own operations than we do: this store may be an old copy, and the
 * next write is made by a new incarnation. A claim proves nothing, and a store grows old only while
 * the daemon is down: so one claim counts, at the first contact, and a member that makes up others
 * cannot fill our clocks with incarnations. Operations that we signed prove it at any time, when
 * they are applied (model/replica_apply.c). */
static void guard_own_dots(struct qn_core *core, const struct coll *coll, const struct qn_vv *clock)
{
    if (core->has_renewed || qn_vv_get(clock, &core->actor) <= qn_vv_get(&coll->cc, &core->actor))
        return;
    core_note(core, "restored", QN_OK, (const char *)coll->info.name);
    share_renew(core);
}

/* A peer that names ever new actors in deltas would make what is known of it grow for good. */
static bool is_too_large(const struct known *known, const struct qn_vv *delta)
{
    size_t count = known->clock.entries.count;
    qn_vec_each (&delta->entries, entry)
        count += qn_vv_get(&known->clock, &entry->actor) == 0;
    return count > QN_CLOCK_ACTORS_MAX;
}

enum qn_err share_heard_clock(struct qn_core *core, struct peer *peer, struct share *share,
                              const struct qn_vv *clock, uint64_t flags)
{
    struct known *known = coll_known(share->coll, &peer->site);
    if ((flags & QN_CLOCK_DELTA) && is_too_large(known, clock))
        return QN_ERR_LIMIT;
    if (flags & QN_CLOCK_DELTA)
        qn_vv_join(&known->clock, clock);
    else
        qn_vv_copy(&known->clock, clock);
    known->heard_ms = core->wall_ms;
    known->is_dirty = true;
    share->is_beyond = false;
    late_heard_flags(core, peer, share, flags);
    pass_grant_on(core, peer, share);
    guard_own_dots(core, share->coll, clock);
    if (flags & QN_CLOCK_GRANTS)
        share->has_grant = true;
    clock_is_known(core, peer, share);
    if (flags & QN_CLOCK_WANTS_ANSWER)
        share_say_clock(core, peer, share,
                        share_take_grant(core, peer, share) ? QN_CLOCK_GRANTS : 0);
    return QN_OK;
}

/* A peer that was brought up to date and still lacks something a while later (it came to us from a
 * site that the peer cannot reach) is offered it. */
static void recheck(struct qn_core *core, struct peer *peer, struct share *share)
{
    bool is_idle = share->was_live && !share->lanes[QN_LANE_CATCHUP].is_active &&
                   share->inflight.count == 0 && !share->is_beyond && !share->is_late_there &&
                   !share->coll->info.late.is_late;
    if (!is_idle || qn_vv_covers(&known_of(peer, share)->clock, &share->coll->cc)) {
        share->recheck_ms = 0;
        return;
    }
    if (share->recheck_ms == 0)
        share->recheck_ms = core->now_ms + core_jitter(core, RECHECK_MS);
    if (core->now_ms >= share->recheck_ms)
        start_catchup(core, peer, share);
    else
        core_wake(core, share->recheck_ms);
}

static void retry_inbound(struct qn_core *core, struct peer *peer, struct share *share)
{
    qn_vec_each (&share->inbound, in)
        if (in->retry_ms > core->now_ms)
            core_wake(core, in->retry_ms);
    inbox_retry(core, peer, share);
}

void share_tick(struct qn_core *core, struct peer *peer, struct share *share)
{
    if (share->owes_clock && share->has_clock && !outbox_is_sending(core, share))
        core_wake(core, peer->session->clocks_ms);
    recheck(core, peer, share);
    outbox_tick(core, peer, share);
    pages_tick(core, peer, share);
    bool has_failed = false;
    qn_vec_each (&share->inbound, in)
        has_failed |= in->retry_ms != 0;
    if (has_failed)
        retry_inbound(core, peer, share);
}
