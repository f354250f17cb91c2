/* Counting sums, counters and indexes of a collection anew, from its records, in steps between
 * which others write. What was counted so far stands in memory: a record that is stored in that
 * part of the collection is counted as it was before and as it is then. It is as good as the
 * transactions that it was counted in, so an aborted one ends it, and so does a record that was
 * counted and turns out to be damaged: the next step begins anew. */
#include "model/fingerprint.h"
#include "model/hashing.h"
#include "model/replica_impl.h"

enum stage { RECORDS, CONFLICTS, TRASH, END };

struct qn_recount {
    struct qn_coll_id coll;
    enum stage stage;
    struct qn_key at;       /* the last key of the stage's table that was looked at; empty: none */
    struct qn_coll_row row; /* its counters and its sum */
    struct qn_fp groups[QN_FP_GROUPS];
};

/* A step. */
struct counting {
    struct qn_replica *replica;
    struct qn_coll_state *coll;
    struct qn_recount *recount;
};

/* ---- the counts that are under way ---- */

static struct qn_recount *find(const struct qn_replica *replica, const struct qn_coll_id *coll)
{
    qn_vec_each (&replica->recounts, recount)
        if (qn_coll_id_eq(&(*recount)->coll, coll))
            return *recount;
    return NULL;
}

static struct qn_recount *find_or_begin(struct qn_replica *replica, const struct qn_coll_id *coll)
{
    struct qn_recount *recount = find(replica, coll);
    if (recount != NULL)
        return recount;
    recount = QN_NEW(struct qn_recount);
    recount->coll = *coll;
    qn_vec_push(&replica->recounts, recount);
    return recount;
}

static void end(struct qn_replica *replica, const struct qn_recount *which)
{
    for (size_t i = 0; i < replica->recounts.count; i++) {
        if (replica->recounts.items[i] != which)
            continue;
        qn_free(replica->recounts.items[i]);
        qn_vec_remove(&replica->recounts, i);
        return;
    }
}

void qn_recount_end_all(struct qn_replica *replica)
{
    qn_vec_each (&replica->recounts, recount)
        qn_free(*recount);
    qn_vec_free(&replica->recounts);
}

/* ---- what is stored meanwhile ---- */

static bool has_counted(const struct qn_recount *recount, struct qn_span key)
{
    if (recount->stage != RECORDS)
        return true;
    return recount->at.size > 0 &&
           qn_span_cmp(key, qn_span_from(qn_key_view(&recount->at), 4)) <= 0;
}

void qn_recount_lost(struct qn_replica *replica, const struct qn_coll_state *coll,
                     struct qn_span key)
{
    const struct qn_recount *recount = find(replica, &coll->id);
    if (recount != NULL && has_counted(recount, key))
        end(replica, recount);
}

static void add(struct qn_recount *recount, struct qn_fp *group, struct qn_span key,
                const struct qn_row_head *head, const struct qn_digest *leaf)
{
    if (head->state == QN_RECORD_NONE)
        return;
    qn_sum_add(group->sum, leaf->bytes);
    qn_sum_add(recount->row.sum, leaf->bytes);
    group->count++;
    recount->row.rows++;
    qn_row_head_count(&recount->row, key, &(struct qn_row_head){0}, head);
}

static void subtract(struct qn_recount *recount, struct qn_fp *group, struct qn_span key,
                     const struct qn_row_head *head, const struct qn_digest *leaf)
{
    if (head->state == QN_RECORD_NONE)
        return;
    qn_sum_sub(group->sum, leaf->bytes);
    qn_sum_sub(recount->row.sum, leaf->bytes);
    group->count--;
    recount->row.rows--;
    qn_row_head_count(&recount->row, key, head, &(struct qn_row_head){0});
}

void qn_recount_change(struct qn_replica *replica, const struct qn_coll_state *coll,
                       struct qn_span key, const struct qn_row_head *before,
                       const struct qn_digest *leaf_before, const struct qn_row_head *after,
                       const struct qn_digest *leaf_after)
{
    struct qn_recount *recount = find(replica, &coll->id);
    if (recount == NULL || !has_counted(recount, key))
        return;
    struct qn_fp *group = &recount->groups[qn_hash_group(replica->hasher, key)];
    subtract(recount, group, key, before, leaf_before);
    add(recount, group, key, after, leaf_after);
}

/* ---- records ---- */

static enum qn_err index_record(const struct counting *counting, struct qn_span key)
{
    struct qn_replica *replica = counting->replica;
    const struct qn_row_head *head = &replica->record_head;
    struct qn_key at;
    struct qn_span value;
    qn_key_record(&at, counting->coll->row.number, key);
    if (head->has_conflict)
        QN_TRY(qn_kv_put(replica->kv, QN_TABLE_CONF, qn_key_view(&at), qn_span("", 0)));
    if (head->state != QN_RECORD_TRASHED || qn_span_eq_str(key, QN_KEY_COLLECTION))
        return QN_OK;
    enum qn_err err = qn_kv_get(replica->kv, QN_TABLE_TRASH, qn_key_view(&at), &value);
    if (err == QN_OK && value.size == 9)
        return QN_OK; /* it remembers when this site learned of it */
    QN_TRY(qn_may_miss(err));
    return qn_replica_put_trash(replica, counting->coll, key);
}

static void add_record(const struct counting *counting, struct qn_span key)
{
    struct qn_hasher *hasher = counting->replica->hasher;
    struct qn_recount *recount = counting->recount;
    const struct qn_row_head *head = &counting->replica->record_head;
    struct qn_digest leaf;
    qn_hash_leaf(hasher, &counting->coll->id, key, head->hash, &leaf);
    add(recount, &recount->groups[qn_hash_group(hasher, key)], key, head, &leaf);
}

/* Loading sets aside what is damaged, and puts right the bits that are derived. */
static enum qn_err count_record(const struct counting *counting, struct qn_span key,
                                struct qn_span row)
{
    struct qn_replica *replica = counting->replica;
    struct qn_row_head stored;
    bool is_legible = qn_row_decode_head(row, &stored) == QN_OK;
    QN_TRY(qn_replica_load(replica, counting->coll, key));
    if (replica->is_aside || !is_legible)
        return QN_OK;
    if (stored.state != replica->record_head.state ||
        stored.has_conflict != replica->record_head.has_conflict)
        QN_TRY(qn_replica_put_row(replica, counting->coll, key, &replica->record_head));
    add_record(counting, key);
    return index_record(counting, key);
}

/* ---- indexes ---- */

static enum qn_err is_indexed(const struct counting *counting, struct qn_span key, bool is_trash,
                              bool *ret_is_right)
{
    struct qn_key at;
    struct qn_span row;
    struct qn_row_head head;
    *ret_is_right = false;
    enum qn_err err = qn_kv_get(counting->replica->kv, QN_TABLE_REC,
                                qn_key_record(&at, counting->coll->row.number, key), &row);
    if (err != QN_OK)
        return qn_may_miss(err);
    if (qn_row_decode_head(row, &head) == QN_OK)
        *ret_is_right = is_trash ? head.state == QN_RECORD_TRASHED : head.has_conflict;
    return QN_OK;
}

static enum qn_err check_index(const struct counting *counting, struct qn_span key,
                               enum qn_table table)
{
    struct qn_key at;
    bool is_right;
    QN_TRY(is_indexed(counting, key, table == QN_TABLE_TRASH, &is_right));
    return is_right ? QN_OK
                    : qn_kv_del(counting->replica->kv, table,
                                qn_key_record(&at, counting->coll->row.number, key));
}

/* ---- sums ---- */

static enum qn_err drop_sums(const struct counting *counting)
{
    struct qn_kv *kv = counting->replica->kv;
    struct qn_key at, prefix;
    struct qn_span key, value;
    qn_key_copy(&at, qn_key_coll(&prefix, counting->coll->row.number));
    for (;;) {
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_FP, qn_key_view(&at), &key, &value);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        qn_key_copy(&at, key);
        QN_TRY(qn_kv_del(kv, QN_TABLE_FP, qn_key_view(&at)));
    }
}

static enum qn_err put_sums(const struct counting *counting)
{
    const struct qn_fp *groups = counting->recount->groups;
    QN_TRY(drop_sums(counting));
    for (size_t i = 0; i < QN_FP_GROUPS; i++)
        if (groups[i].count > 0)
            QN_TRY(qn_fp_put(counting->replica->kv, counting->coll->row.number, (uint8_t)i,
                             &groups[i]));
    return QN_OK;
}

static enum qn_err count_aside(const struct counting *counting, uint64_t *count)
{
    struct qn_key at = {.size = 0};
    struct qn_span key;
    for (*count = 0;; ++*count) {
        enum qn_err err = qn_aside_next(counting->replica->kv, counting->coll->row.number,
                                        qn_key_view(&at), &key);
        if (err != QN_OK)
            return qn_may_miss(err);
        qn_key_copy(&at, key);
    }
}

static bool is_as_stored(const struct qn_coll_row *a, const struct qn_coll_row *b)
{
    return a->live == b->live && a->trashed == b->trashed && a->conflicts == b->conflicts &&
           a->rows == b->rows && memcmp(a->sum, b->sum, sizeof(a->sum)) == 0;
}

static void take_counters(struct qn_coll_row *row, const struct qn_coll_row *counted)
{
    row->live = counted->live;
    row->trashed = counted->trashed;
    row->conflicts = counted->conflicts;
    row->rows = counted->rows;
    memcpy(row->sum, counted->sum, sizeof(row->sum));
}

static enum qn_err finish(const struct counting *counting)
{
    struct qn_replica *replica = counting->replica;
    struct qn_coll_state *coll = counting->coll;
    const struct qn_coll_row *counted = &counting->recount->row;
    bool is_known = coll->damage.is_uncounted || is_as_stored(counted, &coll->row);
    QN_TRY(put_sums(counting));
    QN_TRY(count_aside(counting, &coll->damage.damaged));
    take_counters(&coll->row, counted);
    coll->damage.is_uncounted = false;
    QN_TRY(qn_coll_row_put(replica->kv, &coll->id, &coll->row));
    if (!is_known)
        return qn_replica_incident(replica, coll, QN_INCIDENT_RECOUNTED, qn_span(NULL, 0), NULL);
    qn_replica_touch(replica, &coll->id);
    return qn_damage_put(replica->kv, coll->row.number, &coll->damage);
}

/* ---- a step ---- */

static const enum qn_table tables[] = {
    [RECORDS] = QN_TABLE_REC, [CONFLICTS] = QN_TABLE_CONF, [TRASH] = QN_TABLE_TRASH};

/* The next entry of the stage's table. The place moves behind it once it was counted, for counting
 * it may set it aside. */
static enum qn_err look(const struct counting *counting)
{
    struct qn_recount *recount = counting->recount;
    enum qn_table table = tables[recount->stage];
    struct qn_key at, prefix;
    struct qn_span key, value;
    qn_key_copy(&at, qn_key_coll(&prefix, counting->coll->row.number));
    if (recount->at.size > 0) {
        qn_key_copy(&at, qn_key_view(&recount->at));
        qn_key_next(&at);
    }
    QN_TRY(qn_kv_seek(counting->replica->kv, table, qn_key_view(&at), &key, &value));
    if (!qn_span_has_prefix(key, qn_key_view(&prefix)))
        return QN_ERR_NOTFOUND;
    qn_key_copy(&at, key);
    key = qn_span_from(qn_key_view(&at), 4);
    QN_TRY(qn_must_exist(table == QN_TABLE_REC ? count_record(counting, key, value)
                                               : check_index(counting, key, table)));
    qn_key_copy(&recount->at, qn_key_view(&at));
    return QN_OK;
}

static enum qn_err step(const struct counting *counting, size_t count_max)
{
    struct qn_recount *recount = counting->recount;
    for (size_t i = 0; i < count_max && recount->stage != END; i++) {
        enum qn_err err = look(counting);
        QN_TRY(qn_may_miss(err));
        if (err == QN_OK)
            continue;
        recount->stage++;
        recount->at.size = 0;
    }
    return recount->stage == END ? finish(counting) : QN_OK;
}

enum qn_err qn_replica_recount(struct qn_replica *replica, const struct qn_coll_id *id,
                               size_t count_max, bool *ret_is_done)
{
    struct counting counting = {.replica = replica};
    QN_TRY(qn_replica_coll(replica, id, &counting.coll));
    *ret_is_done = true;
    if (counting.coll->row.number == 0)
        return QN_OK;
    counting.recount = find_or_begin(replica, id);
    QN_TRY(qn_replica_fault(step(&counting, count_max)));
    *ret_is_done = counting.recount->stage == END;
    if (*ret_is_done)
        end(replica, counting.recount);
    return QN_OK;
}
