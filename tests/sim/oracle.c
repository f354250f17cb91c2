/* What must hold (RECORDS 1.7): the operations of all, taken as they are committed; that logs have
 * what clocks claim, that no dot is used twice, and no write is acknowledged before it is durable.
 */
#include "model/dict.h"
#include "model/tables.h"
#include "proto/pack.h"
#include "sim/world.h"

static struct sim_seen *seen_of(struct sim_world *world, size_t site, const struct qn_coll_id *coll)
{
    qn_vec_each (&world->seen, slot)
        if ((*slot)->site == site && qn_coll_id_eq(&(*slot)->coll, coll))
            return *slot;
    struct sim_seen *seen = QN_NEW(struct sim_seen);
    seen->site = site;
    seen->coll = *coll;
    qn_vec_push(&world->seen, seen);
    return seen;
}

void oracle_deinit(struct sim_world *world)
{
    qn_vec_each (&world->ops, op) {
        qn_op_deinit(&op->op);
        qn_free(op->bytes);
    }
    qn_vec_each (&world->seen, seen) {
        qn_vv_deinit(&(*seen)->vv);
        qn_free(*seen);
    }
    qn_vec_free(&world->ops);
    qn_vec_free(&world->seen);
}

const struct sim_op *oracle_op(const struct sim_world *world, const struct qn_coll_id *coll,
                               const struct qn_dot *dot)
{
    qn_vec_each (&world->ops, op)
        if (qn_dot_cmp(&op->op.dot, dot) == 0 && qn_coll_id_eq(&op->coll, coll))
            return op;
    return NULL;
}

/* Invariant 7: no dot is issued twice with different content. */
static void take_op(struct sim_world *world, const struct sim_site *site,
                    const struct qn_coll_id *coll, const struct qn_actor *actor,
                    struct qn_span bytes)
{
    struct sim_op op = {
        .coll = *coll, .bytes = qn_memdup(bytes.data, bytes.size), .size = bytes.size};
    if (qn_op_unpack(qn_span(op.bytes, op.size), actor, &op.op) != QN_OK) {
        world_fail(world, "%s: an operation in the log cannot be read", site->name);
        qn_free(op.bytes);
        return;
    }
    const struct sim_op *known = oracle_op(world, coll, &op.op.dot);
    if (known == NULL) {
        qn_vec_push(&world->ops, op);
        return;
    }
    if (!qn_span_eq(qn_span(known->bytes, known->size), bytes))
        world_fail(world, "%s: a dot was issued twice with different content", site->name);
    qn_op_deinit(&op.op);
    qn_free(op.bytes);
}

static bool take_batch(struct sim_world *world, struct sim_site *site, struct sim_seen *seen,
                       uint64_t *seq)
{
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_FRAME_SIZE_MAX);
    struct qn_ops_request request = {.coll = seen->coll,
                                     .from_seq = *seq,
                                     .known = &seen->vv,
                                     .size_wish = QN_OPS_BATCH_SIZE,
                                     .ops_wish = 1000};
    struct qn_ops_read read = {0};
    struct qn_ops ops = {0};
    bool goes_on = false;
    if (qn_read_ops(memkv_reader(site->disk), &request, &body, &read) != QN_OK) {
        world_fail(world, "%s: the log cannot be read", site->name);
    } else if (read.op_count > 0) {
        struct qn_cursor cursor = qn_cursor(qn_buf_view(&body));
        QN_ASSERT(qn_ops_unpack(&cursor, &ops) == QN_OK);
        qn_vec_each (&ops.items, item)
            take_op(world, site, &seen->coll, &ops.actors.items[item->actor].last.actor, item->op);
        qn_vv_join(&seen->vv, &read.last);
        *seq = read.next_seq;
        goes_on = !read.is_end;
    }
    qn_ops_deinit(&ops);
    qn_vv_deinit(&read.last);
    return goes_on;
}

/* What left the log, or came as pages: it was in somebody's log once. */
static enum qn_err take_floor(struct sim_world *world, struct sim_site *site, struct sim_seen *seen)
{
    QN_AUTO_VV struct qn_vv floor = {0};
    QN_TRY(qn_read_floor(memkv_reader(site->disk), &seen->coll, &floor));
    qn_vec_each (&floor.entries, entry)
        for (uint64_t ctr = qn_vv_get(&seen->vv, &entry->actor) + 1; ctr <= entry->ctr; ctr++)
            if (oracle_op(world, &seen->coll, &(struct qn_dot){entry->actor, ctr}) == NULL)
                world_fail(world, "%s: claims an operation that nobody wrote", site->name);
    qn_vv_join(&seen->vv, &floor);
    return QN_OK;
}

/* Invariant 2: the log has every operation that the clock claims. */
static void take_ops(struct sim_world *world, struct sim_site *site, const struct qn_coll_id *coll,
                     const struct qn_vv *cc, bool is_late)
{
    struct sim_seen *seen = seen_of(world, site->index, coll);
    uint64_t seq;
    enum qn_err err = take_floor(world, site, seen);
    if (err == QN_OK)
        err = qn_read_start(memkv_reader(site->disk), coll, &seen->vv, &seq);
    if (err != QN_OK) {
        world_fail(world, "%s: the log has a gap (%s)", site->name, qn_err_name(err));
        return;
    }
    while (seq != 0 && take_batch(world, site, seen, &seq))
        ;
    if (!is_late && !qn_vv_eq(&seen->vv, cc)) /* a late one shows only what it writes itself */
        world_fail(world, "%s: the clock and the log differ", site->name);
}

/* ---- the log at rest ---- */

static void check_entry(struct sim_world *world, const struct sim_site *site,
                        const struct qn_coll_id *coll, struct qn_span key, struct qn_span entry)
{
    struct qn_dict dict;
    struct qn_dot dot = {.ctr = qn_read_u64(key.data + 8)};
    qn_dict_init(&dict, memkv_reader(site->disk), false);
    QN_ASSERT(qn_dict_actor_of(&dict, qn_read_u32(key.data + 4), &dot.actor) == QN_OK);
    const struct sim_op *op = oracle_op(world, coll, &dot);
    if (op == NULL || entry.size <= 8 ||
        !qn_span_eq(qn_span_from(entry, 8), qn_span(op->bytes, op->size)))
        world_fail(world, "%s: its log has what was not written", site->name);
}

void oracle_check_log(struct sim_world *world, const struct sim_site *site,
                      const struct qn_coll_id *coll)
{
    struct qn_kv *kv = memkv_reader(site->disk);
    struct qn_coll_row row;
    struct qn_key prefix, at;
    struct qn_span key, entry;
    QN_ASSERT(qn_coll_row_get(kv, coll, &row) == QN_OK);
    qn_key_coll(&prefix, row.number);
    qn_key_coll(&at, row.number);
    while (row.number != 0 &&
           qn_kv_seek(kv, QN_TABLE_LOG, qn_key_view(&at), &key, &entry) == QN_OK &&
           qn_span_has_prefix(key, qn_key_view(&prefix))) {
        check_entry(world, site, coll, key, entry);
        qn_key_copy(&at, key);
        qn_key_next(&at);
    }
}

void oracle_committed(struct sim_world *world, struct sim_site *site,
                      const struct qn_commit *commit)
{
    if (world->has_twins)
        return;
    qn_vec_each (&commit->changes, change) {
        world_trace(world, "%s commits %02x%02x seq %llu live %llu", site->name,
                    change->coll.bytes[0], change->coll.bytes[1],
                    (unsigned long long)change->info.order_head,
                    (unsigned long long)change->info.live);
        take_ops(world, site, &change->coll, &change->cc, change->info.late.is_late);
        rot_look(world);
        if (world_chance(world, 250))
            oracle_check_coll(world, site, &change->coll);
    }
}

void oracle_started(struct sim_world *world, struct sim_site *site)
{
    if (world->has_twins)
        return;
    qn_vec_each (&world->colls, coll) {
        QN_AUTO_VV struct qn_vv cc = {0};
        struct qn_coll_info info;
        if (qn_read_coll(memkv_reader(site->disk), coll, &info) != QN_OK)
            continue;
        QN_ASSERT(qn_read_cc(memkv_reader(site->disk), coll, &cc) == QN_OK);
        take_ops(world, site, coll, &cc, info.late.is_late);
        oracle_check_coll(world, site, coll);
    }
}

/* Invariant of acknowledgements: what a user was told is on the disk. */
void oracle_acked(struct sim_world *world, struct sim_site *site, uint64_t request, bool is_ok)
{
    qn_vec_each (&world->acks, ack) {
        if (ack->request != request || !ack->is_open)
            continue;
        ack->is_open = false;
        if (!is_ok)
            return;
        QN_AUTO_BUF struct qn_buf value;
        qn_buf_init(&value, 16);
        qn_pack_u64(&value, ack->value);
        qn_vec_each (&world->ops, op)
            qn_vec_each (&op->op.set, set)
                if (qn_span_eq(set->value, qn_buf_view(&value)))
                    return;
        world_fail(world, "%s: a write was acknowledged that is not durable", site->name);
        return;
    }
}
