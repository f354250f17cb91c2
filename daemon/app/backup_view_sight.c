/* What a caller who is no admin gets of a restore: every name, but only the content that this user
 * could read where it comes from. Entries come in order, a directory before what is in it; the
 * parents of the top paths are in the list too. */
#include "app/backup_view.h"

#define READ  4u
#define ENTER 1u

static const struct qn_caller *caller_of(const struct backup_view *view)
{
    const struct qn_view_task *task = qn_view_task(view->view);
    return task->is_limited ? &task->caller : NULL;
}

static bool is_in_shut(const struct backup_view *view, struct qn_span path)
{
    return view->is_shut && qn_path_is_below(path, qn_buf_view(&view->shut));
}

static void shut(struct backup_view *view, struct qn_span path)
{
    qn_buf_deinit(&view->shut);
    qn_buf_init(&view->shut, QN_PATH_SIZE_MAX);
    qn_buf_append_span(&view->shut, path);
    view->is_shut = true;
}

void qn_backup_sight_look(struct backup_view *view, const struct qn_entry *entry)
{
    const struct qn_caller *caller = caller_of(view);
    view->is_hidden = false;
    if (caller == NULL)
        return;
    view->is_hidden = is_in_shut(view, entry->path) || !qn_caller_may(caller, entry, READ);
    if (entry->type == QN_ENTRY_DIR && !is_in_shut(view, entry->path) &&
        !qn_caller_may(caller, entry, ENTER))
        shut(view, entry->path);
}

/* One directory above what was chosen. */
static enum qn_err may_enter(const struct backup_view *view, struct qn_tree_iter *iter,
                             struct qn_span dir)
{
    struct qn_entry entry;
    QN_TRY(qn_tree_iter_seek(iter, dir));
    QN_TRY(qn_tree_iter_next(iter, &entry));
    if (!qn_span_eq(entry.path, dir))
        return QN_ERR_NOTFOUND;
    return qn_caller_may(caller_of(view), &entry, ENTER) ? QN_OK : QN_ERR_DENIED;
}

static enum qn_err may_come_to(const struct backup_view *view, struct qn_tree_iter *iter,
                               struct qn_span path)
{
    for (size_t at = 0; at < path.size; at++)
        if (path.data[at] == '/')
            QN_TRY(may_enter(view, iter, qn_span(path.data, at)));
    return QN_OK;
}

enum qn_err qn_backup_sight_reach(const struct backup_view *view,
                                  const struct qn_snapshot *snapshot, const struct qn_span *paths,
                                  size_t count)
{
    struct qn_tree_iter *iter;
    enum qn_err err = QN_OK;
    if (caller_of(view) == NULL || count == 0)
        return QN_OK;
    QN_TRY(qn_vault_list(view->place.vault, snapshot, &iter));
    for (size_t i = 0; i < count && err == QN_OK; i++)
        err = may_come_to(view, iter, paths[i]);
    qn_tree_iter_free(iter);
    return err;
}
