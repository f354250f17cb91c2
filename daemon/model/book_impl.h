/* Inside the book: keys and rows, shared by book*.c only (docs/formats/store.md). */
#pragma once

#include "model/book.h"
#include "model/fixed.h"
#include "model/tables.h"

#define QN_BOOK_ROW_MAX 512

/* A tag and a name, or a tag and a number: OWN_PACK, OWN_SNAP. */
struct qn_span qn_key_tagged(struct qn_key *key, uint8_t tag, struct qn_span name);
struct qn_span qn_key_ordered(struct qn_key *key, uint8_t tag, uint64_t order);
#define QN_TAG_DRILL 'd' /* PLAN: name -> proof of the last restore for practice */
#define QN_TAG_PACK  'p'
#define QN_TAG_SNAP  's'
#define QN_TAG_ORDER 'o'

/* COPY: a holder, then a tag and a name or order. */
struct qn_span qn_key_holder(struct qn_key *key, const struct qn_site_id *holder);
struct qn_span qn_key_copy_of(struct qn_key *key, const struct qn_site_id *holder, uint8_t tag,
                              const struct qn_digest *name);
struct qn_span qn_key_lost(struct qn_key *key, const struct qn_site_id *holder, uint64_t order);
#define QN_TAG_LOST      'm' /* order -> pack that is missing though the frontier is behind it */
#define QN_TAG_LIST      'l' /* list that was acknowledged -> snapshot, when */
#define QN_TAG_FORGET    'f' /* list that is to be forgotten -> snapshot */
#define QN_TAG_PROOF     'v' /* how far the holder was challenged */
#define QN_TAG_UNREAD    'u' /* pack that it lacks and that cannot be read here */
#define QN_KEY_COPY_SIZE (2 * QN_DIGEST_SIZE + 1)

enum qn_err QN_CHECKED qn_own_totals_put(struct qn_kv *kv, const struct qn_own_totals *totals);
/* The first own pack of an order above `after`. QN_ERR_NOTFOUND. */
enum qn_err QN_CHECKED qn_own_pack_next(struct qn_kv *kv, uint64_t after,
                                        struct qn_digest *ret_name, struct qn_own_pack *ret_pack);
void qn_own_snap_list(const struct qn_own_snap *snap, struct qn_digest *ret_list);

/* The first holder after `after` (NULL: of all) of which anything is known. QN_ERR_NOTFOUND. */
enum qn_err QN_CHECKED qn_copy_next(struct qn_kv *kv, const struct qn_site_id *after,
                                    struct qn_site_id *ret_holder, struct qn_copy *ret_copy);
enum qn_err QN_CHECKED qn_copy_put(struct qn_kv *kv, const struct qn_site_id *holder,
                                   const struct qn_copy *copy);
/* What becomes of all copies when a pack is added or was removed here. `totals` has it counted, or
 * not any more. */
enum qn_err QN_CHECKED qn_copies_added(struct qn_kv *kv, const struct qn_digest *name,
                                       const struct qn_own_pack *pack,
                                       const struct qn_own_totals *totals);
enum qn_err QN_CHECKED qn_copies_removed(struct qn_kv *kv, const struct qn_digest *name,
                                         const struct qn_own_pack *pack,
                                         const struct qn_own_totals *totals);
/* A list of a snapshot is to be forgotten at all holders, or is not after all. */
enum qn_err QN_CHECKED qn_copies_forget(struct qn_kv *kv, const struct qn_digest *list,
                                        const struct qn_digest *snapshot);
enum qn_err QN_CHECKED qn_copies_keep(struct qn_kv *kv, const struct qn_digest *list);
/* Names of the rows of a tag, as qn_book_names. */
enum qn_err QN_CHECKED qn_copy_names(struct qn_kv *kv, const struct qn_site_id *holder, uint8_t tag,
                                     const struct qn_digest *after, size_t count_max,
                                     struct qn_digest *out, size_t *ret_count, bool *ret_is_end);
/* Whether there is such a row. */
enum qn_err QN_CHECKED qn_copy_has(struct qn_kv *kv, const struct qn_site_id *holder, uint8_t tag,
                                   const struct qn_digest *name, bool *ret_has);
