#include "store/writer.h"

#include <pthread.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "os/os.h"
#include "store/kv_lmdb.h"

#define ROOM_AGAIN ((uint64_t)16 * 1024 * 1024)

/* Intents in the order of submission, linked by `next`. */
struct queue {
    struct qn_intent *head, **tail;
    size_t count, ops, bytes;
};

struct qn_writer {
    struct qn_writer_options options;
    uint64_t (*wall_ms)(void *context);
    uint64_t (*entropy)(void *context);
    void *edge_context;
    pthread_t thread;
    struct qn_kv_lmdb kv; /* the thread's */

    pthread_mutex_t mutex;
    pthread_cond_t is_wanted; /* something was queued, or the end */
    struct queue queue;
    size_t count, bytes; /* submitted and without an outcome: the queue and the group in hand */
    struct qn_commit *done, **done_tail;
    bool is_closing;
    enum qn_err fatal, last;
    size_t refused_bytes; /* of the smallest group since the disk is full */
};

/* ---- queue ---- */

static void queue_init(struct queue *queue)
{
    *queue = (struct queue){0};
    queue->tail = &queue->head;
}

static void queue_push(struct queue *queue, struct qn_intent *intent)
{
    intent->next = NULL;
    *queue->tail = intent;
    queue->tail = &intent->next;
    queue->count++;
    queue->ops += intent->op_count;
    queue->bytes += intent->size;
}

static struct qn_intent *queue_pop(struct queue *queue)
{
    struct qn_intent *intent = queue->head;
    queue->head = intent->next;
    if (queue->head == NULL)
        queue->tail = &queue->head;
    queue->count--;
    queue->ops -= intent->op_count;
    queue->bytes -= intent->size;
    intent->next = NULL;
    return intent;
}

static void queue_clear(struct queue *queue)
{
    while (queue->head != NULL)
        qn_intent_free(queue_pop(queue));
}

/* The first one is always taken: what is too large for a group is a group. */
static bool fits(const struct queue *group, const struct qn_intent *intent)
{
    return group->count == 0 || (group->ops + intent->op_count <= QN_TXN_OPS_MAX &&
                                 group->bytes + intent->size <= QN_TXN_SIZE_MAX);
}

/* Waits for work; false at the end, when nothing is queued any more. */
static bool take_group(struct qn_writer *writer, struct queue *group, enum qn_err *ret_fatal)
{
    queue_init(group);
    pthread_mutex_lock(&writer->mutex);
    while (writer->queue.head == NULL && !writer->is_closing)
        pthread_cond_wait(&writer->is_wanted, &writer->mutex);
    while (writer->queue.head != NULL && fits(group, writer->queue.head))
        queue_push(group, queue_pop(&writer->queue));
    *ret_fatal = writer->fatal;
    pthread_mutex_unlock(&writer->mutex);
    return group->head != NULL;
}

/* ---- a transaction ---- */

static enum qn_err execute_all(struct qn_writer *writer, const struct queue *group,
                               struct qn_commit *commit)
{
    for (const struct qn_intent *it = group->head; it != NULL; it = it->next)
        QN_TRY(qn_applier_execute(writer->options.applier, it, commit));
    QN_ASSERT(commit->outcomes.count == group->count);
    return qn_applier_seal(writer->options.applier, commit);
}

static enum qn_err run_transaction(struct qn_writer *writer, const struct queue *group,
                                   struct qn_commit *commit)
{
    QN_TRY(qn_kv_lmdb_begin_write(&writer->kv));
    enum qn_err err = qn_applier_begin(writer->options.applier, &writer->kv.kv,
                                       writer->wall_ms(writer->edge_context),
                                       writer->entropy(writer->edge_context));
    if (err != QN_OK) {
        qn_kv_lmdb_abort(&writer->kv);
        return err;
    }
    err = execute_all(writer, group, commit);
    if (err == QN_OK)
        err = qn_kv_lmdb_commit(&writer->kv);
    else
        qn_kv_lmdb_abort(&writer->kv);
    qn_applier_done(writer->options.applier, commit, err);
    return err;
}

/* Every intent gets an outcome, and after an abort every outcome is the error: also that of an
 * intent which was not reached, or whose turn went well before. */
static void fail_outcomes(const struct queue *group, struct qn_commit *commit, enum qn_err err)
{
    size_t at = 0;
    for (const struct qn_intent *it = group->head; it != NULL; it = it->next, at++) {
        if (at == commit->outcomes.count)
            qn_vec_push(&commit->outcomes,
                        ((struct qn_outcome){.token = it->token, .kind = it->kind}));
        commit->outcomes.items[at].err = err;
    }
}

/* A full disk takes small transactions for a while. It is full until it takes one as large as it
 * refused, or has room again. */
static enum qn_err last_after(struct qn_writer *writer, const struct queue *group, enum qn_err err)
{
    bool was_full = writer->last == QN_ERR_NOSPACE;
    if (err == QN_ERR_NOSPACE && (!was_full || group->bytes < writer->refused_bytes))
        writer->refused_bytes = group->bytes;
    bool is_small = group->bytes < writer->refused_bytes;
    bool is_full =
        err == QN_OK && was_full && is_small && qn_env_room(writer->options.env) < ROOM_AGAIN;
    return is_full ? QN_ERR_NOSPACE : err;
}

static void hand_over(struct qn_writer *writer, const struct queue *group, struct qn_commit *commit,
                      enum qn_err err)
{
    pthread_mutex_lock(&writer->mutex);
    writer->last = last_after(writer, group, err);
    if (err == QN_ERR_CORRUPT || err == QN_ERR_IO)
        writer->fatal = err;
    writer->count -= group->count;
    writer->bytes -= group->bytes;
    *writer->done_tail = commit;
    writer->done_tail = &commit->next;
    pthread_mutex_unlock(&writer->mutex);
}

static void *run(void *argument)
{
    struct qn_writer *writer = argument;
    struct queue group;
    enum qn_err err;
    while (take_group(writer, &group, &err)) {
        struct qn_commit *commit = qn_commit_new();
        if (err == QN_OK) /* else the store has failed before: nothing is tried any more */
            err = run_transaction(writer, &group, commit);
        if (err == QN_OK)
            qn_env_refresh(writer->options.env);
        else
            fail_outcomes(&group, commit, err);
        hand_over(writer, &group, commit, err);
        queue_clear(&group);
        writer->options.notify(writer->options.context);
    }
    return NULL;
}

/* ---- the loop thread's side ---- */

static void release(struct qn_writer *writer)
{
    queue_clear(&writer->queue);
    while (writer->done != NULL) {
        struct qn_commit *commit = writer->done;
        writer->done = commit->next;
        qn_commit_free(commit);
    }
    qn_kv_lmdb_deinit(&writer->kv);
    pthread_cond_destroy(&writer->is_wanted);
    pthread_mutex_destroy(&writer->mutex);
    qn_free(writer);
}

enum qn_err qn_writer_start(const struct qn_writer_options *options, struct qn_writer **ret_writer)
{
    struct qn_writer *writer = QN_NEW(struct qn_writer);
    writer->options = *options;
    writer->options.store = NULL;
    writer->wall_ms = options->store->wall_ms;
    writer->entropy = options->store->entropy;
    writer->edge_context = options->store->context;
    writer->done_tail = &writer->done;
    queue_init(&writer->queue);
    qn_kv_lmdb_init(&writer->kv, options->env->mdb, options->env->tables);
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_cond_init(&writer->is_wanted, NULL);
    int code = qn_os_start_thread(&writer->thread, run, writer);
    if (code != 0) {
        release(writer);
        return qn_os_err(code);
    }
    *ret_writer = writer;
    return QN_OK;
}

void qn_writer_free(struct qn_writer *writer)
{
    if (writer == NULL)
        return;
    pthread_mutex_lock(&writer->mutex);
    writer->is_closing = true;
    pthread_cond_signal(&writer->is_wanted);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
    release(writer);
}

_Static_assert(QN_LEDGER_SIZE_MAX < QN_WRITER_QUEUE_SIZE_MAX, "a join is one intent");

static enum qn_err admit(const struct qn_writer *writer, const struct qn_intent *intent)
{
    if (writer->fatal != QN_OK || writer->is_closing)
        return QN_ERR_STATE;
    if (intent->size > QN_WRITER_QUEUE_SIZE_MAX)
        return QN_ERR_LIMIT;
    if (writer->count >= QN_WRITER_QUEUE_MAX ||
        writer->bytes + intent->size > QN_WRITER_QUEUE_SIZE_MAX)
        return QN_ERR_BUSY;
    return QN_OK;
}

enum qn_err qn_writer_submit(struct qn_writer *writer, struct qn_intent *take_intent)
{
    pthread_mutex_lock(&writer->mutex);
    enum qn_err err = admit(writer, take_intent);
    if (err == QN_OK) {
        writer->count++;
        writer->bytes += take_intent->size;
        queue_push(&writer->queue, take_intent);
        pthread_cond_signal(&writer->is_wanted);
    }
    pthread_mutex_unlock(&writer->mutex);
    if (err != QN_OK)
        qn_intent_free(take_intent);
    return err;
}

struct qn_commit *qn_writer_collect(struct qn_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    struct qn_commit *done = writer->done;
    writer->done = NULL;
    writer->done_tail = &writer->done;
    pthread_mutex_unlock(&writer->mutex);
    return done;
}

void qn_writer_health(struct qn_writer *writer, struct qn_store_health *ret_health)
{
    pthread_mutex_lock(&writer->mutex);
    ret_health->fatal = writer->fatal;
    ret_health->last = writer->last;
    ret_health->queued = writer->count;
    pthread_mutex_unlock(&writer->mutex);
}
