/* Reading a page, at the site that serves it. */
#include "base/assert.h"
#include "base/limits.h"
#include "base/search.h"
#include "model/bugs.h"
#include "model/hashing.h"
#include "model/late.h"
#include "model/replica_impl.h"
#include "proto/pack.h"

#define HEAD_EXTRA (2 * QN_SPOT_SIZE_MAX + 64) /* of the page, beside its clock and tables */
#define PAIR_EXTRA 64 /* of a pair: two indexes, its stamp, its actor, heads of two names */
#define NAME_EXTRA 3
/* A row of this size is not packed to see whether it fits; and what a smaller one packs to. */
#define ROW_SIZE_BIG (QN_PAGE_SIZE_MAX / 2)
#define RECORDS_SIZE (8 * QN_PAGE_SIZE_MAX)

struct numbered {
    struct qn_span name;
    size_t number;
};

struct reading {
    struct qn_kv *kv;
    const struct qn_page_request *request;
    uint32_t coll;
    size_t size_wish;
    struct qn_dict dict;
    struct qn_hasher *hasher;
    struct qn_spot lo;
    struct qn_buf heads; /* packed: the clock with its checkpoints, or its hash */
    QN_VEC(struct qn_actor) actors;
    QN_VEC(struct numbered) names; /* by name */
    struct qn_buf names_list;      /* packed, by number */
    struct qn_buf records;         /* packed */
    size_t count;
    qn_hlc base;
    struct qn_key last;                /* the last whole record; size 0: none yet */
    QN_VEC(struct qn_page_pair) pairs; /* of the record in hand, those behind lo */
    QN_VEC(struct qn_pair) stamps;     /* and their dots, each once, ascending */
    struct qn_buf hi;                  /* packed; empty while the page goes on */
};

static void deinit(struct reading *reading)
{
    qn_buf_deinit(&reading->heads);
    qn_buf_deinit(&reading->names_list);
    qn_buf_deinit(&reading->records);
    qn_buf_deinit(&reading->hi);
    qn_vec_free(&reading->actors);
    qn_vec_free(&reading->names);
    qn_vec_free(&reading->pairs);
    qn_vec_free(&reading->stamps);
    qn_dict_deinit(&reading->dict);
    qn_hasher_free(reading->hasher);
}

/* --- the clock --- */

static enum qn_err pack_heads(struct reading *reading, const struct qn_vv *cc)
{
    QN_AUTO_FREE struct qn_page_head *list = qn_alloc((cc->entries.count + 1) * sizeof(*list));
    struct qn_page_heads heads = {.list = {.items = list}};
    if (cc->entries.count > QN_PAGE_HEADS_MAX)
        return QN_ERR_LIMIT;
    qn_vec_each (&cc->entries, entry) {
        struct qn_checkpoint checkpoint;
        uint32_t number;
        QN_TRY(qn_must_exist(qn_dict_find_actor(&reading->dict, &entry->actor, &number)));
        QN_TRY(qn_must_exist(
            qn_checkpoint_get(reading->kv, reading->coll, number, entry->ctr, &checkpoint)));
        list[heads.list.count++] = (struct qn_page_head){
            {entry->actor, entry->ctr}, checkpoint.hash, checkpoint.signature};
    }
    qn_page_heads_pack(&heads, &reading->heads);
    return QN_OK;
}

static enum qn_err read_clock(struct reading *reading, struct qn_digest *ret_digest)
{
    const struct qn_digest *known = reading->request->known;
    QN_AUTO_VV struct qn_vv cc = {0};
    QN_TRY(qn_dict_clock(&reading->dict, QN_TABLE_CC, reading->coll, &cc));
    qn_vv_digest(&cc, ret_digest);
    if (QN_BUG(QN_BUG_STALE_PAGE_CLOCK) && known != NULL)
        *ret_digest = *known;
    if (known == NULL || memcmp(known->bytes, ret_digest->bytes, QN_DIGEST_SIZE) != 0)
        return pack_heads(reading, &cc);
    qn_pack_bin(&reading->heads, qn_digest_view(ret_digest));
    return QN_OK;
}

/* --- tables of the page --- */

static size_t index_of_actor(struct reading *reading, const struct qn_actor *actor)
{
    for (size_t i = reading->actors.count; i > 0; i--)
        if (qn_actor_cmp(&reading->actors.items[i - 1], actor) == 0)
            return i - 1;
    qn_vec_push(&reading->actors, *actor);
    return reading->actors.count - 1;
}

static int order_of_name(const void *item, const void *name)
{
    const struct numbered *numbered = item;
    return qn_span_cmp(numbered->name, *(const struct qn_span *)name);
}

static size_t index_of_name(struct reading *reading, struct qn_span name)
{
    bool is_there;
    size_t at = qn_vec_search(&reading->names, &name, order_of_name, &is_there);
    size_t number = reading->names.count;
    if (is_there)
        return reading->names.items[at].number;
    *qn_vec_insert_slot(&reading->names, at) = (struct numbered){name, number};
    qn_pack_str(&reading->names_list, name);
    return number;
}

static size_t size_of(const struct reading *reading)
{
    return reading->heads.size + reading->actors.count * QN_ACTOR_SIZE + reading->names_list.size +
           reading->records.size + HEAD_EXTRA;
}

/* --- one record --- */

static void find_pairs(struct reading *reading, struct qn_span key, const struct qn_record *record)
{
    reading->pairs.count = 0;
    qn_vec_each (&record->fields, field) {
        qn_vec_each (&field->pairs, pair) {
            struct qn_spot at = {QN_SPOT_PAIR, key, field->name, pair->dot};
            if (qn_spot_cmp(&reading->lo, &at) < 0)
                qn_vec_push(&reading->pairs, ((struct qn_page_pair){field->name, *pair}));
        }
    }
}

static int order_of_stamp(const void *item, const void *dot)
{
    const struct qn_pair *stamp = item;
    return qn_dot_cmp(&stamp->dot, dot);
}

static void find_stamps(struct reading *reading, size_t count)
{
    reading->stamps.count = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_there;
        const struct qn_pair *pair = &reading->pairs.items[i].pair;
        size_t at = qn_vec_search(&reading->stamps, &pair->dot, order_of_stamp, &is_there);
        if (!is_there)
            *qn_vec_insert_slot(&reading->stamps, at) = *pair;
    }
}

static void pack_stamps(struct reading *reading, struct qn_buf *out)
{
    qn_pack_array(out, 4 * reading->stamps.count);
    qn_vec_each (&reading->stamps, stamp) {
        qn_pack_u64(out, index_of_actor(reading, &stamp->dot.actor));
        qn_pack_u64(out, stamp->dot.ctr);
        qn_pack_i64(out, (int64_t)(stamp->hlc - reading->base));
        qn_pack_u64(out, stamp->user.size > 0 ? index_of_name(reading, stamp->user) + 1 : 0);
    }
}

static void pack_pairs(struct reading *reading, size_t count, struct qn_buf *out)
{
    qn_pack_array(out, 3 * count);
    for (size_t i = 0; i < count; i++) {
        const struct qn_page_pair *pair = &reading->pairs.items[i];
        bool is_there;
        size_t stamp = qn_vec_search(&reading->stamps, &pair->pair.dot, order_of_stamp, &is_there);
        QN_ASSERT(is_there);
        qn_pack_u64(out, index_of_name(reading, pair->field));
        qn_pack_u64(out, stamp);
        qn_pack_raw(out, pair->pair.value);
    }
}

/* The first `count` pairs of the record in hand. */
static void pack_record(struct reading *reading, struct qn_span key, size_t count)
{
    struct qn_buf *out = &reading->records;
    if (reading->count == 0)
        reading->base = reading->pairs.items[0].pair.hlc;
    find_stamps(reading, count);
    qn_pack_array(out, 3);
    qn_pack_str(out, key);
    pack_stamps(reading, out);
    pack_pairs(reading, count, out);
    reading->count++;
}

/* --- where the page ends --- */

static void end_at(struct reading *reading, const struct qn_spot *spot)
{
    qn_spot_pack(spot, &reading->hi);
}

static void end_behind(struct reading *reading, struct qn_span key)
{
    end_at(reading, &(struct qn_spot){.kind = QN_SPOT_KEY, .key = key});
}

/* How many pairs fit into what is left of the largest page; one at least. */
static size_t fitting(const struct reading *reading, struct qn_span key)
{
    size_t size = size_of(reading) + key.size + PAIR_EXTRA, count = 0;
    while (count < reading->pairs.count) {
        const struct qn_page_pair *pair = &reading->pairs.items[count];
        size += pair->field.size + pair->pair.user.size + pair->pair.value.size + PAIR_EXTRA;
        if (size > QN_PAGE_SIZE_MAX && count > 0)
            break;
        count++;
    }
    return count;
}

/* A record that is larger than a page. */
static void split_record(struct reading *reading, struct qn_span key)
{
    size_t count = fitting(reading, key);
    pack_record(reading, key, count);
    const struct qn_page_pair *last = &reading->pairs.items[count - 1];
    struct qn_spot at = {QN_SPOT_PAIR, key, last->field, last->pair.dot};
    if (count == reading->pairs.count)
        end_behind(reading, key);
    else
        end_at(reading, &at);
}

static void add_record(struct reading *reading, struct qn_span key, bool is_big)
{
    size_t before = reading->records.size;
    if (!is_big)
        pack_record(reading, key, reading->pairs.count);
    bool is_over = is_big || size_of(reading) > reading->size_wish;
    if (is_over && before > 0) {
        qn_buf_truncate(&reading->records, before);
        reading->count -= !is_big;
        end_behind(reading, qn_span_from(qn_key_view(&reading->last), 4));
    } else if (is_big || size_of(reading) > QN_PAGE_SIZE_MAX) {
        qn_buf_reset(&reading->records);
        reading->count = 0;
        split_record(reading, key);
    } else if (is_over) {
        end_behind(reading, key);
    }
}

/* A row that is not what was written must not spread: its page would give values that nobody wrote,
 * and take away those that it has no more. */
static enum qn_err decode_row(struct reading *reading, struct qn_span row, struct qn_record *record)
{
    struct qn_row_head head;
    enum qn_err err = qn_replica_check_row(reading->hasher, &reading->dict, row, &head, record);
    if (err == QN_ERR_CONFLICT)
        return QN_OK; /* what is derived is not sent */
    return err == QN_ERR_CORRUPT ? QN_ERR_DAMAGED : err;
}

static enum qn_err add_row(struct reading *reading, struct qn_span key, struct qn_span row)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    enum qn_err err = decode_row(reading, row, &record);
    if (err == QN_ERR_DAMAGED && reading->request->is_last_copy)
        return QN_OK;
    QN_TRY(err);
    find_pairs(reading, key, &record);
    if (reading->pairs.count > 0) /* else they stand before lo */
        add_record(reading, key, row.size > ROW_SIZE_BIG);
    return QN_OK;
}

static enum qn_err add_rows(struct reading *reading)
{
    struct qn_key at;
    struct qn_span key, row;
    const struct qn_spot *lo = &reading->lo;
    qn_key_record(&at, reading->coll, lo->kind == QN_SPOT_START ? qn_span(NULL, 0) : lo->key);
    if (lo->kind == QN_SPOT_KEY)
        qn_key_next(&at);
    while (reading->hi.size == 0) {
        enum qn_err err = qn_kv_seek(reading->kv, QN_TABLE_REC, qn_key_view(&at), &key, &row);
        if (err != QN_OK || key.size <= 4 || qn_read_u32(key.data) != reading->coll) {
            end_at(reading, &(struct qn_spot){.kind = QN_SPOT_END});
            return qn_may_miss(err);
        }
        QN_TRY(add_row(reading, qn_span_from(key, 4), row));
        qn_key_copy(&reading->last, key);
        qn_key_copy(&at, key);
        qn_key_next(&at);
    }
    return QN_OK;
}

static void pack(const struct reading *reading, struct qn_buf *out)
{
    qn_pack_array(out, 7);
    qn_spot_pack(&reading->lo, out);
    qn_pack_raw(out, qn_buf_view(&reading->hi));
    qn_pack_raw(out, qn_buf_view(&reading->heads));
    qn_pack_u64(out, reading->base);
    qn_pack_bin(out, qn_span(reading->actors.items, reading->actors.count * QN_ACTOR_SIZE));
    qn_pack_array(out, reading->names.count);
    qn_pack_raw(out, qn_buf_view(&reading->names_list));
    qn_pack_array(out, reading->count);
    qn_pack_raw(out, qn_buf_view(&reading->records));
}

static enum qn_err read_lo(struct reading *reading)
{
    reading->lo = (struct qn_spot){.kind = QN_SPOT_START};
    if (reading->request->after.size == 0)
        return QN_OK;
    struct qn_cursor cursor = qn_cursor(reading->request->after);
    QN_TRY(qn_spot_unpack(&cursor, &reading->lo));
    QN_TRY(qn_cursor_finish(&cursor));
    return reading->lo.kind == QN_SPOT_END ? QN_ERR_INVALID : QN_OK;
}

static enum qn_err read_page(struct reading *reading, struct qn_buf *out, struct qn_page_read *read)
{
    struct qn_coll_row row;
    struct qn_damage damage;
    QN_TRY(read_lo(reading));
    QN_TRY(qn_coll_row_get(reading->kv, &reading->request->coll, &row));
    if (row.is_late && !QN_BUG(QN_BUG_LATE_SERVES))
        return QN_ERR_HELD;
    QN_TRY(qn_damage_get(reading->kv, row.number, &damage));
    if (damage.damaged > 0 &&
        !reading->request->is_last_copy) /* what is set aside would seem to be removed */
        return QN_ERR_HELD;
    reading->coll = row.number;
    QN_TRY(read_clock(reading, &read->clock));
    QN_TRY(add_rows(reading));
    QN_TRY(qn_buf_status(&reading->records));
    pack(reading, out);
    QN_TRY(qn_buf_status(out));
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&reading->hi));
    read->is_last = qn_cursor_peek(&cursor) == QN_ITEM_BOOL;
    read->record_count = reading->count;
    read->next_size = reading->hi.size;
    memcpy(read->next, reading->hi.data, reading->hi.size);
    return QN_OK;
}

enum qn_err qn_read_page(struct qn_kv *kv, const struct qn_page_request *request,
                         struct qn_buf *out, struct qn_page_read *ret_read)
{
    struct qn_page_read read = {.is_last = false};
    struct reading reading = {.kv = kv, .request = request, .size_wish = request->size_wish};
    if (reading.size_wish > QN_PAGE_SIZE_MAX)
        reading.size_wish = QN_PAGE_SIZE_MAX;
    reading.hasher = qn_hasher_new();
    qn_dict_init(&reading.dict, kv, true); /* caches names; it is given no new ones */
    qn_buf_init(&reading.heads, QN_PAGE_SIZE_MAX);
    qn_buf_init(&reading.names_list, RECORDS_SIZE);
    qn_buf_init(&reading.records, RECORDS_SIZE);
    qn_buf_init(&reading.hi, QN_SPOT_SIZE_MAX);
    enum qn_err err = read_page(&reading, out, &read);
    deinit(&reading);
    if (err == QN_OK)
        *ret_read = read;
    return err;
}
