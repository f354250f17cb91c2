#include "loop/exchange.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "loop/loop_private.h"
#include "loop/tail.h"

#define READ_SIZE 4096

_Static_assert(QN_EXCHANGE_ANSWER_SIZE == TAIL_SIZE, "the answer is a tail");

struct qn_exchange {
    struct qn_exchange_options options;
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_write_t write;
    uv_shutdown_t shutdown;
    uint8_t *said;
    size_t open_handles;
    char read[READ_SIZE];
    struct tail answer;
    bool is_done;
};

static void on_closed(uv_handle_t *handle)
{
    struct qn_exchange *exchange = handle->data;
    if (--exchange->open_handles > 0)
        return;
    qn_free(exchange->said);
    qn_free(exchange);
}

static void finish(struct qn_exchange *exchange, enum qn_err err)
{
    if (exchange->is_done)
        return;
    exchange->is_done = true;
    QN_ASSERT(uv_timer_stop(&exchange->timer) == 0);
    exchange->options.on_end(exchange->options.context, err, tail_view(&exchange->answer));
}

static void on_timer(uv_timer_t *timer)
{
    finish(timer->data, QN_ERR_TIMEOUT);
}

/* ---- the answer ---- */

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct qn_exchange *exchange = handle->data;
    *buf = uv_buf_init(exchange->read, sizeof(exchange->read));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct qn_exchange *exchange = stream->data;
    if (size > 0)
        tail_keep(&exchange->answer, buf->base, (size_t)size);
    else if (size < 0)
        finish(exchange, size == UV_EOF ? QN_OK : QN_ERR_IO);
}

/* ---- what is said ---- */

/* The other side may end before it heard all: what it answered tells. */
static void on_shutdown(uv_shutdown_t *request, int status) {}

static void on_written(uv_write_t *request, int status)
{
    struct qn_exchange *exchange = request->handle->data;
    if (!exchange->is_done && status == 0)
        (void)uv_shutdown(&exchange->shutdown, (uv_stream_t *)&exchange->pipe, on_shutdown);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct qn_exchange *exchange = request->handle->data;
    uv_stream_t *stream = (uv_stream_t *)&exchange->pipe;
    uv_buf_t buf = uv_buf_init((char *)exchange->said, (unsigned)exchange->options.said.size);
    if (exchange->is_done)
        return;
    if (status != 0 || uv_read_start(stream, give_room, on_read) != 0 ||
        uv_write(&exchange->write, stream, &buf, 1, on_written) != 0)
        finish(exchange, QN_ERR_IO);
}

/* ---- the door ---- */

struct qn_exchange *qn_exchange_new(struct qn_loop *loop, const struct qn_exchange_options *options)
{
    struct qn_exchange *exchange = QN_NEW(struct qn_exchange);
    exchange->options = *options;
    exchange->said = qn_alloc(options->said.size + 1);
    if (options->said.size > 0)
        memcpy(exchange->said, options->said.data, options->said.size);
    QN_ASSERT(uv_pipe_init(&loop->uv, &exchange->pipe, 0) == 0);
    QN_ASSERT(uv_timer_init(&loop->uv, &exchange->timer) == 0);
    exchange->pipe.data = exchange->timer.data = exchange;
    exchange->open_handles = 2;
    QN_ASSERT(uv_timer_start(&exchange->timer, on_timer, options->time_max_ms, 0) == 0);
    uv_pipe_connect(&exchange->connect, &exchange->pipe, options->path, on_connected);
    exchange->options.path = NULL;
    return exchange;
}

void qn_exchange_free(struct qn_exchange *exchange)
{
    if (exchange == NULL)
        return;
    exchange->is_done = true;
    uv_close((uv_handle_t *)&exchange->pipe, on_closed);
    uv_close((uv_handle_t *)&exchange->timer, on_closed);
}
