/* HTTP Basic (RFC 7617): base64 of name, colon and password, in UTF-8. */
#include "base/text.h"
#include "http/scan.h"
#include "http/target.h"

static int sextet_of(uint8_t byte)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = byte == 0 ? NULL : strchr(letters, byte);
    return at == NULL ? -1 : (int)(at - letters);
}

/* Four letters are three bytes; '=' fills the last four up, and what it leaves over is zero. */
static enum qn_err decode_four(const uint8_t *text, size_t letters, struct qn_buf *out)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int sextet = i < letters ? sextet_of(text[i]) : 0;
        if (sextet < 0)
            return QN_ERR_INVALID;
        bits = bits << 6 | (uint32_t)sextet;
    }
    uint8_t bytes[] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
    size_t size = letters - 1;
    if ((bits & (((uint32_t)1 << 8 * (3 - size)) - 1)) != 0)
        return QN_ERR_INVALID;
    qn_buf_append(out, bytes, size);
    return QN_OK;
}

static enum qn_err decode(struct qn_span text, struct qn_buf *out)
{
    if (text.size == 0 || text.size % 4 != 0)
        return QN_ERR_INVALID;
    size_t filled = text.data[text.size - 1] != '=' ? 0 : text.data[text.size - 2] != '=' ? 1 : 2;
    for (size_t at = 0; at < text.size; at += 4)
        QN_TRY(decode_four(text.data + at, at + 4 == text.size ? 4 - filled : 4, out));
    return out->is_over ? QN_ERR_INVALID : QN_OK;
}

static enum qn_err split(struct qn_span text, struct qn_span *ret_name,
                         struct qn_span *ret_password)
{
    const uint8_t *colon = text.size == 0 ? NULL : memchr(text.data, ':', text.size);
    if (colon == NULL || !qn_text_is_printable(text))
        return QN_ERR_INVALID;
    size_t at = (size_t)(colon - text.data);
    *ret_name = qn_span(text.data, at);
    *ret_password = qn_span_from(text, at + 1);
    return QN_OK;
}

enum qn_err qn_http_basic_read(struct qn_span field, struct qn_buf *out, struct qn_span *ret_name,
                               struct qn_span *ret_password)
{
    size_t start = out->size;
    if (field.size < 6 || !qn_http_is_same(qn_span(field.data, 6), "basic "))
        return QN_ERR_INVALID;
    enum qn_err err = decode(qn_http_trim(qn_span_from(field, 6)), out);
    if (err == QN_OK)
        err = split(qn_span_from(qn_buf_view(out), start), ret_name, ret_password);
    if (err != QN_OK)
        qn_buf_truncate(out, start);
    return err;
}
