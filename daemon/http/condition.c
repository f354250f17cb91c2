#include "http/condition.h"

#include "http/scan.h"
#include "http/tag.h"

static bool is_tag_byte(uint8_t byte)
{
    return byte == 0x21 || (byte >= 0x23 && byte != 0x7f);
}

bool qn_http_tag_take(struct qn_span *text, struct qn_span *ret_tag, bool *ret_is_weak)
{
    bool is_weak = text->size >= 2 && memcmp(text->data, "W/", 2) == 0;
    struct qn_span quoted = qn_span_from(*text, is_weak ? 2 : 0);
    size_t end = 1;
    if (quoted.size < 2 || quoted.data[0] != '"')
        return false;
    while (end < quoted.size && is_tag_byte(quoted.data[end]))
        end++;
    if (end == quoted.size || quoted.data[end] != '"')
        return false;
    *ret_tag = qn_span(quoted.data, end + 1);
    *ret_is_weak = is_weak;
    *text = qn_span_from(quoted, end + 1);
    return true;
}

enum match { MATCHES, DIFFERS, UNREADABLE };

/* Commas may stand inside of a tag, so that the list is read tag by tag. */
static enum match match_list(struct qn_span list, struct qn_span etag, bool allows_weak)
{
    enum match match = DIFFERS;
    bool is_after_tag = false;
    for (list = qn_http_trim(list); list.size > 0; list = qn_http_trim(list)) {
        struct qn_span tag;
        bool is_weak;
        if (list.data[0] == ',') {
            list = qn_span_from(list, 1);
            is_after_tag = false;
            continue;
        }
        if (is_after_tag || !qn_http_tag_take(&list, &tag, &is_weak))
            return UNREADABLE;
        is_after_tag = true;
        if (etag.size > 0 && qn_span_eq(tag, etag) && (allows_weak || !is_weak))
            match = MATCHES;
    }
    return match;
}

/* All fields of the name are one list; '*' stands alone. */
static enum match match_field(const struct qn_http_head *head, const char *name,
                              const struct qn_http_state *state, bool allows_weak)
{
    enum match match = DIFFERS;
    size_t count = qn_http_header_count(head, name);
    for (size_t i = 0; i < head->header_count; i++) {
        if (!qn_http_is_same(head->headers[i].name, name))
            continue;
        struct qn_span value = head->headers[i].value;
        if (qn_span_eq_str(value, "*"))
            return count > 1 ? UNREADABLE : state->exists ? MATCHES : DIFFERS;
        enum match one =
            match_list(value, state->exists ? state->etag : qn_span(NULL, 0), allows_weak);
        if (one == UNREADABLE || value.size == 0)
            return UNREADABLE;
        match = one == MATCHES ? MATCHES : match;
    }
    return match;
}

/* A date that cannot be read, or of which there are several, is as if it was not there. */
static bool has_date(const struct qn_http_head *head, const char *name, int64_t *ret_time_s)
{
    return qn_http_header_count(head, name) == 1 &&
           qn_http_date_read(qn_http_header(head, name)->value, ret_time_s) == QN_OK;
}

/* RFC 9110, 13.2.2, steps 1 and 2. */
static enum qn_http_verdict judge_change(const struct qn_http_head *head,
                                         const struct qn_http_state *state)
{
    int64_t time_s;
    if (qn_http_header(head, "If-Match") != NULL) {
        enum match match = match_field(head, "If-Match", state, false);
        return match == UNREADABLE ? QN_HTTP_BAD_CONDITION
               : match == DIFFERS  ? QN_HTTP_PRECONDITION_FAILED
                                   : QN_HTTP_GO_ON;
    }
    if (state->exists && has_date(head, "If-Unmodified-Since", &time_s) &&
        state->modified_s > time_s)
        return QN_HTTP_PRECONDITION_FAILED;
    return QN_HTTP_GO_ON;
}

/* Steps 3 and 4. */
static enum qn_http_verdict judge_cache(const struct qn_http_head *head,
                                        const struct qn_http_state *state)
{
    bool is_read = head->method == QN_HTTP_GET || head->method == QN_HTTP_HEAD;
    int64_t time_s;
    if (qn_http_header(head, "If-None-Match") != NULL) {
        enum match match = match_field(head, "If-None-Match", state, true);
        if (match != MATCHES)
            return match == UNREADABLE ? QN_HTTP_BAD_CONDITION : QN_HTTP_GO_ON;
        return is_read ? QN_HTTP_NOT_MODIFIED : QN_HTTP_PRECONDITION_FAILED;
    }
    if (is_read && state->exists && has_date(head, "If-Modified-Since", &time_s) &&
        state->modified_s <= time_s)
        return QN_HTTP_NOT_MODIFIED;
    return QN_HTTP_GO_ON;
}

enum qn_http_verdict qn_http_condition(const struct qn_http_head *head,
                                       const struct qn_http_state *state)
{
    enum qn_http_verdict verdict = judge_change(head, state);
    return verdict == QN_HTTP_GO_ON ? judge_cache(head, state) : verdict;
}
