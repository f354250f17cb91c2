/* Inside the daemon: daemon.c runs it and ends it, daemon_start.c starts it. */
#pragma once

#include "app/backups.h"
#include "app/control.h"
#include "app/daemon.h"
#include "app/driver.h"
#include "app/folders.h"
#include "app/https.h"
#include "app/mailer.h"
#include "app/people.h"
#include "app/search_command.h"
#include "app/setup.h"
#include "app/trail_watch.h"

#define CONFIG_ERRORS_SIZE_MAX (64 * 1024)

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
    struct qn_signer *recovery; /* of the kit, while the site is recovered; else NULL */
    struct qn_site_id id;
    struct qn_store *store;
    struct qn_applier *applier;
    struct qn_core *core;
    struct qn_net *net;
    struct qn_local_rows *local;
    struct qn_staff *staff;
    struct qn_driver *driver;
    struct qn_folders *folders;
    struct qn_search_feed *search_feed;   /* NULL: the index could not be opened */
    struct qn_search_files *search_files; /* likewise */
    struct qn_search_command *search_command;
    struct qn_control *control;
    struct qn_backups *backups;
    struct qn_mailer *mailer;
    struct qn_trail_watch *trail_watch;
    struct qn_public_key key; /* of this site, now */
    struct qn_https *https;
    struct qn_os_watermark *watermark;
    struct qn_timer *watchdog;
    struct qn_signal *signals[3];
    char addresses[QN_ADDRESSES_MAX][QN_ADDRESS_SIZE_MAX + 1];
    size_t address_count;
    bool is_stopping, control_closed, net_closed, https_closed;
    int status;
};

/* Starts everything in the order in which it can fail; gives the exit status, 0 if all runs. What
 * was started half is taken down by daemon.c. */
int daemon_start(struct daemon *daemon);

/* Says in the log whether no program of the configuration may be run. */
void daemon_check_trust(struct daemon *daemon, const struct qn_config *config);

struct qn_log_caps daemon_log_caps(const struct qn_config *config);

/* ---- callbacks, daemon.c ---- */
void daemon_on_terminate(void *context);
void daemon_on_reload(void *context);
void daemon_on_watchdog(void *context);
void daemon_on_reply(void *context, uint64_t request, const struct qn_effect *reply);
void daemon_on_staff_reply(void *context, uint64_t token, const struct qn_effect *reply);
void daemon_on_password(void *context, struct qn_span name);
bool daemon_find_thing(void *context, enum qn_thing thing, struct qn_span name,
                       uint8_t ret_id[QN_THING_ID_SIZE]);
void daemon_pack_proof(void *context, struct qn_buf *out);
void daemon_on_checkpoint(void *context, const struct qn_audit_checkpoint *checkpoint);
void daemon_on_fatal(void *context, enum qn_err err);
void daemon_on_health(void *context, struct qn_health *health);
size_t daemon_alerts(void *context, struct qn_alert **ret_alerts);
void daemon_on_view_ready(void *context);
void daemon_on_commits(void *context);
void daemon_on_stopped(void *context);
