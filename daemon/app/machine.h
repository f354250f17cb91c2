/* Whether this machine is still the one that wrote the store (RECORDS 1.5, "restored machine"): a
 * reboot, a copy or an old image all mean that the next write is made by a new incarnation. */
#pragma once

#include "os/os.h"
#include "store/store.h"

/* Compares what the store and the runtime folder say, and stores this machine's guard. Before
 * qn_store_start. The watermark may come back NULL: no runtime folder; then every start counts as a
 * restore. A new store is no restore. */
enum qn_err QN_CHECKED qn_machine_check(const char *state_dir, struct qn_store *store,
                                        struct qn_os_watermark **ret_watermark,
                                        bool *ret_is_restored);
/* Marks the store: a new incarnation before the next write. Before qn_store_start. */
enum qn_err QN_CHECKED qn_machine_renew(struct qn_store *store, const struct qn_site_id *site,
                                        const struct qn_signer *signer);
