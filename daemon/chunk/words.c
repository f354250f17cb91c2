#include "chunk/words.h"

static const char *const weekdays[7] = {"monday", "tuesday",  "wednesday", "thursday",
                                        "friday", "saturday", "sunday"};
static const char *const short_weekdays[7] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static void skip_blanks(struct qn_span *text)
{
    while (text->size > 0 && is_blank(text->data[0]))
        *text = qn_span(text->data + 1, text->size - 1);
}

bool qn_words_is_end(struct qn_span text)
{
    skip_blanks(&text);
    return text.size == 0;
}

bool qn_words_next(struct qn_span *text, struct qn_span *ret_word)
{
    skip_blanks(text);
    size_t size = 0;
    while (size < text->size && !is_blank(text->data[size]))
        size++;
    if (size == 0)
        return false;
    *ret_word = qn_span(text->data, size);
    *text = qn_span(text->data + size, text->size - size);
    return true;
}

struct qn_span qn_words_split(struct qn_span *text, char separator)
{
    struct qn_span all = *text;
    const uint8_t *at = all.size == 0 ? NULL : memchr(all.data, separator, all.size);
    if (at == NULL) {
        *text = qn_span(NULL, 0);
        return all;
    }
    size_t size = (size_t)(at - all.data);
    *text = qn_span(at + 1, all.size - size - 1);
    return qn_span(all.data, size);
}

static char lower(uint8_t byte)
{
    return (char)(byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte);
}

bool qn_word_is(struct qn_span word, const char *lower_case)
{
    if (word.size != strlen(lower_case))
        return false;
    for (size_t i = 0; i < word.size; i++)
        if (lower(word.data[i]) != lower_case[i])
            return false;
    return true;
}

static bool is_digit(struct qn_span word, size_t at)
{
    return at < word.size && word.data[at] >= '0' && word.data[at] <= '9';
}

enum qn_err qn_word_number(struct qn_span *word, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t at = 0;
    for (; is_digit(*word, at); at++) {
        uint64_t digit = (uint64_t)(word->data[at] - '0');
        if (number > (max - digit) / 10 || digit > max)
            return QN_ERR_LIMIT;
        number = number * 10 + digit;
    }
    if (at == 0)
        return QN_ERR_INVALID;
    *word = qn_span(word->data + at, word->size - at);
    *ret_number = number;
    return QN_OK;
}

enum qn_err qn_word_time(struct qn_span word, uint16_t *ret_minute)
{
    struct qn_span hour_digits = qn_words_split(&word, ':');
    uint64_t hour, minute;
    if (hour_digits.size < 1 || hour_digits.size > 2 || word.size != 2)
        return QN_ERR_INVALID;
    if (!is_digit(hour_digits, hour_digits.size - 1) || !is_digit(word, 1))
        return QN_ERR_INVALID;
    QN_TRY(qn_word_number(&hour_digits, 24, &hour));
    QN_TRY(qn_word_number(&word, 59, &minute));
    if (hour_digits.size > 0 || word.size > 0)
        return QN_ERR_INVALID;
    if (hour == 24 && minute > 0)
        return QN_ERR_LIMIT;
    *ret_minute = (uint16_t)(hour * 60 + minute);
    return QN_OK;
}

enum qn_err qn_word_weekday(struct qn_span word, uint8_t *ret_weekday)
{
    for (uint8_t i = 0; i < 7; i++) {
        if (!qn_word_is(word, weekdays[i]) && !qn_word_is(word, short_weekdays[i]))
            continue;
        *ret_weekday = i;
        return QN_OK;
    }
    return QN_ERR_INVALID;
}

const char *qn_weekday_name(uint8_t weekday)
{
    return short_weekdays[weekday];
}
