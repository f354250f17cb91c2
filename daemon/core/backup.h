/* Inside core: this site's backup plans, when they run, and what came of it.
 *
 *   backup ── plans   one per plan: rules, last runs, when it is due
 *          ├── changes plans on their way into the store
 *          ├── wants   work that waits for its turn; the vault does one job at a time
 *          ├── job     what runs now
 *          ├── waiters requests that wait for a job or for copies
 *          └── book    what is shown of snapshots, copies and held vaults: read again after commits
 *
 * What a job tells (core/job.h) becomes intents of the book (model/book.h); a run is answered when
 * its end is committed. The vault is the authority: a CATALOG job brings the book up to it.
 */
#pragma once

#include "chunk/plan.h"
#include "core/state.h"
#include "model/book.h"

#define TELL_MS          1000 /* progress of copies */
#define BOOK_MS          1000 /* the view of the book is read at most so often */
#define PRUNE_EVERY_MS   (7ull * 24 * 3600 * 1000)
#define DRILL_EVERY_MS   (7ull * 24 * 3600 * 1000)
#define DRILL_LATE_MS    (15ull * 24 * 3600 * 1000)
#define RUN_GRACE_MS     (3600ull * 1000)
#define PARTIAL_MS       (24ull * 3600 * 1000) /* a first run leaves a snapshot each day */
#define CATALOG_RETRY_MS 30000                 /* after the store refused something */
#define PACKS_BATCH      64                    /* packs in one intent */
#define PACKS_EVERY_MS   1000 /* and how often one is made of fewer: copies begin with the run */
#define PACK_ROW_SIZE    37   /* of QN_JOB_PACKS */
#define HOLDERS_SHOWN    32   /* holders of all plans together */

struct plan {
    struct qn_buf packed; /* as stored; `row` borrows from it */
    struct qn_plan row;
    char name[QN_NAME_SIZE_MAX + 1];
    struct qn_schedule schedule;
    struct qn_keep keep;
    struct qn_plan_runs runs;
    uint64_t due_ms; /* wall clock; UINT64_MAX: not by itself */
};

/* A plan that is being stored, or removed: taken over when that is durable. */
struct plan_change {
    uint64_t token; /* of the commit */
    bool is_removal;
    char name[QN_NAME_SIZE_MAX + 1];
    struct qn_buf packed;     /* empty for a removal */
    struct qn_plan_runs runs; /* of one that comes back; else start_ms is 0 */
};

struct want {
    enum qn_job_kind kind;
    char plan[QN_NAME_SIZE_MAX + 1]; /* "" : all; REBUILD: the holder */
    bool reads_data;                 /* VERIFY, REBUILD: with packs of kind DATA */
};

struct running {
    uint64_t token; /* 0: nothing runs */
    struct want what;
    struct qn_buf progress; /* the map of the last PROGRESS */
    struct qn_buf packs;    /* rows of packs that are not committed yet */
    uint64_t packs_ms;      /* monotonic: not before, unless they are many or the last ones */
    struct qn_buf names;    /* CATALOG: packs that were told; PRUNE: snapshots that go */
    struct qn_buf snaps;    /* CATALOG: snapshots that were told */
    uint64_t started_ms;    /* monotonic */
    bool had_book_error;    /* something it told could not be stored */
    struct qn_buf first;    /* text: the first PROBLEMs */
    unsigned first_count;
};

struct waiter {
    uint64_t request;
    struct want what;
    bool wants_copies;
    bool is_for_copies; /* the job is done; waits for the book or for copies to have `snapshot` */
    bool has_snapshot;
    struct qn_digest snapshot;
    struct qn_buf data; /* of the end */
    uint64_t token;     /* of its job; 0: not started yet */
    uint64_t commit;    /* the job is done; waits for this commit */
    unsigned reads;     /* of the book that are to end before a forget is answered */
    uint64_t forgotten; /* PRUNE: how many snapshots went */
    /* Of the copies, since the job is done: what they lacked at most, and lack now, in bytes. */
    uint64_t copies_ms, bytes_lacked, bytes_missing;
    uint64_t sent_before;     /* backup.sent_bytes when it began to wait */
    bool was_told_full;       /* that a holder has no room */
    uint64_t proofs_until_ms; /* VERIFY: so long challenges are waited for, monotonic */
};

/* One snapshot and how far each holder of its plan has it. */
struct snap_view {
    struct qn_own_snap snap;
    uint32_t complete;               /* bit i: complete at book.copies[i].holder */
    uint32_t acked_s[HOLDERS_SHOWN]; /* since when, wall clock in seconds; 0: not */
};

struct copy_view {
    struct qn_site_id holder;
    struct qn_copy copy;
    struct qn_proof proof; /* how far it was challenged */
};

struct held_view {
    struct qn_site_id owner;
    struct qn_held held;
};

/* What a BOOK read gives (core/read.c). */
struct qn_book_view {
    QN_VEC(struct snap_view) snaps;
    QN_VEC(struct copy_view) copies;
    QN_VEC(struct held_view) held;
    struct qn_own_totals totals;
    uint64_t lock_ms; /* lock time; 0: no tick yet */
};

struct backup {
    QN_VEC(struct plan *) plans; /* in order of their names */
    QN_VEC(struct plan_change) changes;
    QN_VEC(struct want) wants;
    QN_VEC(struct waiter) waiters;
    struct running running;
    struct qn_book_view book;
    bool is_book_stale;
    uint64_t book_ms, book_token, stale_token;
    uint64_t sent_bytes; /* of packs, to holders, that were acknowledged since the start */
    uint64_t tell_ms;    /* monotonic: the next word on copies to those that wait */
    uint64_t prune_ms;   /* monotonic: the next weekly one */
    int32_t offset_s;    /* local time minus UTC, as of the last event */
    uint64_t catalog_ms; /* monotonic: when the book is compared with the vault; UINT64_MAX: not */
    bool is_prune_due;   /* a run ended: what the keep rules let go, once the book shows it */
    struct qn_buf mend;  /* names of own packs that could not be read and wait for a MEND job */
    uint64_t bad_count;  /* packs and chunks that the last verification found, and no copy had */
    bool is_place_seen;  /* the agreements were looked at since the ledger moved */
    uint64_t place_token,
        place_ms; /* an answer or a question on its way; not before, after one that failed */
};

/* ---- backup.c: life, what is due ---- */
struct backup *backup_new(void);
void backup_free(struct backup *backup);
enum qn_err QN_CHECKED backup_load(struct qn_core *core, struct qn_kv *kv);
void backup_start(struct qn_core *core);
void backup_tick(struct qn_core *core);
struct plan *backup_plan(const struct qn_core *core, struct qn_span name);
/* A commit stores this plan (`packed` empty: removes it); it holds once that is durable. */
void plan_changes(struct qn_core *core, uint64_t token, struct qn_span name, struct qn_span packed);
void plans_committed(struct qn_core *core, uint64_t token, enum qn_err err);
/* The same of a plan of a site in recovery, with what is known of its runs. */
void plan_comes_back(struct qn_core *core, uint64_t token, struct qn_span name,
                     struct qn_span packed, const struct qn_plan_runs *runs);
bool plan_is_coming(const struct qn_core *core, struct qn_span name);
bool plan_names(const struct plan *plan,
                const struct qn_site_id *holder);          /* as one of its copies */
uint64_t plan_period_ms(const struct plan *plan);          /* of its schedule; 0: not by itself */
void plan_reckon(struct qn_core *core, struct plan *plan); /* when it is due next */

/* ---- backup_job.c: the jobs, one at a time ---- */
bool want_is_same(const struct want *a, const struct want *b);
/* Queues work unless the same waits or runs already. */
void backup_want(struct qn_core *core, const struct want *want);
void backup_next_job(struct qn_core *core);
bool backup_is_running(const struct qn_core *core, const char *plan);
/* An own pack could not be read: it is put right from a copy when its turn has come; offsite_mended
 * follows. Passed over while QN_MEND_PACKS_MAX wait. */
void backup_mend(struct qn_core *core, const struct qn_digest *pack);
bool backup_is_mending(const struct qn_core *core);
/* Commits an intent of the book; only backup_outcome sees its outcome. */
struct pending *backup_book(struct qn_core *core, enum qn_intent_kind kind,
                            struct qn_buf *take_payload);

/* ---- backup_news.c: what they tell ---- */
void backup_news(struct qn_core *core, const struct qn_job_event *event);
void backup_tell_packs(struct qn_core *core); /* packs of the running job, if it is time */
void backup_outcome(struct qn_core *core, const struct pending *pending,
                    const struct qn_outcome *outcome);
void backup_read_done(struct qn_core *core, struct qn_read_result *result);
void problem_note(struct qn_core *core, struct qn_span problem); /* backup_problem.c */

/* ---- backup_keep.c: what is forgotten ---- */
/* Appends the names of the snapshots that the keep rules of a plan let go (NULL: of all plans), 32
 * bytes each; partial ones go once a whole one is younger. */
void backup_choose(const struct qn_core *core, const struct plan *plan, struct qn_buf *out);

/* ---- backup_wait.c: requests that wait ---- */
void backup_wait(struct qn_core *core, const struct waiter *waiter);
void waiters_progress(struct qn_core *core, const struct qn_buf *progress);
void waiters_problem(struct qn_core *core, struct qn_span problem);
void waiters_started(struct qn_core *core, const struct want *want, uint64_t token);
/* Work that cannot be done: its plan is gone. */
void waiters_refuse(struct qn_core *core, const struct want *want);
/* The job ended; `data` is the map for those that wait for it. They are answered at once, or, if
 * `commit` is not 0, when that commit is durable. */
void waiters_done(struct qn_core *core, uint64_t token, enum qn_err err, const struct qn_buf *data,
                  const struct qn_digest *snapshot, uint64_t commit);
void waiters_committed(struct qn_core *core, uint64_t commit, enum qn_err err);
void waiters_tick(struct qn_core *core); /* the copies moved */
void waiters_gone(struct qn_core *core, uint64_t request);
/* A holder has a list whole: who waits for that sees it in the next read of the book, at once. */
void waiters_look(struct qn_core *core);
/* Tells those that wait for copies how far they are, now and then; wakes for it. */
void waiters_tell_copies(struct qn_core *core);

/* ---- backup_answer.c: what is said about work, as docs/control.md has it ---- */
/* The map of a PROGRESS, with the rate and the time left. */
void answer_progress(const struct qn_core *core, struct qn_span told, struct qn_buf *out);
/* The member `id` of a snapshot: key and value. */
void answer_id(const struct qn_digest *name, struct qn_buf *out);
/* Of the phase in which copies are waited for. */
void answer_copies(const struct qn_core *core, const struct waiter *waiter, struct qn_buf *out);
/* Likewise, of challenges. */
void answer_proofs(const struct qn_core *core, const struct waiter *waiter, struct qn_buf *out);
/* What ends a request whose job is done; `waiter->data` is what the job told. */
void answer_end(const struct qn_core *core, const struct waiter *waiter, struct qn_buf *out);

/* ---- backup_book.c ---- */
void book_view_deinit(struct qn_book_view *view);
enum qn_err QN_CHECKED book_view_read(struct qn_kv *kv, struct qn_book_view *view);
/* Whether a name is among these (sorted, 32 bytes each). */
bool names_have(struct qn_span names, const struct qn_digest *name);
/* Names in the book that are not among `known` (sorted, 32 bytes each). */
enum qn_err QN_CHECKED book_stale_read(struct qn_kv *kv, struct qn_span known, struct qn_buf *out);
void book_touch(struct qn_core *core); /* it changed: read it again soon */
void book_read_done(struct qn_core *core, struct qn_read_result *result);
const struct snap_view *book_latest(const struct qn_core *core, const char *plan);
bool book_is_complete(const struct qn_core *core, const struct snap_view *snap,
                      const struct qn_site_id *holder);
/* Of what is here, how much a holder does not have, in bytes. */
uint64_t book_missing_bytes(const struct qn_core *core, const struct qn_site_id *holder);
/* Until when a holder keeps a snapshot locked, as far as this site can know: reckoned from its
 * acknowledgement, so that the holder's own stamp may be later. Wall clock in ms; 0: not there. */
uint64_t book_locked_until(const struct qn_core *core, const struct snap_view *snap,
                           const struct qn_site_id *holder);
const struct copy_view *book_copy(const struct qn_core *core, const struct qn_site_id *holder);
/* The bytes of packs that the snapshots of a plan brought, and never more than there are. */
uint64_t book_stored_bytes(const struct qn_core *core, const char *plan);

/* ---- place.c: agreements between owner and holder ---- */
#define PLACE_QUOTA_ASKED (1ull << 50) /* as much as the holder lends by itself */
/* Whether an agreement of so many days, or more, was asked for and did not end. */
bool place_is_asked(const struct qn_core *core, const struct qn_site_id *holder,
                    uint32_t lock_days);
/* Payload of an intent: the same Place, with what is on paper now. */
void place_pack_agreement(const struct qn_core *core, const struct qn_place *place,
                          struct qn_span reference, uint64_t until_ms, struct qn_buf *ret_payload);
void place_propose(struct qn_core *core, const struct qn_site_id *holder, uint64_t quota_bytes,
                   uint32_t lock_days);
/* After the ledger moved: what may be accepted, and what plans ask for and could not be stored. */
void place_tick(struct qn_core *core);
/* The intent's payload of a PlaceAccept, never of more than was asked for. */
void place_pack_accept(const struct qn_core *core, const struct qn_place *place,
                       uint64_t quota_bytes, struct qn_buf *ret_payload);
uint64_t place_share(const struct qn_core *core); /* what is lent without asking, in bytes */

/* ---- backup_status.c ---- */
void backup_pack_status(const struct qn_core *core, struct qn_buf *out); /* the array `backups` */
void held_pack_status(const struct qn_core *core, struct qn_buf *out);   /* the array `held` */
/* When the present round of scrubbing began, by the wall clock in ms; 0: none did. */
uint64_t held_scrubbed_ms(const struct qn_core *core, const struct qn_held *held);
/* Calls `alert` for each alert of docs/control.md 4 that concerns backups. */
typedef void (*backup_alert)(void *context, const char *severity, const char *code,
                             const char *object, uint64_t count, uint64_t time_ms,
                             const char *detail);
void backup_alerts(const struct qn_core *core, backup_alert alert, void *context);
