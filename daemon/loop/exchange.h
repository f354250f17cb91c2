/* One exchange over a Unix socket: says something, ends its own side, and hears the answer until
 * the other side ends too. Of the answer the last QN_EXCHANGE_ANSWER_SIZE bytes are kept.
 *
 *   connect ── write ── end our side ── read to the end ── on_end
 *
 * Loop thread.
 */
#pragma once

#include "base/span.h"
#include "loop/loop.h"

#define QN_EXCHANGE_ANSWER_SIZE ((size_t)2048)

struct qn_exchange_options {
    const char *path;    /* of the socket */
    struct qn_span said; /* copied */
    uint64_t time_max_ms;
    /* QN_OK: the answer is whole. QN_ERR_TIMEOUT; QN_ERR_IO: nobody listens, or the line broke.
     * Once; `answer` is borrowed for the call, any bytes; may free it. */
    void (*on_end)(void *context, enum qn_err err, struct qn_span answer);
    void *context;
};

struct qn_exchange;
struct qn_exchange *qn_exchange_new(struct qn_loop *loop,
                                    const struct qn_exchange_options *options);
/* No call comes any more. Accepts NULL. */
void qn_exchange_free(struct qn_exchange *exchange);
