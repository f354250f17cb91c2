/* The owner's book: its plans, its packs and snapshots, what each holder acknowledged and how far
 * that was proven (docs/custody.md). A book of hints about files: the vault is the authority on
 * what is here, the holder on what is there; both can be read again into it.
 *
 * Invariants:
 *   - Every number of a holder equals a recount: what is missing there is known without a scan.
 *   - Packs are numbered in the order in which they were made (`order`, from 1, never reused), and
 *     are sent in it. A snapshot needs only packs up to its `order`.
 *   - A list is to be forgotten at a holder only after its snapshot is gone here, or after the list
 *     that replaces it was acknowledged there.
 *
 * Times are this site's wall clock in ms. Sizes in bytes. Thread: as in custody.h.
 */
#pragma once

#include "base/limits.h"
#include "base/vec.h"
#include "model/custody.h"

/* ---- plans ---- */

/* Spans are borrowed; the vectors are owned (qn_plan_deinit). */
struct qn_plan {
    struct qn_span name;              /* of a plan: as qn_text_is_name says */
    QN_VEC(struct qn_span) paths;     /* absolute, any bytes */
    QN_VEC(struct qn_span) excludes;  /* lines as in .gitignore */
    struct qn_span schedule, keep;    /* text of chunk/plan.h; their meaning is not checked here */
    QN_VEC(struct qn_site_id) copies; /* holders, ascending */
    uint32_t lock_days;
    uint64_t created_ms;
};
void qn_plan_deinit(struct qn_plan *plan);
void qn_plan_pack(const struct qn_plan *plan, struct qn_buf *out);
/* QN_ERR_INVALID, QN_ERR_LIMIT. Borrows from `bytes`. */
enum qn_err QN_CHECKED qn_plan_unpack(struct qn_span bytes, struct qn_plan *ret_plan);

/* What became of its runs. 0 in a time: never. */
struct qn_plan_runs {
    uint64_t start_ms;   /* last start */
    uint64_t success_ms; /* end of the last run that left a snapshot */
    uint64_t attempt_ms; /* end of the last run, whatever came of it */
    enum qn_err attempt_err;
    uint64_t attempt_files_failed;                  /* files that it could not read */
    char attempt_first[QN_PLAN_FIRST_SIZE_MAX + 1]; /* text: the first of what went wrong */
    uint64_t drill_ms;                              /* last restore for practice */
    enum qn_err drill_err;
    uint64_t drill_files, drill_bytes;
};

/* Adds or replaces. QN_ERR_LIMIT: too many plans. The runs stay. */
enum qn_err QN_CHECKED qn_book_plan_put(struct qn_kv *kv, struct qn_span packed);
/* With its runs. QN_ERR_NOTFOUND. */
enum qn_err QN_CHECKED qn_book_plan_remove(struct qn_kv *kv, struct qn_span name);
/* *ret_packed is borrowed. */
enum qn_err QN_CHECKED qn_book_plan_get(struct qn_kv *kv, struct qn_span name,
                                        struct qn_span *ret_packed);
/* The first plan after that name (empty: of all). QN_ERR_NOTFOUND at the end. */
enum qn_err QN_CHECKED qn_book_plan_next(struct qn_kv *kv, struct qn_span after,
                                         struct qn_span *ret_packed);
/* All zero if it never ran. QN_ERR_NOTFOUND: no such plan. */
enum qn_err QN_CHECKED qn_book_runs_get(struct qn_kv *kv, struct qn_span name,
                                        struct qn_plan_runs *ret_runs);
enum qn_err QN_CHECKED qn_book_started(struct qn_kv *kv, struct qn_span name, uint64_t now_ms);
/* `first`: QN_ERR_LIMIT beyond QN_PLAN_FIRST_SIZE_MAX, QN_ERR_INVALID unless printable. */
enum qn_err QN_CHECKED qn_book_ended(struct qn_kv *kv, struct qn_span name, uint64_t now_ms,
                                     enum qn_err err, uint64_t files_failed, struct qn_span first);
enum qn_err QN_CHECKED qn_book_drilled(struct qn_kv *kv, struct qn_span name, uint64_t now_ms,
                                       enum qn_err err, uint64_t files, uint64_t bytes);
/* Signs what the runs of a plan say of its drill, for the snapshot that was tried (all zero: none).
 */
enum qn_err QN_CHECKED qn_book_drill_sign(struct qn_kv *kv, const struct qn_site_id *site,
                                          const struct qn_signer *signer, struct qn_span name,
                                          const struct qn_digest *snapshot);
/* Whether what the runs of a plan say of its drill is what one of the site's keys signed.
 * QN_ERR_SIGNATURE: it is not. A plan without a drill is fine. */
enum qn_err QN_CHECKED qn_book_drill_check(struct qn_kv *kv, const struct qn_site_id *site,
                                           const struct qn_public_key *keys, size_t key_count,
                                           struct qn_span name);

/* ---- own packs and snapshots ---- */

struct qn_own_totals {
    uint64_t packs, bytes, snapshots;
    uint64_t order;  /* of the last pack made; 0: none */
    uint64_t number; /* of the last snapshot made; 0: none */
};
enum qn_err QN_CHECKED qn_book_totals(struct qn_kv *kv, struct qn_own_totals *ret_totals);

struct qn_own_pack {
    uint64_t size;
    uint8_t kind; /* enum qn_pack_kind of chunk/pack.h */
    uint64_t order;
};
/* Fine if it is there; QN_ERR_EXISTS if it is with another size. */
enum qn_err QN_CHECKED qn_book_pack_add(struct qn_kv *kv, const struct qn_digest *pack,
                                        uint64_t size, uint8_t kind);
enum qn_err QN_CHECKED qn_book_pack_get(struct qn_kv *kv, const struct qn_digest *pack,
                                        struct qn_own_pack *ret_pack);
/* The pack was removed here. What holders acknowledged of it stays known: they still hold it. Fine
 * if it is not there. */
enum qn_err QN_CHECKED qn_book_pack_remove(struct qn_kv *kv, const struct qn_digest *pack);

struct qn_own_snap {
    struct qn_digest name;
    char plan[QN_NAME_SIZE_MAX + 1];
    uint64_t started_ms, ended_ms;
    bool is_partial;
    uint64_t files, bytes, bytes_stored;
    struct qn_digest names; /* SHA-256 of its list of packs (struct qn_list_head) */
    uint32_t name_count;
    uint64_t order;  /* of the last pack when its list was made; set by the book */
    uint64_t number; /* of the snapshot, from 1; set by the book */
};
/* Adds it; or, if it is there, takes its new list: the old one is to be forgotten once the new one
 * is acknowledged. */
enum qn_err QN_CHECKED qn_book_snap_put(struct qn_kv *kv, const struct qn_own_snap *snap);
enum qn_err QN_CHECKED qn_book_snap_get(struct qn_kv *kv, const struct qn_digest *name,
                                        struct qn_own_snap *ret_snap);
/* The first one with a number above `after`. QN_ERR_NOTFOUND at the end. */
enum qn_err QN_CHECKED qn_book_snap_next(struct qn_kv *kv, uint64_t after,
                                         struct qn_own_snap *ret_snap);
/* The snapshot was forgotten here: its lists are to be forgotten everywhere. Fine if not there. */
enum qn_err QN_CHECKED qn_book_snap_remove(struct qn_kv *kv, const struct qn_digest *name);

/* ---- copies ---- */

struct qn_copy {
    uint64_t packs, bytes;         /* acknowledged, also of packs that are gone here */
    uint64_t own_packs, own_bytes; /* of those that are here */
    struct qn_digest sum;          /* sum mod 2^256 of SHA-256(name): compare with qn_held.sum */
    uint64_t frontier; /* all packs up to this order are there, but for `lost` of them */
    uint64_t lost;     /* packs up to the frontier that are not there */
    uint64_t lists;    /* acknowledged */
    uint64_t heard_ms; /* last acknowledgement */
};
/* A zeroed one if nothing was ever acknowledged. */
enum qn_err QN_CHECKED qn_book_copy_get(struct qn_kv *kv, const struct qn_site_id *holder,
                                        struct qn_copy *ret_copy);
/* What is here and not there. */
static inline uint64_t qn_copy_missing_bytes(const struct qn_copy *copy,
                                             const struct qn_own_totals *totals)
{
    return totals->bytes - copy->own_bytes;
}
static inline uint64_t qn_copy_missing_packs(const struct qn_copy *copy,
                                             const struct qn_own_totals *totals)
{
    return totals->packs - copy->own_packs;
}

/* The holder said durable, or lists the pack as good. Fine if known. A pack that is not in the book
 * counts too: `size` is what the holder says then. */
enum qn_err QN_CHECKED qn_book_acked(struct qn_kv *kv, const struct qn_site_id *holder,
                                     const struct qn_digest *pack, uint64_t size, uint64_t now_ms);
/* The holder does not have it (any more): bad, swept, or never arrived. Fine if not known. */
enum qn_err QN_CHECKED qn_book_lost(struct qn_kv *kv, const struct qn_site_id *holder,
                                    const struct qn_digest *pack);
/* Names that the holder is thought to have, ascending after `after`: to compare with its own. */
enum qn_err QN_CHECKED qn_book_names(struct qn_kv *kv, const struct qn_site_id *holder,
                                     const struct qn_digest *after, size_t count_max,
                                     struct qn_digest *out, size_t *ret_count, bool *ret_is_end);
/* The same of lists that were acknowledged, and the sum mod 2^256 of SHA-256(list id) over them. */
enum qn_err QN_CHECKED qn_book_lists(struct qn_kv *kv, const struct qn_site_id *holder,
                                     const struct qn_digest *after, size_t count_max,
                                     struct qn_digest *out, size_t *ret_count, bool *ret_is_end);
enum qn_err QN_CHECKED qn_book_list_sum(struct qn_kv *kv, const struct qn_site_id *holder,
                                        struct qn_digest *ret_sum);
/* Nothing is known of that holder any more, at most `count_max` rows at a time: until *ret_is_end
 * the caller asks and says nothing else about it. */
enum qn_err QN_CHECKED qn_book_copy_drop(struct qn_kv *kv, const struct qn_site_id *holder,
                                         size_t count_max, bool *ret_is_end);

/* An own pack that the holder lacks cannot be read here: noted until it is there, or is gone here.
 * Fine if it is there, or is not in the book. */
enum qn_err QN_CHECKED qn_book_unread(struct qn_kv *kv, const struct qn_site_id *holder,
                                      const struct qn_digest *pack);
/* How many are noted, at most QN_COPY_UNREAD_MAX. */
enum qn_err QN_CHECKED qn_book_unread_count(struct qn_kv *kv, const struct qn_site_id *holder,
                                            uint64_t *ret_count);

struct qn_book_next {
    struct qn_digest pack;
    uint64_t size, order;
};
/* Packs to send to a holder, in order, those above `after_order`. Looks at a bounded number of
 * packs: *ret_after is where to go on; *ret_is_end: there are no more. */
enum qn_err QN_CHECKED qn_book_next_packs(struct qn_kv *kv, const struct qn_site_id *holder,
                                          uint64_t after_order, size_t count_max,
                                          struct qn_book_next *out, size_t *ret_count,
                                          uint64_t *ret_after, bool *ret_is_end);

enum qn_copy_state {
    QN_COPY_SENDING,  /* packs are missing there */
    QN_COPY_PACKS,    /* all packs are there; its list is not acknowledged */
    QN_COPY_COMPLETE, /* the holder said that all of it is there and locked */
};
enum qn_err QN_CHECKED qn_book_copy_state(struct qn_kv *kv, const struct qn_site_id *holder,
                                          const struct qn_own_snap *snap,
                                          enum qn_copy_state *ret_state);
/* When the holder said that it has the list of this snapshot; 0: it did not. From then on its lock
 * runs, by the holder's clock. */
enum qn_err QN_CHECKED qn_book_list_acked_at(struct qn_kv *kv, const struct qn_site_id *holder,
                                             const struct qn_own_snap *snap, uint64_t *ret_ms);
/* The first snapshot with a number above `after` whose packs are there and whose list is to be
 * sent. Looks at a bounded number: *ret_after as above; QN_ERR_NOTFOUND at the end. QN_ERR_BUSY:
 * none among those looked at, go on from *ret_after. */
enum qn_err QN_CHECKED qn_book_next_list(struct qn_kv *kv, const struct qn_site_id *holder,
                                         uint64_t after, uint64_t *ret_after,
                                         struct qn_own_snap *ret_snap);
/* The holder has the list as a whole. */
enum qn_err QN_CHECKED qn_book_list_acked(struct qn_kv *kv, const struct qn_site_id *holder,
                                          const struct qn_list_head *head, uint64_t now_ms);
/* The first list after `after` (NULL: of all) that the holder is to be asked to forget.
 * QN_ERR_NOTFOUND: none. */
enum qn_err QN_CHECKED qn_book_next_forget(struct qn_kv *kv, const struct qn_site_id *holder,
                                           const struct qn_digest *after,
                                           struct qn_digest *ret_list);
/* The holder took the request, or does not have the list. */
enum qn_err QN_CHECKED qn_book_forgotten(struct qn_kv *kv, const struct qn_site_id *holder,
                                         const struct qn_digest *list);

/* ---- proof that a holder has what it acknowledged ---- */

/* How far a holder was challenged. A round goes through the packs in their order and survives
 * restarts. 0 in a time: never. */
struct qn_proof {
    uint64_t verified_ms; /* end of the last round that found everything */
    uint64_t ended_ms;    /* of the last round, whatever came of it */
    uint64_t started_ms;  /* of the round that is under way; 0: none is */
    uint64_t at;          /* packs up to this order are done in it */
    uint64_t bad;         /* packs that the present round, or the last one, found not to be there */
    uint64_t unknown;     /* likewise, packs that could not be compared, for they are not here */
};
/* A zeroed one if it was never challenged. */
enum qn_err QN_CHECKED qn_book_proof_get(struct qn_kv *kv, const struct qn_site_id *holder,
                                         struct qn_proof *ret_proof);
/* QN_ERR_NOTFOUND: nothing was ever acknowledged there. */
enum qn_err QN_CHECKED qn_book_proof_put(struct qn_kv *kv, const struct qn_site_id *holder,
                                         const struct qn_proof *proof);
/* Own packs that the holder acknowledged, in their order: as qn_book_next_packs. */
enum qn_err QN_CHECKED qn_book_next_acked(struct qn_kv *kv, const struct qn_site_id *holder,
                                          uint64_t after_order, size_t count_max,
                                          struct qn_book_next *out, size_t *ret_count,
                                          uint64_t *ret_after, bool *ret_is_end);
