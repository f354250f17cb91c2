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

static void drop(struct qn_pipeline *pipeline, qn_pending_vec *pending)
{
    qn_vec_each (pending, it) {
        qn_pool_put_drop(pipeline->vault->pool, &it->put);
        qn_free(it->blobs);
    }
    qn_vec_free(pending);
}

void qn_pipeline_deinit_packs(struct qn_pipeline *pipeline)
{
    for (size_t i = 0; i < QN_PIPELINE_OPEN; i++)
        pthread_mutex_destroy(&pipeline->open[i].mutex);
    for (size_t i = 0; i < pipeline->packer_count; i++)
        qn_packer_free(pipeline->packers[i]);
    drop(pipeline, &pipeline->pending);
    drop(pipeline, &pipeline->committing);
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

/* Blobs go to one of two packs by their ids, which nobody without the key can tell. */
static struct qn_open_pack *open_for(struct qn_pipeline *pipeline, const struct qn_blob *blob)
{
    if (blob->kind != QN_BLOB_DATA)
        return &pipeline->open[OPEN_META];
    return &pipeline->open[blob->id.bytes[31] % QN_PIPELINE_DATA_OPEN];
}

static struct qn_open_pack *beside(struct qn_pipeline *pipeline, struct qn_open_pack *open)
{
    size_t at = (size_t)(open - pipeline->open);
    return at == OPEN_META ? open : &pipeline->open[(at + 1) % QN_PIPELINE_DATA_OPEN];
}

static enum qn_err add_if_it_fits(struct qn_pipeline *pipeline, struct qn_open_pack *open,
                                  const struct qn_blob *blob, struct qn_span stored,
                                  bool *ret_is_added)
{
    struct qn_blob placed;
    enum qn_err err = QN_OK;
    pthread_mutex_lock(&open->mutex);
    if (open->packer == NULL)
        err = take_packer(pipeline, open->kind, &open->packer);
    *ret_is_added = err == QN_OK && qn_packer_has_room(open->packer, stored.size);
    if (*ret_is_added)
        err = qn_packer_add(open->packer, blob->kind, &blob->id, stored, blob->raw_size,
                            blob->is_squeezed, &placed);
    pthread_mutex_unlock(&open->mutex);
    return err;
}

static size_t room_in(struct qn_open_pack *open)
{
    pthread_mutex_lock(&open->mutex);
    size_t room = open->packer == NULL ? SIZE_MAX : qn_packer_room(open->packer);
    pthread_mutex_unlock(&open->mutex);
    return room;
}

/* Finishes the pack if there is no room for `stored` in it, and opens the next. */
static enum qn_err replace(struct qn_pipeline *pipeline, struct qn_open_pack *open,
                           struct qn_span stored)
{
    struct qn_packer *full = NULL;
    pthread_mutex_lock(&open->mutex);
    enum qn_err err = QN_OK;
    if (open->packer != NULL && !qn_packer_has_room(open->packer, stored.size)) {
        full = open->packer;
        open->packer = NULL;
        err = take_packer(pipeline, open->kind, &open->packer);
    }
    pthread_mutex_unlock(&open->mutex);
    return err == QN_OK && full != NULL ? finish(pipeline, full, open->kind) : err;
}

/* A pack that has no room for a blob is not finished before the one beside it has none either:
 * smaller blobs fill it up, so that little of it is padding. Then the fuller one goes. */
enum qn_err qn_pipeline_pack(struct qn_pipeline *pipeline, const struct qn_blob *blob,
                             struct qn_span stored)
{
    struct qn_open_pack *open = open_for(pipeline, blob), *other = beside(pipeline, open);
    for (;;) {
        bool is_added;
        QN_TRY(add_if_it_fits(pipeline, open, blob, stored, &is_added));
        if (!is_added)
            QN_TRY(add_if_it_fits(pipeline, other, blob, stored, &is_added));
        if (is_added)
            return QN_OK;
        QN_TRY(replace(pipeline, room_in(open) <= room_in(other) ? open : other, stored));
    }
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

static bool has_packs_under_way(const struct qn_pipeline *pipeline)
{
    return pipeline->finished_count > 0 || pipeline->is_writing || pipeline->pending.count > 0 ||
           pipeline->is_committing;
}

enum qn_err qn_pipeline_close_packs(struct qn_pipeline *pipeline)
{
    for (size_t i = 0; i < QN_PIPELINE_OPEN; i++)
        QN_TRY(close_pack(pipeline, &pipeline->open[i]));
    pthread_mutex_lock(&pipeline->mutex);
    while (has_packs_under_way(pipeline) && pipeline->err == QN_OK)
        pthread_cond_wait(&pipeline->for_owner, &pipeline->mutex);
    enum qn_err err = pipeline->err;
    pthread_mutex_unlock(&pipeline->mutex);
    return err;
}

/* ---- the writer: hands files to the system and packers back ---- */

static void note_pending(struct qn_pipeline *pipeline, const struct qn_finished_pack *finished,
                         const struct qn_pool_put *put)
{
    struct qn_pending_pack pending = {
        .put = *put, .pack = finished->pack, .count = finished->count};
    pending.blobs = qn_memdup(finished->blobs, finished->count * sizeof(*finished->blobs));
    pthread_mutex_lock(&pipeline->mutex);
    qn_vec_push(&pipeline->pending, pending);
    pipeline->pending_size += pending.pack.size;
    pipeline->pending_rows += pending.count;
    pthread_cond_signal(&pipeline->for_committer);
    pthread_mutex_unlock(&pipeline->mutex);
}

static enum qn_err write_pack(struct qn_pipeline *pipeline, const struct qn_finished_pack *finished)
{
    struct qn_pool_put put;
    QN_TRY(qn_pool_put_begin(pipeline->vault->pool, &finished->pack.name, finished->bytes, &put));
    note_pending(pipeline, finished, &put);
    return QN_OK;
}

static bool is_behind(const struct qn_pipeline *pipeline)
{
    return pipeline->pending_size >= QN_PIPELINE_PENDING_SIZE ||
           pipeline->pending_rows >= QN_PIPELINE_PENDING_ROWS;
}

/* False: the work is over. */
static bool next_pack(struct qn_pipeline *pipeline, struct qn_finished_pack *ret_finished)
{
    pthread_mutex_lock(&pipeline->mutex);
    while ((pipeline->finished_count == 0 || is_behind(pipeline)) && pipeline->err == QN_OK)
        pthread_cond_wait(&pipeline->for_writer, &pipeline->mutex);
    bool has_pack = pipeline->err == QN_OK;
    if (has_pack) {
        *ret_finished = pipeline->finished[pipeline->finished_first];
        pipeline->finished_first = (pipeline->finished_first + 1) % QN_PIPELINE_PACKERS;
        pipeline->finished_count--;
        pipeline->is_writing = true;
    }
    pthread_mutex_unlock(&pipeline->mutex);
    return has_pack;
}

static void free_packer(struct qn_pipeline *pipeline, struct qn_packer *packer)
{
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->free_packers[pipeline->free_packer_count++] = packer;
    pipeline->is_writing = false;
    pthread_cond_signal(&pipeline->for_packer);
    pthread_cond_broadcast(&pipeline->for_owner); /* the committer may have been faster */
    pthread_mutex_unlock(&pipeline->mutex);
}

void *qn_pipeline_write(void *context)
{
    struct qn_pipeline *pipeline = context;
    struct qn_finished_pack finished;
    while (next_pack(pipeline, &finished)) {
        enum qn_err err = write_pack(pipeline, &finished);
        free_packer(pipeline, finished.packer);
        if (err != QN_OK)
            qn_pipeline_fail(pipeline, err);
    }
    return NULL;
}

/* ---- the committer: makes durable what was written while it was busy ---- */

static enum qn_err sync_packs(struct qn_pipeline *pipeline)
{
    qn_vec_each (&pipeline->committing, it)
        QN_TRY(qn_pool_put_finish(pipeline->vault->pool, &it->put));
    return qn_pool_sync(pipeline->vault->pool);
}

static enum qn_err index_packs(struct qn_pipeline *pipeline)
{
    size_t count = pipeline->committing.count;
    QN_AUTO_FREE struct qn_index_addition *additions = qn_alloc((count + 1) * sizeof(*additions));
    for (size_t i = 0; i < count; i++) {
        const struct qn_pending_pack *pending = &pipeline->committing.items[i];
        additions[i] = (struct qn_index_addition){
            .pack = pending->pack, .blobs = pending->blobs, .count = pending->count};
    }
    QN_TRY(qn_index_add(pipeline->vault->index, additions, count, true));
    for (size_t i = 0; i < count; i++)
        pipeline->committing.items[i].pack.number = additions[i].pack.number;
    return QN_OK;
}

static void land(struct qn_pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->flight_mutex);
    qn_vec_each (&pipeline->committing, it) {
        for (size_t i = 0; i < it->count; i++)
            qn_chunk_set_remove(&pipeline->flight, &it->blobs[i].id);
        qn_pack_set_add(&pipeline->written, it->pack.number);
    }
    pthread_mutex_unlock(&pipeline->flight_mutex);
}

static void tell(struct qn_pipeline *pipeline)
{
    const struct qn_pipeline_options *options = &pipeline->options;
    qn_vec_each (&pipeline->committing, it) {
        qn_progress_add(&pipeline->bytes_stored, it->pack.size);
        qn_progress_add(&pipeline->packs_stored, 1);
        if (options->progress != NULL)
            qn_progress_add(&options->progress->bytes_stored, it->pack.size);
        if (options->on_pack != NULL)
            options->on_pack(options->context, &it->pack.name, it->pack.size, it->pack.kind);
    }
}

/* The names of the packs are durable before the index speaks of them. */
static enum qn_err commit(struct qn_pipeline *pipeline)
{
    QN_TRY(sync_packs(pipeline));
    QN_TRY(index_packs(pipeline));
    land(pipeline);
    tell(pipeline);
    drop(pipeline, &pipeline->committing);
    return QN_OK;
}

/* Takes all that is pending. */
static bool take_pending(struct qn_pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->mutex);
    while (pipeline->pending.count == 0 && pipeline->err == QN_OK)
        pthread_cond_wait(&pipeline->for_committer, &pipeline->mutex);
    bool has_packs = pipeline->err == QN_OK;
    if (has_packs) {
        pipeline->committing = pipeline->pending;
        pipeline->pending = (qn_pending_vec){0};
        pipeline->pending_size = pipeline->pending_rows = 0;
        pipeline->is_committing = true;
        pthread_cond_signal(&pipeline->for_writer);
    }
    pthread_mutex_unlock(&pipeline->mutex);
    return has_packs;
}

static void end_commit(struct qn_pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->mutex);
    pipeline->is_committing = false;
    pthread_cond_broadcast(&pipeline->for_owner);
    pthread_mutex_unlock(&pipeline->mutex);
}

void *qn_pipeline_commit(void *context)
{
    struct qn_pipeline *pipeline = context;
    while (take_pending(pipeline)) {
        enum qn_err err = commit(pipeline);
        if (err != QN_OK)
            qn_pipeline_fail(pipeline, err);
        end_commit(pipeline);
    }
    return NULL;
}

/* If it fails, what is in the pool is found when the vault is next opened. */
void qn_pipeline_commit_rest(struct qn_pipeline *pipeline)
{
    if (pipeline->committing.count > 0 || pipeline->pending.count == 0)
        return; /* a commit failed already, or there is nothing */
    pipeline->committing = pipeline->pending;
    pipeline->pending = (qn_pending_vec){0};
    (void)!commit(pipeline);
}
