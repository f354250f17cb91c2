#include "support/web_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

#define RECEIVED_MAX ((size_t)64 * 1024 * 1024)

/* ---- the host ---- */

static uint64_t now_ms(void *context)
{
    return ((struct web_rig *)context)->now_ms;
}

static uint64_t wall_ms(void *context)
{
    return ((struct web_rig *)context)->wall_ms;
}

static void note_log(void *context, int level, const char *text)
{
    struct web_rig *rig = context;
    snprintf(rig->last_log, sizeof(rig->last_log), "%s", text);
}

/* ---- the door ---- */

static enum qn_door_verdict verdict_of(struct qn_span word, struct qn_person *person)
{
    static const struct {
        const char *word;
        enum qn_door_verdict verdict;
    } words[] = {{"wrong", QN_DOOR_WRONG},
                 {"throttled", QN_DOOR_THROTTLED},
                 {"forbidden", QN_DOOR_FORBIDDEN},
                 {"misdirected", QN_DOOR_MISDIRECTED},
                 {"busy", QN_DOOR_BUSY}};
    const size_t verb_size = strlen("person "); /* of each of them */
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (qn_span_eq_str(word, words[i].word))
            return words[i].verdict;
    if (qn_span_has_prefix(word, qn_span_str("browse ")))
        person->is_session = true;
    else if (qn_span_has_prefix(word, qn_span_str("device ")))
        strcpy(person->device, "phone");
    else if (!qn_span_has_prefix(word, qn_span_str("person ")))
        return QN_DOOR_NOBODY;
    struct qn_span name = qn_span_from(word, verb_size);
    snprintf(person->name, sizeof(person->name), "%.*s", (int)name.size, (const char *)name.data);
    person->role = QN_ROLE_EDITOR;
    return QN_DOOR_PERSON;
}

static uint64_t ask(void *context, const struct qn_http_head *head, const char *from,
                    qn_door_fn done, void *done_context)
{
    struct web_rig *rig = context;
    const struct qn_http_header *word = qn_http_header(head, "X-Test-Door");
    struct qn_person person = {0};
    enum qn_door_verdict verdict = word != NULL ? verdict_of(word->value, &person) : QN_DOOR_NOBODY;
    rig->door_count++;
    if (!rig->is_door_slow) {
        done(done_context, verdict, &person, 7);
        return 0;
    }
    cr_assert_null(rig->waiting.done, "one at a time");
    rig->waiting.done = done;
    rig->waiting.context = done_context;
    rig->waiting.verdict = verdict;
    rig->waiting.person = person;
    return rig->door_count;
}

static void forget(void *context, uint64_t token)
{
    struct web_rig *rig = context;
    cr_assert_eq(token, rig->door_count);
    rig->waiting.done = NULL;
    rig->forgotten_count++;
}

void web_rig_open_door(struct web_rig *rig)
{
    qn_door_fn done = rig->waiting.done;
    rig->waiting.done = NULL;
    done(rig->waiting.context, rig->waiting.verdict, &rig->waiting.person, 7);
}

/* ---- life ---- */

static uint16_t find_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

void web_rig_init(struct web_rig *rig, const struct qn_route *routes, size_t count)
{
    web_rig_init_people(rig, routes, count, NULL);
}

void web_rig_init_people(struct web_rig *rig, const struct qn_route *routes, size_t count,
                         const struct qn_people *people)
{
    *rig = (struct web_rig){.now_ms = 1000000, .wall_ms = 1800000000000};
    tmp_dir_init(&rig->dir);
    rig->loop = new_loop();
    rig->port = find_port();
    rig->host = (struct qn_serve_host){
        .context = rig, .now_ms = now_ms, .wall_ms = wall_ms, .log = note_log};
    struct qn_serve_options options = {.loop = rig->loop,
                                       .host = &rig->host,
                                       .door = {.ask = ask, .forget = forget, .context = rig},
                                       .people = people,
                                       .routes = {routes, count},
                                       .state_dir = rig->dir.path,
                                       .site = "pradines <&>",
                                       .tick_ms = 1};
    rig->serve = qn_serve_new(&options);
    rig->config.listen_count = 1;
    snprintf(rig->config.listen[0], sizeof(rig->config.listen[0]), "127.0.0.1:%u", rig->port);
    qn_serve_configure(rig->serve, &rig->config);
    struct qn_serve_status status;
    qn_serve_status(rig->serve, &status);
    cr_assert_str_eq(status.certificate.error, "");
    cr_assert_str_eq(status.listeners[0].error, "");
}

static void on_closed(void *context)
{
    ((struct web_rig *)context)->is_closed = true;
}

void web_rig_deinit(struct web_rig *rig)
{
    qn_serve_close(rig->serve, on_closed, rig);
    turn_until(rig->loop, rig->is_closed);
    free_loop(rig->loop);
    tmp_dir_deinit(&rig->dir);
}

/* ---- clients ---- */

static void connect_from(struct web_client *client, const char *from)
{
    struct sockaddr_in own = {.sin_family = AF_INET}, address = own;
    int one = 1;
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(inet_pton(AF_INET, from, &own.sin_addr), 1);
    cr_assert_eq(bind(client->fd, (struct sockaddr *)&own, sizeof(own)), 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(client->rig->port);
    cr_assert_eq(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0, "%s",
                 strerror(errno));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    cr_assert_eq(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
}

static void set_alpn(SSL *ssl, const char *alpn)
{
    unsigned char list[256];
    size_t size = strlen(alpn);
    list[0] = (unsigned char)size;
    memcpy(list + 1, alpn, size);
    cr_assert_eq(SSL_set_alpn_protos(ssl, list, (unsigned)size + 1), 0);
}

void web_client_init(struct web_client *client, struct web_rig *rig,
                     const struct web_client_options *options)
{
    static const struct web_client_options none = {0};
    options = options != NULL ? options : &none;
    *client = (struct web_client){.rig = rig};
    qn_buf_init(&client->received, RECEIVED_MAX);
    connect_from(client, options->from != NULL ? options->from : "127.0.0.1");
    client->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(client->context, options->version);
    client->ssl = SSL_new(client->context);
    SSL_set_fd(client->ssl, client->fd);
    SSL_set_connect_state(client->ssl);
    SSL_set_mode(client->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (options->alpn != NULL)
        set_alpn(client->ssl, options->alpn);
}

void web_client_deinit(struct web_client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
    qn_buf_deinit(&client->received);
}

/* False: nothing more can be done now, or ever. */
static bool check(struct web_client *client, int result)
{
    if (result > 0)
        return true;
    int error = SSL_get_error(client->ssl, result);
    client->is_gone |= error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
    return false;
}

size_t web_client_turn(struct web_client *client, struct qn_span bytes, size_t read_max)
{
    uint8_t piece[16384];
    size_t sent = 0, got = 0, all = 0;
    if (client->is_gone)
        return 0;
    client->is_up = client->is_up || check(client, SSL_do_handshake(client->ssl));
    if (!client->is_up)
        return 0;
    if (bytes.size > 0 && !check(client, SSL_write_ex(client->ssl, bytes.data, bytes.size, &sent)))
        sent = 0;
    while (all < read_max && check(client, SSL_read_ex(client->ssl, piece, sizeof(piece), &got))) {
        qn_buf_append(&client->received, piece, got);
        all += got;
    }
    cr_assert(!client->received.is_over);
    return sent;
}

void web_client_send(struct web_client *client, struct qn_span bytes)
{
    for (int turns = TURNS_MAX; bytes.size > 0 && turns > 0; turns--) {
        cr_assert(!client->is_gone, "the server has ended it; received: %.*s",
                  (int)client->received.size, (const char *)client->received.data);
        size_t piece = bytes.size < 65536 ? bytes.size : 65536;
        bytes = qn_span_from(bytes, web_client_turn(client, qn_span(bytes.data, piece), SIZE_MAX));
        qn_loop_turn(client->rig->loop);
    }
    cr_assert_eq(bytes.size, 0, "the server does not read");
}

/* ---- answers ---- */

static char last_head[64 * 1024];

const char *web_client_field(const char *name)
{
    static char value[4096];
    size_t size = strlen(name);
    value[0] = '\0';
    for (const char *line = last_head; (line = strstr(line, "\r\n")) != NULL;) {
        line += 2;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':') {
            line += size + 1 + strspn(line + size + 1, " ");
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\r"), line);
            return value;
        }
    }
    return value;
}

/* The content's size in `bytes`, SIZE_MAX while it is not whole; what it is goes to `out`. */
static size_t chunked_size(struct qn_span bytes, struct qn_buf *out)
{
    size_t at = 0;
    for (;;) {
        if (at == bytes.size)
            return SIZE_MAX;
        const uint8_t *line = memmem(bytes.data + at, bytes.size - at, "\r\n", 2);
        if (line == NULL)
            return SIZE_MAX;
        size_t size = strtoul((const char *)bytes.data + at, NULL, 16);
        at = (size_t)(line - bytes.data) + 2;
        if (bytes.size < at + size + 2)
            return SIZE_MAX;
        if (out != NULL)
            qn_buf_append(out, bytes.data + at, size);
        cr_assert_eq(memcmp(bytes.data + at + size, "\r\n", 2), 0);
        at += size + 2;
        if (size == 0)
            return at;
    }
}

static size_t whole_size(const struct web_client *client, bool is_head)
{
    struct qn_span all = qn_buf_view(&client->received);
    const uint8_t *end = all.size > 0 ? memmem(all.data, all.size, "\r\n\r\n", 4) : NULL;
    if (end == NULL)
        return SIZE_MAX;
    size_t head = (size_t)(end - all.data) + 4;
    cr_assert_lt(head, sizeof(last_head));
    memcpy(last_head, all.data, head);
    last_head[head] = '\0';
    unsigned status = (unsigned)strtoul(last_head + 9, NULL, 10);
    if (is_head || status == 204 || status == 304 || status == 100)
        return head;
    if (strcmp(web_client_field("Transfer-Encoding"), "chunked") == 0) {
        size_t size = chunked_size(qn_span_from(all, head), NULL);
        return size == SIZE_MAX ? SIZE_MAX : head + size;
    }
    size_t size = strtoul(web_client_field("Content-Length"), NULL, 10);
    return all.size - head < size ? SIZE_MAX : head + size;
}

unsigned web_client_answer(struct web_client *client, bool is_head, struct qn_buf *out)
{
    web_until(client, whole_size(client, is_head) != SIZE_MAX);
    size_t size = whole_size(client, is_head), head = strlen(last_head);
    struct qn_span content = qn_span_from(qn_buf_view(&client->received), head);
    if (out != NULL && size > head) {
        if (strcmp(web_client_field("Transfer-Encoding"), "chunked") == 0)
            chunked_size(content, out);
        else
            qn_buf_append(out, content.data, size - head);
    }
    qn_buf_consume(&client->received, size);
    return (unsigned)strtoul(last_head + 9, NULL, 10);
}
