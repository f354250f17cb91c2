#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "stream/stream_private.h"

static void on_idle(uv_idle_t *idle)
{
    struct qn_stream_host *host = idle->data;
    struct qn_node batch; /* those that come in meanwhile wait for the next turn */
    uv_idle_stop(idle);
    qn_node_init(&batch);
    qn_node_move(&host->to_tend, &batch);
    while (!qn_node_is_alone(&batch)) {
        struct qn_node *node = batch.after;
        qn_node_remove(node);
        qn_stream_tend((struct qn_stream *)((char *)node - offsetof(struct qn_stream, node)));
    }
}

/* An idle handle keeps the loop from waiting; a prepare handle would not, and what is sent from
 * inside one would lie until something else wakes the loop. */
void qn_stream_tend_later(struct qn_stream *stream)
{
    struct qn_stream_host *host = stream->host;
    if (!qn_node_is_alone(&stream->node))
        return;
    qn_node_append(&host->to_tend, &stream->node);
    QN_ASSERT(uv_idle_start(&host->tending, on_idle) == 0);
}

enum qn_err qn_stream_host_new(struct qn_loop *loop, const struct qn_stream_host_options *options,
                               struct qn_stream_host **ret_host)
{
    struct qn_tls *tls = options->take_tls;
    if (tls == NULL && options->seed != NULL)
        QN_TRY(qn_tls_new(options->seed, &tls));
    struct qn_stream_host *host = QN_NEW(struct qn_stream_host);
    host->loop = loop;
    host->tls = tls;
    host->callbacks = options->callbacks;
    host->context = options->context;
    host->handle_count = 1;
    host->unacked_time_max_ms = options->unacked_time_max_ms;
    qn_node_init(&host->to_tend);
    QN_ASSERT(uv_idle_init(qn_loop_uv(loop), &host->tending) == 0);
    host->tending.data = host;
    *ret_host = host;
    return QN_OK;
}

void qn_stream_host_take_tls(struct qn_stream_host *host, struct qn_tls *tls)
{
    qn_tls_free(host->tls);
    host->tls = tls;
}

void qn_stream_host_release(struct qn_stream_host *host)
{
    if (--host->handle_count > 0)
        return;
    void (*on_closed)(void *context) = host->on_closed;
    void *context = host->closed_context;
    qn_tls_free(host->tls);
    qn_free(host);
    on_closed(context);
}

static void on_idle_closed(uv_handle_t *handle)
{
    qn_stream_host_release(handle->data);
}

void qn_stream_host_close(struct qn_stream_host *host, void (*on_closed)(void *context),
                          void *context)
{
    QN_ASSERT(host->on_closed == NULL);
    host->on_closed = on_closed;
    host->closed_context = context;
    uv_close((uv_handle_t *)&host->tending, on_idle_closed);
}

void qn_stream_host_count(const struct qn_stream_host *host, uint64_t *ret_bytes_in,
                          uint64_t *ret_bytes_out)
{
    *ret_bytes_in = host->bytes_in;
    *ret_bytes_out = host->bytes_out;
}

const char *qn_stream_host_error(const struct qn_stream_host *host)
{
    return host->error;
}

enum qn_err qn_stream_err(int status)
{
    switch (status) {
    case 0:
        return QN_OK;
    case UV_EOF:
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_ECONNREFUSED:
    case UV_EPIPE:
        return QN_ERR_CLOSED;
    case UV_ETIMEDOUT:
        return QN_ERR_TIMEOUT;
    case UV_EADDRINUSE:
        return QN_ERR_BUSY;
    case UV_EACCES:
    case UV_EPERM:
        return QN_ERR_DENIED;
    default:
        return QN_ERR_IO;
    }
}

enum qn_err qn_stream_host_note(struct qn_stream_host *host, int status)
{
    if (status != 0)
        snprintf(host->error, sizeof(host->error), "%s: %s", uv_err_name(status),
                 uv_strerror(status));
    return qn_stream_err(status);
}
