/* Content-defined chunking: where a file is cut depends on its bytes alone, so an insertion moves
 * few cuts (gear hash with normalised chunking after FastCDC, Xia et al., USENIX ATC 2016). The
 * table is derived from a key; what a holder sees must not reveal lengths all the same (packs hide
 * them): keyed chunkers alone are broken (eprint 2025/532, 2025/558).
 *
 * Immutable after it was made: any thread. Pure.
 */
#pragma once

#include "chunk/keys.h"

#define QN_CHUNK_SIZE_MIN (64 * 1024)
#define QN_CHUNK_SIZE_AVG (256 * 1024)
#define QN_CHUNK_SIZE_MAX (2 * 1024 * 1024)

struct qn_chunker;
struct qn_chunker *qn_chunker_new(const uint8_t key[32]);
void qn_chunker_free(struct qn_chunker *chunker); /* accepts NULL */
/* Size of the first chunk of `bytes`. 0: more bytes are needed; never so when `is_end` (nothing
 * follows) and there are bytes, or when there are QN_CHUNK_SIZE_MAX. Files up to QN_CHUNK_SIZE_MIN
 * are one chunk. */
size_t qn_chunker_cut(const struct qn_chunker *chunker, struct qn_span bytes, bool is_end);
