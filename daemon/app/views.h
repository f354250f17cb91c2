/* The commands that read the vault (docs/control.md, "app"): each has a thread that makes answers,
 * and a bounded queue from which the loop thread takes them as fast as the client reads.
 *
 * Loop thread, but for what backup_view*.c do on its threads (views_impl.h).
 */
#pragma once

#include "app/caller.h"
#include "app/jobs.h"
#include "app/stream_view.h"

#define QN_VIEWS_MAX       8                 /* under way; the next one is told to come again */
#define QN_VIEW_QUEUE_SIZE (2 * 1024 * 1024) /* of frames that wait for the client */

struct qn_views;
struct qn_view;

/* `on_ready`: some view has more to take. */
struct qn_views *qn_views_new(struct qn_loop *loop, struct qn_jobs *jobs,
                              void (*on_ready)(void *context), void *context);
/* All views were freed; waits for their threads, which end within about a second. Accepts NULL. */
void qn_views_free(struct qn_views *views);

bool qn_view_knows(struct qn_span command);
struct qn_view_ask { /* copied */
    uint64_t id;     /* of the request, as its answers carry it */
    struct qn_span command, args;
    const struct qn_caller *caller; /* no content that this user could not read; NULL: all of it */
};
enum qn_err QN_CHECKED qn_view_open(struct qn_views *views, const struct qn_view_ask *ask,
                                    struct qn_view **ret_view, struct qn_refusal *refusal);
/* Nobody reads it any more: its thread ends soon. */
void qn_view_free(struct qn_view *view);
/* The next frames as the client reads them, the caller's from now on; they may be empty.
 * *ret_is_end: with the last one. *ret_waits: nothing is there yet, on_ready will tell. An error:
 * the refusal is all that is left to be told. */
enum qn_err QN_CHECKED qn_view_next(struct qn_view *view, struct qn_buf *ret_frames,
                                    bool *ret_is_end, bool *ret_waits, struct qn_refusal *refusal);
/* Frames that were sent (taken): their memory serves again, if they are of a view. */
void qn_view_give_back(struct qn_view *view, struct qn_buf *take_frames);
