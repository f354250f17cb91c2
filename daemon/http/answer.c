#include "http/answer.h"

#include <inttypes.h>

#include "base/assert.h"
#include "http/condition.h"
#include "http/escape.h"
#include "http/scan.h"

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
};

const char *qn_http_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

void qn_http_answer_start(struct qn_buf *out, unsigned status)
{
    QN_ASSERT(status >= 100 && status <= 599);
    qn_buf_printf(out, "HTTP/1.1 %u %s\r\n", status, qn_http_reason(status));
}

enum qn_err qn_http_answer_field(struct qn_buf *out, const char *name, struct qn_span value)
{
    QN_ASSERT(qn_http_is_token(qn_span_str(name)));
    if (!qn_http_is_value(value))
        return QN_ERR_INVALID;
    qn_buf_append_str(out, name);
    qn_buf_append_str(out, ": ");
    qn_buf_append_span(out, value);
    qn_buf_append_str(out, "\r\n");
    return QN_OK;
}

void qn_http_answer_number(struct qn_buf *out, const char *name, uint64_t value)
{
    QN_ASSERT(qn_http_is_token(qn_span_str(name)));
    qn_buf_printf(out, "%s: %" PRIu64 "\r\n", name, value);
}

void qn_http_answer_date(struct qn_buf *out, const char *name, int64_t time_s)
{
    char text[QN_HTTP_DATE_SIZE];
    QN_ASSERT(qn_http_is_token(qn_span_str(name)));
    qn_http_date_print(time_s, text);
    qn_buf_append_str(out, name);
    qn_buf_append_str(out, ": ");
    qn_buf_append_str(out, text);
    qn_buf_append_str(out, "\r\n");
}

/* Readers that know only filename get what of the name is plain (RFC 6266, appendix D). */
static void plain_name(struct qn_buf *out, struct qn_span name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t byte = name.data[i];
        bool is_plain = byte >= ' ' && byte < 0x7f && strchr("\"\\%/", byte) == NULL;
        qn_buf_append_u8(out, is_plain ? byte : '_');
    }
}

void qn_http_answer_attachment(struct qn_buf *out, struct qn_span file_name)
{
    qn_buf_append_str(out, "Content-Disposition: attachment; filename=\"");
    plain_name(out, file_name);
    qn_buf_append_str(out, "\"; filename*=UTF-8''");
    qn_http_escape(file_name, "", out);
    qn_buf_append_str(out, "\r\n");
}

void qn_http_answer_end(struct qn_buf *out)
{
    qn_buf_append_str(out, "\r\n");
}
