/* What an object of a restore has besides its content: owner, mode, extended attributes and ACLs,
 * times. Put on through a descriptor of the object itself, never by its name.
 */
#pragma once

#include "chunk/entry.h"

struct ctl_owners; /* users and groups of this machine by name; remembered for the run */
struct ctl_owners *ctl_owners_new(void);
void ctl_owners_free(struct ctl_owners *owners); /* accepts NULL */

struct ctl_meta {
    uint32_t mode, uid, gid; /* the ids of this machine */
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint8_t *xattrs; /* packed; NULL: none */
    size_t xattrs_size;
};
/* Of an entry, for later. Names come before numbers: the machine may be another one. */
void ctl_meta_take(struct ctl_owners *owners, const struct qn_entry *entry,
                   struct ctl_meta *ret_meta);
void ctl_meta_deinit(struct ctl_meta *meta);

struct ctl_meta_loss {
    bool owner;      /* not the one it had: only root can give files away */
    bool attributes; /* some were refused: by the file system, or because it needs root */
};
/* Puts all of it on. `fd` is open for reading or writing, or with O_PATH for what is neither file
 * nor folder. `loses_acl`: first takes off an ACL that came from the folder above. What can only be
 * had as root, or not on this file system, is told in *ret_loss. 0, or errno of what should have
 * worked. */
int ctl_meta_apply(const struct ctl_meta *meta, int fd, bool loses_acl,
                   struct ctl_meta_loss *ret_loss);
/* Takes off the ACLs that a new object got from the folder above. */
void ctl_meta_drop_acl(int fd);
