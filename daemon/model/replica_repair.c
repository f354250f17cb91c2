/* Taking copies of records from other sites (RECORDS 1.6). Replicas of an equal clock have equal
 * records, so a copy that was read at the clock that this replica has now is what it should have.
 */
#include "base/limits.h"
#include "base/text.h"
#include "model/bugs.h"
#include "model/copy.h"
#include "model/hashing.h"
#include "model/history.h"
#include "model/op_read.h"
#include "model/repair.h"
#include "model/replica_impl.h"
#include "model/value.h"

struct repair {
    struct qn_replica *replica;
    struct qn_coll_state *coll;
    const struct qn_repair_item *item;
    struct qn_span anew; /* the key that was given up last */
};

/* ---- what may be taken ---- */

/* An operation that is in the log still says what its pair must be. */
static enum qn_err fits_log(const struct repair *repair, struct qn_span field,
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

static enum qn_err check_copy(const struct repair *repair)
{
    const struct qn_record_copy *copy = &repair->item->copy;
    if (copy->kind != QN_COPY_RECORD && copy->kind != QN_COPY_NONE)
        return QN_ERR_INVALID;
    if (repair->item->how == QN_REPAIR_ANEW)
        return QN_OK; /* what is not known here is left out */
    qn_vec_each (&copy->record.fields, field)
        qn_vec_each (&field->pairs, pair) {
            if (!qn_vv_has(&repair->coll->cc, &pair->dot))
                return QN_ERR_INVALID;
            if (repair->item->how == QN_REPAIR_TAKE)
                QN_TRY(fits_log(repair, field->name, pair));
        }
    return QN_OK;
}

/* ---- taking it ---- */

/* The copy becomes the record in hand, and its row. What is derived is counted anew at the end. */
static enum qn_err place(const struct repair *repair, struct qn_record *record)
{
    struct qn_replica *replica = repair->replica;
    struct qn_row_head head = {0};
    struct qn_record before = replica->record;
    replica->record = *record;
    *record = before; /* goes with the item */
    head.state = qn_hash_state(replica->hasher, &replica->record);
    head.has_conflict = qn_hash_has_conflict(head.state, &replica->record);
    if (head.state != QN_RECORD_NONE)
        qn_hash_record(replica->hasher, &replica->record, false, head.hash);
    repair->coll->damage.is_uncounted = true;
    QN_TRY(qn_replica_put_row(replica, repair->coll, repair->item->key, &head));
    replica->record_head = head;
    return QN_OK;
}

static enum qn_err take(const struct repair *repair, struct qn_record *record)
{
    struct qn_coll_state *coll = repair->coll;
    QN_TRY(place(repair, record));
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
    QN_TRY(place(repair, record));
    return qn_replica_incident(repair->replica, repair->coll, QN_INCIDENT_MAJORITY,
                               repair->item->key, &repair->item->site);
}

/* ---- keeping both ---- */

struct kept {
    QN_VEC(struct qn_pair) values; /* distinct, the one to be shown last */
    QN_VEC(struct qn_dot) dots;    /* all, distinct */
};

static void keep_dot(struct kept *kept, const struct qn_dot *dot)
{
    qn_vec_each (&kept->dots, known)
        if (qn_dot_cmp(known, dot) == 0)
            return;
    qn_vec_push(&kept->dots, *dot);
}

static void keep_value(struct kept *kept, const struct qn_pair *pair)
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

static void keep_pairs(struct kept *kept, const struct qn_record *record, struct qn_span name)
{
    const struct qn_field *field = qn_record_field(record, name);
    for (size_t i = 0; field != NULL && i < field->pairs.count; i++) {
        keep_dot(kept, &field->pairs.items[i].dot);
        keep_value(kept, &field->pairs.items[i]);
    }
}

/* One operation for each value; the first removes all pairs of the field, at every site. */
static enum qn_err write_values(const struct repair *repair, struct qn_span name,
                                const struct kept *kept)
{
    struct qn_replica *replica = repair->replica;
    struct qn_op *op = &replica->op;
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

static void free_kept(struct kept *kept)
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
    struct kept kept = {0};
    keep_pairs(&kept, mine, name);
    keep_pairs(&kept, theirs, name);
    /* A field with more values than an operation can name stays as it is, and an alert. */
    enum qn_err err =
        kept.dots.count > QN_OP_REMOVED_MAX ? QN_OK : write_values(repair, name, &kept);
    free_kept(&kept);
    return err;
}

static void copy_record(const struct qn_record *from, struct qn_record *to)
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

static enum qn_err keep_both(const struct repair *repair)
{
    QN_AUTO_RECORD struct qn_record mine = {0}; /* the one in hand changes with each operation */
    const struct qn_record *theirs = &repair->item->copy.record;
    copy_record(&repair->replica->record, &mine);
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

/* ---- giving up ---- */

/* A value that can be written: of a damaged row, and of copies that nobody signed. */
static bool is_left(const struct repair *repair, struct qn_span field, const struct qn_pair *pair)
{
    return qn_vv_has(&repair->coll->cc, &pair->dot) && field.size > 0 &&
           field.size <= QN_FIELD_SIZE_MAX && qn_text_is_utf8(field) &&
           qn_value_check(pair->value) == QN_OK && fits_log(repair, field, pair) == QN_OK;
}

static void add_pairs(const struct repair *repair, const struct qn_record *from,
                      struct qn_record *left)
{
    qn_vec_each (&from->fields, field)
        qn_vec_each (&field->pairs, pair)
            if (is_left(repair, field->name, pair) &&
                qn_record_pair(left, field->name, &pair->dot) == NULL)
                qn_record_add(left, field->name, pair);
}

/* Of the damaged row, if it can be read at all. Which of its values are right nobody can say. */
static enum qn_err add_row(const struct repair *repair, struct qn_buf *row, struct qn_record *left)
{
    struct qn_replica *replica = repair->replica;
    struct qn_span kept;
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_TRY(qn_aside_row(replica->kv, repair->coll->row.number, repair->item->key, &kept));
    qn_buf_append_span(row, kept);
    QN_TRY(qn_buf_status(row));
    enum qn_err err = qn_row_decode(&replica->dict, qn_buf_view(row), &record);
    if (err == QN_OK)
        add_pairs(repair, &record, left);
    return err == QN_ERR_CORRUPT ? QN_OK : err;
}

/* Fields of `all` for which `mine` has no fewer pairs stay as they are. */
static enum qn_err write_left(const struct repair *repair, const struct qn_record *mine,
                              const struct qn_record *all)
{
    qn_vec_each (&all->fields, field) {
        const struct qn_field *known = qn_record_field(mine, field->name);
        struct kept kept = {0};
        if (known != NULL && known->pairs.count == field->pairs.count)
            continue;
        keep_pairs(&kept, all, field->name);
        enum qn_err err =
            kept.dots.count > QN_OP_REMOVED_MAX ? QN_OK : write_values(repair, field->name, &kept);
        free_kept(&kept);
        QN_TRY(err);
    }
    return QN_OK;
}

/* What the log says counts before what the damaged row says. */
static enum qn_err find_left(const struct repair *repair, struct qn_left *left, struct qn_buf *row)
{
    struct qn_replica *replica = repair->replica;
    QN_TRY(qn_left_find(replica, repair->coll, repair->item->key, left));
    QN_TRY(add_row(repair, row, &left->record));
    add_pairs(repair, &repair->item->copy.record, &left->record);
    qn_left_subtract(left, &left->record);
    return QN_OK;
}

static enum qn_err put_nothing(const struct repair *repair)
{
    struct qn_coll_state *coll = repair->coll;
    QN_AUTO_RECORD struct qn_record none = {0};
    QN_TRY(place(repair, &none));
    repair->replica->is_aside = false;
    coll->damage.damaged -= coll->damage.damaged > 0;
    QN_TRY(qn_aside_del(repair->replica->kv, coll->row.number, repair->item->key));
    return qn_replica_incident(repair->replica, coll, QN_INCIDENT_GIVEN_UP, repair->item->key,
                               &repair->item->site);
}

/* The record is whole again, as far as it can be: what is left becomes own operations. */
static enum qn_err give_up(const struct repair *repair)
{
    static const struct qn_record nothing;
    struct qn_left left = {0};
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_RECORD_SIZE_MAX);
    enum qn_err err = find_left(repair, &left, &row);
    if (err == QN_OK)
        err = put_nothing(repair);
    if (err == QN_OK)
        err = write_left(repair, &nothing, &left.record);
    qn_left_deinit(&left);
    return err;
}

/* Of the record that was given up last all copies are through: they needed what was kept of it. */
static enum qn_err end_giving_up(struct repair *repair)
{
    struct qn_span key = repair->anew;
    repair->anew = qn_span(NULL, 0);
    return key.size == 0 ? QN_OK
                         : qn_aside_unkeep(repair->replica->kv, repair->coll->row.number, key);
}

/* Another site's copy of a record that was just given up. */
static enum qn_err add_left(const struct repair *repair)
{
    struct qn_left left = {0};
    QN_AUTO_RECORD struct qn_record mine = {0}, all = {0};
    copy_record(&repair->replica->record, &mine);
    copy_record(&mine, &all);
    enum qn_err err = qn_left_find(repair->replica, repair->coll, repair->item->key, &left);
    add_pairs(repair, &repair->item->copy.record, &all);
    qn_left_subtract(&left, &all);
    if (err == QN_OK)
        err = write_left(repair, &mine, &all);
    qn_left_deinit(&left);
    return err;
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

static enum qn_err repair_aside(struct repair *repair, struct qn_record *record, size_t *changed)
{
    switch (repair->item->how) {
    case QN_REPAIR_TAKE:
    case QN_REPAIR_MAJORITY:
    case QN_REPAIR_BOTH:
        ++*changed;
        return take(repair, record);
    case QN_REPAIR_SAME:
        return take_same(repair, record, changed);
    case QN_REPAIR_ANEW:
        ++*changed;
        repair->anew = repair->item->key;
        return give_up(repair);
    }
    return QN_ERR_INVALID;
}

static enum qn_err repair_item(struct repair *repair, struct qn_record *record, size_t *changed)
{
    enum qn_repair_how how = repair->item->how;
    if (!qn_span_eq(repair->anew, repair->item->key))
        QN_TRY(end_giving_up(repair));
    QN_TRY(qn_replica_load(repair->replica, repair->coll, repair->item->key));
    if (repair->replica->is_aside)
        return repair_aside(repair, record, changed);
    if (how == QN_REPAIR_ANEW)
        return qn_span_eq(repair->anew, repair->item->key) ? add_left(repair) : QN_OK;
    if (how == QN_REPAIR_TAKE || how == QN_REPAIR_SAME || is_equal_here(repair, record))
        return QN_OK;
    ++*changed;
    return how == QN_REPAIR_MAJORITY ? take_majority(repair, record) : keep_both(repair);
}

static enum qn_err repair_all(struct repair *repair, struct qn_repair_item *items, size_t count,
                              size_t *changed)
{
    for (size_t i = 0; i < count; i++) {
        repair->item = &items[i];
        QN_TRY(repair_item(repair, &items[i].copy.record, changed));
    }
    QN_TRY(end_giving_up(repair));
    if (*changed > 0) { /* by no operation: who follows the changes would not see it */
        QN_TRY(qn_replica_break_log(repair->replica, repair->coll));
        QN_TRY(qn_coll_row_put(repair->replica->kv, &repair->coll->id, &repair->coll->row));
    }
    if (repair->coll->damage.is_uncounted)
        return qn_replica_recount(repair->replica, &repair->coll->id);
    return QN_OK;
}

static bool needs_clock(const struct qn_repair_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].how != QN_REPAIR_SAME && items[i].how != QN_REPAIR_ANEW)
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
