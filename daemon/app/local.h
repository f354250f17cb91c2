/* Rows of this site's rooms at the edge, in the store: gives base/local.h.
 *
 * Rows go to the writer as intents of a kind of their own, past the core, which knows nothing of
 * them. What became of them is answered when their commit is collected: in the order of the calls,
 * and after the watermark was raised. Loop thread.
 */
#pragma once

#include "base/local.h"
#include "loop/loop.h"
#include "store/store.h"

struct qn_local_rows;

struct qn_local_rows *qn_local_rows_new(struct qn_loop *loop, struct qn_store *store);
/* Who still waits is told QN_ERR_CLOSED (it may be durable, it may be not) from inside. Before the
 * loop is. Accepts NULL. */
void qn_local_rows_free(struct qn_local_rows *rows);
/* The door to hand out; lives as long as `rows`. A put that is too much at once is told
 * QN_ERR_LIMIT, one for which there is no room QN_ERR_BUSY. */
const struct qn_local *qn_local_rows_door(const struct qn_local_rows *rows);
/* A commit that was collected: its outcomes of rows are told and taken out of it. Gives whether
 * there is anything left in it for the core. */
bool QN_CHECKED qn_local_rows_commit(struct qn_local_rows *rows, struct qn_commit *commit);
