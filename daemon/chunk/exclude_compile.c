/* From a line of .gitignore to tokens. */
#include "chunk/pattern.h"
#include "chunk/plan.h"

void qn_pattern_deinit(struct qn_pattern *pattern)
{
    qn_vec_free(&pattern->tokens);
    qn_vec_free(&pattern->sets);
    qn_vec_free(&pattern->segments);
}

/* ---- sets ---- */

static void set_add(struct qn_byte_set *set, unsigned byte)
{
    set->bits[byte / 32] |= UINT32_C(1) << byte % 32;
}

static bool is_upper(unsigned c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(unsigned c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(unsigned c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(unsigned c)
{
    return is_upper(c) || is_lower(c);
}

static bool is_alnum(unsigned c)
{
    return is_alpha(c) || is_digit(c);
}

static bool is_blank(unsigned c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(unsigned c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_cntrl(unsigned c)
{
    return c < 0x20 || c == 0x7f;
}

static bool is_print(unsigned c)
{
    return c >= 0x20 && c < 0x7f;
}

static bool is_graph(unsigned c)
{
    return c > 0x20 && c < 0x7f;
}

static bool is_punct(unsigned c)
{
    return is_graph(c) && !is_alnum(c);
}

static bool is_xdigit(unsigned c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Of ASCII, whatever the locale. */
static const struct byte_class {
    const char *name;
    bool (*has)(unsigned c);
} classes[] = {
    {"alnum", is_alnum}, {"alpha", is_alpha}, {"blank", is_blank}, {"cntrl", is_cntrl},
    {"digit", is_digit}, {"graph", is_graph}, {"lower", is_lower}, {"print", is_print},
    {"punct", is_punct}, {"space", is_space}, {"upper", is_upper}, {"xdigit", is_xdigit},
};

static enum qn_err set_add_class(struct qn_byte_set *set, struct qn_span name)
{
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (!qn_span_eq_str(name, classes[i].name))
            continue;
        for (unsigned byte = 0; byte < 256; byte++)
            if (classes[i].has(byte))
                set_add(set, byte);
        return QN_OK;
    }
    return QN_ERR_INVALID;
}

/* ---- reading a line ---- */

struct compiler {
    struct qn_span text;
    size_t at;
    struct qn_pattern *pattern;
    struct qn_segment segment; /* the open one */
    size_t segment_at;         /* where it begins in the text */
};

static bool is_end(const struct compiler *compiler)
{
    return compiler->at >= compiler->text.size;
}

static bool is_next(const struct compiler *compiler, size_t ahead, char byte)
{
    size_t at = compiler->at + ahead;
    return at < compiler->text.size && compiler->text.data[at] == byte;
}

/* A byte inside of '[...]', perhaps behind '\'. */
static enum qn_err take_byte(struct compiler *compiler, uint8_t *ret_byte)
{
    compiler->at += is_next(compiler, 0, '\\');
    if (is_end(compiler))
        return QN_ERR_INVALID;
    *ret_byte = compiler->text.data[compiler->at++];
    return QN_OK;
}

/* At "[:name:]", which it takes; *ret_is_class false: it only looks a little like one. */
static enum qn_err take_class(struct compiler *compiler, struct qn_byte_set *set,
                              bool *ret_is_class)
{
    *ret_is_class = false;
    if (!is_next(compiler, 0, '[') || !is_next(compiler, 1, ':'))
        return QN_OK;
    struct qn_span rest = qn_span_from(compiler->text, compiler->at + 2);
    const uint8_t *end = rest.size == 0 ? NULL : memchr(rest.data, ']', rest.size);
    if (end == NULL)
        return QN_ERR_INVALID;
    size_t size = (size_t)(end - rest.data);
    if (size == 0 || rest.data[size - 1] != ':')
        return QN_OK;
    compiler->at += 2 + size + 1;
    *ret_is_class = true;
    return set_add_class(set, qn_span(rest.data, size - 1));
}

/* One byte, a range or a class. A '-' at either end of the set, or behind a class or range, is
 * itself. */
static enum qn_err take_member(struct compiler *compiler, struct qn_byte_set *set)
{
    uint8_t low, high;
    bool is_class;
    QN_TRY(take_class(compiler, set, &is_class));
    if (is_class)
        return QN_OK;
    QN_TRY(take_byte(compiler, &low));
    set_add(set, low); /* of "[z-a]" too, as git does */
    high = low;
    bool is_range = is_next(compiler, 0, '-') && !is_next(compiler, 1, ']');
    if (is_range) {
        compiler->at++;
        QN_TRY(take_byte(compiler, &high));
    }
    for (unsigned byte = low; byte <= high; byte++)
        set_add(set, byte);
    return QN_OK;
}

/* Behind '['. */
static enum qn_err take_set(struct compiler *compiler, struct qn_byte_set *set)
{
    bool is_negated = is_next(compiler, 0, '!') || is_next(compiler, 0, '^');
    compiler->at += is_negated;
    do {
        if (is_end(compiler))
            return QN_ERR_INVALID;
        QN_TRY(take_member(compiler, set)); /* a ']' that comes first is a member */
    } while (!is_next(compiler, 0, ']'));
    compiler->at++;
    for (size_t i = 0; i < 8 && is_negated; i++)
        set->bits[i] = ~set->bits[i];
    return QN_OK;
}

static void push_token(struct compiler *compiler, struct qn_token token)
{
    struct qn_pattern *pattern = compiler->pattern;
    bool follows_star = compiler->segment.count > 0 &&
                        pattern->tokens.items[pattern->tokens.count - 1].kind == QN_TOKEN_STAR;
    if (token.kind == QN_TOKEN_STAR && follows_star)
        return;
    qn_vec_push(&pattern->tokens, token);
    compiler->segment.count++;
}

static enum qn_err take_token(struct compiler *compiler)
{
    struct qn_token token = {.kind = QN_TOKEN_BYTE, .byte = compiler->text.data[compiler->at++]};
    if (token.byte == '?')
        token.kind = QN_TOKEN_ANY;
    if (token.byte == '*')
        token.kind = QN_TOKEN_STAR;
    if (token.byte == '[') {
        struct qn_byte_set set = {{0}};
        QN_TRY(take_set(compiler, &set));
        token.kind = QN_TOKEN_SET;
        token.set = (uint16_t)compiler->pattern->sets.count;
        qn_vec_push(&compiler->pattern->sets, set);
    }
    if (token.byte == '\\') {
        if (is_end(compiler))
            return QN_ERR_INVALID;
        token.byte = compiler->text.data[compiler->at++];
    }
    push_token(compiler, token);
    return QN_OK;
}

/* Components that are not there could never match: "a//b", "./a", "../a". */
static bool is_nowhere(struct qn_span segment)
{
    return segment.size == 0 || qn_span_eq_str(segment, ".") || qn_span_eq_str(segment, "..");
}

static enum qn_err end_segment(struct compiler *compiler)
{
    struct qn_span text = qn_span_from(compiler->text, compiler->segment_at);
    if (text.size > 0)
        text.size = compiler->at - compiler->segment_at;
    struct qn_pattern *pattern = compiler->pattern;
    if (is_nowhere(text))
        return QN_ERR_INVALID;
    compiler->segment.is_any_depth = pattern->is_anchored && qn_span_eq_str(text, "**");
    qn_vec_push(&pattern->segments, compiler->segment);
    compiler->segment = (struct qn_segment){.first = (uint16_t)pattern->tokens.count};
    return QN_OK;
}

/* A '\' before '/' means nothing. */
static size_t size_of_slash(const struct compiler *compiler)
{
    if (is_next(compiler, 0, '/'))
        return 1;
    return is_next(compiler, 0, '\\') && is_next(compiler, 1, '/') ? 2 : 0;
}

static enum qn_err compile_text(struct compiler *compiler)
{
    while (!is_end(compiler)) {
        size_t slash = size_of_slash(compiler);
        if (slash == 0) {
            QN_TRY(take_token(compiler));
            continue;
        }
        QN_TRY(end_segment(compiler));
        compiler->at += slash;
        compiler->segment_at = compiler->at;
    }
    return end_segment(compiler);
}

/* ---- a line's marks ---- */

/* Blanks at the end do not count, unless behind '\'. */
static struct qn_span without_blanks(struct qn_span line)
{
    size_t size = 0;
    for (size_t at = 0; at < line.size; at++) {
        bool is_escape = line.data[at] == '\\' && at + 1 < line.size;
        at += is_escape;
        if (line.data[at] != ' ' || is_escape)
            size = at + 1;
    }
    return qn_span(line.data, size);
}

static bool begins_with(struct qn_span text, char byte)
{
    return text.size > 0 && text.data[0] == byte;
}

static bool take_mark(struct qn_span *text, char byte)
{
    if (!begins_with(*text, byte))
        return false;
    *text = qn_span_from(*text, 1);
    return true;
}

static enum qn_err compile_marks(struct qn_span text, struct qn_pattern *pattern)
{
    pattern->is_negated = take_mark(&text, '!');
    if (text.size > 0 && text.data[text.size - 1] == '/') {
        pattern->is_dir_only = true;
        text.size--;
    }
    pattern->is_anchored = text.size > 0 && memchr(text.data, '/', text.size) != NULL;
    take_mark(&text, '/');
    struct compiler compiler = {.text = text, .pattern = pattern};
    return compile_text(&compiler);
}

enum qn_err qn_pattern_compile(struct qn_span line, struct qn_pattern *ret_pattern)
{
    struct qn_pattern pattern = {0};
    struct qn_span text = without_blanks(line);
    if (text.size > QN_EXCLUDE_PATTERN_SIZE_MAX)
        return QN_ERR_LIMIT;
    if (text.size > 0 && (memchr(text.data, 0, text.size) || memchr(text.data, '\n', text.size)))
        return QN_ERR_INVALID;
    bool is_nothing = text.size == 0 || begins_with(text, '#');
    enum qn_err err = is_nothing ? QN_OK : compile_marks(text, &pattern);
    if (err != QN_OK) {
        qn_pattern_deinit(&pattern);
        return err;
    }
    *ret_pattern = pattern;
    return QN_OK;
}
