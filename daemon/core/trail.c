#include "core/trail.h"

#include "people/audit.h"

bool trail_is_message(uint64_t number)
{
    return number >= QN_MSG_TRAIL_TELL && number <= QN_MSG_TRAIL_HELD;
}

enum qn_err trail_load(struct peer *peer, struct qn_kv *kv)
{
    struct qn_trail_point newest;
    enum qn_err err = qn_trail_next(kv, &peer->site, 0, &newest);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    peer->trail.seq = newest.seq;
    peer->trail.hash = newest.hash;
    return qn_trail_contradicted(kv, &peer->site, &peer->trail.contradicted_ms);
}

void trail_session_starts(struct peer *peer)
{
    struct peer_trail *trail = &peer->trail;
    trail->said_seq = 0;
    trail->says = 0;
    trail->is_kept = trail->is_reading = false;
    trail->say_ms = 0;
}

static void note(struct qn_core *core, const struct peer *peer, const char *code, enum qn_err err)
{
    core_note(core, code, err, core_site_name(core, &peer->site));
}

/* ---- telling ---- */

void qn_core_set_trail(struct qn_core *core, uint64_t seq, struct qn_span checkpoint)
{
    QN_ASSERT(checkpoint.size <= sizeof(core->own_trail.checkpoint));
    memcpy(core->own_trail.checkpoint, checkpoint.data, checkpoint.size);
    core->own_trail.size = checkpoint.size;
    core->own_trail.seq = seq;
}

void qn_core_found_trail(struct qn_core *core, struct qn_span site, uint64_t wall_ms)
{
    qn_vec_each (&core->peers, peer)
        if (qn_span_eq_str(site, core_site_name(core, &(*peer)->site)))
            (*peer)->trail.found_ms = wall_ms;
}

/* An older version never says that it keeps anything. */
static uint64_t say_delay(const struct peer_trail *trail)
{
    uint64_t delay = TRAIL_SAY_MS;
    for (unsigned i = 0; i < trail->says && delay < TRAIL_SAY_MAX_MS; i++)
        delay *= 2;
    return delay;
}

static void tell(struct qn_core *core, struct peer *peer)
{
    struct qn_buf *out = core_message(core, QN_MSG_TRAIL_TELL, 1);
    qn_pack_bin(out, qn_span(core->own_trail.checkpoint, core->own_trail.size));
    core_send(core, peer->session->link);
    peer->trail.said_seq = core->own_trail.seq;
    peer->trail.is_kept = false;
    peer->trail.say_ms = core->now_ms + core_jitter(core, say_delay(&peer->trail));
    peer->trail.says++;
}

void trail_tick(struct qn_core *core)
{
    qn_vec_each (&core->peers, slot) {
        struct peer *peer = *slot;
        struct peer_trail *trail = &peer->trail;
        if (!peer_is_connected(peer) || core->own_trail.seq == 0)
            continue;
        if (trail->is_kept && trail->said_seq == core->own_trail.seq)
            continue;
        if (core->now_ms >= trail->say_ms)
            tell(core, peer);
        core_wake(core, trail->say_ms);
    }
    trail_ask_tick(core);
}

/* What it says of us is its word: `log verify` shows whether it has our signature for it. */
static enum qn_err heard_kept(struct qn_core *core, struct peer *peer, struct qn_cursor *cursor)
{
    struct peer_trail *trail = &peer->trail;
    uint64_t seq, accused_ms;
    QN_TRY(qn_cursor_u64(cursor, &seq));
    QN_TRY(qn_cursor_u64(cursor, &accused_ms));
    if (accused_ms > core->wall_ms) /* by a clock that is ahead */
        accused_ms = core->wall_ms;
    if (accused_ms > trail->accused_ms)
        note(core, peer, "trail-differs", QN_OK);
    trail->accused_ms = accused_ms;
    trail->is_kept |= seq == trail->said_seq;
    trail->says = 0;
    return QN_OK;
}

/* ---- keeping ---- */

static void say_kept(struct qn_core *core, struct peer *peer, uint64_t seq)
{
    struct qn_buf *out = core_message(core, QN_MSG_TRAIL_KEPT, 2);
    qn_pack_u64(out, seq);
    qn_pack_u64(out, peer->trail.contradicted_ms);
    core_send(core, peer->session->link);
}

static bool is_signed(const struct qn_core *core, const struct peer *peer,
                      const struct qn_audit_checkpoint *checkpoint)
{
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &peer->site);
    if (site == NULL)
        return false;
    qn_vec_each (&site->epochs, key)
        if (qn_audit_checkpoint_verify(checkpoint, &peer->site, key) == QN_OK)
            return true;
    return false;
}

static void keep(struct qn_core *core, struct peer *peer,
                 const struct qn_audit_checkpoint *checkpoint, struct qn_span bytes)
{
    struct qn_buf payload;
    qn_buf_init(&payload, QN_TRAIL_CHECKPOINT_SIZE_MAX + 128);
    qn_pack_array(&payload, 4);
    qn_pack_bin(&payload, QN_SPAN_OF(peer->site.bytes));
    qn_pack_u64(&payload, checkpoint->seq);
    qn_pack_bin(&payload, qn_digest_view(&checkpoint->hash));
    qn_pack_bin(&payload, bytes);
    struct pending *pending = core_commit(core, QN_INTENT_TRAIL, &payload, PENDING_TRAIL);
    pending->site = peer->site;
    pending->link = peer->session->link;
    pending->seq = checkpoint->seq;
    peer->trail.storing_hash = checkpoint->hash;
    peer->trail.is_storing = true;
    peer->trail.listen_ms = core->now_ms + TRAIL_LISTEN_MS;
}

/* One that no known key signed may be signed by one that is on its way: it is told again. */
static enum qn_err heard_tell(struct qn_core *core, struct peer *peer, struct qn_cursor *cursor)
{
    struct peer_trail *trail = &peer->trail;
    struct qn_audit_checkpoint checkpoint;
    struct qn_span bytes;
    QN_TRY(qn_cursor_bin(cursor, QN_TRAIL_CHECKPOINT_SIZE_MAX, &bytes));
    QN_TRY(qn_audit_checkpoint_unpack(bytes, &checkpoint));
    if (trail->seq == checkpoint.seq && qn_digest_eq(&trail->hash, &checkpoint.hash))
        say_kept(core, peer, checkpoint.seq);
    else if (!trail->is_storing && core->now_ms >= trail->listen_ms && checkpoint.seq > 0 &&
             is_signed(core, peer, &checkpoint))
        keep(core, peer, &checkpoint, bytes);
    return QN_OK;
}

static uint64_t read_contradicted(const struct qn_outcome *outcome)
{
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    size_t count;
    uint64_t ms;
    bool is_read =
        qn_cursor_array(&cursor, 1, &count) == QN_OK && qn_cursor_u64(&cursor, &ms) == QN_OK;
    return is_read ? ms : 0;
}

void trail_outcome(struct qn_core *core, const struct pending *pending,
                   const struct qn_outcome *outcome)
{
    struct peer *peer = core_peer(core, &pending->site);
    if (peer == NULL)
        return;
    struct peer_trail *trail = &peer->trail;
    trail->is_storing = false;
    if (outcome->err != QN_OK) { /* it is told again */
        note(core, peer, "trail-not-kept", outcome->err);
        return;
    }
    uint64_t contradicted_ms = read_contradicted(outcome);
    if (contradicted_ms > trail->contradicted_ms)
        note(core, peer, "trail-contradicted", QN_OK);
    trail->contradicted_ms = contradicted_ms;
    trail->seq = pending->seq;
    trail->hash = trail->storing_hash;
    if (peer->session != NULL && peer->session->link == pending->link)
        say_kept(core, peer, pending->seq);
}

/* ---- frames ---- */

enum qn_err trail_frame(struct qn_core *core, struct peer *peer, uint64_t number,
                        struct qn_cursor *cursor)
{
    uint64_t after, count = 0;
    switch (number) {
    case QN_MSG_TRAIL_TELL:
        return heard_tell(core, peer, cursor);
    case QN_MSG_TRAIL_KEPT:
        return heard_kept(core, peer, cursor);
    case QN_MSG_TRAIL_ASK:
        QN_TRY(qn_cursor_u64(cursor, &after));
        if (!qn_cursor_is_end(cursor)) /* an older version wants all that fit */
            QN_TRY(qn_cursor_u64(cursor, &count));
        trail_asked(core, peer, after, count);
        return QN_OK;
    default:
        return trail_heard_held(core, peer, cursor);
    }
}
