/* Runs intents: everything that changes the store, one function each, inside the writer's
 * transaction (DESIGN, "merges run where they commit").
 *
 * An intent is bytes (canonical msgpack) so that it can cross threads and queues without a thought
 * for ownership. The applier decodes and checks it, calls replica.h and ledger.h, and gives an
 * outcome. Life of a transaction, as store's writer and the simulator's disk drive it:
 *
 *     begin -> execute ... -> seal -> (commit kv) -> done(committed) -> describe
 *
 * Refusals (QN_ERR_INVALID, _DENIED, _NOTFOUND, _HELD, ...) stay in the outcome and the transaction
 * goes on; qn_err_is_fatal tells the errors that abort it. Thread: the writer.
 */
#pragma once

#include "model/ledger.h"
#include "model/replica.h"
#include "model/replica_read.h"

enum qn_intent_kind {
    /* [coll, [[kind, key, user, [field, value, ...]], ...]]; behind the values of one that stands
     * alone, what must be there: bin(16), a record of that hash, or bin(0), none that is shown */
    QN_INTENT_WRITE,
    QN_INTENT_APPLY,         /* [coll, body of OPS] */
    QN_INTENT_LEDGER_APPEND, /* [body as a binary, ...] */
    QN_INTENT_LEDGER_MERGE,  /* [entry, ...] */
    QN_INTENT_COLL_CREATE, /* [body as a binary, coll, home of a folder (hex) or nil, name, user] */
    QN_INTENT_RESOLVE,     /* [coll, key, field, site or nil: take its value, value or nil, user] */
    QN_INTENT_PEER_CLOCKS, /* [[coll, site, clock, last heard ms], ...] */
    QN_INTENT_SITE_CONTACT, /* [site, packed announcement or nil, last contact ms] */
    QN_INTENT_RENEW,        /* [] : this machine may have been restored */
    QN_INTENT_TRUST,        /* [] : ledgers were compared, see doubt.h */
    QN_INTENT_PURGE,        /* [count, after (a binary)]: the trash; answer: as of FORGET */
    /* Late sites (late.h); the state afterwards stands in the change of the collection. */
    QN_INTENT_LATE,        /* [coll, may drop] */
    QN_INTENT_LATE_CANCEL, /* [coll]: no page came yet */
    QN_INTENT_PAGE,        /* [coll, body of PAGE as a binary, what is damaged where it was read, as
                              recall.h has it]; answer: [is end of the pass] */
    QN_INTENT_RESCUE,      /* [coll, known clock] */
    QN_INTENT_UNFORK, /* [coll, operations max or 0, [actor, [ctr, hash, signature, ...], ...]] of
                         another site (fork.h); answer: [the actors that there are two chains of,
                         joined, is more, is late] */
    QN_INTENT_FORGET, /* [older than days, after (a binary)]: replaced values; answer: [after:
                         empty at the end] */
    QN_INTENT_EMPTY_TRASH, /* [coll, until ms, after (a binary), user, is dry run]; answer:
                              [erased, kept, looked, after: empty at the end] */
    QN_INTENT_CUT_LOG, /* [coll, clock that all members have, up to which local sequence, operations
                          max, bytes max, age max ms]; answer: [is done] */

    /* The holder's side (custody.h). `owner`, `pack`, `list` are binaries of 32 bytes, `lease` of
     * 16, `names` and `lists` one binary of 32 bytes for each. Terms are taken from the ledger
     * first. */
    QN_INTENT_LOCK_CLOCK,  /* [boot, boot ms, wall ms, witness ms, witness count]: before any other
                            */
    QN_INTENT_HELD_OFFER,  /* [owner, lease or nil, room bytes, [pack, size, ...]]; answer: [offer,
                              ...] of enum qn_offer */
    QN_INTENT_HELD_STORED, /* [owner, pack, size] */
    QN_INTENT_HELD_LIST,   /* [owner, snapshot, names digest, name count, sealed]; answer: [have] */
    QN_INTENT_HELD_NAMES,  /* [owner, list, at, names] */
    QN_INTENT_HELD_FINISH, /* [owner, list, missing max]; answer: [ms until its lock ends]; with
                              QN_ERR_HELD: [names] */
    QN_INTENT_HELD_FORGET, /* [owner, lists] */
    QN_INTENT_HELD_LEASE,  /* [owner, lease, is end] */
    QN_INTENT_HELD_SWEEP,  /* [owner, after (pack; zero: start), packs max]; answer: [names to
                              unlink, after, is end] */
    QN_INTENT_HELD_UNLINKED, /* [owner, names] */
    QN_INTENT_HELD_SCRUBBED, /* [owner, pack, is good] */
    QN_INTENT_HELD_EXPECT,   /* [owner, interval ms] */
    QN_INTENT_HELD_CALM,     /* [owner, alarms] */
    QN_INTENT_HELD_TERMS,    /* [owner]: only what the ledger says */
    QN_INTENT_HELD_KEY,      /* [owner, epoch, sealed key] */
    QN_INTENT_HELD_STRAYS,   /* [owner, names]; answer: [those without a row] */

    /* The owner's side (book.h). Of a batch, what came before a refusal stays. */
    QN_INTENT_PLAN_PUT,      /* [packed plan as a binary] */
    QN_INTENT_PLAN_REMOVE,   /* [name] */
    QN_INTENT_PLAN_STARTED,  /* [name, now ms] */
    QN_INTENT_PLAN_ENDED,    /* [name, now ms, error number, files failed, first of them] */
    QN_INTENT_PLAN_DRILLED,  /* [name, now ms, error number, files, bytes, snapshot] */
    QN_INTENT_OWN_PACKS,     /* [[pack, size, kind], ...] */
    QN_INTENT_OWN_PACK_GONE, /* [names] */
    QN_INTENT_OWN_SNAP, /* [snapshot, plan, started ms, ended ms, is partial, files, bytes, bytes
                           stored, names digest, name count] */
    QN_INTENT_OWN_SNAP_GONE,  /* [snapshot] */
    QN_INTENT_COPY_ACKED,     /* [holder, now ms, [pack, size, ...]] */
    QN_INTENT_COPY_LOST,      /* [holder, names] */
    QN_INTENT_COPY_LIST,      /* [holder, now ms, snapshot, names digest, name count] */
    QN_INTENT_COPY_FORGOTTEN, /* [holder, list] */
    QN_INTENT_COPY_DROP,      /* [holder, rows max]; answer: [is end] */
    QN_INTENT_COPY_PROOF,     /* [holder, verified ms, ended ms, started ms, at, bad, unknown] */
    QN_INTENT_COPY_UNREAD,    /* [holder, names] */

    /* Integrity (scrub.h, repair.h). */
    QN_INTENT_REPAIR,   /* [coll, H(cc) 16 B, [key, enum qn_repair_how, site, copy, ...]] */
    QN_INTENT_MEND,     /* [coll, [enum qn_finding, argument, ...]] */
    QN_INTENT_RECOUNT,  /* [coll, entries to look at]: a step; the answer: [whether that was all] */
    QN_INTENT_SCRUBBED, /* [coll] */

    /* Rows of rooms at the edge, all or none (base/local.h). */
    QN_INTENT_LATE_DAY, /* as LOCAL, but of the core itself (core/late_rescue.c) */
    QN_INTENT_LOCAL,    /* [key, value or nil: the row goes, ...] of binaries */

    /* What another site says of its audit trail (trail.h); its signature was verified. */
    QN_INTENT_TRAIL, /* [site, seq, hash, checkpoint]; answer: [ms when it last contradicted itself,
                        or 0] */
};

/* Owned by whoever holds it; qn_intent_free. Linked by the writer's queue. */
struct qn_intent {
    enum qn_intent_kind kind;
    uint64_t token; /* comes back in the outcome */
    uint8_t *payload;
    size_t size;
    size_t op_count; /* about how many operations it makes, for grouping; at least 1 */
    struct qn_intent *next;
};

struct qn_intent *qn_intent_new(enum qn_intent_kind kind, uint64_t token,
                                struct qn_buf *take_payload);
void qn_intent_free(struct qn_intent *intent);

struct qn_outcome {
    uint64_t token;
    enum qn_intent_kind kind;
    enum qn_err err;
    size_t changed;   /* operations written, applied, or entries added */
    size_t unchanged; /* writes that were no change, operations known before */
    size_t failed_at; /* WRITE: index of the write that was refused, when err is set */
    /* What the enumeration above says: canonical msgpack, owned by the commit; else NULL, 0. */
    uint8_t *answer;
    size_t answer_size;
};

/* A collection as it is after a commit. */
struct qn_coll_change {
    struct qn_coll_id coll;
    struct qn_coll_info info;
    struct qn_vv cc; /* owned by the commit */
};

/* All that a committed (or failed) transaction tells the core. Owned; qn_commit_free. */
struct qn_commit {
    QN_VEC(struct qn_outcome) outcomes;
    QN_VEC(struct qn_coll_change) changes;
    struct qn_buf entries; /* [entry, ...] added to the ledger; empty: none */
    struct qn_actor actor; /* this site's actor now; all zero before its first write */
    struct qn_commit *next;
};

struct qn_commit *qn_commit_new(void);
void qn_commit_free(struct qn_commit *commit);

/* Errors that abort a transaction: corruption, I/O, no space, cryptography. */
bool qn_err_is_fatal(enum qn_err err);
/* Adds all stored entries to an empty ledger. */
enum qn_err QN_CHECKED qn_ledger_load(struct qn_ledger *ledger, struct qn_kv *kv);

struct qn_applier;
/* `signer` is borrowed and outlives the applier. */
struct qn_applier *qn_applier_new(const struct qn_site_id *site, const struct qn_signer *signer);
void qn_applier_free(struct qn_applier *applier);

/* Loads the ledger from the store; once, before the first begin. */
enum qn_err QN_CHECKED qn_applier_load(struct qn_applier *applier, struct qn_kv *kv);

enum qn_err QN_CHECKED qn_applier_begin(struct qn_applier *applier, struct qn_kv *kv,
                                        uint64_t wall_ms, uint64_t entropy);
/* Appends one outcome to `commit`. Returns an error only if the transaction must be aborted. */
enum qn_err QN_CHECKED qn_applier_execute(struct qn_applier *applier,
                                          const struct qn_intent *intent, struct qn_commit *commit);
/* Signs, and adds the changes and entries to `commit`; call right before kv's commit. */
enum qn_err QN_CHECKED qn_applier_seal(struct qn_applier *applier, struct qn_commit *commit);
/* After kv's commit or abort. On an abort every outcome of `commit` gets `err` and the changes and
 * entries are dropped. */
void qn_applier_done(struct qn_applier *applier, struct qn_commit *commit, enum qn_err err);
