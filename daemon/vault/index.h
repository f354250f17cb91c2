/* Where every chunk is: an LMDB environment of its own, off the heap. It is made again from the
 * packs when it is lost, so it is never the authority; what it says is checked when it is used.
 *
 *   chunk   first 16 bytes of the id -> pack u32 | offset u32 | stored u32 | form u32
 *           form: squeezed (bit 31), kind (30..28), raw size (27..0)
 *   pack    number u32 -> name (32) | size u32 | kind u8 | state u8 | dead run u64
 *   name    pack name -> number u32
 *   meta    schema, last (pack number), run (of the last completed prune)
 * Integers are big-endian. An id is a keyed MAC: 16 bytes of it do not collide by chance, and
 * nobody without the key can make them collide.
 *
 * A view reads: one thread at a time each, any number beside one another and beside the writer. A
 * batch writes: one at a time (LMDB's own mutex). Nothing is durable before qn_index_commit; after
 * a power cut the last commits may be missing, never a part of one.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "chunk/pack.h"

enum qn_pack_state { /* stored: never renumber */
                     QN_PACK_PRESENT = 1,
                     QN_PACK_MISSING = 2, /* not in the pool: read from a source, if there is one */
                     /* Never was in this pool: it came with the list of a holder that keeps it.
                      * Read from there, and as good as a present one for what a backup finds
                      * stored already, until no holder has it. */
                     QN_PACK_ELSEWHERE = 3,
};

struct qn_index_pack {
    uint32_t number; /* from 1 */
    struct qn_pack_name name;
    uint32_t size;
    enum qn_pack_kind kind;
    enum qn_pack_state state;
    uint64_t dead_run; /* the prune run that found nothing alive in it; 0: alive */
};

struct qn_index_row {
    uint32_t pack;
    struct qn_blob blob; /* of a scan: only the first 16 bytes of its id are set */
};
#define QN_INDEX_KEY_SIZE 16

struct qn_index;
/* Makes it if it is missing. QN_ERR_CORRUPT, QN_ERR_INVALID: unusable, move it away and make it
 * again; QN_ERR_UNSUPPORTED: of a newer version. *ret_is_new: it knows nothing yet. */
enum qn_err QN_CHECKED qn_index_open(const char *dir, uint64_t map_size,
                                     struct qn_index **ret_index, bool *ret_is_new);
void qn_index_close(struct qn_index *index); /* accepts NULL; all views are gone before */
enum qn_err QN_CHECKED qn_index_sync(struct qn_index *index);
struct qn_index_counts {
    uint64_t packs, pack_bytes, chunks;
};
/* pack_bytes: of present packs. By a scan of the packs. */
enum qn_err QN_CHECKED qn_index_count(struct qn_index *index, struct qn_index_counts *ret_counts);

/* ---- reading ---- */

struct qn_index_view;
struct qn_index_view *qn_index_view_new(struct qn_index *index);
void qn_index_view_free(struct qn_index_view *view); /* accepts NULL */
/* Lets go of the state that was read; the next call sees what is committed then. A view that is not
 * rested keeps seeing one state and keeps old pages from being reused. */
void qn_index_view_rest(struct qn_index_view *view);
/* QN_ERR_NOTFOUND; QN_ERR_CORRUPT: a row that cannot be. */
enum qn_err QN_CHECKED qn_index_get(struct qn_index_view *view, const struct qn_chunk_id *id,
                                    struct qn_index_row *ret_row);
enum qn_err QN_CHECKED qn_index_get_pack(struct qn_index_view *view, uint32_t number,
                                         struct qn_index_pack *ret_pack);
enum qn_err QN_CHECKED qn_index_find_pack(struct qn_index_view *view,
                                          const struct qn_pack_name *name,
                                          struct qn_index_pack *ret_pack);
/* Packs by number after `after`; QN_ERR_NOTFOUND at the end. */
enum qn_err QN_CHECKED qn_index_next_pack(struct qn_index_view *view, uint32_t after,
                                          struct qn_index_pack *ret_pack);
/* Calls `fn` for every row whose id begins with a byte in [first, last]. Damaged rows are passed
 * over. `fn` ends the scan with any error. */
typedef enum qn_err (*qn_index_row_fn)(void *context, const struct qn_index_row *row);
enum qn_err QN_CHECKED qn_index_scan(struct qn_index_view *view, uint8_t first, uint8_t last,
                                     qn_index_row_fn fn, void *context);
/* Pack names in ascending order, beginning after `after` (NULL: with the first). */
enum qn_err QN_CHECKED qn_index_next_name(struct qn_index_view *view,
                                          const struct qn_pack_name *after,
                                          struct qn_pack_name *ret_name, uint32_t *ret_number);
/* The last completed prune run, 0: none. The largest pack number so far. */
enum qn_err QN_CHECKED qn_index_marks(struct qn_index_view *view, uint64_t *ret_run,
                                      uint32_t *ret_number_max);

/* ---- writing ---- */

struct qn_index_addition {
    struct qn_index_pack pack; /* its number is set */
    const struct qn_blob *blobs;
    size_t count;
};
/* Packs and their rows. A row that exists is replaced if `replaces`, or if its pack is missing,
 * dead or unknown. A name that is known keeps its number and becomes alive, and what the addition
 * says of its state. In several transactions, each for a range of ids, so that memory is bounded
 * and every page is written once; the packs come last: until then their rows count for nothing. */
enum qn_err QN_CHECKED qn_index_add(struct qn_index *index, struct qn_index_addition *additions,
                                    size_t count, bool replaces);
/* Rows that are worth one call; more cost memory, fewer cost writing. */
#define QN_INDEX_ADD_ROWS ((size_t)64 * 1024)

struct qn_index_batch;
/* Waits for another batch to end. The thread that begins it ends it. */
enum qn_err QN_CHECKED qn_index_begin(struct qn_index *index, struct qn_index_batch **ret_batch);
enum qn_err QN_CHECKED qn_index_commit(struct qn_index_batch *batch); /* frees it in any case */
void qn_index_abort(struct qn_index_batch *batch);                    /* accepts NULL */
/* Writes state and dead_run of a pack that is known. */
enum qn_err QN_CHECKED qn_index_set_pack(struct qn_index_batch *batch,
                                         const struct qn_index_pack *pack);
/* Forgets a pack; its rows go by qn_index_drop_rows, before. */
enum qn_err QN_CHECKED qn_index_drop_pack(struct qn_index_batch *batch, uint32_t number);
/* Deletes the rows beginning with a byte in [first, last] whose pack `is_dropped`. */
enum qn_err QN_CHECKED qn_index_drop_rows(struct qn_index_batch *batch, uint8_t first, uint8_t last,
                                          bool (*is_dropped)(void *context, uint32_t pack),
                                          void *context);
enum qn_err QN_CHECKED qn_index_set_run(struct qn_index_batch *batch, uint64_t run);
