/* The rules of replication (RECORDS 1.2), run inside a transaction.
 *
 * A replica holds what the rules need between transactions: who this site is, its signer, caches of
 * local numbers. It is used by one thread, the one that writes. The life of a transaction:
 *
 *     begin -> any number of write / apply / cut_log -> seal -> (the caller commits kv) -> done
 *
 * write and apply check everything before they change anything: after QN_ERR_INVALID, _LIMIT,
 * _DENIED, _NOTFOUND, _SIGNATURE or _HELD the transaction is as before and goes on. After any other
 * error it must be aborted. seal signs this site's new operations, one signature a collection.
 *
 * Invariants (RECORDS 1.7): cc is contiguous and at a signed checkpoint after seal; the dots of a
 * record are known to cc; fp is the sum over the records; counters of a row equal a recount.
 */
#pragma once

#include "base/limits.h"
#include "model/kv.h"
#include "model/record.h"

struct qn_replica;

struct qn_replica_options {
    struct qn_site_id site;
    const struct qn_signer *signer; /* borrowed, outlives the replica */
    /* The public keys that the site with this prefix ever had; count 0 if it is unknown. Called
     * from the replica's thread; the keys stay valid until the next call. */
    size_t (*site_keys)(void *context, const uint8_t prefix[QN_ACTOR_PREFIX_SIZE],
                        const struct qn_public_key **ret_keys);
    void *context;
};

struct qn_replica *qn_replica_new(const struct qn_replica_options *options);
void qn_replica_free(struct qn_replica *replica);

/* `entropy` is used when a new incarnation has to be drawn (no own actor yet, or marked). */
enum qn_err QN_CHECKED qn_replica_begin(struct qn_replica *replica, struct qn_kv *kv,
                                        uint64_t wall_ms, uint64_t entropy);
enum qn_err QN_CHECKED qn_replica_seal(struct qn_replica *replica);
/* After commit or abort; an abort drops what was cached of the transaction. */
void qn_replica_done(struct qn_replica *replica, bool is_committed);
/* The collections changed since begin; borrowed until done. */
const struct qn_coll_id *qn_replica_touched(const struct qn_replica *replica, size_t *ret_count);

/* The next own write, in any collection, is made by a new incarnation (a restored machine). Stored
 * with the transaction. */
enum qn_err QN_CHECKED qn_replica_renew(struct qn_replica *replica);

struct qn_write {
    struct qn_coll_id coll;
    enum qn_op_kind kind;
    struct qn_span key;
    struct qn_span user;            /* empty: none */
    const struct qn_op_set *fields; /* QN_OP_PUT: values checked here */
    size_t field_count;
    /* What the writer has seen, or the write is refused with QN_ERR_EXISTS: nothing that is shown,
     * or a shown record of that hash (qn_record_hash, _trash included). NULL: whatever is there. */
    bool must_be_new;
    const uint8_t *must_be; /* QN_STATE_HASH_SIZE bytes */
    /* Of several that are done all or none: one on a record that turns out to be damaged only now
     * is taken nevertheless, as a value beside those that the record is repaired with. */
    bool is_one_of_many;
};

struct qn_write_result {
    bool is_changed; /* false: the record was that already, nothing was written */
    struct qn_dot dot;
    qn_hlc hlc;
};

/* A local write. PUT sets fields and leaves the others (on a trashed record it replaces all of
 * them); a field whose only value is that already is left alone, and a put that changes nothing is
 * no operation. TRASH and ERASE: QN_ERR_NOTFOUND if there is no live (no) record. RESTORE:
 * QN_ERR_NOTFOUND unless it is in the trash. QN_ERR_DAMAGED if the record is set aside (damage.h).
 * The field _trash is QN_ERR_DENIED; who may write the
 * key _collection is for the caller to decide. */
enum qn_err QN_CHECKED qn_replica_write(struct qn_replica *replica, const struct qn_write *write,
                                        struct qn_write_result *ret_result);

/* What qn_replica_write checks of a write without looking at the store: names, limits, values.
 * After QN_OK, a PUT of it does not fail but for a fatal reason. */
enum qn_err QN_CHECKED qn_write_check(const struct qn_write *write);

/* The next value of this site's hybrid clock; stored with the transaction. */
enum qn_err QN_CHECKED qn_replica_tick(struct qn_replica *replica, qn_hlc *ret_hlc);
/* This site's present actor; all zero before its first write. */
enum qn_err QN_CHECKED qn_replica_own_actor(struct qn_replica *replica, struct qn_actor *ret_actor);

/* Operations of other sites. QN_ERR_HELD: not next for its actor, or a removed dot is unknown: try
 * again after something else was applied. QN_ERR_SIGNATURE, _INVALID: the sender is broken or
 * hostile. *ret_applied counts operations that were new. */
enum qn_err QN_CHECKED qn_replica_apply(struct qn_replica *replica, const struct qn_coll_id *coll,
                                        const struct qn_ops *ops, size_t *ret_applied);

/* Erases what is in the trash longer than QN_TRASH_OWN_DAYS (trashed by this site) or
 * QN_TRASH_OTHER_DAYS, at most `count_max` records of QN_PURGE_LOOKS. `position` is where the last
 * step ended, empty at first, and where this one did, empty at the end. */
enum qn_err QN_CHECKED qn_replica_purge_trash(struct qn_replica *replica, size_t count_max,
                                              struct qn_buf *position, size_t *ret_erased);

/* A person empties the trash of a collection, in steps of bounded size. */
struct qn_trash_sweep {
    struct qn_coll_id coll;
    uint64_t until_ms;    /* what is in the trash since then or longer, by this site's clock */
    struct qn_span after; /* the key that the last step ended with; empty: the beginning */
    struct qn_span user;
    bool is_dry_run; /* only counts */
};

struct qn_trash_swept {
    size_t erased; /* or would be */
    size_t kept;   /* due, but too large for one operation */
    size_t looked;
    uint8_t after[QN_KEY_SIZE_MAX];
    size_t after_size; /* 0: that was the end */
};

/* Erases at most QN_SWEEP_OPS records and looks at QN_SWEEP_LOOKS at most. */
enum qn_err QN_CHECKED qn_replica_empty_trash(struct qn_replica *replica,
                                              const struct qn_trash_sweep *sweep,
                                              struct qn_trash_swept *ret_swept);
/* Whether a record is set aside. */
enum qn_err QN_CHECKED qn_replica_is_aside(struct qn_replica *replica,
                                           const struct qn_coll_id *coll, struct qn_span key,
                                           bool *ret_is_aside);
/* A step of counting sums, counters and indexes of a collection anew, from its records: looks at
 * `count_max` entries. They are put right by the last one, *ret_is_done; until then it is to be
 * called again, in this transaction or another. */
enum qn_err QN_CHECKED qn_replica_recount(struct qn_replica *replica, const struct qn_coll_id *coll,
                                          size_t count_max, bool *ret_is_done);

/* What may go of the log of a collection. The log is a cache: a site that lacks what went is
 * brought up by pages (RECORDS 1.3), so this never waits for anybody. */
struct qn_log_cut {
    struct qn_coll_id coll;
    const struct qn_vv *covered; /* what all members have goes, */
    uint64_t covered_seq;        /* up to this local sequence: followers may read on behind */
    uint64_t ops_max, bytes_max; /* beyond these the oldest go, whoever lacks them, */
    uint64_t age_max_ms;         /* and what is known here for so long */
};
/* Drops from the front of the log, at most QN_TXN_OPS_MAX operations or QN_TXN_SIZE_MAX bytes of
 * them; floor follows. *ret_is_done: nothing is left that may go. */
enum qn_err QN_CHECKED qn_replica_cut_log(struct qn_replica *replica, const struct qn_log_cut *cut,
                                          size_t *ret_dropped, bool *ret_is_done);
/* Drops all operations up to a local sequence, at once. */
enum qn_err QN_CHECKED qn_replica_truncate(struct qn_replica *replica,
                                           const struct qn_coll_id *coll, uint64_t seq);

#ifdef QN_WITH_BUGS
/* QN_BUG_CLOCK_DROPPED: forgets the clock entries of a site's actors. */
enum qn_err QN_CHECKED qn_replica_forget_site(struct qn_replica *replica,
                                              const struct qn_site_id *site);
#endif
