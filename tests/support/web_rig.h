/* The HTTPS server of a test over 127.0.0.1, with a clock that the test sets, a certificate of an
 * authority in a folder of its own, a door that believes what it is told, and clients on TLS.
 *
 * The door: "X-Test-Door: person NAME" (any of the verdicts' words, else nobody); with
 * `is_door_slow` it answers only at web_rig_open_door.
 */
#pragma once

#include <openssl/ssl.h>

#include "serve/serve.h"
#include "support/span.h"
#include "support/tmp_dir.h"
#include "support/turns.h"

struct web_rig {
    struct qn_loop *loop;
    struct qn_serve *serve;
    struct qn_serve_host host;
    struct qn_serve_config config;
    struct tmp_dir dir;
    uint16_t port;
    uint64_t now_ms, wall_ms;
    bool is_closed, is_door_slow;
    size_t door_count, forgotten_count; /* asked; forgotten before they were answered */
    struct {
        qn_door_fn done;
        void *context;
        enum qn_door_verdict verdict;
        struct qn_person person;
    } waiting; /* at the slow door */
    char last_log[1024];
};

void web_rig_init(struct web_rig *rig, const struct qn_route *routes, size_t count);
/* With people, who are borrowed: without them nobody may see a folder. */
void web_rig_init_people(struct web_rig *rig, const struct qn_route *routes, size_t count,
                         const struct qn_people *people);
void web_rig_deinit(struct web_rig *rig); /* clients are freed before */
void web_rig_open_door(struct web_rig *rig);

struct web_client {
    struct web_rig *rig;
    SSL_CTX *context;
    SSL *ssl;
    int fd;
    struct qn_buf received; /* up to 64 MiB */
    bool is_up, is_gone;
};
struct web_client_options {
    const char *from; /* the address that it comes from; NULL: 127.0.0.1 */
    int version;      /* TLS1_2_VERSION; 0: any */
    const char *alpn; /* one name; NULL: none */
};
/* Connects TCP and begins TLS. */
void web_client_init(struct web_client *client, struct web_rig *rig,
                     const struct web_client_options *options);
void web_client_deinit(struct web_client *client);
/* One try to send from bytes, and to read what has come (unless it is full). Gives how much went
 * out. */
size_t web_client_turn(struct web_client *client, struct qn_span bytes, size_t read_max);
/* Turns until all went out. */
void web_client_send(struct web_client *client, struct qn_span bytes);
#define web_client_say(client, text) web_client_send(client, qn_span_str(text))

/* Turns loop and client until `condition`. */
#define web_until(client, condition)                                                               \
    do {                                                                                           \
        int turns_ = TURNS_MAX;                                                                    \
        while (!(condition) && turns_-- > 0) {                                                     \
            qn_loop_turn((client)->rig->loop);                                                     \
            web_client_turn((client), qn_span(NULL, 0), SIZE_MAX);                                 \
        }                                                                                          \
        cr_assert(condition, "never so: %s; received: %.*s", #condition,                           \
                  (int)((client)->received.size < 2000 ? (client)->received.size : 2000),          \
                  (const char *)(client)->received.data);                                          \
    } while (0)

/* Whether a whole answer (by Content-Length or in chunks; `is_head`: none) is received; gives its
 * status, takes it away and leaves its content in `out` (may be NULL). Turns until it is there. */
unsigned web_client_answer(struct web_client *client, bool is_head, struct qn_buf *out);
/* The value of a field of the answer that was taken last, "" if there is none; borrowed until the
 * next one. */
const char *web_client_field(const char *name);
