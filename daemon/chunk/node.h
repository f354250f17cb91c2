/* Of the inside of a file list's tree (tree.h): where chunks end, and what nodes hold.
 *
 * A chunk ends behind an entry whose path says so, by a hash, so that the same entries are cut at
 * the same places whatever stands before them. Two thresholds, as in the chunker of files
 * (normalised chunking, Xia et al., USENIX ATC 2016): few paths end a chunk below
 * QN_TREE_CHUNK_AVG, many above it, so that the sizes lie close together. An inserted path changes
 * the one chunk that it falls into, seldom the next one too. Nodes are cut by the first paths of
 * what is below them, not by ids, so that a changed file moves no cut.
 *
 * The hash is a plain mix of 64 bits, without a key and without strength. It needs none: names
 * chosen to fool it give chunks of the least or the largest size, both of which are bounded, and
 * sealed packs show no length of a chunk to whoever could learn from it.
 *
 * Pure; for the tree_*.c of this room, and tests.
 */
#pragma once

#include "chunk/tree.h"

#define QN_TREE_CHUNK_MIN      (2 * 1024)
#define QN_TREE_CHUNK_AVG      (8 * 1024)
#define QN_NODE_ITEMS_MIN      16          /* except the last node of a level: bounds the levels */
#define QN_TREE_CHUNK_SIZE_MAX (96 * 1024) /* of any, as read */

/* ---- where a chunk ends ---- */

/* A chunk that grows. `level` 0: a leaf. */
struct qn_tree_fill {
    unsigned level;
    size_t size, count;
};
/* Whether the chunk ends before an item of `item_size` bytes: it would grow above
 * QN_TREE_CHUNK_MAX. */
bool qn_tree_is_full(const struct qn_tree_fill *fill, size_t item_size);
/* Whether the chunk ends behind the item of `path`, of item_size bytes, which was added last. */
bool qn_tree_is_cut(const struct qn_tree_fill *fill, size_t item_size, struct qn_span path);

/* Gets the chunk of a level into `out`, which is empty. One that is not there is QN_ERR_CORRUPT,
 * not QN_ERR_NOTFOUND: that is the end of a list. */
enum qn_err QN_CHECKED qn_tree_fetch(qn_tree_get get, void *context, unsigned level,
                                     const struct qn_chunk_id *id, struct qn_buf *out);

/* ---- nodes ---- */

/* What is below one item. */
struct qn_node_item {
    struct qn_span path; /* of its first entry */
    struct qn_chunk_id id;
    uint64_t entry_count, size; /* of all that is below */
};

/* Sums stop at UINT64_MAX: a few sparse files can say that they are as large. */
static inline uint64_t qn_tree_sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* A node is a byte, its level (1: above leaves), then items. */
void qn_node_start(unsigned level, struct qn_buf *out);
void qn_node_item_pack(const struct qn_node_item *item, struct qn_span previous,
                       struct qn_buf *out);
/* The item at *offset; its path is put together in `path`, like an entry's. QN_ERR_CORRUPT. */
enum qn_err QN_CHECKED qn_node_item_read(struct qn_span node, size_t *offset, struct qn_buf *path,
                                         struct qn_node_item *ret_item);
/* Whether `node` is one of that level, whose items are in order, begin with the path of `above` and
 * sum up to what it says. A path of size 0 in `above` stands for any (the root). QN_ERR_CORRUPT. */
enum qn_err QN_CHECKED qn_node_check(struct qn_span node, unsigned level,
                                     const struct qn_node_item *above);
