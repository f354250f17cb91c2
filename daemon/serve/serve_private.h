/* Inside serve: what its files share.
 *
 *   qn_serve ── listener*
 *            ├─ connection*   one TLS stream; has one request at a time
 *            └─ qn_remote     connections to other sites, to which requests are forwarded
 *
 * serve.c: listeners, time. serve_room.c: who is let in. connection.c: a connection's life.
 * connection_head.c: the heads that come in, the door. body.c: the way of a body to the handler.
 * answer.c: the way out. peer.c: connections of other sites. remote.c: connections to them.
 *
 * A connection moves in `connection_pump` only, which is called from the loop: by its stream, by
 * the clock, and behind every call of a handler's (connection_later). So no callback comes from
 * inside a call of the handler's, and a handler may call anything from anywhere.
 */
#pragma once

#include "http/body.h"
#include "people/people.h"
#include "serve/clients.h"
#include "serve/door.h"
#include "serve/serve.h"
#include "stream/node.h"
#include "stream/stream.h"

enum connection_state {
    CONNECTION_SHAKING, /* TLS is not up */
    CONNECTION_HEAD,    /* a request's head is awaited */
    CONNECTION_DOOR,    /* who is it? */
    CONNECTION_RUN,     /* a handler, or the engine itself, answers */
    CONNECTION_DISCARD, /* the answer is out; the rest of the body is read over */
    CONNECTION_CLOSING, /* the last bytes go out */
};

struct qn_web_request {
    struct connection *connection;
    const struct qn_web_handler *handler; /* NULL: the engine itself answers */
    void *state;
    struct qn_buf head_bytes; /* what `head` borrows from */
    struct qn_http_head head;
    struct qn_buf path; /* decoded */
    struct qn_span rest, query;
    bool has_slash;
    struct qn_person person;
    bool has_person;

    /* the body */
    struct qn_http_body body;
    bool has_body, wants_body, is_body_paused, body_done, body_end_told, has_sent_continue;
    uint64_t step_left; /* of QN_WEB_BODY_STEP, until the time for the next begins */

    /* the answer */
    struct qn_buf out;
    unsigned status;
    uint64_t size, sent; /* of the content; QN_HTTP_NO_LENGTH: in chunks or to the end */
    bool head_started, head_ended, is_finished, is_cut, is_chunked, wants_room;
};

struct connection {
    struct qn_serve *serve;
    struct qn_stream *stream; /* NULL: gone */
    uint64_t tag, door_token;
    union qn_address address;
    char from[QN_ADDRESS_TEXT_SIZE];
    enum connection_state state;
    bool is_pumping, keeps_alive, has_verdict, is_reused;
    bool is_resting;                          /* its buffers were given back */
    bool is_peer;                             /* another site's, for its people, */
    struct qn_public_key peer;                /* with that key */
    bool has_certificate;                     /* of a person's, who came from the internet, */
    uint8_t certificate[QN_FINGERPRINT_SIZE]; /* with that fingerprint */
    enum qn_door_verdict verdict;
    unsigned retry_s;
    uint64_t since_ms;    /* when it came in, or its last answer was out */
    uint64_t deadline_ms; /* UINT64_MAX: none */
    size_t queued;        /* when the answer last moved */
    struct qn_node later;
    struct qn_buf in;
    size_t in_at; /* what of `in` is used up */
    struct qn_web_request request;
};

struct listener {
    struct qn_listener *tcp; /* NULL: see `error` */
    char address[QN_ADDRESS_SIZE_MAX + 1];
    char error[96];
    bool is_kept;
};

struct page;
struct qn_serve {
    struct qn_serve_options options;
    struct qn_serve_config config;
    struct qn_stream_host *host; /* NULL until there is a certificate */
    struct qn_stream_host *peer_host;
    struct qn_remote *remote;
    unsigned closing; /* hosts and the like that are not gone yet */
    struct qn_page *page;
    struct qn_certificates *certificates;
    struct qn_clients *clients;
    struct listener listeners[QN_WEB_LISTENERS_MAX];
    size_t listener_count;
    struct connection *connections[QN_WEB_CONNECTIONS_MAX];
    size_t connection_count;
    size_t crowd;   /* the most of them since memory was given back */
    size_t resting; /* that have come to rest since then */
    uint64_t next_tag, refused_count, request_count;
    uint8_t read_buffer[QN_WEB_IN_MAX]; /* of the connection that is being read */
    struct qn_timer *later, *tick;
    struct qn_node to_pump;
    uint64_t tend_ms; /* when listeners and certificate are looked at again */
    bool is_stopping;
    void (*on_closed)(void *context);
    void *closed_context;
};

/* ---- serve.c ---- */
uint64_t serve_now_ms(const struct qn_serve *serve);
__attribute__((format(printf, 3, 4))) void serve_log(const struct qn_serve *serve, int level,
                                                     const char *format, ...);
extern const struct qn_stream_callbacks serve_callbacks; /* of connections of people */
uint64_t serve_free_tag(struct qn_serve *serve);
void serve_keep_time(struct qn_serve *serve); /* something waits, maybe as the only thing here */
void serve_add(struct connection *connection);
void serve_print_host(const union qn_address *address, char out[QN_ADDRESS_TEXT_SIZE]);
void serve_forget(struct connection *connection);                          /* it is freed */
struct connection *serve_find(const struct qn_serve *serve, uint64_t tag); /* NULL: gone */

/* ---- serve_room.c ---- */
/* IPv4: one address; IPv6: one /64. */
bool serve_is_same_client(const union qn_address *a, const union qn_address *b);
bool serve_may_come(const struct qn_serve *serve, const union qn_address *address);
/* Whoever comes from there has to show a certificate. */
bool serve_wants_certificate(const struct qn_serve *serve, const union qn_address *address);
bool serve_make_room(struct qn_serve *serve); /* false: all places are taken */
/* For one handshake more, from that address. */
void serve_make_room_to_shake(struct qn_serve *serve, const union qn_address *address);

/* ---- serve_listen.c ---- */
/* Once a minute: a certificate that is new, an address that could not be listened on. */
void serve_tend(struct qn_serve *serve, uint64_t now_ms);
/* Those of `config` from now on; serve_tend opens what is new. */
void serve_set_listeners(struct qn_serve *serve, const struct qn_serve_config *config);
/* That of the site's own, with what is wrong with people's. */
void serve_certificate_status(const struct qn_serve *serve,
                              struct qn_certificate_status *ret_status);
/* Its certificate is on the list of those that are good no more. */
bool serve_is_revoked(const struct connection *connection);

/* ---- connection.c ---- */
struct connection *connection_new(struct qn_serve *serve, uint64_t tag);
void connection_pump(struct connection *connection);
void connection_later(struct connection *connection);
void connection_on_up(struct connection *connection);
void connection_on_readable(struct connection *connection);
void connection_on_written(struct connection *connection);
void connection_gone(struct connection *connection); /* its stream is */
void connection_abort(struct connection *connection);
void connection_check_time(struct connection *connection, uint64_t now_ms);
/* Who asks nothing for some time holds no memory but what TLS needs to go on. True: it has just
 * come to rest. */
bool connection_rest(struct connection *connection, uint64_t now_ms);
/* Nothing of a request is there or under way. */
bool connection_is_idle(const struct connection *connection);
/* It may be ended when all places are taken: whoever has not shown who they are, or has had their
 * answer. Else slow bodies to pages that nobody need be known for would keep everybody out. */
bool connection_gives_way(const struct connection *connection);
struct qn_span connection_in(const struct connection *connection);
void connection_set_time(struct connection *connection, uint64_t time_ms);
/* The handler's `end`, once. */
void request_tell_end(struct qn_web_request *request, bool is_complete);

/* ---- connection_head.c ---- */
bool connection_step_head(struct connection *connection);
bool connection_step_door(struct connection *connection);
/* Answers, and ends the connection behind it. */
void connection_refuse(struct connection *connection, unsigned status, const char *code);

/* ---- peer.c ---- */
/* Who asks, by what the other site says: true, and the request has its person; else it is refused
 * already. */
bool peer_judge(struct connection *connection);
/* A request of a person's own that speaks as a site does. */
bool peer_is_forged(const struct qn_http_head *head);
void peer_check(struct connection *connection); /* ends that of a site that is no member any more */
/* "F" of "dav/F/a" and of "api/v1/folders/F/...", what is behind it, and whether it is of the API;
 * false: another path. */
struct folder_path {
    struct qn_span folder, rest;
    bool is_api;
};
bool peer_folder_path(struct qn_span path, struct folder_path *ret_path);

/* ---- body.c ---- */
void body_start(struct qn_web_request *request);
/* Gives the handler the next piece, or the end; false: nothing to do now. */
bool body_step(struct qn_web_request *request);
/* So many bodies of one person's, or from one address, are on their way that another has to wait:
 * slow ones would take all places. */
bool body_is_one_too_many(const struct qn_web_request *request);
/* Reads over what nobody wants. QN_ERR_HELD: more has to come; QN_ERR_LIMIT, QN_ERR_INVALID: the
 * connection has to end. */
enum qn_err QN_CHECKED body_discard(struct qn_web_request *request);
/* What is left of the body is short enough to be read over. */
bool body_may_be_discarded(const struct qn_web_request *request);

/* ---- answer.c ---- */
void web_field(struct qn_buf *out, const char *name, const char *value);
uint64_t web_sent(const struct qn_web_request *request);
void answer_challenge(struct qn_web_request *request, const char *code);
void answer_not_allowed(struct qn_web_request *request, unsigned methods);
/* 503: a site that cannot be reached. */
void answer_offline(struct qn_web_request *request, const char *site);
void answer_retry(struct qn_web_request *request, unsigned status, const char *code,
                  unsigned retry_s);
