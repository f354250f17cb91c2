/* Keys and fixed-size values of the tables (docs/formats/store.md). Integers are big-endian; sites,
 * names and collections are local numbers of 32 bits, from 1. For the rooms of model only.
 */
#pragma once

#include "model/kv.h"
#include "model/record.h"

#define QN_SUM_SIZE 32

/* A key under construction: the functions below fill it and give its bytes. */
struct qn_key {
    uint8_t bytes[QN_KV_KEY_SIZE_MAX];
    size_t size;
};

struct qn_span qn_key_view(const struct qn_key *key);
struct qn_span qn_key_name(struct qn_key *key, const char *name);    /* META */
struct qn_span qn_key_coll_name(struct qn_key *key, uint32_t coll);  /* META: number -> id */
struct qn_span qn_key_coll_log(struct qn_key *key, uint32_t coll);   /* META: what its log holds */
struct qn_span qn_key_coll_marks(struct qn_key *key, uint32_t coll); /* META: how old it is */
struct qn_span qn_key_number(struct qn_key *key, uint32_t number);   /* ACTOR, DICT: number -> x */
struct qn_span qn_key_value(struct qn_key *key, struct qn_span value); /* and x -> number */
struct qn_span qn_key_coll(struct qn_key *key, uint32_t coll); /* what all keys begin with */
struct qn_span qn_key_actor(struct qn_key *key, uint32_t coll, uint32_t actor); /* CC, FLOOR */
struct qn_span qn_key_dot(struct qn_key *key, uint32_t coll, uint32_t actor, uint64_t ctr);
/* SEG: the rows of one kind; that of a number. */
struct qn_span qn_key_late(struct qn_key *key, uint32_t coll, uint8_t kind);
struct qn_span qn_key_late_number(struct qn_key *key, uint32_t coll, uint8_t kind, uint32_t number);
struct qn_span qn_key_seq(struct qn_key *key, uint32_t coll, uint64_t seq);    /* ORDER */
struct qn_span qn_key_group(struct qn_key *key, uint32_t coll, uint8_t group); /* FP */
struct qn_span qn_key_record(struct qn_key *key, uint32_t coll, struct qn_span record);
/* Of the keys of HIST: those of one record. */
struct qn_span qn_key_past(struct qn_key *key, uint32_t coll, struct qn_span record);
/* Makes the key the smallest one that is greater. */
struct qn_span qn_key_next(struct qn_key *key);
void qn_key_copy(struct qn_key *key, struct qn_span from);
void qn_key_add(struct qn_key *key, struct qn_span bytes);
void qn_key_add_u32(struct qn_key *key, uint32_t value);
void qn_key_add_u64(struct qn_key *key, uint64_t value);

/* META: what the model keeps there. */
#define QN_META_HLC    "model.hlc"    /* u64: the highest clock made or seen */
#define QN_META_SELF   "model.self"   /* own actor, u8: renew before the next write */
#define QN_META_ACTORS "model.actors" /* u32: how many numbers are given */
#define QN_META_NAMES  "model.names"
#define QN_META_COLLS  "model.colls"
#define QN_META_GONE   "model.gone." /* and an owner: what was let go (custody_gone.c) */
#define QN_META_DOUBT  "model.doubt" /* u32: 1 if the store may be an old copy (doubt.h) */

enum qn_err QN_CHECKED qn_meta_get_u32(struct qn_kv *kv, const char *name, uint32_t *ret_value);
enum qn_err QN_CHECKED qn_meta_put_u32(struct qn_kv *kv, const char *name, uint32_t value);

/* The row of a collection. number 0: nothing is stored of it. */
struct qn_coll_row {
    uint32_t number;
    uint64_t order_head, live, trashed, conflicts, rows;
    uint8_t sum[QN_SUM_SIZE];
    bool is_late, is_passing, may_drop; /* late.h */
    uint32_t pass;
    uint64_t rows_before, dropped; /* of the pass */
};

/* A zeroed row if there is none. */
enum qn_err QN_CHECKED qn_coll_row_get(struct qn_kv *kv, const struct qn_coll_id *id,
                                       struct qn_coll_row *ret_row);
enum qn_err QN_CHECKED qn_coll_row_put(struct qn_kv *kv, const struct qn_coll_id *id,
                                       const struct qn_coll_row *row);

/* A stored counter, as in CC and FLOOR; 0 if there is none. */
enum qn_err QN_CHECKED qn_counter_get(struct qn_kv *kv, enum qn_table table, uint32_t coll,
                                      uint32_t actor, uint64_t *ret_ctr);
enum qn_err QN_CHECKED qn_counter_put(struct qn_kv *kv, enum qn_table table, uint32_t coll,
                                      uint32_t actor, uint64_t ctr);

/* ORDER: the place of no operation, where pages changed records (late.c). */
enum qn_err QN_CHECKED qn_order_break(struct qn_kv *kv, uint32_t coll, uint64_t seq);
bool qn_order_is_break(struct qn_span value);

/* CHAIN. */
struct qn_checkpoint {
    struct qn_digest hash;
    struct qn_signature signature;
};

/* QN_ERR_NOTFOUND: there is none just there. */
enum qn_err QN_CHECKED qn_checkpoint_get(struct qn_kv *kv, uint32_t coll, uint32_t actor,
                                         uint64_t ctr, struct qn_checkpoint *ret_checkpoint);
enum qn_err QN_CHECKED qn_checkpoint_put(struct qn_kv *kv, uint32_t coll, uint32_t actor,
                                         uint64_t ctr, const struct qn_checkpoint *checkpoint);
/* The chain hash of an actor, by its number, at a dot of it: of the start (counter 0) or of a
 * checkpoint. QN_ERR_NOTFOUND: there is none just there. */
enum qn_err QN_CHECKED qn_chain_at(struct qn_kv *kv, const struct qn_coll_id *id, uint32_t coll,
                                   uint32_t actor, const struct qn_dot *at,
                                   struct qn_digest *ret_hash);

/* In a place where something must be stored: its absence is damage. */
static inline enum qn_err qn_must_exist(enum qn_err err)
{
    return err == QN_ERR_NOTFOUND ? QN_ERR_CORRUPT : err;
}

/* Where it may be absent. */
static inline enum qn_err qn_may_miss(enum qn_err err)
{
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}
