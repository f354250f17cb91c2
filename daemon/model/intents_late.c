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
    struct qn_span body, lost;
    struct qn_page_result result;
    QN_TRY(qn_cursor_bin(cursor, QN_PAGE_SIZE_MAX, &body));
    QN_TRY(qn_cursor_skip(cursor, QN_VALUE_DEPTH_MAX + 4, &lost));
    QN_TRY(qn_cursor_finish(cursor));
    QN_TRY(qn_replica_page(applier->replica, coll, body, lost, &result));
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

struct unforking {
    struct qn_buf forked; /* actors, joined */
    bool is_more, is_late;
};

static enum qn_err unfork_one(struct qn_applier *applier, const struct qn_coll_id *coll,
                              struct qn_cursor *cursor, size_t ops_max, struct unforking *unforking)
{
    struct qn_actor actor;
    struct qn_span checkpoints;
    struct qn_unforked unforked;
    QN_TRY(qn_cursor_bytes(cursor, actor.bytes, sizeof(actor.bytes)));
    QN_TRY(qn_cursor_skip(cursor, 1, &checkpoints));
    enum qn_err err =
        qn_replica_unfork(applier->replica, coll, &actor, checkpoints, ops_max, &unforked);
    bool is_theirs = err == QN_ERR_INVALID || err == QN_ERR_SIGNATURE || err == QN_ERR_DENIED;
    if (err != QN_OK)
        return is_theirs ? QN_OK : err; /* what is said of one actor tells nothing of the next */
    if (unforked.is_fork)
        qn_buf_append_span(&unforking->forked, QN_SPAN_OF(actor.bytes));
    unforking->is_more |= unforked.is_more;
    unforking->is_late |= unforked.is_late;
    return QN_OK;
}

static enum qn_err unfork_each(struct qn_applier *applier, const struct qn_coll_id *coll,
                               struct qn_cursor *cursor, struct unforking *unforking)
{
    uint64_t ops_max;
    size_t count;
    QN_TRY(qn_cursor_u64(cursor, &ops_max));
    QN_TRY(qn_cursor_array(cursor, 2 * QN_FORK_ACTORS_MAX, &count));
    for (size_t i = 0; i < count / 2; i++)
        QN_TRY(unfork_one(applier, coll, cursor, (size_t)ops_max, unforking));
    return QN_OK;
}

static enum qn_err run_unfork(struct qn_applier *applier, const struct qn_coll_id *coll,
                              struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    struct unforking unforking = {0};
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&unforking.forked, QN_FORK_ACTORS_MAX * QN_ACTOR_SIZE);
    qn_buf_init(&out, QN_FORK_ACTORS_MAX * QN_ACTOR_SIZE + 64);
    enum qn_err err = unfork_each(applier, coll, cursor, &unforking);
    outcome->changed = unforking.forked.size / QN_ACTOR_SIZE;
    qn_pack_array(&out, 3);
    qn_pack_bin(&out, qn_buf_view(&unforking.forked));
    qn_pack_bool(&out, unforking.is_more);
    qn_pack_bool(&out, unforking.is_late);
    qn_buf_deinit(&unforking.forked);
    if (err == QN_OK)
        outcome->answer = qn_buf_take(&out, &outcome->answer_size);
    return err;
}

enum qn_err qn_intent_run_late(struct qn_applier *applier, enum qn_intent_kind kind,
                               struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    struct qn_coll_id coll;
    bool is_cancel = kind == QN_INTENT_LATE_CANCEL;
    bool is_long = kind == QN_INTENT_UNFORK || kind == QN_INTENT_PAGE;
    QN_TRY(qn_intent_array(cursor, is_cancel ? 1 : is_long ? 3 : 2));
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
