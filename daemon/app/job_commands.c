#include "app/job_commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "chunk/path.h"

#define ENV_MAX       QN_COMMAND_ENV_MAX
#define ENV_SIZE      160
#define AFTER_STOP_MS 500 /* for the command after, when the daemon ends */

struct env {
    char words[ENV_MAX][ENV_SIZE];
    const char *items[ENV_MAX + 1];
    size_t count;
};

__attribute__((format(printf, 2, 3))) static void env_add(struct env *env, const char *format, ...)
{
    va_list args;
    if (env->count == ENV_MAX)
        return;
    va_start(args, format);
    vsnprintf(env->words[env->count], ENV_SIZE, format, args);
    va_end(args);
    env->items[env->count] = env->words[env->count];
    env->items[++env->count] = NULL;
}

/* Nothing of the daemon's own environment, in which there may be credentials. */
static void env_begin(struct env *env, const struct qn_job_commands *commands, const char *step)
{
    const char *home = getenv("HOME");
    env->count = 0;
    env_add(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    env_add(env, "LANG=C.UTF-8");
    env_add(env, "HOME=%.*s", ENV_SIZE - 6, home != NULL ? home : "/");
    env_add(env, "QUOIN_SITE=%s", commands->site);
    env_add(env, "QUOIN_BACKUP=%s", commands->plan);
    env_add(env, "QUOIN_STEP=%s", step);
}

/* ---- life ---- */

static int by_path(const void *a, const void *b)
{
    const struct qn_config_stream *x = a, *y = b;
    return qn_path_cmp(qn_span_str(x->path + 1), qn_span_str(y->path + 1));
}

struct qn_job_commands *qn_job_commands_new(struct qn_job_run *run, const char *site,
                                            struct qn_span plan)
{
    struct qn_job_commands *commands = QN_NEW(struct qn_job_commands);
    struct qn_config_backup *config = &commands->config;
    commands->run = run;
    commands->site = site;
    memcpy(commands->plan, plan.data, plan.size);
    qn_jobs_commands(run->jobs, commands->plan, config, commands->distrusted);
    qsort(config->streams, config->stream_count, sizeof(config->streams[0]), by_path);
    for (size_t i = 0; i < config->stream_count; i++)
        commands->paths[i] = config->streams[i].path;
    return commands;
}

void qn_job_commands_free(struct qn_job_commands *commands)
{
    qn_free(commands);
}

/* ---- what is told of one that failed ---- */

static void tell(struct qn_job_commands *commands, struct qn_span path)
{
    const struct qn_command_end *end = &commands->end;
    struct qn_job_problem problem = {.path = path, .tail = end->tail};
    switch ((int)end->err) {
    case QN_ERR_COMMAND:
        problem.what = end->signal != 0 ? "command-signal" : "command-exit";
        problem.status = (uint64_t)(end->signal != 0 ? end->signal : end->exit_status);
        break;
    case QN_ERR_TIMEOUT:
        problem.what = "command-timeout";
        break;
    case QN_ERR_DENIED:
        problem.what = "command-refused";
        break;
    default:
        problem.what = "command-start";
        problem.tail = qn_err_name(end->err);
        break;
    }
    qn_job_tell_problem(commands->run, &problem);
}

static void tell_step(struct qn_job_commands *commands, const char *step)
{
    char key[QN_NAME_SIZE_MAX + 32];
    snprintf(key, sizeof(key), "[backup %s] %s", commands->plan, step);
    tell(commands, qn_span_str(key));
}

void qn_job_commands_tell(struct qn_job_commands *commands, struct qn_span path)
{
    tell(commands, path);
}

/* Nobody but root, or who runs the daemon, may name a program for it. */
static bool is_refused(struct qn_job_commands *commands)
{
    if (commands->distrusted[0] == '\0')
        return false;
    commands->end = (struct qn_command_end){.err = QN_ERR_DENIED};
    snprintf(commands->end.tail, sizeof(commands->end.tail), "%s", commands->distrusted);
    return true;
}

/* ---- before, after ---- */

static void run(struct qn_job_commands *commands, const char *line, const struct env *env,
                uint64_t time_max_ms, const atomic_bool *is_cancelled)
{
    struct qn_command_options options = {
        .line = line, .env = env->items, .time_max_ms = time_max_ms, .is_cancelled = is_cancelled};
    qn_command_finish(qn_command_start(&options), &commands->end);
}

enum qn_err qn_job_commands_before(struct qn_job_commands *commands)
{
    const struct qn_config_backup *config = &commands->config;
    bool has_any =
        config->before[0] != '\0' || config->after[0] != '\0' || config->stream_count > 0;
    if (has_any && is_refused(commands)) {
        tell_step(commands, "commands");
        return QN_ERR_COMMAND;
    }
    if (config->before[0] == '\0')
        return QN_OK;
    struct env env;
    env_begin(&env, commands, "before");
    run(commands, config->before, &env, config->time_max_ms, &commands->run->progress.is_cancelled);
    if (commands->end.err == QN_ERR_CLOSED || commands->end.err == QN_OK)
        return commands->end.err;
    tell_step(commands, "before");
    return QN_ERR_COMMAND;
}

static const char *result_word(const struct qn_job_run *run, enum qn_err err)
{
    if (err == QN_OK)
        return run->outcome.counts.errors == 0 ? "success" : "partial";
    return err == QN_ERR_CLOSED ? "stopped" : "failed";
}

static void env_result(struct env *env, const struct qn_job_run *run, enum qn_err err)
{
    const uint8_t *name = run->outcome.name.bytes;
    env_add(env, "QUOIN_RESULT=%s", result_word(run, err));
    env_add(env, "QUOIN_ERROR=%s", err == QN_OK ? "" : qn_err_name(err));
    env_add(env, "QUOIN_ERRORS=%llu", (unsigned long long)run->outcome.counts.errors);
    if (err == QN_OK)
        env_add(env, "QUOIN_SNAPSHOT=%02x%02x%02x%02x", name[0], name[1], name[2], name[3]);
}

/* It puts right what the one before did: stopping the job does not stop it, the daemon's end soon
 * does. */
void qn_job_commands_after(struct qn_job_commands *commands, enum qn_err err)
{
    const struct qn_config_backup *config = &commands->config;
    const atomic_bool never = false;
    if (commands->stream != NULL) { /* the run ended in the middle of it */
        atomic_store(&commands->run->progress.is_cancelled, true);
        qn_command_finish(commands->stream, &commands->end);
        commands->stream = NULL;
    }
    if (config->after[0] == '\0' || commands->distrusted[0] != '\0')
        return;
    struct env env;
    env_begin(&env, commands, "after");
    env_result(&env, commands->run, err);
    run(commands, config->after, &env,
        qn_jobs_are_ending(commands->run->jobs) ? AFTER_STOP_MS : config->time_max_ms, &never);
    if (commands->end.err == QN_OK)
        return;
    tell_step(commands, "after");
    commands->run->outcome.command_errors++;
}

/* ---- streams ---- */

static void start_stream(struct qn_job_commands *commands, size_t index)
{
    struct env env;
    env_begin(&env, commands, "stream");
    env_add(&env, "QUOIN_STREAM=%.*s", ENV_SIZE - 14, commands->paths[index]);
    commands->stream = qn_command_start(
        &(struct qn_command_options){.line = commands->config.streams[index].command,
                                     .env = env.items,
                                     .time_max_ms = commands->config.time_max_ms,
                                     .has_output = true,
                                     .is_cancelled = &commands->run->progress.is_cancelled});
}

/* It said all: whether that is all of it, its end says. */
static enum qn_err end_stream(struct qn_job_commands *commands)
{
    qn_command_finish(commands->stream, &commands->end);
    commands->stream = NULL;
    if (commands->end.err == QN_OK || commands->end.err == QN_ERR_CLOSED)
        return commands->end.err;
    return QN_ERR_NOTFOUND;
}

enum qn_err qn_job_commands_read(struct qn_job_commands *commands, size_t index, uint8_t *out,
                                 size_t size, size_t *ret_size)
{
    if (commands->stream == NULL)
        start_stream(commands, index);
    QN_TRY(qn_command_read(commands->stream, out, size, ret_size));
    return *ret_size > 0 ? QN_OK : end_stream(commands);
}
