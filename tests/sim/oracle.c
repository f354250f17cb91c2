/* What must hold (RECORDS 1.7), judged by code that shares nothing with the rules but the codec of
 * operations: a collection is what its operations set minus what they removed. */
#include <stdlib.h>

#include "model/doubt.h"
#include "model/late_seg.h"
#include "model/tables.h"
#include "model/peers.h"
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

static struct sim_op *find_op(struct sim_world *world, const struct qn_coll_id *coll,
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
    struct sim_op *known = find_op(world, coll, &op.op.dot);
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
            if (find_op(world, &seen->coll, &(struct qn_dot){entry->actor, ctr}) == NULL)
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

/* ---- what the operations say ---- */

struct fact { /* a value in a field of a record */
    struct qn_span key, field, value;
    struct qn_dot dot;
};

struct facts {
    QN_VEC(struct fact) list;
};

static int by_place(const void *a, const void *b)
{
    const struct fact *x = a, *y = b;
    int order = qn_span_cmp(x->key, y->key);
    if (order == 0)
        order = qn_span_cmp(x->field, y->field);
    return order != 0 ? order : qn_dot_cmp(&x->dot, &y->dot);
}

static void sort(struct facts *facts)
{
    if (facts->list.count > 0)
        qsort(facts->list.items, facts->list.count, sizeof(struct fact), by_place);
}

static void collect(const struct sim_world *world, const struct qn_coll_id *coll,
                    const struct qn_vv *cc, struct facts *set, struct facts *removed)
{
    qn_vec_each (&world->ops, op) {
        if (!qn_coll_id_eq(&op->coll, coll) || !qn_vv_has(cc, &op->op.dot))
            continue;
        qn_vec_each (&op->op.set, s)
            qn_vec_push(&set->list, ((struct fact){op->op.key, s->field, s->value, op->op.dot}));
        qn_vec_each (&op->op.removed, r)
            qn_vec_push(&removed->list, ((struct fact){op->op.key, r->field, {0}, r->dot}));
    }
    sort(set);
    sort(removed);
}

static void subtract(struct facts *set, const struct facts *removed)
{
    size_t kept = 0, r = 0;
    for (size_t i = 0; i < set->list.count; i++) {
        const struct fact *fact = &set->list.items[i];
        while (r < removed->list.count && by_place(&removed->list.items[r], fact) < 0)
            r++;
        if (r < removed->list.count && by_place(&removed->list.items[r], fact) == 0)
            continue;
        set->list.items[kept++] = *fact;
    }
    set->list.count = kept;
}

/* ---- what the store holds ---- */

struct recount {
    uint64_t live, trashed, conflicts, rows;
    uint8_t sum[QN_DIGEST_SIZE];
    struct facts facts;
};

static void add_leaf(uint8_t sum[QN_DIGEST_SIZE], const struct qn_digest *leaf)
{
    unsigned carry = 0;
    for (size_t i = QN_DIGEST_SIZE; i-- > 0;) {
        unsigned total = sum[i] + leaf->bytes[i] + carry;
        sum[i] = (uint8_t)total;
        carry = total >> 8;
    }
}

static void count_record(struct recount *count, const struct qn_coll_id *coll, struct qn_span key,
                         const struct qn_record *record)
{
    uint8_t hash[QN_STATE_HASH_SIZE];
    struct qn_digest leaf;
    bool is_own = qn_span_eq_str(key, QN_KEY_COLLECTION);
    enum qn_record_state state = qn_record_state(record);
    qn_record_hash(record, false, hash);
    qn_record_leaf(coll, key, hash, &leaf);
    add_leaf(count->sum, &leaf);
    count->rows++;
    count->live += !is_own && (state == QN_RECORD_LIVE || state == QN_RECORD_CONTESTED);
    count->trashed += !is_own && state == QN_RECORD_TRASHED;
    count->conflicts += state != QN_RECORD_TRASHED && qn_record_has_conflict(record);
    qn_vec_each (&record->fields, field)
        qn_vec_each (&field->pairs, pair)
            qn_vec_push(&count->facts.list,
                        ((struct fact){key, field->name, pair->value, pair->dot}));
}

static bool recount(struct sim_world *world, struct sim_site *site, const struct qn_coll_id *coll,
                    struct recount *count)
{
    struct qn_kv *kv = memkv_reader(site->disk);
    struct qn_span after = {0};
    for (;;) {
        struct qn_record record = {0};
        struct qn_span key;
        enum qn_err err = qn_read_next(kv, coll, after, qn_span(NULL, 0), &key, &record);
        if (err == QN_OK)
            count_record(count, coll, key, &record);
        qn_record_deinit(&record);
        if (err == QN_ERR_NOTFOUND)
            return true;
        if (err != QN_OK) {
            world_fail(world, "%s: a record cannot be read (%s)", site->name, qn_err_name(err));
            return false;
        }
        after = key;
    }
}

/* What rotted may be anything until it is repaired; and a value may be gone that was nowhere else.
 */
static bool is_excused(struct sim_world *world, const struct sim_site *site,
                       const struct qn_coll_id *coll, const struct fact *fact, bool is_lost)
{
    if (site->is_rotten && rot_may_be_in(world, site, coll, fact->key) &&
        !(world->is_over && oracle_can_give(world, site, coll) &&
          rot_is_whole_elsewhere(world, site, coll, fact->key)))
        return true;
    return is_lost && rot_excuses(world, coll, fact->key, fact->field, &fact->dot);
}

static void compare(struct sim_world *world, const struct sim_site *site,
                    const struct qn_coll_id *coll, const struct facts *have,
                    const struct facts *want)
{
    for (size_t h = 0, w = 0; h < have->list.count || w < want->list.count;) {
        const struct fact *mine = h < have->list.count ? &have->list.items[h] : NULL;
        const struct fact *due = w < want->list.count ? &want->list.items[w] : NULL;
        int order = mine == NULL ? 1 : due == NULL ? -1 : by_place(mine, due);
        const struct fact *which = order < 0 ? mine : due;
        bool is_same = order == 0 && qn_span_eq(mine->value, due->value);
        h += order <= 0;
        w += order >= 0;
        if (is_same || is_excused(world, site, coll, which, order > 0))
            continue;
        world_fail(world, "%s: a value of %.*s.%.*s, %02x%02x %llu, is %s", site->name,
                   (int)which->key.size, which->key.data, (int)which->field.size, which->field.data,
                   which->dot.actor.bytes[0], which->dot.actor.bytes[8],
                   (unsigned long long)which->dot.ctr,
                   order > 0   ? "lost"
                   : order < 0 ? "there that should not be"
                               : "not what was written");
        return;
    }
}

static void compare_counts(struct sim_world *world, const struct sim_site *site,
                           const struct recount *count, const struct qn_coll_info *info)
{
    uint8_t rows[8];
    struct qn_digest root;
    qn_write_u64(rows, count->rows);
    QN_DIGEST(&root, QN_SPAN_OF(count->sum), QN_SPAN_OF(rows));
    if (memcmp(root.bytes, info->root, QN_ROOT_SIZE) != 0)
        world_fail(world, "%s: the fingerprint is not that of the records", site->name);
    if (count->rows != info->rows || count->live != info->live || count->trashed != info->trashed ||
        count->conflicts != info->conflicts)
        world_fail(world,
                   "%s: counters: rows %llu/%llu live %llu/%llu trashed %llu/%llu "
                   "conflicts %llu/%llu",
                   site->name, (unsigned long long)count->rows, (unsigned long long)info->rows,
                   (unsigned long long)count->live, (unsigned long long)info->live,
                   (unsigned long long)count->trashed, (unsigned long long)info->trashed,
                   (unsigned long long)count->conflicts, (unsigned long long)info->conflicts);
}

/* Of a late site, invariant 1, and that nothing is back: what it lacks it may still get. */
static void compare_late(struct sim_world *world, const struct sim_site *site,
                         const struct qn_coll_id *coll, const struct qn_vv *cc,
                         const struct facts *have, const struct facts *removed)
{
    struct qn_segs segs = {0};
    struct qn_coll_row row;
    struct qn_kv *kv = memkv_reader(site->disk);
    QN_ASSERT(qn_coll_row_get(kv, coll, &row) == QN_OK);
    QN_ASSERT(qn_segs_load(kv, row.number, true, &segs) == QN_OK);
    for (size_t i = 0, r = 0; i < have->list.count; i++) {
        const struct fact *fact = &have->list.items[i];
        struct qn_spot at = {QN_SPOT_PAIR, fact->key, fact->field, fact->dot};
        if (is_excused(world, site, coll, fact, false))
            continue;
        if (!qn_vv_has(cc, &fact->dot) && !qn_segs_have(&segs, &at, &fact->dot))
            world_fail(world, "%s: a value that is reflected nowhere", site->name);
        while (r < removed->list.count && by_place(&removed->list.items[r], fact) < 0)
            r++;
        if (r < removed->list.count && by_place(&removed->list.items[r], fact) == 0)
            world_fail(world, "%s: a value is back while it is late", site->name);
    }
    qn_segs_deinit(&segs);
}

/* Invariants 5 and 9: nothing lost, nothing back; fingerprints and counters as recomputed. */
void oracle_check_coll(struct sim_world *world, struct sim_site *site,
                       const struct qn_coll_id *coll)
{
    struct qn_coll_info info;
    QN_AUTO_VV struct qn_vv cc = {0};
    struct facts want = {0}, removed = {0};
    struct recount count = {0};
    struct qn_kv *kv = memkv_reader(site->disk);
    QN_ASSERT(qn_read_coll(kv, coll, &info) == QN_OK && qn_read_cc(kv, coll, &cc) == QN_OK);
    collect(world, coll, &cc, &want, &removed);
    subtract(&want, &removed);
    if (recount(world, site, coll, &count)) {
        sort(&count.facts);
        if (info.late.is_late)
            compare_late(world, site, coll, &cc, &count.facts, &removed);
        else
            compare(world, site, coll, &count.facts, &want);
        if (!site->is_rotten)
            compare_counts(world, site, &count, &info);
    }
    qn_vec_free(&want.list);
    qn_vec_free(&removed.list);
    qn_vec_free(&count.facts.list);
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

bool oracle_has_op(const struct sim_site *site, const struct sim_op *op)
{
    QN_AUTO_VV struct qn_vv cc = {0};
    return qn_read_cc(memkv_reader(site->disk), &op->coll, &cc) == QN_OK &&
           qn_vv_has(&cc, &op->op.dot);
}

bool oracle_is_withdrawn(const struct sim_world *world, size_t site)
{
    qn_vec_each (&world->withdrawn, index)
        if (*index == site)
            return true;
    return false;
}

struct qn_ledger *oracle_ledger_of(struct memkv *disk)
{
    struct qn_ledger *ledger = qn_ledger_new();
    QN_ASSERT(qn_ledger_load(ledger, memkv_reader(disk)) == QN_OK);
    return ledger;
}

bool oracle_can_give(const struct sim_world *world, const struct sim_site *site,
                     const struct qn_coll_id *coll)
{
    struct qn_ledger *ledger = oracle_ledger_of(site->disk);
    const struct qn_group *group = qn_ledger_group(ledger);
    const struct qn_collection *found = group == NULL ? NULL : qn_group_collection(group, coll);
    bool can_give = found != NULL && qn_group_shares(group, found, &site->id) &&
                    !site->is_cast_out && !oracle_is_withdrawn(world, site->index);
    qn_ledger_free(ledger);
    return can_give;
}

bool oracle_knows(struct memkv *disk, const struct sim_site *site)
{
    struct qn_ledger *ledger = oracle_ledger_of(disk);
    const struct qn_group *group = qn_ledger_group(ledger);
    const struct qn_site *found = group == NULL ? NULL : qn_group_site(group, &site->id);
    bool is_known = found != NULL && found->state == QN_SITE_MEMBER &&
                    qn_public_key_eq(&found->keys.site, &site->keys.site);
    qn_ledger_free(ledger);
    return is_known;
}

static bool covers(const struct qn_ledger *ledger, struct memkv *disk,
                   const struct qn_site_id *site)
{
    QN_AUTO_BUF struct qn_buf heads;
    struct qn_ledger *other = oracle_ledger_of(disk);
    bool does_cover = false;
    qn_buf_init(&heads, QN_FRAME_SIZE_MAX);
    qn_ledger_pack_heads(other, &heads);
    QN_ASSERT(qn_ledger_covers(ledger, qn_cursor(qn_buf_view(&heads)), site, &does_cover) == QN_OK);
    qn_ledger_free(other);
    return does_cover;
}

static bool knows_address(struct memkv *disk, const struct sim_site *site)
{
    struct qn_span announcement;
    uint64_t contact_ms;
    return qn_site_contact_get(memkv_reader(disk), &site->id, &announcement, &contact_ms) ==
               QN_OK &&
           announcement.size > 0;
}

/* The new machine learns from the helper where the others are, and tells them its key. Who is
 * dialled by nobody hears of it from nobody. */
static bool can_be_told(struct sim_site *helper, struct sim_site *other)
{
    return oracle_knows(helper->disk, other) && knows_address(helper->disk, other);
}

bool oracle_may_help(struct sim_world *world, const struct sim_site *site, struct sim_site *helper)
{
    struct qn_ledger *ledger = oracle_ledger_of(helper->disk);
    bool may_help = oracle_knows(helper->disk, site);
    for (size_t i = 0; i < world->site_count; i++) {
        struct sim_site *other = &world->sites[i];
        may_help &= other->queue.count == 0 && other->undelivered == NULL;
        if (other == site || other == helper)
            continue;
        may_help &= covers(ledger, other->disk, &site->id);
        may_help &= !oracle_knows(other->disk, other) || can_be_told(helper, other);
    }
    qn_ledger_free(ledger);
    return may_help;
}

/* Whoever let a site in, or back, may forget it before a third site has heard of it: nobody admits
 * it any more, and it has to be invited, or recovered, again. */
static void find_cast_out(struct sim_world *world, const struct sim_site *site)
{
    for (size_t i = 0; i < world->site_count; i++) {
        struct sim_site *lost = &world->sites[i];
        if (i == site->index || !oracle_knows(lost->disk, lost) || oracle_knows(site->image, lost))
            continue;
        bool is_known = false;
        for (size_t k = 0; k < world->site_count; k++)
            is_known |= k != i && k != site->index && !oracle_is_withdrawn(world, k) &&
                        oracle_knows(world->sites[k].disk, lost);
        lost->is_cast_out |= !is_known;
    }
}

void oracle_before_loss(struct sim_world *world, struct sim_site *site)
{
    qn_vec_each (&world->ops, op) {
        bool is_elsewhere = false;
        for (size_t i = 0; i < world->site_count; i++)
            is_elsewhere |= i != site->index && !oracle_is_withdrawn(world, i) &&
                            !world->sites[i].is_cast_out && oracle_has_op(&world->sites[i], op);
        op->may_be_lost |= !is_elsewhere;
    }
}

static bool has_entry(struct memkv *disk, struct qn_span entry)
{
    struct qn_ledger *ledger = oracle_ledger_of(disk);
    bool is_there = false;
    for (size_t i = 0; i < qn_ledger_count(ledger); i++)
        is_there |= qn_span_eq(qn_ledger_entry(ledger, i), entry);
    qn_ledger_free(ledger);
    return is_there;
}

/* An entry that an image does not have, and that some know and others do not: its author may
 * compare ledgers with one that does not, and write another in its place. That is for people to
 * sort out (docs/protocol.md 7.7). */
static void find_fork(struct sim_world *world, const struct sim_site *site)
{
    struct qn_ledger *ledger = oracle_ledger_of(site->disk);
    for (size_t i = 0; i < qn_ledger_count(ledger); i++) {
        struct qn_span entry = qn_ledger_entry(ledger, i);
        size_t known = 0;
        for (size_t k = 0; k < world->site_count; k++)
            known += k != site->index && has_entry(world->sites[k].disk, entry);
        if (!has_entry(site->image, entry) && known < world->site_count - 1)
            world->may_fork = true;
    }
    qn_ledger_free(ledger);
}

void oracle_before_restore(struct sim_world *world, struct sim_site *site)
{
    find_fork(world, site);
    find_cast_out(world, site);
    oracle_before_burn(world, site);
}

void oracle_before_burn(struct sim_world *world, struct sim_site *site)
{
    oracle_before_loss(world, site);
    world->has_gone_back = true;
    qn_vec_each (&world->seen, seen) /* the disk will know less: look at all of it again */
        if ((*seen)->site == site->index) {
            qn_vv_deinit(&(*seen)->vv);
            (*seen)->vv = (struct qn_vv){0};
        }
}
