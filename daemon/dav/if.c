#include "dav/if.h"

struct reader {
    struct qn_span rest;
    struct qn_dav_if *out;
};

static void skip_space(struct reader *reader)
{
    while (reader->rest.size > 0 && (reader->rest.data[0] == ' ' || reader->rest.data[0] == '\t'))
        reader->rest = qn_span_from(reader->rest, 1);
}

/* The next byte that is no white space; 0 at the end. */
static uint8_t peek(struct reader *reader)
{
    skip_space(reader);
    return reader->rest.size > 0 ? reader->rest.data[0] : 0;
}

/* What stands before `close`, without what opened it. */
static enum qn_err take_until(struct reader *reader, char close, struct qn_span *ret_text)
{
    struct qn_span inner = qn_span_from(reader->rest, 1);
    const uint8_t *end = inner.size ? memchr(inner.data, close, inner.size) : NULL;
    if (!end || end == inner.data)
        return QN_ERR_INVALID;
    *ret_text = qn_span(inner.data, (size_t)(end - inner.data));
    reader->rest = qn_span_from(inner, ret_text->size + 1);
    return QN_OK;
}

static bool is_url(struct qn_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] == 0x7f || text.data[i] == '<')
            return false;
    return text.size > 0;
}

/* W/"..." or "...", which has no quote inside. */
static bool is_etag(struct qn_span text)
{
    if (text.size > 2 && text.data[0] == 'W' && text.data[1] == '/')
        text = qn_span_from(text, 2);
    if (text.size < 2 || text.data[0] != '"' || text.data[text.size - 1] != '"')
        return false;
    return memchr(text.data + 1, '"', text.size - 2) == NULL;
}

/* An etag may hold a ']': the brackets end behind its closing quote. */
static enum qn_err take_etag(struct reader *reader, struct qn_span *ret_text)
{
    struct qn_span inner = qn_span_from(reader->rest, 1);
    const uint8_t *open = inner.size ? memchr(inner.data, '"', inner.size) : NULL;
    size_t start = open ? (size_t)(open - inner.data) + 1 : inner.size;
    struct qn_span tail = qn_span_from(inner, start);
    const uint8_t *close = tail.size ? memchr(tail.data, '"', tail.size) : NULL;
    if (!close)
        return QN_ERR_INVALID;
    size_t size = start + (size_t)(close - tail.data) + 1;
    *ret_text = qn_span(inner.data, size);
    reader->rest = qn_span_from(inner, size);
    if (peek(reader) != ']' || !is_etag(*ret_text))
        return QN_ERR_INVALID;
    reader->rest = qn_span_from(reader->rest, 1);
    return QN_OK;
}

static bool take_not(struct reader *reader)
{
    struct qn_span rest = reader->rest;
    if (rest.size < 3 || (rest.data[0] | 32) != 'n' || (rest.data[1] | 32) != 'o' ||
        (rest.data[2] | 32) != 't')
        return false;
    reader->rest = qn_span_from(rest, 3);
    return true;
}

static enum qn_err read_condition(struct reader *reader)
{
    struct qn_dav_condition condition = {.is_not = take_not(reader)};
    uint8_t next = peek(reader);
    if (reader->out->condition_count == QN_DAV_CONDITIONS_MAX)
        return QN_ERR_LIMIT;
    condition.is_etag = next == '[';
    if (next == '[')
        QN_TRY(take_etag(reader, &condition.text));
    else if (next == '<')
        QN_TRY(take_until(reader, '>', &condition.text));
    if (next != '[' && !is_url(condition.text))
        return QN_ERR_INVALID;
    reader->out->conditions[reader->out->condition_count++] = condition;
    return QN_OK;
}

static enum qn_err read_list(struct reader *reader, struct qn_span resource)
{
    struct qn_dav_list list = {.resource = resource, .first = reader->out->condition_count};
    if (reader->out->list_count == QN_DAV_LISTS_MAX)
        return QN_ERR_LIMIT;
    reader->rest = qn_span_from(reader->rest, 1);
    while (peek(reader) != ')')
        QN_TRY(read_condition(reader));
    reader->rest = qn_span_from(reader->rest, 1);
    list.count = reader->out->condition_count - list.first;
    if (list.count == 0)
        return QN_ERR_INVALID;
    reader->out->lists[reader->out->list_count++] = list;
    return QN_OK;
}

static enum qn_err read_tagged(struct reader *reader)
{
    struct qn_span resource;
    QN_TRY(take_until(reader, '>', &resource));
    if (!is_url(resource) || peek(reader) != '(')
        return QN_ERR_INVALID;
    while (peek(reader) == '(')
        QN_TRY(read_list(reader, resource));
    return QN_OK;
}

/* Tagged lists and lists without a tag do not stand beside each other. */
static enum qn_err read_all(struct reader *reader)
{
    uint8_t kind = peek(reader);
    if (kind != '(' && kind != '<')
        return QN_ERR_INVALID;
    while (peek(reader) == kind) {
        if (kind == '(')
            QN_TRY(read_list(reader, qn_span(NULL, 0)));
        else
            QN_TRY(read_tagged(reader));
    }
    return reader->rest.size == 0 ? QN_OK : QN_ERR_INVALID;
}

enum qn_err qn_dav_if_read(struct qn_span field, struct qn_dav_if *ret_if)
{
    struct qn_dav_if given = {.list_count = 0};
    struct reader reader = {.rest = field, .out = &given};
    QN_TRY(read_all(&reader));
    *ret_if = given;
    return QN_OK;
}

static bool list_holds(const struct qn_dav_if *given, const struct qn_dav_list *list,
                       qn_dav_match_fn matches, void *context)
{
    for (size_t i = list->first; i < list->first + list->count; i++) {
        const struct qn_dav_condition *condition = &given->conditions[i];
        if (matches(context, list->resource, condition) == condition->is_not)
            return false;
    }
    return true;
}

bool qn_dav_if_holds(const struct qn_dav_if *given, qn_dav_match_fn matches, void *context)
{
    for (size_t i = 0; i < given->list_count; i++)
        if (list_holds(given, &given->lists[i], matches, context))
            return true;
    return false;
}

bool qn_dav_if_submits(const struct qn_dav_if *given, struct qn_span token)
{
    for (size_t i = 0; i < given->condition_count; i++)
        if (!given->conditions[i].is_etag && qn_span_eq(given->conditions[i].text, token))
            return true;
    return false;
}
