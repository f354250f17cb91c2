/* Who asks? Basic (an app password, or the password itself where no second factor is set) or the
 * session cookie of the page, with the throttle, the hashing on the thread pool (two at once, a
 * queue of 16) and a cache of credentials that were verified (W19). Against requests that a foreign
 * page makes: Origin and a token for the cookie; against DNS rebinding: Host is one of the
 * configured names or an address of this machine. Loop thread.
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

struct qn_door;
typedef void (*qn_door_fn)(void *context, enum qn_door_verdict verdict,
                           const struct qn_person *person, unsigned retry_s);
/* `done` comes once, later or (when nothing has to be hashed) from inside. `from`: the client's
 * address. Gives a token for qn_door_forget, 0 if it is done. */
uint64_t qn_door_ask(struct qn_door *door, const struct qn_http_head *head, const char *from,
                     qn_door_fn done, void *context);
void qn_door_forget(struct qn_door *door, uint64_t token); /* the client is gone */
