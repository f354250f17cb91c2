/* How fast a rescan reads and writes file lists, without disk or encryption; prints one line of
 * JSON.
 *
 *   bench_entries COUNT     entries, like a file server's
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "chunk/tree.h"
#include "support/entries.h"

#define ROUNDS 20

/* Chunks one behind the other, in memory that is used again in each round: what is measured is the
 * list. An id is a place. */
struct arena {
    struct qn_buf bytes;
};

static enum qn_err put(void *context, enum qn_blob_kind kind, struct qn_span plain,
                       struct qn_chunk_id *ret_id)
{
    struct arena *arena = context;
    *ret_id = (struct qn_chunk_id){{0}};
    qn_write_u32(ret_id->bytes, (uint32_t)arena->bytes.size);
    qn_write_u32(ret_id->bytes + 4, (uint32_t)plain.size);
    qn_buf_append_span(&arena->bytes, plain);
    return QN_OK;
}

static enum qn_err get(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                       struct qn_buf *out)
{
    struct arena *arena = context;
    qn_buf_append(out, arena->bytes.data + qn_read_u32(id->bytes), qn_read_u32(id->bytes + 4));
    return QN_OK;
}

static double now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static struct qn_tree_root build(struct arena *arena, const struct entries *entries)
{
    struct qn_tree_builder *builder = qn_tree_builder_new(put, arena);
    struct qn_tree_root root;
    for (size_t i = 0; i < entries->list.count; i++)
        QN_ASSERT(qn_tree_builder_add(builder, &entries->list.items[i]) == QN_OK);
    QN_ASSERT(qn_tree_builder_finish(builder, &root) == QN_OK);
    qn_tree_builder_free(builder);
    return root;
}

static size_t walk(struct arena *arena, const struct qn_tree_root *root)
{
    struct qn_tree_iter *iter = qn_tree_iter_new(root, get, arena);
    struct qn_entry entry;
    size_t count = 0;
    while (qn_tree_iter_next(iter, &entry) == QN_OK)
        count++;
    qn_tree_iter_free(iter);
    return count;
}

static void seek(struct arena *arena, const struct qn_tree_root *root,
                 const struct entries *entries, size_t count)
{
    struct qn_tree_iter *iter = qn_tree_iter_new(root, get, arena);
    struct qn_prng prng = {1};
    for (size_t i = 0; i < count; i++) {
        size_t at = qn_prng_below(&prng, entries->list.count);
        QN_ASSERT(qn_tree_iter_seek(iter, entries->list.items[at].path) == QN_OK);
    }
    qn_tree_iter_free(iter);
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

int main(int argc, char **argv)
{
    size_t count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    struct entries entries;
    double build_ns = 1e18, walk_ns = 1e18, seek_ns = 1e18;
    struct arena arena;
    if (count == 0 || count > 10000000) {
        fprintf(stderr, "bench_entries COUNT\n");
        return 2;
    }
    entries_server(&entries, count);
    qn_buf_init(&arena.bytes, UINT32_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        qn_buf_reset(&arena.bytes);
        double start = now_ns();
        struct qn_tree_root root = build(&arena, &entries);
        double built = now_ns();
        QN_ASSERT(walk(&arena, &root) == count);
        double walked = now_ns();
        seek(&arena, &root, &entries, 1000);
        build_ns = smaller(build_ns, built - start);
        walk_ns = smaller(walk_ns, walked - built);
        seek_ns = smaller(seek_ns, now_ns() - walked);
    }
    printf("{\"bench\": \"entries\", \"count\": %zu, \"build_ns\": %.1f, \"walk_ns\": %.1f, "
           "\"seek_us\": %.1f, \"bytes_per_entry\": %.1f}\n",
           count, build_ns / (double)count, walk_ns / (double)count, seek_ns / 1e6,
           (double)arena.bytes.size / (double)count);
    qn_buf_deinit(&arena.bytes);
    entries_deinit(&entries);
    return 0;
}
