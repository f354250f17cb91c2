#include "stream/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/mem.h"
#include "stream/stream_private.h"

/* A dead line is noticed within 32 s, whether or not anything is being sent. */
#define KEEPALIVE_IDLE_S     27 /* fewer probes than beacons: a line may be paid by the byte */
#define KEEPALIVE_INTERVAL_S 5
#define KEEPALIVE_PROBES     3
#define UNACKED_TIME_MAX_MS  30000

#define DSCP_LOWER_EFFORT    1 /* RFC 8622 */

/* The last words of a stream: an alert, or a goodbye. */
#define LAST_SIZE_MAX 1024

static void on_stream_closed(uv_handle_t *handle)
{
    struct qn_stream *stream = handle->data;
    struct qn_stream_host *host = stream->host;
    qn_session_free(stream->session);
    qn_buf_deinit(&stream->filling);
    qn_buf_deinit(&stream->leaving);
    qn_free(stream);
    qn_stream_host_release(host);
}

void qn_stream_abort(struct qn_stream *stream)
{
    if (stream == NULL || stream->state == QN_STREAM_CLOSED)
        return;
    stream->state = QN_STREAM_CLOSED;
    qn_node_remove(&stream->node);
    uv_close((uv_handle_t *)&stream->tcp, on_stream_closed);
}

static void send_last(struct qn_stream *stream)
{
    char bytes[LAST_SIZE_MAX];
    size_t size = qn_session_take(stream->session, (uint8_t *)bytes, sizeof(bytes));
    uv_buf_t buf = uv_buf_init(bytes, (unsigned)size);
    if (size > 0)
        (void)uv_try_write((uv_stream_t *)&stream->tcp, &buf, 1); /* it is good will only */
}

void qn_stream_end(struct qn_stream *stream, enum qn_err reason, const char *detail)
{
    struct qn_stream_host *host = stream->host;
    if (stream->state == QN_STREAM_UP)
        qn_session_close(stream->session);
    if (stream->state == QN_STREAM_SHAKING || stream->state == QN_STREAM_UP)
        send_last(stream);
    qn_stream_abort(stream);
    host->callbacks.on_down(host->context, stream->tag, reason, detail);
}

void qn_stream_end_by_system(struct qn_stream *stream, int status)
{
    qn_stream_end(stream, qn_stream_err(status), uv_strerror(status));
}

/* --- reading --- */

static void read_on(struct qn_stream *stream)
{
    struct qn_stream_host *host = stream->host;
    stream->wants_reading = false;
    host->callbacks.on_readable(host->context, stream->tag);
    if (stream->state == QN_STREAM_UP && stream->failure != QN_OK)
        qn_stream_end(stream, stream->failure, qn_session_detail(stream->session));
}

size_t qn_stream_read(struct qn_stream *stream, uint8_t *out, size_t size)
{
    size_t got = 0;
    if (stream->state != QN_STREAM_UP || stream->failure != QN_OK)
        return 0;
    enum qn_err err = qn_session_read(stream->session, out, size, &got);
    if (err != QN_OK && err != QN_ERR_HELD)
        stream->failure = err;
    return err == QN_OK ? got : 0;
}

/* Bulk marks its packets for the network to give way with (RFC 8622), and leaves little in the
 * kernel, so that what waits is seen by who paces it. Without these it is only less polite. */
static void tune_bulk(struct qn_stream *stream)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_IP, IP_TOS, DSCP_LOWER_EFFORT << 2},
        {IPPROTO_IPV6, IPV6_TCLASS, DSCP_LOWER_EFFORT << 2},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, QN_BULK_UNSENT_MAX},
    };
    int fd = -1;
    if (uv_fileno((uv_handle_t *)&stream->tcp, &fd) != 0)
        return;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static void shake(struct qn_stream *stream)
{
    struct qn_stream_host *host = stream->host;
    enum qn_err err = qn_session_handshake(stream->session);
    if (err != QN_OK && err != QN_ERR_HELD) {
        qn_stream_end(stream, err, qn_session_detail(stream->session));
        return;
    }
    if (err == QN_OK) {
        stream->state = QN_STREAM_UP;
        if (qn_session_alpn(stream->session) == QN_ALPN_BULK)
            tune_bulk(stream);
    }
    qn_stream_flush(stream);
    if (stream->state == QN_STREAM_UP)
        host->callbacks.on_up(host->context, stream->tag);
}

static void flush_and_tell(struct qn_stream *stream)
{
    struct qn_stream_host *host = stream->host;
    qn_stream_flush(stream);
    if (stream->state == QN_STREAM_UP && stream->at_once > 0)
        host->callbacks.on_written(host->context, stream->tag);
}

static void bytes_came(struct qn_stream *stream, struct qn_span bytes)
{
    stream->host->bytes_in += bytes.size;
    if (stream->state == QN_STREAM_DRAINING || stream->state == QN_STREAM_SHUT)
        return; /* read only so that the kernel need not reset the connection */
    qn_session_feed(stream->session, bytes);
    if (stream->state == QN_STREAM_SHAKING)
        shake(stream);
    if (stream->state == QN_STREAM_UP && !stream->is_paused)
        read_on(stream);
    if (stream->state == QN_STREAM_UP)
        flush_and_tell(stream); /* the session may have an answer of its own */
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct qn_stream *stream = handle->data;
    *buf = uv_buf_init((char *)stream->host->read_buffer, sizeof(stream->host->read_buffer));
}

/* What came before a pause is read before the end is told; a new pause leaves the end in the
 * kernel, which repeats it. */
static void end_came(struct qn_stream *stream, int status)
{
    if (stream->wants_reading && stream->state == QN_STREAM_UP)
        read_on(stream);
    if (stream->state != QN_STREAM_CLOSED && !stream->is_paused)
        qn_stream_end_by_system(stream, status);
}

static void on_read(uv_stream_t *tcp, ssize_t size, const uv_buf_t *buf)
{
    struct qn_stream *stream = tcp->data;
    if (size > 0)
        bytes_came(stream, qn_span(buf->base, (size_t)size));
    else if (size < 0)
        end_came(stream, (int)size);
}

void qn_stream_pause(struct qn_stream *stream, bool is_paused)
{
    if (stream->state != QN_STREAM_UP || stream->is_paused == is_paused)
        return;
    stream->is_paused = is_paused;
    if (is_paused) {
        uv_read_stop((uv_stream_t *)&stream->tcp);
        return;
    }
    QN_ASSERT(uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read) == 0);
    stream->wants_reading = true; /* the session may hold what came before the pause */
    qn_stream_tend_later(stream);
}

void qn_stream_tend(struct qn_stream *stream)
{
    if (stream->wants_reading && stream->state == QN_STREAM_UP && !stream->is_paused)
        read_on(stream);
    if (stream->state != QN_STREAM_CLOSED)
        flush_and_tell(stream);
}

/* --- beginning --- */

static void set_unacked_time(const struct qn_stream *stream)
{
    unsigned wanted_ms = stream->host->unacked_time_max_ms;
    int fd = -1, time_ms = wanted_ms > 0 ? (int)wanted_ms : UNACKED_TIME_MAX_MS;
    if (uv_fileno((const uv_handle_t *)&stream->tcp, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &time_ms, sizeof(time_ms));
}

static void tune(struct qn_stream *stream)
{
    const struct {
        int name, value;
    } options[] = {
        {TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S},
        {TCP_KEEPCNT, KEEPALIVE_PROBES},
    };
    int fd = -1;
    uv_tcp_nodelay(&stream->tcp, 1);
    uv_tcp_keepalive(&stream->tcp, 1, KEEPALIVE_IDLE_S);
    if (uv_fileno((uv_handle_t *)&stream->tcp, &fd) != 0)
        return;
    /* Without them a dead line is noticed later, by the sessions above; nothing else changes. */
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, IPPROTO_TCP, options[i].name, &options[i].value, sizeof(int));
    set_unacked_time(stream);
}

/* The TCP connection stands: begin TLS. */
static int begin(struct qn_stream *stream)
{
    tune(stream);
    stream->state = QN_STREAM_SHAKING;
    return uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
}

static void on_connect(uv_connect_t *connecting, int status)
{
    struct qn_stream *stream = connecting->data;
    if (stream->state == QN_STREAM_CLOSED)
        return;
    if (status == 0)
        status = begin(stream);
    if (status != 0)
        qn_stream_end_by_system(stream, status);
    else
        shake(stream);
}

static bool admit(void *context, enum qn_alpn alpn, const struct qn_public_key *key)
{
    struct qn_stream *stream = context;
    struct qn_stream_host *host = stream->host;
    return host->callbacks.admit(host->context, stream->tag, alpn, key);
}

static struct qn_stream *stream_new(struct qn_stream_host *host, struct qn_session_options options,
                                    uint64_t tag)
{
    struct qn_stream *stream = QN_NEW(struct qn_stream);
    options.admit = admit;
    options.context = stream;
    stream->session = qn_session_new(host->tls, &options);
    stream->host = host;
    stream->tag = tag;
    qn_node_init(&stream->node);
    qn_buf_init(&stream->filling, QN_NET_QUEUE_MAX);
    qn_buf_init(&stream->leaving, QN_NET_QUEUE_MAX);
    QN_ASSERT(uv_tcp_init(qn_loop_uv(host->loop), &stream->tcp) == 0);
    stream->tcp.data = stream->connecting.data = stream->shutting.data = stream;
    host->handle_count++;
    return stream;
}

void qn_stream_move(struct qn_stream *stream, struct qn_stream_host *host, uint64_t tag)
{
    QN_ASSERT(stream->state == QN_STREAM_UP && stream->host->loop == host->loop);
    qn_node_remove(&stream->node);
    host->handle_count++;
    qn_stream_host_release(stream->host);
    stream->host = host;
    stream->tag = tag;
    stream->wants_reading = true;
    set_unacked_time(stream);
    qn_stream_tend_later(stream);
}

enum qn_err qn_stream_dial(struct qn_stream_host *host, const union qn_address *address,
                           enum qn_alpn alpn, uint64_t tag, struct qn_stream **ret_stream)
{
    struct qn_session_options options = {.is_dialled = true, .alpn = alpn};
    struct qn_stream *stream = stream_new(host, options, tag);
    int status = uv_tcp_connect(&stream->connecting, &stream->tcp, &address->any, on_connect);
    if (status != 0) {
        qn_stream_abort(stream);
        return qn_stream_host_note(host, status);
    }
    *ret_stream = stream;
    return QN_OK;
}

enum qn_err qn_stream_accept(struct qn_listener *listener, bool allows_guests, uint64_t tag,
                             struct qn_stream **ret_stream)
{
    struct qn_session_options options = {.allows_guests = allows_guests};
    struct qn_stream *stream = stream_new(listener->host, options, tag);
    int status = uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)&stream->tcp);
    if (status == 0)
        status = begin(stream);
    if (status != 0) {
        qn_stream_abort(stream);
        return qn_stream_host_note(listener->host, status);
    }
    *ret_stream = stream;
    return QN_OK;
}

void qn_stream_want_certificate(struct qn_stream *stream)
{
    qn_session_want_certificate(stream->session);
}

/* --- what the owner asks --- */

enum qn_alpn qn_stream_alpn(const struct qn_stream *stream)
{
    return qn_session_alpn(stream->session);
}

const struct qn_public_key *qn_stream_peer(const struct qn_stream *stream)
{
    return qn_session_peer(stream->session);
}

bool qn_stream_certificate(const struct qn_stream *stream, uint8_t ret_fingerprint[32])
{
    return qn_session_certificate(stream->session, ret_fingerprint);
}

void qn_stream_exporter(const struct qn_stream *stream, uint8_t out[QN_EXPORTER_SIZE])
{
    qn_session_exporter(stream->session, out);
}

void qn_stream_address(const struct qn_stream *stream, union qn_address *ret_address)
{
    union qn_address address = {0};
    int size = sizeof(address);
    if (uv_tcp_getpeername(&stream->tcp, &address.any, &size) != 0)
        address = (union qn_address){0};
    *ret_address = address;
}

void qn_stream_print_address(const struct qn_stream *stream, char out[QN_ADDRESS_TEXT_SIZE])
{
    union qn_address address;
    qn_stream_address(stream, &address);
    qn_address_print(&address, out); /* gone already: 0.0.0.0:0 */
}
