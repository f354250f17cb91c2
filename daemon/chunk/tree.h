/* The file list of a snapshot: one sorted sequence of entries, cut by content into leaves of at
 * most 16 KiB, under nodes of the same size that list (first path, id, counts) of what is below: a
 * Merkle tree whose unchanged leaves are the same chunks in the next snapshot (a prolly tree). One
 * path is found by reading one chunk per level.
 *
 * Pure: chunks go out and come in through callbacks.
 */
#pragma once

#include "chunk/entry.h"
#include "chunk/pack.h"

#define QN_TREE_CHUNK_MAX  (16 * 1024) /* wished; a single larger entry is a leaf alone */
#define QN_TREE_LEVELS_MAX 8

/* Stores one chunk of the list and says its id: equal bytes, equal ids. */
typedef enum qn_err (*qn_tree_put)(void *context, enum qn_blob_kind kind, struct qn_span plain,
                                   struct qn_chunk_id *ret_id);
/* Appends the plain bytes of a chunk to `out` (reset by the caller); QN_ERR_NOTFOUND if there is no
 * such chunk. They need not be what was put: any bytes are safe. */
typedef enum qn_err (*qn_tree_get)(void *context, enum qn_blob_kind kind,
                                   const struct qn_chunk_id *id, struct qn_buf *out);

struct qn_tree_root {
    struct qn_chunk_id id; /* zero for an empty list */
    unsigned levels;       /* 1: the root is a leaf; 0: an empty list */
    uint64_t entry_count;  /* and what the entries sum up to */
    uint64_t size;         /* bytes of files; stops at UINT64_MAX */
};

struct qn_tree_builder;
/* `context` is passed to put. */
struct qn_tree_builder *qn_tree_builder_new(qn_tree_put put, void *context);
void qn_tree_builder_free(struct qn_tree_builder *builder); /* accepts NULL */
/* Entries in ascending order, else QN_ERR_STATE; QN_ERR_INVALID or QN_ERR_LIMIT as qn_entry_check
 * says: then it is as if that one had not come. An error of put is final. */
enum qn_err QN_CHECKED qn_tree_builder_add(struct qn_tree_builder *builder,
                                           const struct qn_entry *entry);
/* Puts what is open. Afterwards the builder is of no more use (QN_ERR_STATE). */
enum qn_err QN_CHECKED qn_tree_builder_finish(struct qn_tree_builder *builder,
                                              struct qn_tree_root *ret_root);

/* Walks a list in order. Memory: one chunk per level. */
struct qn_tree_iter;
struct qn_tree_iter *qn_tree_iter_new(const struct qn_tree_root *root, qn_tree_get get,
                                      void *context);
void qn_tree_iter_free(struct qn_tree_iter *iter); /* accepts NULL */
/* The next entry, borrowed until the next call; QN_ERR_NOTFOUND at the end. Any other error (of
 * get, or QN_ERR_CORRUPT) is of one chunk and is told once: a further call goes on behind that
 * chunk. */
enum qn_err QN_CHECKED qn_tree_iter_next(struct qn_tree_iter *iter, struct qn_entry *ret_entry);
/* Continues with the first entry whose path is not before `path` in the order, in one descent; also
 * backwards. Errors as above. */
enum qn_err QN_CHECKED qn_tree_iter_seek(struct qn_tree_iter *iter, struct qn_span path);
/* Calls `fn` for each chunk of the list itself (nodes before what is below them), without those
 * under a node for which `fn` answers false: for collecting what is alive. Leaves are named, not
 * read. `context` is passed to get and to fn. Ends at the first error. */
enum qn_err QN_CHECKED qn_tree_visit(const struct qn_tree_root *root, qn_tree_get get,
                                     void *context,
                                     bool (*fn)(void *context, enum qn_blob_kind kind,
                                                const struct qn_chunk_id *id));
