/* A folder of packs (and other files named by SHA-256 of their content), for an owner's vault and
 * for what a holder keeps:
 *
 *   DIR/ab/abcdef…64 hex      whole files, never changed, 0400
 *   DIR/part/abcdef…          files that are arriving; grown by appends at a known offset
 *
 * A file gets its name only after its bytes were synced and hash to it; names are synced before a
 * put answers. Any thread; calls on different names do not disturb one another.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "chunk/pack.h"

struct qn_pool;
/* Makes the folder, 0700, if it is missing (not the ones above it). QN_ERR_BUSY: open elsewhere. */
enum qn_err QN_CHECKED qn_pool_open(const char *dir, struct qn_pool **ret_pool);
/* For reading and sizes only, beside the one that has it open: whole files never change. */
enum qn_err QN_CHECKED qn_pool_open_reader(const char *dir, struct qn_pool **ret_pool);
void qn_pool_close(struct qn_pool *pool);
/* Durable when it returns. Fine if it is there. The name is not checked against the bytes. */
enum qn_err QN_CHECKED qn_pool_put(struct qn_pool *pool, const struct qn_pack_name *name,
                                   struct qn_span bytes);
/* Like put, without the last fsync of the folder: until qn_pool_sync a power cut may take the name
 * (never half a file under it). For runs of puts. */
enum qn_err QN_CHECKED qn_pool_put_lazy(struct qn_pool *pool, const struct qn_pack_name *name,
                                        struct qn_span bytes);
enum qn_err QN_CHECKED qn_pool_sync(struct qn_pool *pool);
/* A lazy put in two steps: the first copies the bytes to the system, which begins to write them;
 * the second waits until they are on the disk and gives the name. Several files that are begun
 * before the first is finished cost about as much as one. A put that was begun is finished or
 * dropped. */
struct qn_pool_put {
    struct qn_pack_name name;
    int fd; /* -1: the file was there */
    uint64_t fresh;
};
enum qn_err QN_CHECKED qn_pool_put_begin(struct qn_pool *pool, const struct qn_pack_name *name,
                                         struct qn_span bytes, struct qn_pool_put *ret_put);
enum qn_err QN_CHECKED qn_pool_put_finish(struct qn_pool *pool, struct qn_pool_put *put);
void qn_pool_put_drop(struct qn_pool *pool, struct qn_pool_put *put);
/* Reads `size` bytes at `offset`; QN_ERR_NOTFOUND; QN_ERR_CORRUPT when it is shorter. */
enum qn_err QN_CHECKED qn_pool_read(struct qn_pool *pool, const struct qn_pack_name *name,
                                    size_t offset, size_t size, uint8_t *out);
enum qn_err QN_CHECKED qn_pool_size(struct qn_pool *pool, const struct qn_pack_name *name,
                                    size_t *ret_size);
/* Fine if it is not there. */
enum qn_err QN_CHECKED qn_pool_remove(struct qn_pool *pool, const struct qn_pack_name *name);
/* Ascending names, after `after` (NULL: from the first), at most `count_max`. */
enum qn_err QN_CHECKED qn_pool_list(struct qn_pool *pool, const struct qn_pack_name *after,
                                    size_t count_max, struct qn_pack_name *out, size_t *ret_count);
/* SHA-256 of the content against the name, reading at most bytes_per_s (0: no limit).
 * QN_ERR_CORRUPT if it differs or cannot be read: then it is moved to DIR/bad/. */
enum qn_err QN_CHECKED qn_pool_scrub(struct qn_pool *pool, const struct qn_pack_name *name,
                                     uint64_t bytes_per_s);

/* ---- files that arrive in pieces ---- */

/* How many bytes of a part are there (0: none): where to go on. After a power cut the last of them
 * may be wrong; that shows when the part is whole. */
enum qn_err QN_CHECKED qn_pool_part_size(struct qn_pool *pool, const struct qn_pack_name *name,
                                         size_t *ret_size);
/* Appends at `offset`, which must be the part's size (else QN_ERR_STATE); QN_ERR_LIMIT: beyond
 * size_total, or that above QN_PACK_SIZE_MAX. One caller at a time for a name. When the part
 * reaches size_total it is synced, hashed and named: *ret_is_whole. QN_ERR_SIGNATURE: the bytes do
 * not hash to the name, the part is gone. A piece is durable only once the file is whole or after
 * qn_pool_part_sync. */
enum qn_err QN_CHECKED qn_pool_part_append(struct qn_pool *pool, const struct qn_pack_name *name,
                                           size_t offset, struct qn_span bytes, size_t size_total,
                                           bool *ret_is_whole);
/* Fine if there is none. */
enum qn_err QN_CHECKED qn_pool_part_remove(struct qn_pool *pool, const struct qn_pack_name *name);
enum qn_err QN_CHECKED qn_pool_part_sync(struct qn_pool *pool, const struct qn_pack_name *name);
/* Removes parts that nothing was appended to for `age_ms` (0: all), by the wall clock. */
enum qn_err QN_CHECKED qn_pool_part_sweep(struct qn_pool *pool, uint64_t age_ms);
uint64_t qn_pool_free_bytes(struct qn_pool *pool); /* of the disk, for unprivileged use */
