/* Inside core: the integrity of collections (RECORDS 1.6; docs/records.md, "Integrity").
 *
 *   scrub.c    reads all of a collection against itself, each night or when asked, in short steps
 *   repair.c   asks other sites for copies of records that are damaged here, or that differ
 *   recount.c  counts anew what is derived from records
 *   verify.c   finds out which records differ from those of another site
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
#define REPAIR_RETRY_MS     60000                 /* after nobody could help */
#define REPAIR_AGAIN_MS     2000                  /* after clocks that were not equal */
#define GIVE_UP_MS          (24ull * 3600 * 1000) /* after nobody had a record whole for so long */
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
    struct qn_buf keys;        /* packed array */
    QN_VEC(struct vote) votes; /* this site's own first */
    uint64_t deadline_ms;
    bool diverges;    /* records that are whole are not the same */
    bool has_all;     /* all other members of the collection were asked, and have answered */
    bool is_hopeless; /* none of them has a damaged record whole, or will have it by itself */
    bool has_given_up;
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
void repair_asked(struct qn_core *core, struct peer *peer, struct share *share,
                  struct qn_span keys);
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
 * own copies were read at, and nothing can be done without. `gives_up`: what is hopeless is written
 * anew. */
enum qn_err QN_CHECKED repair_choose(const struct qn_core *core, const struct coll *coll,
                                     struct repairing *repairing, bool gives_up, struct qn_buf *out,
                                     size_t *ret_count);

/* ---- scrub.c ---- */
void scrub_tick(struct qn_core *core);
void scrub_want(struct qn_core *core, struct coll *coll);                  /* at once */
bool scrub_is_wanted(const struct qn_core *core, const struct coll *coll); /* or runs */
void scrub_read_done(struct qn_core *core, const struct pending *pending,
                     const struct qn_read_result *result);
void scrub_outcome(struct qn_core *core, const struct pending *pending,
                   const struct qn_outcome *outcome);

/* ---- verify.c ---- */
/* Roots differ from those of a peer at equal clocks: find out where, by itself. */
void verify_differs(struct qn_core *core, struct peer *peer, struct coll *coll);
/* They may differ. */
void verify_look(struct qn_core *core, struct peer *peer, struct coll *coll);
/* Compares again with each linked peer that differed. */
void verify_again(struct qn_core *core, struct coll *coll);
void verify_incidents_done(struct qn_core *core, const struct pending *pending,
                           const struct qn_read_result *result);

void integrity_read_done(struct qn_core *core, const struct pending *pending,
                         const struct qn_read_result *result);
void integrity_outcome(struct qn_core *core, const struct pending *pending,
                       const struct qn_outcome *outcome);
