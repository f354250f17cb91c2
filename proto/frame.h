/* Frames: how messages are cut out of the byte stream of a connection (docs/protocol.md, section
 * 3).
 *
 *   frame = size u32 big-endian, 1 .. size_max | payload
 *
 * The side that accepted a connection opens its stream with four zero bytes, the welcome, as soon
 * as it has admitted the other's key; frames follow. In TLS 1.3 the dialler is done with its
 * handshake before its own key has been judged: only the welcome tells it that it was.
 *
 * The reader is incremental and pure: it says where the next bytes belong and how many it wants, is
 * told how many came, and yields a frame when one is whole.
 * Invariants: it never wants a byte beyond the frame that it is in; its memory grows by steps of
 * 64 KiB as bytes arrive, never by the size that was announced. Any bytes are safe.
 */
#pragma once

#include "base/buf.h"

#define QN_FRAME_HEAD_SIZE 4
#define QN_WELCOME_SIZE    4 /* a frame of size zero, which is none */

struct qn_frame_reader {
    uint8_t *data; /* the payload so far */
    size_t capacity;
    size_t size_max;
    uint8_t head[QN_FRAME_HEAD_SIZE];
    size_t head_size; /* bytes of the head that came */
    size_t want;      /* payload bytes announced, once the head is whole */
    size_t have;      /* payload bytes that came */
};

void qn_frame_reader_init(struct qn_frame_reader *reader, size_t size_max);
void qn_frame_reader_deinit(struct qn_frame_reader *reader); /* accepts a zeroed one */
/* Where to put the next bytes; *ret_size > 0 is the most that are wanted. Valid until the next
 * call. */
uint8_t *qn_frame_reader_room(struct qn_frame_reader *reader, size_t *ret_size);
/* `size` bytes were put there. *ret_frame is the frame if it became whole with them, borrowed until
 * the next call, else an empty span. QN_ERR_INVALID for a size of zero, QN_ERR_LIMIT for one above
 * the maximum: the connection is of no use any more. */
enum qn_err QN_CHECKED qn_frame_reader_filled(struct qn_frame_reader *reader, size_t size,
                                              struct qn_span *ret_frame);

/* The head of a frame of `size` bytes. */
void qn_frame_write_head(uint8_t head[QN_FRAME_HEAD_SIZE], size_t size);
