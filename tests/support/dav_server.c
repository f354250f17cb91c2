/* The HTTPS server with one real directory, for clients of other people's: no group, no accounts
 * but anna (password "secret"), rows in memory. The authority to trust is STATE/authority/ca.pem.
 *
 *   dav_server DIRECTORY STATE      the folder F on a free port of 127.0.0.1; until SIGTERM
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "files/local.h"
#include "os/os.h"
#include "serve/dav.h"
#include "serve/serve.h"
#include "support/local_rows.h"

struct server {
    struct qn_loop *loop;
    struct local_rows *rows;
    struct qn_folder *folder;
    struct qn_serve_host host;
    struct qn_serve *serve;
    struct qn_dav *dav;
    struct qn_signal *signal;
};

static struct qn_folder *find_folder(void *context, struct qn_span name)
{
    return qn_span_eq_str(name, "F") ? ((struct server *)context)->folder : NULL;
}

static void each_folder(void *context, void (*each)(void *, struct qn_span), void *each_context)
{
    each(each_context, qn_span_str("F"));
}

static uint64_t now_ms(void *context)
{
    return qn_loop_now_ms(((struct server *)context)->loop);
}

static uint64_t wall_ms(void *context)
{
    return qn_os_wall_ms();
}

static void say(void *context, int level, const char *text)
{
    fprintf(stderr, "%s\n", text);
}

static enum qn_right right_of(void *context, const struct qn_person *person, struct qn_span folder)
{
    return QN_RIGHT_WRITE;
}

static uint64_t ask(void *context, const struct qn_http_head *head, const char *from,
                    qn_door_fn done, void *done_context)
{
    const struct qn_http_header *field = qn_http_header(head, "Authorization");
    struct qn_person person = {.name = "anna", .device = "test", .role = QN_ROLE_EDITOR};
    struct qn_span name, password;
    struct qn_buf text;
    enum qn_door_verdict verdict = QN_DOOR_NOBODY;
    qn_buf_init(&text, 1024);
    if (field) {
        bool is_anna = qn_http_basic_read(field->value, &text, &name, &password) == QN_OK &&
                       qn_span_eq_str(name, "anna") && qn_span_eq_str(password, "secret");
        verdict = is_anna ? QN_DOOR_PERSON : QN_DOOR_WRONG;
    }
    qn_buf_deinit(&text);
    done(done_context, verdict, &person, 1);
    return 0;
}

static void forget(void *context, uint64_t token) {}

static void on_dav_closed(void *context)
{
    qn_loop_stop(((struct server *)context)->loop);
}

static void on_serve_closed(void *context)
{
    struct server *server = context;
    qn_dav_close(server->dav, on_dav_closed, server);
}

static void on_signal(void *context)
{
    struct server *server = context;
    qn_signal_free(server->signal);
    qn_serve_close(server->serve, on_serve_closed, server);
}

/* Free a moment ago. 0: none. */
static unsigned find_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        address.sin_port = 0;
    if (fd >= 0)
        close(fd);
    return ntohs(address.sin_port);
}

static void configure(struct server *server)
{
    struct qn_serve_config config = {.listen_count = 1, .name_count = 1};
    snprintf(config.listen[0], sizeof(config.listen[0]), "127.0.0.1:%u", find_port());
    snprintf(config.names[0], sizeof(config.names[0]), "localhost");
    qn_serve_configure(server->serve, &config);
}

static void start(struct server *server, const char *directory, const char *state)
{
    server->rows = local_rows_new(server->loop);
    const struct qn_local *local = local_rows_local(server->rows);
    server->host = (struct qn_serve_host){.context = server,
                                          .local = local,
                                          .folder = find_folder,
                                          .each_folder = each_folder,
                                          .now_ms = now_ms,
                                          .wall_ms = wall_ms,
                                          .random = qn_os_random,
                                          .log = say};
    struct qn_folder_local_options folder = {
        .loop = server->loop, .path = directory, .name = qn_span_str("F"), .local = local};
    server->folder = qn_folder_local_new(&folder);
    struct qn_dav_options dav = {.host = &server->host, .right = right_of, .context = server};
    server->dav = qn_dav_new(&dav);
    struct qn_serve_options options = {.loop = server->loop,
                                       .host = &server->host,
                                       .door = {.ask = ask, .forget = forget, .context = server},
                                       .dav = server->dav,
                                       .state_dir = state,
                                       .site = "test"};
    server->serve = qn_serve_new(&options);
}

int main(int argc, char **argv)
{
    struct server server = {0};
    if (argc != 3 || qn_loop_new(&server.loop) != QN_OK) {
        fprintf(stderr, "usage: dav_server DIRECTORY STATE\n");
        return 2;
    }
    start(&server, argv[1], argv[2]);
    if (qn_signal_new(server.loop, SIGTERM, on_signal, &server, &server.signal) != QN_OK)
        return 2;
    configure(&server);
    qn_loop_run(server.loop);
    qn_folder_free(server.folder);
    for (int i = 0; i < 100; i++) /* what the folder still has to close */
        (void)qn_loop_turn(server.loop);
    local_rows_free(server.rows);
    qn_loop_free(server.loop);
    return 0;
}
