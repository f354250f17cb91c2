/* What an update says to do, done. */
#include "app/driver_private.h"
#include "base/assert.h"

void driver_fail_read(void *context, uint64_t token, enum qn_err err)
{
    struct qn_driver *driver = context;
    struct qn_read_result *result = QN_NEW(struct qn_read_result);
    *result = (struct qn_read_result){.token = token, .err = err};
    driver_later(driver, (struct later){.event = {.kind = QN_EVENT_READ}, .read = result});
}

static void read_pinned(struct qn_driver *driver, struct qn_effect *effect)
{
    uint64_t token = effect->read->token;
    enum qn_err err = qn_pins_read(driver->pins, effect->read);
    effect->read = NULL;
    if (err != QN_OK)
        driver_fail_read(driver, token, err);
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
    driver_later(driver, (struct later){.event = {.kind = QN_EVENT_READ}, .read = result});
}

enum qn_err driver_begin_long_read(void *context, struct qn_read *take_read)
{
    return qn_pins_read(((struct qn_driver *)context)->pins, take_read);
}

void driver_end_long_read(void *context, uint64_t pin)
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
    driver_later(driver, (struct later){.event = {.kind = QN_EVENT_COMMIT}, .commit = commit});
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

void driver_carry_out(struct qn_driver *driver, struct qn_effect *effect)
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
