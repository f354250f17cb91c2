/* What the log still says of one record, and what was kept of it: for a record that nobody has
 * whole any more. The log has no index by key, so all of it is read. */
#include "model/op_read.h"
#include "model/replica_impl.h"

struct qn_left_op {
    uint8_t *bytes; /* owned */
    struct qn_op op;
};

void qn_left_deinit(struct qn_left *left)
{
    for (size_t i = 0; i < left->ops.count; i++) {
        qn_op_deinit(&left->ops.items[i].op);
        qn_free(left->ops.items[i].bytes);
    }
    qn_vec_free(&left->ops);
    qn_record_deinit(&left->record);
}

/* One that cannot be read is for the scrub to find. */
static enum qn_err add_op(struct qn_replica *replica, uint32_t number, struct qn_span bytes,
                          struct qn_span key, struct qn_left *left)
{
    struct qn_actor actor;
    struct qn_op *op = &replica->op;
    QN_TRY(qn_dict_actor_of(&replica->dict, number, &actor));
    if (qn_op_read(bytes, &actor, op) != QN_OK || !qn_span_eq(op->key, key))
        return QN_OK;
    struct qn_left_op *kept = qn_vec_push_slot(&left->ops);
    *kept = (struct qn_left_op){.bytes = qn_memdup(bytes.data, bytes.size)};
    return qn_op_unpack(qn_span(kept->bytes, bytes.size), &actor, &kept->op);
}

/* Not of operations that were let go since as another's (fork.c). */
static void add_sets(struct qn_left *left, const struct qn_vv *cc)
{
    qn_vec_each (&left->ops, kept) {
        if (!qn_vv_has(cc, &kept->op.dot))
            continue;
        qn_vec_each (&kept->op.set, set) {
            struct qn_pair pair = {.dot = kept->op.dot,
                                   .hlc = kept->op.hlc,
                                   .value = set->value,
                                   .user = kept->op.user};
            qn_record_add(&left->record, set->field, &pair);
        }
    }
}

void qn_left_subtract(const struct qn_left *left, struct qn_record *record)
{
    qn_vec_each (&left->ops, kept)
        qn_vec_each (&kept->op.removed, removed)
            qn_record_remove(record, removed->field, &removed->dot);
}

static enum qn_err add_log(struct qn_replica *replica, const struct qn_coll_state *coll,
                           struct qn_span key, struct qn_left *left)
{
    struct qn_key prefix, at;
    struct qn_span found, entry;
    enum qn_err err;
    qn_key_coll(&prefix, coll->row.number);
    qn_key_coll(&at, coll->row.number);
    while ((err = qn_kv_seek(replica->kv, QN_TABLE_LOG, qn_key_view(&at), &found, &entry)) ==
               QN_OK &&
           qn_span_has_prefix(found, qn_key_view(&prefix))) {
        qn_key_copy(&at, found);
        if (at.size == 16 && entry.size > 8)
            QN_TRY(add_op(replica, qn_read_u32(at.bytes + 4), qn_span_from(entry, 8), key, left));
        qn_key_next(&at);
    }
    return qn_may_miss(err);
}

static enum qn_err add_kept(struct qn_replica *replica, const struct qn_coll_state *coll,
                            struct qn_span key, struct qn_left *left)
{
    struct qn_key at = {.size = 0};
    struct qn_span op;
    uint32_t actor;
    enum qn_err err;
    while ((err = qn_aside_kept(replica->kv, coll->row.number, key, &at, &actor, &op)) == QN_OK)
        QN_TRY(add_op(replica, actor, op, key, left));
    return qn_may_miss(err);
}

enum qn_err qn_left_find(struct qn_replica *replica, const struct qn_coll_state *coll,
                         struct qn_span key, struct qn_left *left)
{
    QN_TRY(add_log(replica, coll, key, left));
    QN_TRY(add_kept(replica, coll, key, left));
    add_sets(left, &coll->cc);
    return QN_OK;
}
