/* File work of core/job.h, on libuv's thread pool: the pools of packs that this site keeps, its own
 * ("vault/packs") and one for each owner whose vault it holds ("held/<identity in hex>").
 *
 * Work on one file runs in the order of asking; on different files in any order. Loop thread.
 */
#pragma once

#include "core/job.h"
#include "loop/loop.h"

struct qn_files;

struct qn_files_options {
    struct qn_loop *loop;
    const char *state_dir;
    const struct qn_site_id *site;
    uint64_t scrub_rate; /* bytes per second; 0: no limit */
    void (*on_result)(void *context, struct qn_file_result *result);
    void *context;
};

struct qn_files *qn_files_new(const struct qn_files_options *options);
void qn_files_start(struct qn_files *files, struct qn_file_work *take_work);
/* No result comes any more; frees itself when the last work is done. Accepts NULL. */
void qn_files_free(struct qn_files *files);
