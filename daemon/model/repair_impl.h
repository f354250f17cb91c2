/* What the files of a repair share (repair.h). For replica_repair*.c only. */
#pragma once

#include "model/repair.h"
#include "model/replica_impl.h"

struct repair {
    struct qn_replica *replica;
    struct qn_coll_state *coll;
    const struct qn_repair_item *item;
};

/* replica_repair.c */
/* An operation that is in the log still says what its pair must be: QN_ERR_INVALID if it is not. */
enum qn_err QN_CHECKED qn_repair_fits_log(const struct repair *repair, struct qn_span field,
                                          const struct qn_pair *pair);
/* The record, which is taken, becomes the record in hand and is stored. */
enum qn_err QN_CHECKED qn_repair_place(const struct repair *repair, struct qn_record *record);

/* replica_repair_both.c */
struct qn_kept {
    QN_VEC(struct qn_pair) values; /* distinct, the one to be shown last */
    QN_VEC(struct qn_dot) dots;    /* all, distinct */
};

void qn_kept_deinit(struct qn_kept *kept);
void qn_kept_add(struct qn_kept *kept, const struct qn_record *record, struct qn_span field);
/* One operation for each value; the first removes all pairs of the field, at every site. A field
 * with more values than an operation can name stays as it is, and an alert. */
enum qn_err QN_CHECKED qn_kept_write(const struct qn_kept *kept, const struct repair *repair,
                                     struct qn_span field);
void qn_record_copy_pairs(const struct qn_record *from, struct qn_record *to);
enum qn_err QN_CHECKED qn_repair_keep_both(const struct repair *repair);

/* replica_repair_anew.c */
/* The record is whole again, as far as it can be: what is left becomes own operations. `items`: all
 * of this key that are to be written anew. */
enum qn_err QN_CHECKED qn_repair_give_up(const struct repair *repair,
                                         const struct qn_repair_item *items, size_t count);
