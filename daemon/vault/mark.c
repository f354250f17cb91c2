#include "vault/mark.h"

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

enum qn_err qn_mark(struct qn_marker *marker, const struct qn_snapshot *snapshot)
{
    struct marking marking = {.marker = marker};
    qn_buf_init(&marking.leaf, QN_BLOB_SIZE_MAX);
    qn_buf_init(&marking.path_bytes, QN_PATH_SIZE_MAX);
    enum qn_err err = mark_list(&marking, &snapshot->root);
    enum qn_err store_err = mark_list(&marking, &snapshot->store);
    err = err != QN_OK ? err : store_err;
    qn_buf_deinit(&marking.leaf);
    qn_buf_deinit(&marking.path_bytes);
    qn_fetcher_rest(marker->fetcher);
    if (err != QN_OK) /* below what was visited there may be chunks that were not told */
        qn_chunk_set_clear(&marker->visited);
    return err;
}
