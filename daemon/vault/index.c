#include "vault/index.h"

#include <limits.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"
#include "vault/index_check.h"
#include "vault/index_private.h"

#define SCHEMA        1
#define MAP_SIZE_MIN  ((uint64_t)1 << 20)
#define MAP_SIZE_UNIT ((uint64_t)64 << 10) /* a multiple of any page size */
#define TABLE_COUNT   4
#define NUMBER_SIZE   4
#define ADD_PAGES     1024 /* that one transaction may copy onto the heap, about */
#define ROWS_PER_PAGE 32   /* at least, of new ones: pages are half full at worst */

struct qn_index_batch {
    struct qn_index *index;
    MDB_txn *txn;
};

/* ---- opening ---- */

static enum qn_err settle_schema(struct qn_index *index, MDB_txn *txn, bool *ret_is_new)
{
    uint64_t schema;
    QN_TRY(qn_index_meta_get(txn, index->meta, "schema", &schema));
    *ret_is_new = schema == 0;
    if (schema == 0)
        return qn_index_meta_set(txn, index->meta, "schema", SCHEMA);
    return schema == SCHEMA ? QN_OK : schema > SCHEMA ? QN_ERR_UNSUPPORTED : QN_ERR_CORRUPT;
}

static enum qn_err open_tables(struct qn_index *index, MDB_txn *txn, bool *ret_is_new)
{
    QN_TRY(qn_index_err(mdb_dbi_open(txn, "meta", MDB_CREATE, &index->meta)));
    QN_TRY(qn_index_err(mdb_dbi_open(txn, "chunk", MDB_CREATE, &index->chunks)));
    QN_TRY(qn_index_err(mdb_dbi_open(txn, "pack", MDB_CREATE, &index->packs)));
    QN_TRY(qn_index_err(mdb_dbi_open(txn, "name", MDB_CREATE, &index->names)));
    return settle_schema(index, txn, ret_is_new);
}

static enum qn_err start_tables(struct qn_index *index, bool *ret_is_new)
{
    MDB_txn *txn;
    QN_TRY(qn_index_err(mdb_txn_begin(index->mdb, NULL, 0, &txn)));
    enum qn_err err = open_tables(index, txn, ret_is_new);
    if (err != QN_OK) {
        mdb_txn_abort(txn);
        return err;
    }
    return qn_index_err(mdb_txn_commit(txn));
}

/* MDB_NOMETASYNC: a power cut may take the last commit, which the packs bring back. MDB_NORDAHEAD:
 * keys are random, reading ahead only evicts what is in use. */
static enum qn_err open_env(struct qn_index *index, const char *dir, uint64_t map_size)
{
    uint64_t size = map_size < MAP_SIZE_MIN ? MAP_SIZE_MIN : map_size;
    size = (size + MAP_SIZE_UNIT - 1) / MAP_SIZE_UNIT * MAP_SIZE_UNIT;
    QN_TRY(qn_index_err(mdb_env_create(&index->mdb)));
    QN_TRY(qn_index_err(mdb_env_set_maxdbs(index->mdb, TABLE_COUNT)));
    QN_TRY(qn_index_err(mdb_env_set_maxreaders(index->mdb, QN_INDEX_READERS_MAX)));
    QN_TRY(qn_index_err(mdb_env_set_mapsize(index->mdb, size)));
    unsigned flags = MDB_NOTLS | MDB_NOMETASYNC | MDB_NORDAHEAD;
    QN_TRY(qn_index_err(mdb_env_open(index->mdb, dir, flags, 0600)));
    int dead, file;
    QN_TRY(qn_index_err(mdb_env_get_fd(index->mdb, &file)));
    QN_TRY(qn_os_close_on_exec(file));
    return qn_index_err(mdb_reader_check(index->mdb, &dead));
}

static enum qn_err check_file(const char *dir)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof(path), "%s/data.mdb", dir);
    if (length < 0 || (size_t)length >= sizeof(path))
        return QN_ERR_LIMIT;
    enum qn_err err = qn_index_check(path);
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

enum qn_err qn_index_open(const char *dir, uint64_t map_size, struct qn_index **ret_index,
                          bool *ret_is_new)
{
    QN_TRY(qn_os_make_dir(dir, 0700));
    QN_TRY(check_file(dir));
    struct qn_index *index = QN_NEW(struct qn_index);
    enum qn_err err = open_env(index, dir, map_size);
    if (err == QN_OK)
        err = start_tables(index, ret_is_new);
    if (err == QN_OK)
        err = qn_os_sync_dir(dir); /* LMDB makes its file, but not its name, durable */
    if (err != QN_OK)
        qn_index_close(index);
    else
        *ret_index = index;
    return err;
}

void qn_index_close(struct qn_index *index)
{
    if (index == NULL)
        return;
    if (index->mdb != NULL)
        mdb_env_close(index->mdb);
    qn_free(index);
}

enum qn_err qn_index_sync(struct qn_index *index)
{
    return qn_index_err(mdb_env_sync(index->mdb, 1));
}

/* ---- batches ---- */

enum qn_err qn_index_begin(struct qn_index *index, struct qn_index_batch **ret_batch)
{
    MDB_txn *txn;
    QN_TRY(qn_index_err(mdb_txn_begin(index->mdb, NULL, 0, &txn)));
    struct qn_index_batch *batch = QN_NEW(struct qn_index_batch);
    *batch = (struct qn_index_batch){.index = index, .txn = txn};
    *ret_batch = batch;
    return QN_OK;
}

/* Where the disk ends within a write, LMDB says EIO (see is_cut_short in store/kv_lmdb.c). */
static enum qn_err commit_err(struct qn_index *index, int code)
{
    int file;
    if (code == EIO && mdb_env_get_fd(index->mdb, &file) == MDB_SUCCESS && qn_os_is_full(file))
        return QN_ERR_NOSPACE;
    return qn_index_err(code);
}

enum qn_err qn_index_commit(struct qn_index_batch *batch)
{
    enum qn_err err = commit_err(batch->index, mdb_txn_commit(batch->txn));
    qn_free(batch);
    return err;
}

void qn_index_abort(struct qn_index_batch *batch)
{
    if (batch == NULL)
        return;
    mdb_txn_abort(batch->txn);
    qn_free(batch);
}

static enum qn_err write_pack(struct qn_index_batch *batch, const struct qn_index_pack *pack)
{
    uint8_t key_bytes[NUMBER_SIZE], value_bytes[QN_INDEX_PACK_SIZE];
    qn_write_u32(key_bytes, pack->number);
    qn_index_pack_encode(pack, value_bytes);
    MDB_val key = qn_index_val(key_bytes, sizeof(key_bytes));
    MDB_val value = qn_index_val(value_bytes, sizeof(value_bytes));
    return qn_index_err(mdb_put(batch->txn, batch->index->packs, &key, &value, 0));
}

static enum qn_err write_name(struct qn_index_batch *batch, const struct qn_index_pack *pack)
{
    uint8_t number[NUMBER_SIZE];
    qn_write_u32(number, pack->number);
    MDB_val key = qn_index_val(pack->name.bytes, sizeof(pack->name.bytes));
    MDB_val value = qn_index_val(number, sizeof(number));
    return qn_index_err(mdb_put(batch->txn, batch->index->names, &key, &value, 0));
}

/* Numbers are never used twice: a row that a crash left behind cannot come to mean another pack. */
static enum qn_err number_for(struct qn_index_batch *batch, const struct qn_pack_name *name,
                              uint32_t *ret_number)
{
    MDB_val key = qn_index_val(name->bytes, sizeof(name->bytes));
    enum qn_err err = qn_index_get_number(batch->txn, batch->index->names, &key, ret_number);
    if (err != QN_ERR_NOTFOUND)
        return err;
    uint64_t last;
    QN_TRY(qn_index_meta_get(batch->txn, batch->index->meta, "last", &last));
    if (last >= UINT32_MAX)
        return QN_ERR_LIMIT;
    *ret_number = (uint32_t)last + 1;
    return qn_index_meta_set(batch->txn, batch->index->meta, "last", last + 1);
}

static enum qn_err read_pack(struct qn_index_batch *batch, uint32_t number,
                             struct qn_index_pack *ret_pack)
{
    uint8_t key_bytes[NUMBER_SIZE];
    qn_write_u32(key_bytes, number);
    MDB_val key = qn_index_val(key_bytes, sizeof(key_bytes)), value;
    QN_TRY(qn_index_err(mdb_get(batch->txn, batch->index->packs, &key, &value)));
    return qn_index_pack_decode(number, &value, ret_pack);
}

/* Whether a row that exists is worth more than a new one. */
static enum qn_err is_kept(struct qn_index_batch *batch, const MDB_val *key, bool *ret_is_kept)
{
    MDB_val wanted = *key, value;
    enum qn_err err = qn_index_err(mdb_get(batch->txn, batch->index->chunks, &wanted, &value));
    struct qn_index_row row;
    struct qn_index_pack pack;
    if (err == QN_OK)
        err = qn_index_row_decode(&value, &row);
    if (err == QN_OK)
        err = read_pack(batch, row.pack, &pack);
    bool is_absent = err == QN_ERR_NOTFOUND || err == QN_ERR_CORRUPT;
    *ret_is_kept = err == QN_OK && pack.state == QN_PACK_PRESENT && pack.dead_run == 0;
    return is_absent ? QN_OK : err;
}

static enum qn_err write_row(struct qn_index_batch *batch, const struct qn_index_row *row,
                             bool replaces)
{
    uint8_t bytes[QN_INDEX_ROW_SIZE];
    qn_index_row_encode(row, bytes);
    MDB_val key = qn_index_val(row->blob.id.bytes, QN_INDEX_KEY_SIZE);
    MDB_val value = qn_index_val(bytes, sizeof(bytes));
    bool kept = false;
    if (!replaces)
        QN_TRY(is_kept(batch, &key, &kept));
    return kept ? QN_OK : qn_index_err(mdb_put(batch->txn, batch->index->chunks, &key, &value, 0));
}

/* ---- additions ---- */

struct new_row {
    uint32_t addition, blob;
};

static const struct qn_blob *blob_of(const struct qn_index_addition *additions,
                                     const struct new_row *row)
{
    return &additions[row->addition].blobs[row->blob];
}

static int by_id(const void *a, const void *b, void *context)
{
    return qn_chunk_id_cmp(&blob_of(context, a)->id, &blob_of(context, b)->id);
}

static size_t list_rows(struct qn_index_addition *additions, size_t count, struct new_row *out)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < additions[i].count; k++)
            out[rows++] = (struct new_row){(uint32_t)i, (uint32_t)k};
    }
    if (rows > 0)
        qsort_r(out, rows, sizeof(*out), by_id, additions);
    return rows;
}

static enum qn_err write_rows(struct qn_index_batch *batch,
                              const struct qn_index_addition *additions, const struct new_row *rows,
                              size_t count, bool replaces)
{
    for (size_t i = 0; i < count; i++) {
        struct qn_index_row row = {.pack = additions[rows[i].addition].pack.number,
                                   .blob = *blob_of(additions, &rows[i])};
        QN_TRY(write_row(batch, &row, replaces));
    }
    return QN_OK;
}

static enum qn_err end_batch(struct qn_index_batch *batch, enum qn_err err)
{
    if (err == QN_OK)
        return qn_index_commit(batch);
    qn_index_abort(batch);
    return err;
}

/* How many of `count` sorted rows one transaction takes. Each copies a page or, since ids are
 * spread evenly and there are so few pages or so many rows, shares it with its neighbours. */
static enum qn_err rows_at_once(const struct qn_index_batch *batch, size_t count, size_t *ret_rows)
{
    MDB_stat stat;
    QN_TRY(qn_index_err(mdb_stat(batch->txn, batch->index->chunks, &stat)));
    size_t pages = stat.ms_leaf_pages + count / ROWS_PER_PAGE + 1;
    size_t shared = (size_t)((uint64_t)ADD_PAGES * count / pages);
    *ret_rows = shared > ADD_PAGES ? shared : ADD_PAGES;
    return QN_OK;
}

static enum qn_err add_rows(struct qn_index *index, const struct qn_index_addition *additions,
                            const struct new_row *rows, size_t count, bool replaces)
{
    for (size_t at = 0, some; at < count; at += some) {
        struct qn_index_batch *batch;
        QN_TRY(qn_index_begin(index, &batch));
        enum qn_err err = rows_at_once(batch, count, &some);
        some = err == QN_OK && some < count - at ? some : count - at;
        if (err == QN_OK)
            err = write_rows(batch, additions, rows + at, some, replaces);
        QN_TRY(end_batch(batch, err));
    }
    return QN_OK;
}

static enum qn_err give_numbers(struct qn_index *index, struct qn_index_addition *additions,
                                size_t count)
{
    struct qn_index_batch *batch;
    QN_TRY(qn_index_begin(index, &batch));
    enum qn_err err = QN_OK;
    for (size_t i = 0; i < count && err == QN_OK; i++)
        err = number_for(batch, &additions[i].pack.name, &additions[i].pack.number);
    return end_batch(batch, err);
}

static enum qn_err write_packs(struct qn_index_batch *batch, struct qn_index_addition *additions,
                               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        additions[i].pack.dead_run = 0;
        QN_TRY(write_pack(batch, &additions[i].pack));
        QN_TRY(write_name(batch, &additions[i].pack));
    }
    return QN_OK;
}

enum qn_err qn_index_add(struct qn_index *index, struct qn_index_addition *additions, size_t count,
                         bool replaces)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += additions[i].count;
    QN_AUTO_FREE struct new_row *sorted = qn_alloc((rows + 1) * sizeof(*sorted));
    rows = list_rows(additions, count, sorted);
    QN_TRY(give_numbers(index, additions, count));
    QN_TRY(add_rows(index, additions, sorted, rows, replaces));
    struct qn_index_batch *batch;
    QN_TRY(qn_index_begin(index, &batch));
    return end_batch(batch, write_packs(batch, additions, count));
}

/* ---- changes ---- */

enum qn_err qn_index_set_pack(struct qn_index_batch *batch, const struct qn_index_pack *pack)
{
    return write_pack(batch, pack);
}

enum qn_err qn_index_drop_pack(struct qn_index_batch *batch, uint32_t number)
{
    struct qn_index_pack pack;
    QN_TRY(read_pack(batch, number, &pack));
    MDB_val name = qn_index_val(pack.name.bytes, sizeof(pack.name.bytes));
    enum qn_err err = qn_index_err(mdb_del(batch->txn, batch->index->names, &name, NULL));
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    uint8_t key_bytes[NUMBER_SIZE];
    qn_write_u32(key_bytes, number);
    MDB_val key = qn_index_val(key_bytes, sizeof(key_bytes));
    return qn_index_err(mdb_del(batch->txn, batch->index->packs, &key, NULL));
}

/* A row that cannot be read goes too. */
static bool goes(const MDB_val *value, bool (*is_dropped)(void *context, uint32_t pack),
                 void *context)
{
    struct qn_index_row row;
    return qn_index_row_decode(value, &row) != QN_OK || is_dropped(context, row.pack);
}

static enum qn_err drop_by(MDB_cursor *cursor, uint8_t first, uint8_t last,
                           bool (*is_dropped)(void *context, uint32_t pack), void *context)
{
    MDB_val key = qn_index_val(&first, 1), value;
    enum qn_err err = qn_index_err(mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE));
    while (err == QN_OK && key.mv_size > 0 && *(const uint8_t *)key.mv_data <= last) {
        if (goes(&value, is_dropped, context))
            QN_TRY(qn_index_err(mdb_cursor_del(cursor, 0)));
        err = qn_index_err(mdb_cursor_get(cursor, &key, &value, MDB_NEXT));
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

enum qn_err qn_index_drop_rows(struct qn_index_batch *batch, uint8_t first, uint8_t last,
                               bool (*is_dropped)(void *context, uint32_t pack), void *context)
{
    MDB_cursor *cursor;
    QN_TRY(qn_index_err(mdb_cursor_open(batch->txn, batch->index->chunks, &cursor)));
    enum qn_err err = drop_by(cursor, first, last, is_dropped, context);
    mdb_cursor_close(cursor);
    return err;
}

enum qn_err qn_index_set_run(struct qn_index_batch *batch, uint64_t run)
{
    return qn_index_meta_set(batch->txn, batch->index->meta, "run", run);
}
