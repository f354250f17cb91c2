/* When a plan runs. */
#include "chunk/local_time.h"
#include "chunk/plan.h"
#include "chunk/words.h"

/* ---- text ---- */

static enum qn_err parse_nothing(struct qn_span text, struct qn_schedule *schedule)
{
    return qn_words_is_end(text) ? QN_OK : QN_ERR_INVALID;
}

/* "15m", "6h", "2d" */
static enum qn_err parse_every(struct qn_span text, struct qn_schedule *schedule)
{
    struct qn_span word;
    uint64_t number;
    if (!qn_words_next(&text, &word) || !qn_words_is_end(text))
        return QN_ERR_INVALID;
    QN_TRY(qn_word_number(&word, QN_SCHEDULE_MINUTES_MAX, &number));
    uint64_t unit = qn_word_is(word, "m")   ? 1
                    : qn_word_is(word, "h") ? 60
                    : qn_word_is(word, "d") ? QN_DAY_MINUTES
                                            : 0;
    if (unit == 0)
        return QN_ERR_INVALID;
    if (number == 0 || number * unit > QN_SCHEDULE_MINUTES_MAX)
        return QN_ERR_LIMIT;
    schedule->minutes = (uint32_t)(number * unit);
    return QN_OK;
}

/* Nothing, or ":15" */
static enum qn_err parse_hourly(struct qn_span text, struct qn_schedule *schedule)
{
    struct qn_span word;
    uint64_t minute;
    if (!qn_words_next(&text, &word))
        return QN_OK;
    if (!qn_words_is_end(text) || word.size != 3 || word.data[0] != ':')
        return QN_ERR_INVALID;
    word = qn_span_from(word, 1);
    QN_TRY(qn_word_number(&word, 59, &minute));
    schedule->minute = (uint8_t)minute;
    return word.size == 0 ? QN_OK : QN_ERR_INVALID;
}

/* "02:00" */
static enum qn_err parse_daily(struct qn_span text, struct qn_schedule *schedule)
{
    struct qn_span word;
    uint16_t minute;
    if (!qn_words_next(&text, &word) || !qn_words_is_end(text))
        return QN_ERR_INVALID;
    QN_TRY(qn_word_time(word, &minute));
    if (minute == QN_DAY_MINUTES)
        return QN_ERR_LIMIT;
    schedule->hour = (uint8_t)(minute / 60);
    schedule->minute = (uint8_t)(minute % 60);
    return QN_OK;
}

/* "sun 03:00" */
static enum qn_err parse_weekly(struct qn_span text, struct qn_schedule *schedule)
{
    struct qn_span word;
    if (!qn_words_next(&text, &word))
        return QN_ERR_INVALID;
    QN_TRY(qn_word_weekday(word, &schedule->weekday));
    return parse_daily(text, schedule);
}

static const struct form {
    const char *word;
    enum qn_schedule_kind kind;
    enum qn_err (*parse)(struct qn_span text, struct qn_schedule *schedule);
} forms[] = {
    {"manual", QN_SCHEDULE_MANUAL, parse_nothing}, {"every", QN_SCHEDULE_EVERY, parse_every},
    {"hourly", QN_SCHEDULE_HOURLY, parse_hourly},  {"daily", QN_SCHEDULE_DAILY, parse_daily},
    {"weekly", QN_SCHEDULE_WEEKLY, parse_weekly},
};

enum qn_err qn_schedule_parse(struct qn_span text, struct qn_schedule *ret_schedule)
{
    struct qn_span word;
    if (!qn_words_next(&text, &word))
        return QN_ERR_INVALID;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct qn_schedule schedule = {.kind = forms[i].kind};
        if (!qn_word_is(word, forms[i].word))
            continue;
        QN_TRY(forms[i].parse(text, &schedule));
        *ret_schedule = schedule;
        return QN_OK;
    }
    return QN_ERR_INVALID;
}

static void print_every(uint32_t minutes, struct qn_buf *out)
{
    if (minutes % QN_DAY_MINUTES == 0)
        qn_buf_printf(out, "every %ud", minutes / QN_DAY_MINUTES);
    else if (minutes % 60 == 0)
        qn_buf_printf(out, "every %uh", minutes / 60);
    else
        qn_buf_printf(out, "every %um", minutes);
}

void qn_schedule_print(const struct qn_schedule *schedule, struct qn_buf *out)
{
    switch (schedule->kind) {
    case QN_SCHEDULE_MANUAL:
        qn_buf_append_str(out, "manual");
        break;
    case QN_SCHEDULE_EVERY:
        print_every(schedule->minutes, out);
        break;
    case QN_SCHEDULE_HOURLY:
        qn_buf_append_str(out, "hourly");
        if (schedule->minute != 0)
            qn_buf_printf(out, " :%02u", schedule->minute);
        break;
    case QN_SCHEDULE_DAILY:
        qn_buf_printf(out, "daily %02u:%02u", schedule->hour, schedule->minute);
        break;
    case QN_SCHEDULE_WEEKLY:
        qn_buf_printf(out, "weekly %s %02u:%02u", qn_weekday_name(schedule->weekday),
                      schedule->hour, schedule->minute);
        break;
    }
}

/* ---- time ---- */

/* Slots come every `period`, one of them at `phase` (local). */
struct slots {
    int64_t period_ms, phase_ms;
};

static struct slots slots_of(const struct qn_schedule *schedule)
{
    int64_t in_hour = schedule->minute * QN_MINUTE_MS;
    int64_t in_day = schedule->hour * QN_HOUR_MS + in_hour;
    if (schedule->kind == QN_SCHEDULE_HOURLY)
        return (struct slots){QN_HOUR_MS, in_hour};
    if (schedule->kind == QN_SCHEDULE_DAILY)
        return (struct slots){QN_DAY_MS, in_day};
    return (struct slots){QN_WEEK_MS, QN_MONDAY_MS + schedule->weekday * QN_DAY_MS + in_day};
}

static uint64_t slot_after(const struct slots *slots, uint64_t wall_ms, int32_t offset_s)
{
    int64_t since_phase = qn_local_ms(wall_ms, offset_s) - slots->phase_ms;
    int64_t number = qn_floor_div(since_phase, slots->period_ms) + 1;
    return qn_wall_ms(number * slots->period_ms + slots->phase_ms, offset_s);
}

static uint64_t every_after(const struct qn_schedule *schedule, uint64_t last_start_ms,
                            uint64_t reference_ms)
{
    if (last_start_ms == 0)
        return reference_ms;
    return (uint64_t)qn_local_ms(reference_ms, 0) + (uint64_t)schedule->minutes * QN_MINUTE_MS;
}

/* A start or creation in the future was written under a wrong clock: it counts as now, or the plan
 * would stand still until then. */
uint64_t qn_schedule_next(const struct qn_schedule *schedule, uint64_t last_start_ms,
                          uint64_t created_ms, uint64_t now_ms, int32_t offset_s)
{
    uint64_t reference = last_start_ms != 0 ? last_start_ms : created_ms, next;
    if (reference > now_ms)
        reference = now_ms;
    if (schedule->kind == QN_SCHEDULE_MANUAL)
        return UINT64_MAX;
    struct slots slots = slots_of(schedule);
    if (schedule->kind == QN_SCHEDULE_EVERY)
        next = every_after(schedule, last_start_ms, reference);
    else
        next = slot_after(&slots, reference, offset_s);
    return next > now_ms ? next : now_ms;
}
