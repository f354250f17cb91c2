/* Long work with the vault, on threads of its own: carries out the jobs of core/job.h one after the
 * other (a vault has one writer), and opens the vault for those who read it (app/backup_view.c).
 *
 * Loop thread, but for qn_jobs_vault. News come back on the loop thread, in order; a job that was
 * taken ends with exactly one DONE. Progress comes 4 times a second; of problems the first
 * QN_JOB_PROBLEMS_MAX of a job are told (all count). While QN_JOB_NEWS_SIZE_MAX of news wait, the
 * job's thread waits with more.
 */
#pragma once

#include "app/config.h"
#include "app/copies.h"
#include "core/job.h"
#include "loop/loop.h"
#include "store/store.h"
#include "vault/vault.h"

#define QN_JOB_PROBLEMS_MAX  1000
#define QN_JOB_NEWS_SIZE_MAX ((size_t)4 * 1024 * 1024) /* that wait for the loop */

struct qn_jobs;

struct qn_jobs_options {
    struct qn_loop *loop;
    const char *state_dir; /* the vault is in its folder "vault" */
    const char *site;      /* name */
    const uint8_t *master; /* borrowed; NULL: not known yet, see qn_jobs_set_key */
    uint32_t epoch;
    uint64_t map_size;                   /* of the vault's index */
    uint64_t store_map_size;             /* RECALL: of the copy of the store */
    struct qn_store *store;              /* goes into each snapshot; NULL: it does not */
    const char *reader_socket;           /* NULL: read the disk directly */
    const struct qn_pack_source *source; /* packs that only a holder has; borrowed; or NULL */
    struct qn_copy_source *holders; /* what is behind `source`: waits no longer than its job; or
                                       NULL */
    struct qn_copies *copies;       /* NULL: there are none (tests) */
    void (*on_news)(void *context, const struct qn_job_event *event);
    void *context;
};

/* Where a RECALL keeps the copy of the store; it may go when the recovery is complete. */
void qn_recalled_path(const char *state_dir, char *ret_path, size_t size);

struct qn_jobs *qn_jobs_new(const struct qn_jobs_options *options);
/* The commands of the configuration, copied; they hold for the runs that begin from then on. */
void qn_jobs_configure(struct qn_jobs *jobs, const struct qn_config *config);
/* Those of one plan; all empty: it has none. `ret_distrusted`: of qn_config. Any thread. */
void qn_jobs_commands(struct qn_jobs *jobs, const char *plan, struct qn_config_backup *ret_commands,
                      char ret_distrusted[1024]);
bool qn_jobs_are_ending(struct qn_jobs *jobs); /* any thread */
/* Once, if there was none: `master` is borrowed. */
void qn_jobs_set_key(struct qn_jobs *jobs, const uint8_t *master, uint32_t epoch);
void qn_jobs_start(struct qn_jobs *jobs, struct qn_job *take_job);
/* The job ends soon, with QN_ERR_CLOSED if it was not done. Unknown tokens are fine. */
void qn_jobs_stop(struct qn_jobs *jobs, uint64_t token);
/* Stops all jobs and waits for them, about a second, three with commands; closes the vault. Accepts
 * NULL. */
void qn_jobs_free(struct qn_jobs *jobs);
struct qn_store *qn_jobs_store(const struct qn_jobs *jobs); /* of the options */
/* Whether there is one; qn_jobs_vault makes it. */
bool qn_jobs_has_vault(const struct qn_jobs *jobs);
/* The copy at a holder, for a thread of a reader; qn_copy_vault_close. */
enum qn_err QN_CHECKED qn_jobs_copy(struct qn_jobs *jobs, const char *site,
                                    const atomic_bool *is_cancelled,
                                    struct qn_copy_vault **ret_copy);
/* The vault, opened at the first call (which may take a second). QN_ERR_HELD: it has no key yet.
 * Threads of readers; never the loop
 * thread. */
enum qn_err QN_CHECKED qn_jobs_vault(struct qn_jobs *jobs, struct qn_vault **ret_vault);
