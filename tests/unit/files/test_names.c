#include <criterion/criterion.h>
#include <stdio.h>

#include "files/alike.h"
#include "files/names.h"
#include "support/span.h"

static void assert_composed(struct qn_span text, const char *expected)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 256);
    cr_assert_eq(qn_name_compose(text, &out), QN_OK);
    assert_span_eq(qn_buf_view(&out), qn_span_str(expected));
}

Test(names, accents_are_put_together)
{
    assert_composed(SPAN("plain"), "plain");
    assert_composed(SPAN(""), "");
    assert_composed(SPAN("e\xcc\x81t\xc3\xa9"), "\xc3\xa9t\xc3\xa9");
    assert_composed(SPAN("A\xcc\x8a"), "\xc3\x85");
    assert_composed(SPAN("\xe2\x84\xab"), "\xc3\x85");     /* the Angstrom sign */
    assert_composed(SPAN("\xef\xac\x81"), "\xef\xac\x81"); /* a ligature stays: no K form */
    assert_composed(SPAN("\xe1\x84\x92\xe1\x85\xa1"), "\xed\x95\x98");
}

static void assert_alike(const char *a, const char *b, bool are_alike)
{
    QN_AUTO_BUF struct qn_buf one, other;
    qn_buf_init(&one, 256);
    qn_buf_init(&other, 256);
    cr_assert_eq(qn_name_fold(qn_span_str(a), &one), QN_OK);
    cr_assert_eq(qn_name_fold(qn_span_str(b), &other), QN_OK);
    cr_assert_eq(qn_span_eq(qn_buf_view(&one), qn_buf_view(&other)), are_alike, "%s, %s", a, b);
}

Test(names, capitals_and_accents_apart_make_no_other_name)
{
    assert_alike("anne", "ANNE", true);
    assert_alike("an\xc3\xa9", "ANe\xcc\x81", true);
    assert_alike("stra\xc3\x9f"
                 "e",
                 "STRASSE", true);
    assert_alike("anne", "ann\xc3\xa9", false);
    assert_alike("anne", "anna", false);
}

Test(names, what_is_not_utf8_has_no_form)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 256);
    cr_assert_eq(qn_name_compose(SPAN("\xe9t\xe9"), &out), QN_ERR_INVALID);
    cr_assert_eq(qn_name_compose(SPAN("\xed\xa0\x80"), &out), QN_ERR_INVALID);
    cr_assert_eq(out.size, 0);
    qn_buf_init(&out, 2);
    cr_assert_eq(qn_name_compose(SPAN("\xc3\xa9\xc3\xa9"), &out), QN_ERR_LIMIT);
}

Test(names, paths)
{
    char at_most[256], too_long[257];
    memset(at_most, 'x', sizeof(at_most));
    memset(too_long, 'x', sizeof(too_long));
    cr_assert(qn_name_is_path(SPAN("")));
    cr_assert(qn_name_is_path(SPAN("a/b.c/..d/...")));
    cr_assert(qn_name_is_path(qn_span(at_most, 255)));
    cr_assert_not(qn_name_is_path(qn_span(too_long, 256)));
    const char *bad[] = {
        "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", ".quoin-folder", "a/.quoin-upload-1/b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(qn_name_is_path(qn_span_str(bad[i])), "%s", bad[i]);
    cr_assert_not(qn_name_is_path(SPAN("a\0b")));
}

Test(names, what_is_shown)
{
    cr_assert(qn_name_is_shown(SPAN("\xc3\xa9.txt")));
    cr_assert(qn_name_is_shown(SPAN(".hidden")));
    cr_assert_not(qn_name_is_shown(SPAN("a\nb")));
    cr_assert_not(qn_name_is_shown(SPAN("\xe9")));
    cr_assert_not(qn_name_is_shown(SPAN(".quoin-folder")));
}

Test(names, parts_of_a_path)
{
    struct qn_span parent, last;
    qn_name_split(SPAN("a/b/c"), &parent, &last);
    cr_assert(qn_span_eq_str(parent, "a/b") && qn_span_eq_str(last, "c"));
    qn_name_split(SPAN("c"), &parent, &last);
    cr_assert(parent.size == 0 && qn_span_eq_str(last, "c"));
    qn_name_split(SPAN(""), &parent, &last);
    cr_assert(parent.size == 0 && last.size == 0);
    cr_assert(qn_name_is_within(SPAN("a/b"), SPAN("a")));
    cr_assert(qn_name_is_within(SPAN("a"), SPAN("a")));
    cr_assert(qn_name_is_within(SPAN("a"), SPAN("")));
    cr_assert_not(qn_name_is_within(SPAN("ab"), SPAN("a")));
    cr_assert_not(qn_name_is_within(SPAN(""), SPAN("a")));
}

static const struct {
    const char *a, *b;
    bool are_alike;
} pairs[] = {
    {"A.txt", "a.TXT", true},
    {"É", "é", true},
    {"Œuvre", "œuvre", true},
    {"Ÿ", "ÿ", true},
    {"Ž", "ž", true},
    {"Σ", "σ", true},
    {"Я", "я", true},
    {"é", "e", false},
    {"ab", "abc", false},
    {"×", "÷", false},
    {"日", "本", false},
    {"a日", "A日", true},
    {"e\xcc\x81t\xc3\xa9", "\xc3\x89te\xcc\x81", true},
};

Test(names, those_that_others_take_for_one)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        AUTO_ALIKE struct alike alike = {0};
        cr_assert_not(alike_add(&alike, qn_span_str(pairs[i].a)));
        cr_assert_eq(alike_add(&alike, qn_span_str(pairs[i].b)), pairs[i].are_alike, "%s %s",
                     pairs[i].a, pairs[i].b);
    }
}

Test(names, one_of_many_that_is_like_another)
{
    AUTO_ALIKE struct alike alike = {0};
    char name[32];
    for (unsigned i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), "file %u.odt", i);
        cr_assert_not(alike_add(&alike, qn_span_str(name)));
    }
    cr_assert_eq(alike.count, 10000);
    cr_assert(alike_add(&alike, SPAN("FILE 7777.odt")));
    cr_assert_not(alike_add(&alike, SPAN("file 10000.odt")));
}

static const struct {
    const char *name;
    enum qn_name_fault fault;
} faults[] = {
    {"rapport.odt", QN_NAME_FINE},  {"été.txt", QN_NAME_FINE},     {"a:b", QN_NAME_CHARACTER},
    {"what?", QN_NAME_CHARACTER},   {"a\\b", QN_NAME_CHARACTER},   {"x*", QN_NAME_CHARACTER},
    {"quote\"", QN_NAME_CHARACTER}, {"a|b<c>", QN_NAME_CHARACTER}, {"bell\x07", QN_NAME_CHARACTER},
    {"end.", QN_NAME_ENDING},       {"end ", QN_NAME_ENDING},      {"con", QN_NAME_DEVICE},
    {"NUL.tar.gz", QN_NAME_DEVICE}, {"Com1.txt", QN_NAME_DEVICE},  {"LPT9", QN_NAME_DEVICE},
    {"COM0", QN_NAME_FINE},         {"COM10", QN_NAME_FINE},       {"console", QN_NAME_FINE},
    {"nul .txt", QN_NAME_DEVICE},   {"aux", QN_NAME_DEVICE},
};

Test(names, what_windows_cannot_have_is_named)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        cr_assert_eq(qn_name_fault(qn_span_str(faults[i].name)), faults[i].fault, "'%s'",
                     faults[i].name);
}
