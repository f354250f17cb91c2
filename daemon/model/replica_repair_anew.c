/* Giving up a damaged record that nobody has whole: what is left of it is written anew. */
#include "base/limits.h"
#include "base/text.h"
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
        struct qn_kept kept = {0};
        if (known != NULL && known->pairs.count == field->pairs.count)
            continue;
        qn_kept_add(&kept, all, field->name);
        enum qn_err err = qn_kept_write(&kept, repair, field->name);
        qn_kept_deinit(&kept);
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
    QN_TRY(qn_repair_place(repair, &none));
    repair->replica->is_aside = false;
    coll->damage.damaged -= coll->damage.damaged > 0;
    QN_TRY(qn_aside_del(repair->replica->kv, coll->row.number, repair->item->key));
    return qn_replica_incident(repair->replica, coll, QN_INCIDENT_GIVEN_UP, repair->item->key,
                               &repair->item->site);
}

enum qn_err qn_repair_give_up(const struct repair *repair)
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

enum qn_err qn_repair_end_giving_up(struct repair *repair)
{
    struct qn_span key = repair->anew;
    repair->anew = qn_span(NULL, 0);
    return key.size == 0 ? QN_OK
                         : qn_aside_unkeep(repair->replica->kv, repair->coll->row.number, key);
}

enum qn_err qn_repair_add_left(const struct repair *repair)
{
    struct qn_left left = {0};
    QN_AUTO_RECORD struct qn_record mine = {0}, all = {0};
    qn_record_copy_pairs(&repair->replica->record, &mine);
    qn_record_copy_pairs(&mine, &all);
    enum qn_err err = qn_left_find(repair->replica, repair->coll, repair->item->key, &left);
    add_pairs(repair, &repair->item->copy.record, &all);
    qn_left_subtract(&left, &all);
    if (err == QN_OK)
        err = write_left(repair, &mine, &all);
    qn_left_deinit(&left);
    return err;
}
