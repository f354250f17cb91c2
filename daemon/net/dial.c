#include <netdb.h>
#include <stdio.h>
#include <uv.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/net_private.h"

/* A name on its way through the system's resolver, on libuv's thread pool. It outlives its link. */
struct resolve {
    uv_getaddrinfo_t uv;
    struct qn_net *net; /* which waits for it before it goes */
    qn_link_id id;
};

/* A refusal says more than what the other addresses of the name gave. */
static void note(struct qn_dial *dial, enum qn_err err, const char *detail)
{
    if (dial->err == QN_ERR_DENIED)
        return;
    dial->err = err;
    snprintf(dial->detail, sizeof(dial->detail), "%s", detail);
}

static void fail(struct qn_link *link)
{
    struct qn_net *net = link->net;
    struct qn_dial *dial = link->dial;
    link->dial = NULL; /* its words are needed a little longer */
    qn_link_release(link);
    net->callbacks.on_dial_failed(net->context, dial->token, dial->err, dial->detail);
    qn_free(dial);
}

/* --- one address after the other --- */

static enum qn_alpn alpn_of(enum qn_net_kind kind)
{
    switch (kind) {
    case QN_NET_MEMBER:
        return QN_ALPN_MEMBER;
    case QN_NET_GUEST:
        return QN_ALPN_GUEST;
    case QN_NET_BULK:
        return QN_ALPN_BULK;
    case QN_NET_WEB:
        return QN_ALPN_WEB;
    case QN_NET_WEB_BACK:
        return QN_ALPN_WEB_BACK;
    }
    QN_ASSERT(false);
}

static enum qn_err attempt(struct qn_link *link, uint64_t left_ms)
{
    struct qn_net *net = link->net;
    struct qn_dial *dial = link->dial;
    const union qn_address *address = &dial->addresses[dial->next++];
    QN_TRY(qn_stream_dial(net->host, address, alpn_of(link->kind), link->id, &link->stream));
    uint64_t time_ms = net->times.dial_address_ms;
    qn_timer_set(link->timer, time_ms < left_ms ? time_ms : left_ms);
    return QN_OK;
}

static void next_address(struct qn_link *link)
{
    struct qn_dial *dial = link->dial;
    link->state = QN_LINK_DIALLING;
    link->welcome_size = 0;
    qn_stream_abort(link->stream);
    link->stream = NULL;
    while (dial->next < dial->count) {
        uint64_t now_ms = qn_loop_now_ms(link->net->loop);
        if (now_ms >= dial->deadline_ms)
            break;
        enum qn_err err = attempt(link, dial->deadline_ms - now_ms);
        if (err == QN_OK)
            return;
        note(dial, err, qn_stream_host_error(link->net->host));
    }
    fail(link);
}

void qn_dial_attempt_failed(struct qn_link *link, enum qn_err err, const char *detail)
{
    note(link->dial, err, detail);
    next_address(link);
}

/* Without a stream and with a name that is known, this is the turn after qn_net_dial. */
void qn_dial_timed_out(struct qn_link *link)
{
    if (link->state == QN_LINK_RESOLVING)
        note(link->dial, QN_ERR_TIMEOUT, "the name was not resolved in time");
    else if (link->stream != NULL)
        note(link->dial, QN_ERR_TIMEOUT, "no answer in time");
    next_address(link);
}

/* --- names --- */

static void take_addresses(struct qn_dial *dial, const struct addrinfo *list)
{
    for (; list != NULL && dial->count < QN_DIAL_ADDRESSES_MAX; list = list->ai_next)
        if (list->ai_addrlen <= sizeof(union qn_address))
            memcpy(&dial->addresses[dial->count++], list->ai_addr, list->ai_addrlen);
}

static void resolved(struct qn_link *link, int status, const struct addrinfo *list)
{
    if (status == 0)
        take_addresses(link->dial, list);
    if (link->dial->count == 0)
        note(link->dial, QN_ERR_NOTFOUND, status ? uv_strerror(status) : "no address of that name");
    next_address(link);
}

static void on_resolved(uv_getaddrinfo_t *uv, int status, struct addrinfo *list)
{
    struct resolve *resolve = uv->data;
    struct qn_net *net = resolve->net;
    struct qn_link *link = qn_net_find(net, resolve->id);
    qn_free(resolve);
    net->resolve_count--;
    if (link != NULL && link->state == QN_LINK_RESOLVING)
        resolved(link, status, list);
    uv_freeaddrinfo(list);
    qn_net_finish(net);
}

static enum qn_err resolve_name(struct qn_link *link)
{
    struct qn_net *net = link->net;
    const struct qn_endpoint *endpoint = &link->dial->endpoint;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char port[8];
    if (net->resolve_count >= QN_RESOLVES_MAX)
        return QN_ERR_LIMIT;
    struct resolve *resolve = QN_NEW(struct resolve);
    *resolve = (struct resolve){.net = net, .id = link->id};
    resolve->uv.data = resolve;
    snprintf(port, sizeof(port), "%u", endpoint->port);
    if (uv_getaddrinfo(qn_loop_uv(net->loop), &resolve->uv, on_resolved, endpoint->host, port,
                       &hints) != 0) {
        qn_free(resolve);
        return QN_ERR_INVALID; /* a name that IDNA refuses */
    }
    net->resolve_count++;
    return QN_OK;
}

/* --- beginning --- */

/* What stands in the way is told in the next turn, by the timer. */
static enum qn_err begin(struct qn_link *link, const char *address)
{
    struct qn_dial *dial = link->dial;
    QN_TRY(qn_endpoint_parse(address, &dial->endpoint));
    if (qn_endpoint_number(&dial->endpoint, &dial->addresses[0]) == QN_OK) {
        dial->count = 1;
        return QN_OK;
    }
    QN_TRY(resolve_name(link));
    link->state = QN_LINK_RESOLVING;
    qn_timer_set(link->timer, link->net->times.dial_ms);
    return QN_OK;
}

static struct qn_dial *dial_new(const struct qn_net *net, const struct qn_public_key *expected,
                                uint64_t token)
{
    struct qn_dial *dial = QN_NEW(struct qn_dial);
    dial->token = token;
    dial->has_expected = expected != NULL;
    if (expected != NULL)
        dial->expected = *expected;
    dial->err = QN_ERR_TIMEOUT; /* if the time is over before anything else is known */
    dial->deadline_ms = qn_loop_now_ms(net->loop) + net->times.dial_ms;
    return dial;
}

void qn_net_dial(struct qn_net *net, const char *address, enum qn_net_kind kind,
                 const struct qn_public_key *expected, uint64_t token)
{
    QN_ASSERT(!net->is_closing);
    struct qn_link *link = qn_link_new(net, QN_LINK_DIALLING);
    if (link == NULL) {
        qn_vec_push(&net->late, ((struct qn_late_failure){token, QN_ERR_LIMIT}));
        qn_timer_set(net->late_timer, 0);
        return;
    }
    link->kind = kind;
    link->dial = dial_new(net, expected, token);
    qn_timer_set(link->timer, 0);
    enum qn_err err = begin(link, address);
    if (err != QN_OK)
        note(link->dial, err, "not an address that can be dialled");
}

/* Dials that found every slot taken. An owner that dials again from inside waits for the next. */
void qn_net_tell_late(void *context)
{
    struct qn_net *net = context;
    __typeof__(net->late) late = net->late;
    memset(&net->late, 0, sizeof(net->late));
    qn_vec_each (&late, failure)
        if (!net->is_closing)
            net->callbacks.on_dial_failed(net->context, failure->token, failure->err,
                                          "too many connections");
    qn_vec_free(&late);
}
