/* A snapshot: what a backup run leaves behind, a small sealed file named by SHA-256 of its bytes
 * (docs/formats/vault.md). Its presence is the only commit point of a backup. Beside it lies the
 * list of the packs that it needs, in the clear: sorted pack names, for the holder's bookkeeping.
 * Pure.
 */
#pragma once

#include "base/limits.h"
#include "chunk/tree.h"

#define QN_SNAPSHOT_SIZE_MAX  (64 * 1024)
#define QN_SNAPSHOT_PATHS_MAX 256
#define QN_LIVE_SIZE_MAX      (65536 * 32) /* names of packs: 1 TiB at 16 MiB each */

struct qn_snapshot_name {
    uint8_t bytes[32];
};

struct qn_backup_counts {
    uint64_t files_new, files_changed, files_unchanged, dirs, others;
    uint64_t errors;       /* unreadable, or changed while read: named in the log of the run */
    uint64_t bytes;        /* of all files */
    uint64_t bytes_read;   /* from the disk */
    uint64_t bytes_new;    /* raw bytes of chunks that were not there */
    uint64_t bytes_stored; /* of the packs written */
};

struct qn_snapshot {
    char plan[QN_NAME_SIZE_MAX + 1];
    char site[QN_NAME_SIZE_MAX + 1];
    uint64_t started_ms, ended_ms; /* wall clock of the owner */
    uint64_t sequence;             /* of this vault, from 1 */
    bool is_partial;               /* made while the first run was under way */
    struct qn_tree_root root;
    struct qn_tree_root store; /* a list of its own: what the site knows; empty: not in it */
    struct qn_backup_counts counts;
    /* Where the root of the list is, and its places (places.h); empty: not known. */
    struct qn_span places;
    uint64_t places_run; /* the last completed prune run when they were written; 0 without them */
    /* Canonical msgpack: an array of at most QN_SNAPSHOT_PATHS_MAX binaries, the absolute paths of
     * the plan. */
    struct qn_span paths;
};

/* Appends the sealed file: a head like a pack's (kind META, its own magic "QNSNAP01"), then the
 * sealed body; the whole is a multiple of 1 KiB. `salt` is fresh randomness. QN_ERR_INVALID: names
 * or paths that make no sense; QN_ERR_LIMIT: above QN_SNAPSHOT_SIZE_MAX, or the maximum of `out`.
 */
enum qn_err QN_CHECKED qn_snapshot_seal(const struct qn_snapshot *snapshot,
                                        const struct qn_vault_keys *keys, const uint8_t salt[32],
                                        struct qn_buf *out, struct qn_snapshot_name *ret_name);
/* `plain`, of a maximum of QN_SNAPSHOT_SIZE_MAX, keeps what the spans of *ret_snapshot borrow from.
 * Any bytes are safe. QN_ERR_INVALID: not a snapshot; QN_ERR_UNSUPPORTED: a newer form, or another
 * epoch than that of `keys`; QN_ERR_SIGNATURE: of other keys, or changed; QN_ERR_CORRUPT: sealed
 * nonsense. */
enum qn_err QN_CHECKED qn_snapshot_open(struct qn_span sealed, const struct qn_vault_keys *keys,
                                        struct qn_buf *plain, struct qn_snapshot *ret_snapshot);
/* SHA-256 of a sealed file. */
void qn_snapshot_name_of(struct qn_span sealed, struct qn_snapshot_name *ret_name);
