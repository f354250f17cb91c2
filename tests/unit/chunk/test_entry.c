#include <criterion/criterion.h>

#include "chunk/chunker.h"
#include "chunk/entry.h"
#include "proto/pack.h"
#include "support/entries.h"
#include "support/span.h"

static const struct qn_entry plain = {.path = {(const uint8_t *)"a/b", 3},
                                      .type = QN_ENTRY_DIR,
                                      .mode = 0755,
                                      .mtime_s = -1,
                                      .mtime_ns = 5,
                                      .ctime_s = 1,
                                      .ctime_ns = 6,
                                      .inode = 300,
                                      .device = 2};

static struct qn_span pack(const struct qn_entry *entry, struct qn_buf *out)
{
    qn_buf_init(out, 2 * QN_ENTRY_SIZE_MAX);
    qn_entry_pack(entry, qn_span(NULL, 0), out);
    cr_assert_eq(qn_buf_status(out), QN_OK);
    return qn_buf_view(out);
}

static enum qn_err read_one(struct qn_span leaf)
{
    QN_AUTO_BUF struct qn_buf path;
    struct qn_entry entry;
    size_t offset = 0;
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    enum qn_err err = qn_entry_read(leaf, &offset, &path, &entry);
    cr_assert_eq(offset, err == QN_OK ? leaf.size : 0);
    return err;
}

/* What is not fit to be stored is not taken from the disk either. */
static void expect_refused(const struct qn_entry *entry, enum qn_err wanted)
{
    QN_AUTO_BUF struct qn_buf leaf;
    cr_assert_eq(qn_entry_check(entry), wanted, "%s", qn_err_name(qn_entry_check(entry)));
    cr_assert_eq(read_one(pack(entry, &leaf)), QN_ERR_CORRUPT);
}

static void expect_taken(const struct qn_entry *entry)
{
    QN_AUTO_BUF struct qn_buf leaf;
    cr_assert_eq(qn_entry_check(entry), QN_OK);
    cr_assert_eq(read_one(pack(entry, &leaf)), QN_OK);
}

/* docs/formats/vault.md, field by field. */
Test(entry, bytes_of_a_directory)
{
    QN_AUTO_BUF struct qn_buf leaf, wanted;
    assert_span_eq(pack(&plain, &leaf), from_hex(&wanted, "01"         /* DIR, nothing optional */
                                                          "0003612f62" /* path */
                                                          "ed030000"   /* mode, uid, gid */
                                                          "0100000005" /* mtime */
                                                          "0400000006" /* ctime: 2 s later */
                                                          "ac0202"));  /* inode, device */
}

Test(entry, bytes_of_a_file_with_all_that_there_is)
{
    QN_AUTO_BUF struct qn_buf leaf, wanted, items, xattrs;
    struct qn_chunk_id id = {{0xaa}};
    struct qn_entry entry = plain;
    qn_buf_init(&items, 100);
    qn_content_item_pack(&id, 3, &items);
    qn_content_item_pack(NULL, 4, &items);
    entry.type = QN_ENTRY_FILE;
    entry.size = 7;
    entry.content.items = qn_buf_view(&items);
    entry.user = SPAN("u");
    entry.xattrs = from_hex(&xattrs, "9192c40161c400");
    assert_span_eq(pack(&entry, &leaf),
                   from_hex(&wanted, "32"                 /* FILE, owners, xattrs */
                                     "0003612f62ed030000" /* path, mode, uid, gid */
                                     "017500"             /* user "u", no group */
                                     "0100000005"         /* mtime */
                                     "0400000006ac0202"   /* ctime, inode, device */
                                     "070022"             /* size, depth, bytes of items */
                                     "06aa000000000000000000000000000000"
                                     "00000000000000000000000000000000" /* 3 bytes: id */
                                     "09"                               /* a hole of 4 */
                                     "079192c40161c400"));              /* xattrs */
    expect_taken(&entry);
}

static void roundtrip(struct entries *entries)
{
    QN_AUTO_BUF struct qn_buf leaf, path;
    struct qn_span previous = qn_span(NULL, 0);
    struct qn_entry entry;
    size_t offset = 0;
    qn_buf_init(&leaf, 64 * 1024 * 1024);
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    qn_vec_each (&entries->list, it) {
        cr_assert_eq(qn_entry_check(it), QN_OK);
        qn_entry_pack(it, previous, &leaf);
        previous = it->path;
    }
    cr_assert_eq(qn_buf_status(&leaf), QN_OK);
    qn_vec_each (&entries->list, it) {
        cr_assert_eq(qn_entry_read(qn_buf_view(&leaf), &offset, &path, &entry), QN_OK);
        cr_assert(entries_are_equal(&entry, it));
    }
    cr_assert_eq(offset, leaf.size);
    cr_assert_eq(qn_entry_read(qn_buf_view(&leaf), &offset, &path, &entry), QN_ERR_CORRUPT);
}

Test(entry, roundtrip_of_arbitrary_lists)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct entries entries;
        entries_random(&entries, seed, 200);
        roundtrip(&entries);
        entries_deinit(&entries);
    }
}

Test(entry, a_cut_one_is_refused_at_every_byte)
{
    struct entries entries;
    entries_random(&entries, 7, 60);
    qn_vec_each (&entries.list, it) {
        QN_AUTO_BUF struct qn_buf leaf;
        struct qn_span whole = pack(it, &leaf);
        for (size_t size = 0; size < whole.size && size < 3000; size++)
            cr_assert_eq(read_one(qn_span(whole.data, size)), QN_ERR_CORRUPT);
    }
    entries_deinit(&entries);
}

Test(entry, the_largest_one_keeps_to_its_limit)
{
    static uint8_t bytes[QN_XATTR_SIZE_MAX], path[QN_PATH_SIZE_MAX];
    QN_AUTO_BUF struct qn_buf leaf, items, xattrs;
    struct qn_chunk_id id = {{1}};
    struct qn_entry entry = plain;
    memset(path, 'p', sizeof(path));
    entry.path = QN_SPAN_OF(path);
    entry.type = QN_ENTRY_FILE;
    entry.content.depth = QN_CONTENT_DEPTH_MAX;
    qn_buf_init(&items, 4096);
    for (size_t i = 0; i < QN_CONTENT_DIRECT_MAX; i++)
        qn_content_item_pack(&id, INT64_MAX / QN_CONTENT_DIRECT_MAX, &items);
    entry.size = INT64_MAX / QN_CONTENT_DIRECT_MAX * QN_CONTENT_DIRECT_MAX;
    entry.content.items = qn_buf_view(&items);
    entry.user = entry.group = qn_span(path, QN_OWNER_NAME_SIZE_MAX);
    qn_buf_init(&xattrs, QN_XATTR_SIZE_MAX);
    qn_pack_array(&xattrs, 1);
    qn_pack_array(&xattrs, 2);
    qn_pack_bin(&xattrs, SPAN("a"));
    qn_pack_bin(&xattrs, qn_span(bytes, QN_XATTR_SIZE_MAX - 8));
    entry.xattrs = qn_buf_view(&xattrs);
    cr_assert_eq(entry.xattrs.size, QN_XATTR_SIZE_MAX);
    expect_taken(&entry);
    cr_assert_leq(pack(&entry, &leaf).size, QN_ENTRY_SIZE_MAX);
}

Test(entry, fields_out_of_range_are_refused)
{
    static uint8_t bytes[QN_PATH_SIZE_MAX + 1];
    memset(bytes, 'p', sizeof(bytes));
    struct qn_entry entry = plain;
    expect_taken(&entry);
    entry.mode = 010000;
    expect_refused(&entry, QN_ERR_INVALID);
    entry = plain, entry.mtime_ns = 1000000000;
    expect_refused(&entry, QN_ERR_INVALID);
    entry = plain, entry.ctime_ns = 1000000000;
    expect_refused(&entry, QN_ERR_INVALID);
    entry = plain, entry.user = qn_span(bytes, QN_OWNER_NAME_SIZE_MAX + 1);
    expect_refused(&entry, QN_ERR_LIMIT);
    entry = plain, entry.path = QN_SPAN_OF(bytes);
    expect_refused(&entry, QN_ERR_LIMIT);
    entry = plain, entry.path = SPAN("a/../b");
    expect_refused(&entry, QN_ERR_INVALID);
    entry = plain, entry.type = (enum qn_entry_type)9;
    expect_refused(&entry, QN_ERR_INVALID);
    entry = plain, entry.type = (enum qn_entry_type)0;
    expect_refused(&entry, QN_ERR_INVALID);
}

Test(entry, targets)
{
    static uint8_t bytes[QN_PATH_SIZE_MAX + 1];
    memset(bytes, 'p', sizeof(bytes));
    struct qn_entry entry = plain;
    entry.type = QN_ENTRY_SYMLINK;
    expect_refused(&entry, QN_ERR_INVALID);
    entry.target = SPAN("../../etc/passwd");
    expect_taken(&entry);
    entry.target = SPAN("a\0b");
    expect_refused(&entry, QN_ERR_INVALID);
    entry.target = QN_SPAN_OF(bytes);
    expect_refused(&entry, QN_ERR_LIMIT);
    entry.type = QN_ENTRY_HARDLINK;
    expect_refused(&entry, QN_ERR_LIMIT);
    entry.target = SPAN("../a");
    expect_refused(&entry, QN_ERR_INVALID);
    entry.target = SPAN("a/b"); /* itself */
    expect_refused(&entry, QN_ERR_INVALID);
    entry.target = SPAN("a-b"); /* behind it */
    expect_refused(&entry, QN_ERR_INVALID);
    entry.target = SPAN("a/a");
    expect_taken(&entry);
}

static void expect_xattrs(const char *hex, enum qn_err wanted)
{
    QN_AUTO_BUF struct qn_buf xattrs;
    struct qn_entry entry = plain;
    entry.xattrs = from_hex(&xattrs, hex);
    if (wanted == QN_OK)
        expect_taken(&entry);
    else
        expect_refused(&entry, wanted);
}

Test(entry, xattrs)
{
    expect_xattrs("9192c40161c400", QN_OK);
    expect_xattrs("9292c40161c40092c40162c40101", QN_OK);
    expect_xattrs("90", QN_ERR_INVALID);                         /* none: then there are no bytes */
    expect_xattrs("9192c400c400", QN_ERR_INVALID);               /* no name */
    expect_xattrs("9292c40162c40092c40161c400", QN_ERR_INVALID); /* not ascending */
    expect_xattrs("9292c40161c40092c40161c400", QN_ERR_INVALID); /* twice */
    expect_xattrs("9192c40161c40000", QN_ERR_INVALID);           /* something behind */
    expect_xattrs("9193c40161c400c400", QN_ERR_INVALID);         /* three */
    expect_xattrs("9192a161c400", QN_ERR_INVALID);               /* text */
}

Test(entry, parts_that_are_there_are_not_empty)
{
    QN_AUTO_BUF struct qn_buf bytes;
    cr_assert_eq(read_one(from_hex(&bytes, "110003612f62ed0300000000010000000504000000"
                                           "06ac0202")),
                 QN_ERR_CORRUPT);
    QN_AUTO_BUF struct qn_buf other;
    cr_assert_eq(read_one(from_hex(&other, "210003612f62ed030000010000000504000000"
                                           "06ac020200")),
                 QN_ERR_CORRUPT);
}

static void expect_content(const struct qn_content *content, uint64_t size, bool is_good)
{
    struct qn_entry entry = plain;
    entry.type = QN_ENTRY_FILE;
    entry.size = size;
    entry.content = *content;
    if (is_good)
        expect_taken(&entry);
    else
        expect_refused(&entry, QN_ERR_INVALID);
}

Test(content, sums_up_to_the_size)
{
    QN_AUTO_BUF struct qn_buf items;
    struct qn_chunk_id id = {{1}};
    qn_buf_init(&items, 200);
    expect_content(&(struct qn_content){0}, 0, true);
    expect_content(&(struct qn_content){0}, 1, false);
    qn_content_item_pack(&id, QN_CHUNK_SIZE_MAX, &items);
    qn_content_item_pack(NULL, UINT64_C(1) << 40, &items);
    struct qn_content content = {.items = qn_buf_view(&items)};
    uint64_t size = QN_CHUNK_SIZE_MAX + (UINT64_C(1) << 40);
    expect_content(&content, size, true);
    expect_content(&content, size - 1, false);
    expect_content(&content, size + 1, false);
    content.depth = 1; /* a hole among manifests */
    expect_content(&content, size, false);
}

Test(content, sizes_do_not_overflow)
{
    QN_AUTO_BUF struct qn_buf items;
    qn_buf_init(&items, 100);
    qn_content_item_pack(NULL, INT64_MAX, &items);
    qn_content_item_pack(NULL, INT64_MAX, &items);
    qn_content_item_pack(NULL, 2, &items);
    expect_content(&(struct qn_content){.items = qn_buf_view(&items)}, 0, false);
}

Test(content, depth_and_count_are_bounded)
{
    QN_AUTO_BUF struct qn_buf items;
    struct qn_chunk_id id = {{1}};
    qn_buf_init(&items, 4096);
    for (size_t i = 0; i < QN_CONTENT_DIRECT_MAX; i++)
        qn_content_item_pack(&id, 1, &items);
    struct qn_content content = {.items = qn_buf_view(&items)};
    expect_content(&content, QN_CONTENT_DIRECT_MAX, true);
    content.depth = QN_CONTENT_DEPTH_MAX;
    expect_content(&content, QN_CONTENT_DIRECT_MAX, true);
    content.depth++;
    expect_content(&content, QN_CONTENT_DIRECT_MAX, false);
    content.depth = 0;
    qn_content_item_pack(&id, 1, &items);
    content.items = qn_buf_view(&items);
    expect_content(&content, QN_CONTENT_DIRECT_MAX + 1, false);
    cr_assert_eq(qn_content_check(&content, QN_MANIFEST_ITEMS_MAX, QN_CONTENT_DIRECT_MAX + 1),
                 QN_OK);
}

Test(content, a_chunk_above_its_largest_size_is_refused)
{
    QN_AUTO_BUF struct qn_buf items;
    struct qn_chunk_id id = {{1}};
    qn_buf_init(&items, 100);
    qn_content_item_pack(&id, QN_CHUNK_SIZE_MAX + 1, &items);
    struct qn_content content = {.items = qn_buf_view(&items)};
    expect_content(&content, QN_CHUNK_SIZE_MAX + 1, false);
    content.depth = 1;
    expect_content(&content, QN_CHUNK_SIZE_MAX + 1, true);
}

Test(content, items_of_no_size_are_refused)
{
    struct qn_content_item item;
    size_t offset = 0;
    cr_assert_eq(qn_content_item_read(SPAN("\1"), &offset, &item), QN_ERR_CORRUPT);
    cr_assert_eq(qn_content_item_read(SPAN("\0"), &offset, &item), QN_ERR_CORRUPT);
    cr_assert_eq(qn_content_item_read(SPAN("\2id too short"), &offset, &item), QN_ERR_CORRUPT);
    cr_assert_eq(offset, 0);
}
