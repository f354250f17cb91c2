/* What is left of a record that is damaged, at a site where it is: for one that nobody has whole
 * any more (docs/records.md, "Integrity"). The log has no index by key, so all of it is read.
 */
#pragma once

#include "model/dict.h"
#include "model/record.h"

struct qn_left_op;

struct qn_left {
    QN_VEC(struct qn_left_op) ops; /* on the record, in the log or kept (damage.h) */
    struct qn_buf row;             /* as it was found */
    struct qn_record said;         /* what the operations set, and did not remove */
    struct qn_record seen;         /* what the row has besides: a bit of it is wrong */
};

void qn_left_deinit(struct qn_left *left);
/* `left` is zeroed; its records borrow from it, and from `dict`. `cc`: of the collection: what it
 * does not cover was let go since as another's (fork.h). */
enum qn_err QN_CHECKED qn_left_find(struct qn_dict *dict, uint32_t coll, const struct qn_vv *cc,
                                    struct qn_span key, struct qn_left *left);
/* Takes out of a record what the operations removed. */
void qn_left_subtract(const struct qn_left *left, struct qn_record *record);
