/* The sealed keys of an owner's vault. Without them its packs are of no use to anybody, so they are
 * kept as a pack is: never written over, never given up. */
#include "model/custody_impl.h"

#define FORMAT       1
#define KEY_ROW_SIZE (QN_KEY_OWNER_SIZE + 4)

static struct qn_span key_of(struct qn_key *key, const struct qn_site_id *owner, uint32_t epoch)
{
    qn_key_owner(key, owner);
    qn_key_add_u32(key, epoch);
    return qn_key_view(key);
}

static enum qn_err read_row(struct qn_span row, struct qn_span *ret_sealed)
{
    struct qn_fixed fixed = qn_fixed(row, FORMAT);
    struct qn_span sealed = qn_fixed_rest(&fixed);
    QN_TRY(qn_fixed_end(&fixed));
    if (sealed.size == 0 || sealed.size > QN_HELD_KEY_SIZE_MAX)
        return QN_ERR_CORRUPT;
    *ret_sealed = sealed;
    return QN_OK;
}

enum qn_err qn_held_key_next(struct qn_kv *kv, const struct qn_site_id *owner, uint32_t after,
                             uint32_t *ret_epoch, struct qn_span *ret_sealed)
{
    struct qn_key key;
    struct qn_span found, row, sealed;
    if (after == UINT32_MAX)
        return QN_ERR_NOTFOUND;
    QN_TRY(qn_kv_seek(kv, QN_TABLE_HELD_KEY, key_of(&key, owner, after + 1), &found, &row));
    if (!qn_span_has_prefix(found, QN_SPAN_OF(owner->bytes)))
        return QN_ERR_NOTFOUND;
    if (found.size != KEY_ROW_SIZE)
        return QN_ERR_CORRUPT;
    QN_TRY(read_row(row, &sealed));
    *ret_epoch = qn_read_u32(found.data + QN_KEY_OWNER_SIZE);
    *ret_sealed = sealed;
    return QN_OK;
}

enum qn_err qn_held_key_newest(struct qn_kv *kv, const struct qn_site_id *owner,
                               uint32_t *ret_epoch)
{
    uint32_t epoch = 0;
    struct qn_span sealed;
    enum qn_err err;
    while ((err = qn_held_key_next(kv, owner, epoch, &epoch, &sealed)) == QN_OK)
        ;
    *ret_epoch = epoch;
    return qn_may_miss(err);
}

static enum qn_err count_keys(struct qn_kv *kv, const struct qn_site_id *owner, size_t *ret_count)
{
    uint32_t epoch = 0;
    struct qn_span sealed;
    enum qn_err err;
    *ret_count = 0;
    while ((err = qn_held_key_next(kv, owner, epoch, &epoch, &sealed)) == QN_OK)
        ++*ret_count;
    return qn_may_miss(err);
}

static enum qn_err add(struct qn_kv *kv, const struct qn_site_id *owner, struct qn_held *held,
                       uint32_t epoch, struct qn_span sealed)
{
    size_t count;
    QN_TRY(count_keys(kv, owner, &count));
    if (count >= QN_HELD_KEYS_MAX) {
        held->alarms |= QN_HELD_ALARM_QUOTA;
        QN_TRY(qn_held_put(kv, owner, held));
        return QN_ERR_LIMIT;
    }
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, 1 + QN_HELD_KEY_SIZE_MAX);
    qn_buf_append_u8(&row, FORMAT);
    qn_buf_append_span(&row, sealed);
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_HELD_KEY, key_of(&key, owner, epoch), qn_buf_view(&row));
}

enum qn_err qn_custody_key(struct qn_kv *kv, const struct qn_site_id *owner, uint32_t epoch,
                           struct qn_span sealed)
{
    uint64_t now_ms;
    struct qn_held held;
    struct qn_key key;
    struct qn_span row, known;
    QN_TRY(qn_custody_open(kv, owner, &now_ms, &held));
    if (epoch == 0 || sealed.size == 0 || sealed.size > QN_HELD_KEY_SIZE_MAX)
        return QN_ERR_INVALID;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_HELD_KEY, key_of(&key, owner, epoch), &row);
    if (err == QN_ERR_NOTFOUND)
        return add(kv, owner, &held, epoch, sealed);
    QN_TRY(err);
    QN_TRY(read_row(row, &known));
    return qn_span_eq(known, sealed) ? QN_OK : QN_ERR_EXISTS;
}
