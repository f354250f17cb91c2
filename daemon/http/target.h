/* Request targets and paths (RFC 3986), cookies, forms. Pure. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define QN_HTTP_PATH_SIZE_MAX  4096
#define QN_HTTP_PATH_DEPTH_MAX 256

/* The parts of an origin-form or absolute-form target; borrowed, still encoded. */
struct qn_http_target {
    struct qn_span authority; /* empty in origin form */
    struct qn_span path, query;
};
enum qn_err QN_CHECKED qn_http_target_split(struct qn_span target, struct qn_http_target *ret);

/* Decodes a path into names joined by '/', without a slash at either end ("" is the root), and says
 * whether it ended with one. Refused (QN_ERR_INVALID): a broken escape, an encoded '/', NUL or
 * control byte, invalid UTF-8, "." or ".." as a name, an empty name in the middle. QN_ERR_LIMIT: a
 * name over 255 bytes (three times that if it is not ASCII: composed it may be short enough), too
 * deep, too long. NFC is the caller's, and to look then for names that are too long. */
enum qn_err QN_CHECKED qn_http_path_decode(struct qn_span path, struct qn_buf *out,
                                           bool *ret_ends_with_slash);
/* Of one that is decoded: a name over 255 bytes. */
bool qn_http_path_has_long_name(struct qn_span path);
/* Encodes names joined by '/': all but unreserved characters and '/' as %XX. */
void qn_http_path_encode(struct qn_span path, struct qn_buf *out);
/* The value of a key of a query or form, decoded ('+' is a space); QN_ERR_NOTFOUND. */
enum qn_err QN_CHECKED qn_http_form_get(struct qn_span form, const char *key, struct qn_buf *out);
/* Of a Cookie field. QN_ERR_NOTFOUND. */
enum qn_err QN_CHECKED qn_http_cookie_get(struct qn_span field, const char *name,
                                          struct qn_span *ret_value);
/* "Basic ..." : name and password, decoded into `out`. QN_ERR_INVALID. */
enum qn_err QN_CHECKED qn_http_basic_read(struct qn_span field, struct qn_buf *out,
                                          struct qn_span *ret_name, struct qn_span *ret_password);
/* Of Accept-Language: true if French is wished before English. */
bool qn_http_wants_french(struct qn_span field);
