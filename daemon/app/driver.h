/* The driver: the one place where the core and the edges meet. It makes events of what net, store,
 * timers and the control socket report, steps the core, and carries its effects out. It decides
 * nothing. Loop thread.
 */
#pragma once

#include "app/local.h"
#include "app/log.h"
#include "core/core.h"
#include "loop/loop.h"
#include "net/net.h"
#include "os/os.h"
#include "store/store.h"

struct qn_driver;

struct qn_driver_options {
    struct qn_loop *loop;
    struct qn_net *net;
    struct qn_store *store;
    struct qn_core *core;
    struct qn_log *log;
    struct qn_os_watermark *watermark; /* NULL: none */
    struct qn_local_rows *local;       /* told what became of its rows; NULL: there are none */
    const char *kit_path;
    /* Adds what others know to the health that status shows; NULL: nobody. */
    void (*on_health)(void *context, struct qn_health *health);
    /* Where the answers to requests go. */
    void (*on_reply)(void *context, uint64_t request, const struct qn_effect *reply);
    /* The store has failed for good: the daemon has to end. What waited for it was answered. */
    void (*on_fatal)(void *context, enum qn_err err);
    /* After qn_driver_stop: nothing is queued at the store any more. Once. */
    void (*on_stopped)(void *context);
    void (*on_commits)(
        void *context); /* more than rows of the edges was committed, and told; may be NULL */
    void *context;
    /* Long work and file work (core/job.h); what becomes of it comes back below. on_job NULL: jobs
     * are never done (tests of other things). */
    void (*on_job)(void *work, struct qn_job *take_job);
    void (*on_job_stop)(void *work, uint64_t token);
    void (*on_file)(void *work, struct qn_file_work *take_work);
    /* In a recovery: the sealed key of the vault, or nothing (core.h, VAULT_KEY). May be NULL. */
    void (*on_vault_key)(void *work, struct qn_span sealed);
    void (*on_recovered)(void *work); /* core.h, RECOVERED; NULL if on_vault_key is */
    void *work;
};

struct qn_driver *qn_driver_new(const struct qn_driver_options *options);
void qn_driver_free(struct qn_driver *driver);
/* START; before it nothing happens. */
void qn_driver_start(struct qn_driver *driver);
/* STOP: what may be forgotten is queued to be stored. Commits are still answered, until on_stopped
 * (maybe from inside); nothing else happens any more. */
void qn_driver_stop(struct qn_driver *driver);
/* Before the store is closed: ends the reading transactions that are open for the core. False: one
 * is still read in; wait a turn of the loop and ask again. Nothing else happens from then on. */
bool qn_driver_let_go(struct qn_driver *driver);
/* Gives an answer to whoever asked: options.on_reply. For services (service.h). */
void qn_driver_reply(struct qn_driver *driver, const struct qn_effect *reply);
/* To the service that takes the command, else to the core: runs a step at once, never from inside
 * one: what it is given is borrowed. */
void qn_driver_request(struct qn_driver *driver, uint64_t request, struct qn_span command,
                       struct qn_span args, struct qn_span user);
void qn_driver_request_gone(struct qn_driver *driver, uint64_t request);
/* From the loop, never from inside a step. */
void qn_driver_news(struct qn_driver *driver, const struct qn_job_event *news);
void qn_driver_file(struct qn_driver *driver, struct qn_file_result *result);
/* The newest checkpoint of this site's audit trail (qn_core_set_trail). */
void qn_driver_trail(struct qn_driver *driver, uint64_t seq, struct qn_span checkpoint);
struct qn_core *qn_driver_core(const struct qn_driver *driver);
struct qn_store *qn_driver_store(const struct qn_driver *driver);
void qn_driver_health(const struct qn_driver *driver, struct qn_health *ret_health);

/* Connections by ALPN quoin-web/1 and quoin-web-back/1, which the core knows nothing of: they go to
 * whoever serves the folders of other sites. Tokens of dials of his have QN_DRIVER_WEB in them. */
#define QN_DRIVER_WEB ((uint64_t)1 << 62)
struct qn_driver_web {
    /* The stream is his from then on; dial_token 0: it was accepted. */
    void (*on_up)(void *context, struct qn_stream *take_stream, uint64_t dial_token,
                  const struct qn_net_peer *peer);
    void (*on_dial_failed)(void *context, uint64_t dial_token, const char *detail);
    /* That site asks to be dialled by quoin-web-back/1; inside a step. */
    void (*on_called)(void *context, const struct qn_public_key *key);
    void *context;
};
void qn_driver_set_web(struct qn_driver *driver, const struct qn_driver_web *web);
/* Asks the site with that key for the same, over its first connection, if there is one. */
void qn_driver_call(struct qn_driver *driver, const struct qn_public_key *key);

/* To be given to net (context: the address of a pointer to the driver, set before START) and to the
 * store, whose notification comes from the writer thread. */
struct qn_net_callbacks qn_driver_net_callbacks(void);
void qn_driver_wake(void *driver); /* any thread */
