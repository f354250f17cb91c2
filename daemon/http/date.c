#include <string.h>

#include "base/civil.h"
#include "base/text.h"
#include "http/condition.h"

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Years that four digits can name. */
#define TIME_MIN_S (-62135596800)
#define TIME_MAX_S 253402300799

void qn_http_date_print(int64_t time_s, char out[QN_HTTP_DATE_SIZE])
{
    time_s = time_s < TIME_MIN_S ? TIME_MIN_S : time_s > TIME_MAX_S ? TIME_MAX_S : time_s;
    struct qn_civil at = qn_civil_of(time_s);
    int64_t weekday = ((qn_civil_days(&at) + 4) % 7 + 7) % 7;
    memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", QN_HTTP_DATE_SIZE);
    memcpy(out, days[weekday], 3);
    qn_text_digits((uint64_t)at.day, 2, out + 5);
    memcpy(out + 8, months + (at.month - 1) * 3, 3);
    qn_text_digits((uint64_t)at.year, 4, out + 12);
    qn_text_digits((uint64_t)at.hour, 2, out + 17);
    qn_text_digits((uint64_t)at.minute, 2, out + 20);
    qn_text_digits((uint64_t)at.second, 2, out + 23);
}

/* ---- reading: what is left of the text, and whether all was in order so far ---- */

struct reader {
    struct qn_span left;
    bool is_bad;
};

static void expect(struct reader *reader, const char *text)
{
    reader->is_bad |= !qn_span_has_prefix(reader->left, qn_span_str(text));
    reader->left = qn_span_from(reader->left, strlen(text));
}

static int64_t digits(struct reader *reader, size_t count)
{
    int64_t number = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t byte = i < reader->left.size ? reader->left.data[i] : 0;
        reader->is_bad |= byte < '0' || byte > '9';
        number = number * 10 + (byte - '0');
    }
    reader->left = qn_span_from(reader->left, count);
    return number;
}

static int64_t month(struct reader *reader)
{
    for (int i = 0; i < 12; i++)
        if (qn_span_has_prefix(reader->left, qn_span(months + (ptrdiff_t)i * 3, 3))) {
            reader->left = qn_span_from(reader->left, 3);
            return i + 1;
        }
    reader->is_bad = true;
    return 1;
}

static void weekday(struct reader *reader, bool is_long)
{
    for (size_t i = 0; i < 7; i++) {
        struct qn_span name = qn_span(days[i], is_long ? strlen(days[i]) : 3);
        if (qn_span_has_prefix(reader->left, name)) {
            reader->left = qn_span_from(reader->left, name.size);
            return;
        }
    }
    reader->is_bad = true;
}

static void time_of_day(struct reader *reader, struct qn_civil *at)
{
    at->hour = digits(reader, 2);
    expect(reader, ":");
    at->minute = digits(reader, 2);
    expect(reader, ":");
    at->second = digits(reader, 2);
}

static struct qn_civil read_fixdate(struct reader *reader)
{
    struct qn_civil at;
    weekday(reader, false);
    expect(reader, ", ");
    at.day = digits(reader, 2);
    expect(reader, " ");
    at.month = month(reader);
    expect(reader, " ");
    at.year = digits(reader, 4);
    expect(reader, " ");
    time_of_day(reader, &at);
    expect(reader, " GMT");
    return at;
}

/* Two digits are 1970 to 2069: nothing here knows what year it is. */
static struct qn_civil read_rfc850(struct reader *reader)
{
    struct qn_civil at;
    weekday(reader, true);
    expect(reader, ", ");
    at.day = digits(reader, 2);
    expect(reader, "-");
    at.month = month(reader);
    expect(reader, "-");
    at.year = digits(reader, 2);
    at.year += at.year < 70 ? 2000 : 1900;
    expect(reader, " ");
    time_of_day(reader, &at);
    expect(reader, " GMT");
    return at;
}

static struct qn_civil read_asctime(struct reader *reader)
{
    struct qn_civil at;
    weekday(reader, false);
    expect(reader, " ");
    at.month = month(reader);
    expect(reader, " ");
    bool is_padded = reader->left.size > 0 && reader->left.data[0] == ' ';
    if (is_padded)
        expect(reader, " ");
    at.day = digits(reader, is_padded ? 1 : 2);
    expect(reader, " ");
    time_of_day(reader, &at);
    expect(reader, " ");
    at.year = digits(reader, 4);
    return at;
}

static bool is_civil(const struct qn_civil *at)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = at->year % 4 == 0 && (at->year % 100 != 0 || at->year % 400 == 0);
    return at->year >= 1 && at->day >= 1 &&
           at->day <= lengths[at->month - 1] + (at->month == 2 && is_leap) && at->hour < 24 &&
           at->minute < 60 && at->second <= 60;
}

enum qn_err qn_http_date_read(struct qn_span text, int64_t *ret_time_s)
{
    static struct qn_civil (*const forms[])(struct reader *) = {read_fixdate, read_rfc850,
                                                                read_asctime};
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        struct reader reader = {.left = text};
        struct qn_civil at = forms[i](&reader);
        if (reader.is_bad || reader.left.size > 0 || !is_civil(&at))
            continue;
        /* A leap second is the one before it. */
        int64_t second = at.second == 60 ? 59 : at.second;
        *ret_time_s = qn_civil_days(&at) * 86400 + at.hour * 3600 + at.minute * 60 + second;
        return QN_OK;
    }
    return QN_ERR_INVALID;
}
