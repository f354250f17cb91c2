/* What a daemon needs for backups beside the core: the vault's key, jobs, file work, views. One
 * object so that daemon.c starts and ends them together. Loop thread.
 */
#pragma once

#include "app/copies.h"
#include "app/driver.h"
#include "app/files.h"
#include "app/jobs.h"
#include "app/vault_key.h"
#include "app/views.h"

struct qn_backups;

struct qn_backups_options {
    struct qn_loop *loop;
    const char *state_dir;
    const char *site; /* name */
    const struct qn_site_id *id;
    const struct qn_public_key *recovery_seal;
    struct qn_store *store;         /* outlives the backups */
    const struct qn_config *config; /* used during new only */
    const uint8_t *kit_seed;        /* borrowed; while the site is recovered, else NULL */
    struct qn_log *log;
    const char *reader_socket;            /* of the reading unit; NULL: the disk is read directly */
    void (*on_view_ready)(void *context); /* some view has more to take */
    void *context;
};

/* Makes or reads the vault's key; in a recovery there is none before qn_backups_on_vault_key. The
 * driver may be set later, before anything is asked. */
enum qn_err QN_CHECKED qn_backups_new(const struct qn_backups_options *options,
                                      struct qn_backups **ret_backups);
/* The configuration was read anew: its commands. */
void qn_backups_configure(struct qn_backups *backups, const struct qn_config *config);
void qn_backups_set_driver(struct qn_backups *backups, struct qn_driver *driver);
/* After the control socket and the driver ended, before the loop does. Waits for jobs and views,
 * at most about a second. Accepts NULL. */
void qn_backups_free(struct qn_backups *backups);
struct qn_copies *qn_backups_copies(struct qn_backups *backups);
struct qn_views *qn_backups_views(struct qn_backups *backups);
/* The vault's key, sealed to the recovery kit, and its epoch; borrowed. Empty: it is not here. */
struct qn_span qn_backups_sealed_key(const struct qn_backups *backups, uint64_t *ret_epoch);

/* For the driver's options; `context` is the qn_backups. */
void qn_backups_on_job(void *context, struct qn_job *take_job);
void qn_backups_on_job_stop(void *context, uint64_t token);
void qn_backups_on_file(void *context, struct qn_file_work *take_work);
/* In a recovery: opens the sealed key with the kit, or makes a new one if there is none; then the
 * vault works. What fails is logged, and comes again at the next start. */
void qn_backups_on_vault_key(void *context, struct qn_span sealed);
/* The recovery is complete: the copy of the store and the kit's seed go, in this order. */
void qn_backups_on_recovered(void *context);
