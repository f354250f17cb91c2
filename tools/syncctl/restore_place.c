#include "restore_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define UNFINISHED_MODE 01700
#define FOLDER_FLAGS    (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int open_beneath(int target, struct qn_span path, int flags)
{
    char text[QN_PATH_SIZE_MAX];
    struct open_how how = {.flags = (unsigned)flags,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    if (path.size >= sizeof(text)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(text, path.data, path.size);
    text[path.size] = '\0';
    return (int)syscall(SYS_openat2, target, path.size > 0 ? text : ".", &how, sizeof(how));
}

int ctl_places_open(struct ctl_places *places, struct qn_span path)
{
    return open_beneath(places->stack.items[0].fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* ---- file systems ---- */

static void note_device(struct ctl_places *places, int fd, uint64_t device)
{
    for (size_t i = 0; i < places->device_count; i++)
        if (places->devices[i].device == device)
            return;
    int kept = places->device_count < CTL_PLACE_DEVICES_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (kept < 0) {
        places->has_more_devices = true;
        return;
    }
    places->devices[places->device_count].device = device;
    places->devices[places->device_count++].fd = kept;
}

int ctl_places_sync(struct ctl_places *places)
{
    int error = ctl_flusher_stop(&places->flusher);
    for (size_t i = 0; i < places->device_count; i++)
        if (syncfs(places->devices[i].fd) != 0 && error == 0)
            error = errno;
    if (places->has_more_devices)
        sync();
    return error;
}

/* ---- the stack ---- */

int ctl_places_target(const struct ctl_places *places)
{
    return places->stack.count > 0 ? places->stack.items[0].fd : -1;
}

struct ctl_place *ctl_places_deepest(struct ctl_places *places)
{
    return &places->stack.items[places->stack.count - 1];
}

/* By its path, because it lay too deep to be kept open; it must be the same folder. */
static int reopen(struct ctl_places *places, struct ctl_place *place)
{
    struct stat status;
    struct qn_span path = qn_span(places->path.data, place->path_size);
    int fd = open_beneath(places->stack.items[0].fd, path, FOLDER_FLAGS);
    if (fd < 0)
        return errno;
    if (fstat(fd, &status) != 0 || status.st_dev != place->device ||
        status.st_ino != place->inode) {
        close(fd);
        return ESTALE;
    }
    place->fd = fd;
    return 0;
}

int ctl_places_fd(struct ctl_places *places, int *ret_fd)
{
    struct ctl_place *place = ctl_places_deepest(places);
    int error = place->fd >= 0 ? 0 : reopen(places, place);
    if (error == 0)
        *ret_fd = place->fd;
    return error;
}

static struct ctl_place *push(struct ctl_places *places, int fd, const struct stat *status)
{
    if (places->stack.count > CTL_PLACE_FDS_MAX) {
        struct ctl_place *above = ctl_places_deepest(places);
        close(above->fd);
        above->fd = -1;
    }
    struct ctl_place *place = qn_vec_push_slot(&places->stack);
    *place = (struct ctl_place){.fd = fd,
                                .path_size = places->path.size,
                                .device = status->st_dev,
                                .inode = status->st_ino,
                                .is_finished = true};
    return place;
}

static void pop(struct ctl_places *places)
{
    struct ctl_place *place = ctl_places_deepest(places);
    ctl_meta_deinit(&place->meta);
    if (place->fd >= 0)
        close(place->fd);
    places->stack.count--;
    if (places->stack.count > 0)
        qn_buf_truncate(&places->path, ctl_places_deepest(places)->path_size);
}

static void finish(struct ctl_places *places)
{
    struct ctl_place *place = ctl_places_deepest(places);
    struct ctl_meta_loss loss = {0};
    int fd, error = ctl_places_fd(places, &fd);
    if (error == 0)
        error = ctl_meta_apply(&place->meta, fd, false, &loss);
    places->on_left(places->context, qn_buf_view(&places->path), error, &loss);
}

void ctl_places_leave(struct ctl_places *places, struct qn_span path)
{
    while (places->stack.count > 1) {
        if (qn_path_is_below(path, qn_buf_view(&places->path)) && path.size > places->path.size)
            return;
        if (!ctl_places_deepest(places)->is_finished)
            finish(places);
        pop(places);
    }
}

/* ---- the target ---- */

static bool is_empty(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    size_t count = 0;
    while (stream != NULL && count <= 2 && readdir(stream) != NULL)
        count++;
    if (stream != NULL)
        closedir(stream);
    return count == 2;
}

static bool gives_acl(int fd)
{
    return fgetxattr(fd, "system.posix_acl_default", NULL, 0) > 0;
}

static int open_target(const char *target, int *ret_fd)
{
    if (mkdir(target, 0700) != 0 && errno != EEXIST)
        return errno;
    int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

int ctl_places_init(struct ctl_places *places, const char *target, bool *ret_is_empty)
{
    struct stat status;
    int fd = -1, error = open_target(target, &fd);
    *places = (struct ctl_places){0};
    qn_buf_init(&places->path, QN_PATH_SIZE_MAX);
    ctl_flusher_init(&places->flusher);
    if (error != 0)
        return error;
    if (fstat(fd, &status) != 0) {
        error = errno;
        close(fd);
        return error;
    }
    push(places, fd, &status)->has_acl = gives_acl(fd);
    note_device(places, fd, status.st_dev);
    *ret_is_empty = is_empty(fd);
    return 0;
}

void ctl_places_deinit(struct ctl_places *places)
{
    ctl_flusher_stop(&places->flusher); /* its error was told, or nobody asks */
    while (places->stack.count > 0)
        pop(places);
    for (size_t i = 0; i < places->device_count; i++)
        close(places->devices[i].fd);
    qn_vec_free(&places->stack);
    qn_buf_deinit(&places->path);
    *places = (struct ctl_places){0};
}

/* ---- going deeper ---- */

static int append_name(struct ctl_places *places, const char *name)
{
    size_t size = strlen(name);
    if (places->path.size + 1 + size > QN_PATH_SIZE_MAX)
        return ENAMETOOLONG;
    if (places->path.size > 0)
        qn_buf_append_u8(&places->path, '/');
    qn_buf_append(&places->path, name, size);
    return 0;
}

/* Whatever is in the way is removed, but never a folder. */
static int make_folder(int dir, const char *name, mode_t mode, bool overwrites, bool *ret_is_new)
{
    struct stat status;
    *ret_is_new = true;
    if (mkdirat(dir, name, mode) == 0)
        return 0;
    if (errno != EEXIST)
        return errno;
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    if (S_ISDIR(status.st_mode)) {
        *ret_is_new = false;
        return 0;
    }
    if (!overwrites)
        return EEXIST;
    if (unlinkat(dir, name, 0) != 0)
        return errno;
    return mkdirat(dir, name, mode) == 0 ? 0 : errno;
}

static bool is_unfinished(const struct stat *status)
{
    return (status->st_mode & 07777) == UNFINISHED_MODE && status->st_uid == geteuid();
}

static int open_folder(struct ctl_places *places, const char *name, int *ret_fd,
                       struct stat *ret_status)
{
    int error = append_name(places, name);
    if (error != 0)
        return error;
    int fd = open_beneath(places->stack.items[0].fd, qn_buf_view(&places->path), FOLDER_FLAGS);
    if (fd >= 0 && fstat(fd, ret_status) == 0) {
        *ret_fd = fd;
        return 0;
    }
    error = errno;
    if (fd >= 0)
        close(fd);
    qn_buf_truncate(&places->path, ctl_places_deepest(places)->path_size);
    return error;
}

static int enter(struct ctl_places *places, const char *name, struct ctl_meta *meta,
                 bool overwrites)
{
    struct stat status;
    bool is_new = false, inherits = ctl_places_deepest(places)->has_acl;
    int dir, fd = -1, error = ctl_places_fd(places, &dir);
    if (error == 0)
        error = make_folder(dir, name, meta != NULL ? UNFINISHED_MODE : 0777, overwrites, &is_new);
    if (error == 0)
        error = open_folder(places, name, &fd, &status);
    if (error != 0)
        return error;
    if (is_new && inherits)
        ctl_meta_drop_acl(fd);
    struct ctl_place *place = push(places, fd, &status);
    place->is_new = is_new;
    place->has_acl = !is_new && gives_acl(fd);
    if (!is_new)
        note_device(places, fd, status.st_dev);
    if (meta != NULL && (is_new || overwrites || places->redoes || is_unfinished(&status))) {
        place->is_finished = false;
        place->meta = *meta;
        *meta = (struct ctl_meta){0};
    }
    return 0;
}

int ctl_places_enter(struct ctl_places *places, const char *name, struct ctl_meta *meta,
                     bool overwrites)
{
    int error = enter(places, name, meta, overwrites);
    if (meta != NULL)
        ctl_meta_deinit(meta);
    return error;
}
