#include "crypto/seal.h"

#include <openssl/evp.h>

#include "base/assert.h"
#include "base/mem.h"
#include "crypto/aead.h"

#define TAG_SIZE (QN_SEAL_OVERHEAD - QN_KEY_SIZE)
_Static_assert(TAG_SIZE == QN_AEAD_TAG_SIZE, "what a sealed message is longer by");

/* RFC 7748, 6.1; fails for the points of small order, whose secret anybody knows. */
static enum qn_err x25519(const uint8_t seed[QN_SEED_SIZE], const struct qn_public_key *peer,
                          uint8_t ret_secret[QN_KEY_SIZE])
{
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, seed, QN_SEED_SIZE);
    EVP_PKEY *other =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer->bytes, sizeof(peer->bytes));
    EVP_PKEY_CTX *context = own != NULL ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    size_t size = QN_KEY_SIZE;
    bool is_done = other != NULL && context != NULL && EVP_PKEY_derive_init(context) == 1 &&
                   EVP_PKEY_derive_set_peer(context, other) == 1 &&
                   EVP_PKEY_derive(context, ret_secret, &size) == 1 && size == QN_KEY_SIZE;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(other);
    EVP_PKEY_free(own);
    return is_done ? QN_OK : QN_ERR_CRYPTO;
}

/* `own` is one of the two key pairs, `peer` the public half of the other one. */
static enum qn_err set_shared_key(struct qn_aead *aead, const uint8_t own[QN_SEED_SIZE],
                                  const struct qn_public_key *peer,
                                  const struct qn_public_key *ephemeral,
                                  const struct qn_public_key *recipient, const char *info)
{
    uint8_t secret[QN_KEY_SIZE], key[QN_AEAD_KEY_SIZE], salt[2 * QN_KEY_SIZE];
    QN_TRY(x25519(own, peer, secret));
    memcpy(salt, ephemeral->bytes, QN_KEY_SIZE);
    memcpy(salt + QN_KEY_SIZE, recipient->bytes, QN_KEY_SIZE);
    qn_hkdf(QN_SPAN_OF(secret), QN_SPAN_OF(salt), info, key, sizeof(key));
    qn_aead_set_key(aead, key);
    qn_wipe(secret, sizeof(secret));
    qn_wipe(key, sizeof(key));
    return QN_OK;
}

static void free_aead(struct qn_aead **aead)
{
    qn_aead_free(*aead);
}
#define AUTO_AEAD __attribute__((cleanup(free_aead)))

enum qn_err qn_seal(const struct qn_public_key *recipient,
                    const uint8_t ephemeral_seed[QN_SEED_SIZE], const char *info,
                    struct qn_span plain, struct qn_buf *out)
{
    struct qn_public_key ephemeral;
    AUTO_AEAD struct qn_aead *aead = qn_aead_new();
    QN_TRY(qn_x25519_public(ephemeral_seed, &ephemeral));
    QN_TRY(set_shared_key(aead, ephemeral_seed, recipient, &ephemeral, recipient, info));
    QN_AUTO_FREE uint8_t *sealed = qn_alloc(plain.size + QN_SEAL_OVERHEAD);
    memcpy(sealed, ephemeral.bytes, QN_KEY_SIZE);
    qn_aead_seal(aead, 0, qn_span(NULL, 0), plain, sealed + QN_KEY_SIZE);
    qn_buf_append(out, sealed, plain.size + QN_SEAL_OVERHEAD);
    return qn_buf_status(out);
}

enum qn_err qn_unseal(const uint8_t seed[QN_SEED_SIZE], const char *info, struct qn_span sealed,
                      struct qn_buf *out)
{
    if (sealed.size < QN_SEAL_OVERHEAD)
        return QN_ERR_SIGNATURE;
    struct qn_public_key ephemeral, own;
    AUTO_AEAD struct qn_aead *aead = qn_aead_new();
    memcpy(ephemeral.bytes, sealed.data, QN_KEY_SIZE);
    QN_TRY(qn_x25519_public(seed, &own));
    if (set_shared_key(aead, seed, &ephemeral, &ephemeral, &own, info) != QN_OK)
        return QN_ERR_SIGNATURE; /* no honest sealer makes such a key */
    size_t plain_size = sealed.size - QN_SEAL_OVERHEAD;
    QN_AUTO_FREE uint8_t *plain = qn_alloc(plain_size);
    QN_TRY(qn_aead_open(aead, 0, qn_span(NULL, 0), qn_span_from(sealed, QN_KEY_SIZE), plain));
    qn_buf_append(out, plain, plain_size);
    qn_wipe(plain, plain_size);
    return qn_buf_status(out);
}
