/* What snapshots need: every chunk of their lists and of the files in them. Chunks of lists are
 * visited once, as far as memory goes: lists of neighbouring snapshots are mostly the same. One
 * thread.
 */
#pragma once

#include "vault/fetch.h"
#include "vault/sets.h"

#define QN_MARK_VISITED_MAX ((size_t)512 * 1024)

struct qn_marker {
    struct qn_fetcher *fetcher;
    struct qn_chunk_set visited; /* of lists and manifests */
    struct qn_vault_progress *progress;
    /* Every chunk, the same one maybe several times; `size` 0: not known. `path`: of the file,
     * empty for chunks of the list. An error ends the walk. */
    enum qn_err (*on_chunk)(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                            uint64_t size, struct qn_span path);
    void *context;
};

void qn_marker_init(struct qn_marker *marker, struct qn_vault *vault);
void qn_marker_deinit(struct qn_marker *marker);
/* Errors of reading the list end it: QN_ERR_NOTFOUND, QN_ERR_CORRUPT, QN_ERR_SIGNATURE. */
enum qn_err QN_CHECKED qn_mark(struct qn_marker *marker, const struct qn_snapshot *snapshot);
