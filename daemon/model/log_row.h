/* How much the log of a collection holds, so that nobody has to count it. For the rooms of model
 * only.
 */
#pragma once

#include "model/tables.h"

struct qn_log_row {
    uint64_t ops, bytes; /* operations, and their canonical bytes */
};

/* `head`: the sequence of the last applied operation, as the collection's row has it. A row that is
 * missing, or was written at another head (by an earlier release), is estimated from the first
 * operations of the log. */
enum qn_err QN_CHECKED qn_log_row_get(struct qn_kv *kv, uint32_t coll, uint64_t head,
                                      struct qn_log_row *ret_row);
enum qn_err QN_CHECKED qn_log_row_put(struct qn_kv *kv, uint32_t coll, uint64_t head,
                                      const struct qn_log_row *row);

/* How far the log was `age_ms` before `now_ms`: the sequence that was the last one then, or a
 * little earlier; 0: it is not known. Called now and then, it writes down the head, about
 * QN_LOG_MARKS times within that age. */
enum qn_err QN_CHECKED qn_log_aged(struct qn_kv *kv, uint32_t coll, uint64_t head, uint64_t now_ms,
                                   uint64_t age_ms, uint64_t *ret_seq);
