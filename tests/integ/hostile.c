/* What no honest peer or user sends, for tests/integ/hostile.sh.
 *
 *   hostile noise WHERE COUNT SEED      so many connections, each sends random bytes and goes
 *   hostile lengths WHERE COUNT SEED    frames that claim impossible, huge and wrong lengths
 *   hostile hold WHERE COUNT BYTES      opens so many, sends BYTES of a TLS hello over each, prints
 *                                       "held N" and keeps them open until it is killed
 *   hostile requests PATH SEED ROUNDS   well framed requests: each command of docs/control.md with
 *                                       arguments that are missing, unknown, huge or of another
 * type hostile unread PATH COUNT           asks so often for the status without reading an answer
 *
 * WHERE is a port of 127.0.0.1 or the path of a Unix socket. What it does follows from SEED alone.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/prng.h"
#include "proto/pack.h"

static void die(const char *what)
{
    fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- connections ---- */

static int dial_port(const char *port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(port)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        die(port);
    return fd;
}

static int dial_path(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        die(path);
    return fd;
}

static int dial(const char *where)
{
    return where[0] == '/' ? dial_path(where) : dial_port(where);
}

/* False if the other side ended it, or does not read for two seconds. */
static bool send_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        if (poll(&ready, 1, 2000) <= 0)
            return false;
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (sent < 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

static void fill(struct qn_prng *prng, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)qn_prng_next(prng);
}

/* ---- noise, lengths, half-open connections ---- */

static int make_noise(const char *where, unsigned count, struct qn_prng *prng)
{
    static uint8_t bytes[128 * 1024];
    for (unsigned i = 0; i < count; i++) {
        int fd = dial(where);
        size_t size = qn_prng_below(prng, i % 10 == 0 ? sizeof(bytes) : 600);
        fill(prng, bytes, size);
        send_all(fd, bytes, size);
        close(fd);
    }
    return 0;
}

static int claim_lengths(const char *where, unsigned count, struct qn_prng *prng)
{
    static const uint32_t lengths[] = {0,          0xffffffff,      0x7fffffff,
                                       0x80000000, 1024 * 1024 + 1, 1024 * 1024};
    static uint8_t bytes[64 * 1024];
    for (unsigned i = 0; i < count; i++) {
        int fd = dial(where);
        size_t size = 4 + qn_prng_below(prng, sizeof(bytes) - 4);
        fill(prng, bytes, size);
        qn_write_u32(bytes, lengths[i % 6]);
        send_all(fd, bytes, size);
        close(fd);
    }
    return 0;
}

static int hold(const char *where, unsigned count, unsigned size)
{
    uint8_t hello[16 * 1024] = {0x16, 0x03, 0x01, 0x3f, 0x00, 0x01, 0x00, 0x3e, 0xfc, 0x03, 0x03};
    for (unsigned i = 0; i < count; i++)
        send_all(dial(where), hello, size < sizeof(hello) ? size : sizeof(hello));
    printf("held %u\n", count);
    fflush(stdout);
    pause();
    return 0;
}

/* ---- requests ---- */

struct request {
    const char *command;
    const char *arguments[4];
};

static const struct request requests[] = {
    {"status", {NULL}},
    {"site.list", {NULL}},
    {"site.show", {"name"}},
    {"site.invite", {"expires_s", "name"}},
    {"site.invites", {NULL}},
    {"site.report", {"name"}},
    {"backup.agreement", {"holder", "reference", "until"}},
    {"site.revoke", {"name"}},
    {"site.withdraw", {"name"}},
    {"site.set", {"entity"}},
    {"collection.create", {"members", "name"}},
    {"collection.list", {NULL}},
    {"collection.show", {"name"}},
    {"collection.grant", {"name", "site"}},
    {"collection.ungrant", {"name", "site"}},
    {"record.put", {"collection", "fields", "if", "key"}},
    {"record.put-many", {"collection", "records"}},
    {"record.get", {"collection", "key"}},
    {"record.list", {"after", "collection", "limit", "prefix"}},
    {"record.trash", {"collection"}},
    {"record.delete", {"collection", "if", "key"}},
    {"record.restore", {"collection", "key"}},
    {"record.erase", {"collection", "key"}},
    {"record.empty-trash", {"collection", "dry_run", "older_days"}},
    {"record.history", {"collection", "key"}},
    {"conflict.list", {"collection"}},
    {"conflict.resolve", {"collection", "field", "key", "take"}},
    {"conflict.resolve", {"collection", "field", "key", "value"}},
    {"verify", {"collection", "timeout_ms"}},
    {"log.level", {"level"}},
    {"no.such", {"name"}},
    {"", {NULL}},
};

static void pack_long(struct qn_prng *prng, struct qn_buf *out, size_t size)
{
    char *text = qn_alloc(size + 1);
    memset(text, 'a' + (int)qn_prng_below(prng, 26), size);
    qn_pack_str(out, qn_span(text, size));
    qn_free(text);
}

static void pack_noise(struct qn_prng *prng, struct qn_buf *out, bool is_text)
{
    uint8_t bytes[40];
    size_t size = qn_prng_below(prng, sizeof(bytes));
    fill(prng, bytes, size);
    if (is_text)
        qn_pack_str(out, qn_span(bytes, size));
    else
        qn_pack_bin(out, qn_span(bytes, size));
}

static void pack_deep(struct qn_prng *prng, struct qn_buf *out)
{
    size_t depth = 20 + qn_prng_below(prng, 20);
    for (size_t i = 0; i < depth; i++)
        qn_pack_array(out, 1);
    qn_pack_nil(out);
}

/* Names that exist in the test, but not that of the site itself, which could withdraw it. */
static void pack_word(struct qn_prng *prng, struct qn_buf *out)
{
    static const char *const words[] = {"c",      "k", "two", "f",    "",
                                        "_trash", "-", "a b", "a\nb", "~"};
    qn_pack_cstr(out, words[qn_prng_below(prng, 10)]);
}

static void pack_value(struct qn_prng *prng, struct qn_buf *out, unsigned depth);

static void pack_list(struct qn_prng *prng, struct qn_buf *out, unsigned depth)
{
    size_t count = qn_prng_below(prng, 4);
    qn_pack_array(out, count);
    for (size_t i = 0; i < count; i++)
        pack_value(prng, out, depth + 1);
}

static void pack_pairs(struct qn_prng *prng, struct qn_buf *out, unsigned depth)
{
    size_t count = qn_prng_below(prng, 4);
    qn_pack_map(out, count);
    for (size_t i = 0; i < count; i++) {
        pack_word(prng, out); /* also twice, and in the wrong order */
        pack_value(prng, out, depth + 1);
    }
}

static void pack_value(struct qn_prng *prng, struct qn_buf *out, unsigned depth)
{
    static const uint64_t numbers[] = {0, 1, 127, UINT32_MAX, INT64_MAX, UINT64_MAX};
    switch (qn_prng_below(prng, depth > 4 ? 6 : 14)) {
    case 0:
        qn_pack_nil(out);
        break;
    case 1:
        qn_pack_bool(out, true);
        break;
    case 2:
        qn_pack_u64(out, numbers[qn_prng_below(prng, 6)]);
        break;
    case 3:
        qn_pack_i64(out, INT64_MIN);
        break;
    case 4:
        qn_pack_double(out, qn_prng_below(prng, 2) == 0 ? 1e308 * 10 : 0.5);
        break;
    case 5:
    case 6:
    case 7:
        pack_word(prng, out);
        break;
    case 8:
        pack_noise(prng, out, true);
        break;
    case 9:
        pack_noise(prng, out, false);
        break;
    case 10:
        pack_long(prng, out, qn_prng_below(prng, 8) == 0 ? 70000 : 300);
        break;
    case 11:
        pack_deep(prng, out);
        break;
    case 12:
        pack_list(prng, out, depth);
        break;
    default:
        pack_pairs(prng, out, depth);
        break;
    }
}

/* Some of the arguments, perhaps one more that nobody knows. */
static void pack_arguments(struct qn_prng *prng, struct qn_buf *out, const struct request *request)
{
    bool is_taken[4], has_more = qn_prng_below(prng, 6) == 0;
    size_t count = has_more;
    for (size_t i = 0; i < 4; i++) {
        is_taken[i] = request->arguments[i] != NULL && qn_prng_below(prng, 8) > 0;
        count += is_taken[i];
    }
    if (qn_prng_below(prng, 30) == 0) {
        pack_value(prng, out, 0); /* no map at all */
        return;
    }
    qn_pack_map(out, count);
    for (size_t i = 0; i < 4; i++) {
        if (!is_taken[i])
            continue;
        qn_pack_cstr(out, request->arguments[i]);
        if (qn_prng_below(prng, 2) == 0)
            pack_word(prng, out);
        else
            pack_value(prng, out, 0);
    }
    if (has_more) {
        qn_pack_cstr(out, "zzz");
        pack_value(prng, out, 0);
    }
}

static void make_request(struct qn_prng *prng, struct qn_buf *frame, const struct request *request,
                         uint64_t id)
{
    qn_buf_init(frame, QN_CONTROL_FRAME_SIZE_MAX + 4);
    qn_buf_append_u32(frame, 0);
    qn_pack_map(frame, 3);
    qn_pack_cstr(frame, "args");
    pack_arguments(prng, frame, request);
    qn_pack_cstr(frame, "cmd");
    qn_pack_cstr(frame, request->command);
    qn_pack_cstr(frame, "id");
    qn_pack_u64(frame, id);
    qn_write_u32(frame->data, (uint32_t)(frame->size - 4));
}

/* Reads and throws away what comes until nothing came for `patience_ms`; false at its end. */
static bool drain(int fd, int patience_ms, size_t *bytes)
{
    static uint8_t chunk[64 * 1024];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (poll(&ready, 1, patience_ms) > 0) {
        ssize_t size = read(fd, chunk, sizeof(chunk));
        if (size <= 0)
            return false;
        *bytes += (size_t)size;
        patience_ms = 0;
    }
    return true;
}

static int send_requests(const char *path, struct qn_prng *prng, unsigned rounds)
{
    size_t sent = 0, answered = 0, ended = 0, silent = 0;
    int fd = dial(path);
    for (unsigned round = 0; round < rounds; round++)
        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
            QN_AUTO_BUF struct qn_buf frame;
            size_t before = answered;
            make_request(prng, &frame, &requests[i], ++sent);
            bool is_open = send_all(fd, frame.data, frame.size) && drain(fd, 500, &answered);
            silent += is_open && answered == before;
            if (is_open && answered > before)
                continue;
            ended += !is_open;
            close(fd);
            fd = dial(path);
        }
    close(fd);
    printf("%zu requests, %zu bytes of answers, %zu connections ended, %zu without answer\n", sent,
           answered, ended, silent);
    return 0;
}

static int ask_unread(const char *path, unsigned count)
{
    struct qn_prng prng = {1};
    int fd = dial(path);
    for (unsigned i = 0; i < count; i++) {
        QN_AUTO_BUF struct qn_buf frame;
        make_request(&prng, &frame, &(struct request){.command = "status"}, i);
        if (!send_all(fd, frame.data, frame.size))
            break;
    }
    printf("held 1\n");
    fflush(stdout);
    pause();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 64;
    const char *what = argv[1], *where = argv[2];
    unsigned first = (unsigned)atoi(argv[3]), second = argc > 4 ? (unsigned)atoi(argv[4]) : 0;
    if (strcmp(what, "noise") == 0)
        return make_noise(where, first, &(struct qn_prng){second});
    if (strcmp(what, "lengths") == 0)
        return claim_lengths(where, first, &(struct qn_prng){second});
    if (strcmp(what, "hold") == 0)
        return hold(where, first, second);
    if (strcmp(what, "requests") == 0)
        return send_requests(where, &(struct qn_prng){first}, second);
    if (strcmp(what, "unread") == 0)
        return ask_unread(where, first);
    return 64;
}
