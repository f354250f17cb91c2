/* One TLS session between two memory buffers: no socket, no time.
 *
 *   ciphertext in --feed--> | session | --read--> plaintext
 *   ciphertext out <--take-- |         | <--write-- plaintext
 *
 *      START --handshake--> SHAKING --handshake = QN_OK--> OPEN --close / close_notify / error-->
 * ENDED
 *
 * While it shakes, OpenSSL is given whole records only, and exists from the first of them on: a
 * peer that stops half-way costs what it sent.
 *
 * Whatever is called, `take` may have something to send afterwards: also, and above all, an alert
 * behind an error. Loop thread.
 */
#pragma once

#include "crypto/key.h"
#include "stream/tls.h"

#define QN_EXPORTER_SIZE 32

struct qn_session_options {
    bool is_dialled;
    enum qn_alpn alpn;      /* what the dialling side asks for */
    bool allows_guests;     /* whether the accepting side grants quoin-guest/1 */
    bool wants_certificate; /* of people: one that an authority of the TLS signed */
    /* Called once inside qn_session_handshake with the key that the peer is about to prove: false
     * refuses it, by an alert. It decides from a table and calls nothing of this library. */
    bool (*admit)(void *context, enum qn_alpn alpn, const struct qn_public_key *key);
    void *context;
};

struct qn_session;
struct qn_session *qn_session_new(struct qn_tls *tls, const struct qn_session_options *options);
void qn_session_free(struct qn_session *session);
void qn_session_want_certificate(struct qn_session *session); /* before its first handshake */

/* At most QN_STREAM_READ_SIZE at a time; until it is open, a handshake behind each. */
void qn_session_feed(struct qn_session *session, struct qn_span ciphertext);
/* QN_OK once the peer is authenticated, QN_ERR_HELD while more bytes are needed. QN_ERR_DENIED: one
 * side refused the other's key or protocol; QN_ERR_UNSUPPORTED: no common version of TLS;
 * QN_ERR_INVALID: not TLS, or broken. */
enum qn_err QN_CHECKED qn_session_handshake(struct qn_session *session);
/* QN_ERR_HELD while more bytes are needed, QN_ERR_CLOSED after the peer's orderly end. */
enum qn_err QN_CHECKED qn_session_read(struct qn_session *session, uint8_t *out, size_t size,
                                       size_t *ret_size);
enum qn_err QN_CHECKED qn_session_write(struct qn_session *session, struct qn_span plaintext);
void qn_session_close(struct qn_session *session); /* says so to the peer */

/* Gives back the memory in which bytes came and went, if none are in it: OpenSSL keeps what it
 * needed at most, and there may be a thousand sessions that do nothing. Of an open one. */
void qn_session_rest(struct qn_session *session);

size_t qn_session_pending(const struct qn_session *session); /* bytes that take would give */
/* Moves at most `size` bytes of ciphertext out. */
size_t qn_session_take(struct qn_session *session, uint8_t *out, size_t size);

/* Valid once the handshake is done. */
enum qn_alpn qn_session_alpn(const struct qn_session *session);
const struct qn_public_key *qn_session_peer(const struct qn_session *session);
/* SHA-256 of the certificate that the other side showed; false: none. */
bool qn_session_certificate(const struct qn_session *session, uint8_t ret_fingerprint[32]);
/* RFC 8446, 7.5, label "EXPORTER-quoin-join", no context: the same at both ends and nowhere else.
 */
void qn_session_exporter(const struct qn_session *session, uint8_t out[QN_EXPORTER_SIZE]);
/* A short English cause of the last error; never NULL. */
const char *qn_session_detail(const struct qn_session *session);
