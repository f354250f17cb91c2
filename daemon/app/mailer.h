/* Alarms by mail: looks at the alerts every few seconds, and gives what is new to the program of
 * [mail] sendmail in quoin.conf (sendmail -t -i), or to the unit that runs it with the privileges
 * that we do not have. What was told is kept in STATE/mail.state, written after each mail. One that
 * cannot be sent is tried again, at longer and longer intervals up to an hour; meanwhile status
 * says so. Loop thread.
 */
#pragma once

#include "app/log.h"
#include "core/core.h"
#include "loop/loop.h"

struct qn_mailer;

struct qn_mailer_options {
    struct qn_loop *loop;
    struct qn_log *log;
    const char *state_dir;
    const char *site; /* name */
    uint64_t (*wall_ms)(void);
    uint64_t look_ms; /* how often it looks */
    /* The alerts as they are now; the array becomes the mailer's. */
    size_t (*alerts)(void *context, struct qn_alert **ret_alerts);
    void *context;
};

struct qn_mailer *qn_mailer_new(const struct qn_mailer_options *options);
/* From then on; with nobody to write to, or a configuration that others may change, it is quiet. */
void qn_mailer_configure(struct qn_mailer *mailer, const struct qn_config *config);
void qn_mailer_health(const struct qn_mailer *mailer, struct qn_health *ret_health); /* its part */
void qn_mailer_free(struct qn_mailer *mailer); /* ends the program; accepts NULL */
