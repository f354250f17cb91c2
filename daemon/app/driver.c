#include "app/driver.h"

#include <unistd.h>

#include "app/driver_private.h"
#include "base/assert.h"

/* ---- steps ---- */

void driver_later(struct qn_driver *driver, struct later what)
{
    qn_vec_push(&driver->queue, what);
}

/* Asked once a minute: an event may be one of a thousand a second. */
static int32_t offset_at(struct qn_driver *driver, uint64_t wall_ms)
{
    if (driver->offset_minute != wall_ms / 60000 + 1) {
        driver->offset_minute = wall_ms / 60000 + 1;
        driver->offset_s = qn_os_offset_s(wall_ms);
    }
    return driver->offset_s;
}

static void step_once(struct qn_driver *driver, struct qn_event *event)
{
    event->mono_ms = qn_os_boot_ms();
    event->wall_ms = qn_os_wall_ms();
    event->offset_s = offset_at(driver, event->wall_ms);
    qn_core_step(driver->options.core, event, &driver->update);
    qn_vec_each (&driver->update.effects, effect)
        driver_carry_out(driver, effect);
}

static void free_later(struct later *what)
{
    qn_free(what->frame);
    qn_commit_free(what->commit);
    if (what->read != NULL)
        qn_read_result_deinit(what->read);
    qn_free(what->read);
}

static void run_queue(struct qn_driver *driver)
{
    for (size_t i = 0; i < driver->queue.count; i++) { /* it grows while it is walked */
        struct later what = driver->queue.items[i];
        what.event.commit = what.commit;
        what.event.read = what.read;
        if (what.frame != NULL)
            what.event.frame.data = what.frame;
        step_once(driver, &what.event);
        free_later(&what);
    }
    driver->queue.count = 0;
}

static void set_deadline(struct qn_driver *driver)
{
    uint64_t at = driver->update.deadline_ms, now = qn_os_boot_ms();
    if (at == UINT64_MAX)
        qn_timer_stop(driver->deadline);
    else
        qn_timer_set(driver->deadline, at > now ? at - now : 1); /* never 0: others want a turn */
}

static void step(struct qn_driver *driver, struct qn_event *event)
{
    QN_ASSERT(!driver->is_stepping);
    driver->is_stepping = true;
    step_once(driver, event);
    run_queue(driver);
    driver->is_stepping = false;
    set_deadline(driver);
}

void driver_happen(struct qn_driver *driver, struct qn_event *event)
{
    if (!driver->is_started || driver->is_stopping)
        return;
    if (!driver->is_stepping) {
        step(driver, event);
        return;
    }
    struct later what = {.event = *event};
    if (event->frame.size > 0)
        what.frame = qn_memdup(event->frame.data, event->frame.size);
    driver_later(driver, what);
}

/* ---- commits, jobs, reads ---- */

/* Before anybody is told of a commit: whoever restores an older image from now on is found out. */
static void raise_watermark(struct qn_driver *driver)
{
    if (driver->options.watermark != NULL)
        qn_os_watermark_set(driver->options.watermark, qn_store_txn_id(driver->options.store));
}

static uint64_t count_queued(struct qn_driver *driver, enum qn_err *ret_fatal)
{
    struct qn_store_health health;
    qn_store_health(driver->options.store, &health);
    *ret_fatal = health.fatal;
    return health.queued;
}

static void tell_commits(struct qn_driver *driver)
{
    struct qn_commit *commits = qn_store_collect(driver->options.store);
    bool is_news = false; /* rows of the edges alone are none */
    raise_watermark(driver);
    while (commits != NULL) {
        struct qn_commit *next = commits->next;
        struct qn_event event = {.kind = QN_EVENT_COMMIT, .commit = commits};
        if (driver->options.local == NULL || qn_local_rows_commit(driver->options.local, commits)) {
            is_news = true;
            step(driver, &event);
        }
        qn_commit_free(commits);
        commits = next;
    }
    if (is_news && driver->options.on_commits != NULL)
        driver->options.on_commits(driver->options.context);
}

static void on_commits(void *context)
{
    struct qn_driver *driver = context;
    enum qn_err fatal;
    if (!driver->is_started)
        return;
    uint64_t before = count_queued(driver, &fatal); /* asked first: 0 means that all is collected */
    tell_commits(driver);
    uint64_t after = count_queued(driver, &fatal);
    if (fatal != QN_OK && !driver->has_failed) {
        driver->has_failed = true;
        driver->options.on_fatal(driver->options.context, fatal);
    } else if (driver->is_stopping && before == 0 && after == 0) {
        driver->is_started = false;
        driver->options.on_stopped(driver->options.context);
    } else if (driver->is_stopping && after == 0) {
        qn_mailbox_post(
            driver->mailbox); /* the last commit may have been told before it was asked */
    }
}

void qn_driver_news(struct qn_driver *driver, const struct qn_job_event *news)
{
    struct qn_event event = {.kind = QN_EVENT_JOB, .job = news};
    if (driver->is_started && !driver->is_stopping)
        step(driver, &event);
}

void qn_driver_file(struct qn_driver *driver, struct qn_file_result *result)
{
    struct qn_event event = {.kind = QN_EVENT_FILE, .file = result};
    if (driver->is_started && !driver->is_stopping)
        step(driver, &event);
}

static void on_read(void *context, struct qn_read_result *result)
{
    struct qn_driver *driver = context;
    struct qn_event event = {.kind = QN_EVENT_READ, .read = result};
    if (!driver->is_started || driver->is_stopping)
        return;
    qn_long_reads_ended(driver->long_reads, result->token);
    step(driver, &event);
}

void qn_driver_trail(struct qn_driver *driver, uint64_t seq, struct qn_span checkpoint)
{
    struct qn_event event = {.kind = QN_EVENT_TICK};
    qn_core_set_trail(driver->options.core, seq, checkpoint);
    driver_happen(driver, &event);
}

static void on_deadline(void *context)
{
    struct qn_event event = {.kind = QN_EVENT_TICK};
    driver_happen(context, &event);
}

/* ---- life ---- */

struct qn_driver *qn_driver_new(const struct qn_driver_options *options)
{
    struct qn_driver *driver = QN_NEW(struct qn_driver);
    driver->options = *options;
    driver->deadline = qn_timer_new(options->loop, on_deadline, driver);
    driver->mailbox = qn_mailbox_new(options->loop, on_commits, driver);
    driver->pins = qn_pins_new(&(struct qn_pins_options){
        .loop = options->loop, .store = options->store, .on_read = on_read, .context = driver});
    driver->long_reads =
        qn_long_reads_new(&(struct qn_long_reads_options){.begin = driver_begin_long_read,
                                                          .end = driver_end_long_read,
                                                          .fail = driver_fail_read,
                                                          .context = driver});
    return driver;
}

void qn_driver_free(struct qn_driver *driver)
{
    if (driver == NULL)
        return;
    qn_vec_each (&driver->queue, what)
        free_later(what);
    qn_vec_free(&driver->queue);
    qn_long_reads_free(driver->long_reads);
    qn_update_deinit(&driver->update);
    qn_dials_deinit(&driver->dials);
    qn_pins_free(driver->pins);
    qn_timer_free(driver->deadline);
    qn_mailbox_free(driver->mailbox);
    qn_free(driver);
}

void qn_driver_start(struct qn_driver *driver)
{
    struct qn_event event = {.kind = QN_EVENT_START};
    driver->is_started = true;
    step(driver, &event);
}

void qn_driver_stop(struct qn_driver *driver)
{
    struct qn_event event = {.kind = QN_EVENT_STOP};
    step(driver, &event);
    driver->is_stopping = true;
    on_commits(driver);
}

bool qn_driver_let_go(struct qn_driver *driver)
{
    driver->is_started = false;
    qn_pins_end_all(driver->pins);
    return qn_pins_are_ended(driver->pins);
}

void qn_driver_add_service(struct qn_driver *driver, const struct qn_service *service)
{
    QN_ASSERT(driver->service_count < SERVICES_MAX);
    driver->services[driver->service_count++] = *service;
}

void qn_driver_set_web(struct qn_driver *driver, const struct qn_driver_web *web)
{
    driver->web = *web;
}

void qn_driver_call(struct qn_driver *driver, const struct qn_public_key *key)
{
    struct qn_event event = {.kind = QN_EVENT_CALL, .key = *key};
    driver_happen(driver, &event);
}

void qn_driver_reply(struct qn_driver *driver, const struct qn_effect *reply)
{
    driver->options.on_reply(driver->options.context, reply->token, reply);
}

static const struct qn_service *service_of(const struct qn_driver *driver, struct qn_span command)
{
    for (size_t i = 0; i < driver->service_count; i++)
        if (driver->services[i].takes(driver->services[i].context, command))
            return &driver->services[i];
    return NULL;
}

void qn_driver_request(struct qn_driver *driver, uint64_t request, struct qn_span command,
                       struct qn_span args, struct qn_span user)
{
    const struct qn_service *service = service_of(driver, command);
    if (service != NULL) {
        if (driver->is_started && !driver->is_stopping)
            service->start(service->context, request, command, args, user);
        return;
    }
    struct qn_event event = {
        .kind = QN_EVENT_REQUEST, .token = request, .command = command, .args = args, .user = user};
    qn_os_random(event.entropy, sizeof(event.entropy));
    if (driver->is_started && !driver->is_stopping)
        step(driver, &event);
}

void qn_driver_request_gone(struct qn_driver *driver, uint64_t request)
{
    struct qn_event event = {.kind = QN_EVENT_REQUEST_GONE, .token = request};
    driver_happen(driver, &event);
}

void qn_driver_wake(void *driver)
{
    qn_mailbox_post(((struct qn_driver *)driver)->mailbox);
}

struct qn_core *qn_driver_core(const struct qn_driver *driver)
{
    return driver->options.core;
}

struct qn_store *qn_driver_store(const struct qn_driver *driver)
{
    return driver->options.store;
}

void qn_driver_health(const struct qn_driver *driver, struct qn_health *ret_health)
{
    struct qn_store_health health;
    qn_store_health(driver->options.store, &health);
    *ret_health = (struct qn_health){.wall_ms = qn_os_wall_ms(),
                                     .store_fatal = health.fatal,
                                     .store_last = health.last,
                                     .has_kit = access(driver->options.kit_path, F_OK) == 0};
    if (driver->options.on_health != NULL)
        driver->options.on_health(driver->options.context, ret_health);
}
