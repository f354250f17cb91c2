/* The certificate, and the listeners that need one. */
#include <stdio.h>
#include <string.h>

#include "serve/serve_private.h"

#define TEND_MS 60000

static enum qn_err make_host(struct qn_serve *serve, struct qn_tls *tls)
{
    struct qn_stream_host_options options = {
        .take_tls = tls,
        .unacked_time_max_ms = QN_WEB_ANSWER_TIME_MAX_MS,
        .callbacks = serve_callbacks,
        .context = serve,
    };
    return qn_stream_host_new(serve->options.loop, &options, &serve->host);
}

/* What is wrong with certificates, of the site or of people; "": nothing. */
static const char *error_of(const struct qn_serve *serve)
{
    const char *own = qn_certificates_status(serve->certificates)->error;
    return own[0] != '\0' ? own : qn_clients_error(serve->clients);
}

void serve_certificate_status(const struct qn_serve *serve,
                              struct qn_certificate_status *ret_status)
{
    const char *error = error_of(serve);
    *ret_status = *qn_certificates_status(serve->certificates);
    memmove(ret_status->error, error, strlen(error) + 1);
}

static void log_certificate(const struct qn_serve *serve)
{
    const char *error = error_of(serve);
    if (error[0] != '\0')
        serve_log(serve, QN_SERVE_LOG_ERROR, "https: certificate: %s", error);
    else
        serve_log(serve, QN_SERVE_LOG_INFO, "https: certificate for %s",
                  qn_certificates_status(serve->certificates)->names);
}

static enum qn_err make_tls(const struct qn_serve *serve, struct qn_tls **ret_tls)
{
    return qn_tls_new_people(qn_certificates_chain(serve->certificates),
                             qn_certificates_key(serve->certificates),
                             qn_clients_authorities(serve->clients), ret_tls);
}

static void take_certificate(struct qn_serve *serve)
{
    struct qn_tls *tls;
    enum qn_err err = make_tls(serve, &tls);
    if (err == QN_ERR_DENIED) { /* the authorities: the others come in without them */
        qn_clients_refused(serve->clients);
        err = make_tls(serve, &tls);
    }
    if (err != QN_OK)
        qn_certificates_refused(serve->certificates, err);
    else if (serve->host != NULL)
        qn_stream_host_take_tls(serve->host, tls);
    else if ((err = make_host(serve, tls)) != QN_OK)
        qn_certificates_refused(serve->certificates, err);
}

bool serve_is_revoked(const struct connection *connection)
{
    return connection->has_certificate &&
           qn_clients_is_revoked(connection->serve->clients, connection->certificate);
}

/* Also who is in already. */
static void put_out_revoked(struct qn_serve *serve)
{
    for (size_t i = 0; i < QN_WEB_CONNECTIONS_MAX; i++)
        if (serve->connections[i] != NULL && serve_is_revoked(serve->connections[i]))
            connection_abort(serve->connections[i]);
}

static void refresh_certificate(struct qn_serve *serve)
{
    const struct qn_serve_host *host = serve->options.host;
    char before[sizeof(((struct qn_certificate_status *)0)->error)];
    snprintf(before, sizeof(before), "%s", error_of(serve));
    bool is_new = qn_certificates_refresh(serve->certificates, host->wall_ms(host->context));
    bool has_new_clients = qn_clients_refresh(serve->clients);
    bool is_loaded = qn_certificates_status(serve->certificates)->is_loaded;
    if ((is_new || has_new_clients) && is_loaded)
        take_certificate(serve);
    if (has_new_clients)
        put_out_revoked(serve);
    if (is_new || (has_new_clients && is_loaded) || strcmp(before, error_of(serve)) != 0)
        log_certificate(serve);
}

static void open_listener(struct qn_serve *serve, struct listener *listener)
{
    struct qn_endpoint endpoint;
    union qn_address address;
    char before[sizeof(listener->error)];
    if (listener->tcp != NULL || serve->host == NULL)
        return;
    memcpy(before, listener->error, sizeof(before));
    enum qn_err err = qn_endpoint_parse(listener->address, &endpoint);
    if (err == QN_OK)
        err = qn_endpoint_number(&endpoint, &address);
    if (err == QN_OK)
        err = qn_listener_new(serve->host, &address, &listener->tcp);
    if (err == QN_OK) {
        listener->error[0] = '\0';
        serve_log(serve, QN_SERVE_LOG_INFO, "https: listening on %s", listener->address);
        return;
    }
    snprintf(listener->error, sizeof(listener->error), "%s", qn_stream_host_error(serve->host));
    if (strcmp(before, listener->error) != 0)
        serve_log(serve, QN_SERVE_LOG_ERROR, "https: cannot listen on %s: %s", listener->address,
                  listener->error);
}

void serve_tend(struct qn_serve *serve, uint64_t now_ms)
{
    serve->tend_ms = now_ms + TEND_MS;
    if (serve->is_stopping || serve->config.listen_count == 0)
        return;
    refresh_certificate(serve);
    for (size_t i = 0; i < serve->listener_count; i++)
        open_listener(serve, &serve->listeners[i]);
}

static bool is_wished(const struct qn_serve_config *config, const char *address)
{
    for (size_t i = 0; i < config->listen_count; i++)
        if (strcmp(config->listen[i], address) == 0)
            return true;
    return false;
}

static void drop_listeners(struct qn_serve *serve, const struct qn_serve_config *config)
{
    size_t kept = 0;
    for (size_t i = 0; i < serve->listener_count; i++) {
        if (is_wished(config, serve->listeners[i].address))
            serve->listeners[kept++] = serve->listeners[i];
        else
            qn_listener_free(serve->listeners[i].tcp);
    }
    serve->listener_count = kept;
}

static void add_listeners(struct qn_serve *serve, const struct qn_serve_config *config)
{
    for (size_t i = 0; i < config->listen_count; i++) {
        bool is_there = false;
        for (size_t j = 0; j < serve->listener_count && !is_there; j++)
            is_there = strcmp(serve->listeners[j].address, config->listen[i]) == 0;
        if (is_there)
            continue;
        struct listener *listener = &serve->listeners[serve->listener_count++];
        *listener = (struct listener){0};
        memcpy(listener->address, config->listen[i], sizeof(listener->address));
    }
}

void serve_set_listeners(struct qn_serve *serve, const struct qn_serve_config *config)
{
    drop_listeners(serve, config);
    add_listeners(serve, config);
}
