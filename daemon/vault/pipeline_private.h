/* What the two halves of the pipeline share: pipeline.c (parcels, workers) and pipeline_pack.c
 * (packs, the writer, the committer). */
#pragma once

#include "chunk/squeeze.h"
#include "vault/pipeline.h"

#define QN_PIPELINE_SLABS     4
#define QN_PIPELINE_PARCELS   16
#define QN_PARCEL_CHUNKS_MAX  64
#define QN_PARCEL_SIZE        (256 * 1024) /* full with it */
#define QN_PIPELINE_DATA_OPEN 2            /* packs filled at the same time */
#define QN_PIPELINE_OPEN      (QN_PIPELINE_DATA_OPEN + 1)
#define QN_PIPELINE_PACKERS   (QN_PIPELINE_OPEN + 1)
/* Of packs that are written and not durable yet: then the writer waits for the committer. */
#define QN_PIPELINE_PENDING_SIZE ((size_t)128 * 1024 * 1024)
#define QN_PIPELINE_PENDING_ROWS ((size_t)24 * 1024)

struct qn_parcel {
    struct qn_slab *slab;
    size_t count, size;
    struct {
        enum qn_blob_kind kind;
        struct qn_span raw;
        struct qn_chunk_slot *slot;
    } chunks[QN_PARCEL_CHUNKS_MAX];
};

/* What a thread needs to store chunks. */
struct qn_lane {
    struct qn_pipeline *pipeline;
    pthread_t thread;
    struct qn_mac *mac;
    struct qn_squeezer *squeezer;
    struct qn_index_view *view;
    struct qn_buf squeezed;
    struct qn_pack_set used;    /* packs that this lane relied on */
    struct qn_pack_set present; /* packs seen to be present */
};

struct qn_open_pack {
    pthread_mutex_t mutex; /* taken before `mutex` of the pipeline, if both are */
    enum qn_pack_kind kind;
    struct qn_packer *packer; /* NULL: none is open */
};

struct qn_finished_pack {
    struct qn_packer *packer; /* owner of bytes and blobs */
    struct qn_span bytes;
    struct qn_index_pack pack;
    const struct qn_blob *blobs;
    size_t count;
};

/* Written, not in the index yet. */
struct qn_pending_pack {
    struct qn_pool_put put;
    struct qn_index_pack pack;
    struct qn_blob *blobs;
    size_t count;
};

typedef QN_VEC(struct qn_pending_pack) qn_pending_vec;

struct qn_pipeline {
    struct qn_vault *vault;
    struct qn_pipeline_options options;

    pthread_mutex_t mutex; /* of what follows, up to the writer's own */
    pthread_cond_t for_owner, for_workers, for_writer, for_packer, for_committer;
    enum qn_err err;
    atomic_bool has_failed; /* to be seen without the mutex */
    bool is_ending;
    struct qn_slab slabs[QN_PIPELINE_SLABS];
    struct qn_parcel parcels[QN_PIPELINE_PARCELS];
    struct qn_parcel *free_parcels[QN_PIPELINE_PARCELS];
    size_t free_count;
    struct qn_parcel *queue[QN_PIPELINE_PARCELS]; /* a ring */
    size_t queue_first, queue_count, parcels_under_way;
    struct qn_packer *packers[QN_PIPELINE_PACKERS];
    struct qn_packer *free_packers[QN_PIPELINE_PACKERS];
    size_t packer_count, free_packer_count;
    struct qn_finished_pack finished[QN_PIPELINE_PACKERS]; /* a ring */
    size_t finished_first, finished_count;
    bool is_writing, is_committing;
    qn_pending_vec pending;
    size_t pending_size, pending_rows;

    struct qn_open_pack open[QN_PIPELINE_OPEN];

    pthread_mutex_t flight_mutex;
    struct qn_chunk_set flight; /* stored in this run, or being looked up; not in the index yet */

    qn_pending_vec committing;  /* the committer's own */
    struct qn_pack_set written; /* and this, until a flush */

    _Atomic uint64_t bytes_new, bytes_stored, packs_stored;
    struct qn_parcel *parcel; /* the owner is filling it */
    struct qn_lane own;
    struct qn_lane *lanes; /* of the workers */
    unsigned lane_count;
    pthread_t writer, committer;
};

void qn_pipeline_fail(struct qn_pipeline *pipeline, enum qn_err err);

/* ---- pipeline_pack.c ---- */
void qn_pipeline_init_packs(struct qn_pipeline *pipeline);
void qn_pipeline_deinit_packs(struct qn_pipeline *pipeline);
enum qn_err QN_CHECKED qn_pipeline_pack(struct qn_pipeline *pipeline, const struct qn_blob *blob,
                                        struct qn_span stored);
/* Closes all packs that are open and waits until they are durable. */
enum qn_err QN_CHECKED qn_pipeline_close_packs(struct qn_pipeline *pipeline);
/* After the threads ended: packs that are in the pool come into the index, if that can be. */
void qn_pipeline_commit_rest(struct qn_pipeline *pipeline);
void *qn_pipeline_write(void *pipeline);  /* the writer's thread */
void *qn_pipeline_commit(void *pipeline); /* the committer's thread */
