/* The intents that let go of what was kept long enough: trash, history, log. */
#include "base/limits.h"
#include "model/history.h"
#include "model/intents.h"
#include "proto/pack.h"

#define DAY_MS (24 * 3600 * UINT64_C(1000))

/* Of a step: the number, and where the last one ended. */
static enum qn_err read_step(struct qn_cursor *cursor, uint64_t *number, struct qn_buf *position)
{
    struct qn_span after;
    QN_TRY(qn_intent_array(cursor, 2));
    QN_TRY(qn_cursor_u64(cursor, number));
    QN_TRY(qn_cursor_bin(cursor, QN_KV_KEY_SIZE_MAX - 1, &after));
    qn_buf_append_span(position, after);
    return QN_OK;
}

static void answer_step(const struct qn_buf *position, struct qn_outcome *outcome)
{
    struct qn_buf answer;
    qn_buf_init(&answer, QN_KV_KEY_SIZE_MAX + 16);
    qn_pack_array(&answer, 1);
    qn_pack_bin(&answer, qn_buf_view(position));
    outcome->answer = qn_buf_take(&answer, &outcome->answer_size);
}

static enum qn_err run_purge(struct qn_applier *applier, struct qn_cursor *cursor,
                             struct qn_outcome *outcome)
{
    QN_AUTO_BUF struct qn_buf position;
    uint64_t count;
    qn_buf_init(&position, QN_KV_KEY_SIZE_MAX);
    QN_TRY(read_step(cursor, &count, &position));
    QN_TRY(qn_replica_purge_trash(applier->replica, count, &position, &outcome->changed));
    answer_step(&position, outcome);
    return QN_OK;
}

static enum qn_err run_forget(struct qn_applier *applier, struct qn_cursor *cursor,
                              struct qn_outcome *outcome)
{
    QN_AUTO_BUF struct qn_buf position;
    uint64_t days;
    qn_buf_init(&position, QN_KV_KEY_SIZE_MAX);
    QN_TRY(read_step(cursor, &days, &position));
    uint64_t before_ms = days > applier->wall_ms / DAY_MS ? 0 : applier->wall_ms - days * DAY_MS;
    QN_TRY(qn_history_forget(applier->kv, before_ms, &position, &outcome->changed));
    answer_step(&position, outcome);
    return QN_OK;
}

static enum qn_err read_cut(struct qn_cursor *cursor, struct qn_vv *covered, struct qn_log_cut *cut)
{
    QN_TRY(qn_intent_array(cursor, 6));
    QN_TRY(qn_cursor_bytes(cursor, cut->coll.bytes, sizeof(cut->coll.bytes)));
    QN_TRY(qn_vv_unpack(cursor, covered));
    QN_TRY(qn_cursor_u64(cursor, &cut->covered_seq));
    QN_TRY(qn_cursor_u64(cursor, &cut->ops_max));
    QN_TRY(qn_cursor_u64(cursor, &cut->bytes_max));
    QN_TRY(qn_cursor_u64(cursor, &cut->age_max_ms));
    cut->covered = covered;
    return QN_OK;
}

static enum qn_err run_cut_log(struct qn_applier *applier, struct qn_cursor *cursor,
                               struct qn_outcome *outcome)
{
    QN_AUTO_VV struct qn_vv covered = {0};
    QN_AUTO_BUF struct qn_buf answer;
    struct qn_log_cut cut;
    bool is_done;
    qn_buf_init(&answer, 16);
    QN_TRY(read_cut(cursor, &covered, &cut));
    QN_TRY(qn_replica_cut_log(applier->replica, &cut, &outcome->changed, &is_done));
    qn_pack_array(&answer, 1);
    qn_pack_bool(&answer, is_done);
    outcome->answer = qn_buf_take(&answer, &outcome->answer_size);
    return QN_OK;
}

static void pack_swept(const struct qn_trash_swept *swept, struct qn_outcome *outcome)
{
    struct qn_buf answer;
    qn_buf_init(&answer, QN_KEY_SIZE_MAX + 64);
    qn_pack_array(&answer, 4);
    qn_pack_u64(&answer, swept->erased);
    qn_pack_u64(&answer, swept->kept);
    qn_pack_u64(&answer, swept->looked);
    qn_pack_bin(&answer, qn_span(swept->after, swept->after_size));
    outcome->answer = qn_buf_take(&answer, &outcome->answer_size);
}

static enum qn_err run_empty_trash(struct qn_applier *applier, struct qn_cursor *cursor,
                                   struct qn_outcome *outcome)
{
    struct qn_trash_sweep sweep;
    struct qn_trash_swept swept;
    QN_TRY(qn_intent_array(cursor, 5));
    QN_TRY(qn_cursor_bytes(cursor, sweep.coll.bytes, sizeof(sweep.coll.bytes)));
    QN_TRY(qn_cursor_u64(cursor, &sweep.until_ms));
    QN_TRY(qn_cursor_bin(cursor, QN_KEY_SIZE_MAX, &sweep.after));
    QN_TRY(qn_cursor_str(cursor, QN_USER_SIZE_MAX, &sweep.user));
    QN_TRY(qn_cursor_bool(cursor, &sweep.is_dry_run));
    QN_TRY(qn_replica_empty_trash(applier->replica, &sweep, &swept));
    outcome->changed = sweep.is_dry_run ? 0 : swept.erased;
    pack_swept(&swept, outcome);
    return QN_OK;
}

enum qn_err qn_intent_run_trim(struct qn_applier *applier, enum qn_intent_kind kind,
                               struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    if (kind == QN_INTENT_PURGE)
        return run_purge(applier, cursor, outcome);
    if (kind == QN_INTENT_FORGET)
        return run_forget(applier, cursor, outcome);
    if (kind == QN_INTENT_EMPTY_TRASH)
        return run_empty_trash(applier, cursor, outcome);
    return run_cut_log(applier, cursor, outcome);
}
