#include "base/assert.h"
#include "base/limits.h"
#include "model/replica_impl.h"

struct qn_replica *qn_replica_new(const struct qn_replica_options *options)
{
    struct qn_replica *replica = QN_NEW(struct qn_replica);
    replica->options = *options;
    replica->hasher = qn_hasher_new();
    qn_buf_init(&replica->row, QN_RECORD_SIZE_MAX);
    qn_buf_init(&replica->encoded, QN_RECORD_SIZE_MAX);
    qn_buf_init(&replica->op_bytes, 2 * QN_OP_SIZE_MAX);
    return replica;
}

static void free_coll(struct qn_coll_state *coll)
{
    qn_vv_deinit(&coll->cc);
    qn_segs_deinit(&coll->segs);
    qn_vec_free(&coll->unsealed);
    qn_free(coll);
}

static void forget(struct qn_replica *replica)
{
    qn_vec_each (&replica->colls, coll)
        free_coll(*coll);
    qn_vec_free(&replica->colls);
    qn_vec_free(&replica->touched);
    qn_record_deinit(&replica->record);
    qn_dict_deinit(&replica->dict);
    replica->kv = NULL;
}

void qn_replica_free(struct qn_replica *replica)
{
    if (replica == NULL)
        return;
    forget(replica);
    qn_recount_end_all(replica);
    qn_hasher_free(replica->hasher);
    qn_op_deinit(&replica->op);
    qn_vec_free(&replica->deferred);
    qn_buf_deinit(&replica->row);
    qn_buf_deinit(&replica->encoded);
    qn_buf_deinit(&replica->op_bytes);
    qn_free(replica);
}

static enum qn_err load_hlc(struct qn_replica *replica)
{
    struct qn_key key;
    struct qn_span value;
    replica->hlc = 0;
    replica->is_hlc_changed = false;
    enum qn_err err = qn_kv_get(replica->kv, QN_TABLE_META, qn_key_name(&key, QN_META_HLC), &value);
    if (err == QN_OK && value.size != 8)
        return QN_ERR_CORRUPT;
    if (err == QN_OK)
        replica->hlc = qn_read_u64(value.data);
    return qn_may_miss(err);
}

static enum qn_err load_self(struct qn_replica *replica)
{
    struct qn_key key;
    struct qn_span value;
    replica->has_self = replica->must_renew = false;
    enum qn_err err =
        qn_kv_get(replica->kv, QN_TABLE_META, qn_key_name(&key, QN_META_SELF), &value);
    if (err != QN_OK)
        return qn_may_miss(err);
    if (value.size != QN_ACTOR_SIZE + 1 || value.data[QN_ACTOR_SIZE] > 1)
        return QN_ERR_CORRUPT;
    memcpy(replica->self.bytes, value.data, QN_ACTOR_SIZE);
    replica->must_renew = value.data[QN_ACTOR_SIZE] != 0;
    replica->has_self = true;
    return QN_OK;
}

enum qn_err qn_replica_save_self(struct qn_replica *replica)
{
    struct qn_key key;
    uint8_t bytes[QN_ACTOR_SIZE + 1];
    memcpy(bytes, replica->self.bytes, QN_ACTOR_SIZE);
    bytes[QN_ACTOR_SIZE] = replica->must_renew;
    return qn_kv_put(replica->kv, QN_TABLE_META, qn_key_name(&key, QN_META_SELF),
                     QN_SPAN_OF(bytes));
}

enum qn_err qn_replica_begin(struct qn_replica *replica, struct qn_kv *kv, uint64_t wall_ms,
                             uint64_t entropy)
{
    QN_ASSERT(replica->kv == NULL);
    replica->kv = kv;
    replica->wall_ms = wall_ms;
    replica->entropy = (struct qn_prng){entropy};
    qn_dict_init(&replica->dict, kv, true);
    enum qn_err err = load_hlc(replica);
    if (err == QN_OK)
        err = load_self(replica);
    if (err != QN_OK)
        forget(replica);
    return err;
}

/* But for what was counted, nothing is kept over the end of a transaction. */
void qn_replica_done(struct qn_replica *replica, bool is_committed)
{
    forget(replica);
    if (!is_committed)
        qn_recount_end_all(replica);
}

const struct qn_coll_id *qn_replica_touched(const struct qn_replica *replica, size_t *ret_count)
{
    *ret_count = replica->touched.count;
    return replica->touched.items;
}

enum qn_err qn_replica_renew(struct qn_replica *replica)
{
    QN_ASSERT(replica->kv != NULL);
    if (!replica->has_self || replica->must_renew)
        return QN_OK; /* one will be drawn anyway */
    replica->must_renew = true;
    return qn_replica_save_self(replica);
}

void qn_replica_see(struct qn_replica *replica, qn_hlc remote)
{
    bool is_skewed;
    qn_hlc seen = qn_hlc_seen(replica->hlc, remote, replica->wall_ms, &is_skewed);
    replica->is_hlc_changed = replica->is_hlc_changed || seen != replica->hlc;
    replica->hlc = seen;
}

enum qn_err qn_replica_coll(struct qn_replica *replica, const struct qn_coll_id *id,
                            struct qn_coll_state **ret_coll)
{
    QN_ASSERT(replica->kv != NULL);
    qn_vec_each (&replica->colls, known) {
        if (qn_coll_id_eq(&(*known)->id, id)) {
            *ret_coll = *known;
            return QN_OK;
        }
    }
    struct qn_coll_state *coll = QN_NEW(struct qn_coll_state);
    coll->id = *id;
    enum qn_err err = qn_coll_row_get(replica->kv, id, &coll->row);
    if (err == QN_OK)
        err = qn_dict_clock(&replica->dict, QN_TABLE_CC, coll->row.number, &coll->cc);
    if (err == QN_OK && coll->row.is_late)
        err = qn_segs_load(replica->kv, coll->row.number, true, &coll->segs);
    if (err == QN_OK)
        err = qn_damage_get(replica->kv, coll->row.number, &coll->damage);
    if (err != QN_OK) {
        free_coll(coll);
        return err;
    }
    qn_vec_push(&replica->colls, coll);
    *ret_coll = coll;
    return QN_OK;
}

enum qn_err qn_replica_number_coll(struct qn_replica *replica, struct qn_coll_state *coll)
{
    struct qn_key key;
    uint32_t count;
    if (coll->row.number != 0)
        return QN_OK;
    QN_TRY(qn_meta_get_u32(replica->kv, QN_META_COLLS, &count));
    if (count == UINT32_MAX)
        return QN_ERR_NOSPACE;
    QN_TRY(qn_kv_put(replica->kv, QN_TABLE_META, qn_key_coll_name(&key, count + 1),
                     QN_SPAN_OF(coll->id.bytes)));
    QN_TRY(qn_meta_put_u32(replica->kv, QN_META_COLLS, count + 1));
    coll->row.number = count + 1;
    return QN_OK;
}

enum qn_err qn_replica_chain_head(struct qn_replica *replica, struct qn_coll_state *coll,
                                  const struct qn_actor *actor, struct qn_digest *ret_hash)
{
    struct qn_checkpoint checkpoint;
    uint32_t number;
    uint64_t ctr = qn_vv_get(&coll->cc, actor);
    if (ctr == 0) {
        qn_chain_start(&coll->id, actor, ret_hash);
        return QN_OK;
    }
    qn_vec_each (&coll->unsealed, unsealed) {
        if (qn_actor_cmp(&unsealed->last.actor, actor) == 0) {
            *ret_hash = unsealed->hash;
            return QN_OK;
        }
    }
    QN_TRY(qn_must_exist(qn_dict_find_actor(&replica->dict, actor, &number)));
    QN_TRY(
        qn_must_exist(qn_checkpoint_get(replica->kv, coll->row.number, number, ctr, &checkpoint)));
    *ret_hash = checkpoint.hash;
    return QN_OK;
}
