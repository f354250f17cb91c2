/* Names and paths: normal form C (Unicode Standard Annex 15, by libutf8proc) and what may be a
 * path. A file from a Mac has its accents apart, others have them composed: they are the same name.
 * Pure. Thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Appends the normal form C. QN_ERR_INVALID: not UTF-8. QN_ERR_LIMIT: of `out`. */
enum qn_err QN_CHECKED qn_name_compose(struct qn_span text, struct qn_buf *out);
/* The same without upper and lower case (full folding): equal for names that people could take for
 * each other. */
enum qn_err QN_CHECKED qn_name_fold(struct qn_span text, struct qn_buf *out);
bool qn_name_is_ascii(struct qn_span text); /* so it is its own normal form */
/* May be shown to people: UTF-8 without control characters, and not one of Quoin's own. */
bool qn_name_is_shown(struct qn_span name);
/* Why Windows cannot show or make a file of that name. It is kept as it is, and told. */
enum qn_name_fault {
    QN_NAME_FINE,
    QN_NAME_CHARACTER, /* one of < > : " \ | ? *, or a control character */
    QN_NAME_ENDING,    /* ends with a dot or a space */
    QN_NAME_DEVICE,    /* CON, NUL, COM1 and the like, with any ending */
};
enum qn_name_fault qn_name_fault(struct qn_span name);
/* Names joined by '/', or "": none empty, ".", "..", over 255 bytes, or Quoin's own. */
bool qn_name_is_path(struct qn_span path);
/* The part before the last name, and that name; both empty for "". */
void qn_name_split(struct qn_span path, struct qn_span *ret_parent, struct qn_span *ret_last);
/* Is `path` the folder `above`, or in it? */
bool qn_name_is_within(struct qn_span path, struct qn_span above);
