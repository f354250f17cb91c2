#include "model/late_owed.h"

#include "base/assert.h"
#include "base/limits.h"

#define KIND_OWED 'd'

enum debt { SUSPECTED = 1, OWED = 2, OWED_ERASED = 3 }; /* stored: never renumber */

/* u8 size and the record key, u8 size and the field, actor, counter: rows of a record stand
 * together.
 */
static void make_key(struct qn_key *key, uint32_t coll, const struct qn_spot *at)
{
    uint8_t key_size = (uint8_t)at->key.size, field_size = (uint8_t)at->field.size;
    QN_ASSERT(at->kind == QN_SPOT_PAIR && at->key.size == key_size && at->field.size == field_size);
    qn_key_late(key, coll, KIND_OWED);
    qn_key_add(key, QN_SPAN_OF(key_size));
    qn_key_add(key, at->key);
    qn_key_add(key, QN_SPAN_OF(field_size));
    qn_key_add(key, at->field);
    qn_key_add(key, QN_SPAN_OF(at->dot.actor.bytes));
    qn_key_add_u64(key, at->dot.ctr);
}

static bool take(struct qn_span *from, size_t size, struct qn_span *ret_bytes)
{
    if (size == 0 || size > from->size)
        return false;
    *ret_bytes = qn_span(from->data, size);
    *from = qn_span_from(*from, size);
    return true;
}

static bool take_sized(struct qn_span *from, struct qn_span *ret_bytes)
{
    struct qn_span size;
    return take(from, 1, &size) && take(from, size.data[0], ret_bytes);
}

static enum qn_err read_key(const struct qn_key *key, struct qn_spot *spot)
{
    struct qn_span left = qn_span_from(qn_key_view(key), 5);
    *spot = (struct qn_spot){.kind = QN_SPOT_PAIR};
    bool is_whole = take_sized(&left, &spot->key) && take_sized(&left, &spot->field) &&
                    left.size == QN_ACTOR_SIZE + 8;
    if (!is_whole)
        return QN_ERR_CORRUPT;
    memcpy(spot->dot.actor.bytes, left.data, QN_ACTOR_SIZE);
    spot->dot.ctr = qn_read_u64(left.data + QN_ACTOR_SIZE);
    return QN_OK;
}

static enum qn_err put(struct qn_kv *kv, const struct qn_key *key, enum debt debt)
{
    uint8_t value = (uint8_t)debt;
    return qn_kv_put(kv, QN_TABLE_SEG, qn_key_view(key), QN_SPAN_OF(value));
}

enum qn_err qn_owed_put(struct qn_kv *kv, uint32_t coll, const struct qn_spot *at,
                        enum qn_op_kind kind)
{
    struct qn_key key;
    make_key(&key, coll, at);
    return put(kv, &key, kind == QN_OP_ERASE ? OWED_ERASED : OWED);
}

enum qn_err qn_owed_suspect(struct qn_kv *kv, uint32_t coll, const struct qn_segs *segs,
                            const struct qn_spot *at)
{
    struct qn_key key;
    struct qn_span known;
    make_key(&key, coll, at);
    enum qn_err err = qn_kv_get(kv, QN_TABLE_SEG, qn_key_view(&key), &known);
    if (err != QN_ERR_NOTFOUND)
        return err; /* it may be owed */
    return put(kv, &key, qn_segs_are_void(segs, at) ? OWED : SUSPECTED);
}

enum qn_err qn_owed_next(struct qn_kv *kv, uint32_t coll, const struct qn_key *after,
                         struct qn_owed *ret_owed)
{
    struct qn_key prefix, from;
    struct qn_span key, value;
    qn_key_copy(&from, qn_key_late(&prefix, coll, KIND_OWED));
    if (after != NULL) {
        qn_key_copy(&from, qn_key_view(after));
        qn_key_next(&from);
    }
    QN_TRY(qn_kv_seek(kv, QN_TABLE_SEG, qn_key_view(&from), &key, &value));
    if (!qn_span_has_prefix(key, qn_key_view(&prefix)))
        return QN_ERR_NOTFOUND;
    if (value.size != 1 || value.data[0] < SUSPECTED || value.data[0] > OWED_ERASED)
        return QN_ERR_CORRUPT;
    ret_owed->is_owed = value.data[0] != SUSPECTED;
    ret_owed->is_erased = value.data[0] == OWED_ERASED;
    qn_key_copy(&ret_owed->at, key);
    return read_key(&ret_owed->at, &ret_owed->spot);
}

enum qn_err qn_owed_drop(struct qn_kv *kv, const struct qn_owed *owed)
{
    return qn_must_exist(qn_kv_del(kv, QN_TABLE_SEG, qn_key_view(&owed->at)));
}

enum qn_err qn_owed_confirm(struct qn_kv *kv, uint32_t coll, const struct qn_segs *segs)
{
    struct qn_key at;
    struct qn_owed owed;
    enum qn_err err = qn_owed_next(kv, coll, NULL, &owed);
    while (err == QN_OK) {
        if (!owed.is_owed && qn_segs_are_void(segs, &owed.spot))
            QN_TRY(put(kv, &owed.at, OWED));
        at = owed.at;
        err = qn_owed_next(kv, coll, &at, &owed);
    }
    return qn_may_miss(err);
}
