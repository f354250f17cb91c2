/* The log: what is appended, what is dropped from its front, and how much it holds. */
#include "base/limits.h"
#include "model/op_read.h"
#include "model/replica_impl.h"

/* Of a row of LOG: its local sequence, then the operation. */
static size_t size_in(struct qn_span row)
{
    return row.size > 8 ? row.size - 8 : 0;
}

static enum qn_err load_log(struct qn_replica *replica, struct qn_coll_state *coll)
{
    if (coll->has_log)
        return QN_OK;
    QN_TRY(qn_log_row_get(replica->kv, coll->row.number, coll->row.order_head, &coll->log));
    coll->has_log = true;
    return QN_OK;
}

enum qn_err qn_replica_count_log(struct qn_replica *replica, struct qn_coll_state *coll)
{
    struct qn_key prefix, at;
    struct qn_span key, op;
    enum qn_err err;
    coll->log = (struct qn_log_row){0};
    qn_key_coll(&prefix, coll->row.number);
    qn_key_coll(&at, coll->row.number);
    while ((err = qn_kv_seek(replica->kv, QN_TABLE_LOG, qn_key_view(&at), &key, &op)) == QN_OK &&
           qn_span_has_prefix(key, qn_key_view(&prefix))) {
        coll->log.ops++;
        coll->log.bytes += size_in(op);
        qn_key_copy(&at, key);
        qn_key_next(&at);
    }
    coll->has_log = coll->is_log_changed = true;
    return qn_may_miss(err);
}

enum qn_err qn_replica_save_log(struct qn_replica *replica, struct qn_coll_state *coll)
{
    if (!coll->is_log_changed)
        return QN_OK;
    coll->is_log_changed = false;
    return qn_log_row_put(replica->kv, coll->row.number, coll->row.order_head, &coll->log);
}

enum qn_err qn_replica_append_log(struct qn_replica *replica, struct qn_coll_state *coll,
                                  const struct qn_op *op, struct qn_span op_bytes)
{
    struct qn_key key;
    uint32_t actor;
    uint8_t order[12];
    QN_TRY(load_log(replica, coll));
    QN_TRY(qn_dict_number_actor(&replica->dict, &op->dot.actor, &actor));
    uint64_t seq = ++coll->row.order_head;
    qn_write_u32(order, actor);
    qn_write_u64(order + 4, op->dot.ctr);
    QN_TRY(qn_kv_put(replica->kv, QN_TABLE_ORDER, qn_key_seq(&key, coll->row.number, seq),
                     QN_SPAN_OF(order)));
    coll->log.ops++;
    coll->log.bytes += op_bytes.size;
    coll->is_log_changed = true;
    qn_buf_reset(&replica->encoded);
    qn_buf_append_u64(&replica->encoded, seq);
    qn_buf_append_span(&replica->encoded, op_bytes);
    return qn_kv_put(replica->kv, QN_TABLE_LOG,
                     qn_key_dot(&key, coll->row.number, actor, op->dot.ctr),
                     qn_buf_view(&replica->encoded));
}

/* --- the front --- */

struct entry { /* of the order */
    uint64_t seq;
    uint32_t number;
    struct qn_dot dot;
};

struct dropping {
    struct qn_replica *replica;
    struct qn_coll_state *coll;
    const struct qn_log_cut *cut; /* NULL: all up to last_seq */
    uint64_t last_seq;            /* up to here everything goes */
    struct qn_vv floor;           /* of what went */
    size_t count, size;
};

/* QN_ERR_NOTFOUND: the log is empty. */
static enum qn_err first_entry(struct qn_replica *replica, uint32_t coll, struct entry *ret_entry)
{
    struct qn_key prefix;
    struct qn_span key, value;
    qn_key_coll(&prefix, coll);
    QN_TRY(qn_kv_seek(replica->kv, QN_TABLE_ORDER, qn_key_view(&prefix), &key, &value));
    if (!qn_span_has_prefix(key, qn_key_view(&prefix)))
        return QN_ERR_NOTFOUND;
    if (key.size != 12 || value.size != 12)
        return QN_ERR_CORRUPT;
    ret_entry->seq = qn_read_u64(key.data + 4);
    ret_entry->number = qn_read_u32(value.data);
    ret_entry->dot.ctr = qn_read_u64(value.data + 4);
    if (qn_order_is_break(value))
        return QN_OK;
    return qn_dict_actor_of(&replica->dict, ret_entry->number, &ret_entry->dot.actor);
}

static bool is_break(const struct entry *entry)
{
    return entry->number == 0;
}

static bool may_go(const struct dropping *dropping, const struct entry *entry)
{
    const struct qn_log_cut *cut = dropping->cut;
    const struct qn_log_row *log = &dropping->coll->log;
    if (entry->seq <= dropping->last_seq)
        return true;
    if (cut == NULL)
        return false;
    return is_break(entry) || log->ops > cut->ops_max || log->bytes > cut->bytes_max ||
           (entry->seq <= cut->covered_seq && qn_vv_has(cut->covered, &entry->dot));
}

static void count_out(struct dropping *dropping, size_t size)
{
    struct qn_log_row *log = &dropping->coll->log;
    log->ops -= log->ops > 0; /* either may have been estimated */
    log->bytes -= size < log->bytes ? size : log->bytes;
    dropping->coll->is_log_changed = true;
    dropping->count++;
    dropping->size += size;
}

/* The effect of an operation on a record that is set aside is in no row. */
static enum qn_err keep_if_aside(const struct dropping *dropping, uint32_t actor, uint64_t ctr,
                                 struct qn_span entry)
{
    struct qn_replica *replica = dropping->replica;
    struct qn_coll_state *coll = dropping->coll;
    struct qn_actor name;
    struct qn_span hash;
    if (coll->damage.damaged == 0 || entry.size <= 8)
        return QN_OK;
    QN_TRY(qn_dict_actor_of(&replica->dict, actor, &name));
    if (qn_op_read(qn_span_from(entry, 8), &name, &replica->op) != QN_OK)
        return QN_OK; /* damaged itself */
    enum qn_err err = qn_aside_get(replica->kv, coll->row.number, replica->op.key, &hash);
    if (err != QN_OK)
        return qn_may_miss(err);
    qn_buf_reset(&replica->encoded);
    qn_buf_append_span(&replica->encoded, qn_span_from(entry, 8));
    QN_TRY(qn_buf_status(&replica->encoded));
    return qn_aside_keep(replica->kv, coll->row.number, replica->op.key, actor, ctr,
                         qn_span(NULL, 0), qn_buf_view(&replica->encoded));
}

static enum qn_err drop(struct dropping *dropping, const struct entry *entry)
{
    struct qn_kv *kv = dropping->replica->kv;
    struct qn_key key;
    struct qn_span op;
    uint32_t coll = dropping->coll->row.number;
    if (is_break(entry))
        return qn_kv_del(kv, QN_TABLE_ORDER, qn_key_seq(&key, coll, entry->seq));
    qn_key_dot(&key, coll, entry->number, entry->dot.ctr);
    QN_TRY(qn_must_exist(qn_kv_get(kv, QN_TABLE_LOG, qn_key_view(&key), &op)));
    count_out(dropping, size_in(op));
    qn_vv_raise(&dropping->floor, &entry->dot.actor, entry->dot.ctr);
    QN_TRY(keep_if_aside(dropping, entry->number, entry->dot.ctr, op));
    QN_TRY(qn_must_exist(qn_kv_del(kv, QN_TABLE_LOG, qn_key_view(&key))));
    return qn_must_exist(qn_kv_del(kv, QN_TABLE_ORDER, qn_key_seq(&key, coll, entry->seq)));
}

static enum qn_err drop_front(struct dropping *dropping, bool *ret_is_done)
{
    *ret_is_done = true;
    for (;;) {
        struct entry entry;
        enum qn_err err = first_entry(dropping->replica, dropping->coll->row.number, &entry);
        if (err != QN_OK)
            return qn_may_miss(err);
        if (!may_go(dropping, &entry))
            return QN_OK;
        *ret_is_done = dropping->cut == NULL ||
                       (dropping->count < QN_TXN_OPS_MAX && dropping->size < QN_TXN_SIZE_MAX);
        if (!*ret_is_done)
            return QN_OK;
        QN_TRY(drop(dropping, &entry));
    }
}

/* --- what follows from it --- */

/* Checkpoints before `ctr` go, but for the one that the chain continues from. One at `ctr` stays:
 * from there on the rest of the log is verified, by the scrub and before it is served. */
static enum qn_err drop_checkpoints(struct qn_replica *replica, uint32_t coll, uint32_t actor,
                                    uint64_t ctr, uint64_t latest)
{
    struct qn_key prefix, at;
    struct qn_span key, value;
    qn_key_actor(&prefix, coll, actor);
    for (;;) {
        enum qn_err err =
            qn_kv_seek(replica->kv, QN_TABLE_CHAIN, qn_key_view(&prefix), &key, &value);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        if (key.size != 16)
            return QN_ERR_CORRUPT;
        uint64_t at_ctr = qn_read_u64(key.data + 8);
        if (at_ctr >= ctr || at_ctr == latest)
            return QN_OK;
        qn_key_copy(&at, key);
        QN_TRY(qn_must_exist(qn_kv_del(replica->kv, QN_TABLE_CHAIN, qn_key_view(&at))));
    }
}

/* --- pages --- */

/* Those of an actor behind a counter. `is_void`: they never were. */
static enum qn_err drop_entries(struct dropping *dropping, uint32_t actor, uint64_t behind,
                                bool is_void)
{
    struct qn_kv *kv = dropping->replica->kv;
    struct qn_key prefix, from, at, order;
    struct qn_span key, entry;
    uint32_t coll = dropping->coll->row.number;
    qn_key_actor(&prefix, coll, actor);
    qn_key_dot(&from, coll, actor, behind + 1);
    for (;;) {
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_LOG, qn_key_view(&from), &key, &entry);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        if (key.size != 16)
            return QN_ERR_CORRUPT;
        qn_key_copy(&at, key);
        qn_key_seq(&order, coll, entry.size >= 8 ? qn_read_u64(entry.data) : 0);
        count_out(dropping, size_in(entry));
        if (!is_void)
            QN_TRY(keep_if_aside(dropping, actor, qn_read_u64(at.bytes + 8), entry));
        QN_TRY(qn_may_miss(qn_kv_del(kv, QN_TABLE_ORDER, qn_key_view(&order))));
        QN_TRY(qn_must_exist(qn_kv_del(kv, QN_TABLE_LOG, qn_key_view(&at))));
    }
}

enum qn_err qn_replica_drop_actor(struct qn_replica *replica, struct qn_coll_state *coll,
                                  uint32_t actor, uint64_t ctr)
{
    struct dropping dropping = {.replica = replica, .coll = coll};
    uint32_t number = coll->row.number;
    QN_TRY(load_log(replica, coll));
    QN_TRY(drop_entries(&dropping, actor, 0, false));
    QN_TRY(qn_counter_put(replica->kv, QN_TABLE_FLOOR, number, actor, ctr));
    return drop_checkpoints(replica, number, actor, ctr, ctr);
}

static enum qn_err drop_checkpoints_behind(struct qn_kv *kv, uint32_t coll, uint32_t actor,
                                           uint64_t ctr)
{
    struct qn_key prefix, from, at;
    struct qn_span key, value;
    qn_key_actor(&prefix, coll, actor);
    qn_key_dot(&from, coll, actor, ctr + 1);
    for (;;) {
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_CHAIN, qn_key_view(&from), &key, &value);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        qn_key_copy(&at, key);
        QN_TRY(qn_must_exist(qn_kv_del(kv, QN_TABLE_CHAIN, qn_key_view(&at))));
    }
}

/* A counter that is 0 has no row. */
static enum qn_err lower(struct qn_kv *kv, enum qn_table table, uint32_t coll, uint32_t actor,
                         uint64_t ctr)
{
    struct qn_key key;
    uint64_t before;
    QN_TRY(qn_counter_get(kv, table, coll, actor, &before));
    if (before <= ctr)
        return QN_OK;
    if (ctr > 0)
        return qn_counter_put(kv, table, coll, actor, ctr);
    return qn_must_exist(qn_kv_del(kv, table, qn_key_actor(&key, coll, actor)));
}

enum qn_err qn_replica_retract(struct qn_replica *replica, struct qn_coll_state *coll,
                               uint32_t number, const struct qn_actor *actor, uint64_t ctr)
{
    struct dropping dropping = {.replica = replica, .coll = coll};
    QN_TRY(load_log(replica, coll));
    QN_TRY(drop_entries(&dropping, number, ctr, true));
    QN_TRY(drop_checkpoints_behind(replica->kv, coll->row.number, number, ctr));
    QN_TRY(lower(replica->kv, QN_TABLE_FLOOR, coll->row.number, number, ctr));
    QN_TRY(lower(replica->kv, QN_TABLE_CC, coll->row.number, number, ctr));
    qn_vv_set(&coll->cc, actor, ctr);
    for (size_t i = coll->unsealed.count; i > 0; i--)
        if (qn_actor_cmp(&coll->unsealed.items[i - 1].last.actor, actor) == 0)
            qn_vec_remove(&coll->unsealed, i - 1);
    return QN_OK;
}

enum qn_err qn_replica_break_log(struct qn_replica *replica, struct qn_coll_state *coll)
{
    QN_TRY(load_log(replica, coll));
    coll->is_log_changed = true;
    return qn_order_break(replica->kv, coll->row.number, ++coll->row.order_head);
}

/* --- cutting --- */

static enum qn_err raise_floor(const struct dropping *dropping)
{
    const struct qn_coll_state *coll = dropping->coll;
    struct qn_replica *replica = dropping->replica;
    qn_vec_each (&dropping->floor.entries, entry) {
        uint32_t actor, number = coll->row.number;
        uint64_t before;
        QN_TRY(qn_must_exist(qn_dict_find_actor(&replica->dict, &entry->actor, &actor)));
        QN_TRY(qn_counter_get(replica->kv, QN_TABLE_FLOOR, number, actor, &before));
        if (entry->ctr > before)
            QN_TRY(qn_counter_put(replica->kv, QN_TABLE_FLOOR, number, actor, entry->ctr));
        QN_TRY(drop_checkpoints(replica, number, actor, entry->ctr,
                                qn_vv_get(&coll->cc, &entry->actor)));
    }
    return QN_OK;
}

static enum qn_err run(struct dropping *dropping, bool *ret_is_done)
{
    enum qn_err err = drop_front(dropping, ret_is_done);
    if (err == QN_OK)
        err = raise_floor(dropping);
    qn_vv_deinit(&dropping->floor);
    return err;
}

/* This site's time, which no battery that ran out sets back: marks of 1970 would be very old. */
static uint64_t time_of(const struct qn_replica *replica)
{
    uint64_t seen_ms = qn_hlc_ms(replica->hlc);
    return seen_ms > replica->wall_ms ? seen_ms : replica->wall_ms;
}

static enum qn_err cut_log(struct dropping *dropping, bool *ret_is_done)
{
    const struct qn_coll_state *coll = dropping->coll;
    QN_TRY(load_log(dropping->replica, dropping->coll));
    QN_TRY(qn_log_aged(dropping->replica->kv, coll->row.number, coll->row.order_head,
                       time_of(dropping->replica), dropping->cut->age_max_ms, &dropping->last_seq));
    return run(dropping, ret_is_done);
}

enum qn_err qn_replica_cut_log(struct qn_replica *replica, const struct qn_log_cut *cut,
                               size_t *ret_dropped, bool *ret_is_done)
{
    struct dropping dropping = {.replica = replica, .cut = cut};
    bool is_done = true;
    QN_TRY(qn_replica_coll(replica, &cut->coll, &dropping.coll));
    if (dropping.coll->row.number != 0)
        QN_TRY(qn_replica_fault(cut_log(&dropping, &is_done)));
    if (dropping.count > 0)
        qn_replica_touch(replica, &cut->coll);
    *ret_dropped = dropping.count;
    *ret_is_done = is_done;
    return QN_OK;
}

enum qn_err qn_replica_truncate(struct qn_replica *replica, const struct qn_coll_id *coll,
                                uint64_t seq)
{
    struct dropping dropping = {.replica = replica, .last_seq = seq};
    bool is_done;
    QN_TRY(qn_replica_coll(replica, coll, &dropping.coll));
    if (dropping.coll->row.number == 0)
        return QN_OK;
    QN_TRY(load_log(replica, dropping.coll));
    return run(&dropping, &is_done);
}
