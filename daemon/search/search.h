/* The search of this site: an index (index.h) with one writer and one reader, each one job on
 * libuv's pool at a time. Loop thread.
 */
#pragma once

#include "loop/loop.h"
#include "search/index.h"

#define QN_SEARCH_QUEUE_MAX  16   /* questions that wait; the next one is told to come again */
#define QN_SEARCH_LIMIT_MAX  100  /* hits of one question */
#define QN_SEARCH_SCOPES_MAX 1024 /* that one question may look in */

struct qn_search;

/* Opens or makes the index at `path`; its folder is there, and is ours alone. *ret_is_new: feeds
 * have to begin anew. */
enum qn_err QN_CHECKED qn_search_new(struct qn_loop *loop, const char *path,
                                     struct qn_search **ret_search, bool *ret_is_new);
/* Waits for what is under way. Questions that wait are told QN_ERR_CLOSED; who puts is told nothing
 * any more. Accepts NULL. */
void qn_search_free(struct qn_search *search);

/* Where the feed of a scope stands, as durable as the index is. Only while no put is under way. */
enum qn_err QN_CHECKED qn_search_position(struct qn_search *search, struct qn_span scope,
                                          struct qn_buf *out);
enum qn_err QN_CHECKED qn_search_scopes(struct qn_search *search,
                                        void (*each)(void *context, struct qn_span scope),
                                        void *context);
/* One at a time (QN_ERR_BUSY); the batch and what it borrows stay as they are until `done`.
 * QN_ERR_CORRUPT in done: the index was damaged and has been made anew, and all feeds have to begin
 * again; QN_ERR_NOSPACE: nothing was taken. */
enum qn_err QN_CHECKED qn_search_put(struct qn_search *search, const struct qn_search_batch *batch,
                                     void (*done)(void *context, enum qn_err err), void *context);
/* The same for qn_fts_drop; the scope is copied. */
enum qn_err QN_CHECKED qn_search_drop(struct qn_search *search, struct qn_span scope,
                                      void (*done)(void *context, enum qn_err err), void *context);

struct qn_search_hit {
    struct qn_span scope, name, line;
};
struct qn_search_answer {
    const struct qn_search_hit *hits;
    size_t count;
};
typedef void (*qn_search_found_fn)(void *context, enum qn_err err,
                                   const struct qn_search_answer *answer);

/* `typed` and `scopes` are copied. QN_ERR_INVALID, QN_ERR_LIMIT as qn_search_words_read;
 * QN_ERR_BUSY. Else `found` comes once, later. */
enum qn_err QN_CHECKED qn_search_ask(struct qn_search *search, struct qn_span typed,
                                     const struct qn_span *scopes, size_t scope_count, size_t limit,
                                     qn_search_found_fn found, void *context);
