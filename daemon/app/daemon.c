#include "app/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/daemon_impl.h"
#include "model/trail.h"
#include "people/audit.h"
#include "proto/pack.h"

#define STOP_TIME_S 4 /* then the process ends, whatever still waits */

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

static void on_https_closed(void *context)
{
    struct daemon *daemon = context;
    daemon->https_closed = true;
}

static void limit_stop_time(void)
{
    struct sigaction action = {.sa_handler = on_stop_timeout};
    sigaction(SIGALRM, &action, NULL);
    alarm(STOP_TIME_S);
}

void daemon_on_stopped(void *context)
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
    if (daemon->https != NULL)
        qn_https_stop(daemon->https);
    if (daemon->control != NULL)
        qn_control_stop(daemon->control);
    qn_driver_stop(daemon->driver);
}

void daemon_on_terminate(void *context)
{
    stop(context);
}

void daemon_on_fatal(void *context, enum qn_err err)
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
           a->map_size != b->map_size || strcmp(a->mail.language, b->mail.language) != 0 ||
           strcmp(a->control_group, b->control_group) != 0;
}

static void log_mistakes(struct daemon *daemon, struct qn_buf *errors)
{
    qn_buf_append_u8(errors, 0);
    char *rest = (char *)errors->data;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '\0')
            qn_log(&daemon->log, QN_LOG_ERROR, "configuration: %s", line);
}

void daemon_check_trust(struct daemon *daemon, const struct qn_config *config)
{
    bool has_programs = config->backup_count > 0 || config->mail.to[0] != '\0';
    if (has_programs && config->distrusted[0] != '\0')
        qn_log(&daemon->log, QN_LOG_ERROR,
               "others than root may change %s: no command of the configuration is run until it is "
               "given to root and closed to others (chown root:root, chmod go-w)",
               config->distrusted);
}

struct qn_log_caps daemon_log_caps(const struct qn_config *config)
{
    const struct qn_config_records *records = &config->records;
    return (struct qn_log_caps){
        .ops = records->log_ops, .bytes = records->log_bytes, .days = records->log_days};
}

/* What holds at once; the rest needs a restart. */
static void take_config(struct daemon *daemon, const struct qn_config *config)
{
    daemon->log.level = config->log_level;
    daemon_check_trust(daemon, config);
    qn_backups_configure(daemon->backups, config);
    qn_core_set_rate(daemon->core, &config->rate);
    struct qn_log_caps caps = daemon_log_caps(config);
    qn_core_set_log_caps(daemon->core, &caps);
    qn_core_set_history_days(daemon->core, config->records.history_days);
    qn_mailer_configure(daemon->mailer, config);
    qn_audit_set_keep(qn_staff_audit(daemon->staff), config->audit_keep_months);
    qn_https_configure(daemon->https, config);
    qn_control_configure(daemon->control, config);
}

void daemon_on_reload(void *context)
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
        take_config(daemon, &config);
        qn_log(&daemon->log, QN_LOG_INFO, "%s was read again%s", daemon->options->config_path,
               needs_restart(&daemon->config, &config)
                   ? "; some of what changed needs a restart (quoin.conf(5))"
                   : "");
    }
    qn_os_notify("READY=1");
}

/* Fed only while the loop turns and the store can be read. */
void daemon_on_watchdog(void *context)
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

void daemon_on_health(void *context, struct qn_health *health)
{
    struct daemon *daemon = context;
    if (daemon->mailer != NULL)
        qn_mailer_health(daemon->mailer, health);
    if (daemon->folders != NULL)
        qn_folders_health(daemon->folders, health);
    if (daemon->https != NULL)
        qn_https_health(daemon->https, health);
    qn_trail_watch_health(daemon->trail_watch, health);
}

size_t daemon_alerts(void *context, struct qn_alert **ret_alerts)
{
    struct daemon *daemon = context;
    struct qn_health health;
    qn_driver_health(daemon->driver, &health);
    return qn_core_alerts(daemon->core, &health, ret_alerts);
}

void daemon_on_view_ready(void *context)
{
    struct daemon *daemon = context;
    if (daemon->control != NULL)
        qn_control_wake(daemon->control);
}

void daemon_on_commits(void *context)
{
    struct daemon *daemon = context;
    if (daemon->search_feed != NULL)
        qn_search_feed_wake(daemon->search_feed);
}

void daemon_on_reply(void *context, uint64_t request, const struct qn_effect *reply)
{
    struct daemon *daemon = context;
    if ((request & QN_COPIES_TOKEN) != 0)
        qn_copies_reply(qn_backups_copies(daemon->backups), request, reply);
    else if ((request & QN_FOLDERS_TOKEN) != 0)
        qn_folders_reply(daemon->folders, request, reply);
    else if (request == QN_TRAIL_WATCH_TOKEN)
        qn_trail_watch_reply(daemon->trail_watch, reply);
    else if (daemon->control != NULL)
        qn_control_reply(daemon->control, request, reply);
}

void daemon_on_staff_reply(void *context, uint64_t token, const struct qn_effect *reply)
{
    struct daemon *daemon = context;
    if (daemon->control != NULL)
        qn_control_reply(daemon->control, token, reply);
}

/* A folder is a collection of its own kind. */
bool daemon_find_thing(void *context, enum qn_thing thing, struct qn_span name,
                       uint8_t ret_id[QN_THING_ID_SIZE])
{
    const struct daemon *daemon = context;
    const struct qn_coll_id *id = qn_core_collection(daemon->core, name);
    if (id == NULL || qn_core_is_folder(daemon->core, name) != (thing == QN_THING_FOLDER))
        return false;
    _Static_assert(sizeof(id->bytes) == QN_THING_ID_SIZE, "an id fits");
    memcpy(ret_id, id->bytes, sizeof(id->bytes));
    return true;
}

void daemon_on_password(void *context, struct qn_span name)
{
    const struct daemon *daemon = context;
    if (daemon->https != NULL)
        qn_https_forgive(daemon->https, name);
}

static void pack_keys(const struct qn_site *site, struct qn_buf *out)
{
    qn_pack_array(out, site->epochs.count);
    qn_vec_each (&site->epochs, key)
        qn_pack_bin(out, QN_SPAN_OF(key->bytes));
}

void daemon_on_checkpoint(void *context, const struct qn_audit_checkpoint *checkpoint)
{
    const struct daemon *daemon = context;
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_TRAIL_CHECKPOINT_SIZE_MAX);
    qn_audit_checkpoint_pack(checkpoint, &row);
    qn_driver_trail(daemon->driver, checkpoint->seq, qn_buf_view(&row));
}

/* Before this site has joined a group its one key stands in no ledger. */
void daemon_pack_proof(void *context, struct qn_buf *out)
{
    const struct daemon *daemon = context;
    const struct qn_group *group = qn_core_group(daemon->core);
    const struct qn_site *site = group != NULL ? qn_group_site(group, &daemon->id) : NULL;
    qn_pack_map(out, 2);
    qn_pack_cstr(out, "id");
    qn_pack_bin(out, QN_SPAN_OF(daemon->id.bytes));
    qn_pack_cstr(out, "keys");
    if (site != NULL) {
        pack_keys(site, out);
    } else {
        qn_pack_array(out, 1);
        qn_pack_bin(out, QN_SPAN_OF(qn_signer_public(daemon->signer)->bytes));
    }
}

/* ---- tear-down: also of what was started half ---- */

static void close_handles(struct daemon *daemon)
{
    struct qn_https *https = daemon->https;
    daemon->https = NULL;
    daemon->https_closed = https == NULL;
    if (https != NULL)
        qn_search_command_reach(daemon->search_command, NULL);
    if (https != NULL) /* first: it has commands under way */
        qn_https_close(https, on_https_closed, daemon);
    daemon->control_closed = daemon->control == NULL;
    daemon->net_closed = daemon->net == NULL;
    if (daemon->control != NULL)
        qn_control_close(daemon->control, on_control_closed, daemon);
    if (daemon->net != NULL)
        qn_net_close(daemon->net, on_net_closed, daemon);
    for (size_t i = 0; i < 3; i++)
        qn_signal_free(daemon->signals[i]);
    qn_timer_free(daemon->watchdog);
    qn_mailer_free(daemon->mailer);
    daemon->mailer = NULL;
    qn_staff_stop(daemon->staff);
    qn_trail_watch_stop(daemon->trail_watch);
    while (!daemon->control_closed || !daemon->net_closed || !daemon->https_closed ||
           !qn_staff_is_idle(daemon->staff) || !qn_trail_watch_is_idle(daemon->trail_watch) ||
           (daemon->driver != NULL && !qn_driver_let_go(daemon->driver)))
        qn_loop_wait(daemon->loop);
    if (daemon->folders != NULL)
        qn_folders_watch(daemon->folders, NULL);
    qn_search_files_free(daemon->search_files); /* it uses both */
    qn_search_feed_free(daemon->search_feed);
    qn_search_command_free(daemon->search_command);
    qn_backups_free(daemon->backups);
    qn_folders_free(daemon->folders);
    qn_local_rows_free(daemon->local);
    qn_staff_free(daemon->staff);
    qn_trail_watch_free(daemon->trail_watch);
    daemon->trail_watch = NULL;
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
    qn_signer_free(daemon->recovery);
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
    daemon->status = daemon_start(daemon);
    if (daemon->status == 0) {
        say_ready(daemon);
        qn_loop_run(daemon->loop);
    }
    int status = daemon->status;
    tear_down(daemon);
    qn_free(daemon);
    return status;
}
