/* Inside core: this site as owner: its packs and lists go to a holder, in the order in which they
 * were made, at the pace that the line bears (docs/protocol.md 10.3 to 10.7).
 */
#pragma once

#include "core/bulk.h"
#include "proto/cursor.h"

struct offsite *offsite_new(void);
void offsite_free(struct offsite *offsite); /* accepts NULL */
void offsite_up(struct qn_core *core, struct bulk *bulk);
void offsite_down(struct qn_core *core, struct bulk *bulk);
/* The fields of a message that is this part's. An error ends the connection. */
enum qn_err QN_CHECKED offsite_frame(struct qn_core *core, struct bulk *bulk,
                                     enum qn_message number, struct qn_cursor *fields);
void offsite_outcome(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                     const struct qn_outcome *outcome);
void offsite_read_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                       struct qn_read_result *result);
void offsite_file_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                       struct qn_file_result *result);
/* What is due; says bulk_want when there is work for a connection, core_wake when it is due next.
 */
void offsite_tick(struct qn_core *core, struct bulk *bulk);
/* Whether it waits for something on this connection, or has something to send. */
bool offsite_is_busy(const struct qn_core *core, const struct bulk *bulk);
/* Challenges that holder now, whatever the week says: `is_all` with all that it has, else with a
 * batch of it. Fine if it goes on already. */
void offsite_challenge(struct qn_core *core, struct bulk *bulk, bool is_all);
bool offsite_is_challenged(const struct bulk *bulk); /* that goes on */
enum challenge_result {
    CHALLENGE_NONE, /* it has nothing that could be proven */
    CHALLENGE_DONE,
    CHALLENGE_BUSY,    /* it does not read so much a day */
    CHALLENGE_LATE,    /* no answer in time, or none at all */
    CHALLENGE_OFFLINE, /* it cannot be reached */
};
struct challenged { /* the last one, or how far it is */
    enum challenge_result result;
    uint64_t packs, bytes, bad; /* that were compared; packs that are not as they should be */
};
void offsite_challenged(const struct bulk *bulk, struct challenged *ret_challenged);
/* On the first connection: what was said there may have been passed over. */
void offsite_in_doubt(struct qn_core *core, struct bulk *bulk);
/* A read of kind QN_READ_COPY: arguments as offsite_read.c says, in any read transaction. */
enum qn_err QN_CHECKED offsite_read(struct qn_kv *kv, struct qn_span args, struct qn_buf *out);
/* Packs or snapshots were made or went, or the ledger moved: look again. */
void offsite_touch(struct qn_core *core);
/* Own packs that could not be read were looked after; `some_are_whole`: and can be read now. */
void offsite_mended(struct qn_core *core, bool some_are_whole);
/* For alerts: it takes nothing more; packs that it lacks and that cannot be read here either. */
bool offsite_is_full(const struct bulk *bulk);
uint64_t offsite_bad_packs(const struct bulk *bulk);
/* What the holder lacks, less what it acknowledged of packs that are on their way. */
uint64_t offsite_bytes_left(const struct bulk *bulk);
