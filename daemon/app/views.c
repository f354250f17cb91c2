#include "app/views.h"

#include <pthread.h>
#include <stdio.h>

#include "app/views_impl.h"
#include "base/assert.h"
#include "os/os.h"
#include "proto/pack.h"

#define FULL_SIZE   (124 * 1024) /* frames of so much go to the queue */
#define BUFFER_SIZE (256 * 1024) /* such frames and one more, as a rule */
#define BUFFER_MAX  (FULL_SIZE + QN_CONTROL_FRAME_SIZE_MAX + 64)
/* All that may be under way: a slow batch empties the queues, and memory that was given back to the
 * kernel costs a fault a page when the next one fills them. */
#define SPARE_MAX ((QN_VIEW_QUEUE_SIZE + QN_CONTROL_QUEUE_MAX) / FULL_SIZE + 2)

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
    uint64_t id;
    struct qn_buf filling;        /* frames; while is_packing, of the thread alone */
    size_t frame_at;              /* in it: the frame that is being packed */
    QN_VEC(struct qn_buf) ready;  /* frames that are to be taken before those */
    QN_VEC(struct qn_buf) spares; /* empty */
    size_t size;                  /* of those that are ready */
    struct qn_refusal refusal;
    bool is_packing;
    bool is_waited; /* the reader found nothing */
    bool is_done;   /* the last frame is that of the end, or `refusal` is set */
    bool is_gone;   /* nobody reads */
    bool is_ended;  /* the thread is */
};

static const char *const commands[] = {"backup.ls", "backup.diff", "backup.find", "backup.held",
                                       "backup.restore"};

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

/* The mutex is held. */
static struct qn_buf take_buffer(struct qn_view *view)
{
    if (view->spares.count > 0)
        return view->spares.items[--view->spares.count];
    struct qn_buf buffer;
    qn_buf_init(&buffer, BUFFER_MAX);
    (void)!qn_buf_reserve(&buffer, BUFFER_SIZE);
    return buffer;
}

static void queue_full(struct qn_view *view)
{
    if (view->filling.size < FULL_SIZE)
        return;
    view->size += view->filling.size;
    qn_vec_push(&view->ready, view->filling);
    view->filling = (struct qn_buf){0};
}

static void start_frame(struct qn_view *view)
{
    struct qn_buf *out = &view->filling;
    if (out->data == NULL)
        *out = take_buffer(view);
    view->frame_at = out->size;
    qn_buf_append_u32(out, 0);
    qn_pack_map(out, 3);
    qn_pack_cstr(out, "data");
}

/* A frame that is too large is taken back. */
static enum qn_err close_frame(struct qn_view *view, const char *type)
{
    struct qn_buf *out = &view->filling;
    qn_pack_cstr(out, "id");
    qn_pack_u64(out, view->id);
    qn_pack_cstr(out, "type");
    qn_pack_cstr(out, type);
    size_t size = out->size - view->frame_at - 4;
    if (qn_buf_status(out) == QN_OK && size <= QN_CONTROL_FRAME_SIZE_MAX) {
        qn_write_u32(out->data + view->frame_at, (uint32_t)size);
        return QN_OK;
    }
    qn_buf_truncate(out, view->frame_at);
    out->is_over = false;
    return QN_ERR_LIMIT;
}

enum qn_err qn_view_begin(struct qn_view *view, struct qn_buf **ret_out)
{
    struct qn_views *views = view->views;
    pthread_mutex_lock(&views->mutex);
    while (view->size >= QN_VIEW_QUEUE_SIZE && !view->is_gone)
        pthread_cond_wait(&views->is_changed, &views->mutex);
    view->is_packing = !view->is_gone;
    if (view->is_packing)
        start_frame(view);
    bool is_packing = view->is_packing;
    pthread_mutex_unlock(&views->mutex);
    *ret_out = &view->filling;
    return is_packing ? QN_OK : QN_ERR_CLOSED;
}

/* Wakes the reader if it waits: while it is busy, frames gather. */
static void unlock_and_tell(struct qn_view *view)
{
    struct qn_views *views = view->views;
    bool is_waited = view->is_waited;
    view->is_waited = false;
    pthread_mutex_unlock(&views->mutex);
    if (is_waited)
        qn_mailbox_post(views->mailbox);
}

enum qn_err qn_view_end(struct qn_view *view)
{
    enum qn_err err = close_frame(view, "data");
    pthread_mutex_lock(&view->views->mutex);
    view->is_packing = false;
    queue_full(view);
    unlock_and_tell(view);
    return err;
}

void qn_view_finish(struct qn_view *view, struct qn_span payload)
{
    pthread_mutex_lock(&view->views->mutex);
    start_frame(view);
    qn_pack_raw(&view->filling, payload);
    QN_ASSERT(close_frame(view, "end") == QN_OK); /* a few numbers */
    view->is_done = true;
    unlock_and_tell(view);
}

void qn_view_refuse(struct qn_view *view, enum qn_err err, const char *code, struct qn_span object)
{
    pthread_mutex_lock(&view->views->mutex);
    view->refusal.err = err;
    view->refusal.code = code;
    snprintf(view->refusal.object, sizeof(view->refusal.object), "%.*s", (int)object.size,
             (const char *)object.data);
    view->is_done = true;
    unlock_and_tell(view);
}

static void free_memory(struct qn_view *view)
{
    qn_vec_each (&view->ready, frames)
        qn_buf_deinit(frames);
    qn_vec_each (&view->spares, spare)
        qn_buf_deinit(spare);
    qn_vec_free(&view->ready);
    qn_vec_free(&view->spares);
    qn_buf_deinit(&view->filling);
    qn_buf_deinit(&view->task.command);
    qn_buf_deinit(&view->task.args);
    qn_caller_deinit(&view->task.caller);
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
    bool is_started = qn_os_start_thread(&thread, work, view) == 0;
    if (is_started)
        pthread_detach(thread);
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

static struct qn_view *view_new(struct qn_views *views, const struct qn_view_ask *ask)
{
    struct qn_view *view = QN_NEW(struct qn_view);
    struct qn_view_task *task = &view->task;
    view->views = views;
    view->id = ask->id;
    qn_buf_init(&task->command, ask->command.size);
    qn_buf_init(&task->args, ask->args.size);
    qn_buf_append_span(&task->command, ask->command);
    qn_buf_append_span(&task->args, ask->args);
    task->is_limited = ask->caller != NULL;
    if (task->is_limited)
        qn_caller_copy(ask->caller, &task->caller);
    return view;
}

enum qn_err qn_view_open(struct qn_views *views, const struct qn_view_ask *ask,
                         struct qn_view **ret_view, struct qn_refusal *refusal)
{
    *refusal = (struct qn_refusal){.err = QN_ERR_BUSY, .code = "vault-busy"};
    if (!enter(views))
        return QN_ERR_BUSY;
    struct qn_view *view = view_new(views, ask);
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

static bool has_frames(const struct qn_view *view)
{
    return view->ready.count > 0 || (!view->is_packing && view->filling.size > 0);
}

static void take_frames(struct qn_view *view, struct qn_buf *ret_frames)
{
    if (view->ready.count == 0) {
        *ret_frames = view->filling;
        view->filling = (struct qn_buf){0};
        return;
    }
    *ret_frames = view->ready.items[0];
    view->size -= ret_frames->size;
    qn_vec_remove(&view->ready, 0);
    pthread_cond_broadcast(&view->views->is_changed);
}

enum qn_err qn_view_next(struct qn_view *view, struct qn_buf *ret_frames, bool *ret_is_end,
                         bool *ret_waits, struct qn_refusal *refusal)
{
    enum qn_err err = QN_OK;
    *ret_frames = (struct qn_buf){0};
    pthread_mutex_lock(&view->views->mutex);
    if (has_frames(view)) {
        take_frames(view, ret_frames);
    } else if (view->is_done && view->refusal.code != NULL) {
        *refusal = view->refusal;
        err = view->refusal.err;
    }
    bool is_over = view->is_done && !has_frames(view);
    *ret_is_end = is_over && view->refusal.code == NULL; /* a refusal goes alone */
    *ret_waits = view->is_waited = ret_frames->size == 0 && !view->is_done;
    pthread_mutex_unlock(&view->views->mutex);
    return err;
}

void qn_view_give_back(struct qn_view *view, struct qn_buf *take_frames)
{
    bool is_ours = take_frames->capacity >= BUFFER_SIZE && take_frames->size_max == BUFFER_MAX;
    pthread_mutex_lock(&view->views->mutex);
    if (is_ours && view->spares.count < SPARE_MAX) {
        qn_buf_reset(take_frames);
        qn_vec_push(&view->spares, *take_frames);
        *take_frames = (struct qn_buf){0};
    }
    pthread_mutex_unlock(&view->views->mutex);
    qn_buf_deinit(take_frames);
}
