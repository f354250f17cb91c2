/* The intents of late.h. */
#include "base/limits.h"
#include "model/fork.h"
#include "model/intents.h"
#include "model/late.h"
#include "proto/pack.h"

static enum qn_err run_late(struct qn_applier *applier, const struct qn_coll_id *coll,
                            struct qn_cursor *cursor)
{
    bool may_drop;
    QN_TRY(qn_cursor_bool(cursor, &may_drop));
    QN_TRY(qn_cursor_finish(cursor));
    return qn_replica_late_begin(applier->replica, coll, may_drop);
}

static void answer(struct qn_outcome *outcome, bool is_end)
{
    struct qn_buf out;
    qn_buf_init(&out, 8);
    qn_pack_array(&out, 1);
    qn_pack_bool(&out, is_end);
    outcome->answer = qn_buf_take(&out, &outcome->answer_size);
}

static enum qn_err run_page(struct qn_applier *applier, const struct qn_coll_id *coll,
                            struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    struct qn_span body;
    struct qn_page_result result;
    QN_TRY(qn_cursor_bin(cursor, QN_PAGE_SIZE_MAX, &body));
    QN_TRY(qn_cursor_finish(cursor));
    QN_TRY(qn_replica_page(applier->replica, coll, body, &result));
    outcome->changed = result.changed;
    answer(outcome, result.is_end);
    return QN_OK;
}

static enum qn_err run_rescue(struct qn_applier *applier, const struct qn_coll_id *coll,
                              struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    QN_AUTO_VV struct qn_vv known = {0};
    QN_TRY(qn_vv_unpack(cursor, &known));
    QN_TRY(qn_cursor_finish(cursor));
    return qn_replica_rescue(applier->replica, coll, &known, &outcome->changed);
}

static enum qn_err unfork_one(struct qn_applier *applier, const struct qn_coll_id *coll,
                              struct qn_cursor *cursor, struct qn_actor *ret_actor,
                              bool *ret_is_fork)
{
    struct qn_span checkpoints;
    size_t written;
    QN_TRY(qn_cursor_bytes(cursor, ret_actor->bytes, sizeof(ret_actor->bytes)));
    QN_TRY(qn_cursor_skip(cursor, 1, &checkpoints));
    enum qn_err err =
        qn_replica_unfork(applier->replica, coll, ret_actor, checkpoints, ret_is_fork, &written);
    bool is_theirs = err == QN_ERR_INVALID || err == QN_ERR_SIGNATURE || err == QN_ERR_DENIED;
    return is_theirs ? QN_OK : err; /* what is said of one actor tells nothing of the next */
}

/* The answer: the actors that there were two chains of. */
static enum qn_err run_unfork(struct qn_applier *applier, const struct qn_coll_id *coll,
                              struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    size_t count;
    struct qn_buf forked;
    QN_TRY(qn_cursor_array(cursor, 2 * QN_FORK_ACTORS_MAX, &count));
    qn_buf_init(&forked, QN_FORK_ACTORS_MAX * QN_ACTOR_SIZE);
    for (size_t i = 0; i < count / 2; i++) {
        struct qn_actor actor;
        bool is_fork = false;
        enum qn_err err = unfork_one(applier, coll, cursor, &actor, &is_fork);
        if (err != QN_OK) {
            qn_buf_deinit(&forked);
            return err;
        }
        if (is_fork)
            qn_buf_append_span(&forked, QN_SPAN_OF(actor.bytes));
    }
    outcome->changed = forked.size / QN_ACTOR_SIZE;
    outcome->answer = qn_buf_take(&forked, &outcome->answer_size);
    return QN_OK;
}

enum qn_err qn_intent_run_late(struct qn_applier *applier, enum qn_intent_kind kind,
                               struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    struct qn_coll_id coll;
    bool is_cancel = kind == QN_INTENT_LATE_CANCEL;
    QN_TRY(qn_intent_array(cursor, is_cancel ? 1 : 2));
    QN_TRY(qn_cursor_bytes(cursor, coll.bytes, sizeof(coll.bytes)));
    if (is_cancel)
        return qn_replica_late_cancel(applier->replica, &coll);
    if (kind == QN_INTENT_LATE)
        return run_late(applier, &coll, cursor);
    if (kind == QN_INTENT_UNFORK)
        return run_unfork(applier, &coll, cursor, outcome);
    if (kind == QN_INTENT_PAGE)
        return run_page(applier, &coll, cursor, outcome);
    return run_rescue(applier, &coll, cursor, outcome);
}
