#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "proto/cursor.h"
#include "support/span.h"

void world_init(struct world *world)
{
    *world = (struct world){.prng = {.state = 1}, .now_ms = 1000000, .pack_size = 1024 * 1024};
    tmp_dir_init(&world->dir);
    tmp_dir_at(&world->dir, "source", world->source);
    tmp_dir_at(&world->dir, "vault", world->vault_dir);
    tmp_dir_at(&world->dir, "out", world->out);
    cr_assert_eq(mkdir(world->source, 0755), 0);
    world_open(world);
}

void world_deinit(struct world *world)
{
    qn_vault_close(world->vault);
    tmp_dir_deinit(&world->dir);
}

enum qn_err world_try_open(struct world *world)
{
    uint8_t master[QN_MASTER_KEY_SIZE] = {7};
    return qn_vault_open(
        &(struct qn_vault_options){.dir = world->vault_dir,
                                   .master = master,
                                   .epoch = 1,
                                   .pack_size = world->pack_size,
                                   .level = 3,
                                   .workers = 2,
                                   .map_size = 256 * 1024 * 1024,
                                   .source = world->has_pack_source ? &world->pack_source : NULL},
        &world->vault);
}

void world_open(struct world *world)
{
    cr_assert_eq(world_try_open(world), QN_OK);
}

void world_close(struct world *world)
{
    qn_vault_close(world->vault);
    world->vault = NULL;
}

void world_reopen(struct world *world)
{
    world_close(world);
    world_open(world);
}

/* ---- source trees ---- */

const char *world_at(const struct world *world, const char *name, char *out)
{
    int length = snprintf(out, TMP_PATH_SIZE, "%s/%s", world->source, name);
    cr_assert(length > 0 && length < TMP_PATH_SIZE);
    return out;
}

void world_mkdir(struct world *world, const char *name)
{
    char path[TMP_PATH_SIZE];
    cr_assert_eq(mkdir(world_at(world, name, path), 0755), 0, "%s", path);
}

void world_write(struct world *world, const char *name, const void *bytes, size_t size)
{
    char path[TMP_PATH_SIZE];
    int fd = open(world_at(world, name, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

void world_random_file(struct world *world, const char *name, size_t size)
{
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(size + 8);
    for (size_t i = 0; i < size; i += 8)
        qn_write_u64(bytes + i, qn_prng_next(&world->prng));
    world_write(world, name, bytes, size);
}

void world_fill(struct world *world, size_t files)
{
    static const size_t sizes[] = {0,     1,     100,    4096,   5000,    65535,
                                   65536, 65537, 200000, 700000, 3000000, 2097152};
    char name[64];
    for (size_t i = 0; i < files; i++) {
        if (i % 20 == 0) {
            snprintf(name, sizeof(name), "d%zu", i / 20);
            world_mkdir(world, name);
        }
        snprintf(name, sizeof(name), "d%zu/f%zu", i / 20, i);
        size_t size = i % 7 == 0 ? sizes[i / 7 % 12] : qn_prng_below(&world->prng, 3000);
        world_random_file(world, name, size);
    }
}

/* ---- jobs ---- */

void world_report(void *context, const char *what, struct qn_span path, int errno_value)
{
    struct world *world = context;
    (void)errno_value;
    if (world->report_count == WORLD_REPORTS_MAX)
        return;
    size_t i = world->report_count++;
    snprintf(world->what[i], sizeof(world->what[i]), "%s", what);
    snprintf(world->paths[i], sizeof(world->paths[i]), "%.*s", (int)path.size,
             (const char *)path.data);
}

bool world_was_reported(const struct world *world, const char *what, const char *path_end)
{
    for (size_t i = 0; i < world->report_count; i++) {
        size_t size = strlen(world->paths[i]), end = strlen(path_end);
        if (strcmp(world->what[i], what) == 0 && size >= end &&
            strcmp(world->paths[i] + size - end, path_end) == 0)
            return true;
    }
    return false;
}

static void on_file_read(void *context, struct qn_span path)
{
    struct world *world = context;
    char text[TMP_PATH_SIZE];
    snprintf(text, sizeof(text), "/%.*s", (int)path.size, (const char *)path.data);
    if (world->on_file_read != NULL)
        world->on_file_read(world, text);
}

static void on_pack(void *context, const struct qn_pack_name *name, size_t size,
                    enum qn_pack_kind kind)
{
    struct world *world = context;
    size_t found;
    cr_assert_eq(qn_pool_size(qn_vault_pool(world->vault), name, &found), QN_OK);
    cr_assert(found == size && (kind == QN_PACK_DATA || kind == QN_PACK_META));
    world->packs_told++;
}

static void on_snapshot(void *context, const struct qn_snapshot_name *name)
{
    struct world *world = context;
    (void)name;
    world->snapshots_told++;
}

struct qn_backup_options world_backup_options(struct world *world)
{
    static const char *path[1];
    path[0] = world->source;
    return (struct qn_backup_options){.plan = "plan",
                                      .site = "site",
                                      .walk = {.paths = path, .path_count = 1},
                                      .now_ms = world->now_ms += 1000,
                                      .on_report = world_report,
                                      .on_file_read = on_file_read,
                                      .on_pack = on_pack,
                                      .on_snapshot = on_snapshot,
                                      .context = world};
}

struct qn_backup_counts world_backup(struct world *world, struct qn_snapshot_name *ret_name)
{
    struct qn_backup_options options = world_backup_options(world);
    struct qn_snapshot_name name;
    struct qn_backup_counts counts;
    enum qn_err err =
        qn_vault_backup(world->vault, &options, ret_name == NULL ? &name : ret_name, &counts);
    cr_assert_eq(err, QN_OK, "backup: %s", qn_err_name(err));
    return counts;
}

struct qn_verify_counts world_verify(struct world *world, bool reads_data)
{
    struct qn_verify_counts counts;
    enum qn_err err = qn_vault_verify(world->vault, reads_data, NULL, world_report, world, &counts);
    cr_assert_eq(err, QN_OK, "verify: %s", qn_err_name(err));
    return counts;
}

struct qn_prune_counts world_prune(struct world *world, unsigned dead_percent)
{
    struct qn_prune_counts counts;
    struct qn_prune_options options = {.dead_percent = dead_percent};
    enum qn_err err = qn_vault_prune(world->vault, &options, &counts);
    cr_assert_eq(err, QN_OK, "prune: %s", qn_err_name(err));
    return counts;
}

/* ---- restoring ---- */

struct restorer {
    const struct world *world;
    int fd;
    off_t size;
    char path[PATH_MAX];
    struct timespec times[2];
    QN_VEC(struct {
        char *path;
        struct timespec mtime;
    })
    dirs; /* their times are set last */
};

static void out_path(const struct restorer *restorer, struct qn_span path, char out[PATH_MAX])
{
    int length = snprintf(out, PATH_MAX, "%s/%.*s", restorer->world->out, (int)path.size,
                          (const char *)path.data);
    cr_assert(length > 0 && length < PATH_MAX);
}

static void set_xattrs(const char *path, struct qn_span xattrs)
{
    struct qn_cursor cursor = qn_cursor(xattrs);
    size_t count = 0;
    if (xattrs.size == 0)
        return;
    cr_assert_eq(qn_cursor_array(&cursor, 1000, &count), QN_OK);
    for (size_t i = 0; i < count; i++) {
        struct qn_span name, value;
        size_t pair;
        char text[256];
        cr_assert_eq(qn_cursor_array(&cursor, 2, &pair), QN_OK);
        cr_assert_eq(qn_cursor_bin(&cursor, 255, &name), QN_OK);
        cr_assert_eq(qn_cursor_bin(&cursor, 65536, &value), QN_OK);
        snprintf(text, sizeof(text), "%.*s", (int)name.size, (const char *)name.data);
        cr_assert_eq(lsetxattr(path, text, value.data, value.size, 0), 0, "%s %s", path, text);
    }
}

static void make_node(struct restorer *restorer, const struct qn_entry *entry)
{
    const char *path = restorer->path;
    char target[PATH_MAX], text[PATH_MAX];
    dev_t device = makedev(entry->rdev_major, entry->rdev_minor);
    snprintf(text, sizeof(text), "%.*s", (int)entry->target.size, (const char *)entry->target.data);
    switch (entry->type) {
    case QN_ENTRY_DIR:
        cr_assert(mkdir(path, 0700) == 0 || errno == EEXIST, "%s", path);
        break;
    case QN_ENTRY_FILE:
        restorer->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        restorer->size = 0;
        cr_assert_geq(restorer->fd, 0, "%s", path);
        break;
    case QN_ENTRY_SYMLINK:
        cr_assert_eq(symlink(text, path), 0, "%s", path);
        break;
    case QN_ENTRY_HARDLINK:
        out_path(restorer, entry->target, target);
        cr_assert_eq(link(target, path), 0, "%s", path);
        break;
    case QN_ENTRY_FIFO:
        cr_assert_eq(mknod(path, S_IFIFO | 0600, 0), 0, "%s", path);
        break;
    case QN_ENTRY_SOCKET:
        cr_assert_eq(mknod(path, S_IFSOCK | 0600, 0), 0, "%s", path);
        break;
    case QN_ENTRY_BLOCK:
        cr_assert_eq(mknod(path, S_IFBLK | 0600, device), 0, "%s", path);
        break;
    case QN_ENTRY_CHAR:
        cr_assert_eq(mknod(path, S_IFCHR | 0600, device), 0, "%s", path);
        break;
    }
}

static void set_meta(struct restorer *restorer, const struct qn_entry *entry)
{
    const char *path = restorer->path;
    struct timespec mtime = {.tv_sec = entry->mtime_s, .tv_nsec = entry->mtime_ns};
    cr_assert_eq(lchown(path, entry->uid, entry->gid), 0, "%s", path);
    if (entry->type != QN_ENTRY_SYMLINK)
        cr_assert_eq(chmod(path, entry->mode), 0, "%s", path);
    set_xattrs(path, entry->xattrs);
    if (entry->type == QN_ENTRY_DIR) {
        qn_vec_grow(&restorer->dirs);
        restorer->dirs.items[restorer->dirs.count].path = qn_strdup(path);
        restorer->dirs.items[restorer->dirs.count++].mtime = mtime;
    } else {
        cr_assert_eq(
            utimensat(AT_FDCWD, path, (struct timespec[]){mtime, mtime}, AT_SYMLINK_NOFOLLOW), 0);
    }
}

static enum qn_err on_entry(void *context, const struct qn_entry *entry)
{
    struct restorer *restorer = context;
    out_path(restorer, entry->path, restorer->path);
    make_node(restorer, entry);
    if (entry->type != QN_ENTRY_HARDLINK)
        set_meta(restorer, entry);
    restorer->times[0] = restorer->times[1] =
        (struct timespec){.tv_sec = entry->mtime_s, .tv_nsec = entry->mtime_ns};
    return QN_OK;
}

static enum qn_err on_bytes(void *context, const uint8_t *bytes, size_t size)
{
    struct restorer *restorer = context;
    if (bytes != NULL)
        cr_assert_eq(pwrite(restorer->fd, bytes, size, restorer->size), (ssize_t)size);
    restorer->size += (off_t)size;
    return QN_OK;
}

static enum qn_err on_entry_end(void *context, enum qn_err err)
{
    struct restorer *restorer = context;
    cr_assert_eq(ftruncate(restorer->fd, restorer->size), 0);
    cr_assert_eq(futimens(restorer->fd, restorer->times), 0);
    close(restorer->fd);
    if (err != QN_OK)
        cr_assert_eq(unlink(restorer->path), 0);
    return QN_OK;
}

enum qn_err world_try_restore(struct world *world, const struct qn_snapshot *snapshot,
                              const struct qn_span *paths, size_t count)
{
    struct restorer restorer = {.world = world};
    world_remove(world->out);
    cr_assert_eq(mkdir(world->out, 0755), 0);
    enum qn_err err =
        qn_vault_restore(world->vault, &(struct qn_restore_options){.snapshot = snapshot,
                                                                    .paths = paths,
                                                                    .path_count = count,
                                                                    .on_report = NULL,
                                                                    .on_entry = on_entry,
                                                                    .on_bytes = on_bytes,
                                                                    .on_entry_end = on_entry_end,
                                                                    .context = &restorer});
    for (size_t i = restorer.dirs.count; i > 0; i--) {
        struct timespec mtime = restorer.dirs.items[i - 1].mtime;
        utimensat(AT_FDCWD, restorer.dirs.items[i - 1].path, (struct timespec[]){mtime, mtime}, 0);
        qn_free(restorer.dirs.items[i - 1].path);
    }
    qn_vec_free(&restorer.dirs);
    return err;
}

void world_restore(struct world *world)
{
    qn_snapshot_vec snapshots = {0};
    cr_assert_eq(qn_vault_snapshots(world->vault, NULL, NULL, NULL, &snapshots), QN_OK);
    cr_assert_gt(snapshots.count, 0);
    enum qn_err err =
        world_try_restore(world, &snapshots.items[snapshots.count - 1].snapshot, NULL, 0);
    cr_assert_eq(err, QN_OK, "restore: %s", qn_err_name(err));
    qn_snapshots_deinit(&snapshots);
}

bool world_is_listed(struct world *world, const char *name)
{
    char path[TMP_PATH_SIZE];
    qn_snapshot_vec snapshots = {0};
    struct qn_tree_iter *iter;
    struct qn_entry entry;
    struct qn_span wanted = qn_span_str(world_at(world, name, path) + 1);
    cr_assert_eq(qn_vault_snapshots(world->vault, NULL, NULL, NULL, &snapshots), QN_OK);
    cr_assert_gt(snapshots.count, 0);
    cr_assert_eq(qn_vault_list(world->vault, &snapshots.items[snapshots.count - 1].snapshot, &iter),
                 QN_OK);
    bool is_there = qn_tree_iter_seek(iter, wanted) == QN_OK &&
                    qn_tree_iter_next(iter, &entry) == QN_OK && qn_span_eq(entry.path, wanted);
    qn_tree_iter_free(iter);
    qn_snapshots_deinit(&snapshots);
    return is_there;
}

const char *world_restored(struct world *world, const char *name)
{
    snprintf(world->restored, sizeof(world->restored), "%s%s/%s", world->out, world->source, name);
    return world->restored;
}

/* ---- comparing ---- */

static void add_content(struct qn_hasher *hasher, const char *path, off_t size)
{
    static uint8_t bytes[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "%s", path);
    ssize_t got;
    while ((got = read(fd, bytes, sizeof(bytes))) > 0)
        qn_hasher_add(hasher, qn_span(bytes, (size_t)got));
    bool starts_with_hole = size > 1 << 20 && lseek(fd, 0, SEEK_DATA) > 0;
    qn_hasher_add(hasher, QN_SPAN_OF(starts_with_hole));
    close(fd);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of their names: the system lists them in the order in which they were set. */
static void add_xattrs(struct qn_hasher *hasher, const char *path)
{
    char names[4096], value[4096];
    const char *sorted[64];
    size_t count = 0;
    ssize_t size = llistxattr(path, names, sizeof(names));
    for (ssize_t at = 0; at < size && count < 64; at += (ssize_t)strlen(names + at) + 1)
        sorted[count++] = names + at;
    qsort(sorted, count, sizeof(sorted[0]), by_name);
    for (size_t i = 0; i < count; i++) {
        ssize_t value_size = lgetxattr(path, sorted[i], value, sizeof(value));
        cr_assert_geq(value_size, 0);
        qn_hasher_add(hasher, qn_span_str(sorted[i]));
        qn_hasher_add(hasher, qn_span(value, (size_t)value_size));
    }
}

static void add_object(struct qn_hasher *hasher, const char *path, const char *name)
{
    struct stat status;
    char target[PATH_MAX] = {0};
    cr_assert_eq(lstat(path, &status), 0, "%s", path);
    bool is_dir = S_ISDIR(status.st_mode);
    uint64_t numbers[] = {status.st_mode,
                          status.st_uid,
                          status.st_gid,
                          is_dir ? 0 : status.st_nlink,
                          is_dir ? 0 : (uint64_t)status.st_size,
                          status.st_rdev,
                          (uint64_t)status.st_mtim.tv_sec,
                          (uint64_t)status.st_mtim.tv_nsec};
    qn_hasher_add(hasher, qn_span(name, strlen(name) + 1));
    qn_hasher_add(hasher, QN_SPAN_OF(numbers));
    if (S_ISLNK(status.st_mode) && readlink(path, target, sizeof(target) - 1) > 0)
        qn_hasher_add(hasher, qn_span_str(target));
    if (S_ISREG(status.st_mode))
        add_content(hasher, path, status.st_size);
    add_xattrs(hasher, path);
}

static void add_tree(struct qn_hasher *hasher, const char *path)
{
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    cr_assert_geq(count, 0, "%s", path);
    for (int i = 0; i < count; i++) {
        char below[PATH_MAX];
        bool is_dots = strcmp(names[i]->d_name, ".") == 0 || strcmp(names[i]->d_name, "..") == 0;
        snprintf(below, sizeof(below), "%s/%s", path, names[i]->d_name);
        struct stat status;
        if (!is_dots)
            add_object(hasher, below, names[i]->d_name);
        if (!is_dots && lstat(below, &status) == 0 && S_ISDIR(status.st_mode))
            add_tree(hasher, below);
        free(names[i]);
    }
    free(names);
}

struct qn_digest world_digest(const char *path)
{
    struct qn_hasher *hasher = qn_hasher_new();
    struct qn_digest digest;
    qn_hasher_start(hasher);
    add_tree(hasher, path);
    qn_hasher_finish(hasher, &digest);
    qn_hasher_free(hasher);
    return digest;
}

void world_remove(const char *path)
{
    nftw(path, tmp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void world_check_restored(struct world *world)
{
    char restored[PATH_MAX];
    snprintf(restored, sizeof(restored), "%s%s", world->out, world->source);
    struct qn_digest wanted = world_digest(world->source), got = world_digest(restored);
    cr_assert(qn_digest_eq(&wanted, &got), "what was restored is not what was there");
}

size_t world_count_packs(struct world *world)
{
    static struct qn_pack_name names[65536];
    size_t count;
    cr_assert_eq(qn_pool_list(qn_vault_pool(world->vault), NULL, 65536, names, &count), QN_OK);
    return count;
}

const char *world_pack_path(const struct world *world, const struct qn_pack_name *name, char *out)
{
    char *hex = span_hex(qn_span(name->bytes, sizeof(name->bytes)));
    int length = snprintf(out, TMP_PATH_SIZE, "%s/packs/%.2s/%s", world->vault_dir, hex, hex);
    cr_assert(length > 0 && length < TMP_PATH_SIZE);
    qn_free(hex);
    return out;
}

void world_flip(const char *path, long offset)
{
    uint8_t byte;
    cr_assert_eq(chmod(path, 0600), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t at = offset < 0 ? lseek(fd, 0, SEEK_END) + offset : offset;
    cr_assert_eq(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}
