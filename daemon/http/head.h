/* The head of an HTTP/1.1 request: a strict scan (RFC 9112), then the packaged parser.
 *
 * Refused before anything else looks at it: a bare CR or LF, a line that is folded, a byte below 32
 * or a space where none may be, Content-Length beside Transfer-Encoding, two of either, a length
 * that is not digits, a coding other than chunked, no Host or two in 1.1, a head over
 * QN_HTTP_HEAD_SIZE_MAX or of more than QN_HTTP_HEADERS_MAX fields. Pure; thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define QN_HTTP_HEAD_SIZE_MAX ((size_t)16 * 1024)
#define QN_HTTP_HEADERS_MAX   100

enum qn_http_method {
    QN_HTTP_GET,
    QN_HTTP_HEAD,
    QN_HTTP_OPTIONS,
    QN_HTTP_PUT,
    QN_HTTP_POST,
    QN_HTTP_PATCH,
    QN_HTTP_DELETE,
    QN_HTTP_PROPFIND,
    QN_HTTP_PROPPATCH,
    QN_HTTP_MKCOL,
    QN_HTTP_COPY,
    QN_HTTP_MOVE,
    QN_HTTP_LOCK,
    QN_HTTP_UNLOCK,
    QN_HTTP_UNKNOWN, /* a token that is none of these: 501 */
};

struct qn_http_header {
    struct qn_span name, value; /* the value without the white space around it */
};

#define QN_HTTP_NO_LENGTH UINT64_MAX

struct qn_http_head {
    enum qn_http_method method;
    struct qn_span target; /* as it came: "/dav/a%20b?c", "*", or absolute form */
    struct qn_span host;   /* of Host, or of an absolute target */
    bool is_1_0;
    bool keeps_alive; /* what the client asks for; 1.0: only by "keep-alive" */
    bool is_chunked;
    bool expects_continue;
    uint64_t content_length; /* QN_HTTP_NO_LENGTH: none was said (no body, unless chunked) */
    struct qn_http_header headers[QN_HTTP_HEADERS_MAX];
    size_t header_count;
};

/* What a refused head is answered with, before the connection ends: 400, 414, 431, 501, 505, and
 * 417 for an Expect that is not known. */
struct qn_http_refusal {
    unsigned status;
    const char *why; /* English, for the log */
};

/* QN_OK: `ret_head` borrows from `bytes`, of which the first *ret_size are the head. QN_ERR_HELD:
 * more bytes are needed. QN_ERR_INVALID, QN_ERR_LIMIT, QN_ERR_UNSUPPORTED: `ret_refusal`.
 * An empty line before the request line is skipped. */
enum qn_err QN_CHECKED qn_http_head_read(struct qn_span bytes, struct qn_http_head *ret_head,
                                         size_t *ret_size, struct qn_http_refusal *ret_refusal);
/* The first field of that name, in any case; NULL if there is none. Whether there are several is
 * told by _count. */
const struct qn_http_header *qn_http_header(const struct qn_http_head *head, const char *name);
size_t qn_http_header_count(const struct qn_http_head *head, const char *name);
/* An element of the comma-separated lists of that name, compared without case. */
bool qn_http_header_has(const struct qn_http_head *head, const char *name, const char *token);
const char *qn_http_method_name(enum qn_http_method method);
