/* The first 64 bytes of every sealed file of a vault, a pack or a snapshot, and the key that they
 * lead to (docs/formats/vault.md):
 *
 *   magic (8) | kind u8 | epoch u32 | salt (32) | key check (16) | zeros (3)
 *
 * The last two characters of a magic are the version of the form. AES-GCM does not commit to its
 * key, so the key check does: it comes out of the same derivation. Pure.
 */
#pragma once

#include "base/err.h"
#include "chunk/keys.h"
#include "crypto/aead.h"

#define QN_HEAD_SIZE       64
#define QN_HEAD_MAGIC_SIZE 8
#define QN_HEAD_SALT_SIZE  32

/* Which key a file's own key comes from; enum qn_pack_kind has the same numbers. */
enum qn_head_kind { /* stored: never renumber */
                    QN_HEAD_DATA = 1,
                    QN_HEAD_META = 2,
};

/* Writes the head of a new file and keys `aead` for it. `salt` is fresh randomness: the same one
 * twice under one key would use nonces twice. */
void qn_head_seal(const struct qn_vault_keys *keys, const char *magic, enum qn_head_kind kind,
                  const uint8_t salt[QN_HEAD_SALT_SIZE], struct qn_aead *aead,
                  uint8_t out[QN_HEAD_SIZE]);
/* Checks a head and keys `aead` for the file behind it. QN_ERR_INVALID: no such file;
 * QN_ERR_UNSUPPORTED: a newer form, or another epoch than that of `keys`; QN_ERR_SIGNATURE: of
 * other keys, or changed. */
enum qn_err QN_CHECKED qn_head_open(const struct qn_vault_keys *keys, const char *magic,
                                    struct qn_span head, struct qn_aead *aead,
                                    enum qn_head_kind *ret_kind);
