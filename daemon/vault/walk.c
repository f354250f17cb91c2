#include <sys/stat.h>

#include "base/assert.h"
#include "os/os.h"
#include "reader/lister.h"
#include "reader/remote.h"
#include "vault/walk_private.h"

_Static_assert(QN_XATTR_SIZE_MAX == QN_SOURCE_XATTR_SIZE_MAX, "what is read can be stored");
_Static_assert(QN_XATTRS_MAX == QN_SOURCE_XATTRS_MAX, "what is read can be stored");

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

struct qn_walk_level *qn_walk_push_level(struct qn_walk *walk)
{
    if (walk->level_count == walk->levels.count) {
        struct qn_walk_level *fresh = qn_vec_push_slot(&walk->levels);
        *fresh = (struct qn_walk_level){0};
        qn_batch_init(&fresh->batch);
    }
    struct qn_walk_level *level = &walk->levels.items[walk->level_count++];
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

/* ---- inside a top path ---- */

/* False: it is left out. */
static bool take_node(struct qn_walk *walk, struct qn_walk_level *level, struct qn_entry *ret_entry)
{
    const struct qn_node *node = &level->batch.nodes.items[level->next++];
    qn_buf_truncate(&walk->path, level->path_size);
    append_name(&walk->path, qn_batch_name(&level->batch, node));
    int error = walk->path.size - 1 > ENTRY_PATH_SIZE_MAX ? ENAMETOOLONG : node->error;
    if (error != 0) {
        qn_walk_report(walk, error);
        return false;
    }
    if (is_excluded(walk, node))
        return false;
    qn_walk_set_present(walk, &level->batch, node);
    qn_walk_fill(walk, &level->batch, node, ret_entry);
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
    struct qn_batch *batch = &qn_walk_push_level(walk)->batch;
    int error = walk->source->ops->enter(walk->source, depth, walk->name, batch);
    if (error == 0 && batch->is_cache && !walk->options.keeps_caches)
        error = keep_tag(walk, batch);
    if (error != 0) {
        walk->level_count--;
        if (!walk->source->is_broken)
            qn_walk_report(walk, error);
    }
    return error;
}

static void read_more(struct qn_walk *walk, struct qn_walk_level *level)
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
        qn_walk_report(walk, error);
}

/* One step inside the top; true if it gave an entry. */
static bool step(struct qn_walk *walk, struct qn_entry *ret_entry)
{
    struct qn_walk_level *level = &walk->levels.items[walk->level_count - 1];
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

/* ---- the verbs ---- */

enum qn_err qn_walk_next(struct qn_walk *walk, struct qn_entry *ret_entry)
{
    for (;;) {
        if (walk->source->is_broken)
            return QN_ERR_CLOSED;
        if (walk->top == NULL && walk->paths[walk->path_next] == NULL)
            return QN_ERR_NOTFOUND;
        if (walk->top == NULL)
            qn_walk_start_top(walk);
        if (walk->is_top_listed ? step(walk, ret_entry) : qn_walk_approach(walk, ret_entry))
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
    qn_walk_set_status(ret_entry, &walk->fresh.nodes.items[0]);
    return QN_OK;
}
