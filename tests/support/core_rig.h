/* A core of site 0 whose only peer, site 1, is played by the test: frames go in by hand, effects
 * are collected. Nothing happens by itself: reads are carried out by rig_read_all, intents by
 * rig_commit, so that a test decides what is late and what fails. No Criterion. */
#pragma once

#include "core/core.h"
#include "proto/message.h"
#include "proto/pack.h"
#include "support/ledger_world.h"
#include "support/memkv.h"

#define RIG_LINK     7
#define RIG_BULK     9
#define RIG_EXPORTER 0x5a

struct rig {
    struct world world;
    struct memkv *disk;
    struct qn_applier *applier;
    struct qn_core *core;
    struct qn_update update;
    uint64_t now_ms;
    int64_t wall_ahead_ms; /* somebody set this site's wall clock */
    struct qn_digest boot; /* of the next rig_start */
    uint64_t disk_bytes;
    const struct qn_signer *recovery; /* of the next rig_start: it is recovered; and has no key */
    const uint8_t *kit_seed;
    /* the effects since the last rig_forget */
    QN_VEC(struct qn_buf) frames;      /* sent on RIG_LINK and RIG_BULK; oldest first */
    QN_VEC(struct qn_buf) bulk_frames; /* those of bulk, on either, once more */
    QN_VEC(struct qn_read *) reads;
    QN_VEC(struct qn_intent *) intents;
    QN_VEC(struct qn_file_work *) files;
    bool has_closed;      /* RIG_LINK */
    bool has_closed_bulk; /* RIG_BULK */
    bool has_dialled_bulk;
    const char *note;                /* the first code */
    size_t keys;                     /* VAULT_KEY */
    size_t key_size;                 /* of the last one */
    size_t recovered;                /* RECOVERED */
    size_t unpins;                   /* UNPIN */
    size_t called;                   /* CALLED, */
    struct qn_public_key called_key; /* by that one */
    const char *code;                /* of the last refused request */
    size_t replies;                  /* requests that were answered or refused */
    struct qn_buf end;               /* what the last answer carried */
    struct qn_job *job;              /* the last one that was started; owned */
};

/* A group of both sites that share the collections 1 to `colls`, in site 0's store. */
void rig_init(struct rig *rig, uint8_t colls);
void rig_deinit(struct rig *rig);
/* Loads the core and starts it; again: as after a restart of the daemon. */
void rig_start(struct rig *rig);
/* The peer's link comes up, and its HELLO says the ledger that both have. */
void rig_link(struct rig *rig);
/* Somebody with that key comes as a guest, on RIG_LINK; each byte of the exporter is RIG_EXPORTER.
 */
void rig_guest(struct rig *rig, const struct qn_signer *key);
/* Before rig_start: the ledger says that site 1 keeps copies for site 0. */
void rig_agree(struct rig *rig);

/* The second connection of the peer comes up (again), and both say hello. */
void rig_bulk(struct rig *rig);
void rig_bulk_down(struct rig *rig);
/* As rig_frame, on it. */
void rig_bulk_frame(struct rig *rig, struct qn_buf *take_bytes);
/* The result of file work; what it owns is released. */
void rig_file(struct rig *rig, struct qn_file_result *result);

void rig_step(struct rig *rig, struct qn_event event);
/* A tick `ms` later. */
void rig_wait(struct rig *rig, uint64_t ms);
void rig_message(struct qn_buf *ret_out, enum qn_message number, size_t field_count);
/* Takes the bytes and gives them to the core as a frame of the peer. */
void rig_frame(struct rig *rig, struct qn_buf *take_bytes);
/* A request without arguments but these. */
void rig_request(struct rig *rig, const char *command, const struct qn_buf *args);

/* Carries out the reads that wait, and those that follow from them; with an error: not at all. */
void rig_read_all(struct rig *rig, enum qn_err err);
/* Runs the intents that wait in one transaction and tells the core. */
void rig_commit(struct rig *rig);
/* The transaction fails with that error, and the core is told. */
void rig_fail_commit(struct rig *rig, enum qn_err err);
/* News of the last job; `payload` NULL: an empty map. */
void rig_job(struct rig *rig, enum qn_job_news news, enum qn_err err, const struct qn_buf *payload);
/* Writes a record of a collection, and commits. */
void rig_put(struct rig *rig, uint8_t coll, const char *key);
/* Runs one intent, taken, without telling the core. */
void rig_write(struct rig *rig, struct qn_intent *take_intent);

size_t rig_count(const struct rig *rig, enum qn_message number); /* of frames sent */
void rig_forget(struct rig *rig);
