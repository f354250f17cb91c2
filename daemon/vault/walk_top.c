/* From one top path of a walk to the next: each of its parents is listed once, then the top itself.
 */
#include <errno.h>
#include <sys/stat.h>

#include "vault/walk_private.h"

/* How much of `path` was listed as parents of `before` already. */
static size_t common_parents(const char *before, const char *path, size_t listed)
{
    size_t common = 0;
    for (size_t i = 1; before[i] == path[i] && path[i] != '\0' && i <= listed; i++)
        if (path[i + 1] == '/' && before[i + 1] == '/')
            common = i + 1;
    return common < listed ? common : listed;
}

void qn_walk_start_top(struct qn_walk *walk)
{
    walk->top = walk->paths[walk->path_next];
    if (walk->path_next > 0)
        walk->parent_size =
            common_parents(walk->paths[walk->path_next - 1], walk->top, walk->parent_size);
    walk->is_top_listed = false;
    walk->path_next++;
}

/* The next of the top's parents, else the top itself. */
static size_t next_size(const struct qn_walk *walk)
{
    const char *slash = strchr(walk->top + walk->parent_size + 1, '/');
    return slash == NULL ? strlen(walk->top) : (size_t)(slash - walk->top);
}

/* Looks at the first `size` bytes of the top path. */
static int look_at_top(struct qn_walk *walk, size_t size, struct qn_batch *batch)
{
    char path[QN_PATH_SIZE_MAX + 1];
    memcpy(path, walk->top, size);
    path[size] = '\0';
    qn_buf_reset(&walk->path);
    qn_buf_append(&walk->path, path, size);
    int error = walk->source->ops->top(walk->source, path, batch);
    if (error != 0)
        return error;
    return batch->nodes.count == 1 ? batch->nodes.items[0].error : EIO;
}

static void enter_top(struct qn_walk *walk, const struct qn_node *node, bool is_root)
{
    walk->is_top_listed = true;
    walk->top_device = node->device;
    walk->relative_at = is_root ? 1 : walk->path.size + 1;
    walk->enters = S_ISDIR(node->mode);
    if (S_ISLNK(node->mode))
        qn_walk_report(walk, QN_WALK_IS_LINK);
    walk->levels.items[0].batch.is_end = true;
    walk->levels.items[0].next = 1;
}

static int check_parent(const struct qn_node *node)
{
    if (S_ISLNK(node->mode))
        return QN_WALK_IS_LINK;
    return S_ISDIR(node->mode) ? 0 : ENOTDIR;
}

/* What is not allowed is told by the name that a person gave it. */
static void leave_top(struct qn_walk *walk, int error)
{
    if (error == QN_WALK_NOT_ALLOWED) {
        qn_buf_reset(&walk->path);
        qn_buf_append_str(&walk->path, walk->top);
    }
    walk->level_count = 0;
    walk->top = NULL;
    if (!walk->source->is_broken)
        qn_walk_report(walk, error);
}

bool qn_walk_approach(struct qn_walk *walk, struct qn_entry *ret_entry)
{
    size_t size = next_size(walk);
    bool is_parent = walk->top[size] != '\0', is_root = size == 1;
    walk->level_count = 0;
    struct qn_batch *batch = &qn_walk_push_level(walk)->batch;
    int error = look_at_top(walk, size, batch);
    const struct qn_node *node = batch->nodes.items;
    if (error == 0 && is_parent)
        error = check_parent(node);
    if (error != 0) {
        leave_top(walk, error);
        return false;
    }
    qn_walk_set_present(walk, batch, node);
    if (is_parent)
        walk->parent_size = size;
    else
        enter_top(walk, node, is_root);
    if (!is_root)
        qn_walk_fill(walk, batch, node, ret_entry);
    return !is_root;
}
