#include "dav/escape.h"

#include "base/text.h"

static const char *replacement(uint8_t c, bool is_attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '\r':
        return "&#13;";
    case '"':
        return is_attribute ? "&quot;" : NULL;
    case '\n':
        return is_attribute ? "&#10;" : NULL;
    case '\t':
        return is_attribute ? "&#9;" : NULL;
    default:
        return c < 0x20 ? "\xef\xbf\xbd" : NULL;
    }
}

/* The size of the character at the front, 0 if it is none that XML knows. */
static size_t character_size(struct qn_span text)
{
    uint8_t c = text.data[0];
    size_t size = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (size > text.size || !qn_text_is_utf8(qn_span(text.data, size)))
        return 0;
    if (size == 3 && c == 0xef && text.data[1] == 0xbf && text.data[2] >= 0xbe)
        return 0;
    return size;
}

static void escape(struct qn_buf *out, struct qn_span text, bool is_attribute)
{
    size_t plain = 0; /* bytes at the front that stand as they are */
    while (plain < text.size) {
        uint8_t c = text.data[plain];
        const char *instead = c < 0x80 ? replacement(c, is_attribute) : NULL;
        size_t size = c < 0x80 ? 1 : character_size(qn_span_from(text, plain));
        if (!instead && size > 0) {
            plain += size;
            continue;
        }
        qn_buf_append_span(out, qn_span(text.data, plain));
        qn_buf_append_str(out, instead ? instead : "\xef\xbf\xbd");
        text = qn_span_from(text, plain + (size > 0 ? size : 1));
        plain = 0;
    }
    qn_buf_append_span(out, text);
}

void qn_dav_escape(struct qn_buf *out, struct qn_span text)
{
    escape(out, text, false);
}

void qn_dav_escape_attribute(struct qn_buf *out, struct qn_span text)
{
    escape(out, text, true);
}
