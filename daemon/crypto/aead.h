/* AES-256-GCM with counter nonces, and a keyed MAC that keeps its key schedule (NIST SP 800-38D,
 * RFC 2104), through OpenSSL.
 *
 * A key is used for one pack or one file only (derived from a fresh salt), so a nonce is a plain
 * counter: 4 zero bytes | u64 big-endian. The caller never uses a counter twice under one key.
 * Contexts are made once and reused; one thread at a time. Pure.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "crypto/digest.h"

#define QN_AEAD_KEY_SIZE 32
#define QN_AEAD_TAG_SIZE 16

struct qn_aead;
struct qn_aead *qn_aead_new(void);
void qn_aead_free(struct qn_aead *aead); /* wipes; accepts NULL */
/* Before the first seal or open, and for each pack or file. */
void qn_aead_set_key(struct qn_aead *aead, const uint8_t key[QN_AEAD_KEY_SIZE]);
/* Writes plain.size + QN_AEAD_TAG_SIZE bytes; `out` may be plain.data. */
void qn_aead_seal(struct qn_aead *aead, uint64_t counter, struct qn_span aad, struct qn_span plain,
                  uint8_t *out);
/* Writes sealed.size - QN_AEAD_TAG_SIZE bytes; QN_ERR_SIGNATURE if it is not what was sealed under
 * this key, counter and aad (then `out` is wiped). `out` may be sealed.data. */
enum qn_err QN_CHECKED qn_aead_open(struct qn_aead *aead, uint64_t counter, struct qn_span aad,
                                    struct qn_span sealed, uint8_t *out);

/* HMAC-SHA-256 under one key, for many messages. */
struct qn_mac;
struct qn_mac *qn_mac_new(struct qn_span key);
void qn_mac_free(struct qn_mac *mac); /* wipes; accepts NULL */
void qn_mac_of(struct qn_mac *mac, struct qn_span message, struct qn_digest *ret_digest);
