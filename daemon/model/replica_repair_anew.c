/* Giving up a damaged record that nobody has whole: what is left of it, at all sites, is written
 * anew by one of them. */
#include "base/limits.h"
#include "base/text.h"
#include "model/left.h"
#include "model/repair_impl.h"
#include "model/value.h"

/* A value that can be written: of a damaged row, and of copies that nobody signed. */
static bool is_left(const struct repair *repair, struct qn_span field, const struct qn_pair *pair)
{
    return qn_vv_has(&repair->coll->cc, &pair->dot) && field.size > 0 &&
           field.size <= QN_FIELD_SIZE_MAX && qn_text_is_utf8(field) &&
           qn_value_check(pair->value) == QN_OK && qn_repair_fits_log(repair, field, pair) == QN_OK;
}

static void add_pairs(const struct repair *repair, const struct qn_record *from,
                      struct qn_record *all)
{
    qn_vec_each (&from->fields, field)
        qn_vec_each (&field->pairs, pair)
            if (is_left(repair, field->name, pair) &&
                qn_record_pair(all, field->name, &pair->dot) == NULL)
                qn_record_add(all, field->name, pair);
}

static void add_items(const struct repair *repair, const struct qn_repair_item *items, size_t count,
                      enum qn_repair_how how, struct qn_record *all)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].how == how)
            add_pairs(repair, &items[i].copy.record, all);
}

/* What operations say counts before what damaged rows say, here or elsewhere. */
static void join(const struct repair *repair, const struct qn_left *left,
                 const struct qn_repair_item *items, size_t count, struct qn_record *all)
{
    add_pairs(repair, &left->said, all);
    add_items(repair, items, count, QN_REPAIR_ANEW, all);
    add_pairs(repair, &left->seen, all);
    add_items(repair, items, count, QN_REPAIR_ANEW_SEEN, all);
    qn_left_subtract(left, all);
}

static enum qn_err put_nothing(const struct repair *repair)
{
    struct qn_coll_state *coll = repair->coll;
    struct qn_kv *kv = repair->replica->kv;
    QN_AUTO_RECORD struct qn_record none = {0};
    QN_TRY(qn_repair_place(repair, &none));
    repair->replica->is_aside = false;
    coll->damage.damaged -= coll->damage.damaged > 0;
    QN_TRY(qn_aside_del(kv, coll->row.number, repair->item->key));
    QN_TRY(qn_aside_unkeep(kv, coll->row.number, repair->item->key));
    return qn_replica_incident(repair->replica, coll, QN_INCIDENT_GIVEN_UP, repair->item->key,
                               &repair->item->site);
}

static enum qn_err write_all(const struct repair *repair, const struct qn_record *all)
{
    qn_vec_each (&all->fields, field) {
        struct qn_kept kept = {0};
        qn_kept_add(&kept, all, field->name);
        enum qn_err err = qn_kept_write(&kept, repair, field->name);
        qn_kept_deinit(&kept);
        QN_TRY(err);
    }
    return QN_OK;
}

enum qn_err qn_repair_give_up(const struct repair *repair, const struct qn_repair_item *items,
                              size_t count)
{
    struct qn_replica *replica = repair->replica;
    struct qn_coll_state *coll = repair->coll;
    struct qn_left left = {0};
    QN_AUTO_RECORD struct qn_record all = {0};
    enum qn_err err =
        qn_left_find(&replica->dict, coll->row.number, &coll->cc, repair->item->key, &left);
    if (err == QN_OK) {
        join(repair, &left, items, count, &all);
        err = put_nothing(repair);
    }
    if (err == QN_OK)
        err = write_all(repair, &all);
    qn_left_deinit(&left);
    return err;
}
