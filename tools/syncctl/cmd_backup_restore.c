/* syncctl backup restore: the daemon's stream of entries and bytes into a folder. */
#include <inttypes.h>
#include <string.h>

#include "answer.h"
#include "backup_read.h"
#include "base/limits.h"
#include "commands.h"
#include "i18n.h"
#include "proto/cursor.h"
#include "proto/pack.h"
#include "restore_out.h"

struct restore {
    struct ctl *ctl;
    struct ctl_restore *out;
    struct ctl_restore_options options;
    struct ctl_progress progress;
    struct qn_buf path;
    uint64_t done, problems;
};

static void on_issue(void *context, enum ctl_restore_issue issue, struct qn_span path,
                     int errno_value)
{
    struct restore *restore = context;
    FILE *err = restore->ctl->err;
    restore->problems++;
    ctl_progress_end(&restore->progress);
    fprintf(err, "%s/", restore->options.target);
    ctl_put_text(err, path);
    fprintf(err, ": %s", ctl_restore_issue_text(issue));
    if (errno_value > 0)
        fprintf(err, " (%s)", strerror(errno_value));
    fprintf(err, "\n  %s\n", ctl_restore_issue_remedy(issue));
}

static int take_totals(struct restore *restore, struct qn_span data)
{
    restore->options.bytes_expected = ctl_map_u64(data, "bytes");
    restore->options.entries_expected = ctl_map_u64(data, "entries");
    restore->progress.total = restore->options.bytes_expected;
    return ctl_restore_new(&restore->options, &restore->out) == QN_OK ? CTL_DONE : CTL_FAILED;
}

static int take_entry(struct restore *restore, struct qn_span packed)
{
    struct qn_entry entry;
    bool wants_bytes;
    if (!ctl_read_entry(packed, &restore->path, &entry))
        return ctl_fail_str(restore->ctl, "internal", "backup.restore");
    return ctl_restore_entry(restore->out, &entry, &wants_bytes) == QN_OK ? CTL_DONE : CTL_FAILED;
}

static int take_bytes(struct restore *restore, const uint8_t *bytes, size_t size)
{
    restore->done += size;
    ctl_progress_show(&restore->progress, restore->done);
    return ctl_restore_bytes(restore->out, bytes, size) == QN_OK ? CTL_DONE : CTL_FAILED;
}

static int take_end(struct restore *restore, struct qn_span reason)
{
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)reason.size, (const char *)reason.data);
    enum qn_err err = reason.size == 0 ? QN_OK : qn_err_from_name(name);
    return ctl_restore_entry_end(restore->out, err) == QN_OK ? CTL_DONE : CTL_FAILED;
}

static int on_piece(void *context, struct qn_span data)
{
    struct restore *restore = context;
    struct ctl_walk walk = ctl_walk(data);
    if (restore->out == NULL)
        return take_totals(restore, data);
    if (!ctl_walk_next(&walk) || walk.key.size != 1)
        return ctl_fail_str(restore->ctl, "internal", "backup.restore");
    switch (walk.key.data[0]) {
    case 'e':
        return take_entry(restore, walk.value);
    case 'b': {
        struct qn_span bytes = ctl_bin_of(walk.value);
        return take_bytes(restore, bytes.data, bytes.size);
    }
    case 'h':
        return take_bytes(restore, NULL, ctl_u64_of(walk.value));
    case 'x':
        return take_end(restore, ctl_text_of(walk.value));
    default:
        return CTL_DONE;
    }
}

static void print_restored(const struct ctl *ctl, const struct ctl_restore_counts *counts)
{
    QN_AUTO_BUF struct qn_buf size;
    qn_buf_init(&size, 64);
    ctl_append_size(&size, counts->bytes);
    if (ctl->is_json) {
        fprintf(ctl->out,
                "{\"files\":%" PRIu64 ",\"folders\":%" PRIu64 ",\"links\":%" PRIu64
                ",\"others\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"same\":%" PRIu64
                ",\"failed\":%" PRIu64 "}\n",
                counts->files, counts->folders, counts->links + counts->hard_links, counts->others,
                counts->bytes, counts->same, counts->failed + counts->left_out);
        return;
    }
    if (ctl->is_quiet)
        return;
    fprintf(ctl->out, _("restored: %" PRIu64 " files (%.*s), %" PRIu64 " folders\n"), counts->files,
            (int)size.size, (const char *)size.data, counts->folders);
    if (counts->same > 0)
        fprintf(ctl->out, _("  there already: %" PRIu64 "\n"), counts->same);
    if (counts->other_owner > 0)
        ctl_say(ctl, _("%" PRIu64 " belong to you now: only root can give files to others."),
                counts->other_owner);
}

static int finish(struct restore *restore)
{
    if (restore->out == NULL)
        return CTL_DONE;
    if (ctl_restore_finish(restore->out) != QN_OK)
        return CTL_FAILED;
    const struct ctl_restore_counts *counts = ctl_restore_counts(restore->out);
    print_restored(restore->ctl, counts);
    return counts->failed + counts->left_out > 0 ? CTL_ATTENTION : CTL_DONE;
}

static void pack_wanted(struct ctl *ctl, const struct ctl_snapshot_text *names, struct qn_buf *args)
{
    ctl_args_init(args, 5);
    ctl_arg_str(args, "from", ctl_value(ctl, "from"));
    ctl_arg_str(args, "name", names->plan);
    qn_pack_cstr(args, "paths");
    qn_pack_array(args, ctl->arguments.count - 1);
    for (size_t i = 1; i < ctl->arguments.count; i++)
        qn_pack_bin(args, qn_span_str(ctl->arguments.items[i]));
    ctl_arg_str(args, "snapshot", ctl_or_nil(names->snapshot));
    qn_pack_cstr(args, "store");
    qn_pack_bool(args, ctl_has(ctl, "store"));
}

int ctl_run_backup_restore(struct ctl *ctl)
{
    struct ctl_snapshot_text names;
    struct restore restore = {.ctl = ctl,
                              .options = {.target = ctl_value(ctl, "to"),
                                          .overwrites = ctl_has(ctl, "overwrite"),
                                          .on_issue = on_issue}};
    QN_AUTO_BUF struct qn_buf args = {0};
    if (restore.options.target == NULL)
        return ctl_usage_error(ctl, _("where to? Give --to DIR"));
    int code = ctl_take_snapshot(ctl, ctl->arguments.items[0], &names);
    if (code != CTL_DONE)
        return code;
    restore.options.context = &restore;
    pack_wanted(ctl, &names, &args);
    restore.options.what = qn_buf_view(&args);
    qn_buf_init(&restore.path, QN_PATH_SIZE_MAX);
    bool has_progress = ctl->is_err_terminal && !ctl->is_quiet && !ctl->is_json;
    ctl_progress_begin(&restore.progress, has_progress ? ctl->err : NULL, 0);
    code = ctl_call(
        ctl, "backup.restore", &args,
        &(struct ctl_sink){.on_data = on_piece, .context = &restore, .waits_for_ever = true});
    ctl_progress_end(&restore.progress);
    if (code == CTL_DONE)
        code = finish(&restore);
    ctl_restore_free(restore.out);
    qn_buf_deinit(&restore.path);
    return code;
}
