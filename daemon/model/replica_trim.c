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

/* A record that is too large for one operation, or that is reserved, stays; one that turns out to
 * be damaged is set aside, and no longer in the trash. */
static enum qn_err erase(struct qn_replica *replica, struct qn_span index_key, struct qn_span user,
                         bool *ret_is_erased)
{
    struct qn_write_result result;
    struct qn_write write = {.kind = QN_OP_ERASE, .key = qn_span_from(index_key, 4), .user = user};
    QN_TRY(id_of(replica->kv, qn_read_u32(index_key.data), &write.coll));
    enum qn_err err = qn_replica_write(replica, &write, &result);
    *ret_is_erased = err == QN_OK;
    bool stays = err == QN_ERR_LIMIT || err == QN_ERR_DENIED || err == QN_ERR_DAMAGED;
    return stays ? QN_OK : qn_must_exist(err);
}

/* Moves behind the next entry of the trash and erases what is due. QN_ERR_NOTFOUND: there is none.
 */
static enum qn_err purge_next(struct qn_replica *replica, struct qn_key *at, size_t *erased)
{
    struct qn_span key, value;
    bool is_erased = false;
    QN_TRY(qn_kv_seek(replica->kv, QN_TABLE_TRASH, qn_key_view(at), &key, &value));
    if (key.size <= 4 || value.size != 9)
        return QN_ERR_CORRUPT;
    qn_key_copy(at, key);
    if (is_due(value, replica->wall_ms))
        QN_TRY(qn_must_exist(erase(replica, qn_key_view(at), qn_span(NULL, 0), &is_erased)));
    *erased += is_erased;
    qn_key_next(at);
    return QN_OK;
}

enum qn_err qn_replica_purge_trash(struct qn_replica *replica, size_t count_max,
                                   struct qn_buf *position, size_t *ret_erased)
{
    struct qn_key at = {.size = 0};
    size_t erased = 0;
    enum qn_err err = QN_OK;
    QN_ASSERT(replica->kv != NULL);
    qn_key_add_u32(&at, 0);
    if (position->size > 0)
        qn_key_copy(&at, qn_buf_view(position));
    qn_buf_reset(position);
    for (size_t looks = 0; looks < QN_PURGE_LOOKS && erased < count_max && err == QN_OK; looks++)
        err = purge_next(replica, &at, &erased);
    QN_TRY(qn_may_miss(err));
    if (err == QN_OK)
        qn_buf_append_span(position, qn_key_view(&at));
    *ret_erased = erased;
    return qn_buf_status(position);
}

/* ---- by a person ---- */

static enum qn_err sweep_one(struct qn_replica *replica, const struct qn_trash_sweep *sweep,
                             struct qn_span index_key, struct qn_trash_swept *swept)
{
    bool is_erased = true;
    if (!sweep->is_dry_run)
        QN_TRY(erase(replica, index_key, sweep->user, &is_erased));
    swept->erased += is_erased;
    swept->kept += !is_erased;
    return QN_OK;
}

static enum qn_err sweep_all(struct qn_replica *replica, const struct qn_trash_sweep *sweep,
                             uint32_t coll, struct qn_trash_swept *swept)
{
    struct qn_key at, prefix;
    struct qn_span key, value;
    qn_key_coll(&prefix, coll);
    qn_key_record(&at, coll, sweep->after);
    if (sweep->after.size > 0)
        qn_key_next(&at);
    while (swept->erased < QN_SWEEP_OPS && swept->looked < QN_SWEEP_LOOKS) {
        enum qn_err err = qn_kv_seek(replica->kv, QN_TABLE_TRASH, qn_key_view(&at), &key, &value);
        if (err == QN_ERR_NOTFOUND ||
            (err == QN_OK && !qn_span_has_prefix(key, qn_key_view(&prefix)))) {
            swept->after_size = 0;
            return QN_OK;
        }
        QN_TRY(err);
        if (key.size <= 4 || key.size - 4 > sizeof(swept->after) || value.size != 9)
            return QN_ERR_CORRUPT;
        qn_key_copy(&at, key);
        swept->looked++;
        swept->after_size = key.size - 4;
        memcpy(swept->after, key.data + 4, swept->after_size);
        if (qn_hlc_ms(qn_read_u64(value.data)) <= sweep->until_ms)
            QN_TRY(sweep_one(replica, sweep, qn_key_view(&at), swept));
        qn_key_next(&at);
    }
    return QN_OK;
}

enum qn_err qn_replica_empty_trash(struct qn_replica *replica, const struct qn_trash_sweep *sweep,
                                   struct qn_trash_swept *ret_swept)
{
    struct qn_coll_state *coll;
    struct qn_trash_swept swept = {0};
    if (sweep->after.size > QN_KEY_SIZE_MAX)
        return QN_ERR_INVALID;
    QN_TRY(qn_replica_coll(replica, &sweep->coll, &coll));
    if (coll->row.number != 0)
        QN_TRY(sweep_all(replica, sweep, coll->row.number, &swept));
    *ret_swept = swept;
    return QN_OK;
}
