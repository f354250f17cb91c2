/* The HTTPS access in the daemon: what serve borrows (commands, rows, folders, clocks), and what it
 * tells of itself. Off unless section [serve] has an address to listen on. Loop thread.
 */
#pragma once

#include "app/config.h"
#include "app/log.h"
#include "core/core.h"
#include "loop/loop.h"
#include "serve/serve.h"

struct qn_control;
struct qn_driver;
struct qn_net;
struct qn_folders;
struct qn_audit;
struct qn_local;
struct qn_people;
struct qn_https;

struct qn_https_options {
    struct qn_loop *loop;
    struct qn_log *log;
    struct qn_control *control; /* whose commands it may use; outlives it */
    const struct qn_local *local;
    struct qn_folders *folders; /* that this site offers; outlives it */
    struct qn_people *people;   /* who they are, and what they may; outlives it, as the next */
    struct qn_audit *audit;     /* what they did */
    struct qn_driver *driver;   /* the folders of other sites, too: with it, */
    struct qn_net *net;         /* and connections to them; NULL: none */
    const char *state_dir, *site;
};
struct qn_https *qn_https_new(const struct qn_https_options *options);
/* At the start and whenever the configuration was read again: also the files of the certificate
 * are. */
void qn_https_configure(struct qn_https *https, const struct qn_config *config);
/* Its part; borrowed until the next call. */
void qn_https_health(struct qn_https *https, struct qn_health *health);
/* Appends the map of `serve.status` and `serve.authority` (docs/control.md 2). */
enum qn_err QN_CHECKED qn_https_status(const struct qn_https *https, struct qn_buf *out);
enum qn_err QN_CHECKED qn_https_authority(const struct qn_https *https, struct qn_buf *out);
/* What was guessed at an account's password counts no more: it has a new one. */
void qn_https_forgive(struct qn_https *https, struct qn_span name);
/* Of another site's folder (serve/serve.h). */
void qn_https_search(struct qn_https *https, const struct qn_serve_search *what,
                     qn_serve_found_fn *done, void *context);
void qn_https_stop(struct qn_https *https); /* nothing new is taken */
/* Ends what is under way; frees it, then calls `on_closed`. */
void qn_https_close(struct qn_https *https, void (*on_closed)(void *context), void *context);
