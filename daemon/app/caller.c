#include "app/caller.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/text.h"

#define NAMES_SIZE 4096 /* memory of a look into the user database */
#define ACL_NAME   "system.posix_acl_access"

/* ---- who it is ---- */

static void name_user(struct qn_caller *caller)
{
    char memory[NAMES_SIZE];
    struct passwd entry, *found = NULL;
    getpwuid_r(caller->uid, &entry, memory, sizeof(memory), &found);
    if (found != NULL && qn_text_is_printable(qn_span_str(entry.pw_name)) &&
        strlen(entry.pw_name) < sizeof(caller->user))
        strcpy(caller->user, entry.pw_name);
    else
        snprintf(caller->user, sizeof(caller->user), "%u", caller->uid);
}

static void add_groups(struct qn_caller *caller, int fd)
{
    gid_t groups[QN_CALLER_GROUPS_MAX];
    socklen_t size = sizeof(groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
        return;
    for (size_t i = 0; i < size / sizeof(*groups); i++)
        qn_vec_push(&caller->groups, groups[i]);
}

void qn_caller_of(int fd, struct qn_caller *ret_caller)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);
    *ret_caller = (struct qn_caller){.user = "?"};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
        return;
    ret_caller->is_known = true;
    ret_caller->uid = cred.uid;
    qn_vec_push(&ret_caller->groups, cred.gid);
    add_groups(ret_caller, fd);
    name_user(ret_caller);
}

void qn_caller_copy(const struct qn_caller *from, struct qn_caller *ret_caller)
{
    *ret_caller = (struct qn_caller){.is_known = from->is_known, .uid = from->uid};
    strcpy(ret_caller->user, from->user);
    qn_vec_each (&from->groups, group)
        qn_vec_push(&ret_caller->groups, *group);
}

void qn_caller_deinit(struct qn_caller *caller)
{
    qn_vec_free(&caller->groups);
}

bool qn_caller_is_in(const struct qn_caller *caller, uint32_t group)
{
    qn_vec_each (&caller->groups, own)
        if (*own == group)
            return true;
    return false;
}

/* ---- what that user could read ---- */

static bool is_owner(const struct qn_caller *caller, const struct qn_entry *entry)
{
    return entry->uid == caller->uid &&
           (entry->user.size == 0 || qn_span_eq_str(entry->user, caller->user));
}

static bool is_in_group(const struct qn_caller *caller, const struct qn_entry *entry)
{
    char memory[NAMES_SIZE];
    struct group group, *found = NULL;
    if (!qn_caller_is_in(caller, entry->gid))
        return false;
    if (entry->group.size == 0)
        return true;
    getgrgid_r(entry->gid, &group, memory, sizeof(memory), &found);
    return found != NULL && qn_span_eq_str(entry->group, group.gr_name);
}

/* Wherever the name stands: what is no list is then taken for one, which opens nothing. */
static bool has_acl(const struct qn_entry *entry)
{
    return entry->xattrs.size > 0 &&
           memmem(entry->xattrs.data, entry->xattrs.size, ACL_NAME, strlen(ACL_NAME)) != NULL;
}

bool qn_caller_may(const struct qn_caller *caller, const struct qn_entry *entry, unsigned bits)
{
    if (!caller->is_known)
        return false;
    if (caller->uid == 0)
        return true;
    if (is_owner(caller, entry))
        return (entry->mode >> 6 & bits) == bits;
    if (has_acl(entry))
        return false;
    unsigned shift = is_in_group(caller, entry) ? 3 : 0;
    return (entry->mode >> shift & bits) == bits;
}
