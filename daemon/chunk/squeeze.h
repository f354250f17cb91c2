/* Compression of one chunk with zstd. A probe finds what does not shrink (media, archives): it is
 * stored as it is. Contexts are reused; one thread at a time; bounded memory. Pure.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct qn_squeezer;
/* `level`: 1 to 19. */
struct qn_squeezer *qn_squeezer_new(int level);
void qn_squeezer_free(struct qn_squeezer *squeezer); /* accepts NULL */
/* Appends the compressed form and says so, or appends nothing (*ret_is_smaller false): store it
 * raw. */
enum qn_err QN_CHECKED qn_squeeze(struct qn_squeezer *squeezer, struct qn_span raw,
                                  struct qn_buf *out, bool *ret_is_smaller);
/* Writes exactly raw_size bytes or fails with QN_ERR_CORRUPT. */
enum qn_err QN_CHECKED qn_unsqueeze(struct qn_squeezer *squeezer, struct qn_span packed,
                                    uint8_t *out, size_t raw_size);
