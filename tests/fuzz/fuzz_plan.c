/* All texts of a plan. What is understood is printed so that it is understood as the same; rules
 * keep their promises for any clock. The input's first 12 bytes are times. */
#include "chunk/plan.h"
#include "support/fuzz.h"

#define TEXT_MAX 512

struct moment {
    uint64_t now_ms;
    int32_t offset_s;
};

static bool is_same(const struct qn_schedule *a, const struct qn_schedule *b)
{
    return a->kind == b->kind && a->minutes == b->minutes && a->weekday == b->weekday &&
           a->hour == b->hour && a->minute == b->minute;
}

static void check_schedule(struct qn_span text, const struct moment *moment)
{
    QN_AUTO_BUF struct qn_buf printed;
    struct qn_schedule schedule, again;
    qn_buf_init(&printed, TEXT_MAX);
    if (qn_schedule_parse(text, &schedule) != QN_OK)
        return;
    qn_schedule_print(&schedule, &printed);
    FUZZ_CHECK(qn_schedule_parse(qn_buf_view(&printed), &again) == QN_OK);
    FUZZ_CHECK(is_same(&schedule, &again));
    uint64_t now = moment->now_ms;
    FUZZ_CHECK(qn_schedule_next(&schedule, now / 2, 0, now, moment->offset_s) >= now);
    FUZZ_CHECK(qn_schedule_next(&schedule, 0, now, now, moment->offset_s) >= now);
}

static void check_keep(struct qn_span text, const struct moment *moment)
{
    QN_AUTO_BUF struct qn_buf printed;
    struct qn_keep keep, again;
    bool kept[4];
    qn_buf_init(&printed, TEXT_MAX);
    if (qn_keep_parse(text, &keep) != QN_OK)
        return;
    qn_keep_print(&keep, &printed);
    FUZZ_CHECK(qn_keep_parse(qn_buf_view(&printed), &again) == QN_OK);
    FUZZ_CHECK(memcmp(&keep, &again, sizeof(again)) == 0);
    uint64_t times[4] = {0, moment->now_ms / 3, moment->now_ms / 2, moment->now_ms};
    qn_keep_choose(&keep, times, 4, moment->offset_s, kept);
    FUZZ_CHECK(kept[3]);
}

static void check_timetable(struct qn_span text, const struct moment *moment)
{
    struct qn_timetable table;
    uint64_t until;
    if (qn_timetable_parse(text, &table) != QN_OK)
        return;
    FUZZ_CHECK(table.count <= QN_TIMETABLE_ROWS_MAX);
    for (size_t i = 0; i < table.count; i++) {
        FUZZ_CHECK(table.rows[i].weekdays > 0 && table.rows[i].weekdays < 0x80);
        FUZZ_CHECK(table.rows[i].from_minute < 1440 && table.rows[i].to_minute <= 1440);
    }
    uint64_t now = moment->now_ms >> 20; /* a clock that years can be counted by */
    qn_timetable_rate(&table, now, moment->offset_s % 86400, &until);
    FUZZ_CHECK(until > now);
    qn_timetable_rate(&table, moment->now_ms, moment->offset_s, &until);
}

/* The first line is a path, the others are patterns. */
static void check_exclude(struct qn_span text)
{
    struct qn_exclude *exclude = qn_exclude_new();
    const uint8_t *end = text.size == 0 ? NULL : memchr(text.data, '\n', text.size);
    size_t size = end == NULL ? text.size : (size_t)(end - text.data);
    struct qn_span path = qn_span(text.data, size), left = qn_span_from(text, size + 1);
    while (left.size > 0) {
        end = memchr(left.data, '\n', left.size);
        size = end == NULL ? left.size : (size_t)(end - left.data);
        (void)!qn_exclude_add(exclude, qn_span(left.data, size));
        left = qn_span_from(left, size + 1);
    }
    bool is_file_out = qn_exclude_matches(exclude, path, false);
    if (qn_exclude_add(exclude, qn_span_str("**/")) == QN_OK && path.size > 0) {
        FUZZ_CHECK(qn_exclude_matches(exclude, path, true));
        FUZZ_CHECK(qn_exclude_matches(exclude, path, false) == is_file_out);
    }
    qn_exclude_free(exclude);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 12)
        return 0;
    struct moment moment = {qn_read_u64(data), (int32_t)qn_read_u32(data + 8)};
    struct qn_span text = qn_span(data + 12, size - 12);
    check_schedule(text, &moment);
    check_keep(text, &moment);
    check_timetable(text, &moment);
    check_exclude(text);
    return 0;
}
