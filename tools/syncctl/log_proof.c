/* syncctl log verify: the rows of the trail against themselves, the site's signatures, and what
 * other sites know of it (docs/audit.md). */
#include "log_proof.h"

#include <string.h>

#include "answer.h"
#include "base/limits.h"
#include "base/mem.h"
#include "commands.h"
#include "i18n.h"
#include "log_file.h"
#include "people/audit.h"
#include "proto/cursor.h"

/* ---- rows ---- */

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

/* ---- what other sites know ---- */

struct witness {
    char name[QN_NAME_SIZE_MAX + 1];
    bool has_answered;
};

struct proof {
    struct ctl *ctl;
    struct qn_audit_verify *verify;
    struct witness witnesses[QN_SITES_MAX];
    size_t count;
    struct qn_site_id site; /* of a file */
};

/* Its index; QN_SITES_MAX: there are too many. An answer of several pages comes in pieces. */
static size_t witness_of(struct proof *proof, struct qn_span name)
{
    for (size_t i = 0; i < proof->count; i++)
        if (qn_span_eq_str(name, proof->witnesses[i].name))
            return i;
    if (proof->count == QN_SITES_MAX || name.size > QN_NAME_SIZE_MAX)
        return QN_SITES_MAX;
    memcpy(proof->witnesses[proof->count].name, name.data, name.size);
    return proof->count++;
}

static void take_point(struct proof *proof, size_t who, struct qn_span point)
{
    struct qn_audit_checkpoint checkpoint;
    struct ctl_walk walk = ctl_walk(point);
    uint64_t received_ms = 0;
    if (ctl_walk_next(&walk)) {
        struct qn_cursor cursor = qn_cursor(walk.value);
        if (qn_cursor_u64(&cursor, &received_ms) != QN_OK)
            return;
    }
    if (ctl_walk_next(&walk) &&
        qn_audit_checkpoint_unpack(bytes_of(walk.value), &checkpoint) == QN_OK)
        qn_audit_verify_witness(proof->verify, who, received_ms, &checkpoint);
}

static int take_witness(void *context, struct qn_span data)
{
    struct proof *proof = context;
    size_t who = witness_of(proof, ctl_map_text(data, "site"));
    if (who == QN_SITES_MAX)
        return CTL_DONE;
    proof->witnesses[who].has_answered |= qn_span_eq_str(ctl_map_text(data, "state"), "answered");
    struct ctl_walk points = ctl_walk(member(data, "points"));
    while (ctl_walk_next(&points))
        take_point(proof, who, points.value);
    return CTL_DONE;
}

static int ask_witnesses(struct proof *proof)
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 0);
    return ctl_call(
        proof->ctl, "audit.witnesses", &args,
        &(struct ctl_sink){.on_data = take_witness, .context = proof, .waits_for_ever = true});
}

/* "2026-11-20 08:00:00", for a message. */
static const char *time_text(struct qn_buf *out, uint64_t ms)
{
    qn_buf_reset(out);
    ctl_append_time(out, ms);
    qn_buf_append_u8(out, 0);
    return (const char *)out->data;
}

static void print_witness(struct ctl *ctl, const struct witness *witness,
                          const struct qn_audit_witness *found)
{
    QN_AUTO_BUF struct qn_buf time;
    qn_buf_init(&time, 64);
    unsigned long long matched = found->matched_seq, differs = found->differs_seq;
    if (!witness->has_answered)
        fprintf(ctl->out, _("  %s: could not be asked\n"), witness->name);
    else if (differs != 0 && found->is_missing)
        fprintf(ctl->out,
                _("  %s: ENTRY %llu IS MISSING here, which it knows since %s (the trail matches "
                  "up to entry %llu)\n"),
                witness->name, differs, time_text(&time, found->differs_ms), matched);
    else if (differs != 0)
        fprintf(ctl->out, _("  %s: DIFFERS at entry %llu from what it knows since %s\n"),
                witness->name, differs, time_text(&time, found->differs_ms));
    else if (matched != 0)
        fprintf(ctl->out, _("  %s: matches up to entry %llu, which it knows since %s\n"),
                witness->name, matched, time_text(&time, found->matched_ms));
    else
        fprintf(ctl->out, _("  %s: knows nothing of this trail yet\n"), witness->name);
}

static void print_witness_json(FILE *out, const struct witness *witness,
                               const struct qn_audit_witness *found)
{
    fputs("{\"site\":", out);
    ctl_json_text(out, qn_span_str(witness->name));
    fprintf(out,
            ",\"answered\":%s,\"points\":%llu,\"matches\":%llu,\"differs\":%llu,"
            "\"missing\":%s}",
            witness->has_answered ? "true" : "false", (unsigned long long)found->points,
            (unsigned long long)found->matched_seq, (unsigned long long)found->differs_seq,
            found->is_missing ? "true" : "false");
}

/* ---- the proof ---- */

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
    return qn_audit_verify_new(&id, keys, count, ctl_now_ms());
}

static void print_json(const struct proof *proof, const struct qn_audit_verdict *verdict)
{
    FILE *out = proof->ctl->out;
    fprintf(out,
            "{\"whole\":%s,\"fault\":\"%s\",\"at\":%llu,\"first\":%llu,\"last\":%llu,"
            "\"checkpoints\":%llu,\"witnessed\":%llu,\"witnesses\":[",
            verdict->fault == QN_AUDIT_WHOLE ? "true" : "false",
            qn_audit_fault_name(verdict->fault), (unsigned long long)verdict->seq,
            (unsigned long long)verdict->first, (unsigned long long)verdict->last,
            (unsigned long long)verdict->checkpoints, (unsigned long long)verdict->witnessed);
    for (size_t i = 0; i < proof->count; i++) {
        fputs(i > 0 ? "," : "", out);
        print_witness_json(out, &proof->witnesses[i], qn_audit_verify_of(proof->verify, i));
    }
    fputs("]}\n", out);
}

static void print_text(const struct proof *proof, const struct qn_audit_verdict *verdict)
{
    struct ctl *ctl = proof->ctl;
    if (verdict->fault == QN_AUDIT_WHOLE)
        fprintf(ctl->out, _("whole: entries %llu to %llu, %llu checkpoints\n"),
                (unsigned long long)verdict->first, (unsigned long long)verdict->last,
                (unsigned long long)verdict->checkpoints);
    else
        fprintf(ctl->out, _("NOT WHOLE at entry %llu: %s\n"), (unsigned long long)verdict->seq,
                fault_text(verdict->fault));
    for (size_t i = 0; i < proof->count; i++)
        print_witness(ctl, &proof->witnesses[i], qn_audit_verify_of(proof->verify, i));
}

static int print_verdict(const struct proof *proof, const struct qn_audit_verdict *verdict)
{
    struct ctl *ctl = proof->ctl;
    if (ctl->is_json)
        print_json(proof, verdict);
    else
        print_text(proof, verdict);
    if (verdict->fault == QN_AUDIT_WHOLE)
        return CTL_DONE;
    if (verdict->fault == QN_AUDIT_WITNESS)
        ctl_say(ctl, _("If this site was restored from a backup at that time, this is why."));
    ctl_say(ctl, _("Keep this machine's disk as it is, and compare with the copy of the store "
                   "in the backups (`syncctl backup ls --store`)."));
    return CTL_FAILED;
}

static int read_trail(struct proof *proof)
{
    QN_AUTO_BUF struct qn_buf args;
    struct qn_audit_verdict verdict;
    ctl_args_init(&args, 0);
    int code = ctl_call(
        proof->ctl, "audit.rows", &args,
        &(struct ctl_sink){.on_data = take_rows, .context = proof->verify, .waits_for_ever = true});
    qn_audit_verify_end(proof->verify, &verdict);
    return code == CTL_DONE ? print_verdict(proof, &verdict) : code;
}

int ctl_verify_trail(struct ctl *ctl)
{
    int code;
    QN_AUTO_FREE struct proof *proof = QN_NEW(struct proof);
    proof->ctl = ctl;
    proof->verify = begin_proof(ctl, &code);
    if (proof->verify == NULL)
        return code;
    code = ask_witnesses(proof);
    if (code == CTL_DONE)
        code = read_trail(proof);
    qn_audit_verify_free(proof->verify);
    return code;
}

/* ---- of a file ---- */

static int take_file_head(void *context, struct qn_span id, const struct qn_span *keys,
                          size_t key_count, uint64_t exported_ms)
{
    struct proof *proof = context;
    struct qn_public_key public_keys[QN_SITE_KEYS_MAX];
    struct qn_site_id site = {0};
    size_t count = 0;
    if (id.size == sizeof(site.bytes))
        memcpy(site.bytes, id.data, id.size);
    for (size_t i = 0; i < key_count; i++)
        if (keys[i].size == QN_KEY_SIZE)
            memcpy(public_keys[count++].bytes, keys[i].data, QN_KEY_SIZE);
    proof->verify = qn_audit_verify_new(&site, public_keys, count, exported_ms);
    proof->site = site;
    return CTL_DONE;
}

static int take_file_witness(void *context, struct qn_span site, uint64_t received_ms,
                             struct qn_span row)
{
    struct proof *proof = context;
    struct qn_audit_checkpoint checkpoint;
    size_t who = witness_of(proof, site);
    if (who == QN_SITES_MAX)
        return CTL_DONE;
    proof->witnesses[who].has_answered = true;
    if (qn_audit_checkpoint_unpack(row, &checkpoint) == QN_OK)
        qn_audit_verify_witness(proof->verify, who, received_ms, &checkpoint);
    return CTL_DONE;
}

static int take_file_row(void *context, struct qn_span key, struct qn_span value)
{
    qn_audit_verify_row(((struct proof *)context)->verify, key, value);
    return CTL_DONE;
}

/* The keys come with the file: whose they are is for who reads it to compare. */
static void print_site(const struct proof *proof)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 128);
    qn_site_id_print(&proof->site, &text);
    if (!proof->ctl->is_json)
        fprintf(proof->ctl->out, _("trail of the site with the identity %.*s\n"), (int)text.size,
                (const char *)text.data);
}

int ctl_verify_trail_file(struct ctl *ctl, const char *path)
{
    QN_AUTO_FREE struct proof *proof = QN_NEW(struct proof);
    const struct ctl_trail_file sink = {.on_head = take_file_head,
                                        .on_witness = take_file_witness,
                                        .on_row = take_file_row,
                                        .context = proof};
    struct qn_audit_verdict verdict;
    proof->ctl = ctl;
    int code = ctl_read_trail(ctl, path, &sink);
    if (code == CTL_DONE) {
        qn_audit_verify_end(proof->verify, &verdict);
        print_site(proof);
        code = print_verdict(proof, &verdict);
    }
    if (proof->verify != NULL)
        qn_audit_verify_free(proof->verify);
    return code;
}
