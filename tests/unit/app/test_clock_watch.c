#include "app/clock_watch.h"

#include <criterion/criterion.h>

#define WALL UINT64_C(1800000000000)

static struct qn_clock_watch watch;
static char object[QN_CLOCK_TEXT_SIZE];

static const char *look(enum qn_os_sync sync, uint64_t wall_ms, uint64_t boot_ms)
{
    return qn_clock_look(&watch, sync, wall_ms, boot_ms, object) ? object : "";
}

Test(clock_watch, the_first_look_and_each_change_are_told)
{
    cr_assert_str_eq(look(QN_OS_SYNC_UNKNOWN, WALL, 1000), "clock:unknown");
    cr_assert_str_eq(look(QN_OS_SYNC_UNKNOWN, WALL + 60000, 61000), "");
    cr_assert_str_eq(look(QN_OS_SYNC_YES, WALL + 120000, 121000), "clock:synchronised");
    cr_assert_str_eq(look(QN_OS_SYNC_NO, WALL + 180000, 181000), "clock:unsynchronised");
    cr_assert_str_eq(look(QN_OS_SYNC_NO, WALL + 240000, 241000), "");
}

Test(clock_watch, a_clock_that_is_set_is_told_and_one_that_is_slewed_is_not)
{
    cr_assert_str_eq(look(QN_OS_SYNC_YES, WALL, 1000), "clock:synchronised");
    cr_assert_str_eq(look(QN_OS_SYNC_YES, WALL + 62000, 61000), "");
    cr_assert_str_eq(look(QN_OS_SYNC_YES, WALL + 62000 + 3660000, 121000), "clock:set +3600 s");
    cr_assert_str_eq(look(QN_OS_SYNC_NO, WALL - 60000, 181000), "clock:set -3842 s");
    cr_assert_str_eq(look(QN_OS_SYNC_NO, WALL, 241000), "clock:unsynchronised");
}
