#include "loop/process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "loop/loop_private.h"
#include "loop/tail.h"

#define READ_SIZE 4096
#define REST_MS   500 /* for the last words of a program, once it has ended */

_Static_assert(QN_PROCESS_TAIL_SIZE == TAIL_SIZE, "what it says is a tail");

struct qn_process {
    struct qn_process_options options;
    uv_process_t uv;
    uv_pipe_t in, out;
    uv_timer_t timer;
    uv_write_t write;
    uint8_t *input;
    size_t open_handles;
    char read[READ_SIZE];
    struct tail tail;
    pid_t pid; /* its group too */
    struct qn_process_end end;
    bool has_uv, has_ended, has_said_all, is_terminated, is_done;
};

/* ---- its life ---- */

static void on_closed(uv_handle_t *handle)
{
    struct qn_process *process = handle->data;
    if (--process->open_handles > 0)
        return;
    qn_free(process->input);
    qn_free(process);
}

static void close_one(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void close_all(struct qn_process *process)
{
    if (process->has_uv)
        close_one((uv_handle_t *)&process->uv);
    close_one((uv_handle_t *)&process->in);
    close_one((uv_handle_t *)&process->out);
    close_one((uv_handle_t *)&process->timer);
}

static void send_signal(const struct qn_process *process, int number)
{
    if (process->pid > 0)
        (void)kill(-process->pid, number); /* it may be gone: that is what is wanted */
}

static void finish(struct qn_process *process)
{
    if (process->is_done || !process->has_ended)
        return;
    process->is_done = true;
    QN_ASSERT(uv_timer_stop(&process->timer) == 0);
    process->end.tail = tail_view(&process->tail);
    process->options.on_end(process->options.context, &process->end);
}

/* ---- time ---- */

static void on_timer(uv_timer_t *timer)
{
    struct qn_process *process = timer->data;
    if (process->has_ended) {
        finish(process); /* something that left its group still holds the pipe */
    } else if (process->is_terminated) {
        send_signal(process, SIGKILL);
    } else {
        process->end.err = QN_ERR_TIMEOUT;
        qn_process_stop(process, false);
    }
}

static void set_timer(struct qn_process *process, uint64_t delay_ms)
{
    QN_ASSERT(uv_timer_start(&process->timer, on_timer, delay_ms, 0) == 0);
}

void qn_process_stop(struct qn_process *process, bool is_hard)
{
    if (process->has_ended)
        return;
    if (process->end.err == QN_OK)
        process->end.err = QN_ERR_CLOSED;
    if (is_hard || !process->is_terminated)
        send_signal(process, is_hard ? SIGKILL : SIGTERM);
    if (!process->is_terminated)
        set_timer(process, QN_PROCESS_GRACE_MS);
    process->is_terminated = true;
}

/* ---- what it says ---- */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct qn_process *process = handle->data;
    *buf = uv_buf_init(process->read, sizeof(process->read));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct qn_process *process = stream->data;
    if (size > 0) {
        tail_keep(&process->tail, buf->base, (size_t)size);
        return;
    }
    if (size == 0)
        return;
    uv_read_stop(stream);
    process->has_said_all = true;
    finish(process);
}

/* ---- its end ---- */

static void on_exit_of_it(uv_process_t *uv, int64_t status, int signal_number)
{
    struct qn_process *process = uv->data;
    process->has_ended = true;
    process->end.exit_status = (int)status;
    process->end.signal = signal_number;
    if (process->end.err == QN_OK && (status != 0 || signal_number != 0))
        process->end.err = QN_ERR_COMMAND;
    send_signal(process, SIGKILL); /* what it left behind */
    process->pid = 0;
    if (process->has_said_all)
        finish(process);
    else
        set_timer(process, REST_MS);
}

/* ---- its beginning ---- */

/* All is written, or it does not listen: then it has what it needs. */
static void on_written(uv_write_t *request, int status)
{
    struct qn_process *process = request->handle->data;
    close_one((uv_handle_t *)&process->in);
}

static void feed(struct qn_process *process, struct qn_span input)
{
    if (input.size > 0) {
        process->input = qn_alloc(input.size);
        memcpy(process->input, input.data, input.size);
    }
    uv_buf_t buf = uv_buf_init((char *)process->input, (unsigned)input.size);
    if (input.size == 0 ||
        uv_write(&process->write, (uv_stream_t *)&process->in, &buf, 1, on_written) != 0)
        close_one((uv_handle_t *)&process->in);
}

/* `said`: where its errors go, and its output unless that goes elsewhere. */
static int spawn(struct qn_loop *loop, struct qn_process *process, int said)
{
    const struct qn_process_options *o = &process->options;
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&process->in},
        {.flags = UV_INHERIT_FD, .data.fd = o->output_fd < 0 ? said : o->output_fd},
        {.flags = UV_INHERIT_FD, .data.fd = said},
    };
    uv_process_options_t options = {.exit_cb = on_exit_of_it,
                                    .file = o->argv[0],
                                    .args = (char **)(uintptr_t)o->argv,
                                    .env = (char **)(uintptr_t)o->env,
                                    .cwd = "/",
                                    .flags = UV_PROCESS_DETACHED,
                                    .stdio_count = 3,
                                    .stdio = stdio};
    return uv_spawn(&loop->uv, &process->uv, &options);
}

/* The pipe from it to us. */
static int open_pipe(struct qn_process *process, int *ret_said)
{
    uv_file ends[2];
    int status = uv_pipe(ends, UV_NONBLOCK_PIPE, 0);
    if (status != 0)
        return status;
    status = uv_pipe_open(&process->out, ends[0]);
    if (status != 0) {
        close(ends[0]);
        close(ends[1]);
        return status;
    }
    *ret_said = ends[1];
    return 0;
}

static int start(struct qn_loop *loop, struct qn_process *process)
{
    int said, status = open_pipe(process, &said);
    if (status != 0)
        return status;
    status = spawn(loop, process, said);
    close(said);
    process->open_handles++; /* uv_spawn makes it, also when it fails */
    process->has_uv = true;
    return status;
}

static void init_handles(struct qn_loop *loop, struct qn_process *process)
{
    QN_ASSERT(uv_pipe_init(&loop->uv, &process->in, 0) == 0);
    QN_ASSERT(uv_pipe_init(&loop->uv, &process->out, 0) == 0);
    QN_ASSERT(uv_timer_init(&loop->uv, &process->timer) == 0);
    process->uv.data = process->in.data = process->out.data = process->timer.data = process;
    process->open_handles = 3;
}

static enum qn_err err_of(int status)
{
    if (status == UV_ENOENT || status == UV_ENOTDIR)
        return QN_ERR_NOTFOUND;
    return status == UV_EACCES || status == UV_EPERM ? QN_ERR_DENIED : QN_ERR_IO;
}

enum qn_err qn_process_new(struct qn_loop *loop, const struct qn_process_options *options,
                           struct qn_process **ret_process)
{
    struct qn_process *process = QN_NEW(struct qn_process);
    process->options = *options;
    init_handles(loop, process);
    int status = start(loop, process);
    if (status != 0) {
        close_all(process);
        return err_of(status);
    }
    process->pid = process->uv.pid;
    process->options.argv = process->options.env = NULL;
    feed(process, options->input);
    QN_ASSERT(uv_read_start((uv_stream_t *)&process->out, give_room, on_read) == 0);
    set_timer(process, options->time_max_ms);
    *ret_process = process;
    return QN_OK;
}

void qn_process_free(struct qn_process *process)
{
    if (process == NULL)
        return;
    process->is_done = true;
    send_signal(process, SIGKILL);
    if (process->pid > 0) /* nobody else will take note of its end */
        while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    process->pid = 0;
    close_all(process);
}
