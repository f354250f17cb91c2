/* The contents of files: items that sum up to a size. */
#include "base/assert.h"
#include "chunk/chunker.h"
#include "chunk/entry.h"

/* An item is the varint 2 * size, plus 1 for a hole; then the id, unless it is a hole. */
void qn_content_item_pack(const struct qn_chunk_id *id, uint64_t size, struct qn_buf *out)
{
    QN_ASSERT(size > 0 && size <= INT64_MAX);
    qn_buf_append_varint(out, size << 1 | (id == NULL));
    if (id != NULL)
        qn_buf_append(out, id->bytes, sizeof(id->bytes));
}

enum qn_err qn_content_item_read(struct qn_span items, size_t *offset,
                                 struct qn_content_item *ret_item)
{
    size_t at = *offset;
    uint64_t head;
    if (qn_read_varint(items, &at, &head) != QN_OK || head < 2)
        return QN_ERR_CORRUPT;
    struct qn_content_item item = {.is_hole = head & 1, .size = head >> 1};
    if (!item.is_hole) {
        if (items.size - at < sizeof(item.id.bytes))
            return QN_ERR_CORRUPT;
        memcpy(item.id.bytes, items.data + at, sizeof(item.id.bytes));
        at += sizeof(item.id.bytes);
    }
    *offset = at;
    *ret_item = item;
    return QN_OK;
}

/* Chunks have a largest size; what stands for manifests is never a hole. */
static bool is_allowed(const struct qn_content_item *item, unsigned depth)
{
    if (depth == 0)
        return item->is_hole || item->size <= QN_CHUNK_SIZE_MAX;
    return !item->is_hole;
}

enum qn_err qn_content_check(const struct qn_content *content, size_t count_max, uint64_t size)
{
    struct qn_content_item item;
    uint64_t left = size;
    size_t count = 0;
    if (content->depth > QN_CONTENT_DEPTH_MAX || (content->depth > 0 && size == 0))
        return QN_ERR_CORRUPT;
    for (size_t at = 0; at < content->items.size;) {
        QN_TRY(qn_content_item_read(content->items, &at, &item));
        if (++count > count_max || item.size > left || !is_allowed(&item, content->depth))
            return QN_ERR_CORRUPT;
        left -= item.size;
    }
    return left == 0 ? QN_OK : QN_ERR_CORRUPT;
}
