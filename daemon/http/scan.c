#include "http/scan.h"

static bool is_letter(uint8_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

bool qn_http_is_token_byte(uint8_t byte)
{
    return is_letter(byte) || is_digit(byte) ||
           (byte != 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

bool qn_http_is_token(struct qn_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!qn_http_is_token_byte(text.data[i]))
            return false;
    return text.size > 0;
}

bool qn_http_is_value(struct qn_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == 0x7f)
            return false;
    return true;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

struct qn_span qn_http_trim(struct qn_span text)
{
    while (text.size > 0 && is_blank(text.data[0]))
        text = qn_span(text.data + 1, text.size - 1);
    while (text.size > 0 && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

bool qn_http_is_same(struct qn_span text, const char *word)
{
    if (text.size != strlen(word))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (lower(text.data[i]) != lower((uint8_t)word[i]))
            return false;
    return true;
}

bool qn_http_list_next(struct qn_span *list, struct qn_span *ret_element)
{
    while (list->size > 0) {
        const uint8_t *comma = memchr(list->data, ',', list->size);
        size_t size = comma == NULL ? list->size : (size_t)(comma - list->data);
        struct qn_span element = qn_http_trim(qn_span(list->data, size));
        *list = qn_span_from(*list, comma == NULL ? size : size + 1);
        if (element.size > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

enum qn_err qn_http_number(struct qn_span text, uint64_t *ret_number)
{
    uint64_t number = 0;
    bool is_over = false;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]))
            return QN_ERR_INVALID;
        is_over |= __builtin_mul_overflow(number, 10u, &number);
        is_over |= __builtin_add_overflow(number, (uint64_t)(text.data[i] - '0'), &number);
    }
    if (text.size == 0)
        return QN_ERR_INVALID;
    if (is_over)
        return QN_ERR_LIMIT;
    *ret_number = number;
    return QN_OK;
}

static bool is_port(struct qn_span text)
{
    uint64_t number;
    return text.size == 0 || (qn_http_number(text, &number) == QN_OK && number <= UINT16_MAX);
}

static bool is_host_byte(uint8_t byte, bool is_bracketed)
{
    if (is_bracketed)
        return is_digit(byte) || is_letter(byte) || byte == ':' || byte == '.' || byte == '%' ||
               byte == '-';
    return is_letter(byte) || is_digit(byte) || byte == '.' || byte == '-' || byte == '_';
}

bool qn_http_is_authority(struct qn_span text)
{
    bool is_bracketed = text.size > 0 && text.data[0] == '[';
    size_t at = is_bracketed ? 1 : 0, start = at;
    while (at < text.size && is_host_byte(text.data[at], is_bracketed))
        at++;
    if (at == start || (is_bracketed && (at == text.size || text.data[at++] != ']')))
        return false;
    return at == text.size || (text.data[at] == ':' && is_port(qn_span_from(text, at + 1)));
}

enum qn_err qn_http_refuse(struct qn_http_refusal *refusal, unsigned status, const char *why)
{
    *refusal = (struct qn_http_refusal){.status = status, .why = why};
    switch (status) {
    case 414:
    case 431:
        return QN_ERR_LIMIT;
    case 417:
    case 501:
    case 505:
        return QN_ERR_UNSUPPORTED;
    default:
        return QN_ERR_INVALID;
    }
}

static enum qn_err too_big(bool has_line, struct qn_http_refusal *ret_refusal)
{
    return has_line ? qn_http_refuse(ret_refusal, 431, "the head is too large")
                    : qn_http_refuse(ret_refusal, 414, "the request line is too long");
}

static size_t skip_empty_line(struct qn_span bytes)
{
    return bytes.size >= 2 && memcmp(bytes.data, "\r\n", 2) == 0 ? 2 : 0;
}

/* A line end is CR LF; the scan of the lines finds what else a CR is beside. */
enum qn_err qn_http_scan_end(struct qn_span bytes, size_t *ret_start, size_t *ret_size,
                             struct qn_http_refusal *ret_refusal)
{
    size_t start = skip_empty_line(bytes), line = start;
    if (bytes.size > QN_HTTP_HEAD_SIZE_MAX)
        bytes.size = QN_HTTP_HEAD_SIZE_MAX;
    while (line < bytes.size) {
        const uint8_t *lf = memchr(bytes.data + line, '\n', bytes.size - line);
        if (lf == NULL)
            break;
        size_t end = (size_t)(lf - bytes.data);
        if (end == line || bytes.data[end - 1] != '\r')
            return qn_http_refuse(ret_refusal, 400, "a line ends without CR");
        if (end == line + 1 && line == start)
            return qn_http_refuse(ret_refusal, 400, "no request line");
        if (end == line + 1) {
            *ret_start = start;
            *ret_size = end + 1 - start;
            return QN_OK;
        }
        line = end + 1;
    }
    if (bytes.size == QN_HTTP_HEAD_SIZE_MAX)
        return too_big(line > start, ret_refusal);
    return QN_ERR_HELD;
}

static struct qn_span take_until(struct qn_span *text, uint8_t byte)
{
    size_t size = 0;
    while (size < text->size && text->data[size] != byte)
        size++;
    struct qn_span taken = qn_span(text->data, size);
    *text = qn_span_from(*text, size + 1);
    return taken;
}

int qn_http_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

bool qn_http_is_target(struct qn_span target)
{
    for (size_t i = 0; i < target.size; i++)
        if (target.data[i] <= ' ' || target.data[i] >= 0x7f || target.data[i] == '#')
            return false;
    return target.size > 0;
}

static enum qn_err scan_version(struct qn_span version, struct qn_http_refusal *ret_refusal)
{
    if (qn_span_eq_str(version, "HTTP/1.1") || qn_span_eq_str(version, "HTTP/1.0"))
        return QN_OK;
    if (version.size == 8 && memcmp(version.data, "HTTP/", 5) == 0 && is_digit(version.data[5]) &&
        version.data[6] == '.' && is_digit(version.data[7]))
        return qn_http_refuse(ret_refusal, 505, "another version of HTTP");
    return qn_http_refuse(ret_refusal, 400, "no version of HTTP");
}

static enum qn_err scan_request_line(struct qn_span line, struct qn_http_line *ret_line,
                                     struct qn_http_refusal *ret_refusal)
{
    struct qn_span method = take_until(&line, ' ');
    struct qn_span target = take_until(&line, ' ');
    if (!qn_http_is_token(method))
        return qn_http_refuse(ret_refusal, 400, "the method is not a word");
    if (!qn_http_is_target(target))
        return qn_http_refuse(ret_refusal, 400, "a byte in the target that may not be there");
    QN_TRY(scan_version(line, ret_refusal));
    *ret_line = (struct qn_http_line){.method = method, .target = target};
    return QN_OK;
}

static enum qn_err scan_field(struct qn_span line, struct qn_http_refusal *ret_refusal)
{
    if (is_blank(line.data[0]))
        return qn_http_refuse(ret_refusal, 400, "a folded line");
    struct qn_span value = line, name = take_until(&value, ':');
    if (!qn_http_is_token(name) || name.size == line.size)
        return qn_http_refuse(ret_refusal, 400, "a field without a proper name");
    if (!qn_http_is_value(value))
        return qn_http_refuse(ret_refusal, 400, "a control byte in a field");
    return QN_OK;
}

/* The line up to its CR LF, which is there (qn_http_scan_end). */
static struct qn_span take_line(struct qn_span *head)
{
    struct qn_span line = take_until(head, '\n');
    line.size--;
    return line;
}

enum qn_err qn_http_scan(struct qn_span head, struct qn_http_line *ret_line,
                         struct qn_http_refusal *ret_refusal)
{
    QN_TRY(scan_request_line(take_line(&head), ret_line, ret_refusal));
    size_t count = 0;
    for (struct qn_span line = take_line(&head); line.size > 0; line = take_line(&head)) {
        if (++count > QN_HTTP_HEADERS_MAX)
            return qn_http_refuse(ret_refusal, 431, "too many fields");
        QN_TRY(scan_field(line, ret_refusal));
    }
    return QN_OK;
}
