/* What no honest client does to a running daemon, one case a call:
 *
 *   poke control SOCKET CASE      zero huge random garbage half unknown args deaf hold
 *   poke peer HOST PORT CASE      random huge half stranger
 *   poke notify SOCKET SECONDS    prints what a service manager would be told, a line each
 *
 * Exit status 0: the daemon did what it must (it closed the connection, or answered with an error).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/prng.h"
#include "proto/pack.h"

#define WAIT_MS 10000

static void give_up(const char *what)
{
    fprintf(stderr, "poke: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        give_up(path);
    return fd;
}

static int connect_tcp(const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, host, &address.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        give_up(host);
    return fd;
}

/* The other side may have closed already: that is what it should do. */
static void put(int fd, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size > 0) {
        ssize_t count = send(fd, at, size, MSG_NOSIGNAL);
        if (count <= 0)
            return;
        at += count;
        size -= (size_t)count;
    }
}

static void put_random(int fd, size_t size)
{
    struct qn_prng prng = {.state = 4711};
    for (size_t i = 0; i < size; i += 8) {
        uint64_t value = qn_prng_next(&prng);
        put(fd, &value, sizeof(value));
    }
}

static bool is_readable(int fd, int wait_ms)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    return poll(&wanted, 1, wait_ms) == 1;
}

/* 0 when the other side closes in time, whatever it says before. */
static int await_close(int fd)
{
    char buffer[4096];
    while (is_readable(fd, WAIT_MS))
        if (recv(fd, buffer, sizeof(buffer), 0) <= 0)
            return 0;
    fprintf(stderr, "poke: the connection stays open\n");
    return 1;
}

/* ---- the control socket ---- */

static void put_frame(int fd, const struct qn_buf *body)
{
    uint8_t head[4];
    qn_write_u32(head, (uint32_t)body->size);
    put(fd, head, sizeof(head));
    put(fd, body->data, body->size);
}

static void pack_request(struct qn_buf *out, const char *cmd, const char *arg)
{
    qn_pack_map(out, 3);
    qn_pack_cstr(out, "args");
    qn_pack_map(out, arg != NULL);
    if (arg != NULL) {
        qn_pack_cstr(out, arg);
        qn_pack_nil(out);
    }
    qn_pack_cstr(out, "cmd");
    qn_pack_cstr(out, cmd);
    qn_pack_cstr(out, "id");
    qn_pack_u64(out, 7);
}

/* 0 when the answer holds that word. */
static int ask(int fd, const char *cmd, const char *arg, const char *word)
{
    QN_AUTO_BUF struct qn_buf body;
    char answer[4096];
    qn_buf_init(&body, 4096);
    pack_request(&body, cmd, arg);
    put_frame(fd, &body);
    ssize_t size = is_readable(fd, WAIT_MS) ? recv(fd, answer, sizeof(answer), 0) : 0;
    return size > 0 && memmem(answer, (size_t)size, word, strlen(word)) != NULL ? 0 : 1;
}

/* Asks and never reads, until the daemon takes no more; an end of the test if it takes everything.
 */
static int be_deaf(int fd)
{
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, 4096);
    pack_request(&body, "status", NULL);
    for (size_t taken = 0; taken < 64 * 1024 * 1024; taken += body.size) {
        struct pollfd wanted = {.fd = fd, .events = POLLOUT};
        if (poll(&wanted, 1, 1000) != 1)
            return 0;
        put_frame(fd, &body);
    }
    fprintf(stderr, "poke: it reads from one who does not\n");
    return 1;
}

static int poke_control(int fd, const char *name)
{
    static const uint8_t zero[4] = {0}, huge[8] = {0xff, 0xff, 0xff, 0xff},
                         half[] = {0, 0, 1, 0, 1};
    if (strcmp(name, "zero") == 0)
        put(fd, zero, sizeof(zero));
    else if (strcmp(name, "huge") == 0)
        put(fd, huge, sizeof(huge));
    else if (strcmp(name, "random") == 0)
        put_random(fd, 100000);
    else if (strcmp(name, "garbage") == 0)
        put(fd, "\0\0\0\5\xde\xad\xbe\xef\xc1", 9);
    else if (strcmp(name, "unknown") == 0)
        return ask(fd, "make.coffee", NULL, "unknown-command");
    else if (strcmp(name, "args") == 0)
        return ask(fd, "collection.list", "sugar", "bad-request");
    else if (strcmp(name, "deaf") == 0)
        return be_deaf(fd);
    else if (strcmp(name, "half") == 0)
        return put(fd, half, sizeof(half)), 0;
    else if (strcmp(name, "hold") == 0)
        return put(fd, half, sizeof(half)), pause(), 0;
    else
        return 64;
    return await_close(fd);
}

/* ---- the port for other sites ---- */

static EVP_PKEY *make_key(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (key == NULL)
        give_up("key");
    return key;
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    if (X509_sign(certificate, key, NULL) == 0)
        give_up("certificate");
    return certificate;
}

static int accept_any(int is_ok, X509_STORE_CTX *context)
{
    return 1;
}

/* A key that no ledger knows: not one byte of the application may come back. */
static int be_stranger(int fd)
{
    static const uint8_t alpn[] = "\7quoin/1";
    char buffer[64];
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    EVP_PKEY *key = make_key();
    X509 *certificate = make_certificate(key);
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, accept_any);
    SSL_CTX_set_alpn_protos(context, alpn, sizeof(alpn) - 1);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    int is_refused = SSL_connect(ssl) != 1 || SSL_read(ssl, buffer, sizeof(buffer)) <= 0;
    SSL_free(ssl);
    SSL_CTX_free(context);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return is_refused ? 0 : 1;
}

static int poke_peer(int fd, const char *name)
{
    /* the head of a TLS record that announces 65,535 bytes */
    static const uint8_t huge[] = {0x16, 3, 3, 0xff, 0xff}, half[] = {0x16, 3, 1, 2, 0, 1};
    if (strcmp(name, "random") == 0)
        put_random(fd, 100000);
    else if (strcmp(name, "huge") == 0)
        put(fd, huge, sizeof(huge));
    else if (strcmp(name, "stranger") == 0)
        return be_stranger(fd);
    else if (strcmp(name, "half") == 0)
        return put(fd, half, sizeof(half)), 0;
    else
        return 64;
    return await_close(fd);
}

/* ---- the service manager ---- */

static int listen_notify(const char *path, int seconds)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        give_up(path);
    alarm((unsigned)seconds);
    for (char text[1024]; true;) {
        ssize_t size = recv(fd, text, sizeof(text), 0);
        if (size < 0)
            return 1;
        printf("%.*s\n", (int)size, text);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 4 && strcmp(argv[1], "control") == 0)
        return poke_control(connect_unix(argv[2]), argv[3]);
    if (argc == 5 && strcmp(argv[1], "peer") == 0)
        return poke_peer(connect_tcp(argv[2], argv[3]), argv[4]);
    if (argc == 4 && strcmp(argv[1], "notify") == 0)
        return listen_notify(argv[2], atoi(argv[3]));
    return 64;
}
