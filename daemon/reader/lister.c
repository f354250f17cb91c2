#include "reader/lister.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "reader/attributes.h"
#include "reader/names.h"
#include "reader/object.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)

/* One folder that was entered; the first of them is the one that holds the top. */
struct level {
    int fd; /* -1: closed to save descriptors */
    uint64_t device, inode;
    size_t path_size; /* of its path, from the folder that holds the top */
    struct qn_names names;
    bool needs_scan; /* names were all taken, or given up */
    bool is_end;     /* there are no more */
    bool has_tag;    /* a CACHEDIR.TAG was seen among the names */
    uint8_t last_size;
    char last[QN_NAME_BYTES_MAX + 1]; /* the last name that was taken */
};

struct lister {
    struct qn_source source;
    struct qn_lister_options options;
    QN_VEC(struct level) levels;
    struct qn_buf path; /* of the deepest folder, from the one that holds the top */
    char top[QN_NAME_BYTES_MAX + 1];
    bool is_noatime_refused;
    size_t names_size; /* memory for the names of all levels */
    uint8_t *scratch;
};

static struct lister *lister_of(struct qn_source *source)
{
    return (struct lister *)(void *)source;
}

static int open_beneath(int dir, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {.flags = (unsigned)flags, .resolve = resolve};
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* ---- the levels ---- */

static void set_names_size(struct lister *lister, struct level *level, size_t before)
{
    lister->names_size = lister->names_size - before + qn_names_size(&level->names);
}

static void drop_names(struct lister *lister, struct level *level)
{
    size_t before = qn_names_size(&level->names);
    qn_names_deinit(&level->names);
    level->needs_scan = true;
    set_names_size(lister, level, before);
}

static void pop_level(struct lister *lister)
{
    struct level *level = &lister->levels.items[lister->levels.count - 1];
    drop_names(lister, level);
    if (level->fd >= 0)
        close(level->fd);
    lister->levels.count--;
}

static void keep_levels(struct lister *lister, size_t count)
{
    while (lister->levels.count > count)
        pop_level(lister);
    if (count > 0)
        qn_buf_truncate(&lister->path, lister->levels.items[count - 1].path_size);
}

static bool is_level(const struct level *level, int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_dev == level->device &&
           status.st_ino == level->inode;
}

/* By its whole path, because it lies too deep to be kept open. */
static int reopen(struct lister *lister, struct level *level)
{
    char path[QN_SOURCE_PATH_MAX];
    memcpy(path, lister->path.data, level->path_size);
    path[level->path_size] = '\0';
    int fd = open_beneath(lister->levels.items[0].fd, path, FOLDER_FLAGS,
                          RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (fd < 0)
        return errno;
    if (!is_level(level, fd)) {
        close(fd);
        return ESTALE;
    }
    level->fd = fd;
    return 0;
}

/* Leaves what is deeper, and gives an open folder and the name in it. */
static int resolve(struct lister *lister, size_t depth, const char **name, int *ret_fd)
{
    if (depth >= lister->levels.count)
        return EINVAL;
    if (depth == 0)
        *name = lister->top;
    else if (!qn_name_is_valid(qn_span_str(*name)))
        return EINVAL;
    keep_levels(lister, depth + 1);
    struct level *level = &lister->levels.items[depth];
    int error = level->fd >= 0 ? 0 : reopen(lister, level);
    if (error == 0)
        *ret_fd = level->fd;
    return error;
}

static int append_path(struct lister *lister, const char *name)
{
    size_t size = strlen(name);
    if (lister->path.size + 1 + size >= QN_SOURCE_PATH_MAX)
        return ENAMETOOLONG;
    if (lister->path.size > 0)
        qn_buf_append_u8(&lister->path, '/');
    qn_buf_append(&lister->path, name, size);
    return 0;
}

static struct level *push_level(struct lister *lister, int fd, const struct stat *status)
{
    size_t above = lister->levels.count - 1;
    if (lister->levels.count > QN_LISTER_FDS_MAX) {
        close(lister->levels.items[above].fd);
        lister->levels.items[above].fd = -1;
    }
    struct level *level = qn_vec_push_slot(&lister->levels);
    *level = (struct level){.fd = fd,
                            .device = status->st_dev,
                            .inode = status->st_ino,
                            .path_size = lister->path.size,
                            .needs_scan = true};
    return level;
}

/* ---- one object ---- */

static int lister_look(struct qn_source *source, size_t depth, const char *name,
                       struct qn_batch *out)
{
    int dir, error = resolve(lister_of(source), depth, &name, &dir);
    qn_batch_reset(out);
    if (error != 0)
        return error;
    return qn_object_look(dir, name, out, qn_batch_add(out, qn_span_str(name)));
}

static int lister_open(struct qn_source *source, size_t depth, const char *name, int *ret_fd)
{
    int dir, error = resolve(lister_of(source), depth, &name, &dir);
    if (error != 0)
        return error;
    return qn_object_open(dir, name, &lister_of(source)->is_noatime_refused, ret_fd);
}

static int lister_xattrs(struct qn_source *source, size_t depth, const char *name,
                         struct qn_buf *out)
{
    int dir, error = resolve(lister_of(source), depth, &name, &dir);
    return error != 0 ? error : qn_attributes_read(dir, name, out);
}

/* ---- one batch ---- */

static bool is_wanted(const struct lister *lister, size_t depth, const struct qn_name *name,
                      const char *text)
{
    if (lister->options.filter == NULL)
        return true;
    return lister->options.filter(lister->options.context, depth, qn_span(text, name->size),
                                  name->type == DT_DIR);
}

/* The names of the next batch, without more about them; their inodes, to look in that order. */
static size_t choose(struct lister *lister, size_t depth, struct qn_batch *out, uint64_t *inodes)
{
    struct level *level = &lister->levels.items[depth];
    struct qn_names *names = &level->names;
    size_t count_max = depth > QN_BATCH_DEEP ? QN_BATCH_NODES_DEEP_MAX : QN_BATCH_NODES_MAX;
    while (names->next < names->names.count && out->nodes.count < count_max) {
        const struct qn_name *name = &names->names.items[names->next++];
        const char *text = qn_names_text(names, name);
        memcpy(level->last, text, (size_t)name->size + 1);
        level->last_size = name->size;
        bool is_known = name->type != DT_UNKNOWN;
        if (is_known && !is_wanted(lister, depth, name, text))
            continue;
        inodes[out->nodes.count] = name->inode;
        qn_batch_add(out, qn_span(text, name->size))->is_filtered = is_known;
    }
    return out->nodes.count;
}

static int by_inode(const void *a, const void *b, void *context)
{
    const uint64_t *inodes = context;
    uint64_t left = inodes[*(const uint16_t *)a], right = inodes[*(const uint16_t *)b];
    return (left > right) - (left < right);
}

/* In the order of inodes: on a disk with a head their tables are read once, forwards. */
static void look_at_all(int dir, struct qn_batch *out, uint64_t *inodes)
{
    uint16_t order[QN_BATCH_NODES_MAX];
    size_t count = out->nodes.count;
    for (size_t i = 0; i < count; i++)
        order[i] = (uint16_t)i;
    if (count > 16)
        qsort_r(order, count, sizeof(order[0]), by_inode, inodes);
    for (size_t i = 0; i < count; i++) {
        struct qn_node *node = &out->nodes.items[order[i]];
        char name[QN_NAME_BYTES_MAX + 1];
        memcpy(name, out->text.data + node->name_at, (size_t)node->name_size + 1);
        node->error = qn_object_look(dir, name, out, node);
    }
}

/* What went away between reading its name and looking at it was not there. */
static void drop_vanished(struct qn_batch *batch)
{
    size_t kept = 0;
    qn_vec_each (&batch->nodes, node)
        if (node->error != ENOENT)
            batch->nodes.items[kept++] = *node;
    batch->nodes.count = kept;
}

/* The folders above are needed again later than this one. */
static void make_room(struct lister *lister, size_t depth)
{
    for (size_t i = 1; i < depth && lister->names_size > QN_LISTER_NAMES_SIZE_MAX; i++)
        if (lister->levels.items[i].names.names.count > 0)
            drop_names(lister, &lister->levels.items[i]);
}

static int scan(struct lister *lister, size_t depth)
{
    struct level *level = &lister->levels.items[depth];
    size_t before = qn_names_size(&level->names);
    int error = qn_names_scan(&level->names, level->fd, qn_span(level->last, level->last_size),
                              lister->options.names_max, lister->scratch);
    level->needs_scan = false;
    level->has_tag = level->names.has_tag;
    set_names_size(lister, level, before);
    make_room(lister, depth);
    return error;
}

/* One batch of at least one node, or the end. */
static int list(struct lister *lister, size_t depth, struct qn_batch *out)
{
    struct level *level = &lister->levels.items[depth];
    uint64_t inodes[QN_BATCH_NODES_MAX];
    while (out->nodes.count == 0 && !level->is_end) {
        int error = level->needs_scan ? scan(lister, depth) : 0;
        if (error != 0)
            return error;
        choose(lister, depth, out, inodes);
        if (level->names.next == level->names.names.count) {
            level->is_end = !level->names.is_part;
            drop_names(lister, level);
        }
        look_at_all(level->fd, out, inodes);
        drop_vanished(out);
    }
    out->is_end = level->is_end;
    return 0;
}

/* ---- the verbs ---- */

static int lister_enter(struct qn_source *source, size_t depth, const char *name,
                        struct qn_batch *out)
{
    struct lister *lister = lister_of(source);
    struct stat status;
    qn_batch_reset(out);
    int dir, error = resolve(lister, depth, &name, &dir);
    if (error == 0 && depth + 1 > QN_SOURCE_DEPTH_MAX)
        error = ENAMETOOLONG;
    if (error != 0)
        return error;
    int fd = qn_object_open_quietly(dir, name, FOLDER_FLAGS, &lister->is_noatime_refused);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? ESTALE : errno;
    error = fstat(fd, &status) == 0 ? append_path(lister, name) : errno;
    if (error != 0) {
        close(fd);
        return error;
    }
    bool is_mount = status.st_dev != lister->levels.items[depth].device || depth == 0;
    struct level *level = push_level(lister, fd, &status);
    level->is_end = is_mount && qn_object_is_made_up(fd);
    error = list(lister, depth + 1, out);
    out->is_cache = level->has_tag && qn_object_is_cache(fd);
    return error;
}

static int lister_more(struct qn_source *source, size_t depth, struct qn_batch *out)
{
    struct lister *lister = lister_of(source);
    qn_batch_reset(out);
    if (depth == 0 || depth >= lister->levels.count)
        return EINVAL;
    const char *unused = "unused";
    int dir, error = resolve(lister, depth, &unused, &dir);
    return error != 0 ? error : list(lister, depth, out);
}

/* "/a/b" into "/a" and "b"; "/" into "/" and ".". False: not in normal form. */
static bool split_top(const char *path, char above[QN_SOURCE_PATH_MAX],
                      char name[QN_NAME_BYTES_MAX + 1])
{
    size_t size = strlen(path);
    if (path[0] != '/' || size >= QN_SOURCE_PATH_MAX)
        return false;
    strcpy(above, "/");
    strcpy(name, ".");
    for (const char *at = path; size > 1 && *at != '\0';) {
        size_t length = strcspn(at + 1, "/");
        if (!qn_name_is_valid(qn_span(at + 1, length)))
            return false;
        memcpy(name, at + 1, length);
        name[length] = '\0';
        if (at > path) {
            memcpy(above, path, (size_t)(at - path));
            above[at - path] = '\0';
        }
        at += 1 + length;
    }
    return true;
}

static int lister_top(struct qn_source *source, const char *path, struct qn_batch *out)
{
    struct lister *lister = lister_of(source);
    char above[QN_SOURCE_PATH_MAX];
    struct stat status;
    qn_batch_reset(out);
    keep_levels(lister, 0);
    qn_buf_reset(&lister->path);
    if (!split_top(path, above, lister->top))
        return EINVAL;
    int fd = open_beneath(AT_FDCWD, above, O_PATH | O_DIRECTORY | O_CLOEXEC, RESOLVE_NO_SYMLINKS);
    if (fd < 0)
        return errno;
    if (fstat(fd, &status) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    struct level *level = qn_vec_push_slot(&lister->levels);
    *level = (struct level){.fd = fd, .device = status.st_dev, .inode = status.st_ino};
    return lister_look(source, 0, lister->top, out);
}

static void lister_free(struct qn_source *source)
{
    struct lister *lister = lister_of(source);
    keep_levels(lister, 0);
    qn_vec_free(&lister->levels);
    qn_buf_deinit(&lister->path);
    qn_free(lister->scratch);
    qn_free(lister);
}

static const struct qn_source_ops lister_ops = {
    .top = lister_top,
    .enter = lister_enter,
    .more = lister_more,
    .look = lister_look,
    .open = lister_open,
    .xattrs = lister_xattrs,
    .free = lister_free,
};

struct qn_source *qn_lister_new(const struct qn_lister_options *options)
{
    struct lister *lister = QN_NEW(struct lister);
    lister->source.ops = &lister_ops;
    if (options != NULL)
        lister->options = *options;
    if (lister->options.names_max == 0)
        lister->options.names_max = QN_LISTER_NAMES_MAX;
    qn_buf_init(&lister->path, QN_SOURCE_PATH_MAX);
    lister->scratch = qn_alloc(QN_NAMES_SCRATCH_SIZE);
    return &lister->source;
}
