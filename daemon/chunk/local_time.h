/* Local time as plans need it: the wall clock in milliseconds since 1970 plus an offset, in days,
 * weeks, months and years of the Gregorian calendar. No time zones: the offset is the caller's, and
 * is the same for all times of one question. Pure; any thread.
 */
#pragma once

#include <stdint.h>

#define QN_MINUTE_MS INT64_C(60000)
#define QN_HOUR_MS   (60 * QN_MINUTE_MS)
#define QN_DAY_MS    (24 * QN_HOUR_MS)
#define QN_WEEK_MS   (7 * QN_DAY_MS)

/* The first Monday after 1970 began. */
#define QN_MONDAY_MS (4 * QN_DAY_MS)

/* The year 9999 ends: no clock shows more, and no arithmetic here can overflow. */
#define QN_TIME_MS_MAX INT64_C(253402300799999)

static inline int64_t qn_local_ms(uint64_t wall_ms, int32_t offset_s)
{
    int64_t ms = wall_ms < (uint64_t)QN_TIME_MS_MAX ? (int64_t)wall_ms : QN_TIME_MS_MAX;
    return ms + (int64_t)offset_s * 1000;
}

/* Back to the wall clock. */
static inline uint64_t qn_wall_ms(int64_t local_ms, int32_t offset_s)
{
    int64_t ms = local_ms - (int64_t)offset_s * 1000;
    return ms < 0 ? 0 : (uint64_t)ms;
}

/* Division that rounds down, also below zero; divisor > 0. */
static inline int64_t qn_floor_div(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor;
    return quotient * divisor > value ? quotient - 1 : quotient;
}

/* Months since the beginning of the year 0 that a day (since 1970) falls into. */
int64_t qn_month_of_day(int64_t day);
