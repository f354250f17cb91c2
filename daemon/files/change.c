/* Changes of names and times: a new directory, removing, a file's time. */
#include "files/change.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>

void change_tell(struct change_call *change)
{
    qn_vec_each (&change->report.failures, failure)
        if (change->failed != NULL)
            change->failed(change->call.context, qn_buf_view(&failure->path), failure->err);
    change->done(change->call.context, change->call.err);
    call_end(&change->call);
}

void change_stored(struct qn_folder_call *call, enum qn_err err)
{
    (void)err; /* a row that stays belongs to no file any more */
    change_tell((struct change_call *)call);
}

void change_free(struct qn_folder_call *call)
{
    tree_report_deinit(&((struct change_call *)call)->report);
}

enum qn_err name_rename_new(int from, const char *name, int to, const char *new_name)
{
    if (renameat2(from, name, to, new_name, RENAME_NOREPLACE) == 0)
        return QN_OK;
    return files_err(errno);
}

/* ---- a new directory ---- */
static enum qn_err make_directory(struct qn_folder_call *call)
{
    AUTO_PLACE struct place place = {.parent = -1};
    QN_TRY(real_find_new(call->folder, qn_buf_view(&call->path), &place));
    if (place.is_root)
        return QN_ERR_EXISTS;
    unsigned mode = mode_for_new(place.parent, true);
    if (mkdirat(place.parent, place.name, mode) != 0)
        return files_err(errno);
    AUTO_FD int fd = beneath_open(place.parent, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd >= 0)
        mode_set(fd, mode);
    return sync_fd(place.parent);
}

static void make_work(struct qn_folder_call *call)
{
    call->err = make_directory(call);
}

static void make_finish(struct qn_folder_call *call)
{
    call_changed(call, qn_buf_view(&call->path));
    change_tell((struct change_call *)call);
}

static const struct call_kind make_kind = {
    .work = make_work,
    .finish = make_finish,
    .free = change_free,
};

struct qn_folder_call *real_make_directory(struct qn_folder *folder, struct qn_span path,
                                           qn_folder_done_fn done, void *context)
{
    struct change_call *make = call_new(real_of(folder), &make_kind, sizeof(*make), path, context);
    make->done = done;
    call_start(&make->call);
    return &make->call;
}

/* ---- removing ---- */
struct remove_call {
    struct change_call change;
    struct qn_folder_expect expect;
    struct place place;
    bool is_directory, is_emptied;
    char hidden[STAGE_NAME_SIZE]; /* where a directory goes to be emptied, in a second job */
};

/* The moment of the change: a file is gone, a directory out of sight. */
static enum qn_err take_away(struct remove_call *remove, const struct place *place)
{
    struct statx there;
    struct qn_folder_call *call = &remove->change.call;
    enum qn_err err = place_look(place, &there);
    bool must_exist = remove->expect.must_exist || remove->expect.etag[0] != '\0';
    if (err != QN_OK)
        return err == QN_ERR_NOTFOUND && must_exist ? QN_ERR_CONFLICT : err;
    QN_TRY(entry_judge(&remove->expect, &there, call_row(call), wall_ns()));
    remove->is_directory = is_directory(&there);
    if (!remove->is_directory)
        return unlinkat(place->parent, place->name, 0) == 0 ? QN_OK : files_err(errno);
    stage_name(call->folder, remove->hidden);
    return name_rename_new(place->parent, place->name, place->parent, remove->hidden);
}

static enum qn_err remove_run(struct remove_call *remove)
{
    struct qn_folder_call *call = &remove->change.call;
    struct place *place = &remove->place;
    QN_TRY(real_find(call->folder, qn_buf_view(&call->path), place));
    if (place->is_root)
        return QN_ERR_DENIED;
    pthread_mutex_lock(&call->folder->change);
    enum qn_err err = take_away(remove, place);
    pthread_mutex_unlock(&call->folder->change);
    QN_TRY(err);
    return sync_fd(place->parent);
}

static void remove_work(struct qn_folder_call *call)
{
    call->err = remove_run((struct remove_call *)call);
}

/* What could not be removed is put back where it was, if that place is still free. If it is not,
 * the rest stays out of sight and is swept. */
static void empty_work(struct qn_folder_call *call)
{
    struct remove_call *remove = (struct remove_call *)call;
    struct tree_report *report = &remove->change.report;
    int parent = remove->place.parent;
    tree_remove(parent, remove->hidden, report);
    if (report->err == QN_OK)
        return;
    call->err = report->err;
    pthread_mutex_lock(&call->folder->change);
    enum qn_err err = name_rename_new(parent, remove->hidden, parent, remove->place.name);
    pthread_mutex_unlock(&call->folder->change);
    if (err == QN_OK)
        err = sync_fd(parent);
    if (err != QN_OK && report->failures.count == 0)
        tree_fail(report, err);
}

static void remove_finish(struct qn_folder_call *call);

static void remove_free(struct qn_folder_call *call)
{
    place_close(&((struct remove_call *)call)->place);
    change_free(call);
}

static const struct call_kind remove_kind = {
    .prepare = call_read_row,
    .work = remove_work,
    .finish = remove_finish,
    .free = remove_free,
};
static const struct call_kind empty_kind = {
    .work = empty_work,
    .finish = remove_finish,
    .free = remove_free,
    .is_long = true,
};

static void remove_finish(struct qn_folder_call *call)
{
    struct remove_call *remove = (struct remove_call *)call;
    bool is_out_of_sight = call->err == QN_OK && remove->is_directory;
    call_changed(call, qn_buf_view(&call->path));
    if (is_out_of_sight && !remove->is_emptied) {
        remove->is_emptied = true;
        call->kind = &empty_kind;
        call_start(call);
    } else if (call->err != QN_OK) {
        change_tell(&remove->change);
    } else if (remove->is_directory) {
        rows_move(call, qn_buf_view(&call->path), NULL, change_stored);
    } else if (call->has_row) {
        rows_put(call, qn_buf_view(&call->path), NULL, change_stored);
    } else {
        change_tell(&remove->change);
    }
}

struct qn_folder_call *real_remove(struct qn_folder *folder, struct qn_span path,
                                   const struct qn_folder_expect *expect,
                                   qn_folder_failed_fn failed, qn_folder_done_fn done,
                                   void *context)
{
    struct remove_call *remove =
        call_new(real_of(folder), &remove_kind, sizeof(*remove), path, context);
    struct qn_folder_call *call = &remove->change.call;
    remove->place.parent = -1;
    if (expect != NULL)
        remove->expect = *expect;
    remove->change.failed = failed;
    remove->change.done = done;
    tree_report_init(&remove->change.report, &call->is_cancelled, qn_buf_view(&call->path));
    call_start(call);
    return call;
}

/* ---- a file's time ---- */
#define REHASH_SIZE_MAX (UINT64_C(64) * 1024 * 1024)

struct time_call {
    struct qn_folder_call call;
    int64_t modified_ns, now_ns;
    struct statx status;
    bool has_digest;
    uint8_t digest[32];
    struct row fresh;
    qn_folder_entry_fn done;
};

/* A write of another program between the last look and the new time would be hidden by it: so the
 * content is hashed once more, behind the new time. */
static enum qn_err rehash(struct time_call *time, int fd)
{
    struct statx after;
    if (time->status.stx_size > REHASH_SIZE_MAX)
        return QN_OK;
    QN_TRY(file_digest(fd, &time->call.is_cancelled, time->digest));
    QN_TRY(fd_look(fd, &after));
    time->has_digest = after.stx_size == time->status.stx_size &&
                       time_ns(&after.stx_mtime) == time_ns(&time->status.stx_mtime) &&
                       time_ns(&after.stx_ctime) == time_ns(&time->status.stx_ctime);
    return QN_OK;
}

static enum qn_err time_run(struct time_call *time)
{
    AUTO_PLACE struct place place = {.parent = -1};
    AUTO_FD int fd = -1;
    QN_TRY(real_find(time->call.folder, qn_buf_view(&time->call.path), &place));
    QN_TRY(place_look(&place, &time->status));
    if (is_directory(&time->status))
        fd = openat(place.parent, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    else
        QN_TRY(name_open_file(place.parent, place.name, &fd, &time->status));
    if (fd < 0)
        return files_err(errno);
    QN_TRY(fd_set_modified(fd, time->modified_ns));
    QN_TRY(sync_fd(fd));
    time->now_ns = wall_ns();
    QN_TRY(fd_look(fd, &time->status));
    return time->call.has_row && !is_directory(&time->status) ? rehash(time, fd) : QN_OK;
}

static void time_work(struct qn_folder_call *call)
{
    call->err = time_run((struct time_call *)call);
}

static void time_tell(struct qn_folder_call *call, enum qn_err stored)
{
    struct time_call *time = (struct time_call *)call;
    struct qn_entry_info entry;
    const struct row *row = stored == QN_OK ? &time->fresh : NULL;
    entry_describe(&time->status, row, time->now_ns, call_name(call), &entry);
    time->done(call->context, QN_OK, &entry);
    call_end(call);
}

/* They stay where the content did. */
static const struct qn_weak_digests *weak_of(const struct time_call *time)
{
    const struct row *row = call_row(&time->call);
    bool is_same = row != NULL && memcmp(row->digest, time->digest, sizeof(time->digest)) == 0;
    return is_same ? row_weak(row) : NULL;
}

static void time_finish(struct qn_folder_call *call)
{
    struct time_call *time = (struct time_call *)call;
    if (call->err != QN_OK) {
        time->done(call->context, call->err, NULL);
        call_end(call);
    } else if (time->has_digest &&
               row_make(&time->status, time->digest, weak_of(time), &time->fresh)) {
        rows_put(call, qn_buf_view(&call->path), &time->fresh, time_tell);
    } else {
        time_tell(call, QN_ERR_STATE);
    }
}

static const struct call_kind time_kind = {
    .prepare = call_read_row,
    .work = time_work,
    .finish = time_finish,
};

struct qn_folder_call *real_set_modified(struct qn_folder *folder, struct qn_span path,
                                         int64_t modified_ns, qn_folder_entry_fn done,
                                         void *context)
{
    struct time_call *time = call_new(real_of(folder), &time_kind, sizeof(*time), path, context);
    time->modified_ns = modified_ns;
    time->done = done;
    call_start(&time->call);
    return &time->call;
}
