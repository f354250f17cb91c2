#include "dav/win32.h"

#include "base/text.h"
#include "dav/field.h"
#include "dav/name.h"

#define SHOWN 0x07 /* read-only, hidden, system */

int64_t qn_dav_win32_created_ns(const struct qn_dav_dead *dead, int64_t known_ns)
{
    const struct qn_dav_dead_property *property =
        dead == NULL
            ? NULL
            : qn_dav_dead_find(dead, qn_span_str(QN_DAV_WIN32), qn_span_str("Win32CreationTime"));
    int64_t created_ns;
    if (property == NULL || qn_dav_date_read(property->value, &created_ns) != QN_OK)
        return known_ns;
    return created_ns;
}

/* Eight hexadecimal digits. What is none is shown: whoever wrote it may know why. */
static bool are_shown(struct qn_span attributes)
{
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, 4);
    return qn_text_parse_hex(qn_dav_trim(attributes), &bytes) != QN_OK || bytes.size != 4 ||
           (bytes.data[3] & SHOWN) != 0;
}

bool qn_dav_win32_is_in_all(const struct qn_dav_dead_property *property)
{
    int64_t created_ns;
    if (!qn_span_eq_str(property->ns, QN_DAV_WIN32))
        return true;
    if (qn_span_eq_str(property->name, "Win32CreationTime"))
        return qn_dav_date_read(property->value, &created_ns) != QN_OK;
    if (qn_span_eq_str(property->name, "Win32FileAttributes"))
        return are_shown(property->value);
    return !qn_span_eq_str(property->name, "Win32LastAccessTime");
}
