/* Inside model: the applier's state and what runs one intent. */
#pragma once

#include "model/applier.h"
#include "proto/cursor.h"

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
enum qn_err QN_CHECKED qn_intent_run_trim(struct qn_applier *applier, enum qn_intent_kind kind,
                                          struct qn_cursor *cursor, struct qn_outcome *outcome);
/* The kinds of custody.h and of book.h. */
enum qn_err QN_CHECKED qn_intent_run_custody(struct qn_applier *applier, enum qn_intent_kind kind,
                                             struct qn_cursor *cursor, struct qn_outcome *outcome);
enum qn_err QN_CHECKED qn_intent_run_book(struct qn_applier *applier, enum qn_intent_kind kind,
                                          struct qn_cursor *cursor, struct qn_outcome *outcome);
enum qn_err QN_CHECKED qn_intent_run_late(struct qn_applier *applier, enum qn_intent_kind kind,
                                          struct qn_cursor *cursor, struct qn_outcome *outcome);
/* Those of scrub.h and repair.h. */
enum qn_err QN_CHECKED qn_intent_run_integrity(struct qn_applier *applier, enum qn_intent_kind kind,
                                               struct qn_cursor *cursor,
                                               struct qn_outcome *outcome);
enum qn_err QN_CHECKED qn_intent_run_local(struct qn_applier *applier, struct qn_cursor *cursor);
enum qn_err QN_CHECKED qn_intent_run_trail(struct qn_applier *applier, struct qn_cursor *cursor,
                                           struct qn_outcome *outcome);

/* Reading a payload: what more than one file of intents needs. */
static inline enum qn_err QN_CHECKED qn_intent_array(struct qn_cursor *cursor, size_t count)
{
    size_t found;
    QN_TRY(qn_cursor_array(cursor, count, &found));
    return found == count ? QN_OK : QN_ERR_INVALID;
}

static inline enum qn_err QN_CHECKED qn_intent_digest(struct qn_cursor *cursor,
                                                      struct qn_digest *ret_digest)
{
    return qn_cursor_bytes(cursor, ret_digest->bytes, sizeof(ret_digest->bytes));
}

static inline enum qn_err QN_CHECKED qn_intent_u32(struct qn_cursor *cursor, uint32_t *ret_value)
{
    uint64_t value;
    QN_TRY(qn_cursor_u64(cursor, &value));
    if (value > UINT32_MAX)
        return QN_ERR_INVALID;
    *ret_value = (uint32_t)value;
    return QN_OK;
}
