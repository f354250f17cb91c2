/* Operations of other sites (RECORDS 1.2, `apply`). The whole message is checked against an overlay
 * of the clock before anything is written, so that it is applied as a whole or not at all, and a
 * sender's mistake costs nothing but the check.
 */
#include "base/assert.h"
#include "base/limits.h"
#include "model/bugs.h"
#include "model/hashing.h"
#include "model/op_read.h"
#include "model/replica_impl.h"

/* How far the check has come with one actor of the message. */
struct progress {
    uint64_t last; /* of its operations in the message; 0: none yet */
    struct qn_digest hash;
    bool is_new;  /* it brings operations that are not known */
    bool has_gap; /* QN_BUG_GAP_ACCEPTED: there is no chain to check */
};

struct check {
    struct qn_replica *replica;
    struct qn_coll_state *coll;
    const struct qn_ops *ops;
    struct qn_vv overlay; /* the clock as it will be */
    struct progress *actors;
};

static enum qn_err check_removed(const struct check *check, const struct qn_op *op)
{
    if (QN_BUG(QN_BUG_NO_DEPENDENCY_CHECK))
        return QN_OK;
    qn_vec_each (&op->removed, removed) {
        if (!qn_vv_has(&check->overlay, &removed->dot))
            return QN_ERR_HELD;
    }
    return QN_OK;
}

static enum qn_err check_next(const struct check *check, struct progress *progress,
                              const struct qn_op *op)
{
    bool is_next = op->dot.ctr == qn_vv_get(&check->overlay, &op->dot.actor) + 1;
    if (!is_next && progress->last != 0)
        return QN_ERR_INVALID; /* the message itself has a gap, waiting would not help */
    if (!is_next && !QN_BUG(QN_BUG_GAP_ACCEPTED))
        return QN_ERR_HELD;
    progress->has_gap = progress->has_gap || !is_next;
    return QN_OK;
}

static enum qn_err check_new(struct check *check, struct progress *progress, const struct qn_op *op,
                             struct qn_span bytes)
{
    QN_TRY(check_next(check, progress, op));
    QN_TRY(check_removed(check, op));
    /* A clock that cannot be read any more would be the end of the store; the rest is for our own
     * incarnations. */
    bool is_new_actor = qn_vv_get(&check->overlay, &op->dot.actor) == 0;
    if (is_new_actor && check->overlay.entries.count >= QN_CLOCK_ACTORS_MAX - QN_SITES_MAX)
        return QN_ERR_LIMIT;
    if (!progress->is_new)
        QN_TRY(qn_replica_chain_head(check->replica, check->coll, &op->dot.actor, &progress->hash));
    progress->is_new = true;
    qn_hash_chain(check->replica->hasher, &progress->hash, bytes, &progress->hash);
    qn_vv_raise(&check->overlay, &op->dot.actor, op->dot.ctr);
    return QN_OK;
}

static enum qn_err check_item(struct check *check, const struct qn_ops_item *item)
{
    struct qn_op *op = &check->replica->op;
    if (item->actor >= check->ops->actors.count)
        return QN_ERR_INVALID;
    struct progress *progress = &check->actors[item->actor];
    QN_TRY(qn_op_read(item->op, &check->ops->actors.items[item->actor].last.actor, op));
    if (progress->last != 0 && op->dot.ctr != progress->last + 1)
        return QN_ERR_INVALID;
    if (!qn_vv_has(&check->overlay, &op->dot))
        QN_TRY(check_new(check, progress, op, item->op));
    progress->last = op->dot.ctr;
    return QN_OK;
}

enum qn_err qn_replica_verify(const struct qn_replica *replica, const struct qn_coll_id *coll,
                              const struct qn_dot *at, const struct qn_digest *hash,
                              const struct qn_signature *signature, enum qn_err unknown)
{
    const struct qn_replica_options *options = &replica->options;
    const struct qn_public_key *keys = NULL;
    size_t count = options->site_keys(options->context, at->actor.bytes, &keys);
    if (count == 0)
        return unknown;
    enum qn_err err = QN_ERR_SIGNATURE;
    for (size_t i = count; i > 0 && err != QN_OK; i--) /* the last one is the likeliest */
        err = qn_checkpoint_verify(&keys[i - 1], coll, at, hash, signature);
    return err;
}

/* Every actor ends at its checkpoint, also where nothing is new. */
static enum qn_err check_actor(const struct check *check, size_t index)
{
    const struct qn_ops_actor *actor = &check->ops->actors.items[index];
    const struct progress *progress = &check->actors[index];
    if (progress->last != actor->last.ctr)
        return QN_ERR_INVALID;
    if (!progress->is_new || progress->has_gap)
        return QN_OK;
    return qn_replica_verify(check->replica, &check->coll->id, &actor->last, &progress->hash,
                             &actor->signature, QN_ERR_DENIED);
}

static enum qn_err check_all(struct check *check)
{
    qn_vec_each (&check->ops->items, item)
        QN_TRY(check_item(check, item));
    for (size_t i = 0; i < check->ops->actors.count; i++)
        QN_TRY(check_actor(check, i));
    return QN_OK;
}

/* --- writing --- */

static enum qn_err write_item(const struct check *check, const struct qn_ops_item *item,
                              size_t *applied)
{
    struct qn_replica *replica = check->replica;
    struct qn_op *op = &replica->op;
    QN_TRY(qn_op_read(item->op, &check->ops->actors.items[item->actor].last.actor, op));
    if (qn_vv_has(&check->coll->cc, &op->dot))
        return QN_OK;
    QN_TRY(qn_replica_load(replica, check->coll, op->key));
    QN_TRY(qn_replica_merge(replica, check->coll, op, item->op));
    qn_replica_see(replica, op->hlc);
    ++*applied;
    return QN_OK;
}

static void drop_unsealed(struct qn_coll_state *coll, const struct qn_actor *actor)
{
    for (size_t i = coll->unsealed.count; i > 0; i--)
        if (qn_actor_cmp(&coll->unsealed.items[i - 1].last.actor, actor) == 0)
            qn_vec_remove(&coll->unsealed, i - 1);
}

enum qn_err qn_replica_reach(struct qn_replica *replica, struct qn_coll_state *coll,
                             const struct qn_dot *at, const struct qn_checkpoint *checkpoint)
{
    uint32_t number;
    QN_TRY(qn_dict_number_actor(&replica->dict, &at->actor, &number));
    QN_TRY(qn_checkpoint_put(replica->kv, coll->row.number, number, at->ctr, checkpoint));
    QN_TRY(qn_counter_put(replica->kv, QN_TABLE_CC, coll->row.number, number, at->ctr));
    qn_vv_raise(&coll->cc, &at->actor, at->ctr);
    drop_unsealed(coll, &at->actor);
    bool is_self = replica->has_self && qn_actor_cmp(&replica->self, &at->actor) == 0;
    return is_self ? qn_replica_renew(replica) : QN_OK; /* this site is a copy of an older one */
}

static enum qn_err write_actor(const struct check *check, size_t index)
{
    const struct qn_ops_actor *actor = &check->ops->actors.items[index];
    if (!check->actors[index].is_new)
        return QN_OK;
    struct qn_checkpoint checkpoint = {check->actors[index].hash, actor->signature};
    return qn_replica_reach(check->replica, check->coll, &actor->last, &checkpoint);
}

static enum qn_err write_all(const struct check *check, size_t *applied)
{
    qn_vec_each (&check->ops->items, item)
        QN_TRY(write_item(check, item, applied));
    if (*applied == 0)
        return QN_OK;
    for (size_t i = 0; i < check->ops->actors.count; i++)
        QN_TRY(write_actor(check, i));
    QN_TRY(qn_replica_settle(check->replica, check->coll));
    return qn_coll_row_put(check->replica->kv, &check->coll->id, &check->coll->row);
}

enum qn_err qn_replica_apply(struct qn_replica *replica, const struct qn_coll_id *coll,
                             const struct qn_ops *ops, size_t *ret_applied)
{
    struct check check = {.replica = replica, .ops = ops};
    size_t applied = 0;
    QN_TRY(qn_replica_coll(replica, coll, &check.coll));
    qn_vv_copy(&check.overlay, &check.coll->cc);
    check.actors = qn_alloc_zero((ops->actors.count + 1) * sizeof(*check.actors));
    enum qn_err err = check_all(&check);
    if (err == QN_OK)
        err = qn_replica_fault(write_all(&check, &applied));
    qn_vv_deinit(&check.overlay);
    qn_free(check.actors);
    if (err == QN_OK)
        *ret_applied = applied;
    return err;
}
