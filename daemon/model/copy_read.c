/* Reading copies of records, and what is told of damage. */
#include "model/copy.h"
#include "model/damage.h"
#include "model/left.h"
#include "model/replica_impl.h"
#include "proto/pack.h"

/* ---- a copy ---- */

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

static void pack_some(const struct qn_record *record, struct qn_buf *out)
{
    if (record->fields.count > 0)
        qn_record_pack(record, out);
    else
        qn_pack_nil(out);
}

/* ---- all that were asked for ---- */

struct copies {
    struct qn_kv *kv;
    struct qn_hasher *hasher;
    struct qn_dict dict;
    uint32_t coll;
    struct qn_vv cc;
    bool with_left;
    size_t size_max, size;
    size_t count, left_count;
    struct qn_buf items, left, one;
};

static void take_one(struct copies *copies, struct qn_buf *items, size_t *count)
{
    qn_pack_raw(items, qn_buf_view(&copies->one));
    copies->size += copies->one.size;
    ++*count;
}

/* Without what the row says, if it is too large with that. */
static bool pack_left(struct copies *copies, struct qn_span key, const struct qn_left *left)
{
    static const struct qn_record none;
    for (int with_seen = 1; with_seen >= 0; with_seen--) {
        qn_buf_reset(&copies->one);
        qn_pack_str(&copies->one, key);
        pack_some(&left->said, &copies->one);
        pack_some(with_seen ? &left->seen : &none, &copies->one);
        if (qn_buf_status(&copies->one) == QN_OK &&
            copies->size + copies->one.size <= copies->size_max)
            return true;
    }
    return false;
}

static enum qn_err add_left(struct copies *copies, struct qn_span key)
{
    struct qn_left left = {.row = {0}};
    enum qn_err err = qn_left_find(&copies->dict, copies->coll, &copies->cc, key, &left);
    bool is_some = left.said.fields.count + left.seen.fields.count > 0;
    if (err == QN_OK && is_some && pack_left(copies, key, &left))
        take_one(copies, &copies->left, &copies->left_count);
    qn_left_deinit(&left);
    return err;
}

static enum qn_err add_copy(struct copies *copies, struct qn_span key)
{
    qn_buf_reset(&copies->one);
    QN_TRY(pack_copy(copies->kv, copies->hasher, copies->coll, key, &copies->one));
    bool is_too_large = qn_buf_status(&copies->one) != QN_OK;
    if (!is_too_large && copies->size + copies->one.size > copies->size_max)
        return QN_OK; /* another time */
    struct qn_cursor copy = qn_cursor(qn_buf_view(&copies->one));
    bool is_damaged = !is_too_large && qn_cursor_peek(&copy) == QN_ITEM_BIN;
    qn_pack_str(&copies->items, key);
    if (is_too_large) {
        qn_buf_reset(&copies->one);
        qn_pack_bool(&copies->one, false);
    }
    take_one(copies, &copies->items, &copies->count);
    return is_damaged && copies->with_left ? add_left(copies, key) : QN_OK;
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

static void pack_copies(const struct copies *copies, bool is_late, struct qn_buf *out)
{
    struct qn_digest clock;
    qn_vv_digest(&copies->cc, &clock);
    if (is_late) /* its records are ahead of its clock */
        memset(clock.bytes, 0, sizeof(clock.bytes));
    qn_pack_bin(out, qn_span(clock.bytes, QN_ROOT_SIZE));
    qn_pack_array(out, 2 * copies->count);
    qn_pack_raw(out, qn_buf_view(&copies->items));
    if (!copies->with_left)
        return;
    qn_pack_array(out, 3 * copies->left_count);
    qn_pack_raw(out, qn_buf_view(&copies->left));
}

static enum qn_err read_copies(struct copies *copies, struct qn_span keys, bool is_late,
                               struct qn_buf *out)
{
    QN_TRY(add_copies(copies, keys));
    QN_TRY(qn_buf_status(&copies->items));
    QN_TRY(qn_buf_status(&copies->left));
    pack_copies(copies, is_late, out);
    return qn_buf_status(out);
}

enum qn_err qn_read_copies(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_span keys,
                           bool with_left, size_t size_max, struct qn_buf *out)
{
    struct qn_coll_row row;
    struct copies copies = {.kv = kv, .size_max = size_max, .with_left = with_left};
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    QN_TRY(qn_read_cc(kv, coll, &copies.cc));
    copies.coll = row.number;
    qn_dict_init(&copies.dict, kv, false);
    qn_buf_init(&copies.items, size_max + 2 * QN_KEY_SIZE_MAX * QN_COPIES_MAX);
    qn_buf_init(&copies.left, size_max + 2 * QN_KEY_SIZE_MAX);
    qn_buf_init(&copies.one, size_max);
    copies.hasher = qn_hasher_new();
    enum qn_err err = read_copies(&copies, keys, row.is_late, out);
    qn_hasher_free(copies.hasher);
    qn_dict_deinit(&copies.dict);
    qn_vv_deinit(&copies.cc);
    qn_buf_deinit(&copies.items);
    qn_buf_deinit(&copies.left);
    qn_buf_deinit(&copies.one);
    return err;
}

/* ---- keys and incidents ---- */

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
