#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "loop/loop_private.h"

struct job {
    uv_work_t uv;
    struct qn_loop *loop;
    void (*work)(void *context);
    void (*done)(void *context);
    void *context;
};

static void on_work(uv_work_t *uv)
{
    struct job *job = uv->data;
    job->work(job->context);
}

/* `status` is always 0: nothing here cancels, so that `done` follows on each job taken. */
static void on_done(uv_work_t *uv, int status)
{
    struct job *job = uv->data;
    QN_ASSERT(status == 0);
    job->loop->job_count--;
    job->done(job->context);
    qn_free(job);
}

enum qn_err qn_loop_job(struct qn_loop *loop, void (*work)(void *context),
                        void (*done)(void *context), void *context)
{
    if (loop->job_count >= QN_LOOP_JOBS_MAX)
        return QN_ERR_LIMIT;
    struct job *job = QN_NEW(struct job);
    *job = (struct job){.loop = loop, .work = work, .done = done, .context = context};
    job->uv.data = job;
    if (uv_queue_work(&loop->uv, &job->uv, on_work, on_done) != 0) {
        qn_free(job);
        return QN_ERR_IO;
    }
    loop->job_count++;
    return QN_OK;
}
