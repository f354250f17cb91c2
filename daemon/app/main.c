#include <getopt.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "app/daemon.h"
#include "app/i18n.h"

#ifndef QN_LOCALEDIR
#define QN_LOCALEDIR "/usr/share/locale"
#endif

static void usage(FILE *out)
{
    fputs(_("Usage: syncd [--state DIR] [--config FILE]\n"
            "Runs in the foreground; see syncd(8).\n"
            "  --state DIR    the state directory (/var/lib/quoin, or QUOIN_STATE)\n"
            "  --config FILE  the configuration (/etc/quoin/quoin.conf)\n"
            "  --version, --help\n"),
          out);
}

/* Keys and records are in this memory: no core file, no debugger of another user. */
static void shut_in(void)
{
    struct rlimit none = {0, 0};
    umask(077);
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* The store is a mapped file: where the file ends too early or the disk fails, reading it is a
 * SIGBUS. A handler has no context, hence the static text. */
static char bus_text[512];

static void on_bus_error(int signal)
{
    ssize_t ignored = write(STDERR_FILENO, bus_text, strlen(bus_text));
    (void)ignored;
    _exit(QN_EXIT_FAILED);
}

static void survive_bus_errors(const char *state_dir)
{
    struct sigaction action = {.sa_handler = on_bus_error};
    snprintf(bus_text, sizeof(bus_text) - 1,
             _("syncd: the store in %s/store is cut short, or its disk cannot be read; restore it "
               "or join again in a new state directory"),
             state_dir);
    strcat(bus_text, "\n");
    sigaction(SIGBUS, &action, NULL);
}

static void speak(void)
{
    const char *folder = getenv("QUOIN_LOCALEDIR");
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C");
    bindtextdomain("quoin", folder != NULL && folder[0] != '\0' ? folder : QN_LOCALEDIR);
    bind_textdomain_codeset("quoin", "UTF-8");
    textdomain("quoin");
}

/* A job's buffers go back to the system when it ends. By itself glibc moves the line between its
 * heaps and mappings up to the largest buffer that was freed, and keeps a heap for each thread. */
static void bound_heaps(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    mallopt(M_ARENA_MAX, 2);
#endif
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"state", required_argument, NULL, 's'},
                                          {"config", required_argument, NULL, 'c'},
                                          {"version", no_argument, NULL, 'v'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    const char *state = getenv("QUOIN_STATE");
    struct qn_daemon_options options = {
        .state_dir = state != NULL && state[0] != '\0' ? state : "/var/lib/quoin",
        .config_path = "/etc/quoin/quoin.conf",
        .version = QN_VERSION};
    bound_heaps();
    speak();
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 's') {
            options.state_dir = optarg;
        } else if (c == 'c') {
            options.config_path = optarg;
        } else if (c == 'v') {
            printf("syncd (Quoin) %s\n", QN_VERSION);
            return 0;
        } else {
            usage(c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : EX_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, _("syncd: unexpected argument: %s\n"), argv[optind]);
        usage(stderr);
        return EX_USAGE;
    }
    shut_in();
    survive_bus_errors(options.state_dir);
    return qn_daemon_run(&options);
}
