#include "base/assert.h"
#include "vault/pipeline_private.h"

#define OPEN_META QN_PIPELINE_DATA_OPEN

void qn_pipeline_init_packs(struct qn_pipeline *pipeline)
{
    for (size_t i = 0; i < QN_PIPELINE_OPEN; i++) {
        pthread_mutex_init(&pipeline->open[i].mutex, NULL);
        pipeline->open[i].kind = i == OPEN_META ? QN_PACK_META : QN_PACK_DATA;
    }
}

static void drop_pending(struct qn_pipeline *pipeline)
{
    qn_vec_each (&pipeline->pending, it)
        qn_free(it->blobs);
    pipeline->pending.count = 0;
    pipeline->pending_rows = pipeline->pending_size = 0;
}

void qn_pipeline_deinit_packs(struct qn_pipeline *pipeline)
{
    for (size_t i = 0; i < QN_PIPELINE_OPEN; i++)
        pthread_mutex_destroy(&pipeline->open[i].mutex);
    for (size_t i = 0; i < pipeline->packer_count; i++)
        qn_packer_free(pipeline->packers[i]);
    drop_pending(pipeline);
    qn_vec_free(&pipeline->pending);
    qn_pack_set_deinit(&pipeline->written);
}

/* ---- filling packs: any thread ---- */

/* Packers are made when they are needed: a run that stores little touches little memory. */
static struct qn_packer *make_packer(struct qn_pipeline *pipeline)
{
    struct qn_vault *vault = pipeline->vault;
    struct qn_packer *packer = qn_packer_new(&vault->keys, vault->pack_size);
    pipeline->packers[pipeline->packer_count++] = packer;
    return packer;
}

static enum qn_err take_packer(struct qn_pipeline *pipeline, enum qn_pack_kind kind,
                               struct qn_packer **ret_packer)
{
    struct qn_packer *packer = NULL;
    pthread_mutex_lock(&pipeline->mutex);
    while (pipeline->free_packer_count == 0 && pipeline->packer_count == QN_PIPELINE_PACKERS &&
           pipeline->err == QN_OK)
        pthread_cond_wait(&pipeline->for_packer, &pipeline->mutex);
    enum qn_err err = pipeline->err;
    if (err == QN_OK && pipeline->free_packer_count > 0)
        packer = pipeline->free_packers[--pipeline->free_packer_count];
    else if (err == QN_OK)
        packer = make_packer(pipeline);
    pthread_mutex_unlock(&pipeline->mutex);
    if (err != QN_OK)
        return err;
    uint8_t salt[32];
    qn_os_random(salt, sizeof(salt));
    qn_packer_start(packer, kind, salt);
    *ret_packer = packer;
    return QN_OK;
}

static void hand_to_writer(struct qn_pipeline *pipeline, const struct qn_finished_pack *finished)
{
    pthread_mutex_lock(&pipeline->mutex);
    size_t last = (pipeline->finished_first + pipeline->finished_count++) % QN_PIPELINE_PACKERS;
    pipeline->finished[last] = *finished;
    pthread_cond_signal(&pipeline->for_writer);
    pthread_mutex_unlock(&pipeline->mutex);
}

/* Hashes the whole pack: outside of all locks. */
static enum qn_err finish(struct qn_pipeline *pipeline, struct qn_packer *packer,
                          enum qn_pack_kind kind)
{
    struct qn_finished_pack finished = {.packer = packer};
    QN_TRY(qn_packer_finish(packer, &finished.bytes, &finished.pack.name, &finished.blobs,
                            &finished.count));
    finished.pack.size = (uint32_t)finished.bytes.size;
    finished.pack.kind = kind;
    finished.pack.state = QN_PACK_PRESENT;
    hand_to_writer(pipeline, &finished);
    return QN_OK;
}

/* Makes room for one more blob; *ret_full: the pack that was open and is to be finished. */
static enum qn_err make_room(struct qn_pipeline *pipeline, struct qn_open_pack *open, size_t size,
                             struct qn_packer **ret_full)
{
    if (open->packer != NULL && qn_packer_has_room(open->packer, size))
        return QN_OK;
    *ret_full = open->packer;
    open->packer = NULL;
    return take_packer(pipeline, open->kind, &open->packer);
}

/* Blobs go to one of two packs by their ids, which nobody without the key can tell. */
static struct qn_open_pack *open_for(struct qn_pipeline *pipeline, const struct qn_blob *blob)
{
    if (blob->kind != QN_BLOB_DATA)
        return &pipeline->open[OPEN_META];
    return &pipeline->open[blob->id.bytes[31] % QN_PIPELINE_DATA_OPEN];
}

enum qn_err qn_pipeline_pack(struct qn_pipeline *pipeline, const struct qn_blob *blob,
                             struct qn_span stored)
{
    struct qn_open_pack *open = open_for(pipeline, blob);
    struct qn_packer *full = NULL;
    struct qn_blob placed;
    pthread_mutex_lock(&open->mutex);
    enum qn_err err = make_room(pipeline, open, stored.size, &full);
    if (err == QN_OK)
        err = qn_packer_add(open->packer, blob->kind, &blob->id, stored, blob->raw_size,
                            blob->is_squeezed, &placed);
    pthread_mutex_unlock(&open->mutex);
    if (err == QN_OK && full != NULL)
        err = finish(pipeline, full, open->kind);
    return err;
}

static enum qn_err close_pack(struct qn_pipeline *pipeline, struct qn_open_pack *open)
{
    pthread_mutex_lock(&open->mutex);
    struct qn_packer *packer = open->packer;
    if (packer != NULL && qn_packer_count(packer) > 0)
        open->packer = NULL;
    else
        packer = NULL;
    pthread_mutex_unlock(&open->mutex);
    return packer == NULL ? QN_OK : finish(pipeline, packer, open->kind);
}

enum qn_err qn_pipeline_close_packs(struct qn_pipeline *pipeline)
{
    for (size_t i = 0; i < QN_PIPELINE_OPEN; i++)
        QN_TRY(close_pack(pipeline, &pipeline->open[i]));
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->is_flush_wanted = true;
    pthread_cond_signal(&pipeline->for_writer);
    while (pipeline->is_flush_wanted && pipeline->err == QN_OK)
        pthread_cond_wait(&pipeline->for_owner, &pipeline->mutex);
    enum qn_err err = pipeline->err;
    pthread_mutex_unlock(&pipeline->mutex);
    return err;
}

/* ---- the writer ---- */

static void settle_pending(struct qn_pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->flight_mutex);
    qn_vec_each (&pipeline->pending, it) {
        for (size_t i = 0; i < it->count; i++)
            qn_chunk_set_remove(&pipeline->flight, &it->blobs[i].id);
        qn_pack_set_add(&pipeline->written, it->pack.number);
    }
    pthread_mutex_unlock(&pipeline->flight_mutex);
    const struct qn_pipeline_options *options = &pipeline->options;
    qn_vec_each (&pipeline->pending, it) {
        if (options->on_pack != NULL)
            options->on_pack(options->context, &it->pack.name, it->pack.size, it->pack.kind);
    }
    drop_pending(pipeline);
}

static enum qn_err index_pending(struct qn_pipeline *pipeline)
{
    struct qn_index_batch *batch;
    QN_TRY(qn_index_begin(pipeline->vault->index, &batch));
    qn_vec_each (&pipeline->pending, it) {
        enum qn_err err =
            qn_index_put(batch, &it->pack, it->blobs, it->count, true, &it->pack.number);
        if (err != QN_OK) {
            qn_index_abort(batch);
            return err;
        }
    }
    return qn_index_commit(batch);
}

/* The names of the packs are durable before the index speaks of them. */
static enum qn_err commit_pending(struct qn_pipeline *pipeline)
{
    if (pipeline->pending.count == 0)
        return QN_OK;
    QN_TRY(qn_pool_sync(pipeline->vault->pool));
    QN_TRY(index_pending(pipeline));
    settle_pending(pipeline);
    return QN_OK;
}

/* If it fails, they are found when the vault is next opened. */
void qn_pipeline_commit_rest(struct qn_pipeline *pipeline)
{
    (void)!commit_pending(pipeline);
}

static void note_pending(struct qn_pipeline *pipeline, const struct qn_finished_pack *finished)
{
    struct qn_pending_pack pending = {.pack = finished->pack, .count = finished->count};
    pending.blobs = qn_memdup(finished->blobs, finished->count * sizeof(*finished->blobs));
    qn_vec_push(&pipeline->pending, pending);
    pipeline->pending_rows += pending.count;
    pipeline->pending_size += pending.pack.size;
}

static enum qn_err write_pack(struct qn_pipeline *pipeline, const struct qn_finished_pack *finished)
{
    QN_TRY(qn_pool_put_lazy(pipeline->vault->pool, &finished->pack.name, finished->bytes));
    note_pending(pipeline, finished);
    qn_progress_add(&pipeline->bytes_stored, finished->pack.size);
    qn_progress_add(&pipeline->packs_stored, 1);
    if (pipeline->options.progress != NULL)
        qn_progress_add(&pipeline->options.progress->bytes_stored, finished->pack.size);
    bool is_batch = pipeline->pending_rows >= QN_PIPELINE_COMMIT_ROWS ||
                    pipeline->pending_size >= QN_PIPELINE_COMMIT_SIZE;
    return is_batch ? commit_pending(pipeline) : QN_OK;
}

static void free_packer(struct qn_pipeline *pipeline, struct qn_packer *packer)
{
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->free_packers[pipeline->free_packer_count++] = packer;
    pthread_cond_signal(&pipeline->for_packer);
    pthread_mutex_unlock(&pipeline->mutex);
}

static void end_flush(struct qn_pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->is_flush_wanted = false;
    pthread_cond_broadcast(&pipeline->for_owner);
    pthread_mutex_unlock(&pipeline->mutex);
}

enum task { TASK_PACK, TASK_FLUSH, TASK_END };

/* A flush is done when no pack waits any more. */
static enum task next_task(struct qn_pipeline *pipeline, struct qn_finished_pack *ret_finished)
{
    enum task task = TASK_END;
    pthread_mutex_lock(&pipeline->mutex);
    while (pipeline->finished_count == 0 && !pipeline->is_flush_wanted && pipeline->err == QN_OK)
        pthread_cond_wait(&pipeline->for_writer, &pipeline->mutex);
    if (pipeline->err == QN_OK)
        task = pipeline->finished_count > 0 ? TASK_PACK : TASK_FLUSH;
    if (task == TASK_PACK) {
        *ret_finished = pipeline->finished[pipeline->finished_first];
        pipeline->finished_first = (pipeline->finished_first + 1) % QN_PIPELINE_PACKERS;
        pipeline->finished_count--;
    }
    pthread_mutex_unlock(&pipeline->mutex);
    return task;
}

static enum qn_err do_task(struct qn_pipeline *pipeline, enum task task,
                           const struct qn_finished_pack *finished)
{
    if (task == TASK_PACK) {
        enum qn_err err = write_pack(pipeline, finished);
        free_packer(pipeline, finished->packer);
        return err;
    }
    QN_TRY(commit_pending(pipeline));
    end_flush(pipeline);
    return QN_OK;
}

void *qn_pipeline_write(void *context)
{
    struct qn_pipeline *pipeline = context;
    struct qn_finished_pack finished;
    enum task task;
    while ((task = next_task(pipeline, &finished)) != TASK_END) {
        enum qn_err err = do_task(pipeline, task, &finished);
        if (err != QN_OK)
            qn_pipeline_fail(pipeline, err);
    }
    return NULL;
}
