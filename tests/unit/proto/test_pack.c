#include <criterion/criterion.h>
#include <math.h>

#include "base/prng.h"
#include "proto/cursor.h"
#include "proto/pack.h"
#include "support/span.h"

static struct qn_cursor packed(struct qn_buf *buf)
{
    cr_assert_eq(qn_buf_status(buf), QN_OK);
    return qn_cursor(qn_buf_view(buf));
}

static void assert_unsigned(uint64_t value)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 9);
    qn_pack_u64(&buf, value);
    struct qn_cursor cursor = packed(&buf);
    uint64_t got = ~value;
    cr_assert_eq(qn_cursor_u64(&cursor, &got), QN_OK, "%lu", value);
    cr_assert_eq(got, value);
    cr_assert_eq(qn_cursor_finish(&cursor), QN_OK);
}

static void assert_signed(int64_t value)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 9);
    qn_pack_i64(&buf, value);
    struct qn_cursor cursor = packed(&buf);
    int64_t got = ~value;
    cr_assert_eq(qn_cursor_i64(&cursor, &got), QN_OK, "%ld", value);
    cr_assert_eq(got, value);
    cr_assert_eq(qn_cursor_finish(&cursor), QN_OK);
}

Test(pack, integers_around_every_power_of_two)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = (uint64_t)1 << bit;
        for (uint64_t value = power - 2; value != power + 3; value++) {
            assert_unsigned(value);
            assert_signed((int64_t)value);
            assert_signed((int64_t)(0 - value));
        }
    }
}

Test(pack, a_positive_integer_has_one_form_whoever_writes_it)
{
    struct qn_prng prng = {.state = 3};
    for (int i = 0; i < 10000; i++) {
        uint64_t value = qn_prng_next(&prng) >> (1 + qn_prng_below(&prng, 63));
        QN_AUTO_BUF struct qn_buf a, b;
        qn_buf_init(&a, 9);
        qn_buf_init(&b, 9);
        qn_pack_u64(&a, value);
        qn_pack_i64(&b, (int64_t)value);
        assert_span_eq(qn_buf_view(&a), qn_buf_view(&b));
    }
}

Test(pack, doubles)
{
    static const double values[] = {0.0, -0.0, 0.1, -1e300, 5e-324, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        QN_AUTO_BUF struct qn_buf buf;
        qn_buf_init(&buf, 9);
        qn_pack_double(&buf, values[i]);
        struct qn_cursor cursor = packed(&buf);
        double got = 42;
        cr_assert_eq(qn_cursor_double(&cursor, &got), QN_OK);
        cr_assert(qn_span_eq(QN_SPAN_OF(got), QN_SPAN_OF(values[i])), "%g", values[i]);
    }
}

Test(pack, containers_of_every_width)
{
    static const size_t counts[] = {0, 1, 15, 16, 17, 65535, 65536, 70000};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        QN_AUTO_BUF struct qn_buf buf;
        qn_buf_init(&buf, 300000);
        qn_pack_array(&buf, counts[i]);
        for (size_t k = 0; k < counts[i]; k++)
            qn_pack_nil(&buf);
        qn_pack_map(&buf, counts[i]);
        for (size_t k = 0; k < 2 * counts[i]; k++)
            qn_pack_bool(&buf, k % 2);
        struct qn_cursor cursor = packed(&buf);
        struct qn_span item;
        size_t count = 99;
        struct qn_cursor array = cursor;
        cr_assert_eq(qn_cursor_array(&array, counts[i], &count), QN_OK);
        cr_assert_eq(count, counts[i]);
        cr_assert_eq(qn_cursor_skip(&cursor, 1, &item), QN_OK);
        struct qn_cursor map = cursor;
        cr_assert_eq(qn_cursor_map(&map, counts[i], &count), QN_OK);
        cr_assert_eq(count, counts[i]);
        cr_assert_eq(qn_cursor_skip(&cursor, 1, &item), QN_OK);
        cr_assert_eq(qn_cursor_finish(&cursor), QN_OK);
    }
}

Test(pack, an_overflow_is_remembered_by_the_buffer)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, 3);
    qn_pack_cstr(&buf, "abc");
    cr_assert_eq(qn_buf_status(&buf), QN_ERR_LIMIT);
}

/* --- random values: what is packed is what the cursor passes and gives back --- */

static void pack_random(struct qn_buf *out, struct qn_prng *prng, unsigned depth)
{
    switch (qn_prng_below(prng, depth > 0 ? 9 : 7)) {
    case 0:
        qn_pack_nil(out);
        break;
    case 1:
        qn_pack_bool(out, qn_prng_below(prng, 2));
        break;
    case 2:
        qn_pack_u64(out, qn_prng_next(prng) >> qn_prng_below(prng, 64));
        break;
    case 3:
        qn_pack_i64(out, -(int64_t)(qn_prng_next(prng) >> (1 + qn_prng_below(prng, 63))));
        break;
    case 4:
        qn_pack_double(out, (double)qn_prng_next(prng) / 1000);
        break;
    case 5:
        qn_pack_bin(out, qn_span("\xff\x00\xfe\x00\xfd", qn_prng_below(prng, 6)));
        break;
    case 6:
        qn_pack_str(out, qn_span("maison", qn_prng_below(prng, 7)));
        break;
    default: {
        size_t count = qn_prng_below(prng, 20);
        bool is_map = qn_prng_below(prng, 2);
        if (is_map)
            qn_pack_map(out, count);
        else
            qn_pack_array(out, count);
        for (size_t i = 0; i < (is_map ? 2 * count : count); i++)
            pack_random(out, prng, depth - 1);
    }
    }
}

/* Reads one item with the getters and writes it again. */
static void copy_item(struct qn_cursor *from, struct qn_buf *to)
{
    bool flag = false;
    uint64_t u64 = 0;
    int64_t i64 = 0;
    double number = 0;
    size_t count = 0;
    struct qn_span bytes = {0};
    switch (qn_cursor_peek(from)) {
    case QN_ITEM_NIL:
        cr_assert_eq(qn_cursor_nil(from), QN_OK);
        qn_pack_nil(to);
        return;
    case QN_ITEM_BOOL:
        cr_assert_eq(qn_cursor_bool(from, &flag), QN_OK);
        qn_pack_bool(to, flag);
        return;
    case QN_ITEM_UINT:
        cr_assert_eq(qn_cursor_u64(from, &u64), QN_OK);
        qn_pack_u64(to, u64);
        return;
    case QN_ITEM_INT:
        cr_assert_eq(qn_cursor_i64(from, &i64), QN_OK);
        qn_pack_i64(to, i64);
        return;
    case QN_ITEM_DOUBLE:
        cr_assert_eq(qn_cursor_double(from, &number), QN_OK);
        qn_pack_double(to, number);
        return;
    case QN_ITEM_STR:
        cr_assert_eq(qn_cursor_str(from, SIZE_MAX, &bytes), QN_OK);
        qn_pack_str(to, bytes);
        return;
    case QN_ITEM_BIN:
        cr_assert_eq(qn_cursor_bin(from, SIZE_MAX, &bytes), QN_OK);
        qn_pack_bin(to, bytes);
        return;
    case QN_ITEM_ARRAY:
        cr_assert_eq(qn_cursor_array(from, SIZE_MAX, &count), QN_OK);
        qn_pack_array(to, count);
        break;
    case QN_ITEM_MAP:
        cr_assert_eq(qn_cursor_map(from, SIZE_MAX, &count), QN_OK);
        qn_pack_map(to, count);
        count *= 2;
        break;
    case QN_ITEM_END:
    case QN_ITEM_BAD:
        cr_assert_fail("not an item");
    }
    for (size_t i = 0; i < count; i++)
        copy_item(from, to);
}

Test(round_trip, random_values)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct qn_prng prng = {.state = seed};
        QN_AUTO_BUF struct qn_buf first, second, raw;
        qn_buf_init(&first, 1 << 22);
        qn_buf_init(&second, 1 << 22);
        qn_buf_init(&raw, 1 << 22);
        pack_random(&first, &prng, 4);
        struct qn_cursor cursor = packed(&first), skipped = cursor;
        struct qn_span item;
        copy_item(&cursor, &second);
        cr_assert_eq(qn_cursor_finish(&cursor), QN_OK, "seed %lu", seed);
        cr_assert(qn_span_eq(qn_buf_view(&first), qn_buf_view(&second)), "seed %lu", seed);
        cr_assert_eq(qn_cursor_skip(&skipped, 4, &item), QN_OK, "seed %lu", seed);
        qn_pack_raw(&raw, item);
        cr_assert(qn_span_eq(qn_buf_view(&first), qn_buf_view(&raw)), "seed %lu", seed);
    }
}
