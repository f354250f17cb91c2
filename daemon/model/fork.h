/* Operations of one actor that were made twice: two copies of a machine ran at once and nothing on
 * them said so (docs/records.md, "Restored and copied machines"). There are two chains then, both
 * signed. Where they part is found by checkpoints; a site that meets the chain that it does not
 * have lets its own go from there on, and writes what was in it anew, as its own operations. So
 * everybody ends with one chain, and the values of both.
 */
#pragma once

#include "model/replica.h"

#define QN_FORK_ACTORS_MAX      16   /* in one question */
#define QN_FORK_CHECKPOINTS_MAX 1024 /* of an actor, in one answer */

/* Checkpoints of an actor: [counter, hash, signature, ...], ascending. Dense from a little before
 * `ctr` on, ever more rarely before that. */
enum qn_err QN_CHECKED qn_read_checkpoints(struct qn_kv *kv, const struct qn_coll_id *coll,
                                           const struct qn_actor *actor, uint64_t ctr,
                                           struct qn_buf *out);

struct qn_unforked {
    bool is_fork; /* false: the chain here is that of the other site as far as it goes, so the site
                     that sent the operation is to blame; nothing is changed */
    bool is_more; /* a part of the run is still there: again, with the same checkpoints */
    bool is_late; /* the collection is late: nothing is changed before it is clean */
    size_t written; /* operations, anew */
};

/* `checkpoints` are those of another site, of which an operation did not fit. At most `ops_max`
 * operations (0: QN_TXN_OPS_MAX) and QN_TXN_SIZE_MAX bytes of the run go at once, but at least one
 * commit of its site. QN_ERR_INVALID, QN_ERR_SIGNATURE: they are not what they seem. */
enum qn_err QN_CHECKED qn_replica_unfork(struct qn_replica *replica, const struct qn_coll_id *coll,
                                         const struct qn_actor *actor, struct qn_span checkpoints,
                                         size_t ops_max, struct qn_unforked *ret_unforked);
