/* Copies and moves. A copy is made under a hidden name and then put in its place in one step; what
 * was there is exchanged for it, and removed afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>

#include "files/change.h"
#include "files/names.h"

struct copy_call {
    struct change_call change;
    struct local *target; /* the folder where it goes */
    struct qn_buf to;
    bool overwrites, is_shallow, is_directory;
    bool is_across;   /* a move to another file system */
    struct row fresh; /* of a file in its new place */
    bool has_fresh;
};

/* What is at the destination; false: nothing. */
static enum qn_err look_for_room(const struct copy_call *copy, const struct place *to,
                                 struct statx *ret_there, bool *ret_exists)
{
    enum qn_err err = place_look(to, ret_there);
    *ret_exists = err == QN_OK;
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    return err == QN_OK && !copy->overwrites ? QN_ERR_EXISTS : err;
}

static enum qn_err rename_to(struct copy_call *copy, int from, const char *name,
                             const struct place *to, unsigned flags)
{
    if (renameat2(from, name, to->parent, to->name, flags) == 0)
        return QN_OK;
    copy->is_across = errno == EXDEV;
    return files_err(errno);
}

/* Under the lock: `name` of `from` gets its place. What had it is left at `name` with *ret_rest
 * set, unless both are files: then it is gone in the same step. */
static enum qn_err put(struct copy_call *copy, int from, const char *name, const struct place *to,
                       bool *ret_rest)
{
    struct statx there;
    bool exists;
    QN_TRY(look_for_room(copy, to, &there, &exists));
    if (!exists)
        return rename_to(copy, from, name, to, RENAME_NOREPLACE);
    unsigned flags = RENAME_EXCHANGE;
    if (!copy->is_directory && !is_directory(&there))
        flags = 0;
    QN_TRY(rename_to(copy, from, name, to, flags));
    *ret_rest = flags != 0;
    return QN_OK;
}

/* Both folders, in an order that is the same for all. */
static void lock_both(struct copy_call *copy)
{
    struct local *first = copy->change.call.folder, *second = copy->target;
    if (first > second) {
        first = copy->target;
        second = copy->change.call.folder;
    }
    pthread_mutex_lock(&first->change);
    if (second != first)
        pthread_mutex_lock(&second->change);
}

static void unlock_both(struct copy_call *copy)
{
    if (copy->target != copy->change.call.folder)
        pthread_mutex_unlock(&copy->target->change);
    pthread_mutex_unlock(&copy->change.call.folder->change);
}

static enum qn_err put_locked(struct copy_call *copy, int from, const char *name,
                              const struct place *to, bool *ret_rest)
{
    lock_both(copy);
    enum qn_err err = put(copy, from, name, to, ret_rest);
    unlock_both(copy);
    return err;
}

/* What was replaced goes; that it cannot all be removed at once is the sweep's care. */
static void drop(int parent, const char *name)
{
    struct tree_report report;
    tree_report_init(&report, NULL, qn_span(NULL, 0));
    tree_remove(parent, name, &report);
    tree_report_deinit(&report);
}

static enum qn_err find_both(struct copy_call *copy, struct place *from, struct place *to,
                             struct statx *ret_status)
{
    struct local *folder = copy->change.call.folder;
    struct qn_span source = qn_buf_view(&copy->change.call.path), target = qn_buf_view(&copy->to);
    if (copy->target == folder &&
        (qn_name_is_within(target, source) || qn_name_is_within(source, target)))
        return QN_ERR_STATE; /* into itself, or over what it is in */
    QN_TRY(real_find(folder, source, from));
    QN_TRY(place_look(from, ret_status));
    QN_TRY(real_find_new(copy->target, target, to));
    copy->is_directory = is_directory(ret_status);
    return QN_OK;
}

/* ---- copy ---- */
static enum qn_err fill_file(struct copy_call *copy, const struct place *from,
                             const struct place *to, struct stage *stage)
{
    AUTO_FD int source = -1;
    struct statx before, after;
    const struct row *row = call_row(&copy->change.call);
    const atomic_bool *stops = &copy->change.call.is_cancelled;
    QN_TRY(name_open_file(from->parent, from->name, &source, &before));
    QN_TRY(stage_make_file(copy->target, to->parent, stage));
    mode_set(stage->fd, mode_for_new(to->parent, false));
    QN_TRY(file_copy(source, stage->fd, &before, stops));
    QN_TRY(fd_look(source, &after));
    copy->has_fresh = row_holds(row, &before) && row_holds(row, &after);
    return sync_fd(stage->fd);
}

static enum qn_err fill_directory(struct copy_call *copy, const struct place *from,
                                  const struct place *to, struct stage *stage)
{
    struct statx status;
    AUTO_FD int source =
        beneath_open(from->parent, from->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (source < 0)
        return files_err(errno);
    QN_TRY(fd_look(source, &status));
    QN_TRY(stage_make_directory(copy->target, to->parent, stage));
    mode_set(stage->fd, mode_for_new(to->parent, true));
    if (!copy->is_shallow)
        tree_copy(source, stage->fd, &copy->change.report);
    if (copy->change.report.err == QN_ERR_CLOSED || copy->change.report.err == QN_ERR_NOSPACE)
        return copy->change.report.err; /* not half a copy */
    QN_TRY(fd_set_modified(stage->fd, time_ns(&status.stx_mtime)));
    /* Many files at once: one wait for the file system instead of one for each. */
    return syncfs(stage->fd) == 0 ? QN_OK : files_err(errno);
}

static void keep_row(struct copy_call *copy, int fd)
{
    struct statx status;
    const struct row *row = call_row(&copy->change.call);
    copy->has_fresh = copy->has_fresh && fd_look(fd, &status) == QN_OK &&
                      status.stx_size == row->size &&
                      time_ns(&status.stx_mtime) == row->modified_ns &&
                      row_make(&status, row->digest, row_weak(row), &copy->fresh);
}

/* A copy under a hidden name, whole and durable, gets its place. */
static enum qn_err make_copy(struct copy_call *copy, const struct place *from,
                             const struct place *to)
{
    struct stage stage = {.fd = -1};
    bool has_rest = true; /* until it has its place, the copy itself */
    enum qn_err err = copy->is_directory ? fill_directory(copy, from, to, &stage)
                                         : fill_file(copy, from, to, &stage);
    if (err == QN_OK && copy->is_across)
        err = copy->change.report.err; /* what could not be read would be lost */
    if (err != QN_OK && copy->is_across)
        tree_report_forget(&copy->change.report);
    if (err == QN_OK) {
        bool has_old = false;
        err = put_locked(copy, to->parent, stage.name, to, &has_old);
        has_rest = err != QN_OK || has_old;
    }
    if (err == QN_OK)
        err = sync_fd(to->parent);
    if (stage.fd >= 0 && has_rest)
        drop(to->parent, stage.name);
    if (stage.fd >= 0)
        keep_row(copy, stage.fd);
    close_fd(&stage.fd);
    return err;
}

static enum qn_err copy_run(struct copy_call *copy)
{
    AUTO_PLACE struct place from = {.parent = -1}, to = {.parent = -1};
    struct statx status, there;
    bool exists;
    QN_TRY(find_both(copy, &from, &to, &status));
    QN_TRY(look_for_room(copy, &to, &there, &exists));
    enum qn_err err = make_copy(copy, &from, &to);
    return err == QN_OK ? copy->change.report.err : err;
}

static void copy_work(struct qn_folder_call *call)
{
    call->err = copy_run((struct copy_call *)call);
}

static void copy_finish(struct qn_folder_call *call)
{
    struct copy_call *copy = (struct copy_call *)call;
    call_changed_in(call, copy->target, qn_buf_view(&copy->to));
    if (call->err == QN_OK && copy->has_fresh)
        rows_put_in(call, copy->target, qn_buf_view(&copy->to), &copy->fresh, change_stored);
    else
        change_tell(&copy->change);
}

static void copy_free(struct qn_folder_call *call)
{
    qn_buf_deinit(&((struct copy_call *)call)->to);
    change_free(call);
}

static const struct call_kind copy_kind = {
    .prepare = call_read_row,
    .work = copy_work,
    .finish = copy_finish,
    .free = copy_free,
    .is_long = true,
};

/* ---- move ---- */
static enum qn_err move_run(struct copy_call *move)
{
    AUTO_PLACE struct place from = {.parent = -1}, to = {.parent = -1};
    struct statx status, after;
    bool has_rest = false;
    struct qn_folder_call *call = &move->change.call;
    QN_TRY(find_both(move, &from, &to, &status));
    if (from.is_root || to.is_root)
        return QN_ERR_DENIED;
    QN_TRY(put_locked(move, from.parent, from.name, &to, &has_rest));
    /* The new name first: a crash between the two leaves one name too many, not one too few. */
    QN_TRY(sync_fd(to.parent));
    QN_TRY(sync_fd(from.parent));
    if (has_rest)
        tree_remove(from.parent, from.name, &move->change.report);
    if (has_rest)
        QN_TRY(sync_fd(from.parent));
    if (call->has_row && name_look(to.parent, to.name, &after) == QN_OK)
        move->has_fresh = row_holds_but_changed(&call->row, &after) &&
                          row_make(&after, call->row.digest, row_weak(&call->row), &move->fresh);
    return move->change.report.err;
}

static void move_work(struct qn_folder_call *call)
{
    call->err = move_run((struct copy_call *)call);
}

/* To another file system: a copy, and when that is durable the source goes, but for what somebody
 * changed meanwhile. */
static enum qn_err across_run(struct copy_call *move)
{
    AUTO_PLACE struct place from = {.parent = -1}, to = {.parent = -1};
    struct statx status;
    struct tree_report *report = &move->change.report;
    struct tree_moved moved = {.report = report, .change = &move->change.call.folder->change};
    tree_moved_begin(&moved);
    QN_TRY(find_both(move, &from, &to, &status));
    QN_TRY(make_copy(move, &from, &to));
    tree_remove_moved(from.parent, from.name, &moved);
    QN_TRY(sync_fd(from.parent));
    return report->err;
}

static void across_work(struct qn_folder_call *call)
{
    call->err = across_run((struct copy_call *)call);
}

static void move_row_gone(struct qn_folder_call *call, enum qn_err err)
{
    (void)err;
    struct copy_call *move = (struct copy_call *)call;
    if (move->has_fresh)
        rows_put_in(call, move->target, qn_buf_view(&move->to), &move->fresh, change_stored);
    else
        change_tell(&move->change);
}

static void move_end(struct qn_folder_call *call)
{
    struct copy_call *move = (struct copy_call *)call;
    struct qn_span from = qn_buf_view(&call->path);
    struct rows_place to = {move->target, qn_buf_view(&move->to)};
    call_changed(call, from);
    call_changed_in(call, move->target, to.path);
    if (call->err != QN_OK)
        change_tell(&move->change);
    else if (move->is_directory) /* copies are other files: the rows say nothing of them */
        rows_move(call, from, move->is_across ? NULL : &to, change_stored);
    else if (call->has_row)
        rows_put(call, from, NULL, move_row_gone);
    else
        change_tell(&move->change);
}

static const struct call_kind across_kind = {
    .work = across_work,
    .finish = move_end,
    .free = copy_free,
    .is_long = true,
};

static void move_finish(struct qn_folder_call *call)
{
    struct copy_call *move = (struct copy_call *)call;
    if (call->err == QN_OK || !move->is_across) {
        move_end(call);
        return;
    }
    call->kind = &across_kind;
    call->err = QN_OK;
    call_start(call);
}

static const struct call_kind move_kind = {
    .prepare = call_read_row,
    .work = move_work,
    .finish = move_finish,
    .free = copy_free,
};

static struct copy_call *new_copy(struct qn_folder *folder, const struct call_kind *kind,
                                  struct qn_span from, const struct qn_folder_target *to,
                                  void *context)
{
    struct copy_call *copy = call_new(real_of(folder), kind, sizeof(*copy), from, context);
    struct qn_folder_call *call = &copy->change.call;
    copy->target = real_of(to->folder);
    copy->overwrites = to->overwrites;
    copy->is_shallow = to->is_shallow;
    qn_buf_init(&copy->to, call->path.size_max);
    if (qn_name_compose(to->path, &copy->to) != QN_OK || !qn_name_is_path(qn_buf_view(&copy->to)))
        call_settle(call, QN_ERR_DENIED);
    tree_report_init(&copy->change.report, &call->is_cancelled, qn_buf_view(&call->path));
    return copy;
}

struct qn_folder_call *real_copy(struct qn_folder *folder, struct qn_span from,
                                 const struct qn_folder_target *to, qn_folder_failed_fn failed,
                                 qn_folder_done_fn done, void *context)
{
    struct copy_call *copy = new_copy(folder, &copy_kind, from, to, context);
    copy->change.failed = failed;
    copy->change.done = done;
    call_start(&copy->change.call);
    return &copy->change.call;
}

struct qn_folder_call *real_move(struct qn_folder *folder, struct qn_span from,
                                 const struct qn_folder_target *to, qn_folder_failed_fn failed,
                                 qn_folder_done_fn done, void *context)
{
    struct copy_call *move = new_copy(folder, &move_kind, from, to, context);
    move->is_shallow = false;
    move->change.failed = failed;
    move->change.done = done;
    call_start(&move->change.call);
    return &move->change.call;
}
