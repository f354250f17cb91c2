#include "app/jobs.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/job_run.h"
#include "base/assert.h"
#include "os/os.h"

#define PROGRESS_MS 250

struct qn_jobs {
    struct qn_jobs_options options;
    pthread_t thread;
    struct qn_mailbox *mailbox;
    struct qn_timer *watch; /* tells the progress of what runs */
    char dir[4096];

    pthread_mutex_t open_mutex; /* of `vault` and of the key in `options` */
    struct qn_vault *vault;

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t is_wanted;
    QN_VEC(struct qn_job *) queue;
    struct qn_job_run *running; /* NULL: none */
    pthread_cond_t is_room;     /* among the news */
    QN_VEC(struct qn_job_item) news;
    size_t news_size;
    bool is_ending;
    struct qn_config_backup commands[QN_CONFIG_BACKUPS_MAX];
    size_t command_count;
    char distrusted[1024];
};

/* ---- the way back ---- */

static void item_free(struct qn_job_item *item)
{
    qn_buf_deinit(&item->payload);
}

/* A job that has more to tell than the loop takes waits: a catalog is as large as the vault. */
void qn_jobs_tell(struct qn_jobs *jobs, struct qn_job_item *take_item)
{
    pthread_mutex_lock(&jobs->mutex);
    while (jobs->news_size >= QN_JOB_NEWS_SIZE_MAX && !jobs->is_ending)
        pthread_cond_wait(&jobs->is_room, &jobs->mutex);
    jobs->news_size += take_item->payload.size;
    qn_vec_push(&jobs->news, *take_item);
    pthread_mutex_unlock(&jobs->mutex);
    qn_mailbox_post(jobs->mailbox);
}

/* Every PROGRESS_MS while a job runs: the job's thread itself tells nothing of it. */
static void tell_progress(void *context)
{
    struct qn_jobs *jobs = context;
    QN_AUTO_BUF struct qn_buf payload;
    qn_buf_init(&payload, 1024);
    pthread_mutex_lock(&jobs->mutex);
    uint64_t token = jobs->running == NULL ? 0 : jobs->running->job->token;
    if (token != 0)
        qn_job_pack_progress(&jobs->running->progress, &payload);
    pthread_mutex_unlock(&jobs->mutex);
    if (token == 0)
        return;
    struct qn_job_event event = {
        .token = token, .news = QN_JOB_PROGRESS, .payload = qn_buf_view(&payload)};
    qn_timer_set(jobs->watch, PROGRESS_MS);
    jobs->options.on_news(jobs->options.context, &event);
}

static void deliver(void *context)
{
    struct qn_jobs *jobs = context;
    pthread_mutex_lock(&jobs->mutex);
    QN_VEC(struct qn_job_item) items = {.items = jobs->news.items, .count = jobs->news.count};
    jobs->news.items = NULL;
    jobs->news.count = jobs->news.capacity = 0;
    jobs->news_size = 0;
    pthread_cond_broadcast(&jobs->is_room);
    pthread_mutex_unlock(&jobs->mutex);
    if (items.count > 0)
        qn_timer_set(jobs->watch, PROGRESS_MS);
    qn_vec_each (&items, item) {
        struct qn_job_event event = {.token = item->token,
                                     .news = item->news,
                                     .err = item->err,
                                     .payload = qn_buf_view(&item->payload)};
        jobs->options.on_news(jobs->options.context, &event);
        item_free(item);
    }
    qn_vec_free(&items);
}

/* ---- the thread ---- */

struct qn_store *qn_jobs_store(const struct qn_jobs *jobs)
{
    return jobs->options.store;
}

bool qn_jobs_has_vault(const struct qn_jobs *jobs)
{
    return access(jobs->dir, F_OK) == 0;
}

enum qn_err qn_jobs_vault(struct qn_jobs *jobs, struct qn_vault **ret_vault)
{
    struct qn_vault_options options = {.dir = jobs->dir,
                                       .pack_size = QN_VAULT_PACK_SIZE,
                                       .level = QN_VAULT_LEVEL,
                                       .map_size = jobs->options.map_size,
                                       .source = jobs->options.source};
    enum qn_err err = QN_OK;
    pthread_mutex_lock(&jobs->open_mutex);
    options.master = jobs->options.master;
    options.epoch = jobs->options.epoch;
    if (options.master == NULL)
        err = QN_ERR_HELD;
    else if (jobs->vault == NULL)
        err = qn_vault_open(&options, &jobs->vault);
    *ret_vault = jobs->vault;
    pthread_mutex_unlock(&jobs->open_mutex);
    return err;
}

enum qn_err qn_jobs_copy(struct qn_jobs *jobs, const char *site, const atomic_bool *is_cancelled,
                         struct qn_copy_vault **ret_copy)
{
    struct qn_copy_vault_options options = {.copies = jobs->options.copies,
                                            .state_dir = jobs->options.state_dir,
                                            .site = site,
                                            .master = jobs->options.master,
                                            .epoch = jobs->options.epoch,
                                            .map_size = jobs->options.map_size,
                                            .is_cancelled = is_cancelled};
    return qn_copy_vault_open(&options, ret_copy);
}

/* With the mutex. A reader of the vault that waits for the same holder at that moment is told so
 * too, and can ask again. */
static void stop_waiting(struct qn_jobs *jobs, bool is_stopped)
{
    if (jobs->options.holders != NULL)
        qn_copy_source_stop(jobs->options.holders, is_stopped);
}

static struct qn_job *take(struct qn_jobs *jobs, struct qn_job_run *run)
{
    struct qn_job *job = NULL;
    pthread_mutex_lock(&jobs->mutex);
    while (jobs->queue.count == 0 && !jobs->is_ending)
        pthread_cond_wait(&jobs->is_wanted, &jobs->mutex);
    if (jobs->queue.count > 0) {
        job = jobs->queue.items[0];
        qn_vec_remove(&jobs->queue, 0);
        qn_job_run_init(run, jobs, job);
        atomic_store(&run->progress.is_cancelled, jobs->is_ending);
        jobs->running = run;
    }
    pthread_mutex_unlock(&jobs->mutex);
    return job;
}

static void finished(struct qn_jobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    jobs->running = NULL;
    stop_waiting(jobs, jobs->is_ending);
    pthread_mutex_unlock(&jobs->mutex);
}

static void *work(void *context)
{
    struct qn_jobs *jobs = context;
    struct qn_job_run run;
    struct qn_job *job;
    while ((job = take(jobs, &run)) != NULL) {
        qn_job_run(&run, &jobs->options);
        finished(jobs);
        qn_job_free(job);
    }
    return NULL;
}

/* ---- the door ---- */

struct qn_jobs *qn_jobs_new(const struct qn_jobs_options *options)
{
    struct qn_jobs *jobs = QN_NEW(struct qn_jobs);
    jobs->options = *options;
    snprintf(jobs->dir, sizeof(jobs->dir), "%s/vault", options->state_dir);
    pthread_mutex_init(&jobs->open_mutex, NULL);
    pthread_mutex_init(&jobs->mutex, NULL);
    pthread_cond_init(&jobs->is_wanted, NULL);
    pthread_cond_init(&jobs->is_room, NULL);
    jobs->mailbox = qn_mailbox_new(options->loop, deliver, jobs);
    jobs->watch = qn_timer_new(options->loop, tell_progress, jobs);
    QN_ASSERT(qn_os_start_thread(&jobs->thread, work, jobs) == 0);
    return jobs;
}

void qn_jobs_configure(struct qn_jobs *jobs, const struct qn_config *config)
{
    pthread_mutex_lock(&jobs->mutex);
    memcpy(jobs->commands, config->backups, sizeof(jobs->commands));
    jobs->command_count = config->backup_count;
    memcpy(jobs->distrusted, config->distrusted, sizeof(jobs->distrusted));
    pthread_mutex_unlock(&jobs->mutex);
}

void qn_jobs_commands(struct qn_jobs *jobs, const char *plan, struct qn_config_backup *ret_commands,
                      char ret_distrusted[1024])
{
    *ret_commands = (struct qn_config_backup){0};
    pthread_mutex_lock(&jobs->mutex);
    for (size_t i = 0; i < jobs->command_count; i++)
        if (strcmp(jobs->commands[i].plan, plan) == 0)
            *ret_commands = jobs->commands[i];
    memcpy(ret_distrusted, jobs->distrusted, sizeof(jobs->distrusted));
    pthread_mutex_unlock(&jobs->mutex);
}

bool qn_jobs_are_ending(struct qn_jobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    bool is_ending = jobs->is_ending;
    pthread_mutex_unlock(&jobs->mutex);
    return is_ending;
}

void qn_jobs_set_key(struct qn_jobs *jobs, const uint8_t *master, uint32_t epoch)
{
    pthread_mutex_lock(&jobs->open_mutex);
    QN_ASSERT(jobs->options.master == NULL);
    jobs->options.master = master;
    jobs->options.epoch = epoch;
    pthread_mutex_unlock(&jobs->open_mutex);
}

void qn_jobs_start(struct qn_jobs *jobs, struct qn_job *take_job)
{
    pthread_mutex_lock(&jobs->mutex);
    qn_vec_push(&jobs->queue, take_job);
    pthread_cond_signal(&jobs->is_wanted);
    pthread_mutex_unlock(&jobs->mutex);
    qn_timer_set(jobs->watch, PROGRESS_MS);
}

static void drop_queued(struct qn_jobs *jobs, size_t at)
{
    struct qn_job_item item = {
        .token = jobs->queue.items[at]->token, .news = QN_JOB_DONE, .err = QN_ERR_CLOSED};
    qn_job_free(jobs->queue.items[at]);
    qn_vec_remove(&jobs->queue, at);
    qn_vec_push(&jobs->news, item);
}

void qn_jobs_stop(struct qn_jobs *jobs, uint64_t token)
{
    pthread_mutex_lock(&jobs->mutex);
    if (jobs->running != NULL && jobs->running->job->token == token) {
        atomic_store(&jobs->running->progress.is_cancelled, true);
        stop_waiting(jobs, true);
    }
    for (size_t i = jobs->queue.count; i-- > 0;)
        if (jobs->queue.items[i]->token == token)
            drop_queued(jobs, i);
    pthread_mutex_unlock(&jobs->mutex);
    qn_mailbox_post(jobs->mailbox);
}

static void end_thread(struct qn_jobs *jobs)
{
    pthread_mutex_lock(&jobs->mutex);
    jobs->is_ending = true;
    if (jobs->running != NULL)
        atomic_store(&jobs->running->progress.is_cancelled, true);
    stop_waiting(jobs, true);
    pthread_cond_signal(&jobs->is_wanted);
    pthread_cond_broadcast(&jobs->is_room);
    pthread_mutex_unlock(&jobs->mutex);
    pthread_join(jobs->thread, NULL);
}

void qn_jobs_free(struct qn_jobs *jobs)
{
    if (jobs == NULL)
        return;
    end_thread(jobs);
    qn_mailbox_free(jobs->mailbox);
    qn_timer_free(jobs->watch);
    qn_vec_each (&jobs->news, item)
        item_free(item);
    qn_vec_free(&jobs->news);
    qn_vec_free(&jobs->queue);
    qn_vault_close(jobs->vault);
    pthread_cond_destroy(&jobs->is_wanted);
    pthread_cond_destroy(&jobs->is_room);
    pthread_mutex_destroy(&jobs->mutex);
    pthread_mutex_destroy(&jobs->open_mutex);
    qn_free(jobs);
}
