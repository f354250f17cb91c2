/* What the site itself knows, carried by each of its snapshots: a list beside that of the files. It
 * comes first, so that partial snapshots have it too. */
#include "vault/backup_private.h"

static enum qn_err put(struct qn_backup *backup, struct qn_span path, struct qn_span bytes)
{
    struct qn_entry entry = {.path = path, .type = QN_ENTRY_FILE, .mode = 0600, .size = bytes.size};
    if (qn_progress_cancelled(backup->options->progress))
        return QN_ERR_CLOSED;
    if (!qn_path_is_valid(path) ||
        (backup->store_last.size > 0 && qn_path_cmp(path, qn_buf_view(&backup->store_last)) <= 0))
        return QN_ERR_INVALID;
    QN_TRY(qn_backup_add_parents(backup, path, qn_buf_view(&backup->store_last), 0));
    QN_TRY(qn_backup_read_bytes(backup, bytes));
    QN_TRY(qn_window_end(backup, &entry, bytes.size > 0));
    qn_buf_reset(&backup->store_last);
    qn_buf_append_span(&backup->store_last, path);
    return QN_OK;
}

enum qn_err qn_backup_put(struct qn_backup *backup, struct qn_span path, struct qn_span bytes)
{
    if (backup->store_err == QN_OK)
        backup->store_err = put(backup, path, bytes);
    return backup->store_err;
}

/* Of half a list nothing is kept: its chunks are orphans. */
static enum qn_err make_list(struct qn_backup *backup)
{
    const struct qn_backup_options *options = backup->options;
    struct qn_tree_root root;
    enum qn_err err = options->put_store(options->context, backup);
    QN_TRY(backup->store_err);
    QN_TRY(qn_window_drain(backup));
    QN_TRY(qn_tree_builder_finish(backup->tree, &root));
    if (err == QN_OK)
        backup->store = root;
    else if (err != QN_ERR_CLOSED)
        qn_backup_report(backup, "store", qn_span_str(qn_err_name(err)), 0);
    return err == QN_ERR_CLOSED ? err : QN_OK;
}

/* The first run of a plan fills large packs, which go when its files go; what the site knows stays.
 * In packs of its own nothing of it has to be packed anew then, and sent to every holder again.
 * Later runs store a little of each, and one small pack costs less than two. */
static enum qn_err keep_apart(struct qn_backup *backup)
{
    return backup->previous == NULL ? qn_pipeline_flush(backup->pipeline) : QN_OK;
}

enum qn_err qn_backup_store(struct qn_backup *backup)
{
    if (backup->options->put_store == NULL)
        return QN_OK;
    qn_buf_init(&backup->store_last, QN_PATH_SIZE_MAX);
    uint64_t dirs = backup->counts.dirs;
    enum qn_err err = make_list(backup);
    backup->counts.dirs = dirs; /* the counts are of the files */
    qn_buf_deinit(&backup->store_last);
    qn_tree_builder_free(backup->tree);
    backup->tree = qn_tree_builder_new(qn_backup_put_tree_chunk, backup);
    return err == QN_OK ? keep_apart(backup) : err;
}
