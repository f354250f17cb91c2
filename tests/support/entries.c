#include "support/entries.h"

#include <stdlib.h>

#include "base/assert.h"
#include "proto/pack.h"

static uint64_t below(struct entries *entries, uint64_t bound)
{
    return qn_prng_below(&entries->prng, bound);
}

/* A number of any magnitude. */
static uint64_t any_u64(struct entries *entries)
{
    return qn_prng_next(&entries->prng) >> below(entries, 64);
}

static struct qn_span keep(struct entries *entries, struct qn_buf *buf)
{
    size_t size;
    QN_ASSERT(qn_buf_status(buf) == QN_OK);
    uint8_t *bytes = qn_buf_take(buf, &size);
    qn_vec_push(&entries->memory, bytes);
    return qn_span(bytes, size);
}

static struct qn_span any_bytes(struct entries *entries, size_t size, uint8_t least)
{
    struct qn_buf buf;
    qn_buf_init(&buf, size);
    for (size_t i = 0; i < size; i++)
        qn_buf_append_u8(&buf, (uint8_t)(least + below(entries, 256u - least)));
    return keep(entries, &buf);
}

/* ---- paths: few letters, so that much is shared, and any bytes ---- */

static void append_component(struct entries *entries, struct qn_buf *path)
{
    static const char letters[] = "ab.-0 ";
    size_t size_before = path->size, size = 1 + below(entries, below(entries, 20) == 0 ? 250 : 4);
    bool is_any = below(entries, 4) == 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)letters[below(entries, 6)];
        if (is_any)
            byte = (uint8_t)(1 + below(entries, 255));
        qn_buf_append_u8(path, byte == '/' ? '_' : byte);
    }
    struct qn_span name = qn_span_from(qn_buf_view(path), size_before);
    if (qn_span_eq_str(name, ".") || qn_span_eq_str(name, ".."))
        qn_buf_append_str(path, "_");
}

static struct qn_span any_path(struct entries *entries)
{
    struct qn_buf path;
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    size_t depth = 1 + below(entries, 4);
    for (size_t i = 0; i < depth; i++) {
        if (i > 0)
            qn_buf_append_str(&path, "/");
        append_component(entries, &path);
    }
    return keep(entries, &path);
}

/* ---- what entries hold ---- */

static void add_content(struct entries *entries, struct qn_entry *entry)
{
    struct qn_buf items;
    size_t count =
        below(entries, 5) == 0 ? below(entries, QN_CONTENT_DIRECT_MAX + 1) : below(entries, 3);
    entry->content.depth = count > 0 && below(entries, 4) == 0
                               ? 1 + (unsigned)below(entries, QN_CONTENT_DEPTH_MAX)
                               : 0;
    qn_buf_init(&items, 64 * 1024);
    for (size_t i = 0; i < count; i++) {
        struct qn_chunk_id id;
        uint64_t size = 1 + below(entries, 2 * 1024 * 1024);
        for (size_t j = 0; j < sizeof(id.bytes); j++)
            id.bytes[j] = (uint8_t)qn_prng_next(&entries->prng);
        bool is_hole = entry->content.depth == 0 && below(entries, 4) == 0;
        qn_content_item_pack(is_hole ? NULL : &id, size, &items);
        entry->size += size;
    }
    entry->content.items = keep(entries, &items);
}

static void add_xattrs(struct entries *entries, struct qn_entry *entry)
{
    struct qn_buf xattrs;
    bool is_huge = below(entries, 100) == 0;
    size_t count = 1 + below(entries, 3);
    qn_buf_init(&xattrs, QN_XATTR_SIZE_MAX);
    qn_pack_array(&xattrs, count);
    for (size_t i = 0; i < count; i++) {
        char name[] = {'u', 's', 'e', 'r', '.', (char)('a' + i), 0};
        qn_pack_array(&xattrs, 2);
        qn_pack_bin(&xattrs, qn_span_str(name));
        qn_pack_bin(&xattrs, any_bytes(entries, is_huge ? 20000 : below(entries, 30), 0));
    }
    entry->xattrs = keep(entries, &xattrs);
}

/* A path that sorts before: its first component's beginning. */
static struct qn_span path_before(struct qn_span path)
{
    return qn_span(path.data, path.size - 1);
}

static void add_body(struct entries *entries, struct qn_entry *entry)
{
    if (entry->type == QN_ENTRY_FILE)
        add_content(entries, entry);
    else if (entry->type == QN_ENTRY_SYMLINK)
        entry->target = any_bytes(entries, 1 + below(entries, 60), 1);
    else if (entry->type == QN_ENTRY_HARDLINK)
        entry->target = path_before(entry->path);
    if (entry->type != QN_ENTRY_BLOCK && entry->type != QN_ENTRY_CHAR)
        return;
    entry->rdev_major = (uint32_t)any_u64(entries);
    entry->rdev_minor = (uint32_t)any_u64(entries);
}

static enum qn_entry_type any_type(struct entries *entries, struct qn_span path)
{
    enum qn_entry_type type = (enum qn_entry_type)(1 + below(entries, QN_ENTRY_CHAR));
    bool has_before = path.size > 1 && qn_path_is_valid(path_before(path));
    return type == QN_ENTRY_HARDLINK && !has_before ? QN_ENTRY_FILE : type;
}

struct qn_entry entries_make(struct entries *entries, struct qn_span path)
{
    struct qn_entry entry = {.path = path,
                             .type = any_type(entries, path),
                             .mode = (uint32_t)below(entries, 010000),
                             .uid = (uint32_t)any_u64(entries),
                             .gid = (uint32_t)any_u64(entries),
                             .mtime_s = (int64_t)(any_u64(entries) - any_u64(entries)),
                             .ctime_s = (int64_t)(any_u64(entries) - any_u64(entries)),
                             .mtime_ns = (uint32_t)below(entries, 1000000000),
                             .ctime_ns = (uint32_t)below(entries, 1000000000),
                             .inode = any_u64(entries),
                             .device = any_u64(entries)};
    if (below(entries, 2) == 0)
        entry.user = any_bytes(entries, below(entries, 9), 1);
    if (below(entries, 2) == 0)
        entry.group = any_bytes(entries, below(entries, 9), 1);
    add_body(entries, &entry);
    if (below(entries, 6) == 0)
        add_xattrs(entries, &entry);
    return entry;
}

/* ---- lists ---- */

static int cmp_paths(const void *a, const void *b)
{
    return qn_path_cmp(*(const struct qn_span *)a, *(const struct qn_span *)b);
}

void entries_random(struct entries *entries, uint64_t seed, size_t count)
{
    *entries = (struct entries){.prng = {seed}};
    struct qn_span *paths = qn_alloc(count * sizeof(*paths) + 1);
    for (size_t i = 0; i < count; i++)
        paths[i] = any_path(entries);
    qsort(paths, count, sizeof(*paths), cmp_paths);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || qn_path_cmp(paths[i - 1], paths[i]) != 0)
            qn_vec_push(&entries->list, entries_make(entries, paths[i]));
    qn_free(paths);
}

static struct qn_entry server_file(struct entries *entries, size_t number)
{
    struct qn_buf path, items;
    struct qn_chunk_id id = {{(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16)}};
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    qn_buf_printf(&path, "srv/files/unit %03zu/resident %02zu/report %06zu.docx", number / 800,
                  number / 40 % 20, number);
    qn_buf_init(&items, 64);
    qn_content_item_pack(&id, 30000 + number % 1000, &items);
    return (struct qn_entry){.path = keep(entries, &path),
                             .type = QN_ENTRY_FILE,
                             .mode = 0644,
                             .uid = 1000,
                             .gid = 100,
                             .user = qn_span_str("aline"),
                             .group = qn_span_str("users"),
                             .mtime_s = 1700000000 + (int64_t)number * 1000,
                             .ctime_s = 1700000000 + (int64_t)number * 1000,
                             .mtime_ns = (uint32_t)(number * 12345 % 1000000000),
                             .ctime_ns = (uint32_t)(number * 12345 % 1000000000),
                             .inode = 500000 + number,
                             .device = 0xfd01,
                             .size = 30000 + number % 1000,
                             .content = {.items = keep(entries, &items)}};
}

void entries_server(struct entries *entries, size_t count)
{
    *entries = (struct entries){.prng = {1}};
    for (size_t i = 0; i < count; i++)
        qn_vec_push(&entries->list, server_file(entries, i));
}

void entries_deinit(struct entries *entries)
{
    qn_vec_each (&entries->memory, bytes)
        qn_free(*bytes);
    qn_vec_free(&entries->memory);
    qn_vec_free(&entries->list);
}

/* ---- comparison ---- */

static bool has_same_numbers(const struct qn_entry *a, const struct qn_entry *b)
{
    return a->type == b->type && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
           a->mtime_s == b->mtime_s && a->ctime_s == b->ctime_s && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns && a->inode == b->inode && a->device == b->device &&
           a->size == b->size && a->rdev_major == b->rdev_major && a->rdev_minor == b->rdev_minor &&
           a->content.depth == b->content.depth;
}

bool entries_are_equal(const struct qn_entry *a, const struct qn_entry *b)
{
    return has_same_numbers(a, b) && qn_span_eq(a->path, b->path) && qn_span_eq(a->user, b->user) &&
           qn_span_eq(a->group, b->group) && qn_span_eq(a->target, b->target) &&
           qn_span_eq(a->xattrs, b->xattrs) && qn_span_eq(a->content.items, b->content.items);
}
