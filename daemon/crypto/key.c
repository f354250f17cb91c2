#include "crypto/key.h"

#include <openssl/evp.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/text.h"

struct qn_signer {
    EVP_PKEY *key;
    struct qn_public_key public;
};

static void domain_digest(const char *domain, struct qn_span message, struct qn_digest *ret_digest)
{
    QN_DIGEST(ret_digest, qn_span(domain, strlen(domain) + 1), message);
}

enum qn_err qn_signer_new(const uint8_t seed[QN_SEED_SIZE], struct qn_signer **ret_signer)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, QN_SEED_SIZE);
    if (key == NULL)
        return QN_ERR_CRYPTO;
    struct qn_signer *signer = QN_NEW(struct qn_signer);
    signer->key = key;
    size_t size = QN_KEY_SIZE;
    if (EVP_PKEY_get_raw_public_key(key, signer->public.bytes, &size) != 1) {
        qn_signer_free(signer);
        return QN_ERR_CRYPTO;
    }
    *ret_signer = signer;
    return QN_OK;
}

void qn_signer_free(struct qn_signer *signer)
{
    if (signer == NULL)
        return;
    EVP_PKEY_free(signer->key); /* wipes the private half */
    qn_free(signer);
}

const struct qn_public_key *qn_signer_public(const struct qn_signer *signer)
{
    return &signer->public;
}

enum qn_err qn_signer_sign(const struct qn_signer *signer, const char *domain,
                           struct qn_span message, struct qn_signature *ret_signature)
{
    struct qn_digest digest;
    domain_digest(domain, message, &digest);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    QN_ASSERT(context != NULL);
    size_t size = QN_SIGNATURE_SIZE;
    bool is_signed = EVP_DigestSignInit(context, NULL, NULL, NULL, signer->key) == 1 &&
                     EVP_DigestSign(context, ret_signature->bytes, &size, digest.bytes,
                                    sizeof(digest.bytes)) == 1;
    EVP_MD_CTX_free(context);
    return is_signed ? QN_OK : QN_ERR_CRYPTO;
}

/* Encodings (of the y coordinate, sign bit clear) of the points of small order, the non-canonical
 * ones too. RFC 8032 does not ask to refuse them, but under such a key one signature fits many
 * messages. "Taming the many EdDSAs", Chalkias et al., SSR 2020, table 1. */
static bool is_small_order(const struct qn_public_key *key)
{
#define FF10 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
    static const uint8_t points[][QN_KEY_SIZE] = {
        {0},
        {1},
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
         0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
         0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
         0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
         0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
        {0xec, FF10, FF10, FF10, 0x7f},
        {0xed, FF10, FF10, FF10, 0x7f},
        {0xee, FF10, FF10, FF10, 0x7f},
    };
#undef FF10
    struct qn_public_key unsigned_key = *key;
    unsigned_key.bytes[QN_KEY_SIZE - 1] &= 0x7f;
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
        if (memcmp(unsigned_key.bytes, points[i], QN_KEY_SIZE) == 0)
            return true;
    return false;
}

enum qn_err qn_verify(const struct qn_public_key *key, const char *domain, struct qn_span message,
                      const struct qn_signature *signature)
{
    if (is_small_order(key))
        return QN_ERR_SIGNATURE;
    struct qn_digest digest;
    domain_digest(domain, message, &digest);
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->bytes, QN_KEY_SIZE);
    if (public == NULL)
        return QN_ERR_SIGNATURE;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    QN_ASSERT(context != NULL);
    bool is_valid = EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
                    EVP_DigestVerify(context, signature->bytes, QN_SIGNATURE_SIZE, digest.bytes,
                                     sizeof(digest.bytes)) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    return is_valid ? QN_OK : QN_ERR_SIGNATURE;
}

enum qn_err qn_x25519_public(const uint8_t seed[QN_SEED_SIZE], struct qn_public_key *ret_key)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, seed, QN_SEED_SIZE);
    size_t size = QN_KEY_SIZE;
    bool is_done = key != NULL && EVP_PKEY_get_raw_public_key(key, ret_key->bytes, &size) == 1;
    EVP_PKEY_free(key);
    return is_done ? QN_OK : QN_ERR_CRYPTO;
}

void qn_site_id_of(const struct qn_public_key *first_key, struct qn_site_id *ret_id)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, QN_SPAN_OF(first_key->bytes));
    memcpy(ret_id->bytes, digest.bytes, sizeof(digest.bytes));
}

void qn_site_id_print(const struct qn_site_id *id, struct qn_buf *out)
{
    qn_text_append_base32(out, QN_SPAN_OF(id->bytes), 7);
}
