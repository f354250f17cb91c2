/* The head of an answer as its client reads it: strict, since it comes from another site. Refused
 * is what qn_http_head_read refuses of a request, a status below 100 or above 599, and an answer
 * with neither a length nor chunks where a body may follow: it would end by the connection's end,
 * which a cut looks like too. Pure; thread: any.
 */
#pragma once

#include "http/head.h"

/* QN_OK: `ret_head` borrows from `bytes`, of which the first *ret_size are the head; of it only
 * is_chunked, content_length, keeps_alive and the fields count. `has_no_body`: the answer to HEAD.
 * QN_ERR_HELD: more bytes are needed. QN_ERR_INVALID, QN_ERR_LIMIT. */
enum qn_err QN_CHECKED qn_http_reply_read(struct qn_span bytes, bool has_no_body,
                                          unsigned *ret_status, struct qn_http_head *ret_head,
                                          size_t *ret_size);
/* Whether content follows: not behind 1xx, 204, 304, nor a length of 0. */
bool qn_http_reply_has_body(unsigned status, const struct qn_http_head *head);
