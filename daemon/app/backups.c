#include "app/backups.h"

#include "app/setup.h"
#include "app/site_store.h"

#define INDEX_MAP_SIZE ((uint64_t)64 * 1024 * 1024 * 1024) /* address space, not disk */
#define SCRUB_RATE     (32 * 1024 * 1024)

struct qn_backups {
    struct qn_backups_options options;
    struct qn_vault_key key;
    bool has_key;
    struct qn_driver *driver;
    struct qn_copies *copies;
    struct qn_copy_source *source; /* of packs that the vault lacks, from whichever holder */
    struct qn_pack_source packs;
    struct qn_jobs *jobs;
    struct qn_files *files;
    struct qn_views *views;
};

static void on_news(void *context, const struct qn_job_event *event)
{
    struct qn_backups *backups = context;
    if (backups->driver != NULL)
        qn_driver_news(backups->driver, event);
}

static void on_result(void *context, struct qn_file_result *result)
{
    struct qn_backups *backups = context;
    if (backups->driver != NULL)
        qn_driver_file(backups->driver, result);
}

static void ask_core(void *context, uint64_t token, struct qn_span command, struct qn_span args)
{
    struct qn_backups *backups = context;
    qn_driver_request(backups->driver, token, command, args, qn_span_str("syncd"));
}

static void tell_gone(void *context, uint64_t token)
{
    qn_driver_request_gone(((struct qn_backups *)context)->driver, token);
}

static void start(struct qn_backups *backups, const struct qn_backups_options *options)
{
    backups->copies = qn_copies_new(options->loop, options->log);
    backups->source = qn_copy_source_new(backups->copies, NULL, NULL);
    backups->packs = qn_copy_source_view(backups->source);
    struct qn_jobs_options jobs = {.loop = options->loop,
                                   .state_dir = options->state_dir,
                                   .site = options->site,
                                   .master = backups->has_key ? backups->key.master : NULL,
                                   .epoch = backups->key.epoch,
                                   .map_size = INDEX_MAP_SIZE,
                                   .store = options->store,
                                   .store_map_size = options->config->map_size,
                                   .reader_socket = options->reader_socket,
                                   .source = &backups->packs,
                                   .holders = backups->source,
                                   .copies = backups->copies,
                                   .on_news = on_news,
                                   .context = backups};
    struct qn_files_options files = {.loop = options->loop,
                                     .state_dir = options->state_dir,
                                     .site = options->id,
                                     .scrub_rate = SCRUB_RATE,
                                     .on_result = on_result,
                                     .context = backups};
    backups->jobs = qn_jobs_new(&jobs);
    qn_jobs_configure(backups->jobs, options->config);
    backups->files = qn_files_new(&files);
    backups->views =
        qn_views_new(options->loop, backups->jobs, options->on_view_ready, options->context);
}

static enum qn_err load_key(struct qn_backups *backups)
{
    const struct qn_backups_options *options = &backups->options;
    if (options->kit_seed != NULL && !qn_vault_key_exists(options->state_dir))
        return QN_OK;
    QN_TRY(qn_vault_key_load(options->state_dir, options->recovery_seal, &backups->key));
    backups->has_key = true;
    return QN_OK;
}

enum qn_err qn_backups_new(const struct qn_backups_options *options,
                           struct qn_backups **ret_backups)
{
    struct qn_backups *backups = QN_NEW(struct qn_backups);
    backups->options = *options;
    enum qn_err err = load_key(backups);
    if (err != QN_OK) {
        qn_free(backups);
        return err;
    }
    start(backups, options);
    *ret_backups = backups;
    return QN_OK;
}

void qn_backups_configure(struct qn_backups *backups, const struct qn_config *config)
{
    qn_jobs_configure(backups->jobs, config);
}

/* ---- the end of a recovery ---- */

static enum qn_err take_key(struct qn_backups *backups, struct qn_span sealed)
{
    const struct qn_backups_options *options = &backups->options;
    if (backups->has_key)
        return QN_OK;
    if (sealed.size == 0)
        QN_TRY(qn_vault_key_load(options->state_dir, options->recovery_seal, &backups->key));
    else
        QN_TRY(qn_vault_key_recover(options->state_dir, options->kit_seed, sealed, &backups->key));
    backups->has_key = true;
    qn_jobs_set_key(backups->jobs, backups->key.master, backups->key.epoch);
    return QN_OK;
}

void qn_backups_on_vault_key(void *context, struct qn_span sealed)
{
    struct qn_backups *backups = context;
    const struct qn_backups_options *options = &backups->options;
    if (options->kit_seed == NULL)
        return;
    enum qn_err err = take_key(backups, sealed);
    if (err != QN_OK) {
        qn_log(options->log, QN_LOG_ERROR,
               "the key of the vault could not be taken over (%s); it is tried again at the next "
               "start",
               qn_err_name(err));
        return;
    }
    uint64_t epoch;
    struct qn_span kept = qn_backups_sealed_key(backups, &epoch);
    qn_core_set_sealed_key(qn_driver_core(backups->driver), kept, epoch);
}

void qn_backups_on_recovered(void *context)
{
    struct qn_backups *backups = context;
    const struct qn_backups_options *options = &backups->options;
    char path[4096];
    qn_recalled_path(options->state_dir, path, sizeof(path));
    enum qn_err err = qn_site_store_remove(path);
    if (err == QN_OK && backups->has_key)
        err = qn_setup_end_recovery(options->state_dir);
    if (err != QN_OK)
        qn_log(options->log, QN_LOG_ERROR,
               "the files of the recovery could not be removed (%s); that is tried again at the "
               "next start",
               qn_err_name(err));
}

void qn_backups_set_driver(struct qn_backups *backups, struct qn_driver *driver)
{
    backups->driver = driver;
    qn_copies_set_core(
        backups->copies,
        &(struct qn_copies_core){.request = ask_core, .gone = tell_gone, .context = backups});
}

void qn_backups_free(struct qn_backups *backups)
{
    if (backups == NULL)
        return;
    backups->driver = NULL;
    qn_copies_end(backups->copies);
    qn_views_free(backups->views);
    qn_jobs_free(backups->jobs);
    qn_files_free(backups->files);
    qn_copy_source_free(backups->source);
    qn_copies_free(backups->copies);
    qn_vault_key_deinit(&backups->key);
    qn_free(backups);
}

struct qn_copies *qn_backups_copies(struct qn_backups *backups)
{
    return backups->copies;
}

struct qn_views *qn_backups_views(struct qn_backups *backups)
{
    return backups->views;
}

struct qn_span qn_backups_sealed_key(const struct qn_backups *backups, uint64_t *ret_epoch)
{
    *ret_epoch = backups->key.epoch;
    return qn_span(backups->key.sealed, backups->has_key ? sizeof(backups->key.sealed) : 0);
}

void qn_backups_on_job(void *context, struct qn_job *take_job)
{
    qn_jobs_start(((struct qn_backups *)context)->jobs, take_job);
}

void qn_backups_on_job_stop(void *context, uint64_t token)
{
    qn_jobs_stop(((struct qn_backups *)context)->jobs, token);
}

void qn_backups_on_file(void *context, struct qn_file_work *take_work)
{
    qn_files_start(((struct qn_backups *)context)->files, take_work);
}
