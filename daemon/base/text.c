#include "base/text.h"

#include <string.h>

#include "base/limits.h"

/* Length of the well-formed sequence at p, 0 if there is none. Unicode 15, table 3-7. */
static size_t sequence_length(const uint8_t *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    uint8_t low = 0x80, high = 0xbf;
    size_t length;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        length = 2;
    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        length = 3;
        low = p[0] == 0xe0 ? 0xa0 : 0x80;
        high = p[0] == 0xed ? 0x9f : 0xbf;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        length = 4;
        low = p[0] == 0xf0 ? 0x90 : 0x80;
        high = p[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (left < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return length;
}

/* Of a well-formed sequence: U+0000 to U+001F, and U+007F to U+009F. */
static bool is_control(const uint8_t *p)
{
    return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] <= 0x9f);
}

/* Where ASCII that begins at `at` ends: most text is mostly that, so eight bytes in a step. */
static size_t skip_ascii(struct qn_span text, size_t at)
{
    uint64_t eight;
    for (; text.size - at >= sizeof(eight); at += sizeof(eight)) {
        memcpy(&eight, text.data + at, sizeof(eight));
        if ((eight & 0x8080808080808080u) != 0)
            break;
    }
    while (at < text.size && text.data[at] < 0x80)
        at++;
    return at;
}

static bool is_text(struct qn_span text, bool allow_control)
{
    for (size_t at = 0; at < text.size;) {
        if (allow_control)
            at = skip_ascii(text, at);
        if (at == text.size)
            break;
        size_t length = sequence_length(text.data + at, text.size - at);
        if (length == 0)
            return false;
        if (!allow_control && is_control(text.data + at))
            return false;
        at += length;
    }
    return true;
}

bool qn_text_is_utf8(struct qn_span text)
{
    return is_text(text, true);
}

bool qn_text_is_printable(struct qn_span text)
{
    return is_text(text, false);
}

static const char digits[] = "0123456789abcdef";

void qn_text_append_number(struct qn_buf *out, uint64_t number)
{
    char text[20];
    size_t at = sizeof(text);
    do
        text[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    qn_buf_append(out, text + at, sizeof(text) - at);
}

void qn_text_digits(uint64_t number, size_t count, char *out)
{
    for (; count > 0; number /= 10)
        out[--count] = (char)('0' + number % 10);
}

void qn_text_append_hex(struct qn_buf *out, struct qn_span bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        qn_buf_append_u8(out, (uint8_t)digits[bytes.data[i] >> 4]);
        qn_buf_append_u8(out, (uint8_t)digits[bytes.data[i] & 15]);
    }
}

void qn_text_hex(struct qn_span bytes, char *out)
{
    for (size_t i = 0; i < bytes.size; i++) {
        *out++ = digits[bytes.data[i] >> 4];
        *out++ = digits[bytes.data[i] & 15];
    }
    *out = '\0';
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A parser appends all of its text's bytes or none. */
static enum qn_err all_or_none(enum qn_err err, struct qn_buf *out, size_t size_before)
{
    if (err == QN_OK)
        err = qn_buf_status(out);
    if (err != QN_OK)
        qn_buf_truncate(out, size_before);
    return err;
}

static enum qn_err parse_hex(struct qn_span text, struct qn_buf *out)
{
    if (text.size % 2 != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < text.size; i += 2) {
        int high = hex_value(text.data[i]), low = hex_value(text.data[i + 1]);
        if (high < 0 || low < 0)
            return QN_ERR_INVALID;
        qn_buf_append_u8(out, (uint8_t)(high << 4 | low));
    }
    return QN_OK;
}

enum qn_err qn_text_parse_hex(struct qn_span text, struct qn_buf *out)
{
    size_t size_before = out->size;
    return all_or_none(parse_hex(text, out), out, size_before);
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void qn_text_append_base32(struct qn_buf *out, struct qn_span bytes, size_t group)
{
    uint32_t bits = 0;
    unsigned count = 0;
    size_t letters = 0;
    for (size_t i = 0; i < bytes.size || count > 0;) {
        if (count < 5 && i < bytes.size) {
            bits = bits << 8 | bytes.data[i++];
            count += 8;
            continue;
        }
        unsigned take = count < 5 ? count : 5;
        uint32_t index = (bits >> (count - take) & ((1u << take) - 1)) << (5 - take);
        count -= take;
        bits &= (1u << count) - 1;
        if (group > 0 && letters > 0 && letters % group == 0)
            qn_buf_append_u8(out, '-');
        qn_buf_append_u8(out, (uint8_t)alphabet[index]);
        letters++;
    }
}

static int base32_value(uint8_t c)
{
    if (c >= 'a' && c <= 'z')
        c = (uint8_t)(c - 'a' + 'A');
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= '2' && c <= '7')
        return c - '2' + 26;
    switch (c) {
    case '0':
        return 'O' - 'A';
    case '1':
        return 'I' - 'A';
    case '8':
        return 'B' - 'A';
    default:
        return -1;
    }
}

static bool is_separator(uint8_t c)
{
    return c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static enum qn_err parse_base32(struct qn_span text, struct qn_buf *out)
{
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (is_separator(text.data[i]))
            continue;
        int value = base32_value(text.data[i]);
        if (value < 0)
            return QN_ERR_INVALID;
        bits = bits << 5 | (uint32_t)value;
        count += 5;
        if (count >= 8) {
            count -= 8;
            qn_buf_append_u8(out, (uint8_t)(bits >> count));
            bits &= (1u << count) - 1;
        }
    }
    return count >= 5 || bits != 0 ? QN_ERR_INVALID : QN_OK;
}

enum qn_err qn_text_parse_base32(struct qn_span text, struct qn_buf *out)
{
    size_t size_before = out->size;
    return all_or_none(parse_base32(text, out), out, size_before);
}

/* Unicode 15, property White_Space, without control characters; p begins a well-formed sequence. */
static bool is_white_space(const uint8_t *p)
{
    if (p[0] == ' ' || (p[0] == 0xc2 && p[1] == 0xa0))
        return true;
    if (p[0] < 0xe1 || p[0] > 0xe3)
        return false;
    uint32_t point = (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    return point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 ||
           point == 0x2029 || point == 0x202f || point == 0x205f || point == 0x3000;
}

bool qn_text_is_name(struct qn_span text)
{
    if (text.size == 0 || text.size > QN_NAME_SIZE_MAX || !qn_text_is_printable(text))
        return false;
    if (text.data[0] == '-' || text.data[0] == '_')
        return false;
    for (size_t at = 0; at < text.size;) {
        const uint8_t *p = text.data + at;
        if (memchr("/,@", p[0], 3) != NULL || is_white_space(p))
            return false;
        at += sequence_length(p, text.size - at);
    }
    return true;
}
