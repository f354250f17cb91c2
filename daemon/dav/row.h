/* Texts in the rows of this room: a varint of the size, then the bytes. Pure. */
#pragma once

#include "base/buf.h"

void qn_dav_row_text(struct qn_buf *out, struct qn_span text);
/* At *offset, which it advances; borrowed. QN_ERR_CORRUPT. */
enum qn_err QN_CHECKED qn_dav_row_text_read(struct qn_span row, size_t *offset, size_t size_max,
                                            struct qn_span *ret_text);
