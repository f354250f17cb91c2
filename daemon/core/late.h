/* Inside core: pages, for a site that no log brings up to date (docs/protocol.md, section 14).
 *
 * The receiver, for each collection (late.c):
 *
 *   clean ── a peer's log is short, and nobody else has more ──▶ commit LATE
 *   late, wants pages ── no source ──▶ asks one ── pages, each committed, then acknowledged ──▶
 *        the last one is committed ──▶ late no more, or by ordinary catch-up a little later
 *
 * Where it stands is in the store, not here: `coll.info` of the last commit says whether pages are
 * wanted and from which cursor on. So whatever ends a pass from a source (a cut, a page that is
 * refused, a commit that fails), the next one goes on there, from any clean source.
 *
 * The source (pages.c) keeps one reading transaction for a pass, pinned by the driver, so that all
 * its pages have one clock. Nothing is kept for a peer once its link is gone.
 *
 * At most one source is asked for a collection at a time. Of what was sent the source keeps sizes
 * only; the receiver holds no page but in the writer's queue, within the window.
 */
#pragma once

#include "core/pace.h"
#include "core/state.h"

struct page_sent {
    uint64_t seq, at_ms;
    size_t size, raw_size;
};

/* This site sends pages to a peer. */
struct page_source {
    uint64_t pass;            /* as the peer names it */
    uint64_t pin, pin_end_ms; /* the reading transaction, and until when it may stay */
    uint8_t cursor[QN_SPOT_SIZE_MAX];
    size_t cursor_size;
    bool has_known; /* the peer has a clock, of that hash: it is not sent again */
    struct qn_digest known;
    bool is_reading, is_end;
    uint64_t next_seq;
    QN_VEC(struct page_sent) sent; /* unacknowledged; oldest first */
    size_t inflight, inflight_raw;
    size_t raw_wish;
    uint64_t heard_ms; /* the peer last asked or acknowledged */
    struct pace pace;
};

/* This site is late, and takes pages of a collection. */
struct page_pass {
    qn_link link;      /* of the source; 0: nobody is asked */
    uint64_t number;   /* names what was asked last */
    uint64_t next_seq; /* of the next page */
    uint64_t heard_ms; /* when it was asked, or last sent a page */
    uint64_t retry_ms; /* nobody is asked before */
    uint64_t idle_ms;  /* since when nobody could be; 0: somebody is */
    bool is_stopped;   /* too much would be lost: people have to look (alert) */
    bool is_whole;     /* this process has seen its start, so `records` says how far it is */
    uint64_t bytes, records, rows;         /* received; rows at the source, as it last said */
    uint64_t rate, rate_bytes, rate_at_ms; /* bytes per second, and its present measurement */
};

/* ---- pages.c: the source ---- */
void pages_asked(struct qn_core *core, struct peer *peer, struct share *share, uint64_t pass,
                 struct qn_span cursor, struct qn_span clock);
/* `held_ms`: how long the peer had it until it was durable; 0: it does not tell. */
void pages_acked(struct qn_core *core, struct peer *peer, struct share *share, uint64_t pass,
                 uint64_t seq, uint64_t held_ms);
void pages_read_done(struct qn_core *core, const struct pending *pending,
                     const struct qn_read_result *result);
void pages_tick(struct qn_core *core, struct peer *peer, struct share *share);
/* Ends what the share serves, if anything; `core` NULL: at the end of all, without an effect. */
void pages_end(struct qn_core *core, struct share *share);
/* Whether pages are the better way to bring a peer up to date, that can be. */
bool pages_are_better(const struct share *share, const struct qn_vv *known);

/* ---- late_rescue.c ---- */
enum qn_err QN_CHECKED rescue_load(struct coll *coll, struct qn_kv *kv);
void rescue_tick(struct qn_core *core, struct coll *coll);

/* ---- late.c: the receiver ---- */
void late_heard_flags(struct qn_core *core, struct peer *peer, struct share *share, uint64_t flags);
unsigned late_own_flags(const struct coll *coll);
/* Whether pages are wanted, and somebody is there who has them. */
bool late_takes_pages(const struct qn_core *core, const struct coll *coll);
/* Pages come from there, or go there. */
bool late_needs(const struct peer *peer);
/* Asks again whoever said that its log is short. */
void late_forgive(struct qn_core *core, struct coll *coll);
/* Another commit of this collection is known: the pass may be over. */
void late_coll_moved(struct qn_core *core, struct coll *coll);
void late_session_ends(struct qn_core *core, struct share *share, qn_link link);
void late_tick(struct qn_core *core);
/* The member "late" of a collection as it is shown. */
void late_pack(const struct qn_core *core, const struct coll *coll, struct qn_buf *out);
void late_free(struct coll *coll);
/* The source is asked no more; the next one not before `retry_ms`. What is still on its way from
 * it, or to the store, counts no more. */
void late_leave_source(struct qn_core *core, struct page_pass *pass, uint64_t retry_ms);
/* The same, of one that has no pages now: the next one at once. */
void late_source_has_none(struct qn_core *core, struct share *share, struct page_pass *pass);

/* ---- late_page.c: taking pages ---- */
enum qn_err QN_CHECKED late_heard_page(struct qn_core *core, struct peer *peer, struct share *share,
                                       struct qn_cursor *cursor);
void late_outcome(struct qn_core *core, const struct pending *pending,
                  const struct qn_outcome *outcome);
