#include "app/driver.h"

#include <unistd.h>

#include "app/dials.h"
#include "app/long_reads.h"
#include "app/pins.h"
#include "app/service.h"
#include "base/assert.h"

#define SERVICES_MAX 8

/* An event that waits because a step runs, or that the step itself asked for. */
struct later {
    struct qn_event event;
    uint8_t *frame;
    struct qn_commit *commit;
    struct qn_read_result *read;
};

struct qn_driver {
    struct qn_driver_options options;
    struct qn_update update;
    struct qn_timer *deadline;
    struct qn_mailbox *mailbox;
    struct qn_dials dials;
    struct qn_pins *pins;
    struct qn_service services[SERVICES_MAX];
    size_t service_count;
    struct qn_driver_web web;
    QN_VEC(struct later) queue;
    struct qn_long_reads *long_reads;
    int32_t offset_s;       /* local time minus UTC, */
    uint64_t offset_minute; /* in this minute since 1970, plus 1 */
    bool is_stepping, is_started, is_stopping, has_failed;
};

/* ---- effects ---- */

static void later(struct qn_driver *driver, struct later what)
{
    qn_vec_push(&driver->queue, what);
}

static void fail_read(void *context, uint64_t token, enum qn_err err)
{
    struct qn_driver *driver = context;
    struct qn_read_result *result = QN_NEW(struct qn_read_result);
    *result = (struct qn_read_result){.token = token, .err = err};
    later(driver, (struct later){.event = {.kind = QN_EVENT_READ}, .read = result});
}

static void read_pinned(struct qn_driver *driver, struct qn_effect *effect)
{
    uint64_t token = effect->read->token;
    enum qn_err err = qn_pins_read(driver->pins, effect->read);
    effect->read = NULL;
    if (err != QN_OK)
        fail_read(driver, token, err);
}

static void read_now(struct qn_driver *driver, const struct qn_read *read)
{
    struct qn_read_result *result = QN_NEW(struct qn_read_result);
    struct qn_kv *kv;
    result->token = read->token;
    result->err = qn_store_read_begin(driver->options.store, &kv);
    if (result->err == QN_OK) {
        qn_core_read(kv, read, result);
        qn_store_read_end(driver->options.store);
    }
    later(driver, (struct later){.event = {.kind = QN_EVENT_READ}, .read = result});
}

static enum qn_err begin_long_read(void *context, struct qn_read *take_read)
{
    return qn_pins_read(((struct qn_driver *)context)->pins, take_read);
}

static void end_long_read(void *context, uint64_t pin)
{
    qn_pins_end(((struct qn_driver *)context)->pins, pin);
}

static void read_aside(struct qn_driver *driver, struct qn_effect *effect)
{
    struct qn_read *read = effect->read;
    effect->read = NULL;
    qn_long_reads_add(driver->long_reads, read);
}

/* The store did not take an intent: its outcome says so. */
static void fail_intent(struct qn_driver *driver, uint64_t token, enum qn_intent_kind kind,
                        enum qn_err err)
{
    struct qn_commit *commit = qn_commit_new();
    qn_vec_push(&commit->outcomes, ((struct qn_outcome){.token = token, .kind = kind, .err = err}));
    later(driver, (struct later){.event = {.kind = QN_EVENT_COMMIT}, .commit = commit});
}

static void commit(struct qn_driver *driver, struct qn_effect *effect)
{
    uint64_t token = effect->intent->token;
    enum qn_intent_kind kind = effect->intent->kind;
    enum qn_err err = qn_store_submit(driver->options.store, effect->intent);
    effect->intent = NULL;
    if (err != QN_OK)
        fail_intent(driver, token, kind, err == QN_ERR_STATE ? QN_ERR_IO : err);
}

/* A peer that does not read what it is sent fills its queue: the link ends, and is dialled anew. */
static void send_frame(struct qn_driver *driver, const struct qn_effect *effect)
{
    enum qn_err err =
        qn_net_send(driver->options.net, effect->link, qn_span(effect->bytes, effect->size));
    if (err == QN_OK || err == QN_ERR_CLOSED)
        return;
    qn_log(driver->options.log, QN_LOG_WARNING, "a peer does not read (%s); its link is closed",
           qn_err_name(err));
    qn_net_close_link(driver->options.net, effect->link);
}

static void admit(struct qn_driver *driver)
{
    size_t count;
    bool allows_guests;
    const struct qn_public_key *keys =
        qn_core_admitted(driver->options.core, &count, &allows_guests);
    qn_net_admit(driver->options.net, keys, count, allows_guests);
}

static enum qn_net_kind net_kind_of(enum qn_link_kind kind)
{
    switch (kind) {
    case QN_LINK_MEMBER:
        return QN_NET_MEMBER;
    case QN_LINK_GUEST:
        return QN_NET_GUEST;
    case QN_LINK_BULK:
        return QN_NET_BULK;
    }
    QN_ASSERT(false);
}

static void carry_out(struct qn_driver *driver, struct qn_effect *effect)
{
    const struct qn_driver_options *o = &driver->options;
    switch (effect->kind) {
    case QN_EFFECT_DIAL:
        qn_dials_started(&driver->dials, effect->token, (const char *)effect->bytes);
        qn_net_dial(o->net, (const char *)effect->bytes, net_kind_of(effect->link_kind),
                    effect->has_expected ? &effect->expected : NULL, effect->token);
        break;
    case QN_EFFECT_SEND:
        send_frame(driver, effect);
        break;
    case QN_EFFECT_CLOSE:
        qn_net_close_link(o->net, effect->link);
        break;
    case QN_EFFECT_COMMIT:
        commit(driver, effect);
        break;
    case QN_EFFECT_READ:
        if (effect->read->pin != 0)
            read_pinned(driver, effect);
        else if (qn_read_is_long(effect->read))
            read_aside(driver, effect);
        else
            read_now(driver, effect->read);
        break;
    case QN_EFFECT_UNPIN:
        qn_pins_end(driver->pins, effect->token);
        break;
    case QN_EFFECT_REPLY:
        o->on_reply(o->context, effect->token, effect);
        break;
    case QN_EFFECT_ADMIT:
        admit(driver);
        break;
    case QN_EFFECT_JOB:
        if (o->on_job != NULL) {
            o->on_job(o->work, effect->job);
            effect->job = NULL;
        }
        break;
    case QN_EFFECT_JOB_STOP:
        o->on_job_stop(o->work, effect->token);
        break;
    case QN_EFFECT_FILE:
        o->on_file(o->work, effect->file);
        effect->file = NULL;
        break;
    case QN_EFFECT_VAULT_KEY:
        if (o->on_vault_key != NULL)
            o->on_vault_key(o->work, qn_span(effect->bytes, effect->size));
        break;
    case QN_EFFECT_RECOVERED:
        if (o->on_recovered != NULL)
            o->on_recovered(o->work);
        break;
    case QN_EFFECT_CALLED:
        if (driver->web.on_called != NULL)
            driver->web.on_called(driver->web.context, &effect->expected);
        break;
    case QN_EFFECT_NOTE:
        qn_log_note(o->log, effect->code, effect->err, effect->object);
        break;
    }
}

/* ---- steps ---- */

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
        carry_out(driver, effect);
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

/* From a callback: now, or after the step in which it came. Of what an event borrows only a frame
 * is copied: a REQUEST does not come this way. */
static void happen(struct qn_driver *driver, struct qn_event *event)
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
    later(driver, what);
}

/* ---- what the edges report ---- */

static struct qn_driver *driver_of(void *context)
{
    return *(struct qn_driver **)context;
}

static enum qn_link_kind link_kind_of(enum qn_net_kind kind)
{
    switch (kind) {
    case QN_NET_MEMBER:
        return QN_LINK_MEMBER;
    case QN_NET_GUEST:
        return QN_LINK_GUEST;
    case QN_NET_BULK:
        return QN_LINK_BULK;
    case QN_NET_WEB: /* not the core's */
    case QN_NET_WEB_BACK:
        break;
    }
    QN_ASSERT(false);
}

static void on_web_up(struct qn_driver *driver, qn_link_id link, uint64_t dial_token,
                      const struct qn_net_peer *peer)
{
    const struct qn_driver_web *web = &driver->web;
    if (web->on_up == NULL || !driver->is_started || driver->is_stopping)
        return; /* net closes what is not taken */
    web->on_up(web->context, qn_net_take(driver->options.net, link), dial_token, peer);
}

static void on_up(void *context, qn_link_id link, uint64_t dial_token,
                  const struct qn_net_peer *peer)
{
    if (peer->kind == QN_NET_WEB || peer->kind == QN_NET_WEB_BACK) {
        on_web_up(driver_of(context), link, dial_token, peer);
        return;
    }
    struct qn_event event = {.kind = QN_EVENT_LINK_UP,
                             .link = link,
                             .token = dial_token,
                             .link_kind = link_kind_of(peer->kind),
                             .is_dialled = peer->is_dialled,
                             .key = peer->key};
    memcpy(event.exporter, peer->exporter, sizeof(event.exporter));
    const char *address;
    bool is_back =
        peer->is_dialled && qn_dials_reached(&driver_of(context)->dials, dial_token, &address);
    qn_log(driver_of(context)->options.log, is_back ? QN_LOG_INFO : QN_LOG_DEBUG,
           "link with %s is up", is_back ? address : peer->address);
    happen(driver_of(context), &event);
}

static void on_frame(void *context, qn_link_id link, struct qn_span frame)
{
    struct qn_event event = {.kind = QN_EVENT_FRAME, .link = link, .frame = frame};
    happen(driver_of(context), &event);
}

static void on_down(void *context, qn_link_id link, enum qn_err reason)
{
    struct qn_event event = {.kind = QN_EVENT_LINK_DOWN, .link = link, .err = reason};
    qn_log(driver_of(context)->options.log, QN_LOG_DEBUG, "a link ended (%s)", qn_err_name(reason));
    happen(driver_of(context), &event);
}

static void on_dial_failed(void *context, uint64_t dial_token, enum qn_err reason,
                           const char *detail)
{
    struct qn_event event = {.kind = QN_EVENT_DIAL_FAILED, .token = dial_token, .err = reason};
    const struct qn_driver_web *web = &driver_of(context)->web;
    const char *address;
    if ((dial_token & QN_DRIVER_WEB) != 0) {
        if (web->on_dial_failed != NULL)
            web->on_dial_failed(web->context, dial_token, detail);
        return;
    }
    bool is_news = qn_dials_failed(&driver_of(context)->dials, dial_token, detail, &address);
    qn_log(driver_of(context)->options.log, is_news ? QN_LOG_INFO : QN_LOG_DEBUG,
           "%s cannot be reached: %s (%s); it is tried again until it is", address, detail,
           qn_err_name(reason));
    happen(driver_of(context), &event);
}

static void on_drain(void *context, qn_link_id link)
{
    /* Windows and acknowledgements pace the core; nothing waits for this. */
}

struct qn_net_callbacks qn_driver_net_callbacks(void)
{
    return (struct qn_net_callbacks){.on_up = on_up,
                                     .on_frame = on_frame,
                                     .on_down = on_down,
                                     .on_dial_failed = on_dial_failed,
                                     .on_drain = on_drain};
}

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
    happen(driver, &event);
}

static void on_deadline(void *context)
{
    struct qn_event event = {.kind = QN_EVENT_TICK};
    happen(context, &event);
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
    driver->long_reads = qn_long_reads_new(&(struct qn_long_reads_options){
        .begin = begin_long_read, .end = end_long_read, .fail = fail_read, .context = driver});
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
    happen(driver, &event);
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
    happen(driver, &event);
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
