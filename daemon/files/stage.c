#include "files/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#define PREFIX    ".quoin-upload-"
#define TAG_SIZE  ((size_t)32)
#define TRIES_MAX 16 /* a sweeper may come between making and locking */

void stage_name(struct local *folder, char out[STAGE_NAME_SIZE])
{
    unsigned long long number = atomic_fetch_add(&folder->stage_count, 1);
    snprintf(out, STAGE_NAME_SIZE, PREFIX "%s%016llx", folder->tag, number);
}

bool stage_is_name(const char *name)
{
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return false;
    const char *tag = name + strlen(PREFIX);
    return strlen(tag) == TAG_SIZE && strspn(tag, "0123456789abcdef") == TAG_SIZE;
}

/* Locked, and still there. */
static bool hold(int fd)
{
    struct stat status;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &status) == 0 && status.st_nlink > 0;
}

static int make_file(int parent, const char *name)
{
    return openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int make_directory(int parent, const char *name)
{
    /* The mode is the parent's from the start: only so a setgid bit that comes with it stays. */
    if (mkdirat(parent, name, mode_for_new(parent, true)) != 0)
        return -1;
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A directory that was made went before it was opened; the one that it was made in is still there.
 */
static bool was_swept(int parent, int code)
{
    struct stat status;
    return code == ENOENT && fstat(parent, &status) == 0 && status.st_nlink > 0;
}

static enum qn_err make(struct local *folder, int parent, int (*make_one)(int, const char *),
                        struct stage *ret_stage)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        stage_name(folder, ret_stage->name);
        int fd = make_one(parent, ret_stage->name);
        if (fd < 0 && errno != EEXIST && !was_swept(parent, errno))
            return files_err(errno);
        if (fd >= 0 && hold(fd)) {
            ret_stage->fd = fd;
            return QN_OK;
        }
        close_fd(&fd);
    }
    return QN_ERR_BUSY;
}

enum qn_err stage_make_file(struct local *folder, int parent, struct stage *ret_stage)
{
    return make(folder, parent, make_file, ret_stage);
}

enum qn_err stage_make_directory(struct local *folder, int parent, struct stage *ret_stage)
{
    return make(folder, parent, make_directory, ret_stage);
}
