#include "vault/index_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"

#define META_MAGIC    0xBEEFC0DEu
#define META_VERSION  1u
#define META_PAGES    2
#define PAGE_SIZE_MIN 512
#define PAGE_SIZE_MAX 65536
#define DEPTH_MAX     32
#define NO_PAGE       UINT64_MAX /* root of an empty table */
#define FREE_TABLE    0
#define MAIN_TABLE    1

enum {
    PAGE_BRANCH = 0x01,
    PAGE_LEAF = 0x02,
    PAGE_OVERFLOW = 0x04,
    PAGE_META = 0x08,
};
enum {
    NODE_BIG = 0x01,   /* the value is in overflow pages */
    NODE_TABLE = 0x02, /* the value is a table */
};

struct page_head {
    uint64_t number;
    uint16_t pad, flags;
    union {
        struct {
            uint16_t lower, upper; /* free space between places and nodes */
        };
        uint32_t overflow_pages;
    };
};

struct table {
    uint32_t pad; /* of the first one: size of a page */
    uint16_t flags, depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};

struct meta {
    uint32_t magic, version;
    uint64_t address, map_size;
    struct table tables[2];
    uint64_t last_page, txn_id;
};

struct node {
    uint16_t low, high, flags, key_size;
};

struct check {
    int fd;
    uint64_t file_size, last_page;
    size_t page_size;
    uint8_t *seen;             /* a bit for each page that is in use, or free */
    uint8_t *pages[DEPTH_MAX]; /* one for each level of a table, behind it a map of the page: */
                               /* a byte for every two that belong to a node */
};

static enum qn_err read_at(const struct check *check, uint64_t offset, void *out, size_t size)
{
    ssize_t got;
    do {
        got = pread(check->fd, out, size, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)size ? QN_OK : QN_ERR_CORRUPT;
}

/* A page that is in use twice would be written to while it is read. */
static enum qn_err claim(struct check *check, uint64_t page)
{
    if (page < META_PAGES || page > check->last_page ||
        (check->seen[page / 8] >> page % 8 & 1) != 0)
        return QN_ERR_CORRUPT;
    check->seen[page / 8] |= (uint8_t)(1u << page % 8);
    return QN_OK;
}

/* ---- tables ---- */

static enum qn_err check_table(struct check *check, const struct table *table, bool is_main,
                               bool is_free);

static enum qn_err claim_free(struct check *check, const uint8_t *list, size_t size)
{
    uint64_t count, page;
    if (size < sizeof(count) || size % sizeof(page) != 0)
        return QN_ERR_CORRUPT;
    memcpy(&count, list, sizeof(count));
    if (count != size / sizeof(page) - 1)
        return QN_ERR_CORRUPT;
    for (size_t i = 1; i <= count; i++) {
        memcpy(&page, list + i * sizeof(page), sizeof(page));
        QN_TRY(claim(check, page));
    }
    return QN_OK;
}

static enum qn_err claim_overflow(struct check *check, uint64_t page, size_t size, uint8_t **ret)
{
    struct page_head head;
    QN_TRY(read_at(check, page * check->page_size, &head, sizeof(head)));
    size_t pages = (sizeof(head) + size + check->page_size - 1) / check->page_size;
    if (head.number != page || head.flags != PAGE_OVERFLOW || head.overflow_pages < pages ||
        head.overflow_pages > check->last_page)
        return QN_ERR_CORRUPT;
    for (uint64_t i = 0; i < head.overflow_pages; i++)
        QN_TRY(claim(check, page + i));
    if (size > check->file_size)
        return QN_ERR_CORRUPT;
    uint8_t *bytes = qn_alloc(size + 1);
    enum qn_err err = read_at(check, page * check->page_size + sizeof(head), bytes, size);
    if (err != QN_OK)
        qn_free(bytes);
    else
        *ret = bytes;
    return err;
}

/* Only lists of free pages are so large that they have pages of their own. */
static enum qn_err check_big(struct check *check, const uint8_t *value, size_t size, bool is_free)
{
    uint64_t page;
    uint8_t *list = NULL;
    memcpy(&page, value, sizeof(page));
    if (!is_free)
        return QN_ERR_CORRUPT;
    QN_TRY(claim_overflow(check, page, size, &list));
    enum qn_err err = claim_free(check, list, size);
    qn_free(list);
    return err;
}

static enum qn_err check_value(struct check *check, const struct node *node, const uint8_t *value,
                               size_t size, bool is_main, bool is_free)
{
    struct table table;
    if (node->flags == NODE_BIG)
        return check_big(check, value, size, is_free);
    if (is_free)
        return node->flags == 0 ? claim_free(check, value, size) : QN_ERR_CORRUPT;
    if (!is_main)
        return node->flags == 0 ? QN_OK : QN_ERR_CORRUPT;
    if (node->flags != NODE_TABLE || size != sizeof(table))
        return QN_ERR_CORRUPT;
    memcpy(&table, value, sizeof(table));
    return check_table(check, &table, false, false);
}

static enum qn_err check_leaf_node(struct check *check, const uint8_t *at, size_t room,
                                   bool is_main, bool is_free)
{
    struct node node;
    memcpy(&node, at, sizeof(node));
    size_t size = node.low | (size_t)node.high << 16;
    size_t stored = (node.flags & NODE_BIG) != 0 ? sizeof(uint64_t) : size;
    if (node.key_size == 0 || sizeof(node) + node.key_size + stored > room)
        return QN_ERR_CORRUPT;
    return check_value(check, &node, at + sizeof(node) + node.key_size, size, is_main, is_free);
}

static enum qn_err check_page(struct check *check, uint64_t page, unsigned depth, bool is_main,
                              bool is_free);

/* Nodes fill the end of a page, without gaps, and do not overlap: LMDB moves them by their sizes.
 */
static enum qn_err cover(const struct check *check, uint8_t *page, size_t at, size_t size)
{
    uint8_t *map = page + check->page_size + at / 2;
    size_t units = (size + 1) / 2;
    if (at + 2 * units > check->page_size || memchr(map, 1, units) != NULL)
        return QN_ERR_CORRUPT;
    memset(map, 1, units);
    return QN_OK;
}

static size_t node_size(const uint8_t *at, bool is_leaf)
{
    struct node node;
    memcpy(&node, at, sizeof(node));
    size_t value =
        (node.flags & NODE_BIG) != 0 ? sizeof(uint64_t) : node.low | (size_t)node.high << 16;
    return sizeof(node) + node.key_size + (is_leaf ? value : 0);
}

static enum qn_err check_cover(const struct check *check, uint8_t *page,
                               const struct page_head *head, bool is_leaf)
{
    size_t covered = 0;
    memset(page + check->page_size, 0, check->page_size / 2);
    for (size_t place = sizeof(*head); place < head->lower; place += sizeof(uint16_t)) {
        uint16_t at;
        memcpy(&at, page + place, sizeof(at));
        if (at < head->upper || at % 2 != 0 || at + sizeof(struct node) > check->page_size)
            return QN_ERR_CORRUPT;
        size_t size = node_size(page + at, is_leaf);
        QN_TRY(cover(check, page, at, size));
        covered += (size + 1) / 2 * 2;
    }
    return covered == check->page_size - head->upper ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err check_branch_node(struct check *check, const uint8_t *at, size_t room,
                                     unsigned depth, bool is_main, bool is_free)
{
    struct node node;
    memcpy(&node, at, sizeof(node));
    if (sizeof(node) + node.key_size > room)
        return QN_ERR_CORRUPT;
    uint64_t below = node.low | (uint64_t)node.high << 16 | (uint64_t)node.flags << 32;
    return check_page(check, below, depth - 1, is_main, is_free);
}

static enum qn_err check_head(const struct check *check, const struct page_head *head,
                              uint64_t page, unsigned depth)
{
    bool is_sound = head->number == page && head->flags == (depth > 1 ? PAGE_BRANCH : PAGE_LEAF) &&
                    head->lower >= sizeof(*head) && head->lower <= head->upper &&
                    head->upper <= check->page_size && head->lower % 2 == 0;
    size_t places = (head->lower - sizeof(*head)) / 2;
    return is_sound && places >= (depth > 1 ? 2 : 1) ? QN_OK : QN_ERR_CORRUPT;
}

/* A tree is as deep as its table says, everywhere: that bounds the recursion. */
static enum qn_err check_page(struct check *check, uint64_t page, unsigned depth, bool is_main,
                              bool is_free)
{
    struct page_head head;
    uint8_t *bytes = check->pages[depth - 1];
    QN_TRY(claim(check, page));
    QN_TRY(read_at(check, page * check->page_size, bytes, check->page_size));
    memcpy(&head, bytes, sizeof(head));
    QN_TRY(check_head(check, &head, page, depth));
    QN_TRY(check_cover(check, bytes, &head, depth == 1));
    for (size_t place = sizeof(head); place < head.lower; place += sizeof(uint16_t)) {
        uint16_t at;
        memcpy(&at, bytes + place, sizeof(at));
        size_t room = check->page_size - at;
        QN_TRY(depth > 1 ? check_branch_node(check, bytes + at, room, depth, is_main, is_free)
                         : check_leaf_node(check, bytes + at, room, is_main, is_free));
    }
    return QN_OK;
}

/* The pages of the main table are needed while those below it are read: a level for each. */
static enum qn_err check_table(struct check *check, const struct table *table, bool is_main,
                               bool is_free)
{
    if (table->root == NO_PAGE)
        return table->depth == 0 && table->entries == 0 ? QN_OK : QN_ERR_CORRUPT;
    if (table->depth == 0 || table->depth > DEPTH_MAX / 2)
        return QN_ERR_CORRUPT;
    uint8_t *kept[DEPTH_MAX / 2];
    if (is_main)
        return check_page(check, table->root, table->depth, true, false);
    memcpy(kept, check->pages, sizeof(kept));
    memcpy(check->pages, check->pages + DEPTH_MAX / 2, sizeof(kept));
    enum qn_err err = check_page(check, table->root, table->depth, false, is_free);
    memcpy(check->pages, kept, sizeof(kept));
    return err;
}

/* ---- the file ---- */

static bool is_meta(const struct meta *meta, size_t page_size)
{
    return meta->magic == META_MAGIC && meta->version == META_VERSION &&
           meta->tables[FREE_TABLE].pad == page_size;
}

/* LMDB takes the newer of its two meta pages, and looks at no more than magic and version. */
static enum qn_err read_meta(struct check *check, struct meta *ret_meta)
{
    struct meta metas[META_PAGES];
    QN_TRY(read_at(check, sizeof(struct page_head), &metas[0], sizeof(metas[0])));
    check->page_size = metas[0].tables[FREE_TABLE].pad;
    if (check->page_size < PAGE_SIZE_MIN || check->page_size > PAGE_SIZE_MAX)
        return QN_ERR_CORRUPT;
    QN_TRY(
        read_at(check, check->page_size + sizeof(struct page_head), &metas[1], sizeof(metas[1])));
    if (!is_meta(&metas[0], check->page_size) || !is_meta(&metas[1], check->page_size))
        return QN_ERR_CORRUPT;
    const struct meta *meta = &metas[metas[1].txn_id > metas[0].txn_id];
    if (meta->last_page >= check->file_size / PAGE_SIZE_MIN)
        return QN_ERR_CORRUPT;
    *ret_meta = *meta;
    return QN_OK;
}

static enum qn_err check_all(struct check *check)
{
    struct meta meta;
    QN_TRY(read_meta(check, &meta));
    check->last_page = meta.last_page;
    check->seen = qn_alloc_zero(meta.last_page / 8 + 1);
    for (size_t i = 0; i < DEPTH_MAX; i++)
        check->pages[i] = qn_alloc(check->page_size + check->page_size / 2);
    QN_TRY(check_table(check, &meta.tables[MAIN_TABLE], true, false));
    return check_table(check, &meta.tables[FREE_TABLE], false, true);
}

enum qn_err qn_index_check(const char *path)
{
    struct stat status;
    struct check check = {.fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    if (check.fd < 0)
        return qn_os_err(errno);
    enum qn_err err = fstat(check.fd, &status) == 0 ? QN_OK : QN_ERR_CORRUPT;
    if (err == QN_OK && status.st_size == 0)
        err = QN_ERR_NOTFOUND;
    if (err == QN_OK) {
        check.file_size = (uint64_t)status.st_size;
        err = check_all(&check);
    }
    for (size_t i = 0; i < DEPTH_MAX; i++)
        qn_free(check.pages[i]);
    qn_free(check.seen);
    close(check.fd);
    return err;
}
