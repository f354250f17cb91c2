/* The inside of a vault, for the files of this room. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "chunk/chunker.h"
#include "os/os.h"
#include "vault/index.h"
#include "vault/vault.h"

#define QN_VAULT_WORKERS_MAX 16
#define QN_VERIFY_FETCH_MAX  ((uint64_t)64 * 1024 * 1024)
#define QN_PRUNE_LIVE_MAX    ((size_t)1536 * 1024) /* ids of one pass: a set of 32 MiB */

struct qn_fetcher;

struct qn_vault {
    char *dir;
    struct qn_vault_keys keys;
    struct qn_chunker *chunker;
    size_t pack_size;
    int level;
    unsigned workers, readers;
    uint64_t map_size;
    size_t prune_live_max;     /* ids that prune has in memory at a time */
    uint64_t verify_fetch_max; /* bytes of lost packs that a verification brings back */
    struct qn_pack_source source;
    bool has_source;
    struct qn_os_lock *lock;
    struct qn_pool *pool;
    struct qn_index *index;
    pthread_mutex_t writing; /* one writing job at a time */
    pthread_mutex_t taking;  /* packs of several takers come into the index one after the other */
    pthread_mutex_t listing;
    struct qn_mender *mender;
    struct qn_hints *hints;    /* NULL: none were ever given */
    struct qn_fetcher *lister; /* of all iterators over lists, under `listing`; made when needed */
};

/* "DIR/name" in `out`. */
enum qn_err QN_CHECKED qn_vault_path(const struct qn_vault *vault, const char *name, char *out,
                                     size_t size);
/* One writing job at a time: waits for the one before. */
void qn_vault_begin(struct qn_vault *vault);
/* Passes `err` on. QN_ERR_CORRUPT: the index is made again when the vault is next opened. */
enum qn_err QN_CHECKED qn_vault_end(struct qn_vault *vault, enum qn_err err);

/* ---- recover.c ---- */

/* What the pool has and the index does not know is taken up, what the index has and the pool does
 * not is marked as missing. Files that these keys do not open are left alone. `is_new`: the index
 * is empty; of two packs with a chunk the one that a snapshot lists is taken. */
enum qn_err QN_CHECKED qn_vault_reconcile(struct qn_vault *vault, bool is_new);
/* QN_ERR_SIGNATURE: there are packs or snapshots, and these keys open none of them. */
enum qn_err QN_CHECKED qn_vault_check_keys(struct qn_vault *vault);
/* Reads the directories of packs (or scans a pack, if its directory is damaged) for the index,
 * which gets them when there are many and with the flush. QN_ERR_NOTFOUND: it is not there. Packs
 * of the source are marked as missing here. */
struct qn_taker;
struct qn_taker *qn_taker_new(struct qn_vault *vault);
void qn_taker_free(struct qn_taker *taker); /* what was not flushed is lost */
enum qn_err QN_CHECKED qn_take_up(struct qn_taker *taker, const struct qn_pack_name *name,
                                  bool is_local);
enum qn_err QN_CHECKED qn_taker_flush(struct qn_taker *taker);
/* Of those of a list that the index does not know. What can be had from nowhere is passed over. */
enum qn_err QN_CHECKED qn_vault_take_up_list(struct qn_vault *vault, struct qn_span names);

/* ---- snapshots.c ---- */

/* Makes a snapshot durable: its list of packs first, then itself. `packs` ascends. */
enum qn_err QN_CHECKED qn_vault_commit(struct qn_vault *vault, const struct qn_snapshot *snapshot,
                                       const struct qn_pack_name *packs, size_t count,
                                       struct qn_snapshot_name *ret_name);
enum qn_err QN_CHECKED qn_vault_write_live(struct qn_vault *vault,
                                           const struct qn_snapshot_name *name,
                                           const struct qn_pack_name *packs, size_t count);
enum qn_err QN_CHECKED qn_vault_read_live(struct qn_vault *vault,
                                          const struct qn_snapshot_name *name, struct qn_buf *out);
enum qn_err QN_CHECKED qn_snapshot_name_parse(struct qn_span text,
                                              struct qn_snapshot_name *ret_name);
/* Removes what a crash left between the two files of a snapshot. */
enum qn_err QN_CHECKED qn_vault_sweep_snapshots(struct qn_vault *vault);
/* A list of packs as it is stored: sorted names. QN_ERR_CORRUPT. */
enum qn_err QN_CHECKED qn_vault_live_check(struct qn_span live);

static inline bool qn_progress_cancelled(struct qn_vault_progress *progress)
{
    return progress != NULL && atomic_load_explicit(&progress->is_cancelled, memory_order_relaxed);
}

static inline void qn_progress_add(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}
