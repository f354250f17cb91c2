/* One entry of the walk: against the snapshot before, then read or taken over, into the list. */
#include <errno.h>

#include "vault/backup_private.h"

#define LOST_MAX 1024 /* paths of unread files that are remembered for their further names */

/* ---- the snapshot before ---- */

enum qn_err qn_backup_next_before(struct qn_backup *backup)
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
        QN_TRY(qn_backup_next_before(backup));
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

void qn_backup_note_done(struct qn_backup *backup, uint64_t bytes)
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
    qn_backup_note_done(backup, 0); /* its bytes were counted as they were read */
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
    qn_backup_note_done(backup, entry->size);
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
    qn_backup_note_done(backup, 0);
    return qn_window_end(backup, entry, false);
}

enum qn_err qn_backup_entry(struct qn_backup *backup, struct qn_entry *entry)
{
    const struct qn_entry *before = NULL;
    if (backup->previous != NULL)
        QN_TRY(find_before(backup, entry->path, &before));
    return entry->type == QN_ENTRY_FILE ? do_file(backup, entry, before)
                                        : do_other(backup, entry, before);
}
