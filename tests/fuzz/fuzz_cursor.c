/* Whatever the cursor accepts is canonical: writing it again gives the same bytes. */
#include "proto/cursor.h"
#include "proto/pack.h"
#include "support/fuzz.h"

#define DEPTH_MAX 16

static enum qn_err copy_item(struct qn_cursor *from, struct qn_buf *to, unsigned depth);

static enum qn_err copy_items(struct qn_cursor *from, struct qn_buf *to, size_t count,
                              unsigned depth)
{
    if (count > 0 && depth == 0)
        return QN_ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        QN_TRY(copy_item(from, to, depth - 1));
    return QN_OK;
}

static enum qn_err copy_number(struct qn_cursor *from, struct qn_buf *to)
{
    uint64_t u64;
    int64_t i64;
    double real;
    if (qn_cursor_u64(from, &u64) == QN_OK) {
        qn_pack_u64(to, u64);
    } else if (qn_cursor_i64(from, &i64) == QN_OK) {
        qn_pack_i64(to, i64);
    } else {
        QN_TRY(qn_cursor_double(from, &real));
        qn_pack_double(to, real);
    }
    return QN_OK;
}

static enum qn_err copy_bytes(struct qn_cursor *from, struct qn_buf *to)
{
    struct qn_span bytes;
    if (qn_cursor_bin(from, SIZE_MAX, &bytes) == QN_OK) {
        qn_pack_bin(to, bytes);
        return QN_OK;
    }
    QN_TRY(qn_cursor_str(from, SIZE_MAX, &bytes));
    qn_pack_str(to, bytes);
    return QN_OK;
}

static enum qn_err copy_item(struct qn_cursor *from, struct qn_buf *to, unsigned depth)
{
    bool flag;
    size_t count;
    switch (qn_cursor_peek(from)) {
    case QN_ITEM_END:
    case QN_ITEM_BAD:
        return QN_ERR_INVALID;
    case QN_ITEM_NIL:
        qn_pack_nil(to);
        return qn_cursor_nil(from);
    case QN_ITEM_BOOL:
        QN_TRY(qn_cursor_bool(from, &flag));
        qn_pack_bool(to, flag);
        return QN_OK;
    case QN_ITEM_UINT:
    case QN_ITEM_INT:
    case QN_ITEM_DOUBLE:
        return copy_number(from, to);
    case QN_ITEM_STR:
    case QN_ITEM_BIN:
        return copy_bytes(from, to);
    case QN_ITEM_ARRAY:
        QN_TRY(qn_cursor_array(from, SIZE_MAX, &count));
        qn_pack_array(to, count);
        return copy_items(from, to, count, depth);
    case QN_ITEM_MAP:
        QN_TRY(qn_cursor_map(from, SIZE_MAX, &count));
        qn_pack_map(to, count);
        return copy_items(from, to, 2 * count, depth);
    }
    return QN_ERR_INVALID;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_cursor skipped = qn_cursor(qn_span(data, size));
    struct qn_cursor copied = skipped;
    QN_AUTO_BUF struct qn_buf copy;
    qn_buf_init(&copy, size);
    struct qn_span item;
    for (;;) {
        enum qn_err skip_err = qn_cursor_skip(&skipped, DEPTH_MAX, &item);
        enum qn_err copy_err = copy_item(&copied, &copy, DEPTH_MAX);
        FUZZ_CHECK((skip_err == QN_OK) == (copy_err == QN_OK));
        if (skip_err != QN_OK)
            return 0;
        FUZZ_CHECK(skipped.at == copied.at && skipped.at <= size);
        FUZZ_CHECK(qn_span_eq(qn_buf_view(&copy), qn_span(data, skipped.at)));
    }
}
