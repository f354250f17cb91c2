/* Reading all of a collection, in short steps, to find what is not as it was written (RECORDS 1.6).
 *
 *     records   each row against its own hash; what they add up to
 *     sums      fingerprints against each other and, if the collection did not move since the scrub
 *               began, with the counters against the records
 *     indexes   each entry against its record (each record against them: above); how many there are
 *               against the counters, if the collection did not move meanwhile
 *     order     each place points to an operation that says so, and back
 *     log       each operation can be read, none is missing, and the chain meets its checkpoints
 *     clock     cc and floor against the log
 *
 * Reading changes nothing. What is found is told as an array of [finding, argument, ...] and handed
 * to qn_replica_mend, which looks again before it does anything.
 */
#pragma once

#include "model/fingerprint.h"
#include "model/replica.h"
#include "model/replica_read.h"

enum qn_finding {                        /* in intents; the argument, a binary */
                  QN_FINDING_RECORD = 1, /* the record's key */
                  QN_FINDING_SUMS = 2,   /* empty */
                  QN_FINDING_ORDER = 3,  /* empty */
                  QN_FINDING_LOG = 4,    /* u32 actor, u64 counter: the log up to there */
                  QN_FINDING_CLOCK = 5,  /* u32 actor */
};

#define QN_FINDINGS_MAX 64 /* of one step */

enum qn_scrub_stage {
    QN_SCRUB_RECORDS,
    QN_SCRUB_SUMS,
    QN_SCRUB_CONFLICTS,
    QN_SCRUB_TRASH,
    QN_SCRUB_ORDER,
    QN_SCRUB_LOG,
    QN_SCRUB_CLOCK,
    QN_SCRUB_END,
};

/* Where a scrub stands. Zeroed: at the beginning. Copied at will. */
struct qn_scrub {
    enum qn_scrub_stage stage;
    bool is_begun;
    uint64_t looked;                           /* entries so far */
    uint64_t order_head, found;                /* of the collection when the scrub began */
    uint64_t index_head, index_found, indexed; /* the same of the index; its entries so far */
    bool has_miscount;              /* it was told that something is to be counted anew */
    uint8_t at[QN_KV_KEY_SIZE_MAX]; /* the last key of the stage's table */
    size_t at_size;
    struct qn_coll_row sums; /* what the records add up to */
    uint32_t actor;          /* LOG: whose operations are being read */
    uint64_t ctr;            /* the last one */
    uint64_t bad_ctr;        /* of a damaged one that no checkpoint came after yet; 0: none */
    bool has_chain;          /* `chain` is the hash up to it */
    struct qn_digest chain;
};

/* Looks at about `count_max` entries; appends what it found to `out` and moves on. */
enum qn_err QN_CHECKED qn_read_scrub(struct qn_kv *kv, const struct qn_coll_id *coll,
                                     struct qn_scrub *scrub, size_t count_max, struct qn_buf *out);

/* Looks again at what a scrub found, and puts right what is wrong; but sums, which
 * qn_replica_recount counts anew. */
enum qn_err QN_CHECKED qn_replica_mend(struct qn_replica *replica, const struct qn_coll_id *coll,
                                       enum qn_finding finding, struct qn_span argument);
/* A scrub came to its end. */
enum qn_err QN_CHECKED qn_replica_scrubbed(struct qn_replica *replica,
                                           const struct qn_coll_id *coll);
