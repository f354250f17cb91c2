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

/* --- rows --- */

#define GROUP_KEY_SIZE  1
#define BUCKET_KEY_SIZE 2 /* of earlier releases */

enum qn_err qn_fp_add_row(struct qn_span key, struct qn_span value, struct qn_fp *fp)
{
    bool is_row = key.size == GROUP_KEY_SIZE || key.size == BUCKET_KEY_SIZE;
    if (!is_row || value.size != FP_SIZE || qn_read_u32(value.data) == 0)
        return QN_ERR_CORRUPT;
    fp->count += qn_read_u32(value.data);
    qn_sum_add(fp->sum, value.data + 4);
    return QN_OK;
}

/* The rows of a group, as they follow each other. */
static enum qn_err next_row(struct qn_kv *kv, struct qn_key *at, struct qn_span group,
                            struct qn_span *ret_key, struct qn_span *ret_value)
{
    QN_TRY(qn_kv_seek(kv, QN_TABLE_FP, qn_key_view(at), ret_key, ret_value));
    if (!qn_span_has_prefix(*ret_key, group))
        return QN_ERR_NOTFOUND;
    qn_key_copy(at, *ret_key);
    qn_key_next(at);
    return QN_OK;
}

/* `ret_has_buckets`: some of it stands in rows of buckets. */
static enum qn_err load(struct qn_kv *kv, struct qn_span group, struct qn_fp *ret_fp,
                        bool *ret_has_buckets)
{
    struct qn_key at;
    struct qn_span key, value;
    enum qn_err err;
    *ret_fp = (struct qn_fp){0};
    *ret_has_buckets = false;
    qn_key_copy(&at, group);
    while ((err = next_row(kv, &at, group, &key, &value)) == QN_OK) {
        QN_TRY(qn_fp_add_row(qn_span_from(key, 4), value, ret_fp));
        *ret_has_buckets |= key.size > group.size;
    }
    return qn_may_miss(err);
}

static enum qn_err drop(struct qn_kv *kv, struct qn_span group)
{
    struct qn_key at;
    struct qn_span key, value;
    enum qn_err err;
    qn_key_copy(&at, group);
    while ((err = next_row(kv, &at, group, &key, &value)) == QN_OK)
        QN_TRY(qn_kv_del(kv, QN_TABLE_FP, qn_span(at.bytes, at.size - 1)));
    return qn_may_miss(err);
}

static enum qn_err save(struct qn_kv *kv, struct qn_span group, const struct qn_fp *fp)
{
    uint8_t bytes[FP_SIZE];
    if (fp->count > UINT32_MAX)
        return QN_ERR_NOSPACE;
    qn_write_u32(bytes, (uint32_t)fp->count);
    memcpy(bytes + 4, fp->sum, QN_SUM_SIZE);
    return qn_kv_put(kv, QN_TABLE_FP, group, QN_SPAN_OF(bytes));
}

enum qn_err qn_fp_put(struct qn_kv *kv, uint32_t coll, uint8_t group, const struct qn_fp *fp)
{
    struct qn_key key;
    return save(kv, qn_key_group(&key, coll, group), fp);
}

static void replace(uint8_t sum[QN_SUM_SIZE], const struct qn_digest *before,
                    const struct qn_digest *after)
{
    if (before != NULL)
        qn_sum_sub(sum, before->bytes);
    if (after != NULL)
        qn_sum_add(sum, after->bytes);
}

enum qn_err qn_fp_change(struct qn_kv *kv, struct qn_coll_row *coll, uint8_t group,
                         const struct qn_digest *before, const struct qn_digest *after)
{
    struct qn_key key;
    struct qn_fp fp;
    bool has_buckets;
    if (before == NULL && after == NULL)
        return QN_OK;
    struct qn_span at = qn_key_group(&key, coll->number, group);
    QN_TRY(load(kv, at, &fp, &has_buckets));
    if (before != NULL && (fp.count == 0 || coll->rows == 0))
        return QN_ERR_CORRUPT;
    replace(fp.sum, before, after);
    replace(coll->sum, before, after);
    fp.count = fp.count + (after != NULL) - (before != NULL);
    coll->rows = coll->rows + (after != NULL) - (before != NULL);
    if (has_buckets || fp.count == 0)
        QN_TRY(drop(kv, at));
    return fp.count == 0 ? QN_OK : save(kv, at, &fp);
}
