/* One file system object of a snapshot, and its canonical bytes (docs/formats/vault.md).
 *
 * A path is relative to the root of the list (path.h has the order and the rules); the top paths of
 * a plan are listed by their absolute path without the first '/'. Pure; any thread.
 */
#pragma once

#include "chunk/keys.h"
#include "chunk/path.h"

#define QN_OWNER_NAME_SIZE_MAX 255
#define QN_XATTRS_MAX          256
#define QN_XATTR_NAME_SIZE_MAX 255
#define QN_XATTR_SIZE_MAX      (64 * 1024) /* all of one entry, packed */
#define QN_CONTENT_DIRECT_MAX  64          /* items in an entry; more are in manifests */
#define QN_MANIFEST_ITEMS_MAX  256
#define QN_CONTENT_DEPTH_MAX   4
#define QN_ENTRY_SIZE_MAX      (80 * 1024) /* of any entry, packed */

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
 * manifests whose items have depth n-1. A manifest is items as here, and nothing else. */
struct qn_content {
    unsigned depth;
    struct qn_span items; /* one behind the other, as qn_content_item_pack writes them */
};

struct qn_entry {
    struct qn_span path;
    enum qn_entry_type type;
    uint32_t mode; /* permission bits, with set-id and sticky */
    uint32_t uid, gid;
    struct qn_span user, group; /* names at the owner; may be empty */
    int64_t mtime_s, ctime_s;
    uint32_t mtime_ns, ctime_ns;
    uint64_t inode, device;          /* of the source: to see what changed, and links */
    uint64_t size;                   /* FILE */
    uint32_t rdev_major, rdev_minor; /* BLOCK, CHAR */
    struct qn_span target;           /* SYMLINK, HARDLINK */
    /* Canonical msgpack (proto/pack.h): array of [name bin, value bin], names strictly ascending in
     * bytewise order, at least one; ACLs are among them. Or empty. */
    struct qn_span xattrs;
    struct qn_content content; /* FILE */
};

/* Whether an entry can be stored: QN_ERR_LIMIT if a size is above its maximum, QN_ERR_INVALID for
 * what makes no sense (a bad path or target, nanoseconds of more than a second, xattrs out of
 * order, a content whose sizes do not sum up to the file's). What its type does not have is not
 * looked at. */
enum qn_err QN_CHECKED qn_entry_check(const struct qn_entry *entry);
/* Appends an entry that qn_entry_check takes. `previous`: the path of the entry before it in the
 * same leaf (front-coded), or empty. The maximum of `out` leaves 160 bytes more than it needs. */
void qn_entry_pack(const struct qn_entry *entry, struct qn_span previous, struct qn_buf *out);
/* Reads one at *offset of a leaf. The path is put together in `path`, which holds the previous one
 * and has a maximum of at least QN_PATH_SIZE_MAX; the other spans borrow from `leaf`.
 * QN_ERR_CORRUPT for what no packer makes: paths not above the previous one, whatever
 * qn_entry_check refuses; then *offset and *ret_entry are as before, `path` is of no use. */
enum qn_err QN_CHECKED qn_entry_read(struct qn_span leaf, size_t *offset, struct qn_buf *path,
                                     struct qn_entry *ret_entry);

/* Building a content item by item (id NULL: a hole; size above 0, below 2^63), and walking one. */
void qn_content_item_pack(const struct qn_chunk_id *id, uint64_t size, struct qn_buf *out);
struct qn_content_item {
    bool is_hole;
    struct qn_chunk_id id;
    uint64_t size;
};
/* At *offset, which advances. QN_ERR_CORRUPT. */
enum qn_err QN_CHECKED qn_content_item_read(struct qn_span items, size_t *offset,
                                            struct qn_content_item *ret_item);
/* Whether a content has at most count_max items, which sum up to `size`: an entry's with
 * QN_CONTENT_DIRECT_MAX, a manifest's with QN_MANIFEST_ITEMS_MAX and the size that the item which
 * names it says. QN_ERR_CORRUPT if not. */
enum qn_err QN_CHECKED qn_content_check(const struct qn_content *content, size_t count_max,
                                        uint64_t size);
