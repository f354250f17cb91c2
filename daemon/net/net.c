#include "net/net.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/net_private.h"

/* --- who is admitted --- */

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct qn_public_key));
}

static bool is_admitted(const struct qn_net *net, const struct qn_public_key *key)
{
    return net->admitted.count > 0 && bsearch(key, net->admitted.items, net->admitted.count,
                                              sizeof(*key), compare_keys) != NULL;
}

bool qn_net_admits(const struct qn_net *net, const struct qn_link *link, enum qn_alpn alpn,
                   const struct qn_public_key *key)
{
    const struct qn_dial *dial = link->dial;
    if (alpn == QN_ALPN_GUEST)
        return dial != NULL || net->allows_guests;
    if (dial != NULL && dial->has_expected)
        return qn_public_key_eq(&dial->expected, key);
    return is_admitted(net, key);
}

static bool on_admit(void *context, uint64_t tag, enum qn_alpn alpn,
                     const struct qn_public_key *key)
{
    struct qn_net *net = context;
    const struct qn_link *link = qn_net_find(net, tag);
    if (link != NULL && qn_net_admits(net, link, alpn, key))
        return true;
    net->counters.unknown_keys_refused++;
    return false;
}

/* One that its owner closed says its last words: they may be that very withdrawal, and it reads
 * no more. */
static bool is_cut_off(const struct qn_net *net, const struct qn_link *link)
{
    return link->state == QN_LINK_UP && link->kind != QN_NET_GUEST && !is_admitted(net, &link->key);
}

void qn_net_admit(struct qn_net *net, const struct qn_public_key *keys, size_t count,
                  bool allows_guests)
{
    qn_vec_free(&net->admitted);
    for (size_t i = 0; i < count; i++)
        qn_vec_push(&net->admitted, keys[i]);
    if (count > 0)
        qsort(net->admitted.items, count, sizeof(*keys), compare_keys);
    net->allows_guests = allows_guests;
    for (size_t slot = 0; slot < QN_LINKS_MAX; slot++)
        if (net->links[slot] != NULL && is_cut_off(net, net->links[slot]))
            qn_link_end_later(net->links[slot], QN_ERR_DENIED);
}

/* --- life --- */

enum qn_err qn_net_new(struct qn_loop *loop, const struct qn_net_options *options,
                       struct qn_net **ret_net)
{
    struct qn_net *net = QN_NEW(struct qn_net);
    struct qn_stream_host_options host_options = {
        .seed = options->seed,
        .callbacks =
            {
                .admit = on_admit,
                .on_up = qn_net_on_up,
                .on_readable = qn_net_on_readable,
                .on_written = qn_net_on_written,
                .on_down = qn_net_on_down,
                .on_connection = qn_net_on_connection,
            },
        .context = net,
    };
    enum qn_err err = qn_stream_host_new(loop, &host_options, &net->host);
    if (err != QN_OK) {
        qn_free(net);
        return err;
    }
    net->loop = loop;
    net->callbacks = options->callbacks;
    net->context = options->context;
    net->late_timer = qn_timer_new(loop, qn_net_tell_late, net);
    net->times.handshake_ms = QN_HANDSHAKE_TIME_MAX_MS;
    net->times.guest_ms = QN_GUEST_TIME_MAX_MS;
    net->times.dial_ms = QN_DIAL_TIME_MAX_MS;
    net->times.dial_address_ms = QN_DIAL_ADDRESS_TIME_MAX_MS;
    net->times.close_ms = QN_CLOSE_TIME_MAX_MS;
    *ret_net = net;
    return QN_OK;
}

void qn_net_finish(struct qn_net *net)
{
    if (!net->is_closing || !net->is_host_closed || net->resolve_count > 0)
        return;
    void (*on_closed)(void *context) = net->on_closed;
    void *context = net->closed_context;
    qn_vec_free(&net->admitted);
    qn_vec_free(&net->late);
    qn_free(net);
    on_closed(context);
}

static void on_host_closed(void *context)
{
    struct qn_net *net = context;
    net->is_host_closed = true;
    qn_net_finish(net);
}

void qn_net_close(struct qn_net *net, void (*on_closed)(void *context), void *context)
{
    QN_ASSERT(!net->is_closing);
    net->is_closing = true;
    net->on_closed = on_closed;
    net->closed_context = context;
    for (size_t slot = 0; slot < QN_LINKS_MAX; slot++)
        if (net->links[slot] != NULL)
            qn_link_release(net->links[slot]);
    qn_timer_free(net->late_timer);
    qn_listener_free(net->listener);
    net->listener = NULL;
    qn_stream_host_close(net->host, on_host_closed, net);
}

void qn_net_count(const struct qn_net *net, struct qn_net_counters *ret_counters)
{
    *ret_counters = net->counters;
    qn_stream_host_count(net->host, &ret_counters->bytes_in, &ret_counters->bytes_out);
}
