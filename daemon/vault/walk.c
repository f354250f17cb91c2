#include "vault/walk.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/mem.h"
#include "os/os.h"
#include "reader/lister.h"
#include "reader/remote.h"
#include "vault/walk_links.h"
#include "vault/walk_owners.h"

_Static_assert(QN_XATTR_SIZE_MAX == QN_SOURCE_XATTR_SIZE_MAX, "what is read can be stored");
_Static_assert(QN_XATTRS_MAX == QN_SOURCE_XATTRS_MAX, "what is read can be stored");

/* Paths are kept with the first '/', which entries do not have; an entry's fits into one system
 * call with its zero byte. */
#define ENTRY_PATH_SIZE_MAX (QN_PATH_SIZE_MAX - 1)
#define PATH_BUF_SIZE_MAX   (QN_PATH_SIZE_MAX + QN_NAME_BYTES_MAX + 2)

/* A folder on the present path; level 0 holds the top itself. */
struct level {
    struct qn_batch batch;
    size_t next;      /* in the batch */
    size_t path_size; /* of the folder's path */
};

struct qn_walk {
    struct qn_walk_options options;
    struct qn_source *source;
    struct qn_walk_owners *owners;
    struct qn_walk_links *links;
    char **paths;
    size_t path_next;
    const char *top;    /* NULL: between two of them */
    bool is_top_listed; /* else its parents are under way */
    size_t parent_size; /* of the top's parents that were listed */
    uint64_t top_device;
    size_t relative_at; /* where in the path what follows the top begins */
    QN_VEC(struct level) levels;
    size_t level_count;         /* in use; the others keep their memory */
    struct qn_buf path;         /* of the present object */
    struct qn_buf trial;        /* a path for the exclusions */
    const struct qn_node *node; /* the present object; NULL: none */
    struct qn_batch fresh;      /* its stat, read again */
    char name[QN_NAME_BYTES_MAX + 1];
    bool enters;        /* it is a folder to go into next */
    bool is_first_name; /* the first name of several of a file */
    bool is_links_full;
    struct qn_buf xattrs;
};

static void report(struct qn_walk *walk, int error)
{
    if (walk->options.on_error != NULL)
        walk->options.on_error(walk->options.context, qn_buf_view(&walk->path), error);
}

static size_t depth_of(const struct qn_walk *walk)
{
    return walk->level_count - 1;
}

/* ---- beginning and end ---- */

static bool is_normal(const char *path)
{
    if (path[0] != '/' || strlen(path) > ENTRY_PATH_SIZE_MAX)
        return false;
    if (path[1] == '\0')
        return true;
    for (const char *at = path; *at != '\0';) {
        size_t size = strcspn(at + 1, "/");
        if (!qn_name_is_valid(qn_span(at + 1, size)))
            return false;
        at += 1 + size;
    }
    return true;
}

static bool are_paths_valid(const struct qn_walk_options *options)
{
    for (size_t i = 0; i < options->path_count; i++) {
        if (!is_normal(options->paths[i]))
            return false;
        if (i == 0)
            continue;
        struct qn_span before = qn_span_str(options->paths[i - 1] + 1);
        struct qn_span path = qn_span_str(options->paths[i] + 1);
        if (qn_path_cmp(before, path) >= 0 || qn_path_is_below(path, before))
            return false;
    }
    return true;
}

static bool is_wanted(void *context, size_t depth, struct qn_span name, bool is_dir);

static enum qn_err make_source(struct qn_walk *walk)
{
    if (walk->options.reader_socket != NULL) {
        int error = qn_remote_new(walk->options.reader_socket, &walk->source);
        return error == 0 ? QN_OK : qn_os_err(error);
    }
    struct qn_lister_options lister = {.context = walk};
    if (walk->options.exclude != NULL)
        lister.filter = is_wanted;
    walk->source = qn_lister_new(&lister);
    return QN_OK;
}

static void copy_paths(struct qn_walk *walk)
{
    walk->paths = qn_alloc_zero((walk->options.path_count + 1) * sizeof(walk->paths[0]));
    for (size_t i = 0; i < walk->options.path_count; i++)
        walk->paths[i] = qn_strdup(walk->options.paths[i]);
    walk->options.paths = NULL;
}

enum qn_err qn_walk_new(const struct qn_walk_options *options, struct qn_walk **ret_walk)
{
    if (!are_paths_valid(options))
        return QN_ERR_INVALID;
    struct qn_walk *walk = QN_NEW(struct qn_walk);
    walk->options = *options;
    copy_paths(walk);
    qn_buf_init(&walk->path, PATH_BUF_SIZE_MAX);
    qn_buf_init(&walk->trial, PATH_BUF_SIZE_MAX);
    qn_buf_init(&walk->xattrs, QN_XATTR_SIZE_MAX);
    qn_batch_init(&walk->fresh);
    walk->owners = qn_walk_owners_new();
    walk->links = qn_walk_links_new();
    enum qn_err err = make_source(walk);
    if (err != QN_OK) {
        qn_walk_free(walk);
        return err;
    }
    *ret_walk = walk;
    return QN_OK;
}

void qn_walk_free(struct qn_walk *walk)
{
    if (walk == NULL)
        return;
    qn_source_free(walk->source);
    qn_walk_owners_free(walk->owners);
    qn_walk_links_free(walk->links);
    for (char **path = walk->paths; *path != NULL; path++)
        qn_free(*path);
    qn_free(walk->paths);
    qn_vec_each (&walk->levels, level)
        qn_batch_deinit(&level->batch);
    qn_vec_free(&walk->levels);
    qn_batch_deinit(&walk->fresh);
    qn_buf_deinit(&walk->path);
    qn_buf_deinit(&walk->trial);
    qn_buf_deinit(&walk->xattrs);
    qn_free(walk);
}

/* ---- levels and paths ---- */

static struct level *push_level(struct qn_walk *walk)
{
    if (walk->level_count == walk->levels.count) {
        struct level *fresh = qn_vec_push_slot(&walk->levels);
        *fresh = (struct level){0};
        qn_batch_init(&fresh->batch);
    }
    struct level *level = &walk->levels.items[walk->level_count++];
    qn_batch_reset(&level->batch);
    level->next = 0;
    level->path_size = walk->path.size;
    return level;
}

static void append_name(struct qn_buf *path, struct qn_span name)
{
    if (path->size > 1)
        qn_buf_append_u8(path, '/');
    qn_buf_append_span(path, name);
}

/* The lister's filter: `name` in the folder of that depth. */
static bool is_wanted(void *context, size_t depth, struct qn_span name, bool is_dir)
{
    struct qn_walk *walk = context;
    size_t folder_size = walk->levels.items[depth].path_size;
    qn_buf_reset(&walk->trial);
    qn_buf_append(&walk->trial, walk->path.data, folder_size);
    append_name(&walk->trial, name);
    struct qn_span relative = qn_span_from(qn_buf_view(&walk->trial), walk->relative_at);
    return !qn_exclude_matches(walk->options.exclude, relative, is_dir);
}

static bool is_excluded(struct qn_walk *walk, const struct qn_node *node)
{
    if (walk->options.exclude == NULL || node->is_filtered)
        return false;
    struct qn_span relative = qn_span_from(qn_buf_view(&walk->path), walk->relative_at);
    return qn_exclude_matches(walk->options.exclude, relative, S_ISDIR(node->mode));
}

/* ---- a node becomes an entry ---- */

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

static void set_status(struct qn_entry *entry, const struct qn_node *node)
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
        report(walk, QN_WALK_MANY_LINKS);
    walk->is_links_full |= is_full;
}

static void fill(struct qn_walk *walk, const struct qn_batch *batch, const struct qn_node *node,
                 struct qn_entry *entry)
{
    *entry = (struct qn_entry){.path = qn_span_from(qn_buf_view(&walk->path), 1),
                               .type = type_of(node->mode)};
    set_status(entry, node);
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

static void set_present(struct qn_walk *walk, const struct qn_batch *batch,
                        const struct qn_node *node)
{
    walk->node = node;
    memcpy(walk->name, batch->text.data + node->name_at, (size_t)node->name_size + 1);
}

/* ---- inside a top path ---- */

/* False: it is left out. */
static bool take_node(struct qn_walk *walk, struct level *level, struct qn_entry *ret_entry)
{
    const struct qn_node *node = &level->batch.nodes.items[level->next++];
    qn_buf_truncate(&walk->path, level->path_size);
    append_name(&walk->path, qn_batch_name(&level->batch, node));
    int error = walk->path.size - 1 > ENTRY_PATH_SIZE_MAX ? ENAMETOOLONG : node->error;
    if (error != 0) {
        report(walk, error);
        return false;
    }
    if (is_excluded(walk, node))
        return false;
    set_present(walk, &level->batch, node);
    fill(walk, &level->batch, node, ret_entry);
    walk->enters = ret_entry->type == QN_ENTRY_DIR &&
                   (walk->options.crosses_devices || node->device == walk->top_device);
    return true;
}

/* Of a folder that says that it can be made again, only the word that says so. */
static int keep_tag(struct qn_walk *walk, struct qn_batch *batch)
{
    int error = walk->source->ops->look(walk->source, depth_of(walk), "CACHEDIR.TAG", batch);
    if (error != 0)
        qn_batch_reset(batch);
    batch->is_end = true;
    return error;
}

static int enter(struct qn_walk *walk)
{
    size_t depth = depth_of(walk);
    walk->enters = false;
    walk->node = NULL;
    struct qn_batch *batch = &push_level(walk)->batch;
    int error = walk->source->ops->enter(walk->source, depth, walk->name, batch);
    if (error == 0 && batch->is_cache && !walk->options.keeps_caches)
        error = keep_tag(walk, batch);
    if (error != 0) {
        walk->level_count--;
        if (!walk->source->is_broken)
            report(walk, error);
    }
    return error;
}

static void read_more(struct qn_walk *walk, struct level *level)
{
    int error = walk->source->ops->more(walk->source, depth_of(walk), &level->batch);
    level->next = 0;
    walk->node = NULL;
    if (error == 0)
        return;
    qn_batch_reset(&level->batch);
    level->batch.is_end = true;
    qn_buf_truncate(&walk->path, level->path_size);
    if (!walk->source->is_broken)
        report(walk, error);
}

/* One step inside the top; true if it gave an entry. */
static bool step(struct qn_walk *walk, struct qn_entry *ret_entry)
{
    struct level *level = &walk->levels.items[walk->level_count - 1];
    if (walk->enters) {
        (void)enter(walk); /* it was reported */
        return false;
    }
    if (level->next < level->batch.nodes.count)
        return take_node(walk, level, ret_entry);
    if (!level->batch.is_end)
        read_more(walk, level);
    else if (--walk->level_count == 0)
        walk->top = NULL;
    return false;
}

/* ---- from one top path to the next ---- */

/* How much of `path` was listed as parents of `before` already. */
static size_t common_parents(const char *before, const char *path, size_t listed)
{
    size_t common = 0;
    for (size_t i = 1; before[i] == path[i] && path[i] != '\0' && i <= listed; i++)
        if (path[i + 1] == '/' && before[i + 1] == '/')
            common = i + 1;
    return common < listed ? common : listed;
}

static void start_top(struct qn_walk *walk)
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
        report(walk, QN_WALK_IS_LINK);
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
        report(walk, error);
}

/* One step along the way to the top, or the top; true if it gave an entry. */
static bool approach(struct qn_walk *walk, struct qn_entry *ret_entry)
{
    size_t size = next_size(walk);
    bool is_parent = walk->top[size] != '\0', is_root = size == 1;
    walk->level_count = 0;
    struct qn_batch *batch = &push_level(walk)->batch;
    int error = look_at_top(walk, size, batch);
    const struct qn_node *node = batch->nodes.items;
    if (error == 0 && is_parent)
        error = check_parent(node);
    if (error != 0) {
        leave_top(walk, error);
        return false;
    }
    set_present(walk, batch, node);
    if (is_parent)
        walk->parent_size = size;
    else
        enter_top(walk, node, is_root);
    if (!is_root)
        fill(walk, batch, node, ret_entry);
    return !is_root;
}

/* ---- the verbs ---- */

enum qn_err qn_walk_next(struct qn_walk *walk, struct qn_entry *ret_entry)
{
    for (;;) {
        if (walk->source->is_broken)
            return QN_ERR_CLOSED;
        if (walk->top == NULL && walk->paths[walk->path_next] == NULL)
            return QN_ERR_NOTFOUND;
        if (walk->top == NULL)
            start_top(walk);
        if (walk->is_top_listed ? step(walk, ret_entry) : approach(walk, ret_entry))
            return QN_OK;
    }
}

bool qn_walk_is_above(const struct qn_walk *walk)
{
    return !walk->is_top_listed;
}

/* `errno` for the caller, and what it means here. */
static enum qn_err fault(const struct qn_walk *walk, int error)
{
    errno = error;
    if (walk->source->is_broken)
        return QN_ERR_CLOSED;
    if (error == ESTALE)
        return QN_ERR_NOTFOUND;
    return error == E2BIG ? QN_ERR_LIMIT : qn_os_err(error);
}

enum qn_err qn_walk_xattrs(struct qn_walk *walk, struct qn_entry *entry)
{
    QN_ASSERT(walk->node != NULL);
    qn_buf_reset(&walk->xattrs);
    int error = walk->source->ops->xattrs(walk->source, depth_of(walk), walk->name, &walk->xattrs);
    entry->xattrs = error == 0 || error == E2BIG ? qn_buf_view(&walk->xattrs) : qn_span(NULL, 0);
    return error == 0 ? QN_OK : fault(walk, error);
}

enum qn_err qn_walk_open(struct qn_walk *walk, int *ret_fd)
{
    QN_ASSERT(walk->node != NULL);
    int error = walk->source->ops->open(walk->source, depth_of(walk), walk->name, ret_fd);
    if (error == 0)
        return QN_OK;
    if (walk->is_first_name)
        qn_walk_links_forget(walk->links, walk->node->device, walk->node->inode);
    return fault(walk, error);
}

enum qn_err qn_walk_restat(struct qn_walk *walk, struct qn_entry *ret_entry)
{
    QN_ASSERT(walk->node != NULL);
    int error = walk->source->ops->look(walk->source, depth_of(walk), walk->name, &walk->fresh);
    if (error == 0 && walk->fresh.nodes.count != 1)
        error = EIO;
    if (error == 0 && (walk->fresh.nodes.items[0].mode & S_IFMT) != (walk->node->mode & S_IFMT))
        error = ESTALE;
    if (error != 0)
        return fault(walk, error);
    set_status(ret_entry, &walk->fresh.nodes.items[0]);
    return QN_OK;
}
