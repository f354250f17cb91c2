/* The intents of scrubs and repairs. */
#include "base/limits.h"
#include "model/intents.h"
#include "model/repair.h"
#include "model/scrub.h"
#include "proto/pack.h"

#define ITEM_PARTS 4

static enum qn_err read_coll(struct qn_cursor *cursor, size_t parts, struct qn_coll_id *ret_id)
{
    QN_TRY(qn_intent_array(cursor, parts));
    return qn_cursor_bytes(cursor, ret_id->bytes, sizeof(ret_id->bytes));
}

static enum qn_err read_item(struct qn_cursor *cursor, struct qn_repair_item *item)
{
    uint64_t how;
    QN_TRY(qn_cursor_str(cursor, QN_KEY_SIZE_MAX, &item->key));
    QN_TRY(qn_cursor_u64(cursor, &how));
    if (item->key.size == 0 || how < QN_REPAIR_TAKE || how > QN_REPAIR_ANEW_SEEN)
        return QN_ERR_INVALID;
    item->how = (enum qn_repair_how)how;
    QN_TRY(qn_cursor_bytes(cursor, item->site.bytes, sizeof(item->site.bytes)));
    return qn_record_copy_unpack(cursor, &item->copy);
}

static enum qn_err run_repair(struct qn_applier *applier, struct qn_cursor *cursor,
                              struct qn_outcome *outcome)
{
    struct qn_coll_id coll;
    struct qn_repair_item items[QN_COPIES_MAX] = {0};
    uint8_t clock[QN_ROOT_SIZE];
    size_t count;
    QN_TRY(read_coll(cursor, 3, &coll));
    QN_TRY(qn_cursor_bytes(cursor, clock, sizeof(clock)));
    QN_TRY(qn_cursor_array(cursor, ITEM_PARTS * QN_COPIES_MAX, &count));
    count /= ITEM_PARTS;
    enum qn_err err = QN_OK;
    for (size_t i = 0; i < count && err == QN_OK; i++)
        err = read_item(cursor, &items[i]);
    if (err == QN_OK)
        err = qn_replica_repair(applier->replica, &coll, clock, items, count, &outcome->changed);
    for (size_t i = 0; i < count; i++)
        qn_record_copy_deinit(&items[i].copy);
    return err;
}

/* The answer: whether that was all. */
static enum qn_err run_recount(struct qn_applier *applier, struct qn_cursor *cursor,
                               struct qn_outcome *outcome)
{
    struct qn_coll_id coll;
    struct qn_buf answer;
    uint64_t count_max;
    bool is_done;
    QN_TRY(read_coll(cursor, 2, &coll));
    QN_TRY(qn_cursor_u64(cursor, &count_max));
    QN_TRY(qn_replica_recount(applier->replica, &coll, count_max, &is_done));
    qn_buf_init(&answer, 8);
    qn_pack_array(&answer, 1);
    qn_pack_bool(&answer, is_done);
    outcome->answer = qn_buf_take(&answer, &outcome->answer_size);
    return QN_OK;
}

/* changed: whether it is to be counted anew. */
static enum qn_err run_mend(struct qn_applier *applier, struct qn_cursor *cursor,
                            struct qn_outcome *outcome)
{
    struct qn_coll_id coll;
    size_t count;
    QN_TRY(read_coll(cursor, 2, &coll));
    QN_TRY(qn_cursor_array(cursor, 2 * (QN_FINDINGS_MAX + 4), &count));
    for (size_t i = 0; i < count; i += 2) {
        uint64_t finding;
        struct qn_span argument;
        QN_TRY(qn_cursor_u64(cursor, &finding));
        QN_TRY(qn_cursor_bin(cursor, QN_KEY_SIZE_MAX, &argument));
        QN_TRY(qn_replica_mend(applier->replica, &coll, (enum qn_finding)finding, argument));
        outcome->changed |= finding == QN_FINDING_SUMS;
    }
    return QN_OK;
}

enum qn_err qn_intent_run_integrity(struct qn_applier *applier, enum qn_intent_kind kind,
                                    struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    struct qn_coll_id coll;
    if (kind == QN_INTENT_REPAIR)
        return run_repair(applier, cursor, outcome);
    if (kind == QN_INTENT_MEND)
        return run_mend(applier, cursor, outcome);
    if (kind == QN_INTENT_RECOUNT)
        return run_recount(applier, cursor, outcome);
    QN_TRY(read_coll(cursor, 1, &coll));
    return qn_replica_scrubbed(applier->replica, &coll);
}
