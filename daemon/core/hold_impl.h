/* Inside core: what the files of the holder's part share.
 *
 *   hold.c         life, whose messages are heard, VAULT_ASK, NAMES_ASK, KEY_PUT, LIST_FORGET
 *   hold_offer.c   PACK_OFFER: what is wanted, and where each goes on
 *   hold_pack.c    PACK_PUT: from the first piece to the row
 *   hold_list.c    LIST_PUT: names as changes to a list that is here
 *   hold_serve.c   PACK_GET, LIST_GET, PROOF_ASK
 *   hold_proof.c   how much an owner may have read by PROOF_ASK
 *   hold_read.c    what any of them reads from the store
 *   custodian.c, custodian_sweep.c   once per core: the lock clock, scrubs; what is let go
 *   custodian_report.c   and what it says of that, in the ledger
 *
 * Life of a pack:  wanted -> measured -> ready <-> appending -> storing -> (acknowledged, gone)
 *                                          `----> removing -> refused
 * A pack that is refused is remembered until it is offered again, because more of its pieces are on
 * their way. Work that an earlier connection began goes on to its end (`is_old`), and new offers
 * wait for it.
 */
#pragma once

#include "core/hold.h"
#include "proto/pack.h"

#define HOLD_APPENDS_MAX 4    /* packs that are appended to, or removed, at the same time */
#define HOLD_SIZES_MAX   4    /* and that are measured */
#define HOLD_READS_MAX   7    /* files that are read for the owner: in all at most 16, see bulk.h */
#define HOLD_FILES_MAX   16   /* all of it, also of earlier connections */
#define HOLD_PACKS_MAX   1024 /* wanted and not here yet */
#define HOLD_PIECES_MAX  1024
#define HOLD_OFFERS_MAX  4 /* messages */
#define HOLD_COMMITS_MAX 32
#define HOLD_LEASE_MS    3600000 /* a lease is renewed so often while packs are offered */
#define HOLD_LIST_SIZE_MAX                                                                         \
    (QN_HELD_LIST_NAMES_MAX * QN_DIGEST_SIZE + QN_HELD_SEALED_SIZE_MAX + 1024)
#define HOLD_LIST_PIECES   ((HOLD_LIST_SIZE_MAX + BULK_LIST_PIECE - 1) / BULK_LIST_PIECE)
#define HOLD_LIST_BATCH    4096 /* names in one intent; whole chunks */
#define HOLD_PROOF_TOKEN   16
#define CUSTODIAN_MS       60000 /* the lock clock */
#define CUSTODIAN_SWEEP_MS 3600000
#define CUSTODIAN_STEP_MS  100 /* between two steps of a sweep: others want the store too */
#define CUSTODIAN_REMOVES  4

/* What a commit, a read or file work is for: the low 8 bits of its tag. */
enum hold_what {
    HOLD_QUIET, /* nothing waits for it */
    HOLD_ASK_ROOM,
    HOLD_ASK_STATE,
    HOLD_NAMES_ASKED,
    HOLD_OFFER_ROOM,
    HOLD_OFFER_DECIDED,
    HOLD_OFFER_SIZE,
    HOLD_APPENDED,
    HOLD_STORED,
    HOLD_REMOVED,
    HOLD_LIST_BEGUN,
    HOLD_LIST_BASE,
    HOLD_LIST_NAMES,
    HOLD_LIST_DONE,
    HOLD_FORGOT,
    HOLD_KEPT_KEY,
    HOLD_REQUEST_READ,
    HOLD_REQUEST_FILE,
};

static inline uint64_t hold_tag(enum hold_what what, uint64_t number)
{
    return number << 8 | what;
}

enum hold_pack_state {
    HOLD_PACK_MEASURED, /* its part is being asked for */
    HOLD_PACK_READY,
    HOLD_PACK_APPENDING,
    HOLD_PACK_STORING,
    HOLD_PACK_REMOVING,
    HOLD_PACK_REFUSED,
};

struct hold_pack {
    uint64_t number; /* its name in tags */
    struct qn_digest name;
    uint64_t size;
    uint64_t next;      /* the offset of the piece that may come */
    uint64_t have;      /* appended */
    uint64_t appending; /* bytes of the piece on its way to the disk */
    size_t queued;      /* pieces that wait */
    enum hold_pack_state state;
    enum qn_offer refusal;
    bool is_started; /* REMOVING: the file work is on its way */
    bool is_old;
};

struct hold_piece {
    uint64_t pack;
    uint8_t *bytes;
    size_t size;
};

struct hold_offered {
    struct qn_digest name;
    uint64_t size, have;
    enum qn_offer answer;
    bool is_asked; /* of the store: else the answer stands already */
    uint64_t pack; /* WANTED: its number */
};

enum hold_offer_stage {
    HOLD_OFFER_WAITS,
    HOLD_OFFER_ASKS_ROOM,
    HOLD_OFFER_DECIDES,
    HOLD_OFFER_MEASURES,
};

struct hold_offer { /* one message */
    uint64_t number;
    enum hold_offer_stage stage;
    struct qn_lease_id lease;
    struct hold_offered items[BULK_OFFERS_MAX];
    size_t count;
    size_t next, measuring; /* MEASURES: the next one to ask for, how many are asked for */
};

struct hold_list {
    uint64_t number;
    struct qn_digest id;
    struct qn_buf packed; /* as far as it came; what follows borrows from it */
    uint64_t pieces, piece;
    bool is_running; /* whole, and on its way into the store */
    struct qn_list_head head;
    struct qn_signature signature;
    bool has_base;
    struct qn_digest base;
    struct qn_span sealed, removed, added; /* names still to be merged */
    struct qn_buf known;                   /* names of the base still to be merged */
    struct qn_digest known_after;
    bool is_known_begun, is_known_end;
    struct qn_buf names; /* merged, to be stored */
    uint32_t have, made; /* names that were there before; that were merged */
    uint32_t at;         /* of the next names that are stored */
};

struct hold_request {
    uint64_t number;
    uint64_t request; /* as the owner calls it */
    enum qn_message kind;
    bool is_reading, has_row;
    struct qn_digest name;
    uint64_t offset, size, pack_size;
    uint8_t key[32];      /* PROOF */
    struct qn_buf wanted; /* prefixes, then names */
    struct qn_buf tokens;
    uint64_t again_ms; /* "busy": it may be asked again when so much has passed */
};

struct hold_budget {      /* of bytes that are read for challenges */
    uint64_t left, at_ms; /* as of then, monotonic; 0: never asked */
};

struct hold {
    uint64_t free_bytes; /* of the disk, as of the last file work */
    size_t files;        /* pieces of file work on their way */
    size_t commits;      /* that the owner's messages caused and that are on their way */
    size_t names_asked;
    bool is_state_asked, is_asked_again;
    struct qn_digest pack_sum, list_sum;
    bool has_lease;
    struct qn_lease_id lease;
    uint64_t lease_ms;
    QN_VEC(struct hold_offer *) offers;
    QN_VEC(struct hold_pack) packs;
    QN_VEC(struct hold_piece) pieces;
    size_t waiting;                 /* bytes of pieces, and of those on their way to the disk */
    size_t appends, sizes;          /* file work of packs on its way, by kind */
    QN_VEC(struct qn_digest) parts; /* packs that began to arrive here, oldest first */
    struct hold_list list;
    QN_VEC(struct hold_request *) requests;
    size_t reads;
    struct hold_budget budget; /* outlives connections */
};

/* ---- hold.c ---- */
/* Payload of an intent about the owner, an array of `count` items of which it is the first. */
void hold_payload(const struct bulk *bulk, size_t count, struct qn_buf *ret_payload);
struct pending *hold_commit(struct qn_core *core, struct bulk *bulk, enum qn_intent_kind kind,
                            struct qn_buf *take_payload, uint64_t tag);
/* File work on a pack of the owner; `bytes` is taken if it is not NULL. */
struct hold_file {
    enum qn_file_kind kind;
    struct qn_digest name;
    uint64_t offset, size, total;
    uint8_t *take_bytes;
    size_t bytes_size;
};
void hold_file(struct qn_core *core, struct bulk *bulk, const struct hold_file *file, uint64_t tag);
/* Asks for how much of the disk is free: the result has it. */
void hold_ask_room(struct qn_core *core, struct bulk *bulk, uint64_t tag);
bool hold_has_file_slot(const struct hold *hold);
uint64_t hold_room(const struct qn_core *core, const struct hold *hold);
/* What an error of the store means for a pack. */
enum qn_offer hold_refusal(enum qn_err err);

/* ---- hold_offer.c ---- */
enum qn_err QN_CHECKED hold_heard_offer(struct qn_core *core, struct bulk *bulk,
                                        struct qn_cursor *fields);
void hold_offer_room(struct qn_core *core, struct bulk *bulk, uint64_t number);
void hold_offer_decided(struct qn_core *core, struct bulk *bulk, uint64_t number,
                        const struct qn_outcome *outcome);
void hold_offer_measured(struct qn_core *core, struct bulk *bulk, uint64_t pack,
                         const struct qn_file_result *result);
void hold_offer_pump(struct qn_core *core, struct bulk *bulk);

/* ---- hold_pack.c ---- */
struct hold_pack *hold_pack_of(struct hold *hold, uint64_t number);
struct hold_pack *hold_pack_named(struct hold *hold, const struct qn_digest *name);
bool hold_pack_is_busy(const struct hold_pack *pack);
/* The name of a pack of which this disk has a part. */
void hold_part_began(struct hold *hold, const struct qn_digest *name);
void hold_pack_drop(struct hold *hold, struct hold_pack *pack);
/* NULL: there are too many. */
struct hold_pack *hold_pack_want(struct qn_core *core, struct hold *hold,
                                 const struct qn_digest *name, uint64_t size);
enum qn_err QN_CHECKED hold_heard_put(struct qn_core *core, struct bulk *bulk,
                                      struct qn_cursor *fields);
void hold_appended(struct qn_core *core, struct bulk *bulk, uint64_t number,
                   const struct qn_file_result *result);
void hold_stored(struct qn_core *core, struct bulk *bulk, uint64_t number, enum qn_err err);
void hold_removed(struct qn_core *core, struct bulk *bulk, uint64_t number);
void hold_pack_pump(struct qn_core *core, struct bulk *bulk);
void hold_packs_down(struct hold *hold);

/* ---- hold_list.c ---- */
enum qn_err QN_CHECKED hold_heard_list(struct qn_core *core, struct bulk *bulk,
                                       struct qn_cursor *fields);
void hold_list_outcome(struct qn_core *core, struct bulk *bulk, enum hold_what what,
                       uint64_t number, const struct qn_outcome *outcome);
void hold_list_base(struct qn_core *core, struct bulk *bulk, uint64_t number,
                    const struct qn_read_result *result);
void hold_list_reset(struct hold_list *list);

/* ---- hold_proof.c ---- */
/* What a challenge names was looked up: it goes on, or is answered. */
void hold_proof_resolved(struct qn_core *core, struct bulk *bulk, struct hold_request *request,
                         struct qn_span body);

/* ---- hold_serve.c ---- */
/* Answers with that code; the request is gone. */
void hold_request_fail(struct qn_core *core, struct bulk *bulk, struct hold_request *request,
                       const char *code);
enum qn_err QN_CHECKED hold_heard_request(struct qn_core *core, struct bulk *bulk,
                                          enum qn_message kind, struct qn_cursor *fields);
void hold_request_read(struct qn_core *core, struct bulk *bulk, uint64_t number,
                       const struct qn_read_result *result);
void hold_request_file(struct qn_core *core, struct bulk *bulk, uint64_t number,
                       const struct qn_file_result *result);
void hold_request_pump(struct qn_core *core, struct bulk *bulk);
void hold_requests_down(struct hold *hold);

/* ---- hold_read.c: arguments of QN_READ_HELD and what they give ---- */
enum hold_read {
    /* [kind] : {owner 32 B, held (1 if something is), bad packs, next pack 32 B or nil, its size,
     * when it is due in lock time, ...} as one array of 6 for each owner, behind lock time now */
    HOLD_READ_ALL,
    /* [kind, owner, pack sum, list sum] : [packs are equal, lists are equal, quota, used, pack
     * count, list count, newest key epoch] */
    HOLD_READ_STATE,
    HOLD_READ_PACK_NAMES, /* [kind, owner, after or nil] : [is last, names] */
    HOLD_READ_LIST_NAMES, /* the same, of lists that are whole and not forgotten */
    HOLD_READ_PACK,       /* [kind, owner, pack] : [size, is good] */
    HOLD_READ_RESOLVE,    /* [kind, owner, prefixes] : [bytes of those packs, bytes that are held,
                             names    joined, zero for one that is not here] */
    HOLD_READ_LIST,       /* [kind, owner, list, after or nil, count] : [is last, names], of a whole
                             one */
    HOLD_READ_LISTS,      /* [kind, owner, after or nil, wall ms] : [is last, body of LIST_DATA] */
    HOLD_READ_KEYS,       /* [kind, owner] : [true, body of LIST_DATA] */
    /* [kind, owner; zero: all] : {owner, packs, bad packs, lists, bytes, lock ends, condemned
     * packs, destroyed packs, destroyed bytes} as one array of 9 for each owner, behind lock time
     * now */
    HOLD_READ_REPORTS,
};
/* Arguments that begin so; more may be packed behind them. */
void hold_read_args(enum hold_read kind, const struct qn_site_id *owner, size_t count,
                    struct qn_buf *ret_args);
void hold_pack_after(struct qn_buf *out, const struct qn_digest *after); /* NULL: nil */
/* `after` or nil, of a message or of arguments. */
enum qn_err QN_CHECKED hold_take_after(struct qn_cursor *cursor, struct qn_digest *ret_after,
                                       bool *ret_is_there);

/* ---- custodian.c, custodian_sweep.c ---- */
struct custody_owner {
    struct qn_site_id site;
    bool has_anything, has_next;
    uint64_t bad_count;
    struct qn_digest next; /* pack to scrub */
    uint64_t next_due_ms;  /* lock time */
};

enum custodian_what {
    CUSTODIAN_CLOCK,
    CUSTODIAN_READ,
    CUSTODIAN_SCRUB,
    CUSTODIAN_SCRUBBED,
    CUSTODIAN_FOUND, /* a challenge found one that is damaged */
    CUSTODIAN_SWEEP,
    CUSTODIAN_REMOVED,
    CUSTODIAN_UNLINKED,
    CUSTODIAN_PARTS,
    CUSTODIAN_CALM,
    CUSTODIAN_LISTED,
    CUSTODIAN_STRAYS,
    CUSTODIAN_REPORT, /* a read: one owner is to be reported on */
    CUSTODIAN_LEAVE,  /* a read: this site withdraws, all of them are */
    CUSTODIAN_REPORTED,
};

struct custodian_sweep {
    bool is_active;
    bool is_waiting; /* for a commit or for file work */
    struct qn_site_id owner;
    bool has_owner;
    struct qn_digest after;
    bool is_end;         /* of the packs of this owner */
    bool seeks_strays;   /* the first sweep since the start: files without a row, too */
    bool is_at_strays;   /* the packs of this owner are done, its files are looked at */
    bool is_strays_end;  /* and that is done, too */
    struct qn_buf names; /* to be unlinked */
    struct qn_buf gone;  /* those that are */
    size_t next, removing;
    uint64_t step_ms;
};

struct custodian {
    bool has_read; /* the owners are known */
    bool is_reading;
    QN_VEC(struct custody_owner) owners;
    uint64_t lock_ms;  /* as of the last read */
    uint64_t clock_ms; /* monotonic: when the clock was read last; 0: never, or it failed */
    uint64_t tick_ms;
    bool is_scrubbing;
    uint64_t scrub_ms; /* not before */
    uint64_t sweep_ms; /* the next one */
    bool has_sought;   /* a sweep since the start looked for files without a row */
    struct custodian_sweep sweep;
    bool is_reporting;
    uint64_t report_ms; /* not before */
};

/* Whether this site promised that owner something, or still has something of it. */
bool custodian_knows(const struct qn_core *core, const struct qn_site_id *owner);
/* Something of that owner was stored. */
void custodian_has(struct qn_core *core, const struct qn_site_id *owner);
/* Before any intent about what is held. */
void custodian_clock(struct qn_core *core);
/* Something can be let go: sweep soon. */
void custodian_sweep_soon(struct qn_core *core);
void custodian_read(struct qn_core *core);
struct pending *custodian_mark(struct pending *pending, const struct qn_site_id *owner,
                               enum custodian_what what);
/* Whether a pack that was read so is damaged or gone: for scrubs, challenges and reading back.
 * Anything else, as too many open files or a disk that is away, passes. */
bool custodian_is_bad(enum qn_err err);
/* What the owner had read is damaged: noted, so that it can send it again. */
void custodian_found_bad(struct qn_core *core, const struct qn_site_id *owner,
                         const struct qn_digest *pack);
void custodian_sweep_tick(struct qn_core *core);
void custodian_swept(struct qn_core *core, const struct qn_outcome *outcome);
void custodian_unlinked(struct qn_core *core, enum qn_err err);
void custodian_listed(struct qn_core *core, const struct qn_file_result *result);
void custodian_strays(struct qn_core *core, const struct qn_outcome *outcome);
void custodian_removed(struct qn_core *core, const struct pending *pending, enum qn_err err);
enum qn_err QN_CHECKED custodian_read_reports(struct qn_kv *kv, const struct qn_site_id *owner,
                                              struct qn_buf *out);
/* Says what became of what is held, where an agreement is over and it was not said. */
void custodian_report_tick(struct qn_core *core);
void custodian_report_read(struct qn_core *core, const struct pending *pending,
                           const struct qn_read_result *result);
void custodian_reported(struct qn_core *core, enum qn_err err);
void custodian_sweep_deinit(struct custodian_sweep *sweep);
