#include "chunk/node.h"

/* ---- where a chunk ends ---- */

/* Multiplies and folds both halves together. The factors are splitmix64's. */
static uint64_t mix(uint64_t a, uint64_t factor)
{
    __uint128_t product = (__uint128_t)a * factor;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t last_word(struct qn_span tail)
{
    uint8_t bytes[8] = {0};
    memcpy(bytes, tail.data, tail.size);
    return qn_read_u64(bytes);
}

/* Stored chunks depend on it: never change. */
static uint64_t hash_of(struct qn_span path, unsigned level)
{
    uint64_t hash = (uint64_t)path.size << 8 | level;
    size_t at = 0;
    for (; path.size - at >= 8; at += 8)
        hash = mix(hash ^ qn_read_u64(path.data + at), 0x9e3779b97f4a7c15u);
    if (at < path.size)
        hash = mix(hash ^ last_word(qn_span_from(path, at)), 0x9e3779b97f4a7c15u);
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
    return hash ^ hash >> 31;
}

bool qn_tree_is_full(const struct qn_tree_fill *fill, size_t item_size)
{
    size_t count_min = fill->level == 0 ? 1 : QN_NODE_ITEMS_MIN;
    return fill->count >= count_min && fill->size + item_size > QN_TREE_CHUNK_MAX;
}

/* An item of `size` bytes ends a chunk once in `scale` bytes of such items. */
static uint64_t threshold_of(size_t size, uint64_t scale)
{
    return size >= scale ? UINT64_MAX : size * (UINT64_MAX / scale);
}

/* Once in 16 KiB below the average and once in 2 KiB above it: the mean is 8.3 KiB, and one chunk
 * in a hundred grows to its maximum. */
bool qn_tree_is_cut(const struct qn_tree_fill *fill, size_t item_size, struct qn_span path)
{
    if (fill->level > 0 && fill->count < QN_NODE_ITEMS_MIN)
        return false;
    if (fill->size < QN_TREE_CHUNK_MIN)
        return false;
    uint64_t scale = fill->size < QN_TREE_CHUNK_AVG ? 16 * 1024 : 2 * 1024;
    return hash_of(path, fill->level) <= threshold_of(item_size, scale);
}

enum qn_err qn_tree_fetch(qn_tree_get get, void *context, unsigned level,
                          const struct qn_chunk_id *id, struct qn_buf *out)
{
    enum qn_err err = get(context, level == 0 ? QN_BLOB_LEAF : QN_BLOB_NODE, id, out);
    if (err == QN_ERR_NOTFOUND)
        return QN_ERR_CORRUPT;
    return err == QN_OK && qn_buf_status(out) != QN_OK ? QN_ERR_CORRUPT : err;
}

/* ---- nodes ---- */

void qn_node_start(unsigned level, struct qn_buf *out)
{
    qn_buf_append_u8(out, (uint8_t)level);
}

void qn_node_item_pack(const struct qn_node_item *item, struct qn_span previous, struct qn_buf *out)
{
    qn_path_pack(item->path, previous, out);
    qn_buf_append(out, item->id.bytes, sizeof(item->id.bytes));
    qn_buf_append_varint(out, item->entry_count);
    qn_buf_append_varint(out, item->size);
}

static enum qn_err read_id(struct qn_span node, size_t *at, struct qn_chunk_id *ret_id)
{
    if (node.size - *at < sizeof(ret_id->bytes))
        return QN_ERR_CORRUPT;
    memcpy(ret_id->bytes, node.data + *at, sizeof(ret_id->bytes));
    *at += sizeof(ret_id->bytes);
    return QN_OK;
}

enum qn_err qn_node_item_read(struct qn_span node, size_t *offset, struct qn_buf *path,
                              struct qn_node_item *ret_item)
{
    struct qn_node_item item;
    struct qn_path_step step;
    size_t at = *offset;
    QN_TRY(qn_path_read(node, &at, qn_buf_view(path), &step));
    QN_TRY(read_id(node, &at, &item.id));
    if (qn_read_varint(node, &at, &item.entry_count) != QN_OK ||
        qn_read_varint(node, &at, &item.size) != QN_OK)
        return QN_ERR_CORRUPT;
    if (item.entry_count == 0)
        return QN_ERR_CORRUPT;
    qn_path_apply(&step, path);
    item.path = qn_buf_view(path);
    *offset = at;
    *ret_item = item;
    return QN_OK;
}

enum qn_err qn_node_check(struct qn_span node, unsigned level, const struct qn_node_item *above)
{
    QN_AUTO_BUF struct qn_buf path;
    struct qn_node_item item;
    uint64_t entry_count = 0, size = 0;
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    if (node.size < 2 || node.data[0] != level)
        return QN_ERR_CORRUPT;
    for (size_t at = 1; at < node.size;) {
        bool is_first = at == 1;
        QN_TRY(qn_node_item_read(node, &at, &path, &item));
        if (is_first && above->path.size > 0 && !qn_span_eq(item.path, above->path))
            return QN_ERR_CORRUPT;
        entry_count = qn_tree_sum(entry_count, item.entry_count);
        size = qn_tree_sum(size, item.size);
    }
    return entry_count == above->entry_count && size == above->size ? QN_OK : QN_ERR_CORRUPT;
}
