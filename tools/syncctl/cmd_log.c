/* syncctl log: the audit trail, and its proof */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "base/limits.h"
#include "commands.h"
#include "i18n.h"
#include "people/audit.h"
#include "proto/cursor.h"

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

/* ---- proving ---- */

static const char *fault_text(enum qn_audit_fault fault)
{
    switch (fault) {
    case QN_AUDIT_WHOLE:
        return _("the trail is whole");
    case QN_AUDIT_FORM:
        return _("an entry is damaged, or stands in another's place");
    case QN_AUDIT_GAP:
        return _("entries are missing before this one");
    case QN_AUDIT_CHAIN:
        return _("this entry or the one before it was changed");
    case QN_AUDIT_CHECKPOINT:
        return _("the entries up to this one are not those that the site signed then");
    case QN_AUDIT_SIGNATURE:
        return _("a checkpoint is not signed by this site");
    case QN_AUDIT_END:
        return _("entries are missing at the end");
    case QN_AUDIT_START:
        return _("entries are missing at the start that had to be kept");
    case QN_AUDIT_WITNESS:
        return _("another site knows the entries up to this one otherwise");
    }
    return "";
}

static struct qn_span bytes_of(struct qn_span packed)
{
    struct qn_cursor cursor = qn_cursor(packed);
    struct qn_span bytes;
    return qn_cursor_bin(&cursor, QN_CONTROL_FRAME_SIZE_MAX, &bytes) == QN_OK ? bytes
                                                                              : qn_span(NULL, 0);
}

static int take_rows(void *context, struct qn_span rows)
{
    struct ctl_walk walk = ctl_walk(rows);
    while (ctl_walk_next(&walk)) {
        struct ctl_walk row = ctl_walk(walk.value);
        struct qn_span key = {0}, value = {0};
        if (ctl_walk_next(&row))
            key = bytes_of(row.value);
        if (ctl_walk_next(&row))
            value = bytes_of(row.value);
        qn_audit_verify_row(context, key, value);
    }
    return CTL_DONE;
}

static struct qn_span member(struct qn_span map, const char *key)
{
    struct qn_span value = {0};
    ctl_map_find(map, key, &value);
    return value;
}

static size_t read_keys(struct qn_span list, struct qn_public_key *keys, size_t max)
{
    size_t count = 0;
    struct ctl_walk walk = ctl_walk(list);
    while (ctl_walk_next(&walk) && count < max) {
        struct qn_span key = bytes_of(walk.value);
        if (key.size == QN_KEY_SIZE)
            memcpy(keys[count++].bytes, key.data, QN_KEY_SIZE);
    }
    return count;
}

static void add_witnesses(struct qn_audit_verify *verify, struct qn_span list)
{
    struct ctl_walk walk = ctl_walk(list);
    while (ctl_walk_next(&walk)) {
        struct qn_audit_checkpoint checkpoint;
        struct qn_span row = bytes_of(member(walk.value, "checkpoint"));
        if (qn_audit_checkpoint_unpack(row, &checkpoint) == QN_OK)
            qn_audit_verify_witness(verify, &checkpoint);
    }
}

/* What the site's signatures are checked with; NULL: not to be had, which was said. */
static struct qn_audit_verify *begin_proof(struct ctl *ctl, int *ret_code)
{
    QN_AUTO_BUF struct qn_buf args, end;
    struct qn_public_key keys[QN_SITE_KEYS_MAX];
    struct qn_site_id id = {0};
    ctl_args_init(&args, 0);
    qn_buf_init(&end, QN_CONTROL_FRAME_SIZE_MAX);
    *ret_code = ctl_call(ctl, "audit.proof", &args, &(struct ctl_sink){.end = &end});
    if (*ret_code != CTL_DONE)
        return NULL;
    struct qn_span map = qn_buf_view(&end), site = bytes_of(member(map, "id"));
    if (site.size == sizeof(id.bytes))
        memcpy(id.bytes, site.data, site.size);
    size_t count = read_keys(member(map, "keys"), keys, QN_SITE_KEYS_MAX);
    struct qn_audit_verify *verify = qn_audit_verify_new(&id, keys, count, ctl_now_ms());
    add_witnesses(verify, member(map, "witnesses"));
    return verify;
}

static int print_verdict(struct ctl *ctl, const struct qn_audit_verdict *verdict)
{
    bool is_whole = verdict->fault == QN_AUDIT_WHOLE;
    unsigned long long first = verdict->first, last = verdict->last, seq = verdict->seq;
    if (ctl->is_json)
        fprintf(ctl->out,
                "{\"whole\":%s,\"fault\":\"%s\",\"at\":%llu,\"first\":%llu,\"last\":%llu,"
                "\"checkpoints\":%llu,\"witnesses\":%llu}\n",
                is_whole ? "true" : "false", qn_audit_fault_name(verdict->fault), seq, first, last,
                (unsigned long long)verdict->checkpoints, (unsigned long long)verdict->witnesses);
    else if (is_whole)
        fprintf(ctl->out,
                _("whole: entries %llu to %llu, %llu checkpoints, %llu known to other sites\n"),
                first, last, (unsigned long long)verdict->checkpoints,
                (unsigned long long)verdict->witnesses);
    else
        fprintf(ctl->out, _("NOT WHOLE at entry %llu: %s\n"), seq, fault_text(verdict->fault));
    if (!is_whole)
        ctl_say(ctl, _("Keep this machine's disk as it is, and compare with the copy of the store "
                       "in the backups (`syncctl backup ls --store`)."));
    return is_whole ? CTL_DONE : CTL_FAILED;
}

static int verify_trail(struct ctl *ctl)
{
    int code;
    struct qn_audit_verify *verify = begin_proof(ctl, &code);
    if (verify == NULL)
        return code;
    QN_AUTO_BUF struct qn_buf args;
    struct qn_audit_verdict verdict;
    ctl_args_init(&args, 0);
    code = ctl_call(
        ctl, "audit.rows", &args,
        &(struct ctl_sink){.on_data = take_rows, .context = verify, .waits_for_ever = true});
    qn_audit_verify_end(verify, &verdict);
    qn_audit_verify_free(verify);
    return code == CTL_DONE ? print_verdict(ctl, &verdict) : code;
}

int ctl_run_log(struct ctl *ctl)
{
    const char *since = ctl_value(ctl, "since");
    uint64_t since_ms = 0;
    if (ctl->arguments.count == 1 && strcmp(ctl->arguments.items[0], "verify") == 0)
        return verify_trail(ctl);
    if (ctl->arguments.count == 1)
        return ctl_usage_error(ctl, _("write `log` or `log verify`"));
    if (since != NULL && !parse_ago(since, &since_ms) && !parse_date(since, &since_ms))
        return ctl_usage_error(
            ctl, _("--since takes a time such as 24h, 7d, 2026-11-20 or \"2026-11-20 08:00\""));
    return show(ctl, since_ms);
}
