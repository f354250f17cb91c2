/* The last two functions of wire.h: messages and descriptors over a Unix socket. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reader/wire.h"

union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

static void attach(struct msghdr *message, union control *control, int passed)
{
    *control = (union control){0};
    message->msg_control = control->bytes;
    message->msg_controllen = sizeof(control->bytes);
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &passed, sizeof(int));
}

static struct iovec iovec_of(struct qn_span bytes)
{
    union {
        const void *constant;
        void *base;
    } cast = {.constant = bytes.data}; /* sendmsg only reads it */
    return (struct iovec){.iov_base = cast.base, .iov_len = bytes.size};
}

int qn_reader_send(int socket, struct qn_span bytes, int passed)
{
    struct iovec iovec = iovec_of(bytes);
    struct msghdr message = {.msg_iov = &iovec, .msg_iovlen = 1};
    union control control;
    if (passed >= 0)
        attach(&message, &control, passed);
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EPIPE ? ECONNRESET : errno;
    return (size_t)sent == bytes.size ? 0 : EMSGSIZE;
}

static int passed_with(struct msghdr *message)
{
    int passed = -1;
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
        head->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&passed, CMSG_DATA(head), sizeof(int));
    return passed;
}

int qn_reader_receive(int socket, uint8_t *out, size_t size, size_t *ret_size, int *ret_passed)
{
    struct iovec iovec = {.iov_base = out, .iov_len = size};
    union control control = {0};
    struct msghdr message = {.msg_iov = &iovec, .msg_iovlen = 1};
    if (ret_passed != NULL) { /* else the kernel closes what is passed */
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
    }
    ssize_t got;
    do {
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got == 0 ? ECONNRESET : errno;
    int passed = ret_passed != NULL ? passed_with(&message) : -1;
    bool is_cut = message.msg_flags & MSG_TRUNC || (ret_passed && message.msg_flags & MSG_CTRUNC);
    if (is_cut) {
        if (passed >= 0)
            close(passed);
        return EMSGSIZE;
    }
    if (ret_passed != NULL)
        *ret_passed = passed;
    *ret_size = (size_t)got;
    return 0;
}
