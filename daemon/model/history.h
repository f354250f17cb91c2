/* Replaced values (table HIST): what a person may want to see again. They decide nothing, differ
 * from site to site, and go when their record is erased. For the rooms of model only.
 */
#pragma once

#include "model/dict.h"

/* Keeps a pair that `op` replaced; with a dot of counter 0: something that is not known. */
enum qn_err QN_CHECKED qn_history_add(struct qn_dict *dict, uint32_t coll, struct qn_span field,
                                      const struct qn_pair *pair, const struct qn_op *op);
/* Forgets all of one record. */
/* Forgets values that were written and replaced before that time, of all collections: goes on
 * behind `position`, looks at QN_HISTORY_LOOKS rows and drops at most QN_TXN_OPS_MAX. `position` is
 * moved, and is empty at the end. */
enum qn_err QN_CHECKED qn_history_forget(struct qn_kv *kv, uint64_t before_ms,
                                         struct qn_buf *position, size_t *ret_dropped);
enum qn_err QN_CHECKED qn_history_purge(struct qn_kv *kv, uint32_t coll, struct qn_span key);
