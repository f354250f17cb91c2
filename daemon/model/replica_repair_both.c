/* Two copies that are whole and differ: all values of both are kept, as own operations. */
#include "base/limits.h"
#include "model/repair_impl.h"

static void keep_dot(struct qn_kept *kept, const struct qn_dot *dot)
{
    qn_vec_each (&kept->dots, known)
        if (qn_dot_cmp(known, dot) == 0)
            return;
    qn_vec_push(&kept->dots, *dot);
}

static void keep_value(struct qn_kept *kept, const struct qn_pair *pair)
{
    for (size_t i = 0; i < kept->values.count; i++) {
        if (!qn_span_eq(kept->values.items[i].value, pair->value))
            continue;
        if (kept->values.items[i].hlc >= pair->hlc)
            return;
        qn_vec_remove(&kept->values, i);
        break;
    }
    size_t at = 0;
    while (at < kept->values.count && kept->values.items[at].hlc <= pair->hlc)
        at++;
    *qn_vec_insert_slot(&kept->values, at) = *pair;
}

void qn_kept_add(struct qn_kept *kept, const struct qn_record *record, struct qn_span name)
{
    const struct qn_field *field = qn_record_field(record, name);
    for (size_t i = 0; field != NULL && i < field->pairs.count; i++) {
        keep_dot(kept, &field->pairs.items[i].dot);
        keep_value(kept, &field->pairs.items[i]);
    }
}

enum qn_err qn_kept_write(const struct qn_kept *kept, const struct repair *repair,
                          struct qn_span name)
{
    struct qn_replica *replica = repair->replica;
    struct qn_op *op = &replica->op;
    if (kept->dots.count > QN_OP_REMOVED_MAX)
        return QN_OK;
    for (size_t i = 0; i < kept->values.count; i++) {
        op->key = repair->item->key;
        op->user = qn_span(NULL, 0);
        op->set.count = op->removed.count = 0;
        qn_vec_push(&op->set, ((struct qn_op_set){name, kept->values.items[i].value}));
        for (size_t k = 0; i == 0 && k < kept->dots.count; k++)
            qn_vec_push(&op->removed, ((struct qn_op_removed){name, kept->dots.items[k]}));
        QN_TRY(qn_replica_commit_repair(replica, repair->coll));
    }
    return QN_OK;
}

void qn_kept_deinit(struct qn_kept *kept)
{
    qn_vec_free(&kept->values);
    qn_vec_free(&kept->dots);
}

static bool is_same_field(const struct qn_field *a, const struct qn_field *b)
{
    if (a == NULL || b == NULL || a->pairs.count != b->pairs.count)
        return false;
    for (size_t i = 0; i < a->pairs.count; i++) {
        const struct qn_pair *x = &a->pairs.items[i], *y = &b->pairs.items[i];
        if (qn_dot_cmp(&x->dot, &y->dot) != 0 || x->hlc != y->hlc ||
            !qn_span_eq(x->value, y->value))
            return false;
    }
    return true;
}

static enum qn_err keep_field(const struct repair *repair, const struct qn_record *mine,
                              struct qn_span name)
{
    const struct qn_record *theirs = &repair->item->copy.record;
    if (is_same_field(qn_record_field(mine, name), qn_record_field(theirs, name)))
        return QN_OK;
    struct qn_kept kept = {0};
    qn_kept_add(&kept, mine, name);
    qn_kept_add(&kept, theirs, name);
    enum qn_err err = qn_kept_write(&kept, repair, name);
    qn_kept_deinit(&kept);
    return err;
}

void qn_record_copy_pairs(const struct qn_record *from, struct qn_record *to)
{
    qn_vec_each (&from->fields, field)
        qn_vec_each (&field->pairs, pair)
            qn_record_add(to, field->name, pair);
}

/* One dot with two contents: nobody may go on under an incarnation that wrote it. */
static bool is_reused(const struct repair *repair, const struct qn_record *mine)
{
    const struct qn_record *theirs = &repair->item->copy.record;
    qn_vec_each (&mine->fields, field) {
        const struct qn_field *other = qn_record_field(theirs, field->name);
        for (size_t i = 0; other != NULL && i < other->pairs.count; i++) {
            const struct qn_pair *theirs_pair = &other->pairs.items[i];
            const struct qn_pair *pair = qn_record_pair(mine, field->name, &theirs_pair->dot);
            if (pair != NULL && !qn_span_eq(pair->value, theirs_pair->value) &&
                qn_actor_is_of(&pair->dot.actor, &repair->replica->options.site))
                return true;
        }
    }
    return false;
}

enum qn_err qn_repair_keep_both(const struct repair *repair)
{
    QN_AUTO_RECORD struct qn_record mine = {0}; /* the one in hand changes with each operation */
    const struct qn_record *theirs = &repair->item->copy.record;
    qn_record_copy_pairs(&repair->replica->record, &mine);
    if (is_reused(repair, &mine))
        QN_TRY(qn_replica_renew(repair->replica));
    qn_vec_each (&mine.fields, field)
        QN_TRY(keep_field(repair, &mine, field->name));
    qn_vec_each (&theirs->fields, field)
        if (qn_record_field(&mine, field->name) == NULL)
            QN_TRY(keep_field(repair, &mine, field->name));
    return qn_replica_incident(repair->replica, repair->coll, QN_INCIDENT_BOTH, repair->item->key,
                               &repair->item->site);
}
