/* Replaced values (table HIST): what a person may want to see again. They decide nothing, differ
 * from site to site, and go when their record is erased. For the rooms of model only.
 */
#pragma once

#include "model/dict.h"

/* Keeps a pair that `op` replaced; with a dot of counter 0: something that is not known. */
enum qn_err QN_CHECKED qn_history_add(struct qn_dict *dict, uint32_t coll, struct qn_span field,
                                      const struct qn_pair *pair, const struct qn_op *op);
/* Forgets all of one record. */
enum qn_err QN_CHECKED qn_history_purge(struct qn_kv *kv, uint32_t coll, struct qn_span key);
