#include <criterion/criterion.h>

#include "base/prng.h"
#include "chunk/plan.h"
#include "support/span.h"

#define MINUTE UINT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define FULL   UINT64_MAX

/* Monday 2024-01-01 00:00 UTC. */
#define MONDAY UINT64_C(1704067200000)

static struct qn_timetable parse(const char *text)
{
    struct qn_timetable table;
    enum qn_err err = qn_timetable_parse(qn_span_str(text), &table);
    cr_assert_eq(err, QN_OK, "'%s': %s", text, qn_err_name(err));
    return table;
}

static void expect_rate(const char *text, uint64_t wanted)
{
    struct qn_timetable table = parse(text);
    cr_assert_eq(table.count, 1);
    cr_assert_eq(table.rows[0].bytes_per_s, wanted, "'%s': %lu", text,
                 (unsigned long)table.rows[0].bytes_per_s);
}

Test(timetable, rates)
{
    expect_rate("2Mbit", 250000);
    expect_rate("2 mbit", 250000);
    expect_rate("2Mbit/s", 250000);
    expect_rate("1.5Mbit", 187500);
    expect_rate("0.125Mbit", 15625);
    expect_rate("500Kbit", 62500);
    expect_rate("1Gbit", 125000000);
    expect_rate("64KB", 64000);
    expect_rate("64kB/s", 64000);
    expect_rate("1.25 MB", 1250000);
    expect_rate("1000000GB", UINT64_C(1000000000000000));
    expect_rate("full", FULL);
    expect_rate("off", 0);
    expect_rate("0", 0);
    expect_rate("0Mbit", 0);
}

Test(timetable, rows)
{
    struct qn_timetable table = parse("2Mbit mon-fri 08:00-18:00, 1MB sat-mon,off Wed 22:00-6:00 "
                                      "sunday , else 500KB");
    cr_assert_eq(table.count, 3);
    cr_assert_eq(table.otherwise, 500000);
    cr_assert_eq(table.rows[0].weekdays, 0x1f);
    cr_assert_eq(table.rows[0].from_minute, 480);
    cr_assert_eq(table.rows[0].to_minute, 1080);
    cr_assert_eq(table.rows[1].weekdays, 0x61);
    cr_assert_eq(table.rows[1].from_minute, 0);
    cr_assert_eq(table.rows[1].to_minute, 1440);
    cr_assert_eq(table.rows[2].weekdays, 0x44);
    cr_assert_eq(table.rows[2].from_minute, 1320);
    cr_assert_eq(table.rows[2].to_minute, 360);
    cr_assert_eq(parse("off 20:00-24:00").otherwise, FULL);
    cr_assert_eq(parse("else 1MB").otherwise, 1000000);
    cr_assert_eq(parse("1MB mon-mon").rows[0].weekdays, 1);
}

Test(timetable, what_is_not_understood)
{
    static const char *const texts[] = {"",
                                        ",",
                                        "2",
                                        "2Mb",
                                        "2mb",
                                        "2 b",
                                        "Mbit",
                                        "2Mbit,",
                                        "2Mbit x",
                                        "2Mbit mon-",
                                        "2Mbit -fri",
                                        "2Mbit mon-fri-sat",
                                        "2Mbit 8-18",
                                        "2Mbit 8:00",
                                        "2Mbit 8:00-",
                                        "2Mbit 8:00-8:00",
                                        "2Mbit 8:00-9:00 10:00-11:00",
                                        "else",
                                        "else 1MB, 2MB",
                                        "else 1MB else",
                                        "1MB, else 1MB mon",
                                        "1.MB",
                                        ".5MB",
                                        "-1MB",
                                        "2Mbit/m",
                                        "fullspeed",
                                        "2Mbit 8:00-18:00-20:00"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct qn_timetable table = {.otherwise = 77};
        enum qn_err err = qn_timetable_parse(qn_span_str(texts[i]), &table);
        cr_assert_eq(err, QN_ERR_INVALID, "'%s': %s", texts[i], qn_err_name(err));
        cr_assert_eq(table.otherwise, 77);
    }
}

Test(timetable, numbers_out_of_range)
{
    static const char *const texts[] = {
        "1000001MB",        "1.0001MB",        "0.001Kbit",        "2Mbit 8:00-25:00",
        "2Mbit 24:00-8:00", "2Mbit 8:60-9:00", "2Mbit 8:00-24:01", "99999999999999999999MB"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct qn_timetable table;
        enum qn_err err = qn_timetable_parse(qn_span_str(texts[i]), &table);
        cr_assert_eq(err, QN_ERR_LIMIT, "'%s': %s", texts[i], qn_err_name(err));
    }
}

Test(timetable, has_at_most_so_many_rows)
{
    QN_AUTO_BUF struct qn_buf text;
    struct qn_timetable table;
    qn_buf_init(&text, 1000);
    for (int i = 0; i < QN_TIMETABLE_ROWS_MAX; i++)
        qn_buf_append_str(&text, "1MB mon,");
    qn_buf_append_str(&text, "else off");
    cr_assert_eq(qn_timetable_parse(qn_buf_view(&text), &table), QN_OK);
    cr_assert_eq(table.count, QN_TIMETABLE_ROWS_MAX);
    qn_buf_truncate(&text, text.size - strlen("else off"));
    qn_buf_append_str(&text, "1MB");
    cr_assert_eq(qn_timetable_parse(qn_buf_view(&text), &table), QN_ERR_LIMIT);
}

/* ---- time ---- */

static void expect_at(const char *text, uint64_t now, int32_t offset_s, uint64_t rate,
                      uint64_t until)
{
    struct qn_timetable table = parse(text);
    uint64_t got_until;
    cr_assert_eq(qn_timetable_rate(&table, now, offset_s, &got_until), rate);
    cr_assert_eq(got_until, until, "'%s': until %lu", text, (unsigned long)got_until);
}

Test(timetable, working_hours)
{
    static const char text[] = "2Mbit mon-fri 08:00-18:00, else full";
    uint64_t eight = 8 * HOUR, eighteen = 18 * HOUR;
    expect_at(text, MONDAY, 0, FULL, MONDAY + eight);
    expect_at(text, MONDAY + eight - 1, 0, FULL, MONDAY + eight);
    expect_at(text, MONDAY + eight, 0, 250000, MONDAY + eighteen);
    expect_at(text, MONDAY + eighteen - 1, 0, 250000, MONDAY + eighteen);
    expect_at(text, MONDAY + eighteen, 0, FULL, MONDAY + DAY + eight);
    expect_at(text, MONDAY + 4 * DAY + eighteen, 0, FULL, MONDAY + 7 * DAY + eight);
}

Test(timetable, local_time_is_an_offset)
{
    static const char text[] = "off mon 08:00-18:00";
    expect_at(text, MONDAY, 2 * 3600, FULL, MONDAY + 6 * HOUR);
    expect_at(text, MONDAY, 12 * 3600, 0, MONDAY + 6 * HOUR);
    expect_at(text, MONDAY, -3600, FULL, MONDAY + 9 * HOUR);
}

Test(timetable, a_row_over_midnight_belongs_to_its_first_day)
{
    static const char text[] = "off fri 22:00-06:00";
    uint64_t friday = MONDAY + 4 * DAY;
    expect_at(text, friday, 0, FULL, friday + 22 * HOUR);
    expect_at(text, friday + 22 * HOUR, 0, 0, friday + 30 * HOUR);
    expect_at(text, friday + 25 * HOUR, 0, 0, friday + 30 * HOUR);
    expect_at(text, friday + 30 * HOUR, 0, FULL, friday + 7 * DAY + 22 * HOUR);
    expect_at(text, friday + DAY + 22 * HOUR, 0, FULL, friday + 7 * DAY + 22 * HOUR);
}

Test(timetable, from_sunday_into_monday)
{
    expect_at("off sun 22:00-06:00", MONDAY, 0, 0, MONDAY + 6 * HOUR);
    expect_at("off sun", MONDAY - 1, 0, 0, MONDAY);
}

Test(timetable, the_first_row_that_applies_counts)
{
    static const char text[] = "off 12:00-13:00, 1MB 8:00-18:00, else 2MB";
    expect_at(text, MONDAY + 9 * HOUR, 0, 1000000, MONDAY + 12 * HOUR);
    expect_at(text, MONDAY + 12 * HOUR, 0, 0, MONDAY + 13 * HOUR);
    expect_at(text, MONDAY + 18 * HOUR, 0, 2000000, MONDAY + 32 * HOUR);
}

Test(timetable, what_never_changes_says_so)
{
    expect_at("full", MONDAY, 0, FULL, UINT64_MAX);
    expect_at("1MB", MONDAY, 0, 1000000, UINT64_MAX);
    expect_at("1MB mon-fri, else 1MB", MONDAY, 0, 1000000, UINT64_MAX);
}

/* Between now and until, minute by minute, the rate is what was said; then it is another. */
Test(timetable, until_is_exact)
{
    static const char *const texts[] = {
        "off mon-fri 8:00-18:00, 1MB sat 10:00-2:00, else 2MB",
        "1MB 23:59-0:01, 2MB wed, 1MB 0:00-24:00",
        "full tue-thu 22:00-6:00, off sun 0:00-12:00, 1MB 6:00-6:01"};
    struct qn_prng prng = {5};
    for (int i = 0; i < 30; i++) {
        struct qn_timetable table = parse(texts[i % 3]);
        uint64_t now = MONDAY + qn_prng_below(&prng, 14 * DAY), until, other;
        uint64_t rate = qn_timetable_rate(&table, now, 0, &until);
        cr_assert_gt(until, now);
        cr_assert_leq(until, now + 7 * DAY);
        for (uint64_t at = now; at < until; at += 7 * MINUTE)
            cr_assert_eq(qn_timetable_rate(&table, at, 0, &other), rate);
        cr_assert_eq(qn_timetable_rate(&table, until - 1, 0, &other), rate);
        cr_assert_neq(qn_timetable_rate(&table, until, 0, &other), rate);
    }
}
