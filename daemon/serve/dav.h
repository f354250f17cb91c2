/* WebDAV for people: OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, LOCK
 * and UNLOCK on `/dav/` (the folders that a person may see) and below it, and the little that
 * clients ask of `/`. What is supported, and which quirk is whose: docs/webdav.md.
 *
 * A person sees a folder that was granted to read, and changes one that was granted to write. What
 * may not be seen is not there (404). Locks and dead properties are rows of base/local.h, durable
 * before the answer. Loop thread.
 */
#pragma once

#include "people/audit.h"
#include "people/people.h"
#include "serve/request.h"

struct qn_serve_host;

struct qn_dav_options {
    const struct qn_serve_host *host; /* borrowed */
    enum qn_right (*right)(void *context, const struct qn_person *person, struct qn_span folder);
    /* One access to a person's data, for the audit trail; NULL: none is kept. A read is noted
     * before its answer, a change when it is done or refused. Not QN_OK: it was not taken; the
     * access is refused (503). `audit_state` tells it before a change begins. */
    enum qn_err (*audit)(void *context, const struct qn_audit_what *what);
    enum qn_err (*audit_state)(void *context);
    void *context;
};

/* Reads the rows of locks and properties. */
struct qn_dav;
struct qn_dav *qn_dav_new(const struct qn_dav_options *options);
/* After the last request's `end`. What a folder was still asked for is waited for: `on_closed`
 * comes later, or from inside when there is nothing. */
void qn_dav_close(struct qn_dav *dav, void (*on_closed)(void *context), void *context);

/* Of the engine: the one that it was given; NULL: none. */
struct qn_dav *qn_web_dav(const struct qn_web_request *request);

/* Is a change of "FOLDER/a/b" by this person forbidden by a lock of WebDAV's? For changes that come
 * another way (the JSON API), which name no lock. `is_tree`: all below it changes too.
 * `dav` may be NULL. */
bool qn_dav_is_locked(const struct qn_dav *dav, const struct qn_person *person, struct qn_span path,
                      bool is_tree);

/* Locks and dead properties follow such a change: those of "FOLDER/a" and below go, or are those of
 * `to`, where those that it had go. The texts are borrowed until `done`, which comes later or from
 * inside; an error: not all followed. `dav` may be NULL. */
enum qn_dav_moved { QN_DAV_REMOVED, QN_DAV_COPIED, QN_DAV_MOVED };
void qn_dav_follow(struct qn_dav *dav, enum qn_dav_moved change, struct qn_span from,
                   struct qn_span to, void (*done)(void *context, enum qn_err err), void *context);

extern const struct qn_web_handler qn_dav_handler;      /* prefix "dav", with a person */
extern const struct qn_web_handler qn_dav_root_handler; /* "" exactly: OPTIONS, PROPFIND */
