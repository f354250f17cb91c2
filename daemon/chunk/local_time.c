#include "chunk/local_time.h"

/* Years are counted from 1 March here, so that the leap day is the last one of a year: then every
 * four years, but for the centuries, have 1461 days, and every five months from March have 153. */
#define DAYS_TO_1970     719468 /* from 1 March of the year 0 */
#define DAYS_IN_400Y     146097
#define DAYS_IN_CENTURY  36524
#define DAYS_IN_4Y       1461
#define DAYS_IN_5_MONTHS 153

/* Of 400 years: which year a day falls into, and which day of it that is. */
static int64_t year_of(int64_t day, int64_t *ret_day)
{
    int64_t century = day / DAYS_IN_CENTURY;
    if (century == 4)
        century = 3; /* the last day of all */
    day -= century * DAYS_IN_CENTURY;
    int64_t four = day / DAYS_IN_4Y;
    day -= four * DAYS_IN_4Y;
    int64_t year = day / 365;
    if (year == 4)
        year = 3; /* the leap day */
    *ret_day = day - year * 365;
    return century * 100 + four * 4 + year;
}

int64_t qn_month_of_day(int64_t day)
{
    int64_t since_march = day + DAYS_TO_1970;
    int64_t era = qn_floor_div(since_march, DAYS_IN_400Y);
    int64_t day_of_year;
    int64_t year = year_of(since_march - era * DAYS_IN_400Y, &day_of_year);
    int64_t month = (5 * day_of_year + 2) / DAYS_IN_5_MONTHS; /* 0: March */
    return (era * 400 + year) * 12 + month + 2;
}
