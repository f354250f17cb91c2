/* syncctl backup run, verify, forget, prune: work with progress, problems and a summary. */
#include <inttypes.h>
#include <string.h>

#include "answer.h"
#include "backup_args.h"
#include "base/limits.h"
#include "commands.h"
#include "i18n.h"
#include "proto/cursor.h"
#include "proto/pack.h"
#include "status.h"

struct work {
    struct ctl *ctl;
    struct ctl_progress progress;
    bool has_progress;
    uint64_t problems;
    struct ctl_grid grid; /* FORGET: what is kept */
};

/* A snapshot's name, as people read it. */
static bool json_id(FILE *out, struct qn_span key, struct qn_span packed)
{
    struct qn_cursor cursor = qn_cursor(packed);
    struct qn_span name;
    if (!(qn_span_eq_str(key, "name") || qn_span_eq_str(key, "id")) ||
        qn_cursor_bin(&cursor, SIZE_MAX, &name) != QN_OK || name.size < 4)
        return false;
    fprintf(out, "\"id\":\"%02x%02x%02x%02x\"", name.data[0], name.data[1], name.data[2],
            name.data[3]);
    return true;
}

static void json_event(struct ctl *ctl, const char *event, struct qn_span map)
{
    fprintf(ctl->out, "{\"event\":\"%s\"", event);
    struct ctl_walk walk = ctl_walk(map);
    while (ctl_walk_next(&walk)) {
        fputc(',', ctl->out);
        if (json_id(ctl->out, walk.key, walk.value))
            continue;
        ctl_json_text(ctl->out, walk.key);
        fputc(':', ctl->out);
        ctl_json_value(ctl->out, walk.value);
    }
    fprintf(ctl->out, "}\n");
    fflush(ctl->out);
}

static struct qn_span bin_of(struct qn_span map, const char *key)
{
    struct qn_span packed, bytes = {0};
    if (!ctl_map_find(map, key, &packed))
        return bytes;
    struct qn_cursor cursor = qn_cursor(packed);
    return qn_cursor_bin(&cursor, SIZE_MAX, &bytes) == QN_OK ? bytes : qn_span(NULL, 0);
}

static const char *problem_text(struct qn_span what)
{
    static const struct {
        const char *what, *text;
    } texts[] = {
        {"unreadable", N_("could not be read")},
        {"not-allowed", N_("the reading unit may not read it; name it in [reader] allow of "
                           "quoin.conf")},
        {"is-link", N_("is, or leads through, a symbolic link; name the folder itself")},
        {"many-links", N_("so many files have several names that from here on each name is saved "
                          "by itself")},
        {"long-name", N_("its path is too long")},
        {"disk-error", N_("the disk cannot read it")},
        {"command-exit", N_("the command failed; its exit status is")},
        {"command-signal", N_("the command was ended; the signal is")},
        {"command-timeout", N_("the command took too long and was ended")},
        {"command-start", N_("the command could not be started")},
        {"command-refused", N_("no command is run, because others than root may change this part "
                               "of the configuration")},
        {"changed", N_("changed while it was read; its last version is saved")},
        {"vanished", N_("was removed while it was read")},
        {"xattr", N_("its extended attributes could not be read")},
        {"bad-pack", N_("a pack is damaged")},
        {"bad-chunk", N_("a chunk is damaged")},
        {"missing-pack", N_("a pack is missing")},
        {"differs", N_("differs from the file on the disk")},
        {"missing-chunk", N_("a chunk is missing")},
        {"snapshot", N_("a snapshot cannot be read")},
        {"bad-snapshot", N_("a snapshot cannot be read")},
        {"quota-full",
         N_("has no room for the copy; give it more there (syncctl backup holder quota); "
            "this goes on waiting")},
        {"store", N_("the site's own store is not in this snapshot")},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (qn_span_eq_str(what, texts[i].what))
            return gettext(texts[i].text);
    return _("something is wrong");
}

static bool is_with_number(struct qn_span what)
{
    return qn_span_eq_str(what, "command-exit") || qn_span_eq_str(what, "command-signal");
}

/* What a command said last, a line under the other. */
static void show_words(FILE *out, struct qn_span text)
{
    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        fputs("  | ", out);
        ctl_put_text(out, qn_span(text.data, size));
        fputc('\n', out);
        text = qn_span_from(text, end == NULL ? size : size + 1);
    }
}

static void show_problem(struct work *work, struct qn_span item)
{
    uint64_t number = ctl_map_u64(item, "errno");
    work->problems++;
    if (work->ctl->is_json) {
        json_event(work->ctl, "problem", item);
        return;
    }
    ctl_progress_end(&work->progress);
    struct qn_span what = ctl_map_text(item, "what");
    FILE *err = work->ctl->err;
    ctl_put_text(err, bin_of(item, "path"));
    fputs(": ", err);
    fputs(problem_text(what), err);
    if (is_with_number(what))
        fprintf(err, " %" PRIu64, ctl_map_u64(item, "status"));
    if (number > 0 && number < 4096 && qn_span_eq_str(what, "unreadable"))
        fprintf(err, " (%s)", strerror((int)number));
    fputc('\n', err);
    show_words(err, bin_of(item, "text"));
}

static void show_progress(struct work *work, struct qn_span item)
{
    if (work->ctl->is_json) {
        json_event(work->ctl, "progress", item);
        return;
    }
    bool is_copies = qn_span_eq_str(ctl_map_text(item, "phase"), "copies");
    struct ctl_work_done done = {.what = is_copies ? _("copies") : _("files"),
                                 .done = ctl_map_u64(item, "bytes_done"),
                                 .total = ctl_map_u64(item, "bytes_total"),
                                 .rate = ctl_map_u64(item, "rate")};
    ctl_progress_bytes(&work->progress, &done);
}

static int on_news(void *context, struct qn_span item)
{
    struct work *work = context;
    if (ctl_map_text(item, "what").size > 0)
        show_problem(work, item);
    else if (ctl_map_text(item, "phase").size > 0)
        show_progress(work, item);
    return CTL_DONE;
}

static int run(struct work *work, const char *cmd, const struct qn_buf *args, ctl_on_data *on_data,
               struct qn_buf *end)
{
    struct ctl *ctl = work->ctl;
    bool has_progress = ctl->is_err_terminal && !ctl->is_quiet && !ctl->is_json;
    qn_buf_init(end, QN_CONTROL_FRAME_SIZE_MAX);
    ctl_progress_begin(&work->progress, has_progress ? ctl->err : NULL, 0);
    int code =
        ctl_call(ctl, cmd, args,
                 &(struct ctl_sink){
                     .on_data = on_data, .context = work, .end = end, .waits_for_ever = true});
    ctl_progress_end(&work->progress);
    return code;
}

static void print_size(const struct ctl *ctl, const char *label, uint64_t bytes)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 64);
    ctl_append_size(&text, bytes);
    fprintf(ctl->out, "  %s: %.*s\n", label, (int)text.size, (const char *)text.data);
}

/* ---- run ---- */

static void print_backup(const struct ctl *ctl, struct qn_span end)
{
    fprintf(ctl->out, _("files: %" PRIu64 " new, %" PRIu64 " changed, %" PRIu64 " unchanged\n"),
            ctl_map_u64(end, "files_new"), ctl_map_u64(end, "files_changed"),
            ctl_map_u64(end, "files_unchanged"));
    print_size(ctl, _("in all"), ctl_map_u64(end, "bytes"));
    print_size(ctl, _("read"), ctl_map_u64(end, "bytes_read"));
    print_size(ctl, _("new"), ctl_map_u64(end, "bytes_new"));
    print_size(ctl, _("stored"), ctl_map_u64(end, "bytes_stored"));
    if (ctl_has(ctl, "wait"))
        print_size(ctl, _("sent"), ctl_map_u64(end, "sent"));
}

int ctl_run_backup_run(struct ctl *ctl)
{
    struct work work = {.ctl = ctl};
    QN_AUTO_BUF struct qn_buf args, end;
    ctl_args_init(&args, 2);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    qn_pack_cstr(&args, "wait");
    qn_pack_bool(&args, ctl_has(ctl, "wait"));
    int code = run(&work, "backup.run", &args, on_news, &end);
    if (code != CTL_DONE)
        return code;
    if (ctl->is_json)
        json_event(ctl, "summary", qn_buf_view(&end));
    else if (!ctl->is_quiet)
        print_backup(ctl, qn_buf_view(&end));
    uint64_t errors = ctl_map_u64(qn_buf_view(&end), "errors");
    if (errors > 0)
        ctl_say(ctl, _("%" PRIu64 " files could not be saved as they are; the rest is safe."),
                errors);
    return errors > 0 ? CTL_ATTENTION : CTL_DONE;
}

/* ---- verify ---- */

static const char *challenge_text(struct qn_span challenge)
{
    static const struct {
        const char *challenge, *text;
    } texts[] = {
        {"none", N_("nothing there can be proven yet")},
        {"busy", N_("not proven now: it reads only so much a day; try again tomorrow")},
        {"late", N_("not proven now: it did not answer in time")},
        {"offline", N_("not proven now: it cannot be reached")},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (qn_span_eq_str(challenge, texts[i].challenge))
            return gettext(texts[i].text);
    return _("not proven now");
}

/* What the holder proved just now, and when it proved all that it has. */
static void print_challenge(const struct ctl *ctl, struct qn_span copy)
{
    struct qn_span challenge = ctl_map_text(copy, "challenge");
    QN_AUTO_BUF struct qn_buf time = {0};
    if (qn_span_eq_str(challenge, "done"))
        fprintf(ctl->out, _("    proven now: packs %" PRIu64 ", lost or damaged %" PRIu64 "\n"),
                ctl_map_u64(copy, "proven_packs"), ctl_map_u64(copy, "bad_packs"));
    else
        fprintf(ctl->out, "    %s\n", challenge_text(challenge));
    if (ctl_map_u64(copy, "verified_at") == 0)
        return;
    qn_buf_init(&time, 64);
    ctl_append_time(&time, ctl_map_u64(copy, "verified_at"));
    fprintf(ctl->out, _("    all of it was proven last: %.*s\n"), (int)time.size,
            (const char *)time.data);
}

static void print_copies(const struct ctl *ctl, struct qn_span end)
{
    struct qn_span list;
    struct ctl_walk walk = {0};
    if (ctl_map_find(end, "copies", &list))
        walk = ctl_walk(list);
    while (ctl_walk_next(&walk)) {
        fprintf(ctl->out, "  %s ", _("copy at"));
        ctl_put_text(ctl->out, ctl_map_text(walk.value, "site"));
        fprintf(ctl->out, _(": %s, packs missing: %" PRIu64 "\n"),
                ctl_state_word(ctl_map_text(walk.value, "state")),
                ctl_map_u64(walk.value, "missing_packs"));
        print_challenge(ctl, walk.value);
    }
}

static void print_verify(const struct ctl *ctl, struct qn_span end)
{
    fprintf(ctl->out,
            _("snapshots: %" PRIu64 ", packs: %" PRIu64 " (%" PRIu64 " bad), chunks: %" PRIu64
              " (%" PRIu64 " bad, %" PRIu64 " missing)\n"),
            ctl_map_u64(end, "snapshots"), ctl_map_u64(end, "packs"), ctl_map_u64(end, "bad_packs"),
            ctl_map_u64(end, "chunks"), ctl_map_u64(end, "bad_chunks"),
            ctl_map_u64(end, "missing_chunks"));
    if (ctl_map_u64(end, "repaired") > 0)
        fprintf(ctl->out, _("packs put right from copies: %" PRIu64 "\n"),
                ctl_map_u64(end, "repaired"));
    if (ctl_map_u64(end, "elsewhere") > 0)
        fprintf(ctl->out, _("packs that are only at other sites, and were not read: %" PRIu64 "\n"),
                ctl_map_u64(end, "elsewhere"));
    print_size(ctl, _("checked"), ctl_map_u64(end, "bytes"));
    print_copies(ctl, end);
}

/* A holder that cannot be reached, or proves nothing, is not known to be whole. */
static bool are_copies_well(struct qn_span end)
{
    struct qn_span list;
    struct ctl_walk walk = {0};
    if (ctl_map_find(end, "copies", &list))
        walk = ctl_walk(list);
    while (ctl_walk_next(&walk))
        if (!qn_span_eq_str(ctl_map_text(walk.value, "state"), "complete") ||
            !qn_span_eq_str(ctl_map_text(walk.value, "challenge"), "done"))
            return false;
    return true;
}

int ctl_run_backup_verify(struct ctl *ctl)
{
    struct work work = {.ctl = ctl};
    QN_AUTO_BUF struct qn_buf args, end;
    ctl_args_init(&args, 3);
    ctl_arg_str(&args, "name", ctl->arguments.count > 0 ? ctl->arguments.items[0] : NULL);
    qn_pack_cstr(&args, "read_data");
    qn_pack_bool(&args, ctl_has(ctl, "read-data"));
    qn_pack_cstr(&args, "timeout_ms");
    if (ctl->has_timeout)
        qn_pack_u64(&args, (uint64_t)ctl->timeout_s * 1000);
    else
        qn_pack_nil(&args);
    int code = run(&work, "backup.verify", &args, on_news, &end);
    if (code != CTL_DONE)
        return code;
    struct qn_span map = qn_buf_view(&end);
    if (ctl->is_json) {
        fputs("{\"event\":\"summary\",", ctl->out);
        ctl_json_members(ctl->out, map, ctl_verified_shape);
        fputs("}\n", ctl->out);
    } else if (!ctl->is_quiet) {
        print_verify(ctl, map);
    }
    bool is_bad = ctl_map_u64(map, "bad_packs") + ctl_map_u64(map, "bad_chunks") +
                      ctl_map_u64(map, "missing_chunks") + work.problems >
                  0;
    is_bad = is_bad || !are_copies_well(map);
    return is_bad ? CTL_ATTENTION : CTL_DONE;
}

/* ---- forget, prune ---- */

static void add_choice(struct work *work, struct qn_span item)
{
    QN_AUTO_BUF struct qn_buf id;
    struct qn_span packed, name = {0};
    qn_buf_init(&id, 128);
    if (ctl_map_find(item, "id", &packed)) {
        struct qn_cursor cursor = qn_cursor(packed);
        (void)!qn_cursor_bin(&cursor, SIZE_MAX, &name);
    }
    for (size_t i = 0; i < name.size && i < 4; i++)
        qn_buf_printf(&id, "%02x", name.data[i]);
    ctl_grid_add(&work->grid, qn_buf_view(&id));
    ctl_add_time(&work->grid, item, "time");
    ctl_grid_add_str(&work->grid, ctl_map_bool(item, "keep") ? _("kept") : _("goes"));
}

static int on_choice(void *context, struct qn_span item)
{
    struct work *work = context;
    if (ctl_map_text(item, "phase").size > 0)
        show_progress(work, item);
    else if (work->ctl->is_json)
        json_event(work->ctl, "snapshot", item);
    else
        add_choice(work, item);
    return CTL_DONE;
}

int ctl_run_backup_forget(struct ctl *ctl)
{
    struct work work = {.ctl = ctl};
    QN_AUTO_BUF struct qn_buf args, end;
    ctl_grid_init(&work.grid, 3);
    ctl_grid_add_str(&work.grid, _("ID"));
    ctl_grid_add_str(&work.grid, _("TIME"));
    ctl_grid_add_str(&work.grid, _("KEPT"));
    ctl_args_init(&args, 2);
    qn_pack_cstr(&args, "dry_run");
    qn_pack_bool(&args, ctl_has(ctl, "dry-run"));
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    int code = run(&work, "backup.forget", &args, on_choice, &end);
    if (code == CTL_DONE && ctl->is_json)
        json_event(ctl, "summary", qn_buf_view(&end));
    else if (code == CTL_DONE && !ctl->is_quiet)
        ctl_grid_print(&work.grid, ctl->out, "", !ctl->is_terminal);
    if (code == CTL_DONE && !ctl->is_json)
        ctl_say(ctl, _("snapshots forgotten: %" PRIu64),
                ctl_map_u64(qn_buf_view(&end), "forgotten"));
    ctl_grid_deinit(&work.grid);
    return code;
}

int ctl_run_backup_prune(struct ctl *ctl)
{
    struct work work = {.ctl = ctl};
    QN_AUTO_BUF struct qn_buf args, end;
    ctl_args_init(&args, 0);
    int code = run(&work, "backup.prune", &args, on_news, &end);
    if (code != CTL_DONE)
        return code;
    struct qn_span map = qn_buf_view(&end);
    if (ctl->is_json) {
        json_event(ctl, "summary", map);
    } else if (!ctl->is_quiet) {
        print_size(ctl, _("given back"), ctl_map_u64(map, "bytes_freed"));
        print_size(ctl, _("packed anew"), ctl_map_u64(map, "bytes_rewritten"));
        print_size(ctl, _("dead, but not worth the work"), ctl_map_u64(map, "bytes_dead_left"));
    }
    return CTL_DONE;
}
