/* A copy of what a store knows, for backups: rows in pieces, and pieces back into a new store
 * (docs/formats/store.md, "A copy").
 *
 * Invariants:
 *   - All pieces are of one transaction: one consistent state.
 *   - Equal rows give equal pieces, and a changed row changes one piece, or two: cuts depend on the
 *     rows, not on their places. So a vault stores anew what changed and little else, which pages
 *     of LMDB do not give: every commit moves pages, and a compacted copy numbers all of them anew.
 *   - What a run of a backup itself changes is not in it, nor what only counts on this machine: the
 *     copy of a store in which nobody wrote is the same copy.
 *   - Nothing secret is: keys of sites and of the vault are files of their own.
 *
 * Memory: a piece and a row. Thread: any; a copy is a reading transaction of its own.
 */
#pragma once

#include "store/store.h"

#define QN_STORE_PIECE_SIZE 61440 /* a piece is not larger, unless it is one row */

/* `path` ("TABLE/NAME") ascends by the order of chunk/path.h; both are borrowed for the call. Its
 * errors end the copy. */
typedef enum qn_err (*qn_store_put_piece)(void *context, struct qn_span path, struct qn_span rows);
enum qn_err QN_CHECKED qn_store_copy(struct qn_store *store, qn_store_put_piece put, void *context);

/* A store that is being made of pieces. The site takes it for an old copy of its own store: with it
 * comes the mark of the machine that wrote it (app/machine.h), so no dot is used twice. */
struct qn_store_load;
/* `options->path` is the folder of the new store. QN_ERR_EXISTS: there is a store already. */
enum qn_err QN_CHECKED qn_store_load_begin(const struct qn_store_options *options,
                                           struct qn_store_load **ret_load);
/* In any order. QN_ERR_CORRUPT: no piece. QN_ERR_UNSUPPORTED: of a table or a schema that this
 * version does not know. */
enum qn_err QN_CHECKED qn_store_load_piece(struct qn_store_load *load, struct qn_span path,
                                           struct qn_span rows);
/* Closes it; durable if it returns QN_OK. Without the schema's piece it is QN_ERR_CORRUPT: half a
 * copy is none. Frees in any case; accepts NULL. */
enum qn_err QN_CHECKED qn_store_load_end(struct qn_store_load *load);
