/* What became of dials, for the log: a place that cannot be reached is news once, and again when
 * the cause changes or it is reached. Loop thread. At most QN_LINKS_MAX dials and as many places
 * are remembered; the oldest go.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/vec.h"

struct qn_dials {
    QN_VEC(struct qn_dial_place) places; /* with a cause: not reached at the last try */
    QN_VEC(struct qn_dial_try) tries;
};

void qn_dials_deinit(struct qn_dials *dials);
void qn_dials_started(struct qn_dials *dials, uint64_t token, const char *address);
/* Whether that is news. *ret_address is where the dial went ("?" if forgotten), borrowed until the
 * next call. */
bool qn_dials_failed(struct qn_dials *dials, uint64_t token, const char *cause,
                     const char **ret_address);
/* Whether it is news that the dial came through. */
bool qn_dials_reached(struct qn_dials *dials, uint64_t token, const char **ret_address);
