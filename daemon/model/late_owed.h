/* What a late site removed without an operation that says so (table SEG; docs/formats/store.md,
 * docs/records.md). For the rooms of model only.
 *
 * Owed: an own write removed a pair that cc did not cover. Suspected: what pages brought makes a
 * pair absent that somebody else may still have. That is right if the operation that removed it
 * arrives one day, and only a rescue finds out that it will not: then it is owed too. What is owed
 * becomes an own operation when the collection is clean; the rest is forgotten then.
 */
#pragma once

#include "model/late_seg.h"
#include "model/tables.h"

/* `kind` of the write: QN_OP_ERASE, or anything else. */
enum qn_err QN_CHECKED qn_owed_put(struct qn_kv *kv, uint32_t coll, const struct qn_spot *at,
                                   enum qn_op_kind kind);
/* Owed at once where a rescue has been. */
enum qn_err QN_CHECKED qn_owed_suspect(struct qn_kv *kv, uint32_t coll, const struct qn_segs *segs,
                                       const struct qn_spot *at);
/* What is suspected in segments that a rescue lowered is owed. */
enum qn_err QN_CHECKED qn_owed_confirm(struct qn_kv *kv, uint32_t coll, const struct qn_segs *segs);

struct qn_owed {
    struct qn_key at;    /* of the row */
    struct qn_spot spot; /* borrowed from `at` */
    bool is_owed, is_erased;
};

/* The first row behind another one, or of all (NULL); QN_ERR_NOTFOUND if there is none. */
enum qn_err QN_CHECKED qn_owed_next(struct qn_kv *kv, uint32_t coll, const struct qn_key *after,
                                    struct qn_owed *ret_owed);
enum qn_err QN_CHECKED qn_owed_drop(struct qn_kv *kv, const struct qn_owed *owed);
