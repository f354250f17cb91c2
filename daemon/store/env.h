/* The LMDB environment: its folder, its lock against a second process, its tables and its schema
 * version. Inside store only. Thread: open and close on one; the rest on any.
 */
#pragma once

#include <lmdb.h>
#include <stdatomic.h>

#include "model/kv.h"
#include "os/os.h"

struct qn_env {
    MDB_env *mdb;
    struct qn_os_lock *lock;
    MDB_dbi tables[QN_TABLE_COUNT];
    size_t map_size;
    _Atomic uint64_t txn_id, map_used; /* as of the last refresh */
};

/* Errors are those of qn_store_open. A zeroed environment may be closed. */
enum qn_err QN_CHECKED qn_env_open(struct qn_env *env, const char *path, size_t map_size);
void qn_env_close(struct qn_env *env);
/* The version of a store or a copy, as it stands there: QN_ERR_UNSUPPORTED if it is newer than this
 * release, QN_ERR_CORRUPT if it is none. */
enum qn_err QN_CHECKED qn_schema_check(struct qn_span value, uint32_t *ret_schema);
/* As it stands in the file. */
const char *qn_table_name(enum qn_table table);
/* store.c */
struct qn_store;
struct qn_env *qn_store_env(struct qn_store *store);
/* Bytes that this process may still fill on the file system; UINT64_MAX: it does not say. Any
 * thread. */
uint64_t qn_env_room(const struct qn_env *env);
/* After a commit, on the thread that made it. */
void qn_env_refresh(struct qn_env *env);
