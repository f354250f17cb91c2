/* The table of WebDAV locks (RFC 4918, sections 6 and 7): which resource is held by whom, and for
 * how long.
 *
 *   add ── refresh* ── remove | time is over
 *
 * A lock covers its own path and, if it is deep, all below. Two locks that cover a common path are
 * both shared. A lock counts until its time is over, whether or not somebody cleans up. A path is
 * "FOLDER/a/b"; the person who locked is the only one who may use its token. Time (milliseconds
 * since 1970, so that it goes on over a restart) and randomness are passed in; storing rows before
 * an answer is the caller's. Pure; one thread at a time. Locks are the table's; a pointer is good
 * until the next change.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "dav/if.h"

#define QN_DAV_LOCKS_MAX        4096
#define QN_DAV_LOCKS_PERSON_MAX 512
#define QN_DAV_LOCKS_COVER_MAX  16 /* shared ones that cover one path when another is added */
#define QN_DAV_LOCKS_TOLD_MAX   32 /* in a lockdiscovery, the nearest */
#define QN_DAV_OWNER_SIZE_MAX   2048
#define QN_DAV_TOKEN_SIZE       46 /* "urn:uuid:" and 36 characters, with its end */
#define QN_DAV_LOCK_ROW_PREFIX  "lock/"

struct qn_dav_lock {
    char token[QN_DAV_TOKEN_SIZE];
    char person[QN_PERSON_SIZE_MAX + 1];
    struct qn_span path, owner; /* owner: XML that stands alone, of the client */
    bool is_exclusive, is_deep;
    unsigned timeout_s;
    uint64_t expires_ms;
};

struct qn_dav_lock_wish {
    struct qn_span path, owner;
    const char *person;
    bool is_exclusive, is_deep;
    unsigned timeout_s;
    uint8_t random[16]; /* becomes the token: unique, not to be guessed */
};

struct qn_dav_locks;
struct qn_dav_locks *qn_dav_locks_new(void);
void qn_dav_locks_free(struct qn_dav_locks *locks);
size_t qn_dav_locks_count(const struct qn_dav_locks *locks);

/* QN_ERR_BUSY: another lock stands against it (ret_lock is that one). QN_ERR_LIMIT: too many of
 * all, of the person or on the path, or the owner's text is too long. */
enum qn_err QN_CHECKED qn_dav_locks_add(struct qn_dav_locks *locks,
                                        const struct qn_dav_lock_wish *wish, uint64_t now_ms,
                                        const struct qn_dav_lock **ret_lock);
/* NULL: there is none, or it is over. */
const struct qn_dav_lock *qn_dav_locks_find(const struct qn_dav_locks *locks, struct qn_span token,
                                            uint64_t now_ms);
void qn_dav_locks_refresh(struct qn_dav_locks *locks, struct qn_span token, unsigned timeout_s,
                          uint64_t now_ms);
void qn_dav_locks_remove(struct qn_dav_locks *locks, struct qn_span token);
/* Gives a lock whose time is over and forgets it, one a call; false: no more. */
bool qn_dav_locks_take_expired(struct qn_dav_locks *locks, uint64_t now_ms,
                               char ret_token[QN_DAV_TOKEN_SIZE]);

bool qn_dav_lock_covers(const struct qn_dav_lock *lock, struct qn_span path);
/* The next lock that covers `path`, behind `after` (NULL: the first); NULL at the end. */
const struct qn_dav_lock *qn_dav_locks_covering(const struct qn_dav_locks *locks,
                                                struct qn_span path, uint64_t now_ms,
                                                const struct qn_dav_lock *after);
/* The same for the locks whose path is `path` or below it. */
const struct qn_dav_lock *qn_dav_locks_within(const struct qn_dav_locks *locks, struct qn_span path,
                                              uint64_t now_ms, const struct qn_dav_lock *after);

/* A change by a person who submitted the tokens of an If header (NULL: none). */
struct qn_dav_access {
    struct qn_span path;
    bool is_tree; /* all below is changed too: delete, move */
    const struct qn_dav_if *given;
    const char *person;
};
/* The lock that stands against it, NULL: none does. A change of what a collection contains is an
 * access to the collection, too: ask twice. */
const struct qn_dav_lock *qn_dav_locks_blocking(const struct qn_dav_locks *locks,
                                                const struct qn_dav_access *access,
                                                uint64_t now_ms);

/* Rows: "lock/<token>". Reading refuses what could not have been written (QN_ERR_CORRUPT). What is
 * over already counts no more, and is there for qn_dav_locks_take_expired, so that its row goes. A
 * lock that claims to last longer than the longest that is given is cut to that: the clock went
 * back. */
void qn_dav_lock_key(struct qn_span token, struct qn_buf *out);
void qn_dav_lock_row(const struct qn_dav_lock *lock, struct qn_buf *out);
enum qn_err QN_CHECKED qn_dav_locks_load(struct qn_dav_locks *locks, struct qn_span key,
                                         struct qn_span row, uint64_t now_ms);
