/* Paths of a file list: their order, which are well-formed, and front coding, by which a path is
 * stored as how much of the path before it stays, and what follows.
 *
 * A path has 1 to QN_PATH_SIZE_MAX bytes: components of any bytes but 0 and '/', not "." and not
 * "..", joined by '/'. In the order of the list '/' is the lowest byte, so that a directory is
 * followed by all that is below it. Pure; any thread.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define QN_PATH_SIZE_MAX 4096

/* <0, 0, >0: the order of the list. Any spans without zero bytes. */
int qn_path_cmp(struct qn_span a, struct qn_span b);
/* Whether `path` is `dir` or below it; every path is below "". */
bool qn_path_is_below(struct qn_span path, struct qn_span dir);
bool qn_path_is_valid(struct qn_span path);

/* Length of the longest common beginning. */
size_t qn_path_shared(struct qn_span a, struct qn_span b);

/* One front-coded path: `shared` bytes of the one before it, then `rest`. */
struct qn_path_step {
    size_t shared;
    struct qn_span rest;
};
/* Appends varint shared | varint size of rest | rest. `previous` may be empty; `path` is above it.
 */
void qn_path_pack(struct qn_span path, struct qn_span previous, struct qn_buf *out);
/* Reads the step at *offset, and advances it. QN_ERR_CORRUPT unless what it leads to is a valid
 * path above `previous`, and shares as much with it as it can. `previous` is valid or empty. */
enum qn_err QN_CHECKED qn_path_read(struct qn_span bytes, size_t *offset, struct qn_span previous,
                                    struct qn_path_step *ret_step);
/* Turns the path that the step was read after into the one it leads to. The maximum of `path` is at
 * least QN_PATH_SIZE_MAX. */
void qn_path_apply(const struct qn_path_step *step, struct qn_buf *path);
