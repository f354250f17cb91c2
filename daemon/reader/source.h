/* Where a walk gets its listings from: the disk (lister.h) or the reading unit (remote.h), behind
 * one set of verbs.
 *
 * A source has one top path and, below it, the folders that were entered, one inside the other.
 * Objects are named by (depth, name): depth 0 is the top path itself, whatever the name; depth n
 * the object `name` in the n-th folder. A call with a depth leaves the folders that are deeper.
 * Listings come in batches in ascending byte order of the names. No link is ever followed below
 * "/".
 *
 * All calls return 0 or an errno value, because that is what a person is told of what cannot be
 * read. ESTALE: it is no longer what it was. One thread.
 */
#pragma once

#include "base/buf.h"
#include "base/vec.h"

#define QN_NAME_BYTES_MAX        255  /* one component of a path */
#define QN_SOURCE_PATH_MAX       4096 /* a path from "/", without the first '/' */
#define QN_SOURCE_DEPTH_MAX      2048 /* folders entered at a time: what a path has room for */
#define QN_SOURCE_TARGET_MAX     4095 /* of a symbolic link */
#define QN_SOURCE_XATTRS_MAX     256
#define QN_SOURCE_XATTR_SIZE_MAX (64 * 1024) /* all of one object, packed */
#define QN_BATCH_NODES_MAX       256
#define QN_BATCH_NODES_DEEP_MAX  8 /* beyond QN_BATCH_DEEP, so that depth costs little memory */
#define QN_BATCH_DEEP            64
#define QN_BATCH_TEXT_SIZE_MAX   (QN_BATCH_NODES_MAX * (QN_NAME_BYTES_MAX + QN_SOURCE_TARGET_MAX + 2))

/* What statx tells of one object. `error`: it could not be looked at, only the name is set. */
struct qn_node {
    uint32_t name_at, name_size;     /* in the text of its batch, with a zero byte behind it */
    uint32_t target_at, target_size; /* of a symbolic link; likewise */
    int error;
    bool is_filtered; /* the lister's filter had its say */
    uint32_t mode;    /* with the type, S_IFMT */
    uint32_t uid, gid, nlink;
    uint32_t rdev_major, rdev_minor;
    uint64_t inode, device, size;
    int64_t mtime_s, ctime_s;
    uint32_t mtime_ns, ctime_ns;
};

struct qn_batch {
    QN_VEC(struct qn_node) nodes;
    struct qn_buf text;
    bool is_end;   /* the folder has no more */
    bool is_cache; /* of `enter`: it has a valid CACHEDIR.TAG */
};

void qn_batch_init(struct qn_batch *batch);
void qn_batch_deinit(struct qn_batch *batch); /* accepts a zeroed batch */
void qn_batch_reset(struct qn_batch *batch);
/* Appends a node of that name, zeroed otherwise; the pointer is valid until the next. */
struct qn_node *qn_batch_add(struct qn_batch *batch, struct qn_span name);
void qn_batch_set_target(struct qn_batch *batch, struct qn_node *node, struct qn_span target);
static inline struct qn_span qn_batch_name(const struct qn_batch *batch, const struct qn_node *node)
{
    return qn_span(batch->text.data + node->name_at, node->name_size);
}
static inline struct qn_span qn_batch_target(const struct qn_batch *batch,
                                             const struct qn_node *node)
{
    return qn_span(batch->text.data + node->target_at, node->target_size);
}
/* 1 to 255 bytes, neither "." nor "..", no '/' and no zero byte. */
bool qn_name_is_valid(struct qn_span name);

struct qn_source;
struct qn_source_ops {
    /* Makes `path` (absolute, normal: no "//", ".", "..", no '/' at the end but of "/") the top and
     * gives its node, named by its last component. The folders above it are not entered. */
    int (*top)(struct qn_source *source, const char *path, struct qn_batch *out);
    /* Enters a folder and gives the first batch of it; then the next ones, until is_end. */
    int (*enter)(struct qn_source *source, size_t depth, const char *name, struct qn_batch *out);
    int (*more)(struct qn_source *source, size_t depth, struct qn_batch *out);
    /* The node of one object, as it is now. */
    int (*look)(struct qn_source *source, size_t depth, const char *name, struct qn_batch *out);
    /* A descriptor of a regular file, for reading, which the caller closes. Never waits for what
     * became a pipe or device: ESTALE. */
    int (*open)(struct qn_source *source, size_t depth, const char *name, int *ret_fd);
    /* Appends all extended attributes as a packed array of [name bin, value bin], by name; nothing
     * if there are none. E2BIG: some did not fit, and are left out. */
    int (*xattrs)(struct qn_source *source, size_t depth, const char *name, struct qn_buf *out);
    void (*free)(struct qn_source *source);
};

/* First member of what implements it. */
struct qn_source {
    const struct qn_source_ops *ops;
    bool is_broken; /* the way to the objects is lost: no further call makes sense */
};

static inline void qn_source_free(struct qn_source *source) /* accepts NULL */
{
    if (source != NULL)
        source->ops->free(source);
}
