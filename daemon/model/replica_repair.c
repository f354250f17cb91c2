/* Taking copies of records from other sites (RECORDS 1.6). Replicas of an equal clock have equal
 * records, so a copy that was read at the clock that this replica has now is what it should have.
 */
#include "model/bugs.h"
#include "model/hashing.h"
#include "model/history.h"
#include "model/op_read.h"
#include "model/repair_impl.h"

/* ---- what may be taken ---- */

enum qn_err qn_repair_fits_log(const struct repair *repair, struct qn_span field,
                               const struct qn_pair *pair)
{
    struct qn_replica *replica = repair->replica;
    struct qn_op *op = &replica->op;
    struct qn_key at;
    struct qn_span value;
    uint32_t actor, coll = repair->coll->row.number;
    QN_TRY(qn_must_exist(qn_dict_find_actor(&replica->dict, &pair->dot.actor, &actor)));
    enum qn_err err =
        qn_kv_get(replica->kv, QN_TABLE_LOG, qn_key_dot(&at, coll, actor, pair->dot.ctr), &value);
    if (err != QN_OK)
        return qn_may_miss(err);
    if (value.size <= 8 || qn_op_read(qn_span_from(value, 8), &pair->dot.actor, op) != QN_OK)
        return QN_OK; /* damaged itself: the scrub finds it */
    if (op->dot.ctr != pair->dot.ctr || !qn_span_eq(op->key, repair->item->key))
        return QN_ERR_INVALID;
    qn_vec_each (&op->set, set)
        if (qn_span_eq(set->field, field) && qn_span_eq(set->value, pair->value))
            return QN_OK;
    return QN_ERR_INVALID;
}

static bool is_anew(const struct qn_repair_item *item)
{
    return item->how == QN_REPAIR_ANEW || item->how == QN_REPAIR_ANEW_SEEN;
}

static enum qn_err check_copy(const struct repair *repair)
{
    const struct qn_record_copy *copy = &repair->item->copy;
    if (copy->kind != QN_COPY_RECORD && copy->kind != QN_COPY_NONE)
        return QN_ERR_INVALID;
    if (is_anew(repair->item))
        return QN_OK; /* what is not known here is left out */
    qn_vec_each (&copy->record.fields, field)
        qn_vec_each (&field->pairs, pair) {
            if (!qn_vv_has(&repair->coll->cc, &pair->dot))
                return QN_ERR_INVALID;
            if (repair->item->how == QN_REPAIR_TAKE)
                QN_TRY(qn_repair_fits_log(repair, field->name, pair));
        }
    return QN_OK;
}

/* ---- taking it ---- */

enum qn_err qn_repair_place(const struct repair *repair, struct qn_record *record)
{
    struct qn_replica *replica = repair->replica;
    struct qn_record before = replica->record;
    replica->record = *record;
    *record = before; /* goes with the item */
    return qn_replica_store(replica, repair->coll, repair->item->key);
}

static enum qn_err take(const struct repair *repair, struct qn_record *record)
{
    struct qn_coll_state *coll = repair->coll;
    QN_TRY(qn_repair_place(repair, record));
    QN_TRY(qn_aside_del(repair->replica->kv, coll->row.number, repair->item->key));
    QN_TRY(qn_aside_unkeep(repair->replica->kv, coll->row.number, repair->item->key));
    coll->damage.damaged -= coll->damage.damaged > 0;
    return qn_replica_incident(repair->replica, coll, QN_INCIDENT_REPAIRED, repair->item->key,
                               &repair->item->site);
}

/* What this site had and the majority has not is kept among the replaced values. */
static enum qn_err keep_dropped(const struct repair *repair)
{
    struct qn_replica *replica = repair->replica;
    const struct qn_record *theirs = &repair->item->copy.record;
    qn_vec_each (&replica->record.fields, field)
        qn_vec_each (&field->pairs, pair) {
            struct qn_op by = {.dot = pair->dot, .hlc = pair->hlc, .key = repair->item->key};
            const struct qn_field *in = qn_record_field(theirs, field->name);
            bool is_kept = false;
            for (size_t i = 0; in != NULL && i < in->pairs.count; i++)
                is_kept |= qn_dot_cmp(&in->pairs.items[i].dot, &pair->dot) == 0 &&
                           qn_span_eq(in->pairs.items[i].value, pair->value);
            if (!is_kept)
                QN_TRY(qn_history_add(&replica->dict, repair->coll->row.number, field->name, pair,
                                      &by));
        }
    return QN_OK;
}

static enum qn_err take_majority(const struct repair *repair, struct qn_record *record)
{
    QN_TRY(keep_dropped(repair));
    QN_TRY(qn_repair_place(repair, record));
    return qn_replica_incident(repair->replica, repair->coll, QN_INCIDENT_MAJORITY,
                               repair->item->key, &repair->item->site);
}

/* ---- an item ---- */

static bool is_equal_here(const struct repair *repair, const struct qn_record *record)
{
    struct qn_replica *replica = repair->replica;
    uint8_t hash[QN_STATE_HASH_SIZE];
    bool has_mine = replica->record_head.state != QN_RECORD_NONE;
    bool has_theirs = record->fields.count > 0;
    if (!has_mine || !has_theirs)
        return has_mine == has_theirs;
    qn_hash_record(replica->hasher, record, false, hash);
    return memcmp(hash, replica->record_head.hash, sizeof(hash)) == 0;
}

/* What its row was before it was damaged; nothing has happened to the record since. */
static enum qn_err take_same(const struct repair *repair, struct qn_record *record, size_t *changed)
{
    struct qn_replica *replica = repair->replica;
    uint8_t hash[QN_STATE_HASH_SIZE];
    struct qn_span wanted;
    QN_TRY(qn_aside_get(replica->kv, repair->coll->row.number, repair->item->key, &wanted));
    qn_hash_record(replica->hasher, record, false, hash);
    if (!qn_span_eq(wanted, QN_SPAN_OF(hash)))
        return QN_OK;
    ++*changed;
    return take(repair, record);
}

static enum qn_err repair_aside(const struct repair *repair, struct qn_record *record,
                                size_t *changed)
{
    if (repair->item->how == QN_REPAIR_SAME)
        return take_same(repair, record, changed);
    ++*changed;
    return take(repair, record);
}

static enum qn_err repair_item(const struct repair *repair, struct qn_record *record,
                               size_t *changed)
{
    enum qn_repair_how how = repair->item->how;
    QN_TRY(qn_replica_load(repair->replica, repair->coll, repair->item->key));
    if (repair->replica->is_aside)
        return repair_aside(repair, record, changed);
    if (how == QN_REPAIR_TAKE || how == QN_REPAIR_SAME || is_equal_here(repair, record))
        return QN_OK;
    ++*changed;
    return how == QN_REPAIR_MAJORITY ? take_majority(repair, record) : qn_repair_keep_both(repair);
}

/* Items of one key that are to be written anew are one work. */
static enum qn_err repair_anew(const struct repair *repair, const struct qn_repair_item *items,
                               size_t count, size_t *changed)
{
    QN_TRY(qn_replica_load(repair->replica, repair->coll, repair->item->key));
    if (!repair->replica->is_aside)
        return QN_OK;
    ++*changed;
    return qn_repair_give_up(repair, items, count);
}

static size_t count_anew(const struct qn_repair_item *items, size_t count)
{
    size_t same = 0;
    while (same < count && is_anew(&items[same]) && qn_span_eq(items[same].key, items[0].key))
        same++;
    return same;
}

static enum qn_err repair_all(struct repair *repair, struct qn_repair_item *items, size_t count,
                              size_t *changed)
{
    for (size_t i = 0, step; i < count; i += step) {
        size_t anew = count_anew(&items[i], count - i);
        step = anew > 0 ? anew : 1;
        repair->item = &items[i];
        QN_TRY(anew > 0 ? repair_anew(repair, &items[i], anew, changed)
                        : repair_item(repair, &items[i].copy.record, changed));
    }
    if (*changed > 0) { /* by no operation: who follows the changes would not see it */
        QN_TRY(qn_replica_break_log(repair->replica, repair->coll));
        QN_TRY(qn_coll_row_put(repair->replica->kv, &repair->coll->id, &repair->coll->row));
    }
    return QN_OK;
}

static bool needs_clock(const struct qn_repair_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].how != QN_REPAIR_SAME && !is_anew(&items[i]))
            return true;
    return false;
}

static bool has_clock(const struct qn_coll_state *coll, const uint8_t clock[QN_ROOT_SIZE])
{
    struct qn_digest now;
    qn_vv_digest(&coll->cc, &now);
    return memcmp(now.bytes, clock, QN_ROOT_SIZE) == 0 || QN_BUG(QN_BUG_COPY_UNEQUAL);
}

enum qn_err qn_replica_repair(struct qn_replica *replica, const struct qn_coll_id *coll,
                              const uint8_t clock[QN_ROOT_SIZE], struct qn_repair_item *items,
                              size_t count, size_t *ret_changed)
{
    struct repair repair = {.replica = replica};
    size_t changed = 0;
    QN_TRY(qn_replica_coll(replica, coll, &repair.coll));
    if (repair.coll->row.number == 0 || repair.coll->row.is_late ||
        (needs_clock(items, count) && !has_clock(repair.coll, clock)))
        return QN_ERR_HELD;
    for (size_t i = 0; i < count; i++) {
        repair.item = &items[i];
        QN_TRY(check_copy(&repair));
    }
    QN_TRY(qn_replica_fault(repair_all(&repair, items, count, &changed)));
    *ret_changed = changed;
    return QN_OK;
}
