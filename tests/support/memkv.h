/* The door to the store (model/kv.h) in memory: transactions, failures, lost commits, images.
 *
 * One write transaction at a time; reading between transactions sees what was committed. Durability
 * is modelled apart from commitment: a crash loses the commits since the last sync. Nothing here is
 * random: a test decides which put fails. Thread: one.
 */
#pragma once

#include "model/kv.h"

struct memkv;

struct memkv *memkv_new(void);
void memkv_free(struct memkv *memkv); /* accepts NULL */
/* A deep copy of what is committed, all of it durable: an image of the disk. No transaction may be
 * open. Faults are not copied. */
struct memkv *memkv_clone(const struct memkv *memkv);
/* The same of what is durable only: as a crash now would leave it. LMDB shows a commit to readers
 * when it is durable, so this is what another thread can read. */
struct memkv *memkv_clone_durable(const struct memkv *memkv);

/* From now on what get and seek return is memory of its own that the next write frees, so that a
 * sanitiser finds whoever keeps a span longer than kv.h allows. A clone does the same. */
void memkv_lend_strictly(struct memkv *memkv);

struct qn_kv *memkv_begin(struct memkv *memkv);
/* On a fault the transaction is undone. */
enum qn_err QN_CHECKED memkv_commit(struct memkv *memkv);
void memkv_abort(struct memkv *memkv);
/* For reading; valid until the next memkv_begin. */
struct qn_kv *memkv_reader(struct memkv *memkv);

/* All that is committed is durable. */
void memkv_sync(struct memkv *memkv);
/* The commits since the last sync are gone, and an open transaction too. */
void memkv_crash(struct memkv *memkv);

/* The puts and deletes to come count from 1; number `nth` fails, once. 0: none. */
void memkv_fail_put(struct memkv *memkv, uint64_t nth, enum qn_err err);
/* The next commit fails. */
void memkv_fail_commit(struct memkv *memkv, enum qn_err err);
/* The puts and deletes since memkv_fail_put or the start. */
uint64_t memkv_put_count(const struct memkv *memkv);

size_t memkv_count(const struct memkv *memkv, enum qn_table table);
/* Rises whenever a table changes, also where a change is undone. */
uint64_t memkv_changes(const struct memkv *memkv, enum qn_table table);
/* Whether two hold the same entries in all tables. */
bool memkv_is_equal(const struct memkv *a, const struct memkv *b);
