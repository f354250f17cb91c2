/* Inside app: one job while its thread runs it. */
#pragma once

#include "app/jobs.h"

#define QN_VAULT_PACK_SIZE (8 * 1024 * 1024)
#define QN_VAULT_LEVEL     3

struct qn_job_item { /* news on their way to the loop thread */
    uint64_t token;
    enum qn_job_news news;
    enum qn_err err;
    struct qn_buf payload;
};

struct qn_job_run {
    struct qn_jobs *jobs;
    struct qn_job *job;
    struct qn_vault_progress progress;
    uint64_t problems;
};

/* The map of a PROGRESS. */
void qn_job_pack_progress(const struct qn_vault_progress *progress, struct qn_buf *out);
void qn_jobs_tell(struct qn_jobs *jobs, struct qn_job_item *take_item);
void qn_job_run_init(struct qn_job_run *run, struct qn_jobs *jobs, struct qn_job *job);
/* Does the work and tells its end. The job's thread. */
void qn_job_run(struct qn_job_run *run, const struct qn_jobs_options *options);
/* Tells of one thing that is wrong. The job's thread. */
void qn_job_problem(struct qn_job_run *run, const char *what, struct qn_span path);
/* The weekly restore of a sample (job_drill.c): appends the map of DONE. QN_ERR_CORRUPT: something
 * differed. */
enum qn_err QN_CHECKED qn_job_drill(struct qn_job_run *run, struct qn_vault *vault,
                                    struct qn_buf *out);
