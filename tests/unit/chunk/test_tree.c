#include <criterion/criterion.h>

#include "chunk/node.h"
#include "support/chunks.h"
#include "support/entries.h"
#include "support/span.h"

#define NO_INDEX SIZE_MAX

/* The list without the entry at `skipped`. */
static struct qn_tree_root build(struct chunks *chunks, const struct entries *entries,
                                 size_t skipped)
{
    struct qn_tree_builder *builder = qn_tree_builder_new(chunks_put, chunks);
    struct qn_tree_root root;
    for (size_t i = 0; i < entries->list.count; i++)
        if (i != skipped)
            cr_assert_eq(qn_tree_builder_add(builder, &entries->list.items[i]), QN_OK);
    cr_assert_eq(qn_tree_builder_finish(builder, &root), QN_OK);
    qn_tree_builder_free(builder);
    return root;
}

/* What comes from the iterator is the list from `from` to its end. */
static void expect_rest(struct qn_tree_iter *iter, const struct entries *entries, size_t from)
{
    struct qn_entry entry;
    for (size_t i = from; i < entries->list.count; i++) {
        cr_assert_eq(qn_tree_iter_next(iter, &entry), QN_OK);
        cr_assert(entries_are_equal(&entry, &entries->list.items[i]));
    }
    cr_assert_eq(qn_tree_iter_next(iter, &entry), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_tree_iter_next(iter, &entry), QN_ERR_NOTFOUND);
}

static void expect_list(struct chunks *chunks, const struct qn_tree_root *root,
                        const struct entries *entries)
{
    struct qn_tree_iter *iter = qn_tree_iter_new(root, chunks_get, chunks);
    expect_rest(iter, entries, 0);
    qn_tree_iter_free(iter);
}

static uint64_t size_of(const struct entries *entries)
{
    uint64_t size = 0;
    qn_vec_each (&entries->list, it)
        size += it->type == QN_ENTRY_FILE ? it->size : 0;
    return size;
}

/* ---- building ---- */

Test(tree, an_empty_list_has_no_chunks)
{
    struct chunks chunks = {0};
    struct entries none = {0};
    struct qn_tree_root root = build(&chunks, &none, NO_INDEX);
    cr_assert_eq(root.levels, 0);
    cr_assert_eq(root.entry_count, 0);
    cr_assert_eq(chunks.list.count, 0);
    struct qn_tree_iter *iter = qn_tree_iter_new(&root, chunks_get, &chunks);
    expect_rest(iter, &none, 0);
    cr_assert_eq(qn_tree_iter_seek(iter, SPAN("a")), QN_OK);
    expect_rest(iter, &none, 0);
    qn_tree_iter_free(iter);
    qn_tree_iter_free(NULL);
    qn_tree_builder_free(NULL);
}

Test(tree, roundtrip_of_lists_of_all_sizes)
{
    static const size_t counts[] = {1, 2, 10, 100, 600, 3000};
    for (uint64_t seed = 0; seed < sizeof(counts) / sizeof(counts[0]); seed++) {
        struct chunks chunks = {0};
        struct entries entries;
        entries_random(&entries, seed + 1, counts[seed]);
        struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
        cr_assert_eq(root.entry_count, entries.list.count);
        cr_assert_eq(root.size, size_of(&entries));
        cr_assert_eq(root.levels == 1, chunks.list.count == 1);
        expect_list(&chunks, &root, &entries);
        entries_deinit(&entries);
        chunks_deinit(&chunks);
    }
}

/* Every number of entries, so that lists end right at a cut too: no root is a node of one item. */
Test(tree, every_prefix_of_a_list_is_a_list)
{
    struct entries entries;
    entries_server(&entries, 450);
    size_t count = entries.list.count;
    for (size_t size = 60; size <= count; size++) {
        struct chunks chunks = {0};
        entries.list.count = size;
        struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
        size_t leaves = 0;
        qn_vec_each (&chunks.list, chunk)
            leaves += chunk->kind == QN_BLOB_LEAF;
        cr_assert_eq(root.levels, leaves > 1 ? 2 : 1);
        cr_assert_eq(chunks.list.count, leaves > 1 ? leaves + 1 : 1);
        expect_list(&chunks, &root, &entries);
        chunks_deinit(&chunks);
    }
    entries_deinit(&entries);
}

Test(tree, chunks_have_the_sizes_that_are_wished)
{
    struct chunks chunks = {0};
    struct entries entries;
    size_t leaves = 0, sum = 0;
    entries_server(&entries, 12000);
    struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
    cr_assert_eq(root.levels, 2);
    qn_vec_each (&chunks.list, chunk) {
        cr_assert_leq(chunk->size, QN_TREE_CHUNK_MAX);
        leaves += chunk->kind == QN_BLOB_LEAF;
        sum += chunk->kind == QN_BLOB_LEAF ? chunk->size : 0;
    }
    cr_assert(sum / leaves > 7000 && sum / leaves < 10000, "mean %zu", sum / leaves);
    entries_deinit(&entries);
    chunks_deinit(&chunks);
}

/* The root over three levels, made by another implementation of docs/formats/vault.md. */
Test(tree, root)
{
    struct chunks chunks = {0};
    struct entries entries;
    QN_AUTO_BUF struct qn_buf wanted;
    entries_server(&entries, 30000);
    struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
    cr_assert_eq(root.levels, 3);
    cr_assert_eq(root.size, 914985000);
    assert_span_eq(
        QN_SPAN_OF(root.id),
        from_hex(&wanted, "49a00077b2e02d38c95de4a3396d27ffcbfaf4a0cb727c4df652e149c4f8c526"));
    entries_deinit(&entries);
    chunks_deinit(&chunks);
}

Test(tree, an_entry_larger_than_a_leaf_is_alone_in_one)
{
    struct chunks chunks = {0};
    struct entries entries;
    uint8_t value[40000] = {0};
    uint8_t head[] = {0x91, 0x92, 0xc4, 1, 'a', 0xc5, sizeof(value) >> 8, sizeof(value) & 0xff};
    QN_AUTO_BUF struct qn_buf xattrs;
    qn_buf_init(&xattrs, QN_XATTR_SIZE_MAX);
    qn_buf_append(&xattrs, head, sizeof(head));
    qn_buf_append(&xattrs, value, sizeof(value));
    entries_server(&entries, 20);
    entries.list.items[10].xattrs = qn_buf_view(&xattrs);
    struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
    cr_assert_eq(chunks.list.count, 4);
    cr_assert_gt(chunks.list.items[1].size, sizeof(value));
    cr_assert_lt(chunks.list.items[1].size, sizeof(value) + 300);
    expect_list(&chunks, &root, &entries);
    entries_deinit(&entries);
    chunks_deinit(&chunks);
}

/* The longest paths, which share nothing: nodes grow above what is wished, levels stay few. */
Test(tree, long_paths_do_not_make_it_deep)
{
    enum { COUNT = 1200 };
    struct chunks chunks = {0};
    struct entries entries = {.prng = {1}};
    uint8_t(*paths)[QN_PATH_SIZE_MAX] = qn_alloc(COUNT * QN_PATH_SIZE_MAX);
    for (size_t i = 0; i < COUNT; i++) {
        memset(paths[i], 'x', QN_PATH_SIZE_MAX);
        paths[i][0] = (uint8_t)('0' + i / 64);
        paths[i][1] = (uint8_t)('0' + i % 64);
        struct qn_entry entry = {.path = QN_SPAN_OF(paths[i]), .type = QN_ENTRY_DIR};
        qn_vec_push(&entries.list, entry);
    }
    struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
    cr_assert_leq(root.levels, 4);
    qn_vec_each (&chunks.list, chunk)
        cr_assert_leq(chunk->size, QN_TREE_CHUNK_SIZE_MAX);
    expect_list(&chunks, &root, &entries);
    entries_deinit(&entries);
    chunks_deinit(&chunks);
    qn_free(paths);
}

Test(tree, refuses_what_is_not_in_order)
{
    struct chunks chunks = {0};
    struct entries entries;
    struct qn_tree_root root;
    entries_server(&entries, 3);
    const struct qn_entry *list = entries.list.items;
    struct qn_entry bad = list[2];
    bad.mode = 010000;
    struct qn_tree_builder *builder = qn_tree_builder_new(chunks_put, &chunks);
    cr_assert_eq(qn_tree_builder_add(builder, &list[1]), QN_OK);
    cr_assert_eq(qn_tree_builder_add(builder, &list[1]), QN_ERR_STATE);
    cr_assert_eq(qn_tree_builder_add(builder, &list[0]), QN_ERR_STATE);
    cr_assert_eq(qn_tree_builder_add(builder, &bad), QN_ERR_INVALID);
    cr_assert_eq(qn_tree_builder_add(builder, &list[2]), QN_OK);
    cr_assert_eq(qn_tree_builder_finish(builder, &root), QN_OK);
    cr_assert_eq(qn_tree_builder_add(builder, &list[2]), QN_ERR_STATE);
    cr_assert_eq(qn_tree_builder_finish(builder, &root), QN_ERR_STATE);
    qn_tree_builder_free(builder);
    memmove(&entries.list.items[0], &entries.list.items[1], 2 * sizeof(*entries.list.items));
    entries.list.count = 2;
    expect_list(&chunks, &root, &entries);
    entries_deinit(&entries);
    chunks_deinit(&chunks);
}

static enum qn_err build_with_failing_put(const struct entries *entries, size_t puts)
{
    struct chunks chunks = {.puts_left = puts};
    struct qn_tree_builder *builder = qn_tree_builder_new(chunks_put, &chunks);
    struct qn_tree_root root;
    enum qn_err err = QN_OK;
    for (size_t i = 0; i < entries->list.count && err == QN_OK; i++)
        err = qn_tree_builder_add(builder, &entries->list.items[i]);
    if (err != QN_OK)
        cr_assert_eq(qn_tree_builder_add(builder, &entries->list.items[0]), err);
    else
        err = qn_tree_builder_finish(builder, &root);
    if (err != QN_OK)
        cr_assert_eq(qn_tree_builder_finish(builder, &root), err);
    qn_tree_builder_free(builder);
    chunks_deinit(&chunks);
    return err;
}

Test(tree, a_failing_put_is_final)
{
    struct entries entries;
    size_t puts = 1;
    entries_server(&entries, 1000);
    while (build_with_failing_put(&entries, puts) == QN_ERR_NOSPACE)
        puts++;
    cr_assert_gt(puts, 8);
    cr_assert_eq(build_with_failing_put(&entries, puts), QN_OK);
    entries_deinit(&entries);
}

/* ---- sharing ---- */

struct changes {
    size_t leaves, nodes;
};

/* What the list without one entry has that the whole list has not; or, which is the same number but
 * for the chunk that it falls into, what the insertion of that entry leaves behind. */
static struct changes changes_without(struct chunks *chunks, const struct entries *entries,
                                      size_t skipped)
{
    size_t count = chunks->list.count;
    struct changes changes = {0};
    build(chunks, entries, skipped);
    for (size_t i = count; i < chunks->list.count; i++) {
        *(chunks->list.items[i].kind == QN_BLOB_LEAF ? &changes.leaves : &changes.nodes) += 1;
        qn_free(chunks->list.items[i].bytes);
    }
    chunks->list.count = count;
    return changes;
}

static void expect_sharing(const struct entries *entries)
{
    enum { TRIES = 40 };
    struct chunks chunks = {0};
    struct qn_prng prng = {11};
    struct qn_tree_root root = build(&chunks, entries, NO_INDEX);
    size_t few = 0, leaves = 0;
    for (size_t i = 0; i < TRIES; i++) {
        size_t skipped = qn_prng_below(&prng, entries->list.count);
        struct changes changes = changes_without(&chunks, entries, skipped);
        cr_assert_geq(changes.leaves, 1);
        few += changes.leaves <= 2 && changes.nodes <= root.levels;
        leaves += changes.leaves;
    }
    cr_assert_geq(few, TRIES * 9 / 10, "%zu of %d", few, TRIES);
    cr_assert_leq(leaves, TRIES * 13 / 10, "%zu leaves in %d", leaves, TRIES);
    chunks_deinit(&chunks);
}

Test(tree, one_entry_more_or_less_changes_one_leaf_and_seldom_two)
{
    struct entries entries;
    entries_server(&entries, 2500);
    expect_sharing(&entries);
    entries_deinit(&entries);
    entries_random(&entries, 4, 1500);
    expect_sharing(&entries);
    entries_deinit(&entries);
}

Test(tree, a_changed_file_changes_one_chunk_a_level)
{
    struct chunks chunks = {0};
    struct entries entries;
    struct qn_prng prng = {3};
    entries_server(&entries, 2500);
    struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
    for (size_t i = 0; i < 30; i++) {
        size_t changed = qn_prng_below(&prng, entries.list.count);
        entries.list.items[changed].mtime_ns ^= 1;
        struct changes changes = changes_without(&chunks, &entries, NO_INDEX);
        cr_assert_eq(changes.leaves, 1);
        cr_assert_eq(changes.nodes, root.levels - 1);
        entries.list.items[changed].mtime_ns ^= 1;
    }
    entries_deinit(&entries);
    chunks_deinit(&chunks);
}

/* ---- seeking ---- */

/* A path near one of the list: it, shortened, lengthened, with another byte. */
static struct qn_span any_target(struct qn_prng *prng, const struct entries *entries,
                                 struct qn_buf *out)
{
    struct qn_span path = entries->list.items[qn_prng_below(prng, entries->list.count)].path;
    qn_buf_reset(out);
    qn_buf_append_span(out, path);
    uint64_t kind = qn_prng_below(prng, 5);
    if (kind == 1)
        qn_buf_truncate(out, qn_prng_below(prng, path.size + 1));
    else if (kind == 2)
        qn_buf_append_str(out, "/x");
    else if (kind == 3)
        out->data[qn_prng_below(prng, path.size)] = (uint8_t)(1 + qn_prng_below(prng, 255));
    else if (kind == 4)
        qn_buf_append_str(out, "\001");
    return qn_buf_view(out);
}

static size_t search(const struct entries *entries, struct qn_span path)
{
    size_t at = 0;
    while (at < entries->list.count && qn_path_cmp(entries->list.items[at].path, path) < 0)
        at++;
    return at;
}

static void expect_next(struct qn_tree_iter *iter, const struct entries *entries, size_t at)
{
    struct qn_entry entry;
    enum qn_err err = qn_tree_iter_next(iter, &entry);
    cr_assert_eq(err, at < entries->list.count ? QN_OK : QN_ERR_NOTFOUND);
    if (err == QN_OK)
        cr_assert(entries_are_equal(&entry, &entries->list.items[at]));
}

Test(tree, a_seek_is_a_search_in_one_descent)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct chunks chunks = {0};
        struct entries entries;
        struct qn_prng prng = {seed};
        QN_AUTO_BUF struct qn_buf target;
        qn_buf_init(&target, 2 * QN_PATH_SIZE_MAX);
        entries_random(&entries, seed, 1500);
        struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
        struct qn_tree_iter *iter = qn_tree_iter_new(&root, chunks_get, &chunks);
        for (size_t i = 0; i < 300; i++) {
            size_t gets = chunks.gets;
            size_t at = search(&entries, any_target(&prng, &entries, &target));
            cr_assert_eq(qn_tree_iter_seek(iter, qn_buf_view(&target)), QN_OK);
            cr_assert_leq(chunks.gets - gets, root.levels);
            for (size_t j = 0; j < 3; j++)
                expect_next(iter, &entries, at + j < entries.list.count ? at + j : SIZE_MAX);
        }
        qn_tree_iter_free(iter);
        entries_deinit(&entries);
        chunks_deinit(&chunks);
    }
}

Test(tree, a_walk_goes_on_after_a_seek_to_its_end)
{
    struct chunks chunks = {0};
    struct entries entries;
    entries_server(&entries, 1500);
    struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
    struct qn_tree_iter *iter = qn_tree_iter_new(&root, chunks_get, &chunks);
    static const size_t places[] = {700, 0, 1499, 3};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        cr_assert_eq(qn_tree_iter_seek(iter, entries.list.items[places[i]].path), QN_OK);
        expect_rest(iter, &entries, places[i]);
    }
    cr_assert_eq(qn_tree_iter_seek(iter, SPAN("")), QN_OK);
    expect_rest(iter, &entries, 0);
    cr_assert_eq(qn_tree_iter_seek(iter, SPAN("zzz")), QN_OK);
    expect_rest(iter, &entries, 1500);
    qn_tree_iter_free(iter);
    entries_deinit(&entries);
    chunks_deinit(&chunks);
}

Test(tree, the_target_of_a_seek_may_be_a_path_of_the_walk)
{
    struct chunks chunks = {0};
    struct entries entries;
    struct qn_entry entry;
    entries_server(&entries, 1500);
    struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
    struct qn_tree_iter *iter = qn_tree_iter_new(&root, chunks_get, &chunks);
    for (size_t i = 0; i < 500; i++)
        cr_assert_eq(qn_tree_iter_next(iter, &entry), QN_OK);
    cr_assert_eq(qn_tree_iter_seek(iter, entry.path), QN_OK);
    expect_rest(iter, &entries, 499);
    qn_tree_iter_free(iter);
    entries_deinit(&entries);
    chunks_deinit(&chunks);
}

Test(tree, a_target_longer_than_any_path_is_compared_all_the_same)
{
    static uint8_t longest[QN_PATH_SIZE_MAX], target[2 * QN_PATH_SIZE_MAX];
    struct chunks chunks = {0};
    struct entries entries = {0};
    memset(longest, 'm', sizeof(longest));
    memset(target, 'm', sizeof(target));
    struct qn_entry entry = {.path = QN_SPAN_OF(longest), .type = QN_ENTRY_DIR};
    qn_vec_push(&entries.list, entry);
    entry.path = SPAN("n");
    qn_vec_push(&entries.list, entry);
    struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
    struct qn_tree_iter *iter = qn_tree_iter_new(&root, chunks_get, &chunks);
    cr_assert_eq(qn_tree_iter_seek(iter, QN_SPAN_OF(target)), QN_OK);
    expect_rest(iter, &entries, 1);
    qn_tree_iter_free(iter);
    entries_deinit(&entries);
    chunks_deinit(&chunks);
}

/* ---- visiting ---- */

struct visited {
    struct chunks *chunks;
    QN_VEC(struct qn_chunk_id) ids;
    bool prunes_nodes;
};

static enum qn_err visited_get(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                               struct qn_buf *out)
{
    struct visited *visited = context;
    return chunks_get(visited->chunks, kind, id, out);
}

static bool note_visit(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id)
{
    struct visited *visited = context;
    qn_vec_push(&visited->ids, *id);
    return !(visited->prunes_nodes && kind == QN_BLOB_NODE && visited->ids.count > 1);
}

static bool was_visited(const struct visited *visited, const struct qn_chunk_id *id)
{
    qn_vec_each (&visited->ids, it) {
        if (qn_chunk_id_cmp(it, id) == 0)
            return true;
    }
    return false;
}

Test(tree, a_visit_meets_every_chunk_once_and_reads_nodes_only)
{
    struct chunks chunks = {0};
    struct entries entries;
    entries_random(&entries, 3, 5000);
    struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
    cr_assert_eq(root.levels, 3);
    struct visited visited = {.chunks = &chunks};
    cr_assert_eq(qn_tree_visit(&root, visited_get, &visited, note_visit), QN_OK);
    cr_assert_eq(visited.ids.count, chunks.list.count);
    size_t nodes = 0;
    qn_vec_each (&chunks.list, chunk) {
        cr_assert(was_visited(&visited, &chunk->id));
        nodes += chunk->kind == QN_BLOB_NODE;
    }
    cr_assert_eq(chunks.gets, nodes);
    cr_assert_eq(qn_chunk_id_cmp(&visited.ids.items[0], &root.id), 0);
    qn_vec_free(&visited.ids);
    entries_deinit(&entries);
    chunks_deinit(&chunks);
}

Test(tree, a_visit_leaves_out_what_is_below_a_no)
{
    struct chunks chunks = {0};
    struct entries entries;
    entries_random(&entries, 3, 5000);
    struct qn_tree_root root = build(&chunks, &entries, NO_INDEX);
    struct visited visited = {.chunks = &chunks, .prunes_nodes = true};
    cr_assert_eq(qn_tree_visit(&root, visited_get, &visited, note_visit), QN_OK);
    size_t nodes = 0;
    qn_vec_each (&chunks.list, chunk) {
        nodes += chunk->kind == QN_BLOB_NODE;
        cr_assert_eq(was_visited(&visited, &chunk->id), chunk->kind == QN_BLOB_NODE);
    }
    cr_assert_eq(visited.ids.count, nodes);
    cr_assert_eq(chunks.gets, 1);
    qn_vec_free(&visited.ids);
    entries_deinit(&entries);
    chunks_deinit(&chunks);
}

/* ---- what comes back is not what was put ---- */

/* Walks to the end; how many entries came, and how many errors. */
static size_t walk(struct chunks *chunks, const struct qn_tree_root *root, size_t *ret_errors)
{
    struct qn_tree_iter *iter = qn_tree_iter_new(root, chunks_get, chunks);
    struct qn_entry entry;
    size_t count = 0, errors = 0;
    enum qn_err err;
    while ((err = qn_tree_iter_next(iter, &entry)) != QN_ERR_NOTFOUND) {
        count += err == QN_OK;
        errors += err != QN_OK;
        cr_assert(err == QN_OK || err == QN_ERR_CORRUPT);
        cr_assert_leq(errors, chunks->list.count);
    }
    qn_tree_iter_free(iter);
    *ret_errors = errors;
    return count;
}

struct hostile {
    struct chunks chunks;
    struct entries entries;
    struct qn_tree_root root;
};

static struct hostile hostile_new(size_t count)
{
    struct hostile hostile = {0};
    entries_server(&hostile.entries, count);
    hostile.root = build(&hostile.chunks, &hostile.entries, NO_INDEX);
    return hostile;
}

static void hostile_deinit(struct hostile *hostile)
{
    entries_deinit(&hostile->entries);
    chunks_deinit(&hostile->chunks);
}

Test(hostile_tree, leaves_in_the_place_of_others_are_refused)
{
    struct hostile hostile = hostile_new(1500);
    struct chunk *leaves = hostile.chunks.list.items, first = leaves[3];
    leaves[3].bytes = leaves[4].bytes, leaves[3].size = leaves[4].size;
    leaves[4].bytes = first.bytes, leaves[4].size = first.size;
    size_t errors, count = walk(&hostile.chunks, &hostile.root, &errors);
    cr_assert_eq(errors, 2);
    cr_assert_lt(count, 1500);
    cr_assert_gt(count, 1000);
    hostile_deinit(&hostile);
}

Test(hostile_tree, a_cut_leaf_is_noticed)
{
    struct hostile hostile = hostile_new(1500);
    struct chunk *leaf = &hostile.chunks.list.items[2];
    QN_AUTO_BUF struct qn_buf path;
    struct qn_entry entry;
    size_t errors, offset = 0;
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(qn_entry_read(qn_span(leaf->bytes, leaf->size), &offset, &path, &entry),
                     QN_OK);
    leaf->size = offset;
    walk(&hostile.chunks, &hostile.root, &errors);
    cr_assert_eq(errors, 1);
    hostile_deinit(&hostile);
}

Test(hostile_tree, sums_and_levels_of_the_root_must_be_right)
{
    struct hostile hostile = hostile_new(1500);
    struct visited visited = {.chunks = &hostile.chunks};
    for (int i = 0; i < 5; i++) {
        struct qn_tree_root root = hostile.root;
        size_t errors;
        root.entry_count += i == 0;
        root.size -= i == 1;
        root.levels = i == 2 ? QN_TREE_LEVELS_MAX + 1 : i == 3 ? UINT32_MAX : root.levels;
        if (i == 4)
            root.id = hostile.chunks.list.items[0].id, root.levels = 1; /* a leaf, wrong sums */
        size_t count = walk(&hostile.chunks, &root, &errors);
        cr_assert_eq(errors, 1, "%d: %zu errors", i, errors);
        cr_assert(i == 4 || count == 0);
        if (i < 4)
            cr_assert_eq(qn_tree_visit(&root, visited_get, &visited, note_visit), QN_ERR_CORRUPT);
    }
    qn_vec_free(&visited.ids);
    hostile_deinit(&hostile);
}

Test(hostile_tree, what_is_missing_is_told_once_and_the_rest_comes)
{
    struct hostile hostile = hostile_new(1500);
    hostile.chunks.list.items[4].id.bytes[0] ^= 1;
    size_t errors, count = walk(&hostile.chunks, &hostile.root, &errors);
    cr_assert_eq(errors, 1);
    cr_assert_gt(count, 1300);
    cr_assert_lt(count, 1500);
    hostile_deinit(&hostile);
}

/* A root of `levels` levels whose node names itself: each level must go down by one. */
Test(hostile_tree, a_node_of_another_level_is_refused)
{
    struct hostile hostile = hostile_new(1500);
    hostile.root.levels = 3;
    size_t errors, count = walk(&hostile.chunks, &hostile.root, &errors);
    cr_assert_eq(errors, 1);
    cr_assert_eq(count, 0);
    hostile_deinit(&hostile);
}

static struct qn_chunk_id put_leaf(struct chunks *chunks, const char *path)
{
    QN_AUTO_BUF struct qn_buf leaf;
    struct qn_entry entry = {.path = qn_span_str(path), .type = QN_ENTRY_DIR};
    struct qn_chunk_id id;
    qn_buf_init(&leaf, 1000);
    qn_entry_pack(&entry, qn_span(NULL, 0), &leaf);
    cr_assert_eq(chunks_put(chunks, QN_BLOB_LEAF, qn_buf_view(&leaf), &id), QN_OK);
    return id;
}

static struct qn_chunk_id put_node(struct chunks *chunks, unsigned level,
                                   const struct qn_node_item *first,
                                   const struct qn_node_item *second)
{
    QN_AUTO_BUF struct qn_buf node;
    struct qn_chunk_id id;
    qn_buf_init(&node, 1000);
    qn_node_start(level, &node);
    qn_node_item_pack(first, qn_span(NULL, 0), &node);
    qn_node_item_pack(second, first->path, &node);
    cr_assert_eq(chunks_put(chunks, QN_BLOB_NODE, qn_buf_view(&node), &id), QN_OK);
    return id;
}

/* Two nodes whose ranges overlap share what they overlap in. If that were allowed, shared nodes on
 * several levels would make of a few chunks a walk of as many as their product. */
Test(hostile_tree, nothing_is_met_twice)
{
    struct chunks chunks = {0};
    struct qn_node_item a = {SPAN("a"), put_leaf(&chunks, "a"), 1, 0};
    struct qn_node_item b = {SPAN("b"), put_leaf(&chunks, "b"), 1, 0};
    struct qn_node_item m = {SPAN("m"), put_leaf(&chunks, "m"), 1, 0};
    struct qn_node_item a_and_m = {SPAN("a"), put_node(&chunks, 1, &a, &m), 2, 0};
    struct qn_node_item b_and_m = {SPAN("b"), put_node(&chunks, 1, &b, &m), 2, 0};
    struct qn_tree_root root = {put_node(&chunks, 2, &a_and_m, &b_and_m), 3, 4, 0};
    struct visited visited = {.chunks = &chunks};
    size_t errors;
    cr_assert_eq(walk(&chunks, &root, &errors), 2);
    cr_assert_eq(errors, 1);
    cr_assert_eq(qn_tree_visit(&root, visited_get, &visited, note_visit), QN_ERR_CORRUPT);
    qn_vec_free(&visited.ids);
    chunks_deinit(&chunks);
}

Test(hostile_tree, any_changed_byte_is_safe)
{
    struct hostile hostile = hostile_new(600);
    struct qn_prng prng = {9};
    size_t noticed = 0, errors;
    for (int i = 0; i < 400; i++) {
        struct chunk *chunk =
            &hostile.chunks.list.items[qn_prng_below(&prng, hostile.chunks.list.count)];
        uint8_t *byte = &chunk->bytes[qn_prng_below(&prng, chunk->size)], before = *byte;
        *byte ^= (uint8_t)(1 + qn_prng_below(&prng, 255));
        size_t count = walk(&hostile.chunks, &hostile.root, &errors);
        cr_assert_leq(count, 600);
        cr_assert(errors > 0 || count == 600); /* nothing is lost in silence */
        noticed += errors > 0;
        *byte = before;
    }
    cr_assert_gt(noticed, 100);
    hostile_deinit(&hostile);
}
