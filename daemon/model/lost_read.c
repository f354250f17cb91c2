/* What of a range is damaged: of pages that leave it out (recall.h). */
#include "base/limits.h"
#include "model/copy.h"
#include "model/damage.h"
#include "model/left.h"
#include "model/page.h"
#include "model/replica_impl.h"
#include "proto/pack.h"

struct range {
    struct qn_kv *kv;
    struct qn_dict dict;
    struct qn_hasher *hasher;
    uint32_t coll;
    struct qn_vv cc;
    struct qn_spot lo, hi;
    size_t size_max;
    struct qn_buf items;
    size_t count;
};

static enum qn_err read_spot(struct qn_span packed, struct qn_spot *ret_spot)
{
    struct qn_cursor cursor = qn_cursor(packed);
    *ret_spot = (struct qn_spot){.kind = QN_SPOT_START};
    return packed.size == 0 ? QN_OK : qn_spot_unpack(&cursor, ret_spot);
}

static bool is_before_end(const struct range *range, struct qn_span key)
{
    const struct qn_spot at = {.kind = QN_SPOT_KEY, .key = key};
    return qn_spot_cmp(&at, &range->hi) <= 0;
}

static void pack_some(const struct qn_record *record, struct qn_buf *out)
{
    if (record->fields.count > 0)
        qn_record_pack(record, out);
    else
        qn_pack_nil(out);
}

static enum qn_err add(struct range *range, struct qn_span key)
{
    static const struct qn_record none;
    struct qn_left left = {.row = {0}};
    enum qn_err err = qn_left_find(&range->dict, range->coll, &range->cc, key, &left);
    size_t before = range->items.size;
    qn_pack_str(&range->items, key);
    pack_some(&left.said, &range->items);
    pack_some(&left.seen, &range->items);
    qn_left_deinit(&left);
    if (qn_buf_status(&range->items) == QN_OK && range->items.size > range->size_max) {
        qn_buf_truncate(&range->items, before);
        qn_pack_str(&range->items, key);
        pack_some(&none, &range->items);
        pack_some(&none, &range->items);
    }
    range->count++;
    return err;
}

/* Those that are set aside. */
static enum qn_err add_aside(struct range *range)
{
    struct qn_key at;
    struct qn_span key;
    enum qn_err err;
    qn_key_copy(&at, range->lo.kind == QN_SPOT_START ? qn_span(NULL, 0) : range->lo.key);
    while ((err = qn_aside_next(range->kv, range->coll, qn_key_view(&at), &key)) == QN_OK &&
           is_before_end(range, key)) {
        qn_key_copy(&at, key);
        QN_TRY(add(range, qn_key_view(&at)));
    }
    return qn_may_miss(err);
}

/* Those that nobody has found yet. */
static enum qn_err add_rows(struct range *range)
{
    struct qn_key at, prefix;
    struct qn_span key, row;
    enum qn_err err;
    qn_key_coll(&prefix, range->coll);
    qn_key_record(&at, range->coll,
                  range->lo.kind == QN_SPOT_START ? qn_span(NULL, 0) : range->lo.key);
    if (range->lo.kind != QN_SPOT_START)
        qn_key_next(&at);
    while ((err = qn_kv_seek(range->kv, QN_TABLE_REC, qn_key_view(&at), &key, &row)) == QN_OK &&
           qn_span_has_prefix(key, qn_key_view(&prefix)) &&
           is_before_end(range, qn_span_from(key, 4))) {
        struct qn_row_head head;
        QN_AUTO_RECORD struct qn_record record = {0};
        qn_key_copy(&at, key);
        enum qn_err check = qn_replica_check_row(range->hasher, &range->dict, row, &head, &record);
        if (check == QN_ERR_CORRUPT)
            QN_TRY(add(range, qn_span_from(qn_key_view(&at), 4)));
        else if (check != QN_ERR_CONFLICT)
            QN_TRY(check);
        qn_key_next(&at);
    }
    return qn_may_miss(err);
}

static enum qn_err read_range(struct range *range, struct qn_buf *out)
{
    QN_TRY(add_aside(range));
    QN_TRY(add_rows(range));
    QN_TRY(qn_buf_status(&range->items));
    if (range->count > 0) {
        qn_pack_array(out, 3 * range->count);
        qn_pack_raw(out, qn_buf_view(&range->items));
    }
    return qn_buf_status(out);
}

enum qn_err qn_read_lost(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_span after,
                         struct qn_span until, struct qn_buf *out)
{
    struct qn_coll_row row;
    struct range range = {.kv = kv, .size_max = out->size_max / 2};
    QN_TRY(read_spot(after, &range.lo));
    QN_TRY(read_spot(until, &range.hi));
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    QN_TRY(qn_read_cc(kv, coll, &range.cc));
    range.coll = row.number;
    qn_dict_init(&range.dict, kv, false);
    qn_buf_init(&range.items, out->size_max);
    range.hasher = qn_hasher_new();
    enum qn_err err = read_range(&range, out);
    qn_hasher_free(range.hasher);
    qn_buf_deinit(&range.items);
    qn_dict_deinit(&range.dict);
    qn_vv_deinit(&range.cc);
    return err;
}
