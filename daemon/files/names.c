#include "files/names.h"

#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <utf8proc.h>

#include "base/text.h"

#define OWN_PREFIX ".quoin-"

bool qn_name_is_ascii(struct qn_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= 0x80)
            return false;
    return true;
}

static enum qn_err map(struct qn_span text, utf8proc_option_t options, struct qn_buf *out)
{
    utf8proc_uint8_t *mapped = NULL;
    if (!qn_text_is_utf8(text))
        return QN_ERR_INVALID;
    utf8proc_ssize_t size = utf8proc_map(text.data, (utf8proc_ssize_t)text.size, &mapped, options);
    if (size < 0)
        return QN_ERR_INVALID;
    qn_buf_append(out, mapped, (size_t)size);
    free(mapped);
    return qn_buf_status(out);
}

enum qn_err qn_name_compose(struct qn_span text, struct qn_buf *out)
{
    if (!qn_name_is_ascii(text))
        return map(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE, out);
    qn_buf_append_span(out, text);
    return qn_buf_status(out);
}

enum qn_err qn_name_fold(struct qn_span text, struct qn_buf *out)
{
    return map(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD, out);
}

bool qn_name_is_shown(struct qn_span name)
{
    return qn_text_is_printable(name) && !qn_span_has_prefix(name, qn_span_str(OWN_PREFIX));
}

static bool is_word(struct qn_span text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

/* What stands before the first dot decides. */
static bool is_device(struct qn_span name)
{
    static const char *const devices[] = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"};
    const uint8_t *dot = memchr(name.data, '.', name.size);
    struct qn_span stem = qn_span(name.data, dot ? (size_t)(dot - name.data) : name.size);
    while (stem.size > 0 && stem.data[stem.size - 1] == ' ')
        stem.size--;
    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
        if (is_word(stem, devices[i]))
            return true;
    struct qn_span port = qn_span(stem.data, stem.size < 3 ? stem.size : 3);
    return stem.size == 4 && stem.data[3] >= '1' && stem.data[3] <= '9' &&
           (is_word(port, "COM") || is_word(port, "LPT"));
}

enum qn_name_fault qn_name_fault(struct qn_span name)
{
    if (name.size == 0)
        return QN_NAME_FINE;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < 0x20 || strchr("<>:\"\\|?*", name.data[i]))
            return QN_NAME_CHARACTER;
    uint8_t last = name.data[name.size - 1];
    if (last == '.' || last == ' ')
        return QN_NAME_ENDING;
    return is_device(name) ? QN_NAME_DEVICE : QN_NAME_FINE;
}

static bool is_name(struct qn_span name)
{
    return name.size > 0 && name.size <= NAME_MAX && !qn_span_eq_str(name, ".") &&
           !qn_span_eq_str(name, "..") && memchr(name.data, '\0', name.size) == NULL &&
           !qn_span_has_prefix(name, qn_span_str(OWN_PREFIX));
}

bool qn_name_is_path(struct qn_span path)
{
    if (path.size == 0)
        return true;
    if (path.size >= PATH_MAX)
        return false;
    for (;;) {
        const uint8_t *slash = memchr(path.data, '/', path.size);
        size_t size = slash == NULL ? path.size : (size_t)(slash - path.data);
        if (!is_name(qn_span(path.data, size)))
            return false;
        if (slash == NULL)
            return true;
        path = qn_span(path.data + size + 1, path.size - size - 1);
    }
}

void qn_name_split(struct qn_span path, struct qn_span *ret_parent, struct qn_span *ret_last)
{
    size_t at = path.size;
    while (at > 0 && path.data[at - 1] != '/')
        at--;
    *ret_parent = qn_span(path.data, at > 0 ? at - 1 : 0);
    *ret_last = qn_span(path.data + at, path.size - at);
}

bool qn_name_is_within(struct qn_span path, struct qn_span above)
{
    if (above.size == 0)
        return true;
    return qn_span_has_prefix(path, above) &&
           (path.size == above.size || path.data[above.size] == '/');
}
