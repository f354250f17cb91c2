/* Damaged records are set aside (damage.h). */
#include "model/replica_impl.h"

enum qn_err qn_replica_incident(struct qn_replica *replica, struct qn_coll_state *coll,
                                enum qn_incident_kind kind, struct qn_span key,
                                const struct qn_site_id *site)
{
    struct qn_incident incident = {.at_ms = replica->wall_ms, .kind = kind, .key = key};
    if (site != NULL)
        incident.site = *site;
    qn_replica_touch(replica, &coll->id);
    return qn_incident_add(replica->kv, coll->row.number, &coll->damage, &incident);
}

enum qn_err qn_replica_uncounted(struct qn_replica *replica, struct qn_coll_state *coll)
{
    if (coll->damage.is_uncounted)
        return QN_OK;
    coll->damage.is_uncounted = true;
    return qn_replica_incident(replica, coll, QN_INCIDENT_RECOUNTED, qn_span(NULL, 0), NULL);
}

static enum qn_err unindex(struct qn_replica *replica, uint32_t coll, struct qn_span key)
{
    static const enum qn_table tables[] = {QN_TABLE_REC, QN_TABLE_CONF, QN_TABLE_TRASH};
    struct qn_key at;
    qn_key_record(&at, coll, key);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        QN_TRY(qn_may_miss(qn_kv_del(replica->kv, tables[i], qn_key_view(&at))));
    return QN_OK;
}

/* The record in hand is none from now on. */
static enum qn_err leave_rows(struct qn_replica *replica, struct qn_coll_state *coll,
                              struct qn_span key)
{
    QN_TRY(unindex(replica, coll->row.number, key));
    qn_recount_lost(replica, coll, key);
    qn_record_deinit(&replica->record);
    replica->record_head = (struct qn_row_head){0};
    replica->is_aside = true;
    coll->damage.damaged++;
    coll->damage.is_uncounted = true;
    return qn_replica_incident(replica, coll, QN_INCIDENT_DAMAGED, key, NULL);
}

enum qn_err qn_replica_set_aside(struct qn_replica *replica, struct qn_coll_state *coll,
                                 struct qn_span key)
{
    struct qn_row_head head;
    struct qn_span row = qn_buf_view(&replica->row);
    bool has_hash = qn_row_decode_head(row, &head) == QN_OK;
    QN_TRY(qn_aside_put(replica->kv, coll->row.number, key, has_hash ? head.hash : NULL, row));
    return leave_rows(replica, coll, key);
}

/* As an operation that set this one field. */
enum qn_err qn_replica_keep_pair(struct qn_replica *replica, const struct qn_coll_state *coll,
                                 struct qn_span key, struct qn_span field,
                                 const struct qn_pair *pair)
{
    struct qn_op *op = &replica->op;
    uint32_t actor;
    op->dot = pair->dot;
    op->hlc = pair->hlc;
    op->kind = qn_span_eq_str(field, QN_FIELD_TRASH) ? QN_OP_TRASH : QN_OP_PUT;
    op->key = key;
    op->user = pair->user;
    op->set.count = op->removed.count = 0;
    qn_vec_push(&op->set, ((struct qn_op_set){field, pair->value}));
    qn_buf_reset(&replica->op_bytes);
    QN_TRY(qn_op_pack(op, &replica->op_bytes));
    QN_TRY(qn_dict_number_actor(&replica->dict, &op->dot.actor, &actor));
    return qn_aside_keep(replica->kv, coll->row.number, key, actor, op->dot.ctr, field,
                         qn_buf_view(&replica->op_bytes));
}

/* What is here of it may be whole, and is kept in its row; but not what it should be. */
static enum qn_err set_aside_untrue(struct qn_replica *replica, struct qn_coll_state *coll,
                                    struct qn_span key)
{
    bool is_stored = replica->record_head.state != QN_RECORD_NONE;
    struct qn_span row = is_stored ? qn_buf_view(&replica->row) : qn_span(NULL, 0);
    QN_TRY(qn_aside_put(replica->kv, coll->row.number, key, NULL, row));
    return leave_rows(replica, coll, key);
}

enum qn_err qn_replica_lose(struct qn_replica *replica, struct qn_coll_state *coll,
                            const struct qn_copy_left *left)
{
    QN_TRY(qn_replica_load(replica, coll, left->key));
    QN_TRY(replica->is_aside ? qn_aside_outdate(replica->kv, coll->row.number, left->key)
                             : set_aside_untrue(replica, coll, left->key));
    qn_vec_each (&left->said.fields, field)
        qn_vec_each (&field->pairs, pair)
            QN_TRY(qn_replica_keep_pair(replica, coll, left->key, field->name, pair));
    return QN_OK;
}

enum qn_err qn_replica_is_aside(struct qn_replica *replica, const struct qn_coll_id *id,
                                struct qn_span key, bool *ret_is_aside)
{
    struct qn_coll_state *coll;
    struct qn_span hash;
    QN_TRY(qn_replica_coll(replica, id, &coll));
    *ret_is_aside = false;
    if (coll->damage.damaged == 0)
        return QN_OK;
    enum qn_err err = qn_aside_get(replica->kv, coll->row.number, key, &hash);
    *ret_is_aside = err == QN_OK;
    return qn_may_miss(err);
}
