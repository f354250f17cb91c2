#include "crypto/aead.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/assert.h"
#include "base/mem.h"

#define NONCE_SIZE 12

/* One context for each direction, so that neither has to set its key up again. */
struct qn_aead {
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *sealer, *opener;
};

struct qn_aead *qn_aead_new(void)
{
    struct qn_aead *aead = QN_NEW(struct qn_aead);
    aead->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    aead->sealer = EVP_CIPHER_CTX_new();
    aead->opener = EVP_CIPHER_CTX_new();
    QN_ASSERT(aead->cipher != NULL && aead->sealer != NULL && aead->opener != NULL);
    return aead;
}

void qn_aead_free(struct qn_aead *aead)
{
    if (aead == NULL)
        return;
    EVP_CIPHER_CTX_free(aead->sealer); /* wipes the key schedule */
    EVP_CIPHER_CTX_free(aead->opener);
    EVP_CIPHER_free(aead->cipher);
    qn_free(aead);
}

void qn_aead_set_key(struct qn_aead *aead, const uint8_t key[QN_AEAD_KEY_SIZE])
{
    QN_ASSERT(EVP_EncryptInit_ex(aead->sealer, aead->cipher, NULL, key, NULL) == 1);
    QN_ASSERT(EVP_DecryptInit_ex(aead->opener, aead->cipher, NULL, key, NULL) == 1);
}

static void nonce_of(uint64_t counter, uint8_t nonce[NONCE_SIZE])
{
    memset(nonce, 0, NONCE_SIZE);
    for (size_t i = 0; i < 8; i++)
        nonce[NONCE_SIZE - 1 - i] = (uint8_t)(counter >> 8 * i);
}

void qn_aead_seal(struct qn_aead *aead, uint64_t counter, struct qn_span aad, struct qn_span plain,
                  uint8_t *out)
{
    uint8_t nonce[NONCE_SIZE];
    int size = 0;
    QN_ASSERT(plain.size <= INT_MAX && aad.size <= INT_MAX);
    nonce_of(counter, nonce);
    QN_ASSERT(EVP_EncryptInit_ex(aead->sealer, NULL, NULL, NULL, nonce) == 1);
    if (aad.size > 0)
        QN_ASSERT(EVP_EncryptUpdate(aead->sealer, NULL, &size, aad.data, (int)aad.size) == 1);
    if (plain.size > 0)
        QN_ASSERT(EVP_EncryptUpdate(aead->sealer, out, &size, plain.data, (int)plain.size) == 1);
    QN_ASSERT(EVP_EncryptFinal_ex(aead->sealer, out + plain.size, &size) == 1);
    QN_ASSERT(EVP_CIPHER_CTX_ctrl(aead->sealer, EVP_CTRL_AEAD_GET_TAG, QN_AEAD_TAG_SIZE,
                                  out + plain.size) == 1);
}

enum qn_err qn_aead_open(struct qn_aead *aead, uint64_t counter, struct qn_span aad,
                         struct qn_span sealed, uint8_t *out)
{
    if (sealed.size < QN_AEAD_TAG_SIZE || sealed.size > INT_MAX)
        return QN_ERR_SIGNATURE;
    uint8_t nonce[NONCE_SIZE], tag[QN_AEAD_TAG_SIZE];
    size_t plain_size = sealed.size - QN_AEAD_TAG_SIZE;
    int size = 0;
    QN_ASSERT(aad.size <= INT_MAX);
    nonce_of(counter, nonce);
    memcpy(tag, sealed.data + plain_size, sizeof(tag));
    QN_ASSERT(EVP_DecryptInit_ex(aead->opener, NULL, NULL, NULL, nonce) == 1);
    QN_ASSERT(EVP_CIPHER_CTX_ctrl(aead->opener, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1);
    if (aad.size > 0)
        QN_ASSERT(EVP_DecryptUpdate(aead->opener, NULL, &size, aad.data, (int)aad.size) == 1);
    if (plain_size > 0)
        QN_ASSERT(EVP_DecryptUpdate(aead->opener, out, &size, sealed.data, (int)plain_size) == 1);
    if (EVP_DecryptFinal_ex(aead->opener, tag, &size) == 1) /* writes nothing in this mode */
        return QN_OK;
    qn_wipe(out, plain_size);
    return QN_ERR_SIGNATURE;
}

struct qn_mac {
    EVP_MAC *algorithm;
    EVP_MAC_CTX *context; /* keeps the key between messages */
};

struct qn_mac *qn_mac_new(struct qn_span key)
{
    struct qn_mac *mac = QN_NEW(struct qn_mac);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    mac->algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    QN_ASSERT(mac->algorithm != NULL);
    mac->context = EVP_MAC_CTX_new(mac->algorithm);
    QN_ASSERT(mac->context != NULL);
    const uint8_t *given = key.data != NULL ? key.data : (const uint8_t *)""; /* NULL: no key */
    QN_ASSERT(EVP_MAC_init(mac->context, given, key.size, params) == 1);
    return mac;
}

void qn_mac_free(struct qn_mac *mac)
{
    if (mac == NULL)
        return;
    EVP_MAC_CTX_free(mac->context);
    EVP_MAC_free(mac->algorithm);
    qn_free(mac);
}

void qn_mac_of(struct qn_mac *mac, struct qn_span message, struct qn_digest *ret_digest)
{
    size_t size = 0;
    QN_ASSERT(EVP_MAC_init(mac->context, NULL, 0, NULL) == 1); /* the same key again */
    QN_ASSERT(EVP_MAC_update(mac->context, message.data, message.size) == 1);
    QN_ASSERT(EVP_MAC_final(mac->context, ret_digest->bytes, &size, QN_DIGEST_SIZE) == 1);
    QN_ASSERT(size == QN_DIGEST_SIZE);
}
