/* Inside model: the applier's state and what runs one intent. */
#pragma once

#include "model/applier.h"

struct qn_applier {
    struct qn_site_id site;
    const struct qn_signer *signer;
    struct qn_ledger *ledger;
    struct qn_replica *replica;
    struct qn_kv *kv; /* of the transaction, else NULL */
    uint64_t wall_ms;
    size_t ledger_start; /* entries at begin */
};

enum qn_err QN_CHECKED qn_intent_run(struct qn_applier *applier, const struct qn_intent *intent,
                                     struct qn_outcome *outcome);
/* The kinds of custody.h and of book.h. */
enum qn_err QN_CHECKED qn_intent_run_custody(struct qn_applier *applier, enum qn_intent_kind kind,
                                             struct qn_cursor *cursor, struct qn_outcome *outcome);
enum qn_err QN_CHECKED qn_intent_run_book(struct qn_applier *applier, enum qn_intent_kind kind,
                                          struct qn_cursor *cursor, struct qn_outcome *outcome);
