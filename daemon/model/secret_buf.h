/* A buffer for secrets: its memory is there from the start, so no copy is left behind when it
 * grows, and it is wiped at the end. Owner: whoever embeds it. */
#pragma once

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/digest.h"

static inline void qn_secret_buf_init(struct qn_buf *buf, size_t size_max)
{
    *buf = (struct qn_buf){
        .data = qn_alloc_zero(size_max), .capacity = size_max, .size_max = size_max};
}

static inline void qn_secret_buf_deinit(struct qn_buf *buf)
{
    qn_wipe(buf->data, buf->capacity);
    qn_buf_deinit(buf);
}

#define QN_AUTO_SECRET_BUF __attribute__((cleanup(qn_secret_buf_deinit)))
