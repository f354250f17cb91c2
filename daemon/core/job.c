#include "core/job.h"

#include "base/mem.h"

void qn_job_free(struct qn_job *job)
{
    if (job == NULL)
        return;
    qn_buf_deinit(&job->args);
    qn_free(job);
}

void qn_file_work_free(struct qn_file_work *work)
{
    if (work == NULL)
        return;
    qn_buf_deinit(&work->bytes);
    qn_free(work);
}

void qn_file_result_deinit(struct qn_file_result *result)
{
    qn_buf_deinit(&result->bytes);
}
