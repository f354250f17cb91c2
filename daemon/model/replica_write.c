/* Local writes (RECORDS 1.2, `local write`; 1.5 for what trash and restore mean). */
#include "base/limits.h"
#include "base/text.h"
#include "model/bugs.h"
#include "model/hashing.h"
#include "model/replica_impl.h"
#include "model/value.h"
#include "proto/pack.h"

static bool is_text(struct qn_span text, size_t size_max)
{
    return text.size >= 1 && text.size <= size_max && qn_text_is_utf8(text);
}

static bool is_reserved(struct qn_span name)
{
    return qn_span_eq_str(name, QN_FIELD_TRASH);
}

/* --- what may be asked for --- */

static enum qn_err check_fields(const struct qn_write *write)
{
    if (write->field_count == 0)
        return QN_ERR_INVALID;
    if (write->field_count > QN_OP_FIELDS_MAX)
        return QN_ERR_LIMIT;
    size_t size = write->key.size + write->user.size;
    for (size_t i = 0; i < write->field_count; i++) {
        const struct qn_op_set *field = &write->fields[i];
        size += field->field.size + field->value.size;
        if (field->field.size > QN_FIELD_SIZE_MAX || size > QN_OP_SIZE_MAX - 1024)
            return QN_ERR_LIMIT;
        if (!is_text(field->field, QN_FIELD_SIZE_MAX))
            return QN_ERR_INVALID;
        if (is_reserved(field->field))
            return QN_ERR_DENIED;
        QN_TRY(qn_value_check(field->value));
    }
    return QN_OK;
}

enum qn_err qn_write_check(const struct qn_write *write)
{
    if (write->key.size > QN_KEY_SIZE_MAX || write->user.size > QN_USER_SIZE_MAX)
        return QN_ERR_LIMIT;
    if (!is_text(write->key, QN_KEY_SIZE_MAX))
        return QN_ERR_INVALID;
    if (write->user.size > 0 && !is_text(write->user, QN_USER_SIZE_MAX))
        return QN_ERR_INVALID;
    switch (write->kind) {
    case QN_OP_PUT:
        return check_fields(write);
    case QN_OP_TRASH:
    case QN_OP_RESTORE:
    case QN_OP_ERASE:
        return QN_OK;
    case QN_OP_REPAIR: /* not for users: 1.5 and 1.6 of RECORDS, a later issue */
        break;
    }
    return QN_ERR_INVALID;
}

/* --- what the operation sets and removes --- */

static void remove_field(struct qn_op *op, const struct qn_field *field)
{
    qn_vec_each (&field->pairs, pair)
        qn_vec_push(&op->removed, ((struct qn_op_removed){field->name, pair->dot}));
}

static void remove_named(struct qn_op *op, const struct qn_record *record, struct qn_span name)
{
    const struct qn_field *field = qn_record_field(record, name);
    if (field != NULL)
        remove_field(op, field);
}

static void remove_all(struct qn_op *op, const struct qn_record *record)
{
    qn_vec_each (&record->fields, field)
        remove_field(op, field);
}

static bool is_same(const struct qn_record *record, const struct qn_op_set *set)
{
    const struct qn_field *field = qn_record_field(record, set->field);
    return field != NULL && !qn_field_has_conflict(field) &&
           qn_span_eq(field->pairs.items[0].value, set->value);
}

static void plan_put(struct qn_replica *replica, const struct qn_write *write, struct qn_op *op)
{
    const struct qn_record *record = &replica->record;
    enum qn_record_state state = replica->record_head.state;
    bool is_plain = state == QN_RECORD_LIVE || state == QN_RECORD_NONE;
    for (size_t i = 0; i < write->field_count; i++) {
        if (is_plain && is_same(record, &write->fields[i]))
            continue;
        qn_vec_push(&op->set, write->fields[i]);
        if (state != QN_RECORD_TRASHED)
            remove_named(op, record, write->fields[i].field);
    }
    if (state == QN_RECORD_TRASHED)
        remove_all(op, record);
    else if (state == QN_RECORD_CONTESTED)
        remove_named(op, record, qn_span_str(QN_FIELD_TRASH));
}

static enum qn_err plan_trash(struct qn_replica *replica, struct qn_op *op, struct qn_buf *value)
{
    uint8_t hash[QN_STATE_HASH_SIZE];
    enum qn_record_state state = replica->record_head.state;
    if (state != QN_RECORD_LIVE && state != QN_RECORD_CONTESTED)
        return QN_ERR_NOTFOUND;
    QN_AUTO_BUF struct qn_buf hex;
    qn_buf_init(&hex, 2 * QN_STATE_HASH_SIZE);
    qn_hash_record(replica->hasher, &replica->record, true, hash);
    qn_text_append_hex(&hex, QN_SPAN_OF(hash));
    qn_pack_str(value, qn_buf_view(&hex));
    struct qn_span name = qn_span_str(QN_FIELD_TRASH);
    qn_vec_push(&op->set, ((struct qn_op_set){name, qn_buf_view(value)}));
    remove_named(op, &replica->record, name);
    return QN_OK;
}

static enum qn_err plan_restore(struct qn_replica *replica, struct qn_op *op)
{
    enum qn_record_state state = replica->record_head.state;
    if (state != QN_RECORD_TRASHED && state != QN_RECORD_CONTESTED)
        return QN_ERR_NOTFOUND;
    remove_named(op, &replica->record, qn_span_str(QN_FIELD_TRASH));
    return QN_OK;
}

static enum qn_err plan(struct qn_replica *replica, const struct qn_write *write, struct qn_op *op,
                        struct qn_buf *value)
{
    switch (write->kind) {
    case QN_OP_PUT:
        plan_put(replica, write, op);
        return QN_OK;
    case QN_OP_TRASH:
        return plan_trash(replica, op, value);
    case QN_OP_RESTORE:
        return plan_restore(replica, op);
    case QN_OP_ERASE:
        if (replica->record_head.state == QN_RECORD_NONE)
            return QN_ERR_NOTFOUND;
        remove_all(op, &replica->record);
        return QN_OK;
    case QN_OP_REPAIR:
        break;
    }
    return QN_ERR_INVALID;
}

/* The store is asked in the transaction of the write: nobody can come between. */
static enum qn_err check_expected(const struct qn_replica *replica, const struct qn_write *write)
{
    uint8_t hash[QN_STATE_HASH_SIZE];
    bool is_shown = qn_record_is_live(replica->record_head.state);
    if (write->must_be_new)
        return is_shown ? QN_ERR_EXISTS : QN_OK;
    if (write->must_be == NULL)
        return QN_OK;
    qn_hash_record(replica->hasher, &replica->record, false, hash);
    return is_shown && memcmp(hash, write->must_be, sizeof(hash)) == 0 ? QN_OK : QN_ERR_EXISTS;
}

/* --- who writes --- */

static bool needs_actor(const struct qn_replica *replica)
{
    return !replica->has_self || (replica->must_renew && !QN_BUG(QN_BUG_DOT_REUSE));
}

/* An incarnation that was never used, here or by whoever this machine is a copy of. */
static enum qn_err draw_actor(struct qn_replica *replica, struct qn_actor *ret_actor)
{
    uint32_t number;
    enum qn_err err;
    do {
        qn_actor_make(&replica->options.site, qn_prng_next(&replica->entropy), ret_actor);
        err = qn_dict_find_actor(&replica->dict, ret_actor, &number);
    } while (err == QN_OK);
    return qn_may_miss(err);
}

static enum qn_err become(struct qn_replica *replica, const struct qn_actor *actor)
{
    replica->self = *actor;
    replica->has_self = true;
    replica->must_renew = false;
    return qn_replica_save_self(replica);
}

static void set_unsealed(struct qn_coll_state *coll, const struct qn_dot *dot,
                         const struct qn_digest *hash)
{
    qn_vec_each (&coll->unsealed, unsealed) {
        if (qn_actor_cmp(&unsealed->last.actor, &dot->actor) == 0) {
            *unsealed = (struct qn_unsealed){*dot, *hash};
            return;
        }
    }
    qn_vec_push(&coll->unsealed, ((struct qn_unsealed){*dot, *hash}));
}

/* --- doing it --- */

static enum qn_err commit_op(struct qn_replica *replica, struct qn_coll_state *coll,
                             const struct qn_op *op)
{
    struct qn_digest before, hash;
    uint32_t actor;
    struct qn_span bytes = qn_buf_view(&replica->op_bytes);
    if (needs_actor(replica))
        QN_TRY(become(replica, &op->dot.actor));
    QN_TRY(qn_replica_chain_head(replica, coll, &op->dot.actor, &before));
    qn_hash_chain(replica->hasher, &before, bytes, &hash);
    QN_TRY(qn_replica_merge(replica, coll, op, bytes));
    set_unsealed(coll, &op->dot, &hash);
    replica->hlc = op->hlc > replica->hlc ? op->hlc : replica->hlc;
    replica->is_hlc_changed = true;
    QN_TRY(qn_dict_number_actor(&replica->dict, &op->dot.actor, &actor));
    QN_TRY(qn_counter_put(replica->kv, QN_TABLE_CC, coll->row.number, actor, op->dot.ctr));
    return qn_coll_row_put(replica->kv, &coll->id, &coll->row);
}

static bool sets_twice(const struct qn_op *op)
{
    for (size_t i = 1; i < op->set.count; i++)
        if (qn_span_eq(op->set.items[i - 1].field, op->set.items[i].field))
            return true;
    return false;
}

/* Gives the operation its dot and its bytes; nothing is written yet. */
static enum qn_err pack(struct qn_replica *replica, const struct qn_coll_state *coll,
                        struct qn_op *op, qn_hlc hlc)
{
    op->dot.actor = replica->self;
    if (needs_actor(replica))
        QN_TRY(draw_actor(replica, &op->dot.actor));
    op->dot.ctr = qn_vv_get(&coll->cc, &op->dot.actor) + 1;
    op->hlc = hlc != 0 ? hlc : qn_hlc_next(replica->hlc, replica->wall_ms);
    if (op->removed.count > QN_OP_REMOVED_MAX)
        return QN_ERR_LIMIT;
    qn_buf_reset(&replica->op_bytes);
    QN_TRY(qn_op_pack(op, &replica->op_bytes));
    return sets_twice(op) ? QN_ERR_INVALID : QN_OK;
}

enum qn_err qn_replica_write_op(struct qn_replica *replica, struct qn_coll_state *coll, qn_hlc hlc)
{
    QN_TRY(pack(replica, coll, &replica->op, hlc));
    return qn_replica_fault(commit_op(replica, coll, &replica->op));
}

enum qn_err qn_replica_commit_repair(struct qn_replica *replica, struct qn_coll_state *coll)
{
    replica->op.kind = QN_OP_REPAIR;
    return qn_replica_write_op(replica, coll, 0);
}

/* On a late site a write may remove what cc does not cover: if the operation said so, everybody
 * would have to hold it, and for ever if that turns out to be lost. */
static void defer(struct qn_replica *replica, const struct qn_coll_state *coll)
{
    struct qn_op *op = &replica->op;
    size_t kept = 0;
    replica->deferred.count = 0;
    if (!coll->row.is_late)
        return;
    qn_vec_each (&op->removed, removed) {
        if (qn_vv_has(&coll->cc, &removed->dot))
            op->removed.items[kept++] = *removed;
        else
            qn_vec_push(&replica->deferred, *removed);
    }
    op->removed.count = kept;
}

/* An operation of these kinds that removes nothing is none (op.h). */
static void be_fitting(struct qn_op *op)
{
    bool must_remove = op->kind == QN_OP_RESTORE || op->kind == QN_OP_ERASE;
    if (must_remove && op->removed.count == 0)
        op->kind = QN_OP_REPAIR;
}

enum qn_err qn_replica_write(struct qn_replica *replica, const struct qn_write *write,
                             struct qn_write_result *ret_result)
{
    struct qn_coll_state *coll;
    QN_AUTO_BUF struct qn_buf value;
    qn_buf_init(&value, 64);
    QN_TRY(qn_write_check(write));
    QN_TRY(qn_replica_coll(replica, &write->coll, &coll));
    QN_TRY(qn_replica_load(replica, coll, write->key));
    if (replica->is_aside && !write->is_one_of_many)
        return QN_ERR_DAMAGED;
    QN_TRY(check_expected(replica, write));
    struct qn_op *op = &replica->op;
    op->kind = write->kind;
    op->key = write->key;
    op->user = write->user;
    op->set.count = op->removed.count = 0;
    QN_TRY(plan(replica, write, op, &value));
    struct qn_write_result result = {0};
    if (op->set.count > 0 || op->removed.count > 0) {
        defer(replica, coll);
        be_fitting(op);
        enum qn_err err = qn_replica_write_op(replica, coll, 0);
        replica->deferred.count = 0;
        QN_TRY(err);
        result = (struct qn_write_result){.is_changed = true, .dot = op->dot, .hlc = op->hlc};
    }
    *ret_result = result;
    return QN_OK;
}
