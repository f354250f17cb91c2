/* The commands that read records, answered straight from the store in slices (docs/control.md 2).
 *
 * A slice is one short read transaction of at most QN_SLICE_RECORDS records, so a list of a million
 * neither blocks the loop nor holds a transaction; the place to go on is the last key. Loop thread.
 */
#pragma once

#include "app/driver.h"

#define QN_SLICE_RECORDS 256
#define QN_SLICE_SIZE    (256 * 1024)

struct qn_stream;

struct qn_refusal { /* why a request cannot be answered; code as in docs/control.md 5 */
    enum qn_err err;
    const char *code;
    char object[160];
};

/* Whether a command is one of these. */
bool qn_stream_knows(struct qn_span command);
/* QN_OK, or `refusal` is filled. */
enum qn_err QN_CHECKED qn_stream_open(const struct qn_driver *driver, struct qn_span command,
                                      struct qn_span args, struct qn_stream **ret_stream,
                                      struct qn_refusal *refusal);
void qn_stream_free(struct qn_stream *stream);
/* Appends the payloads of the next answers, one packed item each; there may be none yet.
 * *ret_is_end: it is that of the end (may be empty: nil), and the stream is done. On an error
 * `refusal` is filled. */
enum qn_err QN_CHECKED qn_stream_next(struct qn_stream *stream, const struct qn_driver *driver,
                                      struct qn_buf *out, bool *ret_is_end,
                                      struct qn_refusal *refusal);
