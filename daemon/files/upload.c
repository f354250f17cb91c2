/* A new content on its way: into a hidden file beside its place, hashed as it comes, and put in its
 * place in one step.
 *
 *   upload ── write* ──┬── commit: fsync, times ── [change: judge, keep, rename]
 *                      │            ── fsync of the directory ── row
 *                      └── abort: gone
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/assert.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "files/keep.h"
#include "files/names.h"
#include "files/stage.h"
#include "files/tree.h"

/* So that the fsync at the end finds little. */
#define WRITE_BACK_SIZE (UINT64_C(8) * 1024 * 1024)

struct qn_folder_upload {
    struct local *folder;
    struct qn_buf path; /* normal form C */
    int parent;         /* where the hidden name is */
    struct stage stage;
    struct seen seen;
    struct qn_hasher *hasher;
    uint64_t size, pushed;
    enum qn_err err; /* of a write: it can only be aborted then */
    bool is_busy, is_aborted;
};

static void upload_free(struct qn_folder_upload *upload)
{
    upload->folder->open_count--;
    close_fd(&upload->stage.fd);
    close_fd(&upload->parent);
    qn_hasher_free(upload->hasher);
    qn_buf_deinit(&upload->path);
    qn_free(upload);
}

/* ---- upload ---- */
struct upload_call {
    struct qn_folder_call call;
    uint64_t size;
    struct qn_folder_upload *upload;
    qn_folder_upload_fn done;
};

static enum qn_err check_room(int fd, uint64_t size)
{
    struct statvfs status;
    if (size == UINT64_MAX || fstatvfs(fd, &status) != 0)
        return QN_OK; /* the writes will tell */
    return size / status.f_frsize > status.f_bavail ? QN_ERR_NOSPACE : QN_OK;
}

static enum qn_err check_target(const struct place *place, const struct row *row, struct seen *seen)
{
    struct statx status;
    if (place->is_root)
        return QN_ERR_EXISTS;
    enum qn_err err = place_look(place, &status);
    seen_take(seen, err == QN_OK ? &status : NULL, row);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    return err == QN_OK && is_directory(&status) ? QN_ERR_EXISTS : err;
}

static enum qn_err upload_begin(struct upload_call *begin)
{
    AUTO_PLACE struct place place = {.parent = -1};
    struct qn_folder_upload *upload = begin->upload;
    QN_TRY(real_find_new(begin->call.folder, qn_buf_view(&begin->call.path), &place));
    QN_TRY(check_target(&place, call_row(&begin->call), &upload->seen));
    QN_TRY(check_room(place.parent, begin->size));
    QN_TRY(stage_make_file(begin->call.folder, place.parent, &upload->stage));
    upload->parent = place.parent;
    place.parent = -1;
    return QN_OK;
}

static void upload_work(struct qn_folder_call *call)
{
    call->err = upload_begin((struct upload_call *)call);
}

static void upload_finish(struct qn_folder_call *call)
{
    struct upload_call *begin = (struct upload_call *)call;
    struct qn_folder_upload *upload = begin->upload;
    if (call->err != QN_OK) {
        upload_free(upload);
        upload = NULL;
    } else {
        qn_buf_append_span(&upload->path, qn_buf_view(&call->path));
    }
    begin->done(call->context, call->err, upload);
    call_end(call);
}

static const struct call_kind upload_kind = {
    .prepare = call_read_row, .work = upload_work, .finish = upload_finish};

struct qn_folder_call *real_upload(struct qn_folder *base, struct qn_span path, uint64_t size,
                                   qn_folder_upload_fn done, void *context)
{
    struct local *folder = real_of(base);
    struct upload_call *begin = call_new(folder, &upload_kind, sizeof(*begin), path, context);
    struct qn_folder_upload *upload = QN_NEW(struct qn_folder_upload);
    *upload = (struct qn_folder_upload){
        .folder = folder,
        .parent = -1,
        .stage.fd = -1,
        .hasher = qn_hasher_new(),
    };
    qn_hasher_start(upload->hasher);
    qn_buf_init(&upload->path, begin->call.path.size_max);
    begin->upload = upload;
    begin->size = size;
    begin->done = done;
    if (folder->open_count++ >= QN_FOLDER_OPEN_MAX)
        call_settle(&begin->call, QN_ERR_LIMIT);
    call_start(&begin->call);
    return &begin->call;
}

/* ---- abort ---- */
struct abort_call {
    struct qn_folder_call call;
    struct qn_folder_upload *upload;
};

static void discard(struct qn_folder_upload *upload)
{
    (void)unlinkat(upload->parent, upload->stage.name, 0); /* what stays is swept */
    close_fd(&upload->stage.fd);                           /* here it may take a while */
    upload->stage.fd = -1;
}

static void abort_work(struct qn_folder_call *call)
{
    discard(((struct abort_call *)call)->upload);
}

static void abort_finish(struct qn_folder_call *call)
{
    struct qn_folder_upload *upload = ((struct abort_call *)call)->upload;
    if (call->is_settled) /* no job was to be had */
        discard(upload);
    upload_free(upload);
    call_end(call);
}

static const struct call_kind abort_kind = {.work = abort_work, .finish = abort_finish};

void real_abort(struct qn_folder_upload *upload)
{
    if (upload == NULL)
        return;
    if (upload->is_busy) {
        upload->is_aborted = true;
        return;
    }
    struct abort_call *call =
        call_new(upload->folder, &abort_kind, sizeof(*call), qn_span(NULL, 0), NULL);
    call->upload = upload;
    call_start(&call->call);
}

/* ---- write ---- */
struct write_call {
    struct qn_folder_call call;
    struct qn_folder_upload *upload;
    struct qn_span bytes;
    qn_folder_done_fn done;
};

static enum qn_err append(struct qn_folder_upload *upload, struct qn_span bytes)
{
    qn_hasher_add(upload->hasher, bytes);
    while (bytes.size > 0) {
        ssize_t put = pwrite(upload->stage.fd, bytes.data, bytes.size, (off_t)upload->size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return files_err(errno);
        upload->size += (uint64_t)put;
        bytes = qn_span_from(bytes, (size_t)put);
    }
    if (upload->size - upload->pushed < WRITE_BACK_SIZE)
        return QN_OK;
    (void)!sync_file_range(upload->stage.fd, (off_t)upload->pushed,
                           (off_t)(upload->size - upload->pushed), SYNC_FILE_RANGE_WRITE);
    upload->pushed = upload->size;
    return QN_OK;
}

static void write_work(struct qn_folder_call *call)
{
    struct write_call *write = (struct write_call *)call;
    call->err = append(write->upload, write->bytes);
}

static void write_finish(struct qn_folder_call *call)
{
    struct write_call *write = (struct write_call *)call;
    struct qn_folder_upload *upload = write->upload;
    if (call->err != QN_OK)
        upload->err = call->err; /* also a cancelled one: a piece is missing */
    upload->is_busy = false;
    if (upload->is_aborted)
        real_abort(upload);
    write->done(call->context, call->err);
    call_end(call);
}

static const struct call_kind write_kind = {.work = write_work, .finish = write_finish};

struct qn_folder_call *real_write(struct qn_folder_upload *upload, struct qn_span bytes,
                                  qn_folder_done_fn done, void *context)
{
    QN_ASSERT(!upload->is_busy && !upload->is_aborted);
    struct write_call *write =
        call_new(upload->folder, &write_kind, sizeof(*write), qn_span(NULL, 0), context);
    write->upload = upload;
    write->bytes = bytes;
    write->done = done;
    upload->is_busy = true;
    if (upload->err != QN_OK)
        call_settle(&write->call, upload->err);
    if (bytes.size > INT64_MAX - upload->size)
        call_settle(&write->call, QN_ERR_NOSPACE);
    call_start(&write->call);
    return &write->call;
}

/* ---- commit ---- */
struct commit_call {
    struct qn_folder_call call;
    struct qn_folder_upload *upload;
    struct qn_folder_expect expect;
    int64_t modified_ns, now_ns;
    uint64_t size;
    bool is_put;             /* it has its place: the hidden name is gone */
    char kept[NAME_MAX + 1]; /* "": nothing */
    uint8_t digest[32];
    struct qn_weak_digests weak;
    bool has_weak;
    struct statx status;
    struct row fresh;
    qn_folder_entry_fn done;
};

/* One nanosecond before the present step of the clock: so mtime is never ctime (row_make). */
static int64_t now_before_any_write(void)
{
    return wall_ns() - 1;
}

/* The mode of what is replaced, else one for a new file here. */
static unsigned mode_of(const struct place *place)
{
    struct statx status;
    if (place_look(place, &status) == QN_OK && !is_directory(&status))
        return status.stx_mode & 0777;
    return mode_for_new(place->parent, false);
}

static enum qn_err make_ready(struct commit_call *commit, const struct place *place)
{
    int fd = commit->upload->stage.fd;
    mode_set(fd, mode_of(place));
    bool is_now = commit->modified_ns == INT64_MIN;
    QN_TRY(fd_set_modified(fd, is_now ? now_before_any_write() : commit->modified_ns));
    return sync_fd(fd);
}

/* Who named the version that they replace has seen it, or is refused. */
static enum qn_err keep_unseen(struct commit_call *commit, const struct place *place,
                               const struct statx *there)
{
    if (commit->expect.etag[0] != '\0' ||
        !seen_is_other(&commit->upload->seen, there, call_row(&commit->call), commit->digest))
        return QN_OK;
    return keep_beside(place, wall_ns(), commit->kept);
}

/* The moment of the change. */
static enum qn_err put_in_place(struct commit_call *commit, const struct place *place)
{
    struct statx there;
    enum qn_err err = place_look(place, &there);
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    bool exists = err == QN_OK;
    QN_TRY(
        entry_judge(&commit->expect, exists ? &there : NULL, call_row(&commit->call), wall_ns()));
    if (exists && is_directory(&there))
        return QN_ERR_EXISTS;
    if (exists)
        QN_TRY(keep_unseen(commit, place, &there));
    /* What another program makes there meanwhile is not replaced unseen. */
    unsigned flags = exists ? 0 : RENAME_NOREPLACE;
    const struct qn_folder_upload *upload = commit->upload;
    if (renameat2(upload->parent, upload->stage.name, place->parent, place->name, flags) == 0)
        return QN_OK;
    err = errno == EEXIST ? QN_ERR_CONFLICT : files_err(errno);
    if (commit->kept[0] != '\0')
        (void)!unlinkat(place->parent, commit->kept, 0); /* it was not replaced */
    commit->kept[0] = '\0';
    return err;
}

static enum qn_err commit_run(struct commit_call *commit)
{
    AUTO_PLACE struct place place = {.parent = -1};
    struct local *folder = commit->call.folder;
    QN_TRY(commit->upload->err);
    QN_TRY(real_find_new(folder, qn_buf_view(&commit->upload->path), &place));
    if (place.is_root)
        return QN_ERR_EXISTS;
    QN_TRY(make_ready(commit, &place));
    pthread_mutex_lock(&folder->change);
    enum qn_err err = put_in_place(commit, &place);
    pthread_mutex_unlock(&folder->change);
    QN_TRY(err);
    commit->is_put = true;
    QN_TRY(sync_fd(place.parent));
    commit->now_ns = wall_ns();
    return fd_look(commit->upload->stage.fd, &commit->status);
}

static void commit_work(struct qn_folder_call *call)
{
    struct commit_call *commit = (struct commit_call *)call;
    struct qn_digest digest;
    qn_hasher_finish(commit->upload->hasher, &digest);
    memcpy(commit->digest, digest.bytes, sizeof(commit->digest));
    commit->size = commit->upload->size;
    call->err = commit_run(commit);
    if (!commit->is_put)
        discard(commit->upload);
}

static void commit_tell(struct qn_folder_call *call, enum qn_err stored)
{
    struct commit_call *commit = (struct commit_call *)call;
    struct qn_entry_info entry;
    const struct row *row = stored == QN_OK ? &commit->fresh : NULL;
    entry_describe(&commit->status, row, commit->now_ns, call_name(call), &entry);
    entry.kept = qn_span_str(commit->kept);
    commit->done(call->context, QN_OK, &entry);
    call_end(call);
}

static void tell_kept(const struct commit_call *commit)
{
    QN_AUTO_BUF struct qn_buf path;
    struct qn_span parent, last;
    qn_name_split(qn_buf_view(&commit->call.path), &parent, &last);
    qn_buf_init(&path, parent.size + NAME_MAX + 2);
    qn_buf_append_span(&path, parent);
    qn_buf_append_str(&path, parent.size > 0 ? "/" : "");
    qn_buf_append_str(&path, commit->kept);
    call_changed(&commit->call, qn_buf_view(&path));
}

static void commit_finish(struct qn_folder_call *call)
{
    struct commit_call *commit = (struct commit_call *)call;
    if (call->is_settled)
        discard(commit->upload);
    upload_free(commit->upload);
    call_changed(call, qn_buf_view(&call->path));
    if (commit->kept[0] != '\0')
        tell_kept(commit);
    if (call->err != QN_OK) {
        commit->done(call->context, call->err, NULL);
        call_end(call);
    } else if (commit->status.stx_size == commit->size &&
               row_make(&commit->status, commit->digest, commit->has_weak ? &commit->weak : NULL,
                        &commit->fresh)) {
        rows_put(call, qn_buf_view(&call->path), &commit->fresh, commit_tell);
    } else {
        commit_tell(call, QN_ERR_STATE); /* stat alone names it */
    }
}

static const struct call_kind commit_kind = {
    .prepare = call_read_row,
    .work = commit_work,
    .finish = commit_finish,
};

struct qn_folder_call *real_commit(struct qn_folder_upload *upload,
                                   const struct qn_folder_expect *expect,
                                   const struct qn_folder_said *said, qn_folder_entry_fn done,
                                   void *context)
{
    QN_ASSERT(!upload->is_busy && !upload->is_aborted);
    struct commit_call *commit = call_new(upload->folder, &commit_kind, sizeof(*commit),
                                          qn_buf_view(&upload->path), context);
    commit->upload = upload;
    commit->expect = expect == NULL ? (struct qn_folder_expect){0} : *expect;
    commit->modified_ns = said->modified_ns;
    commit->has_weak = said->weak != NULL;
    if (commit->has_weak)
        commit->weak = *said->weak;
    commit->done = done;
    call_start(&commit->call);
    return &commit->call;
}
