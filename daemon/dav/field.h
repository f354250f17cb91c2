/* The header fields of WebDAV (RFC 4918, section 10), and those that ownCloud's clients added, as
 * values. What cannot be read is QN_ERR_INVALID (400); the outputs are untouched then. Spans borrow
 * from the field. Pure; thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum qn_dav_depth { QN_DAV_DEPTH_0, QN_DAV_DEPTH_1, QN_DAV_DEPTH_INFINITY };
/* "0", "1", "infinity" (in any case). */
enum qn_err QN_CHECKED qn_dav_depth_read(struct qn_span field, enum qn_dav_depth *ret_depth);
/* "T" or "F". */
enum qn_err QN_CHECKED qn_dav_overwrite_read(struct qn_span field, bool *ret_overwrites);

#define QN_DAV_TIMEOUT_MIN_S 180  /* Office gives up with less */
#define QN_DAV_TIMEOUT_MAX_S 3600 /* a client that dies blocks the others for no longer */
/* The first element that is understood, clamped to the limits above. An empty field, or one without
 * any such element, is the longest. Never fails: a timeout is a wish. */
unsigned qn_dav_timeout_read(struct qn_span field);

/* "<urn:uuid:...>": what is between the angle brackets. */
enum qn_err QN_CHECKED qn_dav_lock_token_read(struct qn_span field, struct qn_span *ret_token);

/* Destination, in absolute or in path form: the decoded path (see qn_http_path_decode) in `out`.
 * The host of an absolute one must be `host` (the field of that name); ports and schemes are not
 * compared, since a proxy changes both, and `host` was judged before. QN_ERR_DENIED: another host
 * (502). QN_ERR_LIMIT: too long. */
enum qn_err QN_CHECKED qn_dav_destination_read(struct qn_span field, struct qn_span host,
                                               struct qn_buf *out, bool *ret_has_slash);

/* X-OC-Mtime: seconds since 1970, a fraction is allowed; as nanoseconds. */
enum qn_err QN_CHECKED qn_dav_mtime_read(struct qn_span field, int64_t *ret_modified_ns);
/* A date of HTTP, as nanoseconds; one beyond what they can say is the nearest that they can. */
enum qn_err QN_CHECKED qn_dav_date_read(struct qn_span field, int64_t *ret_ns);

enum qn_dav_digest { QN_DAV_MD5, QN_DAV_SHA1, QN_DAV_SHA256, QN_DAV_DIGEST_COUNT };
#define QN_DAV_DIGEST_SIZE_MAX 32
size_t qn_dav_digest_size(enum qn_dav_digest kind);
/* OC-Checksum: "SHA1:<hex>". QN_ERR_UNSUPPORTED: an algorithm that is not known here, to be passed
 * over. */
enum qn_err QN_CHECKED qn_dav_checksum_read(struct qn_span field, enum qn_dav_digest *ret_kind,
                                            uint8_t ret_digest[QN_DAV_DIGEST_SIZE_MAX]);

/* Compares ASCII without case. */
bool qn_dav_word_eq(struct qn_span text, const char *word);
/* Without the white space around it. */
struct qn_span qn_dav_trim(struct qn_span text);
