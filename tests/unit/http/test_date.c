#include <criterion/criterion.h>
#include <time.h>

#include "base/prng.h"
#include "http/condition.h"
#include "support/span.h"

static const struct {
    const char *text;
    int64_t time_s;
} read[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},  {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"Sun Nov  6 08:49:37 1994", 784111777},       {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Wed, 31 Dec 1969 23:59:59 GMT", -1},         {"Thu, 29 Feb 2024 12:00:00 GMT", 1709208000},
    {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228799}, {"Saturday, 01-Jan-00 00:00:00 GMT", 946684800},
    {"Thursday, 01-Jan-70 00:00:00 GMT", 0},       {"Mon Jan 12 01:02:03 2026", 1768179723},
};

static const char *const refused[] = {
    "",
    "0",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 GMT ",
    " Sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 nov 1994 08:49:37 GMT",
    "Sun, 31 Nov 1994 08:49:37 GMT",
    "Sun, 29 Feb 2023 08:49:37 GMT",
    "Sun, 29 Feb 1900 08:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "Sun, 06 Nov 0000 08:49:37 GMT",
    "Sun, 06 Nov 1994 8:49:37 GMT",
    "Sun, 06 Nov 19x4 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT",
    "Sun Nov 6 08:49:37 1994",
    "Sun Nov 06 08:49:37 1994 GMT",
    "1994-11-06T08:49:37Z",
};

Test(date, all_three_forms)
{
    for (size_t i = 0; i < sizeof(read) / sizeof(*read); i++) {
        int64_t time_s = -7;
        cr_expect_eq(qn_http_date_read(qn_span_str(read[i].text), &time_s), QN_OK, "%s",
                     read[i].text);
        cr_expect_eq(time_s, read[i].time_s, "%s: %lld", read[i].text, (long long)time_s);
    }
}

Test(date, refused)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        int64_t time_s = -7;
        cr_expect_eq(qn_http_date_read(qn_span_str(refused[i]), &time_s), QN_ERR_INVALID, "%s",
                     refused[i]);
        cr_expect_eq(time_s, -7);
    }
}

/* Against the C library, and back again. */
Test(date, printed_as_the_library_does)
{
    struct qn_prng prng = {.state = 11};
    for (int i = 0; i < 100000; i++) {
        time_t time_s = (time_t)qn_prng_below(&prng, 300000000000) - 50000000000;
        struct tm tm;
        char wanted[64], got[QN_HTTP_DATE_SIZE];
        int64_t again;
        (void)gmtime_r(&time_s, &tm);
        (void)strftime(wanted, sizeof(wanted), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        qn_http_date_print(time_s, got);
        if (strlen(wanted) == QN_HTTP_DATE_SIZE - 1)
            cr_assert_str_eq(got, wanted);
        cr_assert_eq(qn_http_date_read(qn_span_str(got), &again), QN_OK, "%s", got);
        cr_assert_eq(again, time_s);
    }
}

Test(date, beyond_four_digits)
{
    char text[QN_HTTP_DATE_SIZE];
    qn_http_date_print(INT64_MAX, text);
    cr_assert_str_eq(text, "Fri, 31 Dec 9999 23:59:59 GMT");
    qn_http_date_print(INT64_MIN, text);
    cr_assert_str_eq(text, "Mon, 01 Jan 0001 00:00:00 GMT");
}
