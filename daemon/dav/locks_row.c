/* Locks as rows: a version, flags, the time, and three texts with their sizes. */
#include "dav/field.h"
#include "dav/locks_impl.h"
#include "dav/row.h"

#define ROW_VERSION    1
#define FLAG_EXCLUSIVE 1
#define FLAG_DEEP      2
#define ROW_PATH_MAX   8192

void qn_dav_lock_key(struct qn_span token, struct qn_buf *out)
{
    qn_buf_append_str(out, QN_DAV_LOCK_ROW_PREFIX);
    qn_buf_append_span(out, token);
}

void qn_dav_lock_row(const struct qn_dav_lock *lock, struct qn_buf *out)
{
    qn_buf_append_u8(out, ROW_VERSION);
    qn_buf_append_u8(out, (uint8_t)((lock->is_exclusive ? FLAG_EXCLUSIVE : 0) |
                                    (lock->is_deep ? FLAG_DEEP : 0)));
    qn_buf_append_varint(out, lock->expires_ms);
    qn_buf_append_varint(out, lock->timeout_s);
    qn_dav_row_text(out, qn_span_str(lock->person));
    qn_dav_row_text(out, lock->path);
    qn_dav_row_text(out, lock->owner);
}

static enum qn_err read_row(struct qn_span row, struct qn_dav_lock *ret_lock)
{
    size_t offset = 2;
    uint64_t timeout_s;
    struct qn_span person;
    if (row.size < offset || row.data[0] != ROW_VERSION ||
        row.data[1] > (FLAG_EXCLUSIVE | FLAG_DEEP))
        return QN_ERR_CORRUPT;
    ret_lock->is_exclusive = row.data[1] & FLAG_EXCLUSIVE;
    ret_lock->is_deep = row.data[1] & FLAG_DEEP;
    if (qn_read_varint(row, &offset, &ret_lock->expires_ms) != QN_OK ||
        qn_read_varint(row, &offset, &timeout_s) != QN_OK || timeout_s > QN_DAV_TIMEOUT_MAX_S)
        return QN_ERR_CORRUPT;
    ret_lock->timeout_s = (unsigned)timeout_s;
    QN_TRY(qn_dav_row_text_read(row, &offset, QN_PERSON_SIZE_MAX, &person));
    QN_TRY(qn_dav_row_text_read(row, &offset, ROW_PATH_MAX, &ret_lock->path));
    QN_TRY(qn_dav_row_text_read(row, &offset, QN_DAV_OWNER_SIZE_MAX, &ret_lock->owner));
    if (offset != row.size || memchr(person.data, 0, person.size) || ret_lock->path.size == 0)
        return QN_ERR_CORRUPT;
    memcpy(ret_lock->person, person.data, person.size);
    return QN_OK;
}

enum qn_err qn_dav_locks_load(struct qn_dav_locks *locks, struct qn_span key, struct qn_span row,
                              uint64_t now_ms)
{
    struct qn_dav_lock lock = {.timeout_s = 0};
    struct qn_span prefix = qn_span_str(QN_DAV_LOCK_ROW_PREFIX);
    struct qn_span token = qn_span_from(key, prefix.size);
    if (!qn_span_has_prefix(key, prefix) || token.size != QN_DAV_TOKEN_SIZE - 1 ||
        memchr(token.data, 0, token.size))
        return QN_ERR_CORRUPT;
    QN_TRY(read_row(row, &lock));
    memcpy(lock.token, token.data, token.size);
    uint64_t longest_ms = now_ms + QN_DAV_TIMEOUT_MAX_S * 1000;
    if (lock.expires_ms > longest_ms)
        lock.expires_ms = longest_ms;
    bool is_over = lock.expires_ms <= now_ms;
    if (qn_dav_locks_find(locks, token, now_ms))
        return QN_OK;
    char old[QN_DAV_TOKEN_SIZE]; /* one that is over makes room; its row waits for another start */
    if (qn_dav_locks_count(locks) >= QN_DAV_LOCKS_MAX &&
        (is_over || !qn_dav_locks_take_expired(locks, now_ms, old)))
        return is_over ? QN_OK : QN_ERR_LIMIT;
    qn_dav_locks_insert(locks, &lock);
    return QN_OK;
}
