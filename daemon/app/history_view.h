/* The history of one record, oldest first: the values that were replaced and those that are there,
 * merged by their clocks (docs/control.md 2). In slices, like stream_view.h, which owns it.
 */
#pragma once

#include "core/core.h"

struct qn_history;

struct qn_history *qn_history_view_new(void);
void qn_history_view_free(struct qn_history *history); /* accepts NULL */
/* Appends the next entries to `out`, one item each. *ret_is_end: there are no more, and none was
 * appended. QN_ERR_NOTFOUND: such a record never was, or was erased. */
enum qn_err QN_CHECKED qn_history_view_next(struct qn_history *history, const struct qn_core *core,
                                            struct qn_kv *kv, const struct qn_coll_id *coll,
                                            struct qn_span key, struct qn_buf *out,
                                            bool *ret_is_end);
