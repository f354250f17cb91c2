/* Writers at work. */
#include "model/custody_impl.h"

#define FORMAT   1
#define ROW_SIZE (1 + 2 * 8)

static enum qn_err read_lease(struct qn_span row, struct qn_held_lease *lease)
{
    struct qn_fixed fixed = qn_fixed(row, FORMAT);
    lease->started_ms = qn_fixed_u64(&fixed);
    lease->expires_ms = qn_fixed_u64(&fixed);
    return qn_fixed_end(&fixed);
}

enum qn_err qn_held_lease_get(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_lease_id *id, struct qn_held_lease *ret_lease)
{
    struct qn_key key;
    struct qn_span row;
    struct qn_held_lease lease = {.id = *id};
    QN_TRY(qn_kv_get(kv, QN_TABLE_HELD_LEASE, qn_key_lease(&key, owner, id), &row));
    QN_TRY(read_lease(row, &lease));
    *ret_lease = lease;
    return QN_OK;
}

static enum qn_err put(struct qn_kv *kv, const struct qn_site_id *owner,
                       const struct qn_held_lease *lease)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, ROW_SIZE);
    qn_buf_append_u8(&row, FORMAT);
    qn_buf_append_u64(&row, lease->started_ms);
    qn_buf_append_u64(&row, lease->expires_ms);
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_HELD_LEASE, qn_key_lease(&key, owner, &lease->id),
                     qn_buf_view(&row));
}

static enum qn_err del(struct qn_kv *kv, const struct qn_site_id *owner,
                       const struct qn_lease_id *id, struct qn_held *held)
{
    struct qn_key key;
    QN_TRY(qn_must_exist(qn_kv_del(kv, QN_TABLE_HELD_LEASE, qn_key_lease(&key, owner, id))));
    held->lease_count--;
    return QN_OK;
}

static enum qn_err next_lease(struct qn_kv *kv, const struct qn_site_id *owner, struct qn_key *at,
                              struct qn_held_lease *ret_lease)
{
    struct qn_span found, row;
    QN_TRY(qn_kv_seek(kv, QN_TABLE_HELD_LEASE, qn_key_view(at), &found, &row));
    if (!qn_span_has_prefix(found, QN_SPAN_OF(owner->bytes)))
        return QN_ERR_NOTFOUND;
    if (found.size != QN_KEY_LEASE_SIZE)
        return QN_ERR_CORRUPT;
    memcpy(ret_lease->id.bytes, found.data + QN_KEY_OWNER_SIZE, sizeof(ret_lease->id.bytes));
    QN_TRY(read_lease(row, ret_lease));
    qn_key_copy(at, found);
    qn_key_next(at);
    return QN_OK;
}

enum qn_err qn_held_leases(struct qn_kv *kv, const struct qn_site_id *owner, uint64_t now_ms,
                           struct qn_held *held, struct qn_held_leases *ret_leases)
{
    struct qn_key at;
    struct qn_held_lease lease;
    ret_leases->count = 0;
    qn_key_owner(&at, owner);
    for (enum qn_err err; (err = next_lease(kv, owner, &at, &lease)) != QN_ERR_NOTFOUND;) {
        QN_TRY(err);
        if (now_ms >= lease.expires_ms)
            QN_TRY(del(kv, owner, &lease.id, held));
        else if (ret_leases->count == QN_HELD_LEASES_MAX)
            return QN_ERR_CORRUPT;
        else
            ret_leases->items[ret_leases->count++] = lease;
    }
    return QN_OK;
}

static enum qn_err begin(struct qn_kv *kv, const struct qn_site_id *owner, uint64_t now_ms,
                         const struct qn_lease_id *id, struct qn_held *held)
{
    struct qn_held_leases running;
    QN_TRY(qn_held_leases(kv, owner, now_ms, held, &running));
    enum qn_err verdict = running.count < QN_HELD_LEASES_MAX ? QN_OK : QN_ERR_LIMIT;
    if (verdict == QN_OK) {
        struct qn_held_lease lease = {
            .id = *id, .started_ms = now_ms, .expires_ms = qn_ms_after(now_ms, QN_HELD_LEASE_DAYS)};
        QN_TRY(put(kv, owner, &lease));
        held->lease_count++;
    }
    QN_TRY(qn_held_put(kv, owner, held));
    return verdict;
}

/* One that ran out begins anew: what it pinned may be gone. */
enum qn_err qn_custody_lease(struct qn_kv *kv, const struct qn_site_id *owner,
                             const struct qn_lease_id *id)
{
    uint64_t now_ms;
    struct qn_held held;
    struct qn_held_lease lease;
    QN_TRY(qn_custody_open(kv, owner, &now_ms, &held));
    enum qn_err err = qn_held_lease_get(kv, owner, id, &lease);
    QN_TRY(qn_may_miss(err));
    if (err == QN_ERR_NOTFOUND || now_ms >= lease.expires_ms)
        return begin(kv, owner, now_ms, id, &held);
    lease.expires_ms = qn_ms_after(now_ms, QN_HELD_LEASE_DAYS);
    return put(kv, owner, &lease);
}

enum qn_err qn_custody_lease_end(struct qn_kv *kv, const struct qn_site_id *owner,
                                 const struct qn_lease_id *id)
{
    struct qn_held held;
    struct qn_held_lease lease;
    enum qn_err err = qn_held_lease_get(kv, owner, id, &lease);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    QN_TRY(qn_must_exist(qn_held_get(kv, owner, &held)));
    QN_TRY(del(kv, owner, id, &held));
    return qn_held_put(kv, owner, &held);
}
