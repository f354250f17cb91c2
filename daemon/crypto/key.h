/* Ed25519 keys and signatures (RFC 8032), X25519 public keys (RFC 7748), site identities.
 *
 * Randomness is passed in: a key pair is made from a 32-byte seed. Every signature is over
 * SHA-256(domain | 0 | message), so that no signature of one kind can be shown as another.
 * Pure; thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/digest.h"

#define QN_SEED_SIZE      32
#define QN_KEY_SIZE       32 /* a public key */
#define QN_SIGNATURE_SIZE 64

struct qn_public_key {
    uint8_t bytes[QN_KEY_SIZE];
};

struct qn_signature {
    uint8_t bytes[QN_SIGNATURE_SIZE];
};

/* SHA-256 of a site's first public key; stable for life (docs/protocol.md, section 2). */
struct qn_site_id {
    uint8_t bytes[QN_DIGEST_SIZE];
};

/* An Ed25519 key pair. Secret: wiped when freed. */
struct qn_signer;
enum qn_err QN_CHECKED qn_signer_new(const uint8_t seed[QN_SEED_SIZE],
                                     struct qn_signer **ret_signer);
void qn_signer_free(struct qn_signer *signer);
const struct qn_public_key *qn_signer_public(const struct qn_signer *signer);
/* `domain` names what is signed, for example "quoin checkpoint 1". */
enum qn_err QN_CHECKED qn_signer_sign(const struct qn_signer *signer, const char *domain,
                                      struct qn_span message, struct qn_signature *ret_signature);

/* QN_ERR_SIGNATURE if it is not a signature by that key over that message in that domain, or if the
 * key is one of the few under which a signature fits many messages. */
enum qn_err QN_CHECKED qn_verify(const struct qn_public_key *key, const char *domain,
                                 struct qn_span message, const struct qn_signature *signature);

enum qn_err QN_CHECKED qn_x25519_public(const uint8_t seed[QN_SEED_SIZE],
                                        struct qn_public_key *ret_key);

void qn_site_id_of(const struct qn_public_key *first_key, struct qn_site_id *ret_id);
/* Base32 in groups of seven letters: how people read an identity. */
void qn_site_id_print(const struct qn_site_id *id, struct qn_buf *out);

static inline int qn_site_id_cmp(const struct qn_site_id *a, const struct qn_site_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static inline bool qn_site_id_eq(const struct qn_site_id *a, const struct qn_site_id *b)
{
    return qn_site_id_cmp(a, b) == 0;
}

static inline bool qn_public_key_eq(const struct qn_public_key *a, const struct qn_public_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
