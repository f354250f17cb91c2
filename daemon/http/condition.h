/* Conditional requests, ranges and dates (RFC 9110, 5.6.7, 13, 14). Pure. */
#pragma once

#include "http/head.h"

/* IMF-fixdate ("Sun, 06 Nov 1994 08:49:37 GMT"), 30 bytes with its end. Reading takes the two
 * obsolete forms too. */
#define QN_HTTP_DATE_SIZE 30
void qn_http_date_print(int64_t time_s, char out[QN_HTTP_DATE_SIZE]);
enum qn_err QN_CHECKED qn_http_date_read(struct qn_span text, int64_t *ret_time_s);

/* What is there now. */
struct qn_http_state {
    bool exists;
    struct qn_span etag; /* strong, with its quotes; empty: has none (a collection) */
    int64_t modified_s;
};

enum qn_http_verdict {
    QN_HTTP_GO_ON,
    QN_HTTP_NOT_MODIFIED,        /* 304 */
    QN_HTTP_PRECONDITION_FAILED, /* 412 */
    QN_HTTP_BAD_CONDITION,       /* 400: cannot be read */
};
/* If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, in the order of 13.2.2. */
enum qn_http_verdict qn_http_condition(const struct qn_http_head *head,
                                       const struct qn_http_state *state);

#define QN_HTTP_RANGES_MAX 16
struct qn_http_range {
    uint64_t first, size; /* size > 0, inside the content */
};
struct qn_http_ranges {
    struct qn_http_range items[QN_HTTP_RANGES_MAX];
    size_t count; /* 0: the whole content, as if none was asked for */
};
/* Range with If-Range. Ranges that overlap or are not in order are joined or ignored, so that never
 * more than the content is sent. QN_ERR_LIMIT: not satisfiable (416). A Range that cannot be read,
 * or has too many, is ignored. */
enum qn_err QN_CHECKED qn_http_ranges_read(const struct qn_http_head *head,
                                           const struct qn_http_state *state, uint64_t size,
                                           struct qn_http_ranges *ret_ranges);
