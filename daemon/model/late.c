/* A late collection: beginning, the end of a pass, becoming clean. Pages are in late_page.c. */
#include "model/late_impl.h"

#include "base/assert.h"
#include "base/limits.h"
#include "model/bugs.h"
#include "model/late_owed.h"

#define OWED_BATCH 1024 /* pairs of one operation */

void qn_late_start_pass(struct qn_replica *replica, struct qn_coll_state *coll)
{
    struct qn_coll_row *row = &coll->row;
    row->is_late = row->is_passing = true;
    row->may_drop = false;
    row->pass++;
    row->rows_before = row->rows;
    row->dropped = 0;
    qn_replica_touch(replica, &coll->id);
}

static enum qn_err begin(struct qn_replica *replica, struct qn_coll_state *coll, bool may_drop)
{
    QN_TRY(qn_replica_number_coll(replica, coll));
    if (!coll->row.is_passing)
        qn_late_start_pass(replica, coll);
    coll->row.may_drop = coll->row.may_drop || may_drop;
    return qn_coll_row_put(replica->kv, &coll->id, &coll->row);
}

enum qn_err qn_replica_late_begin(struct qn_replica *replica, const struct qn_coll_id *coll,
                                  bool may_drop)
{
    struct qn_coll_state *state;
    QN_TRY(qn_replica_coll(replica, coll, &state));
    if (state->row.is_passing && (state->row.may_drop || !may_drop))
        return QN_OK;
    return qn_replica_fault(begin(replica, state, may_drop));
}

static enum qn_err cancel(struct qn_replica *replica, struct qn_coll_state *coll)
{
    coll->row.is_passing = coll->row.may_drop = false;
    QN_TRY(qn_replica_settle(replica, coll));
    qn_replica_touch(replica, &coll->id);
    return qn_coll_row_put(replica->kv, &coll->id, &coll->row);
}

enum qn_err qn_replica_late_cancel(struct qn_replica *replica, const struct qn_coll_id *coll)
{
    struct qn_coll_state *state;
    QN_TRY(qn_replica_coll(replica, coll, &state));
    if (!state->row.is_late || qn_segs_last(&state->segs, state->row.pass) != NULL ||
        qn_segs_open(&state->segs, &state->cc) > 0)
        return QN_ERR_STATE;
    return qn_replica_fault(cancel(replica, state));
}

/* --- the end of a pass --- */

/* What all pages of the pass have in common: for each actor the lowest of their checkpoints. */
static void meet(struct qn_page_heads *common, const struct qn_page_heads *other)
{
    size_t kept = 0, at = 0;
    qn_vec_each (&common->list, head) {
        while (at < other->list.count &&
               qn_actor_cmp(&other->list.items[at].at.actor, &head->at.actor) < 0)
            at++;
        if (at == other->list.count)
            break;
        const struct qn_page_head *theirs = &other->list.items[at];
        if (qn_actor_cmp(&theirs->at.actor, &head->at.actor) != 0)
            continue;
        common->list.items[kept++] = theirs->at.ctr < head->at.ctr ? *theirs : *head;
    }
    common->list.count = kept;
}

static bool is_of_pass(const struct qn_coll_state *coll, size_t clock)
{
    qn_vec_each (&coll->segs.list, seg)
        if (seg->clock == clock && seg->pass == coll->row.pass)
            return true;
    return false;
}

static enum qn_err meet_of_pass(struct qn_replica *replica, const struct qn_coll_state *coll,
                                struct qn_page_heads *common)
{
    bool is_first = true;
    for (size_t i = 0; i < coll->segs.clocks.count; i++) {
        struct qn_page_heads heads = {0};
        if (!is_of_pass(coll, i))
            continue;
        QN_TRY(qn_segs_heads(replica->kv, coll->row.number, &coll->segs.clocks.items[i], &heads));
        if (is_first) {
            *common = heads;
        } else {
            meet(common, &heads);
            qn_page_heads_deinit(&heads);
        }
        is_first = false;
    }
    return QN_OK;
}

/* The operations between here and there are in no log of this site: those before go too, so that
 * the log has all from floor to cc. */
static enum qn_err raise(struct qn_replica *replica, struct qn_coll_state *coll,
                         const struct qn_page_heads *common)
{
    qn_vec_each (&common->list, head) {
        struct qn_checkpoint checkpoint = {head->hash, head->signature};
        uint32_t number;
        if (qn_vv_has(&coll->cc, &head->at))
            continue;
        QN_TRY(qn_replica_reach(replica, coll, &head->at, &checkpoint));
        QN_TRY(qn_dict_find_actor(&replica->dict, &head->at.actor, &number));
        QN_TRY(qn_replica_drop_actor(replica, coll, number, head->at.ctr));
    }
    return QN_OK;
}

enum qn_err qn_late_claim(struct qn_replica *replica, struct qn_coll_state *coll)
{
    struct qn_page_heads common = {0};
    enum qn_err err = meet_of_pass(replica, coll, &common);
    if (err == QN_OK)
        err = raise(replica, coll, &common);
    qn_page_heads_deinit(&common);
    return err;
}

enum qn_err qn_late_end_pass(struct qn_replica *replica, struct qn_coll_state *coll)
{
    QN_TRY(qn_late_claim(replica, coll));
    coll->row.is_passing = coll->row.may_drop = false;
    QN_TRY(qn_replica_break_log(replica, coll));
    return qn_replica_settle(replica, coll);
}

/* --- becoming clean --- */

/* Names live as long as the rows' keys: those are kept until the operation is written. */
struct batch {
    QN_VEC(struct qn_owed *) rows;
    bool is_erased;
};

static void free_batch(struct batch *batch)
{
    qn_vec_each (&batch->rows, row)
        qn_free(*row);
    qn_vec_free(&batch->rows);
}

/* Takes the rows of the first key out of the table; QN_ERR_NOTFOUND if there are none. */
static enum qn_err take_batch(struct qn_replica *replica, uint32_t coll, struct batch *batch)
{
    while (batch->rows.count < OWED_BATCH) {
        struct qn_owed *owed = QN_NEW(struct qn_owed);
        enum qn_err err = qn_owed_next(replica->kv, coll, NULL, owed);
        bool goes_on = err == QN_OK && (batch->rows.count == 0 ||
                                        qn_span_eq(batch->rows.items[0]->spot.key, owed->spot.key));
        if (!goes_on) {
            qn_free(owed);
            return batch->rows.count > 0 ? qn_may_miss(err) : err;
        }
        qn_vec_push(&batch->rows, owed);
        batch->is_erased = batch->is_erased || owed->is_erased;
        QN_TRY(qn_owed_drop(replica->kv, owed));
    }
    return QN_OK;
}

/* What nobody else can know either is left out: an operation that removes it would be held for
 * ever. */
static enum qn_err pay(struct qn_replica *replica, struct qn_coll_state *coll,
                       const struct batch *batch)
{
    struct qn_op *op = &replica->op;
    struct qn_span key = batch->rows.items[0]->spot.key;
    QN_TRY(qn_replica_load(replica, coll, key));
    op->kind = batch->is_erased ? QN_OP_ERASE : QN_OP_REPAIR;
    op->key = key;
    op->user = qn_span(NULL, 0);
    op->set.count = op->removed.count = 0;
    qn_vec_each (&batch->rows, row) {
        const struct qn_spot *at = &(*row)->spot;
        if ((*row)->is_owed && qn_vv_has(&coll->cc, &at->dot) &&
            qn_record_pair(&replica->record, at->field, &at->dot) == NULL)
            qn_vec_push(&op->removed, ((struct qn_op_removed){at->field, at->dot}));
    }
    return op->removed.count > 0 ? qn_replica_write_op(replica, coll, 0) : QN_OK;
}

static enum qn_err pay_all(struct qn_replica *replica, struct qn_coll_state *coll)
{
    for (;;) {
        struct batch batch = {0};
        enum qn_err err = take_batch(replica, coll->row.number, &batch);
        if (err == QN_OK)
            err = pay(replica, coll, &batch);
        free_batch(&batch);
        if (err != QN_OK)
            return qn_may_miss(err);
    }
}

enum qn_err qn_replica_settle(struct qn_replica *replica, struct qn_coll_state *coll)
{
    if (!coll->row.is_late || coll->row.is_passing)
        return QN_OK;
    QN_TRY(qn_segs_drop(replica->kv, coll->row.number, &coll->segs, &coll->cc));
    if (coll->segs.list.count > 0)
        return QN_OK;
    coll->row.is_late = false;
    coll->row.rows_before = coll->row.dropped = 0;
    return pay_all(replica, coll);
}
