#include "model/op.h"

#include <stdlib.h>

#include "base/limits.h"
#include "model/op_read.h"
#include "model/record.h"
#include "model/value.h"
#include "proto/pack.h"

#define OP_PARTS 7

void qn_op_deinit(struct qn_op *op)
{
    qn_vec_free(&op->set);
    qn_vec_free(&op->removed);
}

static int set_cmp(const void *a, const void *b)
{
    const struct qn_op_set *left = a, *right = b;
    return qn_span_cmp(left->field, right->field);
}

static int removed_cmp(const void *a, const void *b)
{
    const struct qn_op_removed *left = a, *right = b;
    int order = qn_span_cmp(left->field, right->field);
    return order != 0 ? order : qn_dot_cmp(&left->dot, &right->dot);
}

static void sort(struct qn_op *op)
{
    if (op->set.count > 1)
        qsort(op->set.items, op->set.count, sizeof(*op->set.items), set_cmp);
    if (op->removed.count > 1)
        qsort(op->removed.items, op->removed.count, sizeof(*op->removed.items), removed_cmp);
}

static void pack_removed(const struct qn_op *op, struct qn_buf *out)
{
    qn_pack_array(out, 3 * op->removed.count);
    qn_vec_each (&op->removed, removed) {
        qn_pack_str(out, removed->field);
        if (qn_actor_cmp(&removed->dot.actor, &op->dot.actor) == 0)
            qn_pack_nil(out);
        else
            qn_pack_bin(out, QN_SPAN_OF(removed->dot.actor.bytes));
        qn_pack_u64(out, removed->dot.ctr);
    }
}

enum qn_err qn_op_pack(struct qn_op *op, struct qn_buf *out)
{
    sort(op);
    size_t before = out->size;
    qn_pack_array(out, OP_PARTS);
    qn_pack_u64(out, op->dot.ctr);
    qn_pack_u64(out, op->hlc);
    qn_pack_u64(out, op->kind);
    qn_pack_str(out, op->key);
    if (op->user.size == 0)
        qn_pack_nil(out);
    else
        qn_pack_str(out, op->user);
    qn_pack_array(out, 2 * op->set.count);
    qn_vec_each (&op->set, set) {
        qn_pack_str(out, set->field);
        qn_pack_raw(out, set->value);
    }
    pack_removed(op, out);
    QN_TRY(qn_buf_status(out));
    return out->size - before <= QN_OP_SIZE_MAX ? QN_OK : QN_ERR_LIMIT;
}

static enum qn_err read_name(struct qn_cursor *cursor, size_t size_max, struct qn_span *ret_name)
{
    struct qn_span name;
    QN_TRY(qn_cursor_str(cursor, size_max, &name));
    if (name.size == 0)
        return QN_ERR_INVALID;
    *ret_name = name;
    return QN_OK;
}

static enum qn_err read_head(struct qn_cursor *cursor, struct qn_op *op)
{
    size_t parts;
    uint64_t kind;
    QN_TRY(qn_cursor_array(cursor, OP_PARTS, &parts));
    if (parts != OP_PARTS)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_u64(cursor, &op->dot.ctr));
    QN_TRY(qn_cursor_u64(cursor, &op->hlc));
    QN_TRY(qn_cursor_u64(cursor, &kind));
    if (op->dot.ctr == 0 || kind < QN_OP_PUT || kind > QN_OP_REPAIR)
        return QN_ERR_INVALID;
    op->kind = (enum qn_op_kind)kind;
    QN_TRY(read_name(cursor, QN_KEY_SIZE_MAX, &op->key));
    op->user = qn_span(NULL, 0);
    if (qn_cursor_peek(cursor) == QN_ITEM_NIL)
        return qn_cursor_nil(cursor);
    return read_name(cursor, QN_USER_SIZE_MAX, &op->user);
}

static enum qn_err read_value(struct qn_cursor *cursor, struct qn_span *ret_value)
{
    QN_TRY(qn_cursor_skip(cursor, QN_VALUE_DEPTH_MAX, ret_value));
    return qn_value_check(*ret_value);
}

static enum qn_err read_set(struct qn_cursor *cursor, struct qn_op *op)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 2 * QN_OP_FIELDS_MAX, &count));
    if (count % 2 != 0)
        return QN_ERR_INVALID;
    op->set.count = 0;
    for (size_t i = 0; i < count / 2; i++) {
        struct qn_op_set set;
        QN_TRY(read_name(cursor, QN_FIELD_SIZE_MAX, &set.field));
        QN_TRY(read_value(cursor, &set.value));
        if (i > 0 && set_cmp(&op->set.items[i - 1], &set) >= 0)
            return QN_ERR_INVALID;
        qn_vec_push(&op->set, set);
    }
    return QN_OK;
}

/* The actor's own dots are written as nil and are older than the operation. */
static enum qn_err read_removed_dot(struct qn_cursor *cursor, const struct qn_dot *own,
                                    struct qn_dot *ret_dot)
{
    bool is_own = qn_cursor_peek(cursor) == QN_ITEM_NIL;
    if (is_own) {
        ret_dot->actor = own->actor;
        QN_TRY(qn_cursor_nil(cursor));
    } else {
        QN_TRY(qn_cursor_bytes(cursor, ret_dot->actor.bytes, sizeof(ret_dot->actor.bytes)));
        if (qn_actor_cmp(&ret_dot->actor, &own->actor) == 0)
            return QN_ERR_INVALID;
    }
    QN_TRY(qn_cursor_u64(cursor, &ret_dot->ctr));
    bool is_possible = ret_dot->ctr >= 1 && (!is_own || ret_dot->ctr < own->ctr);
    return is_possible ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_removed(struct qn_cursor *cursor, struct qn_op *op)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 3 * QN_OP_REMOVED_MAX, &count));
    if (count % 3 != 0)
        return QN_ERR_INVALID;
    op->removed.count = 0;
    for (size_t i = 0; i < count / 3; i++) {
        struct qn_op_removed removed;
        QN_TRY(read_name(cursor, QN_FIELD_SIZE_MAX, &removed.field));
        QN_TRY(read_removed_dot(cursor, &op->dot, &removed.dot));
        if (i > 0 && removed_cmp(&op->removed.items[i - 1], &removed) >= 0)
            return QN_ERR_INVALID;
        qn_vec_push(&op->removed, removed);
    }
    return QN_OK;
}

static bool sets_trash(const struct qn_op *op)
{
    qn_vec_each (&op->set, set)
        if (qn_span_eq_str(set->field, QN_FIELD_TRASH))
            return true;
    return false;
}

/* What each kind may do; fields with other reserved names may come from a newer version. */
static enum qn_err check_kind(const struct qn_op *op)
{
    bool is_fitting = true;
    switch (op->kind) {
    case QN_OP_PUT:
        is_fitting = op->set.count > 0 && !sets_trash(op);
        break;
    case QN_OP_TRASH:
        is_fitting = op->set.count == 1 && sets_trash(op);
        break;
    case QN_OP_RESTORE:
    case QN_OP_ERASE:
        is_fitting = op->set.count == 0 && op->removed.count > 0;
        break;
    case QN_OP_REPAIR:
        break;
    }
    return is_fitting ? QN_OK : QN_ERR_INVALID;
}

enum qn_err qn_op_read(struct qn_span bytes, const struct qn_actor *actor, struct qn_op *op)
{
    if (bytes.size > QN_OP_SIZE_MAX)
        return QN_ERR_LIMIT;
    struct qn_cursor cursor = qn_cursor(bytes);
    op->dot.actor = *actor;
    QN_TRY(read_head(&cursor, op));
    QN_TRY(read_set(&cursor, op));
    QN_TRY(read_removed(&cursor, op));
    QN_TRY(qn_cursor_finish(&cursor));
    return check_kind(op);
}

enum qn_err qn_op_unpack(struct qn_span bytes, const struct qn_actor *actor, struct qn_op *ret_op)
{
    struct qn_op op = {0};
    enum qn_err err = qn_op_read(bytes, actor, &op);
    if (err == QN_OK)
        *ret_op = op;
    else
        qn_op_deinit(&op);
    return err;
}

void qn_chain_start(const struct qn_coll_id *coll, const struct qn_actor *actor,
                    struct qn_digest *ret_hash)
{
    static const char domain[] = "quoin chain 1"; /* its terminator is the zero byte */
    QN_DIGEST(ret_hash, QN_SPAN_OF(domain), QN_SPAN_OF(coll->bytes), QN_SPAN_OF(actor->bytes));
}

void qn_chain_next(const struct qn_digest *before, struct qn_span op, struct qn_digest *ret_hash)
{
    QN_DIGEST(ret_hash, qn_digest_view(before), op);
}

#define CHECKPOINT_DOMAIN "quoin checkpoint 1"
#define CHECKPOINT_SIZE   (QN_COLL_ID_SIZE + QN_ACTOR_SIZE + 8 + QN_DIGEST_SIZE)

static struct qn_span checkpoint_message(uint8_t out[CHECKPOINT_SIZE],
                                         const struct qn_coll_id *coll, const struct qn_dot *at,
                                         const struct qn_digest *hash)
{
    uint8_t *p = out;
    memcpy(p, coll->bytes, QN_COLL_ID_SIZE);
    p += QN_COLL_ID_SIZE;
    memcpy(p, at->actor.bytes, QN_ACTOR_SIZE);
    p += QN_ACTOR_SIZE;
    qn_write_u64(p, at->ctr);
    memcpy(p + 8, hash->bytes, QN_DIGEST_SIZE);
    return qn_span(out, CHECKPOINT_SIZE);
}

enum qn_err qn_checkpoint_sign(const struct qn_signer *signer, const struct qn_coll_id *coll,
                               const struct qn_dot *at, const struct qn_digest *hash,
                               struct qn_signature *ret_signature)
{
    uint8_t message[CHECKPOINT_SIZE];
    return qn_signer_sign(signer, CHECKPOINT_DOMAIN, checkpoint_message(message, coll, at, hash),
                          ret_signature);
}

enum qn_err qn_checkpoint_verify(const struct qn_public_key *key, const struct qn_coll_id *coll,
                                 const struct qn_dot *at, const struct qn_digest *hash,
                                 const struct qn_signature *signature)
{
    uint8_t message[CHECKPOINT_SIZE];
    return qn_verify(key, CHECKPOINT_DOMAIN, checkpoint_message(message, coll, at, hash),
                     signature);
}
