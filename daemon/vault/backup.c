#include <errno.h>
#include <sys/stat.h>

#include "proto/pack.h"
#include "vault/backup_private.h"

#define VIEW_ENTRIES 4096 /* the index is seen anew after so many */

void qn_backup_report(struct qn_backup *backup, const char *what, struct qn_span path,
                      int errno_value)
{
    const struct qn_backup_options *options = backup->options;
    backup->counts.errors++;
    if (options->progress != NULL)
        qn_progress_add(&options->progress->errors, 1);
    if (options->on_report == NULL)
        return;
    QN_AUTO_BUF struct qn_buf absolute;
    qn_buf_init(&absolute, QN_PATH_SIZE_MAX + 1);
    if (path.size == 0 || path.data[0] != '/')
        qn_buf_append_str(&absolute, "/");
    qn_buf_append_span(&absolute, path);
    options->on_report(options->context, what, qn_buf_view(&absolute), errno_value);
}

/* What a person can do about it differs. */
static const char *word_of(int errno_value)
{
    switch (errno_value) {
    case QN_WALK_NOT_ALLOWED:
        return "not-allowed";
    case QN_WALK_IS_LINK:
        return "is-link";
    case QN_WALK_MANY_LINKS:
        return "many-links";
    case ENAMETOOLONG:
        return "long-name";
    case EIO:
        return "disk-error";
    case ESTALE:
        return "vanished";
    default:
        return "unreadable";
    }
}

static void on_walk_error(void *context, struct qn_span path, int errno_value)
{
    qn_backup_report(context, word_of(errno_value), path, errno_value);
}

enum qn_err qn_backup_put_tree_chunk(void *context, enum qn_blob_kind kind, struct qn_span plain,
                                     struct qn_chunk_id *ret_id)
{
    struct qn_backup *backup = context;
    return qn_pipeline_put(backup->pipeline, kind, plain, ret_id);
}

/* ---- a stream among the files ---- */

/* Of the next one that was not stored yet. */
static struct qn_span stream_path(const struct qn_backup *backup)
{
    return qn_span_str(backup->options->streams[backup->stream_next] + 1);
}

enum qn_err qn_backup_add_parents(struct qn_backup *backup, struct qn_span path,
                                  struct qn_span last, int64_t mtime_s)
{
    for (size_t i = 1; i < path.size; i++) {
        struct qn_span parent = qn_span(path.data, i);
        if (path.data[i] != '/' || (last.size > 0 && qn_path_is_below(last, parent)))
            continue;
        struct qn_entry entry = {
            .path = parent, .type = QN_ENTRY_DIR, .mode = 0755, .mtime_s = mtime_s};
        QN_TRY(qn_window_end(backup, &entry, false));
        backup->counts.dirs++;
    }
    return QN_OK;
}

/* The folders come first, in the order of the list; they stay if the stream cannot be had. */
static enum qn_err do_stream(struct qn_backup *backup, struct qn_buf *last)
{
    struct qn_entry entry = {.path = stream_path(backup),
                             .type = QN_ENTRY_FILE,
                             .mode = 0600,
                             .mtime_s = (int64_t)(backup->options->now_ms / 1000)};
    size_t index = backup->stream_next++;
    QN_TRY(qn_backup_add_parents(backup, entry.path, qn_buf_view(last), entry.mtime_s));
    qn_buf_reset(last);
    qn_buf_append_span(last, entry.path);
    enum qn_err err = qn_backup_read_stream(backup, index, &entry.size);
    if (err == QN_ERR_NOTFOUND) {
        qn_backup_report(backup, "stream", entry.path, 0);
        return QN_OK;
    }
    QN_TRY(err);
    backup->counts.files_new++;
    backup->counts.bytes += entry.size;
    qn_backup_note_done(backup, 0);
    return qn_window_end(backup, &entry, true);
}

/* The streams that come before an entry, or at its path. */
static enum qn_err do_streams_to(struct qn_backup *backup, struct qn_span path, struct qn_buf *last)
{
    while (backup->stream_next < backup->options->stream_count &&
           qn_path_cmp(path, stream_path(backup)) >= 0)
        QN_TRY(do_stream(backup, last));
    return QN_OK;
}

/* Whether a stream takes the place of what the disk has there. */
static bool is_replaced(const struct qn_backup *backup, struct qn_span path)
{
    if (backup->stream_next == 0)
        return false;
    struct qn_span stream = qn_span_str(backup->options->streams[backup->stream_next - 1] + 1);
    return qn_span_eq(path, stream) || qn_path_is_below(path, stream);
}

/* ---- the walk ---- */

static enum qn_err on_entry(struct qn_backup *backup, struct qn_entry *entry)
{
    backup->entries_seen++;
    if (qn_progress_cancelled(backup->options->progress))
        return QN_ERR_CLOSED;
    if (backup->entries_seen % VIEW_ENTRIES == 0)
        qn_fetcher_rest(backup->fetcher);
    QN_TRY(qn_backup_entry(backup, entry));
    return qn_backup_maybe_partial(backup);
}

static enum qn_err walk_all(struct qn_backup *backup)
{
    QN_AUTO_BUF struct qn_buf last; /* the entry before */
    qn_buf_init(&last, QN_PATH_SIZE_MAX);
    struct qn_entry entry;
    enum qn_err err = QN_ERR_NOTFOUND;
    while (backup->walk != NULL && (err = qn_walk_next(backup->walk, &entry)) == QN_OK) {
        QN_TRY(do_streams_to(backup, entry.path, &last));
        if (is_replaced(backup, entry.path))
            continue;
        QN_TRY(on_entry(backup, &entry));
        if (backup->stream_next < backup->options->stream_count) {
            qn_buf_reset(&last);
            qn_buf_append_span(&last, entry.path);
        }
    }
    if (err != QN_ERR_NOTFOUND)
        return err;
    while (backup->stream_next < backup->options->stream_count)
        QN_TRY(do_stream(backup, &last));
    return QN_OK;
}

/* ---- beginning and end ---- */

static void pack_paths(struct qn_backup *backup)
{
    const struct qn_walk_options *walk = &backup->options->walk;
    const struct qn_backup_options *options = backup->options;
    qn_buf_init(&backup->paths, QN_SNAPSHOT_SIZE_MAX);
    qn_pack_array(&backup->paths, walk->path_count + options->stream_count);
    for (size_t i = 0; i < walk->path_count; i++)
        qn_pack_bin(&backup->paths, qn_span_str(walk->paths[i]));
    for (size_t i = 0; i < options->stream_count; i++)
        qn_pack_bin(&backup->paths, qn_span_str(options->streams[i]));
}

/* The last whole snapshot of the plan, else the last partial one: its list is merged with. Partial
 * ones go with the next whole one. */
static enum qn_err find_previous(struct qn_backup *backup)
{
    qn_snapshot_vec all = {0};
    QN_TRY(qn_vault_snapshots(backup->vault, NULL, NULL, NULL, &all));
    const struct qn_snapshot *best = NULL;
    size_t best_at = 0;
    qn_vec_each (&all, it) {
        const struct qn_snapshot *snapshot = &it->snapshot;
        if (snapshot->sequence >= backup->sequence)
            backup->sequence = snapshot->sequence + 1;
        if (strcmp(snapshot->plan, backup->options->plan) != 0)
            continue;
        if (best == NULL || best->is_partial || !snapshot->is_partial)
            best = snapshot, best_at = (size_t)(it - all.items);
        if (snapshot->is_partial)
            qn_vec_push(&backup->obsolete, it->name);
    }
    if (best != NULL) {
        backup->previous_root = best->root;
        backup->previous_name = all.items[best_at].name;
        backup->previous_run = best->places_run;
        qn_buf_append_span(&backup->previous_places, best->places);
        backup->previous = qn_tree_iter_new(&backup->previous_root, qn_fetch_tree, backup->fetcher);
    }
    qn_snapshots_deinit(&all);
    return backup->previous == NULL ? QN_OK : qn_backup_next_before(backup);
}

static void tell_totals(struct qn_backup *backup)
{
    struct qn_vault_progress *progress = backup->options->progress;
    if (progress == NULL || backup->previous == NULL)
        return;
    atomic_store(&progress->files_total, backup->previous_root.entry_count);
    atomic_store(&progress->bytes_total, backup->previous_root.size);
}

static enum qn_err open_walk(struct qn_backup *backup)
{
    struct qn_walk_options options = backup->options->walk;
    if (options.path_count == 0)
        return backup->options->stream_count > 0 ? QN_OK : QN_ERR_INVALID;
    options.on_error = on_walk_error;
    options.context = backup;
    return qn_walk_new(&options, &backup->walk);
}

static enum qn_err check_options(const struct qn_backup_options *options)
{
    const char *before = NULL;
    for (size_t i = 0; i < options->stream_count; i++) {
        const char *path = options->streams[i];
        if (path[0] != '/' || path[1] == '\0')
            return QN_ERR_INVALID;
        if (before != NULL && qn_path_cmp(qn_span_str(before + 1), qn_span_str(path + 1)) >= 0)
            return QN_ERR_INVALID;
        before = path;
    }
    if (strlen(options->plan) > QN_NAME_SIZE_MAX || strlen(options->site) > QN_NAME_SIZE_MAX)
        return QN_ERR_INVALID;
    size_t count = options->walk.path_count + options->stream_count;
    return count <= QN_SNAPSHOT_PATHS_MAX ? QN_OK : QN_ERR_LIMIT;
}

static enum qn_err start(struct qn_backup *backup)
{
    const struct qn_backup_options *options = backup->options;
    QN_TRY(check_options(options));
    backup->sequence = 1;
    qn_buf_init(&backup->places, QN_SNAPSHOT_SIZE_MAX);
    qn_buf_init(&backup->previous_places, QN_SNAPSHOT_SIZE_MAX);
    pack_paths(backup);
    backup->fetcher = qn_fetcher_new(backup->vault);
    QN_TRY(find_previous(backup));
    tell_totals(backup);
    QN_TRY(open_walk(backup));
    backup->pipeline = qn_pipeline_new(&(struct qn_pipeline_options){.vault = backup->vault,
                                                                     .progress = options->progress,
                                                                     .on_pack = options->on_pack,
                                                                     .context = options->context});
    backup->tree = qn_tree_builder_new(qn_backup_put_tree_chunk, backup);
    qn_window_init(backup);
    backup->partial_last_ms = qn_backup_now(backup);
    return QN_OK;
}

/* Threads end before what they write to goes. */
static void finish(struct qn_backup *backup)
{
    qn_pipeline_release(backup->pipeline, backup->slab);
    qn_pipeline_free(backup->pipeline);
    qn_tree_builder_free(backup->tree);
    qn_tree_iter_free(backup->previous);
    qn_fetcher_free(backup->fetcher);
    qn_walk_free(backup->walk);
    qn_window_deinit(backup);
    qn_buf_deinit(&backup->paths);
    qn_buf_deinit(&backup->places);
    qn_buf_deinit(&backup->previous_places);
    qn_vec_free(&backup->places_packs);
    qn_vec_each (&backup->lost, it)
        qn_buf_deinit(it);
    qn_vec_free(&backup->lost);
    qn_vec_free(&backup->obsolete);
}

static enum qn_err run(struct qn_backup *backup, struct qn_snapshot_name *ret_name)
{
    struct qn_tree_root root;
    QN_TRY(start(backup));
    QN_TRY(qn_backup_store(backup));
    QN_TRY(walk_all(backup));
    return qn_backup_snapshot(backup, false, &root, ret_name);
}

enum qn_err qn_vault_backup(struct qn_vault *vault, const struct qn_backup_options *options,
                            struct qn_snapshot_name *ret_name, struct qn_backup_counts *ret_counts)
{
    struct qn_backup backup = {.vault = vault, .options = options};
    qn_vault_begin(vault);
    enum qn_err err = run(&backup, ret_name);
    *ret_counts = backup.counts;
    finish(&backup);
    return qn_vault_end(vault, err);
}
