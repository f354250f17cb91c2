/* kv.h over one LMDB transaction, and the translation of LMDB's codes. Inside store only.
 *
 * The object outlives its transactions: a reading one is renewed, not made, and keeps its cursors.
 * One cursor for each table remembers the key that it stands on, so that seeking the key just found
 * with a zero byte behind it is a step and not a descent. The first failure of a transaction is
 * remembered: every later call gives it again, and so does the commit, which aborts instead.
 * Thread: whichever opened the transaction, one at a time.
 */
#pragma once

#include <lmdb.h>

#include "model/kv.h"

/* What a code of LMDB means; not of MDB_SUCCESS. An errno of a running store is a fault of the disk
 * unless it says that the disk is full. */
enum qn_err qn_lmdb_err(int code);

struct qn_kv_place {
    MDB_cursor *cursor;
    bool is_current; /* the cursor belongs to this transaction */
    bool has_key;    /* it stands on `key` */
    size_t key_size;
    uint8_t key[QN_KV_KEY_SIZE_MAX];
};

struct qn_kv_lmdb {
    struct qn_kv kv;
    MDB_env *env;
    const MDB_dbi *tables; /* QN_TABLE_COUNT of them, borrowed */
    MDB_txn *txn;
    bool is_open, is_write;
    enum qn_err fault;
    struct qn_kv_place places[QN_TABLE_COUNT];
};

void qn_kv_lmdb_init(struct qn_kv_lmdb *kv, MDB_env *env, const MDB_dbi *tables);
/* Ends what is open, without a commit. */
void qn_kv_lmdb_deinit(struct qn_kv_lmdb *kv);

enum qn_err QN_CHECKED qn_kv_lmdb_begin_read(struct qn_kv_lmdb *kv);
void qn_kv_lmdb_end_read(struct qn_kv_lmdb *kv);

enum qn_err QN_CHECKED qn_kv_lmdb_begin_write(struct qn_kv_lmdb *kv);
/* Durable when it returns QN_OK; ended in any case. */
enum qn_err QN_CHECKED qn_kv_lmdb_commit(struct qn_kv_lmdb *kv);
void qn_kv_lmdb_abort(struct qn_kv_lmdb *kv);
