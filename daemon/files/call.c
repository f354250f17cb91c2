#include "base/assert.h"
#include "base/mem.h"
#include "files/local_impl.h"
#include "files/names.h"

#define FORM_SIZE_MAX (3 * PATH_MAX) /* a composed text may be longer; then it is no path */

void *call_new(struct local *folder, const struct call_kind *kind, size_t size, struct qn_span path,
               void *context)
{
    QN_ASSERT(!folder->is_ending);
    struct qn_folder_call *call = qn_alloc_zero(size);
    call->kind = kind;
    call->folder = folder;
    call->context = context;
    qn_buf_init(&call->path, FORM_SIZE_MAX);
    if (qn_name_compose(path, &call->path) != QN_OK || !qn_name_is_path(qn_buf_view(&call->path))) {
        qn_buf_reset(&call->path);
        call->is_settled = true;
        call->err = QN_ERR_DENIED;
    }
    if (folder->call_count++ >= QN_FOLDER_CALLS_MAX) {
        call->is_settled = true;
        call->err = QN_ERR_LIMIT;
    }
    return call;
}

void call_changed(const struct qn_folder_call *call, struct qn_span path)
{
    call_changed_in(call, call->folder, path);
}

void call_changed_in(const struct qn_folder_call *call, struct local *folder, struct qn_span path)
{
    if (!call->is_settled && folder->changed != NULL)
        folder->changed(folder->changed_context, &folder->base, path);
}

static void call_free(struct qn_folder_call *call)
{
    if (call->kind->free != NULL)
        call->kind->free(call);
    qn_buf_deinit(&call->path);
    qn_free(call);
}

void call_end(struct qn_folder_call *call)
{
    struct local *folder = call->folder;
    QN_ASSERT(call->state == CALL_IDLE);
    call_free(call);
    folder->call_count--;
    if (folder->is_ending)
        qn_timer_set(folder->wake, 0); /* not from here: it may be the last thing that it does */
}

static void unlink_call(struct local *folder, struct qn_folder_call *before,
                        struct qn_folder_call *call)
{
    if (before == NULL)
        folder->first = call->next;
    else
        before->next = call->next;
    if (folder->last == call)
        folder->last = before;
    call->next = NULL;
    call->state = CALL_IDLE;
}

static void on_work(void *context)
{
    struct qn_folder_call *call = context;
    call->kind->work(call);
}

static void on_done(void *context)
{
    struct qn_folder_call *call = context;
    struct local *folder = call->folder;
    folder->job_count--;
    if (call->kind->is_long)
        folder->is_long_running = false;
    call->state = CALL_IDLE;
    if (folder->first != NULL)
        qn_timer_set(folder->wake, 0);
    call->kind->finish(call);
}

static bool may_run(const struct local *folder, const struct qn_folder_call *call)
{
    if (call->is_settled)
        return true;
    return folder->job_count < QN_FOLDER_JOBS_MAX &&
           !(call->kind->is_long && folder->is_long_running);
}

/* False: it is settled instead. */
static bool launch(struct local *folder, struct qn_folder_call *call)
{
    if (call->is_settled)
        return false;
    if (call->kind->prepare != NULL)
        call->kind->prepare(call);
    enum qn_err err = qn_loop_job(folder->loop, on_work, on_done, call);
    if (err != QN_OK) {
        call_settle(call, err);
        return false;
    }
    call->state = CALL_RUNS;
    folder->job_count++;
    folder->is_long_running |= call->kind->is_long;
    return true;
}

/* A finish may start and cancel other calls: the queue is looked at anew after each. */
static bool run_one(struct local *folder)
{
    struct qn_folder_call *before = NULL;
    for (struct qn_folder_call *call = folder->first; call != NULL; call = call->next) {
        if (may_run(folder, call)) {
            unlink_call(folder, before, call);
            if (!launch(folder, call))
                call->kind->finish(call);
            return true;
        }
        before = call;
    }
    return false;
}

void call_run_all(struct local *folder)
{
    while (run_one(folder))
        continue;
}

/* What is settled does not wait behind what is not. */
static void enqueue(struct local *folder, struct qn_folder_call *call)
{
    call->state = CALL_WAITS;
    call->next = call->is_settled ? folder->first : NULL;
    if (folder->last == NULL)
        folder->first = folder->last = call;
    else if (call->is_settled)
        folder->first = call;
    else
        folder->last = folder->last->next = call;
}

void call_start(struct qn_folder_call *call)
{
    struct local *folder = call->folder;
    QN_ASSERT(call->state == CALL_IDLE);
    if (!call->is_settled && call->kind->attempt != NULL)
        call->is_settled = call->kind->attempt(call);
    if (folder->first == NULL && may_run(folder, call) && launch(folder, call))
        return;
    enqueue(folder, call);
    if (call->is_settled || folder->job_count == 0)
        qn_timer_set(folder->wake, 0);
}

void call_settle(struct qn_folder_call *call, enum qn_err err)
{
    if (call->is_settled)
        return;
    call->is_settled = true;
    call->err = err;
}

void call_cancel(struct qn_folder_call *call)
{
    atomic_store(&call->is_cancelled, true);
    if (call->state == CALL_WAITS || call->is_paused)
        call_settle(call, QN_ERR_CLOSED);
    if (call->state == CALL_WAITS)
        qn_timer_set(call->folder->wake, 0);
    if (call->is_paused) {
        call->is_paused = false;
        call_start(call);
    }
}

const struct row *call_row(const struct qn_folder_call *call)
{
    return call->has_row ? &call->row : NULL;
}

struct qn_span call_name(const struct qn_folder_call *call)
{
    struct qn_span parent, last;
    qn_name_split(qn_buf_view(&call->path), &parent, &last);
    return last;
}
