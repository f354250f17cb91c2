/* Which snapshots stay. */
#include "chunk/local_time.h"
#include "chunk/plan.h"
#include "chunk/words.h"

enum rule {
    RULE_LAST,
    RULE_HOURLY,
    RULE_DAILY,
    RULE_WEEKLY,
    RULE_MONTHLY,
    RULE_YEARLY,
    RULE_COUNT
};

/* The letters of the rules; the last snapshots are "last N" or a bare number. */
static const char letters[RULE_COUNT + 1] = " hdwmy";

static uint32_t *number_of(struct qn_keep *keep, enum rule rule)
{
    uint32_t *const numbers[RULE_COUNT] = {&keep->last,   &keep->hourly,  &keep->daily,
                                           &keep->weekly, &keep->monthly, &keep->yearly};
    return numbers[rule];
}

/* ---- text ---- */

static enum qn_err rule_of(struct qn_span letter, bool is_last, enum rule *ret_rule)
{
    if (letter.size == 0) {
        *ret_rule = RULE_LAST;
        return QN_OK;
    }
    for (enum rule rule = RULE_HOURLY; rule < RULE_COUNT && !is_last; rule++) {
        const char name[2] = {letters[rule], 0};
        *ret_rule = rule;
        if (qn_word_is(letter, name))
            return QN_OK;
    }
    return QN_ERR_INVALID;
}

/* "7d", "10", "last 10" */
static enum qn_err parse_rule(struct qn_span text, struct qn_keep *keep)
{
    struct qn_span word;
    uint64_t number;
    enum rule rule;
    if (!qn_words_next(&text, &word))
        return QN_ERR_INVALID;
    bool is_last = qn_word_is(word, "last");
    if (is_last && !qn_words_next(&text, &word))
        return QN_ERR_INVALID;
    if (!qn_words_is_end(text))
        return QN_ERR_INVALID;
    QN_TRY(qn_word_number(&word, QN_KEEP_COUNT_MAX, &number));
    QN_TRY(rule_of(word, is_last, &rule));
    uint32_t *slot = number_of(keep, rule);
    if (number == 0 || *slot != 0)
        return QN_ERR_INVALID; /* says nothing, or says it twice */
    *slot = (uint32_t)number;
    return QN_OK;
}

static bool is_all(struct qn_span text)
{
    struct qn_span word;
    return qn_words_next(&text, &word) && qn_word_is(word, "all") && qn_words_is_end(text);
}

enum qn_err qn_keep_parse(struct qn_span text, struct qn_keep *ret_keep)
{
    struct qn_keep keep = {0};
    bool has_rules = !is_all(text);
    while (has_rules) {
        QN_TRY(parse_rule(qn_words_split(&text, ','), &keep));
        has_rules = text.data != NULL;
    }
    *ret_keep = keep;
    return QN_OK;
}

void qn_keep_print(const struct qn_keep *keep, struct qn_buf *out)
{
    struct qn_keep rules = *keep;
    const char *separator = "";
    for (enum rule rule = 0; rule < RULE_COUNT; rule++) {
        uint32_t number = *number_of(&rules, rule);
        if (number == 0)
            continue;
        if (rule == RULE_LAST)
            qn_buf_printf(out, "last %u", number);
        else
            qn_buf_printf(out, "%s%u%c", separator, number, letters[rule]);
        separator = ",";
    }
    if (*separator == 0)
        qn_buf_append_str(out, "all");
}

/* ---- choice ---- */

/* A number that is equal for times of one period. Weeks begin on Monday. */
static int64_t period_of(enum rule rule, int64_t local_ms, size_t index)
{
    int64_t day = qn_floor_div(local_ms, QN_DAY_MS);
    switch (rule) {
    case RULE_HOURLY:
        return qn_floor_div(local_ms, QN_HOUR_MS);
    case RULE_DAILY:
        return day;
    case RULE_WEEKLY:
        return qn_floor_div(local_ms - QN_MONDAY_MS, QN_WEEK_MS);
    case RULE_MONTHLY:
        return qn_month_of_day(day);
    case RULE_YEARLY:
        return qn_floor_div(qn_month_of_day(day), 12);
    case RULE_LAST:
    case RULE_COUNT:
        break;
    }
    return (int64_t)index;
}

struct list {
    const uint64_t *times_ms;
    size_t count;
    int32_t offset_s;
    bool *kept;
};

/* From the newest on: the first of each period that is met. */
static void keep_periods(enum rule rule, uint32_t number, const struct list *list)
{
    int64_t previous = 0;
    uint32_t left = number;
    for (size_t i = list->count; i > 0 && left > 0; i--) {
        int64_t local = qn_local_ms(list->times_ms[i - 1], list->offset_s);
        int64_t period = period_of(rule, local, i);
        if (left < number && period == previous)
            continue;
        previous = period;
        list->kept[i - 1] = true;
        left--;
    }
}

void qn_keep_choose(const struct qn_keep *keep, const uint64_t *times_ms, size_t count,
                    int32_t offset_s, bool *ret_kept)
{
    struct list list = {times_ms, count, offset_s, ret_kept};
    struct qn_keep rules = *keep;
    bool has_rules = false;
    for (enum rule rule = 0; rule < RULE_COUNT; rule++)
        has_rules |= *number_of(&rules, rule) > 0;
    for (size_t i = 0; i < count; i++)
        ret_kept[i] = !has_rules || i == count - 1;
    for (enum rule rule = 0; rule < RULE_COUNT; rule++)
        keep_periods(rule, *number_of(&rules, rule), &list);
}
