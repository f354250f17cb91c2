#include "vault/entry_copy.h"

#include "base/mem.h"

static void keep(struct qn_buf *bytes, struct qn_span *span)
{
    size_t at = bytes->size;
    qn_buf_append_span(bytes, *span);
    *span = qn_span(bytes->data + at, span->size);
}

/* Memory is asked for first: spans must not move while they are made. */
static void start_bytes(struct qn_buf *bytes, size_t size)
{
    if (bytes->capacity < size) {
        qn_buf_deinit(bytes);
        qn_buf_init(bytes, 2 * QN_ENTRY_SIZE_MAX);
        bytes->data = qn_alloc(size);
        bytes->capacity = size;
    }
    bytes->size_max = 2 * QN_ENTRY_SIZE_MAX;
    qn_buf_reset(bytes);
}

enum qn_err qn_entry_copy_set(struct qn_entry_copy *copy, const struct qn_entry *entry)
{
    size_t size = entry->path.size + entry->user.size + entry->group.size + entry->target.size +
                  entry->xattrs.size + entry->content.items.size;
    if (size > 2 * QN_ENTRY_SIZE_MAX)
        return QN_ERR_LIMIT;
    start_bytes(&copy->bytes, size + 1);
    copy->entry = *entry;
    keep(&copy->bytes, &copy->entry.path);
    keep(&copy->bytes, &copy->entry.user);
    keep(&copy->bytes, &copy->entry.group);
    keep(&copy->bytes, &copy->entry.target);
    keep(&copy->bytes, &copy->entry.xattrs);
    keep(&copy->bytes, &copy->entry.content.items);
    return QN_OK;
}

void qn_entry_copy_deinit(struct qn_entry_copy *copy)
{
    qn_buf_deinit(&copy->bytes);
}
