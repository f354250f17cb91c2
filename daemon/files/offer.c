/* What is asked of a directory as a whole: may it be offered, what is in it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/mem.h"
#include "files/alike.h"
#include "files/names.h"
#include "files/tree.h"
#include "os/os.h"

#define LOOK_PATH_SIZE_MAX ((size_t)(TREE_DEPTH_MAX + 1) * (NAME_MAX + 1))

/* A file without a name, or one that goes at once, where the file system has no such. */
static enum qn_err try_to_write(int dir)
{
    AUTO_FD int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return QN_OK;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return files_err(errno);
    static const char name[] = ".quoin-try";
    int named = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (named < 0)
        return files_err(errno);
    close(named);
    return unlinkat(dir, name, 0) == 0 ? QN_OK : files_err(errno);
}

enum qn_err qn_folder_probe(const char *path, struct qn_buf *ret_real)
{
    AUTO_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno == ENOTDIR ? QN_ERR_INVALID : files_err(errno);
    QN_TRY(try_to_write(dir));
    char *real = realpath(path, NULL);
    if (real == NULL)
        return files_err(errno);
    qn_buf_append(ret_real, real, strlen(real) + 1);
    free(real);
    return qn_buf_status(ret_real);
}

struct looking {
    struct tree_report report;
    struct qn_folder_look look;
    const struct qn_folder_look_options *options;
    uint64_t names_left;
    struct alike *names; /* of the directory that is being read */
    struct qn_buf path;  /* of it, for what is said */
};

static void note_odd(struct looking *looking, struct qn_folder_odd *odd, struct qn_span name,
                     enum qn_name_fault fault)
{
    size_t size = looking->path.size;
    odd->count++;
    qn_buf_append_span(&looking->path, name);
    if (looking->path.is_over)
        return;
    struct qn_span path = qn_buf_view(&looking->path);
    if (odd->count == 1 && path.size < sizeof(odd->path))
        memcpy(odd->path, path.data, path.size);
    if (looking->options->odd != NULL)
        looking->options->odd(looking->options->context, path, fault);
    qn_buf_truncate(&looking->path, size);
}

/* What Windows cannot show, and what is shown twice to who does not tell capitals apart. */
static void judge(struct looking *looking, struct qn_span name)
{
    enum qn_name_fault fault = qn_name_fault(name);
    if (fault != QN_NAME_FINE)
        note_odd(looking, &looking->look.unfit, name, fault);
    if (alike_add(looking->names, name))
        note_odd(looking, &looking->look.alike, name, QN_NAME_FINE);
}

static bool look_at(void *context, int dir, const char *name, unsigned char type);

static void look_below(struct looking *looking, int dir, const char *name)
{
    AUTO_ALIKE struct alike below = {0};
    struct alike *here = looking->names;
    size_t size = looking->path.size;
    looking->names = &below;
    qn_buf_append_str(&looking->path, name);
    qn_buf_append_str(&looking->path, "/");
    looking->report.depth++;
    tree_each(dir, &looking->report, look_at, looking);
    looking->report.depth--;
    if (!looking->path.is_over)
        qn_buf_truncate(&looking->path, size);
    looking->names = here;
}

static bool look_at(void *context, int dir, const char *name, unsigned char type)
{
    (void)type;
    struct looking *looking = context;
    struct statx status;
    if (!qn_name_is_shown(qn_span_str(name)) || name_look(dir, name, &status) != QN_OK)
        return true;
    if (looking->names_left == 0) {
        looking->look.is_complete = false;
        return false;
    }
    looking->names_left--;
    judge(looking, qn_span_str(name));
    if (!is_directory(&status)) {
        looking->look.files++;
        looking->look.bytes += status.stx_size;
        return true;
    }
    AUTO_FD int below = looking->report.depth < TREE_DEPTH_MAX
                            ? beneath_open(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                            : -1;
    if (below < 0) {
        looking->look.is_complete = false;
        return true;
    }
    look_below(looking, below, name);
    return looking->look.is_complete || looking->names_left > 0;
}

enum qn_err qn_folder_look(const char *path, const uint8_t mark[QN_FOLDER_MARK_SIZE],
                           const struct qn_folder_look_options *options,
                           struct qn_folder_look *ret_look)
{
    struct root root;
    struct statvfs status;
    AUTO_FD int fd = -1;
    root_init(&root, path, mark);
    enum qn_err err = root_open(&root, &fd);
    root_deinit(&root);
    QN_TRY(err);
    AUTO_ALIKE struct alike names = {0};
    struct looking looking = {.look.is_complete = true,
                              .options = options,
                              .names_left = options->names_max,
                              .names = &names};
    qn_buf_init(&looking.path, LOOK_PATH_SIZE_MAX);
    tree_report_init(&looking.report, options->stops, qn_span(NULL, 0));
    tree_each(fd, &looking.report, look_at, &looking);
    looking.look.is_complete &= looking.report.err == QN_OK;
    tree_report_deinit(&looking.report);
    qn_buf_deinit(&looking.path);
    if (options->stops != NULL && atomic_load(options->stops))
        return QN_ERR_CLOSED;
    if (fstatvfs(fd, &status) == 0) {
        looking.look.used_bytes = (uint64_t)(status.f_blocks - status.f_bfree) * status.f_frsize;
        looking.look.free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    }
    *ret_look = looking.look;
    return QN_OK;
}
