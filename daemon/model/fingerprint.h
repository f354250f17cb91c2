/* Fingerprints (RECORDS 1.6): per bucket of keys and per collection the sum of all leaves mod
 * 2^256 and how many there are. A change subtracts the old leaf and adds the new one, so the order
 * of changes does not matter and nothing has to be read again. For the rooms of model only.
 */
#pragma once

#include "model/tables.h"

struct qn_fp {
    uint64_t count;
    uint8_t sum[QN_SUM_SIZE]; /* big-endian */
};

void qn_sum_add(uint8_t sum[QN_SUM_SIZE], const uint8_t leaf[QN_SUM_SIZE]);
void qn_sum_sub(uint8_t sum[QN_SUM_SIZE], const uint8_t leaf[QN_SUM_SIZE]);
/* First 16 bytes of SHA-256(sum | count as u64). */
void qn_sum_cut(const uint8_t sum[QN_SUM_SIZE], uint64_t count, uint8_t ret_cut[16]);

enum qn_err QN_CHECKED qn_fp_decode(struct qn_span value, struct qn_fp *ret_fp);
/* Stores the fingerprint of a bucket that is not empty. */
enum qn_err QN_CHECKED qn_fp_put(struct qn_kv *kv, uint32_t coll, uint16_t bucket,
                                 const struct qn_fp *fp);
/* One record changed: `before` and `after` are its leaves, NULL where it does not exist. The row of
 * the collection is changed in memory only. */
enum qn_err QN_CHECKED qn_fp_change(struct qn_kv *kv, struct qn_coll_row *coll, uint16_t bucket,
                                    const struct qn_digest *before, const struct qn_digest *after);
