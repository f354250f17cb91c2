/* The audit trail as the control socket shows it, in slices, like stream_view.h, which owns it:
 * `audit.read`, the entries in words, and `audit.rows`, every row as it is, for who proves it.
 */
#pragma once

#include "base/buf.h"
#include "model/kv.h"

struct qn_audit_view;

struct qn_audit_view_options {
    bool is_raw;
    uint64_t since_ms;   /* wall clock; 0: from the first on */
    uint64_t after_seq;  /* only entries after it */
    struct qn_span user; /* empty: everybody's; copied */
};

struct qn_audit_view *qn_audit_view_new(const struct qn_audit_view_options *options);
void qn_audit_view_free(struct qn_audit_view *view); /* accepts NULL */
/* Appends one list of entries, or of rows [key, value], to `out`; nothing at the end. */
enum qn_err QN_CHECKED qn_audit_view_next(struct qn_audit_view *view, struct qn_kv *kv,
                                          struct qn_buf *out, bool *ret_is_end);
