/* Looking and reading. */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "files/local_impl.h"
#include "files/names.h"

#define READ_SIZE_MAX  ((size_t)256 * 1024)
#define AHEAD_SIZE_MAX ((size_t)64 * 1024) /* a file of at most that is read when it is opened */
#define DAY_NS         (INT64_C(24 * 3600) * 1000000000)

/* ---- stat ---- */
struct stat_call {
    struct qn_folder_call call;
    struct statx status;
    int64_t now_ns;
    qn_folder_entry_fn done;
};

static void stat_work(struct qn_folder_call *call)
{
    struct stat_call *stat = (struct stat_call *)call;
    AUTO_PLACE struct place place = {.parent = -1};
    stat->now_ns = wall_ns();
    call->err = real_find(call->folder, qn_buf_view(&call->path), &place);
    if (call->err == QN_OK)
        call->err = place_look(&place, &stat->status);
}

/* File managers ask for many names that are not there ("._x" of each "x"): where the kernel knows
 * that, it is the answer. Another form of the name has to be looked for in the directory. */
static bool is_known_missing(struct qn_folder_call *call)
{
    if (errno != ENOENT || !qn_name_is_ascii(qn_buf_view(&call->path)))
        return false;
    call->err = QN_ERR_NOTFOUND;
    return true;
}

static bool stat_attempt(struct qn_folder_call *call)
{
    struct stat_call *stat = (struct stat_call *)call;
    stat->now_ns = wall_ns();
    AUTO_FD int fd = real_open_cached(call->folder, qn_buf_view(&call->path), O_PATH | O_NOFOLLOW);
    if (fd < 0)
        return is_known_missing(call);
    return fd_look(fd, &stat->status) == QN_OK;
}

static void stat_finish(struct qn_folder_call *call)
{
    struct stat_call *stat = (struct stat_call *)call;
    struct qn_entry_info entry = {0};
    if (call->err == QN_OK) {
        call_read_row(call); /* anew: it may be younger than the look */
        entry_describe(&stat->status, call_row(call), stat->now_ns, call_name(call), &entry);
    }
    stat->done(call->context, call->err, call->err == QN_OK ? &entry : NULL);
    call_end(call);
}

static const struct call_kind stat_kind = {
    .attempt = stat_attempt, .work = stat_work, .finish = stat_finish};

struct qn_folder_call *real_stat(struct qn_folder *folder, struct qn_span path,
                                 qn_folder_entry_fn done, void *context)
{
    struct stat_call *stat = call_new(real_of(folder), &stat_kind, sizeof(*stat), path, context);
    stat->done = done;
    call_start(&stat->call);
    return &stat->call;
}

/* ---- open ---- */
struct qn_folder_file {
    struct local *folder;
    int fd;
    uint8_t *ahead; /* all of it, until it is read; NULL: it was not read ahead */
    size_t ahead_size;
    bool is_reading, is_closed;
};

struct open_call {
    struct qn_folder_call call;
    int fd;
    struct statx status;
    int64_t now_ns;
    uint8_t *ahead;
    qn_folder_open_fn done;
};

/* All or nothing; with RWF_NOWAIT only what is in memory. */
static void read_ahead(struct open_call *open, int flags)
{
    size_t size = (size_t)open->status.stx_size;
    if (open->status.stx_size == 0 || open->status.stx_size > AHEAD_SIZE_MAX)
        return;
    struct iovec all = {.iov_base = qn_alloc(size), .iov_len = size};
    if (preadv2(open->fd, &all, 1, 0, flags) == (ssize_t)size)
        open->ahead = all.iov_base;
    else
        qn_free(all.iov_base);
}

/* The first read after a change, and the first of a day, is noted in the file (relatime): that may
 * wait for the journal. */
static bool is_noted_when_read(const struct statx *status, int64_t now_ns)
{
    int64_t read_ns = time_ns(&status->stx_atime);
    return read_ns <= time_ns(&status->stx_mtime) || read_ns <= time_ns(&status->stx_ctime) ||
           read_ns <= now_ns - DAY_NS;
}

static bool open_attempt(struct qn_folder_call *call)
{
    struct open_call *open = (struct open_call *)call;
    AUTO_FD int fd = real_open_cached(call->folder, qn_buf_view(&call->path), OPEN_FLAGS);
    if (fd < 0)
        return is_known_missing(call);
    open->now_ns = wall_ns();
    if (fd_look(fd, &open->status) != QN_OK || is_directory(&open->status) ||
        is_noted_when_read(&open->status, open->now_ns))
        return false;
    open->fd = fd;
    fd = -1;
    read_ahead(open, RWF_NOWAIT);
    return true;
}

static void open_work(struct qn_folder_call *call)
{
    struct open_call *open = (struct open_call *)call;
    AUTO_PLACE struct place place = {.parent = -1};
    open->now_ns = wall_ns();
    call->err = real_find(call->folder, qn_buf_view(&call->path), &place);
    if (call->err == QN_OK)
        call->err = name_open_file(place.parent, place.name, &open->fd, &open->status);
    if (call->err == QN_OK)
        read_ahead(open, 0);
}

static void open_finish(struct qn_folder_call *call)
{
    struct open_call *open = (struct open_call *)call;
    if (call->err != QN_OK) {
        open->done(call->context, call->err, NULL, NULL);
        call->folder->open_count--;
        call_end(call);
        return;
    }
    struct qn_entry_info entry;
    struct qn_folder_file *file = QN_NEW(struct qn_folder_file);
    *file = (struct qn_folder_file){.folder = call->folder,
                                    .fd = open->fd,
                                    .ahead = open->ahead,
                                    .ahead_size = (size_t)open->status.stx_size};
    open->fd = -1;
    call_read_row(call);
    entry_describe(&open->status, call_row(call), open->now_ns, call_name(call), &entry);
    open->done(call->context, QN_OK, file, &entry);
    call_end(call);
}

static const struct call_kind open_kind = {
    .attempt = open_attempt, .work = open_work, .finish = open_finish};

struct qn_folder_call *real_open(struct qn_folder *base, struct qn_span path,
                                 qn_folder_open_fn done, void *context)
{
    struct local *folder = real_of(base);
    struct open_call *open = call_new(folder, &open_kind, sizeof(*open), path, context);
    open->done = done;
    open->fd = -1;
    if (folder->open_count++ >= QN_FOLDER_OPEN_MAX)
        call_settle(&open->call, QN_ERR_LIMIT);
    call_start(&open->call);
    return &open->call;
}

/* ---- read, close ---- */
struct read_call {
    struct qn_folder_call call;
    struct qn_folder_file *file;
    uint64_t offset;
    size_t size, got;
    uint8_t *bytes;
    qn_folder_read_fn done;
};

/* What was read with the open. It is kept for one reader of all of it: who reads in pieces has the
 * kernel to keep it. */
static bool read_attempt(struct qn_folder_call *call)
{
    struct read_call *read = (struct read_call *)call;
    struct qn_folder_file *file = read->file;
    if (file->ahead == NULL || read->offset > 0 || read->size < file->ahead_size)
        return false;
    read->bytes = file->ahead;
    read->got = file->ahead_size;
    file->ahead = NULL;
    return true;
}

static void read_prepare(struct qn_folder_call *call)
{
    struct read_call *read = (struct read_call *)call;
    read->bytes = qn_alloc(read->size > 0 ? read->size : 1);
}

static void read_work(struct qn_folder_call *call)
{
    struct read_call *read = (struct read_call *)call;
    while (read->got < read->size) {
        ssize_t got = pread(read->file->fd, read->bytes + read->got, read->size - read->got,
                            (off_t)(read->offset + read->got));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            call->err = files_err(errno);
        if (got <= 0)
            return;
        read->got += (size_t)got;
    }
}

static void file_free(struct qn_folder_file *file)
{
    close(file->fd);
    qn_free(file->ahead);
    file->folder->open_count--;
    qn_free(file);
}

static void read_finish(struct qn_folder_call *call)
{
    struct read_call *read = (struct read_call *)call;
    struct qn_folder_file *file = read->file;
    bool is_ok = call->err == QN_OK, was_closed = file->is_closed;
    file->is_reading = false;
    if (was_closed)
        file_free(file);
    read->done(call->context, call->err, qn_span(read->bytes, is_ok ? read->got : 0));
    call_end(call);
}

static void read_free(struct qn_folder_call *call)
{
    qn_free(((struct read_call *)call)->bytes);
}

static const struct call_kind read_kind = {
    .attempt = read_attempt,
    .prepare = read_prepare,
    .work = read_work,
    .finish = read_finish,
    .free = read_free,
};

struct qn_folder_call *real_read(struct qn_folder_file *file, uint64_t offset, size_t size,
                                 qn_folder_read_fn done, void *context)
{
    QN_ASSERT(!file->is_reading && !file->is_closed);
    struct read_call *read =
        call_new(file->folder, &read_kind, sizeof(*read), qn_span(NULL, 0), context);
    read->file = file;
    read->offset = offset;
    read->size = size < READ_SIZE_MAX ? size : READ_SIZE_MAX;
    read->done = done;
    file->is_reading = true;
    if (offset > INT64_MAX - READ_SIZE_MAX)
        call_settle(&read->call, QN_ERR_LIMIT);
    call_start(&read->call);
    return &read->call;
}

void real_close(struct qn_folder_file *file)
{
    if (file == NULL)
        return;
    if (file->is_reading)
        file->is_closed = true;
    else
        file_free(file);
}

/* ---- space ---- */
struct space_call {
    struct qn_folder_call call;
    uint64_t used, free;
    void (*done)(void *, enum qn_err, uint64_t, uint64_t);
};

static void space_work(struct qn_folder_call *call)
{
    struct space_call *space = (struct space_call *)call;
    struct statvfs status;
    AUTO_FD int fd = -1;
    call->err = root_open(&call->folder->root, &fd);
    if (call->err != QN_OK)
        return;
    if (fstatvfs(fd, &status) != 0) {
        call->err = files_err(errno);
        return;
    }
    space->used = (uint64_t)(status.f_blocks - status.f_bfree) * status.f_frsize;
    space->free = (uint64_t)status.f_bavail * status.f_frsize;
}

static void space_finish(struct qn_folder_call *call)
{
    struct space_call *space = (struct space_call *)call;
    space->done(call->context, call->err, space->used, space->free);
    call_end(call);
}

static const struct call_kind space_kind = {.work = space_work, .finish = space_finish};

struct qn_folder_call *real_space(struct qn_folder *folder,
                                  void (*done)(void *, enum qn_err, uint64_t, uint64_t),
                                  void *context)
{
    struct space_call *space =
        call_new(real_of(folder), &space_kind, sizeof(*space), qn_span(NULL, 0), context);
    space->done = done;
    call_start(&space->call);
    return &space->call;
}
