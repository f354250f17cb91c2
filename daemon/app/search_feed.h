/* Feeds the search index from the store: each collection from where its feed stands, a slice at a
 * time, so that neither the loop nor the store is held. What cannot be followed (a new index, a log
 * that was shortened, a store that was restored) is read as a whole, while older hits stay until it
 * is done. The index is never the authority: whatever goes wrong here concerns the search only.
 *
 * Where a feed stands, canonical msgpack: [next sequence, round, key or nil]: with a key, records
 * behind it are still to be read, and then the log from that sequence on. Loop thread.
 */
#pragma once

#include "app/log.h"
#include "core/core.h"
#include "loop/loop.h"
#include "search/search.h"
#include "store/store.h"

struct qn_search_feed;

struct qn_search_feed_options {
    struct qn_loop *loop;
    struct qn_store *store;
    struct qn_core *core;
    struct qn_log *log;
    const char *state_dir; /* the index stands in its folder search/ */
};

/* The index could not be opened: QN_ERR_*; the daemon goes on without a search. */
enum qn_err QN_CHECKED qn_search_feed_new(const struct qn_search_feed_options *options,
                                          struct qn_search_feed **ret_feed);
void qn_search_feed_free(struct qn_search_feed *feed); /* accepts NULL */
/* Something was committed. */
void qn_search_feed_wake(struct qn_search_feed *feed);
/* Records are not in the index yet that were here when it was asked. */
bool qn_search_feed_is_behind(const struct qn_search_feed *feed);
/* The index has been made anew, which another feed found out: all is read again. */
void qn_search_feed_renew(struct qn_search_feed *feed);
/* Told when this feed found that out. */
void qn_search_feed_on_renewed(struct qn_search_feed *feed, void (*renewed)(void *context),
                               void *context);
struct qn_search *qn_search_feed_search(struct qn_search_feed *feed);
/* The word of a collection's scope. */
#define QN_SEARCH_COLL_SCOPE_SIZE (2 + 2 * QN_COLL_ID_SIZE + 1)
void qn_search_coll_scope(const struct qn_coll_id *coll, char out[QN_SEARCH_COLL_SCOPE_SIZE]);
