/* Keys and rows of what is held. */
#include "model/custody_impl.h"
#include "model/fingerprint.h"

#define TAG_SEALED     's'
#define TAG_NAMES      'n'
#define TAG_BEHIND     0xff

#define HELD_FORMAT    1
#define PACK_FORMAT    1
#define LIST_FORMAT    1
#define ROW_MAX        512

#define PACK_BAD       1
#define PACK_CONDEMNED 2
#define LIST_WHOLE     1
#define LIST_FORGOTTEN 2

/* ---- keys ---- */

struct qn_span qn_key_owner(struct qn_key *key, const struct qn_site_id *owner)
{
    qn_key_copy(key, QN_SPAN_OF(owner->bytes));
    return qn_key_view(key);
}

struct qn_span qn_key_held(struct qn_key *key, const struct qn_site_id *owner,
                           const struct qn_digest *name)
{
    qn_key_owner(key, owner);
    qn_key_add(key, qn_digest_view(name));
    return qn_key_view(key);
}

static struct qn_span tagged(struct qn_key *key, const struct qn_site_id *owner,
                             const struct qn_digest *name, uint8_t tag)
{
    qn_key_held(key, owner, name);
    qn_key_add(key, QN_SPAN_OF(tag));
    return qn_key_view(key);
}

struct qn_span qn_key_behind(struct qn_key *key, const struct qn_site_id *owner,
                             const struct qn_digest *after)
{
    return after == NULL ? qn_key_owner(key, owner) : tagged(key, owner, after, TAG_BEHIND);
}

struct qn_span qn_key_lease(struct qn_key *key, const struct qn_site_id *owner,
                            const struct qn_lease_id *lease)
{
    qn_key_owner(key, owner);
    qn_key_add(key, QN_SPAN_OF(lease->bytes));
    return qn_key_view(key);
}

struct qn_span qn_key_sealed(struct qn_key *key, const struct qn_site_id *owner,
                             const struct qn_digest *list)
{
    return tagged(key, owner, list, TAG_SEALED);
}

struct qn_span qn_key_chunk(struct qn_key *key, const struct qn_site_id *owner,
                            const struct qn_digest *list, const struct qn_digest *name)
{
    tagged(key, owner, list, TAG_NAMES);
    qn_key_add(key, qn_digest_view(name));
    return qn_key_view(key);
}

bool qn_key_is_of(struct qn_span key, const struct qn_site_id *owner, size_t size)
{
    return key.size == size && qn_span_has_prefix(key, QN_SPAN_OF(owner->bytes));
}

/* ---- the owner's row ---- */

static enum qn_err read_held(struct qn_span row, struct qn_held *ret_held)
{
    struct qn_fixed fixed = qn_fixed(row, HELD_FORMAT);
    struct qn_held held = {.quota_bytes = qn_fixed_u64(&fixed)};
    held.lock_days = qn_fixed_u32(&fixed);
    held.is_ended = qn_fixed_u8(&fixed) != 0;
    held.used_bytes = qn_fixed_u64(&fixed);
    held.pack_count = qn_fixed_u64(&fixed);
    held.bad_count = qn_fixed_u64(&fixed);
    held.list_count = qn_fixed_u64(&fixed);
    held.lease_count = qn_fixed_u64(&fixed);
    held.sum = qn_fixed_digest(&fixed);
    held.good_count = qn_fixed_u64(&fixed);
    held.snapshot_lock_ms = qn_fixed_u64(&fixed);
    held.snapshot_wall_ms = qn_fixed_u64(&fixed);
    held.interval_ms = qn_fixed_u64(&fixed);
    held.alarms = qn_fixed_u32(&fixed);
    held.since_lock_ms = qn_fixed_u64(&fixed);
    held.scrub_plan_ms = qn_fixed_u64(&fixed);
    held.scrub_done = qn_fixed_u64(&fixed);
    held.scrub_at = qn_fixed_digest(&fixed);
    QN_TRY(qn_fixed_end(&fixed));
    *ret_held = held;
    return QN_OK;
}

static void write_held(const struct qn_held *held, struct qn_buf *row)
{
    qn_buf_append_u8(row, HELD_FORMAT);
    qn_buf_append_u64(row, held->quota_bytes);
    qn_buf_append_u32(row, held->lock_days);
    qn_buf_append_u8(row, held->is_ended);
    qn_buf_append_u64(row, held->used_bytes);
    qn_buf_append_u64(row, held->pack_count);
    qn_buf_append_u64(row, held->bad_count);
    qn_buf_append_u64(row, held->list_count);
    qn_buf_append_u64(row, held->lease_count);
    qn_buf_append_span(row, qn_digest_view(&held->sum));
    qn_buf_append_u64(row, held->good_count);
    qn_buf_append_u64(row, held->snapshot_lock_ms);
    qn_buf_append_u64(row, held->snapshot_wall_ms);
    qn_buf_append_u64(row, held->interval_ms);
    qn_buf_append_u32(row, held->alarms);
    qn_buf_append_u64(row, held->since_lock_ms);
    qn_buf_append_u64(row, held->scrub_plan_ms);
    qn_buf_append_u64(row, held->scrub_done);
    qn_buf_append_span(row, qn_digest_view(&held->scrub_at));
}

enum qn_err qn_held_get(struct qn_kv *kv, const struct qn_site_id *owner, struct qn_held *ret_held)
{
    struct qn_key key;
    struct qn_span row;
    QN_TRY(qn_kv_get(kv, QN_TABLE_HELD, qn_key_owner(&key, owner), &row));
    return read_held(row, ret_held);
}

enum qn_err qn_held_put(struct qn_kv *kv, const struct qn_site_id *owner,
                        const struct qn_held *held)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, ROW_MAX);
    write_held(held, &row);
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_HELD, qn_key_owner(&key, owner), qn_buf_view(&row));
}

enum qn_err qn_held_next(struct qn_kv *kv, const struct qn_site_id *after,
                         struct qn_site_id *ret_owner, struct qn_held *ret_held)
{
    static const struct qn_site_id first = {0};
    struct qn_key key;
    struct qn_span found, row;
    qn_key_owner(&key, after != NULL ? after : &first);
    struct qn_span start = after != NULL ? qn_key_next(&key) : qn_key_view(&key);
    QN_TRY(qn_kv_seek(kv, QN_TABLE_HELD, start, &found, &row));
    if (found.size != QN_KEY_OWNER_SIZE)
        return QN_ERR_CORRUPT;
    struct qn_held held;
    QN_TRY(read_held(row, &held));
    memcpy(ret_owner->bytes, found.data, sizeof(ret_owner->bytes));
    *ret_held = held;
    return QN_OK;
}

void qn_held_count(struct qn_held *held, const struct qn_digest *name, bool is_more)
{
    struct qn_digest leaf;
    QN_DIGEST(&leaf, qn_digest_view(name));
    if (is_more) {
        qn_sum_add(held->sum.bytes, leaf.bytes);
        held->good_count++;
    } else {
        qn_sum_sub(held->sum.bytes, leaf.bytes);
        held->good_count--;
    }
}

/* ---- packs ---- */

enum qn_err qn_held_pack_read(struct qn_span row, struct qn_held_pack *ret_pack)
{
    struct qn_fixed fixed = qn_fixed(row, PACK_FORMAT);
    struct qn_held_pack pack = {.size = qn_fixed_u32(&fixed)};
    pack.received_ms = qn_fixed_u64(&fixed);
    pack.touched_ms = qn_fixed_u64(&fixed);
    pack.locked_until_ms = qn_fixed_u64(&fixed);
    pack.scrubbed_ms = qn_fixed_u64(&fixed);
    uint8_t flags = qn_fixed_u8(&fixed);
    pack.is_bad = (flags & PACK_BAD) != 0;
    pack.is_condemned = (flags & PACK_CONDEMNED) != 0;
    QN_TRY(qn_fixed_end(&fixed));
    *ret_pack = pack;
    return QN_OK;
}

enum qn_err qn_held_pack_put(struct qn_kv *kv, const struct qn_site_id *owner,
                             const struct qn_digest *name, const struct qn_held_pack *pack)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, ROW_MAX);
    qn_buf_append_u8(&row, PACK_FORMAT);
    qn_buf_append_u32(&row, (uint32_t)pack->size);
    qn_buf_append_u64(&row, pack->received_ms);
    qn_buf_append_u64(&row, pack->touched_ms);
    qn_buf_append_u64(&row, pack->locked_until_ms);
    qn_buf_append_u64(&row, pack->scrubbed_ms);
    qn_buf_append_u8(
        &row, (uint8_t)((pack->is_bad ? PACK_BAD : 0) | (pack->is_condemned ? PACK_CONDEMNED : 0)));
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_HELD_PACK, qn_key_held(&key, owner, name), qn_buf_view(&row));
}

enum qn_err qn_held_pack_get(struct qn_kv *kv, const struct qn_site_id *owner,
                             const struct qn_digest *pack, struct qn_held_pack *ret_pack)
{
    struct qn_key key;
    struct qn_span row;
    QN_TRY(qn_kv_get(kv, QN_TABLE_HELD_PACK, qn_key_held(&key, owner, pack), &row));
    return qn_held_pack_read(row, ret_pack);
}

enum qn_err qn_held_pack_next(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_digest *after, struct qn_digest *ret_name,
                              struct qn_held_pack *ret_pack)
{
    struct qn_key key;
    struct qn_span found, row;
    QN_TRY(qn_kv_seek(kv, QN_TABLE_HELD_PACK, qn_key_behind(&key, owner, after), &found, &row));
    if (!qn_span_has_prefix(found, QN_SPAN_OF(owner->bytes)))
        return QN_ERR_NOTFOUND;
    if (found.size != QN_KEY_HELD_SIZE)
        return QN_ERR_CORRUPT;
    QN_TRY(qn_held_pack_read(row, ret_pack));
    memcpy(ret_name->bytes, found.data + QN_KEY_OWNER_SIZE, sizeof(ret_name->bytes));
    return QN_OK;
}

/* ---- heads of lists ---- */

static enum qn_err read_list(struct qn_span row, struct qn_held_list *list)
{
    struct qn_fixed fixed = qn_fixed(row, LIST_FORMAT);
    list->head.snapshot = qn_fixed_digest(&fixed);
    list->head.names = qn_fixed_digest(&fixed);
    list->head.name_count = qn_fixed_u32(&fixed);
    list->name_count = qn_fixed_u32(&fixed);
    list->last = qn_fixed_digest(&fixed);
    list->sealed_size = qn_fixed_u32(&fixed);
    list->received_ms = qn_fixed_u64(&fixed);
    list->received_wall_ms = qn_fixed_u64(&fixed);
    list->locked_until_ms = qn_fixed_u64(&fixed);
    uint8_t flags = qn_fixed_u8(&fixed);
    list->is_whole = (flags & LIST_WHOLE) != 0;
    list->is_forgotten = (flags & LIST_FORGOTTEN) != 0;
    return qn_fixed_end(&fixed);
}

enum qn_err qn_held_list_get(struct qn_kv *kv, const struct qn_site_id *owner,
                             const struct qn_digest *id, struct qn_held_list *ret_list)
{
    struct qn_key key;
    struct qn_span row;
    struct qn_held_list list = {.id = *id};
    QN_TRY(qn_kv_get(kv, QN_TABLE_HELD_LIST, qn_key_held(&key, owner, id), &row));
    QN_TRY(read_list(row, &list));
    *ret_list = list;
    return QN_OK;
}

enum qn_err qn_held_list_put(struct qn_kv *kv, const struct qn_site_id *owner,
                             const struct qn_held_list *list)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, ROW_MAX);
    qn_buf_append_u8(&row, LIST_FORMAT);
    qn_buf_append_span(&row, qn_digest_view(&list->head.snapshot));
    qn_buf_append_span(&row, qn_digest_view(&list->head.names));
    qn_buf_append_u32(&row, list->head.name_count);
    qn_buf_append_u32(&row, list->name_count);
    qn_buf_append_span(&row, qn_digest_view(&list->last));
    qn_buf_append_u32(&row, list->sealed_size);
    qn_buf_append_u64(&row, list->received_ms);
    qn_buf_append_u64(&row, list->received_wall_ms);
    qn_buf_append_u64(&row, list->locked_until_ms);
    qn_buf_append_u8(&row, (uint8_t)((list->is_whole ? LIST_WHOLE : 0) |
                                     (list->is_forgotten ? LIST_FORGOTTEN : 0)));
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_HELD_LIST, qn_key_held(&key, owner, &list->id),
                     qn_buf_view(&row));
}

enum qn_err qn_held_list_next(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_digest *after, struct qn_held_list *ret_list)
{
    struct qn_key key;
    struct qn_span found, row;
    QN_TRY(qn_kv_seek(kv, QN_TABLE_HELD_LIST, qn_key_behind(&key, owner, after), &found, &row));
    if (!qn_span_has_prefix(found, QN_SPAN_OF(owner->bytes)))
        return QN_ERR_NOTFOUND;
    if (found.size != QN_KEY_HELD_SIZE)
        return QN_ERR_CORRUPT;
    struct qn_held_list list = {0};
    memcpy(list.id.bytes, found.data + QN_KEY_OWNER_SIZE, sizeof(list.id.bytes));
    QN_TRY(read_list(row, &list));
    *ret_list = list;
    return QN_OK;
}
