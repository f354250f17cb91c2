/* The engine's side of a request without sockets, for tests of handlers: what is asked is a text,
 * the answer is gathered, calls of the handler's come back later (fake_web_turn). And a host whose
 * answers to commands a test gives.
 */
#pragma once

#include "base/vec.h"
#include "people/people.h"
#include "serve/serve.h"

struct fake_command {
    char name[64];
    struct qn_buf args;
    void (*answer)(void *context, const struct qn_serve_answer *answer);
    void *context;
    uint64_t token;
    bool is_paused, is_over;
};

struct fake_web {
    const struct qn_web_handler *handler;
    struct qn_serve_host host;
    struct qn_people *people;
    struct qn_dav *dav;
    struct qn_serve_door door; /* of the test */
    struct qn_person person;
    struct qn_folder *folder; /* "docs" */
    size_t room;              /* of each send, after which it needs a turn */

    struct qn_web_request *request; /* of the last fake_web_ask */
    QN_VEC(struct fake_command) commands;
    struct qn_buf answer; /* head and content, as they would go out but for the framing */
    size_t head_size;
    unsigned status;
    char note[256]; /* the last of the audit trail: actor, device, action, object, result */
    char note_before[256];
    enum qn_err note_err;
    bool is_finished, is_cut, is_ended;
    size_t sends;
};

void fake_web_init(struct fake_web *web, const struct qn_web_handler *handler);
void fake_web_deinit(struct fake_web *web);
/* Ends the request before, then starts one: "GET /path?query", fields with CR LF, a body or NULL.
 * The path is what lies behind the route's prefix. */
void fake_web_ask(struct fake_web *web, const char *line, const char *fields, const char *body);
/* Gives room and the rest of the body, until nothing moves. */
void fake_web_turn(struct fake_web *web);
/* What else has to move for an answer (a loop), until the answer is whole, or it
 * gives false. */
void fake_web_drive(struct fake_web *web, bool (*drive)(void *context), void *context);
/* The client is gone. */
void fake_web_leave(struct fake_web *web);
/* The last command that has not ended. */
struct fake_command *fake_web_command(struct fake_web *web, const char *name);
void fake_web_data(struct fake_web *web, struct qn_span data);
void fake_web_end(struct fake_web *web, struct qn_span data);
void fake_web_error(struct fake_web *web, const char *code);
/* What of the answer follows its head. */
struct qn_span fake_web_content(const struct fake_web *web);
bool fake_web_has_field(const struct fake_web *web, const char *line);
