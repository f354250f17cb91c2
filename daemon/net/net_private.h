/* What the files of net share. Loop thread.
 *
 * dialled   RESOLVING -> DIALLING <-> WAITING -> UP        DIALLING again for each address of a
 * name accepted  SHAKING ---------------------------> UP either    UP -> CLOSING (what is queued is
 * being written) -> gone UP, CLOSING -> ENDED (the stream is gone, on_down is due) -> gone
 *
 * Every function that may have called the owner back leaves the link's pointer worthless: look it
 * up again by its id.
 */
#pragma once

#include "base/limits.h"
#include "base/vec.h"
#include "net/net.h"
#include "proto/frame.h"
#include "stream/stream.h"

enum qn_link_state {
    QN_LINK_RESOLVING, /* its name */
    QN_LINK_DIALLING,  /* between two addresses, TCP or TLS */
    QN_LINK_WAITING,   /* for the welcome */
    QN_LINK_SHAKING,   /* accepted, not authenticated */
    QN_LINK_UP,
    QN_LINK_CLOSING,
    QN_LINK_ENDED,
};

struct qn_dial {
    uint64_t token;
    bool has_expected;
    struct qn_public_key expected;
    struct qn_endpoint endpoint;
    union qn_address addresses[QN_DIAL_ADDRESSES_MAX];
    size_t count, next;
    uint64_t deadline_ms;
    enum qn_err err; /* of the address that tells most */
    char detail[96];
};

struct qn_link {
    struct qn_net *net;
    qn_link_id id;
    uint64_t age; /* counts up: the smaller is the older */
    enum qn_link_state state;
    enum qn_net_kind kind; /* of a dialled one from the start, of an accepted one once it is up */
    struct qn_public_key key; /* once it is up */
    struct qn_stream *stream; /* NULL before the first and after the last */
    struct qn_timer *timer;   /* what it means is told by the state */
    struct qn_dial *dial;     /* NULL for an accepted one */
    struct qn_frame_reader reader;
    uint8_t welcome[QN_WELCOME_SIZE];
    size_t welcome_size;
    bool is_paused;
    bool was_above_low;   /* on_drain is owed */
    enum qn_err reason;   /* ENDED: to tell */
    uint64_t deadline_ms; /* accepted guests: the end of their time */
};

struct qn_late_failure {
    uint64_t token;
    enum qn_err err;
};

struct qn_net {
    struct qn_loop *loop;
    struct qn_net_callbacks callbacks;
    void *context;
    struct qn_stream_host *host;
    struct qn_listener *listener;
    char listen_address[QN_ADDRESS_TEXT_SIZE];
    char error[128];
    struct {
        uint64_t handshake_ms, guest_ms, dial_ms, dial_address_ms, close_ms;
    } times; /* from limits.h; tests shorten them */

    struct qn_link *links[QN_LINKS_MAX];
    uint32_t generations[QN_LINKS_MAX];
    uint64_t age;
    QN_VEC(struct qn_late_failure) late; /* dials that found no slot */
    struct qn_timer *late_timer;

    QN_VEC(struct qn_public_key) admitted; /* sorted */
    bool allows_guests;
    struct qn_net_counters counters;

    size_t resolve_count;
    bool is_closing, is_host_closed;
    void (*on_closed)(void *context);
    void *closed_context;
};

/* table.c: slots and their ids */
struct qn_link *qn_net_find(const struct qn_net *net, qn_link_id id);
struct qn_link *qn_link_new(struct qn_net *net, enum qn_link_state state); /* NULL: all taken */
void qn_link_release(struct qn_link *link); /* aborts what is under way, calls nobody */
typedef bool qn_link_match(const struct qn_link *link, const void *argument);
/* The oldest link that matches, if at least `count_max` do: the one that has to make room. */
struct qn_link *qn_net_oldest_above(struct qn_net *net, size_t count_max, qn_link_match *match,
                                    const void *argument);

/* link.c */
bool qn_link_is_told(const struct qn_link *link); /* on_up was called: on_down is owed */
/* The rest of these may call the owner. */
void qn_link_end(struct qn_link *link, enum qn_err reason);
void qn_link_end_later(struct qn_link *link, enum qn_err reason); /* calls from the next turn */
void qn_link_timed_out(void *link);
void qn_net_on_up(void *net, uint64_t tag);
void qn_net_on_readable(void *net, uint64_t tag);
void qn_net_on_written(void *net, uint64_t tag);
void qn_net_on_down(void *net, uint64_t tag, enum qn_err reason, const char *detail);

/* dial.c */
void qn_dial_attempt_failed(struct qn_link *link, enum qn_err err, const char *detail);
void qn_dial_timed_out(struct qn_link *link);
void qn_net_tell_late(void *net);

/* listen.c */
void qn_net_on_connection(void *net, struct qn_listener *listener);

/* net.c */
bool qn_net_admits(const struct qn_net *net, const struct qn_link *link, enum qn_alpn alpn,
                   const struct qn_public_key *key);
void qn_net_finish(struct qn_net *net); /* frees it if it is closing and nothing is left */
