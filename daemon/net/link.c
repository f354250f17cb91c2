#include "base/assert.h"
#include "base/mem.h"
#include "net/net_private.h"

#define GUEST_QUEUE_LOW (QN_GUEST_SLOT_SIZE_MAX / 2)

/* One whom we accepted and whose key nobody vouches for yet: the one kind of link with tight
 * limits. The guest itself, the dialling side, has those of a member. */
static bool is_accepted_guest(const struct qn_link *link)
{
    return link->dial == NULL && link->kind == QN_NET_GUEST;
}

bool qn_link_is_told(const struct qn_link *link)
{
    return link->state == QN_LINK_UP || link->state == QN_LINK_CLOSING ||
           link->state == QN_LINK_ENDED;
}

/* --- ending --- */

void qn_link_end(struct qn_link *link, enum qn_err reason)
{
    struct qn_net *net = link->net;
    qn_link_id id = link->id;
    bool is_told = qn_link_is_told(link);
    qn_link_release(link);
    if (is_told)
        net->callbacks.on_down(net->context, id, reason);
}

void qn_link_end_later(struct qn_link *link, enum qn_err reason)
{
    qn_stream_abort(link->stream);
    link->stream = NULL;
    link->state = QN_LINK_ENDED;
    link->reason = reason;
    qn_timer_set(link->timer, 0);
}

void qn_link_timed_out(void *context)
{
    struct qn_link *link = context;
    switch (link->state) {
    case QN_LINK_RESOLVING:
    case QN_LINK_DIALLING:
    case QN_LINK_WAITING:
        qn_dial_timed_out(link);
        return;
    case QN_LINK_SHAKING:
        link->net->counters.handshakes_failed++;
        qn_link_release(link);
        return;
    case QN_LINK_UP:
        qn_link_end(link, QN_ERR_TIMEOUT);
        return;
    case QN_LINK_CLOSING:
        qn_link_end(link, QN_ERR_CLOSED);
        return;
    case QN_LINK_ENDED:
        qn_link_end(link, link->reason);
        return;
    }
}

void qn_net_on_down(void *context, uint64_t tag, enum qn_err reason, const char *detail)
{
    struct qn_net *net = context;
    struct qn_link *link = qn_net_find(net, tag);
    QN_ASSERT(link != NULL);
    link->stream = NULL; /* it ended by itself */
    switch (link->state) {
    case QN_LINK_DIALLING:
    case QN_LINK_WAITING:
        qn_dial_attempt_failed(link, reason, detail);
        return;
    case QN_LINK_SHAKING:
        net->counters.handshakes_failed++;
        qn_link_release(link);
        return;
    case QN_LINK_UP:
        qn_link_end(link, reason);
        return;
    case QN_LINK_CLOSING:
        qn_link_end(link, QN_ERR_CLOSED);
        return;
    case QN_LINK_RESOLVING:
    case QN_LINK_ENDED:
        QN_ASSERT(false); /* they have no stream */
    }
}

/* --- coming up --- */

static bool is_guest_up(const struct qn_link *link, const void *argument)
{
    return is_accepted_guest(link) && link->state == QN_LINK_UP;
}

struct who {
    enum qn_net_kind kind;
    const struct qn_public_key *key;
};

static bool is_of_that_member(const struct qn_link *link, const void *argument)
{
    const struct who *who = argument;
    return link->dial == NULL && link->kind == who->kind && link->state == QN_LINK_UP &&
           qn_public_key_eq(&link->key, who->key);
}

/* Among the accepted: a member's link that died without a word makes room for its successor of the
 * same kind, and a guest that lingers for the next. How many we dial ourselves is the owner's
 * business. */
static void make_room(struct qn_net *net, enum qn_net_kind kind, const struct qn_public_key *key)
{
    struct qn_link *old = NULL;
    switch (kind) {
    case QN_NET_MEMBER:
    case QN_NET_BULK:
    case QN_NET_WEB:
    case QN_NET_WEB_BACK:
        old = qn_net_oldest_above(net, QN_LINKS_PER_KEY_MAX, is_of_that_member,
                                  &(struct who){kind, key});
        break;
    case QN_NET_GUEST:
        old = qn_net_oldest_above(net, QN_GUEST_SLOTS_MAX, is_guest_up, NULL);
        break;
    }
    if (old == NULL)
        return;
    net->counters.evicted++;
    qn_link_end(old, QN_ERR_LIMIT);
}

static void set_guest_time(struct qn_link *link)
{
    uint64_t now_ms = qn_loop_now_ms(link->net->loop);
    qn_timer_set(link->timer, link->deadline_ms > now_ms ? link->deadline_ms - now_ms : 0);
}

/* Without frames: the owner takes the stream. */
static bool is_of_web(enum qn_net_kind kind)
{
    return kind == QN_NET_WEB || kind == QN_NET_WEB_BACK;
}

static void tell_up(struct qn_link *link)
{
    struct qn_net *net = link->net;
    char address[QN_ADDRESS_TEXT_SIZE];
    struct qn_net_peer peer = {
        .kind = link->kind,
        .is_dialled = link->dial != NULL,
        .key = link->key,
        .address = address,
    };
    qn_stream_exporter(link->stream, peer.exporter);
    qn_stream_print_address(link->stream, address);
    qn_link_id id = link->id;
    net->callbacks.on_up(net->context, id, link->dial ? link->dial->token : 0, &peer);
    qn_wipe(peer.exporter, sizeof(peer.exporter));
    link = qn_net_find(net, id);
    if (link != NULL && is_of_web(peer.kind))
        qn_link_end_later(link, QN_ERR_UNSUPPORTED);
}

static void become_up(struct qn_link *link)
{
    bool is_guest = is_accepted_guest(link);
    link->state = QN_LINK_UP;
    link->net->counters.links_up++;
    qn_frame_reader_init(&link->reader, is_guest ? QN_GUEST_FRAME_SIZE_MAX : QN_FRAME_SIZE_MAX);
    qn_timer_stop(link->timer);
    if (is_guest)
        set_guest_time(link);
    tell_up(link);
}

struct qn_stream *qn_net_take(struct qn_net *net, qn_link_id id)
{
    struct qn_link *link = qn_net_find(net, id);
    QN_ASSERT(link != NULL && link->state == QN_LINK_UP && is_of_web(link->kind));
    struct qn_stream *stream = link->stream;
    link->stream = NULL;
    qn_link_release(link);
    return stream;
}

/* That there is one was seen to in the handshake. */
static enum qn_net_kind kind_of(enum qn_alpn alpn)
{
    switch (alpn) {
    case QN_ALPN_NONE:
    case QN_ALPN_GUEST:
        return QN_NET_GUEST;
    case QN_ALPN_MEMBER:
        return QN_NET_MEMBER;
    case QN_ALPN_BULK:
        return QN_NET_BULK;
    case QN_ALPN_WEB:
        return QN_NET_WEB;
    case QN_ALPN_WEB_BACK:
        return QN_NET_WEB_BACK;
    }
    QN_ASSERT(false);
}

/* The handshake of an accepted one is over. Here and below, what was admitted during it is asked
 * again: the table may have changed in between. */
static void welcome(struct qn_link *link)
{
    static const uint8_t zeros[QN_WELCOME_SIZE];
    struct qn_net *net = link->net;
    qn_link_id id = link->id;
    enum qn_alpn alpn = qn_stream_alpn(link->stream);
    link->key = *qn_stream_peer(link->stream);
    link->kind = kind_of(alpn);
    enum qn_err err = QN_ERR_DENIED;
    if (qn_net_admits(net, link, alpn, &link->key))
        err = qn_stream_send(link->stream, QN_SPAN_OF(zeros), qn_span(NULL, 0));
    if (err != QN_OK) {
        net->counters.handshakes_failed++;
        qn_link_release(link);
        return;
    }
    make_room(net, link->kind, &link->key);
    if ((link = qn_net_find(net, id)) != NULL)
        become_up(link);
}

void qn_net_on_up(void *context, uint64_t tag)
{
    struct qn_net *net = context;
    struct qn_link *link = qn_net_find(net, tag);
    QN_ASSERT(link != NULL);
    if (link->dial == NULL)
        welcome(link);
    else
        link->state = QN_LINK_WAITING;
}

static void await_welcome(struct qn_link *link)
{
    static const uint8_t zeros[QN_WELCOME_SIZE];
    link->welcome_size += qn_stream_read(link->stream, link->welcome + link->welcome_size,
                                         QN_WELCOME_SIZE - link->welcome_size);
    if (link->welcome_size < QN_WELCOME_SIZE)
        return;
    if (memcmp(link->welcome, zeros, QN_WELCOME_SIZE) != 0) {
        qn_dial_attempt_failed(link, QN_ERR_INVALID, "what answers is not Quoin");
        return;
    }
    link->key = *qn_stream_peer(link->stream);
    if (qn_net_admits(link->net, link, qn_stream_alpn(link->stream), &link->key))
        become_up(link);
    else
        qn_dial_attempt_failed(link, QN_ERR_DENIED, "the other side's key is admitted no more");
}

/* --- frames in --- */

/* The frame lives in the reader's memory, and the owner may close the link: so the reader leaves
 * the link for as long as the owner looks at the frame. */
static void deliver(struct qn_link *link, struct qn_span frame)
{
    struct qn_net *net = link->net;
    qn_link_id id = link->id;
    struct qn_frame_reader lent = link->reader;
    qn_frame_reader_init(&link->reader, lent.size_max);
    net->callbacks.on_frame(net->context, id, frame);
    link = qn_net_find(net, id);
    if (link != NULL)
        link->reader = lent;
    else
        qn_frame_reader_deinit(&lent);
}

/* Reads once; false if there was nothing. */
static bool pull(struct qn_link *link)
{
    size_t size;
    struct qn_span frame;
    uint8_t *room = qn_frame_reader_room(&link->reader, &size);
    size = qn_stream_read(link->stream, room, size);
    if (size == 0)
        return false;
    enum qn_err err = qn_frame_reader_filled(&link->reader, size, &frame);
    if (err != QN_OK)
        qn_link_end(link, err);
    else if (frame.size > 0)
        deliver(link, frame);
    return true;
}

void qn_net_on_readable(void *context, uint64_t tag)
{
    struct qn_net *net = context;
    struct qn_link *link = qn_net_find(net, tag);
    if (link != NULL && link->state == QN_LINK_WAITING)
        await_welcome(link);
    do
        link = qn_net_find(net, tag);
    while (link != NULL && link->state == QN_LINK_UP && !link->is_paused && pull(link));
}

void qn_net_pause(struct qn_net *net, qn_link_id id, bool is_paused)
{
    struct qn_link *link = qn_net_find(net, id);
    if (link == NULL || link->state != QN_LINK_UP)
        return;
    link->is_paused = is_paused;
    qn_stream_pause(link->stream, is_paused);
}

/* --- frames out --- */

static size_t queue_max(const struct qn_link *link)
{
    return is_accepted_guest(link) ? QN_GUEST_SLOT_SIZE_MAX : QN_NET_QUEUE_MAX;
}

static size_t queue_low(const struct qn_link *link)
{
    return is_accepted_guest(link) ? GUEST_QUEUE_LOW : QN_NET_QUEUE_LOW;
}

static size_t frame_max(const struct qn_link *link)
{
    bool is_our_guesting = link->dial != NULL && link->kind == QN_NET_GUEST;
    return is_our_guesting ? QN_GUEST_FRAME_SIZE_MAX : QN_FRAME_SIZE_MAX;
}

enum qn_err qn_net_send(struct qn_net *net, qn_link_id id, struct qn_span frame)
{
    struct qn_link *link = qn_net_find(net, id);
    uint8_t head[QN_FRAME_HEAD_SIZE];
    if (link == NULL || link->state != QN_LINK_UP)
        return QN_ERR_CLOSED;
    if (frame.size == 0)
        return QN_ERR_INVALID;
    size_t queued = qn_stream_queued(link->stream) + sizeof(head);
    if (frame.size > frame_max(link) || queued + frame.size > queue_max(link))
        return QN_ERR_LIMIT;
    qn_frame_write_head(head, frame.size);
    QN_TRY(qn_stream_send(link->stream, QN_SPAN_OF(head), frame));
    if (queued + frame.size >= queue_low(link))
        link->was_above_low = true;
    return QN_OK;
}

size_t qn_net_queued(const struct qn_net *net, qn_link_id id)
{
    const struct qn_link *link = qn_net_find(net, id);
    return link != NULL && link->stream != NULL ? qn_stream_queued(link->stream) : 0;
}

void qn_net_on_written(void *context, uint64_t tag)
{
    struct qn_net *net = context;
    struct qn_link *link = qn_net_find(net, tag);
    if (link == NULL || !link->was_above_low || qn_stream_queued(link->stream) >= queue_low(link))
        return;
    link->was_above_low = false;
    net->callbacks.on_drain(net->context, tag);
}

void qn_net_close_link(struct qn_net *net, qn_link_id id)
{
    struct qn_link *link = qn_net_find(net, id);
    if (link == NULL || link->state != QN_LINK_UP)
        return;
    link->state = QN_LINK_CLOSING;
    qn_stream_close(link->stream);
    qn_timer_set(link->timer, net->times.close_ms);
}
