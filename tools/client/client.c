#include "client/client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "proto/cursor.h"
#include "proto/pack.h"

#define ANSWER_DEPTH_MAX (QN_VALUE_DEPTH_MAX + 16)
#define READ_SIZE        (256 * 1024)

struct qn_client {
    int socket;
    uint64_t last_id;
    struct qn_buf in, out;
    size_t answered; /* bytes of `in` up to the end of the last answer, which borrows some */
};

static enum qn_err connect_err(int reason)
{
    if (reason == EACCES || reason == EPERM)
        return QN_ERR_DENIED;
    if (reason == ENOENT || reason == ECONNREFUSED || reason == ENOTDIR)
        return QN_ERR_NOTFOUND;
    return reason == EAGAIN ? QN_ERR_TIMEOUT : QN_ERR_IO;
}

/* The same bound holds for connect(), which waits while the queue of a stopped daemon is full. */
static bool limit_sends(int fd, int timeout_ms)
{
    struct timeval limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    if (timeout_ms == 0)
        limit.tv_usec = 1; /* zero would be for ever */
    return timeout_ms < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0;
}

static enum qn_err connect_to(const char *path, int timeout_ms, int *ret_socket)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return QN_ERR_LIMIT;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return QN_ERR_IO;
    if (limit_sends(fd, timeout_ms) &&
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
        *ret_socket = fd;
        return QN_OK;
    }
    enum qn_err err = connect_err(errno);
    close(fd);
    return err;
}

enum qn_err qn_client_open(const char *socket_path, int timeout_ms, struct qn_client **ret_client)
{
    int fd;
    QN_TRY(connect_to(socket_path, timeout_ms, &fd));
    struct qn_client *client = QN_NEW(struct qn_client);
    client->socket = fd;
    qn_buf_init(&client->in, QN_CONTROL_FRAME_SIZE_MAX + 4 + READ_SIZE);
    qn_buf_init(&client->out, QN_CONTROL_FRAME_SIZE_MAX + 4);
    *ret_client = client;
    return QN_OK;
}

void qn_client_free(struct qn_client *client)
{
    if (client == NULL)
        return;
    close(client->socket);
    qn_buf_deinit(&client->in);
    qn_buf_deinit(&client->out);
    qn_free(client);
}

static enum qn_err send_err(int reason)
{
    if (reason == EPIPE || reason == ECONNRESET)
        return QN_ERR_CLOSED;
    return reason == EAGAIN ? QN_ERR_TIMEOUT : QN_ERR_IO;
}

static enum qn_err send_all(int fd, struct qn_span bytes)
{
    while (bytes.size > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return send_err(errno);
        bytes = qn_span_from(bytes, (size_t)sent);
    }
    return QN_OK;
}

enum qn_err qn_client_send(struct qn_client *client, const char *cmd, struct qn_span args,
                           uint64_t *ret_id)
{
    struct qn_buf *out = &client->out;
    qn_buf_reset(out);
    qn_buf_append_u32(out, 0);
    qn_pack_map(out, 3);
    qn_pack_cstr(out, "args");
    qn_pack_raw(out, args);
    qn_pack_cstr(out, "cmd");
    qn_pack_cstr(out, cmd);
    qn_pack_cstr(out, "id");
    qn_pack_u64(out, client->last_id + 1);
    QN_TRY(qn_buf_status(out));
    qn_write_u32(out->data, (uint32_t)(out->size - 4));
    QN_TRY(send_all(client->socket, qn_buf_view(out)));
    *ret_id = ++client->last_id;
    return QN_OK;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t qn_client_clock_ms(void)
{
    return (uint64_t)now_ms();
}

static enum qn_err wait_readable(int fd, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms < 0 ? -1 : deadline_ms - now_ms();
        if (deadline_ms >= 0 && left < 0)
            return QN_ERR_TIMEOUT;
        struct pollfd item = {.fd = fd, .events = POLLIN};
        int count = poll(&item, 1, (int)left);
        if (count > 0)
            return QN_OK;
        if (count == 0)
            return QN_ERR_TIMEOUT;
        if (errno != EINTR)
            return QN_ERR_IO;
    }
}

/* Answers that were given are moved away here, not one by one: a read brings many small ones. */
static enum qn_err read_some(struct qn_client *client, int64_t deadline_ms)
{
    struct qn_buf *in = &client->in;
    qn_buf_consume(in, client->answered);
    client->answered = 0;
    uint8_t *room = qn_buf_reserve(in, READ_SIZE);
    if (room == NULL)
        return QN_ERR_LIMIT;
    ssize_t size = recv(client->socket, room, READ_SIZE, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return wait_readable(client->socket, deadline_ms);
    if (size <= 0)
        return QN_ERR_CLOSED;
    in->size += (size_t)size;
    return QN_OK;
}

/* Whether a whole frame is there; *ret_frame borrows it. */
static enum qn_err cut_frame(struct qn_client *client, bool *ret_is_whole,
                             struct qn_span *ret_frame)
{
    struct qn_span in = qn_span_from(qn_buf_view(&client->in), client->answered);
    *ret_is_whole = false;
    if (in.size < 4)
        return QN_OK;
    uint32_t size = qn_read_u32(in.data);
    if (size == 0 || size > QN_CONTROL_FRAME_SIZE_MAX)
        return QN_ERR_INVALID;
    *ret_is_whole = in.size >= 4 + (size_t)size;
    *ret_frame = qn_span(in.data + 4, size);
    return QN_OK;
}

static enum qn_err parse_kind(struct qn_span type, enum qn_client_kind *ret_kind)
{
    if (qn_span_eq_str(type, "data"))
        *ret_kind = QN_CLIENT_DATA;
    else if (qn_span_eq_str(type, "end"))
        *ret_kind = QN_CLIENT_END;
    else if (qn_span_eq_str(type, "error"))
        *ret_kind = QN_CLIENT_ERROR;
    else
        return QN_ERR_INVALID;
    return QN_OK;
}

static enum qn_err parse_member(struct qn_cursor *cursor, struct qn_client_answer *answer)
{
    struct qn_span key, type;
    QN_TRY(qn_cursor_str(cursor, QN_NAME_SIZE_MAX, &key));
    if (qn_span_eq_str(key, "id"))
        return qn_cursor_u64(cursor, &answer->id);
    if (qn_span_eq_str(key, "code"))
        return qn_cursor_str(cursor, QN_CONTROL_FRAME_SIZE_MAX, &answer->code);
    if (qn_span_eq_str(key, "object"))
        return qn_cursor_str(cursor, QN_CONTROL_FRAME_SIZE_MAX, &answer->object);
    if (!qn_span_eq_str(key, "type"))
        return qn_cursor_skip(cursor, ANSWER_DEPTH_MAX, &answer->data);
    QN_TRY(qn_cursor_str(cursor, QN_NAME_SIZE_MAX, &type));
    return parse_kind(type, &answer->kind);
}

static enum qn_err parse_answer(struct qn_span frame, struct qn_client_answer *ret_answer)
{
    struct qn_client_answer answer = {0};
    struct qn_cursor cursor = qn_cursor(frame);
    size_t count;
    QN_TRY(qn_cursor_map(&cursor, 16, &count));
    for (size_t i = 0; i < count; i++)
        QN_TRY(parse_member(&cursor, &answer));
    QN_TRY(qn_cursor_finish(&cursor));
    *ret_answer = answer;
    return QN_OK;
}

enum qn_err qn_client_receive(struct qn_client *client, int timeout_ms,
                              struct qn_client_answer *ret_answer)
{
    int64_t deadline_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
    for (;;) {
        bool is_whole;
        struct qn_span frame;
        QN_TRY(cut_frame(client, &is_whole, &frame));
        if (is_whole) {
            client->answered += 4 + frame.size;
            return parse_answer(frame, ret_answer);
        }
        QN_TRY(read_some(client, deadline_ms));
    }
}
