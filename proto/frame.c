#include "proto/frame.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"

#define STEP_SIZE ((size_t)64 * 1024)

void qn_frame_reader_init(struct qn_frame_reader *reader, size_t size_max)
{
    QN_ASSERT(size_max > 0 && size_max <= QN_FRAME_SIZE_MAX);
    *reader = (struct qn_frame_reader){.size_max = size_max};
}

void qn_frame_reader_deinit(struct qn_frame_reader *reader)
{
    qn_free(reader->data);
    *reader = (struct qn_frame_reader){0};
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void next_frame(struct qn_frame_reader *reader)
{
    reader->head_size = reader->want = reader->have = 0;
    if (reader->capacity <= STEP_SIZE)
        return;
    qn_free(reader->data); /* a large frame is rare: its memory is not kept on every connection */
    reader->data = NULL;
    reader->capacity = 0;
}

static bool is_whole(const struct qn_frame_reader *reader)
{
    return reader->head_size == QN_FRAME_HEAD_SIZE && reader->have == reader->want;
}

uint8_t *qn_frame_reader_room(struct qn_frame_reader *reader, size_t *ret_size)
{
    if (is_whole(reader))
        next_frame(reader);
    if (reader->head_size < QN_FRAME_HEAD_SIZE) {
        *ret_size = QN_FRAME_HEAD_SIZE - reader->head_size;
        return reader->head + reader->head_size;
    }
    if (reader->have == reader->capacity) {
        reader->capacity += least(reader->want - reader->have, STEP_SIZE);
        reader->data = qn_realloc(reader->data, reader->capacity);
    }
    *ret_size = least(reader->capacity, reader->want) - reader->have;
    return reader->data + reader->have;
}

static enum qn_err head_filled(struct qn_frame_reader *reader, size_t size)
{
    QN_ASSERT(size <= QN_FRAME_HEAD_SIZE - reader->head_size);
    reader->head_size += size;
    if (reader->head_size < QN_FRAME_HEAD_SIZE)
        return QN_OK;
    reader->want = qn_read_u32(reader->head);
    if (reader->want == 0)
        return QN_ERR_INVALID;
    return reader->want > reader->size_max ? QN_ERR_LIMIT : QN_OK;
}

enum qn_err qn_frame_reader_filled(struct qn_frame_reader *reader, size_t size,
                                   struct qn_span *ret_frame)
{
    *ret_frame = qn_span(NULL, 0);
    if (reader->head_size < QN_FRAME_HEAD_SIZE)
        return head_filled(reader, size);
    QN_ASSERT(size <= least(reader->capacity, reader->want) - reader->have);
    reader->have += size;
    if (is_whole(reader))
        *ret_frame = qn_span(reader->data, reader->have);
    return QN_OK;
}

void qn_frame_write_head(uint8_t head[QN_FRAME_HEAD_SIZE], size_t size)
{
    QN_ASSERT(size > 0 && size <= QN_FRAME_SIZE_MAX);
    qn_write_u32(head, (uint32_t)size);
}
