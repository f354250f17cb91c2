/* Inside app: one job while its thread runs it. */
#pragma once

#include "app/command.h"
#include "app/jobs.h"

#define QN_VAULT_PACK_SIZE (8 * 1024 * 1024)
#define QN_VAULT_LEVEL     3

struct qn_job_item { /* news on their way to the loop thread */
    uint64_t token;
    enum qn_job_news news;
    enum qn_err err;
    struct qn_buf payload;
};

struct qn_job_commands;

/* What a backup left. */
struct qn_job_outcome {
    struct qn_snapshot_name name;
    struct qn_backup_counts counts;
    uint64_t command_errors; /* beside those of the counts */
};

struct qn_job_run {
    struct qn_jobs *jobs;
    struct qn_job *job;
    struct qn_vault_progress progress;
    uint64_t problems;
    struct qn_job_commands *commands; /* BACKUP */
    struct qn_job_outcome outcome;    /* BACKUP */
};

struct qn_job_problem {
    const char *what;
    struct qn_span path;
    int errno_value;
    uint64_t status;  /* of a command: its exit status, or the signal that ended it */
    const char *tail; /* of a command: its last words; NULL: it is not about one */
};

/* The map of a PROGRESS. */
void qn_job_pack_progress(const struct qn_vault_progress *progress, struct qn_buf *out);
void qn_jobs_tell(struct qn_jobs *jobs, struct qn_job_item *take_item);
void qn_job_run_init(struct qn_job_run *run, struct qn_jobs *jobs, struct qn_job *job);
/* Does the work and tells its end. The job's thread. */
void qn_job_run(struct qn_job_run *run, const struct qn_jobs_options *options);
/* News, payload taken. The job's thread; waits while there is no room. */
void qn_job_tell(struct qn_job_run *run, enum qn_job_news news, enum qn_err err,
                 struct qn_buf *take_payload);
/* Tells of one thing that is wrong. The job's thread. */
void qn_job_tell_problem(struct qn_job_run *run, const struct qn_job_problem *problem);
/* For the callbacks of the vault; the context is the run. */
void qn_job_on_report(void *context, const char *what, struct qn_span path, int errno_value);
void qn_job_on_pack(void *context, const struct qn_pack_name *name, size_t size,
                    enum qn_pack_kind kind);
void qn_job_on_snapshot(void *context, const struct qn_snapshot_name *name);
void qn_job_problem(struct qn_job_run *run, const char *what, struct qn_span path);
/* The weekly restore of a sample (job_drill.c): appends the map of DONE. QN_ERR_CORRUPT: something
 * differed. */
enum qn_err QN_CHECKED qn_job_drill(struct qn_job_run *run, struct qn_vault *vault,
                                    struct qn_buf *out);
/* A piece of what the copy of the site's store has (job_recall.c): appends the map of DONE. */
enum qn_err QN_CHECKED qn_job_recall(struct qn_job_run *run, struct qn_vault *vault,
                                     const struct qn_jobs_options *jobs, struct qn_buf *out);
/* A run of a plan (job_backup.c): appends the map of DONE. */
enum qn_err QN_CHECKED qn_job_backup(struct qn_job_run *run, struct qn_vault *vault,
                                     const struct qn_jobs_options *jobs, struct qn_buf *out);
