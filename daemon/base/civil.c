#include "base/civil.h"

#include <stdio.h>

/* Years begin in March here, so that the leap day is the last of a year; eras of 400 years have the
 * same number of days each. */
int64_t qn_civil_days(const struct qn_civil *at)
{
    int64_t year = at->month > 2 ? at->year : at->year - 1;
    int64_t era = (year >= 0 ? year : year - 399) / 400, in_era = year - era * 400;
    int64_t month = (at->month + 9) % 12;
    int64_t in_year = (153 * month + 2) / 5 + at->day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

struct qn_civil qn_civil_of(int64_t time_s)
{
    int64_t day = time_s / 86400, rest = time_s % 86400;
    if (rest < 0)
        day--, rest += 86400;
    int64_t shifted = day + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t in_era = shifted - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;
    return (struct qn_civil){
        .year = era * 400 + year + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = in_year - (153 * month + 2) / 5 + 1,
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
    };
}

/* The last second that four digits can name. */
#define TIME_MAX_MS (253402300799 * (uint64_t)1000)

void qn_civil_print(uint64_t time_ms, char out[QN_CIVIL_TEXT_SIZE])
{
    uint64_t shown_ms = time_ms < TIME_MAX_MS ? time_ms : TIME_MAX_MS;
    struct qn_civil at = qn_civil_of((int64_t)(shown_ms / 1000));
    (void)snprintf(out, QN_CIVIL_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)at.year % 10000, (unsigned)at.month % 100, (unsigned)at.day % 100,
                   (unsigned)at.hour % 100, (unsigned)at.minute % 100, (unsigned)at.second % 100,
                   (unsigned)(shown_ms % 1000));
}
