/* Days, months and years of the Gregorian calendar, in UTC. Pure: nothing here knows what time it
 * is.
 */
#pragma once

#include <stdint.h>

struct qn_civil {
    int64_t year, month, day, hour, minute, second; /* month and day from 1 */
};

/* Days since 1970-01-01; negative before. Only year, month and day count. */
int64_t qn_civil_days(const struct qn_civil *civil);
/* Of seconds since 1970, also before. |time_s| at most 2^53. */
struct qn_civil qn_civil_of(int64_t time_s);

/* RFC 3339 in UTC: "2026-01-31T02:00:00.000Z". Beyond the year 9999 its last second. */
#define QN_CIVIL_TEXT_SIZE 32
void qn_civil_print(uint64_t time_ms, char out[QN_CIVIL_TEXT_SIZE]);
