/* The XML of answers: multistatus, lockdiscovery, error (RFC 4918, sections 13 to 15).
 *
 *   start ── (resource | status | changes)* ── end
 *
 * Each call appends to a buffer of the caller's, which sends it and empties it whenever it likes:
 * an answer of any length takes the memory of one resource. All elements of DAV: have the prefix
 * "D:", since Windows' client reads nothing else. Pure; thread: any.
 */
#pragma once

#include "base/buf.h"
#include "dav/body.h"
#include "dav/dead.h"
#include "dav/locks.h"

#define QN_DAV_XML_TYPE "application/xml; charset=utf-8"

/* What is known of one resource. Spans are borrowed for the call. */
struct qn_dav_resource {
    struct qn_span href; /* an encoded path (qn_http_path_encode); of a collection with '/' */
    struct qn_span name; /* for displayname */
    struct qn_span path; /* "FOLDER/a/b", for its locks */
    bool is_collection;
    bool may_write;
    uint64_t size;
    int64_t modified_ns, created_ns;
    struct qn_span etag;      /* empty: none */
    struct qn_span digest;    /* SHA-256, empty: not known */
    struct qn_span sha1, md5; /* likewise; both or none, never without the other */
    bool has_quota;
    uint64_t quota_used, quota_free;  /* bytes */
    const struct qn_dav_dead *dead;   /* NULL: none */
    const struct qn_dav_locks *locks; /* NULL: not to be locked */
    const char *locks_href;           /* "/dav/": what stands before a lock's path */
    const char *person;               /* only who holds a lock is shown its token */
    uint64_t now_ms;
};

void qn_dav_multistatus_start(struct qn_buf *out);
void qn_dav_multistatus_end(struct qn_buf *out);
/* The answer to PROPFIND for one resource: what was asked for, and by name what there is not. */
void qn_dav_multistatus_resource(struct qn_buf *out, const struct qn_dav_ask *ask,
                                 const struct qn_dav_resource *resource);
/* One resource that a recursive change could not do. `condition`: an element of DAV: or NULL. */
void qn_dav_multistatus_status(struct qn_buf *out, struct qn_span href, unsigned status,
                               const char *condition);
/* The answer to PROPPATCH: a status for each change. */
void qn_dav_multistatus_changes(struct qn_buf *out, struct qn_span href,
                                const struct qn_dav_changes *changes, const unsigned *statuses);

/* The body of an answer to LOCK: the lock that was given. */
void qn_dav_lock_answer(struct qn_buf *out, const struct qn_dav_lock *lock, const char *locks_href,
                        uint64_t now_ms);
/* The body of a refusal: <D:error> with a condition, and a resource in it if `href` is not empty.
 */
void qn_dav_error_body(struct qn_buf *out, const char *condition, struct qn_span href);
