#include <criterion/criterion.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/prng.h"
#include "support/span.h"

struct text_case {
    struct qn_span text;
    const char *what;
};

#define CASE(literal, what)                                                                        \
    {                                                                                              \
        {(const uint8_t *)(literal), sizeof(literal) - 1}, what                                    \
    }

Test(utf8, well_formed)
{
    static const struct text_case cases[] = {
        CASE("", "nothing"),
        CASE("abc", "ASCII"),
        CASE("\x00\x7f", "the ends of one byte"),
        CASE("\xc2\x80\xdf\xbf", "the ends of two bytes"),
        CASE("\xe0\xa0\x80\xef\xbf\xbf", "the ends of three bytes"),
        CASE("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "the ends of four bytes"),
        CASE("\xed\x9f\xbf\xee\x80\x80", "both sides of the surrogates"),
        CASE("\xef\xbf\xbe", "a noncharacter is well-formed"),
        CASE("Maison de retraite d\xe2\x80\x99"
             "Arcambal \xe2\x80\x93 \xc3\xa9t\xc3\xa9",
             "French"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert(qn_text_is_utf8(cases[i].text), "%s", cases[i].what);
}

Test(utf8, ill_formed)
{
    static const struct text_case cases[] = {
        CASE("\x80", "a lone continuation"),
        CASE("\xbf", "a lone continuation"),
        CASE("\xc0\x80", "overlong NUL"),
        CASE("\xc1\xbf", "overlong DEL"),
        CASE("\xe0\x9f\xbf", "overlong, three bytes"),
        CASE("\xf0\x8f\xbf\xbf", "overlong, four bytes"),
        CASE("\xed\xa0\x80", "first surrogate"),
        CASE("\xed\xbf\xbf", "last surrogate"),
        CASE("\xed\xa0\x80\xed\xb0\x80", "a pair of surrogates"),
        CASE("\xf4\x90\x80\x80", "above U+10FFFF"),
        CASE("\xf5\x80\x80\x80", "no such first byte"),
        CASE("\xfe", "no such byte"),
        CASE("\xff", "no such byte"),
        CASE("\xc3", "cut after one of two"),
        CASE("\xe2\x82", "cut after two of three"),
        CASE("\xf0\x9f\x98", "cut after three of four"),
        CASE("\xc3"
             "a",
             "a letter where a continuation must be"),
        CASE("\xe2\x82\xc3", "a first byte where the third must be"),
        CASE("good\xffgood", "in the middle"),
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_not(qn_text_is_utf8(cases[i].text), "%s", cases[i].what);
}

/* Encodes without caring for validity; gives the size. */
static size_t encode(uint32_t point, uint8_t out[4])
{
    if (point < 0x80)
        return out[0] = (uint8_t)point, 1;
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, point >>= 6)
        out[i] = (uint8_t)(0x80 | (point & 0x3f));
    out[0] = (uint8_t)((0xf00u >> size) | point);
    return size;
}

/* ASCII is passed over several bytes at a time. */
Test(utf8, one_bad_byte_is_found_wherever_it_stands)
{
    uint8_t bytes[40];
    for (size_t size = 1; size <= sizeof(bytes); size++)
        for (size_t at = 0; at < size; at++) {
            memset(bytes, 'a', size);
            cr_assert(qn_text_is_utf8(qn_span(bytes, size)));
            bytes[at] = 0xff;
            cr_assert_not(qn_text_is_utf8(qn_span(bytes, size)), "%zu of %zu", at, size);
        }
}

Test(utf8, every_code_point)
{
    for (uint32_t point = 0; point < 0x120000; point++) {
        uint8_t bytes[4];
        size_t size = encode(point, bytes);
        bool is_scalar = point < 0xd800 || (point > 0xdfff && point <= 0x10ffff);
        cr_assert_eq(qn_text_is_utf8(qn_span(bytes, size)), is_scalar, "U+%04X", point);
    }
}

Test(printable, controls_are_refused)
{
    cr_assert(qn_text_is_printable(SPAN("L\xc3\xa9on 1/2")));
    for (uint8_t c = 0; c < 0x20; c++)
        cr_assert_not(qn_text_is_printable(qn_span(&c, 1)), "%02x", c);
    cr_assert_not(qn_text_is_printable(SPAN("a\x7f")));
    cr_assert_not(qn_text_is_printable(SPAN("a\xff")));
}

/* U+009B is CSI: a terminal would take what follows for a command. */
Test(printable, c1_controls_are_refused)
{
    for (uint8_t low = 0x80; low <= 0x9f; low++)
        cr_assert_not(qn_text_is_printable(qn_span((uint8_t[]){'a', 0xc2, low}, 3)), "%02x", low);
    cr_assert(qn_text_is_printable(SPAN("\xc2\xa0")));
    cr_assert(qn_text_is_printable(SPAN("\xc3\x80")));
    cr_assert(qn_text_is_utf8(SPAN("\xc2\x80")));
}

Test(hex, both_ways)
{
    QN_AUTO_BUF struct qn_buf text, bytes;
    qn_buf_init(&text, 100);
    qn_buf_init(&bytes, 100);
    qn_text_append_hex(&text, SPAN("\x00\x1f\xab\xff"));
    assert_buf_eq(&text, "001fabff");
    cr_assert_eq(qn_text_parse_hex(SPAN("001FabfF"), &bytes), QN_OK);
    assert_buf_eq(&bytes, "\x00\x1f\xab\xff");
}

Test(hex, into_an_array)
{
    char text[9] = "xxxxxxxx";
    qn_text_hex(SPAN("\x00\x1f\xab\xff"), text);
    cr_assert_str_eq(text, "001fabff");
    qn_text_hex(qn_span(NULL, 0), text);
    cr_assert_str_eq(text, "");
}

Test(hex, nonsense_is_refused_and_nothing_is_written)
{
    static const char *const bad[] = {"0", "0g", "g0", "abc", "0x", "--", "00zz", "é"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        QN_AUTO_BUF struct qn_buf out;
        qn_buf_init(&out, 100);
        qn_buf_append_str(&out, "before");
        cr_assert_eq(qn_text_parse_hex(qn_span_str(bad[i]), &out), QN_ERR_INVALID, "%s", bad[i]);
        assert_buf_eq(&out, "before");
    }
}

Test(hex, too_much_for_the_buffer)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 1);
    cr_assert_eq(qn_text_parse_hex(SPAN("aabb"), &out), QN_ERR_LIMIT);
    cr_assert_eq(out.size, 0);
}

/* RFC 4648, section 10, without the padding. */
static const struct {
    const char *bytes, *text;
} vectors[] = {
    {"", ""},
    {"f", "MY"},
    {"fo", "MZXQ"},
    {"foo", "MZXW6"},
    {"foob", "MZXW6YQ"},
    {"fooba", "MZXW6YTB"},
    {"foobar", "MZXW6YTBOI"},
};

Test(base32, rfc_4648_vectors)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        QN_AUTO_BUF struct qn_buf text, bytes;
        qn_buf_init(&text, 100);
        qn_buf_init(&bytes, 100);
        qn_text_append_base32(&text, qn_span_str(vectors[i].bytes), 0);
        assert_span_eq(qn_buf_view(&text), qn_span_str(vectors[i].text));
        cr_assert_eq(qn_text_parse_base32(qn_span_str(vectors[i].text), &bytes), QN_OK);
        assert_span_eq(qn_buf_view(&bytes), qn_span_str(vectors[i].bytes));
    }
}

Test(base32, groups)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 100);
    qn_text_append_base32(&text, SPAN("foobar"), 5);
    assert_buf_eq(&text, "MZXW6-YTBOI");
    qn_buf_reset(&text);
    qn_text_append_base32(&text, SPAN("foobar"), 7);
    assert_buf_eq(&text, "MZXW6YT-BOI");
}

Test(base32, reads_what_people_write)
{
    static const char *const same[] = {"MZXW6YTBOI",       "mzxw6ytboi", "MZXW6-YTBOI",
                                       " mzxw6 ytboi\r\n", "MZXW6YT801", "mzxw6ytb0i"};
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        QN_AUTO_BUF struct qn_buf bytes;
        qn_buf_init(&bytes, 100);
        cr_assert_eq(qn_text_parse_base32(qn_span_str(same[i]), &bytes), QN_OK, "%s", same[i]);
        assert_buf_eq(&bytes, "foobar");
    }
}

Test(base32, nonsense_is_refused_and_nothing_is_written)
{
    static const char *const bad[] = {
        "M",        /* five bits are no byte */
        "MZX",      /* a letter too many */
        "MZXW6Y",   /* a letter too many */
        "MZ",       /* bits left over that are not zero */
        "MZXW6YR",  /* likewise */
        "MY======", /* no padding here */
        "MZXW9",    /* 9 stands for nothing */
        "MZ_W6",    /* not a separator */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        QN_AUTO_BUF struct qn_buf out;
        qn_buf_init(&out, 100);
        qn_buf_append_str(&out, "before");
        cr_assert_eq(qn_text_parse_base32(qn_span_str(bad[i]), &out), QN_ERR_INVALID, "%s", bad[i]);
        assert_buf_eq(&out, "before");
    }
}

Test(base32, random_bytes_read_back)
{
    struct qn_prng prng = {.state = 7};
    for (int round = 0; round < 2000; round++) {
        uint8_t source[40];
        size_t size = qn_prng_below(&prng, sizeof(source) + 1);
        for (size_t i = 0; i < size; i++)
            source[i] = (uint8_t)qn_prng_next(&prng);
        QN_AUTO_BUF struct qn_buf text, bytes;
        qn_buf_init(&text, 200);
        qn_buf_init(&bytes, 200);
        qn_text_append_base32(&text, qn_span(source, size), qn_prng_below(&prng, 9));
        cr_assert_eq(qn_text_parse_base32(qn_buf_view(&text), &bytes), QN_OK);
        assert_span_eq(qn_buf_view(&bytes), qn_span(source, size));
    }
}

Test(name, good_ones)
{
    static const char *const good[] = {
        "pradines", "a", "7", "Saint-C\u00e9r\u00e9", "iso_3166-1", "maison.test", "\u540d\u524d"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(qn_text_is_name(qn_span_str(good[i])), "%s", good[i]);
}

Test(name, bad_ones)
{
    static const struct text_case bad[] = {
        CASE("", "nothing"),
        CASE("-x", "an option"),
        CASE("_x", "a system name"),
        CASE("a/b", "a path"),
        CASE("a,b", "a list"),
        CASE("a@b", "a snapshot"),
        CASE("a b", "a space"),
        CASE("a\tb", "a tab"),
        CASE("a\nb", "a line break"),
        CASE("a\0b", "a zero byte"),
        CASE("a\xff", "not UTF-8"),
        CASE("a\x1b[m", "an escape"),
        CASE("a\xc2\xa0"
             "b",
             "a no-break space"),
        CASE("a\xe2\x80\x83"
             "b",
             "an em space"),
        CASE("a\xe2\x80\xa8"
             "b",
             "a line separator"),
        CASE("a\xe3\x80\x80"
             "b",
             "an ideographic space"),
        CASE("a\xe1\x9a\x80"
             "b",
             "an ogham space"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(qn_text_is_name(bad[i].text), "%s", bad[i].what);
}

Test(name, size)
{
    char text[QN_NAME_SIZE_MAX + 1];
    memset(text, 'x', sizeof(text));
    cr_assert(qn_text_is_name(qn_span(text, QN_NAME_SIZE_MAX)));
    cr_assert_not(qn_text_is_name(qn_span(text, QN_NAME_SIZE_MAX + 1)));
}

Test(text, numbers)
{
    static const uint64_t numbers[] = {0, 9, 10, 99, 100, 4096, UINT64_C(10000000000), UINT64_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        char wanted[32];
        QN_AUTO_BUF struct qn_buf out;
        qn_buf_init(&out, 32);
        qn_text_append_number(&out, numbers[i]);
        snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long)numbers[i]);
        cr_assert(qn_span_eq_str(qn_buf_view(&out), wanted), "%s", wanted);
    }
    char digits[5] = "xxxx";
    qn_text_digits(7, 2, digits);
    cr_assert_str_eq(digits, "07xx");
    qn_text_digits(12345, 4, digits);
    cr_assert_str_eq(digits, "2345");
}
