#include "app/site_store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "os/os.h"

#define FILE_SIZE_MAX ((size_t)32 * 1024 * 1024) /* of a piece */

/* ---- into the vault ---- */

static enum qn_err on_piece(void *context, struct qn_span path, struct qn_span rows)
{
    return qn_backup_put(context, path, rows);
}

enum qn_err qn_site_store_put(struct qn_store *store, struct qn_backup *backup)
{
    return qn_store_copy(store, on_piece, backup);
}

/* ---- back ---- */

struct restoring {
    struct qn_store_load *load;
    struct qn_buf path, piece; /* of the file that is being read */
};

static enum qn_err on_entry(void *context, const struct qn_entry *entry)
{
    struct restoring *restoring = context;
    qn_buf_reset(&restoring->path);
    qn_buf_reset(&restoring->piece);
    qn_buf_append_span(&restoring->path, entry->path);
    return qn_buf_status(&restoring->path);
}

static enum qn_err on_bytes(void *context, const uint8_t *bytes, size_t size)
{
    struct restoring *restoring = context;
    if (bytes == NULL) /* nobody wrote holes */
        return QN_ERR_CORRUPT;
    qn_buf_append(&restoring->piece, bytes, size);
    return qn_buf_status(&restoring->piece);
}

/* A piece that is lost makes the whole copy useless. */
static enum qn_err on_entry_end(void *context, enum qn_err err)
{
    struct restoring *restoring = context;
    QN_TRY(err);
    return qn_store_load_piece(restoring->load, qn_buf_view(&restoring->path),
                               qn_buf_view(&restoring->piece));
}

static enum qn_err load_from(struct qn_vault *vault, const struct qn_snapshot *snapshot,
                             const struct qn_store_options *options)
{
    struct restoring restoring = {0};
    struct qn_restore_options restore = {.snapshot = snapshot,
                                         .on_entry = on_entry,
                                         .on_bytes = on_bytes,
                                         .on_entry_end = on_entry_end,
                                         .context = &restoring};
    QN_TRY(qn_store_load_begin(options, &restoring.load));
    qn_buf_init(&restoring.path, QN_PATH_SIZE_MAX);
    qn_buf_init(&restoring.piece, FILE_SIZE_MAX);
    enum qn_err err = qn_vault_restore(vault, &restore);
    qn_buf_deinit(&restoring.path);
    qn_buf_deinit(&restoring.piece);
    enum qn_err end = qn_store_load_end(restoring.load);
    return err != QN_OK ? err : end;
}

/* Our own files only: whatever else is there is not ours to remove, and stays in the way. */
static enum qn_err remove_store(const char *dir)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "lock.quoin"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[PATH_MAX];
        int length = snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        if (length < 0 || (size_t)length >= sizeof(path))
            return QN_ERR_LIMIT;
        if (unlink(path) != 0 && errno != ENOENT)
            return qn_os_err(errno);
    }
    return rmdir(dir) == 0 || errno == ENOENT ? QN_OK : qn_os_err(errno);
}

static enum qn_err sync_parent(const char *path)
{
    char parent[PATH_MAX];
    snprintf(parent, sizeof(parent), "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash == NULL)
        return qn_os_sync_dir(".");
    slash[slash == parent] = '\0';
    return qn_os_sync_dir(parent);
}

enum qn_err qn_site_store_remove(const char *path)
{
    char fresh[PATH_MAX];
    int length = snprintf(fresh, sizeof(fresh), "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof(fresh))
        return QN_ERR_LIMIT;
    QN_TRY(remove_store(fresh));
    return remove_store(path);
}

static enum qn_err restore_to(struct qn_vault *vault, const struct qn_snapshot *snapshot,
                              const struct qn_store_options *options)
{
    char fresh[PATH_MAX];
    struct qn_store_options made = *options;
    int length = snprintf(fresh, sizeof(fresh), "%s.new", options->path);
    if (length < 0 || (size_t)length >= sizeof(fresh))
        return QN_ERR_LIMIT;
    if (access(options->path, F_OK) == 0)
        return QN_ERR_EXISTS;
    QN_TRY(remove_store(fresh));
    made.path = fresh;
    enum qn_err err = load_from(vault, snapshot, &made);
    if (err != QN_OK) {
        (void)!remove_store(fresh); /* the next try does it again */
        return err;
    }
    if (rename(fresh, options->path) != 0)
        return qn_os_err(errno);
    return sync_parent(options->path);
}

/* Of all plans, the one that was begun last. */
static const struct qn_snapshot *newest(const qn_snapshot_vec *all)
{
    const struct qn_snapshot *best = NULL;
    qn_vec_each (all, info)
        if (info->snapshot.store.levels > 0 &&
            (best == NULL || info->snapshot.sequence > best->sequence))
            best = &info->snapshot;
    return best;
}

enum qn_err qn_site_store_restore(struct qn_vault *vault, const struct qn_store_options *options,
                                  uint64_t *ret_ms)
{
    qn_snapshot_vec all = {0};
    struct qn_snapshot store;
    QN_TRY(qn_vault_snapshots(vault, NULL, NULL, NULL, &all));
    const struct qn_snapshot *best = newest(&all);
    enum qn_err err = best == NULL ? QN_ERR_NOTFOUND : qn_snapshot_of_store(best, &store);
    uint64_t started_ms = err == QN_OK ? store.started_ms : 0;
    if (err == QN_OK)
        err = restore_to(vault, &store, options);
    qn_snapshots_deinit(&all);
    if (err == QN_OK)
        *ret_ms = started_ms;
    return err;
}
