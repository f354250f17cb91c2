/* One file system object of a snapshot, and its canonical bytes (docs/formats/vault.md).
 *
 * A path is relative to the root of the list, components of any bytes but 0 and '/', joined by '/';
 * the top paths of a plan are listed by their absolute path without the first '/'. Entries sort by
 * path with '/' as the lowest byte, so that a directory is followed by all that is below it. Pure.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "chunk/keys.h"

#define QN_PATH_SIZE_MAX  4096
#define QN_XATTRS_MAX     256
#define QN_XATTR_SIZE_MAX (64 * 1024) /* all of one entry, packed */
#define QN_CONTENT_DIRECT_MAX 64      /* items in an entry; more are in manifests */
#define QN_MANIFEST_ITEMS_MAX 256
#define QN_ENTRY_SIZE_MAX     (QN_XATTR_SIZE_MAX + 2 * QN_PATH_SIZE_MAX + 16 * 1024) /* packed */

enum qn_entry_type { /* stored: never renumber */
                     QN_ENTRY_DIR = 1,
                     QN_ENTRY_FILE = 2,
                     QN_ENTRY_SYMLINK = 3,
                     QN_ENTRY_HARDLINK = 4, /* to an entry before it: `target` is its path */
                     QN_ENTRY_FIFO = 5,
                     QN_ENTRY_SOCKET = 6,
                     QN_ENTRY_BLOCK = 7,
                     QN_ENTRY_CHAR = 8,
};

/* What a file is made of, in order. depth 0: items are data chunks or holes; depth n: items are
 * manifests whose items have depth n-1. Packed: array of [id or nil for a hole, size u64]. */
struct qn_content {
    unsigned depth;
    struct qn_span items; /* packed array, as stored */
};

struct qn_entry {
    struct qn_span path;
    enum qn_entry_type type;
    uint32_t mode; /* permission bits, with set-id and sticky */
    uint32_t uid, gid;
    struct qn_span user, group; /* names at the owner; may be empty */
    int64_t mtime_s, ctime_s;
    uint32_t mtime_ns, ctime_ns;
    uint64_t inode, device; /* of the source: to see what changed, and links */
    uint64_t size;          /* FILE */
    uint32_t rdev_major, rdev_minor;
    struct qn_span target; /* SYMLINK, HARDLINK */
    struct qn_span xattrs; /* packed array of [name, value], by name; ACLs are among them; or empty */
    struct qn_content content; /* FILE */
};

/* <0, 0, >0: the order of the list. */
int qn_path_cmp(struct qn_span a, struct qn_span b);
/* Whether `path` is `dir` or below it; every path is below "". */
bool qn_path_is_below(struct qn_span path, struct qn_span dir);

/* `previous`: the path of the entry before it in the same leaf (front-coded), or empty. */
void qn_entry_pack(const struct qn_entry *entry, struct qn_span previous, struct qn_buf *out);
/* Reads one at *offset of a leaf. The path is put together in `path` (which holds the previous one);
 * the other spans borrow from `leaf`. QN_ERR_CORRUPT for what no packer makes: bad paths ("..",
 * empty components, not above the previous), sizes that do not add up. */
enum qn_err QN_CHECKED qn_entry_read(struct qn_span leaf, size_t *offset, struct qn_buf *path,
                                     struct qn_entry *ret_entry);

/* Building a content item by item, and walking one. */
void qn_content_item_pack(const struct qn_chunk_id *id, uint64_t size, struct qn_buf *out);
struct qn_content_item {
    bool is_hole;
    struct qn_chunk_id id;
    uint64_t size;
};
enum qn_err QN_CHECKED qn_content_item_read(struct qn_span items, size_t *offset,
                                            struct qn_content_item *ret_item);
