#include "app/views.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "app/views_impl.h"
#include "base/assert.h"

struct qn_views {
    struct qn_jobs *jobs;
    struct qn_mailbox *mailbox;
    pthread_mutex_t mutex; /* of everything in every view */
    pthread_cond_t is_changed;
    size_t count; /* threads that run */
};

struct qn_view {
    struct qn_views *views;
    struct qn_view_task task;
    struct qn_vault_progress progress;
    QN_VEC(struct qn_buf) items;
    size_t size; /* of the items */
    struct qn_refusal refusal;
    bool is_done;  /* the last item is that of the end, or `refusal` is set */
    bool is_gone;  /* nobody reads */
    bool is_ended; /* the thread is */
};

static const char *const commands[] = {"backup.ls", "backup.diff", "backup.find", "backup.restore"};

bool qn_view_knows(struct qn_span command)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (qn_span_eq_str(command, commands[i]))
            return true;
    return false;
}

/* ---- the thread's side ---- */

const struct qn_view_task *qn_view_task(const struct qn_view *view)
{
    return &view->task;
}

struct qn_jobs *qn_view_jobs(const struct qn_view *view)
{
    return view->views->jobs;
}

struct qn_vault_progress *qn_view_progress(struct qn_view *view)
{
    return &view->progress;
}

bool qn_view_is_gone(struct qn_view *view)
{
    return atomic_load(&view->progress.is_cancelled);
}

static void push(struct qn_view *view, struct qn_buf *take_item)
{
    view->size += take_item->size;
    qn_vec_push(&view->items, *take_item);
    *take_item = (struct qn_buf){0};
}

enum qn_err qn_view_put(struct qn_view *view, struct qn_buf *take_item)
{
    struct qn_views *views = view->views;
    pthread_mutex_lock(&views->mutex);
    while (view->size >= QN_VIEW_QUEUE_SIZE && !view->is_gone)
        pthread_cond_wait(&views->is_changed, &views->mutex);
    bool is_gone = view->is_gone;
    if (!is_gone)
        push(view, take_item);
    pthread_mutex_unlock(&views->mutex);
    qn_buf_deinit(take_item);
    if (is_gone)
        return QN_ERR_CLOSED;
    qn_mailbox_post(views->mailbox);
    return QN_OK;
}

void qn_view_finish(struct qn_view *view, struct qn_buf *take_item)
{
    pthread_mutex_lock(&view->views->mutex);
    push(view, take_item);
    view->is_done = true;
    pthread_mutex_unlock(&view->views->mutex);
    qn_mailbox_post(view->views->mailbox);
}

void qn_view_refuse(struct qn_view *view, enum qn_err err, const char *code, struct qn_span object)
{
    pthread_mutex_lock(&view->views->mutex);
    view->refusal.err = err;
    view->refusal.code = code;
    snprintf(view->refusal.object, sizeof(view->refusal.object), "%.*s", (int)object.size,
             (const char *)object.data);
    view->is_done = true;
    pthread_mutex_unlock(&view->views->mutex);
    qn_mailbox_post(view->views->mailbox);
}

static void free_memory(struct qn_view *view)
{
    qn_vec_each (&view->items, item)
        qn_buf_deinit(item);
    qn_vec_free(&view->items);
    qn_buf_deinit(&view->task.command);
    qn_buf_deinit(&view->task.args);
    qn_free(view);
}

/* Whoever is last, the reader or the thread, frees the view. */
static void *work(void *context)
{
    struct qn_view *view = context;
    struct qn_views *views = view->views;
    qn_backup_view_run(view);
    pthread_mutex_lock(&views->mutex);
    QN_ASSERT(view->is_done);
    view->is_ended = true;
    if (view->is_gone)
        free_memory(view);
    views->count--;
    pthread_cond_broadcast(&views->is_changed);
    pthread_mutex_unlock(&views->mutex);
    return NULL;
}

/* ---- the loop's side ---- */

struct qn_views *qn_views_new(struct qn_loop *loop, struct qn_jobs *jobs,
                              void (*on_ready)(void *context), void *context)
{
    struct qn_views *views = QN_NEW(struct qn_views);
    views->jobs = jobs;
    views->mailbox = qn_mailbox_new(loop, on_ready, context);
    pthread_mutex_init(&views->mutex, NULL);
    pthread_cond_init(&views->is_changed, NULL);
    return views;
}

void qn_views_free(struct qn_views *views)
{
    if (views == NULL)
        return;
    pthread_mutex_lock(&views->mutex);
    while (views->count > 0)
        pthread_cond_wait(&views->is_changed, &views->mutex);
    pthread_mutex_unlock(&views->mutex);
    qn_mailbox_free(views->mailbox);
    pthread_cond_destroy(&views->is_changed);
    pthread_mutex_destroy(&views->mutex);
    qn_free(views);
}

static bool start_thread(struct qn_view *view)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool is_started = pthread_create(&thread, &attributes, work, view) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return is_started;
}

static bool enter(struct qn_views *views)
{
    pthread_mutex_lock(&views->mutex);
    bool has_room = views->count < QN_VIEWS_MAX;
    views->count += has_room;
    pthread_mutex_unlock(&views->mutex);
    return has_room;
}

enum qn_err qn_view_open(struct qn_views *views, struct qn_span command, struct qn_span args,
                         struct qn_view **ret_view, struct qn_refusal *refusal)
{
    *refusal = (struct qn_refusal){.err = QN_ERR_BUSY, .code = "vault-busy"};
    if (!enter(views))
        return QN_ERR_BUSY;
    struct qn_view *view = QN_NEW(struct qn_view);
    view->views = views;
    qn_buf_init(&view->task.command, command.size);
    qn_buf_init(&view->task.args, args.size);
    qn_buf_append_span(&view->task.command, command);
    qn_buf_append_span(&view->task.args, args);
    if (start_thread(view)) {
        *ret_view = view;
        return QN_OK;
    }
    pthread_mutex_lock(&views->mutex);
    views->count--;
    pthread_mutex_unlock(&views->mutex);
    free_memory(view);
    return QN_ERR_BUSY;
}

void qn_view_free(struct qn_view *view)
{
    struct qn_views *views = view->views;
    pthread_mutex_lock(&views->mutex);
    atomic_store(&view->progress.is_cancelled, true);
    view->is_gone = true;
    if (view->is_ended)
        free_memory(view);
    pthread_cond_broadcast(&views->is_changed);
    pthread_mutex_unlock(&views->mutex);
}

static void take_all(struct qn_view *view, struct qn_buf *out, bool *ret_is_end)
{
    /* what the end carries goes alone */
    bool has_end = view->is_done && view->refusal.code == NULL;
    size_t taken = 0, most = view->items.count - (has_end && view->items.count > 1 ? 1 : 0);
    while (taken < most &&
           (taken == 0 || out->size + view->items.items[taken].size <= QN_SLICE_SIZE)) {
        qn_buf_append_span(out, qn_buf_view(&view->items.items[taken]));
        view->size -= view->items.items[taken].size;
        qn_buf_deinit(&view->items.items[taken]);
        taken++;
    }
    memmove(view->items.items, view->items.items + taken,
            (view->items.count - taken) * sizeof(view->items.items[0]));
    view->items.count -= taken;
    *ret_is_end = view->is_done && view->items.count == 0;
}

enum qn_err qn_view_next(struct qn_view *view, struct qn_buf *out, bool *ret_is_end,
                         bool *ret_waits, struct qn_refusal *refusal)
{
    struct qn_views *views = view->views;
    pthread_mutex_lock(&views->mutex);
    *ret_waits = view->items.count == 0 && !view->is_done;
    *ret_is_end = false;
    enum qn_err err = QN_OK;
    if (view->items.count > 0)
        take_all(view, out, ret_is_end);
    else if (view->is_done) {
        *refusal = view->refusal;
        err = view->refusal.err;
    }
    if (view->refusal.code != NULL) /* what came before it goes out first */
        *ret_is_end = false;
    pthread_cond_broadcast(&views->is_changed);
    pthread_mutex_unlock(&views->mutex);
    return err;
}
