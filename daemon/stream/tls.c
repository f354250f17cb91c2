#include "stream/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/limits.h"
#include "base/mem.h"
#include "stream/certificate.h"
#include "stream/tls_private.h"

void qn_tls_forbid(SSL_CTX *context, long chain_size_max)
{
    SSL_CTX_set_options(context,
                        SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); /* idle links keep no 16 KiB buffers */
    SSL_CTX_set_max_cert_list(context, chain_size_max);
}

static bool set_protocol(SSL_CTX *context)
{
    qn_tls_forbid(context, QN_TLS_CHAIN_SIZE_MAX);
    return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
           SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) &&
           SSL_CTX_set_num_tickets(context, 0) && SSL_CTX_set_max_early_data(context, 0) &&
           SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:"
                                             "TLS_CHACHA20_POLY1305_SHA256") &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256") &&
           SSL_CTX_set1_sigalgs_list(context, "ed25519") &&
           SSL_CTX_set1_client_sigalgs_list(context, "ed25519");
}

static bool set_identity(SSL_CTX *context, const uint8_t seed[QN_SEED_SIZE])
{
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    if (qn_certificate_make(seed, &key, &certificate) != QN_OK)
        return false;
    bool is_set = SSL_CTX_use_certificate(context, certificate) == 1 &&
                  SSL_CTX_use_PrivateKey(context, key) == 1;
    EVP_PKEY_free(key); /* the context holds its own reference */
    X509_free(certificate);
    return is_set;
}

enum qn_err qn_tls_new(const uint8_t seed[QN_SEED_SIZE], struct qn_tls **ret_tls)
{
    struct qn_tls *tls = QN_NEW(struct qn_tls);
    tls->context = SSL_CTX_new(TLS_method());
    if (tls->context == NULL || !set_protocol(tls->context) || !set_identity(tls->context, seed)) {
        ERR_clear_error();
        qn_tls_free(tls);
        return QN_ERR_CRYPTO;
    }
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(tls->context, qn_session_on_certificate, NULL);
    SSL_CTX_set_alpn_select_cb(tls->context, qn_session_on_alpn, NULL);
    *ret_tls = tls;
    return QN_OK;
}

void qn_tls_free(struct qn_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    qn_free(tls);
}
