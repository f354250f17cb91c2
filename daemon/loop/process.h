/* A program beside the daemon: started, fed, listened to, and ended with all that it started.
 *
 *   new ── runs ──── ended by itself ──────────────┬── what it said is read to its end ── on_end
 *             └─ time is up, or qn_process_stop ── SIGTERM ── after a while SIGKILL ─┘
 *
 * It has a session and a process group of its own, the environment that it is given and nothing of
 * ours, and no descriptor beyond the first three, since all others close when a program is loaded.
 * When the program itself ends, what is left of its group is killed, so that nothing stays behind.
 * Of what it says the last QN_PROCESS_TAIL_SIZE bytes are kept, so it may say what it likes.
 *
 * Thread: that of the loop, which may be any one's own (a job's): each loop sees to its own
 * programs. The memory of the daemon is shared with the child until the program is loaded.
 */
#pragma once

#include "base/span.h"
#include "loop/loop.h"

#define QN_PROCESS_TAIL_SIZE ((size_t)2048)
#define QN_PROCESS_GRACE_MS  1000 /* from SIGTERM to SIGKILL */

struct qn_process_end {
    /* QN_OK: it ended by itself with status 0. QN_ERR_COMMAND: with another one, or by a signal.
     * QN_ERR_TIMEOUT: its time was up. QN_ERR_CLOSED: it was stopped. */
    enum qn_err err;
    int exit_status;     /* if `signal` is 0 */
    int signal;          /* that ended it; 0: none */
    struct qn_span tail; /* of what it said; any bytes; borrowed for the call */
};

struct qn_process_options {
    const char *const *argv; /* a path, then the arguments; NULL at the end; used during new only */
    const char *const *env;  /* "NAME=value"; likewise */
    struct qn_span input;    /* what its standard input gets; copied */
    int output_fd;           /* where its standard output goes; -1: to the tail, as its errors do */
    uint64_t time_max_ms;
    void (*on_end)(void *context, const struct qn_process_end *end); /* once; may free it */
    void *context;
};

struct qn_process;
/* QN_ERR_NOTFOUND: no such program; QN_ERR_DENIED: it may not be run; QN_ERR_IO. */
enum qn_err QN_CHECKED qn_process_new(struct qn_loop *loop,
                                      const struct qn_process_options *options,
                                      struct qn_process **ret_process);
/* Ends it: at once if `is_hard`. on_end follows. */
void qn_process_stop(struct qn_process *process, bool is_hard);
/* Kills what still runs; no call comes any more. Accepts NULL. */
void qn_process_free(struct qn_process *process);
