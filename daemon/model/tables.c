#include "model/tables.h"

#include "base/assert.h"
#include "base/buf.h"

#define TAG_NUMBER 'n'
#define TAG_VALUE  'v'

/* Format 1 is that of a clean collection: it ends behind the sum. */
#define COLL_ROW_CLEAN      1
#define COLL_ROW_LATE       2
#define COLL_ROW_CLEAN_SIZE (1 + 4 + 5 * 8 + QN_SUM_SIZE)
#define COLL_ROW_LATE_SIZE  (COLL_ROW_CLEAN_SIZE + 1 + 4 + 2 * 8)

#define FLAG_PASSING        0x01
#define FLAG_MAY_DROP       0x02

struct qn_span qn_key_view(const struct qn_key *key)
{
    return qn_span(key->bytes, key->size);
}

void qn_key_add(struct qn_key *key, struct qn_span bytes)
{
    QN_ASSERT(bytes.size <= sizeof(key->bytes) - key->size);
    if (bytes.size > 0)
        memcpy(key->bytes + key->size, bytes.data, bytes.size);
    key->size += bytes.size;
}

void qn_key_copy(struct qn_key *key, struct qn_span from)
{
    key->size = 0;
    qn_key_add(key, from);
}

void qn_key_add_u32(struct qn_key *key, uint32_t value)
{
    uint8_t bytes[4];
    qn_write_u32(bytes, value);
    qn_key_add(key, QN_SPAN_OF(bytes));
}

void qn_key_add_u64(struct qn_key *key, uint64_t value)
{
    uint8_t bytes[8];
    qn_write_u64(bytes, value);
    qn_key_add(key, QN_SPAN_OF(bytes));
}

struct qn_span qn_key_name(struct qn_key *key, const char *name)
{
    qn_key_copy(key, qn_span_str(name));
    return qn_key_view(key);
}

static struct qn_span key_of_coll(struct qn_key *key, const char *name, uint32_t coll)
{
    qn_key_copy(key, qn_span_str(name));
    qn_key_add_u32(key, coll);
    return qn_key_view(key);
}

struct qn_span qn_key_coll_name(struct qn_key *key, uint32_t coll)
{
    return key_of_coll(key, "model.coll.", coll);
}

struct qn_span qn_key_coll_log(struct qn_key *key, uint32_t coll)
{
    return key_of_coll(key, "model.log.", coll);
}

struct qn_span qn_key_coll_marks(struct qn_key *key, uint32_t coll)
{
    return key_of_coll(key, "model.marks.", coll);
}

struct qn_span qn_key_number(struct qn_key *key, uint32_t number)
{
    static const uint8_t tag = TAG_NUMBER;
    qn_key_copy(key, QN_SPAN_OF(tag));
    qn_key_add_u32(key, number);
    return qn_key_view(key);
}

struct qn_span qn_key_value(struct qn_key *key, struct qn_span value)
{
    static const uint8_t tag = TAG_VALUE;
    qn_key_copy(key, QN_SPAN_OF(tag));
    qn_key_add(key, value);
    return qn_key_view(key);
}

struct qn_span qn_key_coll(struct qn_key *key, uint32_t coll)
{
    key->size = 0;
    qn_key_add_u32(key, coll);
    return qn_key_view(key);
}

struct qn_span qn_key_actor(struct qn_key *key, uint32_t coll, uint32_t actor)
{
    qn_key_coll(key, coll);
    qn_key_add_u32(key, actor);
    return qn_key_view(key);
}

struct qn_span qn_key_dot(struct qn_key *key, uint32_t coll, uint32_t actor, uint64_t ctr)
{
    qn_key_actor(key, coll, actor);
    qn_key_add_u64(key, ctr);
    return qn_key_view(key);
}

struct qn_span qn_key_late(struct qn_key *key, uint32_t coll, uint8_t kind)
{
    qn_key_coll(key, coll);
    qn_key_add(key, QN_SPAN_OF(kind));
    return qn_key_view(key);
}

struct qn_span qn_key_late_number(struct qn_key *key, uint32_t coll, uint8_t kind, uint32_t number)
{
    qn_key_late(key, coll, kind);
    qn_key_add_u32(key, number);
    return qn_key_view(key);
}

struct qn_span qn_key_seq(struct qn_key *key, uint32_t coll, uint64_t seq)
{
    qn_key_coll(key, coll);
    qn_key_add_u64(key, seq);
    return qn_key_view(key);
}

struct qn_span qn_key_group(struct qn_key *key, uint32_t coll, uint8_t group)
{
    qn_key_coll(key, coll);
    qn_key_add(key, QN_SPAN_OF(group));
    return qn_key_view(key);
}

struct qn_span qn_key_record(struct qn_key *key, uint32_t coll, struct qn_span record)
{
    qn_key_coll(key, coll);
    qn_key_add(key, record);
    return qn_key_view(key);
}

struct qn_span qn_key_past(struct qn_key *key, uint32_t coll, struct qn_span record)
{
    uint8_t size = (uint8_t)record.size;
    QN_ASSERT(record.size == size);
    qn_key_coll(key, coll);
    qn_key_add(key, QN_SPAN_OF(size));
    qn_key_add(key, record);
    return qn_key_view(key);
}

struct qn_span qn_key_next(struct qn_key *key)
{
    static const uint8_t zero = 0;
    qn_key_add(key, QN_SPAN_OF(zero));
    return qn_key_view(key);
}

enum qn_err qn_meta_get_u32(struct qn_kv *kv, const char *name, uint32_t *ret_value)
{
    struct qn_key key;
    struct qn_span value;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_META, qn_key_name(&key, name), &value);
    if (err == QN_OK && value.size != 4)
        return QN_ERR_CORRUPT;
    QN_TRY(qn_may_miss(err));
    *ret_value = err == QN_OK ? qn_read_u32(value.data) : 0;
    return QN_OK;
}

enum qn_err qn_meta_put_u32(struct qn_kv *kv, const char *name, uint32_t value)
{
    struct qn_key key;
    uint8_t bytes[4];
    qn_write_u32(bytes, value);
    return qn_kv_put(kv, QN_TABLE_META, qn_key_name(&key, name), QN_SPAN_OF(bytes));
}

static enum qn_err check_row_size(struct qn_span value)
{
    bool is_clean = value.size == COLL_ROW_CLEAN_SIZE && value.data[0] == COLL_ROW_CLEAN;
    bool is_late = value.size == COLL_ROW_LATE_SIZE && value.data[0] == COLL_ROW_LATE;
    return is_clean || is_late ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err get_late(const uint8_t *p, struct qn_coll_row *row)
{
    if ((p[0] & ~(FLAG_PASSING | FLAG_MAY_DROP)) != 0)
        return QN_ERR_CORRUPT;
    row->is_late = true;
    row->is_passing = (p[0] & FLAG_PASSING) != 0;
    row->may_drop = (p[0] & FLAG_MAY_DROP) != 0;
    row->pass = qn_read_u32(p + 1);
    row->rows_before = qn_read_u64(p + 5);
    row->dropped = qn_read_u64(p + 13);
    return QN_OK;
}

static void put_late(const struct qn_coll_row *row, uint8_t *p)
{
    p[0] = (uint8_t)((row->is_passing ? FLAG_PASSING : 0) | (row->may_drop ? FLAG_MAY_DROP : 0));
    qn_write_u32(p + 1, row->pass);
    qn_write_u64(p + 5, row->rows_before);
    qn_write_u64(p + 13, row->dropped);
}

enum qn_err qn_coll_row_get(struct qn_kv *kv, const struct qn_coll_id *id,
                            struct qn_coll_row *ret_row)
{
    struct qn_span value;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_COLL, QN_SPAN_OF(id->bytes), &value);
    QN_TRY(qn_may_miss(err));
    *ret_row = (struct qn_coll_row){0};
    if (err != QN_OK)
        return QN_OK;
    QN_TRY(check_row_size(value));
    const uint8_t *p = value.data + 1;
    ret_row->number = qn_read_u32(p);
    ret_row->order_head = qn_read_u64(p + 4);
    ret_row->live = qn_read_u64(p + 12);
    ret_row->trashed = qn_read_u64(p + 20);
    ret_row->conflicts = qn_read_u64(p + 28);
    ret_row->rows = qn_read_u64(p + 36);
    memcpy(ret_row->sum, p + 44, QN_SUM_SIZE);
    if (value.size == COLL_ROW_LATE_SIZE)
        QN_TRY(get_late(value.data + COLL_ROW_CLEAN_SIZE, ret_row));
    return ret_row->number != 0 ? QN_OK : QN_ERR_CORRUPT;
}

enum qn_err qn_coll_row_put(struct qn_kv *kv, const struct qn_coll_id *id,
                            const struct qn_coll_row *row)
{
    uint8_t bytes[COLL_ROW_LATE_SIZE] = {row->is_late ? COLL_ROW_LATE : COLL_ROW_CLEAN};
    uint8_t *p = bytes + 1;
    qn_write_u32(p, row->number);
    qn_write_u64(p + 4, row->order_head);
    qn_write_u64(p + 12, row->live);
    qn_write_u64(p + 20, row->trashed);
    qn_write_u64(p + 28, row->conflicts);
    qn_write_u64(p + 36, row->rows);
    memcpy(p + 44, row->sum, QN_SUM_SIZE);
    if (row->is_late)
        put_late(row, bytes + COLL_ROW_CLEAN_SIZE);
    size_t size = row->is_late ? COLL_ROW_LATE_SIZE : COLL_ROW_CLEAN_SIZE;
    return qn_kv_put(kv, QN_TABLE_COLL, QN_SPAN_OF(id->bytes), qn_span(bytes, size));
}

enum qn_err qn_counter_get(struct qn_kv *kv, enum qn_table table, uint32_t coll, uint32_t actor,
                           uint64_t *ret_ctr)
{
    struct qn_key key;
    struct qn_span value;
    enum qn_err err = qn_kv_get(kv, table, qn_key_actor(&key, coll, actor), &value);
    if (err == QN_OK && value.size != 8)
        return QN_ERR_CORRUPT;
    QN_TRY(qn_may_miss(err));
    *ret_ctr = err == QN_OK ? qn_read_u64(value.data) : 0;
    return QN_OK;
}

enum qn_err qn_counter_put(struct qn_kv *kv, enum qn_table table, uint32_t coll, uint32_t actor,
                           uint64_t ctr)
{
    struct qn_key key;
    uint8_t bytes[8];
    qn_write_u64(bytes, ctr);
    return qn_kv_put(kv, table, qn_key_actor(&key, coll, actor), QN_SPAN_OF(bytes));
}

static const uint8_t order_break[12]; /* no actor has number 0 */

enum qn_err qn_order_break(struct qn_kv *kv, uint32_t coll, uint64_t seq)
{
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_ORDER, qn_key_seq(&key, coll, seq), QN_SPAN_OF(order_break));
}

bool qn_order_is_break(struct qn_span value)
{
    return qn_span_eq(value, QN_SPAN_OF(order_break));
}

enum qn_err qn_checkpoint_get(struct qn_kv *kv, uint32_t coll, uint32_t actor, uint64_t ctr,
                              struct qn_checkpoint *ret_checkpoint)
{
    struct qn_key key;
    struct qn_span value;
    QN_TRY(qn_kv_get(kv, QN_TABLE_CHAIN, qn_key_dot(&key, coll, actor, ctr), &value));
    if (value.size != QN_DIGEST_SIZE + QN_SIGNATURE_SIZE)
        return QN_ERR_CORRUPT;
    memcpy(ret_checkpoint->hash.bytes, value.data, QN_DIGEST_SIZE);
    memcpy(ret_checkpoint->signature.bytes, value.data + QN_DIGEST_SIZE, QN_SIGNATURE_SIZE);
    return QN_OK;
}

enum qn_err qn_checkpoint_put(struct qn_kv *kv, uint32_t coll, uint32_t actor, uint64_t ctr,
                              const struct qn_checkpoint *checkpoint)
{
    struct qn_key key;
    uint8_t bytes[QN_DIGEST_SIZE + QN_SIGNATURE_SIZE];
    memcpy(bytes, checkpoint->hash.bytes, QN_DIGEST_SIZE);
    memcpy(bytes + QN_DIGEST_SIZE, checkpoint->signature.bytes, QN_SIGNATURE_SIZE);
    return qn_kv_put(kv, QN_TABLE_CHAIN, qn_key_dot(&key, coll, actor, ctr), QN_SPAN_OF(bytes));
}

enum qn_err qn_chain_at(struct qn_kv *kv, const struct qn_coll_id *id, uint32_t coll,
                        uint32_t actor, const struct qn_dot *at, struct qn_digest *ret_hash)
{
    struct qn_checkpoint checkpoint;
    if (at->ctr == 0) {
        qn_chain_start(id, &at->actor, ret_hash);
        return QN_OK;
    }
    QN_TRY(qn_checkpoint_get(kv, coll, actor, at->ctr, &checkpoint));
    *ret_hash = checkpoint.hash;
    return QN_OK;
}
