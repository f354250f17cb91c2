/* Listeners, who is let in, the clock. */
#include "serve/serve.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "serve/page.h"
#include "serve/remote.h"
#include "serve/serve_private.h"

#define TICK_MS   500
#define CROWD_MIN 64 /* connections, whose memory is worth giving back */

uint64_t serve_now_ms(const struct qn_serve *serve)
{
    return serve->options.host->now_ms(serve->options.host->context);
}

void serve_log(const struct qn_serve *serve, int level, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    serve->options.host->log(serve->options.host->context, level, text);
}

/* ---- connections ---- */

struct connection *serve_find(const struct qn_serve *serve, uint64_t tag)
{
    struct connection *connection = serve->connections[tag % QN_WEB_CONNECTIONS_MAX];
    return connection != NULL && connection->tag == tag ? connection : NULL;
}

void serve_forget(struct connection *connection)
{
    struct qn_serve *serve = connection->serve;
    serve->connections[connection->tag % QN_WEB_CONNECTIONS_MAX] = NULL;
    serve->connection_count--;
}

uint64_t serve_free_tag(struct qn_serve *serve)
{
    do
        serve->next_tag++;
    while (serve->connections[serve->next_tag % QN_WEB_CONNECTIONS_MAX] != NULL);
    return serve->next_tag;
}

/* "10.0.0.1", "fe80::1" */
void serve_print_host(const union qn_address *address, char out[QN_ADDRESS_TEXT_SIZE])
{
    char text[QN_ADDRESS_TEXT_SIZE];
    qn_address_print(address, text);
    *strrchr(text, ':') = '\0';
    size_t size = strlen(text);
    bool has_brackets = text[0] == '[';
    snprintf(out, QN_ADDRESS_TEXT_SIZE, "%.*s", (int)(size - 2 * has_brackets),
             text + has_brackets);
}

void serve_add(struct connection *connection)
{
    struct qn_serve *serve = connection->serve;
    serve->connections[connection->tag % QN_WEB_CONNECTIONS_MAX] = connection;
    if (serve->connection_count++ == 0)
        qn_timer_set(serve->tick, serve->options.tick_ms);
    if (serve->connection_count > serve->crowd)
        serve->crowd = serve->connection_count;
}

static void on_connection(void *context, struct qn_listener *listener)
{
    struct qn_serve *serve = context;
    struct qn_stream *stream;
    union qn_address address;
    bool has_room = serve_make_room(serve);
    uint64_t tag = has_room ? serve_free_tag(serve) : serve->next_tag;
    if (qn_stream_accept(listener, false, tag, &stream) != QN_OK)
        return; /* the client is gone, or there are no descriptors: nothing to do about it */
    qn_stream_address(stream, &address);
    if (!has_room || serve->is_stopping || !serve_may_come(serve, &address)) {
        serve->refused_count++;
        qn_stream_abort(stream);
        return;
    }
    if (serve_wants_certificate(serve, &address))
        qn_stream_want_certificate(stream);
    serve_make_room_to_shake(serve, &address);
    struct connection *connection = connection_new(serve, tag);
    connection->stream = stream;
    connection->address = address;
    serve_print_host(&address, connection->from);
    serve_add(connection);
}

/* ---- what streams tell ---- */

static bool admit(void *context, uint64_t tag, enum qn_alpn alpn, const struct qn_public_key *key)
{
    return false; /* people prove no key, and are not asked for one */
}

static void on_up(void *context, uint64_t tag)
{
    struct qn_serve *serve = context;
    struct connection *connection = serve_find(serve, tag);
    if (connection == NULL)
        return;
    connection->has_certificate =
        qn_stream_certificate(connection->stream, connection->certificate);
    if (!serve_is_revoked(connection)) {
        connection_on_up(connection);
        return;
    }
    serve_log(serve, QN_SERVE_LOG_WARNING, "https from %s: a certificate that was revoked",
              connection->from);
    serve->refused_count++;
    connection_abort(connection);
}

static void on_readable(void *context, uint64_t tag)
{
    struct connection *connection = serve_find(context, tag);
    if (connection != NULL)
        connection_on_readable(connection);
}

static void on_written(void *context, uint64_t tag)
{
    struct connection *connection = serve_find(context, tag);
    if (connection != NULL)
        connection_on_written(connection);
}

static void on_down(void *context, uint64_t tag, enum qn_err reason, const char *detail)
{
    struct qn_serve *serve = context;
    struct connection *connection = serve_find(serve, tag);
    if (connection == NULL)
        return;
    if (connection->state == CONNECTION_SHAKING && reason != QN_ERR_CLOSED)
        serve_log(serve, QN_SERVE_LOG_DEBUG, "https from %s: %s", connection->from, detail);
    connection_gone(connection);
}

/* ---- turns and the clock ---- */

static void on_later(void *context)
{
    struct qn_serve *serve = context;
    struct qn_node batch;
    qn_node_init(&batch);
    qn_node_move(&serve->to_pump, &batch);
    while (!qn_node_is_alone(&batch)) {
        struct qn_node *node = batch.after;
        qn_node_remove(node);
        connection_pump((struct connection *)((char *)node - offsetof(struct connection, later)));
    }
}

static void set_tick(struct qn_serve *serve)
{
    if (serve->config.listen_count == 0 && serve->connection_count == 0 &&
        !remote_is_busy(serve->remote))
        qn_timer_stop(serve->tick);
    else
        qn_timer_set(serve->tick, serve->options.tick_ms);
}

void serve_keep_time(struct qn_serve *serve)
{
    if (serve->config.listen_count == 0 && serve->connection_count == 0)
        qn_timer_set(serve->tick, serve->options.tick_ms);
}

/* What a crowd took stays in the heap, in pieces between what is still needed, until it is asked
 * for: when it has gone, and when it does nothing. */
static void give_back_memory(struct qn_serve *serve)
{
    bool has_gone = serve->crowd >= CROWD_MIN && serve->connection_count <= serve->crowd / 4;
    if (!has_gone && serve->resting < CROWD_MIN)
        return;
    serve->crowd = serve->connection_count;
    serve->resting = 0;
    malloc_trim(0);
}

static void on_tick(void *context)
{
    struct qn_serve *serve = context;
    uint64_t now_ms = serve_now_ms(serve);
    for (size_t i = 0; i < QN_WEB_CONNECTIONS_MAX && serve->connection_count > 0; i++)
        if (serve->connections[i] != NULL) {
            peer_check(serve->connections[i]);
            serve->resting += connection_rest(serve->connections[i], now_ms);
            connection_check_time(serve->connections[i], now_ms);
        }
    give_back_memory(serve);
    remote_tick(serve->remote, now_ms);
    if (now_ms >= serve->tend_ms)
        serve_tend(serve, now_ms);
    set_tick(serve);
}

/* Streams come to it when they are up (qn_serve_take_peer). */
static void make_peer_host(struct qn_serve *serve)
{
    struct qn_stream_host_options options = {
        .callbacks = {NULL, NULL, on_readable, on_written, on_down, NULL}, .context = serve};
    enum qn_err err = qn_stream_host_new(serve->options.loop, &options, &serve->peer_host);
    QN_ASSERT(err == QN_OK); /* it has no keys that could be wrong */
}

const struct qn_stream_callbacks serve_callbacks = {admit,      on_up,   on_readable,
                                                    on_written, on_down, on_connection};

/* ---- life ---- */

struct qn_serve *qn_serve_new(const struct qn_serve_options *options)
{
    struct qn_serve *serve = QN_NEW(struct qn_serve);
    serve->options = *options;
    if (serve->options.routes.items == NULL)
        serve->options.routes = qn_serve_routes;
    if (serve->options.tick_ms == 0)
        serve->options.tick_ms = TICK_MS;
    qn_node_init(&serve->to_pump);
    serve->page = qn_page_new(options->site);
    serve->certificates = qn_certificates_new(options->state_dir, options->site);
    serve->clients = qn_clients_new();
    serve->later = qn_timer_new(options->loop, on_later, serve);
    serve->tick = qn_timer_new(options->loop, on_tick, serve);
    make_peer_host(serve);
    serve->remote = remote_new(serve);
    return serve;
}

void qn_serve_configure(struct qn_serve *serve, const struct qn_serve_config *config)
{
    serve_set_listeners(serve, config);
    serve->config = *config;
    qn_certificates_configure(serve->certificates, config);
    qn_clients_configure(serve->clients, config);
    set_tick(serve);
    serve_tend(serve, serve_now_ms(serve));
}

void qn_serve_stop(struct qn_serve *serve)
{
    const struct qn_serve_config none = {0};
    serve->is_stopping = true;
    serve_set_listeners(serve, &none);
    for (size_t i = 0; i < QN_WEB_CONNECTIONS_MAX; i++)
        if (serve->connections[i] != NULL && connection_is_idle(serve->connections[i]))
            connection_abort(serve->connections[i]);
}

static void on_host_closed(void *context)
{
    struct qn_serve *serve = context;
    if (--serve->closing > 0)
        return;
    void (*on_closed)(void *context) = serve->on_closed;
    void *closed_context = serve->closed_context;
    qn_page_free(serve->page);
    qn_certificates_free(serve->certificates);
    qn_clients_free(serve->clients);
    qn_free(serve);
    on_closed(closed_context);
}

void qn_serve_close(struct qn_serve *serve, void (*on_closed)(void *context), void *context)
{
    serve->on_closed = on_closed;
    serve->closed_context = context;
    qn_serve_stop(serve);
    for (size_t i = 0; i < QN_WEB_CONNECTIONS_MAX; i++) {
        struct connection *connection = serve->connections[i];
        if (connection == NULL)
            continue;
        connection_abort(connection);
        connection_pump(connection);
    }
    qn_timer_free(serve->later);
    qn_timer_free(serve->tick);
    serve->closing = serve->host != NULL ? 3 : 2;
    if (serve->host != NULL)
        qn_stream_host_close(serve->host, on_host_closed, serve);
    qn_stream_host_close(serve->peer_host, on_host_closed, serve);
    remote_close(serve->remote, on_host_closed, serve);
}

void qn_serve_status(const struct qn_serve *serve, struct qn_serve_status *ret_status)
{
    struct qn_serve_status status = {.listener_count = serve->listener_count,
                                     .connection_count = serve->connection_count,
                                     .request_count = serve->request_count,
                                     .refused_count = serve->refused_count};
    serve_certificate_status(serve, &status.certificate);
    for (size_t i = 0; i < serve->listener_count; i++)
        status.listeners[i] = (struct qn_serve_listener_status){
            serve->listeners[i].address,
            serve->listeners[i].tcp != NULL ? "" : serve->listeners[i].error};
    *ret_status = status;
}
