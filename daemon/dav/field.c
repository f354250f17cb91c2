#include "dav/field.h"

#include <strings.h>

#include "base/text.h"
#include "http/condition.h"
#include "http/target.h"

#define SECONDS_MAX (INT64_MAX / 1000000000 - 1) /* whose nanoseconds fit */

bool qn_dav_word_eq(struct qn_span text, const char *word)
{
    return text.size == strlen(word) &&
           (text.size == 0 || strncasecmp((const char *)text.data, word, text.size) == 0);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct qn_span qn_dav_trim(struct qn_span text)
{
    while (text.size > 0 && is_space(text.data[0]))
        text = qn_span(text.data + 1, text.size - 1);
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

enum qn_err qn_dav_depth_read(struct qn_span field, enum qn_dav_depth *ret_depth)
{
    struct qn_span text = qn_dav_trim(field);
    if (qn_span_eq_str(text, "0"))
        *ret_depth = QN_DAV_DEPTH_0;
    else if (qn_span_eq_str(text, "1"))
        *ret_depth = QN_DAV_DEPTH_1;
    else if (qn_dav_word_eq(text, "infinity"))
        *ret_depth = QN_DAV_DEPTH_INFINITY;
    else
        return QN_ERR_INVALID;
    return QN_OK;
}

enum qn_err qn_dav_overwrite_read(struct qn_span field, bool *ret_overwrites)
{
    struct qn_span text = qn_dav_trim(field);
    if (qn_dav_word_eq(text, "T"))
        *ret_overwrites = true;
    else if (qn_dav_word_eq(text, "F"))
        *ret_overwrites = false;
    else
        return QN_ERR_INVALID;
    return QN_OK;
}

/* Digits only, at most `max`: what is above is `max`. */
static bool read_digits(struct qn_span text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (text.size == 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
        if (value > max)
            value = max;
    }
    *ret_value = value;
    return true;
}

static bool timeout_element(struct qn_span element, unsigned *ret_seconds)
{
    static const char second[] = "second-";
    size_t prefix = sizeof(second) - 1;
    uint64_t value = QN_DAV_TIMEOUT_MAX_S;
    if (!qn_dav_word_eq(element, "infinite")) {
        if (element.size <= prefix || !qn_dav_word_eq(qn_span(element.data, prefix), second) ||
            !read_digits(qn_span_from(element, prefix), QN_DAV_TIMEOUT_MAX_S, &value))
            return false;
    }
    *ret_seconds = value < QN_DAV_TIMEOUT_MIN_S ? QN_DAV_TIMEOUT_MIN_S : (unsigned)value;
    return true;
}

unsigned qn_dav_timeout_read(struct qn_span field)
{
    unsigned seconds = QN_DAV_TIMEOUT_MAX_S;
    while (field.size > 0) {
        const uint8_t *comma = memchr(field.data, ',', field.size);
        size_t size = comma ? (size_t)(comma - field.data) : field.size;
        if (timeout_element(qn_dav_trim(qn_span(field.data, size)), &seconds))
            break;
        field = qn_span_from(field, size + 1);
    }
    return seconds;
}

enum qn_err qn_dav_lock_token_read(struct qn_span field, struct qn_span *ret_token)
{
    struct qn_span text = qn_dav_trim(field);
    if (text.size < 3 || text.data[0] != '<' || text.data[text.size - 1] != '>')
        return QN_ERR_INVALID;
    *ret_token = qn_span(text.data + 1, text.size - 2);
    return QN_OK;
}

/* Without the port; an address in brackets keeps them. */
static struct qn_span host_name(struct qn_span authority)
{
    const uint8_t *at = authority.size ? memrchr(authority.data, '@', authority.size) : NULL;
    if (at)
        authority = qn_span_from(authority, (size_t)(at - authority.data) + 1);
    const uint8_t *colon = authority.size ? memrchr(authority.data, ':', authority.size) : NULL;
    const uint8_t *bracket = authority.size ? memrchr(authority.data, ']', authority.size) : NULL;
    if (colon && (!bracket || colon > bracket))
        authority.size = (size_t)(colon - authority.data);
    return authority;
}

static bool is_same_host(struct qn_span authority, struct qn_span host)
{
    struct qn_span a = host_name(authority), b = host_name(host);
    return a.size == b.size && a.size > 0 &&
           strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0;
}

enum qn_err qn_dav_destination_read(struct qn_span field, struct qn_span host, struct qn_buf *out,
                                    bool *ret_has_slash)
{
    struct qn_http_target target;
    QN_TRY(qn_http_target_split(qn_dav_trim(field), &target));
    if (target.query.size > 0)
        return QN_ERR_INVALID;
    if (target.authority.size > 0 && !is_same_host(target.authority, host))
        return QN_ERR_DENIED;
    return qn_http_path_decode(target.path, out, ret_has_slash);
}

/* Up to nine digits of a fraction, as nanoseconds. */
static bool read_fraction(struct qn_span digits, int64_t *ret_ns)
{
    uint64_t value = 0;
    struct qn_span kept = qn_span(digits.data, digits.size < 9 ? digits.size : 9);
    uint64_t rest;
    if (!read_digits(kept, UINT32_MAX, &value) ||
        (digits.size > 9 && !read_digits(qn_span_from(digits, 9), 1, &rest)))
        return false;
    for (size_t i = kept.size; i < 9; i++)
        value *= 10;
    *ret_ns = (int64_t)value;
    return true;
}

enum qn_err qn_dav_mtime_read(struct qn_span field, int64_t *ret_modified_ns)
{
    const uint64_t seconds_max = 253402300799; /* the end of the year 9999; its ns would not fit */
    struct qn_span text = qn_dav_trim(field);
    bool is_negative = text.size > 0 && text.data[0] == '-';
    if (is_negative)
        text = qn_span_from(text, 1);
    const uint8_t *dot = text.size ? memchr(text.data, '.', text.size) : NULL;
    uint64_t seconds;
    int64_t fraction = 0;
    if (dot && !read_fraction(qn_span_from(text, (size_t)(dot - text.data) + 1), &fraction))
        return QN_ERR_INVALID;
    if (!read_digits(qn_span(text.data, dot ? (size_t)(dot - text.data) : text.size), seconds_max,
                     &seconds) ||
        seconds > SECONDS_MAX)
        return QN_ERR_INVALID;
    int64_t ns = (int64_t)seconds * 1000000000 + fraction;
    *ret_modified_ns = is_negative ? -ns : ns;
    return QN_OK;
}

enum qn_err qn_dav_date_read(struct qn_span field, int64_t *ret_ns)
{
    int64_t seconds;
    QN_TRY(qn_http_date_read(qn_dav_trim(field), &seconds));
    if (seconds > SECONDS_MAX)
        seconds = SECONDS_MAX;
    if (seconds < -SECONDS_MAX)
        seconds = -SECONDS_MAX;
    *ret_ns = seconds * 1000000000;
    return QN_OK;
}

size_t qn_dav_digest_size(enum qn_dav_digest kind)
{
    switch (kind) {
    case QN_DAV_MD5:
        return 16;
    case QN_DAV_SHA1:
        return 20;
    case QN_DAV_SHA256:
        return 32;
    case QN_DAV_DIGEST_COUNT:
        break;
    }
    return 0;
}

static bool digest_kind(struct qn_span name, enum qn_dav_digest *ret_kind)
{
    static const struct {
        const char *name;
        enum qn_dav_digest kind;
    } known[] = {{"MD5", QN_DAV_MD5}, {"SHA1", QN_DAV_SHA1}, {"SHA256", QN_DAV_SHA256}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (qn_dav_word_eq(name, known[i].name)) {
            *ret_kind = known[i].kind;
            return true;
        }
    return false;
}

enum qn_err qn_dav_checksum_read(struct qn_span field, enum qn_dav_digest *ret_kind,
                                 uint8_t ret_digest[QN_DAV_DIGEST_SIZE_MAX])
{
    struct qn_span text = qn_dav_trim(field);
    const uint8_t *colon = text.size ? memchr(text.data, ':', text.size) : NULL;
    enum qn_dav_digest kind;
    if (!colon)
        return QN_ERR_INVALID;
    size_t name_size = (size_t)(colon - text.data);
    if (!digest_kind(qn_span(text.data, name_size), &kind))
        return QN_ERR_UNSUPPORTED;
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, QN_DAV_DIGEST_SIZE_MAX);
    if (qn_text_parse_hex(qn_span_from(text, name_size + 1), &bytes) != QN_OK ||
        bytes.size != qn_dav_digest_size(kind))
        return QN_ERR_INVALID;
    memcpy(ret_digest, bytes.data, bytes.size);
    *ret_kind = kind;
    return QN_OK;
}
