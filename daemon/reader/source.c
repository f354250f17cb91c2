#include "reader/source.h"

#include <string.h>

void qn_batch_init(struct qn_batch *batch)
{
    *batch = (struct qn_batch){0};
    qn_buf_init(&batch->text, QN_BATCH_TEXT_SIZE_MAX);
}

void qn_batch_deinit(struct qn_batch *batch)
{
    qn_vec_free(&batch->nodes);
    qn_buf_deinit(&batch->text);
}

void qn_batch_reset(struct qn_batch *batch)
{
    batch->nodes.count = 0;
    batch->is_end = batch->is_cache = false;
    qn_buf_reset(&batch->text);
}

static uint32_t append_text(struct qn_batch *batch, struct qn_span text)
{
    uint32_t at = (uint32_t)batch->text.size;
    qn_buf_append_span(&batch->text, text);
    qn_buf_append_u8(&batch->text, 0);
    return at;
}

struct qn_node *qn_batch_add(struct qn_batch *batch, struct qn_span name)
{
    struct qn_node *node = qn_vec_push_slot(&batch->nodes);
    *node = (struct qn_node){.name_size = (uint32_t)name.size};
    node->name_at = append_text(batch, name);
    return node;
}

void qn_batch_set_target(struct qn_batch *batch, struct qn_node *node, struct qn_span target)
{
    node->target_at = append_text(batch, target);
    node->target_size = (uint32_t)target.size;
}

bool qn_name_is_valid(struct qn_span name)
{
    if (name.size == 0 || name.size > QN_NAME_BYTES_MAX)
        return false;
    if (qn_span_eq_str(name, ".") || qn_span_eq_str(name, ".."))
        return false;
    return memchr(name.data, '/', name.size) == NULL && memchr(name.data, 0, name.size) == NULL;
}
