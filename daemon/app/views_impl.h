/* Inside app: a view as its thread sees it. */
#pragma once

#include "app/views.h"

struct qn_view_task { /* copied from the request; owned by the view */
    struct qn_buf command, args;
};

const struct qn_view_task *qn_view_task(const struct qn_view *view);
struct qn_jobs *qn_view_jobs(const struct qn_view *view);
/* Queues one answer (taken), waiting while the queue is full. QN_ERR_CLOSED: nobody reads it. */
enum qn_err QN_CHECKED qn_view_put(struct qn_view *view, struct qn_buf *take_item);
/* The payload of the end (taken). Once, last; or qn_view_refuse. */
void qn_view_finish(struct qn_view *view, struct qn_buf *take_item);
void qn_view_refuse(struct qn_view *view, enum qn_err err, const char *code, struct qn_span object);
bool qn_view_is_gone(struct qn_view *view);
/* Set by the thread before it calls into the vault, so that a view whose client left ends soon. */
struct qn_vault_progress *qn_view_progress(struct qn_view *view);

/* backup_view.c: answers the view's command; the view's thread. */
void qn_backup_view_run(struct qn_view *view);
