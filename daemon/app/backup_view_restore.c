/* A restore: entries and their bytes, to the client that writes them. */
#include "app/backup_view.h"

#include "core/args.h"
#include "proto/pack.h"

#define PIECE_SIZE (128 * 1024)

/* An answer of one member; its value is to be packed into *ret_out, then qn_view_end. */
static enum qn_err begin_pair(struct backup_view *view, const char *key, struct qn_buf **ret_out)
{
    QN_TRY(qn_view_begin(view->view, ret_out));
    qn_pack_map(*ret_out, 1);
    qn_pack_cstr(*ret_out, key);
    return QN_OK;
}

static enum qn_err on_entry(void *context, const struct qn_entry *entry)
{
    struct backup_view *view = context;
    struct qn_buf *out;
    view->entries++;
    qn_backup_sight_look(view, entry);
    struct qn_entry shown = *entry;
    if (view->is_hidden)
        shown.xattrs = qn_span(NULL, 0);
    QN_TRY(begin_pair(view, "e", &out));
    qn_backup_view_add_entry(&shown, out);
    return qn_view_end(view->view);
}

static enum qn_err put_piece(struct backup_view *view, const uint8_t *bytes, size_t size)
{
    struct qn_buf *out;
    QN_TRY(begin_pair(view, "b", &out));
    qn_pack_bin(out, qn_span(bytes, size));
    return qn_view_end(view->view);
}

static enum qn_err put_hole(struct backup_view *view, size_t size)
{
    struct qn_buf *out;
    QN_TRY(begin_pair(view, "h", &out));
    qn_pack_u64(out, size);
    return qn_view_end(view->view);
}

static enum qn_err on_bytes(void *context, const uint8_t *bytes, size_t size)
{
    struct backup_view *view = context;
    if (view->is_hidden)
        return QN_OK;
    view->bytes += size;
    if (bytes == NULL)
        return put_hole(view, size);
    for (size_t at = 0; at < size; at += PIECE_SIZE)
        QN_TRY(put_piece(view, bytes + at, size - at < PIECE_SIZE ? size - at : PIECE_SIZE));
    return QN_OK;
}

static enum qn_err on_entry_end(void *context, enum qn_err err)
{
    struct backup_view *view = context;
    struct qn_buf *out;
    view->faults += err != QN_OK;
    if (view->is_hidden)
        err = QN_ERR_DENIED;
    view->errors += err != QN_OK;
    QN_TRY(begin_pair(view, "x", &out));
    qn_pack_cstr(out, err == QN_OK ? "" : qn_err_name(err));
    return qn_view_end(view->view);
}

static enum qn_err take_paths(struct qn_span args, struct qn_span *paths, size_t *ret_count)
{
    struct qn_cursor cursor = qn_cursor(args_value(args, "paths"));
    *ret_count = 0;
    if (args_value(args, "paths").size == 0)
        return QN_OK;
    QN_TRY(qn_cursor_array(&cursor, QN_SNAPSHOT_PATHS_MAX, ret_count));
    for (size_t i = 0; i < *ret_count; i++) {
        QN_TRY(qn_cursor_bin(&cursor, QN_PATH_SIZE_MAX, &paths[i]));
        paths[i] = qn_snapshot_path(paths[i]);
    }
    return QN_OK;
}

static enum qn_err put_totals(struct backup_view *view, const struct qn_snapshot *snapshot,
                              bool is_whole)
{
    struct qn_buf *out;
    QN_TRY(qn_view_begin(view->view, &out));
    qn_pack_map(out, 2);
    qn_pack_cstr(out, "bytes");
    is_whole ? qn_pack_u64(out, snapshot->root.size) : qn_pack_nil(out);
    qn_pack_cstr(out, "entries");
    is_whole ? qn_pack_u64(out, snapshot->root.entry_count) : qn_pack_nil(out);
    return qn_view_end(view->view);
}

static void finish_restore(struct backup_view *view)
{
    QN_AUTO_BUF struct qn_buf item;
    qn_buf_init(&item, 128);
    qn_pack_map(&item, 3);
    qn_pack_cstr(&item, "bytes");
    qn_pack_u64(&item, view->bytes);
    qn_pack_cstr(&item, "entries");
    qn_pack_u64(&item, view->entries);
    qn_pack_cstr(&item, "errors");
    qn_pack_u64(&item, view->errors);
    qn_view_finish(view->view, qn_buf_view(&item));
}

static bool is_wrong(enum qn_err err)
{
    return err == QN_ERR_CORRUPT || err == QN_ERR_SIGNATURE;
}

void qn_backup_view_restore(struct backup_view *view)
{
    struct qn_snapshot_info info;
    struct qn_span paths[QN_SNAPSHOT_PATHS_MAX];
    size_t path_count;
    if (take_paths(view->args, paths, &path_count) != QN_OK) {
        qn_backup_view_refuse(view, QN_ERR_INVALID, "bad-path", qn_span_str(""));
        return;
    }
    if (qn_snapshot_pick(&view->place, view->args, "snapshot", &info) != QN_OK)
        return;
    struct qn_restore_options options = {.snapshot = &info.snapshot,
                                         .paths = paths,
                                         .path_count = path_count,
                                         .progress = qn_view_progress(view->view),
                                         .on_entry = on_entry,
                                         .on_bytes = on_bytes,
                                         .on_entry_end = on_entry_end,
                                         .context = view};
    enum qn_err err = qn_backup_sight_reach(view, &info.snapshot, paths, path_count);
    if (err == QN_OK)
        err = put_totals(view, &info.snapshot, path_count == 0);
    if (err == QN_OK)
        err = qn_vault_restore(view->place.vault, &options);
    qn_buf_deinit(&info.plain);
    qn_buf_deinit(&view->shut);
    if (view->place.copy != NULL && (view->faults > 0 || is_wrong(err)))
        qn_copy_vault_distrust(view->place.copy);
    if (err == QN_OK && view->entries == 0 && path_count > 0)
        err = QN_ERR_NOTFOUND;
    if (err == QN_OK)
        finish_restore(view);
    else if (err == QN_ERR_DENIED)
        qn_backup_view_refuse(view, err, "not-allowed-here", qn_span_str("backup.restore"));
    else if (view->place.copy != NULL && is_wrong(err))
        qn_backup_view_refuse(view, err, "holder-bad", qn_span_str(""));
    else
        qn_backup_view_refuse(view, err, qn_snapshot_code(err), qn_span_str(""));
}
