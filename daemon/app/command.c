#include "app/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "os/os.h"

#define WATCH_MS 100 /* how often a cancelled job is seen */

struct qn_command {
    struct qn_command_options options;
    pthread_t thread;
    int from, to; /* the pipe of its output; -1: none, or closed */
    atomic_bool is_over;
    char *line, *env[QN_COMMAND_ENV_MAX + 1];
    /* Of the thread: */
    struct qn_loop *loop;
    struct qn_process *process;
    struct qn_timer *watch;
    struct qn_command_end end;
};

/* ---- the thread ---- */

static void on_end(void *context, const struct qn_process_end *end)
{
    struct qn_command *command = context;
    command->end.err = end->err;
    command->end.exit_status = end->exit_status;
    command->end.signal = end->signal;
    for (size_t i = 0; i < end->tail.size; i++)
        command->end.tail[i] = end->tail.data[i] == 0 ? '?' : (char)end->tail.data[i];
    qn_loop_stop(command->loop);
}

static void on_watch(void *context)
{
    struct qn_command *command = context;
    if (atomic_load(command->options.is_cancelled))
        qn_process_stop(command->process, false);
    qn_timer_set(command->watch, WATCH_MS);
}

static enum qn_err start(struct qn_command *command)
{
    const char *argv[] = {"/bin/sh", "-c", command->line, NULL};
    struct qn_process_options options = {.argv = argv,
                                         .env = (const char *const *)command->env,
                                         .output_fd = command->to,
                                         .time_max_ms = command->options.time_max_ms,
                                         .on_end = on_end,
                                         .context = command};
    enum qn_err err = qn_process_new(command->loop, &options, &command->process);
    if (command->to >= 0) /* only the command holds it now: its end is the end of the output */
        close(command->to);
    command->to = -1;
    return err;
}

static void *run(void *context)
{
    struct qn_command *command = context;
    command->end.err = qn_loop_new(&command->loop);
    if (command->end.err == QN_OK)
        command->end.err = start(command);
    if (command->process != NULL) {
        command->watch = qn_timer_new(command->loop, on_watch, command);
        qn_timer_set(command->watch, WATCH_MS);
        qn_loop_run(command->loop);
    }
    qn_timer_free(command->watch);
    qn_process_free(command->process);
    qn_loop_free(command->loop);
    atomic_store(&command->is_over, true);
    return NULL;
}

/* ---- the door ---- */

static void open_pipe(struct qn_command *command)
{
    int ends[2];
    command->from = command->to = -1;
    if (!command->options.has_output)
        return;
    QN_ASSERT(pipe2(ends, O_CLOEXEC) == 0); /* out of descriptors: as out of memory */
    command->from = ends[0];
    command->to = ends[1];
}

static void copy(struct qn_command *command, const struct qn_command_options *options)
{
    command->options = *options;
    command->options.line = NULL;
    command->options.env = NULL;
    command->line = qn_strdup(options->line);
    for (size_t i = 0; options->env[i] != NULL; i++) {
        QN_ASSERT(i < QN_COMMAND_ENV_MAX);
        command->env[i] = qn_strdup(options->env[i]);
    }
}

struct qn_command *qn_command_start(const struct qn_command_options *options)
{
    struct qn_command *command = QN_NEW(struct qn_command);
    copy(command, options);
    open_pipe(command);
    QN_ASSERT(qn_os_start_thread(&command->thread, run, command) == 0);
    return command;
}

/* Something that left the command's group may hold the pipe: then its silence is the end. */
enum qn_err qn_command_read(struct qn_command *command, uint8_t *out, size_t size, size_t *ret_size)
{
    struct pollfd poller = {.fd = command->from, .events = POLLIN};
    for (;;) {
        bool was_over = atomic_load(&command->is_over);
        int ready = poll(&poller, 1, was_over ? 0 : WATCH_MS);
        if (atomic_load(command->options.is_cancelled))
            return QN_ERR_CLOSED;
        ssize_t got = ready > 0 ? read(command->from, out, size) : -1;
        if (got >= 0 || (ready == 0 && was_over)) {
            *ret_size = got > 0 ? (size_t)got : 0;
            return QN_OK;
        }
        if (ready != 0 && errno != EINTR)
            return qn_os_err(errno);
    }
}

void qn_command_finish(struct qn_command *command, struct qn_command_end *ret_end)
{
    if (command->from >= 0) /* who still writes into it is told */
        close(command->from);
    pthread_join(command->thread, NULL);
    if (command->to >= 0)
        close(command->to);
    *ret_end = command->end;
    for (size_t i = 0; i < QN_COMMAND_ENV_MAX; i++)
        qn_free(command->env[i]);
    qn_free(command->line);
    qn_free(command);
}
