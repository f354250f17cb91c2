/* Forgetting: the log behind a sequence, and what was in the trash long enough. */
#include "base/assert.h"
#include "base/limits.h"
#include "model/replica_impl.h"

#define DAY_MS (24 * 3600 * UINT64_C(1000))

/* --- truncation --- */

static enum qn_err drop_entry(struct qn_replica *replica, uint32_t coll, struct qn_span order_key,
                              struct qn_span order, struct qn_vv *floor)
{
    struct qn_key key, at;
    struct qn_actor actor;
    if (order.size != 12)
        return QN_ERR_CORRUPT;
    uint32_t number = qn_read_u32(order.data);
    uint64_t ctr = qn_read_u64(order.data + 4);
    qn_key_copy(&at, order_key);
    QN_TRY(qn_dict_actor_of(&replica->dict, number, &actor));
    qn_vv_raise(floor, &actor, ctr);
    QN_TRY(
        qn_must_exist(qn_kv_del(replica->kv, QN_TABLE_LOG, qn_key_dot(&key, coll, number, ctr))));
    return qn_must_exist(qn_kv_del(replica->kv, QN_TABLE_ORDER, qn_key_view(&at)));
}

static enum qn_err drop_log(struct qn_replica *replica, uint32_t coll, uint64_t seq,
                            struct qn_vv *floor)
{
    struct qn_key prefix;
    struct qn_span key, value;
    qn_key_coll(&prefix, coll);
    for (;;) {
        enum qn_err err =
            qn_kv_seek(replica->kv, QN_TABLE_ORDER, qn_key_view(&prefix), &key, &value);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        if (key.size != 12)
            return QN_ERR_CORRUPT;
        if (qn_read_u64(key.data + 4) > seq)
            return QN_OK;
        QN_TRY(drop_entry(replica, coll, key, value, floor));
    }
}

/* Checkpoints up to `ctr` go, but for the one that the chain continues from. */
static enum qn_err drop_checkpoints(struct qn_replica *replica, uint32_t coll, uint32_t actor,
                                    uint64_t ctr, uint64_t latest)
{
    struct qn_key prefix, at;
    struct qn_span key, value;
    qn_key_actor(&prefix, coll, actor);
    for (;;) {
        enum qn_err err =
            qn_kv_seek(replica->kv, QN_TABLE_CHAIN, qn_key_view(&prefix), &key, &value);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        if (key.size != 16)
            return QN_ERR_CORRUPT;
        uint64_t at_ctr = qn_read_u64(key.data + 8);
        if (at_ctr > ctr || at_ctr == latest)
            return QN_OK;
        qn_key_copy(&at, key);
        QN_TRY(qn_must_exist(qn_kv_del(replica->kv, QN_TABLE_CHAIN, qn_key_view(&at))));
    }
}

static enum qn_err raise_floor(struct qn_replica *replica, const struct qn_coll_state *coll,
                               const struct qn_vv *floor)
{
    qn_vec_each (&floor->entries, entry) {
        uint32_t actor, number = coll->row.number;
        uint64_t before; /* pages may have raised it above what is still in the log */
        QN_TRY(qn_must_exist(qn_dict_find_actor(&replica->dict, &entry->actor, &actor)));
        QN_TRY(qn_counter_get(replica->kv, QN_TABLE_FLOOR, number, actor, &before));
        if (entry->ctr > before)
            QN_TRY(qn_counter_put(replica->kv, QN_TABLE_FLOOR, number, actor, entry->ctr));
        QN_TRY(drop_checkpoints(replica, number, actor, entry->ctr,
                                qn_vv_get(&coll->cc, &entry->actor)));
    }
    return QN_OK;
}

enum qn_err qn_replica_truncate(struct qn_replica *replica, const struct qn_coll_id *coll,
                                uint64_t seq)
{
    struct qn_coll_state *state;
    QN_AUTO_VV struct qn_vv floor = {0};
    QN_TRY(qn_replica_coll(replica, coll, &state));
    if (state->row.number == 0)
        return QN_OK;
    QN_TRY(drop_log(replica, state->row.number, seq, &floor));
    return raise_floor(replica, state, &floor);
}

/* --- the trash --- */

static enum qn_err id_of(struct qn_kv *kv, uint32_t coll, struct qn_coll_id *ret_id)
{
    struct qn_key key;
    struct qn_span value;
    QN_TRY(qn_must_exist(qn_kv_get(kv, QN_TABLE_META, qn_key_coll_name(&key, coll), &value)));
    if (value.size != QN_COLL_ID_SIZE)
        return QN_ERR_CORRUPT;
    memcpy(ret_id->bytes, value.data, QN_COLL_ID_SIZE);
    return QN_OK;
}

static bool is_due(struct qn_span value, uint64_t wall_ms)
{
    uint64_t days = value.data[8] != 0 ? QN_TRASH_OWN_DAYS : QN_TRASH_OTHER_DAYS;
    return qn_hlc_ms(qn_read_u64(value.data)) + days * DAY_MS <= wall_ms;
}

/* A record that is too large for one operation, or that is reserved, stays. */
static enum qn_err erase(struct qn_replica *replica, struct qn_span index_key, size_t *erased)
{
    struct qn_write_result result;
    struct qn_write write = {.kind = QN_OP_ERASE, .key = qn_span_from(index_key, 4)};
    QN_TRY(id_of(replica->kv, qn_read_u32(index_key.data), &write.coll));
    enum qn_err err = qn_replica_write(replica, &write, &result);
    if (err == QN_ERR_LIMIT || err == QN_ERR_DENIED)
        return QN_OK;
    QN_TRY(qn_must_exist(err));
    ++*erased;
    return QN_OK;
}

static enum qn_err purge(struct qn_replica *replica, size_t count_max, size_t *erased)
{
    struct qn_key at = {.size = 0};
    struct qn_span key, value;
    qn_key_add_u32(&at, 0);
    while (*erased < count_max) {
        enum qn_err err = qn_kv_seek(replica->kv, QN_TABLE_TRASH, qn_key_view(&at), &key, &value);
        if (err != QN_OK)
            return qn_may_miss(err);
        if (key.size <= 4 || value.size != 9)
            return QN_ERR_CORRUPT;
        qn_key_copy(&at, key);
        if (is_due(value, replica->wall_ms))
            QN_TRY(erase(replica, qn_key_view(&at), erased));
        qn_key_next(&at);
    }
    return QN_OK;
}

enum qn_err qn_replica_purge_trash(struct qn_replica *replica, size_t count_max, size_t *ret_erased)
{
    QN_ASSERT(replica->kv != NULL);
    size_t erased = 0;
    QN_TRY(purge(replica, count_max, &erased));
    *ret_erased = erased;
    return QN_OK;
}
