/* Who asks? Basic (an app password, or the password itself where no second factor is set) or the
 * session cookie of the page, with the throttle, the hashing on the thread pool (two at once, a
 * queue of 16) and a cache of credentials that were verified (W19). Against requests that a foreign
 * page makes: Origin and a token for the cookie; against DNS rebinding: Host is one of the
 * configured names or an address. Loop thread.
 */
#pragma once

#include "people/people.h"
#include "serve/request.h"

enum qn_door_verdict {
    QN_DOOR_PERSON,      /* known: `person` */
    QN_DOOR_NOBODY,      /* said nothing: 401 where a person is needed */
    QN_DOOR_WRONG,       /* 401 */
    QN_DOOR_THROTTLED,   /* 429 with Retry-After */
    QN_DOOR_FORBIDDEN,   /* 403: a foreign origin, a missing token */
    QN_DOOR_MISDIRECTED, /* 421: a foreign host name */
    QN_DOOR_BUSY,        /* 503 */
};

/* The session of the page: a cookie that only this server sees, and a token that a page of another
 * server cannot know. */
#define QN_DOOR_COOKIE "__Host-quoin"
#define QN_DOOR_DEVICE_COOKIE                                                                      \
    "__Host-quoin-device"      /* people/device.h: stays when the session ends */
#define QN_DOOR_SECRET_SIZE 64 /* letters of a cookie's value, and of the token */
enum qn_sign_in {
    QN_SIGN_IN_DONE,
    QN_SIGN_IN_WRONG,       /* name or password */
    QN_SIGN_IN_CODE_WANTED, /* they are right, a second factor is set, and no code was given */
    QN_SIGN_IN_CODE_WRONG,
    QN_SIGN_IN_THROTTLED,
    QN_SIGN_IN_BUSY,
};
struct qn_sign_in_what {
    struct qn_span name, password, code; /* code: empty if none was given */
    struct qn_span device;               /* the value of QN_DOOR_DEVICE_COOKIE, or empty */
    const char *from;
};
/* `cookie`: of a session that has begun, for QN_DOOR_COOKIE; borrowed for the call. */
typedef void (*qn_sign_in_fn)(void *context, enum qn_sign_in result, const struct qn_person *person,
                              const char *cookie, unsigned retry_s);

struct qn_door;
typedef void (*qn_door_fn)(void *context, enum qn_door_verdict verdict,
                           const struct qn_person *person, unsigned retry_s);
/* `done` comes once, later or (when nothing has to be hashed) from inside. `from`: the client's
 * address. Gives a token for qn_door_forget, 0 if it is done. */
uint64_t qn_door_ask(struct qn_door *door, const struct qn_http_head *head, const char *from,
                     qn_door_fn done, void *context);
void qn_door_forget(struct qn_door *door, uint64_t token); /* the client is gone */

/* ---- its life, and its table for struct qn_serve_options ---- */
struct qn_serve_config;
struct qn_serve_door;
struct qn_serve_host;
struct qn_verifier;

#define QN_DOOR_TOKEN_FIELD   "X-Quoin-Token" /* where the page sends the session's token */
#define QN_DOOR_HASHES_MAX    2               /* at once, 32 MiB each */
#define QN_DOOR_WAITING_MAX   16              /* then 503; known devices first */
#define QN_DOOR_FOLLOWERS_MAX 64              /* that wait for the same password being checked */
#define QN_DOOR_CACHE_MS      (5 * 60 * 1000)

struct qn_door_options {
    struct qn_loop *loop;
    const struct qn_serve_host *host; /* clocks, randomness, trail; borrowed, as all below */
    struct qn_people *people;
    /* On the thread pool; NULL: qn_verifier_check. For tests that count. */
    enum qn_err (*check)(const struct qn_verifier *verifier, struct qn_span password);
};

struct qn_door *qn_door_new(const struct qn_door_options *options);
/* Nobody is told any more. What is on the pool or waits for the disk ends first, in later turns of
 * the loop. Accepts NULL. */
void qn_door_free(struct qn_door *door);
/* The names under which this site is reached; addresses and localhost always are. */
void qn_door_configure(struct qn_door *door, const struct qn_serve_config *config);
uint64_t qn_door_sign_in(struct qn_door *door, const struct qn_sign_in_what *what,
                         qn_sign_in_fn done, void *context);
void qn_door_sign_out(struct qn_door *door, const struct qn_http_head *head);
bool qn_door_session_token(struct qn_door *door, const struct qn_http_head *head,
                           char ret_token[QN_DOOR_SECRET_SIZE + 1]);
bool qn_door_device(struct qn_door *door, const struct qn_person *person,
                    char ret_device[QN_DOOR_SECRET_SIZE + 1]);
/* An account begins afresh: an operator gave it a password. */
void qn_door_forgive(struct qn_door *door, struct qn_span name);
void qn_door_table(struct qn_door *door, struct qn_serve_door *ret_table);
