#include <stdlib.h>

#include "vault/ahead.h"
#include "vault/entry_copy.h"
#include "vault/hints.h"

/* ---- one content ---- */

struct content_reader {
    struct qn_ahead *ahead;
    qn_content_sink sink;
    void *context;
    uint64_t skip;    /* bytes before what is wanted: whole items are not fetched */
    uint64_t trimmed; /* of the first one that is handed out */
};

static enum qn_err want_item(void *context, const struct qn_content_item *item)
{
    struct content_reader *reader = context;
    if (reader->skip >= item->size) {
        reader->skip -= item->size;
        return QN_OK;
    }
    reader->trimmed += reader->skip; /* not zero but for the first one */
    reader->skip = 0;
    return qn_ahead_item(reader->ahead, item);
}

static enum qn_err pass_bytes(void *context, const uint8_t *bytes, uint64_t size, enum qn_err err)
{
    struct content_reader *reader = context;
    QN_TRY(err);
    uint64_t trimmed = reader->trimmed;
    reader->trimmed = 0;
    return reader->sink(reader->context, bytes == NULL ? NULL : bytes + trimmed,
                        (size_t)(size - trimmed));
}

enum qn_err qn_vault_content(struct qn_vault *vault, const struct qn_entry *entry, uint64_t offset,
                             qn_content_sink sink, void *context)
{
    struct content_reader reader = {.sink = sink, .context = context, .skip = offset};
    if (entry->type != QN_ENTRY_FILE || offset > entry->size)
        return QN_ERR_INVALID;
    struct qn_ahead_sink out = {.on_bytes = pass_bytes, .context = &reader};
    reader.ahead = qn_ahead_new(vault, &out);
    enum qn_err err =
        qn_fetch_content(qn_ahead_fetcher(reader.ahead), &entry->content, want_item, NULL, &reader);
    if (err == QN_OK)
        err = qn_ahead_finish(reader.ahead);
    qn_ahead_free(reader.ahead);
    return err;
}

/* ---- lists ---- */

/* Iterators come and go without telling the vault: they share one fetcher. */
static enum qn_err get_listed(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                              struct qn_buf *out)
{
    struct qn_vault *vault = context;
    pthread_mutex_lock(&vault->listing);
    if (vault->lister == NULL)
        vault->lister = qn_fetcher_new(vault);
    enum qn_err err = qn_fetch_chunk(vault->lister, kind, id, out);
    qn_fetcher_rest(vault->lister);
    pthread_mutex_unlock(&vault->listing);
    return err;
}

enum qn_err qn_vault_list(struct qn_vault *vault, const struct qn_snapshot *snapshot,
                          struct qn_tree_iter **ret_iter)
{
    *ret_iter = qn_tree_iter_new(&snapshot->root, get_listed, vault);
    return QN_OK;
}

/* ---- restoring ---- */

struct restore {
    struct qn_vault *vault;
    const struct qn_restore_options *options;
    struct qn_ahead *ahead;
    struct qn_tree_iter *iter;
    QN_VEC(struct qn_span) paths; /* sorted, none below another */
    /* Handing out: the file that is under way. */
    struct qn_entry_copy current;
    enum qn_err current_err; /* its bytes are not handed out any more */
    bool has_lost_chunks;    /* of the list */
    bool has_ended;          /* a callback said so */
};

static void report(struct restore *restore, enum qn_err err, struct qn_span path)
{
    const struct qn_restore_options *options = restore->options;
    if (options->progress != NULL)
        qn_progress_add(&options->progress->errors, 1);
    if (options->on_report != NULL)
        options->on_report(options->context, err == QN_ERR_NOTFOUND ? "missing-chunk" : "bad-chunk",
                           path, 0);
}

static enum qn_err settle(struct restore *restore, enum qn_err err)
{
    restore->has_ended |= err != QN_OK;
    return err;
}

static enum qn_err hand_entry(void *context, const struct qn_entry *entry)
{
    struct restore *restore = context;
    const struct qn_restore_options *options = restore->options;
    restore->current_err = QN_OK;
    QN_TRY(qn_entry_copy_set(&restore->current, entry));
    if (options->progress != NULL)
        qn_progress_add(&options->progress->files_done, 1);
    return settle(restore, options->on_entry(options->context, entry));
}

static enum qn_err hand_bytes(void *context, const uint8_t *bytes, uint64_t size, enum qn_err err)
{
    struct restore *restore = context;
    const struct qn_restore_options *options = restore->options;
    if (restore->current_err != QN_OK)
        return QN_OK;
    if (err != QN_OK) {
        restore->current_err = err;
        report(restore, err, restore->current.entry.path);
        return QN_OK;
    }
    if (options->progress != NULL)
        qn_progress_add(&options->progress->bytes_done, size);
    return settle(restore, options->on_bytes(options->context, bytes, (size_t)size));
}

/* An error that comes with the end is of a manifest, and not reported yet. */
static enum qn_err hand_end(void *context, enum qn_err err)
{
    struct restore *restore = context;
    if (restore->current_err == QN_OK && err != QN_OK) {
        restore->current_err = err;
        report(restore, err, restore->current.entry.path);
    }
    return settle(restore,
                  restore->options->on_entry_end(restore->options->context, restore->current_err));
}

static enum qn_err add_item(void *context, const struct qn_content_item *item)
{
    struct restore *restore = context;
    if (qn_progress_cancelled(restore->options->progress))
        return QN_ERR_CLOSED;
    return qn_ahead_item(restore->ahead, item);
}

static bool is_lost(enum qn_err err)
{
    return err == QN_ERR_NOTFOUND || err == QN_ERR_CORRUPT || err == QN_ERR_SIGNATURE ||
           err == QN_ERR_IO;
}

/* Of what the callbacks say, everything ends the restore; what manifests lack ends the file. */
static enum qn_err add_content(struct restore *restore, const struct qn_entry *entry)
{
    struct qn_fetcher *fetcher = qn_ahead_fetcher(restore->ahead);
    enum qn_err err = qn_fetch_content(fetcher, &entry->content, add_item, NULL, restore);
    if (restore->has_ended || (err != QN_OK && !(is_lost(err) && entry->content.depth > 0)))
        return err;
    return qn_ahead_end(restore->ahead, err);
}

static bool is_chosen(const struct restore *restore, struct qn_span path)
{
    qn_vec_each (&restore->paths, it) {
        if (qn_path_is_below(path, *it))
            return true;
    }
    return restore->paths.count == 0;
}

/* A further name of a file that is not among what is restored is restored as that file. */
static enum qn_err resolve_link(struct restore *restore, const struct qn_entry *link,
                                struct qn_entry_copy *ret_file)
{
    struct qn_tree_iter *iter;
    struct qn_entry file;
    QN_TRY(qn_vault_list(restore->vault, restore->options->snapshot, &iter));
    enum qn_err err = qn_tree_iter_seek(iter, link->target);
    if (err == QN_OK)
        err = qn_tree_iter_next(iter, &file);
    if (err == QN_OK && !qn_span_eq(file.path, link->target))
        err = QN_ERR_NOTFOUND;
    if (err == QN_OK) {
        file.path = link->path;
        err = qn_entry_copy_set(ret_file, &file);
    }
    qn_tree_iter_free(iter);
    return err;
}

static enum qn_err add_plain(struct restore *restore, const struct qn_entry *entry)
{
    QN_TRY(qn_ahead_entry(restore->ahead, entry));
    return entry->type == QN_ENTRY_FILE ? add_content(restore, entry) : QN_OK;
}

static enum qn_err add_entry(struct restore *restore, const struct qn_entry *entry)
{
    if (qn_progress_cancelled(restore->options->progress))
        return QN_ERR_CLOSED;
    if (entry->type != QN_ENTRY_HARDLINK || is_chosen(restore, entry->target))
        return add_plain(restore, entry);
    struct qn_entry_copy file = {0};
    enum qn_err err = resolve_link(restore, entry, &file);
    if (err == QN_OK)
        err = add_plain(restore, &file.entry);
    else if (is_lost(err))
        report(restore, err, entry->path), err = QN_OK;
    qn_entry_copy_deinit(&file);
    return err;
}

/* ---- the list ---- */

/* A chunk of the list that cannot be had is told once; what comes after it is restored. */
static enum qn_err next_entry(struct restore *restore, struct qn_entry *ret_entry)
{
    enum qn_err err;
    while ((err = qn_tree_iter_next(restore->iter, ret_entry)) != QN_OK) {
        if (err == QN_ERR_NOTFOUND || !is_lost(err))
            return err;
        restore->has_lost_chunks = true;
        report(restore, err, qn_span(NULL, 0));
    }
    return QN_OK;
}

static enum qn_err restore_below(struct restore *restore, struct qn_span path)
{
    struct qn_entry entry;
    enum qn_err err;
    while ((err = next_entry(restore, &entry)) == QN_OK && qn_path_is_below(entry.path, path)) {
        bool is_all = entry.type != QN_ENTRY_DIR && qn_span_eq(entry.path, path);
        QN_TRY(add_entry(restore, &entry));
        if (is_all) /* what follows may be in a chunk that nobody needs */
            return QN_OK;
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static enum qn_err restore_all(struct restore *restore)
{
    if (restore->paths.count == 0)
        return restore_below(restore, qn_span(NULL, 0));
    qn_vec_each (&restore->paths, path) {
        enum qn_err err = qn_tree_iter_seek(restore->iter, *path);
        if (err == QN_ERR_NOTFOUND)
            continue;
        QN_TRY(err);
        QN_TRY(restore_below(restore, *path));
    }
    return QN_OK;
}

static int by_path(const void *a, const void *b)
{
    return qn_path_cmp(*(const struct qn_span *)a, *(const struct qn_span *)b);
}

static void choose_paths(struct restore *restore)
{
    const struct qn_restore_options *options = restore->options;
    QN_VEC(struct qn_span) all = {0};
    for (size_t i = 0; i < options->path_count; i++) {
        struct qn_span path = options->paths[i];
        qn_vec_push(&all, path.size > 0 && path.data[0] == '/' ? qn_span_from(path, 1) : path);
    }
    if (all.count > 0)
        qsort(all.items, all.count, sizeof(*all.items), by_path);
    qn_vec_each (&all, it) {
        size_t count = restore->paths.count;
        if (count == 0 || !qn_path_is_below(*it, restore->paths.items[count - 1]))
            qn_vec_push(&restore->paths, *it);
    }
    qn_vec_free(&all);
}

static void tell_totals(const struct restore *restore)
{
    const struct qn_restore_options *options = restore->options;
    if (options->progress == NULL || options->path_count > 0)
        return;
    atomic_store(&options->progress->files_total, options->snapshot->root.entry_count);
    atomic_store(&options->progress->bytes_total, options->snapshot->root.size);
}

enum qn_err qn_vault_restore(struct qn_vault *vault, const struct qn_restore_options *options)
{
    struct restore restore = {.vault = vault, .options = options};
    struct qn_ahead_sink sink = {
        .on_entry = hand_entry, .on_bytes = hand_bytes, .on_end = hand_end, .context = &restore};
    choose_paths(&restore);
    if (restore.paths.count == 0 && vault->hints != NULL)
        QN_TRY(qn_hints_complete(vault->hints)); /* so much is sooner found by directories */
    tell_totals(&restore);
    restore.ahead = qn_ahead_new(vault, &sink);
    enum qn_err err = qn_vault_list(vault, options->snapshot, &restore.iter);
    if (err == QN_OK)
        err = restore_all(&restore);
    if (err == QN_OK)
        err = qn_ahead_finish(restore.ahead);
    qn_tree_iter_free(restore.iter);
    qn_ahead_free(restore.ahead);
    qn_entry_copy_deinit(&restore.current);
    qn_vec_free(&restore.paths);
    return err == QN_OK && restore.has_lost_chunks ? QN_ERR_CORRUPT : err;
}
