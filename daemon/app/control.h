/* The control socket: clients, frames, requests (docs/control.md). It knows commands only as far as
 * to tell who answers: stream_view.h, the core, or itself.
 *
 * Nothing grows with a client: one that does not read, or has QN_CONTROL_REQUESTS_MAX requests
 * under way, is not read until it does. What cannot be a request ends its connection and nothing
 * else. Requests of the core are started from the loop only, never from inside one of its steps.
 * Loop thread.
 */
#pragma once

#include "app/driver.h"
#include "app/https.h"
#include "app/people.h"
#include "app/ranks.h"
#include "app/views.h"
#include "serve/serve.h"

struct qn_control;

struct qn_control_options {
    struct qn_loop *loop;
    const char *path;  /* of the socket; a stale one is replaced: hold the lock of the directory */
    const char *group; /* of the socket; "": none */
    const struct qn_config *config; /* for the roles, read when it is made; NULL: there are none */
    struct qn_log *log;
    struct qn_https *const *https; /* tells of itself; *https NULL: not there yet */
    struct qn_views *views;        /* reads the vault; NULL: those commands are unknown */
    struct qn_staff *staff;        /* changes people; likewise */
};

enum qn_err QN_CHECKED qn_control_new(const struct qn_control_options *options,
                                      struct qn_control **ret_control);
/* Requests are answered from now on. */
enum qn_err QN_CHECKED qn_control_start(struct qn_control *control, struct qn_driver *driver);
/* The roles as a configuration has them: they hold from the next request on. */
void qn_control_configure(struct qn_control *control, const struct qn_config *config);
/* The core's answer to a request. */
void qn_control_reply(struct qn_control *control, uint64_t request, const struct qn_effect *reply);
/* A view has more to take. */
void qn_control_wake(struct qn_control *control);
/* A command from inside the daemon, for a person: answered as over the socket. Answers come later,
 * never from inside; after `end` or `error` none. At most QN_WEB_COMMANDS_MAX at once, else the
 * answer is the error `busy`. Gives a token. */
uint64_t qn_control_ask(struct qn_control *control, const char *command, struct qn_span args,
                        struct qn_span user,
                        void (*answer)(void *context, const struct qn_serve_answer *answer),
                        void *context);
/* What has come waits, and what makes it stops. Nothing happens for a token that is done. */
void qn_control_pause(struct qn_control *control, uint64_t token, bool is_paused);
void qn_control_cancel(struct qn_control *control, uint64_t token);
/* Removes the socket and takes no more requests; those under way can still be answered. */
void qn_control_stop(struct qn_control *control);
/* Ends all clients, removes the socket; `on_closed` after the last handle is gone. */
void qn_control_close(struct qn_control *control, void (*on_closed)(void *context), void *context);
