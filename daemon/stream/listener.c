#include "base/assert.h"
#include "base/mem.h"
#include "stream/stream_private.h"

#define BACKLOG 128 /* connections that the kernel holds until the next turn */

static void on_listener_closed(uv_handle_t *handle)
{
    struct qn_listener *listener = handle->data;
    struct qn_stream_host *host = listener->host;
    qn_free(listener);
    qn_stream_host_release(host);
}

/* A status that is not 0 tells of a passing want of descriptors: libuv drops that connection. */
static void on_connection(uv_stream_t *tcp, int status)
{
    struct qn_listener *listener = tcp->data;
    if (status == 0)
        listener->host->callbacks.on_connection(listener->host->context, listener);
}

static int start(struct qn_listener *listener, const union qn_address *address)
{
    int status = uv_tcp_bind(&listener->tcp, &address->any, 0); /* sets SO_REUSEADDR */
    return status != 0 ? status : uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
}

enum qn_err qn_listener_new(struct qn_stream_host *host, const union qn_address *address,
                            struct qn_listener **ret_listener)
{
    struct qn_listener *listener = QN_NEW(struct qn_listener);
    listener->host = host;
    QN_ASSERT(uv_tcp_init(qn_loop_uv(host->loop), &listener->tcp) == 0);
    listener->tcp.data = listener;
    host->handle_count++;
    enum qn_err err = qn_stream_host_note(host, start(listener, address));
    if (err != QN_OK) {
        qn_listener_free(listener);
        return err;
    }
    *ret_listener = listener;
    return QN_OK;
}

void qn_listener_free(struct qn_listener *listener)
{
    if (listener != NULL)
        uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
}

enum qn_err qn_listener_address(const struct qn_listener *listener, union qn_address *ret_address)
{
    union qn_address address = {0};
    int size = sizeof(address);
    int status = uv_tcp_getsockname(&listener->tcp, &address.any, &size);
    if (status == 0)
        *ret_address = address;
    return qn_stream_err(status);
}
