#include "base/limits.h"
#include "proto/frame.h"
#include "support/span.h"

/* Feeds `bytes` in pieces of at most `piece`; joins the frames in `out`, a '|' behind each. */
static enum qn_err feed(struct qn_frame_reader *reader, struct qn_span bytes, size_t piece,
                        struct qn_buf *out)
{
    for (size_t at = 0; at < bytes.size;) {
        struct qn_span frame;
        size_t size;
        uint8_t *room = qn_frame_reader_room(reader, &size);
        cr_assert_gt(size, 0);
        size = size < piece ? size : piece;
        size = size < bytes.size - at ? size : bytes.size - at;
        memcpy(room, bytes.data + at, size);
        at += size;
        QN_TRY(qn_frame_reader_filled(reader, size, &frame));
        if (frame.size > 0) {
            qn_buf_append_span(out, frame);
            qn_buf_append_u8(out, '|');
        }
    }
    return QN_OK;
}

Test(frame, whole_at_every_cut)
{
    static const char wire[] = "\0\0\0\1a\0\0\0\3bcd\0\0\0\2ef\0\0\0\5gh";
    for (size_t piece = 1; piece <= sizeof(wire); piece++) {
        QN_AUTO_BUF struct qn_buf out;
        struct qn_frame_reader reader;
        qn_buf_init(&out, 64);
        qn_frame_reader_init(&reader, 16);
        cr_assert_eq(feed(&reader, SPAN(wire), piece, &out), QN_OK);
        assert_buf_eq(&out, "a|bcd|ef|");
        qn_frame_reader_deinit(&reader);
    }
}

Test(frame, sizes_that_are_refused)
{
    static const struct {
        const char *wire;
        enum qn_err err;
    } cases[] = {
        {"\0\0\0\0", QN_ERR_INVALID},
        {"\0\0\0\x11", QN_ERR_LIMIT},
        {"\xff\xff\xff\xff", QN_ERR_LIMIT},
        {"\0\0\0\x10", QN_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        QN_AUTO_BUF struct qn_buf out;
        struct qn_frame_reader reader;
        qn_buf_init(&out, 64);
        qn_frame_reader_init(&reader, 16);
        cr_assert_eq(feed(&reader, qn_span(cases[i].wire, 4), 1, &out), cases[i].err);
        qn_frame_reader_deinit(&reader);
    }
}

Test(frame, memory_follows_what_came_and_not_what_was_announced)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_frame_reader reader;
    size_t size;
    qn_buf_init(&out, 2 * QN_FRAME_SIZE_MAX);
    qn_frame_reader_init(&reader, QN_FRAME_SIZE_MAX);
    cr_assert_eq(feed(&reader, SPAN("\0\x10\0\0"), 4, &out), QN_OK);
    qn_frame_reader_room(&reader, &size);
    cr_assert_leq(reader.capacity, 64 * 1024);
    uint8_t *payload = qn_alloc_zero(QN_FRAME_SIZE_MAX);
    cr_assert_eq(feed(&reader, qn_span(payload, QN_FRAME_SIZE_MAX - 1), 7777, &out), QN_OK);
    cr_assert_eq(out.size, 0);
    cr_assert_eq(feed(&reader, qn_span(payload, 1), 1, &out), QN_OK);
    cr_assert_eq(out.size, QN_FRAME_SIZE_MAX + 1);
    qn_frame_reader_room(&reader, &size);
    cr_assert_eq(reader.capacity, 0); /* given back */
    qn_free(payload);
    qn_frame_reader_deinit(&reader);
    qn_frame_reader_deinit(&reader);
}

Test(frame, head)
{
    uint8_t head[QN_FRAME_HEAD_SIZE];
    qn_frame_write_head(head, 0x010203);
    assert_span_eq(qn_span(head, sizeof(head)), SPAN("\0\1\2\3"));
}
