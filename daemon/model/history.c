#include "model/history.h"

#include "base/limits.h"
#include "model/replica_read.h"
#include "model/row.h"
#include "model/tables.h"

#define VALUE_SIZE_MAX (QN_VALUE_SIZE_MAX + 512)
#define KEY_TAIL       (8 + 4 + 8) /* hlc, actor, ctr; then the field */

/* The field stands in the key: one operation writes several, with one dot. A field without a number
 * is written out. */
static enum qn_err make_key(struct qn_dict *dict, uint32_t coll, struct qn_span field,
                            const struct qn_pair *pair, const struct qn_op *op,
                            struct qn_key *ret_key)
{
    uint32_t actor, name;
    QN_TRY(qn_dict_number_actor(dict, &pair->dot.actor, &actor));
    QN_TRY(qn_dict_number_name(dict, field, &name));
    qn_key_past(ret_key, coll, op->key);
    qn_key_add_u64(ret_key, pair->hlc);
    qn_key_add_u32(ret_key, actor);
    qn_key_add_u64(ret_key, pair->dot.ctr);
    qn_key_add_u32(ret_key, name);
    if (name == 0)
        qn_key_add(ret_key, field);
    return QN_OK;
}

static enum qn_err make_value(struct qn_dict *dict, const struct qn_pair *pair,
                              const struct qn_op *op, struct qn_buf *out)
{
    uint32_t by = 0; /* of a pair that a page made go: nobody knows */
    if (op->dot.ctr > 0)
        QN_TRY(qn_dict_number_actor(dict, &op->dot.actor, &by));
    qn_buf_append_varint(out, by);
    qn_buf_append_varint(out, op->dot.ctr);
    qn_buf_append_varint(out, op->hlc);
    QN_TRY(qn_row_put_name(dict, op->user, out));
    QN_TRY(qn_row_put_name(dict, pair->user, out));
    qn_buf_append_span(out, pair->value);
    return qn_buf_status(out);
}

enum qn_err qn_history_add(struct qn_dict *dict, uint32_t coll, struct qn_span field,
                           const struct qn_pair *pair, const struct qn_op *op)
{
    struct qn_key key;
    QN_AUTO_BUF struct qn_buf value;
    qn_buf_init(&value, VALUE_SIZE_MAX);
    QN_TRY(make_key(dict, coll, field, pair, op, &key));
    QN_TRY(make_value(dict, pair, op, &value));
    return qn_kv_put(dict->kv, QN_TABLE_HIST, qn_key_view(&key), qn_buf_view(&value));
}

enum qn_err qn_history_purge(struct qn_kv *kv, uint32_t coll, struct qn_span key)
{
    struct qn_key prefix, at;
    qn_key_past(&prefix, coll, key);
    for (;;) {
        struct qn_span found, value;
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_HIST, qn_key_view(&prefix), &found, &value);
        if (err != QN_OK || !qn_span_has_prefix(found, qn_key_view(&prefix)))
            return qn_may_miss(err);
        qn_key_copy(&at, found);
        QN_TRY(qn_must_exist(qn_kv_del(kv, QN_TABLE_HIST, qn_key_view(&at))));
    }
}

/* --- retention --- */

/* The later of the clocks of the value and of what replaced it. */
static enum qn_err read_age(struct qn_span key, struct qn_span value, uint64_t *ret_ms)
{
    size_t offset = 0;
    uint64_t by, ctr, replaced;
    size_t head = key.size > 4 ? 4 + 1 + (size_t)key.data[4] : SIZE_MAX;
    if (head >= key.size || key.size - head < KEY_TAIL + 4)
        return QN_ERR_CORRUPT;
    if (qn_read_varint(value, &offset, &by) != QN_OK ||
        qn_read_varint(value, &offset, &ctr) != QN_OK ||
        qn_read_varint(value, &offset, &replaced) != QN_OK)
        return QN_ERR_CORRUPT;
    uint64_t written = qn_read_u64(key.data + head);
    *ret_ms = qn_hlc_ms(written > replaced ? written : replaced);
    return QN_OK;
}

static enum qn_err next_past(struct qn_kv *kv, struct qn_key *at, struct qn_span *ret_value)
{
    struct qn_span key;
    qn_key_next(at);
    QN_TRY(qn_kv_seek(kv, QN_TABLE_HIST, qn_key_view(at), &key, ret_value));
    qn_key_copy(at, key);
    return QN_OK;
}

enum qn_err qn_history_forget(struct qn_kv *kv, uint64_t before_ms, struct qn_buf *position,
                              size_t *ret_dropped)
{
    struct qn_key at;
    struct qn_span value;
    size_t dropped = 0;
    bool is_end = false;
    qn_key_copy(&at, qn_buf_view(position));
    qn_buf_reset(position);
    for (size_t looks = 0; looks < QN_HISTORY_LOOKS && dropped < QN_TXN_OPS_MAX; looks++) {
        uint64_t ms;
        enum qn_err err = next_past(kv, &at, &value);
        is_end = err == QN_ERR_NOTFOUND;
        if (is_end)
            break;
        QN_TRY(err);
        QN_TRY(read_age(qn_key_view(&at), value, &ms));
        if (ms >= before_ms)
            continue;
        QN_TRY(qn_must_exist(qn_kv_del(kv, QN_TABLE_HIST, qn_key_view(&at))));
        dropped++;
    }
    if (!is_end)
        qn_buf_append_span(position, qn_key_view(&at));
    *ret_dropped = dropped;
    return qn_buf_status(position);
}

/* --- reading --- */

static enum qn_err read_key(struct qn_dict *dict, struct qn_span tail, struct qn_past *past)
{
    if (tail.size < KEY_TAIL + 4)
        return QN_ERR_CORRUPT;
    past->pair.hlc = qn_read_u64(tail.data);
    QN_TRY(qn_dict_actor_of(dict, qn_read_u32(tail.data + 8), &past->pair.dot.actor));
    past->pair.dot.ctr = qn_read_u64(tail.data + 12);
    uint32_t name = qn_read_u32(tail.data + KEY_TAIL);
    if (name != 0)
        return qn_dict_name_of(dict, name, &past->field);
    past->field = qn_span_from(tail, KEY_TAIL + 4);
    return past->field.size > 0 ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err read_value(struct qn_dict *dict, struct qn_span value, struct qn_past *past)
{
    size_t offset = 0;
    uint64_t by;
    if (qn_read_varint(value, &offset, &by) != QN_OK ||
        qn_read_varint(value, &offset, &past->replaced_by.ctr) != QN_OK ||
        qn_read_varint(value, &offset, &past->replaced_hlc) != QN_OK)
        return QN_ERR_CORRUPT;
    if (by != 0 || past->replaced_by.ctr != 0)
        QN_TRY(qn_dict_actor_of(dict, by, &past->replaced_by.actor));
    QN_TRY(qn_row_get_name(dict, value, &offset, &past->replaced_user));
    QN_TRY(qn_row_get_name(dict, value, &offset, &past->pair.user));
    past->pair.value = qn_span_from(value, offset);
    return past->pair.value.size > 0 ? QN_OK : QN_ERR_CORRUPT;
}

enum qn_err qn_read_past(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_span key,
                         struct qn_buf *position, struct qn_past *ret_past)
{
    struct qn_coll_row row;
    struct qn_key prefix, from;
    struct qn_span found, value;
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    if (row.number == 0 || key.size == 0 || key.size > QN_KEY_SIZE_MAX)
        return QN_ERR_NOTFOUND;
    qn_key_copy(&from, qn_key_past(&prefix, row.number, key));
    if (position->size > 0) {
        qn_key_copy(&from, qn_buf_view(position));
        qn_key_next(&from);
    }
    QN_TRY(qn_kv_seek(kv, QN_TABLE_HIST, qn_key_view(&from), &found, &value));
    if (!qn_span_has_prefix(found, qn_key_view(&prefix)))
        return QN_ERR_NOTFOUND;
    struct qn_dict dict;
    struct qn_past past = {0};
    qn_dict_init(&dict, kv, false);
    QN_TRY(read_key(&dict, qn_span_from(found, prefix.size), &past));
    QN_TRY(read_value(&dict, value, &past));
    qn_buf_reset(position);
    position->size_max = QN_KV_KEY_SIZE_MAX;
    qn_buf_append_span(position, found);
    QN_TRY(qn_buf_status(position));
    *ret_past = past;
    return QN_OK;
}
