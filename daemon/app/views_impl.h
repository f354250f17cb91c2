/* Inside app: a view as its thread sees it. */
#pragma once

#include "app/views.h"

struct qn_view_task { /* copied from the request; owned by the view */
    struct qn_buf command, args;
    struct qn_caller caller;
    bool is_limited; /* to what the caller could read */
};

const struct qn_view_task *qn_view_task(const struct qn_view *view);
struct qn_jobs *qn_view_jobs(const struct qn_view *view);
/* One answer: begin, pack one value into *ret_out, end. Begin waits while the queue is full;
 * QN_ERR_CLOSED: nobody reads it. */
enum qn_err QN_CHECKED qn_view_begin(struct qn_view *view, struct qn_buf **ret_out);
enum qn_err QN_CHECKED qn_view_end(struct qn_view *view);
/* The payload of the end. Once, last; or qn_view_refuse. Not between begin and end. */
void qn_view_finish(struct qn_view *view, struct qn_span payload);
void qn_view_refuse(struct qn_view *view, enum qn_err err, const char *code, struct qn_span object);
bool qn_view_is_gone(struct qn_view *view);
/* Set by the thread before it calls into the vault, so that a view whose client left ends soon. */
struct qn_vault_progress *qn_view_progress(struct qn_view *view);

/* backup_view.c: answers the view's command; the view's thread. */
void qn_backup_view_run(struct qn_view *view);
