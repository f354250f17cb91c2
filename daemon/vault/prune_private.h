/* The inside of a prune: prune.c (what is alive, which packs go) and prune_move.c (packs written
 * anew, lists of snapshots). One thread, beside those of the pipeline.
 */
#pragma once

#include "vault/mark.h"
#include "vault/pipeline.h"

#define QN_PRUNE_LIVE_MAX ((size_t)1536 * 1024) /* ids of one pass: a set of 32 MiB */

struct qn_prune_pack {
    uint32_t size;
    uint32_t live, garbage; /* bytes of blobs that the index finds here: needed, and not */
    bool is_known;          /* there is such a pack */
    bool is_present;
    bool
        is_kept; /* pinned, or a snapshot that cannot be read lists it: neither moved nor removed */
    bool is_dead;    /* nothing in it is needed */
    bool was_marked; /* as dead, by a run that was completed */
    bool has_mark;   /* as dead, by any run */
};

struct qn_prune {
    struct qn_vault *vault;
    const struct qn_prune_options *options;
    struct qn_prune_counts counts;
    struct qn_index_view *view;
    struct qn_marker marker;
    qn_snapshot_vec snapshots;   /* those that can be read and walked */
    QN_VEC(bool) are_walked;     /* of snapshots: false: damaged, its packs are kept */
    struct qn_prune_pack *packs; /* by number */
    uint32_t number_max;
    uint64_t run; /* the last completed one */
    /* One pass: ids that begin with a byte of [first, last]. */
    struct qn_chunk_set live;
    unsigned first, last;
    bool is_marked; /* by one pass for all ids */
    struct qn_pack_set moved;
};

/* For all ids, in as many passes as memory asks for: marks what is alive, then calls `fn`. If one
 * pass was enough before, its ids are still there and `fn` is called at once. */
typedef enum qn_err (*qn_prune_fn)(struct qn_prune *prune, void *context);
enum qn_err QN_CHECKED qn_prune_passes(struct qn_prune *prune, qn_prune_fn fn, void *context);
/* Writes what is alive in prune->moved to other packs; on return the index has it there. */
enum qn_err QN_CHECKED qn_prune_move(struct qn_prune *prune);
/* Makes the lists of snapshots right that name packs which are dead now. */
enum qn_err QN_CHECKED qn_prune_relist(struct qn_prune *prune);
