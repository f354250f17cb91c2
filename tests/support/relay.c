/* A slow line on loopback: connections to one port are passed on to another, at a rate, with a
 * delay, and broken off when told to. For tests and measurements of what goes over a line.
 *
 *   relay LISTEN_PORT TARGET_PORT [COMMAND...]
 *
 * Both directions have a line of their own, which all connections share as they would share a
 * router's: bytes leave it at the rate, one after the other, and arrive after the delay. What waits
 * for its turn is the queue; while it is longer than `queue` allows, nothing more is read, so a
 * sender is held back by its own socket. A connection can be used one round trip after it was made.
 *
 * Commands, as arguments and as lines of the standard input; each line is answered by one:
 *   rate BYTES_PER_S     of both directions; 0: no limit
 *   delay MS             one way
 *   queue MS             of waiting
 *   cut                  every connection is reset, what is on the line is lost
 *   cut-every MS         that, so often, from now on; 0: never
 *   refuse | accept      what becomes of new connections
 *   count                what all connections came to: see say_count
 *   per-connection       the same of each that was made, in order
 *   waits                of each: how long packets to the target waited for their turn, since this
 *                        was asked
 * It ends with the end of its input. Bytes are those of TCP: its own headers are not in them. "out"
 * is towards the target.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define COUNTED_MAX     4096
#define PACKET          1448 /* so much of one connection at a time, as if it were a packet */
#define SOCKET_BUFFER   (16 * 1024)
#define US_PER_MS       1000

enum direction {
    OUT,
    IN,
    DIRECTIONS,
};

struct packet {
    struct packet *next;
    uint64_t at_us; /* it arrives */
    size_t connection, size, sent;
    uint32_t generation; /* of the connection's slot */
    bool is_end;
    char bytes[PACKET];
};

struct line {
    uint64_t free_us; /* everything before has left */
    struct packet *first, *last;
};

struct connection {
    int ends[DIRECTIONS]; /* read from ends[OUT] for OUT; -1: the slot is free */
    bool has_ended[DIRECTIONS];
    bool is_full[DIRECTIONS]; /* its receiver takes nothing now */
    uint32_t generation;
    uint64_t usable_us;
    size_t number;
    unsigned ends_passed; /* ends of input that were passed on */
};

struct counts {
    uint64_t bytes[DIRECTIONS];
    uint64_t packets, wait_us, wait_us_max; /* OUT */
};

static struct {
    uint16_t target;
    uint64_t rate, delay_us, queue_us, cut_every_us, cut_us;
    bool is_refusing;
    int listener;
    struct line lines[DIRECTIONS];
    struct connection connections[CONNECTIONS_MAX];
    size_t turn, made, cuts;
    struct counts counts[COUNTED_MAX]; /* of those made later the last one has the sum */
    char input[512];
    size_t input_size;
} relay = {.queue_us = 150 * US_PER_MS};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- connections ---- */

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void set_up(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* Before it is connected. Segments of loopback are larger than the buffer: a sender whose segments
 * do not fit waits, 200 ms at a time, until the buffer is empty and it is told so. */
static void make_small(int fd)
{
    int size = SOCKET_BUFFER, segment = PACKET;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
}

static int connect_to_target(void)
{
    struct sockaddr_in address = loopback(relay.target);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    make_small(fd);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

static struct connection *free_slot(void)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (relay.connections[i].ends[OUT] < 0)
            return &relay.connections[i];
    return NULL;
}

static void accept_one(void)
{
    int fd = accept4(relay.listener, NULL, NULL, SOCK_CLOEXEC);
    struct connection *slot = free_slot();
    if (fd < 0)
        return;
    int target = relay.is_refusing || slot == NULL ? -1 : connect_to_target();
    if (target < 0) {
        reset(fd);
        return;
    }
    set_up(fd);
    set_up(target);
    *slot = (struct connection){.ends = {fd, target},
                                .generation = slot->generation + 1,
                                .usable_us = now_us() + 2 * relay.delay_us,
                                .number = relay.made < COUNTED_MAX ? relay.made : COUNTED_MAX - 1};
    relay.made++;
}

static void drop(struct connection *connection)
{
    reset(connection->ends[OUT]);
    reset(connection->ends[IN]);
    connection->ends[OUT] = connection->ends[IN] = -1;
}

static void cut(void)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (relay.connections[i].ends[OUT] >= 0)
            drop(&relay.connections[i]);
    relay.cuts++;
    relay.lines[OUT].free_us = relay.lines[IN].free_us = 0;
}

/* ---- the lines ---- */

static bool has_room(const struct line *line, uint64_t now)
{
    return line->free_us <= now + relay.queue_us;
}

static void count_wait(const struct packet *packet, uint64_t wait_us)
{
    struct counts *counts = &relay.counts[relay.connections[packet->connection].number];
    counts->packets++;
    counts->wait_us += wait_us;
    if (wait_us > counts->wait_us_max)
        counts->wait_us_max = wait_us;
}

static void put_on_line(struct line *line, struct packet *packet, uint64_t now)
{
    uint64_t start = line->free_us > now ? line->free_us : now;
    if (line == &relay.lines[OUT])
        count_wait(packet, start - now);
    line->free_us = start + (relay.rate == 0 ? 0 : packet->size * 1000000 / relay.rate);
    packet->at_us = line->free_us + relay.delay_us;
    if (line->last == NULL)
        line->first = packet;
    else
        line->last->next = packet;
    line->last = packet;
}

/* One packet of a connection. False: there is nothing to read now. */
static bool take_one(size_t i, enum direction direction, uint64_t now)
{
    struct connection *connection = &relay.connections[i];
    if (connection->ends[OUT] < 0 || connection->has_ended[direction] ||
        now < connection->usable_us || connection->is_full[direction])
        return false;
    struct packet *packet = calloc(1, sizeof(*packet));
    if (packet == NULL)
        die("calloc");
    ssize_t size = recv(connection->ends[direction], packet->bytes, PACKET, 0);
    if (size < 0) {
        free(packet);
        if (errno != EAGAIN && errno != EINTR)
            drop(connection);
        return false;
    }
    packet->connection = i;
    packet->generation = connection->generation;
    packet->size = (size_t)size;
    packet->is_end = connection->has_ended[direction] = size == 0;
    relay.counts[connection->number].bytes[direction] += (uint64_t)size;
    put_on_line(&relay.lines[direction], packet, now);
    return true;
}

/* In turns, so that no connection has the line for itself. */
static void take_all(enum direction direction, uint64_t now)
{
    bool is_moving = true;
    while (is_moving) {
        is_moving = false;
        for (size_t n = 0; n < CONNECTIONS_MAX && has_room(&relay.lines[direction], now); n++)
            is_moving |= take_one((relay.turn + n) % CONNECTIONS_MAX, direction, now);
        relay.turn++;
    }
}

static void passed_on(struct connection *connection, enum direction direction)
{
    shutdown(connection->ends[direction == OUT ? IN : OUT], SHUT_WR);
    if (++connection->ends_passed < DIRECTIONS)
        return;
    close(connection->ends[OUT]);
    close(connection->ends[IN]);
    connection->ends[OUT] = connection->ends[IN] = -1;
}

/* False: the receiver takes no more now. */
static bool deliver(struct packet *packet, enum direction direction)
{
    struct connection *connection = &relay.connections[packet->connection];
    if (connection->ends[OUT] < 0 || connection->generation != packet->generation)
        return true; /* it was lost */
    if (connection->is_full[direction])
        return false;
    if (packet->is_end) {
        passed_on(connection, direction);
        return true;
    }
    ssize_t sent = send(connection->ends[direction == OUT ? IN : OUT], packet->bytes + packet->sent,
                        packet->size - packet->sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        drop(connection);
        return true;
    }
    packet->sent += sent < 0 ? 0 : (size_t)sent;
    connection->is_full[direction] = packet->sent < packet->size;
    return packet->sent == packet->size;
}

/* What arrives by now; packets for a receiver that is full stay, those behind for others do not. */
static void deliver_all(enum direction direction, uint64_t now)
{
    struct line *line = &relay.lines[direction];
    struct packet **at = &line->first, *before = NULL;
    while (*at != NULL && (*at)->at_us <= now) {
        struct packet *packet = *at;
        if (!deliver(packet, direction)) {
            before = packet;
            at = &packet->next;
            continue;
        }
        *at = packet->next;
        if (line->last == packet)
            line->last = before;
        free(packet);
    }
}

/* ---- commands ---- */

static void say_count(void)
{
    struct counts sum = {0};
    size_t open = 0;
    for (size_t i = 0; i < COUNTED_MAX; i++)
        for (enum direction d = OUT; d < DIRECTIONS; d++)
            sum.bytes[d] += relay.counts[i].bytes[d];
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        open += relay.connections[i].ends[OUT] >= 0;
    printf("{\"connections\": %zu, \"open\": %zu, \"cuts\": %zu, \"out\": %" PRIu64
           ", \"in\": %" PRIu64 "}\n",
           relay.made, open, relay.cuts, sum.bytes[OUT], sum.bytes[IN]);
}

static void say_each(void)
{
    size_t count = relay.made < COUNTED_MAX ? relay.made : COUNTED_MAX;
    putchar('[');
    for (size_t i = 0; i < count; i++)
        printf("%s{\"out\": %" PRIu64 ", \"in\": %" PRIu64 "}", i == 0 ? "" : ", ",
               relay.counts[i].bytes[OUT], relay.counts[i].bytes[IN]);
    puts("]");
}

static void say_waits(void)
{
    size_t count = relay.made < COUNTED_MAX ? relay.made : COUNTED_MAX;
    putchar('[');
    for (size_t i = 0; i < count; i++) {
        struct counts *counts = &relay.counts[i];
        uint64_t mean_us = counts->packets == 0 ? 0 : counts->wait_us / counts->packets;
        printf("%s{\"packets\": %" PRIu64 ", \"mean_us\": %" PRIu64 ", \"most_us\": %" PRIu64 "}",
               i == 0 ? "" : ", ", counts->packets, mean_us, counts->wait_us_max);
        counts->packets = counts->wait_us = counts->wait_us_max = 0;
    }
    puts("]");
}

static bool is_about_number(const char *word, uint64_t number)
{
    if (strcmp(word, "rate") == 0)
        relay.rate = number;
    else if (strcmp(word, "delay") == 0)
        relay.delay_us = number * US_PER_MS;
    else if (strcmp(word, "queue") == 0)
        relay.queue_us = number * US_PER_MS;
    else if (strcmp(word, "cut-every") == 0)
        relay.cut_every_us = number * US_PER_MS;
    else
        return false;
    relay.cut_us = now_us() + relay.cut_every_us;
    return true;
}

static bool carry_out(char *line)
{
    char word[32] = "", rest[2] = "";
    unsigned long long number = 0;
    int count = sscanf(line, "%31s %llu %1s", word, &number, rest);
    if (count == 2)
        return is_about_number(word, number);
    if (count != 1)
        return false;
    if (strcmp(word, "cut") == 0)
        cut();
    else if (strcmp(word, "refuse") == 0 || strcmp(word, "accept") == 0)
        relay.is_refusing = word[0] == 'r';
    else if (strcmp(word, "count") == 0)
        say_count();
    else if (strcmp(word, "per-connection") == 0)
        say_each();
    else if (strcmp(word, "waits") == 0)
        say_waits();
    else
        return false;
    return true;
}

static void command(char *line)
{
    bool is_answered = strncmp(line, "count", 5) == 0 || strncmp(line, "per-", 4) == 0 ||
                       strncmp(line, "waits", 5) == 0;
    if (!carry_out(line))
        puts("?");
    else if (!is_answered)
        puts("ok");
    fflush(stdout);
}

/* False: the input has ended. */
static bool read_commands(void)
{
    ssize_t size = read(STDIN_FILENO, relay.input + relay.input_size,
                        sizeof(relay.input) - 1 - relay.input_size);
    if (size <= 0)
        return false;
    relay.input_size += (size_t)size;
    relay.input[relay.input_size] = '\0';
    for (char *end; (end = strchr(relay.input, '\n')) != NULL;) {
        *end = '\0';
        command(relay.input);
        relay.input_size -= (size_t)(end + 1 - relay.input);
        memmove(relay.input, end + 1, relay.input_size + 1);
    }
    return relay.input_size < sizeof(relay.input) - 1;
}

/* ---- the loop ---- */

static void listen_on(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int one = 1;
    relay.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(relay.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    make_small(relay.listener);
    if (bind(relay.listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(relay.listener, CONNECTIONS_MAX) != 0)
        die("listen");
}

static void soonest(uint64_t *wake, uint64_t at)
{
    if (at < *wake)
        *wake = at;
}

/* Which sockets are waited for, and when something is due without them. */
static size_t prepare(struct pollfd *polls, uint64_t now, uint64_t *ret_wake)
{
    size_t count = 2;
    polls[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = relay.listener, .events = POLLIN};
    *ret_wake = relay.cut_every_us == 0 ? UINT64_MAX : relay.cut_us;
    for (enum direction d = OUT; d < DIRECTIONS; d++) {
        const struct line *line = &relay.lines[d];
        const struct packet *next = line->first;
        while (next != NULL && relay.connections[next->connection].is_full[d])
            next = next->next;
        if (next != NULL)
            soonest(ret_wake, next->at_us);
        if (!has_room(line, now))
            soonest(ret_wake, line->free_us - relay.queue_us);
    }
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &relay.connections[i];
        if (connection->ends[OUT] < 0)
            continue;
        if (now < connection->usable_us)
            soonest(ret_wake, connection->usable_us);
        for (enum direction d = OUT; d < DIRECTIONS; d++) {
            bool is_read = now >= connection->usable_us && !connection->has_ended[d] &&
                           !connection->is_full[d] && has_room(&relay.lines[d], now);
            short events = (short)((is_read ? POLLIN : 0) |
                                   (connection->is_full[d == OUT ? IN : OUT] ? POLLOUT : 0));
            if (events != 0)
                polls[count++] = (struct pollfd){.fd = connection->ends[d], .events = events};
        }
    }
    return count;
}

static void wait_for(struct pollfd *polls, size_t count, uint64_t now, uint64_t wake)
{
    uint64_t left = wake > now ? wake - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000),
                               .tv_nsec = (long)(left % 1000000) * 1000};
    if (ppoll(polls, (nfds_t)count, wake == UINT64_MAX ? NULL : &timeout, NULL) < 0 &&
        errno != EINTR)
        die("poll");
}

static void move(void)
{
    uint64_t now = now_us();
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        relay.connections[i].is_full[OUT] = relay.connections[i].is_full[IN] = false;
    for (enum direction d = OUT; d < DIRECTIONS; d++) {
        deliver_all(d, now);
        take_all(d, now);
    }
    if (relay.cut_every_us == 0 || now < relay.cut_us)
        return;
    cut();
    relay.cut_us = now + relay.cut_every_us;
}

static uint16_t port_of(const char *text)
{
    int port = atoi(text);
    if (port < 1 || port > UINT16_MAX)
        exit(64);
    return (uint16_t)port;
}

int main(int argc, char **argv)
{
    struct pollfd polls[2 + DIRECTIONS * CONNECTIONS_MAX];
    if (argc < 3)
        return 64;
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        relay.connections[i].ends[OUT] = relay.connections[i].ends[IN] = -1;
    relay.target = port_of(argv[2]);
    for (int i = 3; i < argc; i++)
        if (!carry_out(argv[i]))
            return 64;
    listen_on(port_of(argv[1]));
    while (true) {
        uint64_t now = now_us(), wake;
        size_t count = prepare(polls, now, &wake);
        wait_for(polls, count, now, wake);
        if (polls[0].revents != 0 && !read_commands())
            return 0;
        if (polls[1].revents != 0)
            accept_one();
        move();
    }
}
