#include <criterion/criterion.h>

#include "search/words.h"

static void check_fold(const char *text, const char *wanted)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 4096);
    qn_search_fold(qn_span_str(text), &out);
    cr_assert(qn_span_eq_str(qn_buf_view(&out), wanted), "%s: %.*s", text, (int)out.size,
              (const char *)out.data);
}

Test(words, fold)
{
    check_fold("", "");
    check_fold("Résident N° 12", "resident n° 12");
    check_fold("CŒUR Œuvrard œuf", "coeur oeuvrard oeuf");
    check_fold("ex æquo Æ", "ex aequo ae");
    check_fold("Straße ẞ", "strasse ss");
    check_fold("e\xcc\x81te\xcc\x81", "ete"); /* letters and marks apart */
    check_fold("Ça, là-bas ŸÜÎ", "ca, la-bas yui");
    check_fold("ﬁn", "fin");
    check_fold("Ωδός", "ωδοσ");
}

Test(words, bytes_that_are_no_utf_8)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 64);
    qn_search_fold(qn_span("a\xff\xe9z", 4), &out);
    cr_assert_eq(out.data[0], 'a');
    cr_assert_eq(out.data[out.size - 1], 'z');
}

static void check_match(const char *typed, const char *wanted)
{
    struct qn_search_words words;
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 4096);
    cr_assert_eq(qn_search_words_read(qn_span_str(typed), &words), QN_OK, "%s", typed);
    for (size_t i = 0; i < words.count; i++)
        qn_buf_printf(&out, "%s\"%s\"%s", i > 0 ? " AND " : "", words.items[i].text,
                      words.items[i].is_beginning ? " *" : "");
    cr_assert(qn_span_eq_str(qn_buf_view(&out), wanted), "%s: %.*s", typed, (int)out.size,
              (const char *)out.data);
}

Test(words, what_was_typed)
{
    check_match("Odette", "\"odette\" *");
    check_match("  Odette ", "\"odette\"");
    check_match("chambre 12", "\"chambre\" AND \"12\" *");
    check_match("05-65.00", "\"05\" AND \"65\" AND \"00\" *");
    check_match("\"NEAR(a b)\" OR *", "\"near\" AND \"a\" AND \"b\" AND \"or\"");
    check_match("l’œil", "\"l\" AND \"oeil\" *");
}

Test(words, nothing_to_search_for)
{
    struct qn_search_words words;
    cr_assert_eq(qn_search_words_read(qn_span_str(""), &words), QN_ERR_INVALID);
    cr_assert_eq(qn_search_words_read(qn_span_str(" -- *\" "), &words), QN_ERR_INVALID);
    cr_assert_eq(qn_search_words_read(qn_span_str("a b c d e f g h i j k l m n o p q"), &words),
                 QN_ERR_LIMIT);
    char longest[QN_SEARCH_WORD_SIZE_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    cr_assert_eq(qn_search_words_read(qn_span_str(longest), &words), QN_ERR_LIMIT);
    longest[QN_SEARCH_WORD_SIZE_MAX] = '\0';
    cr_assert_eq(qn_search_words_read(qn_span_str(longest), &words), QN_OK);
}

static void check_line(const char *text, const char *typed, const char *wanted)
{
    struct qn_search_words words;
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 4096);
    cr_assert_eq(qn_search_words_read(qn_span_str(typed), &words), QN_OK);
    qn_search_line(qn_span_str(text), &words, &out);
    cr_assert(qn_span_eq_str(qn_buf_view(&out), wanted), "%.*s", (int)out.size,
              (const char *)out.data);
}

Test(words, line)
{
    check_line("nom: Œuvrard\nchambre: 12", "oeuv", "nom: Œuvrard chambre: 12");
    check_line("", "x", "");
    char text[1001];
    memset(text, '.', 1000);
    memcpy(text + 500, " été ", 7);
    text[1000] = '\0';
    struct qn_search_words words;
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 4096);
    cr_assert_eq(qn_search_words_read(qn_span_str("ete"), &words), QN_OK);
    qn_search_line(qn_span_str(text), &words, &out);
    cr_assert(memmem(out.data, out.size, "été", 5) != NULL);
    cr_assert(out.size <= QN_SEARCH_LINE_SIZE + 8);
}

static bool follows(const char *typed, const char *text)
{
    struct qn_search_words words;
    cr_assert_eq(qn_search_words_read(qn_span_str(typed), &words), QN_OK);
    return qn_search_words_follow(&words, qn_span_str(text));
}

Test(words, that_follow_each_other)
{
    cr_assert(follows("un deux", ""));
    cr_assert(follows("05-65", "téléphone: 05 65 12"));
    cr_assert(!follows("05-65", "65 05"));
    cr_assert(follows("05-65", "05 05 65"));
    cr_assert(follows("05-05-65", "05 05 05 65"));
    cr_assert(follows("05-6", "05.65"));
    cr_assert(!follows("05-6 ", "05.65"));
    cr_assert(follows("a-b c-d", "c d a b"));
    cr_assert(!follows("a-b c-d", "a b c e d"));
    cr_assert(follows("l’œil", "l'oeil"));
}
