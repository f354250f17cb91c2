#include "vault/mark.h"

#include "chunk/places.h"

struct marking {
    struct qn_marker *marker;
    enum qn_err err; /* of the callbacks of qn_tree_visit, which cannot say it */
    struct qn_span path;
    struct qn_buf leaf, path_bytes;
};

void qn_marker_init(struct qn_marker *marker, struct qn_vault *vault)
{
    *marker = (struct qn_marker){.fetcher = qn_fetcher_new(vault)};
    qn_chunk_set_init(&marker->visited, QN_MARK_VISITED_MAX);
}

void qn_marker_deinit(struct qn_marker *marker)
{
    qn_fetcher_free(marker->fetcher);
    qn_chunk_set_deinit(&marker->visited);
}

static enum qn_err tell(struct marking *marking, enum qn_blob_kind kind,
                        const struct qn_chunk_id *id, uint64_t size)
{
    struct qn_marker *marker = marking->marker;
    return marker->on_chunk(marker->context, kind, id, size, marking->path);
}

static enum qn_err mark_item(void *context, const struct qn_content_item *item)
{
    return item->is_hole ? QN_OK : tell(context, QN_BLOB_DATA, &item->id, item->size);
}

static enum qn_err mark_manifest(void *context, const struct qn_chunk_id *id)
{
    return tell(context, QN_BLOB_MANIFEST, id, 0);
}

static enum qn_err mark_entries(struct marking *marking)
{
    struct qn_span leaf = qn_buf_view(&marking->leaf);
    qn_buf_reset(&marking->path_bytes);
    for (size_t at = 0; at < leaf.size;) {
        struct qn_entry entry;
        QN_TRY(qn_entry_read(leaf, &at, &marking->path_bytes, &entry));
        if (entry.type != QN_ENTRY_FILE)
            continue;
        marking->path = entry.path;
        QN_TRY(qn_fetch_content(marking->marker->fetcher, &entry.content, mark_item, mark_manifest,
                                marking));
    }
    return QN_OK;
}

static enum qn_err mark_leaf(struct marking *marking, const struct qn_chunk_id *id)
{
    if (qn_progress_cancelled(marking->marker->progress))
        return QN_ERR_CLOSED;
    qn_buf_reset(&marking->leaf);
    QN_TRY(qn_fetch_chunk(marking->marker->fetcher, QN_BLOB_LEAF, id, &marking->leaf));
    enum qn_err err = mark_entries(marking);
    marking->path = qn_span(NULL, 0);
    return err;
}

/* What was visited before was told then, with all that is below it. */
static bool visit(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id)
{
    struct marking *marking = context;
    struct qn_chunk_set *visited = &marking->marker->visited;
    if (marking->err != QN_OK || qn_chunk_set_has(visited, id))
        return false;
    marking->err = tell(marking, kind, id, 0);
    if (marking->err == QN_OK && kind == QN_BLOB_LEAF)
        marking->err = mark_leaf(marking, id);
    if (marking->err == QN_OK)
        qn_chunk_set_add(visited, id);
    return marking->err == QN_OK;
}

static enum qn_err get(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                       struct qn_buf *out)
{
    struct marking *marking = context;
    return qn_fetch_chunk(marking->marker->fetcher, kind, id, out);
}

static enum qn_err mark_list(struct marking *marking, const struct qn_tree_root *root)
{
    marking->err = QN_OK;
    enum qn_err err = qn_tree_visit(root, get, marking, visit);
    return marking->err != QN_OK ? marking->err : err;
}

/* ---- places ---- */

struct place_walk {
    struct marking *marking;
    unsigned depth;
    enum qn_blob_kind above; /* of the row before */
};

static enum qn_err mark_places(struct marking *marking, struct qn_span places, unsigned depth);

/* Those of a leaf name no further ones: they need not be read. */
static enum qn_err mark_place(void *context, const struct qn_place *place)
{
    struct place_walk *walk = context;
    struct qn_chunk_set *visited = &walk->marking->marker->visited;
    enum qn_blob_kind above = walk->above;
    walk->above = place->blob.kind;
    if (place->blob.kind != QN_BLOB_PLACES || qn_chunk_set_has(visited, &place->blob.id))
        return QN_OK;
    if (qn_progress_cancelled(walk->marking->marker->progress))
        return QN_ERR_CLOSED;
    QN_TRY(tell(walk->marking, QN_BLOB_PLACES, &place->blob.id, 0));
    if (above == QN_BLOB_NODE) {
        QN_AUTO_BUF struct qn_buf plain;
        qn_buf_init(&plain, QN_BLOB_SIZE_MAX);
        QN_TRY(qn_fetch_chunk(walk->marking->marker->fetcher, QN_BLOB_PLACES, &place->blob.id,
                              &plain));
        QN_TRY(mark_places(walk->marking, qn_buf_view(&plain), walk->depth + 1));
    }
    qn_chunk_set_add(visited, &place->blob.id);
    return QN_OK;
}

static enum qn_err mark_places(struct marking *marking, struct qn_span places, unsigned depth)
{
    struct place_walk walk = {.marking = marking, .depth = depth};
    if (depth > QN_PLACES_DEPTH_MAX)
        return QN_ERR_CORRUPT;
    return places.size == 0 ? QN_OK : qn_places_read(places, mark_place, &walk);
}

static bool is_lost(enum qn_err err)
{
    return err == QN_ERR_NOTFOUND || err == QN_ERR_CORRUPT || err == QN_ERR_SIGNATURE ||
           err == QN_ERR_INVALID || err == QN_ERR_IO;
}

/* No snapshot needs them: lost ones are no fault of it. */
static enum qn_err mark_hints(struct marking *marking, struct qn_span places)
{
    enum qn_err err = mark_places(marking, places, 0);
    return is_lost(err) ? QN_OK : err;
}

enum qn_err qn_mark(struct qn_marker *marker, const struct qn_snapshot *snapshot)
{
    struct marking marking = {.marker = marker};
    qn_buf_init(&marking.leaf, QN_BLOB_SIZE_MAX);
    qn_buf_init(&marking.path_bytes, QN_PATH_SIZE_MAX);
    enum qn_err err = mark_list(&marking, &snapshot->root);
    enum qn_err store_err = mark_list(&marking, &snapshot->store);
    err = err != QN_OK ? err : store_err;
    if (err == QN_OK)
        err = mark_hints(&marking, snapshot->places);
    qn_buf_deinit(&marking.leaf);
    qn_buf_deinit(&marking.path_bytes);
    qn_fetcher_rest(marker->fetcher);
    if (err != QN_OK) /* below what was visited there may be chunks that were not told */
        qn_chunk_set_clear(&marker->visited);
    return err;
}
