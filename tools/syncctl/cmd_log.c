/* syncctl log: the audit trail */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "base/limits.h"
#include "commands.h"
#include "i18n.h"
#include "log_file.h"
#include "log_proof.h"

#define FOLLOW_S 1

/* ---- since when ---- */

/* "30m", "24h", "7d" before now. */
static bool parse_ago(const char *text, uint64_t *ret_ms)
{
    static const char letters[] = "smhd";
    static const uint64_t ms[] = {1000, 60 * 1000, 3600 * 1000, 24 * 3600 * 1000};
    char *unit;
    if (text[0] < '0' || text[0] > '9')
        return false;
    unsigned long long number = strtoull(text, &unit, 10);
    const char *letter = *unit != '\0' ? strchr(letters, *unit) : NULL;
    if (letter == NULL || unit[1] != '\0' || number > 100000)
        return false;
    uint64_t now = ctl_now_ms(), ago = number * ms[letter - letters];
    *ret_ms = now > ago ? now - ago : 0;
    return true;
}

/* Local time, or UTC with a Z at its end. */
static bool parse_date(const char *text, uint64_t *ret_ms)
{
    static const char *const forms[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M",
                                        "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm parts = {.tm_isdst = -1};
        const char *end = strptime(text, forms[i], &parts);
        if (end != NULL && *end == '.') /* thousandths, as they are shown */
            end += 1 + strspn(end + 1, "0123456789");
        if (end == NULL || (strcmp(end, "Z") != 0 && *end != '\0'))
            continue;
        time_t seconds = *end == 'Z' ? timegm(&parts) : mktime(&parts);
        *ret_ms = (uint64_t)seconds * 1000;
        return seconds > 0;
    }
    return false;
}

/* ---- showing ---- */

struct showing {
    struct ctl *ctl;
    struct ctl_json_list list;
    uint64_t last_seq;
};

static void put_member(FILE *out, struct qn_span entry, const char *key, char end)
{
    struct qn_span text = ctl_map_text(entry, key);
    ctl_put_text(out, text.size > 0 ? text : qn_span_str("-"));
    fputc(end, out);
}

/* One entry a line; columns of fixed size would cut paths. */
static void print_entry(const struct ctl *ctl, struct qn_span entry)
{
    QN_AUTO_BUF struct qn_buf time;
    qn_buf_init(&time, 64);
    ctl_append_time(&time, ctl_map_u64(entry, "time"));
    ctl_put_raw(ctl->out, qn_buf_view(&time));
    fputc('\t', ctl->out);
    put_member(ctl->out, entry, "actor", '\t');
    put_member(ctl->out, entry, "device", '\t');
    put_member(ctl->out, entry, "address", '\t');
    put_member(ctl->out, entry, "action", '\t');
    put_member(ctl->out, entry, "result", '\t');
    put_member(ctl->out, entry, "object", '\n');
}

static int show_entries(void *context, struct qn_span entries)
{
    struct showing *showing = context;
    struct ctl_walk walk = ctl_walk(entries);
    while (ctl_walk_next(&walk)) {
        showing->last_seq = ctl_map_u64(walk.value, "seq");
        if (!showing->ctl->is_json) {
            print_entry(showing->ctl, walk.value);
            continue;
        }
        ctl_json_list_next(&showing->list);
        ctl_json_object(showing->ctl->out, walk.value, ctl_audit_shape);
    }
    return CTL_DONE;
}

static int read_entries(struct showing *showing, uint64_t since_ms)
{
    struct ctl *ctl = showing->ctl;
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 3);
    ctl_arg_u64(&args, "after", showing->last_seq);
    ctl_arg_u64(&args, "since", since_ms);
    ctl_arg_str(&args, "user", ctl_value(ctl, "user"));
    return ctl_call(ctl, "audit.read", &args,
                    &(struct ctl_sink){.on_data = show_entries, .context = showing});
}

static int show(struct ctl *ctl, uint64_t since_ms)
{
    struct showing showing = {.ctl = ctl, .list.out = ctl->out};
    int code = read_entries(&showing, since_ms);
    while (code == CTL_DONE && ctl_has(ctl, "f")) {
        fflush(ctl->out);
        sleep(FOLLOW_S);
        code = read_entries(&showing, since_ms);
    }
    if (ctl->is_json && code == CTL_DONE)
        ctl_json_list_end(&showing.list);
    return code;
}

/* `file` NULL: none was named. */
static int run_word(struct ctl *ctl, const char *word, const char *file)
{
    if (strcmp(word, "verify") == 0)
        return file == NULL ? ctl_verify_trail(ctl) : ctl_verify_trail_file(ctl, file);
    if (strcmp(word, "export") == 0 && file == NULL)
        return ctl_export_trail(ctl);
    if (strcmp(word, "show") == 0 && file != NULL)
        return ctl_show_trail(ctl, file);
    return ctl_usage_error(
        ctl, _("write `log`, `log verify`, `log export`, `log verify FILE` or `log show FILE`"));
}

int ctl_run_log(struct ctl *ctl)
{
    const char *since = ctl_value(ctl, "since");
    uint64_t since_ms = 0;
    if (ctl->arguments.count > 0)
        return run_word(ctl, ctl->arguments.items[0],
                        ctl->arguments.count > 1 ? ctl->arguments.items[1] : NULL);
    if (since != NULL && !parse_ago(since, &since_ms) && !parse_date(since, &since_ms))
        return ctl_usage_error(
            ctl, _("--since takes a time such as 24h, 7d, 2026-11-20 or \"2026-11-20 08:00\""));
    return show(ctl, since_ms);
}
