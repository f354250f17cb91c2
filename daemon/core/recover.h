/* Inside core: what a site that came back with its kit still lacks, and where it gets it from
 * (docs/recovery.md). It has its place in the group again; in this order come
 *
 *   KEY     the key of its vault, from a holder            recover_key.c
 *   VAULT   its snapshots and packs of kind META           recover_back.c
 *   STORE   plans, and operations that nobody else has     recover_back.c
 *
 * Nothing of it is stored as progress: each step looks at what is there and may be done again, so
 * that a crash anywhere costs the step.
 */
#pragma once

#include "core/backup.h"
#include "core/fetch.h"

#define RECOVER_AGAIN_MS 2000  /* a holder that could not be reached */
#define RECOVER_RETRY_MS 60000 /* one that gave nothing that helps; a step that failed */

void recovery_free(struct recovery *recovery);
void recover_tick(struct qn_core *core);
/* The holder of a name in its list, or NULL. */
struct recovery_holder *recover_holder(struct qn_core *core, const struct qn_site_id *site);

/* ---- recover_key.c ---- */
void recover_key_tick(struct qn_core *core);
/* What a holder answered: rows [[epoch, sealed], ...], or why there are none. */
void recover_heard_keys(struct qn_core *core, const struct qn_site_id *holder, enum qn_err err,
                        struct qn_span rows);

/* ---- recover_back.c ---- */
void recover_back_tick(struct qn_core *core);
/* The arguments of a RECALL. */
void recover_pack_recall(const struct qn_core *core, struct qn_buf *out);
void recover_heard_plan(struct qn_core *core, struct qn_span payload);
void recover_heard_ops(struct qn_core *core, struct qn_span payload);
void recover_heard_page(struct qn_core *core, struct qn_span payload);
/* Pages of this collection come from the copy. */
bool recover_brings_pages(const struct qn_core *core, const struct coll *coll);
void recover_job_ended(struct qn_core *core, const struct want *want, enum qn_err err,
                       struct qn_span payload);
void recover_outcome(struct qn_core *core, const struct pending *pending,
                     const struct qn_outcome *outcome);

/* Calls `alert` for each thing that is awaited. */
typedef void (*recover_alert)(void *context, const char *code, const char *object);
void recover_alerts(const struct qn_core *core, recover_alert alert, void *context);
