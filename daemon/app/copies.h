/* What the holders have of this site's vault, for threads that wait for it: a restore from a copy,
 * the repair of a pack, a recovery. A thread asks; the loop thread hands that to the core
 * (core/fetch.h) as a request and brings the answer back.
 *
 *   qn_copies ── asks       under way; QN_COPIES_OPEN_MAX at the core, the rest wait for their turn
 *   qn_copy_source          packs for the vault's engine, with a small cache (copy_source.c)
 *   qn_copy                 the copy at one site, opened as a vault of its own (copy_vault.c)
 *
 * Whatever comes is checked by who asked: packs by their names, chunks by their seals, snapshots by
 * both. Everything ends when the daemon stops, or when who asked is cancelled.
 */
#pragma once

#include <stdatomic.h>

#include "app/log.h"
#include "core/core.h"
#include "loop/loop.h"
#include "vault/vault.h"

#define QN_COPIES_OPEN_MAX 64                  /* requests at the core */
#define QN_COPIES_TOKEN    ((uint64_t)1 << 63) /* in the tokens of requests that are ours */

struct qn_copies;

/* ---- the loop thread ---- */
struct qn_copies *qn_copies_new(struct qn_loop *loop, struct qn_log *log);
/* Who is asked: the driver. Answers come by qn_copies_reply, maybe from inside of a call. */
struct qn_copies_core {
    void (*request)(void *context, uint64_t token, struct qn_span command, struct qn_span args);
    void (*gone)(void *context, uint64_t token);
    void *context;
};
void qn_copies_set_core(struct qn_copies *copies, const struct qn_copies_core *core);
/* Everything that waits ends with QN_ERR_CLOSED, and what is asked from now on too. */
void qn_copies_end(struct qn_copies *copies);
void qn_copies_free(struct qn_copies *copies); /* no thread asks any more; accepts NULL */
void qn_copies_reply(struct qn_copies *copies, uint64_t token, const struct qn_effect *reply);

/* ---- any thread ---- */
struct qn_copies_ask {
    const char *command; /* of docs/control.md, "vault." */
    struct qn_buf args;  /* owned; released with the ask */
    enum qn_err err;     /* of the answer */
    const char *code;    /* with an err of the core: docs/control.md 5, static text; else NULL */
    struct qn_buf data;  /* the map of the end; the caller releases it after wait */
    uint64_t token;      /* inside: 0 until the core has it */
    bool is_done;
};
/* `ask` stays where it is until wait returns; every ask that began is waited for. */
void qn_copies_begin(struct qn_copies *copies, struct qn_copies_ask *ask);
/* Gives the err of the answer. QN_ERR_CLOSED: the daemon ends, or `is_cancelled` (may be NULL). */
enum qn_err QN_CHECKED qn_copies_wait(struct qn_copies *copies, struct qn_copies_ask *ask,
                                      const atomic_bool *is_cancelled);
/* A note for the log (log.c), from any thread. */
void qn_copies_note(struct qn_copies *copies, const char *code, enum qn_err err,
                    const char *object);

/* ---- packs (copy_source.c): any thread ---- */

struct qn_copy_source;
/* Of one site, or of whichever holder has them (NULL). `is_cancelled` is borrowed, or NULL: then
 * qn_copy_source_stop says it. */
struct qn_copy_source *qn_copy_source_new(struct qn_copies *copies, const char *site,
                                          const atomic_bool *is_cancelled);
void qn_copy_source_free(struct qn_copy_source *source); /* accepts NULL */
/* Whoever waits for packs gets QN_ERR_CLOSED, now and until it is said otherwise. */
void qn_copy_source_stop(struct qn_copy_source *source, bool is_stopped);
struct qn_pack_source qn_copy_source_view(struct qn_copy_source *source); /* borrows it */
struct qn_copy_traffic {
    uint64_t requests, bytes, waits; /* asked; received; round trips that somebody waited for */
};
void qn_copy_source_traffic(struct qn_copy_source *source, struct qn_copy_traffic *ret_traffic);

/* ---- the copy at one site (copy_vault.c): one thread ---- */

struct qn_copy_vault;
struct qn_copy_vault_options {
    struct qn_copies *copies;
    const char *state_dir, *site;
    const uint8_t *master; /* as for the vault itself */
    uint32_t epoch;
    uint64_t map_size;
    const atomic_bool *is_cancelled;
};
/* Its index is kept in DIR/copies, so that the second time is faster; packs are not.
 * QN_ERR_BUSY: another reader has it open. */
enum qn_err QN_CHECKED qn_copy_vault_open(const struct qn_copy_vault_options *options,
                                          struct qn_copy_vault **ret_copy);
void qn_copy_vault_close(struct qn_copy_vault *copy); /* accepts NULL */
struct qn_vault *qn_copy_vault_of(struct qn_copy_vault *copy);
/* The snapshots that the site says to have and these keys open, of one plan (NULL: all), oldest
 * first, each once. */
enum qn_err QN_CHECKED qn_copy_vault_snapshots(struct qn_copy_vault *copy, const char *plan,
                                               qn_snapshot_vec *out);
/* Gets the list of one of them, and the directories of its packs: then the vault can read it. */
enum qn_err QN_CHECKED qn_copy_vault_adopt(struct qn_copy_vault *copy,
                                           const struct qn_snapshot_name *name);
/* Until when that site keeps a snapshot locked, as its wall clock will show it; 0: not known. */
uint64_t qn_copy_vault_locked_until(const struct qn_copy_vault *copy,
                                    const struct qn_snapshot_name *name);
/* Why the last call failed, if the core said so (docs/control.md 5, static text); else NULL. */
const char *qn_copy_vault_code(const struct qn_copy_vault *copy);
/* What was read did not fit together: nothing that was kept of this copy is believed next time. */
void qn_copy_vault_distrust(struct qn_copy_vault *copy);
void qn_copy_vault_traffic(struct qn_copy_vault *copy, struct qn_copy_traffic *ret_traffic);

/* ---- making this site's vault whole from a copy (copy_rebuild.c): a job's thread ---- */

struct qn_rebuild_counts {
    uint64_t snapshots, packs,
        bad; /* taken over; fetched; snapshots or packs that were not right */
};
/* The snapshots of `site` come into `vault`, whose source has that site's packs; packs of kind META
 * are fetched, with `wants_data` all. It can be stopped and begun again. */
enum qn_err QN_CHECKED qn_copies_rebuild(struct qn_copies *copies, const char *site,
                                         struct qn_vault *vault, bool wants_data,
                                         struct qn_vault_progress *progress,
                                         qn_vault_report on_report, void *context,
                                         struct qn_rebuild_counts *ret_counts);
