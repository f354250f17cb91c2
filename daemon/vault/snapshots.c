#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "vault/hints.h"
#include "vault/vault_private.h"

#define FOLDER_NAME   "snapshots"
#define LIVE_END      ".live"
#define SNAPSHOTS_MAX 65536

/* ---- names ---- */

static enum qn_err path_of(const struct qn_vault *vault, const struct qn_snapshot_name *name,
                           const char *end, char out[PATH_MAX])
{
    struct qn_buf hex;
    qn_buf_init(&hex, 65);
    qn_text_append_hex(&hex, QN_SPAN_OF(name->bytes));
    qn_buf_append_u8(&hex, 0);
    int length =
        snprintf(out, PATH_MAX, "%s/" FOLDER_NAME "/%s%s", vault->dir, (const char *)hex.data, end);
    qn_buf_deinit(&hex);
    return length < 0 || length >= PATH_MAX ? QN_ERR_LIMIT : QN_OK;
}

enum qn_err qn_snapshot_name_parse(struct qn_span text, struct qn_snapshot_name *ret_name)
{
    struct qn_buf bytes;
    qn_buf_init(&bytes, sizeof(ret_name->bytes));
    enum qn_err err = qn_text_parse_hex(text, &bytes);
    if (err == QN_OK && bytes.size != sizeof(ret_name->bytes))
        err = QN_ERR_INVALID;
    if (err == QN_OK)
        memcpy(ret_name->bytes, bytes.data, sizeof(ret_name->bytes));
    qn_buf_deinit(&bytes);
    return err;
}

/* What a file name names; false: none of ours. */
static bool parse_name(const char *text, const char *end, struct qn_snapshot_name *ret_name)
{
    return strlen(text) == 64 + strlen(end) && strcmp(text + 64, end) == 0 &&
           qn_snapshot_name_parse(qn_span(text, 64), ret_name) == QN_OK;
}

static enum qn_err open_folder(const struct qn_vault *vault, DIR **ret_dir)
{
    char path[PATH_MAX];
    QN_TRY(qn_vault_path(vault, FOLDER_NAME, path, sizeof(path)));
    DIR *dir = opendir(path);
    if (dir == NULL)
        return qn_os_err(errno);
    *ret_dir = dir;
    return QN_OK;
}

/* ---- lists of packs ---- */

enum qn_err qn_vault_live_check(struct qn_span live)
{
    const size_t size = sizeof(struct qn_pack_name);
    if (live.size % size != 0)
        return QN_ERR_CORRUPT;
    for (size_t at = size; at < live.size; at += size) {
        if (memcmp(live.data + at - size, live.data + at, size) >= 0)
            return QN_ERR_CORRUPT;
    }
    return QN_OK;
}

enum qn_err qn_vault_read_live(struct qn_vault *vault, const struct qn_snapshot_name *name,
                               struct qn_buf *out)
{
    char path[PATH_MAX];
    QN_TRY(path_of(vault, name, LIVE_END, path));
    size_t before = out->size;
    QN_TRY(qn_os_read_file(path, QN_LIVE_SIZE_MAX, out));
    return qn_vault_live_check(qn_span(out->data + before, out->size - before));
}

enum qn_err qn_vault_write_live(struct qn_vault *vault, const struct qn_snapshot_name *name,
                                const struct qn_pack_name *packs, size_t count)
{
    char path[PATH_MAX];
    QN_TRY(path_of(vault, name, LIVE_END, path));
    if (count > QN_LIVE_SIZE_MAX / sizeof(*packs))
        return QN_ERR_LIMIT;
    return qn_os_replace_file(path, qn_span(packs, count * sizeof(*packs)), 0600);
}

/* ---- writing ---- */

static enum qn_err write_sealed(struct qn_vault *vault, const struct qn_snapshot_name *name,
                                struct qn_span sealed)
{
    char path[PATH_MAX];
    QN_TRY(path_of(vault, name, "", path));
    return qn_os_replace_file(path, sealed, 0400);
}

enum qn_err qn_vault_commit(struct qn_vault *vault, const struct qn_snapshot *snapshot,
                            const struct qn_pack_name *packs, size_t count,
                            struct qn_snapshot_name *ret_name)
{
    uint8_t salt[32];
    QN_AUTO_BUF struct qn_buf sealed;
    struct qn_snapshot_name name;
    qn_buf_init(&sealed, QN_SNAPSHOT_SIZE_MAX);
    qn_os_random(salt, sizeof(salt));
    QN_TRY(qn_snapshot_seal(snapshot, &vault->keys, salt, &sealed, &name));
    QN_TRY(qn_vault_write_live(vault, &name, packs, count));
    QN_TRY(write_sealed(vault, &name, qn_buf_view(&sealed)));
    *ret_name = name;
    return QN_OK;
}

static enum qn_err remove_file(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT ? QN_OK : qn_os_err(errno);
}

/* In reverse: the list is nothing without the snapshot, and goes after it. */
enum qn_err qn_vault_forget(struct qn_vault *vault, const struct qn_snapshot_name *name)
{
    char path[PATH_MAX], folder[PATH_MAX];
    QN_TRY(path_of(vault, name, "", path));
    QN_TRY(qn_vault_path(vault, FOLDER_NAME, folder, sizeof(folder)));
    if (unlink(path) != 0)
        return qn_os_err(errno);
    QN_TRY(qn_os_sync_dir(folder));
    QN_TRY(path_of(vault, name, LIVE_END, path));
    return remove_file(path);
}

static enum qn_err adopt(struct qn_vault *vault, struct qn_span sealed, struct qn_span live)
{
    struct qn_snapshot snapshot;
    struct qn_snapshot_name name;
    QN_AUTO_BUF struct qn_buf plain;
    qn_buf_init(&plain, QN_SNAPSHOT_SIZE_MAX);
    if (sealed.size > QN_SNAPSHOT_SIZE_MAX || live.size > QN_LIVE_SIZE_MAX)
        return QN_ERR_LIMIT;
    QN_TRY(qn_vault_live_check(live));
    QN_TRY(qn_snapshot_open(sealed, &vault->keys, &plain, &snapshot));
    qn_snapshot_name_of(sealed, &name);
    QN_TRY(qn_vault_take_up_list(vault, live));
    char path[PATH_MAX];
    QN_TRY(path_of(vault, &name, LIVE_END, path));
    QN_TRY(qn_os_replace_file(path, live, 0600));
    return write_sealed(vault, &name, sealed);
}

/* Not beside a prune, which would not know that its packs are needed. */
enum qn_err qn_vault_adopt(struct qn_vault *vault, struct qn_span sealed, struct qn_span live)
{
    qn_vault_begin(vault);
    enum qn_err err = adopt(vault, sealed, live);
    pthread_mutex_unlock(&vault->writing);
    return err;
}

enum qn_err qn_vault_hint(struct qn_vault *vault, const struct qn_snapshot *snapshot,
                          qn_vault_complete_fn complete, void *context)
{
    if (snapshot->places.size == 0)
        return QN_ERR_NOTFOUND;
    if (vault->hints == NULL)
        vault->hints = qn_hints_new();
    qn_hints_set_complete(vault->hints, complete, context);
    qn_hints_add(vault->hints, snapshot->places);
    return QN_OK;
}

/* ---- sweeping ---- */

static bool is_left_over(const struct qn_vault *vault, const char *text)
{
    struct qn_snapshot_name name;
    char path[PATH_MAX];
    if (parse_name(text, ".new", &name) || parse_name(text, LIVE_END ".new", &name))
        return true;
    return parse_name(text, LIVE_END, &name) && path_of(vault, &name, "", path) == QN_OK &&
           access(path, F_OK) != 0 && errno == ENOENT;
}

enum qn_err qn_vault_sweep_snapshots(struct qn_vault *vault)
{
    char path[PATH_MAX];
    DIR *dir = NULL;
    QN_TRY(qn_vault_path(vault, FOLDER_NAME, path, sizeof(path)));
    QN_TRY(qn_os_make_dir(path, 0700));
    QN_TRY(open_folder(vault, &dir));
    enum qn_err err = QN_OK;
    for (struct dirent *entry; err == QN_OK && (entry = readdir(dir)) != NULL;) {
        if (is_left_over(vault, entry->d_name) && unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            err = qn_os_err(errno);
    }
    closedir(dir);
    return err;
}

/* ---- reading ---- */

enum qn_err qn_vault_snapshot_read(struct qn_vault *vault, struct qn_span sealed,
                                   struct qn_buf *plain, struct qn_snapshot *ret_snapshot)
{
    return qn_snapshot_open(sealed, &vault->keys, plain, ret_snapshot);
}

static enum qn_err read_sealed(struct qn_vault *vault, const struct qn_snapshot_name *name,
                               struct qn_buf *out)
{
    char path[PATH_MAX];
    struct qn_snapshot_name found;
    QN_TRY(path_of(vault, name, "", path));
    QN_TRY(qn_os_read_file(path, QN_SNAPSHOT_SIZE_MAX, out));
    qn_snapshot_name_of(qn_buf_view(out), &found);
    return memcmp(&found, name, sizeof(found)) == 0 ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err read_info(struct qn_vault *vault, const struct qn_snapshot_name *name,
                             struct qn_snapshot_info *info)
{
    QN_AUTO_BUF struct qn_buf sealed;
    qn_buf_init(&sealed, QN_SNAPSHOT_SIZE_MAX);
    info->name = *name;
    QN_TRY(read_sealed(vault, name, &sealed));
    return qn_snapshot_open(qn_buf_view(&sealed), &vault->keys, &info->plain, &info->snapshot);
}

/* The one that vanished was forgotten meanwhile. */
static enum qn_err add_info(struct qn_vault *vault, const char *text, const char *plan,
                            qn_vault_report on_report, void *context, qn_snapshot_vec *out)
{
    struct qn_snapshot_name name;
    if (!parse_name(text, "", &name))
        return QN_OK;
    if (out->count >= SNAPSHOTS_MAX)
        return QN_ERR_LIMIT;
    struct qn_snapshot_info info = {0};
    qn_buf_init(&info.plain, QN_SNAPSHOT_SIZE_MAX);
    enum qn_err err = read_info(vault, &name, &info);
    bool is_wanted = err == QN_OK && (plan == NULL || strcmp(plan, info.snapshot.plan) == 0);
    if (is_wanted) {
        qn_vec_push(out, info);
        return QN_OK;
    }
    qn_buf_deinit(&info.plain);
    if (err != QN_OK && err != QN_ERR_NOTFOUND && on_report != NULL)
        on_report(context, "bad-snapshot", qn_span_str(text), 0);
    return QN_OK;
}

static int by_age(const void *a, const void *b)
{
    const struct qn_snapshot_info *first = a, *second = b;
    uint64_t x = first->snapshot.sequence, y = second->snapshot.sequence;
    if (x == y)
        x = first->snapshot.started_ms, y = second->snapshot.started_ms;
    return (x > y) - (x < y);
}

void qn_snapshots_sort(qn_snapshot_vec *snapshots)
{
    if (snapshots->count > 0)
        qsort(snapshots->items, snapshots->count, sizeof(*snapshots->items), by_age);
}

enum qn_err qn_vault_snapshots(struct qn_vault *vault, const char *plan, qn_vault_report on_report,
                               void *context, qn_snapshot_vec *out)
{
    DIR *dir = NULL;
    QN_TRY(open_folder(vault, &dir));
    enum qn_err err = QN_OK;
    for (struct dirent *entry; err == QN_OK && (entry = readdir(dir)) != NULL;)
        err = add_info(vault, entry->d_name, plan, on_report, context, out);
    closedir(dir);
    if (err != QN_OK) {
        qn_snapshots_deinit(out);
        return err;
    }
    qn_snapshots_sort(out);
    return QN_OK;
}

enum qn_err qn_snapshot_of_store(const struct qn_snapshot *snapshot,
                                 struct qn_snapshot *ret_snapshot)
{
    if (snapshot->store.levels == 0)
        return QN_ERR_NOTFOUND;
    *ret_snapshot = *snapshot;
    ret_snapshot->root = snapshot->store;
    ret_snapshot->store = (struct qn_tree_root){0};
    return QN_OK;
}

void qn_snapshots_deinit(qn_snapshot_vec *snapshots)
{
    qn_vec_each (snapshots, it)
        qn_buf_deinit(&it->plain);
    qn_vec_free(snapshots);
}

enum qn_err qn_vault_snapshot_files(struct qn_vault *vault, const struct qn_snapshot_name *name,
                                    struct qn_buf *ret_sealed, struct qn_buf *ret_live)
{
    QN_TRY(read_sealed(vault, name, ret_sealed));
    return qn_vault_read_live(vault, name, ret_live);
}
