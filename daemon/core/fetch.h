/* Inside core: reading back from a holder, for requests of the driver (restore, repair, recovery).
 *
 * A request asks for one range of a pack or one page of a list. At most BULK_REQUESTS_MAX of them
 * are open at a holder; FETCH_WAITING_MAX more wait for their turn. What was asked is asked again
 * after a lost connection: reading twice does no harm. Bytes are only held to the frame of what was
 * asked; whether they are right is for who asked to find out (names are digests, chunks are
 * sealed).
 */
#pragma once

#include "core/bulk.h"
#include "proto/cursor.h"

#define FETCH_WAITING_MAX 256   /* requests at one holder */
#define FETCH_HOLDERS_MAX 16    /* asked one after the other for one pack */
#define FETCH_TIMEOUT_MS  30000 /* from the moment that it was sent, or that its turn came */
#define FETCH_BUSY_MS     500   /* a busy holder is asked again after that, doubling */
#define FETCH_BUSY_MAX    5     /* so often */
#define FETCH_OFFLINE_MS  10000 /* so long a connection is waited for */

struct fetch *fetch_new(void);
void fetch_free(struct fetch *fetch); /* accepts NULL */
void fetch_up(struct qn_core *core, struct bulk *bulk);
void fetch_down(struct qn_core *core, struct bulk *bulk);
/* The fields of a message that is this part's. An error ends the connection. */
enum qn_err QN_CHECKED fetch_frame(struct qn_core *core, struct bulk *bulk, enum qn_message number,
                                   struct qn_cursor *fields);
void fetch_outcome(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                   const struct qn_outcome *outcome);
void fetch_read_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                     struct qn_read_result *result);
void fetch_file_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                     struct qn_file_result *result);
/* What is due; says bulk_want when there is work for a connection, core_wake when it is due next.
 */
void fetch_tick(struct qn_core *core, struct bulk *bulk);
/* Whether it waits for something on this connection, or has something to send. */
bool fetch_is_busy(const struct qn_core *core, const struct bulk *bulk);

/* ---- what is asked ---- */

enum fetch_what { /* what LIST_GET says */
                  FETCH_KEYS = 0,
                  FETCH_LISTS = 1,
                  FETCH_NAMES = 2,
                  FETCH_PACK, /* not on the wire: PACK_GET */
};

struct fetch_ask {
    uint64_t request; /* of the control socket: it gets the answer */
    enum fetch_what what;
    struct qn_digest name;  /* PACK: its name; NAMES: the list */
    uint64_t offset, size;  /* PACK */
    struct qn_digest after; /* LISTS: the list, NAMES: the name behind which it goes on */
    bool has_after;
    bool is_own;      /* KEYS: the core's, for a recovery (core/recover.h) */
    bool is_anywhere; /* PACK: the next holder is asked where one does not have it */
    struct qn_site_id tried[FETCH_HOLDERS_MAX];
    size_t tried_count;
    bool was_offline; /* one of them could not be reached */

    /* fetch.c */
    uint64_t number;      /* on the wire; 0: not sent */
    uint64_t deadline_ms; /* monotonic */
    uint64_t again_ms;    /* not before: the holder was busy */
    unsigned busy_count;
};

/* Asks that site, or answers the request with an error. */
void fetch_start(struct qn_core *core, const struct qn_site_id *holder,
                 const struct fetch_ask *ask);
/* Asks the next of this site's holders, the connected ones first, or answers with an error. */
void fetch_start_anywhere(struct qn_core *core, const struct fetch_ask *ask);
/* The site is no member any more: who asked it is told. */
void fetch_lost(struct qn_core *core, struct bulk *bulk);
/* Nobody waits for the answer any more. */
void fetch_gone(struct qn_core *core, uint64_t request);
