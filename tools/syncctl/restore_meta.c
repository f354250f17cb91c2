#include "restore_meta.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "proto/cursor.h"

#define NAME_SIZE_MAX   255
#define SLOTS           64
#define LOOKUP_SIZE_MAX (64 * 1024)
#define ACL_ACCESS      "system.posix_acl_access"
#define ACL_DEFAULT     "system.posix_acl_default"

/* ---- owners ---- */

struct slot {
    char name[NAME_SIZE_MAX + 1]; /* "": free */
    bool is_known;                /* on this machine */
    uint32_t id;
};

struct ctl_owners {
    struct slot users[SLOTS], groups[SLOTS];
    char lookup[LOOKUP_SIZE_MAX];
};

struct ctl_owners *ctl_owners_new(void)
{
    return QN_NEW(struct ctl_owners);
}

void ctl_owners_free(struct ctl_owners *owners)
{
    qn_free(owners);
}

static void look_up_user(struct ctl_owners *owners, struct slot *slot)
{
    struct passwd entry, *found = NULL;
    getpwnam_r(slot->name, &entry, owners->lookup, sizeof(owners->lookup), &found);
    slot->is_known = found != NULL;
    slot->id = found != NULL ? found->pw_uid : 0;
}

static void look_up_group(struct ctl_owners *owners, struct slot *slot)
{
    struct group entry, *found = NULL;
    getgrnam_r(slot->name, &entry, owners->lookup, sizeof(owners->lookup), &found);
    slot->is_known = found != NULL;
    slot->id = found != NULL ? found->gr_gid : 0;
}

static uint32_t id_of(struct ctl_owners *owners, struct slot *slots, struct qn_span name,
                      uint32_t number, void (*look_up)(struct ctl_owners *, struct slot *))
{
    uint32_t hash = 0;
    if (name.size == 0 || name.size > NAME_SIZE_MAX || memchr(name.data, 0, name.size) != NULL)
        return number;
    for (size_t i = 0; i < name.size; i++)
        hash = hash * 31 + name.data[i];
    struct slot *slot = &slots[hash % SLOTS];
    if (!qn_span_eq_str(name, slot->name)) {
        memcpy(slot->name, name.data, name.size);
        slot->name[name.size] = '\0';
        look_up(owners, slot);
    }
    return slot->is_known ? slot->id : number;
}

/* ---- taking ---- */

void ctl_meta_take(struct ctl_owners *owners, const struct qn_entry *entry,
                   struct ctl_meta *ret_meta)
{
    *ret_meta = (struct ctl_meta){
        .mode = entry->mode & 07777,
        .uid = id_of(owners, owners->users, entry->user, entry->uid, look_up_user),
        .gid = id_of(owners, owners->groups, entry->group, entry->gid, look_up_group),
        .mtime_s = entry->mtime_s,
        .mtime_ns = entry->mtime_ns};
    if (entry->xattrs.size > 0) {
        ret_meta->xattrs = qn_memdup(entry->xattrs.data, entry->xattrs.size);
        ret_meta->xattrs_size = entry->xattrs.size;
    }
}

void ctl_meta_deinit(struct ctl_meta *meta)
{
    qn_free(meta->xattrs);
    *meta = (struct ctl_meta){0};
}

/* ---- putting on ---- */

/* The open object itself, whatever its name leads to by now. Works with O_PATH too. */
struct self {
    char path[40];
};

static struct self self_of(int fd)
{
    struct self self;
    snprintf(self.path, sizeof(self.path), "/proc/self/fd/%d", fd);
    return self;
}

static bool is_refusal(int error)
{
    return error == EPERM || error == EACCES || error == EOPNOTSUPP || error == ENOTSUP ||
           error == ENOSPC || error == ERANGE || error == E2BIG || error == EINVAL;
}

/* Without root, its group may still be one of the caller's. */
static int set_owner(const struct ctl_meta *meta, int fd, const struct stat *status,
                     bool *ret_is_other)
{
    *ret_is_other = false;
    if (status->st_uid == meta->uid && status->st_gid == meta->gid)
        return 0;
    if (fchownat(fd, "", meta->uid, meta->gid, AT_EMPTY_PATH) == 0)
        return 0;
    if (!is_refusal(errno))
        return errno;
    *ret_is_other = status->st_uid != meta->uid;
    if (status->st_gid != meta->gid && fchownat(fd, "", (uid_t)-1, meta->gid, AT_EMPTY_PATH) != 0)
        *ret_is_other = true;
    return 0;
}

/* A program that ran as its owner must not run as another one. */
static int set_mode(const struct ctl_meta *meta, int fd, bool is_other)
{
    mode_t mode = is_other ? meta->mode & ~(mode_t)(S_ISUID | S_ISGID) : meta->mode;
    if (fchmod(fd, mode) == 0)
        return 0;
    if (errno != EBADF) /* EBADF: O_PATH */
        return errno;
    struct self self = self_of(fd);
    return chmod(self.path, mode) == 0 ? 0 : errno;
}

static int set_xattr(int fd, struct qn_span name, struct qn_span value)
{
    char text[QN_XATTR_NAME_SIZE_MAX + 1];
    struct self self = self_of(fd);
    if (name.size > QN_XATTR_NAME_SIZE_MAX || memchr(name.data, 0, name.size) != NULL)
        return EINVAL;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    return setxattr(self.path, text, value.data, value.size, 0) == 0 ? 0 : errno;
}

static int set_xattrs(const struct ctl_meta *meta, int fd, bool *ret_is_lost)
{
    struct qn_cursor cursor = qn_cursor(qn_span(meta->xattrs, meta->xattrs_size));
    struct qn_span name, value;
    size_t count = 0, pair;
    if (meta->xattrs == NULL)
        return 0;
    if (qn_cursor_array(&cursor, QN_XATTRS_MAX, &count) != QN_OK)
        return EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (qn_cursor_array(&cursor, 2, &pair) != QN_OK || pair != 2 ||
            qn_cursor_bin(&cursor, QN_XATTR_NAME_SIZE_MAX, &name) != QN_OK ||
            qn_cursor_bin(&cursor, QN_XATTR_SIZE_MAX, &value) != QN_OK)
            return EINVAL;
        int error = set_xattr(fd, name, value);
        if (error != 0 && !is_refusal(error))
            return error;
        *ret_is_lost |= error != 0;
    }
    return 0;
}

static int set_times(const struct ctl_meta *meta, int fd)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                {.tv_sec = meta->mtime_s, .tv_nsec = meta->mtime_ns}};
    return utimensat(fd, "", times, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

void ctl_meta_drop_acl(int fd)
{
    struct self self = self_of(fd);
    (void)!removexattr(self.path, ACL_ACCESS); /* most have none, and not all can have one */
    (void)!removexattr(self.path, ACL_DEFAULT);
}

/* The order matters: a change of owner takes set-id bits and capabilities away, an ACL holds a part
 * of the mode, and all of it changes no time but that of change. */
int ctl_meta_apply(const struct ctl_meta *meta, int fd, bool loses_acl,
                   struct ctl_meta_loss *ret_loss)
{
    struct ctl_meta_loss loss = {0};
    struct stat status;
    if (fstat(fd, &status) != 0)
        return errno;
    if (loses_acl)
        ctl_meta_drop_acl(fd);
    int error = set_owner(meta, fd, &status, &loss.owner);
    if (error == 0 && !S_ISLNK(status.st_mode))
        error = set_mode(meta, fd, loss.owner);
    if (error == 0)
        error = set_xattrs(meta, fd, &loss.attributes);
    if (error == 0)
        error = set_times(meta, fd);
    *ret_loss = loss;
    return error;
}
