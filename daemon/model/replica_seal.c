#include "base/assert.h"
#include "model/replica_impl.h"

static enum qn_err seal_actor(struct qn_replica *replica, const struct qn_coll_state *coll,
                              const struct qn_unsealed *unsealed)
{
    struct qn_checkpoint checkpoint = {.hash = unsealed->hash};
    uint32_t actor;
    QN_TRY(qn_checkpoint_sign(replica->options.signer, &coll->id, &unsealed->last, &unsealed->hash,
                              &checkpoint.signature));
    QN_TRY(qn_must_exist(qn_dict_find_actor(&replica->dict, &unsealed->last.actor, &actor)));
    return qn_checkpoint_put(replica->kv, coll->row.number, actor, unsealed->last.ctr, &checkpoint);
}

static enum qn_err save_hlc(struct qn_replica *replica)
{
    struct qn_key key;
    uint8_t bytes[8];
    qn_write_u64(bytes, replica->hlc);
    return qn_kv_put(replica->kv, QN_TABLE_META, qn_key_name(&key, QN_META_HLC), QN_SPAN_OF(bytes));
}

enum qn_err qn_replica_seal(struct qn_replica *replica)
{
    QN_ASSERT(replica->kv != NULL);
    qn_vec_each (&replica->colls, coll) {
        qn_vec_each (&(*coll)->unsealed, unsealed)
            QN_TRY(seal_actor(replica, *coll, unsealed));
        (*coll)->unsealed.count = 0;
        QN_TRY(qn_replica_save_log(replica, *coll));
    }
    if (!replica->is_hlc_changed)
        return QN_OK;
    replica->is_hlc_changed = false;
    return save_hlc(replica);
}
