/* Frames: the first byte says in what pieces the rest arrives. Cut in any way, the same frames come
 * out, and written again they are the input. */
#include "base/limits.h"
#include "proto/frame.h"
#include "support/fuzz.h"

#define SIZE_MAX_HERE 70000 /* above one step of memory */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void append_frame(struct qn_buf *out, struct qn_span frame)
{
    uint8_t head[QN_FRAME_HEAD_SIZE];
    if (frame.size == 0)
        return;
    qn_frame_write_head(head, frame.size);
    qn_buf_append(out, head, sizeof(head));
    qn_buf_append_span(out, frame);
}

/* Writes the frames of `input` to `out` again; true if the whole of it could be read. */
static bool split(struct qn_span input, size_t piece, struct qn_buf *out)
{
    struct qn_frame_reader reader;
    enum qn_err err = QN_OK;
    qn_frame_reader_init(&reader, SIZE_MAX_HERE);
    for (size_t at = 0; at < input.size && err == QN_OK;) {
        struct qn_span frame;
        size_t wanted;
        uint8_t *room = qn_frame_reader_room(&reader, &wanted);
        size_t size = least(least(wanted, piece), input.size - at);
        FUZZ_CHECK(size > 0 && reader.capacity <= at + 64 * 1024);
        memcpy(room, input.data + at, size);
        at += size;
        err = qn_frame_reader_filled(&reader, size, &frame);
        append_frame(out, frame);
    }
    qn_frame_reader_deinit(&reader);
    return err == QN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct qn_span input = qn_span(data + 1, size - 1);
    QN_AUTO_BUF struct qn_buf a, b;
    qn_buf_init(&a, size);
    qn_buf_init(&b, size);
    bool is_read = split(input, (size_t)data[0] + 1, &a);
    FUZZ_CHECK(split(input, SIZE_MAX, &b) == is_read);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&a), qn_buf_view(&b)));
    FUZZ_CHECK(qn_span_has_prefix(input, qn_buf_view(&a)));
    return 0;
}
