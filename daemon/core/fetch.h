/* Inside core: reading back from a holder, for requests of the driver (restore, repair, recovery).
 */
#pragma once

#include "core/bulk.h"
#include "proto/cursor.h"

struct fetch *fetch_new(void);
void fetch_free(struct fetch *fetch); /* accepts NULL */
void fetch_up(struct qn_core *core, struct bulk *bulk);
void fetch_down(struct qn_core *core, struct bulk *bulk);
/* The fields of a message that is this part's. An error ends the connection. */
enum qn_err QN_CHECKED fetch_frame(struct qn_core *core, struct bulk *bulk, enum qn_message number,
                                   struct qn_cursor *fields);
void fetch_outcome(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                   const struct qn_outcome *outcome);
void fetch_read_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                     struct qn_read_result *result);
void fetch_file_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                     struct qn_file_result *result);
/* What is due; says bulk_want when there is work for a connection, core_wake when it is due next.
 */
void fetch_tick(struct qn_core *core, struct bulk *bulk);
/* Whether it waits for something on this connection, or has something to send. */
bool fetch_is_busy(const struct qn_core *core, const struct bulk *bulk);
/* request_fetch.c: vault.fetch, vault.lists, vault.keys of docs/control.md. */
