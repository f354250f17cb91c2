#include "dav/locks.h"

#include <stdio.h>

#include "base/mem.h"
#include "dav/field.h"
#include "dav/locks_impl.h"

struct qn_dav_locks *qn_dav_locks_new(void)
{
    return QN_NEW(struct qn_dav_locks);
}

/* One piece of memory: the path and the owner stand behind the lock. */
static struct qn_dav_lock *lock_dup(const struct qn_dav_lock *lock)
{
    size_t size = sizeof(*lock) + lock->path.size + lock->owner.size;
    struct qn_dav_lock *copy = qn_alloc(size);
    uint8_t *text = (uint8_t *)(copy + 1);
    *copy = *lock;
    memcpy(text, lock->path.data, lock->path.size);
    copy->path = qn_span(text, lock->path.size);
    if (lock->owner.size > 0)
        memcpy(text + lock->path.size, lock->owner.data, lock->owner.size);
    copy->owner = qn_span(text + lock->path.size, lock->owner.size);
    return copy;
}

void qn_dav_locks_free(struct qn_dav_locks *locks)
{
    if (!locks)
        return;
    qn_vec_each (&locks->held, held)
        qn_free(*held);
    qn_vec_free(&locks->held);
    qn_free(locks);
}

size_t qn_dav_locks_count(const struct qn_dav_locks *locks)
{
    return locks->held.count;
}

/* ---- the order of paths ---- */

/* The order of `path` against `base` and, if `is_below`, a '/' behind it. */
static int path_order(struct qn_span path, struct qn_span base, bool is_below)
{
    if (!is_below || path.size < base.size)
        return qn_span_cmp(path, base);
    int order = qn_span_cmp(qn_span(path.data, base.size), base);
    return order != 0 ? order : qn_span_cmp(qn_span_from(path, base.size), qn_span_str("/"));
}

/* The first lock that is not before. */
static size_t first_at(const struct qn_dav_locks *locks, struct qn_span base, bool is_below)
{
    size_t low = 0, high = locks->held.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (path_order(locks->held.items[middle]->path, base, is_below) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_below(struct qn_span path, struct qn_span base)
{
    return path.size > base.size && path.data[base.size] == '/' && qn_span_has_prefix(path, base);
}

void qn_dav_locks_insert(struct qn_dav_locks *locks, const struct qn_dav_lock *lock)
{
    size_t at = first_at(locks, lock->path, false);
    while (at < locks->held.count && qn_span_eq(locks->held.items[at]->path, lock->path) &&
           strcmp(locks->held.items[at]->token, lock->token) < 0)
        at++;
    *qn_vec_insert_slot(&locks->held, at) = lock_dup(lock);
}

/* ---- looking ---- */

static bool is_alive(const struct qn_dav_lock *lock, uint64_t now_ms)
{
    return lock->expires_ms > now_ms;
}

bool qn_dav_lock_covers(const struct qn_dav_lock *lock, struct qn_span path)
{
    return qn_span_eq(path, lock->path) || (lock->is_deep && is_below(path, lock->path));
}

/* The parent of "a/b" is "a"; of "a", nothing. */
static bool to_parent(struct qn_span *path)
{
    const uint8_t *slash = path->size ? memrchr(path->data, '/', path->size) : NULL;
    if (!slash)
        return false;
    path->size = (size_t)(slash - path->data);
    return true;
}

/* The index behind a lock in the table. */
static size_t index_behind(const struct qn_dav_locks *locks, const struct qn_dav_lock *lock)
{
    size_t at = first_at(locks, lock->path, false);
    while (at < locks->held.count && locks->held.items[at] != lock)
        at++;
    return at + 1;
}

/* The path itself, then its parents, nearest first. */
const struct qn_dav_lock *qn_dav_locks_covering(const struct qn_dav_locks *locks,
                                                struct qn_span path, uint64_t now_ms,
                                                const struct qn_dav_lock *after)
{
    struct qn_span base = after ? after->path : path;
    size_t at = after ? index_behind(locks, after) : first_at(locks, base, false);
    if (locks->held.count == 0)
        return NULL;
    for (;;) {
        for (; at < locks->held.count && qn_span_eq(locks->held.items[at]->path, base); at++) {
            const struct qn_dav_lock *lock = locks->held.items[at];
            if (is_alive(lock, now_ms) && qn_dav_lock_covers(lock, path))
                return lock;
        }
        if (!to_parent(&base))
            return NULL;
        at = first_at(locks, base, false);
    }
}

/* Those of the path itself, then those below: between the two others may stand ("a", "a-b", "a/b").
 */
const struct qn_dav_lock *qn_dav_locks_within(const struct qn_dav_locks *locks, struct qn_span path,
                                              uint64_t now_ms, const struct qn_dav_lock *after)
{
    size_t at = after ? index_behind(locks, after) : first_at(locks, path, false);
    bool is_own = !after || qn_span_eq(after->path, path);
    for (; is_own && at < locks->held.count && qn_span_eq(locks->held.items[at]->path, path); at++)
        if (is_alive(locks->held.items[at], now_ms))
            return locks->held.items[at];
    if (is_own)
        at = first_at(locks, path, true);
    for (; at < locks->held.count && is_below(locks->held.items[at]->path, path); at++)
        if (is_alive(locks->held.items[at], now_ms))
            return locks->held.items[at];
    return NULL;
}

static size_t index_of(const struct qn_dav_locks *locks, struct qn_span token)
{
    size_t at = 0;
    while (at < locks->held.count && !qn_span_eq_str(token, locks->held.items[at]->token))
        at++;
    return at;
}

const struct qn_dav_lock *qn_dav_locks_find(const struct qn_dav_locks *locks, struct qn_span token,
                                            uint64_t now_ms)
{
    size_t at = index_of(locks, token);
    bool is_there = at < locks->held.count && is_alive(locks->held.items[at], now_ms);
    return is_there ? locks->held.items[at] : NULL;
}

/* ---- changing ---- */

static const struct qn_dav_lock *lock_against(const struct qn_dav_locks *locks,
                                              const struct qn_dav_lock_wish *wish, uint64_t now_ms)
{
    const struct qn_dav_lock *lock = NULL;
    while ((lock = qn_dav_locks_covering(locks, wish->path, now_ms, lock)) != NULL)
        if (wish->is_exclusive || lock->is_exclusive)
            return lock;
    while (wish->is_deep && (lock = qn_dav_locks_within(locks, wish->path, now_ms, lock)) != NULL)
        if (wish->is_exclusive || lock->is_exclusive)
            return lock;
    return NULL;
}

static size_t count_of_person(const struct qn_dav_locks *locks, const char *person)
{
    size_t count = 0;
    qn_vec_each (&locks->held, held)
        count += strcmp((*held)->person, person) == 0;
    return count;
}

/* All are shared, or the new one would not be added. What was locked below before is not counted.
 */
static bool is_crowded(const struct qn_dav_locks *locks, struct qn_span path, uint64_t now_ms)
{
    const struct qn_dav_lock *lock = NULL;
    size_t count = 0;
    while ((lock = qn_dav_locks_covering(locks, path, now_ms, lock)) != NULL)
        count++;
    return count >= QN_DAV_LOCKS_COVER_MAX;
}

/* Version 4 of RFC 9562: all but six of the bits are random. */
static void print_token(const uint8_t random[16], char out[QN_DAV_TOKEN_SIZE])
{
    const uint8_t *r = random;
    snprintf(out, QN_DAV_TOKEN_SIZE,
             "urn:uuid:%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0],
             r[1], r[2], r[3], r[4], r[5], (r[6] & 0x0f) | 0x40, r[7], (r[8] & 0x3f) | 0x80, r[9],
             r[10], r[11], r[12], r[13], r[14], r[15]);
}

enum qn_err qn_dav_locks_add(struct qn_dav_locks *locks, const struct qn_dav_lock_wish *wish,
                             uint64_t now_ms, const struct qn_dav_lock **ret_lock)
{
    const struct qn_dav_lock *against = lock_against(locks, wish, now_ms);
    if (against) {
        *ret_lock = against;
        return QN_ERR_BUSY;
    }
    if (locks->held.count >= QN_DAV_LOCKS_MAX || wish->owner.size > QN_DAV_OWNER_SIZE_MAX ||
        strlen(wish->person) > QN_PERSON_SIZE_MAX ||
        count_of_person(locks, wish->person) >= QN_DAV_LOCKS_PERSON_MAX ||
        is_crowded(locks, wish->path, now_ms))
        return QN_ERR_LIMIT;
    struct qn_dav_lock lock = {.path = wish->path,
                               .owner = wish->owner,
                               .is_exclusive = wish->is_exclusive,
                               .is_deep = wish->is_deep,
                               .timeout_s = wish->timeout_s,
                               .expires_ms = now_ms + (uint64_t)wish->timeout_s * 1000};
    strcpy(lock.person, wish->person);
    print_token(wish->random, lock.token);
    qn_dav_locks_insert(locks, &lock);
    *ret_lock = locks->held.items[index_of(locks, qn_span_str(lock.token))];
    return QN_OK;
}

void qn_dav_locks_refresh(struct qn_dav_locks *locks, struct qn_span token, unsigned timeout_s,
                          uint64_t now_ms)
{
    size_t at = index_of(locks, token);
    if (at == locks->held.count)
        return;
    locks->held.items[at]->timeout_s = timeout_s;
    locks->held.items[at]->expires_ms = now_ms + (uint64_t)timeout_s * 1000;
}

static void remove_at(struct qn_dav_locks *locks, size_t at)
{
    qn_free(locks->held.items[at]);
    qn_vec_remove(&locks->held, at);
}

void qn_dav_locks_remove(struct qn_dav_locks *locks, struct qn_span token)
{
    size_t at = index_of(locks, token);
    if (at < locks->held.count)
        remove_at(locks, at);
}

bool qn_dav_locks_take_expired(struct qn_dav_locks *locks, uint64_t now_ms,
                               char ret_token[QN_DAV_TOKEN_SIZE])
{
    for (size_t at = 0; at < locks->held.count; at++)
        if (!is_alive(locks->held.items[at], now_ms)) {
            strcpy(ret_token, locks->held.items[at]->token);
            remove_at(locks, at);
            return true;
        }
    return false;
}
