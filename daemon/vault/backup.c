#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "proto/pack.h"
#include "vault/backup_private.h"

#define CLOCK_ENTRIES 64   /* the clock is looked at once for so many */
#define LOST_MAX      1024 /* paths of unread files that are remembered for their further names */
#define VIEW_ENTRIES  4096 /* the index is seen anew after so many */

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

/* ---- the snapshot before ---- */

/* A chunk of the old list that is damaged costs reading files again, nothing else. */
static enum qn_err next_before(struct qn_backup *backup)
{
    enum qn_err err;
    do {
        err = qn_tree_iter_next(backup->previous, &backup->before);
    } while (err == QN_ERR_CORRUPT || err == QN_ERR_SIGNATURE || err == QN_ERR_IO);
    backup->has_before = err == QN_OK;
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

/* The entry of the same path in the snapshot before, or NULL. */
static enum qn_err find_before(struct qn_backup *backup, struct qn_span path,
                               const struct qn_entry **ret_before)
{
    int order = 1;
    while (backup->has_before && (order = qn_path_cmp(backup->before.path, path)) < 0)
        QN_TRY(next_before(backup));
    *ret_before = backup->has_before && order == 0 ? &backup->before : NULL;
    return QN_OK;
}

static bool is_untouched(const struct qn_entry *entry, const struct qn_entry *before)
{
    return before != NULL && entry->type == before->type && entry->inode == before->inode &&
           entry->ctime_s == before->ctime_s && entry->ctime_ns == before->ctime_ns &&
           entry->mtime_s == before->mtime_s && entry->mtime_ns == before->mtime_ns &&
           entry->size == before->size;
}

static enum qn_err use_chunk(void *context, const struct qn_content_item *item)
{
    struct qn_backup *backup = context;
    if (item->is_hole)
        return QN_OK;
    return qn_pipeline_use(backup->pipeline, QN_BLOB_DATA, &item->id, item->size);
}

static enum qn_err use_manifest(void *context, const struct qn_chunk_id *id)
{
    struct qn_backup *backup = context;
    return qn_pipeline_use(backup->pipeline, QN_BLOB_MANIFEST, id, 0);
}

/* Every chunk of a content that is taken over is looked up: its pack is needed by this snapshot
 * too, and what was lost meanwhile is read again. */
static bool can_take_over(struct qn_backup *backup, const struct qn_content *content,
                          enum qn_err *ret_err)
{
    enum qn_err err = qn_fetch_content(backup->fetcher, content, use_chunk, use_manifest, backup);
    bool is_lost = err == QN_ERR_NOTFOUND || err == QN_ERR_CORRUPT || err == QN_ERR_SIGNATURE;
    *ret_err = is_lost ? QN_OK : err;
    return err == QN_OK;
}

/* ---- one entry ---- */

static void note_done(struct qn_backup *backup, uint64_t bytes)
{
    struct qn_vault_progress *progress = backup->options->progress;
    if (progress == NULL)
        return;
    qn_progress_add(&progress->files_done, 1);
    qn_progress_add(&progress->bytes_done, bytes);
}

/* Attributes count for the time of the last change too: what is untouched has the old ones. */
static enum qn_err fill_xattrs(struct qn_backup *backup, struct qn_entry *entry,
                               const struct qn_entry *before)
{
    if (is_untouched(entry, before)) {
        entry->xattrs = before->xattrs;
        return QN_OK;
    }
    enum qn_err err = qn_walk_xattrs(backup->walk, entry);
    if (err == QN_ERR_CLOSED)
        return err;
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        qn_backup_report(backup, "xattr", entry->path, errno);
    return QN_OK;
}

static void note_lost(struct qn_backup *backup, const struct qn_entry *entry)
{
    if (backup->lost.count >= LOST_MAX)
        return;
    struct qn_buf *path = qn_vec_push_slot(&backup->lost);
    qn_buf_init(path, QN_PATH_SIZE_MAX);
    qn_buf_append_span(path, entry->path);
}

static bool is_lost(const struct qn_backup *backup, struct qn_span path)
{
    qn_vec_each (&backup->lost, it) {
        if (qn_span_eq(qn_buf_view(it), path))
            return true;
    }
    return false;
}

static enum qn_err store_file(struct qn_backup *backup, struct qn_entry *entry,
                              const struct qn_entry *before)
{
    bool is_new = before == NULL || before->type != QN_ENTRY_FILE;
    enum qn_err err = qn_backup_read(backup, entry);
    if (err == QN_ERR_NOTFOUND) {
        note_lost(backup, entry);
        return QN_OK;
    }
    QN_TRY(err);
    QN_TRY(fill_xattrs(backup, entry, NULL));
    backup->counts.files_new += is_new;
    backup->counts.files_changed += !is_new;
    backup->counts.bytes += entry->size;
    note_done(backup, 0); /* its bytes were counted as they were read */
    return qn_window_end(backup, entry, true);
}

static enum qn_err do_file(struct qn_backup *backup, struct qn_entry *entry,
                           const struct qn_entry *before)
{
    enum qn_err err = QN_OK;
    bool is_taken_over =
        is_untouched(entry, before) && can_take_over(backup, &before->content, &err);
    QN_TRY(err);
    if (!is_taken_over)
        return store_file(backup, entry, before);
    entry->content = before->content;
    entry->xattrs = before->xattrs;
    backup->counts.files_unchanged++;
    backup->counts.bytes += entry->size;
    note_done(backup, entry->size);
    return qn_window_end(backup, entry, false);
}

/* Of a folder above what is saved only the attributes are worth something. Its times change with
 * whatever else comes and goes in it: a backup in which nothing changed would have another list. */
static void keep_times(const struct qn_backup *backup, struct qn_entry *entry,
                       const struct qn_entry *before)
{
    if (before == NULL || before->type != QN_ENTRY_DIR || !qn_walk_is_above(backup->walk))
        return;
    bool is_same = entry->mode == before->mode && entry->uid == before->uid &&
                   entry->gid == before->gid && qn_span_eq(entry->user, before->user) &&
                   qn_span_eq(entry->group, before->group) &&
                   qn_span_eq(entry->xattrs, before->xattrs);
    if (!is_same)
        return;
    entry->mtime_s = before->mtime_s;
    entry->mtime_ns = before->mtime_ns;
    entry->ctime_s = before->ctime_s;
    entry->ctime_ns = before->ctime_ns;
    entry->inode = before->inode;
    entry->device = before->device;
}

static enum qn_err do_other(struct qn_backup *backup, struct qn_entry *entry,
                            const struct qn_entry *before)
{
    if (entry->type == QN_ENTRY_HARDLINK && is_lost(backup, entry->target)) {
        qn_backup_report(backup, "unreadable", entry->path, 0);
        return QN_OK;
    }
    if (entry->type != QN_ENTRY_HARDLINK)
        QN_TRY(fill_xattrs(backup, entry, before));
    if (entry->type == QN_ENTRY_DIR)
        keep_times(backup, entry, before);
    backup->counts.dirs += entry->type == QN_ENTRY_DIR;
    backup->counts.others += entry->type != QN_ENTRY_DIR;
    note_done(backup, 0);
    return qn_window_end(backup, entry, false);
}

static enum qn_err do_entry(struct qn_backup *backup, struct qn_entry *entry)
{
    const struct qn_entry *before = NULL;
    if (backup->previous != NULL)
        QN_TRY(find_before(backup, entry->path, &before));
    return entry->type == QN_ENTRY_FILE ? do_file(backup, entry, before)
                                        : do_other(backup, entry, before);
}

/* ---- snapshots of the run ---- */

static uint64_t now_of(const struct qn_backup *backup)
{
    const struct qn_backup_options *options = backup->options;
    return options->clock_ms == NULL ? options->now_ms : options->clock_ms(options->context);
}

static void copy_name(char *out, const char *text)
{
    size_t size = strnlen(text, QN_NAME_SIZE_MAX);
    memcpy(out, text, size);
    out[size] = '\0';
}

static void describe(struct qn_backup *backup, const struct qn_tree_root *root, bool is_partial,
                     struct qn_snapshot *out)
{
    uint64_t packs;
    *out = (struct qn_snapshot){.started_ms = backup->options->now_ms,
                                .ended_ms = now_of(backup),
                                .sequence = backup->sequence,
                                .is_partial = is_partial,
                                .root = *root,
                                .store = backup->store,
                                .places = qn_buf_view(&backup->places),
                                .places_run = backup->places.size > 0 ? backup->places_run : 0,
                                .paths = qn_buf_view(&backup->paths)};
    qn_pipeline_counts(backup->pipeline, &backup->counts.bytes_new, &backup->counts.bytes_stored,
                       &packs);
    out->counts = backup->counts;
    copy_name(out->plan, backup->options->plan);
    copy_name(out->site, backup->options->site);
}

static enum qn_err forget_obsolete(struct qn_backup *backup)
{
    qn_vec_each (&backup->obsolete, name) {
        enum qn_err err = qn_vault_forget(backup->vault, name);
        if (err != QN_OK && err != QN_ERR_NOTFOUND)
            return err;
    }
    backup->obsolete.count = 0;
    return QN_OK;
}

static int name_cmp(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct qn_pack_name));
}

/* Every pack that the snapshot needs, ascending. */
static enum qn_err list_packs(struct qn_backup *backup, qn_pack_name_vec *packs)
{
    QN_TRY(qn_pipeline_live(backup->pipeline, packs));
    if (backup->places_packs.count == 0)
        return QN_OK;
    qn_vec_each (&backup->places_packs, name)
        qn_vec_push(packs, *name);
    qsort(packs->items, packs->count, sizeof(*packs->items), name_cmp);
    size_t count = 1;
    for (size_t i = 1; i < packs->count; i++)
        if (name_cmp(&packs->items[count - 1], &packs->items[i]) != 0)
            packs->items[count++] = packs->items[i];
    packs->count = count;
    return QN_OK;
}

/* All that the list says is durable and in the index before the snapshot is. */
static enum qn_err take_snapshot(struct qn_backup *backup, bool is_partial,
                                 struct qn_tree_root *ret_root, struct qn_snapshot_name *ret_name)
{
    qn_pack_name_vec packs = {0};
    struct qn_snapshot snapshot;
    QN_TRY(qn_window_drain(backup));
    QN_TRY(qn_tree_builder_finish(backup->tree, ret_root));
    QN_TRY(qn_pipeline_flush(backup->pipeline));
    if (!is_partial)
        QN_TRY(qn_backup_places(backup, ret_root));
    describe(backup, ret_root, is_partial, &snapshot);
    enum qn_err err = list_packs(backup, &packs);
    if (err == QN_OK)
        err = qn_vault_commit(backup->vault, &snapshot, packs.items, packs.count, ret_name);
    qn_vec_free(&packs);
    QN_TRY(err);
    backup->sequence++;
    const struct qn_backup_options *options = backup->options;
    if (options->on_snapshot != NULL)
        options->on_snapshot(options->context, ret_name);
    return forget_obsolete(backup);
}

/* The list so far is the beginning of the new one: its leaves come out the same and are known. */
static enum qn_err begin_anew(struct qn_backup *backup, const struct qn_tree_root *root)
{
    qn_tree_builder_free(backup->tree);
    backup->tree = qn_tree_builder_new(qn_backup_put_tree_chunk, backup);
    struct qn_tree_iter *iter = qn_tree_iter_new(root, qn_fetch_tree, backup->fetcher);
    struct qn_entry entry;
    enum qn_err err;
    while ((err = qn_tree_iter_next(iter, &entry)) == QN_OK) {
        err = qn_tree_builder_add(backup->tree, &entry);
        if (err != QN_OK)
            break;
    }
    qn_tree_iter_free(iter);
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static enum qn_err maybe_partial(struct qn_backup *backup)
{
    const struct qn_backup_options *options = backup->options;
    bool is_looked = backup->entries_seen % CLOCK_ENTRIES == 0;
    if (options->partial_every_ms == 0 || options->clock_ms == NULL || !is_looked)
        return QN_OK;
    uint64_t now_ms = now_of(backup);
    if (now_ms < backup->partial_last_ms + options->partial_every_ms)
        return QN_OK;
    struct qn_tree_root root;
    struct qn_snapshot_name name;
    QN_TRY(take_snapshot(backup, true, &root, &name));
    qn_vec_push(&backup->obsolete, name);
    qn_fetcher_rest(backup->fetcher);
    QN_TRY(begin_anew(backup, &root));
    backup->partial_last_ms = now_of(backup);
    return QN_OK;
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
    note_done(backup, 0);
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
    QN_TRY(do_entry(backup, entry));
    return maybe_partial(backup);
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
    return backup->previous == NULL ? QN_OK : next_before(backup);
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
    backup->partial_last_ms = now_of(backup);
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
    return take_snapshot(backup, false, &root, ret_name);
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
