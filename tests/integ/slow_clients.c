/* Clients of HTTPS that are slow on purpose: each connects from an address of 127.1.0.0/16 (50
 * from each), sends a byte of what could be TLS each second, and connects again when it is thrown
 * out. Until it is killed.
 *
 *   slow_clients PORT COUNT [whole]      whole: a ClientHello that is all there, and then nothing
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FROM_ONE_ADDRESS 50
#define CLIENTS_MAX      4000
#define TURN_MS          1000

/* The beginning of a ClientHello that never comes to its end. */
static const unsigned char half[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03};
static unsigned char hello[4096];
static size_t hello_size, step = 1; /* bytes a turn */

struct slow {
    int fd;
    size_t sent;
};

static int begin(unsigned number, unsigned short port)
{
    struct sockaddr_in own = {.sin_family = AF_INET}, server = own;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    own.sin_addr.s_addr = htonl(0x7f010001 + number / FROM_ONE_ADDRESS);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = htons(port);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) != 0 ||
        (connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0 && errno != EINPROGRESS)) {
        perror("slow client");
        exit(1);
    }
    return fd;
}

static void turn(struct slow *slow, unsigned number, unsigned short port, size_t *again)
{
    char byte;
    ssize_t got = recv(slow->fd, &byte, 1, 0);
    bool is_gone = got == 0 || (got < 0 && errno != EAGAIN && errno != ENOTCONN);
    if (is_gone) {
        close(slow->fd);
        *slow = (struct slow){.fd = begin(number, port)};
        (*again)++;
        return;
    }
    if (slow->sent < hello_size &&
        send(slow->fd, hello + slow->sent, step, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)step)
        slow->sent += step;
}

static void make_hello(bool is_whole)
{
    memcpy(hello, half, sizeof(half));
    hello_size = sizeof(half);
    if (!is_whole)
        return;
    SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(ssl);
    (void)SSL_do_handshake(ssl);
    int size = BIO_read(out, hello, sizeof(hello));
    if (size <= 0)
        exit(1);
    hello_size = step = (size_t)size;
}

int main(int argc, char **argv)
{
    static struct slow slow[CLIENTS_MAX];
    struct rlimit limit;
    size_t again = 0;
    unsigned count = argc >= 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (count == 0 || count > CLIENTS_MAX) {
        fprintf(stderr, "usage: slow_clients PORT COUNT [whole]\n");
        return 2;
    }
    unsigned short port = (unsigned short)strtoul(argv[1], NULL, 10);
    make_hello(argc > 3);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    for (unsigned i = 0; i < count; i++)
        slow[i].fd = begin(i, port);
    for (;;) {
        for (unsigned i = 0; i < count; i++)
            turn(&slow[i], i, port, &again);
        printf("%u slow clients, connected again %zu times\n", count, again);
        fflush(stdout);
        poll(NULL, 0, TURN_MS);
    }
}
