#include "backup_args.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "proto/pack.h"

/* Local time, as it stands on the wall of the person that asks. */
static bool parse_local_time(const char *text, uint64_t *ret_ms)
{
    static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S",
                                        "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm parts = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &parts);
        if (end == NULL || *end != '\0')
            continue;
        if (i == 4) { /* a day means its end */
            parts.tm_hour = 23;
            parts.tm_min = parts.tm_sec = 59;
        }
        time_t seconds = mktime(&parts);
        *ret_ms = (uint64_t)seconds * 1000 + 999;
        return seconds > 0;
    }
    return false;
}

bool ctl_split_snapshot(const char *text, char *name, size_t name_size, char *snapshot,
                        size_t snapshot_size)
{
    const char *at = strchr(text, '@');
    uint64_t time_ms;
    snapshot[0] = '\0';
    snprintf(name, name_size, "%.*s", at == NULL ? (int)strlen(text) : (int)(at - text), text);
    if (at == NULL)
        return true;
    if (strchr(at + 1, '-') == NULL) {
        snprintf(snapshot, snapshot_size, "%s", at + 1);
        return at[1] != '\0';
    }
    if (!parse_local_time(at + 1, &time_ms))
        return false;
    snprintf(snapshot, snapshot_size, "@%" PRIu64, time_ms);
    return true;
}

void ctl_pack_values(const struct ctl *ctl, const char *option, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf items;
    qn_buf_init(&items, QN_CONTROL_FRAME_SIZE_MAX);
    size_t count = 0;
    for (size_t i = 0; i < ctl->given.count; i++) {
        const struct ctl_given *given = &ctl->given.items[i];
        if (strcmp(given->option->name, option) != 0)
            continue;
        qn_pack_cstr(&items, given->value);
        count++;
    }
    qn_pack_array(out, count);
    qn_pack_raw(out, qn_buf_view(&items));
}

void ctl_append_size(struct qn_buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    qn_buf_printf(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}
