/* Late and new sites (RECORDS 1.2, 1.5; docs/records.md, "Late sites"): a site that the log of no
 * other reaches back to is brought up by pages.
 *
 * A pass goes once through all keys, page by page, in the order of spots (page.h). The clock of
 * each page is kept with its range, as a segment: what is stored there reflects cc joined with the
 * clocks of the segments that hold it, E(spot). When the last page is in, cc is raised to what all
 * pages of the pass have in common, and segments that cc covers go. With the last one the
 * collection is clean. All of it is durable with each page, so a pass goes on after any cut, and
 * from any source.
 *
 * While a collection is late: reads and own writes go on; operations of others are applied; the log
 * is served to whom it reaches back, else the own actor's operations are; no page is. An own
 * operation never lists what cc does not cover among what it removes, so that nobody has to hold
 * it: that removal is owed, and written as an operation of its own when the collection is clean.
 *
 * The writer's functions run between qn_replica_begin and _seal and leave the transaction as it was
 * on errors that are not fatal, as replica.h says.
 */
#pragma once

#include "model/page.h"
#include "model/replica.h"
#include "model/replica_read.h"

/* The collection becomes late and a pass begins; nothing changes if one is running. `may_drop`: a
 * person said that the present pass may drop what it wants (see QN_ERR_CONFLICT below). */
enum qn_err QN_CHECKED qn_replica_late_begin(struct qn_replica *replica,
                                             const struct qn_coll_id *coll, bool may_drop);

/* Back to being clean, while no page of any pass counts here: what is stored is what cc says. Of
 * sites that became late of each other at once, one has to be the source. QN_ERR_STATE: pages
 * came, or the collection is not late. */
enum qn_err QN_CHECKED qn_replica_late_cancel(struct qn_replica *replica,
                                              const struct qn_coll_id *coll);

struct qn_page_result {
    size_t changed; /* records */
    size_t dropped; /* of these, that lost a value for which the page gave nothing */
    bool is_end;    /* it was the last page of the pass */
};

/* One page. A page that the cursor is behind of already is no change. `lost`: what is damaged where
 * it was read, as recall.h tells it; empty: nothing. Those records are set aside here as well, with
 * what the operations there say of them, since the clock of the page claims them. Errors:
 *   QN_ERR_STATE      no pass is running, or the page does not begin at the cursor
 *   QN_ERR_NOTFOUND   it names a clock that is not known here: ask for it with its clock
 *   QN_ERR_HELD       its clock has an actor of a site that is not known here
 *   QN_ERR_CONFLICT   the pass would drop over QN_PAGE_DROP_SHARE of the records without giving
 *                     anything for it: the source is broken or hostile, or a person has to say that
 *                     this is right
 *   QN_ERR_INVALID, QN_ERR_SIGNATURE, QN_ERR_LIMIT   the source is broken or hostile */
enum qn_err QN_CHECKED qn_replica_page(struct qn_replica *replica, const struct qn_coll_id *coll,
                                       struct qn_span body, struct qn_span lost,
                                       struct qn_page_result *ret_result);

/* Values that nobody's clock will ever cover (their writer was wiped before its operations reached
 * anybody) become own operations, and the pass begins again. `known` is the join of the clocks of
 * all current members: what it lacks is lost. Where no member is clean one of them has to be: with
 * its own clock alone, and then late_cancel. *ret_rescued counts operations written.
 * QN_ERR_STATE: not late. */
enum qn_err QN_CHECKED qn_replica_rescue(struct qn_replica *replica, const struct qn_coll_id *coll,
                                         const struct qn_vv *known, size_t *ret_rescued);

/* --- the source --- */

struct qn_page_request {
    struct qn_coll_id coll;
    struct qn_span after;          /* a packed spot, as qn_late gives it; empty: the start */
    size_t size_wish;              /* of the page; QN_PAGE_SIZE */
    const struct qn_digest *known; /* the clock that the receiver has already; NULL: none */
    bool is_last_copy; /* what is damaged is left out: nobody else has it either (a recovery) */
};

struct qn_page_read {
    struct qn_digest clock;
    uint8_t next[QN_SPOT_SIZE_MAX]; /* packed: `after` of the page behind it */
    size_t next_size;
    bool is_last;
    size_t record_count;
};

/* Appends a page to `out`, at most QN_PAGE_SIZE_MAX bytes. QN_ERR_HELD: this collection is late
 * itself, or a damaged record is set aside. QN_ERR_DAMAGED: one is damaged, and not set aside yet.
 * QN_ERR_LIMIT: its clock is too large for a page. */
enum qn_err QN_CHECKED qn_read_page(struct qn_kv *kv, const struct qn_page_request *request,
                                    struct qn_buf *out, struct qn_page_read *ret_read);
