/* The places of a snapshot (chunk/places.h): for every chunk of its list, where what it names lies.
 * They are written when all of that is durable, level by level from below, since where the places
 * of a level are is known only then. Nothing depends on them: what cannot be told is left out. */
#include "chunk/node.h"
#include "chunk/places.h"
#include "vault/backup_private.h"

#define BELOW_MAX ((size_t)256 * 1024) /* chunks of one level; longer lists have no places */

typedef QN_VEC(struct qn_chunk_id) id_vec;

struct placing {
    struct qn_backup *backup;
    struct qn_index_view *view;
    struct qn_index_pack pack; /* the last one that was asked for; number 0: none */
    struct qn_places places;
    struct qn_buf leaf, path, plain;
    unsigned level;   /* that is being written */
    id_vec below, on; /* places of the chunks below that level, and on it, in order */
    size_t below_next;
};

/* ---- where a blob is ---- */

static enum qn_err know_pack(struct placing *placing, uint32_t number)
{
    if (placing->pack.number == number)
        return QN_OK;
    placing->pack.number = 0;
    return qn_index_get_pack(placing->view, number, &placing->pack);
}

/* QN_ERR_NOTFOUND: that is not known, and nothing was added. */
static enum qn_err add(struct placing *placing, const struct qn_chunk_id *id)
{
    struct qn_index_row row;
    QN_TRY(qn_index_get(placing->view, id, &row));
    QN_TRY(know_pack(placing, row.pack));
    struct qn_place place = {.pack = placing->pack.name, .blob = row.blob};
    return qn_places_add(&placing->places, &place) ? QN_OK : QN_ERR_NOTFOUND;
}

static enum qn_err try_add(struct placing *placing, const struct qn_chunk_id *id)
{
    enum qn_err err = add(placing, id);
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

/* A chunk of the list, and the places that it has. */
static enum qn_err add_chunk(struct placing *placing, const struct qn_chunk_id *id,
                             const struct qn_chunk_id *places)
{
    enum qn_err err = add(placing, id);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    return try_add(placing, places);
}

/* ---- one chunk of the list ---- */

static enum qn_err on_item(void *context, const struct qn_content_item *item)
{
    return item->is_hole ? QN_OK : try_add(context, &item->id);
}

static enum qn_err on_manifest(void *context, const struct qn_chunk_id *id)
{
    return try_add(context, id);
}

static enum qn_err place_leaf(struct placing *placing)
{
    struct qn_span leaf = qn_buf_view(&placing->leaf);
    qn_buf_reset(&placing->path);
    for (size_t at = 0; at < leaf.size;) {
        struct qn_entry entry;
        QN_TRY(qn_entry_read(leaf, &at, &placing->path, &entry));
        if (entry.type == QN_ENTRY_FILE && placing->places.row_count < QN_PLACES_ROWS_MAX)
            QN_TRY(qn_fetch_content(placing->backup->fetcher, &entry.content, on_item, on_manifest,
                                    placing));
    }
    return QN_OK;
}

static enum qn_err place_node(struct placing *placing, struct qn_span node)
{
    struct qn_node_item item;
    qn_buf_reset(&placing->path);
    for (size_t at = 1; at < node.size;) {
        QN_TRY(qn_node_item_read(node, &at, &placing->path, &item));
        if (placing->below_next >= placing->below.count)
            return QN_ERR_CORRUPT;
        QN_TRY(add_chunk(placing, &item.id, &placing->below.items[placing->below_next++]));
    }
    return QN_OK;
}

/* A leaf of empty files has no places: an id of zeros stands for them, which nothing has. */
static enum qn_err put(struct placing *placing)
{
    struct qn_chunk_id id = {0};
    qn_buf_reset(&placing->plain);
    qn_places_pack(&placing->places, &placing->plain);
    QN_TRY(qn_buf_status(&placing->plain));
    if (placing->on.count >= BELOW_MAX)
        return QN_ERR_LIMIT;
    if (placing->plain.size > 0)
        QN_TRY(qn_pipeline_put(placing->backup->pipeline, QN_BLOB_PLACES,
                               qn_buf_view(&placing->plain), &id));
    qn_vec_push(&placing->on, id);
    return QN_OK;
}

static enum qn_err place_chunk(struct placing *placing, struct qn_span plain)
{
    if (qn_progress_cancelled(placing->backup->options->progress))
        return QN_ERR_CLOSED;
    qn_places_reset(&placing->places);
    QN_TRY(placing->level == 0 ? place_leaf(placing) : place_node(placing, plain));
    return put(placing);
}

/* ---- one level ---- */

/* No deeper than the levels of the list. */
static enum qn_err descend(struct placing *placing, const struct qn_chunk_id *id, unsigned level)
{
    QN_AUTO_BUF struct qn_buf node, path;
    qn_buf_init(&node, QN_TREE_CHUNK_SIZE_MAX);
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    struct qn_buf *out = level == 0 ? &placing->leaf : &node;
    struct qn_node_item item;
    qn_buf_reset(out);
    QN_TRY(qn_tree_fetch(qn_fetch_tree, placing->backup->fetcher, level, id, out));
    if (level == placing->level)
        return place_chunk(placing, qn_buf_view(out));
    for (size_t at = 1; at < node.size;) {
        QN_TRY(qn_node_item_read(qn_buf_view(&node), &at, &path, &item));
        QN_TRY(descend(placing, &item.id, level - 1));
    }
    return QN_OK;
}

static enum qn_err place_level(struct placing *placing, const struct qn_tree_root *root)
{
    placing->on.count = placing->below_next = 0;
    QN_TRY(descend(placing, &root->id, root->levels - 1));
    QN_TRY(qn_pipeline_flush(placing->backup->pipeline));
    qn_index_view_rest(placing->view);
    qn_fetcher_rest(placing->backup->fetcher);
    placing->pack.number = 0;
    id_vec on = placing->on;
    placing->on = placing->below;
    placing->below = on;
    return QN_OK;
}

static enum qn_err place_all(struct placing *placing, const struct qn_tree_root *root,
                             struct qn_buf *out)
{
    for (placing->level = 0; placing->level < root->levels; placing->level++)
        QN_TRY(place_level(placing, root));
    qn_places_reset(&placing->places);
    QN_TRY(add_chunk(placing, &root->id, &placing->below.items[0]));
    qn_places_pack(&placing->places, out);
    return qn_buf_status(out);
}

static enum qn_err write_places(struct qn_backup *backup, const struct qn_tree_root *root,
                                struct qn_buf *out)
{
    struct placing placing = {.backup = backup, .view = qn_index_view_new(backup->vault->index)};
    qn_places_init(&placing.places);
    qn_buf_init(&placing.leaf, QN_TREE_CHUNK_SIZE_MAX);
    qn_buf_init(&placing.path, QN_PATH_SIZE_MAX);
    qn_buf_init(&placing.plain, QN_BLOB_SIZE_MAX);
    qn_fetcher_rest(backup->fetcher); /* it sees what was flushed */
    enum qn_err err = place_all(&placing, root, out);
    qn_places_deinit(&placing.places);
    qn_buf_deinit(&placing.leaf);
    qn_buf_deinit(&placing.path);
    qn_buf_deinit(&placing.plain);
    qn_vec_free(&placing.below);
    qn_vec_free(&placing.on);
    qn_index_view_free(placing.view);
    return err;
}

/* ---- those of the snapshot before ---- */

static enum qn_err add_present(struct qn_backup *backup, struct qn_index_view *view,
                               struct qn_span live)
{
    for (size_t at = 0; at < live.size; at += sizeof(struct qn_pack_name)) {
        struct qn_pack_name name;
        struct qn_index_pack pack;
        memcpy(&name, live.data + at, sizeof(name));
        QN_TRY(qn_index_find_pack(view, &name, &pack));
        if (pack.state != QN_PACK_PRESENT)
            return QN_ERR_NOTFOUND;
        qn_vec_push(&backup->places_packs, name);
    }
    return QN_OK;
}

/* The same list, and no prune moved anything since: the places are the same, and so are their
 * packs, which are among those of that snapshot. */
static bool can_take_over(struct qn_backup *backup, const struct qn_tree_root *root, uint64_t run)
{
    QN_AUTO_BUF struct qn_buf live;
    qn_buf_init(&live, QN_LIVE_SIZE_MAX);
    if (backup->previous_places.size == 0 || backup->previous_run != run ||
        qn_chunk_id_cmp(&backup->previous_root.id, &root->id) != 0 ||
        qn_vault_read_live(backup->vault, &backup->previous_name, &live) != QN_OK)
        return false;
    struct qn_index_view *view = qn_index_view_new(backup->vault->index);
    enum qn_err err = add_present(backup, view, qn_buf_view(&live));
    qn_index_view_free(view);
    if (err != QN_OK)
        backup->places_packs.count = 0;
    return err == QN_OK;
}

static enum qn_err run_of(struct qn_backup *backup, uint64_t *ret_run)
{
    uint32_t number_max;
    struct qn_index_view *view = qn_index_view_new(backup->vault->index);
    enum qn_err err = qn_index_marks(view, ret_run, &number_max);
    qn_index_view_free(view);
    return err;
}

/* What the list itself lacks is told by a verification: here it only means that there are none. */
static bool is_of_list(enum qn_err err)
{
    return err == QN_ERR_NOTFOUND || err == QN_ERR_CORRUPT || err == QN_ERR_SIGNATURE ||
           err == QN_ERR_LIMIT;
}

enum qn_err qn_backup_places(struct qn_backup *backup, const struct qn_tree_root *root)
{
    backup->places_packs.count = 0;
    qn_buf_reset(&backup->places);
    if (root->levels == 0)
        return QN_OK;
    QN_TRY(run_of(backup, &backup->places_run));
    if (can_take_over(backup, root, backup->places_run)) {
        qn_buf_append_span(&backup->places, qn_buf_view(&backup->previous_places));
        return QN_OK;
    }
    enum qn_err err = write_places(backup, root, &backup->places);
    if (!is_of_list(err))
        return err;
    qn_buf_reset(&backup->places);
    return qn_pipeline_flush(backup->pipeline); /* which says so if it was the pipeline */
}
