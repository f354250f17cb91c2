/* Clients of HTTPS whose uploads never end: each signs in, begins a PUT of a file of its own and
 * sends a byte each second. 40 from each address of 127.2.0.0/16, each person from two addresses.
 * Prints how many are on their way once a second, until it is killed.
 *
 *   slow_bodies PORT COUNT PASSWORD...     of devices of the people "p0", "p1", ...; folder "slow"
 */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FROM_ONE_ADDRESS 40
#define OF_ONE_PERSON    50
#define CLIENTS_MAX      2000
#define TURN_MS          1000

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int connect_from(unsigned number, unsigned short port)
{
    struct sockaddr_in own = {.sin_family = AF_INET}, server = own;
    const struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    own.sin_addr.s_addr = htonl(0x7f020001 + number / FROM_ONE_ADDRESS);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = htons(port);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
        bind(fd, (struct sockaddr *)&own, sizeof(own)) != 0 ||
        connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0)
        fail("slow body");
    return fd;
}

static void print_credentials(unsigned number, const char *password, char out[128])
{
    char plain[80];
    int size = snprintf(plain, sizeof(plain), "p%u:%s", number / OF_ONE_PERSON, password);
    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)plain, size);
}

/* The head, and the server's "100 Continue": then the body is awaited. NULL: it was refused. */
static SSL *begin(SSL_CTX *context, unsigned number, unsigned short port, const char *password)
{
    char credentials[128], text[512];
    SSL *ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, connect_from(number, port)) != 1 || SSL_connect(ssl) != 1)
        fail("TLS");
    print_credentials(number, password, credentials);
    int size = snprintf(text, sizeof(text),
                        "PUT /dav/slow/f%u HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                        "Authorization: Basic %s\r\nContent-Length: 1000000\r\n"
                        "Expect: 100-continue\r\n\r\n",
                        number, credentials);
    if (SSL_write(ssl, text, size) != size)
        fail("head");
    size = SSL_read(ssl, text, sizeof(text) - 1);
    if (size > 12 && memcmp(text, "HTTP/1.1 100", 12) == 0)
        return ssl;
    fprintf(stderr, "client %u: %.*s\n", number, size > 0 ? size : 0, text);
    return NULL;
}

int main(int argc, char **argv)
{
    static SSL *clients[CLIENTS_MAX];
    struct rlimit limit;
    unsigned count = argc > 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0, running = 0;
    if (count == 0 || count > CLIENTS_MAX || count > (unsigned)(argc - 3) * OF_ONE_PERSON) {
        fprintf(stderr, "usage: slow_bodies PORT COUNT PASSWORD...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    for (unsigned i = 0; i < count; i++) {
        clients[i] = begin(context, i, (unsigned short)strtoul(argv[1], NULL, 10),
                           argv[3 + i / OF_ONE_PERSON]);
        running += clients[i] != NULL;
    }
    for (;;) {
        for (unsigned i = 0; i < count; i++)
            if (clients[i] != NULL && SSL_write(clients[i], "x", 1) != 1) {
                clients[i] = NULL;
                running--;
            }
        printf("%u slow bodies\n", running);
        fflush(stdout);
        poll(NULL, 0, TURN_MS);
    }
}
