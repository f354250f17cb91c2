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
