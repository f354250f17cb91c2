#include "http/reply.h"

#include "http/scan.h"

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Where the empty line ends; each line ends with CR LF. */
static enum qn_err find_end(struct qn_span bytes, size_t *ret_size)
{
    size_t line = 0;
    bool is_whole = bytes.size >= QN_HTTP_HEAD_SIZE_MAX;
    if (is_whole)
        bytes.size = QN_HTTP_HEAD_SIZE_MAX;
    while (line < bytes.size) {
        const uint8_t *lf = memchr(bytes.data + line, '\n', bytes.size - line);
        if (lf == NULL)
            break;
        size_t end = (size_t)(lf - bytes.data);
        if (end == line || bytes.data[end - 1] != '\r')
            return QN_ERR_INVALID;
        if (end == line + 1) {
            *ret_size = end + 1;
            return line == 0 ? QN_ERR_INVALID : QN_OK;
        }
        line = end + 1;
    }
    return is_whole ? QN_ERR_LIMIT : QN_ERR_HELD;
}

static struct qn_span next_line(struct qn_span *rest)
{
    const uint8_t *lf = memchr(rest->data, '\n', rest->size);
    struct qn_span line = qn_span(rest->data, (size_t)(lf - rest->data) - 1);
    *rest = qn_span_from(*rest, line.size + 2);
    return line;
}

static enum qn_err read_status(struct qn_span line, unsigned *ret_status)
{
    static const char version[] = "HTTP/1.1 ";
    size_t at = sizeof(version) - 1;
    if (line.size < at + 3 || memcmp(line.data, version, at) != 0 || !qn_http_is_value(line))
        return QN_ERR_INVALID;
    const uint8_t *digits = line.data + at;
    if (!is_digit(digits[0]) || !is_digit(digits[1]) || !is_digit(digits[2]) ||
        (line.size > at + 3 && digits[3] != ' '))
        return QN_ERR_INVALID;
    unsigned status = (digits[0] - '0') * 100U + (digits[1] - '0') * 10U + (digits[2] - '0');
    if (status < 100 || status > 599)
        return QN_ERR_INVALID;
    *ret_status = status;
    return QN_OK;
}

static enum qn_err read_field(struct qn_span line, struct qn_http_head *head)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (colon == NULL)
        return QN_ERR_INVALID;
    if (head->header_count == QN_HTTP_HEADERS_MAX)
        return QN_ERR_LIMIT;
    struct qn_http_header field = {.name = qn_span(line.data, (size_t)(colon - line.data))};
    field.value = qn_http_trim(qn_span_from(line, field.name.size + 1));
    if (!qn_http_is_token(field.name) || !qn_http_is_value(field.value))
        return QN_ERR_INVALID;
    head->headers[head->header_count++] = field;
    return QN_OK;
}

static enum qn_err read_framing(struct qn_http_head *head)
{
    const struct qn_http_header *coding = qn_http_header(head, "Transfer-Encoding");
    const struct qn_http_header *length = qn_http_header(head, "Content-Length");
    head->content_length = QN_HTTP_NO_LENGTH;
    if ((coding != NULL && length != NULL) || qn_http_header_count(head, "Content-Length") > 1 ||
        qn_http_header_count(head, "Transfer-Encoding") > 1)
        return QN_ERR_INVALID;
    if (coding != NULL && !qn_http_is_same(coding->value, "chunked"))
        return QN_ERR_INVALID;
    head->is_chunked = coding != NULL;
    head->keeps_alive = !qn_http_header_has(head, "Connection", "close");
    if (length == NULL)
        return QN_OK;
    QN_TRY(qn_http_number(length->value, &head->content_length));
    return head->content_length == QN_HTTP_NO_LENGTH ? QN_ERR_LIMIT : QN_OK;
}

static bool may_have_body(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

enum qn_err qn_http_reply_read(struct qn_span bytes, bool has_no_body, unsigned *ret_status,
                               struct qn_http_head *ret_head, size_t *ret_size)
{
    struct qn_http_head head = {0};
    size_t size;
    unsigned status;
    QN_TRY(find_end(bytes, &size));
    struct qn_span rest = qn_span(bytes.data, size - 2);
    QN_TRY(read_status(next_line(&rest), &status));
    while (rest.size > 0)
        QN_TRY(read_field(next_line(&rest), &head));
    QN_TRY(read_framing(&head));
    bool ends_by_close = !head.is_chunked && head.content_length == QN_HTTP_NO_LENGTH;
    if (ends_by_close && may_have_body(status) && !has_no_body)
        return QN_ERR_INVALID;
    *ret_head = head;
    *ret_status = status;
    *ret_size = size;
    return QN_OK;
}

bool qn_http_reply_has_body(unsigned status, const struct qn_http_head *head)
{
    return may_have_body(status) && (head->is_chunked || head->content_length > 0);
}
