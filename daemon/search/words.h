/* How words are compared in a search: case, accents, and the letters œ, æ, ß do not matter. Pure;
 * thread: any.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define QN_SEARCH_WORDS_MAX     16
#define QN_SEARCH_WORD_SIZE_MAX 64
#define QN_SEARCH_LINE_SIZE     160 /* of a hit, about */

/* Appends the folded form: lower case, without marks, œ as oe, æ as ae, ß as ss. What is not UTF-8
 * is taken byte by byte. */
void qn_search_fold(struct qn_span text, struct qn_buf *out);

struct qn_search_word {
    char text[QN_SEARCH_WORD_SIZE_MAX + 1]; /* folded, letters and digits only */
    bool is_beginning;                      /* the last one: longer words match too */
    bool follows; /* directly behind the one before, as in "05-65": a phrase */
};

struct qn_search_words {
    struct qn_search_word items[QN_SEARCH_WORDS_MAX];
    size_t count;
};

/* What a person typed. QN_ERR_INVALID: no letter or digit; QN_ERR_LIMIT: too many or too long. */
enum qn_err QN_CHECKED qn_search_words_read(struct qn_span typed, struct qn_search_words *ret);
size_t qn_search_letters(struct qn_span folded); /* characters */
/* Whether words that follow each other do so in `text`; true if no word follows one. */
bool qn_search_words_follow(const struct qn_search_words *words, struct qn_span text);
/* About QN_SEARCH_LINE_SIZE bytes of `text` around the first hit, on one line; whole characters. */
void qn_search_line(struct qn_span text, const struct qn_search_words *words, struct qn_buf *out);
