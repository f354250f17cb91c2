/* Words that people write in plans: numbers, times of day, weekdays. English, in either case,
 * parted by blanks. Faults: QN_ERR_INVALID is not understood, QN_ERR_LIMIT is out of range. Pure;
 * for the parsers of plan.h.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

#define QN_DAY_MINUTES 1440

/* Takes the first word from the front of *text; false if there is none. */
bool qn_words_next(struct qn_span *text, struct qn_span *ret_word);
bool qn_words_is_end(struct qn_span text);
/* What stands before the first `separator`, or all of it; *text goes on behind it, and has no data
 * (NULL) at the end. */
struct qn_span qn_words_split(struct qn_span *text, char separator);

bool qn_word_is(struct qn_span word, const char *lower_case);
/* Takes digits from the front of *word: a number of at most `max`. */
enum qn_err QN_CHECKED qn_word_number(struct qn_span *word, uint64_t max, uint64_t *ret_number);
/* "2:00", "02:00": minutes since midnight; 24:00 too. */
enum qn_err QN_CHECKED qn_word_time(struct qn_span word, uint16_t *ret_minute);
/* "mon" or "monday" is 0, to "sun" or "sunday", which is 6. */
enum qn_err QN_CHECKED qn_word_weekday(struct qn_span word, uint8_t *ret_weekday);
const char *qn_weekday_name(uint8_t weekday); /* of three letters */
