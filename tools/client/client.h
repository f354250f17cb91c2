/* A blocking client of the control socket (docs/control.md, sections 1 and 2).
 *
 * Several requests may be under way; answers carry the id of theirs. Memory: one frame of at most
 * QN_CONTROL_FRAME_SIZE_MAX each way. Not thread-safe.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct qn_client;

/* `timeout_ms` is the most that connecting, and later each send, may wait for a daemon that takes
 * nothing; -1: for ever. QN_ERR_NOTFOUND: nobody listens there. QN_ERR_DENIED: this user may not.
 * QN_ERR_TIMEOUT. QN_ERR_LIMIT: the path is too long for a socket. */
enum qn_err QN_CHECKED qn_client_open(const char *socket_path, int timeout_ms,
                                      struct qn_client **ret_client);
void qn_client_free(struct qn_client *client);

/* `args` is one canonical map. QN_ERR_LIMIT: too large for a frame; QN_ERR_CLOSED: no daemon;
 * QN_ERR_TIMEOUT: part of it may have been sent, close the client. */
enum qn_err QN_CHECKED qn_client_send(struct qn_client *client, const char *cmd,
                                      struct qn_span args, uint64_t *ret_id);

enum qn_client_kind {
    QN_CLIENT_DATA,
    QN_CLIENT_END,
    QN_CLIENT_ERROR,
};

struct qn_client_answer {
    enum qn_client_kind kind;
    uint64_t id;
    struct qn_span data;         /* one packed item; of DATA and END */
    struct qn_span code, object; /* texts; of ERROR */
};

/* Waits at most timeout_ms (-1: for ever) for the next answer; its spans live until the next call.
 * QN_ERR_TIMEOUT, QN_ERR_CLOSED, QN_ERR_INVALID (that was no answer). */
enum qn_err QN_CHECKED qn_client_receive(struct qn_client *client, int timeout_ms,
                                         struct qn_client_answer *ret_answer);

/* A clock that never jumps, for deadlines. */
uint64_t qn_client_clock_ms(void);
