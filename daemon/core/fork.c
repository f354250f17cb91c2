/* An operation does not fit the chain of its actor here: either who sent it made it up, or there
 * are two chains (model/fork.h; docs/protocol.md 6.8). The sender's checkpoints tell.
 *
 *   message refused ── CHAIN_ASK ── CHAIN ── commit UNFORK ──▶ two chains: clocks are said anew,
 *                        │                       │             and what differed comes
 *                        │                       └─ one chain ──▶ the message is tried once more:
 * another │                                        link may have settled it └─ no answer in 15 s,
 * or it is refused again ──▶ the sender is to blame
 *
 * A long run goes in steps, each a commit, the last operations first: whoever ends in between has a
 * shorter run of that chain, and finds the rest of the fork when the next operation does not fit.
 * Clocks are said at the end only, or who has the same chain would give back what just went. In a
 * collection that is late nothing is joined: what does not fit is held until it is clean. */
#include "core/twin.h"
#include "model/fork.h"

#define FORK_WAIT_MS 15000
#define FORKS_MAX    16 /* of a collection, in an hour */
#define HOUR_MS      3600000

/* The actors of which the message has something new. */
static size_t pack_actors(const struct coll *coll, struct qn_span body, struct qn_buf *out)
{
    struct qn_cursor cursor = qn_cursor(body);
    struct qn_ops ops = {0};
    size_t count = 0;
    if (qn_ops_unpack(&cursor, &ops) == QN_OK)
        qn_vec_each (&ops.actors, actor) {
            uint64_t ctr = qn_vv_get(&coll->cc, &actor->last.actor);
            if (ctr == 0 || actor->last.ctr <= ctr || count == QN_FORK_ACTORS_MAX)
                continue;
            qn_pack_bin(out, QN_SPAN_OF(actor->last.actor.bytes));
            qn_pack_u64(out, ctr);
            count++;
        }
    qn_ops_deinit(&ops);
    return count;
}

/* A member that makes up operations would have all of an actor written anew over and over. */
static bool is_too_often(const struct qn_core *core, const struct coll *coll)
{
    return coll->forks >= FORKS_MAX && core->now_ms < coll->forked_ms + HOUR_MS;
}

bool fork_asks(struct qn_core *core, struct peer *peer, struct share *share, struct qn_span body)
{
    struct session *session = peer->session;
    QN_AUTO_BUF struct qn_buf actors;
    qn_buf_init(&actors, QN_FORK_ACTORS_MAX * (QN_ACTOR_SIZE + 16));
    if (session->fork_ms != 0)
        return true; /* one answer is awaited; what else does not fit is tried again then */
    share->coll->is_forked_late &= share->coll->info.late.is_late;
    if (share->coll->is_forked_late)
        return true;
    size_t count = pack_actors(share->coll, body, &actors);
    if (count == 0 || session->has_asked_chain || is_too_often(core, share->coll))
        return false;
    struct qn_buf *out = core_message(core, QN_MSG_CHAIN_ASK, 2);
    qn_pack_bin(out, QN_SPAN_OF(share->coll->id.bytes));
    qn_pack_array(out, 2 * count);
    qn_pack_raw(out, qn_buf_view(&actors));
    core_send(core, session->link);
    session->has_asked_chain = true;
    session->fork_ms = core->now_ms + FORK_WAIT_MS;
    return true;
}

/* ---- answering ---- */

/* One at a time: it is asked once in a connection. */
void fork_asked(struct qn_core *core, struct peer *peer, struct share *share, struct qn_span actors)
{
    if (share->is_answering_chain)
        return;
    share->is_answering_chain = true;
    struct qn_read *read = QN_NEW(struct qn_read);
    *read = (struct qn_read){.kind = QN_READ_CHAIN, .coll = share->coll->id};
    qn_buf_init(&read->names, QN_FRAME_SIZE_MAX);
    qn_buf_append_span(&read->names, actors);
    struct pending *pending = core_read_later(core, read, PENDING_FORK);
    pending->link = peer->session->link;
    pending->coll = share->coll->id;
}

enum qn_err fork_read(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_span actors,
                      struct qn_buf *out)
{
    struct qn_cursor cursor = qn_cursor(actors);
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, 2 * QN_FORK_ACTORS_MAX, &count));
    qn_pack_array(out, count / 2 * 2);
    for (size_t i = 0; i < count / 2; i++) {
        struct qn_actor actor;
        uint64_t ctr;
        QN_TRY(qn_cursor_bytes(&cursor, actor.bytes, sizeof(actor.bytes)));
        QN_TRY(qn_cursor_u64(&cursor, &ctr));
        qn_pack_bin(out, QN_SPAN_OF(actor.bytes));
        QN_TRY(qn_read_checkpoints(kv, coll, &actor, ctr, out));
    }
    return qn_buf_status(out);
}

void fork_read_done(struct qn_core *core, const struct pending *pending,
                    const struct qn_read_result *result)
{
    struct peer *peer = core_peer_of_link(core, pending->link);
    struct share *share = peer_share(peer, &pending->coll);
    if (share == NULL)
        return;
    share->is_answering_chain = false;
    if (result->err != QN_OK)
        return;
    struct qn_buf *out = core_message(core, QN_MSG_CHAIN, 2);
    qn_pack_bin(out, QN_SPAN_OF(pending->coll.bytes));
    qn_pack_raw(out, qn_buf_view(&result->body));
    core_send(core, peer->session->link);
}

/* ---- the answer ---- */

static void submit(struct qn_core *core, struct session *session, const struct qn_coll_id *coll)
{
    struct qn_buf payload;
    session->is_unforking = true;
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX + 64);
    qn_pack_array(&payload, 3);
    qn_pack_bin(&payload, QN_SPAN_OF(coll->bytes));
    qn_pack_u64(&payload, core->options.unfork_ops_max);
    qn_pack_raw(&payload, qn_buf_view(&session->chains));
    struct pending *pending = core_commit(core, QN_INTENT_UNFORK, &payload, PENDING_FORK);
    pending->link = session->link;
    pending->coll = *coll;
}

void fork_heard(struct qn_core *core, struct peer *peer, struct share *share, struct qn_span chains)
{
    struct session *session = peer->session;
    if (session->fork_ms == 0 || session->is_unforking)
        return;
    qn_buf_init(&session->chains, QN_FRAME_SIZE_MAX);
    qn_buf_append_span(&session->chains, chains);
    submit(core, session, &share->coll->id);
}

/* Clocks went back, which a delta cannot say. What is missing now is to come from the site with the
 * other chain: another one might have the one that was just let go. */
static void part(struct qn_core *core, struct coll *coll, struct peer *with)
{
    core_note(core, "forked", QN_OK, coll->shown);
    if (core->now_ms >= coll->forked_ms + HOUR_MS)
        coll->forks = 0;
    if (coll->forks++ == 0)
        coll->forked_ms = core->now_ms;
    if (peer_share(with, &coll->id) != NULL)
        coll->grant = with->session->link;
    qn_vec_each (&core->peers, slot) {
        struct share *share = peer_share(*slot, &coll->id);
        if (share == NULL)
            continue;
        share->peer_is_done &= *slot != with;
        share_say_clock(core, *slot, share, *slot == with ? QN_CLOCK_GRANTS : 0);
    }
}

static void tell_twins(struct qn_core *core, struct qn_span actors)
{
    for (size_t at = 0; at + QN_ACTOR_SIZE <= actors.size; at += QN_ACTOR_SIZE)
        twin_found(core, actors.data + at);
}

/* What does not fit stays in the lane until the collection is clean: nobody is to blame. */
static void wait_for_clean(struct qn_core *core, struct coll *coll)
{
    coll->is_forked_late = true;
    core_note(core, "forked", QN_ERR_HELD, coll->shown);
}

struct answer {
    struct qn_span actors;
    bool is_more, is_late;
};

static struct answer read_answer(const struct qn_outcome *outcome)
{
    struct answer answer = {0};
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    size_t count;
    bool is_read =
        outcome->err == QN_OK && qn_cursor_array(&cursor, 3, &count) == QN_OK &&
        qn_cursor_bin(&cursor, QN_FORK_ACTORS_MAX * QN_ACTOR_SIZE, &answer.actors) == QN_OK &&
        qn_cursor_bool(&cursor, &answer.is_more) == QN_OK &&
        qn_cursor_bool(&cursor, &answer.is_late) == QN_OK;
    return is_read ? answer : (struct answer){0};
}

/* With nobody to hear the rest from, what has gone has gone; the rest is found again. */
static void took(struct qn_core *core, struct coll *coll, struct peer *peer,
                 const struct answer *answer)
{
    if (answer->is_late)
        wait_for_clean(core, coll);
    else
        part(core, coll, peer);
    if (answer->is_late && peer != NULL)
        peer->session->has_asked_chain = false;
}

static void ended(struct session *session)
{
    session->fork_ms = 0;
    session->is_unforking = false;
    qn_buf_deinit(&session->chains);
}

void fork_outcome(struct qn_core *core, const struct pending *pending,
                  const struct qn_outcome *outcome)
{
    struct peer *peer = core_peer_of_link(core, pending->link);
    struct share *share = peer_share(peer, &pending->coll);
    struct coll *coll = core_coll(core, &pending->coll);
    const struct answer answer = read_answer(outcome);
    tell_twins(core, answer.actors);
    if (answer.is_more && share != NULL) {
        submit(core, peer->session, &pending->coll);
        return;
    }
    if (peer != NULL)
        ended(peer->session);
    if (coll != NULL && answer.actors.size > 0)
        took(core, coll, peer, &answer);
    else if (peer != NULL && outcome->err == QN_ERR_IO)
        peer_hang_up(core, peer); /* this site's store: later */
    else if (share != NULL && outcome->err == QN_OK)
        inbox_retry(core, peer, share);
    else if (peer != NULL)
        peer_bad(core, peer, "bad-operation", QN_ERR_SIGNATURE);
}

void fork_tick(struct qn_core *core, struct peer *peer)
{
    struct session *session = peer->session;
    if (session->fork_ms == 0 || session->is_unforking)
        return;
    if (core->now_ms < session->fork_ms)
        core_wake(core, session->fork_ms);
    else
        peer_bad(core, peer, "bad-operation", QN_ERR_SIGNATURE);
}
