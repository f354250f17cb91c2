#include <criterion/criterion.h>

#include <time.h>

#include "base/prng.h"
#include "chunk/local_time.h"
#include "chunk/plan.h"
#include "support/span.h"

#define HOUR UINT64_C(3600000)
#define DAY  (24 * HOUR)

/* Monday 2024-01-01 00:00 UTC. */
#define MONDAY UINT64_C(1704067200000)

/* ---- text ---- */

static void expect_text(const char *text, const char *printed, struct qn_keep wanted)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_keep keep, again;
    qn_buf_init(&out, 200);
    cr_assert_eq(qn_keep_parse(qn_span_str(text), &keep), QN_OK, "'%s'", text);
    cr_assert_eq(memcmp(&keep, &wanted, sizeof(keep)), 0, "'%s'", text);
    qn_keep_print(&keep, &out);
    assert_span_eq(qn_buf_view(&out), qn_span_str(printed));
    cr_assert_eq(qn_keep_parse(qn_buf_view(&out), &again), QN_OK);
    cr_assert_eq(memcmp(&keep, &again, sizeof(keep)), 0);
}

Test(keep, what_people_write)
{
    expect_text("7d,5w,12m,2y", "7d,5w,12m,2y",
                (struct qn_keep){.daily = 7, .weekly = 5, .monthly = 12, .yearly = 2});
    expect_text("24h", "24h", (struct qn_keep){.hourly = 24});
    expect_text("last 10", "last 10", (struct qn_keep){.last = 10});
    expect_text("10", "last 10", (struct qn_keep){.last = 10});
    expect_text(" 2Y , Last 3 ,7d", "last 3,7d,2y",
                (struct qn_keep){.last = 3, .daily = 7, .yearly = 2});
    expect_text("all", "all", (struct qn_keep){0});
    expect_text("100000d", "100000d", (struct qn_keep){.daily = 100000});
}

Test(keep, what_is_not_understood)
{
    static const char *const texts[] = {"",      ",",      "7d,",      ",7d",        "7x",
                                        "7 d",   "d",      "-7d",      "7dd",        "0d",
                                        "0",     "7d,8d",  "7,last 3", "last",       "last 3d",
                                        "7d 5w", "all,7d", "7d,all",   "last last 3"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct qn_keep keep = {.last = 77};
        enum qn_err err = qn_keep_parse(qn_span_str(texts[i]), &keep);
        cr_assert_eq(err, QN_ERR_INVALID, "'%s': %s", texts[i], qn_err_name(err));
        cr_assert_eq(keep.last, 77);
    }
}

Test(keep, numbers_out_of_range)
{
    struct qn_keep keep;
    cr_assert_eq(qn_keep_parse(SPAN("100001d"), &keep), QN_ERR_LIMIT);
    cr_assert_eq(qn_keep_parse(SPAN("99999999999999999999999"), &keep), QN_ERR_LIMIT);
}

/* ---- choice ---- */

/* The kept ones as letters: 'k' or '.'. */
static void expect_kept(const char *rules, const uint64_t *times, size_t count, int32_t offset_s,
                        const char *wanted)
{
    struct qn_keep keep;
    bool kept[64];
    char got[65] = {0};
    cr_assert_eq(qn_keep_parse(qn_span_str(rules), &keep), QN_OK);
    qn_keep_choose(&keep, times, count, offset_s, kept);
    for (size_t i = 0; i < count; i++)
        got[i] = kept[i] ? 'k' : '.';
    cr_assert_str_eq(got, wanted, "%s: %s, not %s", rules, got, wanted);
}

Test(keep, the_last_of_each_day)
{
    static const uint64_t times[] = {MONDAY + HOUR,    MONDAY + 2 * HOUR,
                                     MONDAY + DAY,     MONDAY + DAY + 23 * HOUR,
                                     MONDAY + 5 * DAY, MONDAY + 5 * DAY + HOUR};
    expect_kept("1d", times, 6, 0, ".....k");
    expect_kept("2d", times, 6, 0, "...k.k"); /* days without one do not count */
    expect_kept("3d", times, 6, 0, ".k.k.k");
    expect_kept("9d", times, 6, 0, ".k.k.k");
    expect_kept("last 3", times, 6, 0, "...kkk");
    expect_kept("last 2,3d", times, 6, 0, ".k.kkk");
    expect_kept("all", times, 6, 0, "kkkkkk");
    expect_kept("3d", times, 6, 3600, "..kk.k"); /* 23:00 is the day after there */
}

Test(keep, weeks_begin_on_monday)
{
    static const uint64_t times[] = {MONDAY - 1, MONDAY, MONDAY + 7 * DAY - 1, MONDAY + 7 * DAY};
    expect_kept("5w", times, 4, 0, "k.kk");
}

Test(keep, months_and_years)
{
    static const uint64_t times[] = {
        UINT64_C(1677542400000), /* 2023-02-28 */
        UINT64_C(1677628800000), /* 2023-03-01 */
        UINT64_C(1703980800000), /* 2023-12-31 */
        MONDAY,                  /* 2024-01-01 */
        UINT64_C(1709164800000), /* 2024-02-29 */
        UINT64_C(1709251200000), /* 2024-03-01 */
    };
    expect_kept("9m", times, 6, 0, "kkkkkk");
    expect_kept("9y", times, 6, 0, "..k..k");
    expect_kept("2m", times, 6, 0, "....kk");
}

Test(keep, none_and_one)
{
    static const uint64_t time = MONDAY;
    expect_kept("7d", NULL, 0, 0, "");
    expect_kept("7d", &time, 1, 0, "k");
}

/* Every day of 700 years, against the C library. */
Test(local_time, months_are_those_of_the_calendar)
{
    for (int64_t day = -1000; day < 365 * 700; day++) {
        time_t seconds = (time_t)(day * 86400);
        struct tm tm;
        cr_assert_not_null(gmtime_r(&seconds, &tm));
        cr_assert_eq(qn_month_of_day(day), (tm.tm_year + INT64_C(1900)) * 12 + tm.tm_mon, "day %ld",
                     (long)day);
    }
}

/* ---- the same by brute force ---- */

/* A period's name, from the C library. */
static void name_of(char letter, uint64_t time_ms, int32_t offset_s, char out[32])
{
    time_t seconds = (time_t)(time_ms / 1000) + offset_s;
    struct tm tm;
    cr_assert_not_null(gmtime_r(&seconds, &tm));
    if (letter == 'h')
        strftime(out, 32, "%Y-%m-%d %H", &tm);
    else if (letter == 'd')
        strftime(out, 32, "%Y-%m-%d", &tm);
    else if (letter == 'w')
        strftime(out, 32, "%G-%V", &tm);
    else if (letter == 'm')
        strftime(out, 32, "%Y-%m", &tm);
    else
        strftime(out, 32, "%Y", &tm);
}

struct sample {
    uint64_t times[60];
    size_t count;
    int32_t offset_s;
};

static bool is_same(const struct sample *sample, char letter, size_t a, size_t b)
{
    char names[2][32];
    name_of(letter, sample->times[a], sample->offset_s, names[0]);
    name_of(letter, sample->times[b], sample->offset_s, names[1]);
    return strcmp(names[0], names[1]) == 0;
}

/* Kept: the last of its period, and fewer than `number` periods after it have one. */
static bool is_kept_by(const struct sample *sample, char letter, uint32_t number, size_t at)
{
    size_t periods = 0;
    for (size_t i = at + 1; i < sample->count; i++) {
        if (is_same(sample, letter, at, i))
            return false;
        bool is_last = i + 1 == sample->count || !is_same(sample, letter, i, i + 1);
        periods += is_last;
    }
    return periods < number;
}

static bool is_kept(const struct sample *sample, const struct qn_keep *keep, size_t at)
{
    static const struct qn_keep nothing;
    size_t behind = sample->count - 1 - at;
    if (behind == 0 || behind < keep->last || memcmp(keep, &nothing, sizeof(nothing)) == 0)
        return true;
    return is_kept_by(sample, 'h', keep->hourly, at) || is_kept_by(sample, 'd', keep->daily, at) ||
           is_kept_by(sample, 'w', keep->weekly, at) ||
           is_kept_by(sample, 'm', keep->monthly, at) || is_kept_by(sample, 'y', keep->yearly, at);
}

static uint32_t any_number(struct qn_prng *prng)
{
    return qn_prng_below(prng, 2) == 0 ? 0 : (uint32_t)qn_prng_below(prng, 9);
}

Test(keep, chooses_what_brute_force_chooses)
{
    static const uint64_t steps[] = {HOUR / 3, 5 * HOUR, DAY, 9 * DAY, 60 * DAY};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct qn_prng prng = {seed};
        struct sample sample = {.count = 1 + qn_prng_below(&prng, 60)};
        struct qn_keep keep = {any_number(&prng), any_number(&prng), any_number(&prng),
                               any_number(&prng), any_number(&prng), any_number(&prng)};
        bool kept[60];
        uint64_t at = MONDAY, step = steps[qn_prng_below(&prng, 5)];
        sample.offset_s = (int32_t)qn_prng_below(&prng, 26 * 3600) - 12 * 3600;
        for (size_t i = 0; i < sample.count; i++)
            sample.times[i] = at += qn_prng_below(&prng, 2 * step);
        qn_keep_choose(&keep, sample.times, sample.count, sample.offset_s, kept);
        for (size_t i = 0; i < sample.count; i++)
            cr_assert_eq(kept[i], is_kept(&sample, &keep, i), "seed %lu, snapshot %zu",
                         (unsigned long)seed, i);
    }
}
