/* Putting right what a scrub found (scrub.h). Everything is looked at again: what was found in a
 * reading transaction may be gone. */
#include "base/limits.h"
#include "model/hashing.h"
#include "model/replica_impl.h"
#include "model/scrub.h"

/* ---- records ---- */

/* Loading sets it aside, if it is damaged. Bits that are derived are put right by a recount. */
static enum qn_err mend_record(struct qn_replica *replica, struct qn_coll_state *coll,
                               struct qn_span key)
{
    if (key.size == 0 || key.size > QN_KEY_SIZE_MAX)
        return QN_ERR_INVALID;
    return qn_replica_load(replica, coll, key);
}

/* ---- order ---- */

static enum qn_err next_of(struct qn_replica *replica, enum qn_table table, uint32_t coll,
                           struct qn_key *at, struct qn_span *ret_key, struct qn_span *ret_value)
{
    struct qn_key prefix;
    QN_TRY(qn_kv_seek(replica->kv, table, qn_key_view(at), ret_key, ret_value));
    if (!qn_span_has_prefix(*ret_key, qn_key_coll(&prefix, coll)))
        return QN_ERR_NOTFOUND;
    qn_key_copy(at, *ret_key);
    return QN_OK;
}

static enum qn_err put_seq(struct qn_replica *replica, struct qn_span log_key, struct qn_span entry,
                           uint64_t seq)
{
    struct qn_key key;
    qn_key_copy(&key, log_key);
    qn_buf_reset(&replica->encoded);
    qn_buf_append_u64(&replica->encoded, seq);
    qn_buf_append_span(&replica->encoded, qn_span_from(entry, 8));
    QN_TRY(qn_buf_status(&replica->encoded));
    return qn_kv_put(replica->kv, QN_TABLE_LOG, qn_key_view(&key), qn_buf_view(&replica->encoded));
}

/* A place that points to no operation goes; else the operation's own idea of it follows. */
static enum qn_err mend_place(struct qn_replica *replica, uint32_t coll, const struct qn_key *at,
                              struct qn_span place)
{
    struct qn_key key;
    struct qn_span entry;
    enum qn_err err = QN_ERR_NOTFOUND;
    if (at->size == 12 && qn_order_is_break(place))
        return QN_OK;
    if (place.size == 12 && at->size == 12)
        err = qn_kv_get(
            replica->kv, QN_TABLE_LOG,
            qn_key_dot(&key, coll, qn_read_u32(place.data), qn_read_u64(place.data + 4)), &entry);
    QN_TRY(qn_may_miss(err));
    if (err != QN_OK || entry.size <= 8)
        return qn_kv_del(replica->kv, QN_TABLE_ORDER, qn_key_view(at));
    uint64_t seq = qn_read_u64(at->bytes + 4);
    return qn_read_u64(entry.data) == seq ? QN_OK : put_seq(replica, qn_key_view(&key), entry, seq);
}

static enum qn_err mend_places(struct qn_replica *replica, struct qn_coll_state *coll)
{
    struct qn_key at;
    struct qn_span key, place;
    uint64_t last = 0;
    qn_key_coll(&at, coll->row.number);
    for (;;) {
        enum qn_err err = next_of(replica, QN_TABLE_ORDER, coll->row.number, &at, &key, &place);
        if (err == QN_ERR_NOTFOUND && last > 0)
            coll->row.order_head = last;
        if (err != QN_OK)
            return qn_may_miss(err);
        last = at.size == 12 ? qn_read_u64(at.bytes + 4) : last;
        QN_TRY(mend_place(replica, coll->row.number, &at, place));
        qn_key_next(&at);
    }
}

/* An operation without a place gets its own one back, or if that is another's, one at the end. */
static enum qn_err mend_entry(struct qn_replica *replica, struct qn_coll_state *coll,
                              const struct qn_key *at, struct qn_span entry)
{
    struct qn_key key;
    struct qn_span place;
    if (at->size != 16 || entry.size <= 8)
        return QN_OK;
    uint64_t seq = qn_read_u64(entry.data);
    enum qn_err err =
        qn_kv_get(replica->kv, QN_TABLE_ORDER, qn_key_seq(&key, coll->row.number, seq), &place);
    QN_TRY(qn_may_miss(err));
    if (err == QN_OK && place.size == 12 && memcmp(place.data, at->bytes + 4, 12) == 0)
        return QN_OK;
    if (err == QN_OK || seq == 0 || seq > coll->row.order_head) {
        seq = ++coll->row.order_head;
        QN_TRY(put_seq(replica, qn_key_view(at), entry, seq));
    }
    return qn_kv_put(replica->kv, QN_TABLE_ORDER, qn_key_seq(&key, coll->row.number, seq),
                     qn_span(at->bytes + 4, 12));
}

static enum qn_err mend_entries(struct qn_replica *replica, struct qn_coll_state *coll)
{
    struct qn_key at;
    struct qn_span key, entry;
    qn_key_coll(&at, coll->row.number);
    for (;;) {
        enum qn_err err = next_of(replica, QN_TABLE_LOG, coll->row.number, &at, &key, &entry);
        if (err != QN_OK)
            return qn_may_miss(err);
        QN_TRY(mend_entry(replica, coll, &at, entry));
        qn_key_next(&at);
    }
}

static enum qn_err mend_order(struct qn_replica *replica, struct qn_coll_state *coll)
{
    QN_TRY(mend_places(replica, coll));
    QN_TRY(mend_entries(replica, coll));
    QN_TRY(qn_replica_count_log(replica, coll));
    QN_TRY(qn_coll_row_put(replica->kv, &coll->id, &coll->row));
    return qn_replica_incident(replica, coll, QN_INCIDENT_ORDER, qn_span(NULL, 0), NULL);
}

/* ---- log ---- */

/* What cannot be served any more leaves the log, with all that was applied before: who lacks it
 * gets pages. Nothing is lost here: the records have it. */
static enum qn_err mend_log(struct qn_replica *replica, struct qn_coll_state *coll, uint32_t actor,
                            uint64_t ctr)
{
    struct qn_key key;
    struct qn_span entry;
    uint64_t seq = 0;
    for (; ctr > 0 && seq == 0; ctr--) {
        enum qn_err err = qn_kv_get(replica->kv, QN_TABLE_LOG,
                                    qn_key_dot(&key, coll->row.number, actor, ctr), &entry);
        QN_TRY(qn_may_miss(err));
        if (err != QN_OK)
            break;
        seq = entry.size > 8 ? qn_read_u64(entry.data) : 0;
    }
    if (seq == 0 || seq > coll->row.order_head)
        return QN_OK;
    QN_TRY(qn_replica_truncate(replica, &coll->id, seq));
    return qn_replica_incident(replica, coll, QN_INCIDENT_LOG, qn_span(NULL, 0), NULL);
}

/* ---- clock ---- */

static enum qn_err mend_clock(struct qn_replica *replica, struct qn_coll_state *coll,
                              uint32_t actor)
{
    uint64_t floor, cc;
    struct qn_actor name;
    QN_TRY(qn_dict_actor_of(&replica->dict, actor, &name));
    QN_TRY(qn_clock_of_log(replica->kv, coll->row.number, actor, &floor, &cc));
    if (cc == 0 || coll->row.is_late)
        return QN_OK;
    QN_TRY(qn_counter_put(replica->kv, QN_TABLE_CC, coll->row.number, actor, cc));
    if (floor > 0)
        QN_TRY(qn_counter_put(replica->kv, QN_TABLE_FLOOR, coll->row.number, actor, floor));
    qn_vv_set(&coll->cc, &name, cc);
    return qn_replica_incident(replica, coll, QN_INCIDENT_CLOCK, qn_span(NULL, 0), NULL);
}

static enum qn_err mend(struct qn_replica *replica, struct qn_coll_state *coll,
                        enum qn_finding finding, struct qn_span argument)
{
    switch (finding) {
    case QN_FINDING_RECORD:
        return mend_record(replica, coll, argument);
    case QN_FINDING_SUMS:
        return QN_OK; /* counted anew in steps of its own (replica.h) */
    case QN_FINDING_ORDER:
        return mend_order(replica, coll);
    case QN_FINDING_LOG:
        if (argument.size != 12)
            return QN_ERR_INVALID;
        return mend_log(replica, coll, qn_read_u32(argument.data), qn_read_u64(argument.data + 4));
    case QN_FINDING_CLOCK:
        return argument.size == 4 ? mend_clock(replica, coll, qn_read_u32(argument.data))
                                  : QN_ERR_INVALID;
    }
    return QN_ERR_INVALID;
}

enum qn_err qn_replica_mend(struct qn_replica *replica, const struct qn_coll_id *id,
                            enum qn_finding finding, struct qn_span argument)
{
    struct qn_coll_state *coll;
    QN_TRY(qn_replica_coll(replica, id, &coll));
    if (coll->row.number == 0)
        return QN_OK;
    return mend(replica, coll, finding, argument);
}

enum qn_err qn_replica_scrubbed(struct qn_replica *replica, const struct qn_coll_id *id)
{
    struct qn_coll_state *coll;
    QN_TRY(qn_replica_coll(replica, id, &coll));
    if (coll->row.number == 0)
        return QN_OK;
    coll->damage.scrubbed_ms = replica->wall_ms;
    qn_replica_touch(replica, id);
    return qn_damage_put(replica->kv, coll->row.number, &coll->damage);
}
