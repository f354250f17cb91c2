#include "http/target.h"

#include "http/scan.h"

/* What follows "http://" or "https://", whatever the case; false: it is neither. */
static bool skip_scheme(struct qn_span *text)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(schemes[i]);
        if (text->size >= size && qn_http_is_same(qn_span(text->data, size), schemes[i])) {
            *text = qn_span_from(*text, size);
            return true;
        }
    }
    return false;
}

static size_t until(struct qn_span text, const char *stops)
{
    size_t size = 0;
    while (size < text.size && strchr(stops, text.data[size]) == NULL)
        size++;
    return size;
}

enum qn_err qn_http_target_split(struct qn_span target, struct qn_http_target *ret)
{
    struct qn_http_target parts = {0};
    if (!qn_http_is_target(target))
        return QN_ERR_INVALID;
    if (skip_scheme(&target)) {
        parts.authority = qn_span(target.data, until(target, "/?"));
        if (!qn_http_is_authority(parts.authority))
            return QN_ERR_INVALID;
        target = qn_span_from(target, parts.authority.size);
    } else if (target.data[0] != '/' && !qn_span_eq_str(target, "*")) {
        return QN_ERR_INVALID;
    }
    parts.path = qn_span(target.data, until(target, "?"));
    parts.query = qn_span_from(target, parts.path.size + 1);
    if (parts.path.size == 0)
        parts.path = qn_span_str("/");
    *ret = parts;
    return QN_OK;
}

/* Of Accept-Language: the weight of an element in thousandths; a weight that cannot be read is 0.
 */
static unsigned weight_of(struct qn_span parameters)
{
    static const unsigned steps[] = {100, 10, 1};
    struct qn_span text = qn_http_trim(parameters);
    if (text.size == 0)
        return 1000;
    if (text.size < 3 || !qn_http_is_same(qn_span(text.data, 2), "q=") || text.size > 7)
        return 0;
    unsigned weight = text.data[2] == '1' ? 1000 : 0;
    for (size_t i = 4; i < text.size && weight < 1000; i++)
        weight += text.data[i] >= '0' && text.data[i] <= '9'
                      ? (unsigned)(text.data[i] - '0') * steps[i - 4]
                      : 0;
    return weight;
}

static bool is_language(struct qn_span tag, const char *language)
{
    return tag.size >= 2 && qn_http_is_same(qn_span(tag.data, 2), language) &&
           (tag.size == 2 || tag.data[2] == '-');
}

bool qn_http_wants_french(struct qn_span field)
{
    unsigned french = 0, english = 0; /* of equal ones the first counts more */
    struct qn_span element;
    while (qn_http_list_next(&field, &element)) {
        struct qn_span tag = qn_http_trim(qn_span(element.data, until(element, ";")));
        unsigned weight = weight_of(qn_span_from(element, until(element, ";") + 1));
        if (is_language(tag, "fr") && weight > english && weight > french)
            french = weight;
        if (is_language(tag, "en") && weight > french && weight > english)
            english = weight;
    }
    return french > english;
}
