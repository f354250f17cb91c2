/* Walks the tree of a file list. The present place is a path of chunks from the root to `bottom`:
 *
 *   before the first   bottom = levels, not started
 *   in a leaf          bottom = 0: the next entry is at the leaf's offset
 *   behind a leaf, or
 *   behind a bad chunk bottom > 0: the next child is at that node's offset
 *   at the end         bottom = levels, started
 *
 * What `get` hands out is checked before it is used: levels go down by one, a chunk begins with the
 * path that its node says and sums up to what it says, and on each level what is met is in order
 * across chunks. So no chunk can stand twice in a tree that passes, and a small hostile one cannot
 * make a walk without end.
 */
#include "base/mem.h"
#include "chunk/node.h"

struct level {
    struct qn_buf chunk; /* valid if is_loaded */
    struct qn_chunk_id id;
    bool is_loaded;
    struct qn_node_item above; /* what is said of the chunk; only counts and size remain valid */
    size_t offset;             /* of the next item */
    struct qn_buf path;        /* of the item before it on this level; empty: none since a seek */
};

struct qn_tree_iter {
    struct qn_tree_root root;
    qn_tree_get get;
    void *context;
    struct level levels[QN_TREE_LEVELS_MAX]; /* 0: the leaf */
    unsigned bottom;
    bool is_started;
    bool has_found;
    struct qn_entry found;          /* by a seek: the next one */
    struct qn_buf target;           /* of a seek: it may be a path that the walk handed out */
    uint64_t seen_count, seen_size; /* in the leaf */
};

struct qn_tree_iter *qn_tree_iter_new(const struct qn_tree_root *root, qn_tree_get get,
                                      void *context)
{
    struct qn_tree_iter *iter = QN_NEW(struct qn_tree_iter);
    iter->root = *root;
    iter->get = get;
    iter->context = context;
    iter->bottom = root->levels;
    qn_buf_init(&iter->target, QN_PATH_SIZE_MAX + 1);
    for (unsigned i = 0; i < QN_TREE_LEVELS_MAX; i++) {
        qn_buf_init(&iter->levels[i].chunk, QN_TREE_CHUNK_SIZE_MAX);
        qn_buf_init(&iter->levels[i].path, QN_PATH_SIZE_MAX);
    }
    return iter;
}

void qn_tree_iter_free(struct qn_tree_iter *iter)
{
    if (iter == NULL)
        return;
    for (unsigned i = 0; i < QN_TREE_LEVELS_MAX; i++) {
        qn_buf_deinit(&iter->levels[i].chunk);
        qn_buf_deinit(&iter->levels[i].path);
    }
    qn_buf_deinit(&iter->target);
    qn_free(iter);
}

/* ---- going down ---- */

/* Gets the chunk, unless it is the one that the level holds. */
static enum qn_err fetch(struct qn_tree_iter *iter, unsigned number, const struct qn_chunk_id *id)
{
    struct level *level = &iter->levels[number];
    if (level->is_loaded && qn_chunk_id_cmp(&level->id, id) == 0)
        return QN_OK;
    level->is_loaded = false;
    qn_buf_reset(&level->chunk);
    QN_TRY(qn_tree_fetch(iter->get, iter->context, number, id, &level->chunk));
    level->id = *id;
    level->is_loaded = true;
    return QN_OK;
}

/* The first entry is that of the path which the node above says. */
static enum qn_err check_leaf(struct qn_span leaf, const struct qn_node_item *above)
{
    QN_AUTO_BUF struct qn_buf path;
    struct qn_entry entry;
    size_t offset = 0;
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    QN_TRY(qn_entry_read(leaf, &offset, &path, &entry));
    bool is_root = above->path.size == 0;
    return is_root || qn_span_eq(entry.path, above->path) ? QN_OK : QN_ERR_CORRUPT;
}

static bool is_in_order(const struct level *level, const struct qn_node_item *above)
{
    return level->path.size == 0 || qn_path_cmp(qn_buf_view(&level->path), above->path) < 0;
}

/* Goes to the beginning of a chunk below the present bottom. After an error the place is behind
 * that chunk. */
static enum qn_err enter(struct qn_tree_iter *iter, unsigned number,
                         const struct qn_node_item *above)
{
    struct level *level = &iter->levels[number];
    if (!is_in_order(level, above))
        return QN_ERR_CORRUPT;
    QN_TRY(fetch(iter, number, &above->id));
    if (number == 0)
        QN_TRY(check_leaf(qn_buf_view(&level->chunk), above));
    else
        QN_TRY(qn_node_check(qn_buf_view(&level->chunk), number, above));
    level->above = *above;
    level->offset = number == 0 ? 0 : 1;
    qn_buf_reset(&level->path);
    iter->seen_count = iter->seen_size = 0;
    iter->bottom = number;
    return QN_OK;
}

static enum qn_err enter_root(struct qn_tree_iter *iter)
{
    struct qn_node_item all = {
        .id = iter->root.id, .entry_count = iter->root.entry_count, .size = iter->root.size};
    iter->is_started = true;
    iter->has_found = false;
    iter->bottom = iter->root.levels;
    for (unsigned i = 0; i < QN_TREE_LEVELS_MAX; i++)
        qn_buf_reset(&iter->levels[i].path);
    if (iter->root.levels == 0)
        return QN_OK;
    return iter->root.levels > QN_TREE_LEVELS_MAX ? QN_ERR_CORRUPT
                                                  : enter(iter, iter->root.levels - 1, &all);
}

static bool is_behind(const struct level *level)
{
    return level->offset >= level->chunk.size;
}

/* The next child of the node at the bottom. */
static enum qn_err enter_child(struct qn_tree_iter *iter)
{
    struct level *level = &iter->levels[iter->bottom];
    struct qn_node_item item;
    enum qn_err err =
        qn_node_item_read(qn_buf_view(&level->chunk), &level->offset, &level->path, &item);
    if (err != QN_OK) {
        level->offset = level->chunk.size;
        return err;
    }
    return enter(iter, iter->bottom - 1, &item);
}

/* ---- in a leaf ---- */

/* What comes next is the chunk behind it. After a fault its last path is of no use. */
static enum qn_err leave_leaf(struct qn_tree_iter *iter, enum qn_err err)
{
    if (err != QN_OK) {
        iter->levels[0].is_loaded = false;
        qn_buf_reset(&iter->levels[0].path);
    }
    iter->bottom = 1;
    return err;
}

static enum qn_err read_entry(struct qn_tree_iter *iter, struct qn_entry *ret_entry)
{
    struct level *leaf = &iter->levels[0];
    enum qn_err err =
        qn_entry_read(qn_buf_view(&leaf->chunk), &leaf->offset, &leaf->path, ret_entry);
    if (err != QN_OK)
        return leave_leaf(iter, err);
    iter->seen_count++;
    if (ret_entry->type == QN_ENTRY_FILE)
        iter->seen_size = qn_tree_sum(iter->seen_size, ret_entry->size);
    return QN_OK;
}

static enum qn_err end_leaf(struct qn_tree_iter *iter)
{
    const struct qn_node_item *above = &iter->levels[0].above;
    bool is_right = iter->seen_count == above->entry_count && iter->seen_size == above->size;
    return leave_leaf(iter, is_right ? QN_OK : QN_ERR_CORRUPT);
}

/* ---- the walk ---- */

/* Goes on to a place in a leaf; QN_ERR_NOTFOUND at the end. */
static enum qn_err find_leaf(struct qn_tree_iter *iter)
{
    if (!iter->is_started)
        QN_TRY(enter_root(iter));
    while (iter->bottom < iter->root.levels) {
        bool is_end = is_behind(&iter->levels[iter->bottom]);
        if (iter->bottom == 0 && !is_end)
            return QN_OK;
        if (iter->bottom == 0)
            QN_TRY(end_leaf(iter));
        else if (is_end)
            iter->bottom++;
        else
            QN_TRY(enter_child(iter));
    }
    return QN_ERR_NOTFOUND;
}

enum qn_err qn_tree_iter_next(struct qn_tree_iter *iter, struct qn_entry *ret_entry)
{
    if (iter->has_found) {
        iter->has_found = false;
        *ret_entry = iter->found;
        return QN_OK;
    }
    QN_TRY(find_leaf(iter));
    return read_entry(iter, ret_entry);
}

/* How many children of the node at the bottom come before the one that `path` would be in. */
static enum qn_err count_before(const struct level *level, struct qn_span path, size_t *ret_count)
{
    QN_AUTO_BUF struct qn_buf first;
    struct qn_node_item item;
    size_t count = 0;
    qn_buf_init(&first, QN_PATH_SIZE_MAX);
    for (size_t at = 1; at < level->chunk.size; count++) {
        QN_TRY(qn_node_item_read(qn_buf_view(&level->chunk), &at, &first, &item));
        if (qn_path_cmp(item.path, path) > 0)
            break;
    }
    *ret_count = count == 0 ? 0 : count - 1;
    return QN_OK;
}

static enum qn_err enter_child_of(struct qn_tree_iter *iter, struct qn_span path)
{
    struct level *level = &iter->levels[iter->bottom];
    struct qn_node_item item;
    size_t before;
    QN_TRY(count_before(level, path, &before));
    for (; before > 0; before--)
        QN_TRY(qn_node_item_read(qn_buf_view(&level->chunk), &level->offset, &level->path, &item));
    return enter_child(iter);
}

/* No path is longer than the maximum, so that one byte more decides every comparison. */
static struct qn_span keep_target(struct qn_tree_iter *iter, struct qn_span path)
{
    size_t size = path.size <= QN_PATH_SIZE_MAX ? path.size : QN_PATH_SIZE_MAX + 1;
    qn_buf_reset(&iter->target);
    qn_buf_append(&iter->target, path.data, size);
    return qn_buf_view(&iter->target);
}

enum qn_err qn_tree_iter_seek(struct qn_tree_iter *iter, struct qn_span path)
{
    struct qn_span target = keep_target(iter, path);
    QN_TRY(enter_root(iter));
    if (iter->root.levels == 0)
        return QN_OK;
    while (iter->bottom > 0)
        QN_TRY(enter_child_of(iter, target));
    while (!iter->has_found && !is_behind(&iter->levels[0])) {
        QN_TRY(read_entry(iter, &iter->found));
        iter->has_found = qn_path_cmp(iter->found.path, target) >= 0;
    }
    return QN_OK;
}
