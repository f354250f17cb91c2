#include "record_text.h"

#include "answer.h"
#include "base/limits.h"
#include "i18n.h"

static void put_value(FILE *out, struct qn_span packed)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, QN_CONTROL_FRAME_SIZE_MAX * 8);
    ctl_append_value(&text, packed);
    ctl_put_raw(out, qn_buf_view(&text));
}

static void put_source(FILE *out, struct qn_span map)
{
    QN_AUTO_BUF struct qn_buf time;
    qn_buf_init(&time, 64);
    uint64_t time_ms;
    if (ctl_map_time(map, "time", &time_ms))
        ctl_append_time(&time, time_ms);
    ctl_put_text(out, ctl_map_text(map, "site"));
    fputs(", ", out);
    ctl_put_raw(out, qn_buf_view(&time));
}

void ctl_print_conflicts(FILE *out, struct qn_span conflicts)
{
    struct ctl_walk fields = ctl_walk(conflicts);
    while (ctl_walk_next(&fields)) {
        ctl_put_text(out, fields.key);
        fputs(":\n", out);
        struct ctl_walk values = ctl_walk(fields.value);
        while (ctl_walk_next(&values)) {
            struct qn_span value;
            fputs("  ", out);
            if (ctl_map_find(values.value, "value", &value))
                put_value(out, value);
            fputs("  (", out);
            put_source(out, values.value);
            fputs(")\n", out);
        }
    }
}

void ctl_print_record(FILE *out, struct qn_span record)
{
    struct qn_span fields, updated, conflicts;
    struct ctl_walk walk = {0};
    if (ctl_map_find(record, "fields", &fields))
        walk = ctl_walk(fields);
    while (ctl_walk_next(&walk)) {
        ctl_put_text(out, walk.key);
        fputs(": ", out);
        put_value(out, walk.value);
        fputc('\n', out);
    }
    if (ctl_map_find(record, "updated", &updated)) {
        fprintf(out, "# %s ", _("last change:"));
        put_source(out, updated);
        fputc('\n', out);
    }
    if (ctl_map_find(record, "conflicts", &conflicts)) {
        fprintf(out, "# %s\n", _("concurrent values; choose with `syncctl conflict resolve`:"));
        ctl_print_conflicts(out, conflicts);
    }
}
