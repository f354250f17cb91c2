/* Inside offsite*.c: what goes to one holder, and how far it is.
 *
 *   role    what the plans and the ledger say about that holder
 *   look    a read of the book: whether there is anything to do; asked after each change
 *   stage   of the connection:  OFF -> LOOK -> ASKED -> (NAMES ->) OPEN
 *           OFF also where this site has nothing there, or was refused
 *   packs   OPEN: scanned from the book, offered ahead, read ahead of the window, sent,
 * acknowledged lists   OPEN: one at a time, as soon as its packs are there; and what is to be
 * forgotten proof   OPEN, when nothing else is to do: the weekly challenge
 *
 * Events change the state; offsite_tick, which runs after every event, acts on it. What is on its
 * way is told apart by `enum tag` in the upper half of pending.seq; an answer of another connection
 * than `link` is dropped, except that commits are of the book whatever became of the connection.
 *
 * Nothing that a holder says is believed beyond what it may say: it can acknowledge only what was
 * sent or offered to it, and can claim to have what is ours (NAMES, HERE); the proof finds a lie.
 */
#pragma once

#include "core/offsite.h"
#include "core/pace.h"

#define LOOK_MS           250
#define ASK_EVERY_MS      (24ull * 3600 * 1000) /* each holder is heard so often: what it scrubbed */
#define LATER_MS          60000                 /* offered again: the holder said later */
#define FULL_MS           600000                /* likewise: no room there */
#define OFFERS_AHEAD      64                    /* packs that are offered and not acknowledged */
#define OFFERS_LOW        32                    /* then the next ones are looked for */
#define ACKS_MAX          256 /* acknowledgements that are not committed: then no more offers */
#define FILE_WORK_MAX     12  /* of one holder, below the driver's bound; proofs included */
#define READ_AHEAD        (1024 * 1024)
#define LEASE_MS          (14ull * 24 * 3600 * 1000)
#define LIST_PIECE        (64 * 1024)
#define LIST_PACKED_MAX   (QN_HELD_LIST_NAMES_MAX * QN_DIGEST_SIZE + QN_HELD_SEALED_SIZE_MAX + 4096)
#define SKIPPED_MAX       256
#define PROOF_EVERY_MS    (7ull * 24 * 3600 * 1000)
#define PROOF_AGAIN_MS    (24ull * 3600 * 1000) /* after a round that found something */
#define PROOF_SPREAD_MS   (12ull * 3600 * 1000)
#define PROOF_ANSWER_MS   600000 /* for one batch */
#define PROOF_READS       2      /* packs that are read at once here */
#define PROOF_VALUE       16
#define COMPARE_LOST_MAX  4096 /* names in one answer of a comparison, of packs */
#define COMPARE_LISTS_MAX 256  /* and of lists: each is a commit */
#define TOLD_BAD_MAX      1024 /* packs that a holder says to be damaged, in one connection */

enum role {
    ROLE_NONE,
    ROLE_FORGET, /* no plan names it, or the place ended: nothing new */
    ROLE_SEND,
};

enum stage {
    STAGE_OFF,
    STAGE_LOOK,
    STAGE_ASKED,
    STAGE_NAMES,
    STAGE_OPEN,
};

enum tag { /* upper half of pending.seq */
           TAG_LOOK,
           TAG_COMPARE, /* a page of names against the book's */
           TAG_FIXED,   /* the commits of what it found */
           TAG_SCAN,    /* packs to send */
           TAG_PIECE,   /* lower half: number of the piece */
           TAG_ACKS,
           TAG_NEXT_LIST,
           TAG_SNAPSHOT,
           TAG_BASE, /* the snapshot whose list the new one is told against */
           TAG_LISTED,
           TAG_MISSING,
           TAG_FORGETS,
           TAG_FORGOTTEN,
           TAG_CHALLENGE, /* packs to prove */
           TAG_VALUE,     /* lower half: index in the batch */
           TAG_OWN,       /* whether the own copy of a bad pack is whole */
           TAG_PROVEN,
           TAG_SUSPECT, /* whether a pack that the holder did not find whole is whole here */
           TAG_BAD,     /* packs that the holder says to be damaged */
           TAG_QUIET,   /* nothing waits for it */
};
#define tag_of(tag, number) ((uint64_t)(tag) << 32 | (number))

/* ---- arguments of a QN_READ_COPY: [what, holder, ...]; answers are canonical arrays ---- */
enum copy_read {
    COPY_READ_LOOK,    /* [] -> [pack sum, list sum, packs, list, forget: bool, own packs, missing
                          bytes, unread packs, proof: 6 u64] */
    COPY_READ_PACKS,   /* [after, count] -> [after, is end, [name, size, order, ...]] */
    COPY_READ_ACKED,   /* likewise: those that are there */
    COPY_READ_LIST,    /* [after] -> [after, snapshot or nil, names, count, base or nil, names,
                          count] */
    COPY_READ_FORGETS, /* [] -> [list ids joined] */
    COPY_READ_COMPARE, /* [what, after or nil, is last, unknown max, names] -> [reached or nil, lost
                          names, packs: [name, size, ...], lists: [snapshot, names, count, ...],
                          unknown] */
};

struct names {     /* comparing: first packs, then lists */
    uint64_t what; /* 0 packs, 1 lists */
    bool are_equal[2];
    bool is_asked; /* for a page */
    bool has_after;
    struct qn_digest after; /* the last name that was compared */
    struct qn_buf page;     /* names of the holder behind it */
    bool is_last;           /* nothing is behind the page */
    size_t chunk;           /* names of the page that are being compared */
    bool is_chunk_last;     /* and all that is behind them */
    uint64_t heard, unknown;
    size_t commits; /* on their way */
};

enum outgoing_state {
    OUTGOING_NEW,
    OUTGOING_OFFERED,
    OUTGOING_WANTED,
};

struct outgoing {
    struct qn_digest name;
    uint64_t size, order;
    enum outgoing_state state;
    uint64_t read_at, sent_at, acked_at;
    bool is_read; /* to its end */
};

struct piece { /* read, or being read, ahead of the window; in the order of sending */
    uint32_t number;
    struct qn_digest name;
    uint64_t offset, size;
    bool is_here;
    uint64_t sent; /* of `bytes` */
    struct qn_buf bytes;
};

struct flight { /* sent and not acknowledged */
    struct qn_digest name;
    uint64_t end, size, sent_ms;
};

struct ack {
    struct qn_digest name;
    uint64_t size;
};

struct acks {
    struct ack *items;
    size_t count, capacity;
};

struct packs {
    QN_VEC(struct outgoing) queue;
    QN_VEC(struct piece) pieces;
    QN_VEC(struct flight) flights;
    struct acks acks;                 /* to be committed */
    struct acks acking;               /* being committed */
    QN_VEC(struct qn_digest) skipped; /* in this connection */
    struct pace pace;
    uint64_t inflight;
    uint32_t piece_number;
    bool needs_scan, is_scanning;
    bool is_restarted; /* the next scan begins at the first pack */
    uint64_t scan_after;
    uint64_t rescan_ms;  /* 0: not; when what was put off is looked for again */
    uint64_t blocked_ms; /* no offers until then; outlives connections, as is_full */
    uint64_t ack_ms;     /* after a commit that failed */
    bool is_full;
    bool is_suspecting; /* the own copy of `suspect` is being read */
    struct qn_digest suspect;
    bool has_claims; /* it has packs, it says, that we did not see acknowledged */
};

enum list_state {
    LIST_NONE,
    LIST_LOOKING,
    LIST_READING, /* the snapshot and, if there is one, its base */
    LIST_SENDING,
    LIST_SENT,
    LIST_COMMITTING,
};

struct lists {
    enum list_state state;
    bool needs_list;
    uint64_t after;                   /* number of the last snapshot that was looked at */
    uint64_t retry_ms;                /* 0: not; then those that were skipped are tried again */
    QN_VEC(struct qn_digest) skipped; /* ids */
    unsigned missing_count;
    struct qn_list_head head, base_head;
    struct qn_digest id;
    bool has_base, is_without_base; /* the holder did not take the base */
    struct qn_buf file, base_file;
    bool is_file_here, is_base_here;
    struct qn_buf packed;
    size_t piece, pieces, piece_size;
    uint64_t piece_ms; /* when the next one may go */
    bool needs_forget, is_forgetting, has_asked_forget;
    struct qn_buf forgets; /* asked for, ids joined */
    size_t forget_commits;
};

struct challenge {
    struct qn_book_next pack;
    uint8_t value[PROOF_VALUE];
    bool is_here;
};

struct range {
    uint32_t from, to;
};

enum proof_state {
    PROOF_NONE,
    PROOF_LOOKING,
    PROOF_READING,
    PROOF_READY,
    PROOF_ASKED,
    PROOF_CHECKING, /* the own copy of one that differs */
    PROOF_COMMITTING,
};

enum demand_kind {
    DEMAND_NONE,
    DEMAND_SAMPLE,
    DEMAND_ALL,
};

struct demand { /* a challenge that somebody asked for */
    enum demand_kind kind;
    enum challenge_result result; /* once there is none any more */
    uint64_t at;                  /* SAMPLE: the order of the pack behind which it begins */
    uint64_t moved_ms;            /* when something was compared last, monotonic */
    uint64_t packs, bytes, bad;
};

struct proofs {
    enum proof_state state;
    struct demand demand;
    bool is_sample;      /* the batch is; else it is of the round */
    struct qn_proof row; /* as in the book, or about to be */
    bool is_known;
    uint8_t key[32];
    QN_VEC(struct challenge) batch;
    uint32_t next, reading;      /* that are being read here */
    QN_VEC(struct range) ranges; /* to ask; the last is next */
    bool has_mended;             /* what could not be read of the batch was tried to be put right */
    uint64_t after;
    bool is_end;
    uint64_t request, asked_ms;
    uint64_t retry_ms;
    uint64_t busy_ms; /* the holder wants no challenge before; outlives connections */
    QN_VEC(struct qn_digest) lost;
    size_t commits;  /* of the batch, on their way */
    bool has_failed; /* one of them */
};

struct offsite {
    enum role role;
    uint64_t interval_ms;
    uint64_t quota_bytes; /* that the holder agreed to, when it was looked at last */
    bool is_role_known;
    bool is_dirty; /* the book, the plans or the ledger may say something else */
    uint64_t look_token, look_ms;
    bool has_packs, has_list, has_forget;
    uint64_t own_packs, missing_bytes; /* that are there; that are not */
    uint64_t unread_packs;             /* that are not, and cannot be read here */
    struct qn_digest pack_sum, list_sum;
    uint64_t want_ms;  /* not connected before, for what could not be done */
    uint64_t heard_ms; /* of its state; 0: not since the start */
    enum stage stage;
    qn_link link;
    bool is_stopped;   /* it refused */
    bool needs_more;   /* than the first connection carries: nothing goes on there */
    bool needs_ask;    /* the interval is another one */
    unsigned asks;     /* that were not answered */
    size_t told_bad;   /* packs that it said to be damaged, in this connection */
    uint64_t waits_ms; /* on the first connection: since when, 0 not; and what was said again */
    unsigned repeats;
    uint64_t holder_epoch;
    bool is_key_asked;
    unsigned files; /* file work on its way, of all connections */
    struct names names;
    struct packs packs;
    struct lists lists;
    struct proofs proofs;
};

static inline const struct qn_site_id *holder_of(const struct bulk *bulk)
{
    return &bulk->peer->site;
}

/* Whether an answer is of the present connection. */
static inline bool is_present(const struct offsite *offsite, qn_link link)
{
    return link != 0 && link == offsite->link && offsite->stage != STAGE_OFF;
}

/* ---- offsite.c ---- */
/* What it has is compared: on to the work. */
void offsite_open(struct qn_core *core, struct bulk *bulk);
const char *holder_name(const struct qn_core *core, const struct bulk *bulk);
struct qn_buf copy_read(const struct bulk *bulk, enum copy_read what, size_t field_count);
void read_copy(struct qn_core *core, struct bulk *bulk, struct qn_buf *take_args, enum tag tag);
/* A commit of [holder, ...]: `count` fields follow. */
struct qn_buf copy_intent(const struct bulk *bulk, size_t field_count);
void commit_copy(struct qn_core *core, struct bulk *bulk, enum qn_intent_kind kind,
                 struct qn_buf *take_payload, enum tag tag);
/* `names` joined: they are not there. False: nothing is to be said. */
void commit_lost(struct qn_core *core, struct bulk *bulk, struct qn_span names, enum tag tag);
/* File work of the own vault. */
void own_file(struct qn_core *core, struct bulk *bulk, const struct qn_file_work *what,
              struct qn_span bytes, uint64_t tag);
bool may_read_file(const struct bulk *bulk);
enum qn_err QN_CHECKED read_digest(struct qn_cursor *cursor, struct qn_digest *ret_digest);
/* Names joined, at most so many. */
enum qn_err QN_CHECKED read_joined(struct qn_cursor *cursor, size_t count_max,
                                   struct qn_span *ret_names);

void offsite_drop(struct offsite *offsite); /* what goes on in the connection */
/* Asks for the state, as if a connection had just been made. Nothing may be under way but that. */
void offsite_compare_anew(struct qn_core *core, struct bulk *bulk);
/* It is to be compared anew: nothing new begins. */
bool offsite_is_ending(const struct qn_core *core, const struct bulk *bulk);

/* ---- offsite_narrow.c ---- */
/* What is next is too much for the first connection: it waits for the second one. */
void offsite_needs_more(struct qn_core *core, struct bulk *bulk);
/* What waits for an answer there is said again after a while, ever more rarely. */
void offsite_tick_narrow(struct qn_core *core, struct bulk *bulk);

/* ---- offsite_look.c ---- */
void offsite_refresh_role(struct qn_core *core, struct bulk *bulk);
void offsite_look(struct qn_core *core, struct bulk *bulk); /* if it is time */
void offsite_looked(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result);

/* ---- offsite_names.c ---- */
void names_start(struct qn_core *core, struct bulk *bulk, bool packs_equal, bool lists_equal);
void names_end(struct offsite *offsite);
enum qn_err QN_CHECKED names_frame(struct qn_core *core, struct bulk *bulk,
                                   struct qn_cursor *fields);
void names_compared(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result);
void names_fixed(struct qn_core *core, struct bulk *bulk, const struct qn_outcome *outcome);

/* ---- offsite_pack.c ---- */
void packs_start(struct qn_core *core, struct bulk *bulk);
void packs_end(struct offsite *offsite);
void packs_free(struct packs *packs);
void packs_tick(struct qn_core *core, struct bulk *bulk);
/* Look in the book again; `from_start`: also for what was looked at. */
void packs_look(struct offsite *offsite, bool from_start);
bool packs_are_idle(const struct offsite *offsite);
enum qn_err QN_CHECKED packs_offered(struct qn_core *core, struct bulk *bulk,
                                     struct qn_cursor *fields);
enum qn_err QN_CHECKED packs_acked(struct qn_core *core, struct bulk *bulk,
                                   struct qn_cursor *fields);
void packs_scanned(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result);
void packs_piece(struct qn_core *core, struct bulk *bulk, uint32_t number,
                 struct qn_file_result *result);
void packs_committed(struct qn_core *core, struct bulk *bulk, const struct qn_outcome *outcome);
/* How many bytes of what is here it does not have yet. */
uint64_t packs_left(const struct offsite *offsite);
/* How many bytes may go now. */
uint64_t packs_room(struct qn_core *core, struct offsite *offsite);
/* Wakes when that may be more. */
void packs_wake(struct qn_core *core, const struct offsite *offsite);
/* The holder is full: nothing is offered for a while. */
void packs_block(struct qn_core *core, struct bulk *bulk);
void packs_unblock(struct qn_core *core, struct bulk *bulk); /* there may be room: offer again */

struct outgoing *pack_find(struct packs *packs, const struct qn_digest *name); /* NULL: none */
void pack_drop(struct packs *packs, struct outgoing *pack);
void pack_skip(struct packs *packs, struct outgoing *pack); /* not in this connection again */
void pack_skip_named(struct packs *packs, const struct qn_digest *name);
/* Offered again in a minute. */
void pack_later(struct qn_core *core, struct packs *packs, struct outgoing *pack);
void pack_acked(struct packs *packs, struct outgoing *pack);
/* The holder does not take it now, or never: `code` is an enum qn_offer. */
void pack_refused(struct qn_core *core, struct bulk *bulk, struct outgoing *pack, uint64_t code);

/* ---- offsite_send.c ---- */
/* The own copy of a pack cannot be read: that is noted, and it is put right from another copy. */
void pack_unread(struct qn_core *core, struct bulk *bulk, const struct qn_digest *name,
                 enum qn_err err);
/* It was sent to its end, and is not whole there: is it whole here? */
void pack_suspect(struct qn_core *core, struct bulk *bulk, const struct qn_digest *name);
void packs_suspect_read(struct qn_core *core, struct bulk *bulk, enum qn_err err);
void packs_read_ahead(struct qn_core *core, struct bulk *bulk);
void packs_send_pieces(struct qn_core *core, struct bulk *bulk);
void packs_commit_acks(struct qn_core *core, struct bulk *bulk);

/* ---- offsite_list.c ---- */
void lists_end(struct offsite *offsite);
void lists_free(struct lists *lists);
void lists_tick(struct qn_core *core, struct bulk *bulk);
void lists_unblock(struct qn_core *core, struct bulk *bulk); /* those that were put off: now */
bool lists_are_idle(const struct offsite *offsite);
void lists_say_again(struct offsite *offsite); /* if an answer is waited for */
enum qn_err QN_CHECKED lists_acked(struct qn_core *core, struct bulk *bulk,
                                   struct qn_cursor *fields);
void lists_read_done(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result);
void lists_file_done(struct qn_core *core, struct bulk *bulk, enum tag tag,
                     struct qn_file_result *result);
void lists_committed(struct qn_core *core, struct bulk *bulk, enum tag tag,
                     const struct qn_outcome *outcome);

/* ---- offsite_forget.c ---- */
void forgets_tick(struct qn_core *core, struct bulk *bulk);
void forgets_say_again(struct offsite *offsite);
void forgets_read_done(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result);
enum qn_err QN_CHECKED forgets_done(struct qn_core *core, struct bulk *bulk,
                                    struct qn_cursor *fields);
void forgets_committed(struct qn_core *core, struct bulk *bulk, const struct qn_outcome *outcome);

/* ---- offsite_demand.c ---- */
void demand_end(struct qn_core *core, struct bulk *bulk, enum challenge_result result);
void demand_count(struct qn_core *core, struct bulk *bulk);
/* What came of the batch is stored, or could not be. */
void demand_batch_done(struct qn_core *core, struct bulk *bulk, bool is_stored);
void demand_tick(struct qn_core *core, struct bulk *bulk);

/* ---- offsite_proof.c ---- */
void proofs_end(struct offsite *offsite);
void proofs_free(struct proofs *proofs);
void proofs_tick(struct qn_core *core, struct bulk *bulk);
bool proofs_are_idle(const struct offsite *offsite);
void proofs_say_again(struct offsite *offsite);
/* Wall clock; UINT64_MAX: nothing is there to prove. */
uint64_t proofs_due_ms(const struct qn_core *core, const struct bulk *bulk);
/* Wakes the core when it will be. */
bool proofs_are_due(struct qn_core *core, const struct bulk *bulk);
void proofs_read_done(struct qn_core *core, struct bulk *bulk, struct qn_read_result *result);
void proofs_committed(struct qn_core *core, struct bulk *bulk, const struct qn_outcome *outcome);
/* The batch begins anew later: what was found in it counts then, not twice. */
void proofs_put_off(struct qn_core *core, struct bulk *bulk);
void proofs_give_up(struct qn_core *core, struct bulk *bulk, enum qn_err err);

/* ---- offsite_compare.c ---- */
void proofs_read_own(struct qn_core *core, struct bulk *bulk); /* in state READING */
void proofs_ask(struct qn_core *core, struct bulk *bulk);      /* about the last range */
enum qn_err QN_CHECKED proofs_answer(struct qn_core *core, struct bulk *bulk,
                                     struct qn_cursor *fields);
void proofs_file_done(struct qn_core *core, struct bulk *bulk, enum tag tag, uint32_t number,
                      struct qn_file_result *result);
