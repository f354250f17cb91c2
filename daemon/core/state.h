/* Inside core: the state that its files share. Nothing outside daemon/core includes this.
 *
 *   qn_core ── ledger (the fold of the group)
 *      ├── colls   one per collection that this site shares: clock, counters, who has what
 *      ├── peers   one per other member: address, dialling, its session
 *      │     └── session   while a link is up: what was said, one share per common collection
 *      │            └── share   two lanes out, what is unacknowledged, what came in and waits
 *      ├── guests  who is joining, or recovered, through this site
 *      ├── joining while this site joins, or is recovered, itself
 *      ├── pending commits and reads by token
 *      └── verifies requests that compare fingerprints
 *
 * Objects are heap-allocated and found by id or token in every event, so that no pointer outlives a
 * step. File map: README.md.
 */
#pragma once

#include "base/assert.h"
#include "base/prng.h"
#include "base/text.h"
#include "core/core.h"
#include "model/peers.h"
#include "model/trail.h"
#include "proto/message.h"
#include "proto/pack.h"

#define DIAL_FIRST_MS   200  /* first retry, before jitter */
#define DIAL_SECOND_MS  800  /* and who had not dialled waits longer, in a large group */
#define DIAL_MAX_MS     8000 /* with jitter at most 10 s */
#define BEACON_MS       60000
#define ROOTS_BEACONS   60    /* one of so many beacons says the roots, too */
#define MESH_SPARE_MS   60000 /* a connection that neither end needs is kept so long */
#define RECHECK_MS      1000  /* a peer that still lacks something is offered it again */
#define CLOCK_SPREAD_MS 400   /* clocks after foreign operations are told at most so often */
#define RETRY_COMMIT_MS 1000  /* after a full disk */
#define RETRY_READ_MS   1000
#define READ_TRIES_MAX  4 /* then the link ends, and with it the peer's grant */
#define CUT_MS          3600000
#define VERIFY_ASK_MS   250
#define VERIFY_GRACE_MS 3000
#define VERIFY_CALL_MS                                                                             \
    12000                    /* where a connection has to be made first, maybe by the other side   \
                              */
#define VERIFY_KEYS_MAX 1000 /* named at most, a collection and site */
#define LEDGER_CHUNK    (256 * 1024)
#define GUEST_CHUNK     (12 * 1024)
#define STATE_HASH_SIZE 8 /* of H(cc), where it is only shown */
#define MERGES_MAX      4 /* messages of ledger entries from one link, on their way to the store */

/* What a site has of a collection, in short: enough to say whether and by how much it is behind. */
struct coll_state {
    uint64_t total; /* of its clock's counters; 0: not known */
    uint8_t hash[STATE_HASH_SIZE];
    uint64_t seq;   /* when it became known here, in the order of core.presence_seq */
    qn_link source; /* need not be told; 0: this site's own */
};

/* Whom a site says it is connected to, and by whom it wants to be dialled. */
typedef QN_VEC(uint32_t) site_prefixes;
struct presence {
    uint64_t stamp; /* the site's own: the higher one counts; 0: nothing is known */
    site_prefixes links, calls;
    uint64_t seq; /* as above */
    qn_link source;
};

/* How far another site has a collection, as far as this site knows. Outlives sessions. */
struct known {
    struct qn_site_id site;
    struct qn_vv clock;
    uint64_t heard_ms;
    bool is_dirty;
    struct coll_state state; /* hearsay (presence.c): shown, and nothing else */
    bool differs; /* at equal clocks it had other records, when they were last compared */
};

/* What is done about the integrity of a collection: core/integrity.h. */
struct care {
    bool wants_scrub;
    uint64_t scrubbed_ms; /* when it was last begun, whatever came of it; monotonic, 0: never */
    bool wants_count, is_counting; /* sums, counters, indexes anew */
    uint64_t repair_ms;            /* not before */
    uint64_t look_ms;              /* no comparison because of a question before */
    uint64_t compare_ms;           /* when to look again whether another site still differs */
    struct qn_buf suspects;        /* packed keys of records that another site has otherwise */
    size_t suspect_count;
    struct qn_buf after;  /* the last key that was asked for of those that are set aside */
    uint64_t hopeless_ms; /* since when a damaged record is whole at no member; 0: none is */
    bool waits_for_away;  /* it is whole at no member that is there, and some are away */
    uint64_t give_up_ms;  /* until then it is given up without them: a person said so */
    struct repairing *repairing;
};

struct scrubbing {
    bool is_active, is_waiting; /* for a read or a commit */
    struct qn_coll_id coll;
    struct qn_scrub *at;
    uint64_t step_ms;
    uint64_t look_ms; /* when to look whether one is due */
};

/* Which incarnation of a site wrote last in a collection, and how often that changed: core/twin.c.
 */
struct turns {
    struct qn_actor last, before;
    unsigned count;
    uint64_t at_ms, since_ms; /* the last turn that counts, and the first */
};

struct coll {
    struct qn_coll_id id;
    struct qn_coll_info info;
    struct qn_vv cc;
    uint8_t cc_hash[QN_ROOT_SIZE];
    struct coll_state state; /* of `cc` */
    uint64_t newest_seq;     /* of all states of it */
    QN_VEC(struct known *) known;
    qn_link grant;  /* the link whose peer may send catch-up; 0: none */
    bool is_shared; /* this site is a member, by the ledger */
    bool is_kept;   /* or was one when it left the group: it reads what it has */
    struct care care;
    unsigned forks; /* fork.c: in the hour from */
    uint64_t forked_ms;
    bool is_forked_late;        /* there are two chains here, which are joined once it is clean */
    QN_VEC(struct turns) turns; /* of each site that writes here */
    char shown[QN_NAME_SIZE_MAX + 8]; /* its name, told apart from others of the same name */
    bool is_clash;
    bool is_becoming_late, is_rescuing; /* the commit is on its way */
    uint64_t late_retry_ms;             /* one of them failed: not again before */
    bool is_stuck, is_stuck_noted;      /* it is late and nothing comes; the store knows */
    uint64_t stuck_ms, stuck_wall_ms;   /* since when */
    uint64_t stuck_before_ms;           /* for how long before the daemon was started */
    uint64_t stuck_note_ms;             /* when to note it again */
    bool said_late;                     /* what the other sites were told last */
    bool has_moved;                     /* by the present commit: its clock */
    size_t pages_count, pages_size;     /* on their way to the store, and their bytes */
    struct page_pass *pass;             /* core/late.h; NULL: no pages are wanted */
    uint64_t hour_seq, covered_seq; /* the last operation at the last hour, and at the one before */
    bool is_cut_due, is_cutting, is_over; /* the log: cut_log.c */
};

struct lane {
    bool is_active; /* something may be left to send */
    bool is_reading;
    uint64_t next_seq, end_seq; /* CATCHUP: next 0 = find the start; end 0 = the end */
    size_t inflight_size, inflight_count;
    unsigned failures; /* reads in a row */
    uint64_t retry_ms; /* after one of them; 0: none failed */
};

struct inflight {
    enum qn_lane lane;
    uint64_t seq;
    size_t size;
    struct qn_vv last;
};

struct inbound { /* an OPS message that is not durable yet */
    enum qn_lane lane;
    uint64_t seq;
    uint8_t *body;
    size_t size;
    bool is_submitted;
    uint64_t retry_ms; /* after an error of this site's store */
};

struct share {
    struct coll *coll;
    bool has_clock;          /* the peer's clock of this session is known */
    struct qn_vv told;       /* what the peer knows that we have */
    bool peer_is_done;       /* it said that its catch-up is complete */
    bool has_grant;          /* the peer lets us send catch-up */
    bool was_live;           /* a catch-up was completed in this session */
    bool is_answering;       /* copies of records that it wants are being read */
    bool wants_retry;        /* what came in, once what is on its way to the store is back */
    bool is_answering_chain; /* or checkpoints: fork.c */
    bool owes_clock;         /* our clock moved by operations that did not come from this peer */
    bool is_late_there;      /* the peer serves its own operations only */
    bool is_short;           /* its log does not bring us up to date: it said so, or is late
                                and gave what it can */
    bool knows_pages;
    bool is_beyond;             /* it lacks what our log does not have any more, and was told so */
    uint64_t no_pages_ms;       /* it is not asked for pages before */
    struct page_source *source; /* core/late.h; NULL: it gets none */
    uint64_t out_seq;
    uint64_t recheck_ms;  /* when to look whether the peer still lacks something; 0: not */
    uint64_t states_seq;  /* all states up to then were told (presence.c) */
    struct qn_vv offered; /* what the peer sent, durable here or not yet: it need not come back */
    struct lane lanes[QN_LANE_COUNT];
    QN_VEC(struct inflight) inflight;
    QN_VEC(struct inbound) inbound;
    size_t inbound_size, inbound_count[QN_LANE_COUNT];
};

/* An operation that no known key of its site signed: by a new key that is not here yet? */
enum key_doubt {
    KEYS_TRUSTED,
    KEYS_ASKED,   /* which entries of the ledger the peer has */
    KEYS_SETTLED, /* it has none that is not here: what does not verify now is forged */
};

struct session {
    qn_link link;
    uint64_t up_ms; /* when it began */
    bool is_dialled;
    bool has_hello;
    bool has_asked_heads; /* since the ledger last moved by this peer */
    uint64_t heads_ms;    /* when to ask for entries again that were not stored; 0: not */
    size_t merge_count;   /* messages of entries that are not stored yet */
    enum key_doubt keys;
    bool has_dropped_entries; /* for there were too many of them: to be asked for */
    uint64_t fork_ms;         /* until when checkpoints are awaited (fork.c); 0: they are not */
    bool has_asked_chain, is_unforking;
    struct qn_buf chains;          /* of the other site, while there are steps to go; else empty */
    uint64_t beacon_ms, clocks_ms; /* when to say them next */
    unsigned beacons;              /* that were said */
    bool is_spare_here, is_spare_there;     /* that end does not need this connection */
    uint64_t spare_ms;                      /* when it ends if both do not; 0: one does */
    uint64_t presence_seq;                  /* all that was known of others up to then was told */
    uint64_t sites_seq;                     /* likewise, of words on sites; of states: shares */
    bool has_told_own;                      /* this site's own word */
    unsigned listed[2];                     /* summary.c: parts that were listed, of each kind */
    uint64_t presence_ms, presence_next_ms; /* when it is told next (0: nothing is to be), and not
                                               before */
    size_t catchup_size;                    /* of all shares: unacknowledged, and wished by reads */
    QN_VEC(struct share *) shares;
};

/* Audit trails (trail.h): what is kept here of the peer's, and what was told it of ours. */
struct peer_trail {
    uint64_t seq; /* of the newest that is durable here; 0: none */
    struct qn_digest hash, storing_hash;
    uint64_t contradicted_ms; /* wall clock: when it last contradicted itself; 0: never */
    uint64_t accused_ms;      /* when this site did, by what the peer says, */
    uint64_t found_ms;        /* by what a proof here found */
    uint64_t listen_ms;       /* not stored again before */
    bool is_storing;
    /* of the session */
    uint64_t said_seq; /* 0: nothing was told */
    uint64_t say_ms;   /* when it is told again */
    unsigned says;     /* in a row, to no answer */
    bool is_kept, is_reading;
};

struct peer {
    struct qn_site_id site;
    struct qn_public_key key; /* its present one: links and announcements of another end with it */
    struct session *session;  /* NULL while not linked */
    uint8_t *announcement;    /* packed; NULL if unknown */
    size_t announcement_size;
    struct qn_announcement said;        /* views into announcement */
    char hint[QN_ADDRESS_SIZE_MAX + 1]; /* an address that worked, before any announcement */
    uint64_t dial_token;                /* 0: not dialling */
    uint64_t dial_ms;                   /* when to dial next */
    unsigned failures;
    size_t address_next;
    uint64_t contact_ms;               /* wall clock, 0: never */
    int64_t skew_s;                    /* its wall clock against ours, seconds */
    uint64_t said_wall_ms, said_at_ms; /* its wall clock, and when it said so, monotonic */
    bool is_bad;                       /* sent what cannot be */
    bool is_contact_dirty;
    struct peer_trail trail;
    struct bulk *bulk; /* core/bulk.h */
    bool is_neighbour; /* a connection is wanted for good (neighbours.c) */
    struct presence presence;
    bool is_reachable;  /* through others, as they say */
    bool knows_we_left; /* it refused this site's key after its withdrawal */
    bool is_to_be_told; /* it refused this site's key: the next dial tells it (tell.c) */
    uint64_t tell_ms;   /* not before; 0: it did not refuse it since they were connected */
    size_t tell_next; /* the entry of the ledger that is to be told then, and 1; 0: the last ones */
    qn_link tell_link;
    unsigned foreign; /* questions in this hour about what it has no part in (peer_asks_foreign) */
    uint64_t foreign_until_ms;
    unsigned pushes; /* links of its own that a new one of it pushed out */
    uint64_t pushed_ms;
    uint64_t refused_ms; /* since when a second link of it waits for a word on the first; 0: none */
    unsigned refusals;   /* that were followed by one */
    uint64_t refusals_ms;
    uint64_t twin_ms;  /* when it was last seen to run twice, wall clock; 0: never */
    uint64_t calls_ms; /* WEB_CALL: since when they are counted, */
    unsigned calls;    /* and how many came */
    uint64_t web_ms; /* until when a first connection is wanted to call it; 0: none is (reach.c) */
    unsigned web_calls; /* that are to be said on it */
};

enum guest_state {
    GUEST_NEW,
    GUEST_PROVEN, /* it knows the invitation's secret, or has the kit of a member */
    GUEST_ADMITTING,
    GUEST_TELLING, /* a member with a new key, which is being stored */
};

struct guest { /* a site that joins through this one, or is recovered */
    qn_link link;
    enum guest_state state;
    bool is_recovery;
    struct qn_public_key key, invite_key;
    struct qn_site_id lost; /* RECOVERY: the site whose kit it has */
    uint8_t exporter[32];
    size_t sent; /* entries of the ledger that it has */
    uint64_t token;
};

struct joining { /* this site joins, or is recovered */
    bool is_active;
    bool is_stopped; /* only people can go on from here */
    struct qn_code code;
    struct qn_signer *invite_signer;  /* owned; NULL while it is recovered */
    const struct qn_signer *recovery; /* of the kit; borrowed; NULL while it joins */
    size_t epoch_count;               /* how many keys the site had when it was first asked */
    qn_link link;
    uint64_t dial_token, dial_ms;
    unsigned failures;
    size_t address_next;
    size_t address_used;
    struct qn_public_key peer_key;
    uint8_t exporter[32];
    struct qn_ledger *ledger; /* as received */
    struct qn_buf announcements;
    uint64_t token; /* of the commit */
    char refused[32];
};

/* What comes back after a recovery: core/recover.h. */
enum recovery_stage {
    RECOVERY_NONE, /* there is none, or it is complete */
    RECOVERY_KEY,
    RECOVERY_VAULT,
    RECOVERY_STORE,
};

struct recovery_holder {
    struct qn_site_id site;
    uint64_t retry_ms; /* not asked before; monotonic */
    bool is_asked;     /* KEY: the answer is awaited */
    bool has_none;     /* KEY: it said so */
    bool is_done;      /* VAULT: what it has is here */
};

struct recovery {
    enum recovery_stage stage;
    QN_VEC(struct recovery_holder) holders; /* sites that promised to hold the vault, ever */
    bool is_busy;                           /* a job waits or runs */
    struct qn_site_id from;                 /* VAULT: of that job */
    uint64_t retry_ms;                      /* STORE: not before */
    size_t commits;                         /* STORE: on their way */
    bool needs_another;                     /* VAULT: what those that are done have does not help */
    bool has_more;                          /* STORE: the job stopped before the end */
    bool has_failed;                        /* STORE: one of the commits */
    bool is_whole;                          /* STORE: nothing is left to come */
    QN_VEC(struct qn_coll_id) failed;       /* STORE: passed over until the round is over */
    QN_VEC(struct qn_coll_id) paged;        /* STORE: their pages come from the copy */
};

enum pending_kind {
    PENDING_REPLY, /* a request waits for its commit */
    PENDING_APPLY,
    PENDING_READ,
    PENDING_PAGE,  /* a page to be sent */
    PENDING_LATE,  /* a page that came, or becoming late */
    PENDING_MERGE, /* ledger entries from a peer */
    PENDING_ADMIT,
    PENDING_JOIN,
    PENDING_VERIFY,  /* a read for verify or for a peer's audit */
    PENDING_BOOK,    /* news of a job go into the book, or a read of it */
    PENDING_RENEW,   /* a new incarnation, because of what a peer claims */
    PENDING_OFFSITE, /* core/bulk.h: the part that it is for */
    PENDING_HOLD,
    PENDING_FETCH,
    PENDING_INTEGRITY, /* core/integrity.h: the part that it is for */
    PENDING_CUSTODY,   /* core/custodian.c: what is held, of all owners */
    PENDING_RECOVER,   /* what a recovery brings back */
    PENDING_TRAIL,     /* trail.h */
    PENDING_FORK,      /* core/fork.c */
    PENDING_CUT,       /* core/cut_log.c */
    PENDING_FORGET,    /* core/forget.c */
    PENDING_SWEEP,     /* core/request_trash.c */
    PENDING_QUIET,     /* nobody waits */
};

struct pending {
    uint64_t token;
    enum pending_kind kind;
    qn_link link;
    struct qn_coll_id coll;
    enum qn_lane lane;
    uint64_t seq;
    uint64_t request;
    uint64_t records; /* LATE: in the page */
    uint64_t at_ms;   /* LATE: when the page came */
    unsigned level;   /* VERIFY: what was read; LATE: bytes of the page; INTEGRITY: as there */
    uint8_t prefix;
    uint16_t bucket;
    bool for_peer;          /* VERIFY: the peer asked */
    bool with_left;         /* INTEGRITY: it asked for that, too */
    struct qn_site_id site; /* VERIFY */
    char object[160];
    struct qn_buf data;  /* REPLY: the END's payload; empty: nil */
    bool wants_counts;   /* REPLY: answer with the outcome's counts */
    bool wants_changed;  /* REPLY: answer whether it changed anything */
    const char *refusal; /* REPLY: the code for a refused write; NULL: by its error */
};

/* A request that asks the others what they keep of this site's trail. */
struct trail_task {
    struct qn_site_id site;
    uint64_t after, ask_ms;
    size_t points;
    bool is_done;
};

struct trail_ask {
    uint64_t request, grace_ms, end_ms;
    size_t points_max; /* of one witness */
    QN_VEC(struct trail_task) tasks;
};

struct own_trail { /* the newest checkpoint of it */
    uint64_t seq;  /* 0: there is none */
    uint8_t checkpoint[QN_TRAIL_CHECKPOINT_SIZE_MAX];
    size_t size;
};

struct qn_core {
    struct qn_core_options options;
    char name[QN_NAME_SIZE_MAX + 1], entity[QN_ENTITY_SIZE_MAX + 1], version[64];
    char addresses[QN_ADDRESSES_MAX][QN_ADDRESS_SIZE_MAX + 1];
    struct qn_buf genesis;
    struct qn_site_id site;
    struct qn_actor actor; /* present incarnation; zero before the first write */
    struct qn_ledger *ledger;
    QN_VEC(struct coll *) colls;
    QN_VEC(struct peer *) peers;
    QN_VEC(struct qn_buf) early; /* announcements whose key the ledger does not have yet */
    QN_VEC(struct guest *) guests;
    struct joining joining;
    struct backup *backup;       /* core/backup.h */
    struct custodian *custodian; /* core/hold_impl.h */
    QN_VEC(struct pending) pending;
    QN_VEC(struct verify *) verifies;
    QN_VEC(struct sweep *) sweeps; /* core/request_trash.c */
    struct scrubbing scrubbing;
    QN_VEC(struct trail_ask *) trail_asks;
    struct own_trail own_trail;
    QN_VEC(struct qn_public_key) admitted;
    bool allows_guests;
    uint64_t guests_until_ms; /* wall clock */
    bool is_started;
    struct recovery recovery;
    uint8_t sealed_key[QN_HELD_KEY_SIZE_MAX]; /* what options.sealed_key shows */
    bool has_renewed;                         /* since the start, because of what a peer claimed */
    uint64_t started_ms;                      /* monotonic */
    uint64_t twin_ms;                         /* as of a peer, of this site */
    bool is_in_doubt;                         /* as model/doubt.h has it, or it is about to */
    bool is_mesh;                             /* there are more sites than are all connected */
    bool are_neighbours_stale, is_presence_stale;
    struct presence presence;       /* this site's own */
    uint64_t presence_seq;          /* counts what became known of sites */
    struct qn_buf own_announcement; /* packed; empty: not made yet */
    qn_hlc own_hlc;                 /* of it */
    uint64_t next_token;
    uint64_t persist_ms, purge_ms, retry_ms;
    uint64_t forget_ms, history_days;
    struct qn_log_caps log_caps; /* of none of them 0 */
    uint64_t cut_ms;
    size_t cuts; /* of logs, on their way */
    bool is_cut_due;
    struct qn_timetable rate; /* of what goes to holders */
    struct qn_prng prng;
    struct qn_buf frame; /* scratch for the message being built */

    /* of the step that runs */
    uint64_t now_ms, wall_ms;
    struct qn_update *update;
};

/* ---- effect.c: what a step asks for ---- */
void update_reset(struct qn_update *update);
uint64_t core_token(struct qn_core *core);
/* Starts a message in the scratch buffer; then pack fields and core_send. */
struct qn_buf *core_message(struct qn_core *core, enum qn_message number, size_t field_count);
void core_send(struct qn_core *core, qn_link link);
void core_close(struct qn_core *core, qn_link link);
void core_note(struct qn_core *core, const char *code, enum qn_err err, const char *object);
void core_dial(struct qn_core *core, uint64_t token, const char *address, enum qn_link_kind kind,
               const struct qn_public_key *expected);
void core_admit(struct qn_core *core);
void core_unpin(struct qn_core *core, uint64_t pin); /* core.h, UNPIN */
/* In a recovery: the sealed key of the vault as a holder gave it; empty: none of them has it. */
void core_vault_key(struct qn_core *core, struct qn_span sealed);
void core_recovered(struct qn_core *core); /* the recovery is complete */
void core_called(struct qn_core *core, const struct qn_public_key *key);
/* Queues an intent (payload taken) and remembers what its outcome is for. */
struct pending *core_commit(struct qn_core *core, enum qn_intent_kind kind,
                            struct qn_buf *take_payload, enum pending_kind pending);
/* The intent that core_commit queued last in this step. */
struct qn_intent *core_last_intent(struct qn_core *core);
/* Queues a read (taken). */
struct pending *core_read_later(struct qn_core *core, struct qn_read *take_read,
                                enum pending_kind pending);
/* Starts a job (arguments taken); gives its token. core_stop_job ends one early. */
uint64_t core_job(struct qn_core *core, enum qn_job_kind kind, struct qn_buf *take_args);
void core_stop_job(struct qn_core *core, uint64_t token);
/* Queues file work (taken). */
struct pending *core_file(struct qn_core *core, struct qn_file_work *take_work,
                          enum pending_kind pending);
/* Takes the entry of a token out of the table; false if it is unknown. */
bool core_pending_take(struct qn_core *core, uint64_t token, struct pending *ret_pending);
void core_reply_data(struct qn_core *core, uint64_t request, const struct qn_buf *data);
void core_reply_end(struct qn_core *core, uint64_t request, const struct qn_buf *data);
void core_reply_error(struct qn_core *core, uint64_t request, enum qn_err err, const char *code,
                      const char *object);
/* A deadline no later than this. */
void core_wake(struct qn_core *core, uint64_t at_ms);
uint64_t core_jitter(struct qn_core *core, uint64_t delay_ms); /* 75 % to 125 % */

/* ---- colls.c ---- */
struct coll *core_coll(const struct qn_core *core, const struct qn_coll_id *id);
struct coll *core_coll_make(struct qn_core *core, const struct qn_coll_id *id);
static inline bool coll_is_readable(const struct coll *coll)
{
    return coll->is_shared || coll->is_kept;
}
struct coll *core_coll_named(const struct qn_core *core, struct qn_span name);
bool coll_differs(const struct coll *coll); /* from what any other site has */
struct known *coll_known(struct coll *coll, const struct qn_site_id *site); /* makes it */
const struct known *coll_known_of(const struct coll *coll, const struct qn_site_id *site);
void coll_update(struct coll *coll, const struct qn_coll_info *info, const struct qn_vv *cc);
void coll_free(struct coll *coll);
void core_name_colls(struct qn_core *core);
/* After the ledger moved: which collections are ours, who shares them. */
void core_refresh_colls(struct qn_core *core);
bool core_shares(const struct qn_core *core, const struct coll *coll,
                 const struct qn_site_id *site);
void hash_vv(const struct qn_vv *vv, uint8_t ret_hash[QN_ROOT_SIZE]);

/* ---- rate.c: how fast backups may leave, by the timetable ---- */
/* Bytes per second, now; 0: nothing is to be sent; UINT64_MAX: no limit. */
uint64_t core_bulk_rate(const struct qn_core *core);
/* When that changes (monotonic); UINT64_MAX: never. */
uint64_t core_bulk_rate_until(const struct qn_core *core);

/* ---- persist.c ---- */
/* Stores what is known of others if it is due, or at once; returns when it is due next. */
uint64_t core_persist(struct qn_core *core, bool is_forced);

/* ---- peers.c: who is there, dialling ---- */
struct peer *core_peer(const struct qn_core *core, const struct qn_site_id *site);
struct peer *core_peer_of_link(const struct qn_core *core, qn_link link);
void core_refresh_peers(struct qn_core *core);
void peers_link_up(struct qn_core *core, const struct qn_event *event);
void peers_link_down(struct qn_core *core, const struct qn_event *event);
void peers_dial_failed(struct qn_core *core, const struct qn_event *event);
void peers_tick(struct qn_core *core);
void peer_heard(struct qn_core *core, struct peer *peer);
/* Takes an announcement if it is signed by that member and newer. `source` (0: none) said it. */
void peer_announced(struct qn_core *core, struct qn_span announcement, qn_link source);
/* The same, in its HELLO. If it said a newer one before (by a clock that was ahead), it is told,
 * and outdoes that. */
void peer_announced_itself(struct qn_core *core, struct peer *peer, struct qn_span announcement);
void core_pack_announcements(struct qn_core *core, struct qn_buf *out);
void core_pack_own_announcement(struct qn_core *core, struct qn_buf *out);
void peer_free(struct peer *peer);
void peer_bad(struct qn_core *core, struct peer *peer, const char *code, enum qn_err err);
/* It asked about what it has no part in, or what is not here, and gets nothing. A few of them in an
 * hour are races of the ledger, or a copy that lost something; the rest is noted. */
void peer_asks_foreign(struct qn_core *core, struct peer *peer);
/* The address to try after so many others: what the peer announced, else the one that brought us
 * in. False if there is none. */
bool peer_address(const struct peer *peer, size_t number,
                  char ret_address[QN_ADDRESS_SIZE_MAX + 1]);
/* Of two connections between a pair the one dialled by the smaller identity stays; of two dialled
 * by the same site the newer one, since the older is then a leftover of a restart or a dead line.
 */
bool peer_keeps_old(const struct qn_core *core, const struct peer *peer, bool old_is_dialled,
                    bool new_is_dialled);
/* Ends the link; it is dialled anew if it is wanted. */
void peer_hang_up(struct qn_core *core, struct peer *peer);
bool peer_has_address(const struct peer *peer);

/* ---- neighbours.c: which connections are wanted ---- */
/* What they are chosen by changed: core->are_neighbours_stale = true. */
void neighbours_tick(struct qn_core *core);
bool peer_is_wanted(const struct qn_core *core, const struct peer *peer);
/* Whether one more connection is taken, from that site. */
bool neighbours_have_room(const struct qn_core *core, const struct peer *peer);

/* ---- reach.c ---- */
void reach_call(struct qn_core *core, const struct qn_public_key *key);
void reach_called(struct qn_core *core, struct peer *peer); /* WEB_CALL came */
/* A first connection with it is wanted for its folders; is up; the time of the wish has come. */
bool reach_wants(const struct qn_core *core, const struct peer *peer);
void reach_up(struct qn_core *core, struct peer *peer);
void reach_tick(struct qn_core *core);

/* ---- session.c: the flight, dispatch of frames ---- */
void session_start(struct qn_core *core, struct peer *peer, qn_link link, bool is_dialled);
/* To a link that is not taken, for the site runs twice: it is told so, and the link ends. */
void session_refuse(struct qn_core *core, const struct peer *peer, qn_link link);
void session_end(struct qn_core *core, struct peer *peer);
void session_frame(struct qn_core *core, struct peer *peer, struct qn_span frame);
void session_tick(struct qn_core *core, struct peer *peer);
/* Of what is shared a row each: clocks and roots. Only the first ones of a connection grant
 * anything, and say what is known of others. */
void session_say_colls(struct qn_core *core, struct peer *peer, bool is_first);
/* session_beacon.c */
void session_say_beacon(struct qn_core *core, struct peer *peer);
enum qn_err QN_CHECKED session_heard_beacon(struct qn_core *core, struct peer *peer,
                                            struct qn_cursor *cursor);
void session_heard_wall_clock(const struct qn_core *core, struct peer *peer, uint64_t wall_ms);
/* session_share.c: a message that names a collection, behind its number. */
enum qn_err QN_CHECKED session_about_share(struct qn_core *core, struct peer *peer, uint64_t number,
                                           struct qn_cursor *cursor);
bool session_is_spare(const struct session *session); /* for both ends */
struct share *session_share(const struct session *session, const struct qn_coll_id *id);
/* The same of a peer's session; NULL also if there is none, or no peer. */
struct share *peer_share(const struct peer *peer, const struct qn_coll_id *id);
/* It is linked and has said hello; not if NULL. */
bool peer_is_connected(const struct peer *peer);
/* NULL if more than one shared collection begins like this: then only whole ids tell. */
struct share *session_share_by_prefix(const struct session *session, const uint8_t prefix[4]);
void session_refresh_shares(struct qn_core *core, struct peer *peer);

/* ---- share.c: clocks and grants; outbox.c: lanes out; inbox.c: operations in ---- */
void share_free(struct share *share);
void share_say_clock(struct qn_core *core, struct peer *peer, struct share *share, unsigned flags);
void share_heard_hash(struct qn_core *core, struct peer *peer, struct share *share,
                      const uint8_t *hash, const uint8_t *root);
/* The peer said that its clock is this site's. */
void share_confirm_clock(struct qn_core *core, const struct peer *peer, struct share *share);
/* The next own write is made by a new incarnation: the present one's dots may have been used
 * before. Once in the life of a core, for it is done on what others claim. */
void share_renew(struct qn_core *core);
enum qn_err QN_CHECKED share_heard_clock(struct qn_core *core, struct peer *peer,
                                         struct share *share, const struct qn_vv *clock,
                                         uint64_t flags);
void share_is_beyond(struct qn_core *core, struct peer *peer, struct share *share);
void share_granted(struct qn_core *core, struct peer *peer, struct share *share);
void share_live(struct qn_core *core, struct peer *peer, struct share *share);
void share_release_grant(struct qn_core *core, struct peer *peer, struct share *share);
void share_tell_clock(struct qn_core *core, struct peer *peer, struct share *share);
void share_tick(struct qn_core *core, struct peer *peer, struct share *share);
void coll_grant_next(struct qn_core *core, struct coll *coll);
bool share_take_grant(struct qn_core *core, struct peer *peer, struct share *share);

/* Operations are on their way out that the peer learns of by themselves. */
bool outbox_is_sending(const struct qn_core *core, const struct share *share);
void outbox_pump(struct qn_core *core, struct peer *peer, struct share *share);
void outbox_tick(struct qn_core *core, struct peer *peer, struct share *share);
void outbox_read_done(struct qn_core *core, const struct pending *pending,
                      const struct qn_read_result *result);
void outbox_ack(struct qn_core *core, struct peer *peer, struct share *share, uint64_t lane,
                uint64_t seq);

void inbox_ops(struct qn_core *core, struct peer *peer, struct share *share, uint64_t lane,
               uint64_t seq, struct qn_span body);
void inbox_outcome(struct qn_core *core, const struct pending *pending,
                   const struct qn_outcome *outcome);
void inbox_retry(struct qn_core *core, struct peer *peer, struct share *share);

/* ---- group.c: the ledger ---- */
void group_changed(struct qn_core *core, struct qn_span entries, qn_link source);
void group_say_heads(struct qn_core *core, qn_link link, bool wants_answer);
void group_heard_heads(struct qn_core *core, struct peer *peer, struct qn_cursor *heads,
                       bool wants_answer);
void group_heard_entries(struct qn_core *core, struct session *session, struct qn_span entries);
void group_merge_outcome(struct qn_core *core, const struct pending *pending,
                         const struct qn_outcome *outcome);
void core_refresh_admitted(struct qn_core *core);
void group_tick(struct qn_core *core);
/* Whether an operation from this peer may be signed by a key that is in its ledger and not in ours;
 * asks for the ledger then, and retries what is held when it is there. */
bool group_may_lack_key(struct qn_core *core, struct peer *peer);
/* Whether this site may write into the ledger. One that was restored may have written entries that
 * it has forgotten; a second one in the same place is an equivocation for good. So it compares
 * ledgers with another member first. */
bool core_may_append(const struct qn_core *core);
/* Ledgers were compared: the doubt ends, also for the next start. */
void group_compared(struct qn_core *core);
void group_pack_trust(struct qn_buf *ret_payload); /* of QN_INTENT_TRUST; to be released */
const struct peer *group_online_peer(const struct qn_core *core); /* any; NULL: there is none */
bool core_is_member(const struct qn_core *core);
bool core_was_admitted(const struct qn_core *core); /* a member, or one that withdrew */
/* A member whose key is the present one. Else the site was recovered on another machine. */
bool core_has_key(const struct qn_core *core);

/* ---- guest.c: letting others in; guest_recover.c: giving a lost site its place back ---- */
struct guest *core_guest(const struct qn_core *core, qn_link link);
void guest_up(struct qn_core *core, const struct qn_event *event);
void guest_down(struct qn_core *core, qn_link link);
void guest_frame(struct qn_core *core, struct guest *guest, struct qn_span frame);
void guest_outcome(struct qn_core *core, const struct pending *pending,
                   const struct qn_outcome *outcome);
void guest_refuse(struct qn_core *core, struct guest *guest, const char *code);
/* Entries of the ledger from an index on, as many as fit a chunk. */
void guest_say_ledger(struct qn_core *core, struct guest *guest, size_t from);
enum qn_err QN_CHECKED guest_heard_recover(struct qn_core *core, struct guest *guest,
                                           struct qn_cursor *cursor);
enum qn_err QN_CHECKED guest_heard_rotate(struct qn_core *core, struct guest *guest,
                                          struct qn_cursor *cursor);
/* tell.c: a member whose key is not known here, and which comes with entries of the ledger. */
enum qn_err QN_CHECKED guest_heard_key(struct qn_core *core, struct guest *guest,
                                       struct qn_cursor *cursor);
void guest_key_stored(struct qn_core *core, struct guest *guest, enum qn_err err);
/* The other side: a dial was refused; a link that is for telling came up, heard, went. */
void tell_refused(struct qn_core *core, struct peer *peer);
bool tell_up(struct qn_core *core, const struct qn_event *event);
bool tell_answered(struct qn_core *core, qn_link link);
bool tell_down(struct qn_core *core, qn_link link);
/* Why a RotateKey was not taken. */
const char *guest_rotate_refusal(enum qn_err err);

/* ---- join.c: being let in; recover.c: what differs with a kit ---- */
void join_start(struct qn_core *core);
void join_up(struct qn_core *core, const struct qn_event *event);
void join_down(struct qn_core *core);
void join_dial_failed(struct qn_core *core);
void join_frame(struct qn_core *core, struct qn_span frame);
void join_outcome(struct qn_core *core, const struct qn_outcome *outcome);
void join_tick(struct qn_core *core);
void join_free(struct joining *joining);
/* The ledger is complete, and what it says is stored: the site is a member by it. */
void join_store(struct qn_core *core);
/* Stops asking; `code` is the reason that is shown. */
void join_stop(struct qn_core *core, const char *code);
enum qn_err QN_CHECKED recover_say_hello(struct qn_core *core, const uint8_t exporter[32]);
/* With the whole ledger: takes the place back with a new key, or sees that it has it. */
enum qn_err QN_CHECKED recover_ask(struct qn_core *core);
/* The key of the vault of a site in recovery is not back yet. */
bool core_is_keyless(const struct qn_core *core);
/* Whom that key is awaited from, as shown; "" if from nobody. */
const char *recover_key_holder(const struct qn_core *core);

/* ---- view.c: what is shown, from memory ---- */
/* The name that a site has in the ledger; "?" if it has none. Borrowed until the next step. */
const char *core_site_name(const struct qn_core *core, const struct qn_site_id *id);
void view_site(const struct qn_core *core, const struct qn_site *site, uint64_t wall_ms,
               bool in_full, struct qn_buf *out);
void view_coll(const struct qn_core *core, const struct coll *coll, bool in_full,
               struct qn_buf *out);
/* The shared collections that have a name, in order of their names; owned by the caller (qn_free).
 */
struct coll **view_sorted_colls(const struct qn_core *core, size_t *ret_count);
/* The same for the sites of a group, withdrawn ones too if they are wanted. */
const struct qn_site **view_sorted_sites(const struct qn_core *core, bool wants_withdrawn,
                                         size_t *ret_count);

/* ---- forget.c ---- */
void forget_start(struct qn_core *core);
void forget_tick(struct qn_core *core);
void forget_outcome(struct qn_core *core, const struct qn_outcome *outcome);

/* ---- cut_log.c ---- */
void cut_log_start(struct qn_core *core);
void cut_log_tick(struct qn_core *core);
void cut_log_grew(struct qn_core *core, struct coll *coll);
void cut_log_outcome(struct qn_core *core, const struct pending *pending,
                     const struct qn_outcome *outcome);

/* ---- request*.c, verify.c ---- */
void request_start(struct qn_core *core, const struct qn_event *event);
void request_gone(struct qn_core *core, uint64_t request);
void request_outcome(struct qn_core *core, struct pending *pending,
                     const struct qn_outcome *outcome);
void verify_start(struct qn_core *core, uint64_t request, struct coll *only, bool with_scrub,
                  uint64_t timeout_ms);
void verify_gone(struct qn_core *core, uint64_t request);
/* request_trash.c */
void sweep_gone(struct qn_core *core, uint64_t request);
void sweeps_free(struct qn_core *core);
void sweep_outcome(struct qn_core *core, const struct pending *pending,
                   const struct qn_outcome *outcome);
void verify_tick(struct qn_core *core);
bool verify_wants(const struct qn_core *core, const struct qn_site_id *site); /* a connection */
void verify_heard_state(struct qn_core *core, struct peer *peer, const struct qn_coll_id *coll,
                        const uint8_t *hash, const uint8_t *root, bool is_late);
void verify_heard_fp(struct qn_core *core, struct peer *peer, const struct qn_coll_id *coll,
                     uint64_t level, uint64_t prefix, struct qn_span sums);
void verify_heard_keys(struct qn_core *core, struct peer *peer, const struct qn_coll_id *coll,
                       uint64_t bucket, struct qn_span keys);
void verify_asked(struct qn_core *core, struct peer *peer, struct share *share,
                  enum qn_read_kind kind, unsigned level, uint8_t prefix, uint16_t bucket);
void verify_read_done(struct qn_core *core, const struct pending *pending,
                      const struct qn_read_result *result);
void verify_free(struct verify *verify);
