/* Fingerprints (RECORDS 1.6): the sum of all leaves mod 2^256 and how many there are, per
 * collection and for each of 256 groups of keys, by the first byte of their bucket. A change
 * subtracts the old leaf and adds the new one, so the order of changes does not matter and nothing
 * has to be read again. Sums of single buckets are not stored: a commit of many records would write
 * nearly all of their pages, and an audit that asks for some counts the records
 * (replica_read_audit.c).
 *
 * In schema 1 there was a row per bucket. Such rows are the sum of their group until that is
 * changed; then they go into it. For the rooms of model only.
 */
#pragma once

#include "model/tables.h"

#define QN_FP_GROUPS 256

struct qn_fp {
    uint64_t count;
    uint8_t sum[QN_SUM_SIZE]; /* big-endian */
};

void qn_sum_add(uint8_t sum[QN_SUM_SIZE], const uint8_t leaf[QN_SUM_SIZE]);
void qn_sum_sub(uint8_t sum[QN_SUM_SIZE], const uint8_t leaf[QN_SUM_SIZE]);
/* First 16 bytes of SHA-256(sum | count as u64). */
void qn_sum_cut(const uint8_t sum[QN_SUM_SIZE], uint64_t count, uint8_t ret_cut[16]);

/* Adds a row to a sum. `key` is what follows the collection's number. */
enum qn_err QN_CHECKED qn_fp_add_row(struct qn_span key, struct qn_span value, struct qn_fp *fp);
/* Stores the fingerprint of a group that is not empty. */
enum qn_err QN_CHECKED qn_fp_put(struct qn_kv *kv, uint32_t coll, uint8_t group,
                                 const struct qn_fp *fp);
/* One record changed: `before` and `after` are its leaves, NULL where it does not exist. The row of
 * the collection is changed in memory only. */
enum qn_err QN_CHECKED qn_fp_change(struct qn_kv *kv, struct qn_coll_row *coll, uint8_t group,
                                    const struct qn_digest *before, const struct qn_digest *after);
