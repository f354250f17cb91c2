/* Peers: listening, dialling, mutual TLS 1.3 and frames (docs/protocol.md, sections 3 and 4).
 *
 * net knows keys, not sites: it is handed the table of admitted public keys, refuses every other
 * key before a byte of the application is read, and tells its owner who is at the other end. It
 * decides nothing: whom to dial, when to retry, and which of two connections to keep is the core's.
 *
 * The side that accepted opens with a welcome (proto/frame.h), and the dialler's on_up waits for
 * it: so on_up means, on both sides, that both keys were accepted.
 *
 * Everything runs on the loop thread. Callbacks may call any function of this header, also to close
 * the very link or the net; a link is named by a token that is never used again, so a late call is
 * harmless.
 */
#pragma once

#include "base/buf.h"
#include "crypto/key.h"
#include "loop/loop.h"

struct qn_stream;            /* stream/stream.h */
typedef uint64_t qn_link_id; /* slot | generation << 32; 0 names none */

enum qn_net_kind {
    QN_NET_MEMBER,   /* ALPN quoin/1: both keys are in the ledger */
    QN_NET_GUEST,    /* ALPN quoin-guest/1: the dialler's key is not known yet */
    QN_NET_BULK,     /* ALPN quoin-bulk/1: as a member; it gives way to all others */
    QN_NET_WEB,      /* ALPN quoin-web/1: as a member; no frames: see qn_net_take */
    QN_NET_WEB_BACK, /* ALPN quoin-web-back/1: likewise; who accepts is the HTTP client */
};

struct qn_net_peer {
    enum qn_net_kind kind;
    bool is_dialled;          /* this side opened the connection */
    struct qn_public_key key; /* proven by the TLS handshake */
    uint8_t exporter[32];     /* RFC 8446 exporter, label "EXPORTER-quoin-join" */
    const char *address;      /* numeric remote address and port; valid during the callback */
};

struct qn_net_callbacks {
    void (*on_up)(void *context, qn_link_id link, uint64_t dial_token,
                  const struct qn_net_peer *peer);
    /* One whole frame, without its length; borrowed for the call. */
    void (*on_frame)(void *context, qn_link_id link, struct qn_span frame);
    /* After on_up, exactly once. `reason` is QN_ERR_CLOSED for an orderly end, or when the other
     * side is gone; QN_ERR_TIMEOUT for a dead line or a guest's time; QN_ERR_DENIED for a key that
     * is admitted no more; QN_ERR_LIMIT, QN_ERR_INVALID for a peer that broke the rules, LIMIT also
     * for a link that made room for a newer one. */
    void (*on_down)(void *context, qn_link_id link, enum qn_err reason);
    /* A dial that did not reach on_up. `detail` is a short English cause for the log. */
    void (*on_dial_failed)(void *context, uint64_t dial_token, enum qn_err reason,
                           const char *detail);
    /* The bytes queued on this link fell below QN_NET_QUEUE_LOW again (for an accepted guest: half
     * of QN_GUEST_SLOT_SIZE_MAX). */
    void (*on_drain)(void *context, qn_link_id link);
};

struct qn_net_options {
    const uint8_t *seed; /* QN_SEED_SIZE bytes, copied: the site's Ed25519 key */
    struct qn_net_callbacks callbacks;
    void *context;
};

struct qn_net;
enum qn_err QN_CHECKED qn_net_new(struct qn_loop *loop, const struct qn_net_options *options,
                                  struct qn_net **ret_net);
/* Closes all links without callbacks (it waits for names that are being resolved), then calls
 * `on_closed` when the last handle is gone; the object is freed right before. */
void qn_net_close(struct qn_net *net, void (*on_closed)(void *context), void *context);

/* Listens on "ADDR:PORT" or "[V6]:PORT" (port 0: any; then ask qn_net_listen_address). */
enum qn_err QN_CHECKED qn_net_listen(struct qn_net *net, const char *address);
/* Why the last qn_net_listen failed, for the log: "EADDRINUSE: address already in use". */
const char *qn_net_error_text(const struct qn_net *net);
/* The bound "ADDR:PORT"; NULL when not listening. Borrowed from net. */
const char *qn_net_listen_address(const struct qn_net *net);

/* Replaces the admitted keys (copied). Links of keys that are not in it any more are cut; on_down
 * follows, not from inside this call. Guests that are up already stay until their time is over.
 * `allows_guests`: whether quoin-guest/1 is offered to those who connect. */
void qn_net_admit(struct qn_net *net, const struct qn_public_key *keys, size_t count,
                  bool allows_guests);

/* Opens a connection to "HOST:PORT" (name or number). A member dial requires the peer to prove
 * `expected`, or any admitted key if NULL; a guest dial takes any key: its owner verifies.
 * Answers with on_up or on_dial_failed, never from inside this call. */
void qn_net_dial(struct qn_net *net, const char *address, enum qn_net_kind kind,
                 const struct qn_public_key *expected, uint64_t token);

/* Inside on_up of a link of kind WEB or WEB_BACK: its stream, the caller's from then on
 * (qn_stream_move it); the link is gone, without on_down. One that is not taken there is closed. */
struct qn_stream *qn_net_take(struct qn_net *net, qn_link_id link);

/* Queues one frame (copied); small ones are gathered into one TLS record and one write per loop
 * turn. QN_ERR_CLOSED if the link is gone, QN_ERR_LIMIT above QN_NET_QUEUE_MAX queued bytes (to an
 * accepted guest: QN_GUEST_SLOT_SIZE_MAX) or for a frame larger than the other side takes,
 * QN_ERR_INVALID for an empty one. */
enum qn_err QN_CHECKED qn_net_send(struct qn_net *net, qn_link_id link, struct qn_span frame);
size_t qn_net_queued(const struct qn_net *net, qn_link_id link);
/* Stops reading from a link, or goes on in the next turn: how an owner that cannot keep up slows
 * its peer down. At most one more read of the system's is held meanwhile. The
 * peer's end is not seen during a pause, unless something is being sent. */
void qn_net_pause(struct qn_net *net, qn_link_id link, bool is_paused);
/* Ends a link after what is queued was written (at most 1 s); on_down follows. */
void qn_net_close_link(struct qn_net *net, qn_link_id link);

struct qn_net_counters {
    uint64_t bytes_in, bytes_out, links_up, unknown_keys_refused, handshakes_failed, evicted;
};
void qn_net_count(const struct qn_net *net, struct qn_net_counters *ret_counters);
