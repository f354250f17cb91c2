/* A few sites with a replica and a memory store each, and what must always hold of them, for tests.
 *
 * Compiled into a test together with memkv, so that it works with qn_model and qn_model_bugs. All
 * checks give NULL or what is wrong; the others assert.
 */
#pragma once

#include "base/prng.h"
#include "model/replica.h"
#include "model/replica_read.h"
#include "support/memkv.h"

#define SITES_MAX 6

struct site {
    struct memkv *store;
    struct qn_replica *replica;
    struct qn_signer *signer;
    struct qn_site_id id;
    struct group *group;
    uint64_t head_before; /* of the log, when the transaction began */
};

/* An operation that somebody wrote: the oracle keeps all of them. */
struct written {
    uint8_t *bytes; /* owned */
    size_t size;
    struct qn_op op;
};

struct group {
    struct site sites[SITES_MAX];
    size_t count;
    uint64_t wall_ms;
    struct qn_prng prng;
    struct qn_coll_id coll;
    QN_VEC(struct written) written;
    struct qn_vv paged; /* what the clocks of pages covered that anybody took */
    const char *fault;  /* what the oracle noticed on the way */
};

void group_init(struct group *group, size_t count, uint64_t seed);
void group_deinit(struct group *group);

/* Around any calls of the replica: the clock goes on by a millisecond; the end seals and commits,
 * or aborts if `err` is one, and shows the oracle what is new. */
void site_begin(struct site *site);
enum qn_err site_end(struct site *site, enum qn_err err);
/* One transaction with one write. */
enum qn_err site_write(struct site *site, const struct qn_write *write,
                       struct qn_write_result *ret_result);
/* value: text. */
enum qn_err site_put(struct site *site, const char *key, const char *field, const char *value);
enum qn_err site_do(struct site *site, enum qn_op_kind kind, const char *key);
void site_restore(struct site *site, const struct memkv *image); /* and renews */

/* Bodies of OPS messages, in the sender's order. */
struct message {
    uint8_t *bytes; /* owned */
    size_t size;
};
struct messages {
    QN_VEC(struct message) list;
};
/* What `to` lacks, cut as small as it can be cut. */
void site_collect(struct site *from, struct site *to, struct messages *out);
void messages_free(struct messages *messages);
enum qn_err site_apply(struct site *site, const struct message *message, size_t *ret_applied);
/* All that `to` lacks, in order; the first error. */
enum qn_err site_pull(struct site *to, struct site *from);
/* Until nobody lacks anything, a few rounds at most. */
void group_settle(struct group *group);

/* Clock, log, checkpoints, counters, indexes, fingerprints against what is stored. */
const char *site_check(struct site *site);
/* Invariant 5: all pairs set by known operations, less all that known operations removed. */
const char *site_check_oracle(struct site *site);
/* After group_settle: clocks, records and roots are equal. */
const char *group_check_equal(struct group *group);

/* The shown text of a field, "" if there is none, in a static buffer. */
const char *site_shown(struct site *site, const char *key, const char *field);
enum qn_record_state site_state(struct site *site, const char *key);
struct qn_coll_info site_info(struct site *site);
