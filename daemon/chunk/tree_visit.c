/* All chunks of a list, from above: what is alive. */
#include "chunk/node.h"

typedef bool (*visit_fn)(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id);

struct visit {
    qn_tree_get get;
    void *context;
    visit_fn fn;
    struct qn_buf paths[QN_TREE_LEVELS_MAX]; /* the last item met on each level */
};

static enum qn_err visit(struct visit *all, unsigned level, const struct qn_node_item *above);

static enum qn_err visit_children(struct visit *all, unsigned level, struct qn_span node)
{
    struct qn_buf *path = &all->paths[level];
    struct qn_node_item item;
    qn_buf_reset(path);
    for (size_t at = 1; at < node.size;) {
        QN_TRY(qn_node_item_read(node, &at, path, &item));
        QN_TRY(visit(all, level - 1, &item));
    }
    return QN_OK;
}

static bool is_in_order(const struct qn_buf *last, const struct qn_node_item *above)
{
    return last->size == 0 || qn_path_cmp(qn_buf_view(last), above->path) < 0;
}

/* Recursion goes down, at most QN_TREE_LEVELS_MAX deep. Since each level is in order, no chunk is
 * met twice. */
static enum qn_err visit(struct visit *all, unsigned level, const struct qn_node_item *above)
{
    QN_AUTO_BUF struct qn_buf node;
    qn_buf_init(&node, QN_TREE_CHUNK_SIZE_MAX);
    enum qn_blob_kind kind = level == 0 ? QN_BLOB_LEAF : QN_BLOB_NODE;
    if (!all->fn(all->context, kind, &above->id) || level == 0)
        return QN_OK;
    if (!is_in_order(&all->paths[level], above))
        return QN_ERR_CORRUPT;
    QN_TRY(qn_tree_fetch(all->get, all->context, level, &above->id, &node));
    QN_TRY(qn_node_check(qn_buf_view(&node), level, above));
    return visit_children(all, level, qn_buf_view(&node));
}

enum qn_err qn_tree_visit(const struct qn_tree_root *root, qn_tree_get get, void *context,
                          visit_fn fn)
{
    struct visit all = {.get = get, .context = context, .fn = fn};
    struct qn_node_item above = {
        .id = root->id, .entry_count = root->entry_count, .size = root->size};
    if (root->levels == 0)
        return QN_OK;
    if (root->levels > QN_TREE_LEVELS_MAX)
        return QN_ERR_CORRUPT;
    for (unsigned i = 0; i < QN_TREE_LEVELS_MAX; i++)
        qn_buf_init(&all.paths[i], QN_PATH_SIZE_MAX);
    enum qn_err err = visit(&all, root->levels - 1, &above);
    for (unsigned i = 0; i < QN_TREE_LEVELS_MAX; i++)
        qn_buf_deinit(&all.paths[i]);
    return err;
}
