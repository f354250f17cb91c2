/* May a person change something that others may have locked? */
#include "dav/locks.h"

static bool is_used(const struct qn_dav_lock *lock, const struct qn_dav_access *access)
{
    return access->given && strcmp(lock->person, access->person) == 0 &&
           qn_dav_if_submits(access->given, qn_span_str(lock->token));
}

/* One lock that the person holds and named is enough: where there are several, all are shared. */
static const struct qn_dav_lock *blocking_at(const struct qn_dav_locks *locks, struct qn_span path,
                                             const struct qn_dav_access *access, uint64_t now_ms)
{
    const struct qn_dav_lock *lock = NULL, *blocking = NULL;
    while ((lock = qn_dav_locks_covering(locks, path, now_ms, lock)) != NULL) {
        if (is_used(lock, access))
            return NULL;
        blocking = blocking ? blocking : lock;
    }
    return blocking;
}

const struct qn_dav_lock *qn_dav_locks_blocking(const struct qn_dav_locks *locks,
                                                const struct qn_dav_access *access, uint64_t now_ms)
{
    const struct qn_dav_lock *lock = NULL;
    const struct qn_dav_lock *blocking = blocking_at(locks, access->path, access, now_ms);
    while (!blocking && access->is_tree &&
           (lock = qn_dav_locks_within(locks, access->path, now_ms, lock)) != NULL)
        blocking = blocking_at(locks, lock->path, access, now_ms);
    return blocking;
}
