#include <stdio.h>

#include "net/net_private.h"

static bool is_shaking(const struct qn_link *link, const void *argument)
{
    return link->state == QN_LINK_SHAKING;
}

static void make_room_for_unknown(struct qn_net *net)
{
    struct qn_link *oldest = qn_net_oldest_above(net, QN_UNKNOWN_SLOTS_MAX, is_shaking, NULL);
    if (oldest == NULL)
        return;
    net->counters.evicted++;
    qn_link_release(oldest);
}

/* The kernel has it already: only by taking it is it refused. */
static void refuse(struct qn_listener *listener)
{
    struct qn_stream *stream;
    if (qn_stream_accept(listener, false, 0, &stream) == QN_OK)
        qn_stream_abort(stream);
}

void qn_net_on_connection(void *context, struct qn_listener *listener)
{
    struct qn_net *net = context;
    make_room_for_unknown(net);
    struct qn_link *link = qn_link_new(net, QN_LINK_SHAKING);
    if (link == NULL) {
        refuse(listener);
        return;
    }
    if (qn_stream_accept(listener, net->allows_guests, link->id, &link->stream) != QN_OK) {
        qn_link_release(link);
        return;
    }
    link->deadline_ms = qn_loop_now_ms(net->loop) + net->times.guest_ms;
    qn_timer_set(link->timer, net->times.handshake_ms);
}

static enum qn_err say(struct qn_net *net, enum qn_err err, const char *text)
{
    snprintf(net->error, sizeof(net->error), "%s", text);
    return err;
}

enum qn_err qn_net_listen(struct qn_net *net, const char *address)
{
    struct qn_endpoint endpoint;
    union qn_address number;
    if (net->listener != NULL)
        return say(net, QN_ERR_STATE, "listening already");
    if (qn_endpoint_parse(address, &endpoint) != QN_OK ||
        qn_endpoint_number(&endpoint, &number) != QN_OK)
        return say(net, QN_ERR_INVALID, "not a numeric address and a port");
    enum qn_err err = qn_listener_new(net->host, &number, &net->listener);
    if (err == QN_OK)
        err = qn_listener_address(net->listener, &number);
    if (err != QN_OK)
        return say(net, err, qn_stream_host_error(net->host));
    qn_address_print(&number, net->listen_address);
    return QN_OK;
}

const char *qn_net_listen_address(const struct qn_net *net)
{
    return net->listener != NULL ? net->listen_address : NULL;
}

const char *qn_net_error_text(const struct qn_net *net)
{
    return net->error;
}
