#include "crypto/password.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/assert.h"

/* OpenSSL counts its own few blocks too. */
#define MEMORY_SPARE ((uint64_t)1024 * 1024)

bool qn_scrypt_is_allowed(const struct qn_scrypt_cost *cost)
{
    return cost->log_n >= 1 && cost->log_n <= QN_SCRYPT_LOG_N_MAX && cost->r >= 1 &&
           cost->r <= QN_SCRYPT_R_MAX && cost->p >= 1 && cost->p <= QN_SCRYPT_P_MAX &&
           ((size_t)128 * cost->r << cost->log_n) <= QN_SCRYPT_MEMORY_MAX;
}

/* OpenSSL does not write to what it is given, but its types do not say so. */
static OSSL_PARAM octets(const char *name, struct qn_span bytes)
{
    union {
        const void *from;
        void *to;
    } data = {.from = bytes.data != NULL ? bytes.data : (const uint8_t *)""};
    return OSSL_PARAM_construct_octet_string(name, data.to, bytes.size);
}

static enum qn_err derive(EVP_KDF_CTX *context, struct qn_span password, struct qn_span salt,
                          const struct qn_scrypt_cost *cost, uint8_t *out, size_t out_size)
{
    uint64_t n = (uint64_t)1 << cost->log_n, memory = QN_SCRYPT_MEMORY_MAX + MEMORY_SPARE;
    uint32_t r = cost->r, p = cost->p;
    OSSL_PARAM params[] = {
        octets(OSSL_KDF_PARAM_PASSWORD, password),
        octets(OSSL_KDF_PARAM_SALT, salt),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &memory),
        OSSL_PARAM_construct_end(),
    };
    return EVP_KDF_derive(context, out, out_size, params) == 1 ? QN_OK : QN_ERR_CRYPTO;
}

enum qn_err qn_scrypt(struct qn_span password, struct qn_span salt,
                      const struct qn_scrypt_cost *cost, uint8_t *out, size_t out_size)
{
    if (!qn_scrypt_is_allowed(cost))
        return QN_ERR_LIMIT;
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    enum qn_err err = QN_ERR_CRYPTO;
    if (context != NULL)
        err = derive(context, password, salt, cost, out, out_size);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return err;
}

void qn_hmac_sha1(struct qn_span key, struct qn_span message, uint8_t ret_mac[QN_SHA1_SIZE])
{
    unsigned size = 0;
    const uint8_t *mac = HMAC(EVP_sha1(), key.data != NULL ? key.data : (const uint8_t *)"",
                              (int)key.size, message.data, message.size, ret_mac, &size);
    QN_ASSERT(mac != NULL && size == QN_SHA1_SIZE);
}
