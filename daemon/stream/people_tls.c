/* TLS for people: what browsers, Windows 10's WebClient and macOS's Finder can do, and no less than
 * that (requirement W18). */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <limits.h>

#include "base/mem.h"
#include "stream/tls_private.h"

#define CHAIN_COUNT_MAX   8 /* certificates between the server's and the authority's */
#define RSA_BITS_MIN      2048
#define CLIENT_CHAIN_SIZE (16 * 1024)
#define AUTHORITIES_MAX   16 /* that sign people's certificates */

static bool set_protocol(SSL_CTX *context)
{
    qn_tls_forbid(context, CLIENT_CHAIN_SIZE);
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) &&
           SSL_CTX_set_num_tickets(context, 0) && SSL_CTX_set_max_early_data(context, 0) &&
           SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                             "TLS_CHACHA20_POLY1305_SHA256") &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:!PSK:!aNULL") &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
}

/* A key with a passphrase is refused; the terminal is not asked. */
static int no_passphrase(char *out, int size, int is_writing, void *context)
{
    return 0;
}

static bool is_strong(const EVP_PKEY *key)
{
    int kind = EVP_PKEY_get_base_id(key);
    return kind == EVP_PKEY_EC || (kind == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN);
}

static enum qn_err use_key(SSL_CTX *context, BIO *in)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
    enum qn_err err = QN_OK;
    if (key == NULL)
        err = QN_ERR_INVALID;
    else if (!is_strong(key))
        err = QN_ERR_UNSUPPORTED;
    else if (SSL_CTX_use_PrivateKey(context, key) != 1)
        err = QN_ERR_INVALID; /* also: it is not the certificate's */
    EVP_PKEY_free(key);       /* the context holds its own reference */
    return err;
}

/* The certificates behind the first. */
static bool add_chain(SSL_CTX *context, BIO *in)
{
    for (int count = 0; count <= CHAIN_COUNT_MAX; count++) {
        X509 *next = PEM_read_bio_X509(in, NULL, no_passphrase, NULL);
        if (next == NULL)
            return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
        if (SSL_CTX_add0_chain_cert(context, next) != 1) {
            X509_free(next);
            return false;
        }
    }
    return false;
}

static bool use_certificate(SSL_CTX *context, BIO *in)
{
    X509 *certificate = PEM_read_bio_X509_AUX(in, NULL, no_passphrase, NULL);
    bool is_used = certificate != NULL && SSL_CTX_use_certificate(context, certificate) == 1 &&
                   add_chain(context, in);
    X509_free(certificate);
    return is_used;
}

static enum qn_err set_identity(SSL_CTX *context, struct qn_span certificate, struct qn_span key)
{
    if (certificate.size == 0 || key.size == 0 || certificate.size > INT_MAX || key.size > INT_MAX)
        return QN_ERR_INVALID;
    BIO *certificates = BIO_new_mem_buf(certificate.data, (int)certificate.size);
    BIO *keys = BIO_new_mem_buf(key.data, (int)key.size);
    enum qn_err err = QN_ERR_CRYPTO;
    if (certificates != NULL && keys != NULL)
        err = use_certificate(context, certificates) ? use_key(context, keys) : QN_ERR_INVALID;
    BIO_free(certificates);
    BIO_free(keys);
    return err;
}

static bool add_authority(SSL_CTX *context, X509 *authority)
{
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority) == 1 &&
           SSL_CTX_add_client_CA(context, authority) == 1;
}

/* Nothing else is trusted: the store of the system is not in it. */
static enum qn_err add_authorities(SSL_CTX *context, struct qn_span authorities)
{
    int count = 0;
    if (authorities.size > INT_MAX)
        return QN_ERR_DENIED;
    BIO *in = BIO_new_mem_buf(authorities.data, (int)authorities.size);
    X509 *next;
    while (in != NULL && count >= 0 &&
           (next = PEM_read_bio_X509(in, NULL, no_passphrase, NULL)) != NULL) {
        count = count < AUTHORITIES_MAX && add_authority(context, next) ? count + 1 : -1;
        X509_free(next);
    }
    BIO_free(in);
    return count > 0 ? QN_OK : QN_ERR_DENIED;
}

enum qn_err qn_tls_new_people(struct qn_span certificate, struct qn_span key,
                              struct qn_span authorities, struct qn_tls **ret_tls)
{
    struct qn_tls *tls = QN_NEW(struct qn_tls);
    ERR_clear_error();
    tls->context = SSL_CTX_new(TLS_server_method());
    enum qn_err err = QN_ERR_CRYPTO;
    if (tls->context != NULL && set_protocol(tls->context))
        err = set_identity(tls->context, certificate, key);
    if (err == QN_OK && authorities.size > 0)
        err = add_authorities(tls->context, authorities);
    ERR_clear_error();
    if (err != QN_OK) {
        qn_tls_free(tls);
        return err;
    }
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_alpn_select_cb(tls->context, qn_session_on_people_alpn, NULL);
    *ret_tls = tls;
    return QN_OK;
}
