#include <stdlib.h>

#include "vault/prune_private.h"

/* ---- moving what is alive ---- */

/* A pack that is being moved, whole in memory. */
struct mover {
    struct qn_prune *prune;
    struct qn_pipeline *pipeline;
    struct qn_unpacker *unpacker;
    struct qn_mac *mac;
    struct qn_index_view *view;
    uint8_t *bytes;
    qn_blob_vec blobs;
    struct qn_chunk_slot *slots; /* QN_PACK_BLOBS_MAX */
    size_t slot_count;
    struct qn_slab *slab;
};

/* The directory is where it was when the pack was taken up; if it is not, the pack stays. */
static enum qn_err open_pack(struct mover *mover, const struct qn_index_pack *pack)
{
    enum qn_pack_kind kind;
    size_t offset, size;
    struct qn_unpacker *unpacker = mover->unpacker;
    QN_TRY(qn_pool_read(mover->prune->vault->pool, &pack->name, 0, pack->size, mover->bytes));
    QN_TRY(qn_unpacker_start(unpacker, qn_span(mover->bytes, QN_PACK_HEAD_SIZE), &kind));
    QN_TRY(qn_unpacker_trailer(
        unpacker, qn_span(mover->bytes + pack->size - QN_PACK_TRAILER_SIZE, QN_PACK_TRAILER_SIZE),
        pack->size, &offset, &size));
    return qn_unpacker_directory(unpacker, offset, qn_span(mover->bytes + offset, size),
                                 &mover->blobs);
}

/* In this pass, needed, and here. */
static enum qn_err is_moved(struct mover *mover, uint32_t number, const struct qn_blob *blob,
                            bool *ret_is_moved)
{
    const struct qn_prune *prune = mover->prune;
    struct qn_index_row row;
    *ret_is_moved = false;
    bool is_in_pass = blob->id.bytes[0] >= prune->first && blob->id.bytes[0] <= prune->last;
    if (!is_in_pass || !qn_chunk_set_has(&prune->live, &blob->id))
        return QN_OK;
    enum qn_err err = qn_index_get(mover->view, &blob->id, &row);
    *ret_is_moved = err == QN_OK && row.pack == number && row.blob.offset == blob->offset;
    return err == QN_ERR_NOTFOUND || err == QN_ERR_CORRUPT ? QN_OK : err;
}

static enum qn_err make_room(struct mover *mover, size_t size)
{
    if (mover->slab != NULL && QN_SLAB_SIZE - mover->slab->used >= size)
        return QN_OK;
    qn_pipeline_release(mover->pipeline, mover->slab);
    mover->slab = NULL;
    return qn_pipeline_slab(mover->pipeline, &mover->slab);
}

static enum qn_err move_blob(struct mover *mover, size_t pack_size, const struct qn_blob *blob)
{
    size_t size = qn_blob_span_size(blob);
    if (blob->offset > pack_size || size > pack_size - blob->offset || blob->raw_size == 0 ||
        blob->raw_size > QN_BLOB_SIZE_MAX)
        return QN_ERR_CORRUPT;
    QN_TRY(make_room(mover, blob->raw_size));
    uint8_t *raw = mover->slab->bytes + mover->slab->used;
    QN_TRY(qn_unpacker_blob(mover->unpacker, blob, qn_span(mover->bytes + blob->offset, size),
                            mover->mac, raw));
    mover->slab->used += blob->raw_size;
    mover->prune->counts.bytes_rewritten += blob->raw_size;
    return qn_pipeline_submit(mover->pipeline, mover->slab, blob->kind,
                              qn_span(raw, blob->raw_size), &mover->slots[mover->slot_count++]);
}

static enum qn_err wait_for_slots(struct mover *mover)
{
    for (size_t i = 0; i < mover->slot_count; i++)
        QN_TRY(qn_pipeline_wait(mover->pipeline, &mover->slots[i]));
    mover->slot_count = 0;
    return QN_OK;
}

static enum qn_err move_blobs(struct mover *mover, const struct qn_index_pack *pack)
{
    for (size_t i = 0; i < mover->blobs.count; i++) {
        bool moves;
        QN_TRY(is_moved(mover, pack->number, &mover->blobs.items[i], &moves));
        if (moves)
            QN_TRY(move_blob(mover, pack->size, &mover->blobs.items[i]));
    }
    return QN_OK;
}

static bool is_damage(enum qn_err err)
{
    return err == QN_ERR_SIGNATURE || err == QN_ERR_CORRUPT || err == QN_ERR_NOTFOUND ||
           err == QN_ERR_INVALID || err == QN_ERR_UNSUPPORTED || err == QN_ERR_LIMIT;
}

/* A damaged pack is not touched: what is lost in it may come back from a holder. */
static enum qn_err move_pack(struct mover *mover, uint32_t number)
{
    struct qn_index_pack pack;
    if (qn_progress_cancelled(mover->prune->options->progress))
        return QN_ERR_CLOSED;
    qn_index_view_rest(mover->view); /* or the index could not use its old pages again */
    QN_TRY(qn_index_get_pack(mover->view, number, &pack));
    enum qn_err err = open_pack(mover, &pack);
    if (err == QN_OK)
        err = move_blobs(mover, &pack);
    QN_TRY(wait_for_slots(mover));
    if (!is_damage(err))
        return err;
    mover->prune->packs[number].is_kept = true;
    return QN_OK;
}

static enum qn_err move_in_pass(struct qn_prune *prune, void *context)
{
    for (uint32_t at = 0; (at = qn_pack_set_next(&prune->moved, at)) != 0;) {
        if (!prune->packs[at].is_kept)
            QN_TRY(move_pack(context, at));
    }
    return QN_OK;
}

static void free_mover(struct mover *mover)
{
    qn_pipeline_release(mover->pipeline, mover->slab);
    qn_pipeline_free(mover->pipeline);
    qn_unpacker_free(mover->unpacker);
    qn_mac_free(mover->mac);
    qn_index_view_free(mover->view);
    qn_vec_free(&mover->blobs);
    qn_free(mover->bytes);
    qn_free(mover->slots);
}

static void settle_moved(struct qn_prune *prune)
{
    for (uint32_t at = 0; (at = qn_pack_set_next(&prune->moved, at)) != 0;) {
        if (prune->packs[at].is_kept)
            qn_pack_set_remove(&prune->moved, at);
        else
            prune->counts.packs_rewritten++;
    }
}

enum qn_err qn_prune_move(struct qn_prune *prune)
{
    if (qn_pack_set_next(&prune->moved, 0) == 0)
        return QN_OK;
    struct qn_vault *vault = prune->vault;
    struct mover mover = {
        .prune = prune,
        .unpacker = qn_unpacker_new(&vault->keys),
        .mac = qn_mac_new(QN_SPAN_OF(vault->keys.id)),
        .view = qn_index_view_new(vault->index),
        .bytes = qn_alloc(QN_PACK_SIZE_MAX),
        .slots = qn_alloc_zero(QN_PACK_BLOBS_MAX * sizeof(struct qn_chunk_slot)),
        .pipeline =
            qn_pipeline_new(&(struct qn_pipeline_options){.vault = vault,
                                                          .avoided = &prune->moved,
                                                          .on_pack = prune->options->on_pack,
                                                          .context = prune->options->context}),
    };
    enum qn_err err = qn_prune_passes(prune, move_in_pass, &mover);
    if (err == QN_OK)
        err = qn_pipeline_flush(mover.pipeline);
    free_mover(&mover);
    if (err == QN_OK)
        settle_moved(prune);
    return err;
}

/* ---- lists ---- */

struct relist {
    struct qn_prune *prune;
    struct qn_index_view *view;
    struct qn_pack_set packs;
};

static enum qn_err note_pack(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                             uint64_t size, struct qn_span path)
{
    struct relist *relist = context;
    struct qn_index_row row;
    (void)kind, (void)size, (void)path;
    enum qn_err err = qn_index_get(relist->view, id, &row);
    if (err == QN_OK)
        qn_pack_set_add(&relist->packs, row.pack);
    return err == QN_ERR_NOTFOUND ? QN_OK : err; /* lost: verify says so */
}

static int by_name(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct qn_pack_name));
}

static enum qn_err write_list(struct relist *relist, const struct qn_snapshot_name *name)
{
    qn_pack_name_vec names = {0};
    enum qn_err err = QN_OK;
    for (uint32_t at = 0; err == QN_OK && (at = qn_pack_set_next(&relist->packs, at)) != 0;) {
        struct qn_index_pack pack;
        err = qn_index_get_pack(relist->view, at, &pack);
        if (err == QN_OK)
            qn_vec_push(&names, pack.name);
    }
    if (names.count > 0)
        qsort(names.items, names.count, sizeof(*names.items), by_name);
    if (err == QN_OK)
        err = qn_vault_write_live(relist->prune->vault, name, names.items, names.count);
    qn_vec_free(&names);
    return err;
}

static enum qn_err make_list(struct qn_prune *prune, const struct qn_snapshot_info *info)
{
    struct relist relist = {.prune = prune, .view = qn_index_view_new(prune->vault->index)};
    struct qn_marker marker;
    qn_marker_init(&marker, prune->vault);
    marker.on_chunk = note_pack;
    marker.context = &relist;
    marker.progress = prune->options->progress;
    enum qn_err err = qn_mark(&marker, &info->snapshot);
    if (err == QN_OK)
        err = write_list(&relist, &info->name);
    qn_marker_deinit(&marker);
    qn_index_view_free(relist.view);
    qn_pack_set_deinit(&relist.packs);
    if (err == QN_OK && prune->options->on_relist != NULL)
        prune->options->on_relist(prune->options->context, &info->name);
    return err;
}

/* A list that cannot be read is made again too. */
static enum qn_err needs_list(struct qn_prune *prune, const struct qn_snapshot_name *name,
                              bool *ret_needs)
{
    QN_AUTO_BUF struct qn_buf live;
    qn_buf_init(&live, QN_LIVE_SIZE_MAX);
    enum qn_err err = qn_vault_read_live(prune->vault, name, &live);
    *ret_needs = err != QN_OK;
    for (size_t at = 0; err == QN_OK && at < live.size; at += sizeof(struct qn_pack_name)) {
        struct qn_pack_name pack_name;
        struct qn_index_pack pack;
        memcpy(&pack_name, live.data + at, sizeof(pack_name));
        enum qn_err found = qn_index_find_pack(prune->view, &pack_name, &pack);
        if (found != QN_OK && found != QN_ERR_NOTFOUND)
            return found;
        bool is_new = found == QN_OK && pack.number > prune->number_max;
        *ret_needs |= found != QN_OK || (!is_new && prune->packs[pack.number].is_dead);
    }
    return QN_OK;
}

enum qn_err qn_prune_relist(struct qn_prune *prune)
{
    qn_index_view_rest(prune->view);
    for (size_t i = 0; i < prune->snapshots.count; i++) {
        const struct qn_snapshot_info *info = &prune->snapshots.items[i];
        bool needs = false;
        if (prune->are_walked.items[i])
            QN_TRY(needs_list(prune, &info->name, &needs));
        if (needs)
            QN_TRY(make_list(prune, info));
    }
    return QN_OK;
}
