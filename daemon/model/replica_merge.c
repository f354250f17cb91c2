/* Applying one operation to the store (RECORDS 1.2, `apply`). Here all checks are behind us. */
#include "base/limits.h"
#include "model/bugs.h"
#include "model/fingerprint.h"
#include "model/hashing.h"
#include "model/history.h"
#include "model/late_owed.h"
#include "model/replica_impl.h"

enum qn_err qn_replica_check_row(struct qn_hasher *hasher, struct qn_dict *dict, struct qn_span row,
                                 struct qn_row_head *ret_head, struct qn_record *ret_record)
{
    uint8_t hash[QN_STATE_HASH_SIZE];
    QN_TRY(qn_row_decode_head(row, ret_head));
    QN_TRY(qn_row_decode(dict, row, ret_record));
    qn_hash_record(hasher, ret_record, false, hash);
    if (memcmp(hash, ret_head->hash, sizeof(hash)) != 0 && !QN_BUG(QN_BUG_ROT_MERGED))
        return QN_ERR_CORRUPT;
    enum qn_record_state state = qn_hash_state(hasher, ret_record);
    bool has_conflict = qn_hash_has_conflict(state, ret_record);
    bool is_right = state == ret_head->state && has_conflict == ret_head->has_conflict;
    ret_head->state = state;
    ret_head->has_conflict = has_conflict;
    return is_right ? QN_OK : QN_ERR_CONFLICT;
}

/* A row that is not what was written is set aside: what it holds must not be merged into. */
static enum qn_err take_row(struct qn_replica *replica, struct qn_coll_state *coll,
                            struct qn_span key)
{
    enum qn_err err =
        qn_replica_check_row(replica->hasher, &replica->dict, qn_buf_view(&replica->row),
                             &replica->record_head, &replica->record);
    if (err == QN_ERR_CONFLICT)
        return qn_replica_uncounted(replica, coll);
    return err == QN_ERR_CORRUPT ? qn_replica_set_aside(replica, coll, key) : err;
}

static enum qn_err look_aside(struct qn_replica *replica, const struct qn_coll_state *coll,
                              struct qn_span key)
{
    struct qn_span hash;
    if (coll->damage.damaged == 0)
        return QN_OK;
    enum qn_err err = qn_aside_get(replica->kv, coll->row.number, key, &hash);
    replica->is_aside = err == QN_OK;
    return qn_may_miss(err);
}

enum qn_err qn_replica_load(struct qn_replica *replica, struct qn_coll_state *coll,
                            struct qn_span key)
{
    struct qn_key at;
    struct qn_span row;
    qn_record_deinit(&replica->record);
    replica->record_head = (struct qn_row_head){0};
    replica->is_aside = false;
    if (coll->row.number == 0)
        return QN_OK;
    enum qn_err err =
        qn_kv_get(replica->kv, QN_TABLE_REC, qn_key_record(&at, coll->row.number, key), &row);
    if (err == QN_ERR_NOTFOUND)
        return look_aside(replica, coll, key);
    QN_TRY(err);
    qn_buf_reset(&replica->row); /* a copy, because the next write ends what was borrowed */
    qn_buf_append_span(&replica->row, row);
    if (qn_buf_status(&replica->row) != QN_OK)
        return QN_ERR_CORRUPT;
    return take_row(replica, coll, key);
}

bool qn_replica_reflects(const struct qn_coll_state *coll, const struct qn_spot *at,
                         const struct qn_dot *dot)
{
    return qn_vv_has(&coll->cc, dot) || qn_segs_have(&coll->segs, at, dot);
}

/* --- the pairs of the record in hand --- */

static enum qn_err remove_pair(struct qn_replica *replica, const struct qn_coll_state *coll,
                               const struct qn_op *op, struct qn_span field,
                               const struct qn_dot *dot)
{
    const struct qn_pair *found = qn_record_pair(&replica->record, field, dot);
    if (found == NULL)
        return QN_OK; /* somebody else replaced it first */
    struct qn_pair pair = *found;
    qn_record_remove(&replica->record, field, &pair.dot);
    replica->is_changed = true;
    if (op->kind == QN_OP_ERASE)
        return QN_OK;
    return qn_history_add(&replica->dict, coll->row.number, field, &pair, op);
}

/* QN_BUG_REMOVE_ALL_FIELDS: backwards, since a field that becomes empty goes. */
static enum qn_err remove_everywhere(struct qn_replica *replica, const struct qn_coll_state *coll,
                                     const struct qn_op *op, const struct qn_dot *dot)
{
    for (size_t i = replica->record.fields.count; i > 0; i--)
        QN_TRY(remove_pair(replica, coll, op, replica->record.fields.items[i - 1].name, dot));
    return QN_OK;
}

/* QN_BUG_LAST_ARRIVAL_WINS. */
static void remove_concurrent(struct qn_replica *replica, struct qn_span field)
{
    const struct qn_field *found;
    while ((found = qn_record_field(&replica->record, field)) != NULL) {
        struct qn_dot dot = found->pairs.items[0].dot;
        qn_record_remove(&replica->record, field, &dot);
    }
}

/* What a page brought reflects the operation already, and a pair that it sets is not there: it was
 * removed by an operation that may yet turn out to be lost. */
static enum qn_err set_pair(struct qn_replica *replica, const struct qn_coll_state *coll,
                            const struct qn_op *op, const struct qn_op_set *set)
{
    struct qn_spot at = {QN_SPOT_PAIR, op->key, set->field, op->dot};
    if (qn_segs_have(&coll->segs, &at, &op->dot)) {
        bool is_stored = qn_record_pair(&replica->record, set->field, &op->dot) != NULL;
        return is_stored ? QN_OK : qn_owed_suspect(replica->kv, coll->row.number, &coll->segs, &at);
    }
    struct qn_pair pair = {.dot = op->dot, .hlc = op->hlc, .value = set->value, .user = op->user};
    if (QN_BUG(QN_BUG_LAST_ARRIVAL_WINS))
        remove_concurrent(replica, set->field);
    qn_record_add(&replica->record, set->field, &pair);
    replica->is_changed = true;
    return QN_OK;
}

/* An own write on a late site removes what its clock does not cover. */
static enum qn_err owe(struct qn_replica *replica, const struct qn_coll_state *coll,
                       const struct qn_op *op, const struct qn_op_removed *removed)
{
    struct qn_spot at = {QN_SPOT_PAIR, op->key, removed->field, removed->dot};
    QN_TRY(qn_owed_put(replica->kv, coll->row.number, &at, op->kind));
    return remove_pair(replica, coll, op, removed->field, &removed->dot);
}

static enum qn_err change_pairs(struct qn_replica *replica, const struct qn_coll_state *coll,
                                const struct qn_op *op)
{
    qn_vec_each (&op->removed, removed) {
        if (QN_BUG(QN_BUG_REMOVE_ALL_FIELDS))
            QN_TRY(remove_everywhere(replica, coll, op, &removed->dot));
        QN_TRY(remove_pair(replica, coll, op, removed->field, &removed->dot));
    }
    qn_vec_each (&replica->deferred, removed)
        QN_TRY(owe(replica, coll, op, removed));
    qn_vec_each (&op->set, set)
        QN_TRY(set_pair(replica, coll, op, set));
    return QN_OK;
}

/* --- what follows from a record: row, fingerprint, counters, indexes --- */

enum qn_err qn_replica_put_row(struct qn_replica *replica, const struct qn_coll_state *coll,
                               struct qn_span key, const struct qn_row_head *head)
{
    struct qn_key at;
    qn_key_record(&at, coll->row.number, key);
    bool was_stored = replica->record_head.state != QN_RECORD_NONE;
    if (head->state == QN_RECORD_NONE)
        return was_stored ? qn_must_exist(qn_kv_del(replica->kv, QN_TABLE_REC, qn_key_view(&at)))
                          : QN_OK;
    qn_buf_reset(&replica->encoded);
    QN_TRY(qn_row_encode(&replica->dict, head, &replica->record, &replica->encoded));
    return qn_kv_put(replica->kv, QN_TABLE_REC, qn_key_view(&at), qn_buf_view(&replica->encoded));
}

static enum qn_err put_fingerprint(struct qn_replica *replica, struct qn_coll_state *coll,
                                   struct qn_span key, const struct qn_row_head *after)
{
    struct qn_digest leaf_before = {0}, leaf_after = {0};
    const struct qn_row_head *before = &replica->record_head;
    bool was_stored = before->state != QN_RECORD_NONE, is_stored = after->state != QN_RECORD_NONE;
    if (was_stored)
        qn_hash_leaf(replica->hasher, &coll->id, key, before->hash, &leaf_before);
    if (is_stored)
        qn_hash_leaf(replica->hasher, &coll->id, key, after->hash, &leaf_after);
    qn_recount_change(replica, coll, key, before, &leaf_before, after, &leaf_after);
    return qn_fp_change(replica->kv, &coll->row, qn_hash_group(replica->hasher, key),
                        was_stored ? &leaf_before : NULL, is_stored ? &leaf_after : NULL);
}

static bool is_counted(struct qn_span key)
{
    return !qn_span_eq_str(key, QN_KEY_COLLECTION);
}

void qn_row_head_count(struct qn_coll_row *row, struct qn_span key,
                       const struct qn_row_head *before, const struct qn_row_head *after)
{
    row->conflicts = row->conflicts + after->has_conflict - before->has_conflict;
    if (!is_counted(key))
        return;
    row->live = row->live + qn_record_is_live(after->state) - qn_record_is_live(before->state);
    row->trashed =
        row->trashed + (after->state == QN_RECORD_TRASHED) - (before->state == QN_RECORD_TRASHED);
}

static enum qn_err index_conflict(struct qn_replica *replica, const struct qn_coll_state *coll,
                                  struct qn_span key, bool had_one, bool has_one)
{
    struct qn_key at;
    qn_key_record(&at, coll->row.number, key);
    if (has_one == had_one)
        return QN_OK;
    if (has_one)
        return qn_kv_put(replica->kv, QN_TABLE_CONF, qn_key_view(&at), qn_span("", 0));
    return qn_must_exist(qn_kv_del(replica->kv, QN_TABLE_CONF, qn_key_view(&at)));
}

/* The time in the index is when this site learned of it, if that is later: a site whose clock is
 * years behind must not have its trash erased everywhere at once. */
enum qn_err qn_replica_put_trash(struct qn_replica *replica, const struct qn_coll_state *coll,
                                 struct qn_span key)
{
    struct qn_key at;
    uint8_t value[9];
    const struct qn_field *trash = qn_record_field(&replica->record, qn_span_str(QN_FIELD_TRASH));
    const struct qn_pair *shown = qn_field_shown(trash);
    qn_hlc now = qn_hlc_next(0, replica->wall_ms);
    qn_write_u64(value, shown->hlc > now ? shown->hlc : now);
    value[8] = qn_actor_is_of(&shown->dot.actor, &replica->options.site);
    return qn_kv_put(replica->kv, QN_TABLE_TRASH, qn_key_record(&at, coll->row.number, key),
                     QN_SPAN_OF(value));
}

static enum qn_err index_trash(struct qn_replica *replica, const struct qn_coll_state *coll,
                               struct qn_span key, bool was_trashed, bool is_trashed)
{
    struct qn_key at;
    qn_key_record(&at, coll->row.number, key);
    if (!is_counted(key))
        return QN_OK;
    if (is_trashed)
        return qn_replica_put_trash(replica, coll, key);
    if (!was_trashed)
        return QN_OK;
    return qn_must_exist(qn_kv_del(replica->kv, QN_TABLE_TRASH, qn_key_view(&at)));
}

/* What is derived from records is counted anew where it does not fit: it is no reason to stop. */
static enum qn_err derived(struct qn_replica *replica, struct qn_coll_state *coll, enum qn_err err)
{
    return err == QN_ERR_CORRUPT ? qn_replica_uncounted(replica, coll) : err;
}

enum qn_err qn_replica_store(struct qn_replica *replica, struct qn_coll_state *coll,
                             struct qn_span key)
{
    struct qn_row_head after = {.state = qn_hash_state(replica->hasher, &replica->record)};
    const struct qn_row_head *before = &replica->record_head;
    after.has_conflict = qn_hash_has_conflict(after.state, &replica->record);
    if (after.state != QN_RECORD_NONE)
        qn_hash_record(replica->hasher, &replica->record, false, after.hash);
    QN_TRY(qn_replica_put_row(replica, coll, key, &after));
    QN_TRY(derived(replica, coll, put_fingerprint(replica, coll, key, &after)));
    QN_TRY(derived(replica, coll,
                   index_conflict(replica, coll, key, before->has_conflict, after.has_conflict)));
    QN_TRY(derived(replica, coll,
                   index_trash(replica, coll, key, before->state == QN_RECORD_TRASHED,
                               after.state == QN_RECORD_TRASHED)));
    qn_row_head_count(&coll->row, key, before, &after);
    replica->record_head = after;
    return QN_OK;
}

void qn_replica_touch(struct qn_replica *replica, const struct qn_coll_id *id)
{
    qn_vec_each (&replica->touched, touched)
        if (qn_coll_id_eq(touched, id))
            return;
    qn_vec_push(&replica->touched, *id);
}

enum qn_err qn_replica_merge(struct qn_replica *replica, struct qn_coll_state *coll,
                             const struct qn_op *op, struct qn_span op_bytes)
{
    QN_TRY(qn_replica_number_coll(replica, coll));
    QN_TRY(qn_replica_append_log(replica, coll, op, op_bytes));
    /* Of a record that is set aside only the operation is kept: its whole copy comes from a site
     * with an equal clock, and has what the operation did (replica_repair.c). */
    replica->is_changed = false;
    if (replica->is_aside)
        QN_TRY(qn_aside_outdate(replica->kv, coll->row.number, op->key));
    else
        QN_TRY(change_pairs(replica, coll, op));
    if (replica->is_changed)
        QN_TRY(qn_replica_store(replica, coll, op->key));
    if (op->kind == QN_OP_ERASE)
        QN_TRY(qn_history_purge(replica->kv, coll->row.number, op->key));
    qn_vv_raise(&coll->cc, &op->dot.actor, op->dot.ctr);
    qn_replica_touch(replica, &coll->id);
    return QN_OK;
}
