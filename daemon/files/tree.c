#include "files/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/assert.h"
#include "crypto/digest.h"
#include "files/stage.h"

#define DIRECTORY  (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
#define PIECE_SIZE ((size_t)256 * 1024)
#define SHARE_SIZE ((size_t)16 * 1024 * 1024) /* at once, between two looks at `stops` */

void tree_report_init(struct tree_report *report, const atomic_bool *stops, struct qn_span path)
{
    *report = (struct tree_report){.stops = stops};
    qn_buf_init(&report->path, TREE_DEPTH_MAX * (NAME_MAX + 2) + PATH_MAX);
    qn_buf_append_span(&report->path, path);
}

void tree_report_forget(struct tree_report *report)
{
    qn_vec_each (&report->failures, failure)
        qn_buf_deinit(&failure->path);
    report->failures.count = 0;
}

void tree_report_deinit(struct tree_report *report)
{
    tree_report_forget(report);
    qn_vec_free(&report->failures);
    qn_buf_deinit(&report->path);
}

void tree_fail(struct tree_report *report, enum qn_err err)
{
    if (report->err == QN_OK)
        report->err = err;
    if (report->failures.count >= TREE_FAILURES_MAX)
        return;
    struct tree_failure failure = {.err = err};
    qn_buf_init(&failure.path, report->path.size_max);
    qn_buf_append_span(&failure.path, qn_buf_view(&report->path));
    qn_vec_push(&report->failures, failure);
}

static bool stops(const atomic_bool *flag)
{
    return flag != NULL && atomic_load(flag);
}

static size_t enter(struct tree_report *report, const char *name)
{
    size_t before = report->path.size;
    if (before > 0)
        qn_buf_append_u8(&report->path, '/');
    qn_buf_append_str(&report->path, name);
    report->depth++;
    return before;
}

static void leave(struct tree_report *report, size_t before)
{
    qn_buf_truncate(&report->path, before);
    report->depth--;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

void tree_each(int dir, struct tree_report *report,
               bool (*each)(void *context, int dir, const char *name, unsigned char type),
               void *context)
{
    int fd = openat(dir, ".", DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (stream == NULL) {
        tree_fail(report, files_err(errno));
        close_fd(&fd);
        return;
    }
    bool goes_on = true;
    while (goes_on && !stops(report->stops)) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (entry == NULL) {
            if (errno != 0)
                tree_fail(report, files_err(errno));
            break;
        }
        if (!is_dots(entry->d_name))
            goes_on = each(context, dir, entry->d_name, entry->d_type);
    }
    if (stops(report->stops))
        tree_fail(report, QN_ERR_CLOSED);
    closedir(stream);
}

/* ---- removing ---- */
static bool remove_one(void *context, int dir, const char *name, unsigned char type)
{
    (void)type;
    struct tree_report *report = context;
    size_t before = enter(report, name);
    tree_remove(dir, name, report);
    leave(report, before);
    return true;
}

static void remove_directory(int parent, const char *name, struct tree_report *report)
{
    AUTO_FD int dir = beneath_open(parent, name, DIRECTORY);
    if (dir < 0) {
        tree_fail(report, files_err(errno));
        return;
    }
    if (report->depth >= TREE_DEPTH_MAX) {
        tree_fail(report, QN_ERR_LIMIT);
        return;
    }
    size_t failures = report->failures.count;
    enum qn_err before = report->err;
    report->err = QN_OK;
    tree_each(dir, report, remove_one, report);
    bool is_whole = report->err == QN_OK && report->failures.count == failures;
    if (before != QN_OK)
        report->err = before;
    /* That a directory stays is told by what stays in it. */
    if (is_whole && unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        tree_fail(report, files_err(errno));
}

void tree_remove(int parent, const char *name, struct tree_report *report)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return;
    if (errno == EISDIR)
        remove_directory(parent, name, report);
    else
        tree_fail(report, files_err(errno));
}

/* ---- removing what was moved ---- */
#define CLOCK_SLACK_NS 50000000 /* an adjustment, not a clock that was set */
#define LOOK_NS        1000000  /* that a look at both clocks may take, */
#define LOOKS_MAX      1000     /* of so many */

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;
    QN_ASSERT(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Who was interrupted between the two looks takes them again: else a busy machine would look like
 * a clock that was set. */
static int64_t clocks_apart_ns(void)
{
    int64_t before, wall, after;
    int tries = 0;
    do {
        before = now_ns(CLOCK_MONOTONIC);
        wall = now_ns(CLOCK_REALTIME);
        after = now_ns(CLOCK_MONOTONIC);
    } while (after - before > LOOK_NS && ++tries < LOOKS_MAX);
    return wall - before;
}

/* Some file systems write fine times, others those of the kernel's last step: what was written
 * before this call has one before `before_ns` in any case, and what is written after it has not. */
void tree_moved_begin(struct tree_moved *moved)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    moved->before_ns = now_ns(CLOCK_REALTIME) + 1;
    moved->apart_ns = clocks_apart_ns();
    while (wall_ns() < moved->before_ns && clocks_apart_ns() >= moved->apart_ns - CLOCK_SLACK_NS)
        (void)nanosleep(&pause, NULL);
}

static bool remove_moved_one(void *context, int dir, const char *name, unsigned char type)
{
    (void)type;
    struct tree_moved *moved = context;
    if (stage_is_name(name))
        return true; /* on its way: the directory stays */
    size_t before = enter(moved->report, name);
    tree_remove_moved(dir, name, moved);
    leave(moved->report, before);
    return true;
}

/* One that was made meanwhile is somebody's, too. */
static bool is_young(int dir, int64_t before_ns)
{
    struct statx status;
    return fd_look(dir, &status) != QN_OK ||
           ((status.stx_mask & STATX_BTIME) != 0 && time_ns(&status.stx_btime) >= before_ns);
}

static void remove_moved_directory(int parent, const char *name, struct tree_moved *moved)
{
    AUTO_FD int dir = beneath_open(parent, name, DIRECTORY);
    if (dir < 0) {
        tree_fail(moved->report, files_err(errno));
        return;
    }
    size_t failures = moved->report->failures.count;
    tree_each(dir, moved->report, remove_moved_one, moved);
    if (moved->report->failures.count > failures)
        return; /* that it stays is told by what stays in it */
    if (is_young(dir, moved->before_ns))
        tree_fail(moved->report, QN_ERR_BUSY);
    else if (unlinkat(parent, name, AT_REMOVEDIR) != 0)
        tree_fail(moved->report, errno == ENOTEMPTY ? QN_ERR_BUSY : files_err(errno));
}

/* Under the lock. A name that was replaced by a link or the like is nobody's copy. */
static enum qn_err remove_moved_file(int parent, const char *name, struct tree_moved *moved)
{
    struct statx status;
    QN_TRY(name_look(parent, name, &status));
    if (is_directory(&status))
        return QN_ERR_EXISTS;
    if (time_ns(&status.stx_ctime) >= moved->before_ns ||
        clocks_apart_ns() < moved->apart_ns - CLOCK_SLACK_NS)
        return QN_ERR_BUSY;
    return unlinkat(parent, name, 0) == 0 ? QN_OK : files_err(errno);
}

void tree_remove_moved(int parent, const char *name, struct tree_moved *moved)
{
    pthread_mutex_lock(moved->change);
    enum qn_err err = remove_moved_file(parent, name, moved);
    pthread_mutex_unlock(moved->change);
    if (err == QN_ERR_EXISTS)
        remove_moved_directory(parent, name, moved);
    else if (err != QN_OK && err != QN_ERR_NOTFOUND)
        tree_fail(moved->report, err);
}

/* ---- copying ---- */
enum qn_err fd_set_modified(int fd, int64_t modified_ns)
{
    int64_t seconds = modified_ns / 1000000000, rest = modified_ns % 1000000000;
    if (rest < 0) {
        rest += 1000000000;
        seconds--;
    }
    const struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = seconds, .tv_nsec = rest},
    };
    return futimens(fd, times) == 0 ? QN_OK : files_err(errno);
}

static enum qn_err write_all(int fd, struct qn_span bytes)
{
    while (bytes.size > 0) {
        ssize_t put = write(fd, bytes.data, bytes.size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return files_err(errno);
        bytes = qn_span_from(bytes, (size_t)put);
    }
    return QN_OK;
}

static enum qn_err copy_by_hand(int from, int to, const atomic_bool *flag)
{
    QN_AUTO_FREE uint8_t *piece = qn_alloc(PIECE_SIZE);
    while (!stops(flag)) {
        ssize_t got = read(from, piece, PIECE_SIZE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return files_err(errno);
        if (got == 0)
            return QN_OK;
        QN_TRY(write_all(to, qn_span(piece, (size_t)got)));
    }
    return QN_ERR_CLOSED;
}

static bool cannot_share(int code)
{
    return code == EXDEV || code == EINVAL || code == ENOSYS || code == EOPNOTSUPP || code == EBADF;
}

static enum qn_err copy_content(int from, int to, const atomic_bool *flag)
{
    if (ioctl(to, FICLONE, from) == 0)
        return QN_OK;
    for (bool is_first = true; !stops(flag); is_first = false) {
        ssize_t got = copy_file_range(from, NULL, to, NULL, SHARE_SIZE, 0);
        if (got == 0 && is_first)
            return copy_by_hand(from, to, flag); /* some file systems say so and mean "cannot" */
        if (got == 0)
            return QN_OK;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return is_first && cannot_share(errno) ? copy_by_hand(from, to, flag)
                                                   : files_err(errno);
    }
    return QN_ERR_CLOSED;
}

enum qn_err file_copy(int from, int to, const struct statx *status, const atomic_bool *flag)
{
    QN_TRY(copy_content(from, to, flag));
    return fd_set_modified(to, time_ns(&status->stx_mtime));
}

enum qn_err file_digest(int fd, const atomic_bool *flag, uint8_t ret_digest[32])
{
    struct qn_hasher *hasher = qn_hasher_new();
    QN_AUTO_FREE uint8_t *piece = qn_alloc(PIECE_SIZE);
    struct qn_digest digest;
    off_t offset = 0;
    enum qn_err err = QN_OK;
    qn_hasher_start(hasher);
    for (ssize_t got = 1; got != 0 && err == QN_OK;) {
        got = pread(fd, piece, PIECE_SIZE, offset);
        if (stops(flag))
            err = QN_ERR_CLOSED;
        else if (got < 0 && errno != EINTR)
            err = files_err(errno);
        else if (got > 0)
            qn_hasher_add(hasher, qn_span(piece, (size_t)got));
        offset += got > 0 ? got : 0;
    }
    qn_hasher_finish(hasher, &digest);
    qn_hasher_free(hasher);
    if (err == QN_OK)
        memcpy(ret_digest, digest.bytes, sizeof(digest.bytes));
    return err;
}

struct copying {
    int to;
    struct tree_report *report;
};

static enum qn_err copy_file(int from_dir, int to_dir, const char *name,
                             const struct tree_report *report)
{
    AUTO_FD int from = -1;
    struct statx status;
    QN_TRY(name_open_file(from_dir, name, &from, &status));
    AUTO_FD int to = openat(to_dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return files_err(errno);
    mode_set(to, mode_for_new(to_dir, false));
    return file_copy(from, to, &status, report->stops);
}

static enum qn_err copy_directory(int from_dir, int to_dir, const char *name,
                                  struct tree_report *report)
{
    struct statx status;
    AUTO_FD int from = beneath_open(from_dir, name, DIRECTORY);
    if (from < 0)
        return files_err(errno);
    QN_TRY(fd_look(from, &status));
    if (report->depth >= TREE_DEPTH_MAX)
        return QN_ERR_LIMIT;
    unsigned mode = mode_for_new(to_dir, true);
    if (mkdirat(to_dir, name, mode) != 0)
        return files_err(errno);
    AUTO_FD int to = beneath_open(to_dir, name, DIRECTORY);
    if (to < 0)
        return files_err(errno);
    mode_set(to, mode);
    tree_copy(from, to, report);
    return fd_set_modified(to, time_ns(&status.stx_mtime));
}

/* Nobody sees links and the like, nor what is on its way: they are not copied. */
static bool copy_one(void *context, int dir, const char *name, unsigned char type)
{
    (void)type;
    struct copying *copying = context;
    struct tree_report *report = copying->report;
    struct statx status;
    enum qn_err err = name_look(dir, name, &status);
    if (stage_is_name(name) || err == QN_ERR_DENIED || err == QN_ERR_NOTFOUND)
        return true;
    size_t before = enter(report, name);
    if (err == QN_OK)
        err = is_directory(&status) ? copy_directory(dir, copying->to, name, report)
                                    : copy_file(dir, copying->to, name, report);
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        tree_fail(report, err);
    leave(report, before);
    return err != QN_ERR_NOSPACE; /* the rest would fail too */
}

void tree_copy(int from, int to, struct tree_report *report)
{
    tree_each(from, report, copy_one, &(struct copying){.to = to, .report = report});
}
