#include <criterion/criterion.h>
#include <errno.h>

#include "os/os.h"

#define YEAR_2020_MS 1577836800000u

Test(clock, wall_counts_milliseconds_since_1970)
{
    uint64_t now = qn_os_wall_ms();
    cr_assert_gt(now, YEAR_2020_MS);
    cr_assert_lt(now, 100 * YEAR_2020_MS);
}

Test(clock, boot_never_goes_back)
{
    uint64_t last = qn_os_boot_ms();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = qn_os_boot_ms();
        cr_assert_geq(now, last);
        last = now;
    }
}

Test(random, fills_all_of_a_large_buffer)
{
    static uint8_t bytes[100000];
    size_t count[256] = {0};
    qn_os_random(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        count[bytes[i]]++;
    /* 390 wanted each; 200 is ten standard deviations away. */
    for (size_t i = 0; i < 256; i++)
        cr_assert_gt(count[i], 200, "byte %zu: %zu times", i, count[i]);
    qn_os_random(bytes, 0);
}

Test(error, codes_are_translated)
{
    cr_assert_eq(qn_os_err(ENOSPC), QN_ERR_NOSPACE);
    cr_assert_eq(qn_os_err(EDQUOT), QN_ERR_NOSPACE);
    cr_assert_eq(qn_os_err(ENOENT), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_os_err(EACCES), QN_ERR_DENIED);
    cr_assert_eq(qn_os_err(EWOULDBLOCK), QN_ERR_BUSY);
    cr_assert_eq(qn_os_err(EIO), QN_ERR_IO);
}

Test(error, whatever_it_is_it_is_an_error)
{
    for (int code = -10; code < 300; code++)
        cr_assert_neq(qn_os_err(code), QN_OK);
}
