/* What the files of a replica share. For the rooms of model only.
 *
 * Everything here but options, hasher, counts under way and scratch memory lives from begin to
 * done: a replica trusts nothing that it read in an earlier transaction.
 */
#pragma once

#include "base/prng.h"
#include "model/copy.h"
#include "model/damage.h"
#include "model/late_seg.h"
#include "model/log_row.h"
#include "model/replica.h"
#include "model/row.h"
#include "model/tables.h"

/* Own operations of this transaction that no checkpoint covers yet. */
struct qn_unsealed {
    struct qn_dot last;
    struct qn_digest hash;
};

/* A collection as this transaction sees it. */
struct qn_coll_state {
    struct qn_coll_id id;
    struct qn_coll_row row; /* ahead of the stored one within a call only */
    struct qn_vv cc;
    struct qn_segs segs;   /* empty unless row.is_late */
    struct qn_log_row log; /* once it was asked for */
    bool has_log, is_log_changed;
    QN_VEC(struct qn_unsealed) unsealed;
    struct qn_damage damage;
};

struct qn_replica {
    struct qn_replica_options options;
    struct qn_kv *kv; /* NULL outside of a transaction */
    uint64_t wall_ms;
    struct qn_prng entropy;
    struct qn_dict dict;
    QN_VEC(struct qn_coll_state *) colls;
    QN_VEC(struct qn_coll_id) touched;

    qn_hlc hlc; /* the highest made or seen */
    bool is_hlc_changed;
    struct qn_actor self;
    bool has_self, must_renew;

    struct qn_hasher *hasher;
    QN_VEC(struct qn_recount *) recounts; /* one for each collection that is counted anew */
    /* The record in hand, and the memory that it borrows from. */
    struct qn_record record;
    struct qn_row_head record_head; /* state NONE: it is not stored */
    bool is_changed;                /* by the operation in hand */
    bool is_aside;                  /* it is damaged and set aside (damage.h) */
    struct qn_buf row;
    /* Scratch. */
    struct qn_op op;
    QN_VEC(struct qn_op_removed) deferred; /* what the write in hand removes and cc lacks */
    struct qn_buf op_bytes, encoded;
};

/* For what is written after the checks: an error that would say "nothing was changed" must not come
 * from there. */
static inline enum qn_err qn_replica_fault(enum qn_err err)
{
    bool is_passed_on = err == QN_OK || err == QN_ERR_IO || err == QN_ERR_NOSPACE;
    return is_passed_on ? err : QN_ERR_CORRUPT;
}

/* replica.c */
enum qn_err QN_CHECKED qn_replica_coll(struct qn_replica *replica, const struct qn_coll_id *id,
                                       struct qn_coll_state **ret_coll);
enum qn_err QN_CHECKED qn_replica_number_coll(struct qn_replica *replica,
                                              struct qn_coll_state *coll);
enum qn_err QN_CHECKED qn_replica_save_self(struct qn_replica *replica);
/* The chain hash at the clock's counter of that actor. */
enum qn_err QN_CHECKED qn_replica_chain_head(struct qn_replica *replica, struct qn_coll_state *coll,
                                             const struct qn_actor *actor,
                                             struct qn_digest *ret_hash);

/* A clock of somebody else was seen. */
void qn_replica_see(struct qn_replica *replica, qn_hlc remote);

/* replica_apply.c */
/* Whether the site of that dot's actor signed it; `unknown` if the site is not known. */
enum qn_err QN_CHECKED qn_replica_verify(const struct qn_replica *replica,
                                         const struct qn_coll_id *coll, const struct qn_dot *at,
                                         const struct qn_digest *hash,
                                         const struct qn_signature *signature, enum qn_err unknown);
/* The clock goes to a checkpoint that was verified. */
enum qn_err QN_CHECKED qn_replica_reach(struct qn_replica *replica, struct qn_coll_state *coll,
                                        const struct qn_dot *at,
                                        const struct qn_checkpoint *checkpoint);

/* replica_write.c */
/* An own operation, planned in replica->op (kind, key, user, set, removed) for the record in hand.
 * `hlc`: 0 for now. */
enum qn_err QN_CHECKED qn_replica_write_op(struct qn_replica *replica, struct qn_coll_state *coll,
                                           qn_hlc hlc);

/* late.c */
/* After cc was raised: segments that it covers go, and with the last one the collection is clean.
 */
enum qn_err QN_CHECKED qn_replica_settle(struct qn_replica *replica, struct qn_coll_state *coll);

/* replica_log.c */
enum qn_err QN_CHECKED qn_replica_append_log(struct qn_replica *replica, struct qn_coll_state *coll,
                                             const struct qn_op *op, struct qn_span op_bytes);
/* Counts what is in the log anew, operation by operation. */
enum qn_err QN_CHECKED qn_replica_count_log(struct qn_replica *replica, struct qn_coll_state *coll);
/* At the end of a transaction. */
enum qn_err QN_CHECKED qn_replica_save_log(struct qn_replica *replica, struct qn_coll_state *coll);
/* Forgets the operations of an actor up to its clock, where pages took it. */
enum qn_err QN_CHECKED qn_replica_drop_actor(struct qn_replica *replica, struct qn_coll_state *coll,
                                             uint32_t actor, uint64_t ctr);
/* Takes the operations of an actor behind `ctr`, which is at a checkpoint or 0, out of log and
 * clock. */
enum qn_err QN_CHECKED qn_replica_retract(struct qn_replica *replica, struct qn_coll_state *coll,
                                          uint32_t number, const struct qn_actor *actor,
                                          uint64_t ctr);
/* A place in the order without an operation: whoever follows the changes reads all records again.
 */
enum qn_err QN_CHECKED qn_replica_break_log(struct qn_replica *replica, struct qn_coll_state *coll);

/* replica_merge.c */
/* Takes a record in hand: replica->record and record_head. */
enum qn_err QN_CHECKED qn_replica_load(struct qn_replica *replica, struct qn_coll_state *coll,
                                       struct qn_span key);
/* Checks a row: QN_ERR_CORRUPT if it is not what was written; QN_ERR_CONFLICT if only its state or
 * conflict bit are not, which are derived from the rest. */
enum qn_err QN_CHECKED qn_replica_check_row(struct qn_hasher *hasher, struct qn_dict *dict,
                                            struct qn_span row, struct qn_row_head *ret_head,
                                            struct qn_record *ret_record);
/* Notes that a collection changed in this transaction. */
void qn_replica_touch(struct qn_replica *replica, const struct qn_coll_id *id);
/* Counters of a record that was one and is another. */
void qn_row_head_count(struct qn_coll_row *row, struct qn_span key,
                       const struct qn_row_head *before, const struct qn_row_head *after);
/* Stores the record in hand as it is, and nothing that is derived from it. */
enum qn_err QN_CHECKED qn_replica_put_row(struct qn_replica *replica,
                                          const struct qn_coll_state *coll, struct qn_span key,
                                          const struct qn_row_head *head);
enum qn_err QN_CHECKED qn_replica_put_trash(struct qn_replica *replica,
                                            const struct qn_coll_state *coll, struct qn_span key);
/* Applies an operation that was found fit, to the record in hand, which is op->key's. */
enum qn_err QN_CHECKED qn_replica_merge(struct qn_replica *replica, struct qn_coll_state *coll,
                                        const struct qn_op *op, struct qn_span op_bytes);
/* Whether what is stored at a spot reflects the operation of this dot already: E(k) of RECORDS
 * 1.2. */
bool qn_replica_reflects(const struct qn_coll_state *coll, const struct qn_spot *at,
                         const struct qn_dot *dot);
/* Stores the record in hand after its pairs changed, and what follows from them. */
enum qn_err QN_CHECKED qn_replica_store(struct qn_replica *replica, struct qn_coll_state *coll,
                                        struct qn_span key);

/* replica_write.c: the same, of kind REPAIR. */
enum qn_err QN_CHECKED qn_replica_commit_repair(struct qn_replica *replica,
                                                struct qn_coll_state *coll);

/* replica_damage.c */
/* The row in replica->row is damaged: it leaves REC, and the record in hand is none, set aside. */
enum qn_err QN_CHECKED qn_replica_set_aside(struct qn_replica *replica, struct qn_coll_state *coll,
                                            struct qn_span key);
/* A record that a page claims, and that was damaged where the page was read, is not what it should
 * be here: it is set aside, with what is left of it there (late.h). */
enum qn_err QN_CHECKED qn_replica_lose(struct qn_replica *replica, struct qn_coll_state *coll,
                                       const struct qn_copy_left *left);
/* A pair of a record that is set aside is kept beside it. */
enum qn_err QN_CHECKED qn_replica_keep_pair(struct qn_replica *replica,
                                            const struct qn_coll_state *coll, struct qn_span key,
                                            struct qn_span field, const struct qn_pair *pair);
/* Sums, counters or indexes do not fit the records: they are counted anew later. */
enum qn_err QN_CHECKED qn_replica_uncounted(struct qn_replica *replica, struct qn_coll_state *coll);
enum qn_err QN_CHECKED qn_replica_incident(struct qn_replica *replica, struct qn_coll_state *coll,
                                           enum qn_incident_kind kind, struct qn_span key,
                                           const struct qn_site_id *site);

/* replica_recount.c: what a count that is under way has to know. A record that is stored in a new
 * way; leaves count if the state beside them is one. */
void qn_recount_change(struct qn_replica *replica, const struct qn_coll_state *coll,
                       struct qn_span key, const struct qn_row_head *before,
                       const struct qn_digest *leaf_before, const struct qn_row_head *after,
                       const struct qn_digest *leaf_after);
/* One that is set aside. */
void qn_recount_lost(struct qn_replica *replica, const struct qn_coll_state *coll,
                     struct qn_span key);
void qn_recount_end_all(struct qn_replica *replica);

/* scrub.c: what the log says of the clock; the chain, where the log has nothing of an actor. */
enum qn_err QN_CHECKED qn_clock_of_log(struct qn_kv *kv, uint32_t coll, uint32_t actor,
                                       uint64_t *ret_floor, uint64_t *ret_cc);
