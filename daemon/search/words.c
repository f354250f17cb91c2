#include "search/words.h"

#include <string.h>
#include <utf8proc.h>

#define OPTIONS                                                                                    \
    (UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_STRIPMARK |               \
     UTF8PROC_IGNORE)
#define DECOMPOSED_MAX 32 /* of one character; the longest is 18 */

/* ---- folding ---- */

static const char *spelled_out(utf8proc_int32_t letter)
{
    switch (letter) {
    case 0x152:
    case 0x153:
        return "oe";
    case 0xc6:
    case 0xe6:
        return "ae";
    case 0xdf:
    case 0x1e9e:
        return "ss";
    default:
        return NULL;
    }
}

static void append_letter(utf8proc_int32_t letter, struct qn_buf *out)
{
    utf8proc_int32_t parts[DECOMPOSED_MAX];
    int last_class = 0;
    const char *spelled = spelled_out(letter);
    if (spelled != NULL) {
        qn_buf_append_str(out, spelled);
        return;
    }
    utf8proc_ssize_t count =
        utf8proc_decompose_char(letter, parts, DECOMPOSED_MAX, OPTIONS, &last_class);
    for (utf8proc_ssize_t i = 0; i < count && i < DECOMPOSED_MAX; i++) {
        uint8_t bytes[4];
        qn_buf_append(out, bytes, (size_t)utf8proc_encode_char(parts[i], bytes));
    }
}

/* The next character; a byte that begins none stands for itself. */
static utf8proc_int32_t next_letter(struct qn_span text, size_t *at)
{
    utf8proc_int32_t letter;
    utf8proc_ssize_t size =
        utf8proc_iterate(text.data + *at, (utf8proc_ssize_t)(text.size - *at), &letter);
    if (size > 0) {
        *at += (size_t)size;
        return letter;
    }
    return text.data[(*at)++];
}

void qn_search_fold(struct qn_span text, struct qn_buf *out)
{
    for (size_t at = 0; at < text.size;) {
        uint8_t byte = text.data[at];
        if (byte < 0x80) {
            qn_buf_append_u8(out, byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
            at++;
        } else {
            append_letter(next_letter(text, &at), out);
        }
    }
}

/* ---- words ---- */

/* As the tokenizer of FTS5 sees it. */
static bool is_of_a_word(utf8proc_int32_t letter)
{
    if (letter < 0x80)
        return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
               (letter >= 'A' && letter <= 'Z');
    switch (utf8proc_category(letter)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_MN: /* a mark belongs to the letter before; folding drops it */
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return true;
    default:
        return false;
    }
}

/* The next word of a text from *at on: where it begins, and in *at where it ends. */
static bool next_word(struct qn_span text, size_t *at, size_t *ret_begin)
{
    bool is_inside = false;
    while (*at < text.size) {
        size_t behind = *at;
        bool is_letter = is_of_a_word(next_letter(text, &behind));
        if (is_letter && !is_inside)
            *ret_begin = *at;
        if (!is_letter && is_inside)
            break;
        is_inside = is_letter;
        *at = behind;
    }
    return is_inside;
}

static enum qn_err add_word(struct qn_search_words *words, struct qn_span folded, bool follows)
{
    if (words->count == QN_SEARCH_WORDS_MAX || folded.size > QN_SEARCH_WORD_SIZE_MAX)
        return QN_ERR_LIMIT;
    struct qn_search_word *word = &words->items[words->count++];
    *word = (struct qn_search_word){.follows = follows};
    memcpy(word->text, folded.data, folded.size);
    return QN_OK;
}

static bool has_blank(struct qn_span text)
{
    return memchr(text.data, ' ', text.size) != NULL || memchr(text.data, '\t', text.size) != NULL;
}

enum qn_err qn_search_words_read(struct qn_span typed, struct qn_search_words *ret)
{
    QN_AUTO_BUF struct qn_buf folded;
    size_t at = 0, begin = 0, end_before = 0;
    ret->count = 0;
    qn_buf_init(&folded, 4096);
    qn_search_fold(typed, &folded);
    QN_TRY(qn_buf_status(&folded));
    struct qn_span text = qn_buf_view(&folded);
    while (next_word(text, &at, &begin)) {
        struct qn_span gap = qn_span(text.data + end_before, begin - end_before);
        bool follows = ret->count > 0 && gap.size > 0 && !has_blank(gap);
        QN_TRY(add_word(ret, qn_span(text.data + begin, at - begin), follows));
        end_before = at;
    }
    if (ret->count == 0)
        return QN_ERR_INVALID;
    ret->items[ret->count - 1].is_beginning = end_before == text.size;
    return QN_OK;
}

size_t qn_search_letters(struct qn_span folded)
{
    size_t count = 0;
    for (size_t i = 0; i < folded.size; i++)
        count += (folded.data[i] & 0xc0) != 0x80;
    return count;
}

/* ---- words in a text ---- */

/* The next word of a text as it is folded; false if there is none. */
static bool next_folded(struct qn_span text, size_t *at, size_t *ret_begin, struct qn_buf *folded)
{
    qn_buf_reset(folded);
    if (!next_word(text, at, ret_begin))
        return false;
    qn_search_fold(qn_span(text.data + *ret_begin, *at - *ret_begin), folded);
    return true;
}

static bool is_like(struct qn_span folded, const struct qn_search_word *word)
{
    struct qn_span wanted = qn_span_str(word->text);
    return word->is_beginning ? qn_span_has_prefix(folded, wanted) : qn_span_eq(folded, wanted);
}

/* Words `first` to `end` one behind the other, somewhere. */
static bool has_phrase(const struct qn_search_words *words, size_t first, size_t end,
                       struct qn_span text)
{
    QN_AUTO_BUF struct qn_buf folded;
    size_t at = 0, begin = 0, got = first, again = 0;
    qn_buf_init(&folded, 4096);
    while (got < end && next_folded(text, &at, &begin, &folded)) {
        if (is_like(qn_buf_view(&folded), &words->items[got])) {
            if (got++ == first)
                again = at;
        } else if (got > first) {
            at = again; /* the phrase may begin with the second word of what was one so far */
            got = first;
        }
    }
    return got == end;
}

bool qn_search_words_follow(const struct qn_search_words *words, struct qn_span text)
{
    for (size_t first = 0, end; first < words->count; first = end) {
        for (end = first + 1; end < words->count && words->items[end].follows;)
            end++;
        if (end - first > 1 && !has_phrase(words, first, end, text))
            return false;
    }
    return true;
}

/* ---- the line of a hit ---- */

static bool is_hit(struct qn_span folded, const struct qn_search_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        if (is_like(folded, &words->items[i]))
            return true;
    return false;
}

static size_t first_hit(struct qn_span text, const struct qn_search_words *words)
{
    QN_AUTO_BUF struct qn_buf folded;
    size_t at = 0, begin = 0;
    qn_buf_init(&folded, 4096);
    while (next_folded(text, &at, &begin, &folded))
        if (is_hit(qn_buf_view(&folded), words))
            return begin;
    return 0;
}

static bool begins_character(uint8_t byte)
{
    return (byte & 0xc0) != 0x80;
}

void qn_search_line(struct qn_span text, const struct qn_search_words *words, struct qn_buf *out)
{
    size_t hit = first_hit(text, words);
    size_t begin = hit > QN_SEARCH_LINE_SIZE / 3 ? hit - QN_SEARCH_LINE_SIZE / 3 : 0;
    size_t end = text.size - begin > QN_SEARCH_LINE_SIZE ? begin + QN_SEARCH_LINE_SIZE : text.size;
    while (begin < hit && !begins_character(text.data[begin]))
        begin++;
    while (end < text.size && !begins_character(text.data[end]))
        end++;
    if (begin > 0)
        qn_buf_append_str(out, "…");
    for (size_t i = begin; i < end; i++)
        qn_buf_append_u8(out, text.data[i] < 0x20 ? ' ' : text.data[i]);
    if (end < text.size)
        qn_buf_append_str(out, "…");
}
