/* Places: where the blobs that one chunk of a list names lie in which packs, as of when a snapshot
 * was made (docs/formats/vault.md, "Places"). With them a single file of a vault that is elsewhere
 * is found without the directories of its packs. They are hints, never the authority: packs that
 * were written anew since are found by their directories, and whatever is read is checked by its
 * seal and its id.
 *
 * A table of packs, then one row for each blob. What a row of kind places follows is the chunk that
 * those places are of.
 *
 * Pure.
 */
#pragma once

#include "base/buf.h"
#include "base/vec.h"
#include "chunk/pack.h"

#define QN_PLACES_PACKS_MAX 512  /* of one table; further packs are left out */
#define QN_PLACES_ROWS_MAX  8192 /* of one chunk; further blobs are left out */
#define QN_PLACES_DEPTH_MAX 16   /* places of places of … : deeper ones are no list's */

struct qn_place {
    struct qn_pack_name pack;
    struct qn_blob blob; /* of its id 8 bytes, or all of it if the kind is places */
};
#define QN_PLACE_ID_SIZE 8

/* ---- writing ---- */

struct qn_places {
    QN_VEC(struct qn_pack_name) packs;
    struct qn_buf rows;
    size_t row_count, last; /* last: the pack of the row before */
    uint32_t end;           /* where the blob of the row before ends */
};
void qn_places_init(struct qn_places *places);
void qn_places_deinit(struct qn_places *places);
void qn_places_reset(struct qn_places *places);
/* False: there is no room for it. */
bool qn_places_add(struct qn_places *places, const struct qn_place *place);
/* Appends the whole; nothing if there is no row. */
void qn_places_pack(const struct qn_places *places, struct qn_buf *out);

/* ---- reading: any bytes are safe ---- */

typedef enum qn_err (*qn_place_fn)(void *context, const struct qn_place *place);
/* Calls `fn` for each row, in order. QN_ERR_CORRUPT; errors of `fn` end it. */
enum qn_err QN_CHECKED qn_places_read(struct qn_span bytes, qn_place_fn fn, void *context);
