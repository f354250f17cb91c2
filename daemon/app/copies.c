#include "app/copies.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define LOOK_MS   100 /* how often a thread that waits looks whether it is cancelled */
#define NOTES_MAX 64  /* that wait for the loop thread; more are dropped */

struct note {
    const char *code; /* static text */
    enum qn_err err;
    char object[80];
};

struct qn_copies {
    struct qn_mailbox *mailbox;
    struct qn_log *log;
    struct qn_copies_core core; /* the loop thread's; request NULL: nobody yet */
    pthread_mutex_t mutex;      /* of what follows */
    pthread_cond_t is_answered;
    QN_VEC(struct qn_copies_ask *) asks; /* not answered; in the order of their coming */
    QN_VEC(uint64_t) gone;               /* tokens of what nobody waits for any more */
    QN_VEC(struct note) notes;
    size_t open; /* asks that the core has */
    uint64_t last_token;
    bool is_ending;
};

/* ---- asks, with the mutex ---- */

static void finish(struct qn_copies *copies, size_t i, enum qn_err err)
{
    struct qn_copies_ask *ask = copies->asks.items[i];
    ask->err = err;
    ask->is_done = true;
    copies->open -= ask->token != 0;
    qn_vec_remove(&copies->asks, i);
    pthread_cond_broadcast(&copies->is_answered);
}

static bool find_token(const struct qn_copies *copies, uint64_t token, size_t *ret_i)
{
    for (size_t i = 0; i < copies->asks.count; i++)
        if (copies->asks.items[i]->token == token) {
            *ret_i = i;
            return true;
        }
    return false;
}

/* ---- the loop thread ---- */

/* Gives the next ask its token, and a copy of what the core is to be asked: the thread may be
 * cancelled, and the ask gone, while the core looks at it. */
static bool next_ask(struct qn_copies *copies, uint64_t *ret_token, const char **ret_command,
                     struct qn_buf *args)
{
    bool has_one = false;
    pthread_mutex_lock(&copies->mutex);
    for (size_t i = 0; i < copies->asks.count && !has_one && copies->open < QN_COPIES_OPEN_MAX;
         i++) {
        struct qn_copies_ask *ask = copies->asks.items[i];
        if (ask->token != 0)
            continue;
        ask->token = *ret_token = QN_COPIES_TOKEN | ++copies->last_token;
        *ret_command = ask->command;
        qn_buf_reset(args);
        qn_buf_append_span(args, qn_buf_view(&ask->args));
        copies->open++;
        has_one = true;
    }
    pthread_mutex_unlock(&copies->mutex);
    return has_one;
}

static bool next_gone(struct qn_copies *copies, uint64_t *ret_token)
{
    pthread_mutex_lock(&copies->mutex);
    bool has_one = copies->gone.count > 0;
    if (has_one)
        *ret_token = copies->gone.items[--copies->gone.count];
    pthread_mutex_unlock(&copies->mutex);
    return has_one;
}

static bool next_note(struct qn_copies *copies, struct note *ret_note)
{
    pthread_mutex_lock(&copies->mutex);
    bool has_one = copies->notes.count > 0;
    if (has_one) {
        *ret_note = copies->notes.items[0];
        qn_vec_remove(&copies->notes, 0);
    }
    pthread_mutex_unlock(&copies->mutex);
    return has_one;
}

/* Answers may come from inside of these calls. */
static void on_posted(void *context)
{
    struct qn_copies *copies = context;
    struct note note;
    while (next_note(copies, &note))
        qn_log_note(copies->log, note.code, note.err, note.object);
    if (copies->core.request == NULL)
        return;
    QN_AUTO_BUF struct qn_buf args;
    uint64_t token;
    const char *command;
    qn_buf_init(&args, QN_CONTROL_FRAME_SIZE_MAX);
    while (next_gone(copies, &token))
        copies->core.gone(copies->core.context, token);
    while (next_ask(copies, &token, &command, &args))
        copies->core.request(copies->core.context, token, qn_span_str(command), qn_buf_view(&args));
}

void qn_copies_reply(struct qn_copies *copies, uint64_t token, const struct qn_effect *reply)
{
    size_t i;
    pthread_mutex_lock(&copies->mutex);
    if (reply->reply != QN_REPLY_DATA && find_token(copies, token, &i)) {
        struct qn_copies_ask *ask = copies->asks.items[i];
        bool is_error = reply->reply == QN_REPLY_ERROR;
        if (is_error)
            ask->code = reply->code;
        else
            qn_buf_append(&ask->data, reply->bytes, reply->size);
        finish(copies, i, is_error ? reply->err : qn_buf_status(&ask->data));
    }
    bool has_more = copies->asks.count > copies->open;
    pthread_mutex_unlock(&copies->mutex);
    if (has_more)
        qn_mailbox_post(copies->mailbox); /* not now: a step runs */
}

struct qn_copies *qn_copies_new(struct qn_loop *loop, struct qn_log *log)
{
    struct qn_copies *copies = QN_NEW(struct qn_copies);
    pthread_condattr_t attributes;
    copies->log = log;
    copies->mailbox = qn_mailbox_new(loop, on_posted, copies);
    pthread_mutex_init(&copies->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&copies->is_answered, &attributes);
    pthread_condattr_destroy(&attributes);
    return copies;
}

void qn_copies_set_core(struct qn_copies *copies, const struct qn_copies_core *core)
{
    copies->core = *core;
    qn_mailbox_post(copies->mailbox);
}

void qn_copies_end(struct qn_copies *copies)
{
    copies->core = (struct qn_copies_core){0};
    pthread_mutex_lock(&copies->mutex);
    copies->is_ending = true;
    while (copies->asks.count > 0)
        finish(copies, 0, QN_ERR_CLOSED);
    pthread_mutex_unlock(&copies->mutex);
}

void qn_copies_free(struct qn_copies *copies)
{
    if (copies == NULL)
        return;
    qn_mailbox_free(copies->mailbox);
    pthread_cond_destroy(&copies->is_answered);
    pthread_mutex_destroy(&copies->mutex);
    qn_vec_free(&copies->asks);
    qn_vec_free(&copies->gone);
    qn_vec_free(&copies->notes);
    qn_free(copies);
}

/* ---- any thread ---- */

void qn_copies_begin(struct qn_copies *copies, struct qn_copies_ask *ask)
{
    ask->token = 0;
    ask->is_done = false;
    qn_buf_init(&ask->data, QN_CONTROL_FRAME_SIZE_MAX);
    pthread_mutex_lock(&copies->mutex);
    qn_vec_push(&copies->asks, ask);
    if (copies->is_ending)
        finish(copies, copies->asks.count - 1, QN_ERR_CLOSED);
    pthread_mutex_unlock(&copies->mutex);
    qn_mailbox_post(copies->mailbox);
}

static void wait_a_little(struct qn_copies *copies)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&copies->is_answered, &copies->mutex, &until);
}

static void give_up(struct qn_copies *copies, struct qn_copies_ask *ask)
{
    for (size_t i = 0; i < copies->asks.count; i++) {
        if (copies->asks.items[i] != ask)
            continue;
        if (ask->token != 0)
            qn_vec_push(&copies->gone, ask->token);
        finish(copies, i, QN_ERR_CLOSED);
        return;
    }
}

enum qn_err qn_copies_wait(struct qn_copies *copies, struct qn_copies_ask *ask,
                           const atomic_bool *is_cancelled)
{
    pthread_mutex_lock(&copies->mutex);
    while (!ask->is_done) {
        if (is_cancelled != NULL && atomic_load(is_cancelled))
            give_up(copies, ask);
        else
            wait_a_little(copies);
    }
    bool has_gone = copies->gone.count > 0;
    pthread_mutex_unlock(&copies->mutex);
    qn_buf_deinit(&ask->args);
    if (has_gone)
        qn_mailbox_post(copies->mailbox);
    return ask->err;
}

void qn_copies_note(struct qn_copies *copies, const char *code, enum qn_err err, const char *object)
{
    struct note note = {.code = code, .err = err};
    snprintf(note.object, sizeof(note.object), "%s", object);
    pthread_mutex_lock(&copies->mutex);
    if (copies->notes.count < NOTES_MAX)
        qn_vec_push(&copies->notes, note);
    pthread_mutex_unlock(&copies->mutex);
    qn_mailbox_post(copies->mailbox);
}
