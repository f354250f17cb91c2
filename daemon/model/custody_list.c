/* Lists of the packs that a snapshot needs. */
#include "model/custody_impl.h"

#define ID_DOMAIN "quoin list 1"

static uint64_t cost_of(const struct qn_list_head *head, size_t sealed_size)
{
    return sealed_size + (uint64_t)head->name_count * QN_DIGEST_SIZE;
}

void qn_list_id(const struct qn_list_head *head, struct qn_digest *ret_id)
{
    uint8_t count[4];
    qn_write_u32(count, head->name_count);
    QN_DIGEST(ret_id, qn_span(ID_DOMAIN, sizeof(ID_DOMAIN)), qn_digest_view(&head->snapshot),
              qn_digest_view(&head->names), QN_SPAN_OF(count));
}

bool qn_held_list_holds(const struct qn_held_list *list, const struct qn_held *held,
                        uint64_t now_ms)
{
    if (!list->is_whole)
        return now_ms < qn_ms_after(list->received_ms, QN_HELD_LEASE_DAYS);
    bool is_let_go = list->is_forgotten || held->is_ended;
    return !is_let_go || now_ms < list->locked_until_ms;
}

/* ---- taking in ---- */

static enum qn_err refuse_list(struct qn_kv *kv, const struct qn_site_id *owner,
                               struct qn_held *held)
{
    held->alarms |= QN_HELD_ALARM_QUOTA;
    QN_TRY(qn_held_put(kv, owner, held));
    return QN_ERR_LIMIT;
}

static enum qn_err begin_new(struct qn_kv *kv, const struct qn_site_id *owner, uint64_t now_ms,
                             struct qn_held_list *list, struct qn_span sealed)
{
    struct qn_held held;
    QN_TRY(qn_held_get(kv, owner, &held));
    uint64_t cost = cost_of(&list->head, sealed.size);
    bool has_room =
        held.used_bytes <= held.quota_bytes && cost <= held.quota_bytes - held.used_bytes;
    if (!has_room || held.list_count >= QN_HELD_LISTS_MAX)
        return refuse_list(kv, owner, &held);
    list->received_ms = now_ms;
    list->sealed_size = (uint32_t)sealed.size;
    held.used_bytes += cost;
    held.list_count++;
    struct qn_key key;
    QN_TRY(qn_kv_put(kv, QN_TABLE_HELD_LIST, qn_key_sealed(&key, owner, &list->id), sealed));
    QN_TRY(qn_held_list_put(kv, owner, list));
    return qn_held_put(kv, owner, &held);
}

/* Its packs may take weeks. */
static enum qn_err go_on(struct qn_kv *kv, const struct qn_site_id *owner, uint64_t now_ms,
                         struct qn_held_list *list)
{
    if (list->received_ms == now_ms)
        return QN_OK;
    list->received_ms = now_ms;
    return qn_held_list_put(kv, owner, list);
}

enum qn_err qn_custody_list_begin(struct qn_kv *kv, const struct qn_site_id *owner,
                                  const struct qn_list_head *head, struct qn_span sealed,
                                  uint32_t *ret_have)
{
    uint64_t now_ms;
    struct qn_held held;
    struct qn_digest snapshot;
    struct qn_held_list list = {.head = *head};
    QN_TRY(qn_custody_open(kv, owner, &now_ms, &held));
    if (head->name_count > QN_HELD_LIST_NAMES_MAX || sealed.size > QN_HELD_SEALED_SIZE_MAX)
        return QN_ERR_INVALID;
    QN_DIGEST(&snapshot, sealed);
    if (sealed.size == 0 || !qn_digest_eq(&snapshot, &head->snapshot))
        return QN_ERR_SIGNATURE;
    qn_list_id(head, &list.id);
    enum qn_err err = qn_held_list_get(kv, owner, &list.id, &list);
    if (err == QN_ERR_NOTFOUND)
        err = begin_new(kv, owner, now_ms, &list, sealed);
    else if (err == QN_OK && !list.is_whole)
        err = go_on(kv, owner, now_ms, &list);
    QN_TRY(err);
    *ret_have = list.name_count;
    return QN_OK;
}

static bool ascends(const struct qn_held_list *list, struct qn_span names)
{
    size_t count = names.size / QN_DIGEST_SIZE;
    if (list->name_count > 0 && qn_digest_cmp(&list->last, qn_name_at(names, 0)) >= 0)
        return false;
    for (size_t i = 1; i < count; i++)
        if (qn_digest_cmp(qn_name_at(names, i - 1), qn_name_at(names, i)) >= 0)
            return false;
    return true;
}

/* Full chunks only, but for the last: else single names would fill the store with rows. */
static bool fits(const struct qn_held_list *list, size_t count)
{
    if (count == 0 || count > QN_HELD_LIST_BATCH_NAMES ||
        count > list->head.name_count - list->name_count)
        return false;
    return count % QN_HELD_LIST_CHUNK_NAMES == 0 ||
           list->name_count + count == list->head.name_count;
}

static enum qn_err put_chunks(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_digest *id, struct qn_span names)
{
    const size_t chunk_size = QN_HELD_LIST_CHUNK_NAMES * QN_DIGEST_SIZE;
    for (struct qn_span left = names; left.size > 0; left = qn_span_from(left, chunk_size)) {
        struct qn_span chunk = qn_span(left.data, left.size < chunk_size ? left.size : chunk_size);
        const struct qn_digest *last = qn_name_at(chunk, chunk.size / QN_DIGEST_SIZE - 1);
        struct qn_key key;
        QN_TRY(qn_kv_put(kv, QN_TABLE_HELD_LIST, qn_key_chunk(&key, owner, id, last), chunk));
    }
    return QN_OK;
}

enum qn_err qn_custody_list_names(struct qn_kv *kv, const struct qn_site_id *owner,
                                  const struct qn_digest *id, uint32_t at, struct qn_span names)
{
    uint64_t now_ms;
    struct qn_held held;
    struct qn_held_list list;
    QN_TRY(qn_custody_open(kv, owner, &now_ms, &held));
    QN_TRY(qn_held_list_get(kv, owner, id, &list));
    if (list.is_whole || at != list.name_count)
        return QN_ERR_STATE;
    size_t count = names.size / QN_DIGEST_SIZE;
    if (names.size % QN_DIGEST_SIZE != 0 || !fits(&list, count) || !ascends(&list, names))
        return QN_ERR_INVALID;
    QN_TRY(put_chunks(kv, owner, id, names));
    list.name_count += (uint32_t)count;
    list.last = *qn_name_at(names, count - 1);
    return qn_held_list_put(kv, owner, &list);
}

/* ---- making whole ---- */

struct check {
    struct qn_kv *kv;
    const struct qn_site_id *owner;
    size_t missing_max;
    struct qn_buf *missing;
    bool is_missing;
};

static enum qn_err check_name(struct check *check, const struct qn_digest *name)
{
    struct qn_held_pack pack;
    enum qn_err err = qn_held_pack_get(check->kv, check->owner, name, &pack);
    QN_TRY(qn_may_miss(err));
    if (err == QN_OK && qn_held_pack_is_good(&pack))
        return QN_OK;
    check->is_missing = true;
    if (check->missing->size < check->missing_max * QN_DIGEST_SIZE)
        qn_buf_append_span(check->missing, qn_digest_view(name));
    return qn_buf_status(check->missing);
}

static enum qn_err check_chunk(struct check *check, struct qn_span names)
{
    for (size_t i = 0; i < names.size / QN_DIGEST_SIZE; i++)
        QN_TRY(check_name(check, qn_name_at(names, i)));
    return QN_OK;
}

/* Goes through the chunks of a list in order. */
struct chunks {
    struct qn_digest from;
    bool is_end;
};

static enum qn_err chunks_next(struct qn_kv *kv, const struct qn_site_id *owner,
                               const struct qn_digest *id, struct chunks *chunks,
                               struct qn_span *ret_names)
{
    if (chunks->is_end)
        return QN_ERR_NOTFOUND;
    QN_TRY(qn_held_list_chunk(kv, owner, id, &chunks->from, ret_names));
    chunks->from = *qn_name_at(*ret_names, ret_names->size / QN_DIGEST_SIZE - 1);
    chunks->is_end = true; /* unless there is a name behind the last */
    for (size_t i = QN_DIGEST_SIZE; i > 0 && chunks->is_end; i--)
        chunks->is_end = ++chunks->from.bytes[i - 1] == 0;
    return QN_OK;
}

static enum qn_err hash_names(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_digest *id, struct qn_digest *ret_digest)
{
    struct chunks chunks = {0};
    struct qn_span names;
    enum qn_err err;
    struct qn_hasher *hasher = qn_hasher_new();
    qn_hasher_start(hasher);
    while ((err = chunks_next(kv, owner, id, &chunks, &names)) == QN_OK)
        qn_hasher_add(hasher, names);
    qn_hasher_finish(hasher, ret_digest);
    qn_hasher_free(hasher);
    return qn_may_miss(err);
}

static enum qn_err check_packs(struct check *check, const struct qn_digest *id)
{
    struct chunks chunks = {0};
    struct qn_span names;
    enum qn_err err;
    while ((err = chunks_next(check->kv, check->owner, id, &chunks, &names)) == QN_OK)
        QN_TRY(check_chunk(check, names));
    return qn_may_miss(err);
}

static enum qn_err drop_wrong(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_held_list *list, struct qn_held *held)
{
    QN_TRY(qn_held_list_drop(kv, owner, list, held));
    QN_TRY(qn_held_put(kv, owner, held));
    return QN_ERR_SIGNATURE;
}

/* What an owner says of time has no part in this. */
static enum qn_err stamp(struct qn_kv *kv, const struct qn_site_id *owner, uint64_t now_ms,
                         uint64_t wall_ms, struct qn_held_list *list, struct qn_held *held)
{
    uint64_t until_ms = qn_ms_after(now_ms, held->lock_days);
    if (until_ms > list->locked_until_ms)
        list->locked_until_ms = until_ms;
    list->is_whole = true;
    list->is_forgotten = false;
    list->received_ms = now_ms;
    list->received_wall_ms = wall_ms;
    held->snapshot_lock_ms = now_ms;
    held->snapshot_wall_ms = wall_ms;
    held->alarms &= ~(uint32_t)(QN_HELD_ALARM_QUOTA | QN_HELD_ALARM_ROOM);
    QN_TRY(qn_held_list_put(kv, owner, list));
    return qn_held_put(kv, owner, held);
}

enum qn_err qn_custody_list_finish(struct qn_kv *kv, const struct qn_site_id *owner,
                                   const struct qn_digest *id, uint64_t wall_ms, size_t missing_max,
                                   struct qn_buf *missing)
{
    uint64_t now_ms;
    struct qn_held held;
    struct qn_held_list list;
    struct qn_digest digest;
    QN_TRY(qn_custody_open(kv, owner, &now_ms, &held));
    QN_TRY(qn_held_list_get(kv, owner, id, &list));
    if (list.name_count != list.head.name_count)
        return QN_ERR_STATE;
    QN_TRY(hash_names(kv, owner, id, &digest));
    if (!qn_digest_eq(&digest, &list.head.names))
        return list.is_whole ? QN_ERR_CORRUPT : drop_wrong(kv, owner, &list, &held);
    struct check check = {.kv = kv, .owner = owner, .missing_max = missing_max, .missing = missing};
    QN_TRY(check_packs(&check, id));
    if (check.is_missing)
        return QN_ERR_HELD;
    return stamp(kv, owner, now_ms, wall_ms, &list, &held);
}

/* ---- letting go ---- */

static enum qn_err drop_rows(struct qn_kv *kv, struct qn_key *prefix)
{
    size_t size = prefix->size;
    for (;;) {
        struct qn_span found, value;
        prefix->size = size;
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_HELD_LIST, qn_key_view(prefix), &found, &value);
        if (err == QN_ERR_NOTFOUND)
            return QN_OK;
        QN_TRY(err);
        if (!qn_span_has_prefix(found, qn_key_view(prefix)))
            return QN_OK;
        struct qn_key key;
        qn_key_copy(&key, found);
        QN_TRY(qn_kv_del(kv, QN_TABLE_HELD_LIST, qn_key_view(&key)));
    }
}

enum qn_err qn_held_list_drop(struct qn_kv *kv, const struct qn_site_id *owner,
                              const struct qn_held_list *list, struct qn_held *held)
{
    struct qn_key prefix;
    qn_key_held(&prefix, owner, &list->id);
    QN_TRY(drop_rows(kv, &prefix));
    uint64_t cost = cost_of(&list->head, list->sealed_size);
    if (held->list_count == 0 || held->used_bytes < cost)
        return QN_ERR_CORRUPT;
    held->list_count--;
    held->used_bytes -= cost;
    return QN_OK;
}

enum qn_err qn_custody_list_forget(struct qn_kv *kv, const struct qn_site_id *owner,
                                   const struct qn_digest *id)
{
    struct qn_held held;
    struct qn_held_list list;
    enum qn_err err = qn_held_list_get(kv, owner, id, &list);
    if (err == QN_ERR_NOTFOUND || (err == QN_OK && list.is_forgotten))
        return QN_OK;
    QN_TRY(err);
    if (list.is_whole) {
        list.is_forgotten = true;
        return qn_held_list_put(kv, owner, &list);
    }
    QN_TRY(qn_must_exist(qn_held_get(kv, owner, &held)));
    QN_TRY(qn_held_list_drop(kv, owner, &list, &held));
    return qn_held_put(kv, owner, &held);
}

/* ---- reading ---- */

enum qn_err qn_held_list_chunk(struct qn_kv *kv, const struct qn_site_id *owner,
                               const struct qn_digest *id, const struct qn_digest *name,
                               struct qn_span *ret_names)
{
    struct qn_key key;
    struct qn_span found, names;
    QN_TRY(qn_kv_seek(kv, QN_TABLE_HELD_LIST, qn_key_chunk(&key, owner, id, name), &found, &names));
    struct qn_span prefix = qn_span(key.bytes, QN_KEY_CHUNK_SIZE - QN_DIGEST_SIZE);
    if (!qn_span_has_prefix(found, prefix))
        return QN_ERR_NOTFOUND;
    bool is_right = found.size == QN_KEY_CHUNK_SIZE && names.size > 0 &&
                    names.size % QN_DIGEST_SIZE == 0 &&
                    names.size <= QN_HELD_LIST_CHUNK_NAMES * QN_DIGEST_SIZE;
    if (!is_right)
        return QN_ERR_CORRUPT;
    *ret_names = names;
    return QN_OK;
}

enum qn_err qn_held_list_sealed(struct qn_kv *kv, const struct qn_site_id *owner,
                                const struct qn_digest *list, struct qn_span *ret_sealed)
{
    struct qn_key key;
    return qn_kv_get(kv, QN_TABLE_HELD_LIST, qn_key_sealed(&key, owner, list), ret_sealed);
}

enum qn_err qn_held_list_names(struct qn_kv *kv, const struct qn_site_id *owner,
                               const struct qn_digest *id, const struct qn_digest *after,
                               size_t count_max, struct qn_buf *out)
{
    struct chunks chunks = {0};
    struct qn_span names;
    enum qn_err err;
    size_t count = 0;
    if (after != NULL)
        chunks.from = *after;
    while (count < count_max &&
           (err = chunks_next(kv, owner, id, &chunks, &names)) != QN_ERR_NOTFOUND) {
        QN_TRY(err);
        for (size_t i = 0; i < names.size / QN_DIGEST_SIZE && count < count_max; i++) {
            const struct qn_digest *name = qn_name_at(names, i);
            if (after != NULL && qn_digest_cmp(name, after) <= 0)
                continue;
            qn_buf_append_span(out, qn_digest_view(name));
            count++;
        }
    }
    return qn_buf_status(out);
}
