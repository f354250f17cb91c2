/* Text inside XML, escaped so that a reader gets the same again; in an attribute white space is
 * escaped too. What XML 1.0 cannot hold (control characters, broken UTF-8, U+FFFE, U+FFFF) becomes
 * U+FFFD. Pure. */
#pragma once

#include "base/buf.h"

void qn_dav_escape(struct qn_buf *out, struct qn_span text);
void qn_dav_escape_attribute(struct qn_buf *out, struct qn_span text);
