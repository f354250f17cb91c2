/* Inside core: this site as holder of another's vault: it takes packs and lists, lends them for
 * reading, proves that they are there, and lets go of what nothing holds (docs/custody.md).
 */
#pragma once

#include "core/bulk.h"
#include "proto/cursor.h"

struct hold *hold_new(void);
void hold_free(struct hold *hold); /* accepts NULL */
void hold_up(struct qn_core *core, struct bulk *bulk);
void hold_down(struct qn_core *core, struct bulk *bulk);
/* The fields of a message that is this part's. An error ends the connection. */
enum qn_err QN_CHECKED hold_frame(struct qn_core *core, struct bulk *bulk, enum qn_message number,
                                  struct qn_cursor *fields);
void hold_outcome(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                  const struct qn_outcome *outcome);
void hold_read_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                    struct qn_read_result *result);
void hold_file_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                    struct qn_file_result *result);
/* What is due; says bulk_want when there is work for a connection, core_wake when it is due next.
 */
void hold_tick(struct qn_core *core, struct bulk *bulk);
/* Whether it waits for something on this connection, or has something to send. */
bool hold_is_busy(const struct qn_core *core, const struct bulk *bulk);
/* A read of kind QN_READ_HELD: arguments as hold_read.c says, in any read transaction. */
enum qn_err QN_CHECKED hold_read(struct qn_kv *kv, struct qn_span args, struct qn_buf *out);
/* Once per core, not per owner: the lock clock, sweeps and scrubs. */
void hold_tick_all(struct qn_core *core);

/* Once per core, not per owner (custodian.c): the lock clock, sweeps and scrubs; PENDING_CUSTODY.
 */
struct custodian;
struct custodian *custodian_new(void);
void custodian_free(struct custodian *custodian); /* accepts NULL */
/* Whether this site has to say what it holds before it withdraws. If so custodian_leave does: the
 * bodies (an array of binaries, taken) go behind the reports, in one commit that answers the
 * request. */
bool custodian_holds_anything(const struct qn_core *core);
void custodian_leave(struct qn_core *core, uint64_t request, struct qn_span name,
                     struct qn_buf *take_bodies);
/* Nobody waits for that answer any more. */
void custodian_request_gone(struct qn_core *core, uint64_t request);
/* The ledger moved: an agreement may be over. */
void custodian_ledger_changed(struct qn_core *core);
/* Somebody at this site has seen the alarms of what is held for that owner. */
void custodian_calm(struct qn_core *core, const struct qn_site_id *owner);
void custodian_outcome(struct qn_core *core, const struct pending *pending,
                       const struct qn_outcome *outcome);
void custodian_read_done(struct qn_core *core, const struct pending *pending,
                         const struct qn_read_result *result);
void custodian_file_done(struct qn_core *core, const struct pending *pending,
                         const struct qn_file_result *result);
