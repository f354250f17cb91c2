/* How much bandwidth when. */
#include "chunk/local_time.h"
#include "chunk/plan.h"
#include "chunk/words.h"

#define ALL_WEEKDAYS    0x7f
#define RATE_NUMBER_MAX 1000000
#define HORIZON_MINUTES                                                                            \
    (8 * QN_DAY_MINUTES) /* a week and a day: whatever changes, does it there                      \
                          */

/* ---- rates ---- */

/* "b" alone is left out on purpose: people mean bits by it, or bytes. */
static uint64_t unit_of(struct qn_span unit)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } bits[] = {{"kbit", 125}, {"mbit", 125000}, {"gbit", 125000000}},
      bytes[] = {{"KB", 1000}, {"kB", 1000}, {"MB", 1000000}, {"GB", 1000000000}};
    if (unit.size > 2 && qn_word_is(qn_span_from(unit, unit.size - 2), "/s"))
        unit.size -= 2;
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        if (qn_word_is(unit, bits[i].name))
            return bits[i].bytes;
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
        if (qn_span_eq_str(unit, bytes[i].name))
            return bytes[i].bytes;
    return 0;
}

/* Takes "2" or "1.5" from the front of *word, in thousandths. */
static enum qn_err parse_thousandths(struct qn_span *word, uint64_t *ret_thousandths)
{
    uint64_t whole, scale = 1000, part = 0;
    QN_TRY(qn_word_number(word, RATE_NUMBER_MAX, &whole));
    if (word->size > 0 && word->data[0] == '.') {
        *word = qn_span_from(*word, 1);
        size_t size_before = word->size;
        QN_TRY(qn_word_number(word, 999, &part));
        size_t digits = size_before - word->size;
        if (digits > 3)
            return QN_ERR_LIMIT;
        for (size_t i = 0; i < digits; i++)
            scale /= 10;
    } else {
        scale = 0;
    }
    *ret_thousandths = whole * 1000 + part * scale;
    return QN_OK;
}

/* "2Mbit", "2 Mbit", "1.5Mbit/s", "full", "off", "0" from the front of *text. */
static enum qn_err parse_rate(struct qn_span *text, uint64_t *ret_bytes_per_s)
{
    struct qn_span word;
    uint64_t thousandths;
    if (!qn_words_next(text, &word))
        return QN_ERR_INVALID;
    bool is_full = qn_word_is(word, "full");
    if (is_full || qn_word_is(word, "off") || qn_span_eq_str(word, "0")) {
        *ret_bytes_per_s = is_full ? UINT64_MAX : 0;
        return QN_OK;
    }
    QN_TRY(parse_thousandths(&word, &thousandths));
    if (word.size == 0 && !qn_words_next(text, &word))
        return QN_ERR_INVALID;
    uint64_t unit = unit_of(word), bytes_per_s = thousandths * unit / 1000;
    if (unit == 0)
        return QN_ERR_INVALID;
    if (thousandths > 0 && bytes_per_s == 0)
        return QN_ERR_LIMIT;
    *ret_bytes_per_s = bytes_per_s;
    return QN_OK;
}

/* ---- rows ---- */

/* "08:00-18:00" */
static enum qn_err parse_hours(struct qn_span word, struct qn_timetable_row *row)
{
    struct qn_span from = qn_words_split(&word, '-');
    QN_TRY(qn_word_time(from, &row->from_minute));
    QN_TRY(qn_word_time(word, &row->to_minute));
    if (row->from_minute == QN_DAY_MINUTES)
        return QN_ERR_LIMIT;
    return row->from_minute != row->to_minute ? QN_OK : QN_ERR_INVALID;
}

/* "mon", "mon-fri", "sat-mon" */
static enum qn_err parse_weekdays(struct qn_span word, struct qn_timetable_row *row)
{
    struct qn_span first = qn_words_split(&word, '-');
    uint8_t from, to;
    QN_TRY(qn_word_weekday(first, &from));
    to = from;
    if (word.data != NULL)
        QN_TRY(qn_word_weekday(word, &to));
    for (uint8_t day = from;; day = (uint8_t)((day + 1) % 7)) {
        row->weekdays |= (uint8_t)(1u << day);
        if (day == to)
            return QN_OK;
    }
}

/* A rate, weekdays and hours; what is not said is all of it. */
static enum qn_err parse_row(struct qn_span text, struct qn_timetable_row *ret_row)
{
    struct qn_span word;
    struct qn_timetable_row row = {.to_minute = QN_DAY_MINUTES};
    bool has_hours = false;
    QN_TRY(parse_rate(&text, &row.bytes_per_s));
    while (qn_words_next(&text, &word)) {
        bool is_hours = memchr(word.data, ':', word.size) != NULL;
        if (is_hours && has_hours)
            return QN_ERR_INVALID;
        has_hours |= is_hours;
        QN_TRY(is_hours ? parse_hours(word, &row) : parse_weekdays(word, &row));
    }
    if (row.weekdays == 0)
        row.weekdays = ALL_WEEKDAYS;
    *ret_row = row;
    return QN_OK;
}

static bool take_else(struct qn_span *text)
{
    struct qn_span rest = *text, word;
    if (!qn_words_next(&rest, &word) || !qn_word_is(word, "else"))
        return false;
    *text = rest;
    return true;
}

static enum qn_err parse_else(struct qn_span text, struct qn_span behind, uint64_t *ret_rate)
{
    QN_TRY(parse_rate(&text, ret_rate));
    return qn_words_is_end(text) && behind.data == NULL ? QN_OK : QN_ERR_INVALID;
}

enum qn_err qn_timetable_parse(struct qn_span text, struct qn_timetable *ret_table)
{
    struct qn_timetable table = {.otherwise = UINT64_MAX};
    do {
        struct qn_span part = qn_words_split(&text, ',');
        if (take_else(&part)) {
            QN_TRY(parse_else(part, text, &table.otherwise));
            break;
        }
        if (table.count == QN_TIMETABLE_ROWS_MAX)
            return QN_ERR_LIMIT;
        QN_TRY(parse_row(part, &table.rows[table.count]));
        table.count++;
    } while (text.data != NULL);
    *ret_table = table;
    return QN_OK;
}

/* ---- time ---- */

static bool has_day(const struct qn_timetable_row *row, int64_t weekday)
{
    return row->weekdays >> weekday & 1;
}

/* A row over midnight belongs to the day on which it begins. */
static bool covers(const struct qn_timetable_row *row, int64_t weekday, int64_t minute)
{
    if (row->from_minute < row->to_minute)
        return has_day(row, weekday) && minute >= row->from_minute && minute < row->to_minute;
    return (has_day(row, weekday) && minute >= row->from_minute) ||
           (has_day(row, (weekday + 6) % 7) && minute < row->to_minute);
}

/* `at`: in minutes since 1970, local. */
static uint64_t rate_at(const struct qn_timetable *table, int64_t at)
{
    int64_t day = qn_floor_div(at, QN_DAY_MINUTES), minute = at - day * QN_DAY_MINUTES;
    int64_t since_monday = day - QN_MONDAY_MS / QN_DAY_MS;
    int64_t weekday = since_monday - qn_floor_div(since_monday, 7) * 7;
    for (size_t i = 0; i < table->count; i++)
        if (covers(&table->rows[i], weekday, minute))
            return table->rows[i].bytes_per_s;
    return table->otherwise;
}

/* The next minute after `at` at which a row or a day begins or ends. */
static int64_t next_edge(const struct qn_timetable *table, int64_t at)
{
    int64_t midnight = qn_floor_div(at, QN_DAY_MINUTES) * QN_DAY_MINUTES;
    int64_t next = midnight + QN_DAY_MINUTES;
    for (size_t i = 0; i < table->count; i++) {
        int64_t from = midnight + table->rows[i].from_minute;
        int64_t to = midnight + table->rows[i].to_minute;
        if (from > at && from < next)
            next = from;
        if (to > at && to < next)
            next = to;
    }
    return next;
}

uint64_t qn_timetable_rate(const struct qn_timetable *table, uint64_t now_ms, int32_t offset_s,
                           uint64_t *ret_until_ms)
{
    int64_t now = qn_floor_div(qn_local_ms(now_ms, offset_s), QN_MINUTE_MS), at = now;
    uint64_t rate = rate_at(table, now);
    do
        at = next_edge(table, at);
    while (at < now + HORIZON_MINUTES && rate_at(table, at) == rate);
    bool is_forever = rate_at(table, at) == rate;
    *ret_until_ms = is_forever ? UINT64_MAX : qn_wall_ms(at * QN_MINUTE_MS, offset_s);
    return rate;
}
