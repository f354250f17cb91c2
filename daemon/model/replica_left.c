/* What the log still says of one record: for a record that nobody has whole any more. The log has
 * no index by key, so all of it is read. */
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
static enum qn_err add_op(struct qn_replica *replica, struct qn_span at, struct qn_span entry,
                          struct qn_span key, struct qn_left *left)
{
    struct qn_actor actor;
    struct qn_op *op = &replica->op;
    if (at.size != 16 || entry.size <= 8)
        return QN_OK;
    QN_TRY(qn_dict_actor_of(&replica->dict, qn_read_u32(at.data + 4), &actor));
    struct qn_span bytes = qn_span_from(entry, 8);
    if (qn_op_read(bytes, &actor, op) != QN_OK || !qn_span_eq(op->key, key))
        return QN_OK;
    struct qn_left_op *kept = qn_vec_push_slot(&left->ops);
    *kept = (struct qn_left_op){.bytes = qn_memdup(bytes.data, bytes.size)};
    return qn_op_unpack(qn_span(kept->bytes, bytes.size), &actor, &kept->op);
}

static void add_sets(struct qn_left *left)
{
    qn_vec_each (&left->ops, kept)
        qn_vec_each (&kept->op.set, set) {
            struct qn_pair pair = {.dot = kept->op.dot,
                                   .hlc = kept->op.hlc,
                                   .value = set->value,
                                   .user = kept->op.user};
            qn_record_add(&left->record, set->field, &pair);
        }
}

void qn_left_subtract(const struct qn_left *left, struct qn_record *record)
{
    qn_vec_each (&left->ops, kept)
        qn_vec_each (&kept->op.removed, removed)
            qn_record_remove(record, removed->field, &removed->dot);
}

enum qn_err qn_left_in_log(struct qn_replica *replica, const struct qn_coll_state *coll,
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
        QN_TRY(add_op(replica, qn_key_view(&at), entry, key, left));
        qn_key_next(&at);
    }
    QN_TRY(qn_may_miss(err));
    add_sets(left);
    return QN_OK;
}
