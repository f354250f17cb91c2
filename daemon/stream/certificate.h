/* Certificates that carry a key and nothing else (docs/protocol.md, section 3).
 *
 * Self-signed X.509 over an Ed25519 key. Nobody reads name or dates: the key is what the ledger
 * knows. The same seed makes the same certificate on every machine and day, so no clock or
 * randomness is needed here. Thread: any.
 */
#pragma once

#include <openssl/x509.h>

#include "crypto/key.h"

/* The key pair of a seed and its certificate; CN is the site id of the key in base32. */
enum qn_err QN_CHECKED qn_certificate_make(const uint8_t seed[QN_SEED_SIZE], EVP_PKEY **ret_key,
                                           X509 **ret_certificate);
/* The key in a peer's certificate. QN_ERR_UNSUPPORTED if it is not Ed25519, QN_ERR_SIGNATURE if the
 * certificate is not signed with it. */
enum qn_err QN_CHECKED qn_certificate_key(X509 *certificate, struct qn_public_key *ret_key);
