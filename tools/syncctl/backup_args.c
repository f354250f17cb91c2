#include "backup_args.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "i18n.h"
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

/* ---- sizes and times that people write ---- */

#define SIZE_BITS_MAX 60
#define DAYS_MAX      3652425

/* K, M, G, T or P, then perhaps i, then perhaps B, or o as the French write it. */
static bool parse_unit(const char *text, unsigned *ret_bits)
{
    static const char letters[] = "KMGTP";
    *ret_bits = 0;
    while (*text == ' ')
        text++;
    const char *letter = *text == '\0' ? NULL : strchr(letters, toupper((unsigned char)*text));
    if (letter != NULL) {
        *ret_bits = 10 * (unsigned)(letter - letters + 1);
        text++;
        text += *text == 'i';
    }
    text += *text == 'B' || *text == 'b' || *text == 'o';
    return *text == '\0';
}

bool ctl_parse_size(const char *text, uint64_t *ret_bytes)
{
    unsigned bits;
    uint64_t whole = 0, tenths = 0, unit = 1;
    const char *at = text;
    for (; isdigit((unsigned char)*at) && whole < UINT32_MAX * 1024ull; at++)
        whole = whole * 10 + (uint64_t)(*at - '0');
    if (at == text)
        return false;
    if ((*at == '.' || *at == ',') && isdigit((unsigned char)at[1]))
        for (at++; isdigit((unsigned char)*at) && unit < 1000; at++, unit *= 10)
            tenths = tenths * 10 + (uint64_t)(*at - '0');
    if (!parse_unit(at, &bits) || whole >> (SIZE_BITS_MAX - bits) != 0)
        return false;
    *ret_bytes = (whole << bits) + (tenths << bits) / unit;
    return true;
}

bool ctl_parse_days(const char *text, uint64_t *ret_days)
{
    static const struct {
        const char *unit;
        uint64_t days;
    } units[] = {{"", 1}, {"d", 1}, {"j", 1}, {"w", 7}, {"m", 30}, {"y", 365}};
    uint64_t count = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at) && count <= DAYS_MAX; at++)
        count = count * 10 + (uint64_t)(*at - '0');
    for (size_t i = 0; at > text && i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(at, units[i].unit) != 0)
            continue;
        *ret_days = count * units[i].days;
        return *ret_days <= DAYS_MAX;
    }
    return false;
}

/* ---- cells ---- */

void ctl_add_size(struct ctl_grid *grid, struct qn_span map, const char *key)
{
    QN_AUTO_BUF struct qn_buf text;
    struct qn_span value;
    qn_buf_init(&text, 64);
    if (ctl_map_find(map, key, &value))
        ctl_append_size(&text, ctl_u64_of(value));
    else
        qn_buf_append_str(&text, "-");
    ctl_grid_add(grid, qn_buf_view(&text));
}

static void append_copy(struct qn_buf *out, struct qn_span copy)
{
    ctl_append_text(out, ctl_map_text(copy, "site"));
    if (ctl_map_bool(copy, "complete"))
        return;
    qn_buf_append_str(out, " (");
    uint64_t missing = ctl_map_u64(copy, "missing_bytes");
    if (missing > 0) {
        ctl_append_size(out, missing);
        qn_buf_append_str(out, " ");
    }
    qn_buf_append_str(out, _("missing"));
    qn_buf_append_str(out, ")");
}

void ctl_add_copies(struct ctl_grid *grid, struct qn_span map)
{
    QN_AUTO_BUF struct qn_buf text;
    struct qn_span list;
    struct ctl_walk walk = {0};
    qn_buf_init(&text, 64 * 1024);
    if (ctl_map_find(map, "copies", &list))
        walk = ctl_walk(list);
    while (ctl_walk_next(&walk)) {
        qn_buf_append_str(&text, text.size > 0 ? ", " : "");
        append_copy(&text, walk.value);
    }
    ctl_grid_add(grid, text.size > 0 ? qn_buf_view(&text) : qn_span_str("-"));
}
