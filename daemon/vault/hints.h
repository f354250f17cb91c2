/* Where chunks may be, as the places of a snapshot say (chunk/places.h): for a vault whose packs
 * are elsewhere and of which the index knows nothing yet. In memory only: rows that are read by
 * them are of packs with numbers above all of the index.
 *
 * Bounded: after QN_HINTS_READ_MAX chunks of places whoever reads wants much, and is better off
 * with the directories of all packs; so is who looks for what is not where it was. `complete`
 * brings them, once. Any thread.
 */
#pragma once

#include "chunk/places.h"
#include "vault/index.h"
#include "vault/vault.h"

#define QN_HINTS_READ_MAX   24
#define QN_HINTS_ROWS_MAX   ((size_t)32 * 1024)
#define QN_HINTS_PACK_FIRST ((uint32_t)1 << 31) /* no index has so many packs */

struct qn_hints;
struct qn_hints *qn_hints_new(void);
void qn_hints_free(struct qn_hints *hints); /* accepts NULL */
/* Takes in what places say; what is not right or too much is left out. */
void qn_hints_add(struct qn_hints *hints, struct qn_span places);
/* A row as the index would give it. QN_ERR_NOTFOUND. */
enum qn_err QN_CHECKED qn_hints_find(struct qn_hints *hints, const struct qn_chunk_id *id,
                                     struct qn_index_row *ret_row);
/* The places of a chunk, which are taken as read from then on. False: there are none, they were
 * read, or it is enough. */
bool qn_hints_take(struct qn_hints *hints, const struct qn_chunk_id *id,
                   struct qn_index_row *ret_row);
bool qn_hints_is_hint(uint32_t pack);
void qn_hints_pack(struct qn_hints *hints, uint32_t number, struct qn_index_pack *ret_pack);

/* Who brings the directories from now on. */
void qn_hints_set_complete(struct qn_hints *hints, qn_vault_complete_fn complete, void *context);
/* Afterwards the index knows all packs. What came of it the first time is said again. */
enum qn_err QN_CHECKED qn_hints_complete(struct qn_hints *hints);
