/* What is said about errors and alerts, in both languages. */
#include <criterion/criterion.h>
#include <string.h>

#include "support/span.h"
#include "words/alert_words.h"
#include "words/error_words.h"
#include "words/web_words.h"

static struct qn_buf out;

static void set_up(void)
{
    qn_buf_init(&out, 4096);
}

static void tear_down(void)
{
    qn_buf_deinit(&out);
}
TestSuite(words, .init = set_up, .fini = tear_down);

static void assert_said(const char *expected)
{
    assert_span_eq(qn_buf_view(&out), qn_span_str(expected));
    qn_buf_reset(&out);
}

static void assert_sentence(const char *code, const char *english, const char *french)
{
    qn_web_sentence(qn_span_str(code), &qn_tongue_english, &out);
    assert_said(english);
    qn_web_sentence(qn_span_str(code), &qn_tongue_french, &out);
    assert_said(french);
}

Test(words, sentences_for_the_page)
{
    assert_sentence("wrong-password", "The name or the password is wrong.",
                    "Le nom ou le mot de passe est faux.");
    /* of the codes of the control socket, a capital and a point */
    assert_sentence("is-for-all", "This collection is for all sites, present and future.",
                    "Cette collection est celle de tous les sites, présents et futurs.");
    assert_sentence("no-such-code", "It failed for a reason unknown to this version.",
                    "\xc3\x89"
                    "chec pour une raison inconnue de cette version.");
}

static struct qn_tongue marked;

static const char *say_accent(const char *text)
{
    return "\xc3\xa9t\xc3\xa9";
}

Test(words, a_capital_with_an_accent)
{
    marked.say = say_accent;
    qn_web_sentence(SPAN("is-for-all"), &marked, &out);
    assert_said("\xc3\x89t\xc3\xa9.");
}

Test(words, remedies_are_translated_too)
{
    const struct qn_error_words *words = qn_error_words(SPAN("busy"));
    cr_assert_not_null(words);
    cr_assert_str_eq(qn_tongue_english.say(words->remedy), "Try again in a moment.");
    cr_assert_str_neq(qn_tongue_french.say(words->remedy), words->remedy);
    cr_assert_null(qn_error_words(SPAN("busy ")));
}

static void assert_ago(uint64_t s, const char *english, const char *french)
{
    qn_tongue_append_ago(&out, &qn_tongue_english, 1000000000 + s * 1000, 1000000000);
    assert_said(english);
    qn_tongue_append_ago(&out, &qn_tongue_french, 1000000000 + s * 1000, 1000000000);
    assert_said(french);
}

Test(words, how_long_ago)
{
    assert_ago(0, "0 seconds ago", "il y a 0 seconde");
    assert_ago(1, "1 second ago", "il y a 1 seconde");
    assert_ago(119, "119 seconds ago", "il y a 119 secondes");
    assert_ago(120, "2 minutes ago", "il y a 2 minutes");
    assert_ago(2 * 3600, "2 hours ago", "il y a 2 heures");
    assert_ago(3 * 86400, "3 days ago", "il y a 3 jours");
    qn_tongue_append_ago(&out, &qn_tongue_english, 5, 10); /* a clock that went back */
    assert_said("0 seconds ago");
}

Test(words, alerts)
{
    struct qn_alert_view alert = {.code = SPAN("site-offline"), .object = SPAN("b")};
    qn_alert_text(&alert, &qn_tongue_english, &out);
    assert_said("site b cannot be reached; last contact: never");
    alert.has_time = true;
    alert.time_ms = 1000000;
    qn_alert_text(&alert, &qn_tongue_english, &out);
    assert_said("site b cannot be reached; last contact: 1970-01-01T00:16:40.000Z");
    alert.now_ms = alert.time_ms + 7200000;
    alert.detail = SPAN("d");
    alert.shown = "the other";
    qn_alert_text(&alert, &qn_tongue_english, &out);
    assert_said("site the other cannot be reached; last contact: 2 hours ago (d)");
    alert.code = SPAN("from-the-future");
    qn_alert_action(&alert, &qn_tongue_english, &out);
    cr_assert(out.size > 0);
    cr_assert_not(qn_alert_is_refusal(&alert));
}
