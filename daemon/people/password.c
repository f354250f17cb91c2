#include "people/password.h"

#include "base/mem.h"
#include "base/text.h"
#include "people/password_words.h"

#define BITS_SCALE   10 /* bits are counted in tenths */
#define WORD_BITS    95 /* of a common word: one of about 500, and which comes next */
#define NAME_BITS    20
#define WRITING_BITS 10 /* capitals, digits for letters: about one of two, each way */
#define YEAR_BITS    65
#define RUN_BITS     60 /* where a sequence or a row of keys starts, and which way it goes */
#define RUN_MORE     10 /* each further step of it: how long it is */
#define RUN_MIN      3
#define WORD_MAX     24

/* What a part of the password is; a path through it is a sum of such parts. */
enum part { PART_LETTER, PART_WORD, PART_NAME, PART_PATTERN };

struct best {
    unsigned bits;  /* of everything up to here, in tenths */
    size_t from;    /* where the last part begins */
    enum part part; /* what it is */
};

struct estimate {
    const uint8_t *text, *folded;
    size_t size;
    unsigned letter_bits; /* of one that is drawn from those which the password uses */
    const char *const *names;
    struct best best[QN_PASSWORD_SIZE_MAX + 1];
};

/* ---- letters ---- */

/* Digits and signs that are written for letters. */
static uint8_t fold(uint8_t c)
{
    static const char written[] = "01345789@$!", meant[] = "oieasgbgasi";
    const char *found = c != 0 ? strchr(written, c) : NULL;
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A' + 'a');
    return found != NULL ? (uint8_t)meant[found - written] : c;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* log2 of the letters to choose from, in tenths: those of the kinds that occur. A letter of mere
 * lower case counts less than the 4.7 bits of a draw, since people write words; bytes beyond ASCII
 * are halves of accented letters. */
static unsigned letter_bits(struct qn_span password)
{
    static const unsigned bits_of_kinds[] = {0, 35, 48, 57, 62};
    bool has_lower = false, has_upper = false, has_digit = false, has_other = false;
    for (size_t i = 0; i < password.size; i++) {
        uint8_t c = password.data[i];
        if (c >= 'a' && c <= 'z')
            has_lower = true;
        else if (c >= 'A' && c <= 'Z')
            has_upper = true;
        else if (c >= '0' && c <= '9')
            has_digit = true;
        else if (c < 0x80)
            has_other = true;
    }
    unsigned kinds = (unsigned)has_lower + has_upper + has_digit + has_other;
    return has_digit && kinds == 1 ? 33 : bits_of_kinds[kinds];
}

/* ---- parts ---- */

static void offer(struct estimate *e, size_t from, size_t to, unsigned bits, enum part part)
{
    unsigned total = e->best[from].bits + bits;
    if (total < e->best[to].bits)
        e->best[to] = (struct best){.bits = total, .from = from, .part = part};
}

/* Whether a word stands there as it is, or with capitals and digits for letters. */
static bool stands_at(const struct estimate *e, size_t at, const char *word, size_t size,
                      bool *ret_is_disguised)
{
    if (size > e->size - at)
        return false;
    *ret_is_disguised = memcmp(e->text + at, word, size) != 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t wanted = (uint8_t)word[i];
        if (lower(e->text[at + i]) != wanted && e->folded[at + i] != fold(wanted))
            return false;
    }
    return true;
}

static void offer_word(struct estimate *e, size_t at, const char *word, unsigned bits,
                       enum part part)
{
    bool is_disguised;
    size_t size = strlen(word);
    if (stands_at(e, at, word, size, &is_disguised))
        offer(e, at, at + size, bits + (is_disguised ? WRITING_BITS : 0), part);
}

static void offer_words(struct estimate *e, size_t at)
{
    for (size_t i = 0; i < qn_password_word_count; i++)
        offer_word(e, at, qn_password_words[i], WORD_BITS, PART_WORD);
    for (size_t i = 0; e->names[i] != NULL; i++) {
        char name[WORD_MAX + 1] = "";
        size_t size = strlen(e->names[i]);
        if (size < RUN_MIN || size > WORD_MAX)
            continue;
        for (size_t k = 0; k < size; k++)
            name[k] = (char)lower((uint8_t)e->names[i][k]);
        offer_word(e, at, name, NAME_BITS, PART_NAME);
    }
}

/* 1900 to 2099. */
static void offer_year(struct estimate *e, size_t at)
{
    const uint8_t *t = e->text + at;
    if (e->size - at < 4 || !((t[0] == '1' && t[1] == '9') || (t[0] == '2' && t[1] == '0')))
        return;
    if (t[2] >= '0' && t[2] <= '9' && t[3] >= '0' && t[3] <= '9')
        offer(e, at, at + 4, YEAR_BITS, PART_PATTERN);
}

/* French, English and German keyboards. */
static const char *const key_rows[] = {"azertyuiop", "qsdfghjklm", "wxcvbn",     "qwertyuiop",
                                       "asdfghjkl",  "zxcvbnm",    "1234567890", "qwertzuiop",
                                       "yxcvbnm",    "&\"'(-_)="};
#define KEY_ROW_COUNT (sizeof(key_rows) / sizeof(key_rows[0]))
#define KIND_ROWS     3 /* kinds of runs below it: the same, up, down */

static bool are_neighbours(const char *row, uint8_t a, uint8_t b)
{
    const char *found = a != 0 ? strchr(row, a) : NULL;
    return found != NULL && b != 0 &&
           ((uint8_t)found[1] == b || (found > row && (uint8_t)found[-1] == b));
}

/* The next of the alphabet or of the digits, the one before, the same again, the next key. */
static bool goes_on(uint8_t a, uint8_t b, size_t kind)
{
    a = lower(a);
    b = lower(b);
    bool is_alike = (a >= 'a' && a <= 'z' && b >= 'a' && b <= 'z') ||
                    (a >= '0' && a <= '9' && b >= '0' && b <= '9');
    switch (kind) {
    case 0:
        return a == b;
    case 1:
        return is_alike && b == a + 1;
    case 2:
        return is_alike && b + 1 == a;
    default:
        return are_neighbours(key_rows[kind - KIND_ROWS], a, b);
    }
}

static void offer_runs(struct estimate *e, size_t at)
{
    for (size_t kind = 0; kind < KIND_ROWS + KEY_ROW_COUNT; kind++) {
        size_t to = at + 1;
        while (to < e->size && goes_on(e->text[to - 1], e->text[to], kind)) {
            to++;
            if (to - at >= RUN_MIN)
                offer(e, at, to, RUN_BITS + (unsigned)(to - at - RUN_MIN) * RUN_MORE, PART_PATTERN);
        }
    }
}

/* The same again, as in haricotharicot: what was there before says what comes. */
static void offer_repetition(struct estimate *e, size_t at)
{
    for (size_t size = RUN_MIN; size <= at && at + size <= e->size; size++)
        if (memcmp(e->folded + at - size, e->folded + at, size) == 0)
            offer(e, at, at + size, RUN_BITS, PART_PATTERN);
}

/* ---- the cheapest way through it ---- */

static void run(struct estimate *e)
{
    for (size_t i = 1; i <= e->size; i++)
        e->best[i].bits = UINT32_MAX;
    for (size_t at = 0; at < e->size; at++) {
        offer(e, at, at + 1, e->letter_bits, PART_LETTER);
        offer_words(e, at);
        offer_year(e, at);
        offer_runs(e, at);
        offer_repetition(e, at);
    }
}

static struct estimate *estimate(struct qn_span password, const char *const *names)
{
    struct estimate *e = QN_NEW(struct estimate);
    uint8_t *folded = qn_alloc(password.size + 1);
    for (size_t i = 0; i < password.size; i++)
        folded[i] = fold(password.data[i]);
    *e = (struct estimate){.text = password.data,
                           .folded = folded,
                           .size = password.size,
                           .letter_bits = letter_bits(password),
                           .names = names};
    run(e);
    memset(folded, 0, password.size);
    qn_free(folded);
    e->folded = NULL;
    return e;
}

unsigned qn_password_bits(struct qn_span password, const char *const *names)
{
    if (password.size == 0 || password.size > QN_PASSWORD_SIZE_MAX)
        return 0;
    struct estimate *e = estimate(password, names);
    unsigned bits = e->best[e->size].bits / BITS_SCALE;
    qn_free(e);
    return bits;
}

/* What most of its letters belong to. */
static enum qn_password_fault main_fault(const struct estimate *e)
{
    size_t sizes[PART_PATTERN + 1] = {0};
    for (size_t at = e->size; at > 0; at = e->best[at].from)
        sizes[e->best[at].part] += at - e->best[at].from;
    if (sizes[PART_LETTER] * 2 > e->size)
        return QN_PASSWORD_SHORT;
    if (sizes[PART_NAME] >= sizes[PART_WORD] && sizes[PART_NAME] >= sizes[PART_PATTERN])
        return QN_PASSWORD_NAME;
    return sizes[PART_WORD] >= sizes[PART_PATTERN] ? QN_PASSWORD_COMMON : QN_PASSWORD_PATTERN;
}

enum qn_password_fault qn_password_judge(struct qn_span password, const char *const *names,
                                         unsigned bits_min)
{
    if (password.size > QN_PASSWORD_SIZE_MAX)
        return QN_PASSWORD_LONG;
    if (!qn_text_is_printable(password))
        return QN_PASSWORD_BAD_TEXT;
    if (password.size == 0)
        return QN_PASSWORD_SHORT;
    struct estimate *e = estimate(password, names);
    bool is_enough = e->best[e->size].bits >= bits_min * BITS_SCALE;
    enum qn_password_fault fault = is_enough ? QN_PASSWORD_GOOD : main_fault(e);
    qn_free(e);
    return fault;
}

const char *qn_password_fault_code(enum qn_password_fault fault)
{
    switch (fault) {
    case QN_PASSWORD_GOOD:
        return NULL;
    case QN_PASSWORD_BAD_TEXT:
        return "bad-password";
    case QN_PASSWORD_LONG:
        return "password-long";
    case QN_PASSWORD_SHORT:
        return "password-short";
    case QN_PASSWORD_COMMON:
        return "password-common";
    case QN_PASSWORD_NAME:
        return "password-name";
    case QN_PASSWORD_PATTERN:
        return "password-pattern";
    }
    return "bad-password";
}
