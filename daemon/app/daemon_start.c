/* Starting the daemon, in the order in which it can fail. What goes wrong is said once, on standard
 * error, with its remedy. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "app/daemon_impl.h"
#include "app/i18n.h"
#include "app/machine.h"
#include "app/words.h"

#define DEFAULT_PORT 7117
#define MAIL_LOOK_MS 2000

/* ---- what needs no loop ---- */

static const char *in_state_dir(struct daemon *daemon, const char *name)
{
    snprintf(daemon->path, sizeof(daemon->path), "%s/%s", daemon->options->state_dir, name);
    return daemon->path;
}

/* The language of mail, before there are threads. A locale of letters is enough: which words are
 * taken is LANGUAGE's. */
static void speak(const char *language)
{
    if (language[0] == '\0')
        return;
    setenv("LANGUAGE", language, 1);
    const char *locale = setlocale(LC_MESSAGES, NULL);
    if (locale == NULL || strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0)
        setlocale(LC_MESSAGES, "C.UTF-8");
}

static int read_config(struct daemon *daemon)
{
    QN_AUTO_BUF struct qn_buf errors;
    qn_buf_init(&errors, CONFIG_ERRORS_SIZE_MAX);
    if (qn_config_read(daemon->options->config_path, &daemon->config, &errors) == QN_OK) {
        daemon->log.level = daemon->config.log_level;
        daemon_check_trust(daemon, &daemon->config);
        speak(daemon->config.mail.language);
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

/* ---- the rooms ---- */

static enum qn_err open_store(struct daemon *daemon)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/store", daemon->options->state_dir);
    struct qn_store_options options = {.path = path,
                                       .map_size = daemon->config.map_size,
                                       .wall_ms = qn_store_wall_ms,
                                       .entropy = qn_store_entropy};
    QN_TRY(qn_store_open(&options, &daemon->store));
    QN_TRY(qn_signer_new(daemon->setup.seed, &daemon->signer));
    if (daemon->setup.has_kit_seed)
        QN_TRY(qn_kit_signer(daemon->setup.kit_seed, &daemon->recovery));
    qn_setup_site_id(&daemon->setup, qn_signer_public(daemon->signer), &daemon->id);
    daemon->applier = qn_applier_new(&daemon->id, daemon->signer);
    struct qn_machine machine;
    QN_TRY(qn_machine_check(daemon->options->state_dir, daemon->store, &machine));
    daemon->watermark = machine.watermark;
    if (machine.is_restored)
        qn_log(&daemon->log, QN_LOG_INFO,
               "another boot, machine or copy of the store than before: the next write uses a new "
               "incarnation");
    return qn_machine_take(&machine, daemon->store, &daemon->id, daemon->signer);
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
    return err == QN_OK           ? 0
           : err == QN_ERR_DENIED ? EX_CONFIG /* does not go away by itself */
                                  : QN_EXIT_FAILED;
}

/* The invitation; after a recovery the address of who helped, and what tells the group. */
static enum qn_err find_code(const struct qn_setup *setup, struct qn_code *ret_code,
                             bool *ret_has_code)
{
    *ret_has_code = setup->join != NULL || setup->is_recovered;
    if (setup->join != NULL)
        return qn_code_parse(qn_span_str(setup->join), ret_code);
    *ret_code = (struct qn_code){.address_count = setup->is_recovered};
    memcpy(ret_code->group_prefix, setup->group_prefix, sizeof(ret_code->group_prefix));
    snprintf(ret_code->addresses[0], sizeof(ret_code->addresses[0]), "%s", setup->from);
    return QN_OK;
}

static enum qn_err load_core(struct daemon *daemon)
{
    struct qn_code code;
    bool has_code;
    QN_TRY(find_code(&daemon->setup, &code, &has_code));
    uint64_t seed;
    qn_os_random(&seed, sizeof(seed));
    struct qn_core_options options = {
        .site = daemon->id,
        .signer = daemon->signer,
        .keys = {.site = *qn_signer_public(daemon->signer),
                 .recovery_sign = daemon->setup.recovery_sign,
                 .recovery_seal = daemon->setup.recovery_seal},
        .name = daemon->setup.name,
        .legal_entity = daemon->setup.legal_entity,
        .version = daemon->options->version,
        .genesis = qn_span(daemon->setup.genesis, daemon->setup.genesis_size),
        .join = has_code ? &code : NULL,
        .recovery = daemon->recovery,
        .kit_seed = daemon->setup.has_kit_seed ? daemon->setup.kit_seed : NULL,
        .addresses = (const char(*)[QN_ADDRESS_SIZE_MAX + 1]) daemon->addresses,
        .address_count = daemon->address_count,
        .seed = seed,
        .rate = &daemon->config.rate,
        .log = daemon_log_caps(&daemon->config),
        .history_days = daemon->config.records.history_days,
        .disk_bytes = qn_os_disk_bytes(daemon->options->state_dir)};
    qn_os_boot(options.boot.bytes);
    options.sealed_key = qn_backups_sealed_key(daemon->backups, &options.key_epoch);
    daemon->core = qn_core_new(&options);
    struct qn_kv *kv;
    QN_TRY(qn_store_read_begin(daemon->store, &kv));
    enum qn_err err = qn_applier_load(daemon->applier, kv);
    if (err == QN_OK)
        err = qn_core_load(daemon->core, kv);
    qn_store_read_end(daemon->store);
    return err;
}

static enum qn_err start_backups(struct daemon *daemon)
{
    const struct qn_setup *setup = &daemon->setup;
    struct qn_backups_options options = {.loop = daemon->loop,
                                         .state_dir = daemon->options->state_dir,
                                         .site = setup->name,
                                         .id = &daemon->id,
                                         .recovery_seal = &setup->recovery_seal,
                                         .store = daemon->store,
                                         .config = &daemon->config,
                                         .kit_seed = setup->has_kit_seed ? setup->kit_seed : NULL,
                                         .log = &daemon->log,
                                         .reader_socket = qn_config_reader(&daemon->config),
                                         .on_view_ready = daemon_on_view_ready,
                                         .context = daemon};
    return qn_backups_new(&options, &daemon->backups);
}

static enum qn_err start_staff(struct daemon *daemon)
{
    struct qn_staff_options options = {.loop = daemon->loop,
                                       .local = qn_local_rows_door(daemon->local),
                                       .log = &daemon->log,
                                       .site = daemon->setup.name,
                                       .id = &daemon->id,
                                       .signer = daemon->signer,
                                       .keep_months = daemon->config.audit_keep_months,
                                       .find_thing = daemon_find_thing,
                                       .pack_proof = daemon_pack_proof,
                                       .reply = daemon_on_staff_reply,
                                       .on_password = daemon_on_password,
                                       .on_checkpoint = daemon_on_checkpoint,
                                       .context = daemon};
    return qn_staff_new(&options, &daemon->staff);
}

/* What finds that the index has been made anew tells the other. */
static void on_feed_renewed(void *context)
{
    qn_search_files_renew(((struct daemon *)context)->search_files);
}

static void on_files_renewed(void *context)
{
    qn_search_feed_renew(((struct daemon *)context)->search_feed);
}

static void make_search_files(struct daemon *daemon)
{
    daemon->search_files = qn_search_files_new(
        &(struct qn_search_files_options){.loop = daemon->loop,
                                          .log = &daemon->log,
                                          .search = qn_search_feed_search(daemon->search_feed)});
    qn_search_feed_on_renewed(daemon->search_feed, on_feed_renewed, daemon);
    qn_search_files_on_renewed(daemon->search_files, on_files_renewed, daemon);
}

/* Without an index the daemon does all its other work. */
static void start_search(struct daemon *daemon)
{
    struct qn_search_feed_options options = {.loop = daemon->loop,
                                             .store = daemon->store,
                                             .core = daemon->core,
                                             .log = &daemon->log,
                                             .state_dir = daemon->options->state_dir};
    enum qn_err err = qn_search_feed_new(&options, &daemon->search_feed);
    if (err != QN_OK)
        qn_log(&daemon->log, QN_LOG_ERROR,
               "the search index cannot be opened (%s); searching has to wait for the next start",
               qn_err_name(err));
    else
        make_search_files(daemon);
    daemon->search_command =
        qn_search_command_new(daemon->driver, daemon->search_feed, daemon->search_files);
}

static void start_search_files(struct daemon *daemon)
{
    struct qn_folders_watch watch;
    if (daemon->search_files == NULL)
        return;
    qn_search_files_watch(daemon->search_files, &watch);
    qn_folders_watch(daemon->folders, &watch);
    qn_search_files_start(daemon->search_files);
}

static enum qn_err start_driver(struct daemon *daemon)
{
    snprintf(daemon->kit_path, sizeof(daemon->kit_path), "%s/recovery-kit.txt",
             daemon->options->state_dir);
    daemon->local = qn_local_rows_new(daemon->loop, daemon->store);
    daemon->driver =
        qn_driver_new(&(struct qn_driver_options){.loop = daemon->loop,
                                                  .net = daemon->net,
                                                  .store = daemon->store,
                                                  .core = daemon->core,
                                                  .log = &daemon->log,
                                                  .watermark = daemon->watermark,
                                                  .local = daemon->local,
                                                  .kit_path = daemon->kit_path,
                                                  .on_health = daemon_on_health,
                                                  .on_reply = daemon_on_reply,
                                                  .on_fatal = daemon_on_fatal,
                                                  .on_stopped = daemon_on_stopped,
                                                  .on_commits = daemon_on_commits,
                                                  .context = daemon,
                                                  .on_job = qn_backups_on_job,
                                                  .on_job_stop = qn_backups_on_job_stop,
                                                  .on_file = qn_backups_on_file,
                                                  .on_vault_key = qn_backups_on_vault_key,
                                                  .on_recovered = qn_backups_on_recovered,
                                                  .work = daemon->backups});
    qn_backups_set_driver(daemon->backups, daemon->driver);
    start_search(daemon);
    QN_TRY(qn_store_start(daemon->store, daemon->applier, qn_driver_wake, daemon->driver));
    daemon->folders =
        qn_folders_new(&(struct qn_folders_options){.loop = daemon->loop,
                                                    .log = &daemon->log,
                                                    .state_dir = daemon->options->state_dir,
                                                    .local = qn_local_rows_door(daemon->local)});
    qn_folders_start(daemon->folders, daemon->driver);
    start_search_files(daemon);
    QN_TRY(start_staff(daemon));
    char path[4096];
    snprintf(path, sizeof(path), "%s/control.sock", daemon->options->state_dir);
    struct qn_control_options control = {.loop = daemon->loop,
                                         .path = path,
                                         .group = daemon->config.control_group,
                                         .config = &daemon->config,
                                         .log = &daemon->log,
                                         .https = &daemon->https,
                                         .views = qn_backups_views(daemon->backups),
                                         .staff = daemon->staff};
    QN_TRY(qn_control_new(&control, &daemon->control));
    qn_driver_start(daemon->driver);
    return qn_control_start(daemon->control, daemon->driver);
}

static void start_trail_watch(struct daemon *daemon)
{
    daemon->key = *qn_signer_public(daemon->signer);
    daemon->trail_watch =
        qn_trail_watch_new(&(struct qn_trail_watch_options){.loop = daemon->loop,
                                                            .log = &daemon->log,
                                                            .store = daemon->store,
                                                            .driver = daemon->driver,
                                                            .id = &daemon->id,
                                                            .key = &daemon->key});
}

static void start_mailer(struct daemon *daemon)
{
    struct qn_mailer_options options = {.loop = daemon->loop,
                                        .log = &daemon->log,
                                        .state_dir = daemon->options->state_dir,
                                        .site = daemon->setup.name,
                                        .wall_ms = qn_os_wall_ms,
                                        .look_ms = MAIL_LOOK_MS,
                                        .alerts = daemon_alerts,
                                        .context = daemon};
    daemon->mailer = qn_mailer_new(&options);
    qn_mailer_configure(daemon->mailer, &daemon->config);
}

static void start_https(struct daemon *daemon)
{
    struct qn_https_options options = {.loop = daemon->loop,
                                       .log = &daemon->log,
                                       .control = daemon->control,
                                       .local = qn_local_rows_door(daemon->local),
                                       .folders = daemon->folders,
                                       .driver = daemon->driver,
                                       .net = daemon->net,
                                       .people = qn_staff_people(daemon->staff),
                                       .audit = qn_staff_audit(daemon->staff),
                                       .state_dir = daemon->options->state_dir,
                                       .site = daemon->setup.name};
    daemon->https = qn_https_new(&options);
    qn_https_configure(daemon->https, &daemon->config);
    qn_search_command_reach(daemon->search_command, daemon->https);
}

static enum qn_err start_signals(struct daemon *daemon)
{
    QN_TRY(qn_signal_new(daemon->loop, SIGTERM, daemon_on_terminate, daemon, &daemon->signals[0]));
    QN_TRY(qn_signal_new(daemon->loop, SIGINT, daemon_on_terminate, daemon, &daemon->signals[1]));
    QN_TRY(qn_signal_new(daemon->loop, SIGHUP, daemon_on_reload, daemon, &daemon->signals[2]));
    if (qn_os_watchdog_ms() > 0) {
        daemon->watchdog = qn_timer_new(daemon->loop, daemon_on_watchdog, daemon);
        qn_timer_set(daemon->watchdog, 1);
    }
    return QN_OK;
}

/* What is not allowed, a port or a group of the configuration, does not go away by itself. */
static int cannot_start(enum qn_err err)
{
    fprintf(stderr, _("syncd: cannot start: %s\n"), qn_err_words(err));
    if (err == QN_ERR_DENIED)
        return EX_CONFIG;
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

int daemon_start(struct daemon *daemon)
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
    err = start_backups(daemon); /* before the core, which tells holders the sealed key */
    if (err != QN_OK)
        return cannot_start(err);
    err = load_core(daemon);
    if (err != QN_OK)
        return store_failed(daemon, err);
    err = start_signals(daemon);
    if (err == QN_OK)
        err = start_driver(daemon);
    if (err == QN_OK) {
        start_trail_watch(daemon);
        start_mailer(daemon);
        start_https(daemon);
    }
    return err == QN_OK ? 0 : cannot_start(err);
}
