/* The inside of a real directory's folder: its state, its calls and how they take turns.
 *
 *   call_start ── waits ── prepare (loop) ── work (pool) ── finish (loop) ── the caller's done
 *        │          └─ cancelled, or too many: straight to finish, with `err` set
 *        └─ attempt (loop): all is in memory, nothing was waited for: straight to finish
 *
 * `finish` ends the call with call_end, or goes on: starts it again (the next part of a list), or
 * puts rows first. Loop thread, but for `work`.
 */
#pragma once

#include <stdatomic.h>

#include "files/etag.h"
#include "files/place.h"
#include "files/root.h"

#define QN_FOLDER_JOBS_MAX  3    /* at once; one of them may be long */
#define QN_FOLDER_CALLS_MAX 4096 /* under way and waiting */
#define QN_FOLDER_OPEN_MAX  2048 /* files and uploads */

struct local {
    struct qn_folder base;
    struct qn_loop *loop;
    const struct qn_local *rows;
    char *name;
    void (*changed)(void *context, struct qn_folder *folder, struct qn_span path); /* or NULL */
    void *changed_context;
    struct root root;
    int quick_root;         /* open for attempts until `wake`, which is in this turn; -1: not yet */
    pthread_mutex_t change; /* held by jobs for the moment of a change: no wait for a disk in it */
    char tag[17];           /* in the names of what is on its way, new for each folder object */
    atomic_uint_fast64_t stage_count;
    struct qn_folder_call *first, *last; /* that wait */
    size_t call_count, job_count, open_count;
    bool is_long_running, is_sweeping;
    bool is_ending;    /* it goes when its last call and its sweep have ended */
    atomic_bool stops; /* for the sweep */
    struct qn_timer *wake, *sweep_timer;
};

static inline struct local *real_of(struct qn_folder *folder)
{
    return (struct local *)folder;
}

struct call_kind {
    /* What `work` does, if it can be done without waiting for a disk; false: it cannot, or it would
     * be an error, and `work` has to find out. NULL: never. */
    bool (*attempt)(struct qn_folder_call *call);
    void (*prepare)(struct qn_folder_call *call); /* NULL: nothing */
    void (*work)(struct qn_folder_call *call);
    void (*finish)(struct qn_folder_call *call);
    void (*free)(struct qn_folder_call *call); /* what is beyond the base; NULL: nothing */
    bool is_long;
};

/* Begins every kind of call. */
struct qn_folder_call {
    const struct call_kind *kind;
    struct local *folder;
    struct qn_folder_call *next;
    enum { CALL_IDLE, CALL_WAITS, CALL_RUNS } state;
    bool is_settled; /* nothing is to be done any more; `err` holds */
    bool is_paused;  /* between two parts of a list */
    atomic_bool is_cancelled;
    enum qn_err err;
    struct qn_buf path; /* normal form C */
    struct row row;     /* of `path`, read when the work begins */
    bool has_row;
    void (*stored)(struct qn_folder_call *call, enum qn_err err); /* the rows are put */
    void *context;
};

/* A zeroed object of `size` bytes that begins with a call; `path` is composed, and what is wrong
 * with it becomes its error. */
void *call_new(struct local *folder, const struct call_kind *kind, size_t size, struct qn_span path,
               void *context);
void call_start(struct qn_folder_call *call);
/* Ends a call before it works: for limits that are found at its start. */
void call_settle(struct qn_folder_call *call, enum qn_err err);
void call_cancel(struct qn_folder_call *call);
/* Tells who wants to know (local.h) that what the call did, also half of it, may be seen at a path.
 * Not of one that did nothing. */
void call_changed(const struct qn_folder_call *call, struct qn_span path);
void call_changed_in(const struct qn_folder_call *call, struct local *folder, struct qn_span path);
/* After the caller heard its result. */
void call_end(struct qn_folder_call *call);
const struct row *call_row(const struct qn_folder_call *call); /* NULL: none */
struct qn_span call_name(const struct qn_folder_call *call);   /* the last of `path` */

void call_run_all(struct local *folder); /* that may; what is settled is finished */

int64_t wall_ns(void); /* the system's clock, in its steps: what the kernel writes into files */

/* ---- pool: where a call's path leads ---- */
/* The root, checked, and the place below it. QN_ERR_CLOSED: the folder is gone. */
enum qn_err QN_CHECKED real_find(struct local *folder, struct qn_span path, struct place *place);
/* On the loop: opens what is at `path` without waiting. -1: not so, whatever the reason; errno is
 * ENOENT only where the kernel knows that it is not there. */
int real_open_cached(struct local *folder, struct qn_span path, int flags);
/* For what makes names: a missing parent is QN_ERR_STATE. */
enum qn_err QN_CHECKED real_find_new(struct local *folder, struct qn_span path,
                                     struct place *place);
enum qn_err QN_CHECKED sync_fd(int fd);
/* Mode bits of what is made in a directory. */
unsigned mode_for_new(int parent, bool is_directory);
void mode_set(int fd, unsigned mode); /* as well as it may: setgid of a directory stays */

/* ---- rows.c, loop ---- */
void call_read_row(struct qn_folder_call *call); /* a `prepare` */
bool rows_get(const struct local *folder, struct qn_span path, struct row *ret_row);
/* Then call->stored; at once (from inside) if no rows are kept. `row` NULL: it goes. */
void rows_put(struct qn_folder_call *call, struct qn_span path, const struct row *row,
              void (*stored)(struct qn_folder_call *, enum qn_err));
/* The same in another folder. */
void rows_put_in(struct qn_folder_call *call, const struct local *folder, struct qn_span path,
                 const struct row *row, void (*stored)(struct qn_folder_call *, enum qn_err));
/* The rows of a path and of all below it go (`to` NULL), or move to a path of a folder. */
struct rows_place {
    const struct local *folder;
    struct qn_span path;
};
void rows_move(struct qn_folder_call *call, struct qn_span from, const struct rows_place *to,
               void (*stored)(struct qn_folder_call *, enum qn_err));

/* ---- sweep.c ---- */
void sweep_start(struct local *folder);

/* ---- the table of folder.h ---- */
struct qn_folder_call *real_stat(struct qn_folder *, struct qn_span, qn_folder_entry_fn, void *);
struct qn_folder_call *real_list(struct qn_folder *, struct qn_span, qn_folder_list_fn, void *);
void real_more(struct qn_folder_call *);
struct qn_folder_call *real_open(struct qn_folder *, struct qn_span, qn_folder_open_fn, void *);
struct qn_folder_call *real_read(struct qn_folder_file *, uint64_t, size_t, qn_folder_read_fn,
                                 void *);
void real_close(struct qn_folder_file *);
struct qn_folder_call *real_upload(struct qn_folder *, struct qn_span, uint64_t,
                                   qn_folder_upload_fn, void *);
struct qn_folder_call *real_write(struct qn_folder_upload *, struct qn_span, qn_folder_done_fn,
                                  void *);
struct qn_folder_call *real_commit(struct qn_folder_upload *, const struct qn_folder_expect *,
                                   const struct qn_folder_said *, qn_folder_entry_fn, void *);
void real_abort(struct qn_folder_upload *);
struct qn_folder_call *real_make_directory(struct qn_folder *, struct qn_span, qn_folder_done_fn,
                                           void *);
struct qn_folder_call *real_remove(struct qn_folder *, struct qn_span,
                                   const struct qn_folder_expect *, qn_folder_failed_fn,
                                   qn_folder_done_fn, void *);
struct qn_folder_call *real_copy(struct qn_folder *, struct qn_span,
                                 const struct qn_folder_target *, qn_folder_failed_fn,
                                 qn_folder_done_fn, void *);
struct qn_folder_call *real_move(struct qn_folder *, struct qn_span,
                                 const struct qn_folder_target *, qn_folder_failed_fn,
                                 qn_folder_done_fn, void *);
struct qn_folder_call *real_set_modified(struct qn_folder *, struct qn_span, int64_t,
                                         qn_folder_entry_fn, void *);
struct qn_folder_call *real_space(struct qn_folder *,
                                  void (*)(void *, enum qn_err, uint64_t, uint64_t), void *);
