#include "vault/pipeline.h"

#include <stdlib.h>

#include "base/assert.h"
#include "vault/pipeline_private.h"

#define FLIGHT_MAX ((size_t)1 << 24) /* ids; each is in a pack that is not in the index yet */

void qn_pipeline_fail(struct qn_pipeline *pipeline, enum qn_err err)
{
    pthread_mutex_lock(&pipeline->mutex);
    if (pipeline->err == QN_OK)
        pipeline->err = err;
    atomic_store(&pipeline->has_failed, true);
    pthread_cond_broadcast(&pipeline->for_owner);
    pthread_cond_broadcast(&pipeline->for_workers);
    pthread_cond_broadcast(&pipeline->for_writer);
    pthread_cond_broadcast(&pipeline->for_packer);
    pthread_cond_broadcast(&pipeline->for_committer);
    pthread_mutex_unlock(&pipeline->mutex);
}

static enum qn_err failure(struct qn_pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->mutex);
    enum qn_err err = pipeline->err;
    pthread_mutex_unlock(&pipeline->mutex);
    return err;
}

/* ---- one chunk ---- */

/* True: the caller is the only one that looks after this chunk. */
static bool claim(struct qn_pipeline *pipeline, const struct qn_chunk_id *id)
{
    pthread_mutex_lock(&pipeline->flight_mutex);
    bool is_new = qn_chunk_set_add(&pipeline->flight, id);
    pthread_mutex_unlock(&pipeline->flight_mutex);
    return is_new;
}

static void unclaim(struct qn_pipeline *pipeline, const struct qn_chunk_id *id)
{
    pthread_mutex_lock(&pipeline->flight_mutex);
    qn_chunk_set_remove(&pipeline->flight, id);
    pthread_mutex_unlock(&pipeline->flight_mutex);
}

static enum qn_err check_pack(struct qn_lane *lane, uint32_t number)
{
    const struct qn_pack_set *avoided = lane->pipeline->options.avoided;
    if (avoided != NULL && qn_pack_set_has(avoided, number))
        return QN_ERR_NOTFOUND;
    if (qn_pack_set_has(&lane->present, number))
        return QN_OK;
    struct qn_index_pack pack;
    QN_TRY(qn_index_get_pack(lane->view, number, &pack));
    if (pack.state == QN_PACK_MISSING)
        return QN_ERR_NOTFOUND;
    qn_pack_set_add(&lane->present, number);
    return QN_OK;
}

/* A row that makes no sense is replaced by a right one. */
static enum qn_err use(struct qn_lane *lane, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                       uint64_t size)
{
    struct qn_index_row row;
    enum qn_err err = qn_index_get(lane->view, id, &row);
    if (err == QN_OK && (row.blob.kind != kind || (size != 0 && row.blob.raw_size != size)))
        err = QN_ERR_NOTFOUND;
    if (err == QN_OK)
        err = check_pack(lane, row.pack);
    if (err == QN_OK)
        qn_pack_set_add(&lane->used, row.pack);
    return err == QN_ERR_CORRUPT ? QN_ERR_NOTFOUND : err;
}

static enum qn_err squeeze_and_pack(struct qn_lane *lane, enum qn_blob_kind kind,
                                    struct qn_span raw, const struct qn_chunk_id *id)
{
    struct qn_blob blob = {.id = *id, .kind = kind, .raw_size = (uint32_t)raw.size};
    qn_buf_reset(&lane->squeezed);
    QN_TRY(qn_squeeze(lane->squeezer, raw, &lane->squeezed, &blob.is_squeezed));
    struct qn_span stored = blob.is_squeezed ? qn_buf_view(&lane->squeezed) : raw;
    qn_progress_add(&lane->pipeline->bytes_new, raw.size);
    return qn_pipeline_pack(lane->pipeline, &blob, stored);
}

/* The claim comes before the look into the index: a chunk that left `flight` before is in it. */
static enum qn_err store(struct qn_lane *lane, enum qn_blob_kind kind, struct qn_span raw,
                         struct qn_chunk_id *ret_id)
{
    struct qn_digest mac;
    qn_mac_of(lane->mac, raw, &mac);
    memcpy(ret_id->bytes, mac.bytes, sizeof(ret_id->bytes));
    if (!claim(lane->pipeline, ret_id))
        return QN_OK;
    enum qn_err err = use(lane, kind, ret_id, raw.size);
    if (err == QN_ERR_NOTFOUND)
        return squeeze_and_pack(lane, kind, raw, ret_id);
    unclaim(lane->pipeline, ret_id);
    return err;
}

/* ---- workers ---- */

static struct qn_parcel *take_parcel(struct qn_pipeline *pipeline)
{
    struct qn_parcel *parcel = NULL;
    pthread_mutex_lock(&pipeline->mutex);
    while (pipeline->queue_count == 0 && !pipeline->is_ending)
        pthread_cond_wait(&pipeline->for_workers, &pipeline->mutex);
    if (!pipeline->is_ending) {
        parcel = pipeline->queue[pipeline->queue_first];
        pipeline->queue_first = (pipeline->queue_first + 1) % QN_PIPELINE_PARCELS;
        pipeline->queue_count--;
    }
    pthread_mutex_unlock(&pipeline->mutex);
    return parcel;
}

static void give_back(struct qn_pipeline *pipeline, struct qn_parcel *parcel)
{
    pthread_mutex_lock(&pipeline->mutex);
    parcel->slab->holds--;
    pipeline->free_parcels[pipeline->free_count++] = parcel;
    pipeline->parcels_under_way--;
    pthread_cond_broadcast(&pipeline->for_owner);
    pthread_mutex_unlock(&pipeline->mutex);
}

static void store_parcel(struct qn_lane *lane, const struct qn_parcel *parcel)
{
    for (size_t i = 0; i < parcel->count; i++) {
        struct qn_chunk_slot *slot = parcel->chunks[i].slot;
        if (atomic_load(&lane->pipeline->has_failed))
            return;
        enum qn_err err = store(lane, parcel->chunks[i].kind, parcel->chunks[i].raw, &slot->id);
        if (err != QN_OK)
            qn_pipeline_fail(lane->pipeline, err);
        else
            atomic_store_explicit(&slot->is_done, true, memory_order_release);
    }
}

static void *work(void *context)
{
    struct qn_lane *lane = context;
    struct qn_parcel *parcel;
    while ((parcel = take_parcel(lane->pipeline)) != NULL) {
        store_parcel(lane, parcel);
        qn_index_view_rest(lane->view);
        give_back(lane->pipeline, parcel);
    }
    return NULL;
}

/* ---- life ---- */

static void init_lane(struct qn_lane *lane, struct qn_pipeline *pipeline)
{
    lane->pipeline = pipeline;
    lane->mac = qn_mac_new(QN_SPAN_OF(pipeline->vault->keys.id));
    lane->squeezer = qn_squeezer_new(pipeline->vault->level);
    lane->view = qn_index_view_new(pipeline->vault->index);
    qn_buf_init(&lane->squeezed, QN_BLOB_SIZE_MAX);
}

static void deinit_lane(struct qn_lane *lane)
{
    qn_mac_free(lane->mac);
    qn_squeezer_free(lane->squeezer);
    qn_index_view_free(lane->view);
    qn_buf_deinit(&lane->squeezed);
    qn_pack_set_deinit(&lane->used);
    qn_pack_set_deinit(&lane->present);
}

static void init_locks(struct qn_pipeline *pipeline)
{
    pthread_mutex_init(&pipeline->mutex, NULL);
    pthread_mutex_init(&pipeline->flight_mutex, NULL);
    pthread_cond_init(&pipeline->for_owner, NULL);
    pthread_cond_init(&pipeline->for_workers, NULL);
    pthread_cond_init(&pipeline->for_writer, NULL);
    pthread_cond_init(&pipeline->for_packer, NULL);
    pthread_cond_init(&pipeline->for_committer, NULL);
}

/* No thread, no work: like memory, threads are there or the process ends. */
static void start_thread(pthread_t *thread, void *(*fn)(void *), void *context)
{
    QN_ASSERT(pthread_create(thread, NULL, fn, context) == 0);
}

struct qn_pipeline *qn_pipeline_new(const struct qn_pipeline_options *options)
{
    struct qn_pipeline *pipeline = QN_NEW(struct qn_pipeline);
    pipeline->vault = options->vault;
    pipeline->options = *options;
    init_locks(pipeline);
    qn_chunk_set_init(&pipeline->flight, FLIGHT_MAX);
    for (size_t i = 0; i < QN_PIPELINE_PARCELS; i++)
        pipeline->free_parcels[pipeline->free_count++] = &pipeline->parcels[i];
    qn_pipeline_init_packs(pipeline);
    init_lane(&pipeline->own, pipeline);
    pipeline->lane_count = options->vault->workers;
    pipeline->lanes = qn_alloc_zero(pipeline->lane_count * sizeof(*pipeline->lanes));
    start_thread(&pipeline->writer, qn_pipeline_write, pipeline);
    start_thread(&pipeline->committer, qn_pipeline_commit, pipeline);
    for (unsigned i = 0; i < pipeline->lane_count; i++) {
        init_lane(&pipeline->lanes[i], pipeline);
        start_thread(&pipeline->lanes[i].thread, work, &pipeline->lanes[i]);
    }
    return pipeline;
}

static void end_threads(struct qn_pipeline *pipeline)
{
    qn_pipeline_fail(pipeline, QN_ERR_CLOSED); /* wakes who waits for packs */
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->is_ending = true;
    pthread_cond_broadcast(&pipeline->for_workers);
    pthread_mutex_unlock(&pipeline->mutex);
    for (unsigned i = 0; i < pipeline->lane_count; i++)
        pthread_join(pipeline->lanes[i].thread, NULL);
    pthread_join(pipeline->writer, NULL);
    pthread_join(pipeline->committer, NULL);
}

void qn_pipeline_free(struct qn_pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    end_threads(pipeline);
    qn_pipeline_commit_rest(pipeline);
    for (unsigned i = 0; i < pipeline->lane_count; i++)
        deinit_lane(&pipeline->lanes[i]);
    deinit_lane(&pipeline->own);
    qn_free(pipeline->lanes);
    qn_pipeline_deinit_packs(pipeline);
    qn_chunk_set_deinit(&pipeline->flight);
    for (size_t i = 0; i < QN_PIPELINE_SLABS; i++)
        qn_free(pipeline->slabs[i].bytes);
    pthread_mutex_destroy(&pipeline->mutex);
    pthread_mutex_destroy(&pipeline->flight_mutex);
    pthread_cond_destroy(&pipeline->for_owner);
    pthread_cond_destroy(&pipeline->for_workers);
    pthread_cond_destroy(&pipeline->for_writer);
    pthread_cond_destroy(&pipeline->for_packer);
    pthread_cond_destroy(&pipeline->for_committer);
    qn_free(pipeline);
}

/* ---- the owner: slabs ---- */

static struct qn_slab *free_slab(struct qn_pipeline *pipeline)
{
    for (size_t i = 0; i < QN_PIPELINE_SLABS; i++) {
        if (pipeline->slabs[i].holds == 0)
            return &pipeline->slabs[i];
    }
    return NULL;
}

static void send(struct qn_pipeline *pipeline)
{
    struct qn_parcel *parcel = pipeline->parcel;
    if (parcel == NULL)
        return;
    pipeline->parcel = NULL;
    pthread_mutex_lock(&pipeline->mutex);
    size_t last = (pipeline->queue_first + pipeline->queue_count++) % QN_PIPELINE_PARCELS;
    pipeline->queue[last] = parcel;
    pthread_cond_signal(&pipeline->for_workers);
    pthread_mutex_unlock(&pipeline->mutex);
}

enum qn_err qn_pipeline_slab(struct qn_pipeline *pipeline, struct qn_slab **ret_slab)
{
    send(pipeline); /* it may hold the slab that is waited for */
    struct qn_slab *slab;
    pthread_mutex_lock(&pipeline->mutex);
    while ((slab = free_slab(pipeline)) == NULL && pipeline->err == QN_OK)
        pthread_cond_wait(&pipeline->for_owner, &pipeline->mutex);
    enum qn_err err = pipeline->err;
    if (err == QN_OK)
        slab->holds = 1;
    pthread_mutex_unlock(&pipeline->mutex);
    if (err != QN_OK)
        return err;
    if (slab->bytes == NULL)
        slab->bytes = qn_alloc(QN_SLAB_SIZE);
    slab->used = 0;
    *ret_slab = slab;
    return QN_OK;
}

void qn_pipeline_release(struct qn_pipeline *pipeline, struct qn_slab *slab)
{
    if (slab == NULL)
        return;
    pthread_mutex_lock(&pipeline->mutex);
    slab->holds--;
    pthread_mutex_unlock(&pipeline->mutex);
}

/* ---- the owner: chunks ---- */

static enum qn_err start_parcel(struct qn_pipeline *pipeline, struct qn_slab *slab)
{
    pthread_mutex_lock(&pipeline->mutex);
    while (pipeline->free_count == 0 && pipeline->err == QN_OK)
        pthread_cond_wait(&pipeline->for_owner, &pipeline->mutex);
    enum qn_err err = pipeline->err;
    if (err == QN_OK) {
        pipeline->parcel = pipeline->free_parcels[--pipeline->free_count];
        pipeline->parcels_under_way++;
        slab->holds++;
    }
    pthread_mutex_unlock(&pipeline->mutex);
    if (err == QN_OK) {
        pipeline->parcel->slab = slab;
        pipeline->parcel->count = pipeline->parcel->size = 0;
    }
    return err;
}

enum qn_err qn_pipeline_submit(struct qn_pipeline *pipeline, struct qn_slab *slab,
                               enum qn_blob_kind kind, struct qn_span raw,
                               struct qn_chunk_slot *slot)
{
    QN_ASSERT(raw.size > 0 && raw.size <= QN_BLOB_SIZE_MAX);
    if (pipeline->parcel != NULL && pipeline->parcel->slab != slab)
        send(pipeline);
    if (pipeline->parcel == NULL)
        QN_TRY(start_parcel(pipeline, slab));
    struct qn_parcel *parcel = pipeline->parcel;
    atomic_store_explicit(&slot->is_done, false, memory_order_relaxed);
    parcel->chunks[parcel->count].kind = kind;
    parcel->chunks[parcel->count].raw = raw;
    parcel->chunks[parcel->count].slot = slot;
    parcel->count++;
    parcel->size += raw.size;
    if (parcel->count == QN_PARCEL_CHUNKS_MAX || parcel->size >= QN_PARCEL_SIZE)
        send(pipeline);
    return QN_OK;
}

enum qn_err qn_pipeline_wait(struct qn_pipeline *pipeline, struct qn_chunk_slot *slot)
{
    if (atomic_load_explicit(&slot->is_done, memory_order_acquire))
        return QN_OK;
    send(pipeline);
    pthread_mutex_lock(&pipeline->mutex);
    while (!atomic_load_explicit(&slot->is_done, memory_order_acquire) && pipeline->err == QN_OK)
        pthread_cond_wait(&pipeline->for_owner, &pipeline->mutex);
    enum qn_err err = pipeline->err;
    pthread_mutex_unlock(&pipeline->mutex);
    return err;
}

enum qn_err qn_pipeline_put(struct qn_pipeline *pipeline, enum qn_blob_kind kind,
                            struct qn_span plain, struct qn_chunk_id *ret_id)
{
    QN_TRY(failure(pipeline));
    if (plain.size == 0 || plain.size > QN_BLOB_SIZE_MAX)
        return QN_ERR_LIMIT;
    enum qn_err err = store(&pipeline->own, kind, plain, ret_id);
    qn_index_view_rest(pipeline->own.view);
    return err;
}

enum qn_err qn_pipeline_use(struct qn_pipeline *pipeline, enum qn_blob_kind kind,
                            const struct qn_chunk_id *id, uint64_t size)
{
    return use(&pipeline->own, kind, id, size);
}

enum qn_err qn_pipeline_flush(struct qn_pipeline *pipeline)
{
    send(pipeline);
    pthread_mutex_lock(&pipeline->mutex);
    while (pipeline->parcels_under_way > 0 && pipeline->err == QN_OK)
        pthread_cond_wait(&pipeline->for_owner, &pipeline->mutex);
    enum qn_err err = pipeline->err;
    pthread_mutex_unlock(&pipeline->mutex);
    if (err == QN_OK)
        err = qn_pipeline_close_packs(pipeline);
    qn_index_view_rest(pipeline->own.view);
    return err;
}

/* ---- what the run relies on ---- */

static int name_cmp(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct qn_pack_name));
}

static void add_all(struct qn_pack_set *set, const struct qn_pack_set *more)
{
    for (uint32_t at = 0; (at = qn_pack_set_next(more, at)) != 0;)
        qn_pack_set_add(set, at);
}

enum qn_err qn_pipeline_live(struct qn_pipeline *pipeline, qn_pack_name_vec *out)
{
    struct qn_pack_set all = {0};
    add_all(&all, &pipeline->written);
    add_all(&all, &pipeline->own.used);
    for (unsigned i = 0; i < pipeline->lane_count; i++)
        add_all(&all, &pipeline->lanes[i].used);
    out->count = 0;
    enum qn_err err = QN_OK;
    for (uint32_t at = 0; err == QN_OK && (at = qn_pack_set_next(&all, at)) != 0;) {
        struct qn_index_pack pack;
        err = qn_index_get_pack(pipeline->own.view, at, &pack);
        if (err == QN_OK)
            qn_vec_push(out, pack.name);
    }
    qn_index_view_rest(pipeline->own.view);
    qn_pack_set_deinit(&all);
    if (err == QN_OK && out->count > 0)
        qsort(out->items, out->count, sizeof(*out->items), name_cmp);
    return err;
}

void qn_pipeline_counts(const struct qn_pipeline *pipeline, uint64_t *ret_bytes_new,
                        uint64_t *ret_bytes_stored, uint64_t *ret_packs)
{
    *ret_bytes_new = atomic_load(&pipeline->bytes_new);
    *ret_bytes_stored = atomic_load(&pipeline->bytes_stored);
    *ret_packs = atomic_load(&pipeline->packs_stored);
}
