/* One HTTP request and its answer, as those see it who answer: the WebDAV methods, the JSON API,
 * the page. The engine (connection.c) reads the head, finds the route, lets the door judge who it
 * is, and only then calls `start`.
 *
 *   start ── body* ── body_end ──┐
 *     └─── qn_web_head ── qn_web_send* ── qn_web_finish ── end
 *
 * `end` is the last call for a request, always comes, exactly once: the answer went out, or the
 * client is gone, or the daemon ends. No callback comes from inside a call of the handler's.
 * Nothing is buffered without a limit: a body comes only after qn_web_want_body (which answers
 * Expect: 100-continue), stops while paused; qn_web_send takes what qn_web_room says. Loop thread.
 */
#pragma once

#include "http/answer.h"
#include "http/head.h"
#include "http/target.h"

struct qn_web_request;

struct qn_web_handler {
    void (*start)(struct qn_web_request *request);
    void (*body)(struct qn_web_request *request, struct qn_span piece); /* NULL: takes no body */
    void (*body_end)(struct qn_web_request *request);
    void (*room)(
        struct qn_web_request *request); /* there is room for a send again; NULL: not needed */
    void (*end)(struct qn_web_request *request, bool is_complete);
};

/* ---- what was asked ---- */
const struct qn_http_head *qn_web_asked(const struct qn_web_request *request); /* until `end` */
/* What of the path lies behind the route's prefix: decoded, NFC, without slashes at the ends. */
struct qn_span qn_web_path(const struct qn_web_request *request);
bool qn_web_path_has_slash(const struct qn_web_request *request);  /* it ended with one */
struct qn_span qn_web_query(const struct qn_web_request *request); /* still encoded */
bool qn_web_is_french(const struct qn_web_request *request);
struct qn_person;                                                            /* people/people.h */
const struct qn_person *qn_web_person(const struct qn_web_request *request); /* NULL: nobody yet */
const char *qn_web_from(const struct qn_web_request *request); /* the client's address, no port */
struct qn_serve *qn_web_serve(const struct qn_web_request *request);
/* A handler's own. */
void qn_web_set_state(struct qn_web_request *request, void *state);
void *qn_web_state(const struct qn_web_request *request);

/* ---- the body ---- */
void qn_web_want_body(struct qn_web_request *request);
void qn_web_pause_body(struct qn_web_request *request, bool is_paused);

/* ---- the answer ---- */
/* Starts the head; the engine adds Date, security fields and framing. The handler appends its own
 * fields with qn_http_answer_field and the like to the buffer that is returned, until
 * qn_web_head_end. `size` QN_HTTP_NO_LENGTH: in chunks (or to the end of the connection in 1.0). */
struct qn_buf *qn_web_head(struct qn_web_request *request, unsigned status, uint64_t size);
void qn_web_head_end(struct qn_web_request *request);
size_t qn_web_room(const struct qn_web_request *request);
/* At most qn_web_room bytes, copied. Nothing of HEAD, 204 and 304 goes out. */
void qn_web_send(struct qn_web_request *request, struct qn_span bytes);
/* All was sent. If less than `size` was: the connection is cut, so that the client notices. */
void qn_web_finish(struct qn_web_request *request);
/* A whole answer at once: a short body of that type. */
void qn_web_answer(struct qn_web_request *request, unsigned status, const char *type,
                   struct qn_span body);
/* {"error":{"code","message","object"}} under /api/, "404: message (object)" elsewhere. `code` is
 * one of docs/api.md, whose sentence becomes the message, in the language of the request. */
void qn_web_refuse(struct qn_web_request *request, unsigned status, const char *code,
                   const char *object);
/* With one more field in the head. */
void qn_web_refuse_with(struct qn_web_request *request, unsigned status, const char *code,
                        const char *field, const char *value);
/* The language of the request (words/tongue.h), and the sentence for a code in it. */
struct qn_tongue;
const struct qn_tongue *qn_web_tongue(const struct qn_web_request *request);
void qn_web_message(const struct qn_web_request *request, const char *code, struct qn_buf *out);
/* In the middle of an answer that cannot be finished. */
void qn_web_cut(struct qn_web_request *request);
