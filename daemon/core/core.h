/* The core: every decision of a site, as one pure state machine.
 *
 *     qn_core_step(core, event, &update)
 *
 * An event says what happened and when; the update says what to do. A step never blocks, never
 * re-enters, reads no clock and draws no randomness but what the event brings. Links, commits,
 * reads and requests are named by tokens. The driver (daemon/app, or the simulator) carries effects
 * out and answers with events; it may do so in any order among different tokens.
 *
 * Durability: a REPLY with `is_ok`, an ACK and an ADMITTED leave only in a step whose event reports
 * the commit that they speak of. Thread: the loop thread. Memory: limits.h.
 */
#pragma once

#include "base/vec.h"
#include "chunk/plan.h"
#include "core/job.h"
#include "model/applier.h"
#include "model/invitation.h"
#include "model/late.h"
#include "model/scrub.h"

typedef uint64_t qn_link; /* the driver's name of a connection; 0 names none */

/* docs/protocol.md, section 3: one for records and the ledger, one to join by, one for vaults. */
enum qn_link_kind {
    QN_LINK_MEMBER,
    QN_LINK_GUEST,
    QN_LINK_BULK,
};

/* How much of the log is kept for those who are behind (model/replica.h); 0: as limits.h says. */
struct qn_log_caps {
    uint64_t ops, bytes, days;
};

struct qn_core_options {
    struct qn_site_id site; /* stays for life; that of the first key (docs/ledger.md, "Keys") */
    const struct qn_signer *signer; /* borrowed; the site's present key */
    struct qn_site_keys keys;
    const char *name, *legal_entity, *version;
    struct qn_span genesis;     /* the first entry of a new group, else empty */
    const struct qn_code *join; /* the invitation of a joining site, else NULL */
    /* Of a site that lost everything: the key of its kit (borrowed), else NULL. Then `join` has the
     * group's prefix and the addresses to ask at, and no secret. */
    const struct qn_signer *recovery;
    const uint8_t *kit_seed; /* with `recovery`: opens the key of the vault; borrowed, secret */
    const char (*addresses)[QN_ADDRESS_SIZE_MAX + 1]; /* where others reach this site */
    size_t address_count;
    uint64_t seed;             /* jitter */
    size_t count_step;         /* entries counted anew in one step; 0: as usual */
    size_t page_size;          /* wished, of every page; 0: as the line is (tests of cuts) */
    size_t unfork_ops_max;     /* in one transaction; 0: as limits.h says (tests of cuts) */
    uint64_t disk_bytes;       /* of the file system of the state: a tenth is the default quota */
    struct qn_digest boot;     /* of this run of the machine: SHA-256 of the boot's id */
    struct qn_span sealed_key; /* of the vault, sealed to the kit: for holders; copied; empty
                                * while a site in recovery has none */
    uint64_t key_epoch;        /* of it, from 1 */
    const struct qn_timetable *rate; /* of what goes to holders; copied; NULL: no limit */
    struct qn_log_caps log;
    uint64_t history_days; /* replaced values are kept for so long; 0: as limits.h says */
};

enum qn_event_kind {
    QN_EVENT_START,   /* once, after qn_core_load */
    QN_EVENT_TICK,    /* the deadline of the last update was reached */
    QN_EVENT_LINK_UP, /* a peer's key was proven */
    QN_EVENT_LINK_DOWN,
    QN_EVENT_DIAL_FAILED,
    QN_EVENT_FRAME,
    QN_EVENT_COMMIT,  /* one transaction committed or failed */
    QN_EVENT_READ,    /* the answer to a READ */
    QN_EVENT_REQUEST, /* from the control socket */
    QN_EVENT_REQUEST_GONE,
    QN_EVENT_JOB,  /* news of a job (core/job.h) */
    QN_EVENT_FILE, /* the result of file work */
    QN_EVENT_CALL, /* who serves the folders of others wants that site to dial: see qn_core_reach */
    QN_EVENT_STOP, /* the daemon ends: what may be forgotten is to be stored now */
};

enum qn_read_kind {
    QN_READ_OPS, /* start if from_seq is 0, then ops */
    QN_READ_FP,
    QN_READ_BUCKET,
    QN_READ_BOOK,      /* snapshots, copies and held vaults as they are shown */
    QN_READ_STALE,     /* packs in the book that are not among `names` */
    QN_READ_HELD,      /* of what is held for others: `names` are the arguments of hold_read */
    QN_READ_TRAIL,     /* of what is kept of other sites' trails: `names` is for trail_read */
    QN_READ_COPY,      /* of copies at holders: `names` are the arguments of offsite_read */
    QN_READ_PAGE,      /* one page from the cursor in `names` on; in the transaction `pin` */
    QN_READ_COPIES,    /* of the records of the packed keys `names` (model/copy.h) */
    QN_READ_CHAIN,     /* checkpoints of the actors in `names` (core/fork.c) */
    QN_READ_ASIDE,     /* keys of records that are set aside, behind the key `names` */
    QN_READ_SCRUB,     /* a step of `scrub` */
    QN_READ_INCIDENTS, /* the last ones (model/copy.h) */
};

/* A short read, carried out by qn_core_read (the same code in the product and the simulator).
 *
 * One with a `pin` is carried out in the reading transaction of that name, which its first read
 * opens and UNPIN ends, so that all of them see one state; its result is QN_ERR_BUSY if it cannot
 * be opened. Of one pin at most one read is under way. */
struct qn_read {
    uint64_t token;
    enum qn_read_kind kind;
    uint64_t pin;
    struct qn_site_id asker; /* FP, BUCKET: for whom; zero: for this site */
    bool has_clock; /* PAGE: of the receiver, whose hash is `clock`: it is not sent again */
    struct qn_digest clock;
    struct qn_coll_id coll;
    uint64_t from_seq, to_seq; /* OPS */
    struct qn_vv known;        /* OPS; owned */
    bool with_left;            /* COPIES: and what is left of records that are damaged here */
    size_t size_wish;
    unsigned level;         /* FP */
    uint8_t prefix;         /* FP */
    uint16_t bucket;        /* BUCKET */
    struct qn_buf names;    /* STALE: sorted, 32 bytes each; HELD, COPY, PAGE: as there; owned */
    struct qn_scrub *scrub; /* SCRUB; owned */
};

struct qn_read_result {
    uint64_t token;
    enum qn_err err;
    /* OPS: body of the message; FP, BUCKET: as in replica_read.h; STALE: names; HELD, COPY: as
     * there; COPIES, ASIDE, SCRUB: as in model/copy.h and model/scrub.h; owned */
    struct qn_buf body;
    struct qn_scrub *scrub; /* SCRUB: where it stands now; owned */
    size_t raw_size;        /* PAGE: of the body, before it was squeezed; equal: it is as it was */
    struct qn_page_read page; /* PAGE */
    struct qn_ops_read ops;
    struct qn_book_view *book; /* BOOK; owned (core/backup.h) */
};

struct qn_event {
    enum qn_event_kind kind;
    uint64_t mono_ms; /* since the machine booted, with suspension; nobody sets it */
    uint64_t wall_ms;
    uint8_t entropy[32];            /* fresh randomness, filled for REQUEST, else zero */
    qn_link link;                   /* LINK_UP, LINK_DOWN, FRAME */
    uint64_t token;                 /* LINK_UP of a dialled link, DIAL_FAILED; REQUEST: its id */
    enum qn_err err;                /* LINK_DOWN, DIAL_FAILED */
    enum qn_link_kind link_kind;    /* LINK_UP */
    bool is_dialled;                /* LINK_UP */
    struct qn_public_key key;       /* LINK_UP; CALL: of the other site */
    uint8_t exporter[32];           /* LINK_UP of a guest link */
    struct qn_span frame;           /* FRAME; borrowed for the step */
    const struct qn_commit *commit; /* COMMIT; borrowed */
    struct qn_read_result *read;    /* READ; borrowed; what it owns may be taken */
    struct qn_span command, args, user; /* REQUEST; borrowed; args is a canonical map */
    const struct qn_job_event *job;     /* JOB; borrowed */
    struct qn_file_result *file;        /* FILE; borrowed; what it owns may be taken */
    int32_t offset_s;                   /* local time minus UTC: for schedules */
};

enum qn_effect_kind {
    QN_EFFECT_DIAL,
    QN_EFFECT_SEND,
    QN_EFFECT_CLOSE,
    QN_EFFECT_COMMIT,
    QN_EFFECT_READ,
    QN_EFFECT_REPLY,
    QN_EFFECT_ADMIT, /* whom net lets in changed: ask qn_core_admitted */
    QN_EFFECT_JOB,   /* start a job; JOB_STOP: end one early */
    QN_EFFECT_JOB_STOP,
    QN_EFFECT_FILE,  /* file work */
    QN_EFFECT_UNPIN, /* the reading transaction `token` is needed no more, if it was ever opened */
    /* A recovered site: the key of its vault, sealed to its kit; no bytes: nobody has one, and the
     * vault begins anew. At most once in the life of a core whose options have `recovery`; then
     * qn_core_set_sealed_key. */
    QN_EFFECT_VAULT_KEY,
    QN_EFFECT_RECOVERED, /* everything that can come back is here: `recovery` is needed no more */
    QN_EFFECT_CALLED,    /* the site with the key `expected` wants a connection for folders */
    QN_EFFECT_NOTE,      /* for the log */
};

enum qn_reply_kind {
    QN_REPLY_DATA,
    QN_REPLY_END,
    QN_REPLY_ERROR,
};

struct qn_effect {
    enum qn_effect_kind kind;
    qn_link link;   /* SEND, CLOSE */
    uint64_t token; /* DIAL; REPLY: the request's id; JOB_STOP: the job's; UNPIN: the pin */
    enum qn_link_kind link_kind;   /* DIAL */
    bool has_expected;             /* DIAL */
    struct qn_public_key expected; /* also CALLED */
    uint8_t *bytes; /* SEND: frame; REPLY: data; DIAL: address; VAULT_KEY; owned by the update */
    size_t size;
    struct qn_intent *intent;  /* COMMIT; the driver takes it by setting it to NULL */
    struct qn_read *read;      /* READ; likewise */
    struct qn_job *job;        /* JOB; likewise */
    struct qn_file_work *file; /* FILE; likewise */
    enum qn_reply_kind reply;
    enum qn_err err;  /* REPLY_ERROR; NOTE */
    const char *code; /* REPLY_ERROR (docs/control.md 5), NOTE: static text */
    char object[160]; /* REPLY_ERROR, NOTE: what it concerns */
};

/* Reused from step to step; the effects are valid until the next step. */
struct qn_update {
    QN_VEC(struct qn_effect) effects;
    uint64_t deadline_ms; /* monotonic; UINT64_MAX: none */
};

void qn_update_deinit(struct qn_update *update);

struct qn_core;
struct qn_core *qn_core_new(const struct qn_core_options *options);
void qn_core_free(struct qn_core *core);
/* Takes over what the store holds; once, before START. */
enum qn_err QN_CHECKED qn_core_load(struct qn_core *core, struct qn_kv *kv);
void qn_core_step(struct qn_core *core, const struct qn_event *event, struct qn_update *update);

/* Carries out a READ in any read transaction; *ret_result is released by qn_read_result_deinit. */
void qn_core_read(struct qn_kv *kv, const struct qn_read *read, struct qn_read_result *ret_result);
void qn_read_free(struct qn_read *read);
void qn_read_result_deinit(struct qn_read_result *result);

/* The key of the vault is here, or was made: at most QN_HELD_KEY_SIZE_MAX bytes, copied. Between
 * steps. */
void qn_core_set_sealed_key(struct qn_core *core, struct qn_span sealed, uint64_t epoch);
/* The timetable was changed. Between steps. */
void qn_core_set_rate(struct qn_core *core, const struct qn_timetable *rate);
void qn_core_set_log_caps(struct qn_core *core, const struct qn_log_caps *caps); /* likewise */
void qn_core_set_history_days(struct qn_core *core, uint64_t days);

/* The newest checkpoint of this site's audit trail, durable here: other sites are told. At most
 * QN_TRAIL_CHECKPOINT_SIZE_MAX bytes, copied. Between steps; the next step tells it. */
void qn_core_set_trail(struct qn_core *core, uint64_t seq, struct qn_span checkpoint);
/* A proof of the whole trail found that a site knows it otherwise: when; 0: it does not. */
void qn_core_found_trail(struct qn_core *core, struct qn_span site, uint64_t wall_ms);

/* ---- views, borrowed until the next step ---- */

/* The keys that may connect, and whether guests may. */
const struct qn_public_key *qn_core_admitted(const struct qn_core *core, size_t *ret_count,
                                             bool *ret_allows_guests);
const struct qn_group *qn_core_group(const struct qn_core *core); /* NULL while joining */
/* A shared collection of this site by its shown name; NULL if there is none. */
const struct qn_coll_id *qn_core_collection(const struct qn_core *core, struct qn_span name);
/* The shown name of the site that an actor belongs to; "?" if unknown. */
const char *qn_core_actor_name(const struct qn_core *core, const struct qn_actor *actor);
struct qn_coll_view {
    struct qn_coll_id id;
    const char *name; /* borrowed until the next step */
};
/* The shared collections in order of their names; the array is the caller's (qn_free). */
size_t qn_core_collections(const struct qn_core *core, struct qn_coll_view **ret_views);

bool qn_core_is_folder(const struct qn_core *core, struct qn_span name);
/* Records of it, or values of them, are known of and not here yet (docs/protocol.md, section 14).
 */
bool qn_core_is_incomplete(const struct qn_core *core, struct qn_span name);

/* A folder: a collection whose directory is at one site, its home. */
struct qn_folder_view {
    struct qn_coll_id id;
    const char *name, *home; /* home "": not known; both borrowed until the next step */
    bool is_here;            /* this site is its home */
};
/* Those that this site shares, in order of their names; the array is the caller's (qn_free). */
size_t qn_core_folders(const struct qn_core *core, struct qn_folder_view **ret_views);
/* Where a folder of that name is that this site shares; false: there is none. */
struct qn_folder_home {
    const char *site; /* as `home` above */
    bool is_here, is_online;
};
bool qn_core_folder_home(const struct qn_core *core, struct qn_span name,
                         struct qn_folder_home *ret_home);
/* The name of the present member with that key; NULL: none. Borrowed until the next step. */
const char *qn_core_member_of_key(const struct qn_core *core, const struct qn_public_key *key);
/* Whether that member shares the collection of that name, as this site does. */
bool qn_core_key_shares(const struct qn_core *core, const struct qn_public_key *key,
                        struct qn_span name);
/* How another present member can be connected to. */
struct qn_reach {
    struct qn_public_key key;
    char addresses[QN_ADDRESSES_MAX][QN_ADDRESS_SIZE_MAX + 1]; /* the one that worked last first */
    size_t count;
    bool
        can_be_called; /* there is a first connection, or a way to ask for one: a CALL goes to it */
    bool has_dialled;  /* it was the other site that made it */
    bool is_far;       /* it has to make the connection first, which others tell it */
};
/* False: there is no such member, or no way to it. */
bool qn_core_reach(const struct qn_core *core, struct qn_span site, struct qn_reach *ret_reach);
/* Appends the array of the names of the sites that share a collection. */
void qn_core_pack_members(const struct qn_core *core, const struct qn_coll_id *id,
                          struct qn_buf *out);

struct qn_folder_gone {
    struct qn_coll_id id;
    const char *path; /* text for people; "": none was said */
};

/* What the driver knows and status shows. */
struct qn_health {
    enum qn_err store_fatal, store_last;
    bool has_kit;                     /* the recovery kit lies in the state directory */
    uint64_t wall_ms;                 /* now: the core knows the time of its last event only */
    uint64_t mail_failed_ms;          /* since when mail cannot be sent; 0: it can */
    const char *mail_to, *mail_words; /* then: to whom, and why */
    const struct qn_folder_gone
        *folders_gone; /* folders of this site whose directory is not there */
    size_t folders_gone_count;
    const char *serve_failed,
        *serve_words;              /* what of HTTPS does not work, and why; NULL: it does */
    uint64_t certificate_end_ms;   /* of HTTPS, if it ends soon or has ended; else 0 */
    const char *certificate_names; /* then */
    uint64_t trail_fault; /* the entry at which this site's audit trail is not whole, or 0 */
};

/* Something that is not as it should be (docs/control.md 4). */
struct qn_alert {
    const char *code, *severity; /* static text */
    char object[160];
    char detail[QN_PLAN_FIRST_SIZE_MAX + 1]; /* text that is not translated; "": none */
    uint64_t count, time_ms;
};
/* All of them, the gravest first; the array is the caller's (qn_free). */
size_t qn_core_alerts(const struct qn_core *core, const struct qn_health *health,
                      struct qn_alert **ret_alerts);
/* Appends the map of `status` (docs/control.md 2). From memory only. */
void qn_core_status(const struct qn_core *core, const struct qn_health *health, struct qn_buf *out);
