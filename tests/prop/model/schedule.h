/* A random history of a few sites from one seed: writes, exchanges in any permitted order, cuts,
 * restored images, truncation. See docs/records.md for the invariants by number. */
#pragma once

#include <stdint.h>

enum feature {
    FEATURE_RESTORE = 1, /* machines come back from an image */
    FEATURE_TRUNCATE = 2,
    FEATURE_LATE = 4, /* logs are cut anywhere, sites are wiped: pages and rescues */
};

/* NULL if all held, else what did not. */
const char *schedule_run(uint64_t seed, unsigned features);
