#include "model/intents.h"
#include "model/trail.h"
#include "proto/pack.h"

static enum qn_err answer(struct qn_applier *applier, const struct qn_site_id *site,
                          struct qn_outcome *outcome)
{
    uint64_t contradicted_ms;
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 16);
    QN_TRY(qn_trail_contradicted(applier->kv, site, &contradicted_ms));
    qn_pack_array(&out, 1);
    qn_pack_u64(&out, contradicted_ms);
    QN_TRY(qn_buf_status(&out));
    outcome->answer = qn_buf_take(&out, &outcome->answer_size);
    return QN_OK;
}

enum qn_err qn_intent_run_trail(struct qn_applier *applier, struct qn_cursor *cursor,
                                struct qn_outcome *outcome)
{
    struct qn_site_id site;
    struct qn_trail_point point = {0};
    QN_TRY(qn_intent_array(cursor, 4));
    QN_TRY(qn_cursor_bytes(cursor, site.bytes, sizeof(site.bytes)));
    QN_TRY(qn_cursor_u64(cursor, &point.seq));
    QN_TRY(qn_intent_digest(cursor, &point.hash));
    QN_TRY(qn_cursor_bin(cursor, QN_TRAIL_CHECKPOINT_SIZE_MAX, &point.checkpoint));
    QN_TRY(qn_cursor_finish(cursor));
    QN_TRY(qn_trail_keep(applier->kv, &site, &point, applier->wall_ms));
    return answer(applier, &site, outcome);
}
