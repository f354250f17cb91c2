/* Whole trees: removed, copied, walked. Names are read from the disk; nothing is followed, no mount
 * entered. What cannot be done is noted and the rest goes on. Inside files. Thread: any.
 */
#pragma once

#include "base/vec.h"
#include "files/local_impl.h"

#define TREE_DEPTH_MAX    256
#define TREE_FAILURES_MAX 1024 /* noted; the rest is only counted */

struct tree_failure {
    struct qn_buf path;
    enum qn_err err;
};

/* What went wrong, with paths that begin with the call's. */
struct tree_report {
    const atomic_bool *stops; /* then it ends with QN_ERR_CLOSED */
    struct qn_buf path;       /* where the walk is */
    size_t depth;
    enum qn_err err; /* the first */
    QN_VEC(struct tree_failure) failures;
};

void tree_report_init(struct tree_report *report, const atomic_bool *stops, struct qn_span path);
void tree_report_deinit(struct tree_report *report);
void tree_fail(struct tree_report *report, enum qn_err err); /* at its path */
/* Nothing was changed: the error alone is told. */
void tree_report_forget(struct tree_report *report);

/* Calls `each` for every name of a directory, in the order of the disk. A name may vanish
 * meanwhile. `each` returns false to stop. */
void tree_each(int dir, struct tree_report *report,
               bool (*each)(void *context, int dir, const char *name, unsigned char type),
               void *context);

/* Removes a name with all below it. */
void tree_remove(int parent, const char *name, struct tree_report *report);
/* The same of what a move copies elsewhere: files that nobody changed since tree_moved_begin, and
 * directories that are empty then. What stays is noted: BUSY if it was changed, DENIED if it is
 * nothing that is copied. Looks and removals are done under `change`. */
struct tree_moved {
    struct tree_report *report;
    pthread_mutex_t *change;
    int64_t before_ns; /* what is older by its ctime is as it was */
    int64_t apart_ns; /* the wall clock from the monotonic one: if it is set back, nothing is old */
};
/* Before the copy; waits for the next step of the kernel's clock. */
void tree_moved_begin(struct tree_moved *moved);
void tree_remove_moved(int parent, const char *name, struct tree_moved *moved);
/* Fills an empty directory with copies of what is in another: contents, times, not owners. */
void tree_copy(int from, int to, struct tree_report *report);
/* A file's content into an empty one, shared where the file system can. */
enum qn_err QN_CHECKED file_copy(int from, int to, const struct statx *status,
                                 const atomic_bool *stops);
enum qn_err QN_CHECKED file_digest(int fd, const atomic_bool *stops, uint8_t ret_digest[32]);
enum qn_err QN_CHECKED fd_set_modified(int fd, int64_t modified_ns);
