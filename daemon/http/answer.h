/* The head of an answer. A value with a control byte in it is refused, so that no header can be
 * smuggled in. Pure. */
#pragma once

#include "http/head.h"

/* "Not Found"; never NULL. */
const char *qn_http_reason(unsigned status);
/* The status line. */
void qn_http_answer_start(struct qn_buf *out, unsigned status);
/* A field. QN_ERR_INVALID: `value` cannot stand in a head; nothing is written. */
enum qn_err QN_CHECKED qn_http_answer_field(struct qn_buf *out, const char *name,
                                            struct qn_span value);
void qn_http_answer_number(struct qn_buf *out, const char *name, uint64_t value);
void qn_http_answer_date(struct qn_buf *out, const char *name, int64_t time_s);
/* Content-Disposition: attachment with filename* (RFC 6266), whatever the name is. */
void qn_http_answer_attachment(struct qn_buf *out, struct qn_span file_name);
/* The empty line. */
void qn_http_answer_end(struct qn_buf *out);
