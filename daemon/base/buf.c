#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"

void qn_buf_init(struct qn_buf *buf, size_t size_max)
{
    *buf = (struct qn_buf){.size_max = size_max};
}

void qn_buf_deinit(struct qn_buf *buf)
{
    qn_free(buf->data);
    *buf = (struct qn_buf){0};
}

void qn_buf_reset(struct qn_buf *buf)
{
    buf->size = 0;
    buf->is_over = false;
}

static bool fits(struct qn_buf *buf, size_t extra)
{
    if (extra <= buf->size_max - buf->size)
        return true;
    buf->is_over = true;
    return false;
}

/* Behind fits(), so what is needed is at most one byte above the maximum. */
static void make_room(struct qn_buf *buf, size_t extra)
{
    size_t needed = buf->size + extra;
    if (needed <= buf->capacity)
        return;
    size_t doubled = buf->capacity < 32 ? 64 : buf->capacity * 2;
    size_t wished = doubled < buf->size_max ? doubled : buf->size_max;
    buf->capacity = wished > needed ? wished : needed;
    buf->data = qn_realloc(buf->data, buf->capacity);
}

void qn_buf_append(struct qn_buf *buf, const void *data, size_t size)
{
    if (size == 0 || !fits(buf, size))
        return;
    make_room(buf, size);
    memcpy(buf->data + buf->size, data, size);
    buf->size += size;
}

void qn_buf_append_span(struct qn_buf *buf, struct qn_span span)
{
    qn_buf_append(buf, span.data, span.size);
}

void qn_buf_append_str(struct qn_buf *buf, const char *text)
{
    qn_buf_append(buf, text, strlen(text));
}

/* Where there is room already, which is nearly always, it is formatted once. */
void qn_buf_printf(struct qn_buf *buf, const char *format, ...)
{
    va_list args, again;
    size_t room = buf->capacity - buf->size;
    char *at = room > 0 ? (char *)buf->data + buf->size : NULL;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(at, room, format, args);
    va_end(args);
    QN_ASSERT(length >= 0);
    if (fits(buf, (size_t)length)) {
        if ((size_t)length >= room) {
            make_room(buf, (size_t)length + 1); /* for the terminator, which is not counted */
            vsnprintf((char *)buf->data + buf->size, (size_t)length + 1, format, again);
        }
        buf->size += (size_t)length;
    }
    va_end(again);
}

void qn_buf_append_u8(struct qn_buf *buf, uint8_t value)
{
    qn_buf_append(buf, &value, 1);
}

void qn_buf_append_u16(struct qn_buf *buf, uint16_t value)
{
    uint8_t bytes[2];
    qn_write_u16(bytes, value);
    qn_buf_append(buf, bytes, sizeof(bytes));
}

void qn_buf_append_u32(struct qn_buf *buf, uint32_t value)
{
    uint8_t bytes[4];
    qn_write_u32(bytes, value);
    qn_buf_append(buf, bytes, sizeof(bytes));
}

void qn_buf_append_u64(struct qn_buf *buf, uint64_t value)
{
    uint8_t bytes[8];
    qn_write_u64(bytes, value);
    qn_buf_append(buf, bytes, sizeof(bytes));
}

void qn_buf_append_varint(struct qn_buf *buf, uint64_t value)
{
    uint8_t bytes[10];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[size++] = (uint8_t)(value | 0x80);
    bytes[size++] = (uint8_t)value;
    qn_buf_append(buf, bytes, size);
}

uint8_t *qn_buf_reserve(struct qn_buf *buf, size_t size)
{
    if (!fits(buf, size))
        return NULL;
    make_room(buf, size > 0 ? size : 1);
    return buf->data + buf->size;
}

void qn_buf_consume(struct qn_buf *buf, size_t size)
{
    QN_ASSERT(size <= buf->size);
    if (size == 0)
        return;
    memmove(buf->data, buf->data + size, buf->size - size);
    buf->size -= size;
}

void qn_buf_truncate(struct qn_buf *buf, size_t size)
{
    QN_ASSERT(size <= buf->size);
    buf->size = size;
}

struct qn_span qn_buf_view(const struct qn_buf *buf)
{
    return qn_span(buf->data, buf->size);
}

enum qn_err qn_buf_status(const struct qn_buf *buf)
{
    return buf->is_over ? QN_ERR_LIMIT : QN_OK;
}

uint8_t *qn_buf_take(struct qn_buf *buf, size_t *ret_size)
{
    uint8_t *data = buf->data;
    *ret_size = buf->size;
    size_t size_max = buf->size_max;
    qn_buf_init(buf, size_max);
    return data;
}

enum qn_err qn_read_varint(struct qn_span span, size_t *offset, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t at = *offset;
    for (unsigned shift = 0; shift < 64 && at < span.size; shift += 7) {
        uint8_t byte = span.data[at++];
        bool is_too_large = shift == 63 && byte > 1;
        bool is_overlong = shift > 0 && byte == 0;
        if (is_too_large || is_overlong)
            return QN_ERR_INVALID;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *offset = at;
            *ret_value = value;
            return QN_OK;
        }
    }
    return QN_ERR_INVALID;
}
