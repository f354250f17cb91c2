/* The control socket: clients, frames, requests (docs/control.md). It knows commands only as far as
 * to tell who answers: stream_view.h, the core, or itself. Loop thread.
 */
#pragma once

#include "app/driver.h"

struct qn_control;

struct qn_control_options {
    struct qn_loop *loop;
    const char *path;  /* of the socket; a stale one is replaced: hold the lock of the directory */
    const char *group; /* of the socket; "": none */
    struct qn_log *log;
};

enum qn_err QN_CHECKED qn_control_new(const struct qn_control_options *options,
                                      struct qn_control **ret_control);
/* Requests are answered from now on. */
void qn_control_start(struct qn_control *control, struct qn_driver *driver);
/* The core's answer to a request. */
void qn_control_reply(struct qn_control *control, uint64_t request, const struct qn_effect *reply);
/* Ends all clients, removes the socket; `on_closed` after the last handle is gone. */
void qn_control_close(struct qn_control *control, void (*on_closed)(void *context), void *context);
