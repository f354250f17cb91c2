/* The way out: filling --swap--> leaving --encrypt--> ciphertext --uv_try_write--> the kernel, and
 * --uv_write--> flight of what it does not take at once. */
#include "base/assert.h"
#include "base/mem.h"
#include "stream/stream_private.h"

#define KEPT_SIZE_MAX QN_STREAM_WRITE_SIZE /* memory that an idle stream keeps in a buffer */

struct write {
    uv_write_t uv;
    struct qn_stream *stream;
    size_t size; /* of what libuv has to write */
    uint8_t bytes[];
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t qn_stream_queued(const struct qn_stream *stream)
{
    return stream->filling.size + stream->leaving.size - stream->left + stream->flight;
}

enum qn_err qn_stream_send(struct qn_stream *stream, struct qn_span head, struct qn_span body)
{
    if (stream->state != QN_STREAM_UP)
        return QN_ERR_STATE;
    size_t queued = qn_stream_queued(stream);
    if (queued > QN_NET_QUEUE_MAX || head.size + body.size > QN_NET_QUEUE_MAX - queued)
        return QN_ERR_LIMIT;
    qn_buf_append_span(&stream->filling, head);
    qn_buf_append_span(&stream->filling, body);
    qn_stream_tend_later(stream);
    return qn_buf_status(&stream->filling);
}

static void give_back(struct qn_buf *buf)
{
    size_t size_max = buf->size_max;
    qn_buf_deinit(buf);
    qn_buf_init(buf, size_max);
}

static void empty(struct qn_buf *buf)
{
    qn_buf_reset(buf);
    if (buf->capacity > KEPT_SIZE_MAX)
        give_back(buf);
}

void qn_stream_rest(struct qn_stream *stream)
{
    if (stream->state != QN_STREAM_UP)
        return;
    if (stream->filling.size == 0)
        give_back(&stream->filling);
    if (stream->left == stream->leaving.size) {
        give_back(&stream->leaving);
        stream->left = 0;
    }
    qn_session_rest(stream->session);
}

/* The next plaintext to go; empty when there is none. */
static struct qn_span next_plaintext(struct qn_stream *stream)
{
    if (stream->left == stream->leaving.size) {
        struct qn_buf filled = stream->filling;
        empty(&stream->leaving);
        stream->filling = stream->leaving;
        stream->leaving = filled;
        stream->left = 0;
    }
    size_t size = least(stream->leaving.size - stream->left, QN_STREAM_WRITE_SIZE);
    if (size == 0)
        return qn_span(NULL, 0);
    return qn_span(stream->leaving.data + stream->left, size);
}

static void on_write(uv_write_t *uv, int status)
{
    struct write *write = uv->data;
    struct qn_stream *stream = write->stream;
    struct qn_stream_host *host = stream->host;
    size_t size = write->size;
    qn_free(write);
    stream->flight -= size;
    if (stream->state == QN_STREAM_CLOSED)
        return;
    if (status != 0) {
        qn_stream_end_by_system(stream, status);
        return;
    }
    host->bytes_out += size;
    qn_stream_flush(stream);
    if (stream->state == QN_STREAM_UP)
        host->callbacks.on_written(host->context, stream->tag);
}

/* What the kernel takes now: most answers are out by this alone, without a turn of the loop. */
static size_t write_at_once(struct qn_stream *stream, struct write *write)
{
    uv_buf_t buf = uv_buf_init((char *)write->bytes, (unsigned)write->size);
    int done = stream->flight > 0 ? 0 : uv_try_write((uv_stream_t *)&stream->tcp, &buf, 1);
    if (done <= 0)
        return 0; /* nothing, or an error that uv_write meets again */
    stream->at_once += (size_t)done;
    stream->host->bytes_out += (size_t)done;
    return (size_t)done;
}

/* 0, or what libuv says. */
static int write_rest(struct qn_stream *stream, struct write *write, size_t done)
{
    uv_buf_t buf = uv_buf_init((char *)write->bytes + done, (unsigned)(write->size - done));
    write->size -= done;
    int status =
        write->size == 0 ? 0 : uv_write(&write->uv, (uv_stream_t *)&stream->tcp, &buf, 1, on_write);
    if (status == 0)
        stream->flight += write->size;
    if (status != 0 || write->size == 0)
        qn_free(write);
    return status;
}

/* Hands the session's ciphertext on; false if the stream has ended by it. */
static bool write_out(struct qn_stream *stream)
{
    size_t size = qn_session_pending(stream->session);
    if (size == 0)
        return true;
    struct write *write = qn_alloc(sizeof(*write) + size);
    write->stream = stream;
    write->size = qn_session_take(stream->session, write->bytes, size);
    write->uv.data = write;
    int status = write_rest(stream, write, write_at_once(stream, write));
    if (status != 0)
        qn_stream_end_by_system(stream, status);
    return status == 0;
}

static bool encrypt(struct qn_stream *stream, struct qn_span plaintext)
{
    enum qn_err err = qn_session_write(stream->session, plaintext);
    if (err != QN_OK) {
        qn_stream_end(stream, err, qn_session_detail(stream->session));
        return false;
    }
    stream->left += plaintext.size;
    return true;
}

static void on_shutdown(uv_shutdown_t *shutting, int status)
{
    struct qn_stream *stream = shutting->data;
    if (stream->state != QN_STREAM_CLOSED && status != 0)
        qn_stream_end_by_system(stream, status);
}

/* All is encrypted: say goodbye behind it and wait for the peer to do the same. */
static void shut(struct qn_stream *stream)
{
    stream->state = QN_STREAM_SHUT;
    qn_session_close(stream->session);
    if (!write_out(stream))
        return;
    int status = uv_shutdown(&stream->shutting, (uv_stream_t *)&stream->tcp, on_shutdown);
    if (status != 0)
        qn_stream_end_by_system(stream, status);
}

void qn_stream_flush(struct qn_stream *stream)
{
    /* A peer that asks for answers (key updates) and does not read them ends here. */
    if (qn_session_pending(stream->session) > QN_STREAM_FLIGHT_MAX) {
        qn_stream_end(stream, QN_ERR_LIMIT, "the other side does not read");
        return;
    }
    stream->at_once = 0;
    while (stream->flight + stream->at_once < QN_STREAM_FLIGHT_MAX) {
        struct qn_span plaintext = next_plaintext(stream);
        if (plaintext.size > 0 && !encrypt(stream, plaintext))
            return;
        if (!write_out(stream))
            return;
        if (plaintext.size == 0)
            break;
    }
    bool is_empty = stream->filling.size == 0 && stream->left == stream->leaving.size;
    if (!is_empty && stream->flight == 0)
        qn_stream_tend_later(stream); /* others have a turn in between */
    if (stream->state == QN_STREAM_DRAINING && is_empty)
        shut(stream);
}

void qn_stream_close(struct qn_stream *stream)
{
    if (stream->state != QN_STREAM_UP)
        return;
    qn_stream_pause(stream, false); /* so that the peer's end is seen */
    stream->state = QN_STREAM_DRAINING;
    qn_stream_tend_later(stream);
}
