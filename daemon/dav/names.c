#include "dav/names.h"

#include "base/err.h"
#include "dav/field.h"

bool qn_dav_name_is_litter(struct qn_span name)
{
    return qn_span_has_prefix(name, qn_span_str("._")) ||
           qn_span_has_prefix(name, qn_span_str("~$")) || qn_span_eq_str(name, ".DS_Store") ||
           qn_dav_word_eq(name, "Thumbs.db") || qn_dav_word_eq(name, "desktop.ini");
}

bool qn_dav_name_is_virtual(struct qn_span name)
{
    return qn_span_eq_str(name, ".metadata_never_index") ||
           qn_span_eq_str(name, ".ql_disablethumbnails");
}

/* What stands before the first dot decides. */
static bool is_device(struct qn_span name)
{
    static const char *const devices[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
    const uint8_t *dot = name.size ? memchr(name.data, '.', name.size) : NULL;
    struct qn_span stem = qn_span(name.data, dot ? (size_t)(dot - name.data) : name.size);
    while (stem.size > 0 && stem.data[stem.size - 1] == ' ')
        stem.size--;
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
        if (qn_dav_word_eq(stem, devices[i]))
            return true;
    struct qn_span port = qn_span(stem.data, stem.size < 3 ? stem.size : 3);
    return stem.size == 4 && stem.data[3] >= '1' && stem.data[3] <= '9' &&
           (qn_dav_word_eq(port, "COM") || qn_dav_word_eq(port, "LPT"));
}

enum qn_dav_name_fault qn_dav_name_fault(struct qn_span name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < 0x20 || strchr("<>:\"\\|?*", name.data[i]))
            return QN_DAV_NAME_CHARACTER;
    if (name.size > 0 && (name.data[name.size - 1] == '.' || name.data[name.size - 1] == ' '))
        return QN_DAV_NAME_ENDING;
    return is_device(name) ? QN_DAV_NAME_DEVICE : QN_DAV_NAME_FINE;
}

/* The code point of a letter in lower case. Letters of
 * two bytes are enough for Latin, Greek and Cyrillic; others are compared as they are. */
static uint32_t fold_two(uint8_t first, uint8_t second)
{
    uint32_t c = (uint32_t)(first & 0x1f) << 6 | (second & 0x3f);
    bool is_latin_1 = c >= 0xc0 && c <= 0xde && c != 0xd7;
    bool is_greek = c >= 0x391 && c <= 0x3a9;
    bool is_cyrillic = c >= 0x410 && c <= 0x42f;
    bool has_pair_even = (c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177);
    bool has_pair_odd = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e);
    if (is_latin_1 || is_greek || is_cyrillic)
        return c + 0x20;
    if (c >= 0x400 && c <= 0x40f)
        return c + 0x50;
    if (c == 0x178)
        return 0xff;
    if (has_pair_even)
        return c | 1;
    return has_pair_odd ? ((c + 1) & ~1u) : c;
}

static uint32_t fold(struct qn_span text, size_t *ret_size)
{
    uint8_t c = text.data[0];
    *ret_size = 1;
    if (c >= 'A' && c <= 'Z')
        return c + 32u;
    if ((c & 0xe0) != 0xc0 || text.size < 2)
        return c;
    *ret_size = 2;
    return 0x10000 | fold_two(c, text.data[1]); /* never a single byte */
}

bool qn_dav_names_collide(struct qn_span a, struct qn_span b)
{
    if (qn_span_eq(a, b))
        return false;
    while (a.size > 0 && b.size > 0) {
        size_t a_size, b_size;
        if (fold(a, &a_size) != fold(b, &b_size))
            return false;
        a = qn_span_from(a, a_size);
        b = qn_span_from(b, b_size);
    }
    return a.size == 0 && b.size == 0;
}
