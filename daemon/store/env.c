#include "store/env.h"

#include <limits.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "store/kv_lmdb.h"
#include "store/store.h"

#define LOCK_NAME    "lock.quoin"
#define SCHEMA_KEY   "schema"
#define SCHEMA_SIZE  4
#define SCHEMA_FIRST 1
#define MAP_SIZE_MIN ((size_t)1 << 20)

/* Stored: never rename. */
static const char *const table_names[QN_TABLE_COUNT] = {
    [QN_TABLE_META] = "meta",
    [QN_TABLE_ACTOR] = "actor",
    [QN_TABLE_DICT] = "dict",
    [QN_TABLE_COLL] = "coll",
    [QN_TABLE_CC] = "cc",
    [QN_TABLE_FLOOR] = "floor",
    [QN_TABLE_CHAIN] = "chain",
    [QN_TABLE_REC] = "rec",
    [QN_TABLE_LOG] = "log",
    [QN_TABLE_ORDER] = "order",
    [QN_TABLE_FP] = "fp",
    [QN_TABLE_PEER] = "peer",
    [QN_TABLE_CONF] = "conf",
    [QN_TABLE_TRASH] = "trash",
    [QN_TABLE_HIST] = "hist",
    [QN_TABLE_LEDGER] = "ledger",
    [QN_TABLE_SITE] = "site",
    [QN_TABLE_SEG] = "seg",
    [QN_TABLE_HELD] = "held",
    [QN_TABLE_HELD_PACK] = "held_pack",
    [QN_TABLE_HELD_LIST] = "held_list",
    [QN_TABLE_HELD_LEASE] = "held_lease",
    [QN_TABLE_PLAN] = "plan",
    [QN_TABLE_OWN_PACK] = "own_pack",
    [QN_TABLE_OWN_SNAP] = "own_snap",
    [QN_TABLE_COPY] = "copy",
    [QN_TABLE_TOKEN] = "token",
    [QN_TABLE_HELD_KEY] = "held_key",
    [QN_TABLE_LOCAL] = "local",
    [QN_TABLE_AUDIT] = "audit",
    [QN_TABLE_TRAIL] = "trail",
};

const char *qn_table_name(enum qn_table table)
{
    return table_names[table];
}

static enum qn_err take_lock(struct qn_env *env, const char *path)
{
    char name[PATH_MAX];
    int length = snprintf(name, sizeof(name), "%s/%s", path, LOCK_NAME);
    if (length < 0 || (size_t)length >= sizeof(name))
        return QN_ERR_LIMIT;
    return qn_os_lock_take(name, &env->lock);
}

/* ---- the schema ---- */

enum qn_err qn_schema_check(struct qn_span value, uint32_t *ret_schema)
{
    if (value.size != SCHEMA_SIZE)
        return QN_ERR_CORRUPT;
    uint32_t schema = qn_read_u32(value.data);
    if (schema > QN_STORE_SCHEMA)
        return QN_ERR_UNSUPPORTED;
    *ret_schema = schema;
    return schema >= SCHEMA_FIRST ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err write_schema(MDB_txn *txn, MDB_dbi meta)
{
    uint8_t schema[SCHEMA_SIZE];
    qn_write_u32(schema, QN_STORE_SCHEMA);
    MDB_val key = {.mv_size = strlen(SCHEMA_KEY), .mv_data = (char[]){SCHEMA_KEY}};
    MDB_val value = {.mv_size = sizeof(schema), .mv_data = schema};
    int code = mdb_put(txn, meta, &key, &value, 0);
    return code == MDB_SUCCESS ? QN_OK : qn_lmdb_err(code);
}

/* A store with tables but without a version is not one of ours. What an earlier schema left is read
 * as it is (docs/formats/store.md, "Schemas"): from here on that release refuses the store. */
static enum qn_err settle_schema(MDB_txn *txn, MDB_dbi meta, bool is_new)
{
    MDB_val key = {.mv_size = strlen(SCHEMA_KEY), .mv_data = (char[]){SCHEMA_KEY}};
    MDB_val value;
    int code = mdb_get(txn, meta, &key, &value);
    if (code == MDB_NOTFOUND)
        return is_new ? write_schema(txn, meta) : QN_ERR_CORRUPT;
    if (code != MDB_SUCCESS)
        return qn_lmdb_err(code);
    uint32_t schema;
    QN_TRY(qn_schema_check(qn_span(value.mv_data, value.mv_size), &schema));
    return schema < QN_STORE_SCHEMA ? write_schema(txn, meta) : QN_OK;
}

static enum qn_err open_table(struct qn_env *env, MDB_txn *txn, enum qn_table table)
{
    int code = mdb_dbi_open(txn, table_names[table], MDB_CREATE, &env->tables[table]);
    return code == MDB_SUCCESS ? QN_OK : qn_lmdb_err(code);
}

/* The version is read before anything else is touched: a newer store stays as it is. */
static enum qn_err open_tables(struct qn_env *env, MDB_txn *txn)
{
    int code = mdb_dbi_open(txn, table_names[QN_TABLE_META], 0, &env->tables[QN_TABLE_META]);
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND)
        return qn_lmdb_err(code);
    bool is_new = code == MDB_NOTFOUND;
    if (is_new)
        QN_TRY(open_table(env, txn, QN_TABLE_META));
    QN_TRY(settle_schema(txn, env->tables[QN_TABLE_META], is_new));
    for (int table = QN_TABLE_META + 1; table < QN_TABLE_COUNT; table++)
        QN_TRY(open_table(env, txn, (enum qn_table)table));
    return QN_OK;
}

/* ---- the environment ---- */

static enum qn_err start_tables(struct qn_env *env)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(env->mdb, NULL, 0, &txn);
    if (code != MDB_SUCCESS)
        return qn_lmdb_err(code);
    enum qn_err err = open_tables(env, txn);
    if (err != QN_OK) {
        mdb_txn_abort(txn);
        return err;
    }
    code = mdb_txn_commit(txn);
    return code == MDB_SUCCESS ? QN_OK : qn_lmdb_err(code);
}

static int configure(MDB_env *mdb, size_t map_size)
{
    int code = mdb_env_set_maxdbs(mdb, QN_TABLE_COUNT);
    return code == MDB_SUCCESS ? mdb_env_set_mapsize(mdb, map_size) : code;
}

static size_t round_map_size(size_t map_size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = map_size < MAP_SIZE_MIN ? MAP_SIZE_MIN : map_size;
    return (size + page - 1) / page * page;
}

/* MDB_NOTLS: a reading transaction belongs to its object, not to a thread. */
static enum qn_err open_mdb(struct qn_env *env, const char *path)
{
    if (mdb_env_create(&env->mdb) != MDB_SUCCESS)
        return QN_ERR_IO;
    int code = configure(env->mdb, env->map_size);
    if (code == MDB_SUCCESS)
        code = mdb_env_open(env->mdb, path, MDB_NOTLS, 0600);
    int dead, file;
    if (code == MDB_SUCCESS)
        code = mdb_reader_check(env->mdb, &dead); /* slots that killed processes left */
    if (code == MDB_SUCCESS)
        code = mdb_env_get_fd(env->mdb, &file);
    if (code == MDB_SUCCESS)
        return qn_os_close_on_exec(file);
    return code > 0 ? qn_os_err(code) : qn_lmdb_err(code);
}

static enum qn_err open_all(struct qn_env *env, const char *path, size_t map_size)
{
    QN_TRY(qn_os_make_dir(path, 0700));
    QN_TRY(take_lock(env, path));
    env->map_size = round_map_size(map_size);
    QN_TRY(open_mdb(env, path));
    QN_TRY(start_tables(env));
    return qn_os_sync_dir(path); /* LMDB makes its file, but not its name, durable */
}

enum qn_err qn_env_open(struct qn_env *env, const char *path, size_t map_size)
{
    enum qn_err err = open_all(env, path, map_size);
    if (err != QN_OK) {
        qn_env_close(env);
        return err;
    }
    qn_env_refresh(env);
    return QN_OK;
}

void qn_env_close(struct qn_env *env)
{
    if (env->mdb != NULL)
        mdb_env_close(env->mdb);
    env->mdb = NULL;
    qn_os_lock_free(env->lock);
    env->lock = NULL;
}

uint64_t qn_env_room(const struct qn_env *env)
{
    struct statvfs status;
    int fd;
    if (mdb_env_get_fd(env->mdb, &fd) != MDB_SUCCESS || fstatvfs(fd, &status) != 0)
        return UINT64_MAX;
    return (uint64_t)status.f_bavail * status.f_frsize;
}

void qn_env_refresh(struct qn_env *env)
{
    MDB_envinfo info;
    MDB_stat stat;
    QN_ASSERT(mdb_env_info(env->mdb, &info) == MDB_SUCCESS);
    QN_ASSERT(mdb_env_stat(env->mdb, &stat) == MDB_SUCCESS);
    atomic_store(&env->map_used, (uint64_t)(info.me_last_pgno + 1) * stat.ms_psize);
    atomic_store(&env->txn_id, info.me_last_txnid);
}
