#include "base/assert.h"
#include "os/os.h"
#include "vault/index_private.h"

#define NUMBER_SIZE 4
#define META_SIZE   8

struct qn_index_view {
    struct qn_index *index;
    MDB_txn *txn; /* NULL: not begun yet */
    bool is_active;
};

enum qn_err qn_index_err(int code)
{
    switch (code) {
    case MDB_SUCCESS:
        return QN_OK;
    case MDB_NOTFOUND:
        return QN_ERR_NOTFOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return QN_ERR_NOSPACE;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PAGE_FULL:
    case MDB_CURSOR_FULL:
    case MDB_PANIC:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_VALSIZE:
        return QN_ERR_CORRUPT;
    case MDB_VERSION_MISMATCH:
        return QN_ERR_CORRUPT; /* of LMDB's own form: it can be made again */
    case MDB_READERS_FULL:
        return QN_ERR_LIMIT;
    default:
        return code > 0 ? qn_os_err(code) : QN_ERR_IO;
    }
}

/* ---- rows ---- */

void qn_index_row_encode(const struct qn_index_row *row, uint8_t out[QN_INDEX_ROW_SIZE])
{
    const struct qn_blob *blob = &row->blob;
    QN_ASSERT(blob->raw_size < (uint32_t)1 << QN_INDEX_RAW_BITS && (unsigned)blob->kind < 8);
    qn_write_u32(out, row->pack);
    qn_write_u32(out + 4, blob->offset);
    qn_write_u32(out + 8, blob->stored_size);
    qn_write_u32(out + 12, (uint32_t)blob->is_squeezed << 31 |
                               (uint32_t)blob->kind << QN_INDEX_RAW_BITS | blob->raw_size);
}

static bool is_kind(unsigned kind)
{
    return kind >= QN_BLOB_DATA && kind <= QN_BLOB_PLACES;
}

enum qn_err qn_index_row_decode(const MDB_val *value, struct qn_index_row *ret_row)
{
    if (value->mv_size != QN_INDEX_ROW_SIZE)
        return QN_ERR_CORRUPT;
    const uint8_t *bytes = value->mv_data;
    uint32_t form = qn_read_u32(bytes + 12);
    struct qn_blob blob = {.kind = (enum qn_blob_kind)(form >> QN_INDEX_RAW_BITS & 7),
                           .offset = qn_read_u32(bytes + 4),
                           .stored_size = qn_read_u32(bytes + 8),
                           .raw_size = form & (((uint32_t)1 << QN_INDEX_RAW_BITS) - 1),
                           .is_squeezed = form >> 31 != 0};
    if (!is_kind(blob.kind) || blob.offset > QN_PACK_SIZE_MAX ||
        blob.stored_size > QN_PACK_SIZE_MAX || blob.raw_size > QN_PACK_SIZE_MAX)
        return QN_ERR_CORRUPT;
    *ret_row = (struct qn_index_row){.pack = qn_read_u32(bytes), .blob = blob};
    return QN_OK;
}

void qn_index_pack_encode(const struct qn_index_pack *pack, uint8_t out[QN_INDEX_PACK_SIZE])
{
    memcpy(out, pack->name.bytes, sizeof(pack->name.bytes));
    qn_write_u32(out + 32, pack->size);
    out[36] = (uint8_t)pack->kind;
    out[37] = (uint8_t)pack->state;
    qn_write_u64(out + 38, pack->dead_run);
}

enum qn_err qn_index_pack_decode(uint32_t number, const MDB_val *value,
                                 struct qn_index_pack *ret_pack)
{
    if (value->mv_size != QN_INDEX_PACK_SIZE)
        return QN_ERR_CORRUPT;
    const uint8_t *bytes = value->mv_data;
    struct qn_index_pack pack = {.number = number,
                                 .size = qn_read_u32(bytes + 32),
                                 .kind = (enum qn_pack_kind)bytes[36],
                                 .state = (enum qn_pack_state)bytes[37],
                                 .dead_run = qn_read_u64(bytes + 38)};
    bool is_good_kind = pack.kind == QN_PACK_DATA || pack.kind == QN_PACK_META;
    bool is_good_state = pack.state >= QN_PACK_PRESENT && pack.state <= QN_PACK_ELSEWHERE;
    if (!is_good_kind || !is_good_state || pack.size > QN_PACK_SIZE_MAX)
        return QN_ERR_CORRUPT;
    memcpy(pack.name.bytes, bytes, sizeof(pack.name.bytes));
    *ret_pack = pack;
    return QN_OK;
}

enum qn_err qn_index_get_number(MDB_txn *txn, MDB_dbi dbi, const MDB_val *key, uint32_t *ret_number)
{
    MDB_val wanted = *key, value;
    QN_TRY(qn_index_err(mdb_get(txn, dbi, &wanted, &value)));
    if (value.mv_size != NUMBER_SIZE)
        return QN_ERR_CORRUPT;
    *ret_number = qn_read_u32(value.mv_data);
    return QN_OK;
}

enum qn_err qn_index_meta_get(MDB_txn *txn, MDB_dbi meta, const char *name, uint64_t *ret_value)
{
    MDB_val key = qn_index_val(name, strlen(name)), value;
    enum qn_err err = qn_index_err(mdb_get(txn, meta, &key, &value));
    if (err == QN_OK && value.mv_size != META_SIZE)
        return QN_ERR_CORRUPT;
    if (err == QN_OK)
        *ret_value = qn_read_u64(value.mv_data);
    else if (err == QN_ERR_NOTFOUND)
        *ret_value = 0;
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

enum qn_err qn_index_meta_set(MDB_txn *txn, MDB_dbi meta, const char *name, uint64_t value)
{
    uint8_t bytes[META_SIZE];
    qn_write_u64(bytes, value);
    MDB_val key = qn_index_val(name, strlen(name)), stored = qn_index_val(bytes, sizeof(bytes));
    return qn_index_err(mdb_put(txn, meta, &key, &stored, 0));
}

/* ---- views ---- */

struct qn_index_view *qn_index_view_new(struct qn_index *index)
{
    struct qn_index_view *view = QN_NEW(struct qn_index_view);
    view->index = index;
    return view;
}

void qn_index_view_free(struct qn_index_view *view)
{
    if (view == NULL)
        return;
    if (view->txn != NULL)
        mdb_txn_abort(view->txn);
    qn_free(view);
}

void qn_index_view_rest(struct qn_index_view *view)
{
    if (view->is_active)
        mdb_txn_reset(view->txn);
    view->is_active = false;
}

static enum qn_err wake(struct qn_index_view *view)
{
    if (view->is_active)
        return QN_OK;
    int code = view->txn == NULL ? mdb_txn_begin(view->index->mdb, NULL, MDB_RDONLY, &view->txn)
                                 : mdb_txn_renew(view->txn);
    view->is_active = code == MDB_SUCCESS;
    return qn_index_err(code);
}

enum qn_err qn_index_get(struct qn_index_view *view, const struct qn_chunk_id *id,
                         struct qn_index_row *ret_row)
{
    QN_TRY(wake(view));
    MDB_val key = qn_index_val(id->bytes, QN_INDEX_KEY_SIZE), value;
    struct qn_index_row row;
    QN_TRY(qn_index_err(mdb_get(view->txn, view->index->chunks, &key, &value)));
    QN_TRY(qn_index_row_decode(&value, &row));
    row.blob.id = *id;
    *ret_row = row;
    return QN_OK;
}

enum qn_err qn_index_get_pack(struct qn_index_view *view, uint32_t number,
                              struct qn_index_pack *ret_pack)
{
    QN_TRY(wake(view));
    uint8_t key_bytes[NUMBER_SIZE];
    qn_write_u32(key_bytes, number);
    MDB_val key = qn_index_val(key_bytes, sizeof(key_bytes)), value;
    QN_TRY(qn_index_err(mdb_get(view->txn, view->index->packs, &key, &value)));
    return qn_index_pack_decode(number, &value, ret_pack);
}

enum qn_err qn_index_find_pack(struct qn_index_view *view, const struct qn_pack_name *name,
                               struct qn_index_pack *ret_pack)
{
    QN_TRY(wake(view));
    MDB_val key = qn_index_val(name->bytes, sizeof(name->bytes));
    uint32_t number;
    QN_TRY(qn_index_get_number(view->txn, view->index->names, &key, &number));
    return qn_index_get_pack(view, number, ret_pack);
}

/* ---- scans ---- */

static enum qn_err seek(struct qn_index_view *view, MDB_dbi dbi, MDB_val *key, MDB_val *value,
                        bool is_after)
{
    QN_TRY(wake(view));
    MDB_cursor *cursor;
    QN_TRY(qn_index_err(mdb_cursor_open(view->txn, dbi, &cursor)));
    MDB_val from = *key;
    enum qn_err err = qn_index_err(
        mdb_cursor_get(cursor, key, value, key->mv_size == 0 ? MDB_FIRST : MDB_SET_RANGE));
    bool is_same = err == QN_OK && key->mv_size == from.mv_size && from.mv_size > 0 &&
                   memcmp(key->mv_data, from.mv_data, from.mv_size) == 0;
    if (is_same && is_after)
        err = qn_index_err(mdb_cursor_get(cursor, key, value, MDB_NEXT));
    mdb_cursor_close(cursor);
    return err;
}

enum qn_err qn_index_next_pack(struct qn_index_view *view, uint32_t after,
                               struct qn_index_pack *ret_pack)
{
    uint8_t from[NUMBER_SIZE];
    qn_write_u32(from, after);
    MDB_val key = qn_index_val(from, sizeof(from)), value;
    QN_TRY(seek(view, view->index->packs, &key, &value, true));
    if (key.mv_size != NUMBER_SIZE)
        return QN_ERR_CORRUPT;
    return qn_index_pack_decode(qn_read_u32(key.mv_data), &value, ret_pack);
}

enum qn_err qn_index_next_name(struct qn_index_view *view, const struct qn_pack_name *after,
                               struct qn_pack_name *ret_name, uint32_t *ret_number)
{
    MDB_val key = after == NULL ? qn_index_val(NULL, 0) : qn_index_val(after, sizeof(*after));
    MDB_val value;
    QN_TRY(seek(view, view->index->names, &key, &value, true));
    if (key.mv_size != sizeof(*ret_name) || value.mv_size != NUMBER_SIZE)
        return QN_ERR_CORRUPT;
    memcpy(ret_name->bytes, key.mv_data, sizeof(ret_name->bytes));
    *ret_number = qn_read_u32(value.mv_data);
    return QN_OK;
}

static enum qn_err hand_row(const MDB_val *key, const MDB_val *value, qn_index_row_fn fn,
                            void *context)
{
    struct qn_index_row row;
    if (key->mv_size != QN_INDEX_KEY_SIZE || qn_index_row_decode(value, &row) != QN_OK)
        return QN_OK;
    memcpy(row.blob.id.bytes, key->mv_data, QN_INDEX_KEY_SIZE);
    return fn(context, &row);
}

enum qn_err qn_index_scan(struct qn_index_view *view, uint8_t first, uint8_t last,
                          qn_index_row_fn fn, void *context)
{
    QN_TRY(wake(view));
    MDB_cursor *cursor;
    QN_TRY(qn_index_err(mdb_cursor_open(view->txn, view->index->chunks, &cursor)));
    MDB_val key = qn_index_val(&first, 1), value;
    enum qn_err err = qn_index_err(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
    while (err == QN_OK && key.mv_size > 0 && *(const uint8_t *)key.mv_data <= last) {
        err = hand_row(&key, &value, fn, context);
        if (err != QN_OK)
            break;
        err = qn_index_err(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
    }
    mdb_cursor_close(cursor);
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

enum qn_err qn_index_marks(struct qn_index_view *view, uint64_t *ret_run, uint32_t *ret_number_max)
{
    QN_TRY(wake(view));
    uint64_t run, last;
    QN_TRY(qn_index_meta_get(view->txn, view->index->meta, "run", &run));
    QN_TRY(qn_index_meta_get(view->txn, view->index->meta, "last", &last));
    if (last > UINT32_MAX)
        return QN_ERR_CORRUPT;
    *ret_run = run;
    *ret_number_max = (uint32_t)last;
    return QN_OK;
}

static enum qn_err count_packs(struct qn_index_view *view, struct qn_index_counts *counts)
{
    struct qn_index_pack pack = {0};
    enum qn_err err;
    while ((err = qn_index_next_pack(view, pack.number, &pack)) == QN_OK) {
        bool is_present = pack.state == QN_PACK_PRESENT;
        counts->packs += is_present;
        counts->pack_bytes += is_present ? pack.size : 0;
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static enum qn_err count_all(struct qn_index_view *view, struct qn_index_counts *counts)
{
    QN_TRY(wake(view));
    MDB_stat stat;
    QN_TRY(qn_index_err(mdb_stat(view->txn, view->index->chunks, &stat)));
    counts->chunks = stat.ms_entries;
    return count_packs(view, counts);
}

enum qn_err qn_index_count(struct qn_index *index, struct qn_index_counts *ret_counts)
{
    struct qn_index_counts counts = {0};
    struct qn_index_view *view = qn_index_view_new(index);
    enum qn_err err = count_all(view, &counts);
    qn_index_view_free(view);
    if (err == QN_OK)
        *ret_counts = counts;
    return err;
}
