#include "store/copy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "store/env.h"
#include "store/kv_lmdb.h"

#define ROW_HEAD_SIZE  6 /* sizes of key (u16) and value (u32) */
#define PIECE_SIZE_MIN 1024
#define PIECE_SIZE_BITS                                                                            \
    12 /* on average 4 KiB: small, as rows change here and there (docs/adr/0008) */
#define NAME_KEY_SIZE 100 /* bytes of the first key in a piece's name */
#define PATH_SIZE_MAX 256
#define ROW_SIZE_MAX  ((size_t)16 * 1024 * 1024)
#define COMMIT_SIZE   ((size_t)8 * 1024 * 1024)
#define SCHEMA_KEY    "schema"
#define SCHEMA_PATH   "version/schema" /* the last of all */
#define LOCK_KEY      "model.lock"     /* lock time of this boot of this machine */
#define GONE_PREFIX   "model.gone."    /* of what is held for others */
#define PLAN_TAG      'p'              /* the other rows of PLAN tell of runs */

/* In the order of their names. Left out: what is held for others and the book of the own vault,
 * which are told again by the files and the holders; what is known of peers, but for what they
 * once said of their trails, which nobody would say again. */
static const enum qn_table copied[] = {
    QN_TABLE_ACTOR, QN_TABLE_CC,    QN_TABLE_CHAIN, QN_TABLE_COLL,   QN_TABLE_CONF,  QN_TABLE_DICT,
    QN_TABLE_FLOOR, QN_TABLE_FP,    QN_TABLE_HIST,  QN_TABLE_LEDGER, QN_TABLE_LOCAL, QN_TABLE_LOG,
    QN_TABLE_META,  QN_TABLE_ORDER, QN_TABLE_PLAN,  QN_TABLE_REC,    QN_TABLE_TRAIL, QN_TABLE_TRASH,
};
#define COPIED_COUNT (sizeof(copied) / sizeof(copied[0]))

/* ---- out ---- */

struct copying {
    struct qn_kv *kv;
    qn_store_put_piece put;
    void *context;
    enum qn_table table;
    struct qn_buf piece;
    uint8_t first[NAME_KEY_SIZE]; /* the beginning of the first key in it */
    size_t first_size;
    uint8_t last[NAME_KEY_SIZE]; /* the same of the piece before, in this table */
    size_t last_size;
    uint32_t repeated; /* pieces with that beginning */
};

static bool is_copied(enum qn_table table, struct qn_span key)
{
    if (table == QN_TABLE_META)
        return !qn_span_eq_str(key, SCHEMA_KEY) && !qn_span_eq_str(key, LOCK_KEY) &&
               !qn_span_has_prefix(key, qn_span_str(GONE_PREFIX));
    return table != QN_TABLE_PLAN || key.data[0] == PLAN_TAG;
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo), its high half. */
static uint32_t hash_of(struct qn_span key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ key.data[i]) * 0x100000001b3u;
    hash ^= hash >> 29; /* the last bytes of a key count too */
    return (uint32_t)((hash * 0x9e3779b97f4a7c15u) >> 32);
}

/* Whether a piece ends before this row: with a chance that grows with the row's size. */
static bool is_cut(const struct copying *copying, struct qn_span key, size_t row_size)
{
    size_t size = copying->piece.size;
    if (size == 0 || size + row_size > QN_STORE_PIECE_SIZE)
        return size > 0;
    return size >= PIECE_SIZE_MIN && hash_of(key) >> (32 - PIECE_SIZE_BITS) < row_size;
}

/* The first bytes of the first key, so that the name does not change when rows before it do; where
 * several pieces begin alike, they are numbered. */
static void name_piece(struct copying *copying, struct qn_buf *out)
{
    bool is_same = copying->first_size == copying->last_size &&
                   memcmp(copying->first, copying->last, copying->last_size) == 0;
    qn_buf_append_str(out, qn_table_name(copying->table));
    qn_buf_append_str(out, "/");
    qn_text_append_hex(out, qn_span(copying->first, copying->first_size));
    copying->repeated = is_same ? copying->repeated + 1 : 0;
    if (is_same)
        qn_buf_printf(out, "-%08x", copying->repeated);
    memcpy(copying->last, copying->first, copying->first_size);
    copying->last_size = copying->first_size;
}

static enum qn_err end_piece(struct copying *copying)
{
    QN_AUTO_BUF struct qn_buf path;
    qn_buf_init(&path, PATH_SIZE_MAX);
    if (copying->piece.size == 0)
        return QN_OK;
    name_piece(copying, &path);
    QN_TRY(qn_buf_status(&path));
    QN_TRY(qn_buf_status(&copying->piece));
    QN_TRY(copying->put(copying->context, qn_buf_view(&path), qn_buf_view(&copying->piece)));
    qn_buf_reset(&copying->piece);
    return QN_OK;
}

static enum qn_err copy_row(struct copying *copying, struct qn_span key, struct qn_span value)
{
    size_t size = ROW_HEAD_SIZE + key.size + value.size;
    if (is_cut(copying, key, size))
        QN_TRY(end_piece(copying));
    if (copying->piece.size == 0) {
        copying->first_size = key.size < NAME_KEY_SIZE ? key.size : NAME_KEY_SIZE;
        memcpy(copying->first, key.data, copying->first_size);
    }
    qn_buf_append_u16(&copying->piece, (uint16_t)key.size);
    qn_buf_append_u32(&copying->piece, (uint32_t)value.size);
    qn_buf_append_span(&copying->piece, key);
    qn_buf_append_span(&copying->piece, value);
    return qn_buf_status(&copying->piece);
}

static enum qn_err copy_table(struct copying *copying)
{
    uint8_t at[QN_KV_KEY_SIZE_MAX + 1] = {0};
    size_t at_size = 1;
    copying->last_size = SIZE_MAX; /* no piece yet: a key is never so long */
    for (;;) {
        struct qn_span key, value;
        enum qn_err err =
            qn_kv_seek(copying->kv, copying->table, qn_span(at, at_size), &key, &value);
        if (err == QN_ERR_NOTFOUND)
            return end_piece(copying);
        QN_TRY(err);
        if (key.size == 0 || key.size > QN_KV_KEY_SIZE_MAX)
            return QN_ERR_CORRUPT;
        if (is_copied(copying->table, key))
            QN_TRY(copy_row(copying, key, value));
        memcpy(at, key.data, key.size);
        at[key.size] = 0;
        at_size = key.size + 1;
    }
}

/* Last, so that a copy that has it has everything. */
static enum qn_err copy_schema(const struct copying *copying)
{
    uint8_t schema[4];
    qn_write_u32(schema, QN_STORE_SCHEMA);
    return copying->put(copying->context, qn_span_str(SCHEMA_PATH), QN_SPAN_OF(schema));
}

static enum qn_err copy_all(struct copying *copying)
{
    enum qn_err err = QN_OK;
    qn_buf_init(&copying->piece, ROW_SIZE_MAX);
    for (size_t i = 0; i < COPIED_COUNT && err == QN_OK; i++) {
        copying->table = copied[i];
        err = copy_table(copying);
    }
    qn_buf_deinit(&copying->piece);
    return err == QN_OK ? copy_schema(copying) : err;
}

enum qn_err qn_store_copy(struct qn_store *store, qn_store_put_piece put, void *context)
{
    struct qn_env *env = qn_store_env(store);
    QN_AUTO_FREE struct qn_kv_lmdb *reader = QN_NEW(struct qn_kv_lmdb);
    struct copying copying = {.kv = &reader->kv, .put = put, .context = context};
    qn_kv_lmdb_init(reader, env->mdb, env->tables);
    enum qn_err err = qn_kv_lmdb_begin_read(reader);
    if (err == QN_OK) {
        err = copy_all(&copying);
        qn_kv_lmdb_end_read(reader);
    }
    qn_kv_lmdb_deinit(reader);
    return err;
}

/* ---- in ---- */

struct qn_store_load {
    struct qn_store *store;
    struct qn_kv *kv; /* of the transaction; NULL: none is open */
    size_t uncommitted;
    bool has_schema;
};

static enum qn_err check_new(const char *path)
{
    char name[PATH_MAX];
    int length = snprintf(name, sizeof(name), "%s/data.mdb", path);
    if (length < 0 || (size_t)length >= sizeof(name))
        return QN_ERR_LIMIT;
    if (access(name, F_OK) == 0)
        return QN_ERR_EXISTS;
    return errno == ENOENT ? QN_OK : qn_os_err(errno);
}

enum qn_err qn_store_load_begin(const struct qn_store_options *options,
                                struct qn_store_load **ret_load)
{
    struct qn_store *store;
    QN_TRY(check_new(options->path));
    QN_TRY(qn_store_open(options, &store));
    struct qn_store_load *load = QN_NEW(struct qn_store_load);
    load->store = store;
    *ret_load = load;
    return QN_OK;
}

static enum qn_err commit_rows(struct qn_store_load *load)
{
    bool is_open = load->kv != NULL;
    load->kv = NULL;
    load->uncommitted = 0;
    return is_open ? qn_store_write_end(load->store, true) : QN_OK;
}

static enum qn_err load_row(struct qn_store_load *load, enum qn_table table, struct qn_span key,
                            struct qn_span value)
{
    if (!is_copied(table, key))
        return QN_ERR_CORRUPT;
    if (load->kv == NULL)
        QN_TRY(qn_store_write_begin(load->store, &load->kv));
    QN_TRY(qn_kv_put(load->kv, table, key, value));
    load->uncommitted += key.size + value.size;
    return load->uncommitted >= COMMIT_SIZE ? commit_rows(load) : QN_OK;
}

static enum qn_err load_rows(struct qn_store_load *load, enum qn_table table, struct qn_span rows)
{
    while (rows.size > 0) {
        if (rows.size < ROW_HEAD_SIZE)
            return QN_ERR_CORRUPT;
        size_t key_size = qn_read_u16(rows.data), value_size = qn_read_u32(rows.data + 2);
        rows = qn_span_from(rows, ROW_HEAD_SIZE);
        if (key_size == 0 || key_size > QN_KV_KEY_SIZE_MAX || key_size > rows.size ||
            value_size > rows.size - key_size)
            return QN_ERR_CORRUPT;
        QN_TRY(load_row(load, table, qn_span(rows.data, key_size),
                        qn_span(rows.data + key_size, value_size)));
        rows = qn_span_from(rows, key_size + value_size);
    }
    return QN_OK;
}

static enum qn_err load_schema(struct qn_store_load *load, struct qn_span rows)
{
    uint32_t schema;
    QN_TRY(qn_schema_check(rows, &schema));
    load->has_schema = true;
    return QN_OK;
}

enum qn_err qn_store_load_piece(struct qn_store_load *load, struct qn_span path,
                                struct qn_span rows)
{
    if (qn_span_eq_str(path, SCHEMA_PATH))
        return load_schema(load, rows);
    const uint8_t *slash = path.size > 0 ? memchr(path.data, '/', path.size) : NULL;
    if (slash == NULL)
        return QN_ERR_CORRUPT;
    struct qn_span name = qn_span(path.data, (size_t)(slash - path.data));
    for (size_t i = 0; i < COPIED_COUNT; i++) {
        if (qn_span_eq_str(name, qn_table_name(copied[i])))
            return load_rows(load, copied[i], rows);
    }
    return QN_ERR_UNSUPPORTED;
}

enum qn_err qn_store_load_end(struct qn_store_load *load)
{
    if (load == NULL)
        return QN_OK;
    enum qn_err err = load->has_schema ? commit_rows(load) : QN_ERR_CORRUPT;
    if (load->kv != NULL) {
        enum qn_err end = qn_store_write_end(load->store, false);
        err = err != QN_OK ? err : end;
    }
    qn_store_close(load->store);
    qn_free(load);
    return err;
}
