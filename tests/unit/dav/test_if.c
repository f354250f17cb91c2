#include <criterion/criterion.h>

#include "dav/if.h"
#include "support/span.h"

/* What is there, for the judgement: one resource with an etag and a lock. */
struct scene {
    const char *etag, *token;
    struct qn_span resource; /* the one that was asked about last */
};

static bool matches(void *context, struct qn_span resource,
                    const struct qn_dav_condition *condition)
{
    struct scene *scene = context;
    scene->resource = resource;
    return qn_span_eq_str(condition->text, condition->is_etag ? scene->etag : scene->token);
}

static const struct {
    const char *field;
    bool holds;
} judged[] = {
    {"(<urn:uuid:1>)", true},
    {"(<urn:uuid:2>)", false},
    {"(Not <urn:uuid:2>)", true},
    {"(Not <urn:uuid:1>)", false},
    {"(not<urn:uuid:2>)", true},
    {"([\"e\"])", true},
    {"([W/\"e\"])", false},
    {"(<urn:uuid:1> [\"e\"])", true},
    {"(<urn:uuid:1> [\"f\"])", false},
    {"(<urn:uuid:1> [\"f\"]) ([\"e\"])", true},
    {"(<urn:uuid:1> [\"f\"]) (Not <DAV:no-lock>)", true},
    {"(<DAV:no-lock>)", false},
    {"<http://h/a> (<urn:uuid:2>) <http://h/b> (<urn:uuid:1>)", true},
    {"</a> (<urn:uuid:2>) (<urn:uuid:1>)", true},
    {" ( <urn:uuid:1>   [\"e\"] ) ", true},
};

Test(dav_if, lists_are_alternatives_and_conditions_add_up)
{
    for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
        struct qn_dav_if given;
        struct scene scene = {.etag = "\"e\"", .token = "urn:uuid:1"};
        cr_assert_eq(qn_dav_if_read(qn_span_str(judged[i].field), &given), QN_OK, "%s",
                     judged[i].field);
        cr_assert_eq(qn_dav_if_holds(&given, matches, &scene), judged[i].holds, "%s",
                     judged[i].field);
    }
}

static const char *const broken[] = {
    "",
    "urn:uuid:1",
    "()",
    "(",
    "(<urn:uuid:1>",
    "(<>)",
    "(<a b>)",
    "([])",
    "([e])",
    "([\"e])",
    "([\"e\"",
    "([W/\"e\"x])",
    "(\"e\")",
    "(Not)",
    "(Not Not <a>)",
    "(<a>) x",
    "<http://h/a>",
    "<http://h/a> <http://h/b> (<a>)",
    "(<a>) <http://h/a> (<b>)",
    "<http://h/a> (<a>),(<b>)",
};

Test(dav_if, what_is_not_the_grammar_is_refused)
{
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct qn_dav_if given;
        cr_assert_eq(qn_dav_if_read(qn_span_str(broken[i]), &given), QN_ERR_INVALID, "%s",
                     broken[i]);
    }
}

Test(dav_if, a_bracket_inside_an_etag_is_its_own)
{
    struct qn_dav_if given;
    cr_assert_eq(qn_dav_if_read(qn_span_str("([\"a]b\"])"), &given), QN_OK);
    assert_span_eq(given.conditions[0].text, SPAN("\"a]b\""));
}

Test(dav_if, a_tag_goes_with_each_of_its_lists)
{
    struct qn_dav_if given;
    struct scene scene = {.etag = "", .token = "c"};
    cr_assert_eq(qn_dav_if_read(qn_span_str("</x> (<a>) (<b>) </y> (<c>)"), &given), QN_OK);
    cr_assert_eq(given.list_count, 3);
    assert_span_eq(given.lists[1].resource, SPAN("/x"));
    cr_assert(qn_dav_if_holds(&given, matches, &scene));
    assert_span_eq(scene.resource, SPAN("/y"));
}

Test(dav_if, a_token_is_submitted_wherever_it_stands_but_an_etag_is_none)
{
    struct qn_dav_if given;
    cr_assert_eq(qn_dav_if_read(qn_span_str("([\"e\"] Not <a>) (<b>)"), &given), QN_OK);
    cr_assert(qn_dav_if_submits(&given, SPAN("a")));
    cr_assert(qn_dav_if_submits(&given, SPAN("b")));
    cr_assert_not(qn_dav_if_submits(&given, SPAN("\"e\"")));
}

/* "(<a>)" or a condition as often as that. */
static struct qn_span repeat(struct qn_buf *out, const char *before, const char *text, size_t times,
                             const char *after)
{
    qn_buf_init(out, 64 * 1024);
    qn_buf_append_str(out, before);
    for (size_t i = 0; i < times; i++)
        qn_buf_append_str(out, text);
    qn_buf_append_str(out, after);
    return qn_buf_view(out);
}

static enum qn_err read_repeated(const char *before, const char *text, size_t times,
                                 const char *after)
{
    QN_AUTO_BUF struct qn_buf field;
    struct qn_dav_if given;
    return qn_dav_if_read(repeat(&field, before, text, times, after), &given);
}

Test(dav_if, lists_and_conditions_are_limited)
{
    cr_assert_eq(read_repeated("", "(<a>)", QN_DAV_LISTS_MAX, ""), QN_OK);
    cr_assert_eq(read_repeated("", "(<a>)", QN_DAV_LISTS_MAX + 1, ""), QN_ERR_LIMIT);
    cr_assert_eq(read_repeated("(", "<a>", QN_DAV_CONDITIONS_MAX, ")"), QN_OK);
    cr_assert_eq(read_repeated("(", "<a>", QN_DAV_CONDITIONS_MAX + 1, ")"), QN_ERR_LIMIT);
}
