#include <criterion/criterion.h>

#include "chunk/plan.h"
#include "support/span.h"

#define MINUTE UINT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define NEVER  0

/* Monday 2024-01-01 00:00 UTC. */
#define MONDAY UINT64_C(1704067200000)

static bool is_same(const struct qn_schedule *a, const struct qn_schedule *b)
{
    return a->kind == b->kind && a->minutes == b->minutes && a->weekday == b->weekday &&
           a->hour == b->hour && a->minute == b->minute;
}

static void expect_text(const char *text, const char *printed)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_schedule schedule, again;
    qn_buf_init(&out, 100);
    cr_assert_eq(qn_schedule_parse(qn_span_str(text), &schedule), QN_OK, "'%s'", text);
    qn_schedule_print(&schedule, &out);
    assert_span_eq(qn_buf_view(&out), qn_span_str(printed));
    cr_assert_eq(qn_schedule_parse(qn_buf_view(&out), &again), QN_OK);
    cr_assert(is_same(&schedule, &again));
}

Test(schedule, what_people_write)
{
    expect_text("manual", "manual");
    expect_text(" Manual ", "manual");
    expect_text("hourly", "hourly");
    expect_text("hourly :05", "hourly :05");
    expect_text("hourly :00", "hourly");
    expect_text("every 15m", "every 15m");
    expect_text("every 90m", "every 90m");
    expect_text("every 120m", "every 2h");
    expect_text("every 6H", "every 6h");
    expect_text("every 2d", "every 2d");
    expect_text("every 48h", "every 2d");
    expect_text("every 366d", "every 366d");
    expect_text("daily 2:00", "daily 02:00");
    expect_text("DAILY\t23:59", "daily 23:59");
    expect_text("weekly sun 03:00", "weekly sun 03:00");
    expect_text("weekly Sunday 3:00", "weekly sun 03:00");
    expect_text("weekly wednesday 0:00", "weekly wed 00:00");
}

static void expect_fault(const char *text, enum qn_err wanted)
{
    struct qn_schedule schedule = {.minutes = 77};
    enum qn_err err = qn_schedule_parse(qn_span_str(text), &schedule);
    cr_assert_eq(err, wanted, "'%s': %s", text, qn_err_name(err));
    cr_assert_eq(schedule.minutes, 77);
}

Test(schedule, what_is_not_understood)
{
    static const char *const texts[] = {"",
                                        "  ",
                                        "never",
                                        "manual 2:00",
                                        "daily",
                                        "daily 2",
                                        "daily 2:0",
                                        "daily 002:00",
                                        "daily 2:00 x",
                                        "daily 2.00",
                                        "daily -1:00",
                                        "daily 2:0x",
                                        "daily x2:00",
                                        "daily :00",
                                        "daily 2:",
                                        "weekly",
                                        "weekly sun",
                                        "weekly 2:00",
                                        "weekly dim 2:00",
                                        "weekly sund 2:00",
                                        "every",
                                        "every 15",
                                        "every m",
                                        "every 15s",
                                        "every 15 m",
                                        "every 1h30m",
                                        "every -5m",
                                        "hourly 15",
                                        "hourly :5",
                                        "hourly :xx",
                                        "hourly :15 x",
                                        "dailyx 2:00",
                                        "daily2:00"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_fault(texts[i], QN_ERR_INVALID);
}

Test(schedule, numbers_out_of_range)
{
    static const char *const texts[] = {
        "daily 24:00",      "daily 25:00",   "daily 2:60",
        "weekly mon 24:00", "hourly :60",    "every 0m",
        "every 367d",       "every 527041m", "every 99999999999999999999999h"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        expect_fault(texts[i], QN_ERR_LIMIT);
}

static uint64_t next(const char *text, uint64_t last, uint64_t created, uint64_t now,
                     int32_t offset_s)
{
    struct qn_schedule schedule;
    cr_assert_eq(qn_schedule_parse(qn_span_str(text), &schedule), QN_OK);
    return qn_schedule_next(&schedule, last, created, now, offset_s);
}

Test(schedule, manual_never_comes_by_itself)
{
    cr_assert_eq(next("manual", NEVER, MONDAY, MONDAY + DAY, 0), UINT64_MAX);
    cr_assert_eq(next("manual", MONDAY, MONDAY, MONDAY + DAY, 0), UINT64_MAX);
}

Test(schedule, every_is_counted_from_the_last_start)
{
    cr_assert_eq(next("every 6h", MONDAY + 5, MONDAY, MONDAY + HOUR, 0), MONDAY + 5 + 6 * HOUR);
    cr_assert_eq(next("every 6h", MONDAY, MONDAY, MONDAY + 6 * HOUR, 0), MONDAY + 6 * HOUR);
    cr_assert_eq(next("every 6h", MONDAY, MONDAY, MONDAY + 9 * HOUR, 0), MONDAY + 9 * HOUR);
    cr_assert_eq(next("every 6h", NEVER, MONDAY, MONDAY + 1, 0), MONDAY + 1);
}

Test(schedule, daily_and_hourly_come_at_their_minute)
{
    cr_assert_eq(next("daily 2:00", MONDAY + 2 * HOUR, MONDAY, MONDAY + 3 * HOUR, 0),
                 MONDAY + DAY + 2 * HOUR);
    cr_assert_eq(next("hourly :15", MONDAY + 15 * MINUTE, MONDAY, MONDAY + 16 * MINUTE, 0),
                 MONDAY + HOUR + 15 * MINUTE);
    cr_assert_eq(next("hourly", MONDAY + 1, MONDAY, MONDAY + 2, 0), MONDAY + HOUR);
}

Test(schedule, a_new_plan_waits_for_its_first_time)
{
    cr_assert_eq(next("daily 2:00", NEVER, MONDAY + 10 * HOUR, MONDAY + 11 * HOUR, 0),
                 MONDAY + DAY + 2 * HOUR);
    cr_assert_eq(next("daily 12:00", NEVER, MONDAY + 10 * HOUR, MONDAY + 11 * HOUR, 0),
                 MONDAY + 12 * HOUR);
}

Test(schedule, weekly_comes_on_its_day)
{
    cr_assert_eq(next("weekly mon 03:00", MONDAY + 3 * HOUR, MONDAY, MONDAY + 4 * HOUR, 0),
                 MONDAY + 7 * DAY + 3 * HOUR);
    cr_assert_eq(next("weekly sun 03:00", MONDAY, MONDAY, MONDAY + 4 * HOUR, 0),
                 MONDAY + 6 * DAY + 3 * HOUR);
    cr_assert_eq(next("weekly tue 03:00", NEVER, MONDAY, MONDAY, 0), MONDAY + DAY + 3 * HOUR);
}

Test(schedule, local_time_is_an_offset)
{
    cr_assert_eq(next("daily 2:00", MONDAY, MONDAY, MONDAY + 1, 3600), MONDAY + HOUR);
    cr_assert_eq(next("daily 2:00", MONDAY, MONDAY, MONDAY + 1, -5 * 3600), MONDAY + 7 * HOUR);
    cr_assert_eq(next("daily 0:30", MONDAY, MONDAY, MONDAY + 1, 3600),
                 MONDAY + 23 * HOUR + 30 * MINUTE);
    cr_assert_eq(next("weekly mon 0:30", MONDAY, MONDAY, MONDAY + 1, 3600),
                 MONDAY + 6 * DAY + 23 * HOUR + 30 * MINUTE);
    cr_assert_eq(next("hourly :15", MONDAY, MONDAY, MONDAY + 1, 19800), MONDAY + 45 * MINUTE);
}

Test(schedule, a_missed_run_is_due_at_once)
{
    uint64_t now = MONDAY + 3 * DAY + 12 * HOUR;
    cr_assert_eq(next("daily 2:00", MONDAY, MONDAY, now, 0), now);
    cr_assert_eq(next("hourly", MONDAY, MONDAY, now, 0), now);
    cr_assert_eq(next("weekly tue 3:00", NEVER, MONDAY, now, 0), now);
    cr_assert_eq(next("weekly sun 3:00", MONDAY, MONDAY, now, 0), MONDAY + 6 * DAY + 3 * HOUR);
    cr_assert_eq(next("daily 2:00", MONDAY, MONDAY, MONDAY + 2 * HOUR, 0), MONDAY + 2 * HOUR);
}

/* Once the clock is right again the plan goes on. */
Test(schedule, a_start_in_the_future_counts_as_now)
{
    uint64_t wrong = MONDAY + 4000 * DAY;
    cr_assert_eq(next("daily 2:00", wrong, MONDAY, MONDAY + HOUR, 0), MONDAY + 2 * HOUR);
    cr_assert_eq(next("daily 2:00", NEVER, wrong, MONDAY + HOUR, 0), MONDAY + 2 * HOUR);
    cr_assert_eq(next("every 6h", wrong, MONDAY, MONDAY + HOUR, 0), MONDAY + 7 * HOUR);
    cr_assert_eq(next("every 6h", UINT64_MAX, UINT64_MAX, MONDAY, 0), MONDAY + 6 * HOUR);
}

Test(schedule, no_clock_overflows)
{
    static const char *const texts[] = {"every 366d", "hourly", "daily 23:59", "weekly sun 23:59"};
    static const uint64_t times[] = {0, 1, UINT64_C(1) << 62, UINT64_MAX - 1, UINT64_MAX};
    static const int32_t offsets[] = {INT32_MIN, -86400, 0, 86400, INT32_MAX};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 5; j++)
            for (size_t k = 0; k < 5; k++) {
                uint64_t at = next(texts[i], times[j], times[j], times[j], offsets[k]);
                cr_assert_geq(at, times[j]);
            }
}
