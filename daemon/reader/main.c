/* syncd-reader: reads, for a daemon that may not, the folders that its configuration names.
 *
 * It is started for each connection by its socket unit, which hands it the connection; or it makes
 * the socket itself (--socket). It runs with CAP_DAC_READ_SEARCH and nothing else. See
 * syncd-reader(8).
 */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "app/config.h"
#include "base/mem.h"
#include "reader/server.h"

#define PASSED_FD     3 /* sd_listen_fds(3) */
#define PATH_SIZE_MAX 4096
#define CLIENTS_MAX   16

struct options {
    const char *config, *user, *socket;
};

static void usage(FILE *out)
{
    fputs("Usage: syncd-reader [--config FILE] [--user NAME] [--socket PATH]\n"
          "Reads the folders of [reader] allow for syncd; see syncd-reader(8).\n"
          "  --config FILE  the configuration (/etc/quoin/quoin.conf)\n"
          "  --user NAME    who may ask, besides root (_quoin)\n"
          "  --socket PATH  make this socket; otherwise the service manager passes a connection\n"
          "  --version, --help\n",
          out);
}

/* ---- the configuration ---- */

/* Words of `text`, which is cut into them. */
static void split(char *text, struct qn_reader_allowed *ret_allowed)
{
    char *rest = text;
    for (char *word; (word = strsep(&rest, " \t")) != NULL;)
        if (word[0] != '\0' && ret_allowed->count < QN_READER_ALLOWED_MAX)
            ret_allowed->paths[ret_allowed->count++] = word;
}

static int read_config(const char *path, struct qn_config *ret_config)
{
    QN_AUTO_BUF struct qn_buf errors;
    char distrusted[PATH_SIZE_MAX];
    qn_buf_init(&errors, 16 * 1024);
    qn_config_distrust(path, distrusted, sizeof(distrusted));
    if (distrusted[0] != '\0') {
        fprintf(stderr,
                "syncd-reader: others than root may change %s; nothing is read until it is given "
                "to root and closed to others (chown root:root, chmod go-w)\n",
                distrusted);
        return EX_CONFIG;
    }
    if (qn_config_read(path, ret_config, &errors) == QN_OK)
        return 0;
    fprintf(stderr, "syncd-reader: mistakes in the configuration:\n%.*s", (int)errors.size,
            (const char *)errors.data);
    return EX_CONFIG;
}

/* ---- one client ---- */

static bool may_ask(int client, const char *user)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    const struct passwd *entry = getpwnam(user);
    if (peer.uid == 0 || peer.uid == geteuid() || (entry != NULL && peer.uid == entry->pw_uid))
        return true;
    fprintf(stderr, "syncd-reader: the user %u asked; only root and %s may\n", peer.uid, user);
    return false;
}

/* The first request gets this answer, and there is no second one. */
static int refuse(int client, int status)
{
    uint8_t request[QN_READER_REQUEST_SIZE_MAX];
    size_t size;
    QN_AUTO_BUF struct qn_buf answer;
    qn_buf_init(&answer, 16);
    qn_reader_error_pack(EACCES, &answer);
    if (qn_reader_receive(client, request, sizeof(request), &size, NULL) == 0)
        (void)!qn_reader_send(client, qn_buf_view(&answer), -1);
    return status;
}

static int serve(int client, const struct options *options)
{
    struct qn_config config;
    struct qn_reader_allowed allowed = {0};
    if (!may_ask(client, options->user))
        return refuse(client, EX_NOPERM);
    int status = read_config(options->config, &config);
    if (status != 0)
        return refuse(client, status);
    split(config.reader_allow, &allowed);
    if (allowed.count == 0)
        fprintf(stderr,
                "syncd-reader: nothing may be read: name the folders in %s, [reader] allow\n",
                options->config);
    if (qn_reader_serve(client, &allowed) == QN_OK)
        return 0;
    fputs("syncd-reader: what was asked is no request; are syncd and syncd-reader of the same "
          "version?\n",
          stderr);
    return EX_PROTOCOL;
}

/* ---- many clients: a process for each ---- */

static int make_socket(const char *path, const char *user)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || (unlink(path) != 0 && errno != ENOENT))
        return -1;
    mode_t mask = umask(0117);
    int status = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    umask(mask);
    const struct passwd *entry = getpwnam(user);
    if (status == 0 && entry != NULL)
        (void)!chown(path, (uid_t)-1, entry->pw_gid); /* without it, root alone reaches it */
    return status == 0 && listen(fd, CLIENTS_MAX) == 0 ? fd : -1;
}

/* Waits for one to end if there are as many as there may be. */
static void reap(size_t *clients)
{
    int flags = *clients < CLIENTS_MAX ? WNOHANG : 0;
    while (*clients > 0 && waitpid(-1, NULL, flags) > 0) {
        --*clients;
        flags = WNOHANG;
    }
}

static int serve_all(int listener, const struct options *options)
{
    for (size_t clients = 0;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        reap(&clients);
        if (client < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        pid_t child = client < 0 ? -1 : fork();
        if (child == 0) {
            close(listener);
            exit(serve(client, options));
        }
        if (child < 0) {
            perror("syncd-reader: a client cannot be served");
            return EX_OSERR;
        }
        clients++;
        close(client);
    }
}

static bool is_listener(int fd)
{
    int value = 0;
    socklen_t size = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0;
}

/* -1: none. */
static int passed_socket(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    if (pid == NULL || count == NULL || strtol(pid, NULL, 10) != getpid() ||
        strcmp(count, "1") != 0)
        return -1;
    return PASSED_FD;
}

static int run(const struct options *options)
{
    int fd =
        options->socket != NULL ? make_socket(options->socket, options->user) : passed_socket();
    if (fd < 0 && options->socket != NULL) {
        fprintf(stderr, "syncd-reader: %s: %s\n", options->socket, strerror(errno));
        return EX_OSERR;
    }
    if (fd < 0) {
        fputs("syncd-reader: no connection was passed; systemd starts it, or use --socket\n",
              stderr);
        return EX_USAGE;
    }
    return is_listener(fd) ? serve_all(fd, options) : serve(fd, options);
}

/* It holds a privilege: no core file, no debugger of another user, no pipe that ends it. */
static void shut_in(void)
{
    struct rlimit none = {0, 0};
    umask(077);
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'}, {"user", required_argument, NULL, 'u'},
        {"socket", required_argument, NULL, 's'}, {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {0}};
    struct options options = {.config = "/etc/quoin/quoin.conf", .user = "_quoin"};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'c':
            options.config = optarg;
            break;
        case 'u':
            options.user = optarg;
            break;
        case 's':
            options.socket = optarg;
            break;
        case 'v':
            printf("syncd-reader %s\n", QN_VERSION);
            return 0;
        default:
            usage(c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : EX_USAGE;
        }
    }
    if (optind < argc) {
        usage(stderr);
        return EX_USAGE;
    }
    shut_in();
    return run(&options);
}
