#include "stream/certificate.h"

#include <openssl/evp.h>

#include "base/text.h"

#define X509_VERSION_3 2
/* RFC 5280, 4.1.2.5: "no well-defined expiration date". */
#define NEVER "99991231235959Z"
#define BEGIN "20000101000000Z"

static bool set_name(X509 *certificate, const struct qn_public_key *key)
{
    QN_AUTO_BUF struct qn_buf text;
    struct qn_site_id id;
    qn_buf_init(&text, 64); /* the most that X.520 allows a common name */
    qn_site_id_of(key, &id);
    qn_text_append_base32(&text, QN_SPAN_OF(id.bytes), 0);
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text.data, (int)text.size, -1, 0) &&
           X509_set_issuer_name(certificate, name);
}

static bool fill(X509 *certificate, EVP_PKEY *pair)
{
    struct qn_public_key key;
    size_t size = sizeof(key.bytes);
    return EVP_PKEY_get_raw_public_key(pair, key.bytes, &size) == 1 &&
           X509_set_version(certificate, X509_VERSION_3) &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) &&
           ASN1_TIME_set_string(X509_getm_notBefore(certificate), BEGIN) &&
           ASN1_TIME_set_string(X509_getm_notAfter(certificate), NEVER) &&
           X509_set_pubkey(certificate, pair) && set_name(certificate, &key) &&
           X509_sign(certificate, pair, NULL) > 0;
}

enum qn_err qn_certificate_make(const uint8_t seed[QN_SEED_SIZE], EVP_PKEY **ret_key,
                                X509 **ret_certificate)
{
    EVP_PKEY *pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, QN_SEED_SIZE);
    X509 *certificate = X509_new();
    if (pair == NULL || certificate == NULL || !fill(certificate, pair)) {
        EVP_PKEY_free(pair);
        X509_free(certificate);
        return QN_ERR_CRYPTO;
    }
    *ret_key = pair;
    *ret_certificate = certificate;
    return QN_OK;
}

enum qn_err qn_certificate_key(X509 *certificate, struct qn_public_key *ret_key)
{
    EVP_PKEY *public = X509_get0_pubkey(certificate);
    struct qn_public_key key;
    size_t size = sizeof(key.bytes);
    if (public == NULL || EVP_PKEY_get_id(public) != EVP_PKEY_ED25519 ||
        EVP_PKEY_get_raw_public_key(public, key.bytes, &size) != 1 || size != sizeof(key.bytes))
        return QN_ERR_UNSUPPORTED;
    if (X509_verify(certificate, public) != 1)
        return QN_ERR_SIGNATURE;
    *ret_key = key;
    return QN_OK;
}
