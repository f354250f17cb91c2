#include "base/text.h"
#include "http/escape.h"
#include "http/scan.h"
#include "http/target.h"

static struct qn_span take_until(struct qn_span *text, uint8_t byte)
{
    size_t size = 0;
    while (size < text->size && text->data[size] != byte)
        size++;
    struct qn_span taken = qn_span(text->data, size);
    *text = qn_span_from(*text, size + 1);
    return taken;
}

static enum qn_err form_byte(struct qn_span text, size_t *at, uint8_t *ret_byte)
{
    bool is_space = text.data[*at] == '+';
    QN_TRY(qn_http_unescape(text, at, ret_byte));
    if (is_space)
        *ret_byte = ' ';
    return *ret_byte == 0 ? QN_ERR_INVALID : QN_OK;
}

static bool is_key(struct qn_span text, const char *key)
{
    size_t size = strlen(key), count = 0;
    for (size_t at = 0; at < text.size; count++) {
        uint8_t byte;
        if (count == size || form_byte(text, &at, &byte) != QN_OK || byte != (uint8_t)key[count])
            return false;
    }
    return count == size;
}

static enum qn_err decode_value(struct qn_span text, struct qn_buf *out)
{
    size_t start = out->size;
    for (size_t at = 0; at < text.size;) {
        uint8_t byte;
        QN_TRY(form_byte(text, &at, &byte));
        qn_buf_append_u8(out, byte);
    }
    QN_TRY(qn_buf_status(out));
    return qn_text_is_utf8(qn_span_from(qn_buf_view(out), start)) ? QN_OK : QN_ERR_INVALID;
}

enum qn_err qn_http_form_get(struct qn_span form, const char *key, struct qn_buf *out)
{
    size_t start = out->size;
    while (form.size > 0) {
        struct qn_span value = take_until(&form, '&'), name = take_until(&value, '=');
        if (!is_key(name, key))
            continue;
        enum qn_err err = decode_value(value, out);
        if (err != QN_OK)
            qn_buf_truncate(out, start);
        return err;
    }
    return QN_ERR_NOTFOUND;
}

static struct qn_span without_quotes(struct qn_span text)
{
    bool is_quoted = text.size >= 2 && text.data[0] == '"' && text.data[text.size - 1] == '"';
    return is_quoted ? qn_span(text.data + 1, text.size - 2) : text;
}

enum qn_err qn_http_cookie_get(struct qn_span field, const char *name, struct qn_span *ret_value)
{
    while (field.size > 0) {
        struct qn_span value = take_until(&field, ';'), key = take_until(&value, '=');
        if (!qn_span_eq_str(qn_http_trim(key), name))
            continue;
        *ret_value = without_quotes(qn_http_trim(value));
        return QN_OK;
    }
    return QN_ERR_NOTFOUND;
}
