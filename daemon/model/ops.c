#include <stdlib.h>

#include "base/limits.h"
#include "model/op.h"
#include "proto/pack.h"

void qn_ops_deinit(struct qn_ops *ops)
{
    qn_vec_free(&ops->actors);
    qn_vec_free(&ops->items);
}

void qn_ops_pack(const struct qn_ops *ops, struct qn_buf *out)
{
    qn_pack_array(out, 2);
    qn_pack_array(out, 3 * ops->actors.count);
    qn_vec_each (&ops->actors, actor) {
        qn_pack_bin(out, QN_SPAN_OF(actor->last.actor.bytes));
        qn_pack_u64(out, actor->last.ctr);
        qn_pack_bin(out, QN_SPAN_OF(actor->signature.bytes));
    }
    qn_pack_array(out, 2 * ops->items.count);
    qn_vec_each (&ops->items, item) {
        qn_pack_u64(out, item->actor);
        qn_pack_bin(out, item->op);
    }
}

static enum qn_err read_actors(struct qn_cursor *cursor, struct qn_ops *ops)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 3 * QN_OPS_ACTORS_MAX, &count));
    if (count % 3 != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count / 3; i++) {
        struct qn_ops_actor actor;
        QN_TRY(qn_cursor_bytes(cursor, actor.last.actor.bytes, QN_ACTOR_SIZE));
        QN_TRY(qn_cursor_u64(cursor, &actor.last.ctr));
        QN_TRY(qn_cursor_bytes(cursor, actor.signature.bytes, QN_SIGNATURE_SIZE));
        if (actor.last.ctr == 0)
            return QN_ERR_INVALID;
        qn_vec_push(&ops->actors, actor);
    }
    return QN_OK;
}

static int actor_cmp(const void *a, const void *b)
{
    return qn_actor_cmp(a, b);
}

/* The order of the actors is free, but each stands there once. */
static enum qn_err check_distinct(const struct qn_ops *ops)
{
    size_t count = ops->actors.count;
    if (count < 2)
        return QN_OK;
    QN_AUTO_FREE struct qn_actor *sorted = qn_alloc(count * sizeof(*sorted));
    for (size_t i = 0; i < count; i++)
        sorted[i] = ops->actors.items[i].last.actor;
    qsort(sorted, count, sizeof(*sorted), actor_cmp);
    for (size_t i = 1; i < count; i++)
        if (qn_actor_cmp(&sorted[i - 1], &sorted[i]) == 0)
            return QN_ERR_INVALID;
    return QN_OK;
}

static enum qn_err read_items(struct qn_cursor *cursor, struct qn_ops *ops)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 2 * QN_OPS_ITEMS_MAX, &count));
    if (count % 2 != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count / 2; i++) {
        uint64_t actor;
        struct qn_span op;
        QN_TRY(qn_cursor_u64(cursor, &actor));
        QN_TRY(qn_cursor_bin(cursor, QN_OP_SIZE_MAX, &op));
        if (actor >= ops->actors.count || op.size == 0)
            return QN_ERR_INVALID;
        qn_vec_push(&ops->items, ((struct qn_ops_item){(size_t)actor, op}));
    }
    return QN_OK;
}

static enum qn_err read_ops(struct qn_cursor *cursor, struct qn_ops *ops)
{
    size_t parts;
    QN_TRY(qn_cursor_array(cursor, 2, &parts));
    if (parts != 2)
        return QN_ERR_INVALID;
    QN_TRY(read_actors(cursor, ops));
    QN_TRY(check_distinct(ops));
    return read_items(cursor, ops);
}

enum qn_err qn_ops_unpack(struct qn_cursor *cursor, struct qn_ops *ret_ops)
{
    struct qn_cursor trial = *cursor;
    struct qn_ops ops = {0};
    enum qn_err err = read_ops(&trial, &ops);
    if (err != QN_OK) {
        qn_ops_deinit(&ops);
        return err;
    }
    *cursor = trial;
    *ret_ops = ops;
    return QN_OK;
}
