/* Reading a kit. People copy it by hand, so the reader forgives what cannot change the meaning, the
 * checksum finds the rest, and who mistyped is told where. */
#include "base/text.h"
#include "model/kit_impl.h"
#include "model/secret_buf.h"

#define KIT_SIZE_MAX (16 * 1024)

#define LINE_COUNT   8

struct reading {
    struct qn_kit kit;
    uint8_t checksum[QN_KIT_CHECKSUM_SIZE];
    size_t places[LINE_COUNT]; /* in which line of the text each key stands, from 1; 0: nowhere */
    struct qn_kit_fault fault;
};

static enum qn_err read_base32(struct qn_span value, uint8_t *out, size_t size)
{
    QN_AUTO_SECRET_BUF struct qn_buf bytes;
    qn_secret_buf_init(&bytes, size);
    if (qn_text_parse_base32(value, &bytes) != QN_OK || bytes.size != size)
        return QN_ERR_INVALID;
    memcpy(out, bytes.data, size);
    return QN_OK;
}

static enum qn_err read_name(struct qn_span value, char out[QN_NAME_SIZE_MAX + 1])
{
    if (value.size > QN_NAME_SIZE_MAX || !qn_text_is_printable(value))
        return QN_ERR_INVALID;
    if (value.size > 0)
        memcpy(out, value.data, value.size);
    out[value.size] = 0;
    return QN_OK;
}

static enum qn_err read_version(struct reading *reading, struct qn_span value)
{
    return qn_span_eq_str(value, "1") ? QN_OK : QN_ERR_UNSUPPORTED;
}

static enum qn_err read_site(struct reading *reading, struct qn_span value)
{
    return qn_text_is_name(value) ? read_name(value, reading->kit.site_name) : QN_ERR_INVALID;
}

static enum qn_err read_group(struct reading *reading, struct qn_span value)
{
    return read_name(value, reading->kit.group_name);
}

static enum qn_err read_identity(struct reading *reading, struct qn_span value)
{
    return read_base32(value, reading->kit.site.bytes, sizeof(reading->kit.site.bytes));
}

static enum qn_err read_group_id(struct reading *reading, struct qn_span value)
{
    if (value.size == 0)
        return QN_OK; /* not known yet: zero */
    return read_base32(value, reading->kit.group_prefix, sizeof(reading->kit.group_prefix));
}

static enum qn_err read_made(struct reading *reading, struct qn_span value)
{
    uint64_t seconds;
    QN_TRY(qn_kit_parse_time(value, &seconds));
    reading->kit.made_ms = seconds * 1000;
    return QN_OK;
}

static enum qn_err read_key(struct reading *reading, struct qn_span value)
{
    return read_base32(value, reading->kit.seed, sizeof(reading->kit.seed));
}

static enum qn_err read_checksum(struct reading *reading, struct qn_span value)
{
    return read_base32(value, reading->checksum, sizeof(reading->checksum));
}

static const struct line {
    const char *key;
    enum qn_err (*read)(struct reading *reading, struct qn_span value);
    bool is_letters; /* base32: may go on in the next lines */
} lines[LINE_COUNT] = {
    {"quoin recovery kit", read_version, false},
    {"site", read_site, false},
    {"group", read_group, false},
    {"identity", read_identity, true},
    {"group-id", read_group_id, true},
    {"made", read_made, false},
    {"key", read_key, true},
    {"checksum", read_checksum, true},
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct qn_span trim(struct qn_span text)
{
    while (text.size > 0 && is_blank(text.data[0]))
        text = qn_span(text.data + 1, text.size - 1);
    while (text.size > 0 && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

static bool equals_folded(struct qn_span text, const char *lower)
{
    if (text.size != strlen(lower))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if ((c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c) != (uint8_t)lower[i])
            return false;
    }
    return true;
}

/* ---- lines ---- */

/* The text up to the end of a line, and what follows it. */
static struct qn_span take_line(struct qn_span *text)
{
    const uint8_t *end = memchr(text->data, '\n', text->size);
    size_t size = end == NULL ? text->size : (size_t)(end - text->data);
    struct qn_span line = qn_span(text->data, size);
    *text = qn_span_from(*text, size + 1);
    return line;
}

/* Letters that were broken over lines: all up to what is a line of its own. */
static struct qn_span take_more(struct qn_span value, struct qn_span *text, size_t *number)
{
    struct qn_span rest = *text;
    for (size_t ahead = 1; rest.size > 0; ahead++) {
        struct qn_span line = trim(take_line(&rest));
        if (line.size > 0 && (line.data[0] == '#' || memchr(line.data, ':', line.size) != NULL))
            break;
        if (line.size == 0)
            continue;
        if (value.size == 0) /* they all stand in the lines that follow */
            value.data = line.data;
        value.size = (size_t)(line.data + line.size - value.data);
        *text = rest;
        *number += ahead;
        ahead = 0;
    }
    return value;
}

static const struct line *find_line(struct qn_span key)
{
    for (size_t i = 0; i < LINE_COUNT; i++)
        if (equals_folded(key, lines[i].key))
            return &lines[i];
    return NULL;
}

/* A key that is not known is passed over. */
static enum qn_err read_line(struct reading *reading, struct qn_span line, struct qn_span *text,
                             size_t *number)
{
    line = trim(line);
    if (line.size == 0 || line.data[0] == '#')
        return QN_OK;
    reading->fault = (struct qn_kit_fault){.line = *number};
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (colon == NULL)
        return QN_ERR_INVALID;
    size_t key_size = (size_t)(colon - line.data);
    const struct line *known = find_line(trim(qn_span(line.data, key_size)));
    struct qn_span value = trim(qn_span_from(line, key_size + 1));
    if (known == NULL)
        return QN_OK;
    reading->fault.key = known->key;
    if (reading->places[known - lines] != 0)
        return QN_ERR_INVALID;
    reading->places[known - lines] = *number;
    if (known->is_letters)
        value = take_more(value, text, number);
    return known->read(reading, trim(value));
}

static enum qn_err read_lines(struct reading *reading, struct qn_span text)
{
    for (size_t number = 1; text.size > 0; number++) {
        struct qn_span line = take_line(&text);
        QN_TRY(read_line(reading, line, &text, &number));
    }
    for (size_t i = 0; i < LINE_COUNT; i++) {
        reading->fault = (struct qn_kit_fault){.key = lines[i].key};
        if (reading->places[i] == 0)
            return QN_ERR_NOTFOUND;
    }
    reading->fault = (struct qn_kit_fault){0};
    return QN_OK;
}

static bool is_right(const struct reading *reading)
{
    uint8_t sum[QN_KIT_CHECKSUM_SIZE];
    qn_kit_checksum(&reading->kit, sum);
    return memcmp(sum, reading->checksum, sizeof(sum)) == 0;
}

/* ---- which letter is wrong ---- */

/* Five bits from the highest on, as base32 has them. */
static void change_letter(uint8_t *bytes, size_t size, size_t letter, unsigned by)
{
    for (size_t bit = 0; bit < 5; bit++) {
        size_t at = letter * 5 + bit;
        if ((by >> (4 - bit) & 1) != 0 && at < size * 8)
            bytes[at / 8] ^= (uint8_t)(0x80u >> (at % 8));
    }
}

static bool find_in(struct reading *reading, size_t line, uint8_t *bytes, size_t size)
{
    for (size_t letter = 0; letter < (size * 8 + 4) / 5; letter++)
        for (unsigned by = 1; by < 32; by++) {
            change_letter(bytes, size, letter, by);
            bool is_found = is_right(reading);
            change_letter(bytes, size, letter, by);
            if (!is_found)
                continue;
            reading->fault = (struct qn_kit_fault){
                .line = reading->places[line], .key = lines[line].key, .letter = letter + 1};
            return true;
        }
    return false;
}

/* One mistyped letter is found by trying: of 4,000 changes one fits the checksum, and a wrong one
 * does so once in 2^28. More than one, or a wrong name or date: it stands in no line. */
static void find_letter(struct reading *reading)
{
    struct qn_kit *kit = &reading->kit;
    reading->fault = (struct qn_kit_fault){0};
    if (find_in(reading, 6, kit->seed, sizeof(kit->seed)) ||
        find_in(reading, 3, kit->site.bytes, sizeof(kit->site.bytes)) ||
        find_in(reading, 4, kit->group_prefix, sizeof(kit->group_prefix)))
        return;
    find_in(reading, 7, reading->checksum, sizeof(reading->checksum));
}

static enum qn_err read_kit(struct qn_span text, struct reading *reading)
{
    static const char mark[] = "\xef\xbb\xbf"; /* editors put it before UTF-8 */
    if (text.size > KIT_SIZE_MAX)
        return QN_ERR_LIMIT;
    if (qn_span_has_prefix(text, qn_span_str(mark)))
        text = qn_span_from(text, strlen(mark));
    enum qn_err err = read_lines(reading, text);
    if (err != QN_OK)
        return err == QN_ERR_UNSUPPORTED ? err : QN_ERR_INVALID;
    return is_right(reading) ? QN_OK : QN_ERR_INVALID;
}

enum qn_err qn_kit_parse(struct qn_span text, struct qn_kit *ret_kit)
{
    struct reading reading = {0};
    enum qn_err err = read_kit(text, &reading);
    if (err == QN_OK)
        *ret_kit = reading.kit;
    qn_wipe(&reading, sizeof(reading));
    return err;
}

void qn_kit_find_fault(struct qn_span text, struct qn_kit_fault *ret_fault)
{
    struct reading reading = {0};
    enum qn_err err = read_kit(text, &reading);
    if (err == QN_ERR_INVALID && reading.fault.line == 0 && reading.fault.key == NULL)
        find_letter(&reading);
    *ret_fault = reading.fault;
    qn_wipe(&reading, sizeof(reading));
}
