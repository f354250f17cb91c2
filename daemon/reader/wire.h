/* What the reading unit and its client say to each other, over a Unix socket that keeps messages
 * apart (SOCK_SEQPACKET). Both are of one machine and one package; still nothing that arrives is
 * trusted. Canonical msgpack:
 *
 *   request   [op u8, number u32, name bin]
 *   answer    [errno u32, ...]         errno 0: done; what follows depends on the request
 *     HELLO                            version u32         number of the request: its version
 *     TOP, ENTER, MORE, LOOK           is_cache, is_end, is_whole (bool), array of nodes;
 *                                      until is_whole, the next message goes on with the nodes
 *     OPEN                             nothing, and a descriptor with the message
 *     XATTRS                           bin; also with E2BIG
 *   node      [name bin, errno u32] or [name bin, mode, uid, gid, nlink, rdev major, rdev minor,
 *             inode, device, size, mtime s, ns, ctime s, ns, target bin]
 *
 * The first request is HELLO. `number` is the depth of source.h; the name is empty where it says
 * nothing (depth 0 but of TOP, and MORE). Pure but for the last two functions.
 */
#pragma once

#include "reader/source.h"

#define QN_READER_VERSION          1
#define QN_READER_REQUEST_SIZE_MAX (QN_SOURCE_PATH_MAX + 64)
#define QN_READER_ANSWER_SIZE_MAX  (96 * 1024) /* below what a socket takes at once by default */
#define QN_READER_ERRNO_MAX        4095

enum qn_reader_op {
    QN_READER_HELLO = 0,
    QN_READER_TOP = 1,
    QN_READER_ENTER = 2,
    QN_READER_MORE = 3,
    QN_READER_LOOK = 4,
    QN_READER_OPEN = 5,
    QN_READER_XATTRS = 6,
};

struct qn_reader_request {
    enum qn_reader_op op;
    uint32_t number;
    struct qn_span name;
};

void qn_reader_request_pack(const struct qn_reader_request *request, struct qn_buf *out);
/* QN_ERR_INVALID: not a request; the name fits what is asked. */
enum qn_err QN_CHECKED qn_reader_request_read(struct qn_span bytes,
                                              struct qn_reader_request *ret_request);

void qn_reader_error_pack(int error, struct qn_buf *out);
void qn_reader_version_pack(struct qn_buf *out);
void qn_reader_xattrs_pack(int error, struct qn_span xattrs, struct qn_buf *out);
/* Packs the batch from node *at on, as much as one message takes, and advances. */
void qn_reader_batch_pack(const struct qn_batch *batch, size_t *at, struct qn_buf *out);

/* Answers: *ret_error is the errno of them. QN_ERR_INVALID: not an answer. */
enum qn_err QN_CHECKED qn_reader_version_read(struct qn_span bytes, int *ret_error,
                                              uint32_t *ret_version);
enum qn_err QN_CHECKED qn_reader_done_read(struct qn_span bytes, int *ret_error);
enum qn_err QN_CHECKED qn_reader_xattrs_read(struct qn_span bytes, int *ret_error,
                                             struct qn_span *ret_xattrs);
/* Adds the nodes to the batch. */
enum qn_err QN_CHECKED qn_reader_batch_read(struct qn_span bytes, struct qn_batch *batch,
                                            int *ret_error, bool *ret_is_whole);

/* One message; `passed`: a descriptor to go with it, or -1. 0 or errno. */
int qn_reader_send(int socket, struct qn_span bytes, int passed);
/* One message of at most `size` bytes. *ret_passed: the descriptor that came with it, which the
 * caller closes, or -1; NULL: none is taken. 0 or errno; ECONNRESET: the other side is gone;
 * EMSGSIZE: too long, or more than one descriptor. */
int qn_reader_receive(int socket, uint8_t *out, size_t size, size_t *ret_size, int *ret_passed);
