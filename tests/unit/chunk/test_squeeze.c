#include <criterion/criterion.h>
#include <zstd.h>

#include "support/packs.h"
#include "support/span.h"

#define SIZE_MAX_TESTED ((size_t)256 * 1024)

static bool squeezes(struct qn_squeezer *squeezer, struct qn_span raw, struct qn_buf *out)
{
    bool is_smaller = false;
    qn_buf_init(out, raw.size);
    cr_assert_eq(qn_squeeze(squeezer, raw, out, &is_smaller), QN_OK);
    cr_assert_eq(is_smaller, out->size > 0);
    cr_assert(out->size <= raw.size - raw.size / 32);
    return is_smaller;
}

static void assert_comes_back(struct qn_squeezer *squeezer, struct qn_span packed,
                              struct qn_span raw)
{
    QN_AUTO_FREE uint8_t *out = qn_alloc(raw.size);
    cr_assert_eq(qn_unsqueeze(squeezer, packed, out, raw.size), QN_OK);
    cr_assert(qn_span_eq(qn_span(out, raw.size), raw));
}

/* Text of few words. */
static void fill_text(struct qn_prng *prng, uint8_t *out, size_t size)
{
    static const char *const words[] = {"room ", "note ", "weight ", "visit\n", "morning "};
    for (size_t at = 0; at < size;) {
        struct qn_span word = qn_span_str(words[qn_prng_below(prng, 5)]);
        size_t taken = word.size < size - at ? word.size : size - at;
        memcpy(out + at, word.data, taken);
        at += taken;
    }
}

Test(squeeze, text_shrinks_at_every_level_and_comes_back)
{
    struct qn_prng prng = {.state = 1};
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(SIZE_MAX_TESTED);
    fill_text(&prng, bytes, SIZE_MAX_TESTED);
    for (int level = 1; level <= 19; level += 6) {
        struct qn_squeezer *squeezer = qn_squeezer_new(level);
        for (size_t size = 64; size <= SIZE_MAX_TESTED; size *= 2) {
            QN_AUTO_BUF struct qn_buf packed;
            struct qn_span raw = qn_span(bytes, size - 1 + size / 64);
            if (raw.size > SIZE_MAX_TESTED)
                break;
            cr_assert(squeezes(squeezer, raw, &packed), "%zu bytes at level %d", size, level);
            assert_comes_back(squeezer, qn_buf_view(&packed), raw);
        }
        qn_squeezer_free(squeezer);
    }
    qn_squeezer_free(NULL);
}

Test(squeeze, noise_is_stored_as_it_is)
{
    struct qn_prng prng = {.state = 1};
    struct qn_squeezer *squeezer = qn_squeezer_new(3);
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(SIZE_MAX_TESTED);
    packs_fill(&prng, bytes, SIZE_MAX_TESTED);
    for (size_t size = 0; size <= SIZE_MAX_TESTED; size = size * 2 + 1) {
        QN_AUTO_BUF struct qn_buf packed;
        cr_assert_not(squeezes(squeezer, qn_span(bytes, size), &packed), "%zu bytes", size);
    }
    qn_squeezer_free(squeezer);
}

/* Noise of 7 bits a byte: no match is anywhere, and 12 % are to be saved. */
Test(squeeze, few_byte_values_are_worth_it)
{
    struct qn_prng prng = {.state = 1};
    struct qn_squeezer *squeezer = qn_squeezer_new(3);
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(SIZE_MAX_TESTED);
    QN_AUTO_BUF struct qn_buf packed;
    packs_fill(&prng, bytes, SIZE_MAX_TESTED);
    for (size_t i = 0; i < SIZE_MAX_TESTED; i++)
        bytes[i] &= 0x7f;
    cr_assert(squeezes(squeezer, qn_span(bytes, SIZE_MAX_TESTED), &packed));
    cr_assert_lt(packed.size, SIZE_MAX_TESTED * 89 / 100);
    qn_squeezer_free(squeezer);
}

/* All bytes are equally frequent, but each piece of 256 comes twice: the counts say nothing, the
 * quick try does. */
Test(squeeze, repetitions_are_found_where_bytes_are_even)
{
    struct qn_prng prng = {.state = 1};
    struct qn_squeezer *squeezer = qn_squeezer_new(3);
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(SIZE_MAX_TESTED);
    QN_AUTO_BUF struct qn_buf packed;
    for (size_t at = 0; at < SIZE_MAX_TESTED; at += 512) {
        packs_fill(&prng, bytes + at, 256);
        memcpy(bytes + at + 256, bytes + at, 256);
    }
    cr_assert(squeezes(squeezer, qn_span(bytes, SIZE_MAX_TESTED), &packed));
    cr_assert_lt(packed.size, SIZE_MAX_TESTED * 55 / 100);
    assert_comes_back(squeezer, qn_buf_view(&packed), qn_span(bytes, SIZE_MAX_TESTED));
    qn_squeezer_free(squeezer);
}

/* Size of what zstd makes of it by itself. */
static size_t plain_size(int level, struct qn_span raw)
{
    QN_AUTO_FREE uint8_t *out = qn_alloc(ZSTD_compressBound(raw.size));
    size_t size = ZSTD_compress(out, ZSTD_compressBound(raw.size), raw.data, raw.size, level);
    cr_assert_not(ZSTD_isError(size));
    return size;
}

/* Words without an order, rare ones and frequent ones, of letters that are rare and frequent. */
static void fill_prose(uint8_t *out, size_t size)
{
    struct qn_prng draw = {.state = 1};
    for (size_t at = 0; at < size;) {
        uint64_t number = qn_prng_below(&draw, 4096);
        struct qn_prng word = {.state = number * number / 4096};
        size_t letters = 2 + qn_prng_below(&word, 9);
        for (size_t i = 0; i < letters && at < size; i++)
            out[at++] = (uint8_t)('a' + qn_prng_below(&word, 1 + qn_prng_below(&word, 26)));
        if (at < size)
            out[at++] = ' ';
    }
}

/* As instructions of a program: a few bytes that come again, and one that does not. */
static void fill_code(uint8_t *out, size_t size)
{
    struct qn_prng draw = {.state = 1};
    for (size_t at = 0; at < size; at++) {
        struct qn_prng word = {.state = qn_prng_below(&draw, 60)};
        for (size_t i = 0; i < 5 && at < size; i++)
            out[at++] = (uint8_t)qn_prng_below(&word, 256);
        if (at < size)
            out[at] = (uint8_t)qn_prng_below(&draw, 256);
    }
}

/* Matches of a few bytes between words that only look alike are not worth what they cost. */
Test(squeeze, what_repeats_in_long_pieces_is_smaller_than_at_the_level)
{
    struct qn_squeezer *squeezer = qn_squeezer_new(3);
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(SIZE_MAX_TESTED);
    fill_prose(bytes, SIZE_MAX_TESTED);
    for (size_t size = 16384; size <= SIZE_MAX_TESTED; size *= 16) {
        QN_AUTO_BUF struct qn_buf packed;
        struct qn_span raw = qn_span(bytes, size);
        cr_assert(squeezes(squeezer, raw, &packed));
        cr_assert_lt(packed.size, plain_size(3, raw) * 98 / 100, "%zu bytes: %zu of %zu", size,
                     packed.size, plain_size(3, raw));
        assert_comes_back(squeezer, qn_buf_view(&packed), raw);
    }
    qn_squeezer_free(squeezer);
}

/* In turns with the other kind: what one chunk was like decides nothing for the next. */
Test(squeeze, what_repeats_in_short_pieces_is_as_small_as_at_the_level)
{
    struct qn_squeezer *squeezer = qn_squeezer_new(3);
    QN_AUTO_FREE uint8_t *prose = qn_alloc(SIZE_MAX_TESTED), *code = qn_alloc(SIZE_MAX_TESTED);
    fill_prose(prose, SIZE_MAX_TESTED);
    fill_code(code, SIZE_MAX_TESTED);
    for (size_t size = 4096; size <= SIZE_MAX_TESTED; size *= 2) {
        QN_AUTO_BUF struct qn_buf packed, other;
        cr_assert(squeezes(squeezer, qn_span(prose, size), &other));
        cr_assert(squeezes(squeezer, qn_span(code, size), &packed));
        cr_assert_leq(packed.size, plain_size(3, qn_span(code, size)), "%zu bytes", size);
    }
    qn_squeezer_free(squeezer);
}

/* What the samples promise need not come true: then nothing is left in the buffer. */
Test(squeeze, a_promise_that_fails_appends_nothing)
{
    struct qn_prng prng = {.state = 1};
    struct qn_squeezer *squeezer = qn_squeezer_new(3);
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(SIZE_MAX_TESTED);
    QN_AUTO_BUF struct qn_buf packed;
    packs_fill(&prng, bytes, SIZE_MAX_TESTED);
    memset(bytes, 0, 4096); /* the first sample: 1.6 % of all */
    cr_assert_not(squeezes(squeezer, qn_span(bytes, SIZE_MAX_TESTED), &packed));
    cr_assert_eq(packed.size, 0);
    cr_assert_eq(qn_buf_status(&packed), QN_OK);
    qn_squeezer_free(squeezer);
}

Test(squeeze, appends_behind_what_is_there)
{
    struct qn_squeezer *squeezer = qn_squeezer_new(3);
    QN_AUTO_BUF struct qn_buf packed;
    uint8_t raw[1000] = {0};
    bool is_smaller;
    qn_buf_init(&packed, 2000);
    qn_buf_append_str(&packed, "before");
    cr_assert_eq(qn_squeeze(squeezer, QN_SPAN_OF(raw), &packed, &is_smaller), QN_OK);
    cr_assert(is_smaller);
    cr_assert(qn_span_has_prefix(qn_buf_view(&packed), SPAN("before")));
    assert_comes_back(squeezer, qn_span_from(qn_buf_view(&packed), 6), QN_SPAN_OF(raw));
    qn_squeezer_free(squeezer);
}

Test(squeeze, a_full_buffer_is_an_error)
{
    struct qn_squeezer *squeezer = qn_squeezer_new(3);
    QN_AUTO_BUF struct qn_buf packed;
    uint8_t raw[1000] = {0};
    bool is_smaller;
    qn_buf_init(&packed, 10);
    cr_assert_eq(qn_squeeze(squeezer, QN_SPAN_OF(raw), &packed, &is_smaller), QN_ERR_LIMIT);
    qn_squeezer_free(squeezer);
}

Test(squeeze, only_exactly_the_raw_size_comes_back)
{
    struct qn_squeezer *squeezer = qn_squeezer_new(3);
    QN_AUTO_BUF struct qn_buf packed;
    uint8_t raw[1000] = {0}, out[1001];
    cr_assert(squeezes(squeezer, QN_SPAN_OF(raw), &packed));
    struct qn_span bytes = qn_buf_view(&packed);
    cr_assert_eq(qn_unsqueeze(squeezer, bytes, out, 1001), QN_ERR_CORRUPT);
    cr_assert_eq(qn_unsqueeze(squeezer, bytes, out, 999), QN_ERR_CORRUPT);
    cr_assert_eq(qn_unsqueeze(squeezer, bytes, out, 0), QN_ERR_CORRUPT);
    for (size_t size = 1; size < bytes.size; size++)
        cr_assert_eq(qn_unsqueeze(squeezer, qn_span(bytes.data, size), out, 1000), QN_ERR_CORRUPT);
    cr_assert_eq(qn_unsqueeze(squeezer, bytes, out, 1000), QN_OK);
    qn_squeezer_free(squeezer);
}
