#include "proto/cursor.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"

/* The head of one item: its type, its argument (value, size or count) and its length in bytes. */
struct head {
    enum qn_item type;
    uint64_t argument;
    size_t size;
};

/* An argument of `width` bytes behind the first byte; canonical only if above `least`. */
static enum qn_err wide_argument(const struct qn_cursor *cursor, size_t width, uint64_t least,
                                 struct head *ret_head)
{
    struct qn_span left = qn_span_from(cursor->input, cursor->at);
    if (left.size < 1 + width)
        return QN_ERR_INVALID;
    uint64_t value = 0;
    for (size_t i = 1; i <= width; i++)
        value = value << 8 | left.data[i];
    if (value < least)
        return QN_ERR_INVALID;
    ret_head->argument = value;
    ret_head->size = 1 + width;
    return QN_OK;
}

/* Negative integers: the argument holds the two's complement, sign-extended. */
static enum qn_err negative_argument(const struct qn_cursor *cursor, size_t width,
                                     struct head *ret_head)
{
    QN_TRY(wide_argument(cursor, width, 0, ret_head));
    unsigned shift = (unsigned)(64 - 8 * width);
    int64_t value = (int64_t)(ret_head->argument << shift) >> shift;
    int64_t limit = width == 1 ? -32 : -((int64_t)1 << (4 * width - 1));
    if (value >= limit || (width > 1 && value >= -((int64_t)1 << (4 * width - 1))))
        return QN_ERR_INVALID;
    ret_head->argument = (uint64_t)value;
    return QN_OK;
}

/* What the first bytes 0xc0 to 0xdf begin: an argument of `width` bytes follows, of at least
 * `least`, since a smaller one has a shorter form. Types that this project never writes (never
 * used, float of 32 bits, extensions) stand as QN_ITEM_END. */
static const struct form {
    enum qn_item type;
    uint8_t width;
    uint64_t least;
} forms[32] = {
    [0x00] = {QN_ITEM_NIL, 0, 0},           [0x02] = {QN_ITEM_BOOL, 0, 0},
    [0x03] = {QN_ITEM_BOOL, 0, 0},          [0x04] = {QN_ITEM_BIN, 1, 0},
    [0x05] = {QN_ITEM_BIN, 2, 0x100},       [0x06] = {QN_ITEM_BIN, 4, 0x10000},
    [0x0b] = {QN_ITEM_DOUBLE, 8, 0},        [0x0c] = {QN_ITEM_UINT, 1, 0x80},
    [0x0d] = {QN_ITEM_UINT, 2, 0x100},      [0x0e] = {QN_ITEM_UINT, 4, 0x10000},
    [0x0f] = {QN_ITEM_UINT, 8, 1ULL << 32}, [0x10] = {QN_ITEM_INT, 1, 0},
    [0x11] = {QN_ITEM_INT, 2, 0},           [0x12] = {QN_ITEM_INT, 4, 0},
    [0x13] = {QN_ITEM_INT, 8, 0},           [0x19] = {QN_ITEM_STR, 1, 32},
    [0x1a] = {QN_ITEM_STR, 2, 0x100},       [0x1b] = {QN_ITEM_STR, 4, 0x10000},
    [0x1c] = {QN_ITEM_ARRAY, 2, 16},        [0x1d] = {QN_ITEM_ARRAY, 4, 0x10000},
    [0x1e] = {QN_ITEM_MAP, 2, 16},          [0x1f] = {QN_ITEM_MAP, 4, 0x10000},
};

/* The other first bytes hold their argument themselves. */
static struct head fixed_head(uint8_t first)
{
    if (first <= 0x7f)
        return (struct head){QN_ITEM_UINT, first, 1};
    if (first <= 0x8f)
        return (struct head){QN_ITEM_MAP, first & 0x0f, 1};
    if (first <= 0x9f)
        return (struct head){QN_ITEM_ARRAY, first & 0x0f, 1};
    if (first <= 0xbf)
        return (struct head){QN_ITEM_STR, first & 0x1f, 1};
    return (struct head){QN_ITEM_INT, (uint64_t)(int64_t)(int8_t)first, 1};
}

static enum qn_err read_head(const struct qn_cursor *cursor, struct head *ret_head)
{
    if (cursor->at >= cursor->input.size)
        return QN_ERR_INVALID;
    uint8_t first = cursor->input.data[cursor->at];
    if (first < 0xc0 || first > 0xdf) {
        *ret_head = fixed_head(first);
        return QN_OK;
    }
    const struct form *form = &forms[first - 0xc0];
    if (form->type == QN_ITEM_END)
        return QN_ERR_INVALID;
    *ret_head = (struct head){form->type, first & 1, 1}; /* a boolean is its last bit */
    if (form->width == 0)
        return QN_OK;
    if (form->type == QN_ITEM_INT)
        return negative_argument(cursor, form->width, ret_head);
    return wide_argument(cursor, form->width, form->least, ret_head);
}

static enum qn_err expect(const struct qn_cursor *cursor, enum qn_item type, struct head *ret_head)
{
    struct head head;
    QN_TRY(read_head(cursor, &head));
    if (head.type != type)
        return QN_ERR_INVALID;
    *ret_head = head;
    return QN_OK;
}

enum qn_item qn_cursor_peek(const struct qn_cursor *cursor)
{
    if (qn_cursor_is_end(cursor))
        return QN_ITEM_END;
    struct head head;
    return read_head(cursor, &head) == QN_OK ? head.type : QN_ITEM_BAD;
}

bool qn_cursor_is_end(const struct qn_cursor *cursor)
{
    return cursor->at >= cursor->input.size;
}

enum qn_err qn_cursor_finish(const struct qn_cursor *cursor)
{
    return qn_cursor_is_end(cursor) ? QN_OK : QN_ERR_INVALID;
}

enum qn_err qn_cursor_nil(struct qn_cursor *cursor)
{
    struct head head;
    QN_TRY(expect(cursor, QN_ITEM_NIL, &head));
    cursor->at += head.size;
    return QN_OK;
}

enum qn_err qn_cursor_bool(struct qn_cursor *cursor, bool *ret_value)
{
    struct head head;
    QN_TRY(expect(cursor, QN_ITEM_BOOL, &head));
    cursor->at += head.size;
    *ret_value = head.argument != 0;
    return QN_OK;
}

enum qn_err qn_cursor_u64(struct qn_cursor *cursor, uint64_t *ret_value)
{
    struct head head;
    QN_TRY(expect(cursor, QN_ITEM_UINT, &head));
    cursor->at += head.size;
    *ret_value = head.argument;
    return QN_OK;
}

enum qn_err qn_cursor_i64(struct qn_cursor *cursor, int64_t *ret_value)
{
    struct head head;
    QN_TRY(read_head(cursor, &head));
    bool is_small = head.type == QN_ITEM_UINT && head.argument <= INT64_MAX;
    if (!is_small && head.type != QN_ITEM_INT)
        return QN_ERR_INVALID;
    cursor->at += head.size;
    *ret_value = (int64_t)head.argument;
    return QN_OK;
}

enum qn_err qn_cursor_double(struct qn_cursor *cursor, double *ret_value)
{
    struct head head;
    QN_TRY(expect(cursor, QN_ITEM_DOUBLE, &head));
    cursor->at += head.size;
    memcpy(ret_value, &head.argument, sizeof(*ret_value));
    return QN_OK;
}

static enum qn_err run_of_bytes(struct qn_cursor *cursor, enum qn_item type, size_t size_max,
                                struct qn_span *ret_bytes)
{
    struct head head;
    QN_TRY(expect(cursor, type, &head));
    if (head.argument > cursor->input.size - cursor->at - head.size)
        return QN_ERR_INVALID;
    if (head.argument > size_max)
        return QN_ERR_LIMIT;
    struct qn_span bytes =
        qn_span(cursor->input.data + cursor->at + head.size, (size_t)head.argument);
    if (type == QN_ITEM_STR && !qn_text_is_utf8(bytes))
        return QN_ERR_INVALID;
    cursor->at += head.size + bytes.size;
    *ret_bytes = bytes;
    return QN_OK;
}

enum qn_err qn_cursor_str(struct qn_cursor *cursor, size_t size_max, struct qn_span *ret_text)
{
    return run_of_bytes(cursor, QN_ITEM_STR, size_max, ret_text);
}

enum qn_err qn_cursor_bin(struct qn_cursor *cursor, size_t size_max, struct qn_span *ret_bytes)
{
    return run_of_bytes(cursor, QN_ITEM_BIN, size_max, ret_bytes);
}

enum qn_err qn_cursor_bytes(struct qn_cursor *cursor, void *out, size_t size)
{
    struct qn_cursor trial = *cursor;
    struct qn_span bytes;
    QN_TRY(qn_cursor_bin(&trial, size, &bytes));
    if (bytes.size != size)
        return QN_ERR_INVALID;
    memcpy(out, bytes.data, size);
    *cursor = trial;
    return QN_OK;
}

static enum qn_err container(struct qn_cursor *cursor, enum qn_item type, size_t item_size,
                             size_t count_max, size_t *ret_count)
{
    struct head head;
    QN_TRY(expect(cursor, type, &head));
    size_t left = cursor->input.size - cursor->at - head.size;
    if (head.argument > left / item_size)
        return QN_ERR_INVALID;
    if (head.argument > count_max)
        return QN_ERR_LIMIT;
    cursor->at += head.size;
    *ret_count = (size_t)head.argument;
    return QN_OK;
}

enum qn_err qn_cursor_array(struct qn_cursor *cursor, size_t count_max, size_t *ret_count)
{
    return container(cursor, QN_ITEM_ARRAY, 1, count_max, ret_count);
}

enum qn_err qn_cursor_map(struct qn_cursor *cursor, size_t count_max, size_t *ret_count)
{
    return container(cursor, QN_ITEM_MAP, 2, count_max, ret_count);
}

/* One item without what a container holds; gives how many items follow inside it. */
static enum qn_err skip_one(struct qn_cursor *cursor, size_t *ret_inside)
{
    struct head head;
    struct qn_span bytes;
    QN_TRY(read_head(cursor, &head));
    *ret_inside = 0;
    switch (head.type) {
    case QN_ITEM_STR:
    case QN_ITEM_BIN:
        return run_of_bytes(cursor, head.type, SIZE_MAX, &bytes);
    case QN_ITEM_ARRAY:
        return qn_cursor_array(cursor, SIZE_MAX, ret_inside);
    case QN_ITEM_MAP:
        QN_TRY(qn_cursor_map(cursor, SIZE_MAX, ret_inside));
        *ret_inside *= 2;
        return QN_OK;
    case QN_ITEM_NIL:
    case QN_ITEM_BOOL:
    case QN_ITEM_UINT:
    case QN_ITEM_INT:
    case QN_ITEM_DOUBLE:
        cursor->at += head.size;
        return QN_OK;
    case QN_ITEM_END:
    case QN_ITEM_BAD:
        break;
    }
    return QN_ERR_INVALID;
}

static enum qn_err skip_item(struct qn_cursor *cursor, unsigned depth_left)
{
    size_t inside;
    QN_TRY(skip_one(cursor, &inside));
    if (inside > 0 && depth_left == 0)
        return QN_ERR_LIMIT;
    for (size_t i = 0; i < inside; i++)
        QN_TRY(skip_item(cursor, depth_left - 1));
    return QN_OK;
}

enum qn_err qn_cursor_skip(struct qn_cursor *cursor, unsigned depth_max, struct qn_span *ret_item)
{
    struct qn_cursor trial = *cursor;
    QN_TRY(skip_item(&trial, depth_max));
    *ret_item = qn_span(cursor->input.data + cursor->at, trial.at - cursor->at);
    *cursor = trial;
    return QN_OK;
}
