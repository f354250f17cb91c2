#include <criterion/criterion.h>
#include <stdio.h>

#include "app/dials.h"

static bool fail(struct qn_dials *dials, uint64_t token, const char *address, const char *cause)
{
    const char *told;
    qn_dials_started(dials, token, address);
    bool is_news = qn_dials_failed(dials, token, cause, &told);
    cr_assert_str_eq(told, address);
    return is_news;
}

static bool reach(struct qn_dials *dials, uint64_t token, const char *address)
{
    const char *told;
    qn_dials_started(dials, token, address);
    bool is_news = qn_dials_reached(dials, token, &told);
    cr_assert_str_eq(told, address);
    return is_news;
}

Test(dials, a_failure_is_news_once_and_when_its_cause_changes)
{
    struct qn_dials dials = {0};
    cr_assert(fail(&dials, 1, "a:1", "refused"));
    cr_assert_not(fail(&dials, 2, "a:1", "refused"));
    cr_assert(fail(&dials, 3, "b:1", "refused"));
    cr_assert(fail(&dials, 4, "a:1", "no route"));
    cr_assert_not(fail(&dials, 5, "a:1", "no route"));
    qn_dials_deinit(&dials);
}

Test(dials, that_it_is_reached_again_is_news)
{
    struct qn_dials dials = {0};
    cr_assert_not(reach(&dials, 1, "a:1"));
    cr_assert(fail(&dials, 2, "a:1", "refused"));
    cr_assert(reach(&dials, 3, "a:1"));
    cr_assert_not(reach(&dials, 4, "a:1"));
    cr_assert(fail(&dials, 5, "a:1", "refused"));
    qn_dials_deinit(&dials);
}

Test(dials, it_does_not_grow)
{
    struct qn_dials dials = {0};
    const char *told;
    char address[32];
    for (uint64_t i = 0; i < 3 * QN_LINKS_MAX; i++) {
        snprintf(address, sizeof(address), "a:%u", (unsigned)i);
        qn_dials_started(&dials, i, address);
        cr_assert(fail(&dials, 100000 + i, address, "refused"));
    }
    cr_assert_leq(dials.tries.count, QN_LINKS_MAX);
    cr_assert_leq(dials.places.count, QN_LINKS_MAX);
    cr_assert_not(qn_dials_failed(&dials, 0, "refused", &told), "forgotten");
    cr_assert_str_eq(told, "?");
    qn_dials_deinit(&dials);
}
