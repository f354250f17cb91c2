/* Bits of what is stored fall over. A value that was in one place only may be gone for good, and
 * nothing else may: so for each record and operation that rotted this file follows where else its
 * values are, and the oracle excuses those, and only those, that were nowhere any more at some
 * moment.
 */
#include <stdio.h>

#include "model/damage.h"
#include "model/op_read.h"
#include "model/row.h"
#include "model/tables.h"
#include "sim/world.h"

struct rotten_pair {
    struct qn_buf field;
    struct qn_dot dot;
    bool is_gone;
};

/* A record as it was when its row rotted; or what an operation of the log set. */
struct sim_rotten {
    size_t site;
    bool is_of_log;
    struct qn_coll_id coll;
    struct qn_buf key;
    QN_VEC(struct rotten_pair) pairs;
};

static struct qn_buf copy_of(struct qn_span bytes)
{
    struct qn_buf buf;
    qn_buf_init(&buf, QN_KEY_SIZE_MAX);
    qn_buf_append_span(&buf, bytes);
    return buf;
}

void rot_deinit(struct sim_world *world)
{
    qn_vec_each (&world->rotten_records, slot) {
        qn_vec_each (&(*slot)->pairs, pair)
            qn_buf_deinit(&pair->field);
        qn_vec_free(&(*slot)->pairs);
        qn_buf_deinit(&(*slot)->key);
        qn_free(*slot);
    }
    qn_vec_free(&world->rotten_records);
}

/* ---- what is whole ---- */

static bool decode_whole(struct qn_kv *kv, struct qn_span row, struct qn_record *record)
{
    struct qn_dict dict;
    struct qn_row_head head;
    uint8_t hash[QN_STATE_HASH_SIZE];
    qn_dict_init(&dict, kv, false);
    if (qn_row_decode_head(row, &head) != QN_OK || qn_row_decode(&dict, row, record) != QN_OK)
        return false;
    qn_record_hash(record, false, hash);
    return memcmp(hash, head.hash, sizeof(hash)) == 0;
}

static uint32_t number_of(struct qn_kv *kv, const struct qn_coll_id *coll)
{
    struct qn_coll_row row;
    return qn_coll_row_get(kv, coll, &row) == QN_OK ? row.number : 0;
}

static bool has_whole_pair(struct qn_kv *kv, const struct sim_rotten *rotten,
                           const struct rotten_pair *pair)
{
    struct qn_key at;
    struct qn_span row;
    QN_AUTO_RECORD struct qn_record record = {0};
    qn_key_record(&at, number_of(kv, &rotten->coll), qn_buf_view(&rotten->key));
    return qn_kv_get(kv, QN_TABLE_REC, qn_key_view(&at), &row) == QN_OK &&
           decode_whole(kv, row, &record) &&
           qn_record_pair(&record, qn_buf_view(&pair->field), &pair->dot) != NULL;
}

/* What left the log while the record was set aside. */
static bool is_kept(struct qn_kv *kv, uint32_t coll, const struct sim_rotten *rotten,
                    uint32_t actor, uint64_t ctr)
{
    struct qn_key at = {.size = 0};
    struct qn_aside_op kept;
    while (qn_aside_kept(kv, coll, qn_buf_view(&rotten->key), &at, &kept) == QN_OK)
        if (kept.actor == actor && kept.ctr == ctr)
            return true;
    return false;
}

/* As it was written. */
static bool has_in_log(const struct sim_world *world, struct qn_kv *kv,
                       const struct sim_rotten *rotten, const struct rotten_pair *pair)
{
    struct qn_dict dict;
    struct qn_key at;
    struct qn_span entry;
    uint32_t actor, coll = number_of(kv, &rotten->coll);
    const struct sim_op *op = oracle_op(world, &rotten->coll, &pair->dot);
    qn_dict_init(&dict, kv, false);
    if (op == NULL || qn_dict_find_actor(&dict, &pair->dot.actor, &actor) != QN_OK)
        return false;
    if (is_kept(kv, coll, rotten, actor, pair->dot.ctr))
        return true;
    return qn_kv_get(kv, QN_TABLE_LOG, qn_key_dot(&at, coll, actor, pair->dot.ctr), &entry) ==
               QN_OK &&
           entry.size > 8 && qn_span_eq(qn_span_from(entry, 8), qn_span(op->bytes, op->size));
}

/* ---- falling over ---- */

static const struct qn_coll_id *coll_of(const struct sim_world *world, struct qn_kv *kv,
                                        struct qn_span place)
{
    qn_vec_each (&world->colls, coll)
        if (number_of(kv, coll) == qn_read_u32(place.data))
            return coll;
    return NULL;
}

/* What the row at a place says before it rots; nothing if it is rotten already. */
static void remember(struct sim_world *world, const struct sim_site *site, struct qn_span place,
                     struct qn_span row)
{
    struct qn_kv *kv = memkv_reader(site->disk);
    QN_AUTO_RECORD struct qn_record record = {0};
    if (!decode_whole(kv, row, &record))
        return;
    const struct qn_coll_id *coll = coll_of(world, kv, place);
    if (coll == NULL)
        return;
    struct sim_rotten *rotten = QN_NEW(struct sim_rotten);
    *rotten = (struct sim_rotten){
        .site = site->index, .coll = *coll, .key = copy_of(qn_span_from(place, 4))};
    qn_vec_each (&record.fields, field)
        qn_vec_each (&field->pairs, pair)
            qn_vec_push(&rotten->pairs,
                        ((struct rotten_pair){copy_of(field->name), pair->dot, false}));
    qn_vec_push(&world->rotten_records, rotten);
}

/* What the operation sets may be in no record: of one that is set aside only the log has it. */
static void remember_op(struct sim_world *world, const struct sim_site *site, struct qn_span place)
{
    struct qn_kv *kv = memkv_reader(site->disk);
    const struct qn_coll_id *coll = coll_of(world, kv, place);
    struct qn_dict dict;
    struct qn_dot dot = {.ctr = qn_read_u64(place.data + 8)};
    qn_dict_init(&dict, kv, false);
    if (coll == NULL || qn_dict_actor_of(&dict, qn_read_u32(place.data + 4), &dot.actor) != QN_OK)
        return;
    const struct sim_op *op = oracle_op(world, coll, &dot);
    if (op == NULL)
        return;
    struct sim_rotten *rotten = QN_NEW(struct sim_rotten);
    *rotten = (struct sim_rotten){
        .site = site->index, .is_of_log = true, .coll = *coll, .key = copy_of(op->op.key)};
    qn_vec_each (&op->op.set, set)
        qn_vec_push(&rotten->pairs, ((struct rotten_pair){copy_of(set->field), dot, false}));
    qn_vec_push(&world->rotten_records, rotten);
}

static void find_place(struct sim_world *world, struct qn_kv *kv, enum qn_table table, size_t count,
                       struct qn_buf *place, struct qn_buf *row)
{
    struct qn_span key = {0}, value = {0};
    qn_buf_append_u8(place, 0);
    for (size_t i = world_below(world, count) + 1; i > 0; i--) {
        QN_ASSERT(qn_kv_seek(kv, table, qn_buf_view(place), &key, &value) == QN_OK);
        qn_buf_reset(place);
        qn_buf_append_span(place, key);
        qn_buf_append_u8(place, 0);
    }
    place->size--;
    qn_buf_append_span(row, value);
}

/* Some entry of a table loses a bit; its place is left in `place`. */
static void rot_entry(struct sim_world *world, struct sim_site *site, enum qn_table table,
                      struct qn_buf *place)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_RECORD_SIZE_MAX);
    find_place(world, memkv_reader(site->disk), table, memkv_count(site->disk, table), place, &row);
    if (table == QN_TABLE_REC)
        remember(world, site, qn_buf_view(place), qn_buf_view(&row));
    if (table == QN_TABLE_LOG)
        remember_op(world, site, qn_buf_view(place));
    site->has_rotten_log |= table == QN_TABLE_LOG;
    world->log_flips += table == QN_TABLE_LOG;
    row.data[world_below(world, row.size)] ^= (uint8_t)(1u << world_below(world, 8));
    struct qn_kv *kv = memkv_begin(site->disk);
    QN_ASSERT(qn_kv_put(kv, table, qn_buf_view(place), qn_buf_view(&row)) == QN_OK);
    QN_ASSERT(memkv_commit(site->disk) == QN_OK);
    if (!site->writer_is_busy || site->undelivered_is_synced)
        memkv_sync(site->disk);
    site->is_rotten = true;
    world->flips++;
    world_trace(world, "%s rots in table %d, %.*s", site->name, (int)table, (int)place->size - 4,
                (const char *)place->data + 4);
    rot_look(world);
}

void site_rot(struct sim_world *world, struct sim_site *site)
{
    static const enum qn_table tables[] = {QN_TABLE_REC, QN_TABLE_REC, QN_TABLE_FP, QN_TABLE_LOG};
    enum qn_table table = tables[world_below(world, world->is_hard ? 4 : 3)];
    QN_AUTO_BUF struct qn_buf place;
    qn_buf_init(&place, 1024);
    bool is_seen = table != QN_TABLE_LOG || site->undelivered == NULL; /* by the oracle */
    if (is_seen && memkv_count(site->disk, table) > 0)
        rot_entry(world, site, table, &place);
}

bool rot_record(struct sim_world *world, struct sim_site *site, struct qn_coll_id *ret_coll,
                char ret_key[QN_KEY_SIZE_MAX + 1])
{
    QN_AUTO_BUF struct qn_buf place;
    size_t before = world->rotten_records.count;
    qn_buf_init(&place, 1024);
    if (memkv_count(site->disk, QN_TABLE_REC) > 0)
        rot_entry(world, site, QN_TABLE_REC, &place);
    if (world->rotten_records.count == before)
        return false;
    const struct sim_rotten *rotten = world->rotten_records.items[before];
    *ret_coll = rotten->coll;
    snprintf(ret_key, QN_KEY_SIZE_MAX + 1, "%.*s", (int)rotten->key.size, rotten->key.data);
    return true;
}

/* ---- what is gone ---- */

void rot_look(struct sim_world *world)
{
    qn_vec_each (&world->rotten_records, slot)
        qn_vec_each (&(*slot)->pairs, pair) {
            bool is_there = pair->is_gone;
            for (size_t i = 0; i < world->site_count && !is_there; i++) {
                struct qn_kv *kv = memkv_reader(world->sites[i].disk);
                is_there = oracle_can_give(world, &world->sites[i], &(*slot)->coll) &&
                           (has_whole_pair(kv, *slot, pair) || has_in_log(world, kv, *slot, pair));
            }
            if (is_there)
                continue;
            pair->is_gone = true;
            world_trace(world, "nobody has %.*s.%.*s of %02x%02x %llu any more",
                        (int)(*slot)->key.size, (*slot)->key.data, (int)pair->field.size,
                        pair->field.data, pair->dot.actor.bytes[0], pair->dot.actor.bytes[8],
                        (unsigned long long)pair->dot.ctr);
        }
}

bool rot_excuses(const struct sim_world *world, const struct qn_coll_id *coll, struct qn_span key,
                 struct qn_span field, const struct qn_dot *dot)
{
    qn_vec_each (&world->rotten_records, slot)
        if (qn_coll_id_eq(&(*slot)->coll, coll) && qn_span_eq(qn_buf_view(&(*slot)->key), key))
            qn_vec_each (&(*slot)->pairs, pair)
                if (pair->is_gone && qn_dot_cmp(&pair->dot, dot) == 0 &&
                    qn_span_eq(qn_buf_view(&pair->field), field))
                    return true;
    return false;
}

static bool is_whole(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_span key)
{
    struct qn_key at;
    struct qn_span row, hash;
    QN_AUTO_RECORD struct qn_record record = {0};
    uint32_t number = number_of(kv, coll);
    qn_key_record(&at, number, key);
    if (qn_kv_get(kv, QN_TABLE_REC, qn_key_view(&at), &row) == QN_OK)
        return decode_whole(kv, row, &record);
    return qn_aside_get(kv, number, key, &hash) != QN_OK;
}

/* The copy of a late site is taken only if it has the hash that the damaged row bore, which may
 * have rotted itself. */
static bool has_row_of_hash(struct qn_kv *kv, const struct qn_coll_id *coll, struct qn_span key,
                            struct qn_span hash)
{
    struct qn_key at;
    struct qn_span row;
    struct qn_row_head head;
    qn_key_record(&at, number_of(kv, coll), key);
    return qn_kv_get(kv, QN_TABLE_REC, qn_key_view(&at), &row) == QN_OK &&
           qn_row_decode_head(row, &head) == QN_OK &&
           qn_span_eq(qn_span(head.hash, sizeof(head.hash)), hash);
}

static bool is_taken_from(struct memkv *disk, const struct sim_site *site,
                          const struct qn_coll_id *coll, struct qn_span key)
{
    struct qn_kv *own = memkv_reader(site->disk), *kv = memkv_reader(disk);
    struct qn_coll_info info;
    struct qn_span hash;
    if (!is_whole(kv, coll, key) || qn_read_coll(kv, coll, &info) != QN_OK)
        return false;
    return !info.late.is_late || (qn_aside_get(own, number_of(own, coll), key, &hash) == QN_OK &&
                                  has_row_of_hash(kv, coll, key, hash));
}

bool rot_is_whole_elsewhere(struct sim_world *world, const struct sim_site *site,
                            const struct qn_coll_id *coll, struct qn_span key)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (i != site->index && oracle_is_in(world, &world->sites[i]) &&
            oracle_can_give(world, &world->sites[i], coll) &&
            is_taken_from(world->sites[i].disk, site, coll, key))
            return true;
    return false;
}

bool rot_may_be_in(const struct sim_world *world, const struct sim_site *site,
                   const struct qn_coll_id *coll, struct qn_span key)
{
    qn_vec_each (&world->rotten_records, slot)
        if ((*slot)->site == site->index && !(*slot)->is_of_log &&
            qn_coll_id_eq(&(*slot)->coll, coll) && qn_span_eq(qn_buf_view(&(*slot)->key), key))
            return true;
    return false;
}
