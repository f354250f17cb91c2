/* Custody: what a holder keeps for an owner, and when it may let go (docs/custody.md). The rules
 * run in the writer's transaction over kv.h; files are elsewhere (vault/pool.h).
 *
 * All times are lock time (lock_clock.h) as of the last tick, never an owner's word: there is no
 * parameter for it. Every operation fails with QN_ERR_STATE before the first tick.
 *
 * Invariants:
 *   - A pack is locked while its own lock, or the lock of any list that names it, has not run out.
 *     A lock is only ever extended. Nothing that an owner can say shortens one.
 *   - A list is whole only if every pack that it names is here and good at that moment.
 *   - A pack leaves in a sweep only: its own lock is over, no lease pins it, no arriving or whole
 *     list names it but lists that are forgotten and expired. Where space ends, what is new is
 *     refused.
 *   - A row exists before anybody is told that a pack is held, and until its file is unlinked.
 *
 * Life of a pack:   (offer) -> file durable -> stored -> ... -> condemned by a sweep
 *                   -> file unlinked -> row gone.
 * Life of a list:   begin -> names ... -> finish (whole, locked) -> forget -> expired -> swept.
 *
 * Packs, lists and snapshots are named by SHA-256, here struct qn_digest. Sizes in bytes. Thread:
 * the one that opened the transaction; what only reads runs in a reading one too. After
 * QN_ERR_INVALID, _LIMIT, _DENIED, _NOTFOUND, _EXISTS, _HELD, _BUSY or _STATE nothing was changed
 * but alarms.
 */
#pragma once

#include "base/buf.h"
#include "base/limits.h"
#include "crypto/key.h"
#include "model/lock_clock.h"

enum qn_held_alarm {                           /* bits; stored: never renumber */
                     QN_HELD_ALARM_QUOTA = 1,  /* something was refused for the quota */
                     QN_HELD_ALARM_ROOM = 2,   /* something was refused for the disk */
                     QN_HELD_ALARM_EXPECT = 4, /* the owner wants to be missed later than before */
                     QN_HELD_ALARM_BAD = 8,    /* a scrub found a damaged or lost pack */
};

/* All that is held for one owner. */
struct qn_held {
    uint64_t quota_bytes;
    uint32_t lock_days;  /* of what comes from now on */
    bool is_ended;       /* no agreement: nothing new; lists count as forgotten */
    uint64_t used_bytes; /* packs, bad ones too, and lists */
    uint64_t pack_count, bad_count, list_count, lease_count;
    struct qn_digest sum; /* sum mod 2^256 of SHA-256(name) over the good packs */
    uint64_t good_count;  /* and how many they are */
    uint64_t snapshot_lock_ms, snapshot_wall_ms; /* last whole list, by both clocks; 0: never */
    uint64_t interval_ms;                        /* a backup is expected so often; 0: not at all */
    uint32_t alarms;                             /* enum qn_held_alarm */
    uint64_t since_lock_ms;                      /* first agreement */
    uint64_t scrub_plan_ms; /* when the last step was to be made; before the first: from when on */
    uint64_t scrub_done;    /* steps that were made */
    struct qn_digest scrub_at; /* the pack of the last one; zero: none */
};

/* QN_ERR_NOTFOUND: nothing was ever agreed with that owner. */
enum qn_err QN_CHECKED qn_held_get(struct qn_kv *kv, const struct qn_site_id *owner,
                                   struct qn_held *ret_held);
/* The first owner after `after` (NULL: of all). QN_ERR_NOTFOUND at the end. */
enum qn_err QN_CHECKED qn_held_next(struct qn_kv *kv, const struct qn_site_id *after,
                                    struct qn_site_id *ret_owner, struct qn_held *ret_held);
/* Whether an expected backup did not come: one and a half intervals since the last, or since the
 * agreement. */
bool qn_held_is_overdue(const struct qn_held *held, uint64_t lock_ms);

struct qn_custody_terms {
    uint64_t quota_bytes;
    uint32_t lock_days;
    bool is_ended; /* quota and lock do not matter */
};
/* Takes over what the ledger says. Locks that were given stay. */
enum qn_err QN_CHECKED qn_custody_agree(struct qn_kv *kv, const struct qn_site_id *owner,
                                        const struct qn_custody_terms *terms);
/* How often the owner wants to be heard. Longer than before, or never, raises an alarm. */
enum qn_err QN_CHECKED qn_custody_expect(struct qn_kv *kv, const struct qn_site_id *owner,
                                         uint64_t interval_ms);
/* Somebody at the holder has seen those alarms. */
enum qn_err QN_CHECKED qn_custody_calm(struct qn_kv *kv, const struct qn_site_id *owner,
                                       uint32_t alarms);

/* ---- packs ---- */

enum qn_offer { /* on the wire: never renumber */
                QN_OFFER_WANTED = 0,
                QN_OFFER_HERE = 1,   /* held and good; pinned by the lease, if one is given */
                QN_OFFER_QUOTA = 2,  /* over the quota */
                QN_OFFER_ROOM = 3,   /* the disk is too full */
                QN_OFFER_LATER = 4,  /* its old file is being removed: offer it again */
                QN_OFFER_DENIED = 5, /* no agreement, or ended */
                QN_OFFER_SIZE = 6,   /* held with another size, or no size of a pack */
};

struct qn_lease_id {
    uint8_t bytes[16];
};

/* Decides on packs that an owner wants to send. One after the other: what is wanted is counted
 * against quota and room for the next ones, and then no more. Holds nothing back for them:
 * qn_custody_stored decides for good. */
struct qn_custody_offer {
    const struct qn_lease_id *lease; /* NULL: none */
    uint64_t room_bytes;             /* that the disk can take above its floor */
    uint64_t claimed_bytes;          /* 0 at first; counts what this run of offers wants */
};
enum qn_err QN_CHECKED qn_custody_offer(struct qn_kv *kv, const struct qn_site_id *owner,
                                        struct qn_custody_offer *offer,
                                        const struct qn_digest *pack, uint64_t size,
                                        enum qn_offer *ret_offer);
/* The pack's file is durable under its name, and its bytes were checked against it. Locks it; a
 * pack that is here already has its lock extended; a bad one is good again. QN_ERR_LIMIT: over the
 * quota (alarm): remove the file. QN_ERR_BUSY: condemned; likewise. QN_ERR_DENIED: no agreement.
 * QN_ERR_EXISTS: here with another size. */
enum qn_err QN_CHECKED qn_custody_stored(struct qn_kv *kv, const struct qn_site_id *owner,
                                         const struct qn_digest *pack, uint64_t size);

struct qn_held_pack {
    uint64_t size;
    uint64_t received_ms;     /* lock time */
    uint64_t touched_ms;      /* received, or offered again under a lease */
    uint64_t locked_until_ms; /* its own lock; lists can lock it longer */
    uint64_t scrubbed_ms;     /* 0: never */
    bool is_bad;              /* damaged or lost: counts as not here until it is stored again */
    bool is_condemned;        /* swept: its file is being unlinked */
};
/* QN_ERR_NOTFOUND. */
enum qn_err QN_CHECKED qn_held_pack_get(struct qn_kv *kv, const struct qn_site_id *owner,
                                        const struct qn_digest *pack,
                                        struct qn_held_pack *ret_pack);
/* Names of good packs, ascending, after `after` (NULL: from the first), at most `count_max`: with
 * the sum of qn_held, how an owner finds out what is missing. *ret_is_end: there are no more. */
enum qn_err QN_CHECKED qn_held_names(struct qn_kv *kv, const struct qn_site_id *owner,
                                     const struct qn_digest *after, size_t count_max,
                                     struct qn_digest *out, size_t *ret_count, bool *ret_is_end);
/* Whether one or more whole, held lists name the pack: the time when the last of their locks and
 * its own ends; UINT64_MAX if a list that was not forgotten names it. Reads every list: for a
 * person that asks. */
enum qn_err QN_CHECKED qn_held_pack_until(struct qn_kv *kv, const struct qn_site_id *owner,
                                          const struct qn_digest *pack, uint64_t *ret_until_ms);

/* ---- lists: the packs of a snapshot ---- */

/* What the owner signs (the caller checks it), and what names the list:
 * id = SHA-256("quoin list 1" | 0 | snapshot | names | name count as u32). So nothing can be
 * written over. */
struct qn_list_head {
    struct qn_digest snapshot; /* SHA-256 of the sealed snapshot */
    struct qn_digest names;    /* SHA-256 of all pack names, ascending, 32 bytes each */
    uint32_t name_count;
};
void qn_list_id(const struct qn_list_head *head, struct qn_digest *ret_id);

/* Begins a list or goes on with it: *ret_have names are here already (all of them when it was
 * whole). `sealed` is checked against its name. QN_ERR_SIGNATURE: it does not hash to it.
 * QN_ERR_LIMIT: too many lists, or the quota (alarm). */
enum qn_err QN_CHECKED qn_custody_list_begin(struct qn_kv *kv, const struct qn_site_id *owner,
                                             const struct qn_list_head *head, struct qn_span sealed,
                                             uint32_t *ret_have);
/* Appends names behind the `at` that are here (else QN_ERR_STATE): strictly ascending, at most
 * QN_HELD_LIST_BATCH_NAMES, a multiple of QN_HELD_LIST_CHUNK_NAMES unless they are the last. */
enum qn_err QN_CHECKED qn_custody_list_names(struct qn_kv *kv, const struct qn_site_id *owner,
                                             const struct qn_digest *list, uint32_t at,
                                             struct qn_span names);
/* Makes a list whole: digest, and every pack here and good. QN_ERR_HELD: up to `missing_max` names
 * that are not are in `missing` (ascending, 32 bytes each; reset by the caller); send them, then
 * finish again. QN_ERR_SIGNATURE: the names do not hash to the head's digest; the list is dropped.
 * Stamps its lock by the holder's clock; on a whole one, extends it and takes back a forget. */
enum qn_err QN_CHECKED qn_custody_list_finish(struct qn_kv *kv, const struct qn_site_id *owner,
                                              const struct qn_digest *list, uint64_t wall_ms,
                                              size_t missing_max, struct qn_buf *missing);
/* A request to let go, honoured when the lock is over. An arriving list is dropped at once. Fine if
 * it is not here. */
enum qn_err QN_CHECKED qn_custody_list_forget(struct qn_kv *kv, const struct qn_site_id *owner,
                                              const struct qn_digest *list);

struct qn_held_list {
    struct qn_digest id;
    struct qn_list_head head;
    uint32_t name_count;   /* here so far */
    struct qn_digest last; /* of those */
    uint32_t sealed_size;
    uint64_t received_ms;      /* lock time of the last begin, then of the last finish */
    uint64_t received_wall_ms; /* of the last finish, for people */
    uint64_t locked_until_ms;  /* 0 while it arrives */
    bool is_whole, is_forgotten;
};
enum qn_err QN_CHECKED qn_held_list_get(struct qn_kv *kv, const struct qn_site_id *owner,
                                        const struct qn_digest *list,
                                        struct qn_held_list *ret_list);
/* The first list after `after` (NULL: of all), by id. QN_ERR_NOTFOUND at the end. */
enum qn_err QN_CHECKED qn_held_list_next(struct qn_kv *kv, const struct qn_site_id *owner,
                                         const struct qn_digest *after,
                                         struct qn_held_list *ret_list);
/* The sealed snapshot; borrowed. */
enum qn_err QN_CHECKED qn_held_list_sealed(struct qn_kv *kv, const struct qn_site_id *owner,
                                           const struct qn_digest *list,
                                           struct qn_span *ret_sealed);
/* Appends names after `after` (NULL: from the first), 32 bytes each, at most `count_max`. */
enum qn_err QN_CHECKED qn_held_list_names(struct qn_kv *kv, const struct qn_site_id *owner,
                                          const struct qn_digest *list,
                                          const struct qn_digest *after, size_t count_max,
                                          struct qn_buf *out);

/* ---- leases: a writer at work ---- */

/* Begins or renews: what is received or offered again since it began stays for
 * QN_HELD_LEASE_DAYS from now. QN_ERR_LIMIT: too many. */
enum qn_err QN_CHECKED qn_custody_lease(struct qn_kv *kv, const struct qn_site_id *owner,
                                        const struct qn_lease_id *lease);
/* Fine if there is none. */
enum qn_err QN_CHECKED qn_custody_lease_end(struct qn_kv *kv, const struct qn_site_id *owner,
                                            const struct qn_lease_id *lease);

/* ---- keys ---- */

/* Keeps the owner's vault key of an epoch (from 1), sealed to its recovery kit. Fine if it is here.
 * QN_ERR_EXISTS: another one is: none is ever written over. QN_ERR_LIMIT: QN_HELD_KEYS_MAX epochs
 * are here (alarm). QN_ERR_DENIED: no agreement. */
enum qn_err QN_CHECKED qn_custody_key(struct qn_kv *kv, const struct qn_site_id *owner,
                                      uint32_t epoch, struct qn_span sealed);
/* The first one above the epoch `after`; *ret_sealed is borrowed. QN_ERR_NOTFOUND at the end. */
enum qn_err QN_CHECKED qn_held_key_next(struct qn_kv *kv, const struct qn_site_id *owner,
                                        uint32_t after, uint32_t *ret_epoch,
                                        struct qn_span *ret_sealed);
/* 0: none is here. */
enum qn_err QN_CHECKED qn_held_key_newest(struct qn_kv *kv, const struct qn_site_id *owner,
                                          uint32_t *ret_epoch);

/* ---- letting go ---- */

struct qn_custody_sweep {
    struct qn_digest
        after;   /* packs up to it were looked at; zero at the start, kept by the caller */
    bool is_end; /* all packs were looked at */
};
/* One step of a sweep: first drops lists that are forgotten and expired, leases that ran out and
 * lists that never became whole; then looks at `pack_count_max` packs (at most
 * QN_HELD_SWEEP_PACKS_MAX), and condemns those that nothing holds. Appends the names of all
 * condemned ones among them, 32 bytes each, to `unlink`: remove their files, then say so with
 * qn_custody_unlinked. Until then the caller gives no file one of these names. What got lost on the
 * way comes out again in the next sweep. QN_ERR_NOTFOUND: no such owner. */
enum qn_err QN_CHECKED qn_custody_sweep(struct qn_kv *kv, const struct qn_site_id *owner,
                                        size_t pack_count_max, struct qn_custody_sweep *sweep,
                                        struct qn_buf *unlink);
/* The files are gone: the rows go. Fine for what has no row. QN_ERR_STATE if one is not condemned.
 */
enum qn_err QN_CHECKED qn_custody_unlinked(struct qn_kv *kv, const struct qn_site_id *owner,
                                           struct qn_span names);

/* What there is to tell at the end of an agreement. */
struct qn_held_end {
    uint64_t locked_until_ms; /* lock time when the last lock of pack or list is over; 0: none is */
    uint64_t condemned_packs; /* their files are being removed */
    /* Packs whose files are gone, since the agreement is over; 0 while one stands. */
    uint64_t destroyed_packs, destroyed_bytes;
};
/* Reads all packs and lists of the owner: for what is asked seldom. */
enum qn_err QN_CHECKED qn_held_end(struct qn_kv *kv, const struct qn_site_id *owner,
                                   struct qn_held_end *ret_end);

/* Appends those of the names that have no row at all: their files are of no use to anybody.
 * QN_ERR_INVALID: half a name. */
enum qn_err QN_CHECKED qn_custody_strays(struct qn_kv *kv, const struct qn_site_id *owner,
                                         struct qn_span names, struct qn_buf *strays);

/* ---- scrubbing ---- */

/* The next pack to read, and from when on (lock time), so that each is read once in
 * QN_HELD_SCRUB_DAYS. QN_ERR_NOTFOUND: no packs. */
enum qn_err QN_CHECKED qn_custody_scrub_next(struct qn_kv *kv, const struct qn_site_id *owner,
                                             struct qn_digest *ret_pack, uint64_t *ret_size,
                                             uint64_t *ret_due_ms);
/* The pack that was read last is whole, or is not. A bad one counts as not here until it is stored
 * again, and keeps its lock. */
enum qn_err QN_CHECKED qn_custody_scrubbed(struct qn_kv *kv, const struct qn_site_id *owner,
                                           const struct qn_digest *pack, bool is_good);
