/* Sealing to an X25519 public key: whoever has the private seed reads it, nobody else, the sealer
 * included (ephemeral X25519, HKDF-SHA-256, AES-256-GCM; the construction of RFC 9180's base mode
 * in a form of its own, with test vectors in tests/unit/crypto).
 *
 *   sealed = ephemeral public key (32) | AES-256-GCM(key, counter 0, aad = "", plain)
 *   key    = HKDF(shared secret, salt = ephemeral public | recipient public, info)
 *
 * Pure: the ephemeral seed is passed in and never used twice.
 */
#pragma once

#include "base/buf.h"
#include "crypto/key.h"

#define QN_SEAL_OVERHEAD (QN_KEY_SIZE + 16)

/* Appends plain.size + QN_SEAL_OVERHEAD bytes. QN_ERR_CRYPTO: `recipient` is no usable key (of
 * small order); QN_ERR_LIMIT: no room in `out`. */
enum qn_err QN_CHECKED qn_seal(const struct qn_public_key *recipient,
                               const uint8_t ephemeral_seed[QN_SEED_SIZE], const char *info,
                               struct qn_span plain, struct qn_buf *out);
/* Appends the plaintext. QN_ERR_SIGNATURE: not sealed to this key, for another `info`, or changed.
 */
enum qn_err QN_CHECKED qn_unseal(const uint8_t seed[QN_SEED_SIZE], const char *info,
                                 struct qn_span sealed, struct qn_buf *out);
