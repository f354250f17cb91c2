/* Storing chunks: from raw bytes to rows of the index, on several threads.
 *
 *   owner -- parcels --> workers (id, known?, squeeze, seal) -- full packs --> writer
 *                                                     (file, fdatasync, rename; index by batches)
 *
 * The owner is the thread that made the pipeline: it makes all calls here. Bounded: slabs, parcels
 * and packs are a fixed number each, and whoever finds none waits. The first error ends the work
 * of all threads and is what every later call returns.
 *
 * A chunk counts as known if this run has stored it, or if the index has it in a pack that is in
 * the pool. Which packs the run relies on is remembered: qn_pipeline_live.
 */
#pragma once

#include "vault/sets.h"
#include "vault/vault_private.h"

#define QN_SLAB_SIZE ((size_t)4 * 1024 * 1024)

struct qn_pipeline_options {
    struct qn_vault *vault;
    struct qn_vault_progress *progress; /* or NULL: only bytes_stored is written */
    const struct qn_pack_set *avoided;  /* packs whose chunks count as unknown; or NULL */
    void (*on_pack)(void *context, const struct qn_pack_name *name, size_t size,
                    enum qn_pack_kind kind); /* on the writer's thread; or NULL */
    void *context;
};

struct qn_pipeline;
struct qn_pipeline *qn_pipeline_new(const struct qn_pipeline_options *options);
/* Ends the threads. Packs that are not full are given up, if they were not flushed. Accepts NULL.
 */
void qn_pipeline_free(struct qn_pipeline *pipeline);

/* Memory that raw chunks lie in: the owner fills it, it comes back when it let go of it and all
 * chunks in it are stored. */
struct qn_slab {
    uint8_t *bytes; /* QN_SLAB_SIZE */
    size_t used;    /* the owner's */
    unsigned holds; /* the pipeline's */
};
/* Waits for an empty one. */
enum qn_err QN_CHECKED qn_pipeline_slab(struct qn_pipeline *pipeline, struct qn_slab **ret_slab);
void qn_pipeline_release(struct qn_pipeline *pipeline, struct qn_slab *slab); /* accepts NULL */

/* Where a worker writes the id. The owner keeps it until it is done, or until an error. */
struct qn_chunk_slot {
    struct qn_chunk_id id;
    atomic_bool is_done;
};
/* `raw` lies in the slab. May wait, but not for this chunk: small ones travel together. */
enum qn_err QN_CHECKED qn_pipeline_submit(struct qn_pipeline *pipeline, struct qn_slab *slab,
                                          enum qn_blob_kind kind, struct qn_span raw,
                                          struct qn_chunk_slot *slot);
enum qn_err QN_CHECKED qn_pipeline_wait(struct qn_pipeline *pipeline, struct qn_chunk_slot *slot);
/* Stores a chunk on the owner's thread. */
enum qn_err QN_CHECKED qn_pipeline_put(struct qn_pipeline *pipeline, enum qn_blob_kind kind,
                                       struct qn_span plain, struct qn_chunk_id *ret_id);
/* Relies on a chunk of an earlier run. QN_ERR_NOTFOUND: it is not known, or of another size (0:
 * any). */
enum qn_err QN_CHECKED qn_pipeline_use(struct qn_pipeline *pipeline, enum qn_blob_kind kind,
                                       const struct qn_chunk_id *id, uint64_t size);
/* Waits for all that was submitted, closes the packs and makes them and the index durable. */
enum qn_err QN_CHECKED qn_pipeline_flush(struct qn_pipeline *pipeline);
typedef QN_VEC(struct qn_pack_name) qn_pack_name_vec;
/* After a flush: all packs that hold what was stored or relied on, ascending. */
enum qn_err QN_CHECKED qn_pipeline_live(struct qn_pipeline *pipeline, qn_pack_name_vec *out);
void qn_pipeline_counts(const struct qn_pipeline *pipeline, uint64_t *ret_bytes_new,
                        uint64_t *ret_bytes_stored, uint64_t *ret_packs);
