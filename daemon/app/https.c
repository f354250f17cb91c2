#include "app/https.h"

#include <stdio.h>

#include "app/across.h"
#include "app/control.h"
#include "app/folders.h"
#include "os/os.h"
#include "people/audit.h"
#include "proto/pack.h"
#include "serve/dav.h"
#include "serve/door.h"
#include "serve/serve.h"

/* From then on people have to do something (requirement W21): time enough for a holiday. The own
 * authority renews its certificates long before. */
#define LATE_MS ((uint64_t)30 * 24 * 3600 * 1000)

struct qn_https {
    struct qn_https_options options;
    struct qn_serve_host host;
    struct qn_door *door; /* NULL: there are no people */
    struct qn_serve *serve;
    struct qn_dav *dav;
    struct qn_across *across;      /* NULL: no folders of other sites */
    struct qn_serve_status status; /* for health, which borrows from it */
    bool is_on;
    void (*on_closed)(void *context);
    void *context;
};

/* ---- what serve borrows ---- */

static uint64_t run_command(void *context, const char *command, struct qn_span args,
                            struct qn_span user,
                            void (*answer)(void *answer_context,
                                           const struct qn_serve_answer *answer),
                            void *answer_context)
{
    struct qn_https *https = context;
    return qn_control_ask(https->options.control, command, args, user, answer, answer_context);
}

static void pause_command(void *context, uint64_t token, bool is_paused)
{
    qn_control_pause(((struct qn_https *)context)->options.control, token, is_paused);
}

static void cancel_command(void *context, uint64_t token)
{
    qn_control_cancel(((struct qn_https *)context)->options.control, token);
}

/* What the store does not take is tried again by the trail; who asked is not told twice. */
static enum qn_err note_access(void *context, const struct qn_audit_what *what)
{
    struct qn_https *https = context;
    return qn_audit_note(https->options.audit, what, qn_os_wall_ms(), NULL, NULL);
}

static enum qn_err note_durably(void *context, const struct qn_audit_what *what,
                                void (*done)(void *done_context, enum qn_err err),
                                void *done_context)
{
    struct qn_https *https = context;
    return qn_audit_note(https->options.audit, what, qn_os_wall_ms(), done, done_context);
}

static uint64_t now_ms(void *context)
{
    return qn_os_boot_ms();
}

static uint64_t wall_ms(void *context)
{
    return qn_os_wall_ms();
}

static void note(void *context, int level, const char *text)
{
    static const enum qn_log_level levels[] = {
        [QN_SERVE_LOG_ERROR] = QN_LOG_ERROR,
        [QN_SERVE_LOG_WARNING] = QN_LOG_WARNING,
        [QN_SERVE_LOG_INFO] = QN_LOG_INFO,
        [QN_SERVE_LOG_DEBUG] = QN_LOG_DEBUG,
    };
    struct qn_https *https = context;
    qn_log(https->options.log, levels[level], "%s", text);
}

static struct qn_folder *open_folder(void *context, struct qn_span name)
{
    return qn_folders_open(((struct qn_https *)context)->options.folders, name);
}

static void each_folder(void *context, void (*each)(void *, struct qn_span name),
                        void *each_context)
{
    qn_folders_each(((struct qn_https *)context)->options.folders, each, each_context);
}

/* ---- folders of other sites ---- */

static bool is_elsewhere(void *context, struct qn_span folder, const char **ret_site,
                         bool *ret_is_online)
{
    return qn_across_elsewhere(((struct qn_https *)context)->across, folder, ret_site,
                               ret_is_online);
}

static bool dial(void *context, const char *site, uint64_t token)
{
    return qn_across_dial(((struct qn_https *)context)->across, site, token);
}

static const char *member_of(void *context, const struct qn_public_key *key)
{
    return qn_across_member(((struct qn_https *)context)->across, key);
}

static bool shares(void *context, const struct qn_public_key *key, struct qn_span folder)
{
    return qn_across_shares(((struct qn_https *)context)->across, key, folder);
}

static void reach_across(struct qn_https *https)
{
    const struct qn_https_options *options = &https->options;
    if (options->net == NULL)
        return;
    https->across = qn_across_new(options->loop, options->driver, options->net, options->log);
    https->host.elsewhere = is_elsewhere;
    https->host.dial = dial;
    https->host.member = member_of;
    https->host.shares = shares;
}

/* ---- what WebDAV asks ---- */

static enum qn_right right_of(void *context, const struct qn_person *person, struct qn_span folder)
{
    const struct qn_https *https = context;
    return qn_people_right(https->options.people, person, QN_THING_FOLDER, folder);
}

static enum qn_err trail_state(void *context)
{
    return qn_audit_state(((struct qn_https *)context)->options.audit);
}

/* ---- life ---- */

struct qn_https *qn_https_new(const struct qn_https_options *options)
{
    struct qn_https *https = QN_NEW(struct qn_https);
    https->options = *options;
    https->host =
        (struct qn_serve_host){.context = https,
                               .local = options->local,
                               .command = run_command,
                               .pause = pause_command,
                               .cancel = cancel_command,
                               .folder = open_folder,
                               .each_folder = each_folder,
                               .note = options->audit == NULL ? NULL : note_access,
                               .note_durably = options->audit == NULL ? NULL : note_durably,
                               .note_state = options->audit == NULL ? NULL : trail_state,
                               .now_ms = now_ms,
                               .wall_ms = wall_ms,
                               .random = qn_os_random,
                               .log = note};
    reach_across(https);
    struct qn_dav_options dav = {.host = &https->host,
                                 .right = right_of,
                                 .audit = https->host.note,
                                 .audit_state = options->audit == NULL ? NULL : trail_state,
                                 .context = https};
    https->dav = qn_dav_new(&dav);
    struct qn_serve_options serve = {.loop = options->loop,
                                     .host = &https->host,
                                     .dav = https->dav,
                                     .people = options->people,
                                     .state_dir = options->state_dir,
                                     .site = options->site};
    if (options->people != NULL) {
        https->door = qn_door_new(&(struct qn_door_options){
            .loop = options->loop, .host = &https->host, .people = options->people});
        qn_door_table(https->door, &serve.door);
    }
    https->serve = qn_serve_new(&serve);
    if (https->across != NULL)
        qn_across_set_serve(https->across, https->serve);
    return https;
}

void qn_https_configure(struct qn_https *https, const struct qn_config *config)
{
    https->is_on = config->serve.listen_count > 0;
    if (https->door != NULL)
        qn_door_configure(https->door, &config->serve);
    qn_serve_configure(https->serve, &config->serve);
}

void qn_https_forgive(struct qn_https *https, struct qn_span name)
{
    if (https->door != NULL)
        qn_door_forgive(https->door, name);
}

void qn_https_search(struct qn_https *https, const struct qn_serve_search *what,
                     qn_serve_found_fn *done, void *context)
{
    qn_serve_search(https->serve, what, done, context);
}

void qn_https_stop(struct qn_https *https)
{
    qn_serve_stop(https->serve);
}

static void on_dav_closed(void *context)
{
    struct qn_https *https = context;
    void (*on_closed)(void *context) = https->on_closed;
    void *closed_context = https->context;
    qn_door_free(https->door);
    qn_across_free(https->across);
    qn_free(https);
    on_closed(closed_context);
}

static void on_serve_closed(void *context)
{
    struct qn_https *https = context;
    qn_dav_close(https->dav, on_dav_closed, https);
}

void qn_https_close(struct qn_https *https, void (*on_closed)(void *context), void *context)
{
    https->on_closed = on_closed;
    https->context = context;
    qn_serve_close(https->serve, on_serve_closed, https);
}

/* ---- what it tells ---- */

void qn_https_health(struct qn_https *https, struct qn_health *health)
{
    struct qn_serve_status *status = &https->status;
    if (!https->is_on)
        return;
    qn_serve_status(https->serve, status);
    const struct qn_certificate_status *certificate = &status->certificate;
    for (size_t i = 0; i < status->listener_count && health->serve_failed == NULL; i++)
        if (status->listeners[i].error[0] != '\0') {
            health->serve_failed = status->listeners[i].address;
            health->serve_words = status->listeners[i].error;
        }
    if (certificate->error[0] != '\0') {
        health->serve_failed = "certificate";
        health->serve_words = certificate->error;
    }
    if (certificate->is_loaded && qn_os_wall_ms() + LATE_MS > certificate->end_ms) {
        health->certificate_end_ms = certificate->end_ms;
        health->certificate_names = certificate->names;
    }
}

static void pack_listeners(const struct qn_serve_status *status, struct qn_buf *out)
{
    qn_pack_array(out, status->listener_count);
    for (size_t i = 0; i < status->listener_count; i++) {
        qn_pack_map(out, 2);
        qn_pack_cstr(out, "address");
        qn_pack_cstr(out, status->listeners[i].address);
        qn_pack_cstr(out, "error");
        qn_pack_cstr(out, status->listeners[i].error);
    }
}

static void pack_certificate(const struct qn_certificate_status *certificate, struct qn_buf *out)
{
    qn_pack_cstr(out, "certificate");
    if (!certificate->is_loaded) {
        qn_pack_nil(out);
        return;
    }
    qn_pack_map(out, 3);
    qn_pack_cstr(out, "end");
    qn_pack_u64(out, certificate->end_ms);
    qn_pack_cstr(out, "from");
    qn_pack_cstr(out, certificate->is_own ? "authority" : "files");
    qn_pack_cstr(out, "names");
    qn_pack_cstr(out, certificate->names);
}

enum qn_err qn_https_status(const struct qn_https *https, struct qn_buf *out)
{
    struct qn_serve_status status;
    qn_serve_status(https->serve, &status);
    qn_pack_map(out, 6);
    pack_certificate(&status.certificate, out);
    qn_pack_cstr(out, "connections");
    qn_pack_u64(out, status.connection_count);
    qn_pack_cstr(out, "error");
    qn_pack_cstr(out, https->is_on ? status.certificate.error : "");
    qn_pack_cstr(out, "listeners");
    pack_listeners(&status, out);
    qn_pack_cstr(out, "refused");
    qn_pack_u64(out, status.refused_count);
    qn_pack_cstr(out, "requests");
    qn_pack_u64(out, status.request_count);
    return qn_buf_status(out);
}

enum qn_err qn_https_authority(const struct qn_https *https, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf pem;
    qn_buf_init(&pem, QN_WEB_CERTIFICATE_SIZE_MAX);
    QN_TRY(qn_certificates_authority(https->options.state_dir, &pem));
    qn_pack_map(out, 1);
    qn_pack_cstr(out, "pem");
    qn_pack_str(out, qn_buf_view(&pem));
    return qn_buf_status(out);
}
