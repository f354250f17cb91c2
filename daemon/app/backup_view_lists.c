/* The commands that answer with a list: what is in a snapshot, and in which. */
#include "app/backup_view.h"

#include <fnmatch.h>
#include <stdio.h>

#include "base/text.h"
#include "core/args.h"
#include "proto/pack.h"

/* ---- ls ---- */

static bool is_direct_child(struct qn_span path, struct qn_span dir)
{
    struct qn_span rest = qn_span_from(path, dir.size == 0 ? 0 : dir.size + 1);
    return rest.size > 0 && memchr(rest.data, '/', rest.size) == NULL;
}

static struct qn_span wanted_path(struct qn_span args)
{
    struct qn_cursor cursor = qn_cursor(args_value(args, "path"));
    struct qn_span path;
    if (qn_cursor_bin(&cursor, QN_PATH_SIZE_MAX, &path) != QN_OK)
        return qn_span(NULL, 0);
    return qn_snapshot_path(path);
}

static enum qn_err list_below(struct backup_view *view, struct qn_tree_iter *iter,
                              struct qn_span dir, bool is_recursive)
{
    struct qn_entry entry;
    enum qn_err err;
    if (dir.size > 0)
        QN_TRY(qn_tree_iter_seek(iter, dir));
    bool was_found = dir.size == 0;
    while ((err = qn_tree_iter_next(iter, &entry)) == QN_OK && qn_path_is_below(entry.path, dir)) {
        bool is_itself = qn_span_eq(entry.path, dir);
        was_found = true;
        if (qn_view_is_gone(view->view))
            return QN_ERR_CLOSED;
        if (is_itself ? entry.type == QN_ENTRY_DIR
                      : !is_recursive && !is_direct_child(entry.path, dir))
            continue;
        if (qn_view_task(view->view)->is_limited)
            entry.xattrs = qn_span(NULL, 0); /* a content, too */
        qn_backup_view_add_entry(&entry, &view->batch);
        QN_TRY(qn_backup_batch_added(view));
    }
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    return was_found ? QN_OK : QN_ERR_NOTFOUND;
}

void qn_backup_view_ls(struct backup_view *view)
{
    struct qn_snapshot_info info;
    struct qn_tree_iter *iter;
    struct qn_cursor recursive = qn_cursor(args_value(view->args, "recursive"));
    bool is_recursive = false;
    if (args_value(view->args, "recursive").size > 0 &&
        qn_cursor_bool(&recursive, &is_recursive) != QN_OK) {
        qn_view_refuse(view->view, QN_ERR_INVALID, "bad-request", qn_span_str("recursive"));
        return;
    }
    if (qn_snapshot_pick(&view->place, view->args, "snapshot", &info) != QN_OK)
        return;
    qn_backup_batch_start(view);
    enum qn_err err = qn_vault_list(view->place.vault, &info.snapshot, &iter);
    if (err == QN_OK) {
        err = list_below(view, iter, wanted_path(view->args), is_recursive);
        qn_tree_iter_free(iter);
    }
    qn_backup_batch_end(view, err);
    qn_buf_deinit(&info.plain);
}

/* ---- find ---- */

static bool matches(const char *pattern, struct qn_span path)
{
    char text[QN_PATH_SIZE_MAX + 1];
    snprintf(text, sizeof(text), "%.*s", (int)path.size, (const char *)path.data);
    const char *name = strrchr(text, '/');
    return fnmatch(pattern, strchr(pattern, '/') != NULL || name == NULL ? text : name + 1, 0) == 0;
}

static void add_found(const struct qn_snapshot_info *info, const struct qn_entry *entry,
                      struct qn_buf *out)
{
    qn_pack_map(out, 5);
    qn_pack_cstr(out, "id");
    qn_pack_bin(out, QN_SPAN_OF(info->name.bytes));
    qn_pack_cstr(out, "mtime");
    qn_pack_i64(out, entry->mtime_s * 1000 + entry->mtime_ns / 1000000);
    qn_pack_cstr(out, "path");
    qn_pack_bin(out, entry->path);
    qn_pack_cstr(out, "size");
    qn_pack_u64(out, entry->size);
    qn_pack_cstr(out, "time");
    qn_pack_u64(out, info->snapshot.started_ms);
}

static enum qn_err find_in(struct backup_view *view, const struct qn_snapshot_info *info,
                           const char *pattern)
{
    struct qn_tree_iter *iter;
    struct qn_entry entry;
    QN_TRY(qn_vault_list(view->place.vault, &info->snapshot, &iter));
    enum qn_err err;
    while ((err = qn_tree_iter_next(iter, &entry)) == QN_OK) {
        if (qn_view_is_gone(view->view))
            err = QN_ERR_CLOSED;
        else if (matches(pattern, entry.path)) {
            add_found(info, &entry, &view->batch);
            err = qn_backup_batch_added(view);
        }
        if (err != QN_OK)
            break;
    }
    qn_tree_iter_free(iter);
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

/* In each snapshot, of a holder's copy after it was brought here. False: the view was answered. */
static bool find_in_all(struct backup_view *view, const qn_snapshot_vec *snapshots,
                        const char *pattern, enum qn_err *ret_err)
{
    struct qn_span from = qn_span(NULL, 0);
    (void)args_text(view->args, "from", QN_NAME_SIZE_MAX, &from);
    *ret_err = QN_OK;
    for (size_t i = 0; i < snapshots->count && *ret_err == QN_OK; i++) {
        const struct qn_snapshot_info *info = &snapshots->items[i];
        if (qn_snapshot_bring(&view->place, from, &info->name) != QN_OK)
            return false;
        *ret_err = find_in(view, info, pattern);
    }
    return true;
}

void qn_backup_view_find(struct backup_view *view)
{
    struct qn_span text;
    char pattern[QN_PATH_SIZE_MAX + 1];
    qn_snapshot_vec snapshots = {0};
    enum qn_err err;
    if (!args_text(view->args, "pattern", QN_PATH_SIZE_MAX, &text)) {
        qn_view_refuse(view->view, QN_ERR_INVALID, "bad-pattern", qn_span_str(""));
        return;
    }
    if (qn_snapshot_all(&view->place, view->args, &snapshots) != QN_OK)
        return;
    snprintf(pattern, sizeof(pattern), "%.*s", (int)text.size, (const char *)text.data);
    qn_backup_batch_start(view);
    if (find_in_all(view, &snapshots, pattern, &err))
        qn_backup_batch_end(view, err);
    else
        qn_buf_deinit(&view->batch);
    qn_snapshots_deinit(&snapshots);
}

/* ---- the snapshots of a copy ---- */

static void pack_id(const struct qn_snapshot_name *name, struct qn_buf *out)
{
    char id[9];
    qn_text_hex(qn_span(name->bytes, 4), id);
    qn_pack_cstr(out, "id");
    qn_pack_cstr(out, id);
}

/* A holder tells of lists that it has whole. */
static void pack_copy(struct qn_span site, uint64_t locked_ms, struct qn_buf *out)
{
    qn_pack_cstr(out, "copies");
    qn_pack_array(out, 1);
    qn_pack_map(out, 4);
    qn_pack_cstr(out, "complete");
    qn_pack_bool(out, true);
    qn_pack_cstr(out, "locked_until");
    qn_pack_u64(out, locked_ms);
    qn_pack_cstr(out, "missing_bytes");
    qn_pack_u64(out, 0);
    qn_pack_cstr(out, "site");
    qn_pack_str(out, site);
}

static enum qn_err put_snapshot(struct backup_view *view, const struct qn_snapshot_info *info,
                                struct qn_span site)
{
    const struct qn_snapshot *snapshot = &info->snapshot;
    uint64_t locked_ms = qn_copy_vault_locked_until(view->place.copy, &info->name);
    struct qn_buf *out;
    QN_TRY(qn_view_begin(view->view, &out));
    qn_pack_map(out, 9);
    pack_copy(site, locked_ms, out);
    qn_pack_cstr(out, "files");
    qn_pack_u64(out, snapshot->root.entry_count);
    pack_id(&info->name, out);
    qn_pack_cstr(out, "locked_until");
    qn_pack_u64(out, locked_ms);
    qn_pack_cstr(out, "new_bytes");
    qn_pack_u64(out, snapshot->counts.bytes_stored);
    qn_pack_cstr(out, "partial");
    qn_pack_bool(out, snapshot->is_partial);
    qn_pack_cstr(out, "plan");
    qn_pack_cstr(out, snapshot->plan);
    qn_pack_cstr(out, "size");
    qn_pack_u64(out, snapshot->counts.bytes);
    qn_pack_cstr(out, "time");
    qn_pack_u64(out, snapshot->started_ms);
    return qn_view_end(view->view);
}

void qn_backup_view_list(struct backup_view *view)
{
    qn_snapshot_vec snapshots = {0};
    struct qn_span from;
    enum qn_err err = QN_OK;
    if (view->place.copy == NULL || !args_text(view->args, "from", QN_NAME_SIZE_MAX, &from)) {
        qn_backup_view_refuse(view, QN_ERR_INVALID, "bad-request", qn_span_str("from"));
        return;
    }
    if (qn_snapshot_all(&view->place, view->args, &snapshots) != QN_OK)
        return;
    for (size_t i = 0; i < snapshots.count && err == QN_OK; i++)
        err = put_snapshot(view, &snapshots.items[i], from);
    qn_snapshots_deinit(&snapshots);
    qn_backup_batch_start(view);
    qn_backup_batch_end(view, err);
}

/* ---- diff: two sorted lists side by side ---- */

struct side {
    struct qn_tree_iter *iter;
    struct qn_entry entry;
    bool has_entry;
};

static enum qn_err advance(struct side *side)
{
    enum qn_err err = qn_tree_iter_next(side->iter, &side->entry);
    side->has_entry = err == QN_OK;
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static const char *change_of(const struct qn_entry *a, const struct qn_entry *b)
{
    if (a->type != b->type || a->size != b->size || a->content.depth != b->content.depth ||
        !qn_span_eq(a->content.items, b->content.items) || !qn_span_eq(a->target, b->target))
        return "changed";
    if (a->mode != b->mode || a->uid != b->uid || a->gid != b->gid ||
        !qn_span_eq(a->xattrs, b->xattrs))
        return "mode";
    return NULL;
}

static enum qn_err add_change(struct backup_view *view, const char *change, struct qn_span path)
{
    qn_pack_map(&view->batch, 2);
    qn_pack_cstr(&view->batch, "change");
    qn_pack_cstr(&view->batch, change);
    qn_pack_cstr(&view->batch, "path");
    qn_pack_bin(&view->batch, path);
    return qn_backup_batch_added(view);
}

static enum qn_err diff_step(struct backup_view *view, struct side *a, struct side *b)
{
    int order = !a->has_entry ? 1 : !b->has_entry ? -1 : qn_path_cmp(a->entry.path, b->entry.path);
    const char *change = order < 0   ? "removed"
                         : order > 0 ? "added"
                                     : change_of(&a->entry, &b->entry);
    if (change != NULL)
        QN_TRY(add_change(view, change, order > 0 ? b->entry.path : a->entry.path));
    if (order <= 0)
        QN_TRY(advance(a));
    return order >= 0 ? advance(b) : QN_OK;
}

static enum qn_err diff_lists(struct backup_view *view, const struct qn_snapshot *older,
                              const struct qn_snapshot *newer)
{
    struct side a = {0}, b = {0};
    enum qn_err err = qn_vault_list(view->place.vault, older, &a.iter);
    if (err == QN_OK)
        err = qn_vault_list(view->place.vault, newer, &b.iter);
    if (err == QN_OK)
        err = advance(&a);
    if (err == QN_OK)
        err = advance(&b);
    while (err == QN_OK && (a.has_entry || b.has_entry))
        err = qn_view_is_gone(view->view) ? QN_ERR_CLOSED : diff_step(view, &a, &b);
    qn_tree_iter_free(a.iter);
    qn_tree_iter_free(b.iter);
    return err;
}

void qn_backup_view_diff(struct backup_view *view)
{
    struct qn_snapshot_info a, b;
    if (qn_snapshot_pick(&view->place, view->args, "a", &a) != QN_OK)
        return;
    if (qn_snapshot_pick(&view->place, view->args, "b", &b) == QN_OK) {
        qn_backup_batch_start(view);
        qn_backup_batch_end(view, diff_lists(view, &a.snapshot, &b.snapshot));
        qn_buf_deinit(&b.plain);
    }
    qn_buf_deinit(&a.plain);
}
