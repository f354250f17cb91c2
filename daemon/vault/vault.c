#include "vault/vault.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vault/fetch.h"
#include "vault/hints.h"
#include "vault/mend.h"
#include "vault/vault_private.h"

#define LOCK_NAME      "lock"
#define PACKS_NAME     "packs"
#define INDEX_NAME     "index"
#define INDEX_BAD_NAME "index.bad"
#define REBUILD_NAME   "index.rebuild" /* is there: the index is not to be trusted */
#define PACK_SIZE_MIN  ((size_t)1024 * 1024)

enum qn_err qn_vault_path(const struct qn_vault *vault, const char *name, char *out, size_t size)
{
    int length = snprintf(out, size, "%s/%s", vault->dir, name);
    return length < 0 || (size_t)length >= size ? QN_ERR_LIMIT : QN_OK;
}

/* ---- the index: thrown away when it is of no use ---- */

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

/* One is kept for whoever wants to know what was wrong with it. */
static enum qn_err move_index_away(struct qn_vault *vault)
{
    char from[PATH_MAX], to[PATH_MAX];
    QN_TRY(qn_vault_path(vault, INDEX_NAME, from, sizeof(from)));
    QN_TRY(qn_vault_path(vault, INDEX_BAD_NAME, to, sizeof(to)));
    if (nftw(to, remove_one, 4, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return qn_os_err(errno);
    if (rename(from, to) != 0 && errno != ENOENT)
        return qn_os_err(errno);
    return qn_os_sync_dir(vault->dir);
}

static bool is_unusable(enum qn_err err)
{
    return err == QN_ERR_CORRUPT || err == QN_ERR_INVALID || err == QN_ERR_UNSUPPORTED;
}

static enum qn_err try_index(struct qn_vault *vault, bool *ret_is_new)
{
    char path[PATH_MAX];
    QN_TRY(qn_vault_path(vault, INDEX_NAME, path, sizeof(path)));
    QN_TRY(qn_index_open(path, vault->map_size, &vault->index, ret_is_new));
    enum qn_err err = qn_vault_reconcile(vault, *ret_is_new);
    if (err != QN_OK) {
        qn_index_close(vault->index);
        vault->index = NULL;
    }
    return err;
}

static enum qn_err open_index(struct qn_vault *vault)
{
    char marker[PATH_MAX];
    bool is_new;
    QN_TRY(qn_vault_path(vault, REBUILD_NAME, marker, sizeof(marker)));
    bool is_distrusted = access(marker, F_OK) == 0;
    enum qn_err err = is_distrusted ? QN_ERR_CORRUPT : try_index(vault, &is_new);
    if (is_unusable(err)) {
        QN_TRY(move_index_away(vault));
        err = try_index(vault, &is_new);
    }
    if (err == QN_OK && is_distrusted && unlink(marker) != 0)
        return qn_os_err(errno);
    return err;
}

/* ---- opening ---- */

static unsigned workers_of(const struct qn_vault_options *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned workers = options->workers != 0 ? options->workers : cores > 0 ? (unsigned)cores : 1;
    return workers < QN_VAULT_WORKERS_MAX ? workers : QN_VAULT_WORKERS_MAX;
}

static size_t pack_size_of(const struct qn_vault_options *options)
{
    if (options->pack_size < PACK_SIZE_MIN)
        return PACK_SIZE_MIN;
    return options->pack_size < QN_PACK_GOAL_MAX ? options->pack_size : QN_PACK_GOAL_MAX;
}

static struct qn_vault *make(const struct qn_vault_options *options)
{
    struct qn_vault *vault = QN_NEW(struct qn_vault);
    vault->dir = qn_strdup(options->dir);
    vault->level = options->level < 1 ? 1 : options->level > 19 ? 19 : options->level;
    vault->workers = workers_of(options);
    vault->readers = options->readers == 0 ? vault->workers : options->readers;
    if (vault->readers > QN_VAULT_WORKERS_MAX)
        vault->readers = QN_VAULT_WORKERS_MAX;
    vault->pack_size = pack_size_of(options);
    vault->map_size = options->map_size;
    vault->prune_live_max = QN_PRUNE_LIVE_MAX;
    vault->verify_fetch_max = QN_VERIFY_FETCH_MAX;
    vault->has_source = options->source != NULL;
    if (vault->has_source)
        vault->source = *options->source;
    qn_vault_keys_init(&vault->keys, options->master, options->epoch);
    vault->chunker = qn_chunker_new(vault->keys.chunker);
    pthread_mutex_init(&vault->writing, NULL);
    pthread_mutex_init(&vault->taking, NULL);
    pthread_mutex_init(&vault->listing, NULL);
    vault->mender = qn_mender_new(vault);
    return vault;
}

static enum qn_err open_all(struct qn_vault *vault)
{
    char path[PATH_MAX];
    QN_TRY(qn_os_make_dir(vault->dir, 0700));
    QN_TRY(qn_vault_path(vault, LOCK_NAME, path, sizeof(path)));
    QN_TRY(qn_os_lock_take(path, &vault->lock));
    QN_TRY(qn_vault_path(vault, PACKS_NAME, path, sizeof(path)));
    QN_TRY(qn_pool_open(path, &vault->pool));
    QN_TRY(qn_vault_sweep_snapshots(vault));
    QN_TRY(qn_vault_check_keys(vault));
    return open_index(vault);
}

enum qn_err qn_vault_open(const struct qn_vault_options *options, struct qn_vault **ret_vault)
{
    struct qn_vault *vault = make(options);
    enum qn_err err = open_all(vault);
    if (err != QN_OK)
        qn_vault_close(vault);
    else
        *ret_vault = vault;
    return err;
}

void qn_vault_close(struct qn_vault *vault)
{
    if (vault == NULL)
        return;
    qn_fetcher_free(vault->lister);
    if (vault->index != NULL)
        (void)!qn_index_sync(vault->index); /* what is not synced is found again in the packs */
    qn_index_close(vault->index);
    qn_pool_close(vault->pool);
    qn_os_lock_free(vault->lock);
    qn_chunker_free(vault->chunker);
    qn_vault_keys_deinit(&vault->keys);
    qn_mender_free(vault->mender);
    qn_hints_free(vault->hints);
    pthread_mutex_destroy(&vault->writing);
    pthread_mutex_destroy(&vault->taking);
    pthread_mutex_destroy(&vault->listing);
    qn_free(vault->dir);
    qn_free(vault);
}

struct qn_pool *qn_vault_pool(struct qn_vault *vault)
{
    return vault->pool;
}

/* ---- jobs ---- */

void qn_vault_begin(struct qn_vault *vault)
{
    pthread_mutex_lock(&vault->writing);
}

enum qn_err qn_vault_end(struct qn_vault *vault, enum qn_err err)
{
    char marker[PATH_MAX];
    if (err == QN_ERR_CORRUPT &&
        qn_vault_path(vault, REBUILD_NAME, marker, sizeof(marker)) == QN_OK)
        (void)!qn_os_replace_file(marker, qn_span(NULL, 0), 0600);
    pthread_mutex_unlock(&vault->writing);
    return err;
}

void qn_vault_sizes(struct qn_vault *vault, struct qn_vault_sizes *ret_sizes)
{
    struct qn_index_counts counts = {0};
    *ret_sizes = (struct qn_vault_sizes){0};
    if (qn_index_count(vault->index, &counts) == QN_OK) {
        ret_sizes->packs = counts.packs;
        ret_sizes->pack_bytes = counts.pack_bytes;
        ret_sizes->chunks = counts.chunks;
    }
    qn_snapshot_vec snapshots = {0};
    if (qn_vault_snapshots(vault, NULL, NULL, NULL, &snapshots) == QN_OK)
        ret_sizes->snapshots = snapshots.count;
    qn_snapshots_deinit(&snapshots);
}

static enum qn_err replace_bad(struct qn_vault *vault, const struct qn_pack_name *name,
                               struct qn_span bytes)
{
    enum qn_err err = qn_pool_scrub(vault->pool, name, 0);
    if (err != QN_OK && err != QN_ERR_CORRUPT && err != QN_ERR_NOTFOUND)
        return err;
    return qn_pool_put(vault->pool, name, bytes);
}

static enum qn_err take_up_one(struct qn_vault *vault, const struct qn_pack_name *name)
{
    struct qn_taker *taker = qn_taker_new(vault);
    enum qn_err err = qn_take_up(taker, name, true);
    if (err == QN_OK)
        err = qn_taker_flush(taker);
    qn_taker_free(taker);
    return err;
}

enum qn_err qn_vault_repair(struct qn_vault *vault, const struct qn_pack_name *name,
                            struct qn_span bytes)
{
    struct qn_digest digest;
    if (bytes.size > QN_PACK_SIZE_MAX)
        return QN_ERR_LIMIT;
    QN_DIGEST(&digest, bytes);
    if (memcmp(digest.bytes, name->bytes, sizeof(name->bytes)) != 0)
        return QN_ERR_SIGNATURE;
    QN_TRY(replace_bad(vault, name, bytes));
    return take_up_one(vault, name);
}

enum qn_err qn_vault_packs(struct qn_vault *vault,
                           void (*on_pack)(void *context, const struct qn_pack_name *name,
                                           size_t size, enum qn_pack_kind kind),
                           void *context)
{
    struct qn_index_view *view = qn_index_view_new(vault->index);
    struct qn_index_pack pack = {0};
    enum qn_err err;
    while ((err = qn_index_next_pack(view, pack.number, &pack)) == QN_OK)
        if (pack.state != QN_PACK_MISSING)
            on_pack(context, &pack.name, pack.size, pack.kind);
    qn_index_view_free(view);
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}
