#include "files/local.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "files/local_impl.h"
#include "os/os.h"

int64_t wall_ns(void)
{
    struct timespec now;
    QN_ASSERT(clock_gettime(CLOCK_REALTIME_COARSE, &now) == 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

enum qn_err real_find(struct local *folder, struct qn_span path, struct place *place)
{
    AUTO_FD int root = -1;
    QN_TRY(root_open(&folder->root, &root));
    return place_find(root, path, place);
}

/* One for all attempts of a turn. */
static int quick_root(struct local *folder)
{
    if (folder->quick_root >= 0)
        return folder->quick_root;
    folder->quick_root = root_open_cached(&folder->root);
    if (folder->quick_root >= 0)
        qn_timer_set(folder->wake, 0);
    return folder->quick_root;
}

static void drop_quick_root(struct local *folder)
{
    close_fd(&folder->quick_root);
    folder->quick_root = -1;
}

int real_open_cached(struct local *folder, struct qn_span path, int flags)
{
    char text[PATH_MAX + 1] = ".";
    int root = quick_root(folder);
    errno = EAGAIN;
    if (root < 0 || path.size >= sizeof(text))
        return -1;
    if (path.size > 0) {
        memcpy(text, path.data, path.size);
        text[path.size] = '\0';
    }
    return beneath_open_cached(root, text, flags);
}

enum qn_err real_find_new(struct local *folder, struct qn_span path, struct place *place)
{
    enum qn_err err = real_find(folder, path, place);
    return err == QN_ERR_NOTFOUND ? QN_ERR_STATE : err;
}

enum qn_err sync_fd(int fd)
{
    return fsync(fd) == 0 ? QN_OK : files_err(errno);
}

unsigned mode_for_new(int parent, bool is_directory)
{
    struct stat status;
    unsigned mode = fstat(parent, &status) == 0 ? status.st_mode & 0777 : 0;
    return is_directory ? mode | 0700 : (mode & 0666) | 0600;
}

void mode_set(int fd, unsigned mode)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || (status.st_mode & 0777) == mode)
        return;
    /* A hardened daemon may not set setgid, not even where it is: then the group stays right and
     * the mode what umask and the directory's default rights made it. */
    (void)!fchmod(fd, mode | (S_ISDIR(status.st_mode) ? status.st_mode & S_ISGID : 0));
}

static void destroy(struct local *folder)
{
    drop_quick_root(folder);
    qn_timer_free(folder->wake);
    qn_timer_free(folder->sweep_timer);
    pthread_mutex_destroy(&folder->change);
    root_deinit(&folder->root);
    qn_free(folder->name);
    qn_free(folder);
}

static void on_wake(void *context)
{
    struct local *folder = context;
    drop_quick_root(folder);
    call_run_all(folder);
    if (folder->is_ending && folder->call_count == 0 && !folder->is_sweeping)
        destroy(folder);
}

static void real_free(struct qn_folder *base)
{
    struct local *folder = real_of(base);
    folder->is_ending = true;
    folder->changed = NULL;
    folder->rows = NULL; /* what still ends is told, but finds no rows any more */
    atomic_store(&folder->stops, true);
    qn_timer_stop(folder->sweep_timer);
    qn_timer_set(folder->wake, 0);
}

static const struct qn_folder_ops ops = {
    .stat = real_stat,
    .list = real_list,
    .more = real_more,
    .open = real_open,
    .read = real_read,
    .close = real_close,
    .upload = real_upload,
    .write = real_write,
    .commit = real_commit,
    .abort = real_abort,
    .make_directory = real_make_directory,
    .remove = real_remove,
    .copy = real_copy,
    .move = real_move,
    .set_modified = real_set_modified,
    .space = real_space,
    .cancel = call_cancel,
    .free = real_free,
};

static char *dup_span(struct qn_span text)
{
    char *copy = qn_alloc(text.size + 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

static void on_sweep_timer(void *context)
{
    sweep_start(context);
}

struct qn_folder *qn_folder_local_new(const struct qn_folder_local_options *options)
{
    struct local *folder = QN_NEW(struct local);
    uint64_t tag;
    folder->base.ops = &ops;
    folder->quick_root = -1;
    folder->loop = options->loop;
    folder->rows = options->local;
    folder->name = dup_span(options->name);
    folder->changed = options->changed;
    folder->changed_context = options->changed_context;
    root_init(&folder->root, options->path, options->mark);
    QN_ASSERT(pthread_mutex_init(&folder->change, NULL) == 0);
    qn_os_random(&tag, sizeof(tag));
    snprintf(folder->tag, sizeof(folder->tag), "%016llx", (unsigned long long)tag);
    folder->wake = qn_timer_new(folder->loop, on_wake, folder);
    folder->sweep_timer = qn_timer_new(folder->loop, on_sweep_timer, folder);
    /* Without a mark the directory of this moment is the one. */
    int fd = -1;
    if (root_open(&folder->root, &fd) == QN_OK)
        close(fd);
    sweep_start(folder);
    return &folder->base;
}
