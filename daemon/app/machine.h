/* Whether this machine is still the one that wrote the store (RECORDS 1.5, "restored machine"): a
 * reboot, a copy or an old image all mean that the next write is made by a new incarnation.
 *
 * Invariant: this machine's guard is stored in the same transaction as the mark that a new
 * incarnation is needed and the doubt (model/doubt.h), so that a crash in between forgets none of
 * them. Before qn_store_start.
 */
#pragma once

#include "os/os.h"
#include "store/store.h"

struct qn_machine {
    uint8_t guard[32];
    bool is_known;                     /* the store has this guard */
    bool is_restored;                  /* a new store is no restore */
    struct qn_os_watermark *watermark; /* NULL: no runtime folder; owned by the caller */
};

/* Compares what the store and the runtime folder say. Without a runtime folder every start counts
 * as a restore. */
enum qn_err QN_CHECKED qn_machine_check(const char *state_dir, struct qn_store *store,
                                        struct qn_machine *ret_machine);
/* Stores the guard and, if it was restored, the mark; raises the watermark. */
enum qn_err QN_CHECKED qn_machine_take(struct qn_machine *machine, struct qn_store *store,
                                       const struct qn_site_id *site,
                                       const struct qn_signer *signer);
