/* Inside core: the second connection of a pair of which one holds the other's vault
 * (docs/protocol.md, section 10), and who does what on it.
 *
 *   peer ── bulk       the connection: when it is made, by whom, when it ends
 *           ├── offsite   this site as owner: what goes to that holder
 *           ├── hold      this site as holder: what that owner may ask and bring
 *           └── fetch     what this site reads back from that holder
 *
 * While there is only little to say - the list of a backup that brought nothing new, what is to be
 * forgotten, a proof - it is *narrow*: it borrows the first connection, without a handshake of its
 * own. What is more makes the second connection, and the parts start anew on it.
 *
 * bulk.c takes frames apart as far as their number and gives each to one of the three. A part that
 * finds a message that cannot be gives an error: the connection ends. Each part owns its state, has
 * it before the first and after the last connection, and starts anew at `up`.
 *
 * What is on its way (commits, reads, file work) is remembered as `struct pending` with the kind of
 * the part, `site` = the peer, `link` = the connection it was for (0: none) and `seq` = a tag of
 * the part's own. An answer may come after the connection is gone, or on another one: a part
 * compares links.
 */
#pragma once

#include "core/backup.h"

#define BULK_IDLE_MS      60000
#define BULK_STALL_MS     900000 /* a proof may take long; longer than this nothing does */
#define BULK_CALL_MS      30000  /* a peer that was called has so long to dial */
#define BULK_DIAL_BAD_MS  300000 /* the rarest dialling of one that breaks the rules */
#define BULK_PIECE        (64 * 1024)
#define BULK_WINDOW_MAX   (4 * 1024 * 1024)
#define BULK_LIST_PIECE   (256 * 1024)
#define BULK_READ_MAX     (256 * 1024)
#define BULK_NAMES_MAX    4096
#define BULK_OFFERS_MAX   256
#define BULK_REQUESTS_MAX 16
#define BULK_PROOF_BATCH  128 /* packs of one challenge: at most 2.5 GiB that both ends read */
#define BULK_PROOF_PREFIX                                                                          \
    6 /* bytes of a name: of a million packs hardly two are alike in so many */
#define BULK_NARROW_FRAME (16 * 1024) /* of the largest message on the first connection */
#define BULK_NARROW_LIST  (12 * 1024) /* a packed list that fits one */
#define BULK_NARROW_NAMES 256         /* that an answer there may name */
#define BULK_YOUNG_MS     10000 /* a second connection that its other end may not know of yet */
#define BULK_ASK_MS       15000 /* there: then it is said again; longer than the one above */

struct offsite;
struct hold;
struct fetch;

struct bulk {
    struct peer *peer; /* it belongs to this one */
    qn_link link;      /* 0: not connected; narrow: a name that no connection has */
    bool is_narrow;    /* it is on the first connection */
    bool is_dialled, has_hello;
    uint64_t up_ms;
    uint64_t dial_token, dial_ms; /* as in struct peer */
    unsigned failures;
    size_t address_next;
    uint64_t called_ms;    /* 0: we did not ask the other to dial */
    qn_link called_link;   /* the first connection on which we did */
    uint64_t used_ms;      /* when something moved last, monotonic */
    bool is_wanted;        /* a part has work for a connection */
    bool is_little_wanted; /* a part has work for which the first one will do */
    bool is_called;        /* the other end has, and asks for our dial */
    bool has_failed_dials; /* our dials came to nothing: call before the next */
    bool is_bad;           /* broke the rules, or refuses bulk: dialled ever more rarely */
    struct offsite *offsite;
    struct hold *hold;
    struct fetch *fetch;
};

/* ---- bulk.c ---- */
struct bulk *bulk_of(struct qn_core *core, const struct qn_site_id *site); /* NULL: no such peer */
struct bulk *bulk_of_link(struct qn_core *core, qn_link link);
struct bulk *bulk_new(struct peer *peer);
void bulk_free(struct bulk *bulk); /* accepts NULL */
/* The parts have something to do with that site: connect soon. Cheap; may be said again, and is to
 * be said again when a connection ended before the work did (at the latest in the next tick). */
void bulk_want(struct qn_core *core, struct bulk *bulk);
/* Likewise, for what fits the first connection. */
void bulk_want_little(struct qn_core *core, struct bulk *bulk);
/* Something moved. */
void bulk_used(struct qn_core *core, struct bulk *bulk);
bool bulk_is_up(const struct bulk *bulk);                /* connected, and both said hello */
bool bulk_is_wide(const struct bulk *bulk);              /* up, and on its own connection */
void bulk_send(struct qn_core *core, struct bulk *bulk); /* what core_message began */
/* The other end broke the rules: a note, the connection ends, it is made again later and later. */
void bulk_bad(struct qn_core *core, struct bulk *bulk, const char *code, enum qn_err err);
void bulk_called(struct qn_core *core, struct peer *peer); /* BULK_CALL came */
void bulk_up(struct qn_core *core, const struct qn_event *event);
void bulk_down(struct qn_core *core, struct bulk *bulk, enum qn_err err);
/* Ends what it is on: its own connection, or the first one. */
void bulk_hang_up(struct qn_core *core, struct bulk *bulk, enum qn_err err);
bool bulk_dial_failed(struct qn_core *core, const struct qn_event *event); /* false: not ours */
void bulk_frame(struct qn_core *core, struct bulk *bulk, struct qn_span frame);
/* A message of bulk on the first connection. An error ends that. */
enum qn_err QN_CHECKED bulk_narrow_frame(struct qn_core *core, struct peer *peer, uint64_t number,
                                         struct qn_cursor *fields);
bool bulk_is_message(uint64_t number);
/* The first connection ends. */
void bulk_session_ends(struct qn_core *core, struct peer *peer);
/* To the part of the peer that `pending` names; dropped if that is gone. */
void bulk_outcome(struct qn_core *core, const struct pending *pending,
                  const struct qn_outcome *outcome);
void bulk_read_done(struct qn_core *core, const struct pending *pending,
                    struct qn_read_result *result);
void bulk_file_done(struct qn_core *core, struct qn_file_result *result);
void bulk_tick(struct qn_core *core);
/* ---- bulk_work.c ---- */
/* Commits, reads and file work of the parts: as core_commit and core_read_later, with the pending
 * filled in. */
struct pending *bulk_commit(struct qn_core *core, struct bulk *bulk, enum qn_intent_kind kind,
                            struct qn_buf *take_payload, enum pending_kind pending, uint64_t tag);
struct pending *bulk_read(struct qn_core *core, struct bulk *bulk, enum qn_read_kind kind,
                          struct qn_buf *take_args, enum pending_kind pending, uint64_t tag);
/* The file of the pool of `work->owner`; work is taken, its token set. */
struct pending *bulk_file(struct qn_core *core, struct bulk *bulk, struct qn_file_work *take_work,
                          enum pending_kind pending, uint64_t tag);
