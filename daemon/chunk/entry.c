#include "chunk/entry.h"

/* The first byte: the type, and which optional parts there are. */
#define TYPE_MASK  0x0f
#define HAS_OWNERS 0x10
#define HAS_XATTRS 0x20
#define HEAD_MASK  (TYPE_MASK | HAS_OWNERS | HAS_XATTRS)

/* Small numbers of either sign become small numbers. */
static uint64_t zigzag(uint64_t value)
{
    return value << 1 ^ (0 - (value >> 63));
}

static uint64_t unzigzag(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

/* ---- packing: a place in memory that is large enough, which saves a check for every field ---- */

/* All but the runs of bytes: the head, two times four bytes, at most 15 varints. */
#define FIXED_SIZE_MAX (1 + 8 + 15 * 10)

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_run(uint8_t *at, struct qn_span run)
{
    if (run.size > 0)
        memcpy(at, run.data, run.size);
    return at + run.size;
}

static uint8_t *put_bytes(uint8_t *at, struct qn_span bytes)
{
    return put_run(put_varint(at, bytes.size), bytes);
}

static uint8_t *put_ns(uint8_t *at, uint32_t ns)
{
    qn_write_u32(at, ns);
    return at + 4;
}

static uint8_t *put_path(uint8_t *at, struct qn_span path, struct qn_span previous)
{
    size_t shared = qn_path_shared(path, previous);
    return put_bytes(put_varint(at, shared), qn_span_from(path, shared));
}

static uint8_t *put_times(uint8_t *at, const struct qn_entry *entry)
{
    uint64_t mtime_s = (uint64_t)entry->mtime_s;
    at = put_ns(put_varint(at, zigzag(mtime_s)), entry->mtime_ns);
    return put_ns(put_varint(at, zigzag((uint64_t)entry->ctime_s - mtime_s)), entry->ctime_ns);
}

static uint8_t *put_body(uint8_t *at, const struct qn_entry *entry)
{
    switch (entry->type) {
    case QN_ENTRY_FILE:
        at = put_varint(at, entry->size);
        at = put_varint(at, entry->content.depth);
        return put_bytes(at, entry->content.items);
    case QN_ENTRY_SYMLINK:
    case QN_ENTRY_HARDLINK:
        return put_bytes(at, entry->target);
    case QN_ENTRY_BLOCK:
    case QN_ENTRY_CHAR:
        return put_varint(put_varint(at, entry->rdev_major), entry->rdev_minor);
    case QN_ENTRY_DIR:
    case QN_ENTRY_FIFO:
    case QN_ENTRY_SOCKET:
        break;
    }
    return at;
}

static uint8_t head_of(const struct qn_entry *entry)
{
    unsigned head = (unsigned)entry->type;
    if (entry->user.size > 0 || entry->group.size > 0)
        head |= HAS_OWNERS;
    if (entry->xattrs.size > 0)
        head |= HAS_XATTRS;
    return (uint8_t)head;
}

static uint8_t *put_entry(uint8_t *at, const struct qn_entry *entry, struct qn_span previous)
{
    uint8_t head = head_of(entry);
    *at++ = head;
    at = put_path(at, entry->path, previous);
    at = put_varint(put_varint(put_varint(at, entry->mode), entry->uid), entry->gid);
    if (head & HAS_OWNERS)
        at = put_bytes(put_bytes(at, entry->user), entry->group);
    at = put_times(at, entry);
    at = put_varint(put_varint(at, entry->inode), entry->device);
    at = put_body(at, entry);
    return head & HAS_XATTRS ? put_bytes(at, entry->xattrs) : at;
}

void qn_entry_pack(const struct qn_entry *entry, struct qn_span previous, struct qn_buf *out)
{
    size_t runs = entry->path.size + entry->user.size + entry->group.size + entry->target.size +
                  entry->content.items.size + entry->xattrs.size;
    uint8_t *start = qn_buf_reserve(out, FIXED_SIZE_MAX + runs);
    if (start != NULL)
        out->size += (size_t)(put_entry(start, entry, previous) - start);
}

/* ---- reading ---- */

/* A place in the leaf that remembers whether anything was wrong, so that it is asked once,
 * after all fields. What is read after a fault is zero. */
struct reader {
    struct qn_span leaf;
    size_t at;
    bool is_bad;
};

static uint64_t read_u64(struct reader *reader)
{
    uint64_t value;
    if (!reader->is_bad && qn_read_varint(reader->leaf, &reader->at, &value) == QN_OK)
        return value;
    reader->is_bad = true;
    return 0;
}

static uint32_t read_u32(struct reader *reader)
{
    uint64_t value = read_u64(reader);
    if (value <= UINT32_MAX)
        return (uint32_t)value;
    reader->is_bad = true;
    return 0;
}

static struct qn_span read_run(struct reader *reader, uint64_t size)
{
    if (reader->is_bad || size > reader->leaf.size - reader->at) {
        reader->is_bad = true;
        return qn_span(NULL, 0);
    }
    struct qn_span run = qn_span(reader->leaf.data + reader->at, (size_t)size);
    reader->at += run.size;
    return run;
}

static struct qn_span read_bytes(struct reader *reader)
{
    return read_run(reader, read_u64(reader));
}

static uint32_t read_ns(struct reader *reader)
{
    struct qn_span run = read_run(reader, 4);
    return run.size == 4 ? qn_read_u32(run.data) : 0;
}

static void read_times(struct reader *reader, struct qn_entry *entry)
{
    uint64_t mtime_s = unzigzag(read_u64(reader));
    entry->mtime_s = (int64_t)mtime_s;
    entry->mtime_ns = read_ns(reader);
    entry->ctime_s = (int64_t)(mtime_s + unzigzag(read_u64(reader)));
    entry->ctime_ns = read_ns(reader);
}

static void read_body(struct reader *reader, struct qn_entry *entry)
{
    switch (entry->type) {
    case QN_ENTRY_FILE:
        entry->size = read_u64(reader);
        entry->content.depth = read_u32(reader);
        entry->content.items = read_bytes(reader);
        break;
    case QN_ENTRY_SYMLINK:
    case QN_ENTRY_HARDLINK:
        entry->target = read_bytes(reader);
        break;
    case QN_ENTRY_BLOCK:
    case QN_ENTRY_CHAR:
        entry->rdev_major = read_u32(reader);
        entry->rdev_minor = read_u32(reader);
        break;
    case QN_ENTRY_DIR:
    case QN_ENTRY_FIFO:
    case QN_ENTRY_SOCKET:
        break;
    }
}

/* All that stands behind the path. A part that is there is not empty: there is one form only. */
static void read_fields(struct reader *reader, uint8_t head, struct qn_entry *entry)
{
    entry->mode = read_u32(reader);
    entry->uid = read_u32(reader);
    entry->gid = read_u32(reader);
    if (head & HAS_OWNERS) {
        entry->user = read_bytes(reader);
        entry->group = read_bytes(reader);
        reader->is_bad |= entry->user.size == 0 && entry->group.size == 0;
    }
    read_times(reader, entry);
    entry->inode = read_u64(reader);
    entry->device = read_u64(reader);
    read_body(reader, entry);
    if (head & HAS_XATTRS) {
        entry->xattrs = read_bytes(reader);
        reader->is_bad |= entry->xattrs.size == 0;
    }
}

enum qn_err qn_entry_read(struct qn_span leaf, size_t *offset, struct qn_buf *path,
                          struct qn_entry *ret_entry)
{
    struct reader reader = {.leaf = leaf, .at = *offset};
    struct qn_path_step step;
    if (reader.at >= leaf.size)
        return QN_ERR_CORRUPT;
    uint8_t head = leaf.data[reader.at++];
    if (head & ~HEAD_MASK)
        return QN_ERR_CORRUPT;
    QN_TRY(qn_path_read(leaf, &reader.at, qn_buf_view(path), &step));
    struct qn_entry entry = {.type = (enum qn_entry_type)(head & TYPE_MASK)};
    read_fields(&reader, head, &entry);
    qn_path_apply(&step, path);
    entry.path = qn_buf_view(path);
    if (reader.is_bad || qn_entry_check(&entry) != QN_OK)
        return QN_ERR_CORRUPT;
    *offset = reader.at;
    *ret_entry = entry;
    return QN_OK;
}
