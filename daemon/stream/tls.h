/* The TLS of one site: its key, its certificate and what it agrees to (docs/protocol.md, section
 * 3).
 *
 * TLS 1.3 only, both sides authenticated with Ed25519, no resumption, tickets, early data,
 * compression or renegotiation. Sessions (session.h) are made from it and may outlive it.
 * Loop thread.
 */
#pragma once

#include "crypto/key.h"

enum qn_alpn {
    QN_ALPN_NONE,
    QN_ALPN_MEMBER, /* quoin/1 */
    QN_ALPN_GUEST,  /* quoin-guest/1 */
    QN_ALPN_BULK,   /* quoin-bulk/1 */
};

struct qn_tls;
/* The seed is not kept; the key is wiped by qn_tls_free. */
enum qn_err QN_CHECKED qn_tls_new(const uint8_t seed[QN_SEED_SIZE], struct qn_tls **ret_tls);
void qn_tls_free(struct qn_tls *tls);
