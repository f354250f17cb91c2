/* Every day, and soon after the start, this site's audit trail is proven by itself, as `syncctl log
 * verify` does it: its rows against themselves, the site's signatures and what other sites keep of
 * it. A trail that was rewritten and has grown since contradicts nothing that the others are told;
 * only this comparison finds it (docs/audit.md 3). What it finds are alerts. Loop thread; the rows
 * are read on libuv's pool.
 */
#pragma once

#include "app/driver.h"
#include "app/log.h"
#include "crypto/key.h"

#define QN_TRAIL_WATCH_TOKEN ((uint64_t)1 << 61) /* the token of its request */

struct qn_trail_watch_options {
    struct qn_loop *loop;
    struct qn_log *log;
    struct qn_store *store;
    struct qn_driver *driver;
    const struct qn_site_id *id;     /* this site */
    const struct qn_public_key *key; /* its own, before a ledger names it; both borrowed */
};

struct qn_trail_watch;
struct qn_trail_watch *qn_trail_watch_new(const struct qn_trail_watch_options *options);
/* The core's answer to a request with that token. */
void qn_trail_watch_reply(struct qn_trail_watch *watch, const struct qn_effect *reply);
/* Fills trail_fault. Accepts NULL. */
void qn_trail_watch_health(const struct qn_trail_watch *watch, struct qn_health *health);
/* No more is begun. Accepts NULL. */
void qn_trail_watch_stop(struct qn_trail_watch *watch);
/* No job runs any more: from then on it may be freed, and the store closed. Accepts NULL. */
bool qn_trail_watch_is_idle(const struct qn_trail_watch *watch);
void qn_trail_watch_free(struct qn_trail_watch *watch); /* accepts NULL */
