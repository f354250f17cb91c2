/* What was in the trash long enough is erased. */
#include "base/assert.h"
#include "base/limits.h"
#include "model/replica_impl.h"

#define DAY_MS (24 * 3600 * UINT64_C(1000))

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
