/* The store: one LMDB environment, short read transactions on the loop thread, and one writer
 * thread that commits in groups (RECORDS 1.3).
 *
 * The writer takes all intents that queued while the last transaction committed, at most
 * QN_TXN_OPS_MAX operations and QN_TXN_SIZE_MAX bytes, runs them through the applier in one
 * transaction, commits (fsync), and only then hands the outcomes back. An intent that alone is more
 * than that has a transaction of its own. There are no timers. An intent that fails the transaction
 * (disk full) fails all of its group; the environment stays usable. After a fatal error
 * (corruption, I/O) the store refuses everything and says so: the daemon ends and is restarted.
 * Never NOSYNC, never NOMETASYNC.
 */
#pragma once

#include "model/applier.h"
#include "model/kv.h"

#define QN_STORE_SCHEMA 2 /* raise with a migration (docs/formats/store.md) */

struct qn_store;

struct qn_store_options {
    const char *path; /* the folder of the environment, made if missing (0700) */
    size_t map_size; /* bytes of address space, sparse: the file's bound; at least 1 MiB is taken */
    uint64_t (*wall_ms)(void *context); /* called on the writer thread */
    uint64_t (*entropy)(void *context);
    void *context;
};
/* The clock and the randomness of this machine, for the options. */
uint64_t qn_store_wall_ms(void *context);
uint64_t qn_store_entropy(void *context);

/* QN_ERR_BUSY: another process, or this one, has it open. QN_ERR_UNSUPPORTED: a newer schema.
 * QN_ERR_CORRUPT. Others: of the operating system. */
enum qn_err QN_CHECKED qn_store_open(const struct qn_store_options *options,
                                     struct qn_store **ret_store);
/* Stops the writer after what is queued was committed (if started), then closes; outcomes that
 * nobody collected are dropped. Accepts NULL. */
void qn_store_close(struct qn_store *store);

/* A read transaction: one consistent state, for at most a turn of the loop. At most one is open at
 * a time; begin and end cost little (renewed, not made). Loop thread only. */
enum qn_err QN_CHECKED qn_store_read_begin(struct qn_store *store, struct qn_kv **ret_kv);
void qn_store_read_end(struct qn_store *store);

/* A reading transaction that stays open, at most QN_PIN_TIME_MAX_MS: as long as it does, the file
 * grows by what is written. Opened and ended on the loop thread, before the store is closed; read
 * in by any thread, one at a time. */
struct qn_store_pin;
enum qn_err QN_CHECKED qn_store_pin(struct qn_store *store, struct qn_store_pin **ret_pin);
struct qn_kv *qn_store_pin_kv(struct qn_store_pin *pin);
void qn_store_unpin(struct qn_store_pin *pin);

/* A write transaction outside the writer, for set-up and tests: before qn_store_start only, else
 * QN_ERR_STATE. write_end ends it in any case. */
enum qn_err QN_CHECKED qn_store_write_begin(struct qn_store *store, struct qn_kv **ret_kv);
enum qn_err QN_CHECKED qn_store_write_end(struct qn_store *store, bool commit);

/* Starts the writer. `notify` runs on the writer thread after each transaction: it must only wake
 * the loop thread (and may ask qn_store_txn_id). QN_ERR_STATE: started before. The applier belongs
 * to the writer from here on (borrowed until close). */
enum qn_err QN_CHECKED qn_store_start(struct qn_store *store, struct qn_applier *applier,
                                      void (*notify)(void *context), void *context);
/* Queues an intent (taken also on failure). QN_ERR_BUSY: QN_WRITER_QUEUE_MAX, or
 * QN_WRITER_QUEUE_SIZE_MAX bytes, are queued. QN_ERR_LIMIT: larger than that alone. QN_ERR_STATE:
 * the writer was not started or the store has failed. Loop thread. */
enum qn_err QN_CHECKED qn_store_submit(struct qn_store *store, struct qn_intent *take_intent);
/* All transactions that are done, in order, linked by `next`; NULL if none. The caller frees each.
 * The outcomes of one are in the order of submission, one for each intent. */
struct qn_commit *qn_store_collect(struct qn_store *store);

struct qn_store_health {
    enum qn_err fatal;           /* QN_OK while usable */
    enum qn_err last;            /* of the last transaction: QN_ERR_NOSPACE while the disk is full,
                                    also if a smaller one fitted */
    uint64_t txn_id;             /* of the last commit */
    uint64_t map_used, map_size; /* bytes; used: up to the last page, free ones below it too */
    uint64_t queued;             /* intents without an outcome yet */
};
void qn_store_health(struct qn_store *store, struct qn_store_health *ret_health); /* loop thread */
/* Number of the last commit that is durable, grows by one with each that changed something; for the
 * watermark of os.h. Any thread. */
uint64_t qn_store_txn_id(const struct qn_store *store);
