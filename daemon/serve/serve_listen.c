/* The certificate, and the listeners that need one. */
#include <stdio.h>

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

static void log_certificate(const struct qn_serve *serve)
{
    const struct qn_certificate_status *status = qn_certificates_status(serve->certificates);
    if (status->error[0] != '\0')
        serve_log(serve, QN_SERVE_LOG_ERROR, "https: certificate: %s", status->error);
    else
        serve_log(serve, QN_SERVE_LOG_INFO, "https: certificate for %s", status->names);
}

static void take_certificate(struct qn_serve *serve)
{
    struct qn_tls *tls;
    enum qn_err err = qn_tls_new_people(qn_certificates_chain(serve->certificates),
                                        qn_certificates_key(serve->certificates),
                                        qn_certificates_clients(serve->certificates), &tls);
    if (err != QN_OK)
        qn_certificates_refused(serve->certificates, err);
    else if (serve->host != NULL)
        qn_stream_host_take_tls(serve->host, tls);
    else if ((err = make_host(serve, tls)) != QN_OK)
        qn_certificates_refused(serve->certificates, err);
}

static void refresh_certificate(struct qn_serve *serve)
{
    const struct qn_serve_host *host = serve->options.host;
    char before[sizeof(((struct qn_certificate_status *)0)->error)];
    const struct qn_certificate_status *status = qn_certificates_status(serve->certificates);
    snprintf(before, sizeof(before), "%s", status->error);
    bool is_new = qn_certificates_refresh(serve->certificates, host->wall_ms(host->context));
    if (is_new)
        take_certificate(serve);
    if (is_new || strcmp(before, status->error) != 0)
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
