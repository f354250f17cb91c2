/* Who is at the other end of the control socket, as the kernel says, and what of a backup's files
 * that user could have read. Thread: any; a caller is not changed once it is made.
 */
#pragma once

#include "base/limits.h"
#include "base/vec.h"
#include "chunk/entry.h"

#define QN_CALLER_GROUPS_MAX 1024 /* of more, the rest is as if it were not */

struct qn_caller {
    bool is_known; /* false: the kernel did not say */
    uint32_t uid;
    char user[QN_USER_SIZE_MAX + 1]; /* its name; its number where there is none; "?" */
    QN_VEC(uint32_t) groups;         /* the effective one first */
};

/* Of a connected Unix socket. To be given to qn_caller_deinit. */
void qn_caller_of(int fd, struct qn_caller *ret_caller);
void qn_caller_copy(const struct qn_caller *from, struct qn_caller *ret_caller);
void qn_caller_deinit(struct qn_caller *caller);
bool qn_caller_is_in(const struct qn_caller *caller, uint32_t group);

/* Whether its mode lets the caller do all of `bits` (4 read, 1 enter) with an object of a backup,
 * were it on this machine. A user or group whose number has another name here than it had there is
 * a stranger; so is whoever is not the owner of what has an access control list. */
bool qn_caller_may(const struct qn_caller *caller, const struct qn_entry *entry, unsigned bits);
