/* A core rig whose site 0 owns a vault that is made up, and whose peer, site 1, keeps copies of it:
 * a holder written after docs/protocol.md 10, who can lie. What the core asks for is carried out a
 * unit at a time (a frame, a read, a transaction, a piece of file work), so that a test can cut the
 * connection after any of them. No Criterion. */
#pragma once

#include "core/offsite_impl.h"
#include "support/core_rig.h"

#define OFFSITE_PACKS_MAX 160
#define OFFSITE_SNAPS_MAX 16

struct own_pack { /* in the made-up vault */
    struct qn_digest name;
    struct qn_buf bytes;
    bool is_gone, is_rotten;
    unsigned busy_reads; /* so many reads fail with QN_ERR_BUSY */
};

struct own_snapshot {
    struct qn_digest name;
    struct qn_buf sealed, live;
};

struct held_part { /* at the holder */
    struct qn_digest name;
    struct qn_buf bytes;
    uint64_t size;
    bool is_whole, is_rotten;
};

struct held_list_row {
    struct qn_digest id, snapshot;
    struct qn_buf names;
    bool is_forgotten;
};

/* What the holder does otherwise than it should. */
struct holder_lies {
    uint64_t offer;     /* this code for every offer; 0: none */
    size_t offers_good; /* for the first so many packs after all */
    bool equal;         /* its sums are always equal */
    bool refuses;       /* VAULT_REFUSED */
    bool endless_names; /* new names for ever */
    bool foreign_offer; /* answers about a pack that was not offered */
    bool early_whole;   /* acknowledges a pack as a whole at its first piece */
    bool foreign_ack;   /* acknowledges one that was not sent */
    bool too_far;       /* acknowledges more than was sent */
    bool wrong_proof;
    bool silent_proof;
    uint64_t busy_ms;      /* to each challenge: again after so long */
    const char *list_code; /* to each list */
    bool no_base;          /* does not know any base */
    bool is_mad;           /* says things besides: what does not fit then is passed over */
    bool refuses_key;      /* does not keep it */
    bool foreign_forgot;   /* answers about a list that it was not asked to forget */
};

struct offsite_rig {
    struct rig rig;
    struct own_pack packs[OFFSITE_PACKS_MAX];
    size_t pack_count;
    struct own_snapshot snaps[OFFSITE_SNAPS_MAX];
    size_t snap_count, sealed_size; /* snapshots are at least that long */
    QN_VEC(struct held_part) parts;
    QN_VEC(struct held_list_row) lists;
    struct holder_lies lies;
    uint64_t key_epoch;
    struct qn_buf list; /* pieces of the list that arrives */
    size_t list_bytes;  /* of all pieces that ever came */
    size_t put_bytes;   /* of packs that ever came */
    size_t expect_count, proofs_asked, keys_heard;
    uint64_t expected_ms;
    uint64_t lag_ms; /* each unit takes so long */
    size_t units;    /* carried out */
    bool is_up;
    bool hears_first; /* also what is said on the first connection */
    size_t deaf;      /* so many of these messages are passed over there */
    enum qn_message deaf_to;
};

/* A group of two in which site 1 holds for site 0, and a plan that names it. */
void offsite_rig_init(struct offsite_rig *rig);
void offsite_rig_deinit(struct offsite_rig *rig);
/* The holder agrees to hold so many bytes from now on. */
void offsite_rig_accept(struct offsite_rig *rig, uint64_t quota);
/* A run of the plan stores so many new packs of that size and, with `has_snapshot`, a snapshot that
 * needs all packs that are not gone. */
void offsite_rig_backup(struct offsite_rig *rig, size_t count, size_t size, bool has_snapshot);
void offsite_rig_begin_run(struct offsite_rig *rig);
void offsite_rig_store(struct offsite_rig *rig, size_t count, size_t size);
void offsite_rig_snapshot(struct offsite_rig *rig);
void offsite_rig_end_run(struct offsite_rig *rig);
/* The last snapshot is forgotten by a prune. */
void offsite_rig_forget_first(struct offsite_rig *rig);
/* The second connection comes up, or is cut. */
void offsite_rig_up(struct offsite_rig *rig);
void offsite_rig_cut(struct offsite_rig *rig);
/* One unit; false: nothing is to do. */
bool offsite_rig_unit(struct offsite_rig *rig);
/* Units until nothing is to do, at most so many; whether it came to rest. Deadlines within `ms` of
 * the last unit are waited for. */
bool offsite_rig_run(struct offsite_rig *rig, size_t units_max, uint64_t ms);
/* From the book. */
struct qn_copy offsite_rig_copy(struct offsite_rig *rig);
struct qn_proof offsite_rig_proof(struct offsite_rig *rig);
bool offsite_rig_is_complete(struct offsite_rig *rig, size_t snapshot);
/* Whether every pack that is not gone here is there. */
bool offsite_rig_has_all(struct offsite_rig *rig);
bool offsite_rig_holds(struct offsite_rig *rig, const struct qn_digest *name);
/* Sends a frame as the holder, on the second connection or, without one, on the first; the bytes
 * are taken. */
void offsite_rig_say(struct offsite_rig *rig, struct qn_buf *take_bytes);
/* A frame of the owner arrives at the holder. */
void offsite_holder_hear(struct offsite_rig *rig, struct qn_span frame);
struct offsite *offsite_rig_state(struct offsite_rig *rig);
