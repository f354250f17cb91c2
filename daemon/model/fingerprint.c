#include "model/fingerprint.h"

#include "base/buf.h"
#include "model/bugs.h"

#define FP_SIZE (4 + QN_SUM_SIZE)

_Static_assert(QN_SUM_SIZE == QN_DIGEST_SIZE, "a leaf is added as it is");

static void sum_xor(uint8_t sum[QN_SUM_SIZE], const uint8_t leaf[QN_SUM_SIZE])
{
    for (size_t i = 0; i < QN_SUM_SIZE; i++)
        sum[i] ^= leaf[i];
}

void qn_sum_add(uint8_t sum[QN_SUM_SIZE], const uint8_t leaf[QN_SUM_SIZE])
{
    if (QN_BUG(QN_BUG_XOR_FINGERPRINT)) {
        sum_xor(sum, leaf);
        return;
    }
    uint64_t carry = 0;
    for (size_t at = QN_SUM_SIZE; at > 0; at -= 4) {
        carry += (uint64_t)qn_read_u32(sum + at - 4) + qn_read_u32(leaf + at - 4);
        qn_write_u32(sum + at - 4, (uint32_t)carry);
        carry >>= 32;
    }
}

void qn_sum_sub(uint8_t sum[QN_SUM_SIZE], const uint8_t leaf[QN_SUM_SIZE])
{
    if (QN_BUG(QN_BUG_XOR_FINGERPRINT)) {
        sum_xor(sum, leaf);
        return;
    }
    uint64_t borrow = 0;
    for (size_t at = QN_SUM_SIZE; at > 0; at -= 4) {
        uint64_t less = (uint64_t)qn_read_u32(leaf + at - 4) + borrow;
        uint64_t from = qn_read_u32(sum + at - 4);
        qn_write_u32(sum + at - 4, (uint32_t)(from - less));
        borrow = from < less;
    }
}

void qn_sum_cut(const uint8_t sum[QN_SUM_SIZE], uint64_t count, uint8_t ret_cut[16])
{
    struct qn_digest digest;
    uint8_t number[8];
    qn_write_u64(number, count);
    QN_DIGEST(&digest, qn_span(sum, QN_SUM_SIZE), QN_SPAN_OF(number));
    memcpy(ret_cut, digest.bytes, 16);
}

enum qn_err qn_fp_decode(struct qn_span value, struct qn_fp *ret_fp)
{
    if (value.size != FP_SIZE)
        return QN_ERR_CORRUPT;
    ret_fp->count = qn_read_u32(value.data);
    memcpy(ret_fp->sum, value.data + 4, QN_SUM_SIZE);
    return ret_fp->count > 0 ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err load(struct qn_kv *kv, struct qn_span key, struct qn_fp *ret_fp)
{
    struct qn_span value;
    enum qn_err err = qn_kv_get(kv, QN_TABLE_FP, key, &value);
    if (err == QN_OK)
        return qn_fp_decode(value, ret_fp);
    *ret_fp = (struct qn_fp){0};
    return qn_may_miss(err);
}

static enum qn_err save(struct qn_kv *kv, struct qn_span key, const struct qn_fp *fp)
{
    uint8_t bytes[FP_SIZE];
    if (fp->count == 0)
        return qn_must_exist(qn_kv_del(kv, QN_TABLE_FP, key));
    if (fp->count > UINT32_MAX)
        return QN_ERR_NOSPACE;
    qn_write_u32(bytes, (uint32_t)fp->count);
    memcpy(bytes + 4, fp->sum, QN_SUM_SIZE);
    return qn_kv_put(kv, QN_TABLE_FP, key, QN_SPAN_OF(bytes));
}

enum qn_err qn_fp_put(struct qn_kv *kv, uint32_t coll, uint16_t bucket, const struct qn_fp *fp)
{
    struct qn_key key;
    return save(kv, qn_key_bucket(&key, coll, bucket), fp);
}

enum qn_err qn_fp_change(struct qn_kv *kv, struct qn_coll_row *coll, uint16_t bucket,
                         const struct qn_digest *before, const struct qn_digest *after)
{
    struct qn_key key;
    struct qn_fp fp;
    struct qn_span at = qn_key_bucket(&key, coll->number, bucket);
    QN_TRY(load(kv, at, &fp));
    if (before != NULL && (fp.count == 0 || coll->rows == 0))
        return QN_ERR_CORRUPT;
    if (before != NULL) {
        qn_sum_sub(fp.sum, before->bytes);
        qn_sum_sub(coll->sum, before->bytes);
    }
    if (after != NULL) {
        qn_sum_add(fp.sum, after->bytes);
        qn_sum_add(coll->sum, after->bytes);
    }
    fp.count = fp.count + (after != NULL) - (before != NULL);
    coll->rows = coll->rows + (after != NULL) - (before != NULL);
    return before == NULL && after == NULL ? QN_OK : save(kv, at, &fp);
}
