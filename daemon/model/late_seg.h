/* The segments of a late collection (table SEG; docs/formats/store.md): which clock the page had
 * that the records of a range came with. For the rooms of model only.
 *
 * Segments stand in the order in which they were added: those of one pass follow each other without
 * a gap, so the last one's end is the cursor. Neighbours with one clock are one segment.
 */
#pragma once

#include "model/dict.h"
#include "model/page.h"

struct qn_seg {
    uint32_t number, pass;
    size_t clock; /* index */
    struct qn_spot lo, hi;
    bool is_void; /* it was lowered by a rescue (late_owed.h) */
    uint8_t *row; /* owned: what the spots borrow from */
};

struct qn_seg_clock {
    uint32_t number;
    bool is_lowered; /* by a rescue: it has no checkpoints, and no page has it */
    struct qn_digest digest;
    struct qn_vv vv;
};

struct qn_segs {
    QN_VEC(struct qn_seg) list;
    QN_VEC(struct qn_seg_clock) clocks;
};

void qn_segs_deinit(struct qn_segs *segs);
/* Into an empty one. Without `with_clocks` their vectors stay empty. */
enum qn_err QN_CHECKED qn_segs_load(struct qn_kv *kv, uint32_t coll, bool with_clocks,
                                    struct qn_segs *segs);
/* The last segment of a pass; NULL if it has none yet. */
const struct qn_seg *qn_segs_last(const struct qn_segs *segs, uint32_t pass);
/* Whether a page that came reflects the operation of this dot, at that spot. */
bool qn_segs_have(const struct qn_segs *segs, const struct qn_spot *at, const struct qn_dot *dot);
/* How many `cc` does not cover. */
size_t qn_segs_open(const struct qn_segs *segs, const struct qn_vv *cc);
bool qn_segs_are_void(const struct qn_segs *segs, const struct qn_spot *at);

/* The index of the clock with that hash that a page came with; SIZE_MAX if there is none. */
size_t qn_segs_clock(const struct qn_segs *segs, const struct qn_digest *digest);
/* The writer's. QN_ERR_LIMIT, before anything is changed: there are too many. */
enum qn_err QN_CHECKED qn_segs_check_room(const struct qn_segs *segs, const struct qn_vv *more);
enum qn_err QN_CHECKED qn_segs_add_clock(struct qn_kv *kv, uint32_t coll, struct qn_segs *segs,
                                         const struct qn_page_heads *heads, size_t *ret_index);
enum qn_err QN_CHECKED qn_segs_add(struct qn_kv *kv, uint32_t coll, struct qn_segs *segs,
                                   const struct qn_seg *seg);
/* Lowers a clock to `vv`; its checkpoints are gone. */
enum qn_err QN_CHECKED qn_segs_lower(struct qn_kv *kv, uint32_t coll, struct qn_segs *segs,
                                     size_t clock, const struct qn_vv *vv);
/* Drops what `cc` covers, and clocks that no segment has any more. */
enum qn_err QN_CHECKED qn_segs_drop(struct qn_kv *kv, uint32_t coll, struct qn_segs *segs,
                                    const struct qn_vv *cc);
/* The checkpoints of a clock, as they came. QN_ERR_CORRUPT if it was lowered. */
enum qn_err QN_CHECKED qn_segs_heads(struct qn_kv *kv, uint32_t coll,
                                     const struct qn_seg_clock *clock,
                                     struct qn_page_heads *ret_heads);
