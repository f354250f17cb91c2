/* One look at the names of the files in a folder, or below one path of it, for the search index: a
 * directory at a time, with a pause behind each, and no further while the index writes. At its end
 * names that are no longer there are forgotten; if it cannot be ended, what was known stays.
 *
 * Litter of file managers is left out. The directories that wait are at most
 * QN_CRAWL_WAITING_SIZE_MAX bytes of paths; those beyond are not looked into, and counted. Loop
 * thread.
 */
#pragma once

#include "files/folder.h"
#include "loop/loop.h"
#include "search/search.h"

#define QN_CRAWL_WAITING_SIZE_MAX ((size_t)4 * 1024 * 1024)

/* Where the feed of a folder stands. */
struct qn_crawl_position {
    uint64_t round;   /* the last one that began; 0: none ever did */
    bool is_complete; /* the whole folder was looked at once */
};
enum qn_err QN_CHECKED qn_crawl_position_read(struct qn_span packed,
                                              struct qn_crawl_position *ret_position);

struct qn_search_crawl_options {
    struct qn_loop *loop;
    struct qn_search *search;
    struct qn_folder *folder;
    struct qn_span scope, below;       /* copied; below "": all of it */
    struct qn_crawl_position position; /* before it */
    unsigned pause_ms;                 /* behind each directory */
    /* Once, never from inside a call; the crawl is gone then. QN_ERR_CLOSED: cancelled, or the
     * folder is not there; QN_ERR_CORRUPT: the index has been made anew (search.h). `left_out`:
     * directories. */
    void (*done)(void *context, enum qn_err err, size_t left_out);
    void *context;
};
struct qn_search_crawl;
struct qn_search_crawl *qn_search_crawl_new(const struct qn_search_crawl_options *options);
/* `done` still comes, soon. */
void qn_search_crawl_cancel(struct qn_search_crawl *crawl);
