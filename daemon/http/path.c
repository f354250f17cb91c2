#include "base/text.h"
#include "http/escape.h"
#include "http/scan.h"
#include "http/target.h"

#define NAME_SIZE_MAX 255
#define LOOSE_SIZE_MAX                                                                             \
    ((size_t)3 * NAME_SIZE_MAX) /* with its accents apart, as macOS writes them */

enum qn_err qn_http_unescape(struct qn_span text, size_t *at, uint8_t *ret_byte)
{
    uint8_t byte = text.data[*at];
    if (byte != '%') {
        *ret_byte = byte;
        *at += 1;
        return QN_OK;
    }
    if (text.size - *at < 3)
        return QN_ERR_INVALID;
    int high = qn_http_digit(text.data[*at + 1]), low = qn_http_digit(text.data[*at + 2]);
    if (high < 0 || low < 0)
        return QN_ERR_INVALID;
    *ret_byte = (uint8_t)(high << 4 | low);
    *at += 3;
    return QN_OK;
}

static bool is_unreserved(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void qn_http_escape(struct qn_span text, const char *kept, struct qn_buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t plain = 0; /* where what stands as it is begins */
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (is_unreserved(byte) || (byte != 0 && strchr(kept, byte) != NULL))
            continue;
        const char escaped[3] = {'%', digits[byte >> 4], digits[byte & 15]};
        qn_buf_append(out, text.data + plain, i - plain);
        qn_buf_append(out, escaped, sizeof(escaped));
        plain = i + 1;
    }
    qn_buf_append_span(out, qn_span_from(text, plain));
}

void qn_http_path_encode(struct qn_span path, struct qn_buf *out)
{
    qn_http_escape(path, "/", out);
}

static bool is_ascii(struct qn_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 0x80)
            return false;
    return true;
}

static enum qn_err check_name(struct qn_span name)
{
    if (name.size == 0 || qn_span_eq_str(name, ".") || qn_span_eq_str(name, "..") ||
        !qn_text_is_printable(name))
        return QN_ERR_INVALID;
    return name.size > (is_ascii(name) ? NAME_SIZE_MAX : LOOSE_SIZE_MAX) ? QN_ERR_LIMIT : QN_OK;
}

/* A name, still encoded, in which a slash can only be an encoded one. */
static enum qn_err decode_name(struct qn_span name, struct qn_buf *out)
{
    uint8_t bytes[QN_HTTP_PATH_SIZE_MAX];
    size_t size = 0;
    for (size_t at = 0; at < name.size;) {
        if (size == sizeof(bytes))
            return QN_ERR_LIMIT;
        QN_TRY(qn_http_unescape(name, &at, &bytes[size]));
        if (bytes[size++] == '/')
            return QN_ERR_INVALID;
    }
    QN_TRY(check_name(qn_span(bytes, size)));
    qn_buf_append(out, bytes, size);
    return QN_OK;
}

static enum qn_err decode_names(struct qn_span path, struct qn_buf *out, size_t start)
{
    for (size_t depth = 1; path.size > 0; depth++) {
        const uint8_t *slash = memchr(path.data, '/', path.size);
        size_t size = slash == NULL ? path.size : (size_t)(slash - path.data);
        if (depth > QN_HTTP_PATH_DEPTH_MAX)
            return QN_ERR_LIMIT;
        if (depth > 1)
            qn_buf_append_u8(out, '/');
        QN_TRY(decode_name(qn_span(path.data, size), out));
        if (slash != NULL && size + 1 == path.size)
            return QN_ERR_INVALID;
        path = qn_span_from(path, slash == NULL ? size : size + 1);
    }
    return out->is_over || out->size - start > QN_HTTP_PATH_SIZE_MAX ? QN_ERR_LIMIT : QN_OK;
}

bool qn_http_path_has_long_name(struct qn_span path)
{
    size_t size = 0;
    for (size_t i = 0; i < path.size; i++) {
        size = path.data[i] == '/' ? 0 : size + 1;
        if (size > NAME_SIZE_MAX)
            return true;
    }
    return false;
}

enum qn_err qn_http_path_decode(struct qn_span path, struct qn_buf *out, bool *ret_ends_with_slash)
{
    size_t start = out->size;
    bool is_root = path.size == 0 || qn_span_eq_str(path, "/");
    bool ends = path.size > 0 && path.data[path.size - 1] == '/';
    if (path.size > 3 * QN_HTTP_PATH_SIZE_MAX + 2)
        return QN_ERR_LIMIT;
    if (memchr(path.size == 0 ? (const void *)"" : path.data, '?', path.size) != NULL)
        return QN_ERR_INVALID;
    if (!is_root && path.data[0] == '/')
        path = qn_span_from(path, 1);
    if (!is_root && ends)
        path.size--;
    enum qn_err err = is_root          ? QN_OK
                      : path.size == 0 ? QN_ERR_INVALID
                                       : decode_names(path, out, start);
    if (err != QN_OK)
        qn_buf_truncate(out, start);
    else
        *ret_ends_with_slash = ends;
    return err;
}
