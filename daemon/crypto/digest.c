#include "crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include "base/assert.h"
#include "base/mem.h"

struct qn_hasher {
    EVP_MD_CTX *context;
};

struct qn_hasher *qn_hasher_new(void)
{
    struct qn_hasher *hasher = QN_NEW(struct qn_hasher);
    hasher->context = EVP_MD_CTX_new();
    QN_ASSERT(hasher->context != NULL);
    return hasher;
}

void qn_hasher_free(struct qn_hasher *hasher)
{
    if (hasher == NULL)
        return;
    EVP_MD_CTX_free(hasher->context);
    qn_free(hasher);
}

void qn_hasher_start(struct qn_hasher *hasher)
{
    QN_ASSERT(EVP_DigestInit_ex(hasher->context, EVP_sha256(), NULL) == 1);
}

void qn_hasher_add(struct qn_hasher *hasher, struct qn_span bytes)
{
    QN_ASSERT(EVP_DigestUpdate(hasher->context, bytes.data, bytes.size) == 1);
}

void qn_hasher_finish(struct qn_hasher *hasher, struct qn_digest *ret_digest)
{
    QN_ASSERT(EVP_DigestFinal_ex(hasher->context, ret_digest->bytes, NULL) == 1);
}

void qn_digest_parts(const struct qn_span *parts, size_t count, struct qn_digest *ret_digest)
{
    struct qn_hasher *hasher = qn_hasher_new();
    qn_hasher_start(hasher);
    for (size_t i = 0; i < count; i++)
        qn_hasher_add(hasher, parts[i]);
    qn_hasher_finish(hasher, ret_digest);
    qn_hasher_free(hasher);
}

/* OpenSSL takes a NULL pointer for "not given", which is not the same as empty. */
static const uint8_t *given(struct qn_span bytes)
{
    return bytes.data != NULL ? bytes.data : (const uint8_t *)"";
}

void qn_hmac(struct qn_span key, struct qn_span message, struct qn_digest *ret_mac)
{
    unsigned size = 0;
    const uint8_t *mac = HMAC(EVP_sha256(), given(key), (int)key.size, given(message), message.size,
                              ret_mac->bytes, &size);
    QN_ASSERT(mac != NULL && size == QN_DIGEST_SIZE);
}

void qn_hkdf(struct qn_span secret, struct qn_span salt, const char *info, uint8_t *out,
             size_t out_size)
{
    QN_ASSERT(out_size <= 255 * QN_DIGEST_SIZE);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    QN_ASSERT(context != NULL);
    QN_ASSERT(EVP_PKEY_derive_init(context) == 1);
    QN_ASSERT(EVP_PKEY_CTX_set_hkdf_md(context, EVP_sha256()) == 1);
    QN_ASSERT(EVP_PKEY_CTX_set1_hkdf_salt(context, given(salt), (int)salt.size) == 1);
    QN_ASSERT(EVP_PKEY_CTX_set1_hkdf_key(context, given(secret), (int)secret.size) == 1);
    QN_ASSERT(EVP_PKEY_CTX_add1_hkdf_info(context, (const uint8_t *)info, (int)strlen(info)) == 1);
    QN_ASSERT(EVP_PKEY_derive(context, out, &out_size) == 1);
    EVP_PKEY_CTX_free(context);
}

bool qn_equal_secret(struct qn_span a, struct qn_span b)
{
    return a.size == b.size && CRYPTO_memcmp(given(a), given(b), a.size) == 0;
}

void qn_wipe(void *memory, size_t size)
{
    OPENSSL_cleanse(memory, size);
}
