/* The TLS of one site: its key, its certificate and what it agrees to (docs/protocol.md, section
 * 3).
 *
 * Between sites TLS 1.3 only, both sides authenticated with Ed25519; for people see below. Never
 * resumption, tickets, early data, compression or renegotiation. Sessions (session.h) are made from
 * it and may outlive it. Loop thread.
 */
#pragma once

#include "base/span.h"
#include "crypto/key.h"

enum qn_alpn {
    QN_ALPN_NONE,
    QN_ALPN_MEMBER,   /* quoin/1 */
    QN_ALPN_GUEST,    /* quoin-guest/1 */
    QN_ALPN_BULK,     /* quoin-bulk/1 */
    QN_ALPN_WEB,      /* quoin-web/1 */
    QN_ALPN_WEB_BACK, /* quoin-web-back/1 */
};

struct qn_tls;
/* The seed is not kept; the key is wiped by qn_tls_free. */
enum qn_err QN_CHECKED qn_tls_new(const uint8_t seed[QN_SEED_SIZE], struct qn_tls **ret_tls);
/* What people's browsers and file managers are met with: TLS 1.3 and 1.2 (forward secrecy and AEAD
 * only), http/1.1 as the only protocol, nobody asked for a certificate, but on streams that want
 * one. `certificate`: PEM, the server's own first, then those between it and the authority.
 * QN_ERR_INVALID: one of the two cannot be read, the key has a passphrase, or does not belong to
 * the certificate; QN_ERR_UNSUPPORTED: neither EC nor RSA of 2,048 bits. `authorities`: PEM, those
 * that sign people's certificates; empty: none, so none is good. QN_ERR_DENIED: they cannot be
 * read. Copied (people_tls.c). */
enum qn_err QN_CHECKED qn_tls_new_people(struct qn_span certificate, struct qn_span key,
                                         struct qn_span authorities, struct qn_tls **ret_tls);
void qn_tls_free(struct qn_tls *tls);
