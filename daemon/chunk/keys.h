/* The keys of a vault. One random master key per site and epoch; everything else by HKDF:
 *   HKDF(master, salt = epoch u32, info = "quoin vault <name> 1"), name in {id, chunker, data,
 * meta}. The key of one pack or file comes from the data or meta key and the file's own salt
 * (head.h). Pure; secrets are wiped by qn_vault_keys_deinit.
 */
#pragma once

#include "base/span.h"
#include "crypto/digest.h"

#define QN_MASTER_KEY_SIZE 32

struct qn_vault_keys {
    uint32_t epoch;
    uint8_t id[32];      /* chunk ids: HMAC-SHA-256 of the plaintext */
    uint8_t chunker[32]; /* where files are cut */
    uint8_t data[32], meta[32];
};

/* `master` is not kept. */
void qn_vault_keys_init(struct qn_vault_keys *keys, const uint8_t master[QN_MASTER_KEY_SIZE],
                        uint32_t epoch);
void qn_vault_keys_deinit(struct qn_vault_keys *keys);

/* Names a chunk: HMAC-SHA-256(id key, plaintext). Never leaves the owner in the clear. */
struct qn_chunk_id {
    uint8_t bytes[32];
};

static inline int qn_chunk_id_cmp(const struct qn_chunk_id *a, const struct qn_chunk_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}
