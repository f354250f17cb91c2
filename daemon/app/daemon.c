#include "app/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "app/control.h"
#include "app/driver.h"
#include "app/i18n.h"
#include "app/machine.h"
#include "app/setup.h"
#include "app/words.h"
#include "base/assert.h"

#define DEFAULT_PORT           7117
#define CONFIG_ERRORS_SIZE_MAX (64 * 1024)
#define STOP_TIME_S            4 /* then the process ends, whatever still waits */

struct daemon {
    const struct qn_daemon_options *options;
    struct qn_config config;
    struct qn_setup setup;
    struct qn_log log;
    char path[4096]; /* scratch */
    char kit_path[4096];
    struct qn_os_lock *lock;
    struct qn_loop *loop;
    struct qn_signer *signer;
    struct qn_store *store;
    struct qn_applier *applier;
    struct qn_core *core;
    struct qn_net *net;
    struct qn_driver *driver;
    struct qn_control *control;
    struct qn_os_watermark *watermark;
    bool may_be_restored;
    struct qn_timer *watchdog;
    struct qn_signal *signals[3];
    char addresses[QN_ADDRESSES_MAX][QN_ADDRESS_SIZE_MAX + 1];
    size_t address_count;
    bool is_stopping, control_closed, net_closed;
    int status;
};

static const char *in_state_dir(struct daemon *daemon, const char *name)
{
    snprintf(daemon->path, sizeof(daemon->path), "%s/%s", daemon->options->state_dir, name);
    return daemon->path;
}

/* ---- ending ---- */

static void on_control_closed(void *context)
{
    struct daemon *daemon = context;
    daemon->control = NULL;
    daemon->control_closed = true;
}

static void on_net_closed(void *context)
{
    struct daemon *daemon = context;
    daemon->net = NULL;
    daemon->net_closed = true;
}

/* Asynchronous-signal-safe: the loop may be stuck in a disk that does not answer. What is committed
 * is safe; what is not was not acknowledged. */
static void on_stop_timeout(int number)
{
    _exit(QN_EXIT_FAILED);
}

static void limit_stop_time(void)
{
    struct sigaction action = {.sa_handler = on_stop_timeout};
    sigaction(SIGALRM, &action, NULL);
    alarm(STOP_TIME_S);
}

static void on_stopped(void *context)
{
    struct daemon *daemon = context;
    qn_loop_stop(daemon->loop);
}

static void stop(struct daemon *daemon)
{
    if (daemon->is_stopping)
        return;
    daemon->is_stopping = true;
    limit_stop_time();
    qn_os_notify("STOPPING=1");
    qn_log(&daemon->log, QN_LOG_INFO, "stopping");
    if (daemon->control != NULL)
        qn_control_stop(daemon->control);
    qn_driver_stop(daemon->driver);
}

static void on_terminate(void *context)
{
    stop(context);
}

static void on_fatal(void *context, enum qn_err err)
{
    struct daemon *daemon = context;
    qn_log(&daemon->log, QN_LOG_ERROR,
           "the store has failed (%s); the daemon ends so that it is opened afresh",
           qn_err_name(err));
    daemon->status = QN_EXIT_FAILED;
    stop(daemon);
}

/* ---- while it runs ---- */

static bool needs_restart(const struct qn_config *a, const struct qn_config *b)
{
    return strcmp(a->listen, b->listen) != 0 || strcmp(a->advertise, b->advertise) != 0 ||
           a->map_size != b->map_size || strcmp(a->control_group, b->control_group) != 0;
}

static void log_mistakes(struct daemon *daemon, struct qn_buf *errors)
{
    qn_buf_append_u8(errors, 0);
    char *rest = (char *)errors->data;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '\0')
            qn_log(&daemon->log, QN_LOG_ERROR, "configuration: %s", line);
}

static void on_reload(void *context)
{
    struct daemon *daemon = context;
    struct qn_config config;
    QN_AUTO_BUF struct qn_buf errors;
    qn_buf_init(&errors, CONFIG_ERRORS_SIZE_MAX);
    qn_os_notify("RELOADING=1");
    if (qn_config_read(daemon->options->config_path, &config, &errors) != QN_OK) {
        log_mistakes(daemon, &errors);
        qn_log(&daemon->log, QN_LOG_ERROR,
               "%s has mistakes: the running configuration stays; correct it and reload",
               daemon->options->config_path);
    } else {
        daemon->log.level = config.log_level;
        qn_log(&daemon->log, QN_LOG_INFO, "%s was read again%s", daemon->options->config_path,
               needs_restart(&daemon->config, &config)
                   ? "; what changed besides the log's level needs a restart"
                   : "");
    }
    qn_os_notify("READY=1");
}

/* Fed only while the loop turns and the store can be read. */
static void on_watchdog(void *context)
{
    struct daemon *daemon = context;
    struct qn_kv *kv;
    struct qn_span key, value;
    if (qn_store_read_begin(daemon->store, &kv) == QN_OK) {
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_META, qn_span_str(" "), &key, &value);
        qn_store_read_end(daemon->store);
        if (err == QN_OK || err == QN_ERR_NOTFOUND)
            qn_os_notify("WATCHDOG=1");
    }
    qn_timer_set(daemon->watchdog, qn_os_watchdog_ms() / 2);
}

static void on_reply(void *context, uint64_t request, const struct qn_effect *reply)
{
    struct daemon *daemon = context;
    if (daemon->control != NULL)
        qn_control_reply(daemon->control, request, reply);
}

static uint64_t writer_wall_ms(void *context)
{
    return qn_os_wall_ms();
}

static uint64_t writer_entropy(void *context)
{
    uint64_t entropy;
    qn_os_random(&entropy, sizeof(entropy));
    return entropy;
}

/* ---- starting, in the order in which it can fail ---- */

static int read_config(struct daemon *daemon)
{
    QN_AUTO_BUF struct qn_buf errors;
    qn_buf_init(&errors, CONFIG_ERRORS_SIZE_MAX);
    if (qn_config_read(daemon->options->config_path, &daemon->config, &errors) == QN_OK) {
        daemon->log.level = daemon->config.log_level;
        return 0;
    }
    fprintf(stderr, "%.*s", (int)errors.size, (const char *)errors.data);
    return EX_CONFIG;
}

static int read_setup(struct daemon *daemon)
{
    enum qn_err err = qn_setup_read(daemon->options->state_dir, &daemon->setup);
    if (err == QN_OK)
        return 0;
    if (err == QN_ERR_NOTFOUND)
        fprintf(stderr,
                _("syncd: %s is not initialised. Run: syncctl init --state %s --site NAME "
                  "--group GROUP, or --join CODE\n"),
                daemon->options->state_dir, daemon->options->state_dir);
    else
        fprintf(stderr,
                _("syncd: the files identity.key and site.quoin in %s cannot be read (%s)\n"),
                daemon->options->state_dir, qn_err_words(err));
    return err == QN_ERR_NOTFOUND ? EX_CONFIG : QN_EXIT_FAILED;
}

/* A group may be let in (quoin.conf(5), [control]); what is secret in it is 0600 anyway. */
static int check_state_dir(struct daemon *daemon)
{
    struct stat status;
    const char *path = daemon->options->state_dir;
    if (stat(path, &status) != 0 || (status.st_mode & 0027) == 0)
        return 0; /* if it is not there, the next to look says so */
    if (chmod(path, 0700) != 0) {
        fprintf(stderr, _("syncd: %s is open to others and cannot be closed; run: chmod 700 %s\n"),
                path, path);
        return QN_EXIT_FAILED;
    }
    qn_log(&daemon->log, QN_LOG_WARNING, "%s was open to others; it is 0700 now", path);
    return 0;
}

static int take_lock(struct daemon *daemon)
{
    enum qn_err err = qn_os_lock_take(in_state_dir(daemon, "syncd.lock"), &daemon->lock);
    if (err == QN_OK)
        return 0;
    if (err == QN_ERR_BUSY)
        fprintf(stderr, _("syncd: another syncd uses %s\n"), daemon->options->state_dir);
    else
        fprintf(stderr, _("syncd: %s: %s\n"), daemon->path, qn_err_words(err));
    return QN_EXIT_FAILED;
}

static enum qn_err open_store(struct daemon *daemon)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/store", daemon->options->state_dir);
    struct qn_store_options options = {.path = path,
                                       .map_size = daemon->config.map_size,
                                       .wall_ms = writer_wall_ms,
                                       .entropy = writer_entropy};
    QN_TRY(qn_store_open(&options, &daemon->store));
    QN_TRY(qn_signer_new(daemon->setup.seed, &daemon->signer));
    struct qn_site_id site;
    qn_site_id_of(qn_signer_public(daemon->signer), &site);
    daemon->applier = qn_applier_new(&site, daemon->signer);
    struct qn_machine machine;
    QN_TRY(qn_machine_check(daemon->options->state_dir, daemon->store, &machine));
    daemon->watermark = machine.watermark;
    daemon->may_be_restored = machine.is_restored;
    if (machine.is_restored)
        qn_log(&daemon->log, QN_LOG_INFO,
               "another boot, machine or copy of the store than before: the next write uses a new "
               "incarnation");
    return qn_machine_take(&machine, daemon->store, &site, daemon->signer);
}

static void add_address(struct daemon *daemon, const char *address)
{
    if (daemon->address_count < QN_ADDRESSES_MAX)
        snprintf(daemon->addresses[daemon->address_count++], sizeof(daemon->addresses[0]), "%.*s",
                 QN_ADDRESS_SIZE_MAX, address);
}

static bool is_wildcard(const char *address)
{
    return strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
}

/* With --advertise nothing else is told to anyone. */
static void find_addresses(struct daemon *daemon, const char *bound)
{
    const char *advertise =
        daemon->config.advertise[0] != '\0' ? daemon->config.advertise : daemon->setup.advertise;
    if (advertise[0] != '\0') {
        add_address(daemon, advertise);
    } else if (bound != NULL && !is_wildcard(bound)) {
        add_address(daemon, bound);
    } else if (bound != NULL) {
        char own[QN_ADDRESSES_MAX][262];
        unsigned long port = strtoul(strrchr(bound, ':') + 1, NULL, 10);
        size_t count = qn_os_own_addresses((uint16_t)port, own, QN_ADDRESSES_MAX);
        for (size_t i = 0; i < count; i++)
            add_address(daemon, own[i]);
    }
}

static enum qn_err make_net(struct daemon *daemon)
{
    struct qn_net_options options = {.seed = daemon->setup.seed,
                                     .callbacks = qn_driver_net_callbacks(),
                                     .context = &daemon->driver};
    return qn_net_new(daemon->loop, &options, &daemon->net);
}

static int listen_for_sites(struct daemon *daemon)
{
    const char *listen =
        daemon->config.listen[0] != '\0' ? daemon->config.listen : daemon->setup.listen;
    char fallback[64];
    snprintf(fallback, sizeof(fallback), "[::]:%d", DEFAULT_PORT);
    enum qn_err err = qn_net_listen(daemon->net, listen[0] != '\0' ? listen : fallback);
    if (err != QN_OK && listen[0] == '\0') { /* a machine without IPv6 */
        snprintf(fallback, sizeof(fallback), "0.0.0.0:%d", DEFAULT_PORT);
        err = qn_net_listen(daemon->net, fallback);
    }
    if (err != QN_OK)
        fprintf(stderr,
                _("syncd: cannot listen on %s: %s\n"
                  "  End the program that uses it, or choose another address: listen in section "
                  "[site] of %s.\n"),
                listen[0] != '\0' ? listen : fallback, qn_net_error_text(daemon->net),
                daemon->options->config_path);
    find_addresses(daemon, qn_net_listen_address(daemon->net));
    return err == QN_OK ? 0 : QN_EXIT_FAILED;
}

static enum qn_err load_core(struct daemon *daemon)
{
    struct qn_code code;
    bool has_code = daemon->setup.join != NULL;
    if (has_code)
        QN_TRY(qn_code_parse(qn_span_str(daemon->setup.join), &code));
    uint64_t seed;
    qn_os_random(&seed, sizeof(seed));
    struct qn_core_options options = {
        .signer = daemon->signer,
        .keys = {.site = *qn_signer_public(daemon->signer),
                 .recovery_sign = daemon->setup.recovery_sign,
                 .recovery_seal = daemon->setup.recovery_seal},
        .name = daemon->setup.name,
        .legal_entity = daemon->setup.legal_entity,
        .version = daemon->options->version,
        .genesis = qn_span(daemon->setup.genesis, daemon->setup.genesis_size),
        .join = has_code ? &code : NULL,
        .addresses = (const char(*)[QN_ADDRESS_SIZE_MAX + 1]) daemon->addresses,
        .address_count = daemon->address_count,
        .seed = seed,
        .may_be_restored = daemon->may_be_restored};
    daemon->core = qn_core_new(&options);
    struct qn_kv *kv;
    QN_TRY(qn_store_read_begin(daemon->store, &kv));
    enum qn_err err = qn_applier_load(daemon->applier, kv);
    if (err == QN_OK)
        err = qn_core_load(daemon->core, kv);
    qn_store_read_end(daemon->store);
    return err;
}

static enum qn_err start_driver(struct daemon *daemon)
{
    snprintf(daemon->kit_path, sizeof(daemon->kit_path), "%s/recovery-kit.txt",
             daemon->options->state_dir);
    daemon->driver = qn_driver_new(&(struct qn_driver_options){.loop = daemon->loop,
                                                               .net = daemon->net,
                                                               .store = daemon->store,
                                                               .core = daemon->core,
                                                               .log = &daemon->log,
                                                               .watermark = daemon->watermark,
                                                               .kit_path = daemon->kit_path,
                                                               .on_reply = on_reply,
                                                               .on_fatal = on_fatal,
                                                               .on_stopped = on_stopped,
                                                               .context = daemon});
    QN_TRY(qn_store_start(daemon->store, daemon->applier, qn_driver_wake, daemon->driver));
    char path[4096];
    snprintf(path, sizeof(path), "%s/control.sock", daemon->options->state_dir);
    struct qn_control_options control = {.loop = daemon->loop,
                                         .path = path,
                                         .group = daemon->config.control_group,
                                         .log = &daemon->log};
    QN_TRY(qn_control_new(&control, &daemon->control));
    qn_driver_start(daemon->driver);
    return qn_control_start(daemon->control, daemon->driver);
}

static enum qn_err start_signals(struct daemon *daemon)
{
    QN_TRY(qn_signal_new(daemon->loop, SIGTERM, on_terminate, daemon, &daemon->signals[0]));
    QN_TRY(qn_signal_new(daemon->loop, SIGINT, on_terminate, daemon, &daemon->signals[1]));
    QN_TRY(qn_signal_new(daemon->loop, SIGHUP, on_reload, daemon, &daemon->signals[2]));
    if (qn_os_watchdog_ms() > 0) {
        daemon->watchdog = qn_timer_new(daemon->loop, on_watchdog, daemon);
        qn_timer_set(daemon->watchdog, 1);
    }
    return QN_OK;
}

static int cannot_start(enum qn_err err)
{
    fprintf(stderr, _("syncd: cannot start: %s\n"), qn_err_words(err));
    return QN_EXIT_FAILED;
}

static int store_failed(const struct daemon *daemon, enum qn_err err)
{
    if (err == QN_ERR_CORRUPT)
        fprintf(stderr,
                _("syncd: the store in %s/store is damaged, or identity.key is not the one that it "
                  "was made with; restore both, or join again in a new state directory\n"),
                daemon->options->state_dir);
    else
        fprintf(stderr, _("syncd: the store in %s/store cannot be used: %s\n"),
                daemon->options->state_dir, qn_err_words(err));
    return QN_EXIT_FAILED;
}

static int start(struct daemon *daemon)
{
    int status = read_config(daemon);
    if (status == 0)
        status = read_setup(daemon);
    if (status == 0)
        status = check_state_dir(daemon);
    if (status == 0)
        status = take_lock(daemon);
    if (status != 0)
        return status;
    enum qn_err err = open_store(daemon);
    if (err != QN_OK)
        return store_failed(daemon, err);
    err = qn_loop_new(&daemon->loop);
    if (err == QN_OK)
        err = make_net(daemon);
    if (err != QN_OK)
        return cannot_start(err);
    status = listen_for_sites(daemon);
    if (status != 0)
        return status;
    err = load_core(daemon);
    if (err != QN_OK)
        return store_failed(daemon, err);
    err = start_signals(daemon);
    if (err == QN_OK)
        err = start_driver(daemon);
    return err == QN_OK ? 0 : cannot_start(err);
}

/* ---- tear-down: also of what was started half ---- */

static void close_handles(struct daemon *daemon)
{
    daemon->control_closed = daemon->control == NULL;
    daemon->net_closed = daemon->net == NULL;
    if (daemon->control != NULL)
        qn_control_close(daemon->control, on_control_closed, daemon);
    if (daemon->net != NULL)
        qn_net_close(daemon->net, on_net_closed, daemon);
    for (size_t i = 0; i < 3; i++)
        qn_signal_free(daemon->signals[i]);
    qn_timer_free(daemon->watchdog);
    while (!daemon->control_closed || !daemon->net_closed)
        qn_loop_wait(daemon->loop);
}

static void tear_down(struct daemon *daemon)
{
    if (daemon->loop != NULL)
        close_handles(daemon);
    qn_store_close(daemon->store); /* commits what is queued */
    qn_driver_free(daemon->driver);
    if (daemon->loop != NULL)
        while (qn_loop_turn(daemon->loop))
            ;
    qn_core_free(daemon->core);
    qn_applier_free(daemon->applier);
    qn_signer_free(daemon->signer);
    if (daemon->loop != NULL)
        qn_loop_free(daemon->loop);
    qn_os_watermark_free(daemon->watermark);
    qn_setup_deinit(&daemon->setup);
    qn_os_lock_free(daemon->lock);
}

static void say_ready(struct daemon *daemon)
{
    char status[256];
    snprintf(status, sizeof(status), "READY=1\nSTATUS=site %s", daemon->setup.name);
    printf("syncd: ready\n");
    fflush(stdout);
    qn_os_notify(status);
    qn_log(&daemon->log, QN_LOG_INFO, "site %s is ready; others reach it at %s", daemon->setup.name,
           daemon->address_count > 0 ? daemon->addresses[0] : "no address");
}

int qn_daemon_run(const struct qn_daemon_options *options)
{
    struct daemon *daemon = QN_NEW(struct daemon);
    daemon->options = options;
    qn_log_init(&daemon->log, QN_LOG_INFO, qn_os_boot_ms);
    daemon->status = start(daemon);
    if (daemon->status == 0) {
        say_ready(daemon);
        qn_loop_run(daemon->loop);
    }
    int status = daemon->status;
    tear_down(daemon);
    qn_free(daemon);
    return status;
}
