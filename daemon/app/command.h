/* A command of the configuration, run by /bin/sh on a thread of its own, so that a job can read
 * what it says while it runs, or wait for it. Its standard error (and output, unless that is read)
 * is kept: the last lines. Ended, with all that it started, when its time is up or the job is
 * cancelled.
 *
 *   start ── read* ── finish
 *
 * All calls on the thread of the job; they block, but not for long after it was cancelled.
 */
#pragma once

#include <stdatomic.h>

#include "loop/process.h"

#define QN_COMMAND_ENV_MAX 15

struct qn_command_options {
    const char *line;       /* copied */
    const char *const *env; /* "NAME=value", at most QN_COMMAND_ENV_MAX, NULL at the end; copied */
    uint64_t time_max_ms;
    bool has_output;                 /* its output is read: qn_command_read */
    const atomic_bool *is_cancelled; /* borrowed until finish */
};

struct qn_command_end {
    enum qn_err err; /* as in loop/process.h; QN_ERR_IO and others too: it could not be started */
    int exit_status, signal;
    char tail[QN_PROCESS_TAIL_SIZE + 1]; /* any bytes but zero */
};

struct qn_command;
struct qn_command *qn_command_start(const struct qn_command_options *options);
/* The next bytes of its output, at most `size`; none: it said all, which is all of it only if
 * finish gives QN_OK. QN_ERR_CLOSED: cancelled. */
enum qn_err QN_CHECKED qn_command_read(struct qn_command *command, uint8_t *out, size_t size,
                                       size_t *ret_size);
/* Waits for its end; frees it. */
void qn_command_finish(struct qn_command *command, struct qn_command_end *ret_end);
