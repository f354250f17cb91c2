/* Percent-encoding (RFC 3986, 2.1). Pure; internal to the room. */
#pragma once

#include "base/buf.h"

/* The byte at *at, which moves on behind it. QN_ERR_INVALID: a broken escape. */
enum qn_err QN_CHECKED qn_http_unescape(struct qn_span text, size_t *at, uint8_t *ret_byte);
/* All but the unreserved characters and those of `kept`. */
void qn_http_escape(struct qn_span text, const char *kept, struct qn_buf *out);
