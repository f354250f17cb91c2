#include "store/kv_lmdb.h"

#include <errno.h>

#include "base/assert.h"
#include "os/os.h"

enum qn_err qn_lmdb_err(int code)
{
    switch (code) {
    case MDB_NOTFOUND:
        return QN_ERR_NOTFOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL: /* as with a full map: this transaction cannot be, smaller ones can */
        return QN_ERR_NOSPACE;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PAGE_FULL:
    case MDB_CURSOR_FULL:
    case MDB_PANIC:
    case MDB_INVALID:
        return QN_ERR_CORRUPT;
    case MDB_VERSION_MISMATCH:
        return QN_ERR_UNSUPPORTED;
    default:
        return code > 0 && qn_os_err(code) == QN_ERR_NOSPACE ? QN_ERR_NOSPACE : QN_ERR_IO;
    }
}

static struct qn_kv_lmdb *of(struct qn_kv *kv)
{
    return (struct qn_kv_lmdb *)kv;
}

static MDB_val to_val(struct qn_span span)
{
    /* LMDB never writes through it. */
    return (MDB_val){.mv_size = span.size, .mv_data = (void *)(uintptr_t)span.data};
}

static struct qn_span to_span(const MDB_val *val)
{
    return qn_span(val->mv_data, val->mv_size);
}

/* The result of a call; anything but success and "no such key" stays. */
static enum qn_err settle(struct qn_kv_lmdb *kv, int code)
{
    if (code == MDB_SUCCESS)
        return QN_OK;
    enum qn_err err = qn_lmdb_err(code);
    if (err != QN_ERR_NOTFOUND)
        kv->fault = err;
    return err;
}

static void check_call(const struct qn_kv_lmdb *kv, enum qn_table table)
{
    QN_ASSERT(kv->is_open);
    QN_ASSERT((unsigned)table < QN_TABLE_COUNT);
}

static void check_key(struct qn_span key)
{
    QN_ASSERT(key.size > 0 && key.size <= QN_KV_KEY_SIZE_MAX);
}

static enum qn_err get(struct qn_kv *base, enum qn_table table, struct qn_span key,
                       struct qn_span *ret_value)
{
    struct qn_kv_lmdb *kv = of(base);
    check_call(kv, table);
    check_key(key);
    QN_TRY(kv->fault);
    MDB_val wanted = to_val(key), value;
    QN_TRY(settle(kv, mdb_get(kv->txn, kv->tables[table], &wanted, &value)));
    *ret_value = to_span(&value);
    return QN_OK;
}

/* LMDB keeps open cursors on their entries when others are written, but after a deletion "next" may
 * mean the entry that has moved up. A write costs one descent of the next seek in its table. */
static void start_change(struct qn_kv_lmdb *kv, enum qn_table table)
{
    check_call(kv, table);
    QN_ASSERT(kv->is_write);
    kv->places[table].has_key = false;
}

static enum qn_err put(struct qn_kv *base, enum qn_table table, struct qn_span key,
                       struct qn_span value)
{
    struct qn_kv_lmdb *kv = of(base);
    start_change(kv, table);
    check_key(key);
    QN_TRY(kv->fault);
    MDB_val at = to_val(key), data = to_val(value);
    return settle(kv, mdb_put(kv->txn, kv->tables[table], &at, &data, 0));
}

static enum qn_err del(struct qn_kv *base, enum qn_table table, struct qn_span key)
{
    struct qn_kv_lmdb *kv = of(base);
    start_change(kv, table);
    check_key(key);
    QN_TRY(kv->fault);
    MDB_val at = to_val(key);
    return settle(kv, mdb_del(kv->txn, kv->tables[table], &at, NULL));
}

static enum qn_err open_cursor(struct qn_kv_lmdb *kv, enum qn_table table)
{
    struct qn_kv_place *place = &kv->places[table];
    if (place->is_current)
        return QN_OK;
    int code = place->cursor != NULL ? mdb_cursor_renew(kv->txn, place->cursor)
                                     : mdb_cursor_open(kv->txn, kv->tables[table], &place->cursor);
    QN_TRY(settle(kv, code));
    place->is_current = true;
    place->has_key = false;
    return QN_OK;
}

/* No key lies between one and the same with a zero byte behind it. */
static bool is_next_of(const struct qn_kv_place *place, struct qn_span key)
{
    return place->has_key && key.size == place->key_size + 1 && key.data[key.size - 1] == 0 &&
           memcmp(key.data, place->key, place->key_size) == 0;
}

static int move(const struct qn_kv_place *place, struct qn_span wanted, MDB_val *key,
                MDB_val *value)
{
    if (is_next_of(place, wanted))
        return mdb_cursor_get(place->cursor, key, value, MDB_NEXT);
    if (wanted.size == 0)
        return mdb_cursor_get(place->cursor, key, value, MDB_FIRST);
    *key = to_val(wanted);
    return mdb_cursor_get(place->cursor, key, value, MDB_SET_RANGE);
}

static enum qn_err seek(struct qn_kv *base, enum qn_table table, struct qn_span key,
                        struct qn_span *ret_key, struct qn_span *ret_value)
{
    struct qn_kv_lmdb *kv = of(base);
    check_call(kv, table);
    QN_TRY(kv->fault);
    QN_TRY(open_cursor(kv, table));
    struct qn_kv_place *place = &kv->places[table];
    MDB_val found, value;
    int code = move(place, key, &found, &value);
    place->has_key = false;
    QN_TRY(settle(kv, code));
    if (found.mv_size <= sizeof(place->key)) {
        memcpy(place->key, found.mv_data, found.mv_size);
        place->key_size = found.mv_size;
        place->has_key = true;
    }
    *ret_key = to_span(&found);
    *ret_value = to_span(&value);
    return QN_OK;
}

static const struct qn_kv_ops kv_ops = {.get = get, .put = put, .del = del, .seek = seek};

/* ---- the life of transactions ---- */

void qn_kv_lmdb_init(struct qn_kv_lmdb *kv, MDB_env *env, const MDB_dbi *tables)
{
    *kv = (struct qn_kv_lmdb){.kv.ops = &kv_ops, .env = env, .tables = tables};
}

static void close_cursors(struct qn_kv_lmdb *kv)
{
    for (size_t i = 0; i < QN_TABLE_COUNT; i++) {
        if (kv->places[i].cursor != NULL)
            mdb_cursor_close(kv->places[i].cursor);
        kv->places[i].cursor = NULL;
        kv->places[i].is_current = false;
    }
}

void qn_kv_lmdb_deinit(struct qn_kv_lmdb *kv)
{
    close_cursors(kv);
    if (kv->txn != NULL)
        mdb_txn_abort(kv->txn);
    *kv = (struct qn_kv_lmdb){0};
}

enum qn_err qn_kv_lmdb_begin_read(struct qn_kv_lmdb *kv)
{
    QN_ASSERT(!kv->is_open);
    int code = kv->txn != NULL ? mdb_txn_renew(kv->txn)
                               : mdb_txn_begin(kv->env, NULL, MDB_RDONLY, &kv->txn);
    if (code != MDB_SUCCESS)
        return qn_lmdb_err(code);
    kv->is_open = true;
    kv->fault = QN_OK;
    return QN_OK;
}

void qn_kv_lmdb_end_read(struct qn_kv_lmdb *kv)
{
    QN_ASSERT(kv->is_open && !kv->is_write);
    mdb_txn_reset(kv->txn);
    for (size_t i = 0; i < QN_TABLE_COUNT; i++)
        kv->places[i].is_current = false;
    kv->is_open = false;
}

enum qn_err qn_kv_lmdb_begin_write(struct qn_kv_lmdb *kv)
{
    QN_ASSERT(!kv->is_open && kv->txn == NULL);
    int code = mdb_txn_begin(kv->env, NULL, 0, &kv->txn);
    if (code != MDB_SUCCESS)
        return qn_lmdb_err(code);
    kv->is_open = kv->is_write = true;
    kv->fault = QN_OK;
    return QN_OK;
}

/* Gives up the transaction to the caller, who ends it. */
static MDB_txn *detach(struct qn_kv_lmdb *kv)
{
    QN_ASSERT(kv->is_open && kv->is_write);
    close_cursors(kv);
    MDB_txn *txn = kv->txn;
    kv->txn = NULL;
    kv->is_open = kv->is_write = false;
    return txn;
}

/* Where the disk ends within a write, LMDB says EIO: the next one would say ENOSPC. What was
 * written belongs to no transaction, so that the store is as it was. */
static bool is_cut_short(MDB_env *env, int code)
{
    int fd;
    return code == EIO && mdb_env_get_fd(env, &fd) == MDB_SUCCESS && qn_os_is_full(fd);
}

enum qn_err qn_kv_lmdb_commit(struct qn_kv_lmdb *kv)
{
    MDB_txn *txn = detach(kv);
    if (kv->fault != QN_OK) {
        mdb_txn_abort(txn);
        return kv->fault;
    }
    int code = mdb_txn_commit(txn); /* frees it, also when it fails */
    if (is_cut_short(kv->env, code))
        return QN_ERR_NOSPACE;
    return code == MDB_SUCCESS ? QN_OK : qn_lmdb_err(code);
}

void qn_kv_lmdb_abort(struct qn_kv_lmdb *kv)
{
    mdb_txn_abort(detach(kv));
}
