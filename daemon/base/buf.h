/* A growable byte buffer that must be told its maximum.
 *
 * Invariant: size <= size_max. An append beyond the maximum appends nothing and sets `is_over`,
 * which stays set until the buffer is reset: check it once, after a run of appends.
 * Owner: whoever embeds it; release with qn_buf_deinit. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct qn_buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t size_max;
    bool is_over;
};

void qn_buf_init(struct qn_buf *buf, size_t size_max);
void qn_buf_deinit(struct qn_buf *buf); /* accepts a zeroed buffer */
void qn_buf_reset(struct qn_buf *buf);  /* empty, keeps memory and maximum */
void qn_buf_append(struct qn_buf *buf, const void *data, size_t size);
void qn_buf_append_span(struct qn_buf *buf, struct qn_span span);
void qn_buf_append_str(struct qn_buf *buf, const char *text);
__attribute__((format(printf, 2, 3))) void qn_buf_printf(struct qn_buf *buf, const char *format,
                                                         ...);
/* Integers are big-endian. */
void qn_buf_append_u8(struct qn_buf *buf, uint8_t value);
void qn_buf_append_u16(struct qn_buf *buf, uint16_t value);
void qn_buf_append_u32(struct qn_buf *buf, uint32_t value);
void qn_buf_append_u64(struct qn_buf *buf, uint64_t value);
/* LEB128: 7 bits a byte, low bits first. */
void qn_buf_append_varint(struct qn_buf *buf, uint64_t value);
/* At least `size` bytes of memory behind the content, for a caller that writes them itself and then
 * adds what it wrote to `size`. NULL beyond the maximum: remembered like a refused append. */
uint8_t *qn_buf_reserve(struct qn_buf *buf, size_t size);
/* Drops `size` bytes from the front. */
void qn_buf_consume(struct qn_buf *buf, size_t size);
/* Drops what is behind the first `size` bytes. */
void qn_buf_truncate(struct qn_buf *buf, size_t size);
struct qn_span qn_buf_view(const struct qn_buf *buf); /* borrowed until the next append */
/* QN_ERR_LIMIT if an append was refused. */
enum qn_err QN_CHECKED qn_buf_status(const struct qn_buf *buf);
/* Gives the bytes to the caller (free with qn_free) and leaves the buffer empty. */
uint8_t *qn_buf_take(struct qn_buf *buf, size_t *ret_size);

#define QN_AUTO_BUF __attribute__((cleanup(qn_buf_deinit)))

static inline uint16_t qn_read_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t qn_read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t qn_read_u64(const uint8_t *p)
{
    return (uint64_t)qn_read_u32(p) << 32 | qn_read_u32(p + 4);
}

static inline void qn_write_u16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void qn_write_u32(uint8_t *p, uint32_t value)
{
    qn_write_u16(p, (uint16_t)(value >> 16));
    qn_write_u16(p + 2, (uint16_t)value);
}

static inline void qn_write_u64(uint8_t *p, uint64_t value)
{
    qn_write_u32(p, (uint32_t)(value >> 32));
    qn_write_u32(p + 4, (uint32_t)value);
}

/* Reads a varint at *offset of span and advances it; QN_ERR_INVALID if it is cut, above 64 bits, or
 * longer than the value needs. */
enum qn_err QN_CHECKED qn_read_varint(struct qn_span span, size_t *offset, uint64_t *ret_value);
