/* Reading what an audit compares (RECORDS 1.6). */
#include "base/limits.h"
#include "model/fingerprint.h"
#include "model/hashing.h"
#include "model/replica_read.h"
#include "model/row.h"
#include "proto/pack.h"

/* Adds up the buckets from `first` to `last`, each into the slot that `shift` leaves of it. */
static enum qn_err add_buckets(struct qn_kv *kv, uint32_t coll, uint16_t first, uint16_t last,
                               unsigned shift, struct qn_fp slots[256])
{
    struct qn_key at;
    struct qn_span key, value;
    struct qn_fp fp;
    qn_key_bucket(&at, coll, first);
    for (;;) {
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_FP, qn_key_view(&at), &key, &value);
        if (err != QN_OK || key.size != 6 || qn_read_u32(key.data) != coll)
            return qn_may_miss(err);
        uint16_t bucket = qn_read_u16(key.data + 4);
        if (bucket > last)
            return QN_OK;
        struct qn_fp *slot = &slots[bucket >> shift & 0xff];
        if (qn_fp_decode(value, &fp) != QN_OK)
            fp = (struct qn_fp){.count = 1}; /* damaged: it is unlike any other site's */
        qn_sum_add(slot->sum, fp.sum);
        slot->count += fp.count;
        qn_key_copy(&at, key);
        qn_key_next(&at);
    }
}

enum qn_err qn_read_fp(struct qn_kv *kv, const struct qn_coll_id *coll, unsigned level,
                       uint8_t prefix, uint8_t ret_fp[256][QN_ROOT_SIZE])
{
    struct qn_coll_row row;
    if (level != 1 && level != 2)
        return QN_ERR_INVALID;
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    QN_AUTO_FREE struct qn_fp *slots = qn_alloc_zero(256 * sizeof(*slots));
    uint16_t first = level == 1 ? 0 : (uint16_t)((unsigned)prefix << 8);
    uint16_t last = (uint16_t)(level == 1 ? 0xffff : first | 0xff);
    QN_TRY(add_buckets(kv, row.number, first, last, level == 1 ? 8 : 0, slots));
    for (size_t i = 0; i < 256; i++)
        qn_sum_cut(slots[i].sum, slots[i].count, ret_fp[i]);
    return QN_OK;
}

static enum qn_err add_key(struct qn_span key, struct qn_span row, struct qn_buf *out)
{
    struct qn_row_head head = {0};
    if (qn_row_decode_head(row, &head) != QN_OK)
        memset(head.hash, 0, sizeof(head.hash)); /* damaged: unlike any other site's */
    qn_pack_str(out, key);
    qn_pack_bin(out, QN_SPAN_OF(head.hash));
    return qn_buf_status(out);
}

/* Buckets are not indexed: an audit that came this far is rare, and the index would cost every
 * write. */
static enum qn_err collect(struct qn_kv *kv, uint32_t coll, uint16_t bucket, size_t count_max,
                           struct qn_hasher *hasher, struct qn_buf *out, size_t *count)
{
    struct qn_key at;
    struct qn_span key, row;
    qn_key_coll(&at, coll);
    while (*count < count_max) {
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_REC, qn_key_view(&at), &key, &row);
        if (err != QN_OK || key.size <= 4 || qn_read_u32(key.data) != coll)
            return qn_may_miss(err);
        if (qn_hash_bucket(hasher, qn_span_from(key, 4)) == bucket) {
            QN_TRY(add_key(qn_span_from(key, 4), row, out));
            ++*count;
        }
        qn_key_copy(&at, key);
        qn_key_next(&at);
    }
    return QN_OK;
}

enum qn_err qn_read_bucket(struct qn_kv *kv, const struct qn_coll_id *coll, uint16_t bucket,
                           size_t count_max, struct qn_buf *out, size_t *ret_count)
{
    struct qn_coll_row row;
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    QN_AUTO_BUF struct qn_buf pairs;
    qn_buf_init(&pairs, out->size_max);
    size_t count = 0;
    struct qn_hasher *hasher = qn_hasher_new();
    enum qn_err err = row.number == 0
                          ? QN_OK
                          : collect(kv, row.number, bucket, count_max, hasher, &pairs, &count);
    qn_hasher_free(hasher);
    QN_TRY(err);
    qn_pack_array(out, 2 * count);
    qn_pack_raw(out, qn_buf_view(&pairs));
    QN_TRY(qn_buf_status(out));
    *ret_count = count;
    return QN_OK;
}
