/* Chunks of a file list in memory, for tests: an id is the SHA-256 of kind and bytes. */
#pragma once

#include "base/assert.h"
#include "base/vec.h"
#include "chunk/tree.h"
#include "crypto/digest.h"

struct chunk {
    enum qn_blob_kind kind;
    struct qn_chunk_id id;
    uint8_t *bytes;
    size_t size;
};

struct chunks {
    QN_VEC(struct chunk) list; /* in the order in which they were put, each once */
    size_t gets;
    size_t puts_left; /* then put fails; 0: it never does */
};

static inline struct chunk *chunks_find(struct chunks *chunks, const struct qn_chunk_id *id)
{
    qn_vec_each (&chunks->list, chunk) {
        if (qn_chunk_id_cmp(&chunk->id, id) == 0)
            return chunk;
    }
    return NULL;
}

static inline enum qn_err chunks_put(void *context, enum qn_blob_kind kind, struct qn_span plain,
                                     struct qn_chunk_id *ret_id)
{
    struct chunks *chunks = context;
    struct qn_digest digest;
    uint8_t number = (uint8_t)kind;
    if (chunks->puts_left > 0 && --chunks->puts_left == 0)
        return QN_ERR_NOSPACE;
    QN_DIGEST(&digest, QN_SPAN_OF(number), plain);
    memcpy(ret_id->bytes, digest.bytes, sizeof(digest.bytes));
    struct chunk chunk = {kind, *ret_id, qn_memdup(plain.data, plain.size), plain.size};
    if (chunks_find(chunks, ret_id) == NULL)
        qn_vec_push(&chunks->list, chunk);
    else
        qn_free(chunk.bytes);
    return QN_OK;
}

static inline enum qn_err chunks_get(void *context, enum qn_blob_kind kind,
                                     const struct qn_chunk_id *id, struct qn_buf *out)
{
    struct chunks *chunks = context;
    const struct chunk *chunk = chunks_find(chunks, id);
    chunks->gets++;
    if (chunk == NULL)
        return QN_ERR_NOTFOUND;
    QN_ASSERT(chunk->kind == kind && out->size == 0);
    qn_buf_append(out, chunk->bytes, chunk->size);
    return QN_OK;
}

static inline void chunks_deinit(struct chunks *chunks)
{
    qn_vec_each (&chunks->list, chunk)
        qn_free(chunk->bytes);
    qn_vec_free(&chunks->list);
}
