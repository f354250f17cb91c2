#include "app/people.h"

#include <stdio.h>
#include <unistd.h>

#include "app/clock_watch.h"
#include "app/people_private.h"
#include "base/assert.h"
#include "base/text.h"
#include "os/os.h"
#include "people/one_time.h"
#include "proto/pack.h"

#define TICK_MS         60000
#define FIRST_TICK_MS   2000 /* what is due since before the start: others soon know of it */
#define ANSWER_SIZE_MAX (64 * 1024)

struct qn_staff {
    struct qn_staff_options options;
    struct qn_people *people;
    struct qn_audit *audit;
    struct qn_timer *minute;
    struct qn_clock_watch clock;
    QN_VEC(struct order *) hashing; /* passwords that wait; the first is on the pool */
};

const struct qn_staff_options *qn_staff_options(const struct qn_staff *staff)
{
    return &staff->options;
}

struct qn_people *qn_staff_people(const struct qn_staff *staff)
{
    return staff->people;
}

struct qn_audit *qn_staff_audit(const struct qn_staff *staff)
{
    return staff->audit;
}

bool qn_staff_knows(struct qn_span command)
{
    return order_type_of(command) != NULL;
}

/* ---- answers ---- */

static void free_order(struct order *order)
{
    if (order->answer.size > 0)
        qn_wipe(order->answer.data, order->answer.size);
    qn_buf_deinit(&order->answer);
    qn_wipe(order, sizeof(*order));
    qn_free(order);
}

static void send(const struct order *order, enum qn_reply_kind kind, const struct qn_buf *data)
{
    struct qn_effect reply = {.kind = QN_EFFECT_REPLY,
                              .token = order->token,
                              .reply = kind,
                              .err = order->err,
                              .code = order->code,
                              .bytes = data != NULL ? data->data : NULL,
                              .size = data != NULL ? data->size : 0};
    memcpy(reply.object, order->object, sizeof(order->object));
    order->staff->options.reply(order->staff->options.context, order->token, &reply);
}

static const char *code_of(enum qn_err err)
{
    switch (err) {
    case QN_ERR_NOTFOUND:
        return "user-unknown";
    case QN_ERR_EXISTS:
        return "user-exists";
    case QN_ERR_LIMIT:
        return "too-many";
    case QN_ERR_BUSY:
        return "busy";
    case QN_ERR_NOSPACE:
        return "disk-full";
    case QN_ERR_INVALID:
        return "bad-request";
    case QN_ERR_CRYPTO: /* scrypt found no memory */
        return "busy";
    default:
        return "store-failed";
    }
}

/* Takes the order. */
static void finish(struct order *order, enum qn_err err)
{
    order->err = err;
    if (err != QN_OK && order->code == NULL) {
        order->code = code_of(err);
        snprintf(order->object, sizeof(order->object), "%s", order->name);
    }
    if (err != QN_OK)
        send(order, QN_REPLY_ERROR, NULL);
    else
        send(order, QN_REPLY_END, &order->answer);
    free_order(order);
}

/* ---- the trail ---- */

static void on_noted(void *context, enum qn_err err)
{
    finish(context, err);
}

static void note(struct order *order)
{
    QN_AUTO_BUF struct qn_buf object;
    qn_buf_init(&object, 1024);
    order_object(order, &object);
    struct qn_audit_what what = {.actor = qn_span_str(order->user),
                                 .device = qn_span_str("control"),
                                 .action = order->type->action,
                                 .object = qn_buf_view(&object),
                                 .result = "ok"};
    enum qn_err err = qn_audit_note(order->staff->audit, &what, order->now_ms, on_noted, order);
    if (err != QN_OK)
        finish(order, err);
}

/* ---- changes ---- */

static void on_edited(void *context, enum qn_err err)
{
    struct order *order = context;
    const struct qn_staff_options *options = &order->staff->options;
    if (err == QN_OK && order->type->kind == ORDER_PASSWORD && options->on_password != NULL)
        options->on_password(options->context, qn_span_str(order->name));
    if (err == QN_OK)
        note(order);
    else
        finish(order, err);
}

static void edit(struct order *order)
{
    qn_people_edit(order->staff->people, &(struct qn_people_edit){.change = order_change(order),
                                                                  .name = order->name,
                                                                  .edit = order_apply,
                                                                  .done = on_edited,
                                                                  .context = order});
}

static void hash_next(struct qn_staff *staff);

static void hash(void *context) /* on the pool */
{
    struct order *order = context;
    order->err = qn_verifier_make(qn_span(order->password, order->password_size), order->secret,
                                  &order->verifier);
}

static void on_hashed(void *context)
{
    struct order *order = context;
    struct qn_staff *staff = order->staff;
    qn_vec_remove(&staff->hashing, 0);
    if (order->err == QN_OK)
        edit(order);
    else
        finish(order, order->err);
    hash_next(staff);
}

static void hash_next(struct qn_staff *staff)
{
    while (staff->hashing.count > 0) {
        struct order *order = staff->hashing.items[0];
        if (qn_loop_job(staff->options.loop, hash, on_hashed, order) == QN_OK)
            return;
        qn_vec_remove(&staff->hashing, 0);
        finish(order, QN_ERR_BUSY);
    }
}

static void queue_hash(struct order *order)
{
    struct qn_staff *staff = order->staff;
    if (staff->hashing.count >= QN_PEOPLE_EDITS_MAX) {
        finish(order, QN_ERR_BUSY);
        return;
    }
    qn_vec_push(&staff->hashing, order);
    if (staff->hashing.count == 1)
        hash_next(staff);
}

/* Known before a second of work is spent on it; asked again when the change is made. */
static enum qn_err check_name(const struct order *order)
{
    bool is_there = qn_people_find(order->staff->people, qn_span_str(order->name)) != NULL;
    if (order->type->kind == ORDER_ADD)
        return is_there ? QN_ERR_EXISTS : QN_OK;
    return is_there ? QN_OK : QN_ERR_NOTFOUND;
}

/* ---- what changes nothing ---- */

static void list(struct order *order)
{
    const struct qn_people *people = order->staff->people;
    for (size_t i = 0; i < qn_people_count(people); i++) {
        QN_AUTO_BUF struct qn_buf data;
        qn_buf_init(&data, ANSWER_SIZE_MAX);
        order_pack_account(people, qn_people_at(people, i), &data);
        send(order, QN_REPLY_DATA, &data);
    }
    finish(order, QN_OK);
}

static void show(struct order *order)
{
    const struct qn_account *account =
        qn_people_find(order->staff->people, qn_span_str(order->name));
    order_pack_account(order->staff->people, account, &order->answer);
    finish(order, QN_OK);
}

/* A secret that holds only once a code proves that it arrived in the app. */
static void new_totp(struct order *order)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 1024);
    qn_pack_map(&order->answer, 2);
    qn_pack_cstr(&order->answer, "secret");
    qn_text_append_base32(&text, qn_span(order->secret, QN_TOTP_SECRET_SIZE), 0);
    qn_pack_str(&order->answer, qn_buf_view(&text));
    qn_buf_reset(&text);
    qn_totp_uri(order->staff->options.site, order->name, order->secret, &text);
    qn_pack_cstr(&order->answer, "uri");
    qn_pack_str(&order->answer, qn_buf_view(&text));
    qn_wipe(text.data, text.size);
    finish(order, QN_OK);
}

static void prove(struct order *order)
{
    const struct qn_staff_options *options = &order->staff->options;
    options->pack_proof(options->context, &order->answer);
    finish(order, qn_buf_status(&order->answer));
}

/* ---- orders ---- */

static void run(struct order *order)
{
    enum qn_err err = order_has_name(order) ? check_name(order) : QN_OK;
    if (err == QN_OK && order->type->action != NULL)
        err = qn_audit_state(order->staff->audit);
    if (err != QN_OK)
        finish(order, err);
    else if (order->type->kind == ORDER_LIST)
        list(order);
    else if (order->type->kind == ORDER_SHOW)
        show(order);
    else if (order->type->kind == ORDER_TOTP_NEW)
        new_totp(order);
    else if (order->type->kind == ORDER_PROOF)
        prove(order);
    else if (order_needs_hash(order))
        queue_hash(order);
    else
        edit(order);
}

void qn_staff_order(struct qn_staff *staff, uint64_t token, struct qn_span command,
                    struct qn_span args, struct qn_span user)
{
    struct order *order = QN_NEW(struct order);
    order->staff = staff;
    order->type = order_type_of(command);
    order->token = token;
    order->now_ms = qn_os_wall_ms();
    QN_ASSERT(order->type != NULL);
    memcpy(order->user, user.data,
           user.size < sizeof(order->user) ? user.size : sizeof(order->user) - 1);
    qn_os_random(order->secret, sizeof(order->secret));
    qn_buf_init(&order->answer, ANSWER_SIZE_MAX);
    enum qn_err err = order_parse(order, args);
    if (err != QN_OK)
        finish(order, err);
    else
        run(order);
}

/* ---- life ---- */

static void note_clock(struct qn_staff *staff)
{
    char object[QN_CLOCK_TEXT_SIZE];
    uint64_t wall_ms = qn_os_wall_ms();
    if (!qn_clock_look(&staff->clock, qn_os_clock_sync(), wall_ms, qn_os_boot_ms(), object))
        return;
    struct qn_audit_what what = {.actor = qn_span_str("syncd"),
                                 .device = qn_span_str("syncd"),
                                 .action = "clock",
                                 .object = qn_span_str(object),
                                 .result = "ok"};
    if (qn_audit_note(staff->audit, &what, wall_ms, NULL, NULL) != QN_OK)
        staff->clock.has_looked = false; /* a minute later */
}

static void on_minute(void *context)
{
    struct qn_staff *staff = context;
    staff_bind_grants(staff);
    qn_audit_tick(staff->audit, qn_os_wall_ms()); /* a checkpoint does not wait for what follows */
    note_clock(staff);
    qn_timer_set(staff->minute, TICK_MS);
}

/* Damage is itself a note, so that nobody finds a trail that goes on as if nothing had been. */
static void tell_damage(struct qn_staff *staff)
{
    struct qn_audit_what what = {.actor = qn_span_str("syncd"),
                                 .device = qn_span_str("control"),
                                 .action = "trail-damaged",
                                 .result = "failed"};
    qn_log(staff->options.log, QN_LOG_ERROR,
           "the audit trail is damaged; it goes on behind the damage: run syncctl log verify");
    if (qn_audit_note(staff->audit, &what, qn_os_wall_ms(), NULL, NULL) != QN_OK)
        qn_log(staff->options.log, QN_LOG_ERROR, "the audit trail takes no entries");
}

static enum qn_err load(struct qn_staff *staff)
{
    bool is_damaged;
    QN_TRY(qn_people_load(staff->people));
    QN_TRY(qn_audit_load(staff->audit, &is_damaged));
    if (is_damaged)
        tell_damage(staff);
    return QN_OK;
}

enum qn_err qn_staff_new(const struct qn_staff_options *options, struct qn_staff **ret_staff)
{
    struct qn_staff *staff = QN_NEW(struct qn_staff);
    staff->options = *options;
    staff->people = qn_people_new(options->local);
    qn_people_set_things(staff->people,
                         &(struct qn_people_things){options->find_thing, options->context});
    staff->audit = qn_audit_new(&(struct qn_audit_options){.local = options->local,
                                                           .site = options->site,
                                                           .id = options->id,
                                                           .signer = options->signer,
                                                           .keep_months = options->keep_months,
                                                           .on_checkpoint = options->on_checkpoint,
                                                           .context = options->context});
    enum qn_err err = load(staff);
    if (err != QN_OK) {
        qn_staff_free(staff);
        return err;
    }
    staff->minute = qn_timer_new(options->loop, on_minute, staff);
    qn_timer_set(staff->minute, FIRST_TICK_MS);
    *ret_staff = staff;
    return QN_OK;
}

void qn_staff_stop(struct qn_staff *staff)
{
    if (staff == NULL)
        return;
    if (staff->minute != NULL)
        qn_timer_free(staff->minute);
    staff->minute = NULL;
    while (staff->hashing.count > 1) {
        struct order *order = staff->hashing.items[1];
        qn_vec_remove(&staff->hashing, 1);
        finish(order, QN_ERR_BUSY);
    }
}

bool qn_staff_is_idle(const struct qn_staff *staff)
{
    return staff == NULL || staff->hashing.count == 0;
}

void qn_staff_free(struct qn_staff *staff)
{
    if (staff == NULL)
        return;
    qn_staff_stop(staff);
    QN_ASSERT(staff->hashing.count == 0);
    qn_people_free(staff->people);
    qn_audit_free(staff->audit);
    qn_vec_free(&staff->hashing);
    qn_free(staff);
}
