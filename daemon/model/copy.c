#include "model/copy.h"

#include "base/limits.h"
#include "base/text.h"
#include "model/damage.h"
#include "model/hashing.h"
#include "model/replica_impl.h"
#include "model/value.h"
#include "proto/pack.h"

#define PARTS      5 /* of a pair */
#define FIELDS_MAX 65536
#define PAIRS_MAX  65536

/* ---- a record ---- */

static void pack_pair(const struct qn_pair *pair, struct qn_buf *out)
{
    qn_pack_bin(out, QN_SPAN_OF(pair->dot.actor.bytes));
    qn_pack_u64(out, pair->dot.ctr);
    qn_pack_u64(out, pair->hlc);
    if (pair->user.size > 0)
        qn_pack_str(out, pair->user);
    else
        qn_pack_nil(out);
    qn_pack_raw(out, pair->value);
}

void qn_record_pack(const struct qn_record *record, struct qn_buf *out)
{
    qn_pack_array(out, 2 * record->fields.count);
    qn_vec_each (&record->fields, field) {
        qn_pack_str(out, field->name);
        qn_pack_array(out, PARTS * field->pairs.count);
        qn_vec_each (&field->pairs, pair)
            pack_pair(pair, out);
    }
}

static enum qn_err unpack_user(struct qn_cursor *cursor, struct qn_span *ret_user)
{
    *ret_user = qn_span(NULL, 0);
    if (qn_cursor_peek(cursor) == QN_ITEM_NIL)
        return qn_cursor_nil(cursor);
    QN_TRY(qn_cursor_str(cursor, QN_USER_SIZE_MAX, ret_user));
    return ret_user->size > 0 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err unpack_pair(struct qn_cursor *cursor, struct qn_pair *ret_pair)
{
    QN_TRY(qn_cursor_bytes(cursor, ret_pair->dot.actor.bytes, QN_ACTOR_SIZE));
    QN_TRY(qn_cursor_u64(cursor, &ret_pair->dot.ctr));
    QN_TRY(qn_cursor_u64(cursor, &ret_pair->hlc));
    QN_TRY(unpack_user(cursor, &ret_pair->user));
    QN_TRY(qn_cursor_skip(cursor, QN_VALUE_DEPTH_MAX, &ret_pair->value));
    QN_TRY(qn_value_check(ret_pair->value));
    return ret_pair->dot.ctr > 0 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err unpack_pairs(struct qn_cursor *cursor, struct qn_span name,
                                struct qn_record *record)
{
    struct qn_dot last = {0};
    size_t count;
    QN_TRY(qn_cursor_array(cursor, PARTS * PAIRS_MAX, &count));
    if (count == 0 || count % PARTS != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count; i += PARTS) {
        struct qn_pair pair;
        QN_TRY(unpack_pair(cursor, &pair));
        if (qn_dot_cmp(&last, &pair.dot) >= 0)
            return QN_ERR_INVALID;
        last = pair.dot;
        qn_record_add(record, name, &pair);
    }
    return QN_OK;
}

static enum qn_err unpack_fields(struct qn_cursor *cursor, struct qn_record *record)
{
    struct qn_span last = {0}, name;
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 2 * FIELDS_MAX, &count));
    if (count == 0 || count % 2 != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count; i += 2) {
        QN_TRY(qn_cursor_str(cursor, QN_FIELD_SIZE_MAX, &name));
        if (name.size == 0 || qn_span_cmp(last, name) >= 0)
            return QN_ERR_INVALID;
        QN_TRY(unpack_pairs(cursor, name, record));
        last = name;
    }
    return QN_OK;
}

enum qn_err qn_record_unpack(struct qn_cursor *cursor, struct qn_record *ret_record)
{
    struct qn_record record = {0};
    enum qn_err err = unpack_fields(cursor, &record);
    if (err == QN_OK)
        *ret_record = record;
    else
        qn_record_deinit(&record);
    return err;
}

/* ---- a copy ---- */

void qn_record_copy_deinit(struct qn_record_copy *copy)
{
    qn_record_deinit(&copy->record);
}

static enum qn_err unpack_damaged(struct qn_cursor *cursor, struct qn_record_copy *copy)
{
    copy->kind = QN_COPY_DAMAGED;
    QN_TRY(qn_cursor_bin(cursor, QN_STATE_HASH_SIZE, &copy->hash));
    return copy->hash.size == 0 || copy->hash.size == QN_STATE_HASH_SIZE ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err unpack_too_large(struct qn_cursor *cursor, struct qn_record_copy *copy)
{
    bool is_sent;
    copy->kind = QN_COPY_TOO_LARGE;
    QN_TRY(qn_cursor_bool(cursor, &is_sent));
    return is_sent ? QN_ERR_INVALID : QN_OK;
}

static enum qn_err unpack_kind(struct qn_cursor *cursor, struct qn_record_copy *copy)
{
    switch (qn_cursor_peek(cursor)) {
    case QN_ITEM_NIL:
        copy->kind = QN_COPY_NONE;
        return qn_cursor_nil(cursor);
    case QN_ITEM_BIN:
        return unpack_damaged(cursor, copy);
    case QN_ITEM_ARRAY:
        return qn_record_unpack(cursor, &copy->record);
    default:
        return unpack_too_large(cursor, copy);
    }
}

enum qn_err qn_record_copy_unpack(struct qn_cursor *cursor, struct qn_record_copy *ret_copy)
{
    struct qn_record_copy copy = {.kind = QN_COPY_RECORD};
    size_t start = cursor->at;
    QN_TRY(unpack_kind(cursor, &copy));
    copy.packed = qn_span(cursor->input.data + start, cursor->at - start);
    *ret_copy = copy;
    return QN_OK;
}

/* ---- reading them ---- */

static enum qn_err pack_aside(struct qn_kv *kv, uint32_t coll, struct qn_span key,
                              struct qn_buf *out)
{
    struct qn_span hash;
    enum qn_err err = qn_aside_get(kv, coll, key, &hash);
    if (err == QN_OK)
        qn_pack_bin(out, hash);
    else
        qn_pack_nil(out);
    return qn_may_miss(err);
}

/* One that is damaged and was not set aside yet is not passed on either. */
static enum qn_err pack_row(struct qn_kv *kv, struct qn_hasher *hasher, struct qn_span row,
                            struct qn_buf *out)
{
    struct qn_dict dict;
    struct qn_row_head head;
    QN_AUTO_RECORD struct qn_record record = {0};
    qn_dict_init(&dict, kv, false);
    enum qn_err err = qn_replica_check_row(hasher, &dict, row, &head, &record);
    if (err == QN_OK || err == QN_ERR_CONFLICT)
        qn_record_pack(&record, out);
    else
        qn_pack_bin(out, qn_span(NULL, 0));
    return err == QN_OK || err == QN_ERR_CONFLICT || err == QN_ERR_CORRUPT ? QN_OK : err;
}

static enum qn_err pack_copy(struct qn_kv *kv, struct qn_hasher *hasher, uint32_t coll,
                             struct qn_span key, struct qn_buf *out)
{
    struct qn_key at;
    struct qn_span row;
    enum qn_err err = coll == 0 ? QN_ERR_NOTFOUND
                                : qn_kv_get(kv, QN_TABLE_REC, qn_key_record(&at, coll, key), &row);
    if (err == QN_ERR_NOTFOUND)
        return pack_aside(kv, coll, key, out);
    QN_TRY(err);
    return pack_row(kv, hasher, row, out);
}

struct copies {
    struct qn_kv *kv;
    struct qn_hasher *hasher;
    uint32_t coll;
    size_t size_max;
    size_t count;
    struct qn_buf items, one;
};

static enum qn_err add_copy(struct copies *copies, struct qn_span key)
{
    qn_buf_reset(&copies->one);
    QN_TRY(pack_copy(copies->kv, copies->hasher, copies->coll, key, &copies->one));
    bool is_too_large = qn_buf_status(&copies->one) != QN_OK;
    if (!is_too_large && copies->items.size + copies->one.size > copies->size_max)
        return QN_OK; /* another time */
    qn_pack_str(&copies->items, key);
    if (is_too_large)
        qn_pack_bool(&copies->items, false);
    else
        qn_pack_raw(&copies->items, qn_buf_view(&copies->one));
    copies->count++;
    return QN_OK;
}

static enum qn_err add_copies(struct copies *copies, struct qn_span keys)
{
    struct qn_cursor cursor = qn_cursor(keys);
    struct qn_span key;
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, QN_COPIES_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        QN_TRY(qn_cursor_str(&cursor, QN_KEY_SIZE_MAX, &key));
        if (key.size == 0)
            return QN_ERR_INVALID;
        QN_TRY(add_copy(copies, key));
    }
    return qn_cursor_finish(&cursor);
}

enum qn_err qn_read_copies(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_span keys,
                           size_t size_max, struct qn_buf *out)
{
    struct qn_coll_row row;
    struct qn_digest clock;
    QN_AUTO_VV struct qn_vv cc = {0};
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    QN_TRY(qn_read_cc(kv, coll, &cc));
    qn_vv_digest(&cc, &clock);
    if (row.is_late) /* its records are ahead of its clock */
        memset(clock.bytes, 0, sizeof(clock.bytes));
    struct copies copies = {.kv = kv, .coll = row.number, .size_max = size_max};
    qn_buf_init(&copies.items, size_max + 2 * QN_KEY_SIZE_MAX * QN_COPIES_MAX);
    qn_buf_init(&copies.one, size_max);
    copies.hasher = qn_hasher_new();
    enum qn_err err = add_copies(&copies, keys);
    qn_hasher_free(copies.hasher);
    qn_pack_bin(out, qn_span(clock.bytes, QN_ROOT_SIZE));
    qn_pack_array(out, 2 * copies.count);
    qn_pack_raw(out, qn_buf_view(&copies.items));
    err = err != QN_OK ? err : qn_buf_status(&copies.items);
    qn_buf_deinit(&copies.items);
    qn_buf_deinit(&copies.one);
    QN_TRY(err);
    return qn_buf_status(out);
}

enum qn_err qn_read_aside(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_span after,
                          size_t count_max, struct qn_buf *out, size_t *ret_count)
{
    struct qn_coll_row row;
    struct qn_key at;
    size_t count = 0;
    enum qn_err err = QN_OK;
    QN_AUTO_BUF struct qn_buf keys;
    qn_buf_init(&keys, count_max * (QN_KEY_SIZE_MAX + 8));
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    qn_key_copy(&at, after);
    while (count < count_max && row.number != 0 && err == QN_OK) {
        struct qn_span key;
        err = qn_aside_next(kv, row.number, qn_key_view(&at), &key);
        if (err != QN_OK)
            break;
        qn_pack_str(&keys, key);
        qn_key_copy(&at, key);
        count++;
    }
    QN_TRY(qn_may_miss(err));
    qn_pack_array(out, count);
    qn_pack_raw(out, qn_buf_view(&keys));
    *ret_count = count;
    return qn_buf_status(out);
}

enum qn_err qn_read_incidents(struct qn_kv *kv, const struct qn_coll_id *coll, size_t count_max,
                              struct qn_buf *out)
{
    struct qn_coll_row row;
    struct qn_incident incident;
    uint64_t number = UINT64_MAX;
    size_t count = 0;
    enum qn_err err = QN_OK;
    QN_AUTO_BUF struct qn_buf items;
    qn_buf_init(&items, count_max * (QN_KEY_SIZE_MAX + 64));
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    while (count < count_max && row.number != 0 && err == QN_OK) {
        err = qn_incident_before(kv, row.number, number, &number, &incident);
        if (err != QN_OK)
            break;
        qn_pack_u64(&items, incident.at_ms);
        qn_pack_u64(&items, incident.kind);
        qn_pack_str(&items, incident.key);
        qn_pack_bin(&items, QN_SPAN_OF(incident.site.bytes));
        count++;
    }
    QN_TRY(qn_may_miss(err));
    qn_pack_array(out, 4 * count);
    qn_pack_raw(out, qn_buf_view(&items));
    return qn_buf_status(out);
}
