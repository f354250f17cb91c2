/* Damaged records are set aside, and what is derived from records is counted anew (damage.h). */
#include "model/fingerprint.h"
#include "model/hashing.h"
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

enum qn_err qn_replica_set_aside(struct qn_replica *replica, struct qn_coll_state *coll,
                                 struct qn_span key)
{
    struct qn_row_head head;
    struct qn_span row = qn_buf_view(&replica->row);
    bool has_hash = qn_row_decode_head(row, &head) == QN_OK;
    QN_TRY(qn_aside_put(replica->kv, coll->row.number, key, has_hash ? head.hash : NULL, row));
    QN_TRY(unindex(replica, coll->row.number, key));
    qn_record_deinit(&replica->record);
    replica->record_head = (struct qn_row_head){0};
    replica->is_aside = true;
    coll->damage.damaged++;
    coll->damage.is_uncounted = true;
    return qn_replica_incident(replica, coll, QN_INCIDENT_DAMAGED, key, NULL);
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

/* ---- counting anew ---- */

struct recount {
    struct qn_replica *replica;
    struct qn_coll_state *coll;
    struct qn_coll_row row;
    struct qn_fp groups[QN_FP_GROUPS];
    uint64_t aside;
};

/* Each entry of a collection in a table; what `each` changes of that table is the entry itself. */
static enum qn_err each_entry(struct recount *count, enum qn_table table,
                              enum qn_err (*each)(struct recount *count, struct qn_span key,
                                                  struct qn_span value))
{
    struct qn_key at, prefix;
    struct qn_span key, value;
    qn_key_coll(&prefix, count->coll->row.number);
    qn_key_coll(&at, count->coll->row.number);
    for (;;) {
        enum qn_err err = qn_kv_seek(count->replica->kv, table, qn_key_view(&at), &key, &value);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        qn_key_copy(&at, key);
        QN_TRY(each(count, qn_span_from(qn_key_view(&at), 4), value));
        qn_key_next(&at);
    }
}

static enum qn_err index_record(struct recount *count, struct qn_span key)
{
    struct qn_replica *replica = count->replica;
    const struct qn_row_head *head = &replica->record_head;
    struct qn_key at;
    struct qn_span value;
    qn_key_record(&at, count->coll->row.number, key);
    if (head->has_conflict)
        QN_TRY(qn_kv_put(replica->kv, QN_TABLE_CONF, qn_key_view(&at), qn_span("", 0)));
    if (head->state != QN_RECORD_TRASHED || qn_span_eq_str(key, QN_KEY_COLLECTION))
        return QN_OK;
    enum qn_err err = qn_kv_get(replica->kv, QN_TABLE_TRASH, qn_key_view(&at), &value);
    if (err == QN_OK && value.size == 9)
        return QN_OK; /* it remembers when this site learned of it */
    QN_TRY(qn_may_miss(err));
    return qn_replica_put_trash(replica, count->coll, key);
}

static void add_record(struct recount *count, struct qn_span key)
{
    struct qn_hasher *hasher = count->replica->hasher;
    const struct qn_row_head *head = &count->replica->record_head;
    struct qn_fp *group = &count->groups[qn_hash_group(hasher, key)];
    struct qn_digest leaf;
    qn_hash_leaf(hasher, &count->coll->id, key, head->hash, &leaf);
    qn_sum_add(group->sum, leaf.bytes);
    qn_sum_add(count->row.sum, leaf.bytes);
    group->count++;
    count->row.rows++;
    count->row.conflicts += head->has_conflict;
    if (qn_span_eq_str(key, QN_KEY_COLLECTION))
        return;
    count->row.live += qn_record_is_live(head->state);
    count->row.trashed += head->state == QN_RECORD_TRASHED;
}

/* Loading sets aside what is damaged, and puts right the bits that are derived. */
static enum qn_err count_record(struct recount *count, struct qn_span key, struct qn_span row)
{
    struct qn_replica *replica = count->replica;
    struct qn_row_head stored;
    bool is_legible = qn_row_decode_head(row, &stored) == QN_OK;
    QN_TRY(qn_replica_load(replica, count->coll, key));
    if (replica->is_aside || !is_legible)
        return QN_OK;
    if (stored.state != replica->record_head.state ||
        stored.has_conflict != replica->record_head.has_conflict)
        QN_TRY(qn_replica_put_row(replica, count->coll, key, &replica->record_head));
    add_record(count, key);
    return index_record(count, key);
}

static enum qn_err is_indexed(struct recount *count, struct qn_span key, bool is_trash,
                              bool *ret_is_right)
{
    struct qn_key at;
    struct qn_span row;
    struct qn_row_head head;
    *ret_is_right = false;
    enum qn_err err = qn_kv_get(count->replica->kv, QN_TABLE_REC,
                                qn_key_record(&at, count->coll->row.number, key), &row);
    if (err != QN_OK)
        return qn_may_miss(err);
    QN_TRY(qn_row_decode_head(row, &head));
    *ret_is_right = is_trash ? head.state == QN_RECORD_TRASHED : head.has_conflict;
    return QN_OK;
}

static enum qn_err check_index(struct recount *count, struct qn_span key, enum qn_table table)
{
    struct qn_key at;
    bool is_right;
    QN_TRY(is_indexed(count, key, table == QN_TABLE_TRASH, &is_right));
    return is_right ? QN_OK
                    : qn_kv_del(count->replica->kv, table,
                                qn_key_record(&at, count->coll->row.number, key));
}

static enum qn_err check_conflict(struct recount *count, struct qn_span key, struct qn_span value)
{
    return check_index(count, key, QN_TABLE_CONF);
}

static enum qn_err check_trash(struct recount *count, struct qn_span key, struct qn_span value)
{
    return check_index(count, key, QN_TABLE_TRASH);
}

static enum qn_err drop_sum(struct recount *count, struct qn_span key, struct qn_span value)
{
    struct qn_key at;
    qn_key_coll(&at, count->coll->row.number);
    qn_key_add(&at, key);
    return qn_kv_del(count->replica->kv, QN_TABLE_FP, qn_key_view(&at));
}

static enum qn_err put_sums(struct recount *count)
{
    QN_TRY(each_entry(count, QN_TABLE_FP, drop_sum));
    for (size_t i = 0; i < QN_FP_GROUPS; i++)
        if (count->groups[i].count > 0)
            QN_TRY(qn_fp_put(count->replica->kv, count->coll->row.number, (uint8_t)i,
                             &count->groups[i]));
    return QN_OK;
}

static enum qn_err count_aside(struct recount *count)
{
    struct qn_key at = {.size = 0};
    struct qn_span key;
    for (;;) {
        enum qn_err err =
            qn_aside_next(count->replica->kv, count->coll->row.number, qn_key_view(&at), &key);
        if (err != QN_OK)
            return qn_may_miss(err);
        count->aside++;
        qn_key_copy(&at, key);
    }
}

static bool is_as_stored(const struct qn_coll_row *a, const struct qn_coll_row *b)
{
    return a->live == b->live && a->trashed == b->trashed && a->conflicts == b->conflicts &&
           a->rows == b->rows && memcmp(a->sum, b->sum, sizeof(a->sum)) == 0;
}

static enum qn_err count_all(struct recount *count)
{
    struct qn_coll_state *coll = count->coll;
    QN_TRY(each_entry(count, QN_TABLE_REC, count_record));
    QN_TRY(each_entry(count, QN_TABLE_CONF, check_conflict));
    QN_TRY(each_entry(count, QN_TABLE_TRASH, check_trash));
    QN_TRY(put_sums(count));
    QN_TRY(count_aside(count));
    bool is_known = coll->damage.is_uncounted || is_as_stored(&count->row, &coll->row);
    coll->row = count->row;
    coll->damage.damaged = count->aside;
    coll->damage.is_uncounted = false;
    QN_TRY(qn_coll_row_put(count->replica->kv, &coll->id, &coll->row));
    if (!is_known)
        return qn_replica_incident(count->replica, coll, QN_INCIDENT_RECOUNTED, qn_span(NULL, 0),
                                   NULL);
    qn_replica_touch(count->replica, &coll->id);
    return qn_damage_put(count->replica->kv, coll->row.number, &coll->damage);
}

enum qn_err qn_replica_recount(struct qn_replica *replica, const struct qn_coll_id *id)
{
    struct recount count = {.replica = replica};
    QN_TRY(qn_replica_coll(replica, id, &count.coll));
    if (count.coll->row.number == 0)
        return QN_OK;
    count.row = count.coll->row;
    count.row.live = count.row.trashed = count.row.conflicts = count.row.rows = 0;
    memset(count.row.sum, 0, sizeof(count.row.sum));
    return qn_replica_fault(count_all(&count));
}
