#include "http/head.h"

#include "http/parser.h"
#include "http/scan.h"
#include "http/target.h"

static const char *const method_names[] = {
    [QN_HTTP_GET] = "GET",       [QN_HTTP_HEAD] = "HEAD",         [QN_HTTP_OPTIONS] = "OPTIONS",
    [QN_HTTP_PUT] = "PUT",       [QN_HTTP_POST] = "POST",         [QN_HTTP_PATCH] = "PATCH",
    [QN_HTTP_DELETE] = "DELETE", [QN_HTTP_PROPFIND] = "PROPFIND", [QN_HTTP_PROPPATCH] = "PROPPATCH",
    [QN_HTTP_MKCOL] = "MKCOL",   [QN_HTTP_COPY] = "COPY",         [QN_HTTP_MOVE] = "MOVE",
    [QN_HTTP_LOCK] = "LOCK",     [QN_HTTP_UNLOCK] = "UNLOCK",     [QN_HTTP_UNKNOWN] = "-",
};

const char *qn_http_method_name(enum qn_http_method method)
{
    return method_names[method];
}

static enum qn_http_method method_of(struct qn_span name)
{
    for (enum qn_http_method method = QN_HTTP_GET; method < QN_HTTP_UNKNOWN; method++)
        if (qn_span_eq_str(name, method_names[method]))
            return method;
    return QN_HTTP_UNKNOWN;
}

const struct qn_http_header *qn_http_header(const struct qn_http_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (qn_http_is_same(head->headers[i].name, name))
            return &head->headers[i];
    return NULL;
}

size_t qn_http_header_count(const struct qn_http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++)
        count += qn_http_is_same(head->headers[i].name, name);
    return count;
}

static bool list_has(struct qn_span list, const char *token)
{
    struct qn_span element;
    while (qn_http_list_next(&list, &element))
        if (qn_http_is_same(element, token))
            return true;
    return false;
}

bool qn_http_header_has(const struct qn_http_head *head, const char *name, const char *token)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (qn_http_is_same(head->headers[i].name, name) && list_has(head->headers[i].value, token))
            return true;
    return false;
}

/* RFC 9112, 3.2: the origin, or the whole URL; '*' for OPTIONS alone. */
static enum qn_err read_target(struct qn_http_head *head, struct qn_http_refusal *ret_refusal)
{
    struct qn_http_target target;
    bool is_star = qn_span_eq_str(head->target, "*");
    if (is_star && head->method != QN_HTTP_OPTIONS)
        return qn_http_refuse(ret_refusal, 400, "no path");
    if (qn_http_target_split(head->target, &target) != QN_OK)
        return qn_http_refuse(ret_refusal, 400, "the target is no path and no URL");
    head->host = target.authority;
    return QN_OK;
}

/* The authority of an absolute target goes before Host (RFC 9112, 3.2.2), which still must be in
 * order. */
static enum qn_err read_host(struct qn_http_head *head, struct qn_http_refusal *ret_refusal)
{
    size_t count = qn_http_header_count(head, "Host");
    if (count > 1 || (count == 0 && !head->is_1_0))
        return qn_http_refuse(ret_refusal, 400, "not one Host");
    if (count == 0)
        return QN_OK;
    struct qn_span host = qn_http_header(head, "Host")->value;
    if (!qn_http_is_authority(host))
        return qn_http_refuse(ret_refusal, 400, "Host is no name");
    if (head->host.size == 0)
        head->host = host;
    return QN_OK;
}

static enum qn_err read_length(struct qn_http_head *head, struct qn_http_refusal *ret_refusal)
{
    size_t count = qn_http_header_count(head, "Content-Length");
    head->content_length = QN_HTTP_NO_LENGTH;
    if (count == 0)
        return QN_OK;
    uint64_t length;
    if (count > 1)
        return qn_http_refuse(ret_refusal, 400, "more than one Content-Length");
    if (qn_http_number(qn_http_header(head, "Content-Length")->value, &length) != QN_OK ||
        length > INT64_MAX)
        return qn_http_refuse(ret_refusal, 400, "Content-Length is no number of bytes");
    head->content_length = length;
    return QN_OK;
}

/* RFC 9112, 6.1: chunked comes last, and once. */
static bool is_chunked_before_more(struct qn_span coding)
{
    size_t size = strlen("chunked");
    if (coding.size < size || !qn_http_is_same(qn_span(coding.data, size), "chunked"))
        return false;
    struct qn_span rest = qn_http_trim(qn_span_from(coding, size));
    return rest.size > 0 && rest.data[0] == ',';
}

static enum qn_err read_coding(struct qn_http_head *head, struct qn_http_refusal *ret_refusal)
{
    size_t count = qn_http_header_count(head, "Transfer-Encoding");
    head->is_chunked = count > 0;
    if (count == 0)
        return QN_OK;
    if (count > 1 || head->is_1_0 || head->content_length != QN_HTTP_NO_LENGTH)
        return qn_http_refuse(ret_refusal, 400, "Transfer-Encoding where it may not be");
    struct qn_span coding = qn_http_header(head, "Transfer-Encoding")->value;
    if (is_chunked_before_more(coding))
        return qn_http_refuse(ret_refusal, 400, "a coding after chunked");
    if (!qn_http_is_same(coding, "chunked"))
        return qn_http_refuse(ret_refusal, 501, "a coding other than chunked");
    return QN_OK;
}

static enum qn_err read_expect(struct qn_http_head *head, struct qn_http_refusal *ret_refusal)
{
    size_t count = qn_http_header_count(head, "Expect");
    if (count == 0 || head->is_1_0)
        return QN_OK;
    if (count > 1 || !qn_http_is_same(qn_http_header(head, "Expect")->value, "100-continue"))
        return qn_http_refuse(ret_refusal, 417, "an Expect that is not known");
    head->expects_continue = true;
    return QN_OK;
}

static enum qn_err read_fields(struct qn_http_head *head, struct qn_http_refusal *ret_refusal)
{
    QN_TRY(read_target(head, ret_refusal));
    QN_TRY(read_host(head, ret_refusal));
    QN_TRY(read_length(head, ret_refusal));
    QN_TRY(read_coding(head, ret_refusal));
    return read_expect(head, ret_refusal);
}

/* What the parser found must be what the scan saw: two readings of one head are a way in. Where it
 * refuses, ours may still say more exactly why. */
static enum qn_err parse(struct qn_span bytes, const struct qn_http_line *line,
                         struct qn_http_head *head, struct qn_http_refusal *ret_refusal)
{
    bool is_chunked = false;
    enum qn_err err = qn_http_parse(qn_span_from(bytes, line->method.size), head, &is_chunked);
    if (err == QN_ERR_LIMIT)
        return qn_http_refuse(ret_refusal, 431, "too many fields");
    if (!qn_span_eq(head->target, line->target))
        return qn_http_refuse(ret_refusal, 400, "the parser refuses the target");
    head->method = method_of(line->method);
    QN_TRY(read_fields(head, ret_refusal));
    if (err != QN_OK || head->is_chunked != is_chunked)
        return qn_http_refuse(ret_refusal, 400, "the parser refuses it");
    return QN_OK;
}

static bool keeps_alive(const struct qn_http_head *head)
{
    return head->is_1_0 ? qn_http_header_has(head, "Connection", "keep-alive")
                        : !qn_http_header_has(head, "Connection", "close");
}

enum qn_err qn_http_head_read(struct qn_span bytes, struct qn_http_head *ret_head, size_t *ret_size,
                              struct qn_http_refusal *ret_refusal)
{
    size_t start, size;
    struct qn_http_line line;
    struct qn_http_head head = {0};
    QN_TRY(qn_http_scan_end(bytes, &start, &size, ret_refusal));
    struct qn_span text = qn_span(bytes.data + start, size);
    QN_TRY(qn_http_scan(text, &line, ret_refusal));
    QN_TRY(parse(text, &line, &head, ret_refusal));
    head.keeps_alive = keeps_alive(&head);
    *ret_head = head;
    *ret_size = start + size;
    return QN_OK;
}
