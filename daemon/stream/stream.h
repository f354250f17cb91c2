/* A TLS 1.3 stream over TCP, on libuv.
 *
 *   CONNECTING --tcp--> SHAKING --tls--> UP --qn_stream_close--> DRAINING --written--> SHUT
 *        |                 |              |                          |                   |
 *        +-----------------+--------------+---- error, end, abort ---+-------------------+-->
 * CLOSED
 *
 * Invariants
 * - on_up comes after the peer proved its key and `admit` took it; no byte of the peer's is read
 *   before that.
 * - on_down is the last callback of a stream and comes exactly once, unless the owner aborted it:
 *   then nothing comes any more. No callback comes from inside a call of the owner's, except
 * `admit`.
 * - Every queue has a limit: QN_NET_QUEUE_MAX bytes wait to be sent, of which QN_STREAM_FLIGHT_MAX
 *   are ciphertext in libuv's hands; while the owner pauses, at most one read is kept.
 * - What is sent during one turn of the loop leaves together: as full records, in one write.
 *
 * Lifetime: a stream belongs to itself. The owner may use the pointer until on_down is called or it
 * called qn_stream_abort; the memory goes in libuv's close callback, later. Loop thread.
 */
#pragma once

#include "base/span.h"
#include "crypto/key.h"
#include "loop/loop.h"
#include "stream/address.h"
#include "stream/session.h"

struct qn_stream;
struct qn_listener;

/* `tag` is what the owner gave the stream: a token, so that nothing here points to its objects. */
struct qn_stream_callbacks {
    /* Inside the handshake: decide from a table and call nothing. Not of people, who prove no key:
     * NULL. */
    bool (*admit)(void *context, uint64_t tag, enum qn_alpn alpn, const struct qn_public_key *key);
    void (*on_up)(void *context, uint64_t tag);
    /* There may be something to read: call qn_stream_read until it gives 0, or stop early and
     * pause. */
    void (*on_readable)(void *context, uint64_t tag);
    void (*on_written)(void *context, uint64_t tag); /* fewer bytes are queued than before */
    /* QN_ERR_CLOSED: the other side is gone, in order or not. `detail` is borrowed for the call. */
    void (*on_down)(void *context, uint64_t tag, enum qn_err reason, const char *detail);
    /* A listener has one: take it with qn_stream_accept, now. */
    void (*on_connection)(void *context, struct qn_listener *listener);
};

/* What the streams of one loop share: identity, callbacks, the read buffer. */
struct qn_stream_host;
struct qn_stream_host_options {
    const uint8_t *seed;          /* QN_SEED_SIZE bytes, not kept; or else */
    struct qn_tls *take_tls;      /* the host's from then on, also if it fails; neither of them: a
                                     host of streams that are moved to it */
    unsigned unacked_time_max_ms; /* a line on which nothing is taken is dead then; 0: 30 s */
    struct qn_stream_callbacks callbacks;
    void *context;
};
enum qn_err QN_CHECKED qn_stream_host_new(struct qn_loop *loop,
                                          const struct qn_stream_host_options *options,
                                          struct qn_stream_host **ret_host);
/* The owner has aborted its streams and freed its listeners before. Frees the host once their last
 * handle is gone, then calls on_closed. */
void qn_stream_host_close(struct qn_stream_host *host, void (*on_closed)(void *context),
                          void *context);
/* For the sessions that begin from now on. */
void qn_stream_host_take_tls(struct qn_stream_host *host, struct qn_tls *tls);
/* Ciphertext, since the host was made. */
void qn_stream_host_count(const struct qn_stream_host *host, uint64_t *ret_bytes_in,
                          uint64_t *ret_bytes_out);
/* Of the last call that failed: the system's name for it and its words; "" before. */
const char *qn_stream_host_error(const struct qn_stream_host *host);

enum qn_err QN_CHECKED qn_listener_new(struct qn_stream_host *host, const union qn_address *address,
                                       struct qn_listener **ret_listener);
void qn_listener_free(struct qn_listener *listener); /* accepts NULL */
enum qn_err QN_CHECKED qn_listener_address(const struct qn_listener *listener,
                                           union qn_address *ret_address);

/* `alpn` is what is asked for. */
enum qn_err QN_CHECKED qn_stream_dial(struct qn_stream_host *host, const union qn_address *address,
                                      enum qn_alpn alpn, uint64_t tag,
                                      struct qn_stream **ret_stream);
enum qn_err QN_CHECKED qn_stream_accept(struct qn_listener *listener, bool allows_guests,
                                        uint64_t tag, struct qn_stream **ret_stream);
/* For people, right after it was accepted: who shows no certificate that an authority of the host's
 * TLS signed does not come up. */
void qn_stream_want_certificate(struct qn_stream *stream);

/* Gives a stream that is up to another host of the same loop, with another tag: its callbacks go
 * there from now on, and what has come already is told in the next turn. From any callback but
 * on_down and `admit`. */
void qn_stream_move(struct qn_stream *stream, struct qn_stream_host *host, uint64_t tag);

/* At most `size` decrypted bytes; 0: nothing now. Only inside on_readable. */
size_t qn_stream_read(struct qn_stream *stream, uint8_t *out, size_t size);
/* No more on_readable until it is taken back; then it comes in the next turn. */
void qn_stream_pause(struct qn_stream *stream, bool is_paused);

/* Queues head and body, copied. QN_ERR_LIMIT if they do not fit into QN_NET_QUEUE_MAX any more,
 * QN_ERR_STATE unless the stream is up. */
enum qn_err QN_CHECKED qn_stream_send(struct qn_stream *stream, struct qn_span head,
                                      struct qn_span body);
size_t qn_stream_queued(const struct qn_stream *stream);
/* Nothing is expected for a while: gives back the memory that is empty. It goes on as before when
 * something comes. */
void qn_stream_rest(struct qn_stream *stream);

/* Of a stream that is up: sends what is queued and says goodbye, reads nothing any more; on_down
 * follows with QN_ERR_CLOSED when the peer has answered. The owner bounds the time by an abort. */
void qn_stream_close(struct qn_stream *stream);
/* At once, without a callback. Accepts NULL. */
void qn_stream_abort(struct qn_stream *stream);

/* Of a stream that is up. */
enum qn_alpn qn_stream_alpn(const struct qn_stream *stream);
const struct qn_public_key *qn_stream_peer(const struct qn_stream *stream);
/* The SHA-256 of the certificate that a person showed; false: they showed none. */
bool qn_stream_certificate(const struct qn_stream *stream, uint8_t ret_fingerprint[32]);
void qn_stream_exporter(const struct qn_stream *stream, uint8_t out[QN_EXPORTER_SIZE]);
/* The other side's; of family 0 if it is gone already. */
void qn_stream_address(const struct qn_stream *stream, union qn_address *ret_address);
void qn_stream_print_address(const struct qn_stream *stream, char out[QN_ADDRESS_TEXT_SIZE]);
