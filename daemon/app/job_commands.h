/* The commands around a run of a backup (quoin.conf(5), [backup NAME]): before it, after it, and
 * those whose output is a file of it. They come from the configuration only. The job's thread.
 */
#pragma once

#include "app/job_run.h"

struct qn_job_commands {
    struct qn_job_run *run;
    char plan[QN_NAME_SIZE_MAX + 1];
    const char *site;
    struct qn_config_backup config;           /* a copy: a reload does not change a run */
    char distrusted[1024];                    /* not "": no command may be run */
    const char *paths[QN_CONFIG_STREAMS_MAX]; /* of config.streams, in the order of a snapshot */
    struct qn_command *stream;                /* the one that is being read; NULL: none */
    struct qn_command_end end;                /* of the last command */
};

struct qn_job_commands *qn_job_commands_new(struct qn_job_run *run, const char *site,
                                            struct qn_span plan);
void qn_job_commands_free(struct qn_job_commands *commands);
/* QN_ERR_COMMAND: it failed, or may not be run, which was told: there is to be no backup.
 * QN_ERR_CLOSED: the job was stopped. */
enum qn_err QN_CHECKED qn_job_commands_before(struct qn_job_commands *commands);
/* As read_stream of vault/vault.h. */
enum qn_err QN_CHECKED qn_job_commands_read(struct qn_job_commands *commands, size_t index,
                                            uint8_t *out, size_t size, size_t *ret_size);
/* Tells why a stream is left out. */
void qn_job_commands_tell(struct qn_job_commands *commands, struct qn_span path);
/* Also after a run that failed: it learns what came of it. What fails here is told and counted. */
void qn_job_commands_after(struct qn_job_commands *commands, enum qn_err err);
