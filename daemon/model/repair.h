/* Repair of records by copies from other sites (RECORDS 1.6; docs/records.md, "Integrity"). */
#pragma once

#include "model/copy.h"
#include "model/replica.h"

enum qn_repair_how {                         /* in intents */
                     QN_REPAIR_TAKE = 1,     /* only in the place of one that is set aside */
                     QN_REPAIR_MAJORITY = 2, /* in the place of another one, too */
                     QN_REPAIR_BOTH =
                         3, /* where both are whole: all values of both, as own operations */
                     QN_REPAIR_SAME = 4, /* in the place of one that is set aside, at any clock: it
                                            has the hash that the row bore */
                     QN_REPAIR_ANEW = 5, /* one that is set aside is given up: what is left of it,
                                            here and in the copy, is written anew, at any clock */
                     QN_REPAIR_ANEW_SEEN = 6, /* the same; the copy is of a damaged row */
};

struct qn_repair_item {
    struct qn_span key;
    enum qn_repair_how how;
    struct qn_site_id site;     /* whose copy it is */
    struct qn_record_copy copy; /* RECORD or NONE */
};

/* `clock`: H(cc) at which the copies were read; QN_ERR_HELD if it is not that of this replica, and
 * an item depends on it: ask for them again. Items to be written anew follow each other by key.
 * QN_ERR_INVALID: one cannot be that record, and nothing was changed. Records of items may be
 * taken. *ret_changed: how many were repaired or written. */
enum qn_err QN_CHECKED qn_replica_repair(struct qn_replica *replica, const struct qn_coll_id *coll,
                                         const uint8_t clock[QN_ROOT_SIZE],
                                         struct qn_repair_item *items, size_t count,
                                         size_t *ret_changed);
