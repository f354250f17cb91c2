/* Packs for tests: made from a seed, and read in the two ways that there are. */
#pragma once

#include "base/mem.h"
#include "base/prng.h"
#include "chunk/pack.h"

static inline void packs_fill(struct qn_prng *prng, uint8_t *out, size_t size)
{
    for (size_t at = 0; at < size; at += 8) {
        uint8_t word[8];
        qn_write_u64(word, qn_prng_next(prng));
        memcpy(out + at, word, size - at < 8 ? size - at : 8);
    }
}

static inline void packs_keys(struct qn_vault_keys *keys, uint8_t first, uint32_t epoch)
{
    uint8_t master[QN_MASTER_KEY_SIZE];
    for (size_t i = 0; i < sizeof(master); i++)
        master[i] = (uint8_t)(first + i);
    qn_vault_keys_init(keys, master, epoch);
}

static inline struct qn_chunk_id packs_id(const struct qn_vault_keys *keys, struct qn_span raw)
{
    struct qn_digest digest;
    struct qn_chunk_id id;
    qn_hmac(QN_SPAN_OF(keys->id), raw, &digest);
    memcpy(id.bytes, digest.bytes, sizeof(id.bytes));
    return id;
}

/* Opens one blob of a whole pack into its own memory (free with qn_free). */
static inline enum qn_err packs_open_blob(struct qn_unpacker *unpacker, struct qn_span pack,
                                          const struct qn_blob *blob, struct qn_mac *mac,
                                          uint8_t **ret_raw)
{
    size_t size = qn_blob_span_size(blob);
    if (blob->offset > pack.size || size > pack.size - blob->offset)
        return QN_ERR_CORRUPT;
    uint8_t *raw = qn_alloc(blob->raw_size);
    enum qn_err err =
        qn_unpacker_blob(unpacker, blob, qn_span(pack.data + blob->offset, size), mac, raw);
    if (err == QN_OK)
        *ret_raw = raw;
    else
        qn_free(raw);
    return err;
}

/* Every blob of a pack by its trailer and directory; `out` is reset. */
static inline enum qn_err packs_by_directory(struct qn_unpacker *unpacker, struct qn_span pack,
                                             qn_blob_vec *out)
{
    enum qn_pack_kind kind;
    size_t offset, size;
    if (pack.size < QN_PACK_HEAD_SIZE + QN_PACK_TRAILER_SIZE)
        return QN_ERR_INVALID;
    struct qn_span trailer = qn_span_from(pack, pack.size - QN_PACK_TRAILER_SIZE);
    QN_TRY(qn_unpacker_start(unpacker, qn_span(pack.data, QN_PACK_HEAD_SIZE), &kind));
    QN_TRY(qn_unpacker_trailer(unpacker, trailer, pack.size, &offset, &size));
    return qn_unpacker_directory(unpacker, offset, qn_span(pack.data + offset, size), out);
}

/* Every blob of a pack from its beginning; `out` is reset. */
static inline enum qn_err packs_by_scan(struct qn_unpacker *unpacker, struct qn_span pack,
                                        qn_blob_vec *out)
{
    enum qn_pack_kind kind;
    enum qn_err err = QN_OK;
    size_t at = QN_PACK_HEAD_SIZE;
    out->count = 0;
    if (pack.size < QN_PACK_HEAD_SIZE)
        return QN_ERR_INVALID;
    QN_TRY(qn_unpacker_start(unpacker, qn_span(pack.data, QN_PACK_HEAD_SIZE), &kind));
    for (struct qn_blob blob; (err = qn_unpacker_scan(unpacker, pack, &at, &blob)) == QN_OK;)
        qn_vec_push(out, blob);
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

/* Opens all of `blobs` and drops what they hold. */
static inline enum qn_err packs_open_all(struct qn_unpacker *unpacker, struct qn_span pack,
                                         const qn_blob_vec *blobs, struct qn_mac *mac)
{
    qn_vec_each (blobs, blob) {
        uint8_t *raw = NULL;
        QN_TRY(packs_open_blob(unpacker, pack, blob, mac, &raw));
        qn_free(raw);
    }
    return QN_OK;
}
