/* What of the heads goes on, both ways, and what is noted of it. */
#include "base/assert.h"
#include "dav/media.h"
#include "serve/dav_private.h"
#include "serve/remote_private.h"

/* ---- the request ---- */

static const char *const asked_fields[] = {
    "Accept-Language", "Content-Range",       "Content-Type",
    "Depth",           "Destination",         "If",
    "If-Match",        "If-Modified-Since",   "If-None-Match",
    "If-Range",        "If-Unmodified-Since", "Lock-Token",
    "OC-Checksum",     "Overwrite",           "Range",
    "Timeout",         "X-OC-Mtime",          "X-Expected-Entity-Length",
};

static const char *const answered_fields[] = {
    "Accept-Ranges", "Allow",       "Cache-Control", "Content-Range", "Content-Type",
    "DAV",           "ETag",        "Last-Modified", "Lock-Token",    "MS-Author-Via",
    "OC-ETag",       "Retry-After", "X-OC-Mtime",
};

static bool is_name(struct qn_span name, const char *wanted)
{
    return name.size == strlen(wanted) &&
           strncasecmp((const char *)name.data, wanted, name.size) == 0;
}

static enum qn_err copy_fields(const struct qn_http_head *head, const char *const *names,
                               size_t count, struct qn_buf *out)
{
    for (size_t i = 0; i < head->header_count; i++)
        for (size_t n = 0; n < count; n++)
            if (is_name(head->headers[i].name, names[n]))
                QN_TRY(qn_http_answer_field(out, names[n], head->headers[i].value));
    return QN_OK;
}

static bool is_once(const struct qn_http_head *head, const char *name)
{
    return qn_http_header_count(head, name) == 1;
}

static void append_target(const struct qn_web_request *web, struct qn_buf *out)
{
    qn_buf_append_str(out, "/");
    qn_http_path_encode(qn_buf_view(&web->path), out);
    if (web->has_slash)
        qn_buf_append_str(out, "/");
    if (web->query.size > 0) {
        qn_buf_append_str(out, "?");
        qn_buf_append_span(out, web->query);
    }
}

static enum qn_err append_person(const struct forward *forward, struct qn_buf *out)
{
    const struct qn_person *person = qn_web_person(forward->web);
    QN_TRY(qn_http_answer_field(out, REMOTE_PERSON, qn_span_str(person->name)));
    QN_TRY(qn_http_answer_field(out, REMOTE_RIGHT, qn_span_str(qn_right_name(forward->right))));
    return qn_http_answer_field(out, REMOTE_DEVICE, qn_span_str(qn_person_device(person)));
}

/* Host is the person's: by it the other site understands Destination and If, which name this one.
 */
enum qn_err forward_write_head(const struct forward *forward, struct qn_buf *out)
{
    const struct qn_http_head *head = qn_web_asked(forward->web);
    struct qn_span host = head->host.size > 0 ? head->host : qn_span_str("localhost");
    qn_buf_append_str(out, qn_http_method_name(head->method));
    qn_buf_append_str(out, " ");
    append_target(forward->web, out);
    qn_buf_append_str(out, " HTTP/1.1\r\n");
    QN_TRY(qn_http_answer_field(out, "Host", host));
    QN_TRY(append_person(forward, out));
    QN_TRY(copy_fields(head, asked_fields, sizeof(asked_fields) / sizeof(asked_fields[0]), out));
    if (head->is_chunked)
        QN_TRY(qn_http_answer_field(out, "Transfer-Encoding", qn_span_str("chunked")));
    else if (head->content_length != QN_HTTP_NO_LENGTH)
        qn_http_answer_number(out, "Content-Length", head->content_length);
    qn_http_answer_end(out);
    return qn_buf_status(out);
}

/* ---- the answer ---- */

static bool is_attachment(const struct qn_http_head *head)
{
    static const char word[] = "attachment;";
    const struct qn_http_header *field = qn_http_header(head, "Content-Disposition");
    return is_once(head, "Content-Disposition") && field->value.size >= strlen(word) &&
           strncasecmp((const char *)field->value.data, word, strlen(word)) == 0;
}

/* What a browser may show itself: pictures, plain text, and what scripts ask for. */
static bool is_harmless(const struct qn_http_head *head)
{
    static const char *const of_the_api[] = {"application/json", "application/x-ndjson",
                                             "text/plain; charset=utf-8"};
    const struct qn_http_header *field = qn_http_header(head, "Content-Type");
    char type[64] = "";
    if (!is_once(head, "Content-Type") || field->value.size >= sizeof(type))
        return false;
    memcpy(type, field->value.data, field->value.size);
    for (size_t i = 0; i < sizeof(of_the_api) / sizeof(of_the_api[0]); i++)
        if (strcmp(type, of_the_api[i]) == 0)
            return true;
    return qn_dav_media_is_harmless(type);
}

/* Another site, or who has broken into it, says what it likes. Whatever that is, in a browser it is
 * no page of this site: the policy is this site's own, and so is what is shown and what is saved.
 */
static enum qn_err append_disposition(const struct forward *forward, unsigned status,
                                      const struct qn_http_head *head, struct qn_buf *out)
{
    bool is_nothing = status == 304 && qn_http_header(head, "Content-Type") == NULL;
    if (is_attachment(head))
        return qn_http_answer_field(out, "Content-Disposition",
                                    qn_http_header(head, "Content-Disposition")->value);
    if (qn_web_asked(forward->web)->method == QN_HTTP_GET && !is_nothing && !is_harmless(head))
        qn_http_answer_attachment(out, dav_last(forward->path.rest));
    return QN_OK;
}

void forward_answer_head(struct forward *forward, unsigned status, const struct qn_http_head *head)
{
    struct qn_buf *out = qn_web_head(forward->web, status, head->content_length);
    enum qn_err err = copy_fields(head, answered_fields,
                                  sizeof(answered_fields) / sizeof(answered_fields[0]), out);
    QN_ASSERT(err == QN_OK); /* qn_http_reply_read looked at the values */
    err = append_disposition(forward, status, head, out);
    QN_ASSERT(err == QN_OK);
    qn_web_head_end(forward->web);
}

/* ---- the trail ---- */

static const char *action_of(const struct forward *forward)
{
    switch (qn_web_asked(forward->web)->method) {
    case QN_HTTP_PROPFIND:
        return "list";
    case QN_HTTP_DELETE:
        return "delete";
    case QN_HTTP_COPY:
        return "copy";
    case QN_HTTP_MOVE:
        return "move";
    case QN_HTTP_LOCK:
    case QN_HTTP_UNLOCK:
        return "lock";
    case QN_HTTP_GET:
    case QN_HTTP_HEAD:
    case QN_HTTP_OPTIONS:
        return "read";
    case QN_HTTP_PUT:
    case QN_HTTP_POST:
    case QN_HTTP_PATCH:
    case QN_HTTP_PROPPATCH:
    case QN_HTTP_MKCOL:
    case QN_HTTP_UNKNOWN:
        return "write";
    }
    return "write";
}

const char *forward_result(unsigned status)
{
    switch (status) {
    case 403:
        return "denied";
    case 404:
        return "not-found";
    case 412:
        return "changed";
    case 423:
        return "locked";
    case 507:
        return "disk-full";
    default:
        return status < 400 ? "ok" : "refused";
    }
}

static void append_object(const struct forward *forward, struct qn_buf *out)
{
    struct qn_span rest = forward->path.rest;
    if (forward->path.is_api) { /* without "files/" or "list/" */
        const uint8_t *slash = rest.size > 0 ? memchr(rest.data, '/', rest.size) : NULL;
        rest = qn_span_from(rest, slash == NULL ? rest.size : (size_t)(slash - rest.data) + 1);
    }
    qn_buf_append_str(out, "folder:");
    qn_buf_append_span(out, forward->path.folder);
    if (rest.size > 0)
        qn_buf_append_str(out, "/");
    qn_buf_append_span(out, rest);
}

bool forward_note(struct forward *forward, const char *result)
{
    const struct qn_serve_host *host = qn_web_host(forward->web);
    const struct qn_person *person = qn_web_person(forward->web);
    QN_AUTO_BUF struct qn_buf object;
    forward->is_noted = true;
    qn_buf_init(&object, 2 * QN_HTTP_PATH_SIZE_MAX);
    if (host->note == NULL)
        return true;
    append_object(forward, &object);
    struct qn_audit_what what = {
        .actor = qn_span_str(person->name),
        .device = qn_span_str(qn_person_device(person)),
        .address = qn_span_str(qn_web_from(forward->web)),
        .action = action_of(forward),
        .object = qn_buf_view(&object),
        .result = result,
    };
    return host->note(host->context, &what) == QN_OK;
}
