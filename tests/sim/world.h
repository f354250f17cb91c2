/* The simulator: N real cores in one process, with a virtual clock, a seeded network and disks that
 * crash (docs/testing.md, "Simulation").
 *
 * Everything that happens is an event in one queue, ordered by virtual time and then by the order
 * of creation; all randomness comes from one generator. So one seed gives one history, and a hash
 * over what happened (the trace) is the same each time.
 *
 *   site      a core, an applier and a disk (support/memkv); down while crashed
 *   link      a connection of two sites: a queue of frames each way, in order, with delays
 *   blocked   a direction between two sites on which nothing passes; a link that is blocked for
 * long breaks, at each end at its own time
 */
#pragma once

#include "base/assert.h"
#include "base/prng.h"
#include "base/vec.h"
#include "core/core.h"
#include "model/book.h"
#include "support/memkv.h"

#define SIM_SITES_MAX 80
#define SIM_CLOSED    "accounts" /* a collection that not all sites share */

struct sim_frame {
    uint8_t *bytes;
    size_t size;
};

struct sim_way {
    QN_VEC(struct sim_frame) queue;
    bool is_pumping;
    uint64_t blocked_since; /* 0: not blocked */
};

struct sim_link {
    uint64_t id;
    size_t end[2]; /* the dialler first */
    enum qn_link_kind kind;
    bool is_up;
    size_t closed_by; /* the end that closed it, from 1; 0: none */
    uint64_t dial_token;
    bool is_told[2]; /* whether that end knows that it is up */
    bool has_end[2]; /* whether that end still believes in it */
    uint8_t exporter[32];
    struct sim_way way[2]; /* towards end[i] */
};

struct sim_pack {
    struct qn_digest name;
    struct qn_buf bytes;
};

struct sim_snap {
    struct qn_digest name;
    char plan[QN_NAME_SIZE_MAX + 1];
    uint64_t time_ms;
    struct qn_buf live;   /* sorted names of packs */
    struct qn_buf sealed; /* what it is named by */
    struct memkv *store;  /* the copy that is in it; NULL: none */
};

struct sim_vault {
    QN_VEC(struct sim_pack) packs;
    QN_VEC(struct sim_snap) snaps;
    struct qn_job *job; /* what runs; NULL: nothing */
    uint64_t steps_left;
    size_t run_first; /* the first pack that this run made */
    bool is_stopped;
    uint64_t busy_ms; /* when a job last did something */
};

struct sim_file { /* held for another */
    struct qn_site_id owner;
    struct qn_digest name;
    struct qn_buf bytes, part; /* of the whole one; of one that arrives */
    uint64_t grown_ms;         /* the part, last */
    bool is_whole, is_rotten;
};

struct sim_pin { /* a reading transaction that stays open: the disk as it was */
    uint64_t name;
    struct memkv *disk;
};

struct sim_work;
struct sim_taken;

struct sim_files {
    QN_VEC(struct sim_file *) held; /* survives crashes */
    QN_VEC(struct sim_work *) works;
    bool is_full; /* the disk */
};

struct sim_read { /* the ledger as it was read last */
    struct qn_ledger *ledger;
    const struct memkv *disk;
    uint64_t changes;
};

struct sim_site {
    size_t index;
    char name[16], address[16];
    bool is_hidden; /* nobody can dial it, and it has no address; */
    bool is_walled; /* or one where it cannot be reached */
    uint8_t seed[QN_SEED_SIZE];
    struct qn_signer *signer, *kit;
    struct qn_site_keys keys;
    struct qn_site_id id;
    struct qn_buf genesis;
    struct qn_code code;
    bool has_code;
    bool has_kit;   /* its machine burnt; the kit is in the new one until it has its place again */
    unsigned burnt; /* how often */
    size_t helper;  /* whom the new machine asks */

    bool is_up;
    unsigned life; /* counts crashes: events of an earlier life are dropped */
    struct qn_core *core;
    struct qn_applier *applier;
    struct memkv *disk;
    struct sim_read *read; /* of it */
    struct memkv *image;   /* an old copy of the disk, to be restored from; NULL: none */
    struct memkv *copy;    /* of the store, that came back with its vault; NULL: none */
    bool is_restored;      /* the disk is a copy: the next start must notice */
    bool has_old_rows;     /* it was such a copy: it may know of files that went since */
    bool is_rotten;        /* bits of its records fell over: it may show what nobody wrote */
    bool has_rotten_log;   /* of these, of its log */
    bool is_cast_out;      /* nobody else knows any more that it was let in */
    int64_t wall_skew_ms;
    bool has_failed;     /* its store: the daemon is about to end, to open it afresh */
    bool is_off;         /* it was the power: the next start is a boot */
    uint8_t boots;       /* its number is the boot's id */
    uint64_t boot_at_ms; /* its monotonic clock counts from there */
    struct qn_update update;
    QN_VEC(struct qn_intent *) queue;
    QN_VEC(struct sim_pin) pins;
    bool writer_is_busy;
    QN_VEC(struct sim_taken) taken; /* what it took from others of late (replay.c) */
    struct qn_commit *undelivered;  /* committed, not told yet */
    bool undelivered_is_synced;
    struct sim_vault vault; /* survives crashes, its job does not */
    struct sim_files files;
    struct memkv *before;              /* QN_BUG_CLOCK_APART: the disk before that commit */
    uint64_t trail_seq, trail_commits; /* of its audit trail, which outlives its disk (trail.c) */
    uint64_t tick_at;                  /* 0: none */
    unsigned overdue;                  /* steps in a row whose deadline had passed: a busy loop */
};

enum sim_kind {
    SIM_PUMP,   /* a link's direction moves a frame */
    SIM_UP,     /* tells an end that the link is up */
    SIM_DOWN,   /* tells an end that it is gone */
    SIM_DIAL,   /* a dial reaches its target, or fails */
    SIM_WRITE,  /* the writer takes what is queued */
    SIM_COMMIT, /* the writer's outcome reaches the core */
    SIM_READ,   /* the answer to a read */
    SIM_JOB,    /* a step of a job */
    SIM_FILE,   /* file work is done; and, at its second time, told */
    SIM_TICK,
};

struct sim_event {
    uint64_t at_ms, order;
    enum sim_kind kind;
    size_t site;
    unsigned life;
    uint64_t link, token;
    size_t way;
    size_t target;               /* DIAL */
    enum qn_link_kind link_kind; /* DIAL */
    struct qn_public_key expected;
    bool has_expected;
    struct qn_read_result *read;
};

struct sim_ack { /* a write that a user was told is durable */
    size_t site;
    uint64_t request;
    uint64_t value; /* unique: finds the operation */
    bool is_open;   /* not answered yet */
};

struct sim_op { /* an operation that was durable somewhere at some time */
    struct qn_coll_id coll;
    uint8_t *bytes;
    size_t size;
    struct qn_op op;  /* views into bytes */
    bool may_be_lost; /* its author's disk went back before anybody else had it */
    size_t kept_by;   /* from 1: that site has it in the copy that it recalls; 0: none */
};

struct sim_seen { /* how far the operations of a site's collection were looked at */
    size_t site;
    struct qn_coll_id coll;
    struct qn_vv vv;
};

struct sim_thrift { /* what is said between two sites (thrift.c) */
    bool is_counting;
    size_t back, source;
    struct qn_coll_id coll;
    uint64_t link, bytes;
};

struct sim_promise;
struct sim_rotten;

struct sim_world {
    uint64_t seed;
    struct qn_prng prng;
    uint64_t now_ms;
    uint64_t order;
    QN_VEC(struct sim_event) heap;
    struct sim_site sites[SIM_SITES_MAX];
    size_t site_count;
    QN_VEC(struct sim_link *) links;
    uint64_t next_link;
    bool is_blocked[SIM_SITES_MAX][SIM_SITES_MAX]; /* from, to */
    bool is_calm;                                  /* no more faults: used to come to rest */
    QN_VEC(struct sim_op) ops;
    QN_VEC(struct sim_seen *) seen;
    QN_VEC(struct sim_ack) acks;
    QN_VEC(struct qn_coll_id) colls;
    QN_VEC(uint64_t) withdrawn; /* site indexes */
    size_t closed_by;           /* the site that created SIM_CLOSED */
    struct qn_coll_id closed;
    bool is_over;       /* all is at rest, and judged */
    bool is_hard;       /* with knots, logs that rot, and what a fire leaves */
    bool has_trouble;   /* clocks, sleep, access, stores that fail; else bits that rot */
    bool has_gone_back; /* a disk, to an image or to nothing */
    uint64_t next_value, next_request;
    char code_text[QN_CODE_SIZE_MAX]; /* of the last invitation */
    uint64_t trace;
    bool prints;
    char failure[512]; /* "" while all is well */
    size_t steps, steps_max, commits;
    QN_VEC(struct sim_promise) promises; /* of holders (custody.c) */
    bool has_copies;                     /* a plan asked for some */
    bool has_short_logs;                 /* sites often forget operations */
    bool is_scrubbed;                    /* enough time went by since the last rot */
    bool is_at_rest;                     /* what is held has to be as it was promised */
    size_t place_entries;                /* of the ledger, at most */
    size_t access_entries;               /* of the ledger, at most */
    bool may_fork;                       /* the ledger, by a site that was restored */
    /* how often: that the histories have it in them */
    size_t packs_held, lists_held, rotten, copies_complete;
    bool has_twins;             /* twice.c: dots are used twice, so single operations say nothing */
    size_t forks;               /* notes that two chains were found */
    size_t pair[2], pair_bytes; /* crowd.c: of the first connections of two sites */
    size_t flips, repairs;      /* bits of what is stored, and notes that some were repaired */
    size_t log_flips;           /* of these, of logs */
    QN_VEC(struct sim_rotten *) rotten_records;
    struct sim_thrift thrift;
};

/* ---- world.c ---- */
void world_init(struct sim_world *world, uint64_t seed, size_t site_count, bool prints);
void world_deinit(struct sim_world *world);
/* Runs all events up to a virtual time; stops early at a failure. */
void world_run(struct sim_world *world, uint64_t until_ms);
/* All machines sleep for so long: what was due meanwhile is late. */
void world_leap(struct sim_world *world, uint64_t ms);
void world_push(struct sim_world *world, struct sim_event event);
void world_fail(struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_trace(struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
uint64_t world_below(struct sim_world *world, uint64_t bound);
bool world_chance(struct sim_world *world, unsigned per_mille);

/* ---- site.c ---- */
void site_init(struct sim_world *world, size_t index);
void site_deinit(struct sim_site *site);
void site_start(struct sim_world *world, struct sim_site *site);
void site_crash(struct sim_world *world, struct sim_site *site);
void site_restore_image(struct sim_world *world, struct sim_site *site);
/* The machine is gone with its disk and key; another one has its kit and asks a helper. */
void site_burn(struct sim_world *world, struct sim_site *site, const struct sim_site *helper);
void site_step(struct sim_world *world, struct sim_site *site, struct qn_event *event);
uint64_t site_wall_ms(const struct sim_world *world, const struct sim_site *site);
void site_write(struct sim_world *world, struct sim_site *site);
/* All of them in one transaction, or none; qn_applier_done is the caller's. */
enum qn_err site_transact(struct sim_world *world, struct sim_site *site,
                          struct qn_intent *const *intents, size_t count, uint64_t random,
                          struct qn_commit *commit);
void site_commit(struct sim_world *world, struct sim_site *site);
/* What is in the log up to a local sequence leaves it; false: not now. */
bool site_forget(struct sim_world *world, struct sim_site *site, const struct qn_coll_id *coll,
                 uint64_t seq);
/* The same of some collection, up to somewhere. */
void site_truncate(struct sim_world *world, struct sim_site *site);
void site_request(struct sim_world *world, struct sim_site *site, uint64_t request,
                  const char *command, const struct qn_buf *args);

/* ---- replay.c ---- */
void replay_keep(struct sim_site *site, const struct qn_intent *intent);
void replay_some(struct sim_world *world, struct sim_site *site);
void replay_forget(struct sim_site *site);

/* ---- thrift.c ---- */
void thrift_said(struct sim_world *world, uint64_t link, size_t from, size_t to,
                 struct qn_span frame);
/* Everything is at rest; both are in, and have the first collection. */
void thrift_measure(struct sim_world *world, size_t back, size_t source);

/* ---- rot.c ---- */
/* A bit of what it stored of a collection falls over. */
void site_rot(struct sim_world *world, struct sim_site *site);
/* The same of a record; false: there is none, or none that is whole. */
bool rot_record(struct sim_world *world, struct sim_site *site, struct qn_coll_id *ret_coll,
                char ret_key[QN_KEY_SIZE_MAX + 1]);
/* After anything that may have destroyed a copy of a value. */
void rot_look(struct sim_world *world);
/* Whether no whole copy of that value was left at some moment, after a record with it had rotted.
 */
bool rot_excuses(const struct sim_world *world, const struct qn_coll_id *coll, struct qn_span key,
                 struct qn_span field, const struct qn_dot *dot);
/* Whether that record rotted there: until it is repaired it may be anything. */
bool rot_may_be_in(const struct sim_world *world, const struct sim_site *site,
                   const struct qn_coll_id *coll, struct qn_span key);
/* Whether another site that is in has that record as it should be. */
bool rot_is_whole_elsewhere(struct sim_world *world, const struct sim_site *site,
                            const struct qn_coll_id *coll, struct qn_span key);
void rot_deinit(struct sim_world *world);

/* ---- vault.c ---- */
void vault_deinit(struct sim_vault *vault);
void vault_start(struct sim_world *world, struct sim_site *site, struct qn_job *take_job);
void vault_stop(struct sim_site *site, uint64_t token);
void vault_step(struct sim_world *world, struct sim_site *site);
void vault_crash(struct sim_vault *vault);
void vault_at_rest(struct sim_world *world, struct sim_site *site);

/* News of the job that runs. */
void vault_tell(struct sim_world *world, struct sim_site *site, enum qn_job_news news,
                enum qn_err err, const struct qn_buf *payload);

/* ---- recall.c ---- */
/* Before a disk burns: the newest copy of its store that is whole at a holder. */
void recall_keep(struct sim_world *world, struct sim_site *site);
/* The job RECALL; QN_ERR_NOTFOUND: no holder had a copy. */
enum qn_err recall_run(struct sim_world *world, struct sim_site *site, struct qn_buf *done);

/* ---- files.c ---- */
void files_start(struct sim_world *world, struct sim_site *site, struct qn_file_work *take_work);
void files_event(struct sim_world *world, struct sim_site *site, uint64_t token);
void files_crash(struct sim_world *world, struct sim_site *site);
void files_deinit(struct sim_site *site);
void files_rot(struct sim_world *world, struct sim_site *site);
struct sim_file *files_find(const struct sim_site *site, const struct qn_site_id *owner,
                            const uint8_t *name); /* NULL: none */
bool files_are_good(const struct sim_file *file); /* whole and what it is named by; NULL: false */

/* ---- custody.c ---- */
/* A frame of a bulk link is sent. */
void custody_said(struct sim_world *world, const struct sim_site *from, const struct sim_site *to,
                  struct qn_span frame);
void custody_check(struct sim_world *world, const struct sim_site *holder);
void custody_forget(struct sim_world *world, const struct sim_site *holder);
void custody_at_rest(struct sim_world *world, struct sim_site *site);
void custody_tell(struct sim_world *world);

/* ---- trail.c ---- */
void trail_tell(struct sim_world *world, struct sim_site *site);
void trail_grow(struct sim_world *world, struct sim_site *site); /* at each commit */
void trail_at_rest(struct sim_world *world, struct sim_site *holder, const struct sim_site *site);

/* ---- network.c ---- */
struct sim_link *world_link(struct sim_world *world, uint64_t id);
void network_dial(struct sim_world *world, const struct sim_event *event);
void network_send(struct sim_world *world, struct sim_site *from, uint64_t link,
                  const uint8_t *bytes, size_t size);
void network_pump(struct sim_world *world, const struct sim_event *event);
void network_close(struct sim_world *world, struct sim_site *from, uint64_t link);
void network_break(struct sim_world *world, struct sim_link *link);
void network_site_down(struct sim_world *world, size_t site);
void network_free(struct sim_link *link);

/* ---- oracle.c ---- */
/* After a commit: takes the new operations, checks what can be checked of this site. */
void oracle_committed(struct sim_world *world, struct sim_site *site,
                      const struct qn_commit *commit);
/* As it was written; NULL: nobody did. */
const struct sim_op *oracle_op(const struct sim_world *world, const struct qn_coll_id *coll,
                               const struct qn_dot *dot);
/* After a scrub: what is in its log is what was written. */
void oracle_check_log(struct sim_world *world, const struct sim_site *site,
                      const struct qn_coll_id *coll);
void oracle_acked(struct sim_world *world, struct sim_site *site, uint64_t request, bool is_ok);
void oracle_deinit(struct sim_world *world);
/* What is on the disk of a site that starts holds, whatever stopped it. */
void oracle_started(struct sim_world *world, struct sim_site *site);

/* ---- facts.c ---- */
/* Invariants 5 and 9: nothing lost, nothing back; fingerprints and counters as recomputed. */
void oracle_check_coll(struct sim_world *world, struct sim_site *site,
                       const struct qn_coll_id *coll);

/* ---- loss.c ---- */
bool oracle_is_withdrawn(const struct sim_world *world, size_t site);
/* A copy; qn_ledger_free. */
struct qn_ledger *oracle_ledger_of(struct memkv *disk);
bool oracle_has_op(const struct sim_site *site, const struct sim_op *op);
/* Whether a disk knows the site as a member, with the key that it has now. */
bool oracle_knows(struct memkv *disk, const struct sim_site *site);
/* Nobody has more of the site's own ledger entries than the helper: a RotateKey in the place of one
 * of them would be an equivocation (docs/ledger.md, "Keys"). */
bool oracle_may_help(struct sim_world *world, const struct sim_site *site, struct sim_site *helper);
/* Whether others may get from its disk what it has of a collection. */
bool oracle_can_give(const struct sim_world *world, const struct sim_site *site,
                     const struct qn_coll_id *coll);
void oracle_disk_goes(struct sim_site *site); /* another one will be in its place */
/* Before a disk goes back in time: what is lost with it is nobody's fault. */
void oracle_before_loss(struct sim_world *world, struct sim_site *site);
void oracle_before_restore(struct sim_world *world, struct sim_site *site);
void oracle_before_burn(struct sim_world *world, struct sim_site *site);
/* Whether an operation that removed that value is nowhere any more: whoever saw by pages what it
 * did lacks the value, and nothing says why. */
bool loss_excuses(const struct sim_world *world, const struct qn_coll_id *coll, struct qn_span key,
                  struct qn_span field, const struct qn_dot *dot);

/* ---- rest.c ---- */
/* Whether a site is up and in the group. */
bool oracle_is_in(const struct sim_world *world, const struct sim_site *site);
/* Everything at rest: all sites equal, and equal to what the operations say. */
void oracle_at_rest(struct sim_world *world);
/* Whether a site that is in has damaged records, and somebody to get them from. */
bool oracle_is_damaged(struct sim_world *world);
/* Whether a site that is in waits for pages, or for what they promise. */
bool oracle_is_late(struct sim_world *world);

/* ---- schedule.c ---- */
/* One whole history; the failure stays in world->failure. */
void schedule_run(struct sim_world *world);
void schedule_put(struct sim_world *world, struct sim_site *site, const char *coll);
void schedule_put_key(struct sim_world *world, struct sim_site *site, const char *coll,
                      const char *key);
void schedule_scrub(struct sim_world *world, struct sim_site *site);
/* The name of one at random, as they are created; and one that all share. */
const char *schedule_coll(struct sim_world *world);
const struct qn_coll_id *schedule_open_coll(struct sim_world *world);
/* `members` NULL: all sites. */
void schedule_create(struct sim_world *world, struct sim_site *site, const char *name,
                     const bool *members);
void schedule_join(struct sim_world *world, struct sim_site *site);
void schedule_wait_for_members(struct sim_world *world, size_t count);

/* ---- knots.c ---- */
void knot_crash(struct sim_world *world, struct sim_site *site);
void knot_rot(struct sim_world *world, struct sim_site *site);
void knot_behind(struct sim_world *world, struct sim_site *site);

/* ---- trouble.c ---- */
void trouble_hits(struct sim_world *world, struct sim_site *site);
void trouble_access(struct sim_world *world);
/* What the disk does to the transaction that is open, and what its end is told as. */
void trouble_begin(struct sim_world *world, struct sim_site *site, bool is_of_ledger);
enum qn_err trouble_end(struct sim_world *world, struct sim_site *site, enum qn_err err);

/* ---- crowd.c ---- */
/* A group of many sites, of which not every pair is connected. */
void crowd_run(struct sim_world *world);
/* A frame of a first connection: what does not concern its receiver is not in it. */
void crowd_said(struct sim_world *world, const struct sim_site *from, const struct sim_site *to,
                struct qn_span frame);

/* ---- twice.c ---- */
/* Machines that go back in time and do not know. */
void twice_run(struct sim_world *world);
