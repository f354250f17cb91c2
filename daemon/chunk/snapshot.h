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
    struct qn_backup_counts counts;
    struct qn_span paths; /* packed array of the plan's paths (binaries) */
};

/* Seals: head like a pack's (kind META, its own magic "QNSNAP01"), fresh salt, body padded to a
 * multiple of 1 KiB. */
enum qn_err QN_CHECKED qn_snapshot_seal(const struct qn_snapshot *snapshot,
                                        const struct qn_vault_keys *keys, const uint8_t salt[32],
                                        struct qn_buf *out, struct qn_snapshot_name *ret_name);
/* `plain` keeps what the spans of *ret_snapshot borrow from. Any bytes are safe. */
enum qn_err QN_CHECKED qn_snapshot_open(struct qn_span sealed, const struct qn_vault_keys *keys,
                                        struct qn_buf *plain, struct qn_snapshot *ret_snapshot);
