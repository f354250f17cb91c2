/* The body of a request: by length or in chunks (RFC 9112, 6 and 7). Extensions of chunks and
 * trailers are read over, within limits. Pure. */
#pragma once

#include "http/head.h"

struct qn_http_body {
    uint64_t left;  /* of the length, or of the chunk */
    uint64_t total; /* given so far */
    unsigned state;
    size_t line_size; /* of a chunk's line or the trailers, so far */
    bool is_chunked;
};

void qn_http_body_start(struct qn_http_body *body, const struct qn_http_head *head);
/* Takes *ret_used bytes of `bytes`, of which *ret_piece (may be empty) is content. Call again until
 * nothing is used or the body is done. QN_ERR_INVALID: the framing is broken, the connection has
 * to end. */
enum qn_err QN_CHECKED qn_http_body_take(struct qn_http_body *body, struct qn_span bytes,
                                         size_t *ret_used, struct qn_span *ret_piece);
bool qn_http_body_is_done(const struct qn_http_body *body);
/* Chunks on the way out: the line before a piece of `size` bytes (> 0); behind it comes CR LF. */
void qn_http_chunk_line(struct qn_buf *out, size_t size);
#define QN_HTTP_CHUNK_END "0\r\n\r\n"
