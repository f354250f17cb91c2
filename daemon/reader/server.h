/* The other side of the reading unit's socket: answers one client's requests from the disk.
 *
 * It gives no more than the folders that its configuration allows, whatever is asked: a top path
 * must be one of them or lie below one, and from there on only single names are taken, and no link
 * followed. Of the folders above them it tells their attributes, so that a restore can make them.
 * What it passes are descriptors of regular files, for reading. One thread; nothing is kept from
 * one client to the next.
 */
#pragma once

#include "base/err.h"
#include "reader/wire.h"

#define QN_READER_ALLOWED_MAX 64

struct qn_reader_allowed {
    const char *paths[QN_READER_ALLOWED_MAX]; /* absolute, in normal form; borrowed */
    size_t count;
};

struct qn_reader;
struct qn_reader *qn_reader_new(const struct qn_reader_allowed *allowed); /* copied */
void qn_reader_free(struct qn_reader *reader);                            /* accepts NULL */

/* Answers one request; each message of the answer goes to `send`, whose failure (errno) ends it,
 * with a descriptor or -1. QN_ERR_INVALID: not a request, or not the first HELLO; QN_ERR_CLOSED:
 * `send` failed. The client is to be left then. */
typedef int (*qn_reader_send_fn)(void *context, struct qn_span message, int passed);
enum qn_err QN_CHECKED qn_reader_answer(struct qn_reader *reader, struct qn_span request,
                                        qn_reader_send_fn send, void *context);
/* Until the client leaves, or breaks the rules (QN_ERR_INVALID). The socket stays the caller's. */
enum qn_err QN_CHECKED qn_reader_serve(int socket, const struct qn_reader_allowed *allowed);

enum qn_reader_access {
    QN_READER_REFUSED,
    QN_READER_ABOVE, /* of a folder that is allowed: to be looked at only */
    QN_READER_ALLOWED,
};
enum qn_reader_access qn_reader_access(const struct qn_reader_allowed *allowed,
                                       struct qn_span path);
