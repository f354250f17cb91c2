/* What net reports, as events; connections of the web go to whoever serves them. */
#include "app/driver_private.h"
#include "base/assert.h"

static struct qn_driver *driver_of(void *context)
{
    return *(struct qn_driver **)context;
}

static enum qn_link_kind link_kind_of(enum qn_net_kind kind)
{
    switch (kind) {
    case QN_NET_MEMBER:
        return QN_LINK_MEMBER;
    case QN_NET_GUEST:
        return QN_LINK_GUEST;
    case QN_NET_BULK:
        return QN_LINK_BULK;
    case QN_NET_WEB: /* not the core's */
    case QN_NET_WEB_BACK:
        break;
    }
    QN_ASSERT(false);
}

static void on_web_up(struct qn_driver *driver, qn_link_id link, uint64_t dial_token,
                      const struct qn_net_peer *peer)
{
    const struct qn_driver_web *web = &driver->web;
    if (web->on_up == NULL || !driver->is_started || driver->is_stopping)
        return; /* net closes what is not taken */
    web->on_up(web->context, qn_net_take(driver->options.net, link), dial_token, peer);
}

static void on_up(void *context, qn_link_id link, uint64_t dial_token,
                  const struct qn_net_peer *peer)
{
    if (peer->kind == QN_NET_WEB || peer->kind == QN_NET_WEB_BACK) {
        on_web_up(driver_of(context), link, dial_token, peer);
        return;
    }
    struct qn_event event = {.kind = QN_EVENT_LINK_UP,
                             .link = link,
                             .token = dial_token,
                             .link_kind = link_kind_of(peer->kind),
                             .is_dialled = peer->is_dialled,
                             .key = peer->key};
    memcpy(event.exporter, peer->exporter, sizeof(event.exporter));
    const char *address;
    bool is_back =
        peer->is_dialled && qn_dials_reached(&driver_of(context)->dials, dial_token, &address);
    qn_log(driver_of(context)->options.log, is_back ? QN_LOG_INFO : QN_LOG_DEBUG,
           "link with %s is up", is_back ? address : peer->address);
    driver_happen(driver_of(context), &event);
}

static void on_frame(void *context, qn_link_id link, struct qn_span frame)
{
    struct qn_event event = {.kind = QN_EVENT_FRAME, .link = link, .frame = frame};
    driver_happen(driver_of(context), &event);
}

static void on_down(void *context, qn_link_id link, enum qn_err reason)
{
    struct qn_event event = {.kind = QN_EVENT_LINK_DOWN, .link = link, .err = reason};
    qn_log(driver_of(context)->options.log, QN_LOG_DEBUG, "a link ended (%s)", qn_err_name(reason));
    driver_happen(driver_of(context), &event);
}

static void on_dial_failed(void *context, uint64_t dial_token, enum qn_err reason,
                           const char *detail)
{
    struct qn_event event = {.kind = QN_EVENT_DIAL_FAILED, .token = dial_token, .err = reason};
    const struct qn_driver_web *web = &driver_of(context)->web;
    const char *address;
    if ((dial_token & QN_DRIVER_WEB) != 0) {
        if (web->on_dial_failed != NULL)
            web->on_dial_failed(web->context, dial_token, detail);
        return;
    }
    bool is_news = qn_dials_failed(&driver_of(context)->dials, dial_token, detail, &address);
    qn_log(driver_of(context)->options.log, is_news ? QN_LOG_INFO : QN_LOG_DEBUG,
           "%s cannot be reached: %s (%s); it is tried again until it is", address, detail,
           qn_err_name(reason));
    driver_happen(driver_of(context), &event);
}

static void on_drain(void *context, qn_link_id link)
{
    /* Windows and acknowledgements pace the core; nothing waits for this. */
}

struct qn_net_callbacks qn_driver_net_callbacks(void)
{
    return (struct qn_net_callbacks){.on_up = on_up,
                                     .on_frame = on_frame,
                                     .on_down = on_down,
                                     .on_dial_failed = on_dial_failed,
                                     .on_drain = on_drain};
}
