/* What tls.c and session.c share. */
#pragma once

#include <openssl/ssl.h>

#include "stream/session.h"
#include "stream/tls.h"

struct qn_tls {
    SSL_CTX *context;
};

/* What no session does, whoever is at the other end; at most `chain_size_max` bytes of the other
 * side's certificates. */
void qn_tls_forbid(SSL_CTX *context, long chain_size_max);

/* Called by OpenSSL during handshakes; the session is the SSL object's application data. */
int qn_session_on_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                       const unsigned char *offered, unsigned offered_size, void *argument);
int qn_session_on_people_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                              const unsigned char *offered, unsigned offered_size, void *argument);
int qn_session_on_certificate(X509_STORE_CTX *store, void *argument);
