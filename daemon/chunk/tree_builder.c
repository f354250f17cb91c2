/* Builds the tree of a file list from below, with one open chunk a level. A chunk that ends becomes
 * an item of the open node above it. */
#include "base/assert.h"
#include "base/mem.h"
#include "chunk/node.h"

struct level {
    struct qn_tree_fill fill;
    struct qn_buf chunk;
    struct qn_buf first, last;   /* paths of its first and last item */
    struct qn_chunk_id first_id; /* of the first item, in a node */
    uint64_t entry_count, size;
    bool is_split; /* a chunk of this level ended before, so the root is above it */
};

struct qn_tree_builder {
    qn_tree_put put;
    void *context;
    enum qn_err err; /* the first fault of put, or QN_ERR_STATE when it is finished */
    struct level levels[QN_TREE_LEVELS_MAX]; /* 0: leaves */
};

/* An entry or, above the leaves, what is said of a chunk. */
struct item {
    const struct qn_entry *entry; /* NULL: of a chunk */
    struct qn_node_item node;
};

static void start_chunk(struct level *level)
{
    qn_buf_reset(&level->chunk);
    if (level->fill.level > 0)
        qn_node_start(level->fill.level, &level->chunk);
    level->fill.size = level->chunk.size;
    level->fill.count = 0;
    level->entry_count = level->size = 0;
}

struct qn_tree_builder *qn_tree_builder_new(qn_tree_put put, void *context)
{
    struct qn_tree_builder *builder = QN_NEW(struct qn_tree_builder);
    builder->put = put;
    builder->context = context;
    for (unsigned i = 0; i < QN_TREE_LEVELS_MAX; i++) {
        struct level *level = &builder->levels[i];
        level->fill.level = i;
        qn_buf_init(&level->chunk, 2 * QN_TREE_CHUNK_SIZE_MAX); /* with an item that goes again */
        qn_buf_init(&level->first, QN_PATH_SIZE_MAX);
        qn_buf_init(&level->last, QN_PATH_SIZE_MAX);
        start_chunk(level);
    }
    return builder;
}

void qn_tree_builder_free(struct qn_tree_builder *builder)
{
    if (builder == NULL)
        return;
    for (unsigned i = 0; i < QN_TREE_LEVELS_MAX; i++) {
        qn_buf_deinit(&builder->levels[i].chunk);
        qn_buf_deinit(&builder->levels[i].first);
        qn_buf_deinit(&builder->levels[i].last);
    }
    qn_free(builder);
}

/* ---- one chunk ---- */

static void set_path(struct qn_buf *buf, struct qn_span path)
{
    qn_buf_reset(buf);
    qn_buf_append_span(buf, path);
}

/* Appends the item and returns how many bytes it takes. */
static size_t pack_item(struct level *level, const struct item *item)
{
    size_t size_before = level->chunk.size;
    struct qn_span previous = level->fill.count > 0 ? qn_buf_view(&level->last) : qn_span(NULL, 0);
    if (item->entry != NULL)
        qn_entry_pack(item->entry, previous, &level->chunk);
    else
        qn_node_item_pack(&item->node, previous, &level->chunk);
    return level->chunk.size - size_before;
}

static void count_item(struct level *level, const struct item *item)
{
    if (level->fill.count == 0) {
        set_path(&level->first, item->node.path);
        level->first_id = item->node.id;
    }
    set_path(&level->last, item->node.path);
    level->fill.count++;
    level->fill.size = level->chunk.size;
    level->entry_count = qn_tree_sum(level->entry_count, item->node.entry_count);
    level->size = qn_tree_sum(level->size, item->node.size);
}

/* Stores the open chunk; *ret_item is what the level above says of it, and borrows its path. */
static enum qn_err put_chunk(struct qn_tree_builder *builder, struct level *level,
                             struct item *ret_item)
{
    enum qn_blob_kind kind = level->fill.level == 0 ? QN_BLOB_LEAF : QN_BLOB_NODE;
    struct item item = {.node = {.path = qn_buf_view(&level->first),
                                 .entry_count = level->entry_count,
                                 .size = level->size}};
    QN_ASSERT(level->chunk.size <= QN_TREE_CHUNK_SIZE_MAX);
    QN_TRY(builder->put(builder->context, kind, qn_buf_view(&level->chunk), &item.node.id));
    *ret_item = item;
    return QN_OK;
}

/* ---- all levels ---- */

static enum qn_err add_item(struct qn_tree_builder *builder, unsigned number,
                            const struct item *item);

/* The open chunk of a level ends: it becomes an item above. Recursion goes up, at most
 * QN_TREE_LEVELS_MAX deep. */
static enum qn_err end_chunk(struct qn_tree_builder *builder, unsigned number)
{
    struct level *level = &builder->levels[number];
    struct item item;
    if (number + 1 == QN_TREE_LEVELS_MAX)
        return QN_ERR_LIMIT;
    QN_TRY(put_chunk(builder, level, &item));
    QN_TRY(add_item(builder, number + 1, &item));
    start_chunk(level);
    level->is_split = true;
    return QN_OK;
}

static enum qn_err add_item(struct qn_tree_builder *builder, unsigned number,
                            const struct item *item)
{
    struct level *level = &builder->levels[number];
    size_t size = pack_item(level, item);
    if (qn_tree_is_full(&level->fill, size)) {
        qn_buf_truncate(&level->chunk, level->fill.size);
        QN_TRY(end_chunk(builder, number));
        size = pack_item(level, item);
    }
    count_item(level, item);
    return qn_tree_is_cut(&level->fill, size, item->node.path) ? end_chunk(builder, number) : QN_OK;
}

enum qn_err qn_tree_builder_add(struct qn_tree_builder *builder, const struct qn_entry *entry)
{
    QN_TRY(builder->err);
    QN_TRY(qn_entry_check(entry));
    if (qn_path_cmp(entry->path, qn_buf_view(&builder->levels[0].last)) <= 0)
        return QN_ERR_STATE;
    struct item item = {.entry = entry,
                        .node = {.path = entry->path,
                                 .entry_count = 1,
                                 .size = entry->type == QN_ENTRY_FILE ? entry->size : 0}};
    return builder->err = add_item(builder, 0, &item);
}

static struct qn_tree_root root_at(const struct qn_chunk_id *id, unsigned levels,
                                   const struct level *level)
{
    return (struct qn_tree_root){
        .id = *id, .levels = levels, .entry_count = level->entry_count, .size = level->size};
}

/* From below: whatever is open ends, up to the level that has one chunk only. A node of one item is
 * never the root. */
static enum qn_err finish(struct qn_tree_builder *builder, struct qn_tree_root *ret_root)
{
    struct item item;
    unsigned number = 0;
    for (; builder->levels[number].is_split; number++)
        if (builder->levels[number].fill.count > 0)
            QN_TRY(end_chunk(builder, number));
    const struct level *top = &builder->levels[number];
    if (top->fill.count == 0) {
        *ret_root = (struct qn_tree_root){0};
        return QN_OK;
    }
    if (number > 0 && top->fill.count == 1) {
        *ret_root = root_at(&top->first_id, number, top);
        return QN_OK;
    }
    QN_TRY(put_chunk(builder, &builder->levels[number], &item));
    *ret_root = root_at(&item.node.id, number + 1, top);
    return QN_OK;
}

enum qn_err qn_tree_builder_finish(struct qn_tree_builder *builder, struct qn_tree_root *ret_root)
{
    QN_TRY(builder->err);
    enum qn_err err = finish(builder, ret_root);
    builder->err = err == QN_OK ? QN_ERR_STATE : err;
    return err;
}
