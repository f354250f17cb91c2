#include <criterion/criterion.h>
#include <math.h>

#include "base/prng.h"
#include "proto/cursor.h"
#include "proto/pack.h"
#include "support/span.h"

#define CURSOR(literal) qn_cursor(SPAN(literal))

static enum qn_err skip_all(struct qn_span input, unsigned depth_max)
{
    struct qn_cursor cursor = qn_cursor(input);
    struct qn_span item;
    QN_TRY(qn_cursor_skip(&cursor, depth_max, &item));
    return qn_cursor_finish(&cursor);
}

static void assert_u64(struct qn_span input, uint64_t wanted)
{
    struct qn_cursor cursor = qn_cursor(input);
    uint64_t value = ~wanted;
    cr_assert_eq(qn_cursor_peek(&cursor), QN_ITEM_UINT);
    cr_assert_eq(qn_cursor_u64(&cursor, &value), QN_OK);
    cr_assert_eq(value, wanted);
    cr_assert_eq(qn_cursor_finish(&cursor), QN_OK);
}

static void assert_i64(struct qn_span input, int64_t wanted)
{
    struct qn_cursor cursor = qn_cursor(input);
    int64_t value = ~wanted;
    cr_assert_eq(qn_cursor_i64(&cursor, &value), QN_OK);
    cr_assert_eq(value, wanted);
    cr_assert_eq(qn_cursor_finish(&cursor), QN_OK);
}

Test(cursor, nil_and_booleans)
{
    struct qn_cursor cursor = CURSOR("\xc0\xc2\xc3");
    bool value = true;
    cr_assert_eq(qn_cursor_nil(&cursor), QN_OK);
    cr_assert_eq(qn_cursor_bool(&cursor, &value), QN_OK);
    cr_assert_not(value);
    cr_assert_eq(qn_cursor_bool(&cursor, &value), QN_OK);
    cr_assert(value);
    cr_assert_eq(qn_cursor_finish(&cursor), QN_OK);
}

Test(cursor, unsigned_integers_of_every_width)
{
    assert_u64(SPAN("\x00"), 0);
    assert_u64(SPAN("\x7f"), 127);
    assert_u64(SPAN("\xcc\x80"), 128);
    assert_u64(SPAN("\xcc\xff"), 255);
    assert_u64(SPAN("\xcd\x01\x00"), 256);
    assert_u64(SPAN("\xcd\xff\xff"), 65535);
    assert_u64(SPAN("\xce\x00\x01\x00\x00"), 65536);
    assert_u64(SPAN("\xce\xff\xff\xff\xff"), UINT32_MAX);
    assert_u64(SPAN("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"), (uint64_t)UINT32_MAX + 1);
    assert_u64(SPAN("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), UINT64_MAX);
}

Test(cursor, signed_integers_of_every_width)
{
    assert_i64(SPAN("\x00"), 0);
    assert_i64(SPAN("\xff"), -1);
    assert_i64(SPAN("\xe0"), -32);
    assert_i64(SPAN("\xd0\xdf"), -33);
    assert_i64(SPAN("\xd0\x80"), -128);
    assert_i64(SPAN("\xd1\xff\x7f"), -129);
    assert_i64(SPAN("\xd1\x80\x00"), INT16_MIN);
    assert_i64(SPAN("\xd2\xff\xff\x7f\xff"), INT16_MIN - 1);
    assert_i64(SPAN("\xd2\x80\x00\x00\x00"), INT32_MIN);
    assert_i64(SPAN("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"), (int64_t)INT32_MIN - 1);
    assert_i64(SPAN("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), INT64_MIN);
    assert_i64(SPAN("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX);
}

Test(cursor, an_integer_of_the_wrong_sign_or_range_is_refused)
{
    struct qn_cursor negative = CURSOR("\xff"),
                     large = CURSOR("\xcf\x80\x00\x00\x00\x00\x00\x00\x00");
    uint64_t u64 = 7;
    int64_t i64 = 7;
    cr_assert_eq(qn_cursor_peek(&negative), QN_ITEM_INT);
    cr_assert_eq(qn_cursor_u64(&negative, &u64), QN_ERR_INVALID);
    cr_assert_eq(qn_cursor_i64(&large, &i64), QN_ERR_INVALID);
    cr_assert(u64 == 7 && i64 == 7 && negative.at == 0 && large.at == 0);
}

Test(cursor, doubles)
{
    struct qn_cursor cursor = CURSOR("\xcb\x40\x09\x21\xfb\x54\x44\x2d\x18");
    double value = 0;
    cr_assert_eq(qn_cursor_peek(&cursor), QN_ITEM_DOUBLE);
    cr_assert_eq(qn_cursor_double(&cursor, &value), QN_OK);
    cr_assert_eq(value, M_PI);
}

Test(cursor, strings_and_binaries_of_every_width)
{
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536, 100000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        QN_AUTO_FREE char *text = qn_alloc(sizes[i]);
        memset(text, 'x', sizes[i]);
        QN_AUTO_BUF struct qn_buf buf;
        qn_buf_init(&buf, 300000);
        qn_pack_str(&buf, qn_span(text, sizes[i]));
        qn_pack_bin(&buf, qn_span(text, sizes[i]));
        struct qn_cursor cursor = qn_cursor(qn_buf_view(&buf));
        struct qn_span got;
        cr_assert_eq(qn_cursor_str(&cursor, sizes[i], &got), QN_OK, "%zu", sizes[i]);
        cr_assert(qn_span_eq(got, qn_span(text, sizes[i])));
        cr_assert_eq(qn_cursor_bin(&cursor, sizes[i], &got), QN_OK, "%zu", sizes[i]);
        cr_assert(qn_span_eq(got, qn_span(text, sizes[i])));
        cr_assert_eq(qn_cursor_finish(&cursor), QN_OK);
    }
}

Test(cursor, more_than_the_caller_allows_is_a_limit)
{
    struct qn_cursor text = CURSOR("\xa3"
                                   "abc"),
                     bytes = CURSOR("\xc4\x03"
                                    "abc");
    struct qn_cursor array = CURSOR("\x92\x01\x02"), map = CURSOR("\x82\x01\x02\x03\x04");
    struct qn_span got = SPAN("kept");
    size_t count = 99;
    cr_assert_eq(qn_cursor_str(&text, 2, &got), QN_ERR_LIMIT);
    cr_assert_eq(qn_cursor_bin(&bytes, 2, &got), QN_ERR_LIMIT);
    cr_assert_eq(qn_cursor_array(&array, 1, &count), QN_ERR_LIMIT);
    cr_assert_eq(qn_cursor_map(&map, 1, &count), QN_ERR_LIMIT);
    cr_assert(qn_span_eq_str(got, "kept") && count == 99);
    cr_assert(text.at == 0 && bytes.at == 0 && array.at == 0 && map.at == 0);
}

Test(cursor, strings_are_utf8)
{
    struct qn_cursor cursor = CURSOR("\xa2\xc3\x28");
    struct qn_span got;
    cr_assert_eq(qn_cursor_str(&cursor, 10, &got), QN_ERR_INVALID);
    cr_assert_eq(skip_all(SPAN("\xa2\xc3\x28"), 0), QN_ERR_INVALID);
}

Test(cursor, bytes_of_a_fixed_size)
{
    uint8_t out[3] = "...";
    struct qn_cursor shorter = CURSOR("\xc4\x02"
                                      "ab"),
                     longer = CURSOR("\xc4\x04"
                                     "abcd");
    struct qn_cursor text = CURSOR("\xa3"
                                   "abc"),
                     exact = CURSOR("\xc4\x03"
                                    "abc");
    cr_assert_eq(qn_cursor_bytes(&shorter, out, 3), QN_ERR_INVALID);
    cr_assert_neq(qn_cursor_bytes(&longer, out, 3), QN_OK);
    cr_assert_eq(qn_cursor_bytes(&text, out, 3), QN_ERR_INVALID);
    cr_assert(shorter.at == 0 && longer.at == 0 && text.at == 0);
    assert_span_eq(QN_SPAN_OF(out), SPAN("..."));
    cr_assert_eq(qn_cursor_bytes(&exact, out, 3), QN_OK);
    assert_span_eq(QN_SPAN_OF(out), SPAN("abc"));
}

/* No memory is asked for on the word of a peer: the items must be able to follow. */
Test(cursor, a_count_that_cannot_follow_is_refused)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\x91", 1},
        {"\x93\x01\x02", 3},
        {"\x81\x01", 2},
        {"\xdc\xff\xff\x00", 4},
        {"\xdd\xff\xff\xff\xff\x00", 6},
        {"\xde\xff\xff\x00", 4},
        {"\xdf\xff\xff\xff\xff\x00", 6},
        {"\xdf\x80\x00\x00\x00\x00", 6},
        {"\xc6\xff\xff\xff\xff\x00", 6},
        {"\xdb\xff\xff\xff\xff\x00", 6},
        {"\xa1", 1},
        {"\xc4\x01", 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct qn_cursor cursor = qn_cursor(qn_span(cases[i].bytes, cases[i].size));
        struct qn_span item;
        size_t count;
        cr_assert_eq(qn_cursor_array(&cursor, SIZE_MAX, &count), QN_ERR_INVALID, "%zu", i);
        cr_assert_eq(qn_cursor_map(&cursor, SIZE_MAX, &count), QN_ERR_INVALID, "%zu", i);
        cr_assert_eq(qn_cursor_str(&cursor, SIZE_MAX, &item), QN_ERR_INVALID, "%zu", i);
        cr_assert_eq(qn_cursor_bin(&cursor, SIZE_MAX, &item), QN_ERR_INVALID, "%zu", i);
        cr_assert_eq(qn_cursor_skip(&cursor, 10, &item), QN_ERR_INVALID, "%zu", i);
        cr_assert_eq(cursor.at, 0);
    }
}

static void assert_refused(const char *bytes, size_t size)
{
    struct qn_span input = qn_span(bytes, size);
    struct qn_cursor cursor = qn_cursor(input);
    cr_assert_eq(qn_cursor_peek(&cursor), QN_ITEM_BAD, "%s", span_hex(input));
    cr_assert_eq(skip_all(input, 10), QN_ERR_INVALID, "%s", span_hex(input));
}
#define REFUSED(literal) assert_refused((literal), sizeof(literal) - 1)

Test(canonical, longer_integers_than_needed_are_refused)
{
    REFUSED("\xcc\x00");
    REFUSED("\xcc\x7f");
    REFUSED("\xcd\x00\xff");
    REFUSED("\xce\x00\x00\xff\xff");
    REFUSED("\xcf\x00\x00\x00\x00\xff\xff\xff\xff");
    REFUSED("\xd0\xff");
    REFUSED("\xd0\xe0");
    REFUSED("\xd1\xff\x80");
    REFUSED("\xd2\xff\xff\x80\x00");
    REFUSED("\xd3\xff\xff\xff\xff\x80\x00\x00\x00");
}

Test(canonical, signed_forms_of_positive_integers_are_refused)
{
    REFUSED("\xd0\x00");
    REFUSED("\xd0\x7f");
    REFUSED("\xd1\x7f\xff");
    REFUSED("\xd2\x7f\xff\xff\xff");
    REFUSED("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff");
}

Test(canonical, longer_sizes_than_needed_are_refused)
{
    REFUSED("\xd9\x01"
            "a");
    REFUSED("\xd9\x1f"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    REFUSED("\xda\x00\x20"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    REFUSED("\xdb\x00\x00\x00\x01"
            "a");
    REFUSED("\xc5\x00\x01"
            "a");
    REFUSED("\xc6\x00\x00\x00\x01"
            "a");
    REFUSED("\xdc\x00\x01\xc0");
    REFUSED("\xdd\x00\x00\x00\x01\xc0");
    REFUSED("\xde\x00\x01\xc0\xc0");
    REFUSED("\xdf\x00\x00\x00\x01\xc0\xc0");
}

Test(canonical, types_that_are_never_written_are_refused)
{
    REFUSED("\xc1");
    REFUSED("\xca\x00\x00\x00\x00");
    REFUSED("\xc7\x01\x00\x00");
    REFUSED("\xc8\x00\x01\x00\x00");
    REFUSED("\xc9\x00\x00\x00\x01\x00\x00");
    REFUSED("\xd4\x00\x00");
    REFUSED("\xd5\x00\x00\x00");
    REFUSED("\xd6\xff\x00\x00\x00\x00");
    REFUSED("\xd7\xff\x00\x00\x00\x00\x00\x00\x00\x00");
    REFUSED("\xd8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00");
}

Test(canonical, every_first_byte_is_decided)
{
    for (unsigned first = 0; first < 256; first++) {
        uint8_t bytes[1] = {(uint8_t)first};
        struct qn_cursor cursor = qn_cursor(QN_SPAN_OF(bytes));
        enum qn_item item = qn_cursor_peek(&cursor);
        cr_assert_neq(item, QN_ITEM_END);
        bool is_whole = first <= 0x80 || first == 0x90 || first == 0xa0 || first == 0xc0 ||
                        first == 0xc2 || first == 0xc3 || first >= 0xe0;
        cr_assert_eq(skip_all(QN_SPAN_OF(bytes), 1) == QN_OK, is_whole, "%02x", first);
    }
}

static void pack_sample(struct qn_buf *buf)
{
    qn_pack_map(buf, 3);
    qn_pack_cstr(buf, "number");
    qn_pack_i64(buf, -70000);
    qn_pack_cstr(buf, "list");
    qn_pack_array(buf, 4);
    qn_pack_nil(buf);
    qn_pack_bool(buf, true);
    qn_pack_double(buf, 0.5);
    qn_pack_u64(buf, 1234567890123);
    qn_pack_cstr(buf, "a text of more than thirty-two letters");
    qn_pack_bin(buf, SPAN("\x00\x01\x02"));
}

Test(truncation, a_message_cut_at_any_byte_is_refused)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 1000);
    pack_sample(&buf);
    cr_assert_eq(skip_all(qn_buf_view(&buf), 2), QN_OK);
    for (size_t size = 0; size < buf.size; size++) {
        QN_AUTO_FREE uint8_t *cut = qn_memdup(buf.data, size); /* so that ASan sees the end */
        struct qn_cursor cursor = qn_cursor(qn_span(cut, size));
        struct qn_span item = SPAN("kept");
        cr_assert_eq(qn_cursor_skip(&cursor, 2, &item), QN_ERR_INVALID, "%zu", size);
        cr_assert_eq(cursor.at, 0);
        cr_assert(qn_span_eq_str(item, "kept"));
    }
}

Test(truncation, nothing_may_follow)
{
    cr_assert_eq(skip_all(SPAN("\xc0\xc0"), 0), QN_ERR_INVALID);
}

Test(end, nothing_can_be_read)
{
    struct qn_cursor cursor = qn_cursor(qn_span(NULL, 0));
    struct qn_span item;
    uint64_t value;
    cr_assert(qn_cursor_is_end(&cursor));
    cr_assert_eq(qn_cursor_peek(&cursor), QN_ITEM_END);
    cr_assert_eq(qn_cursor_finish(&cursor), QN_OK);
    cr_assert_eq(qn_cursor_nil(&cursor), QN_ERR_INVALID);
    cr_assert_eq(qn_cursor_u64(&cursor, &value), QN_ERR_INVALID);
    cr_assert_eq(qn_cursor_skip(&cursor, 1, &item), QN_ERR_INVALID);
}

Test(depth, is_counted_in_containers)
{
    uint8_t nested[41];
    memset(nested, 0x91, 40);
    nested[40] = 0xc0;
    for (unsigned depth = 0; depth <= 40; depth++) {
        struct qn_span input = qn_span(nested + 40 - depth, depth + 1);
        cr_assert_eq(skip_all(input, depth), QN_OK, "%u", depth);
        if (depth > 0)
            cr_assert_eq(skip_all(input, depth - 1), QN_ERR_LIMIT, "%u", depth);
    }
}

Test(depth, a_bomb_of_brackets_is_refused)
{
    size_t size = 1024 * 1024;
    QN_AUTO_FREE uint8_t *bomb = qn_alloc(size);
    memset(bomb, 0x91, size);
    cr_assert_eq(skip_all(qn_span(bomb, size), 32), QN_ERR_LIMIT);
    memset(bomb, 0x81, size);
    cr_assert_eq(skip_all(qn_span(bomb, size), 32), QN_ERR_LIMIT);
}

Test(random, any_bytes_are_safe_and_the_cursor_stays_inside)
{
    struct qn_prng prng = {.state = 20240229};
    for (int round = 0; round < 200000; round++) {
        uint8_t bytes[24];
        size_t size = qn_prng_below(&prng, sizeof(bytes) + 1);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)qn_prng_next(&prng);
        struct qn_cursor cursor = qn_cursor(qn_span(bytes, size));
        struct qn_span item;
        while (qn_cursor_skip(&cursor, 8, &item) == QN_OK) {
            cr_assert(cursor.at <= size && item.size > 0);
            cr_assert_eq(item.data + item.size, bytes + cursor.at);
        }
    }
}
