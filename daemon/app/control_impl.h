/* Inside the control socket: what its files share. control.c is the listener and its life,
 * control_client.c a connection and its frames, control_judge.c who may ask for what,
 * control_request.c what is asked and answered, control_local.c commands from inside the daemon.
 *
 *   qn_control ── client   one per connection or local command; ends by itself, or with the socket
 *                   └── request   under way: the core answers it, or a stream goes on with it
 */
#pragma once

#include <uv.h>

#include "app/control.h"
#include "app/stream_view.h"

struct request {
    uint64_t token;            /* the daemon's name of it */
    uint64_t id;               /* the client's */
    struct qn_stream *stream;  /* reads the store; NULL: not so */
    struct qn_view *view;      /* reads the vault; NULL: not so. Neither: the core answers */
    struct control_note *note; /* for the trail, when the core has answered; NULL: none */
};

struct local;        /* control_local.c */
struct control_note; /* control_trail.c */

struct noted {        /* in the trail, of one connection or of all together */
    uint64_t full_ms; /* what notes have used up is whole again then */
    uint64_t missed;  /* since the last note */
};

struct client {
    uv_pipe_t pipe;      /* not of a local one */
    struct local *local; /* a command from inside the daemon; NULL: a connection */
    struct qn_control *control;
    struct qn_caller caller;
    struct noted noted;
    struct qn_buf in;
    size_t queued; /* bytes that are being written */
    QN_VEC(struct request) requests;
    bool is_reading, is_closing;
};

struct qn_control {
    struct qn_control_options options;
    struct qn_driver *driver;
    char path[108];
    struct qn_ranks ranks;
    struct noted refusals; /* of all clients together */
    uv_pipe_t listener;
    struct qn_timer *again; /* a turn for all clients, outside of any step */
    QN_VEC(struct client *) clients;
    size_t local_count; /* of them */
    uint64_t next_token;
    size_t open_handles;
    bool is_stopping;
    void (*on_closed)(void *context);
    void *context;
    char chunk[64 * 1024]; /* of whichever connection reads now */
};

/* ---- control.c ---- */
void control_handle_gone(struct qn_control *control); /* the last one frees it */

/* ---- control_client.c ---- */
/* Takes the next connection of the listener. */
void control_accept(struct qn_control *control);
void client_close(struct client *client);
void client_send(struct client *client, struct qn_span frame);
/* Whole frames with their lengths, taken. */
void client_send_frames(struct client *client, struct qn_buf *take_frames);
/* Frames that were sent (taken): a view may fill their memory again. */
void client_reuse(struct client *client, struct qn_buf *take_frames);
/* It can take answers; false: nothing more is read for it or asked by it until it reads. */
bool client_has_room(const struct client *client);
void client_set_reading(struct client *client);
/* What a client may do now: requests that wait in its buffer, then a slice of a stream. */
void client_take_turn(struct client *client);

/* Out of the list, its requests released: first part of closing one. */
void client_detach(struct client *client);

/* ---- control_local.c ---- */
void control_local_send(struct client *client, struct qn_buf *take_frames);
void local_take_turn(struct client *client);
void control_local_close(struct client *client);
bool local_has_room(const struct client *client);

/* ---- control_judge.c ---- */
enum qn_rank control_rank(const struct client *client);
/* Whether it may ask for that; a refusal is noted here. */
enum qn_err QN_CHECKED control_judge(struct client *client, struct qn_span command,
                                     struct qn_span args, struct qn_refusal *refusal);

/* ---- control_trail.c ---- */
/* So many notes at once, then one each so often. */
struct noted_pace {
    unsigned burst, every_ms;
};
/* False: not now, and that is counted; the next note says how many. */
bool noted_may(struct noted *noted, const struct noted_pace *pace);
/* The control has its staff. */
void noted_write(const struct qn_control *control, struct noted *noted,
                 const struct qn_audit_what *what);
/* What is to be noted of a request when it ends; NULL: nothing. */
struct control_note *control_note_new(const struct client *client, struct qn_span command,
                                      struct qn_span args);
/* Accepts NULL. `result`: "ok", a code, "left". */
void control_note_end(struct client *client, struct control_note *take_note, const char *result);
void control_notes_close(struct client *client);

/* ---- control_request.c ---- */
void request_release(struct request *request); /* what it reads with */
void request_take_frame(struct client *client, struct qn_span frame);
void client_start_request(struct client *client, uint64_t id, struct qn_span command,
                          struct qn_span args);
/* What came cannot be a request: the connection ends. */
void request_drop_hostile(struct client *client);
/* A slice of the first stream, if the client reads: others want the loop too. */
void request_run_streams(struct client *client);
