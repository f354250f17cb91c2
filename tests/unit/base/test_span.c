#include <criterion/criterion.h>

#include "support/span.h"

Test(span, equality_is_by_content)
{
    cr_assert(qn_span_eq(SPAN("abc"), qn_span_str("abc")));
    cr_assert_not(qn_span_eq(SPAN("abc"), SPAN("abd")));
    cr_assert_not(qn_span_eq(SPAN("abc"), SPAN("ab")));
    cr_assert(qn_span_eq(qn_span(NULL, 0), SPAN("")));
    cr_assert_not(qn_span_eq_str(SPAN("a\0b"), "a"));
}

Test(span, order_is_bytewise_and_a_prefix_comes_first)
{
    cr_assert_lt(qn_span_cmp(SPAN("a"), SPAN("b")), 0);
    cr_assert_gt(qn_span_cmp(SPAN("\xff"), SPAN("\x01")), 0);
    cr_assert_lt(qn_span_cmp(SPAN("ab"), SPAN("abc")), 0);
    cr_assert_gt(qn_span_cmp(SPAN("b"), SPAN("abc")), 0);
    cr_assert_eq(qn_span_cmp(qn_span(NULL, 0), SPAN("")), 0);
    cr_assert_lt(qn_span_cmp(qn_span(NULL, 0), SPAN("a")), 0);
}

Test(span, prefix)
{
    cr_assert(qn_span_has_prefix(SPAN("abc"), SPAN("")));
    cr_assert(qn_span_has_prefix(SPAN("abc"), SPAN("abc")));
    cr_assert_not(qn_span_has_prefix(SPAN("ab"), SPAN("abc")));
    cr_assert_not(qn_span_has_prefix(SPAN("abc"), SPAN("b")));
}

Test(span, from_stays_inside)
{
    assert_span_eq(qn_span_from(SPAN("abc"), 1), SPAN("bc"));
    cr_assert_eq(qn_span_from(SPAN("abc"), 3).size, 0);
    cr_assert_eq(qn_span_from(SPAN("abc"), SIZE_MAX).size, 0);
}
