/* Each known bug, put in on purpose, breaks the properties that prop_merge checks: they would catch
 * it (RECORDS 1.8). */
#include <criterion/criterion.h>

#include "model/bugs.h"
#include "schedule.h"

#define SEEDS_MAX 200

static void expect_caught(enum qn_bug bug, unsigned features)
{
    const char *fault = NULL;
    qn_bugs = UINT32_C(1) << bug;
    for (uint64_t seed = 1; seed <= SEEDS_MAX && fault == NULL; seed++)
        fault = schedule_run(seed, features);
    qn_bugs = 0;
    cr_assert(fault != NULL, "%d schedules did not notice bug %d", SEEDS_MAX, bug);
}

Test(bugs, none_is_on_by_itself)
{
    for (uint64_t seed = 1; seed <= 10; seed++)
        cr_assert_null(schedule_run(seed, FEATURE_RESTORE));
}

Test(bugs, no_dependency_check)
{
    expect_caught(QN_BUG_NO_DEPENDENCY_CHECK, 0);
}

Test(bugs, dot_reuse)
{
    expect_caught(QN_BUG_DOT_REUSE, FEATURE_RESTORE);
}

Test(bugs, remove_all_fields)
{
    expect_caught(QN_BUG_REMOVE_ALL_FIELDS, 0);
}

Test(bugs, last_arrival_wins)
{
    expect_caught(QN_BUG_LAST_ARRIVAL_WINS, 0);
}

Test(bugs, xor_fingerprint)
{
    expect_caught(QN_BUG_XOR_FINGERPRINT, 0);
}

Test(bugs, a_page_is_claimed_at_once)
{
    expect_caught(QN_BUG_PAGE_CLAIMS, FEATURE_LATE);
}

Test(bugs, the_clock_of_a_page_is_old)
{
    expect_caught(QN_BUG_STALE_PAGE_CLOCK, FEATURE_LATE);
}

Test(bugs, no_segments)
{
    expect_caught(QN_BUG_NO_SEGMENTS, FEATURE_LATE);
}

Test(bugs, a_late_site_serves)
{
    expect_caught(QN_BUG_LATE_SERVES, FEATURE_LATE);
}

Test(bugs, gap_accepted)
{
    expect_caught(QN_BUG_GAP_ACCEPTED, 0);
}
