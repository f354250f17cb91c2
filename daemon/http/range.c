#include "http/condition.h"
#include "http/scan.h"
#include "http/tag.h"

/* If-Range: the strong tag of what is there, or exactly its date (RFC 9110, 13.1.5). */
static bool is_still_that(const struct qn_http_head *head, const struct qn_http_state *state)
{
    size_t count = qn_http_header_count(head, "If-Range");
    if (count != 1)
        return count == 0;
    struct qn_span text = qn_http_header(head, "If-Range")->value, tag;
    bool is_weak;
    int64_t time_s;
    if (qn_http_tag_take(&text, &tag, &is_weak))
        return text.size == 0 && !is_weak && state->etag.size > 0 && qn_span_eq(tag, state->etag);
    return qn_http_date_read(text, &time_s) == QN_OK && time_s == state->modified_s;
}

/* One that is asked for, as it came: the last byte included. */
struct asked {
    uint64_t first, last;
    bool is_suffix; /* the last `last` bytes */
};

/* A number too large for 64 bits is beyond the end of anything. */
static bool read_position(struct qn_span text, uint64_t *ret_position)
{
    enum qn_err err = qn_http_number(text, ret_position);
    if (err == QN_ERR_LIMIT)
        *ret_position = UINT64_MAX;
    return err != QN_ERR_INVALID;
}

static bool read_asked(struct qn_span text, struct asked *ret)
{
    const uint8_t *dash = memchr(text.data, '-', text.size);
    struct asked asked = {.last = UINT64_MAX};
    if (dash == NULL)
        return false;
    size_t at = (size_t)(dash - text.data);
    struct qn_span first = qn_span(text.data, at), last = qn_span_from(text, at + 1);
    asked.is_suffix = first.size == 0;
    if (!asked.is_suffix && !read_position(first, &asked.first))
        return false;
    if ((asked.is_suffix || last.size > 0) && !read_position(last, &asked.last))
        return false;
    *ret = asked;
    return asked.is_suffix || asked.first <= asked.last;
}

/* The part of the content that is meant; false: none. */
static bool place(const struct asked *asked, uint64_t size, struct qn_http_range *ret)
{
    uint64_t first = asked->first, last = asked->last;
    if (asked->is_suffix) {
        first = last < size ? size - last : 0;
        last = last == 0 ? 0 : UINT64_MAX;
    }
    if (first >= size || (asked->is_suffix && last == 0))
        return false;
    *ret = (struct qn_http_range){.first = first,
                                  .size = (last < size - 1 ? last : size - 1) - first + 1};
    return true;
}

static uint64_t end_of(const struct qn_http_range *range)
{
    return range->first + range->size;
}

/* Adds a range to those that ascend and do not touch, taking in the ones that it touches. */
static void join(struct qn_http_ranges *ranges, struct qn_http_range range)
{
    const struct qn_http_range *old = ranges->items, *stop = old + ranges->count;
    struct qn_http_ranges joined = {0};
    while (old < stop && end_of(old) < range.first)
        joined.items[joined.count++] = *old++;
    for (; old < stop && old->first <= end_of(&range); old++) {
        uint64_t first = old->first < range.first ? old->first : range.first;
        uint64_t end = end_of(old) > end_of(&range) ? end_of(old) : end_of(&range);
        range = (struct qn_http_range){.first = first, .size = end - first};
    }
    joined.items[joined.count++] = range;
    while (old < stop)
        joined.items[joined.count++] = *old++;
    *ranges = joined;
}

static bool has_unit(struct qn_span *text)
{
    if (text->size < 6 || !qn_http_is_same(qn_span(text->data, 6), "bytes="))
        return false;
    *text = qn_span_from(*text, 6);
    return true;
}

/* What a Range asks for. */
struct reading {
    struct qn_http_ranges ranges;
    size_t asked_count;
    bool is_empty_suffix; /* the last bytes of nothing: all of it */
};

static bool read_list(struct qn_span list, uint64_t size, struct reading *reading)
{
    struct qn_span element;
    struct qn_http_range range;
    struct asked asked;
    while (qn_http_list_next(&list, &element)) {
        if (++reading->asked_count > QN_HTTP_RANGES_MAX || !read_asked(element, &asked))
            return false;
        if (place(&asked, size, &range))
            join(&reading->ranges, range);
        else
            reading->is_empty_suffix |= asked.is_suffix && asked.last > 0;
    }
    return reading->asked_count > 0;
}

enum qn_err qn_http_ranges_read(const struct qn_http_head *head, const struct qn_http_state *state,
                                uint64_t size, struct qn_http_ranges *ret_ranges)
{
    struct reading reading = {0};
    struct qn_http_ranges whole = {0};
    bool is_asked = head->method == QN_HTTP_GET && state->exists &&
                    qn_http_header_count(head, "Range") == 1 && is_still_that(head, state);
    struct qn_span text = is_asked ? qn_http_header(head, "Range")->value : qn_span(NULL, 0);
    if (!is_asked || !has_unit(&text) || !read_list(text, size, &reading)) {
        *ret_ranges = whole;
        return QN_OK;
    }
    if (reading.ranges.count == 0 && !reading.is_empty_suffix)
        return QN_ERR_LIMIT;
    *ret_ranges = reading.ranges;
    return QN_OK;
}
