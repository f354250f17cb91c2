/* Which entries can be stored: the same rules for what is packed and for what is read. */
#include "chunk/entry.h"
#include "proto/cursor.h"

#define NS_PER_S 1000000000u

static enum qn_err check_path(struct qn_span path)
{
    if (path.size > QN_PATH_SIZE_MAX)
        return QN_ERR_LIMIT;
    return qn_path_is_valid(path) ? QN_OK : QN_ERR_INVALID;
}

/* What a symbolic link says is anything that the system takes. */
static enum qn_err check_symlink(struct qn_span target)
{
    if (target.size > QN_PATH_SIZE_MAX)
        return QN_ERR_LIMIT;
    if (target.size == 0 || memchr(target.data, 0, target.size) != NULL)
        return QN_ERR_INVALID;
    return QN_OK;
}

static enum qn_err check_hardlink(const struct qn_entry *entry)
{
    QN_TRY(check_path(entry->target));
    return qn_path_cmp(entry->target, entry->path) < 0 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err check_file(const struct qn_entry *entry)
{
    if (qn_content_check(&entry->content, QN_CONTENT_DIRECT_MAX, entry->size) != QN_OK)
        return QN_ERR_INVALID;
    return QN_OK;
}

static enum qn_err check_type(const struct qn_entry *entry)
{
    switch (entry->type) {
    case QN_ENTRY_FILE:
        return check_file(entry);
    case QN_ENTRY_SYMLINK:
        return check_symlink(entry->target);
    case QN_ENTRY_HARDLINK:
        return check_hardlink(entry);
    case QN_ENTRY_DIR:
    case QN_ENTRY_FIFO:
    case QN_ENTRY_SOCKET:
    case QN_ENTRY_BLOCK:
    case QN_ENTRY_CHAR:
        return QN_OK;
    }
    return QN_ERR_INVALID;
}

/* One [name, value], with a name above `name`, which it replaces. */
static enum qn_err check_xattr(struct qn_cursor *cursor, struct qn_span *name)
{
    struct qn_span previous = *name, value;
    size_t count;
    if (qn_cursor_array(cursor, 2, &count) != QN_OK || count != 2)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_bin(cursor, QN_XATTR_NAME_SIZE_MAX, name));
    QN_TRY(qn_cursor_bin(cursor, QN_XATTR_SIZE_MAX, &value));
    return name->size > 0 && qn_span_cmp(previous, *name) < 0 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err check_xattrs(struct qn_span xattrs)
{
    if (xattrs.size == 0)
        return QN_OK;
    if (xattrs.size > QN_XATTR_SIZE_MAX)
        return QN_ERR_LIMIT;
    struct qn_cursor cursor = qn_cursor(xattrs);
    struct qn_span name = qn_span(NULL, 0);
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, QN_XATTRS_MAX, &count));
    for (size_t i = 0; i < count; i++)
        QN_TRY(check_xattr(&cursor, &name));
    return count > 0 ? qn_cursor_finish(&cursor) : QN_ERR_INVALID;
}

enum qn_err qn_entry_check(const struct qn_entry *entry)
{
    QN_TRY(check_path(entry->path));
    if (entry->user.size > QN_OWNER_NAME_SIZE_MAX || entry->group.size > QN_OWNER_NAME_SIZE_MAX)
        return QN_ERR_LIMIT;
    if (entry->mode > 07777 || entry->mtime_ns >= NS_PER_S || entry->ctime_ns >= NS_PER_S)
        return QN_ERR_INVALID;
    QN_TRY(check_type(entry));
    return check_xattrs(entry->xattrs);
}
