/* The deterministic fold: from the set of entries to the state of the group (docs/ledger.md). Pure:
 * equal sets give equal states, whatever the order of addition. */
#pragma once

#include "model/ledger.h"

/* Fills a zeroed group from a ledger that is not empty. */
void qn_ledger_fold(const struct qn_ledger *ledger, struct qn_group *ret_group);
/* Frees what the group owns and zeroes it. */
void qn_group_clear(struct qn_group *group);
