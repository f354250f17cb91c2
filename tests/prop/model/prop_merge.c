/* Random histories hold every invariant. A failing seed is run alone by its number. */
#include <criterion/criterion.h>

#include "schedule.h"

static void run_seeds(uint64_t first, uint64_t count, unsigned features)
{
    for (uint64_t seed = first; seed < first + count; seed++) {
        const char *fault = schedule_run(seed, features);
        cr_assert(fault == NULL, "seed %lu, features %u: %s", (unsigned long)seed, features, fault);
    }
}

Test(merge, log_only)
{
    run_seeds(1, 40, 0);
}

Test(merge, log_truncated_where_everybody_has_it)
{
    run_seeds(1000, 30, FEATURE_TRUNCATE);
}

Test(merge, late_sites)
{
    run_seeds(3000, 150, FEATURE_LATE);
}

Test(merge, late_sites_and_images)
{
    run_seeds(4000, 150, FEATURE_LATE | FEATURE_RESTORE);
}

Test(merge, machines_restored_from_images)
{
    run_seeds(2000, 40, FEATURE_RESTORE);
}
