/* Reading the log in the order of application, in batches that end at checkpoints: the receiver
 * applies nothing that its writer has not signed (RECORDS 1.1, 1.4).
 *
 * A cut is a place in the order where the last operation of every actor in the batch is at a
 * checkpoint. Each transaction of this site ended at one, so there is always one in reach.
 */
#include "base/assert.h"
#include "base/limits.h"
#include "model/bugs.h"
#include "model/dict.h"
#include "model/op.h"
#include "model/replica_read.h"
#include "model/tables.h"
#include "proto/pack.h"

#define ACTOR_SIZE 96 /* of the head of a message, at most */
#define ITEM_EXTRA 16
#define HARD_LIMIT (QN_FRAME_SIZE_MAX - 1024) /* what else stands in the frame */

struct batch_actor {
    struct qn_actor actor;
    uint32_t number;
    uint64_t last, last_at_cut;
    struct qn_signature signature, signature_at_cut;
    struct qn_digest chain;
    bool has_chain; /* up to its last operation: what is read is what was signed */
    bool is_open;   /* its last operation is at no checkpoint */
};

struct batch {
    struct qn_kv *kv;
    const struct qn_ops_request *request;
    uint32_t coll;
    bool is_own_only; /* the collection is late */
    struct qn_actor own;
    struct qn_dict dict;
    QN_VEC(struct batch_actor) actors; /* in order of appearance */
    QN_VEC(size_t) since_cut;          /* indexes of actors that got on since the last cut */
    size_t open;
    struct qn_buf items; /* packed */
    size_t count;
    size_t cut_size, cut_count; /* of items at the last cut */
    uint64_t cut_next;          /* and the sequence behind it */
    uint64_t seq;               /* the next one to look at */
};

static void deinit(struct batch *batch)
{
    qn_vec_free(&batch->actors);
    qn_vec_free(&batch->since_cut);
    qn_buf_deinit(&batch->items);
    qn_dict_deinit(&batch->dict);
}

static size_t index_of(struct batch *batch, uint32_t number, const struct qn_actor *actor)
{
    for (size_t i = 0; i < batch->actors.count; i++)
        if (batch->actors.items[i].number == number)
            return i;
    qn_vec_push(&batch->actors, ((struct batch_actor){.actor = *actor, .number = number}));
    return batch->actors.count - 1;
}

/* The hash before its first operation in the batch; without one (the log begins in the middle of a
 * commit) nothing is verified up to the next checkpoint. */
static enum qn_err begin_chain(struct batch *batch, struct batch_actor *in, uint64_t ctr)
{
    const struct qn_dot before = {in->actor, ctr - 1};
    enum qn_err err =
        qn_chain_at(batch->kv, &batch->request->coll, batch->coll, in->number, &before, &in->chain);
    in->has_chain = err == QN_OK;
    return qn_may_miss(err);
}

/* What rotted in the log is not served on: whoever got it would have to blame this site. */
static enum qn_err verify_chain(struct batch_actor *in, struct qn_span op,
                                const struct qn_checkpoint *checkpoint)
{
    if (in->has_chain)
        qn_chain_next(&in->chain, op, &in->chain);
    if (checkpoint == NULL)
        return QN_OK;
    bool is_right = !in->has_chain || qn_digest_eq(&in->chain, &checkpoint->hash);
    in->chain = checkpoint->hash;
    in->has_chain = true;
    return is_right ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err add_op(struct batch *batch, uint32_t number, const struct qn_actor *actor,
                          uint64_t ctr)
{
    struct qn_key key;
    struct qn_span op;
    struct qn_checkpoint checkpoint = {0};
    QN_TRY(qn_must_exist(
        qn_kv_get(batch->kv, QN_TABLE_LOG, qn_key_dot(&key, batch->coll, number, ctr), &op)));
    if (op.size <= 8)
        return QN_ERR_CORRUPT;
    size_t index = index_of(batch, number, actor);
    qn_pack_u64(&batch->items, index);
    qn_pack_bin(&batch->items, qn_span_from(op, 8));
    enum qn_err err = qn_checkpoint_get(batch->kv, batch->coll, number, ctr, &checkpoint);
    QN_TRY(qn_may_miss(err));
    struct batch_actor *in = &batch->actors.items[index];
    if (in->last == 0)
        QN_TRY(begin_chain(batch, in, ctr));
    QN_TRY(verify_chain(in, qn_span_from(op, 8), err == QN_OK ? &checkpoint : NULL));
    batch->open = batch->open + (err != QN_OK) - in->is_open;
    in->is_open = err != QN_OK;
    in->last = ctr;
    in->signature = checkpoint.signature;
    qn_vec_push(&batch->since_cut, index);
    batch->count++;
    return QN_OK;
}

static void cut(struct batch *batch)
{
    qn_vec_each (&batch->since_cut, index) {
        struct batch_actor *actor = &batch->actors.items[*index];
        actor->last_at_cut = actor->last;
        actor->signature_at_cut = actor->signature;
    }
    batch->since_cut.count = 0;
    batch->cut_size = batch->items.size;
    batch->cut_count = batch->count;
    batch->cut_next = batch->seq;
}

static size_t size_of(const struct batch *batch)
{
    return batch->items.size + batch->actors.count * ACTOR_SIZE;
}

static bool is_enough(const struct batch *batch)
{
    return size_of(batch) >= batch->request->size_wish || batch->count >= batch->request->ops_wish;
}

static bool is_too_much(const struct batch *batch)
{
    return batch->items.is_over || size_of(batch) > HARD_LIMIT || batch->count > QN_OPS_ITEMS_MAX ||
           batch->actors.count > QN_OPS_ACTORS_MAX;
}

/* One entry of the order: 12 bytes of key, 12 of value. */
static enum qn_err add_entry(struct batch *batch, struct qn_span order)
{
    struct qn_dot dot;
    if (order.size != 12)
        return QN_ERR_CORRUPT;
    if (qn_order_is_break(order))
        return QN_OK;
    uint32_t number = qn_read_u32(order.data);
    dot.ctr = qn_read_u64(order.data + 4);
    QN_TRY(qn_dict_actor_of(&batch->dict, number, &dot.actor));
    if (batch->is_own_only && qn_actor_cmp(&dot.actor, &batch->own) != 0)
        return QN_OK;
    if (batch->request->known == NULL || !qn_vv_has(batch->request->known, &dot))
        QN_TRY(add_op(batch, number, &dot.actor, dot.ctr));
    return QN_OK;
}

/* QN_ERR_NOTFOUND at the end of the order. */
static enum qn_err next_entry(const struct batch *batch, uint64_t *ret_seq,
                              struct qn_span *ret_order)
{
    struct qn_key key;
    struct qn_span found, value;
    QN_TRY(qn_kv_seek(batch->kv, QN_TABLE_ORDER, qn_key_seq(&key, batch->coll, batch->seq), &found,
                      &value));
    if (found.size != 12 || qn_read_u32(found.data) != batch->coll)
        return QN_ERR_NOTFOUND;
    *ret_seq = qn_read_u64(found.data + 4);
    *ret_order = value;
    return QN_OK;
}

/* Beyond to_seq only as far as the next cut. */
static enum qn_err collect(struct batch *batch, bool *ret_is_end)
{
    uint64_t seq, last = batch->request->to_seq == 0 ? UINT64_MAX : batch->request->to_seq;
    struct qn_span order;
    for (;;) {
        enum qn_err err = next_entry(batch, &seq, &order);
        QN_TRY(qn_may_miss(err));
        *ret_is_end = err != QN_OK || (seq > last && batch->open == 0);
        if (*ret_is_end)
            return QN_OK;
        QN_TRY(add_entry(batch, order));
        batch->seq = seq + 1;
        if (is_too_much(batch))
            return batch->cut_count > 0 ? QN_OK : QN_ERR_LIMIT;
        if (batch->open > 0)
            continue;
        cut(batch);
        if (batch->count > 0 && is_enough(batch))
            return QN_OK;
    }
}

static void pack(const struct batch *batch, struct qn_buf *out, struct qn_ops_read *read)
{
    size_t actors = 0;
    qn_vec_each (&batch->actors, actor)
        actors += actor->last_at_cut > 0;
    qn_pack_array(out, 2);
    qn_pack_array(out, 3 * actors);
    for (size_t i = 0; i < actors; i++) { /* those that came behind the cut stand at the end */
        const struct batch_actor *actor = &batch->actors.items[i];
        qn_pack_bin(out, QN_SPAN_OF(actor->actor.bytes));
        qn_pack_u64(out, actor->last_at_cut);
        qn_pack_bin(out, QN_SPAN_OF(actor->signature_at_cut.bytes));
        qn_vv_raise(&read->last, &actor->actor, actor->last_at_cut);
    }
    qn_pack_array(out, 2 * batch->cut_count);
    qn_pack_raw(out, qn_span(batch->items.data, batch->cut_size));
}

/* All zero if this site never wrote. */
static enum qn_err read_own(struct qn_kv *kv, struct qn_actor *ret_own)
{
    struct qn_key key;
    struct qn_span value;
    memset(ret_own, 0, sizeof(*ret_own));
    enum qn_err err = qn_kv_get(kv, QN_TABLE_META, qn_key_name(&key, QN_META_SELF), &value);
    if (err == QN_OK && value.size < QN_ACTOR_SIZE)
        return QN_ERR_CORRUPT;
    if (err == QN_OK)
        memcpy(ret_own->bytes, value.data, QN_ACTOR_SIZE);
    return qn_may_miss(err);
}

/* Whether the receiver has all that left the log. */
static enum qn_err reach(const struct batch *batch, bool *ret_reaches_back)
{
    static const struct qn_vv nothing;
    const struct qn_vv *known = batch->request->known;
    QN_AUTO_VV struct qn_vv floor = {0};
    QN_TRY(qn_read_floor(batch->kv, &batch->request->coll, &floor));
    *ret_reaches_back = qn_vv_covers(known != NULL ? known : &nothing, &floor);
    return QN_OK;
}

/* Entries before the first one that is left are gone: that matters if the receiver lacks any. */
static enum qn_err check_reach(const struct batch *batch)
{
    uint64_t first;
    struct qn_span order;
    enum qn_err err = next_entry(batch, &first, &order);
    QN_TRY(qn_may_miss(err));
    if (err == QN_OK && first == batch->seq && !qn_order_is_break(order))
        return QN_OK;
    bool reaches_back;
    QN_TRY(reach(batch, &reaches_back));
    return reaches_back ? QN_OK : QN_ERR_HELD;
}

/* A late site says nothing of its log: what it cannot give in order comes from others. Its own
 * operations name nothing that its clock lacks. */
static enum qn_err look_whether_late(struct batch *batch, bool is_late)
{
    bool reaches_back = true;
    if (!is_late || QN_BUG(QN_BUG_LATE_SERVES))
        return QN_OK;
    QN_TRY(reach(batch, &reaches_back));
    batch->is_own_only = !reaches_back;
    return reaches_back ? QN_OK : read_own(batch->kv, &batch->own);
}

static enum qn_err read_batch(struct batch *batch, struct qn_buf *out, struct qn_ops_read *read)
{
    struct qn_coll_row row;
    QN_TRY(qn_coll_row_get(batch->kv, &batch->request->coll, &row));
    batch->coll = row.number;
    QN_TRY(look_whether_late(batch, row.is_late));
    batch->seq = batch->cut_next = batch->request->from_seq > 0 ? batch->request->from_seq : 1;
    read->is_end = true;
    read->next_seq = batch->seq;
    if (row.number == 0 || batch->seq > row.order_head)
        return QN_OK;
    if (!batch->is_own_only)
        QN_TRY(check_reach(batch));
    QN_TRY(collect(batch, &read->is_end));
    read->next_seq = batch->cut_next;
    read->op_count = batch->cut_count;
    if (batch->cut_count > 0)
        pack(batch, out, read);
    return qn_buf_status(out);
}

enum qn_err qn_read_ops(struct qn_kv *kv, const struct qn_ops_request *request, struct qn_buf *out,
                        struct qn_ops_read *ret_read)
{
    struct qn_ops_read read = {0};
    struct batch batch = {.kv = kv, .request = request};
    qn_buf_init(&batch.items, HARD_LIMIT + QN_OP_SIZE_MAX + ITEM_EXTRA);
    qn_dict_init(&batch.dict, kv, true); /* caches actors; it is given no new ones */
    enum qn_err err = read_batch(&batch, out, &read);
    deinit(&batch);
    if (err == QN_OK)
        *ret_read = read;
    else
        qn_vv_deinit(&read.last);
    return err;
}

static enum qn_err seq_of(struct qn_kv *kv, struct qn_dict *dict, uint32_t coll,
                          const struct qn_dot *dot, uint64_t *ret_seq)
{
    struct qn_key key, at;
    struct qn_span op, order;
    uint32_t actor;
    QN_TRY(qn_must_exist(qn_dict_find_actor(dict, &dot->actor, &actor)));
    QN_TRY(
        qn_must_exist(qn_kv_get(kv, QN_TABLE_LOG, qn_key_dot(&key, coll, actor, dot->ctr), &op)));
    if (op.size <= 8)
        return QN_ERR_CORRUPT;
    uint64_t seq = qn_read_u64(op.data);
    QN_TRY(qn_must_exist(qn_kv_get(kv, QN_TABLE_ORDER, qn_key_seq(&at, coll, seq), &order)));
    if (!qn_span_eq(order, qn_span_from(qn_key_view(&key), 4)))
        return QN_ERR_CORRUPT; /* what stands behind another place would come without its causes */
    *ret_seq = seq;
    return QN_OK;
}

/* Of a late collection, the own actor's operations are served whatever left the log. */
static enum qn_err keep_own(struct qn_kv *kv, struct qn_vv *cc, struct qn_vv *floor)
{
    struct qn_actor own;
    QN_TRY(read_own(kv, &own));
    uint64_t ctr = qn_vv_get(cc, &own), gone = qn_vv_get(floor, &own);
    cc->entries.count = floor->entries.count = 0;
    qn_vv_set(cc, &own, ctr);
    qn_vv_set(floor, &own, gone);
    return QN_OK;
}

enum qn_err qn_read_start(struct qn_kv *kv, const struct qn_coll_id *coll,
                          const struct qn_vv *known, uint64_t *ret_seq)
{
    struct qn_dict dict;
    struct qn_coll_row row;
    QN_AUTO_VV struct qn_vv cc = {0}, floor = {0};
    qn_dict_init(&dict, kv, false);
    QN_TRY(qn_coll_row_get(kv, coll, &row));
    QN_TRY(qn_read_cc(kv, coll, &cc));
    QN_TRY(qn_read_floor(kv, coll, &floor));
    if (row.is_late && !qn_vv_covers(known, &floor) && !QN_BUG(QN_BUG_LATE_SERVES))
        QN_TRY(keep_own(kv, &cc, &floor));
    if (!qn_vv_covers(known, &floor))
        return QN_ERR_HELD;
    uint64_t first = 0;
    qn_vec_each (&cc.entries, entry) {
        struct qn_dot dot = {entry->actor, qn_vv_get(known, &entry->actor) + 1};
        uint64_t seq;
        if (dot.ctr > entry->ctr)
            continue;
        QN_TRY(seq_of(kv, &dict, row.number, &dot, &seq));
        first = first == 0 || seq < first ? seq : first;
    }
    *ret_seq = first;
    return QN_OK;
}
