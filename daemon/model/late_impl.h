/* What the files of late.h share. */
#pragma once

#include "model/late.h"
#include "model/replica_impl.h"

void qn_late_start_pass(struct qn_replica *replica, struct qn_coll_state *coll);
/* Raises cc to what the pages of the pass have in common. */
enum qn_err QN_CHECKED qn_late_claim(struct qn_replica *replica, struct qn_coll_state *coll);
enum qn_err QN_CHECKED qn_late_end_pass(struct qn_replica *replica, struct qn_coll_state *coll);
/* late_rescue.c: pairs of the record (an empty key: of all) that are of that actor, behind that
 * counter, become own operations, which are added to `written`. */
enum qn_err QN_CHECKED qn_late_rewrite(struct qn_replica *replica, struct qn_coll_state *coll,
                                       struct qn_span key, const struct qn_dot *behind,
                                       size_t *written);
