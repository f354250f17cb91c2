/* HTTPS for people: the listener, its routes, and what the application lends.
 *
 *   client ── TLS ── connection ── route ── door (who?) ── handler: dav | api | page
 *                                                             │
 *               people, folders, records, search of the host ─┘
 *
 * The room sees neither core nor store: all that it asks goes through struct qn_serve_host. Loop
 * thread.
 */
#pragma once

#include "base/local.h"
#include "files/folder.h"
#include "loop/loop.h"
#include "serve/certificate.h"
#include "serve/config.h"
#include "serve/door.h"
#include "serve/route.h"

/* The answer to a command of docs/control.md: data*, then end or error; as msgpack. */
struct qn_serve_answer {
    enum { QN_SERVE_DATA, QN_SERVE_END, QN_SERVE_ERROR } kind;
    struct qn_span data;
    enum qn_err err;
    const char *code, *object; /* of an error */
};

struct qn_audit_what;
struct qn_public_key;
struct qn_stream;
struct qn_serve_host {
    void *context;
    const struct qn_local *local;
    /* Runs a command for a person, as if it came over the control socket; `user` stands in the
     * history. The answers come later, never from inside. Returns a token for cancel. */
    uint64_t (*command)(void *context, const char *command, struct qn_span args,
                        struct qn_span user,
                        void (*answer)(void *answer_context, const struct qn_serve_answer *answer),
                        void *answer_context);
    /* What has come so far waits, and what makes it stops, until it is taken back. */
    void (*pause)(void *context, uint64_t token, bool is_paused);
    void (*cancel)(void *context, uint64_t token); /* no answer comes any more */
    /* A folder of this site by name; NULL: none, or it is elsewhere. To be held by who keeps it. */
    struct qn_folder *(*folder)(void *context, struct qn_span name);
    /* Those of this site and those of others that this one is a member of. */
    void (*each_folder)(void *context, void (*each)(void *, struct qn_span name),
                        void *each_context);

    /* ---- folders of other sites; all NULL: there are none ---- */
    /* Whether the home of that folder is another site, its name (borrowed until the loop turns),
     * and whether that one is connected. */
    bool (*elsewhere)(void *context, struct qn_span folder, const char **ret_site,
                      bool *ret_is_online);
    /* Connects to a site: qn_serve_dialled with that token comes later, never from inside. False:
     * there is no way to it. */
    bool (*dial)(void *context, const char *site, uint64_t token);
    /* The present member with that key; NULL: none. Borrowed as above. */
    const char *(*member)(void *context, const struct qn_public_key *key);
    /* Whether that member shares the folder. */
    bool (*shares)(void *context, const struct qn_public_key *key, struct qn_span folder);

    /* The audit trail (people/audit.h): QN_OK, or it does not take the note. NULL: there is none.
     */
    enum qn_err (*note)(void *context, const struct qn_audit_what *what);
    /* The same; if QN_OK, `done` comes once, later: QN_OK when it is durable. NULL as `note` is. */
    enum qn_err (*note_durably)(void *context, const struct qn_audit_what *what,
                                void (*done)(void *done_context, enum qn_err err),
                                void *done_context);
    enum qn_err (*note_state)(void *context); /* whether it would take one; NULL: it would */
    uint64_t (*now_ms)(void *context);        /* monotonic */
    uint64_t (*wall_ms)(void *context);       /* since 1970 */
    void (*random)(void *out, size_t size);
    void (*log)(void *context, int level, const char *text);
};

/* Who judges who it is; door.h. `ask` NULL: nobody is known. */
struct qn_serve_door {
    uint64_t (*ask)(void *context, const struct qn_http_head *head, const char *from,
                    qn_door_fn done, void *done_context);
    void (*forget)(void *context, uint64_t token);
    /* Begins a session. The texts are copied. As `ask`: a token for `forget`, 0 if it is done. */
    uint64_t (*sign_in)(void *context, const struct qn_sign_in_what *what, qn_sign_in_fn done,
                        void *done_context);
    void (*sign_out)(void *context, const struct qn_http_head *head); /* that of the cookie */
    /* For QN_DOOR_DEVICE_COOKIE: what the browser is known by that this person signed in with. NULL
     * or false: nothing. */
    bool (*device)(void *context, const struct qn_person *person,
                   char ret_device[QN_DOOR_SECRET_SIZE + 1]);
    /* The token of the session whose cookie came with the request; false: none did. */
    bool (*session_token)(void *context, const struct qn_http_head *head,
                          char ret_token[QN_DOOR_SECRET_SIZE + 1]);
    void *context;
};

enum qn_serve_log_level {
    QN_SERVE_LOG_ERROR,
    QN_SERVE_LOG_WARNING,
    QN_SERVE_LOG_INFO,
    QN_SERVE_LOG_DEBUG
};

struct qn_dav; /* dav.h */
struct qn_serve_options {
    struct qn_loop *loop;
    const struct qn_serve_host *host; /* borrowed, as all below */
    struct qn_serve_door door;
    const struct qn_people *people; /* what they may; NULL: nothing */
    struct qn_dav *dav;      /* dav.h; closed by its owner, after this room. NULL: no WebDAV */
    struct qn_routes routes; /* none: qn_serve_routes */
    const char *state_dir;   /* the authority is kept in DIR/authority/ */
    const char *site;        /* its name */
    unsigned tick_ms;        /* between two looks at the clock; 0: 500 */
};

/* For handlers. */
const struct qn_serve_host *qn_web_host(const struct qn_web_request *request);
const struct qn_people *qn_web_people(const struct qn_web_request *request);
const struct qn_serve_door *qn_web_door(const struct qn_web_request *request);

struct qn_serve;
struct qn_serve *qn_serve_new(const struct qn_serve_options *options);
/* What holds from now on: listeners come and go, connections that are up stay. What cannot be done
 * (an address in use, a certificate that cannot be read) is logged, tried again each minute, and
 * shown by the status. */
void qn_serve_configure(struct qn_serve *serve, const struct qn_serve_config *config);
/* No new connections or requests; those under way go on. */
void qn_serve_stop(struct qn_serve *serve);
/* Ends all; `on_closed` comes after the last handle is gone, when `serve` is freed. Not from inside
 * a callback of this room's. */
void qn_serve_close(struct qn_serve *serve, void (*on_closed)(void *context), void *context);

/* A connection by ALPN quoin-web/1 (docs/protocol.md, section 11) that is up: HTTP of another site,
 * which proved that key, for its people. Also where there are no listeners. The stream is the
 * room's. */
void qn_serve_take_peer(struct qn_serve *serve, struct qn_stream *take_stream,
                        const struct qn_public_key *key);
/* What became of host->dial: the stream, the room's; or NULL. A token that nobody waits for any
 * more is fine. */
void qn_serve_dialled(struct qn_serve *serve, uint64_t token, struct qn_stream *take_stream);

/* A question of this site's own to another one, for a person here who may read the folder of the
 * target: GET, `target` as it stands in the request. `done` comes once, maybe from inside: QN_OK
 * with status and content, both borrowed; QN_ERR_CLOSED: there is no way to that site; _TIMEOUT;
 * _INVALID, _LIMIT: of its answer; _BUSY. */
struct qn_serve_question {
    const char *site;
    struct qn_span target, person;
};
typedef void qn_serve_reply_fn(void *context, enum qn_err err, unsigned status,
                               struct qn_span content);
void qn_serve_ask(struct qn_serve *serve, const struct qn_serve_question *what,
                  qn_serve_reply_fn *done, void *context);

/* The same: files in a folder of another site, by their names. */
struct qn_serve_search {
    const char *site;
    struct qn_span folder, person, words; /* a name of at most QN_NAME_SIZE_MAX */
    uint64_t limit;
};
struct qn_serve_found {
    struct qn_buf hits; /* `count` maps, as data of `search` (docs/control.md) */
    uint64_t count;
    bool is_indexing; /* something may be missing */
};
/* `found` is borrowed, and empty but on QN_OK. QN_ERR_DENIED: that site refuses. */
typedef void qn_serve_found_fn(void *context, enum qn_err err, const struct qn_serve_found *found);
void qn_serve_search(struct qn_serve *serve, const struct qn_serve_search *what,
                     qn_serve_found_fn *done, void *context);

/* For `syncctl serve status`. */
struct qn_serve_listener_status {
    const char *address, *error; /* "": it listens */
};
struct qn_serve_status {
    struct qn_serve_listener_status listeners[QN_WEB_LISTENERS_MAX];
    size_t listener_count, connection_count;
    uint64_t request_count, refused_count; /* connections over a limit or from a public address */
    struct qn_certificate_status certificate;
};
void qn_serve_status(const struct qn_serve *serve, struct qn_serve_status *ret_status);
