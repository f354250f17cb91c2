/* The packs and snapshots that are here. */
#include "model/book_impl.h"

#define TAG_TOTALS    't'
#define TOTALS_FORMAT 1
#define PACK_FORMAT   1
#define SNAP_FORMAT   1

/* ---- keys ---- */

struct qn_span qn_key_tagged(struct qn_key *key, uint8_t tag, struct qn_span name)
{
    qn_key_copy(key, QN_SPAN_OF(tag));
    qn_key_add(key, name);
    return qn_key_view(key);
}

struct qn_span qn_key_ordered(struct qn_key *key, uint8_t tag, uint64_t order)
{
    qn_key_copy(key, QN_SPAN_OF(tag));
    qn_key_add_u64(key, order);
    return qn_key_view(key);
}

/* The first key of that tag whose number is above `after`, and the name that it leads to. */
static enum qn_err next_ordered(struct qn_kv *kv, enum qn_table table, uint64_t after,
                                struct qn_digest *ret_name)
{
    struct qn_key key;
    struct qn_span found, name;
    if (after == UINT64_MAX)
        return QN_ERR_NOTFOUND;
    QN_TRY(qn_kv_seek(kv, table, qn_key_ordered(&key, QN_TAG_ORDER, after + 1), &found, &name));
    if (found.data[0] != QN_TAG_ORDER)
        return QN_ERR_NOTFOUND;
    if (name.size != sizeof(ret_name->bytes))
        return QN_ERR_CORRUPT;
    memcpy(ret_name->bytes, name.data, sizeof(ret_name->bytes));
    return QN_OK;
}

/* ---- totals ---- */

enum qn_err qn_book_totals(struct qn_kv *kv, struct qn_own_totals *ret_totals)
{
    struct qn_key key;
    struct qn_span row;
    enum qn_err err =
        qn_kv_get(kv, QN_TABLE_OWN_PACK, qn_key_tagged(&key, TAG_TOTALS, qn_span(NULL, 0)), &row);
    QN_TRY(qn_may_miss(err));
    struct qn_own_totals totals = {0};
    if (err == QN_OK) {
        struct qn_fixed fixed = qn_fixed(row, TOTALS_FORMAT);
        totals.packs = qn_fixed_u64(&fixed);
        totals.bytes = qn_fixed_u64(&fixed);
        totals.order = qn_fixed_u64(&fixed);
        totals.snapshots = qn_fixed_u64(&fixed);
        totals.number = qn_fixed_u64(&fixed);
        QN_TRY(qn_fixed_end(&fixed));
    }
    *ret_totals = totals;
    return QN_OK;
}

enum qn_err qn_own_totals_put(struct qn_kv *kv, const struct qn_own_totals *totals)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_BOOK_ROW_MAX);
    qn_buf_append_u8(&row, TOTALS_FORMAT);
    qn_buf_append_u64(&row, totals->packs);
    qn_buf_append_u64(&row, totals->bytes);
    qn_buf_append_u64(&row, totals->order);
    qn_buf_append_u64(&row, totals->snapshots);
    qn_buf_append_u64(&row, totals->number);
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_OWN_PACK, qn_key_tagged(&key, TAG_TOTALS, qn_span(NULL, 0)),
                     qn_buf_view(&row));
}

/* ---- packs ---- */

static struct qn_span pack_key(struct qn_key *key, const struct qn_digest *name)
{
    return qn_key_tagged(key, QN_TAG_PACK, qn_digest_view(name));
}

enum qn_err qn_book_pack_get(struct qn_kv *kv, const struct qn_digest *name,
                             struct qn_own_pack *ret_pack)
{
    struct qn_key key;
    struct qn_span row;
    QN_TRY(qn_kv_get(kv, QN_TABLE_OWN_PACK, pack_key(&key, name), &row));
    struct qn_fixed fixed = qn_fixed(row, PACK_FORMAT);
    struct qn_own_pack pack = {.size = qn_fixed_u32(&fixed)};
    pack.kind = qn_fixed_u8(&fixed);
    pack.order = qn_fixed_u64(&fixed);
    QN_TRY(qn_fixed_end(&fixed));
    *ret_pack = pack;
    return QN_OK;
}

static enum qn_err pack_put(struct qn_kv *kv, const struct qn_digest *name,
                            const struct qn_own_pack *pack)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_BOOK_ROW_MAX);
    qn_buf_append_u8(&row, PACK_FORMAT);
    qn_buf_append_u32(&row, (uint32_t)pack->size);
    qn_buf_append_u8(&row, pack->kind);
    qn_buf_append_u64(&row, pack->order);
    struct qn_key key;
    QN_TRY(qn_kv_put(kv, QN_TABLE_OWN_PACK, pack_key(&key, name), qn_buf_view(&row)));
    return qn_kv_put(kv, QN_TABLE_OWN_PACK, qn_key_ordered(&key, QN_TAG_ORDER, pack->order),
                     qn_digest_view(name));
}

enum qn_err qn_own_pack_next(struct qn_kv *kv, uint64_t after, struct qn_digest *ret_name,
                             struct qn_own_pack *ret_pack)
{
    QN_TRY(next_ordered(kv, QN_TABLE_OWN_PACK, after, ret_name));
    return qn_must_exist(qn_book_pack_get(kv, ret_name, ret_pack));
}

enum qn_err qn_book_pack_add(struct qn_kv *kv, const struct qn_digest *name, uint64_t size,
                             uint8_t kind)
{
    struct qn_own_pack pack;
    struct qn_own_totals totals;
    if (size == 0 || size > QN_HELD_PACK_SIZE_MAX)
        return QN_ERR_INVALID;
    enum qn_err err = qn_book_pack_get(kv, name, &pack);
    if (err == QN_OK)
        return pack.size == size ? QN_OK : QN_ERR_EXISTS;
    QN_TRY(qn_may_miss(err));
    QN_TRY(qn_book_totals(kv, &totals));
    pack = (struct qn_own_pack){.size = size, .kind = kind, .order = ++totals.order};
    totals.packs++;
    totals.bytes += size;
    QN_TRY(pack_put(kv, name, &pack));
    QN_TRY(qn_own_totals_put(kv, &totals));
    return qn_copies_added(kv, name, &pack, &totals);
}

enum qn_err qn_book_pack_remove(struct qn_kv *kv, const struct qn_digest *name)
{
    struct qn_own_pack pack;
    struct qn_own_totals totals;
    struct qn_key key;
    enum qn_err err = qn_book_pack_get(kv, name, &pack);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    QN_TRY(qn_book_totals(kv, &totals));
    if (totals.packs == 0 || totals.bytes < pack.size)
        return QN_ERR_CORRUPT;
    totals.packs--;
    totals.bytes -= pack.size;
    QN_TRY(qn_kv_del(kv, QN_TABLE_OWN_PACK, pack_key(&key, name)));
    QN_TRY(qn_must_exist(
        qn_kv_del(kv, QN_TABLE_OWN_PACK, qn_key_ordered(&key, QN_TAG_ORDER, pack.order))));
    QN_TRY(qn_own_totals_put(kv, &totals));
    return qn_copies_removed(kv, name, &pack, &totals);
}

/* ---- snapshots ---- */

static struct qn_span snap_key(struct qn_key *key, const struct qn_digest *name)
{
    return qn_key_tagged(key, QN_TAG_SNAP, qn_digest_view(name));
}

void qn_own_snap_list(const struct qn_own_snap *snap, struct qn_digest *ret_list)
{
    struct qn_list_head head = {
        .snapshot = snap->name, .names = snap->names, .name_count = snap->name_count};
    qn_list_id(&head, ret_list);
}

static enum qn_err read_snap(struct qn_span row, struct qn_own_snap *snap)
{
    struct qn_fixed fixed = qn_fixed(row, SNAP_FORMAT);
    snap->number = qn_fixed_u64(&fixed);
    snap->order = qn_fixed_u64(&fixed);
    snap->started_ms = qn_fixed_u64(&fixed);
    snap->ended_ms = qn_fixed_u64(&fixed);
    snap->is_partial = qn_fixed_u8(&fixed) != 0;
    snap->files = qn_fixed_u64(&fixed);
    snap->bytes = qn_fixed_u64(&fixed);
    snap->bytes_stored = qn_fixed_u64(&fixed);
    snap->names = qn_fixed_digest(&fixed);
    snap->name_count = qn_fixed_u32(&fixed);
    struct qn_span plan = qn_fixed_rest(&fixed);
    if (plan.size > QN_NAME_SIZE_MAX)
        return QN_ERR_CORRUPT;
    if (plan.size > 0)
        memcpy(snap->plan, plan.data, plan.size);
    return qn_fixed_end(&fixed);
}

enum qn_err qn_book_snap_get(struct qn_kv *kv, const struct qn_digest *name,
                             struct qn_own_snap *ret_snap)
{
    struct qn_key key;
    struct qn_span row;
    struct qn_own_snap snap = {.name = *name};
    QN_TRY(qn_kv_get(kv, QN_TABLE_OWN_SNAP, snap_key(&key, name), &row));
    QN_TRY(read_snap(row, &snap));
    *ret_snap = snap;
    return QN_OK;
}

static enum qn_err put_snap(struct qn_kv *kv, const struct qn_own_snap *snap)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_BOOK_ROW_MAX);
    qn_buf_append_u8(&row, SNAP_FORMAT);
    qn_buf_append_u64(&row, snap->number);
    qn_buf_append_u64(&row, snap->order);
    qn_buf_append_u64(&row, snap->started_ms);
    qn_buf_append_u64(&row, snap->ended_ms);
    qn_buf_append_u8(&row, snap->is_partial);
    qn_buf_append_u64(&row, snap->files);
    qn_buf_append_u64(&row, snap->bytes);
    qn_buf_append_u64(&row, snap->bytes_stored);
    qn_buf_append_span(&row, qn_digest_view(&snap->names));
    qn_buf_append_u32(&row, snap->name_count);
    qn_buf_append_str(&row, snap->plan);
    QN_TRY(qn_buf_status(&row));
    struct qn_key key;
    QN_TRY(qn_kv_put(kv, QN_TABLE_OWN_SNAP, snap_key(&key, &snap->name), qn_buf_view(&row)));
    return qn_kv_put(kv, QN_TABLE_OWN_SNAP, qn_key_ordered(&key, QN_TAG_ORDER, snap->number),
                     qn_digest_view(&snap->name));
}

static enum qn_err add_snap(struct qn_kv *kv, struct qn_own_snap *snap,
                            struct qn_own_totals *totals)
{
    snap->number = ++totals->number;
    totals->snapshots++;
    QN_TRY(qn_own_totals_put(kv, totals));
    return put_snap(kv, snap);
}

static enum qn_err relist(struct qn_kv *kv, const struct qn_own_snap *old, struct qn_own_snap *snap)
{
    struct qn_digest before, after;
    snap->number = old->number;
    qn_own_snap_list(old, &before);
    qn_own_snap_list(snap, &after);
    if (!qn_digest_eq(&before, &after))
        QN_TRY(qn_copies_forget(kv, &before, &snap->name));
    QN_TRY(qn_copies_keep(kv, &after));
    return put_snap(kv, snap);
}

enum qn_err qn_book_snap_put(struct qn_kv *kv, const struct qn_own_snap *snap)
{
    struct qn_own_totals totals;
    struct qn_own_snap old, row = *snap;
    if (snap->name_count > QN_HELD_LIST_NAMES_MAX)
        return QN_ERR_LIMIT;
    QN_TRY(qn_book_totals(kv, &totals));
    row.order = totals.order;
    enum qn_err err = qn_book_snap_get(kv, &snap->name, &old);
    if (err == QN_OK)
        return relist(kv, &old, &row);
    QN_TRY(qn_may_miss(err));
    return add_snap(kv, &row, &totals);
}

enum qn_err qn_book_snap_next(struct qn_kv *kv, uint64_t after, struct qn_own_snap *ret_snap)
{
    struct qn_digest name;
    QN_TRY(next_ordered(kv, QN_TABLE_OWN_SNAP, after, &name));
    return qn_must_exist(qn_book_snap_get(kv, &name, ret_snap));
}

enum qn_err qn_book_snap_remove(struct qn_kv *kv, const struct qn_digest *name)
{
    struct qn_own_snap snap;
    struct qn_own_totals totals;
    struct qn_digest list;
    struct qn_key key;
    enum qn_err err = qn_book_snap_get(kv, name, &snap);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    QN_TRY(qn_book_totals(kv, &totals));
    if (totals.snapshots == 0)
        return QN_ERR_CORRUPT;
    totals.snapshots--;
    QN_TRY(qn_kv_del(kv, QN_TABLE_OWN_SNAP, snap_key(&key, name)));
    QN_TRY(qn_must_exist(
        qn_kv_del(kv, QN_TABLE_OWN_SNAP, qn_key_ordered(&key, QN_TAG_ORDER, snap.number))));
    QN_TRY(qn_own_totals_put(kv, &totals));
    qn_own_snap_list(&snap, &list);
    return qn_copies_forget(kv, &list, name);
}
