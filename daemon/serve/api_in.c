/* What came with the request, and what the person may do. */
#include <strings.h>

#include "base/limits.h"
#include "http/condition.h"
#include "json/in.h"
#include "serve/api_private.h"

static bool is_json(const struct api *api)
{
    const struct qn_http_header *type = qn_http_header(qn_web_asked(api->request), "Content-Type");
    if (type == NULL)
        return false;
    const uint8_t *end = memchr(type->value.data, ';', type->value.size);
    size_t size = end == NULL ? type->value.size : (size_t)(end - type->value.data);
    while (size > 0 && type->value.data[size - 1] == ' ')
        size--;
    static const char wanted[] = "application/json";
    return size == strlen(wanted) && strncasecmp((const char *)type->value.data, wanted, size) == 0;
}

void api_want_json(struct api *api, void (*on_body)(struct api *api))
{
    const struct qn_http_head *head = qn_web_asked(api->request);
    bool is_said = head->content_length != QN_HTTP_NO_LENGTH;
    if (!is_said && !head->is_chunked)
        api_refuse(api, 411, "length-wanted", qn_span_str(""));
    else if (is_said && head->content_length > QN_API_BODY_SIZE_MAX)
        api_refuse(api, 413, "value-too-large", qn_span_str(""));
    else if (!is_json(api))
        api_refuse(api, 415, "not-json", qn_span_str("Content-Type"));
    else {
        api->on_body = on_body;
        qn_web_want_body(api->request);
    }
}

static bool is_allowed(const char *allowed, const char *name)
{
    while (*allowed != '\0') {
        size_t size = strcspn(allowed, " ");
        if (strlen(name) == size && memcmp(allowed, name, size) == 0)
            return true;
        allowed += size + (allowed[size] == ' ');
    }
    return false;
}

static bool has_only(struct api *api, json_t *object, const char *allowed)
{
    const char *name;
    json_t *member;
    json_object_foreach(object, name, member)
    {
        if (is_allowed(allowed, name))
            continue;
        api_refuse(api, 400, "bad-request", qn_span_str(name));
        return false;
    }
    return true;
}

json_t *api_body_object(struct api *api, const char *allowed)
{
    json_error_t reason;
    struct qn_span text = qn_buf_view(&api->body);
    if (!qn_json_is_shallow(text, QN_API_DEPTH_MAX)) {
        api_refuse(api, 422, "bad-value", qn_span_str(""));
        return NULL;
    }
    json_t *object = qn_json_parse(text, &reason);
    if (object == NULL) {
        api_refuse(api, 400, "bad-json", qn_span_str(reason.text));
        return NULL;
    }
    if (!json_is_object(object))
        api_refuse(api, 400, "bad-request", qn_span_str(""));
    else if (has_only(api, object, allowed))
        return object;
    json_decref(object);
    return NULL;
}

enum qn_err api_query(const struct api *api, const char *name, struct qn_buf *out)
{
    return qn_http_form_get(qn_web_query(api->request), name, out);
}

bool api_limit(struct api *api, uint64_t usual, uint64_t most, uint64_t *ret_limit)
{
    QN_AUTO_BUF struct qn_buf text;
    uint64_t limit = 0;
    qn_buf_init(&text, 8);
    enum qn_err err = api_query(api, "limit", &text);
    if (err == QN_ERR_NOTFOUND) {
        *ret_limit = usual;
        return true;
    }
    for (size_t i = 0; i < text.size && err == QN_OK; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            err = QN_ERR_INVALID;
        limit = limit * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (err != QN_OK || limit == 0 || limit > most) {
        api_refuse(api, 400, "bad-request", qn_span_str("limit"));
        return false;
    }
    *ret_limit = limit;
    return true;
}

enum qn_right api_right(const struct api *api, enum qn_thing thing, struct qn_span name)
{
    return qn_people_right(qn_web_people(api->request), api->person, thing, name);
}

bool api_may(struct api *api, enum qn_thing thing, struct qn_span name, enum qn_right wanted)
{
    enum qn_right right = api_right(api, thing, name);
    if (right == QN_RIGHT_NONE)
        api_refuse(api, 404, thing == QN_THING_COLLECTION ? "collection-unknown" : "folder-unknown",
                   name);
    else if (right < wanted)
        api_refuse(api, 403, right == QN_RIGHT_LIST ? "list-only" : "read-only", name);
    else
        return true;
    return false;
}

bool api_is_operator(const struct api *api)
{
    return qn_people_is_operator(qn_web_people(api->request), api->person);
}

bool api_has_condition(const struct api *api)
{
    const struct qn_http_head *head = qn_web_asked(api->request);
    return qn_http_header(head, "If-Match") != NULL ||
           qn_http_header(head, "If-None-Match") != NULL ||
           qn_http_header(head, "If-Unmodified-Since") != NULL;
}

bool api_judge(struct api *api, const struct qn_http_state *state, const char *etag)
{
    switch (qn_http_condition(qn_web_asked(api->request), state)) {
    case QN_HTTP_GO_ON:
        return true;
    case QN_HTTP_NOT_MODIFIED:
        api_answer_empty(api, 304, etag);
        return false;
    case QN_HTTP_PRECONDITION_FAILED:
        api_refuse(api, 412, "changed", qn_span_str(""));
        return false;
    case QN_HTTP_BAD_CONDITION:
        break;
    }
    api_refuse(api, 400, "bad-request", qn_span_str("If-Match"));
    return false;
}
