/* Reads canonical msgpack from a span, without allocating anything.
 *
 * A cursor stands before one item. Every getter checks type, canonical form and bounds; on an error
 * the cursor does not move. Counts and sizes are checked against what is left of the span before
 * they are returned, so a caller may trust that `count` items of at least one byte can follow.
 * Strings are valid UTF-8. Borrowed spans live as long as the input. Pure; any bytes are safe.
 *
 * msgpack-c's own unpacker builds an object tree of 24 bytes for every input byte and accepts
 * non-canonical forms; see docs/adr/0002.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

enum qn_item {
    QN_ITEM_END, /* nothing left */
    QN_ITEM_BAD, /* a type this project never writes */
    QN_ITEM_NIL,
    QN_ITEM_BOOL,
    QN_ITEM_UINT, /* >= 0 */
    QN_ITEM_INT,  /* < 0 */
    QN_ITEM_DOUBLE,
    QN_ITEM_STR,
    QN_ITEM_BIN,
    QN_ITEM_ARRAY,
    QN_ITEM_MAP,
};

struct qn_cursor {
    struct qn_span input;
    size_t at;
};

static inline struct qn_cursor qn_cursor(struct qn_span input)
{
    return (struct qn_cursor){.input = input};
}

enum qn_item qn_cursor_peek(const struct qn_cursor *cursor);
bool qn_cursor_is_end(const struct qn_cursor *cursor);
/* QN_OK only at the end of the input: nothing may follow a message. */
enum qn_err QN_CHECKED qn_cursor_finish(const struct qn_cursor *cursor);

enum qn_err QN_CHECKED qn_cursor_nil(struct qn_cursor *cursor);
enum qn_err QN_CHECKED qn_cursor_bool(struct qn_cursor *cursor, bool *ret_value);
enum qn_err QN_CHECKED qn_cursor_u64(struct qn_cursor *cursor, uint64_t *ret_value);
enum qn_err QN_CHECKED qn_cursor_i64(struct qn_cursor *cursor, int64_t *ret_value);
enum qn_err QN_CHECKED qn_cursor_double(struct qn_cursor *cursor, double *ret_value);
enum qn_err QN_CHECKED qn_cursor_str(struct qn_cursor *cursor, size_t size_max,
                                     struct qn_span *ret_text);
enum qn_err QN_CHECKED qn_cursor_bin(struct qn_cursor *cursor, size_t size_max,
                                     struct qn_span *ret_bytes);
/* A binary of exactly `size` bytes, copied out. */
enum qn_err QN_CHECKED qn_cursor_bytes(struct qn_cursor *cursor, void *out, size_t size);
enum qn_err QN_CHECKED qn_cursor_array(struct qn_cursor *cursor, size_t count_max,
                                       size_t *ret_count);
enum qn_err QN_CHECKED qn_cursor_map(struct qn_cursor *cursor, size_t count_max, size_t *ret_count);
/* Passes one whole item, containers with what they hold, and gives its bytes. Nesting is bounded
 * by `depth_max`. */
enum qn_err QN_CHECKED qn_cursor_skip(struct qn_cursor *cursor, unsigned depth_max,
                                      struct qn_span *ret_item);
