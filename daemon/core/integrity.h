/* Inside core: the integrity of collections (RECORDS 1.6; docs/records.md, "Integrity").
 *
 *   scrub.c    reads all of a collection against itself, each night or when asked, in short steps
 *   repair.c   asks other sites for copies of records that are damaged here, or that differ
 *   recount.c  counts anew what is derived from records
 *   verify.c   finds out which records differ from those of another site (verify_descend.c), and
 *              says so (verify_answer.c)
 *
 * All of it is of the lowest priority: little is on its way at any time, and what a lost link or a
 * restart interrupts is begun anew.
 */
#pragma once

#include "core/state.h"
#include "model/copy.h"
#include "model/repair.h"
#include "model/scrub.h"

#define REPAIR_WAIT_MS      5000                  /* for the answers of other sites */
#define REPAIR_LEFT_WAIT_MS 60000                 /* where they read their logs for it */
#define LEFT_KEYS_MAX       4                     /* asked for at once, then */
#define REPAIR_RETRY_MS     60000                 /* after nobody could help */
#define REPAIR_AGAIN_MS     2000                  /* after clocks that were not equal */
#define GIVE_UP_MS          (24ull * 3600 * 1000) /* after nobody had a record whole for so long */
#define GIVES_UP_MS         3600000               /* what a person said is good for so long */
#define COMPARE_MS          30000                 /* while it differs from another site */
#define SUSPECTS_MAX        1000                  /* keys, of a collection */
#define INCIDENTS_SHOWN_MAX 20                    /* of a collection, by verify */
#define COUNT_ENTRIES       1000                  /* counted anew in one step, some 2 ms */
#define SCRUB_ENTRIES       256                   /* looked at in one step */
#define SCRUB_STEP_MS       20
#define SCRUB_LOOK_MS       600000 /* how often it is looked whether one is due */
#define SCRUB_AGE_MS        (20ull * 3600 * 1000)
#define SCRUB_OLD_MS        (48ull * 3600 * 1000) /* then it does not wait for the night */
#define SCRUB_NIGHT_FROM    1                     /* hours of local time */
#define SCRUB_NIGHT_TO      5

/* What one site has of the records that are being repaired. */
struct vote {
    struct qn_site_id site;
    bool has_answered;
    struct qn_buf copies; /* as in copy.h */
};

/* A repair of a collection that is under way. */
struct repairing {
    bool of_suspects;          /* else of records that are set aside */
    bool is_committing;        /* what was decided is on its way to the store */
    bool with_left;            /* what nobody has whole is given up now */
    struct qn_buf keys;        /* packed array */
    QN_VEC(struct vote) votes; /* this site's own first */
    uint64_t deadline_ms;
    bool diverges;    /* records that are whole are not the same */
    bool has_all;     /* all other members of the collection were asked, and have answered */
    bool is_hopeless; /* none of them has a damaged record whole, or will have it by itself */
    bool is_waiting;  /* or only for members that are away */
    bool has_given_up;
};

enum verify_stage {
    VERIFY_ASK, /* waits for equal clocks */
    VERIFY_TOP, /* descending: 256 sums */
    VERIFY_MIDDLE,
    VERIFY_KEYS,
    VERIFY_DONE,
};

enum verify_result {
    VERIFY_UNREACHABLE,
    VERIFY_BEHIND,
    VERIFY_IDENTICAL,
    VERIFY_DIFFERENT,
};

/* Looking for the keys that differ; made only when roots differ at equal clocks. */
struct descent {
    uint8_t mine[2][256 * QN_ROOT_SIZE], theirs[2][256 * QN_ROOT_SIZE]; /* levels 1 and 2 */
    bool has_mine, has_theirs; /* of what is being compared now */
    bool has_counted;          /* sums differed and no record did: they were counted anew */
    unsigned prefix, bucket;   /* 0 to 256: where the walk stands */
    struct qn_buf my_keys, their_keys;
};

struct verify_task {
    struct qn_coll_id coll;
    struct qn_site_id site;
    enum verify_stage stage;
    enum verify_result result;
    uint64_t ask_ms;
    struct descent *descent;
    bool is_incomplete; /* one of the two is late: what is there cannot be compared yet */
    struct qn_buf keys; /* that differ, packed texts */
    size_t key_count;
};

struct verify {
    uint64_t request;
    bool is_own;     /* nobody asked: roots differed */
    bool with_scrub; /* first all of it is read here */
    bool has_only;
    struct qn_coll_id only;  /* of that collection */
    bool has_asked;          /* for the incidents, which come last */
    size_t reads;            /* of them on their way */
    struct qn_buf incidents; /* packed maps */
    size_t incident_count;
    uint64_t deadline_ms;
    uint64_t grace_ms; /* a site without a link is waited for so long */
    QN_VEC(struct verify_task *) tasks;
};

enum integrity_pending {                   /* in pending.level */
                         INTEGRITY_ASIDE,  /* the keys that are set aside are being read */
                         INTEGRITY_OWN,    /* this site's copies are */
                         INTEGRITY_ANSWER, /* copies for a peer are */
                         INTEGRITY_REPAIR, /* an intent */
                         INTEGRITY_COUNT,
                         INTEGRITY_SCRUB, /* a step */
                         INTEGRITY_MEND,
                         INTEGRITY_SCRUBBED,
                         INTEGRITY_VERIFY, /* the incidents of a collection, for the request verify
                                            */
};

/* ---- repair.c ---- */
void repair_free(struct coll *coll);
void repair_tick(struct qn_core *core, struct coll *coll);
/* Keys (packed texts) of records that differ from those of another site. */
void repair_suspect(struct qn_core *core, struct coll *coll, struct qn_span keys, size_t count);
/* Somebody is there who may help. */
void repair_soon(struct coll *coll);
void repair_asked(struct qn_core *core, struct peer *peer, struct share *share, struct qn_span keys,
                  bool with_left);
void repair_heard(struct qn_core *core, struct peer *peer, struct share *share,
                  struct qn_span copies);
void repair_read_done(struct qn_core *core, const struct pending *pending,
                      const struct qn_read_result *result);
void repair_outcome(struct qn_core *core, const struct pending *pending,
                    const struct qn_outcome *outcome);

/* ---- recount.c ---- */
void recount_begin(struct qn_core *core, struct coll *coll);
void recount_outcome(struct qn_core *core, struct coll *coll, const struct qn_outcome *outcome);

/* ---- choose.c: what the answers come to ---- */
/* The payload of QN_INTENT_REPAIR; its count of items. QN_ERR_HELD: nobody has the clock that the
 * own copies were read at, and nothing can be done without. `with_left`: what is hopeless is
 * written anew. */
enum qn_err QN_CHECKED repair_choose(const struct qn_core *core, const struct coll *coll,
                                     struct repairing *repairing, struct qn_buf *out,
                                     size_t *ret_count);
/* choose_left.c: the items that give a record up, with what all votes have of it. */
size_t repair_add_left(const struct repairing *repairing, struct qn_span key, struct qn_buf *out);

/* Of the answer of a site: its clock, and how many values follow at the cursor: a key and a copy in
 * turns; behind them may be what is left of damaged ones (model/copy.h). */
enum qn_err QN_CHECKED vote_open(const struct vote *vote, struct qn_cursor *ret_cursor,
                                 uint8_t ret_clock[QN_ROOT_SIZE], size_t *ret_count);
/* The copy of a key, whatever the clock. QN_ERR_NOTFOUND: none. */
enum qn_err QN_CHECKED vote_find(const struct vote *vote, struct qn_span key,
                                 struct qn_record_copy *ret_copy);

/* ---- scrub.c ---- */
void scrub_tick(struct qn_core *core);
void scrub_want(struct qn_core *core, struct coll *coll);                  /* at once */
bool scrub_is_wanted(const struct qn_core *core, const struct coll *coll); /* or runs */
void scrub_read_done(struct qn_core *core, const struct pending *pending,
                     const struct qn_read_result *result);
void scrub_outcome(struct qn_core *core, const struct pending *pending,
                   const struct qn_outcome *outcome);

/* ---- verify.c, verify_descend.c, verify_answer.c ---- */
/* Roots differ from those of a peer at equal clocks: find out where, by itself. */
void verify_differs(struct qn_core *core, struct peer *peer, struct coll *coll);
/* They may differ. */
void verify_look(struct qn_core *core, struct peer *peer, struct coll *coll);
/* Compares again with each linked peer that differed. */
void verify_again(struct qn_core *core, struct coll *coll);
void verify_incidents_done(struct qn_core *core, const struct pending *pending,
                           const struct qn_read_result *result);

/* ---- within these files ---- */
#define verify_each_task(core, wanted_coll, wanted_site, task)                                     \
    qn_vec_each (&(core)->verifies, verify_)                                                       \
        qn_vec_each (&(*verify_)->tasks, task)                                                     \
            if (qn_coll_id_eq(&(*task)->coll, (wanted_coll)) &&                                    \
                qn_site_id_eq(&(*task)->site, (wanted_site)))

void verify_descend(struct qn_core *core, struct peer *peer, struct verify_task *task);
/* True while what was found and done before, which the answer ends with, is on its way. */
bool verify_waits_for_incidents(struct qn_core *core, struct verify *verify);
void verify_finish(struct qn_core *core, struct verify *verify);

void integrity_read_done(struct qn_core *core, const struct pending *pending,
                         const struct qn_read_result *result);
void integrity_outcome(struct qn_core *core, const struct pending *pending,
                       const struct qn_outcome *outcome);
