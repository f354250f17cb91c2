/* What was read of an object becomes an entry of a list. */
#include <sys/stat.h>

#include "vault/walk_private.h"

void qn_walk_report(struct qn_walk *walk, int error)
{
    if (walk->options.on_error != NULL)
        walk->options.on_error(walk->options.context, qn_buf_view(&walk->path), error);
}

static enum qn_entry_type type_of(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return QN_ENTRY_DIR;
    case S_IFLNK:
        return QN_ENTRY_SYMLINK;
    case S_IFIFO:
        return QN_ENTRY_FIFO;
    case S_IFSOCK:
        return QN_ENTRY_SOCKET;
    case S_IFBLK:
        return QN_ENTRY_BLOCK;
    case S_IFCHR:
        return QN_ENTRY_CHAR;
    default:
        return QN_ENTRY_FILE;
    }
}

void qn_walk_set_status(struct qn_entry *entry, const struct qn_node *node)
{
    entry->mode = node->mode & 07777;
    entry->uid = node->uid;
    entry->gid = node->gid;
    entry->mtime_s = node->mtime_s;
    entry->mtime_ns = node->mtime_ns;
    entry->ctime_s = node->ctime_s;
    entry->ctime_ns = node->ctime_ns;
    entry->inode = node->inode;
    entry->device = node->device;
    entry->size = entry->type == QN_ENTRY_FILE ? node->size : 0;
}

static void meet_link(struct qn_walk *walk, const struct qn_node *node, struct qn_entry *entry)
{
    bool is_full = false;
    struct qn_span first = qn_walk_links_meet(walk->links, node->device, node->inode, node->nlink,
                                              entry->path, &is_full);
    walk->is_first_name = first.size == 0 && !is_full;
    if (first.size > 0) {
        entry->type = QN_ENTRY_HARDLINK;
        entry->target = first;
        entry->size = 0;
    }
    if (is_full && !walk->is_links_full)
        qn_walk_report(walk, QN_WALK_MANY_LINKS);
    walk->is_links_full |= is_full;
}

void qn_walk_fill(struct qn_walk *walk, const struct qn_batch *batch, const struct qn_node *node,
                  struct qn_entry *entry)
{
    *entry = (struct qn_entry){.path = qn_span_from(qn_buf_view(&walk->path), 1),
                               .type = type_of(node->mode)};
    qn_walk_set_status(entry, node);
    entry->user = qn_walk_owners_user(walk->owners, node->uid);
    entry->group = qn_walk_owners_group(walk->owners, node->gid);
    if (entry->type == QN_ENTRY_SYMLINK)
        entry->target = qn_batch_target(batch, node);
    if (entry->type == QN_ENTRY_BLOCK || entry->type == QN_ENTRY_CHAR) {
        entry->rdev_major = node->rdev_major;
        entry->rdev_minor = node->rdev_minor;
    }
    walk->is_first_name = false;
    if (node->nlink > 1 && entry->type != QN_ENTRY_DIR)
        meet_link(walk, node, entry);
}

void qn_walk_set_present(struct qn_walk *walk, const struct qn_batch *batch,
                         const struct qn_node *node)
{
    walk->node = node;
    memcpy(walk->name, batch->text.data + node->name_at, (size_t)node->name_size + 1);
}
