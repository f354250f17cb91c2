#include <criterion/criterion.h>
#include <signal.h>

#include "support/span.h"

Test(buf, a_zeroed_buffer_can_be_deinitialised)
{
    struct qn_buf buf = {0};
    qn_buf_deinit(&buf);
    qn_buf_deinit(&buf);
}

Test(buf, a_new_buffer_is_empty_and_fine)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 10);
    cr_assert_eq(qn_buf_view(&buf).size, 0);
    cr_assert_eq(qn_buf_status(&buf), QN_OK);
}

Test(buf, appends_follow_each_other_while_it_grows)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 100000);
    for (unsigned i = 0; i < 50000; i++)
        qn_buf_append_u16(&buf, (uint16_t)i);
    cr_assert_eq(qn_buf_status(&buf), QN_OK);
    cr_assert_eq(buf.size, 100000);
    for (unsigned i = 0; i < 50000; i++)
        cr_assert_eq(qn_read_u16(buf.data + 2 * i), (uint16_t)i);
}

Test(buf, exactly_the_maximum_fits)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 5);
    qn_buf_append_str(&buf, "abcde");
    cr_assert_eq(qn_buf_status(&buf), QN_OK);
    assert_buf_eq(&buf, "abcde");
}

Test(buf, an_append_beyond_the_maximum_appends_nothing_and_is_remembered)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 5);
    qn_buf_append_str(&buf, "abc");
    qn_buf_append_str(&buf, "def");
    assert_buf_eq(&buf, "abc");
    cr_assert_eq(qn_buf_status(&buf), QN_ERR_LIMIT);
    qn_buf_append_str(&buf, "de");
    cr_assert_eq(qn_buf_status(&buf), QN_ERR_LIMIT);
}

Test(buf, a_huge_size_does_not_wrap_around)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 100);
    qn_buf_append_str(&buf, "abc");
    qn_buf_append(&buf, "x", SIZE_MAX - 1);
    cr_assert_eq(qn_buf_status(&buf), QN_ERR_LIMIT);
    assert_buf_eq(&buf, "abc");
}

Test(buf, an_empty_append_is_fine_even_when_full)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 0);
    qn_buf_append_span(&buf, qn_span(NULL, 0));
    qn_buf_append_str(&buf, "");
    cr_assert_eq(qn_buf_status(&buf), QN_OK);
}

Test(buf, reset_forgets_content_and_overflow_but_keeps_the_maximum)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 3);
    qn_buf_append_str(&buf, "abcd");
    qn_buf_reset(&buf);
    cr_assert_eq(qn_buf_status(&buf), QN_OK);
    qn_buf_append_str(&buf, "xyz");
    assert_buf_eq(&buf, "xyz");
    qn_buf_append_u8(&buf, 0);
    cr_assert_eq(qn_buf_status(&buf), QN_ERR_LIMIT);
}

Test(buf, integers_are_big_endian)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 100);
    qn_buf_append_u8(&buf, 0xff);
    qn_buf_append_u16(&buf, 0x0102);
    qn_buf_append_u32(&buf, 0x03040506);
    qn_buf_append_u64(&buf, 0x0708090a0b0c0d0e);
    assert_buf_eq(&buf, "\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e");
    cr_assert_eq(qn_read_u32(buf.data + 3), 0x03040506u);
    cr_assert_eq(qn_read_u64(buf.data + 7), 0x0708090a0b0c0d0eu);
}

Test(buf, printf_appends_without_a_terminator)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 100);
    qn_buf_printf(&buf, "%s-%d", "a", 7);
    qn_buf_printf(&buf, "%s", "");
    qn_buf_printf(&buf, "!");
    assert_buf_eq(&buf, "a-7!");
}

Test(buf, printf_fills_exactly_to_the_maximum)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 4);
    qn_buf_printf(&buf, "%d", 1234);
    cr_assert_eq(qn_buf_status(&buf), QN_OK);
    assert_buf_eq(&buf, "1234");
}

Test(buf, printf_of_nothing_into_a_full_buffer_is_fine)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 0);
    qn_buf_printf(&buf, "%s", "");
    cr_assert_eq(qn_buf_status(&buf), QN_OK);
}

Test(buf, printf_beyond_the_maximum_appends_nothing)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 4);
    qn_buf_printf(&buf, "%d", 12345);
    cr_assert_eq(qn_buf_status(&buf), QN_ERR_LIMIT);
    cr_assert_eq(buf.size, 0);
}

Test(buf, reserved_room_is_written_by_the_caller)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 300);
    qn_buf_append_str(&buf, "ab");
    uint8_t *room = qn_buf_reserve(&buf, 298);
    cr_assert_not_null(room);
    memset(room, 'c', 298);
    cr_assert_eq(buf.size, 2);
    buf.size += 1;
    assert_buf_eq(&buf, "abc");
    buf.size += 297;
    cr_assert_not_null(qn_buf_reserve(&buf, 0));
    cr_assert_eq(qn_buf_status(&buf), QN_OK);
}

Test(buf, room_beyond_the_maximum_is_refused_and_remembered)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 4);
    qn_buf_append_str(&buf, "ab");
    cr_assert_null(qn_buf_reserve(&buf, 3));
    cr_assert_eq(qn_buf_status(&buf), QN_ERR_LIMIT);
    assert_buf_eq(&buf, "ab");
}

Test(buf, consume_drops_from_the_front)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 10);
    qn_buf_append_str(&buf, "abcdef");
    qn_buf_consume(&buf, 0);
    qn_buf_consume(&buf, 2);
    assert_buf_eq(&buf, "cdef");
    qn_buf_consume(&buf, 4);
    cr_assert_eq(buf.size, 0);
}

Test(buf, consuming_more_than_there_is_is_a_bug, .signal = SIGABRT)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 10);
    qn_buf_append_u8(&buf, 1);
    qn_buf_consume(&buf, 2);
}

Test(buf, truncate_drops_from_the_end)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 10);
    qn_buf_append_str(&buf, "abcdef");
    qn_buf_truncate(&buf, 4);
    assert_buf_eq(&buf, "abcd");
    qn_buf_truncate(&buf, 0);
    cr_assert_eq(buf.size, 0);
}

Test(buf, truncate_does_not_lengthen, .signal = SIGABRT)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 10);
    qn_buf_truncate(&buf, 1);
}

Test(buf, take_gives_the_bytes_away_and_leaves_a_usable_buffer)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 4);
    qn_buf_append_str(&buf, "abcd");
    size_t size = 0;
    QN_AUTO_FREE uint8_t *data = qn_buf_take(&buf, &size);
    assert_span_eq(qn_span(data, size), SPAN("abcd"));
    cr_assert_eq(buf.size, 0);
    qn_buf_append_str(&buf, "efgh");
    cr_assert_eq(qn_buf_status(&buf), QN_OK);
}

Test(varint, known_forms)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 100);
    qn_buf_append_varint(&buf, 0);
    qn_buf_append_varint(&buf, 127);
    qn_buf_append_varint(&buf, 128);
    qn_buf_append_varint(&buf, 300);
    assert_buf_eq(&buf, "\x00\x7f\x80\x01\xac\x02");
}

Test(varint, every_width_reads_back)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t value = ((uint64_t)1 << bit) + (uint64_t)(int64_t)delta, got = 0;
            QN_AUTO_BUF struct qn_buf buf;
            qn_buf_init(&buf, 10);
            qn_buf_append_varint(&buf, value);
            size_t at = 0;
            cr_assert_eq(qn_read_varint(qn_buf_view(&buf), &at, &got), QN_OK);
            cr_assert_eq(got, value);
            cr_assert_eq(at, buf.size);
        }
    }
}

Test(varint, a_cut_one_is_refused_and_moves_nothing)
{
    size_t at = 0;
    uint64_t value = 42;
    cr_assert_eq(qn_read_varint(SPAN(""), &at, &value), QN_ERR_INVALID);
    cr_assert_eq(qn_read_varint(SPAN("\x80"), &at, &value), QN_ERR_INVALID);
    cr_assert_eq(qn_read_varint(SPAN("\xff\xff\xff"), &at, &value), QN_ERR_INVALID);
    cr_assert_eq(at, 0);
    cr_assert_eq(value, 42);
}

Test(varint, more_than_64_bits_are_refused)
{
    size_t at = 0;
    uint64_t value = 0;
    cr_assert_eq(qn_read_varint(SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), &at, &value),
                 QN_OK);
    cr_assert_eq(value, UINT64_MAX);
    at = 0;
    cr_assert_eq(qn_read_varint(SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), &at, &value),
                 QN_ERR_INVALID);
    cr_assert_eq(qn_read_varint(SPAN("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), &at, &value),
                 QN_ERR_INVALID);
}

Test(varint, a_longer_form_than_needed_is_refused)
{
    size_t at = 0;
    uint64_t value = 0;
    cr_assert_eq(qn_read_varint(SPAN("\x80\x00"), &at, &value), QN_ERR_INVALID);
    cr_assert_eq(qn_read_varint(SPAN("\xff\x80\x00"), &at, &value), QN_ERR_INVALID);
}
