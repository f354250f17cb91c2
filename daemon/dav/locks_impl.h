/* What the files of the table of locks share. */
#pragma once

#include "base/vec.h"
#include "dav/locks.h"

struct qn_dav_locks {
    QN_VEC(struct qn_dav_lock *) held; /* by path, then by token */
};

void qn_dav_locks_insert(struct qn_dav_locks *locks, const struct qn_dav_lock *lock); /* copied */
