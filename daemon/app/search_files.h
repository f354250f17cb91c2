/* Names of files for the search: each folder whose directory is at this site is looked at
 * (search_crawl.h) at the start, every hour, and some seconds after a change below the path that
 * changed; one at a time. A folder whose directory is gone for the moment is still found by what
 * was known of it; one that was taken away is forgotten.
 *
 * What other programs change in a directory is found by the next hourly look. Loop thread.
 */
#pragma once

#include "app/folders.h"
#include "app/log.h"
#include "app/search_crawl.h"
#include "app/search_feed.h"

#define QN_SEARCH_CHANGES_MAX 256 /* paths that wait of each folder; more are one above all */

struct qn_search_files;

struct qn_search_files_options {
    struct qn_loop *loop;
    struct qn_log *log;
    struct qn_search *search;
    unsigned soon_ms, every_ms, pause_ms; /* 0: 3 s, an hour, 5 ms */
};
struct qn_search_files *qn_search_files_new(const struct qn_search_files_options *options);
/* Waits for what is under way. Accepts NULL. */
void qn_search_files_free(struct qn_search_files *files);

/* The folders that are here are all told: what else is in the index is forgotten. */
void qn_search_files_start(struct qn_search_files *files);
/* A struct qn_folders_watch: `context` of its functions is `files`. */
void qn_search_files_watch(struct qn_search_files *files, struct qn_folders_watch *ret_watch);

/* The index has been made anew: all is looked at again. */
void qn_search_files_renew(struct qn_search_files *files);
/* Told when a look found that it has. */
void qn_search_files_on_renewed(struct qn_search_files *files, void (*renewed)(void *context),
                                void *context);
/* There is a folder of which not all was looked at yet. */
bool qn_search_files_is_behind(const struct qn_search_files *files);

/* The word of a folder's scope. */
#define QN_SEARCH_FOLDER_SCOPE_SIZE QN_SEARCH_COLL_SCOPE_SIZE
void qn_search_folder_scope(const struct qn_coll_id *folder, char out[QN_SEARCH_COLL_SCOPE_SIZE]);
