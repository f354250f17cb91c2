#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "stream/certificate.h"
#include "support/span.h"

static const uint8_t seed[QN_SEED_SIZE] = {1, 2, 3};

static X509 *certificate_of(const uint8_t *from, EVP_PKEY **ret_key)
{
    X509 *certificate = NULL;
    cr_assert_eq(qn_certificate_make(from, ret_key, &certificate), QN_OK);
    return certificate;
}

Test(certificate, the_same_seed_makes_the_same_one)
{
    unsigned char *a = NULL, *b = NULL;
    EVP_PKEY *key_a, *key_b;
    X509 *first = certificate_of(seed, &key_a), *second = certificate_of(seed, &key_b);
    int size_a = i2d_X509(first, &a), size_b = i2d_X509(second, &b);
    cr_assert_gt(size_a, 0);
    assert_span_eq(qn_span(a, (size_t)size_a), qn_span(b, (size_t)size_b));
    cr_assert_lt(size_a, 400);
    OPENSSL_free(a);
    OPENSSL_free(b);
    X509_free(first);
    X509_free(second);
    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
}

Test(certificate, carries_the_key_and_names_it)
{
    struct qn_public_key key;
    struct qn_signer *signer = NULL;
    struct qn_site_id id;
    QN_AUTO_BUF struct qn_buf wanted;
    char name[80] = "";
    EVP_PKEY *pair;
    X509 *certificate = certificate_of(seed, &pair);
    cr_assert_eq(qn_certificate_key(certificate, &key), QN_OK);
    cr_assert_eq(qn_signer_new(seed, &signer), QN_OK);
    cr_assert(qn_public_key_eq(&key, qn_signer_public(signer)));
    qn_site_id_of(&key, &id);
    qn_buf_init(&wanted, 80);
    qn_text_append_base32(&wanted, QN_SPAN_OF(id.bytes), 0);
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                              sizeof(name));
    assert_span_eq(qn_span_str(name), qn_buf_view(&wanted));
    cr_assert_eq(X509_cmp_current_time(X509_get0_notBefore(certificate)), -1);
    cr_assert_eq(X509_cmp_current_time(X509_get0_notAfter(certificate)), 1);
    qn_signer_free(signer);
    X509_free(certificate);
    EVP_PKEY_free(pair);
}

Test(certificate, signed_by_another_is_refused)
{
    static const uint8_t other_seed[QN_SEED_SIZE] = {9};
    struct qn_public_key key;
    EVP_PKEY *pair, *other;
    X509 *certificate = certificate_of(seed, &pair);
    X509_free(certificate_of(other_seed, &other));
    cr_assert_gt(X509_sign(certificate, other, NULL), 0);
    cr_assert_eq(qn_certificate_key(certificate, &key), QN_ERR_SIGNATURE);
    X509_free(certificate);
    EVP_PKEY_free(pair);
    EVP_PKEY_free(other);
}

Test(certificate, other_kinds_of_keys_are_refused)
{
    struct qn_public_key key;
    EVP_PKEY *pair, *rsa = EVP_RSA_gen(2048);
    X509 *certificate = certificate_of(seed, &pair);
    cr_assert(X509_set_pubkey(certificate, rsa));
    cr_assert_gt(X509_sign(certificate, rsa, EVP_sha256()), 0);
    cr_assert_eq(qn_certificate_key(certificate, &key), QN_ERR_UNSUPPORTED);
    X509_free(certificate);
    EVP_PKEY_free(pair);
    EVP_PKEY_free(rsa);
}
