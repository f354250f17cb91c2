#include "model/scrub.h"

#include "model/dict.h"
#include "model/hashing.h"
#include "model/op_read.h"
#include "model/replica_impl.h"
#include "proto/pack.h"

#define LOG_KEY_SIZE 16

struct reader {
    struct qn_kv *kv;
    const struct qn_coll_id *id;
    struct qn_scrub *scrub;
    struct qn_coll_row row;
    struct qn_damage damage;
    struct qn_hasher *hasher;
    struct qn_dict dict;
    struct qn_op op;
    size_t findings;
    struct qn_buf *out; /* the items of the array */
};

static void found(struct reader *reader, enum qn_finding finding, struct qn_span argument)
{
    qn_pack_u64(reader->out, finding);
    qn_pack_bin(reader->out, argument);
    reader->findings++;
}

/* The next entry of the collection in a table behind the place of the scrub; the key begins behind
 * the collection's number. */
static enum qn_err next_entry(struct reader *reader, enum qn_table table, struct qn_span *ret_key,
                              struct qn_span *ret_value)
{
    struct qn_scrub *scrub = reader->scrub;
    struct qn_key at, prefix;
    struct qn_span key;
    qn_key_coll(&prefix, reader->row.number);
    if (scrub->at_size == 0)
        qn_key_copy(&at, qn_key_view(&prefix));
    else {
        qn_key_copy(&at, qn_span(scrub->at, scrub->at_size));
        qn_key_next(&at);
    }
    QN_TRY(qn_kv_seek(reader->kv, table, qn_key_view(&at), &key, ret_value));
    if (!qn_span_has_prefix(key, qn_key_view(&prefix)))
        return QN_ERR_NOTFOUND;
    memcpy(scrub->at, key.data, key.size);
    scrub->at_size = key.size;
    scrub->looked++;
    *ret_key = qn_span_from(key, 4);
    return QN_OK;
}

/* ---- records ---- */

static void add_up(struct reader *reader, struct qn_span key, const struct qn_row_head *head)
{
    struct qn_coll_row *sums = &reader->scrub->sums;
    struct qn_digest leaf;
    qn_hash_leaf(reader->hasher, reader->id, key, head->hash, &leaf);
    qn_sum_add(sums->sum, leaf.bytes);
    sums->rows++;
    sums->conflicts += head->has_conflict;
    if (qn_span_eq_str(key, QN_KEY_COLLECTION))
        return;
    sums->live += qn_record_is_live(head->state);
    sums->trashed += head->state == QN_RECORD_TRASHED;
}

/* Sums, counters or an index do not fit: told once, because all of them are counted anew. */
static void found_miscount(struct reader *reader)
{
    if (reader->damage.is_uncounted || reader->scrub->has_miscount)
        return;
    reader->scrub->has_miscount = true;
    found(reader, QN_FINDING_SUMS, qn_span(NULL, 0));
}

static enum qn_err is_in(struct reader *reader, enum qn_table table, struct qn_span key,
                         bool *ret_is_in)
{
    struct qn_key at;
    struct qn_span value;
    enum qn_err err =
        qn_kv_get(reader->kv, table, qn_key_record(&at, reader->row.number, key), &value);
    *ret_is_in = err == QN_OK;
    return qn_may_miss(err);
}

static bool is_trashed(struct qn_span key, const struct qn_row_head *head)
{
    return head->state == QN_RECORD_TRASHED && !qn_span_eq_str(key, QN_KEY_COLLECTION);
}

static enum qn_err look_for_entries(struct reader *reader, struct qn_span key,
                                    const struct qn_row_head *head)
{
    bool in_conflicts, in_trash;
    QN_TRY(is_in(reader, QN_TABLE_CONF, key, &in_conflicts));
    QN_TRY(is_in(reader, QN_TABLE_TRASH, key, &in_trash));
    if (in_conflicts != head->has_conflict || in_trash != is_trashed(key, head))
        found_miscount(reader);
    return QN_OK;
}

static enum qn_err look_at_record(struct reader *reader)
{
    struct qn_span key, row;
    struct qn_row_head head;
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_TRY(next_entry(reader, QN_TABLE_REC, &key, &row));
    enum qn_err err = qn_replica_check_row(reader->hasher, &reader->dict, row, &head, &record);
    if (err == QN_ERR_CORRUPT || err == QN_ERR_CONFLICT) {
        found(reader, QN_FINDING_RECORD, key);
        return QN_OK;
    }
    QN_TRY(err);
    add_up(reader, key, &head);
    return look_for_entries(reader, key, &head);
}

/* ---- sums ---- */

static enum qn_err add_groups(struct reader *reader, struct qn_fp *ret_total, bool *ret_is_legible)
{
    struct qn_span key, value;
    enum qn_err err;
    *ret_total = (struct qn_fp){0};
    *ret_is_legible = true;
    reader->scrub->at_size = 0;
    while ((err = next_entry(reader, QN_TABLE_FP, &key, &value)) == QN_OK) {
        if (qn_fp_add_row(key, value, ret_total) != QN_OK)
            *ret_is_legible = false;
    }
    return qn_may_miss(err);
}

/* The records were read over many transactions: they say something only if nothing moved. */
static bool fits_records(const struct reader *reader)
{
    const struct qn_scrub *scrub = reader->scrub;
    const struct qn_coll_row *a = &scrub->sums, *b = &reader->row;
    if (scrub->order_head != b->order_head || scrub->found != reader->damage.found || b->is_late)
        return true; /* pages move records, and the head only at the end of a pass */
    return a->rows == b->rows && a->live == b->live && a->trashed == b->trashed &&
           a->conflicts == b->conflicts && memcmp(a->sum, b->sum, sizeof(a->sum)) == 0;
}

static enum qn_err look_at_sums(struct reader *reader)
{
    struct qn_fp total;
    bool is_legible;
    QN_TRY(add_groups(reader, &total, &is_legible));
    const struct qn_coll_row *row = &reader->row;
    bool is_right = is_legible && total.count == row->rows &&
                    memcmp(total.sum, row->sum, sizeof(row->sum)) == 0 && fits_records(reader);
    if (!is_right)
        found_miscount(reader);
    return QN_ERR_NOTFOUND; /* that was all */
}

/* ---- indexes ---- */

static enum qn_err is_rightly_in(struct reader *reader, enum qn_table table, struct qn_span key,
                                 bool *ret_is_right)
{
    struct qn_key at;
    struct qn_span row;
    struct qn_row_head head;
    *ret_is_right = false;
    enum qn_err err =
        qn_kv_get(reader->kv, QN_TABLE_REC, qn_key_record(&at, reader->row.number, key), &row);
    if (err == QN_OK && qn_row_decode_head(row, &head) == QN_OK)
        *ret_is_right = table == QN_TABLE_CONF ? head.has_conflict : is_trashed(key, &head);
    return qn_may_miss(err);
}

/* Counted over many transactions: that says something only if nothing moved. */
static void judge_count(struct reader *reader, uint64_t wanted)
{
    const struct qn_scrub *scrub = reader->scrub;
    bool has_moved = scrub->index_head != reader->row.order_head ||
                     scrub->index_found != reader->damage.found || reader->row.is_late;
    if (!has_moved && scrub->indexed != wanted)
        found_miscount(reader);
}

static enum qn_err look_at_index(struct reader *reader, enum qn_table table, uint64_t wanted)
{
    struct qn_scrub *scrub = reader->scrub;
    struct qn_span key, value;
    bool is_right;
    if (scrub->at_size == 0) {
        scrub->index_head = reader->row.order_head;
        scrub->index_found = reader->damage.found;
        scrub->indexed = 0;
    }
    enum qn_err err = next_entry(reader, table, &key, &value);
    if (err == QN_ERR_NOTFOUND)
        judge_count(reader, wanted);
    QN_TRY(err);
    scrub->indexed++;
    QN_TRY(is_rightly_in(reader, table, key, &is_right));
    if (!is_right)
        found_miscount(reader);
    return QN_OK;
}

/* ---- order ---- */

/* The last place is that of the last operation. */
static void look_at_head(struct reader *reader)
{
    const struct qn_scrub *scrub = reader->scrub;
    if (scrub->at_size == 12 && qn_read_u64(scrub->at + 4) != reader->row.order_head)
        found(reader, QN_FINDING_ORDER, qn_span(NULL, 0));
}

static enum qn_err look_at_place(struct reader *reader)
{
    struct qn_span key, value, entry;
    struct qn_key at;
    enum qn_err next = next_entry(reader, QN_TABLE_ORDER, &key, &value);
    if (next == QN_ERR_NOTFOUND)
        look_at_head(reader);
    QN_TRY(next);
    bool is_right = key.size == 8 && value.size == 12;
    if (is_right && qn_order_is_break(value))
        return QN_OK;
    uint64_t seq = is_right ? qn_read_u64(key.data) : 0;
    if (is_right) {
        enum qn_err err = qn_kv_get(reader->kv, QN_TABLE_LOG,
                                    qn_key_dot(&at, reader->row.number, qn_read_u32(value.data),
                                               qn_read_u64(value.data + 4)),
                                    &entry);
        QN_TRY(qn_may_miss(err));
        is_right = err == QN_OK && entry.size > 8 && qn_read_u64(entry.data) == seq;
    }
    if (is_right)
        return QN_OK;
    found(reader, QN_FINDING_ORDER, qn_span(NULL, 0));
    return QN_ERR_NOTFOUND; /* all of it is made anew */
}

/* ---- log ---- */

static void found_in_log(struct reader *reader, uint64_t ctr)
{
    uint8_t argument[12];
    qn_write_u32(argument, reader->scrub->actor);
    qn_write_u64(argument + 4, ctr);
    found(reader, QN_FINDING_LOG, QN_SPAN_OF(argument));
}

static enum qn_err begin_actor(struct reader *reader, uint32_t actor)
{
    struct qn_scrub *scrub = reader->scrub;
    struct qn_dot floor;
    QN_TRY(qn_counter_get(reader->kv, QN_TABLE_FLOOR, reader->row.number, actor, &floor.ctr));
    scrub->actor = actor;
    scrub->ctr = floor.ctr;
    scrub->bad_ctr = 0;
    enum qn_err err = qn_dict_actor_of(&reader->dict, actor, &floor.actor);
    if (err == QN_OK)
        err = qn_chain_at(reader->kv, reader->id, reader->row.number, actor, &floor, &scrub->chain);
    scrub->has_chain = err == QN_OK;
    return err == QN_ERR_CORRUPT ? QN_OK : qn_may_miss(err);
}

static bool is_legible(struct reader *reader, struct qn_span entry, uint64_t ctr)
{
    struct qn_actor actor;
    return entry.size > 8 && ctr == reader->scrub->ctr + 1 &&
           qn_dict_actor_of(&reader->dict, reader->scrub->actor, &actor) == QN_OK &&
           qn_op_read(qn_span_from(entry, 8), &actor, &reader->op) == QN_OK &&
           reader->op.dot.ctr == ctr;
}

/* At a checkpoint it shows whether the operations since the last one are what was signed. */
static enum qn_err meet_checkpoint(struct reader *reader, uint64_t ctr)
{
    struct qn_scrub *scrub = reader->scrub;
    struct qn_checkpoint checkpoint;
    enum qn_err err =
        qn_checkpoint_get(reader->kv, reader->row.number, scrub->actor, ctr, &checkpoint);
    if (err == QN_ERR_CORRUPT)
        found_in_log(reader, ctr);
    if (err != QN_OK)
        return err == QN_ERR_NOTFOUND || err == QN_ERR_CORRUPT ? QN_OK : err;
    bool is_right = !scrub->has_chain || qn_digest_eq(&checkpoint.hash, &scrub->chain);
    if (!is_right || scrub->bad_ctr != 0)
        found_in_log(reader, ctr);
    scrub->bad_ctr = 0;
    scrub->has_chain = true;
    scrub->chain = checkpoint.hash;
    return QN_OK;
}

static enum qn_err look_at_op(struct reader *reader)
{
    struct qn_span key, entry, order;
    struct qn_key at;
    struct qn_scrub *scrub = reader->scrub;
    QN_TRY(next_entry(reader, QN_TABLE_LOG, &key, &entry));
    if (key.size != LOG_KEY_SIZE - 4)
        return QN_OK;
    uint64_t ctr = qn_read_u64(key.data + 4);
    if (qn_read_u32(key.data) != scrub->actor)
        QN_TRY(begin_actor(reader, qn_read_u32(key.data)));
    if (is_legible(reader, entry, ctr) && scrub->has_chain)
        qn_hash_chain(reader->hasher, &scrub->chain, qn_span_from(entry, 8), &scrub->chain);
    else if (!is_legible(reader, entry, ctr)) {
        scrub->has_chain = false;
        scrub->bad_ctr = ctr;
    }
    scrub->ctr = ctr;
    if (entry.size > 8) {
        enum qn_err err =
            qn_kv_get(reader->kv, QN_TABLE_ORDER,
                      qn_key_seq(&at, reader->row.number, qn_read_u64(entry.data)), &order);
        QN_TRY(qn_may_miss(err));
        if (err != QN_OK || order.size != 12 || memcmp(order.data, key.data, 12) != 0)
            found(reader, QN_FINDING_ORDER, qn_span(NULL, 0));
    }
    return meet_checkpoint(reader, ctr);
}

/* ---- clock ---- */

static enum qn_err log_ends(struct qn_kv *kv, uint32_t coll, uint32_t actor, uint64_t *ret_first,
                            uint64_t *ret_last)
{
    struct qn_key at, prefix;
    struct qn_span key, value;
    qn_key_actor(&prefix, coll, actor);
    *ret_first = *ret_last = 0;
    enum qn_err err = qn_kv_seek(kv, QN_TABLE_LOG, qn_key_view(&prefix), &key, &value);
    if (err != QN_OK || key.size != LOG_KEY_SIZE || !qn_span_has_prefix(key, qn_key_view(&prefix)))
        return qn_may_miss(err);
    *ret_first = *ret_last = qn_read_u64(key.data + 8);
    /* Counters are contiguous: the end is where the next one is missing, found by doubling. */
    for (uint64_t step = 1; step > 0;) {
        err = qn_kv_get(kv, QN_TABLE_LOG, qn_key_dot(&at, coll, actor, *ret_last + step), &value);
        QN_TRY(qn_may_miss(err));
        *ret_last += err == QN_OK ? step : 0;
        step = err == QN_OK ? 2 * step : step / 2;
    }
    return QN_OK;
}

static enum qn_err chain_last(struct qn_kv *kv, uint32_t coll, uint32_t actor, uint64_t *ret_ctr)
{
    struct qn_key at, prefix;
    struct qn_span key, value;
    *ret_ctr = 0;
    qn_key_actor(&prefix, coll, actor);
    qn_key_actor(&at, coll, actor);
    for (;;) {
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_CHAIN, qn_key_view(&at), &key, &value);
        if (err != QN_OK || !qn_span_has_prefix(key, qn_key_view(&prefix)))
            return qn_may_miss(err);
        if (key.size == LOG_KEY_SIZE)
            *ret_ctr = qn_read_u64(key.data + 8);
        qn_key_copy(&at, key);
        qn_key_next(&at);
    }
}

enum qn_err qn_clock_of_log(struct qn_kv *kv, uint32_t coll, uint32_t actor, uint64_t *ret_floor,
                            uint64_t *ret_cc)
{
    uint64_t first, last;
    QN_TRY(log_ends(kv, coll, actor, &first, &last));
    if (first == 0)
        QN_TRY(chain_last(kv, coll, actor, &last));
    *ret_floor = first == 0 ? last : first - 1;
    *ret_cc = last;
    return QN_OK;
}

static enum qn_err look_at_clock(struct reader *reader)
{
    struct qn_span key, value, floor;
    struct qn_key at;
    uint64_t wanted_floor, wanted_cc;
    QN_TRY(next_entry(reader, QN_TABLE_CC, &key, &value));
    if (key.size != 4)
        return QN_OK;
    uint32_t actor = qn_read_u32(key.data);
    QN_TRY(qn_clock_of_log(reader->kv, reader->row.number, actor, &wanted_floor, &wanted_cc));
    enum qn_err err =
        qn_kv_get(reader->kv, QN_TABLE_FLOOR, qn_key_actor(&at, reader->row.number, actor), &floor);
    QN_TRY(qn_may_miss(err));
    bool is_right = value.size == 8 && qn_read_u64(value.data) == wanted_cc;
    if (err == QN_OK)
        is_right &= floor.size == 8 && qn_read_u64(floor.data) == wanted_floor;
    else
        is_right &= wanted_floor == 0;
    uint8_t argument[4];
    qn_write_u32(argument, actor);
    if (!is_right && wanted_cc > 0 && !reader->row.is_late)
        found(reader, QN_FINDING_CLOCK, QN_SPAN_OF(argument));
    return QN_OK;
}

/* ---- a step ---- */

static enum qn_err look(struct reader *reader)
{
    switch (reader->scrub->stage) {
    case QN_SCRUB_RECORDS:
        return look_at_record(reader);
    case QN_SCRUB_SUMS:
        return look_at_sums(reader);
    case QN_SCRUB_CONFLICTS:
        return look_at_index(reader, QN_TABLE_CONF, reader->row.conflicts);
    case QN_SCRUB_TRASH:
        return look_at_index(reader, QN_TABLE_TRASH, reader->row.trashed);
    case QN_SCRUB_ORDER:
        return look_at_place(reader);
    case QN_SCRUB_LOG:
        return look_at_op(reader);
    case QN_SCRUB_CLOCK:
        return look_at_clock(reader);
    case QN_SCRUB_END:
        break;
    }
    return QN_OK;
}

static void begin(struct reader *reader)
{
    struct qn_scrub *scrub = reader->scrub;
    if (scrub->is_begun)
        return;
    scrub->is_begun = true;
    scrub->order_head = reader->row.order_head;
    scrub->found = reader->damage.found;
    if (reader->row.number == 0)
        scrub->stage = QN_SCRUB_END;
}

static enum qn_err step(struct reader *reader, size_t count_max)
{
    struct qn_scrub *scrub = reader->scrub;
    begin(reader);
    for (size_t i = 0; i < count_max && reader->findings < QN_FINDINGS_MAX; i++) {
        if (scrub->stage == QN_SCRUB_END)
            return QN_OK;
        enum qn_err err = look(reader);
        if (err == QN_OK)
            continue;
        if (err != QN_ERR_NOTFOUND)
            return err;
        scrub->stage++;
        scrub->at_size = 0;
        scrub->actor = 0;
    }
    return QN_OK;
}

enum qn_err qn_read_scrub(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_scrub *scrub,
                          size_t count_max, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf items;
    qn_buf_init(&items, (QN_FINDINGS_MAX + 4) * 320);
    struct reader reader = {.kv = kv, .id = coll, .scrub = scrub, .out = &items};
    QN_TRY(qn_coll_row_get(kv, coll, &reader.row));
    QN_TRY(qn_damage_get(kv, reader.row.number, &reader.damage));
    reader.hasher = qn_hasher_new();
    qn_dict_init(&reader.dict, kv, false);
    enum qn_err err = step(&reader, count_max);
    qn_hasher_free(reader.hasher);
    qn_op_deinit(&reader.op);
    QN_TRY(err);
    qn_pack_array(out, 2 * reader.findings);
    qn_pack_raw(out, qn_buf_view(&items));
    QN_TRY(qn_buf_status(&items));
    return qn_buf_status(out);
}
