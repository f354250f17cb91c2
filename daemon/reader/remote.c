#include "reader/remote.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "reader/wire.h"

struct remote {
    struct qn_source source;
    int socket;
    struct qn_buf request;
    uint8_t *answer; /* QN_READER_ANSWER_SIZE_MAX */
    size_t answer_size;
};

static struct remote *remote_of(struct qn_source *source)
{
    return (struct remote *)(void *)source;
}

static int broken(struct remote *remote, int error)
{
    remote->source.is_broken = true;
    return error;
}

static int receive(struct remote *remote, int *ret_passed)
{
    int error = qn_reader_receive(remote->socket, remote->answer, QN_READER_ANSWER_SIZE_MAX,
                                  &remote->answer_size, ret_passed);
    return error == 0 ? 0 : broken(remote, error);
}

static int send_request(struct remote *remote, enum qn_reader_op op, size_t number,
                        const char *name)
{
    struct qn_reader_request request = {
        .op = op, .number = (uint32_t)number, .name = qn_span_str(name)};
    qn_buf_reset(&remote->request);
    qn_reader_request_pack(&request, &remote->request);
    if (qn_buf_status(&remote->request) != QN_OK)
        return ENAMETOOLONG;
    int error = qn_reader_send(remote->socket, qn_buf_view(&remote->request), -1);
    return error == 0 ? 0 : broken(remote, error);
}

static struct qn_span answer_of(const struct remote *remote)
{
    return qn_span(remote->answer, remote->answer_size);
}

/* A request whose answer is a batch, in one or more messages. */
static int ask_batch(struct remote *remote, enum qn_reader_op op, size_t number, const char *name,
                     struct qn_batch *out)
{
    qn_batch_reset(out);
    int error = send_request(remote, op, number, name);
    for (bool is_whole = false; error == 0 && !is_whole;) {
        error = receive(remote, NULL);
        if (error == 0 && qn_reader_batch_read(answer_of(remote), out, &error, &is_whole) != QN_OK)
            return broken(remote, EBADMSG);
    }
    return error;
}

/* At depth 0 the name is known to the other side. */
static const char *name_at(size_t depth, const char *name)
{
    return depth == 0 ? "" : name;
}

static int remote_top(struct qn_source *source, const char *path, struct qn_batch *out)
{
    return ask_batch(remote_of(source), QN_READER_TOP, 0, path, out);
}

static int remote_enter(struct qn_source *source, size_t depth, const char *name,
                        struct qn_batch *out)
{
    return ask_batch(remote_of(source), QN_READER_ENTER, depth, name_at(depth, name), out);
}

static int remote_more(struct qn_source *source, size_t depth, struct qn_batch *out)
{
    return ask_batch(remote_of(source), QN_READER_MORE, depth, "", out);
}

static int remote_look(struct qn_source *source, size_t depth, const char *name,
                       struct qn_batch *out)
{
    return ask_batch(remote_of(source), QN_READER_LOOK, depth, name_at(depth, name), out);
}

static int remote_open(struct qn_source *source, size_t depth, const char *name, int *ret_fd)
{
    struct remote *remote = remote_of(source);
    int passed = -1;
    int error = send_request(remote, QN_READER_OPEN, depth, name_at(depth, name));
    if (error == 0)
        error = receive(remote, &passed);
    if (error != 0)
        return error;
    enum qn_err err = qn_reader_done_read(answer_of(remote), &error);
    if (err == QN_OK && error == 0 && passed >= 0) {
        *ret_fd = passed;
        return 0;
    }
    if (passed >= 0)
        close(passed);
    return err == QN_OK && error != 0 ? error : broken(remote, EBADMSG);
}

static int remote_xattrs(struct qn_source *source, size_t depth, const char *name,
                         struct qn_buf *out)
{
    struct remote *remote = remote_of(source);
    struct qn_span xattrs;
    int error = send_request(remote, QN_READER_XATTRS, depth, name_at(depth, name));
    if (error == 0)
        error = receive(remote, NULL);
    if (error != 0)
        return error;
    if (qn_reader_xattrs_read(answer_of(remote), &error, &xattrs) != QN_OK)
        return broken(remote, EBADMSG);
    qn_buf_append_span(out, xattrs);
    return error;
}

static void remote_free(struct qn_source *source)
{
    struct remote *remote = remote_of(source);
    if (remote->socket >= 0)
        close(remote->socket);
    qn_buf_deinit(&remote->request);
    qn_free(remote->answer);
    qn_free(remote);
}

static const struct qn_source_ops remote_ops = {
    .top = remote_top,
    .enter = remote_enter,
    .more = remote_more,
    .look = remote_look,
    .open = remote_open,
    .xattrs = remote_xattrs,
    .free = remote_free,
};

static int connect_to(const char *path, int *ret_socket)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = QN_REMOTE_TIME_MAX_S};
    if (strlen(path) >= sizeof(address.sun_path))
        return ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    *ret_socket = fd;
    return 0;
}

static int greet(struct remote *remote)
{
    uint32_t version;
    int error = send_request(remote, QN_READER_HELLO, QN_READER_VERSION, "");
    if (error == 0)
        error = receive(remote, NULL);
    if (error != 0)
        return error;
    if (qn_reader_version_read(answer_of(remote), &error, &version) != QN_OK)
        return EBADMSG;
    if (error != 0)
        return error;
    return version == QN_READER_VERSION ? 0 : EOPNOTSUPP;
}

int qn_remote_new(const char *path, struct qn_source **ret_source)
{
    struct remote *remote = QN_NEW(struct remote);
    remote->source.ops = &remote_ops;
    remote->socket = -1;
    remote->answer = qn_alloc(QN_READER_ANSWER_SIZE_MAX);
    qn_buf_init(&remote->request, QN_READER_REQUEST_SIZE_MAX);
    int error = connect_to(path, &remote->socket);
    if (error == 0)
        error = greet(remote);
    if (error != 0) {
        remote_free(&remote->source);
        return error;
    }
    *ret_source = &remote->source;
    return 0;
}
