#include "model/fork.h"

#include "base/limits.h"
#include "model/late_impl.h"
#include "model/op_read.h"
#include "proto/cursor.h"
#include "proto/pack.h"

#define DENSE 512 /* counters before the one in question of which all checkpoints are read */

/* --- reading --- */

static void pack_checkpoint(uint64_t ctr, struct qn_span value, struct qn_buf *out)
{
    qn_pack_u64(out, ctr);
    qn_pack_bin(out, qn_span(value.data, QN_DIGEST_SIZE));
    qn_pack_bin(out, qn_span_from(value, QN_DIGEST_SIZE));
}

/* The first checkpoint at `ctr` or behind it; QN_ERR_NOTFOUND: there is none. */
static enum qn_err next_checkpoint(struct qn_kv *kv, uint32_t coll, uint32_t actor, uint64_t ctr,
                                   uint64_t *ret_ctr, struct qn_span *ret_value)
{
    struct qn_key prefix, at;
    struct qn_span key;
    qn_key_actor(&prefix, coll, actor);
    qn_key_dot(&at, coll, actor, ctr);
    QN_TRY(qn_kv_seek(kv, QN_TABLE_CHAIN, qn_key_view(&at), &key, ret_value));
    if (!qn_span_has_prefix(key, qn_key_view(&prefix)))
        return QN_ERR_NOTFOUND;
    if (key.size != 16 || ret_value->size != QN_DIGEST_SIZE + QN_SIGNATURE_SIZE)
        return QN_ERR_CORRUPT;
    *ret_ctr = qn_read_u64(key.data + 8);
    return QN_OK;
}

/* 1, then by steps that are halved, up to where all are read. */
static uint64_t next_place(uint64_t place, uint64_t dense_from)
{
    if (place >= dense_from)
        return place + 1;
    uint64_t half = (dense_from - place + 1) / 2;
    return place + half;
}

static enum qn_err collect(struct qn_kv *kv, uint32_t coll, uint32_t actor, uint64_t dense_from,
                           struct qn_buf *out, size_t *count)
{
    uint64_t at = 1, ctr = 0;
    struct qn_span value;
    while (*count < QN_FORK_CHECKPOINTS_MAX) {
        enum qn_err err = next_checkpoint(kv, coll, actor, at, &ctr, &value);
        if (err != QN_OK)
            return qn_may_miss(err);
        pack_checkpoint(ctr, value, out);
        ++*count;
        at = next_place(ctr, dense_from);
    }
    return QN_OK;
}

enum qn_err qn_read_checkpoints(struct qn_kv *kv, const struct qn_coll_id *coll,
                                const struct qn_actor *actor, uint64_t ctr, struct qn_buf *out)
{
    struct qn_coll_row row;
    struct qn_dict dict;
    uint32_t number = 0;
    size_t count = 0;
    QN_AUTO_BUF struct qn_buf all;
    qn_buf_init(&all, QN_FORK_CHECKPOINTS_MAX * 128);
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    qn_dict_init(&dict, kv, false);
    enum qn_err err = qn_may_miss(qn_dict_find_actor(&dict, actor, &number));
    qn_dict_deinit(&dict);
    if (err == QN_OK && row.number != 0 && number != 0)
        err = collect(kv, row.number, number, ctr > DENSE ? ctr - DENSE : 1, &all, &count);
    qn_pack_array(out, 3 * count);
    qn_pack_raw(out, qn_buf_view(&all));
    return err;
}

/* --- where the chains part --- */

struct fork {
    struct qn_replica *replica;
    struct qn_coll_state *coll;
    struct qn_actor actor;
    uint32_t number;
    uint64_t common; /* up to here both chains are the same */
    uint64_t from;   /* behind here it goes now */
    bool differs;    /* a checkpoint there is not what is here, or is beyond it */
    struct qn_dot last;
    struct qn_checkpoint last_checkpoint; /* theirs, which shows it */
    size_t written;
};

static enum qn_err look_at(struct fork *fork, uint64_t ctr, const struct qn_checkpoint *theirs)
{
    struct qn_checkpoint ours;
    enum qn_err err =
        qn_checkpoint_get(fork->replica->kv, fork->coll->row.number, fork->number, ctr, &ours);
    if (err == QN_OK && qn_digest_eq(&ours.hash, &theirs->hash)) {
        fork->common = ctr;
        fork->differs = false;
        return QN_OK;
    }
    if (err == QN_OK || ctr > qn_vv_get(&fork->coll->cc, &fork->actor)) {
        fork->differs = true;
        fork->last = (struct qn_dot){fork->actor, ctr};
        fork->last_checkpoint = *theirs;
    }
    return qn_may_miss(err);
}

static enum qn_err compare(struct fork *fork, struct qn_span checkpoints)
{
    struct qn_cursor cursor = qn_cursor(checkpoints);
    size_t count;
    uint64_t ctr, before = 0;
    QN_TRY(qn_cursor_array(&cursor, 3 * QN_FORK_CHECKPOINTS_MAX, &count));
    for (size_t i = 0; i < count / 3; i++) {
        struct qn_checkpoint theirs;
        QN_TRY(qn_cursor_u64(&cursor, &ctr));
        QN_TRY(qn_cursor_bytes(&cursor, theirs.hash.bytes, sizeof(theirs.hash.bytes)));
        QN_TRY(qn_cursor_bytes(&cursor, theirs.signature.bytes, sizeof(theirs.signature.bytes)));
        if (ctr <= before)
            return QN_ERR_INVALID;
        QN_TRY(look_at(fork, ctr, &theirs));
        before = ctr;
    }
    return count % 3 == 0 ? QN_OK : QN_ERR_INVALID;
}

/* --- how much at once --- */

/* Of what the log has behind a counter, in bytes. */
static enum qn_err size_behind(const struct fork *fork, uint64_t ctr, size_t *ret_size)
{
    struct qn_key prefix, at;
    struct qn_span key, row;
    enum qn_err err;
    *ret_size = 0;
    qn_key_actor(&prefix, fork->coll->row.number, fork->number);
    qn_key_dot(&at, fork->coll->row.number, fork->number, ctr + 1);
    while ((err = qn_kv_seek(fork->replica->kv, QN_TABLE_LOG, qn_key_view(&at), &key, &row)) ==
               QN_OK &&
           qn_span_has_prefix(key, qn_key_view(&prefix))) {
        *ret_size += row.size;
        qn_key_copy(&at, key);
        qn_key_next(&at);
    }
    return qn_may_miss(err);
}

/* A checkpoint with about so many operations behind it: as few as there are in one commit. */
static enum qn_err checkpoint_before(const struct fork *fork, uint64_t end, uint64_t count,
                                     uint64_t *ret_ctr)
{
    struct qn_span value;
    for (*ret_ctr = end; *ret_ctr == end; count *= 2) {
        if (count >= end - fork->common) {
            *ret_ctr = fork->common;
            return QN_OK;
        }
        QN_TRY(qn_must_exist(next_checkpoint(fork->replica->kv, fork->coll->row.number,
                                             fork->number, end - count, ret_ctr, &value)));
    }
    return QN_OK;
}

static enum qn_err find_step(struct fork *fork, size_t ops_max)
{
    uint64_t end = qn_vv_get(&fork->coll->cc, &fork->actor);
    for (uint64_t count = ops_max;; count /= 2) {
        size_t size;
        QN_TRY(checkpoint_before(fork, end, count, &fork->from));
        QN_TRY(size_behind(fork, fork->from, &size));
        if (size <= QN_TXN_SIZE_MAX || count <= 1)
            return QN_OK;
    }
}

/* --- letting it go --- */

/* What the operations that go had as their keys, and removed. */
struct lost_op {
    struct qn_buf bytes; /* as in the log */
};

typedef QN_VEC(struct lost_op) lost_ops;

static void free_lost(lost_ops *lost)
{
    qn_vec_each (lost, op)
        qn_buf_deinit(&op->bytes);
    qn_vec_free(lost);
}

static enum qn_err take_log(const struct fork *fork, lost_ops *lost)
{
    struct qn_key prefix, at;
    struct qn_span key, row;
    enum qn_err err;
    qn_key_actor(&prefix, fork->coll->row.number, fork->number);
    qn_key_dot(&at, fork->coll->row.number, fork->number, fork->from + 1);
    while ((err = qn_kv_seek(fork->replica->kv, QN_TABLE_LOG, qn_key_view(&at), &key, &row)) ==
               QN_OK &&
           qn_span_has_prefix(key, qn_key_view(&prefix))) {
        if (key.size != 16 || row.size < 8)
            return QN_ERR_CORRUPT;
        struct lost_op *op = qn_vec_push_slot(lost);
        qn_buf_init(&op->bytes, row.size);
        qn_buf_append_span(&op->bytes, qn_span_from(row, 8));
        qn_key_copy(&at, key);
        qn_key_next(&at);
    }
    return qn_may_miss(err);
}

/* A pair that is known, and is not of one of the two chains. */
static bool is_common(const struct fork *fork, const struct qn_dot *dot)
{
    bool is_of_chain = qn_actor_cmp(&dot->actor, &fork->actor) == 0 && dot->ctr > fork->common;
    return !is_of_chain && qn_vv_has(&fork->coll->cc, dot);
}

/* The values of the key that are of the lost chain, then what that chain removed there. All values
 * of the key at once, also those that stand before this step: the trash is a hash of all of them.
 */
static enum qn_err rewrite(struct fork *fork, struct qn_span bytes)
{
    struct qn_replica *replica = fork->replica;
    struct qn_op lost = {0};
    QN_TRY(qn_op_read(bytes, &fork->actor, &lost));
    const struct qn_dot behind = {fork->actor, fork->common};
    enum qn_err err = qn_late_rewrite(replica, fork->coll, lost.key, &behind, &fork->written);
    if (err == QN_OK)
        err = qn_replica_load(replica, fork->coll, lost.key);
    struct qn_op *op = &replica->op;
    op->kind = lost.kind == QN_OP_ERASE ? QN_OP_ERASE : QN_OP_REPAIR;
    op->key = lost.key;
    op->user = lost.user;
    op->set.count = op->removed.count = 0;
    qn_vec_each (&lost.removed, removed)
        if (is_common(fork, &removed->dot) &&
            qn_record_pair(&replica->record, removed->field, &removed->dot) == NULL)
            qn_vec_push(&op->removed, *removed);
    if (err == QN_OK && op->removed.count > 0) {
        err = qn_replica_write_op(replica, fork->coll, 0);
        fork->written++;
    }
    qn_op_deinit(&lost);
    return err;
}

static enum qn_err rewrite_all(struct fork *fork, const lost_ops *lost, bool is_cut)
{
    qn_vec_each (lost, op)
        QN_TRY(rewrite(fork, qn_buf_view(&op->bytes)));
    if (!is_cut)
        return QN_OK;
    const struct qn_dot behind = {fork->actor, fork->common};
    return qn_late_rewrite(fork->replica, fork->coll, qn_span(NULL, 0), &behind, &fork->written);
}

/* From the end, up to a checkpoint: what is left is that chain, as if it had gone less far. So a
 * step is durable by itself, and whoever ends in between finds the rest when it hears of the other
 * chain again. */
static enum qn_err let_go(struct fork *fork, size_t ops_max)
{
    struct qn_replica *replica = fork->replica;
    struct qn_coll_state *coll = fork->coll;
    lost_ops lost = {0};
    uint64_t floor;
    QN_TRY(qn_counter_get(replica->kv, QN_TABLE_FLOOR, coll->row.number, fork->number, &floor));
    if (replica->has_self && qn_actor_cmp(&replica->self, &fork->actor) == 0)
        QN_TRY(qn_replica_renew(replica));
    QN_TRY(find_step(fork, ops_max));
    enum qn_err err = take_log(fork, &lost);
    if (err == QN_OK)
        err = qn_replica_retract(replica, coll, fork->number, &fork->actor, fork->from);
    if (err == QN_OK)
        err = rewrite_all(fork, &lost, fork->from == fork->common && floor > fork->common);
    free_lost(&lost);
    QN_TRY(err);
    qn_replica_touch(replica, &coll->id);
    QN_TRY(qn_replica_break_log(replica, coll));
    return qn_coll_row_put(replica->kv, &coll->id, &coll->row);
}

static enum qn_err unfork(struct fork *fork, struct qn_span checkpoints, size_t ops_max,
                          struct qn_unforked *ret_unforked)
{
    struct qn_replica *replica = fork->replica;
    uint64_t have = qn_vv_get(&fork->coll->cc, &fork->actor);
    QN_TRY(qn_must_exist(qn_dict_find_actor(&replica->dict, &fork->actor, &fork->number)));
    QN_TRY(compare(fork, checkpoints));
    if (!fork->differs || fork->common >= have)
        return QN_OK;
    QN_TRY(qn_replica_verify(replica, &fork->coll->id, &fork->last, &fork->last_checkpoint.hash,
                             &fork->last_checkpoint.signature, QN_ERR_DENIED));
    ret_unforked->is_late = fork->coll->row.is_late;
    if (!ret_unforked->is_late)
        QN_TRY(qn_replica_fault(let_go(fork, ops_max)));
    ret_unforked->is_fork = true;
    ret_unforked->is_more = !ret_unforked->is_late && fork->from > fork->common;
    ret_unforked->written = fork->written;
    return QN_OK;
}

enum qn_err qn_replica_unfork(struct qn_replica *replica, const struct qn_coll_id *coll,
                              const struct qn_actor *actor, struct qn_span checkpoints,
                              size_t ops_max, struct qn_unforked *ret_unforked)
{
    struct fork fork = {.replica = replica, .actor = *actor};
    *ret_unforked = (struct qn_unforked){0};
    QN_TRY(qn_replica_coll(replica, coll, &fork.coll));
    if (qn_vv_get(&fork.coll->cc, actor) == 0)
        return QN_OK;
    return unfork(&fork, checkpoints, ops_max == 0 ? QN_TXN_OPS_MAX : ops_max, ret_unforked);
}
