/* Invariants 1, 5 and 9, judged by code that shares nothing with the rules but the codec of
 * operations: a collection is what its operations set minus what they removed, and fingerprints and
 * counters are those of a recount. */
#include <stdlib.h>

#include "model/late_seg.h"
#include "model/tables.h"
#include "sim/world.h"

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
    return is_lost && (rot_excuses(world, coll, fact->key, fact->field, &fact->dot) ||
                       loss_excuses(world, coll, fact->key, fact->field, &fact->dot));
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
