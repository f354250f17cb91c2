/* Reading what an audit compares (RECORDS 1.6). */
#include "base/limits.h"
#include "model/fingerprint.h"
#include "model/hashing.h"
#include "model/replica_read.h"
#include "model/row.h"
#include "proto/pack.h"

/* --- the 256 groups --- */

static enum qn_err add_groups(struct qn_kv *kv, uint32_t coll, struct qn_fp sums[256])
{
    struct qn_key at, prefix;
    struct qn_span key, value;
    qn_key_coll(&prefix, coll);
    qn_key_coll(&at, coll);
    for (;;) {
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_FP, qn_key_view(&at), &key, &value);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        struct qn_fp *sum = &sums[key.size > 4 ? key.data[4] : 0];
        if (qn_fp_add_row(qn_span_from(key, 4), value, sum) != QN_OK)
            sum->count++; /* damaged: it is unlike any other site's */
        qn_key_copy(&at, key);
        qn_key_next(&at);
    }
}

/* --- buckets: counted from the records --- */

/* The records of some buckets, in key order. Buckets are not indexed: an audit that came this far
 * is rare, and the index would cost every write. */
struct scan {
    struct qn_kv *kv;
    uint32_t coll;
    struct qn_hasher *hasher;
    uint16_t bucket, mask; /* those that are equal under the mask */
    struct qn_key at;
};

static void scan_begin(struct scan *scan, struct qn_kv *kv, uint32_t coll, uint16_t bucket,
                       uint16_t mask)
{
    *scan = (struct scan){.kv = kv, .coll = coll, .bucket = bucket, .mask = mask};
    scan->hasher = qn_hasher_new();
    qn_key_coll(&scan->at, coll);
}

static enum qn_err scan_next(struct scan *scan, struct qn_span *ret_key, struct qn_span *ret_row,
                             uint16_t *ret_bucket)
{
    for (;;) {
        struct qn_span key;
        QN_TRY(qn_kv_seek(scan->kv, QN_TABLE_REC, qn_key_view(&scan->at), &key, ret_row));
        if (key.size <= 4 || qn_read_u32(key.data) != scan->coll)
            return QN_ERR_NOTFOUND;
        qn_key_copy(&scan->at, key);
        qn_key_next(&scan->at);
        *ret_key = qn_span_from(key, 4);
        *ret_bucket = qn_hash_bucket(scan->hasher, *ret_key);
        if (((*ret_bucket ^ scan->bucket) & scan->mask) == 0)
            return QN_OK;
    }
}

static enum qn_err add_buckets(struct scan *scan, const struct qn_coll_id *coll,
                               struct qn_fp sums[256])
{
    struct qn_span key, row;
    uint16_t bucket;
    enum qn_err err;
    while ((err = scan_next(scan, &key, &row, &bucket)) == QN_OK) {
        struct qn_row_head head;
        struct qn_digest leaf;
        struct qn_fp *sum = &sums[bucket & 0xff];
        sum->count++;
        if (qn_row_decode_head(row, &head) != QN_OK)
            continue; /* damaged: it is unlike any other site's */
        qn_hash_leaf(scan->hasher, coll, key, head.hash, &leaf);
        qn_sum_add(sum->sum, leaf.bytes);
    }
    return qn_may_miss(err);
}

static enum qn_err count_buckets(struct qn_kv *kv, const struct qn_coll_id *coll, uint32_t number,
                                 uint8_t prefix, struct qn_fp sums[256])
{
    struct scan scan;
    scan_begin(&scan, kv, number, (uint16_t)((unsigned)prefix << 8), 0xff00);
    enum qn_err err = add_buckets(&scan, coll, sums);
    qn_hasher_free(scan.hasher);
    return err;
}

enum qn_err qn_read_fp(struct qn_kv *kv, const struct qn_coll_id *coll, unsigned level,
                       uint8_t prefix, uint8_t ret_fp[256][QN_ROOT_SIZE])
{
    struct qn_coll_row row;
    if (level != 1 && level != 2)
        return QN_ERR_INVALID;
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    QN_AUTO_FREE struct qn_fp *sums = qn_alloc_zero(256 * sizeof(*sums));
    if (row.number != 0)
        QN_TRY(level == 1 ? add_groups(kv, row.number, sums)
                          : count_buckets(kv, coll, row.number, prefix, sums));
    for (size_t i = 0; i < 256; i++)
        qn_sum_cut(sums[i].sum, sums[i].count, ret_fp[i]);
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

static enum qn_err collect(struct scan *scan, size_t count_max, struct qn_buf *out, size_t *count)
{
    struct qn_span key, row;
    uint16_t bucket;
    while (*count < count_max) {
        enum qn_err err = scan_next(scan, &key, &row, &bucket);
        if (err != QN_OK)
            return qn_may_miss(err);
        QN_TRY(add_key(key, row, out));
        ++*count;
    }
    return QN_OK;
}

enum qn_err qn_read_bucket(struct qn_kv *kv, const struct qn_coll_id *coll, uint16_t bucket,
                           size_t count_max, struct qn_buf *out, size_t *ret_count)
{
    struct qn_coll_row row;
    struct scan scan;
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    QN_AUTO_BUF struct qn_buf pairs;
    qn_buf_init(&pairs, out->size_max);
    size_t count = 0;
    scan_begin(&scan, kv, row.number, bucket, 0xffff);
    enum qn_err err = row.number == 0 ? QN_OK : collect(&scan, count_max, &pairs, &count);
    qn_hasher_free(scan.hasher);
    QN_TRY(err);
    qn_pack_array(out, 2 * count);
    qn_pack_raw(out, qn_buf_view(&pairs));
    QN_TRY(qn_buf_status(out));
    *ret_count = count;
    return QN_OK;
}
