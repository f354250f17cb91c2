/* A transaction over ordered tables: the door between the rules (model) and what keeps them
 * (store: LMDB; tests/support: memory with faults).
 *
 * One transaction sees one consistent state; a write transaction sees its own writes. Keys are 1 to
 * QN_KV_KEY_SIZE_MAX bytes and sort bytewise. Spans that a call returns stay valid until the next
 * write in the same transaction or its end, whichever is first. The model never commits: whoever
 * opened the transaction does. Thread: the one that opened it.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

#define QN_KV_KEY_SIZE_MAX 480

/* RECORDS 1.3; keys and values are in docs/formats/store.md. Numbers are stored: never reuse one.
 */
enum qn_table {
    QN_TABLE_META,       /* name -> value */
    QN_TABLE_ACTOR,      /* local number <-> actor */
    QN_TABLE_DICT,       /* local number <-> field or user name */
    QN_TABLE_COLL,       /* collection id -> row */
    QN_TABLE_CC,         /* coll, actor -> counter */
    QN_TABLE_FLOOR,      /* coll, actor -> counter: operations up to it left the log */
    QN_TABLE_CHAIN,      /* coll, actor, counter -> hash and signature of a checkpoint */
    QN_TABLE_REC,        /* coll, record key -> record */
    QN_TABLE_LOG,        /* coll, actor, counter -> local sequence, operation */
    QN_TABLE_ORDER,      /* coll, local sequence -> actor, counter */
    QN_TABLE_FP,         /* coll, bucket -> count, sum */
    QN_TABLE_PEER,       /* coll, site -> its clock as last known, last heard */
    QN_TABLE_CONF,       /* coll, record key -> nothing: records with a conflict */
    QN_TABLE_TRASH,      /* coll, record key -> hlc, local?: records in the trash */
    QN_TABLE_HIST,       /* coll, record key, hlc, dot -> a replaced value */
    QN_TABLE_LEDGER,     /* place in a causal order -> entry */
    QN_TABLE_SITE,       /* site -> addresses, last contact */
    QN_TABLE_SEG,        /* coll, range -> clock: pages of a late site (a later issue) */
    QN_TABLE_HELD,       /* owner -> what this site holds for it, in numbers */
    QN_TABLE_HELD_PACK,  /* owner, pack -> size, lock, scrub */
    QN_TABLE_HELD_LIST,  /* owner, list -> head; its sealed snapshot; its names in chunks */
    QN_TABLE_HELD_LEASE, /* owner, lease -> start, end */
    QN_TABLE_PLAN,       /* name -> plan; name -> its runs */
    QN_TABLE_OWN_PACK,   /* pack -> size, kind, order; order -> pack; totals */
    QN_TABLE_OWN_SNAP,   /* snapshot -> row; order -> snapshot */
    QN_TABLE_COPY,       /* holder -> totals; holder, pack or list -> acknowledged */
    QN_TABLE_TOKEN,      /* nothing (ADR 0011); the number stays taken */
    QN_TABLE_HELD_KEY,   /* owner, epoch -> its vault's key, sealed */
    QN_TABLE_LOCAL,      /* key of a room at the edge -> its row (base/local.h) */
    QN_TABLE_AUDIT,      /* coll, part, what -> damage that was found (model/damage.h) */
    QN_TABLE_TRAIL,      /* site, place -> a checkpoint of its audit trail (trail.h) */
    QN_TABLE_COUNT,
};

struct qn_kv;

struct qn_kv_ops {
    enum qn_err (*get)(struct qn_kv *kv, enum qn_table table, struct qn_span key,
                       struct qn_span *ret_value);
    enum qn_err (*put)(struct qn_kv *kv, enum qn_table table, struct qn_span key,
                       struct qn_span value);
    enum qn_err (*del)(struct qn_kv *kv, enum qn_table table, struct qn_span key);
    enum qn_err (*seek)(struct qn_kv *kv, enum qn_table table, struct qn_span key,
                        struct qn_span *ret_key, struct qn_span *ret_value);
};

/* Embedded as the first member of an implementation. */
struct qn_kv {
    const struct qn_kv_ops *ops;
};

/* QN_ERR_NOTFOUND if there is no such key. */
static inline enum qn_err QN_CHECKED qn_kv_get(struct qn_kv *kv, enum qn_table table,
                                               struct qn_span key, struct qn_span *ret_value)
{
    return kv->ops->get(kv, table, key, ret_value);
}

/* Inserts or replaces. Key and value are copied. */
static inline enum qn_err QN_CHECKED qn_kv_put(struct qn_kv *kv, enum qn_table table,
                                               struct qn_span key, struct qn_span value)
{
    return kv->ops->put(kv, table, key, value);
}

/* QN_ERR_NOTFOUND if there is no such key. */
static inline enum qn_err QN_CHECKED qn_kv_del(struct qn_kv *kv, enum qn_table table,
                                               struct qn_span key)
{
    return kv->ops->del(kv, table, key);
}

/* The first entry whose key is >= `key`; QN_ERR_NOTFOUND if there is none. To go on, seek the key
 * that was found with one zero byte behind it. */
static inline enum qn_err QN_CHECKED qn_kv_seek(struct qn_kv *kv, enum qn_table table,
                                                struct qn_span key, struct qn_span *ret_key,
                                                struct qn_span *ret_value)
{
    return kv->ops->seek(kv, table, key, ret_key, ret_value);
}
