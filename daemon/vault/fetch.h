/* Getting chunks back: index, pack, seal, id. What is not right in the local pool is asked of the
 * source, if there is one. A fetcher belongs to one thread at a time.
 */
#pragma once

#include "vault/vault_private.h"

#define QN_FETCH_RANGE_MAX                                                                         \
    ((size_t)1024 * 1024)                    /* of a pack, read in one go for several chunks       \
                                              */
#define QN_FETCH_GAP_MAX ((size_t)32 * 1024) /* between two chunks of such a range */

struct qn_fetcher;
struct qn_fetcher *qn_fetcher_new(struct qn_vault *vault);
void qn_fetcher_free(struct qn_fetcher *fetcher); /* accepts NULL */
/* Between pieces of work: lets go of the state of the index. */
void qn_fetcher_rest(struct qn_fetcher *fetcher);

/* Where a chunk is. QN_ERR_NOTFOUND: nowhere. QN_ERR_CORRUPT: not where its kind or size could be;
 * `raw_size` 0: any. */
enum qn_err QN_CHECKED qn_fetch_find(struct qn_fetcher *fetcher, enum qn_blob_kind kind,
                                     const struct qn_chunk_id *id, uint64_t raw_size,
                                     struct qn_index_row *ret_row);
struct qn_fetch {
    struct qn_index_row row;
    uint8_t *out;    /* row.blob.raw_size bytes */
    enum qn_err err; /* set by qn_fetch_run */
};
/* Chunks of one pack, by ascending offset, within QN_FETCH_RANGE_MAX or a single one. */
void qn_fetch_run(struct qn_fetcher *fetcher, struct qn_fetch *chunks, size_t count);
/* One chunk, by its id, appended. */
enum qn_err QN_CHECKED qn_fetch_chunk(struct qn_fetcher *fetcher, enum qn_blob_kind kind,
                                      const struct qn_chunk_id *id, struct qn_buf *out);
/* The same as a qn_tree_get, the context being a fetcher. */
enum qn_err qn_fetch_tree(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                          struct qn_buf *out);

/* Every chunk and hole of a content, in order; its manifests are read on the way, and told of
 * before what they list (on_manifest may be NULL). An error of the callbacks ends it. */
typedef enum qn_err (*qn_content_fn)(void *context, const struct qn_content_item *item);
typedef enum qn_err (*qn_manifest_fn)(void *context, const struct qn_chunk_id *id);
enum qn_err QN_CHECKED qn_fetch_content(struct qn_fetcher *fetcher,
                                        const struct qn_content *content, qn_content_fn fn,
                                        qn_manifest_fn on_manifest, void *context);
