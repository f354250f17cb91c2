/* The weekly restore: files drawn from the latest snapshot of a plan, whole from their chunks, and
 * compared with what is on the disk where that has not changed since. Nothing is written: that each
 * chunk opens and bears its id is what a restore rests on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/job_run.h"
#include "base/prng.h"
#include "core/args.h"
#include "proto/pack.h"

#define SAMPLE_FILES 200
#define SAMPLE_SIZE  ((uint64_t)256 * 1024 * 1024)

struct drill {
    struct qn_job_run *run;
    struct qn_vault *vault;
    struct qn_prng prng;
    uint64_t files, bytes, compared, differing;
    int file; /* the file on the disk; -1: not compared */
    bool is_different;
};

/* The source, if it is still the file that was saved. */
static int open_source(const struct qn_entry *entry)
{
    char path[QN_PATH_SIZE_MAX + 2];
    struct stat now;
    snprintf(path, sizeof(path), "/%.*s", (int)entry->path.size, (const char *)entry->path.data);
    int file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return -1;
    if (fstat(file, &now) == 0 && S_ISREG(now.st_mode) && (uint64_t)now.st_size == entry->size &&
        now.st_mtim.tv_sec == entry->mtime_s && (uint32_t)now.st_mtim.tv_nsec == entry->mtime_ns &&
        now.st_ino == entry->inode)
        return file;
    close(file);
    return -1;
}

static bool is_same(int file, const uint8_t *bytes, size_t size)
{
    uint8_t part[16 * 1024];
    while (size > 0) {
        ssize_t got = read(file, part, size < sizeof(part) ? size : sizeof(part));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        for (ssize_t i = 0; i < got; i++)
            if (part[i] != (bytes == NULL ? 0 : bytes[i]))
                return false;
        bytes = bytes == NULL ? NULL : bytes + got;
        size -= (size_t)got;
    }
    return true;
}

static enum qn_err on_bytes(void *context, const uint8_t *bytes, size_t size)
{
    struct drill *drill = context;
    drill->bytes += size;
    if (drill->file >= 0 && !drill->is_different)
        drill->is_different = !is_same(drill->file, bytes, size);
    return atomic_load(&drill->run->progress.is_cancelled) ? QN_ERR_CLOSED : QN_OK;
}

/* A file that changed between our stat and our read is not the vault's fault. */
static void judge(struct drill *drill, const struct qn_entry *entry)
{
    int again = drill->is_different ? open_source(entry) : -1;
    if (again >= 0) {
        close(again);
        drill->differing++;
        qn_job_problem(drill->run, "differs", entry->path);
    }
}

static enum qn_err restore_one(struct drill *drill, const struct qn_entry *entry)
{
    drill->file = open_source(entry);
    drill->is_different = false;
    drill->compared += drill->file >= 0;
    enum qn_err err = qn_vault_content(drill->vault, entry, 0, on_bytes, drill);
    if (drill->file >= 0) {
        judge(drill, entry);
        close(drill->file);
    }
    drill->files++;
    if (err != QN_OK && err != QN_ERR_CLOSED)
        qn_job_problem(drill->run, "bad-chunk", entry->path);
    return err;
}

/* Each file with the same chance, so that about SAMPLE_FILES come. */
static enum qn_err walk(struct drill *drill, const struct qn_snapshot *snapshot)
{
    struct qn_tree_iter *iter;
    struct qn_entry entry;
    enum qn_err err, worst = QN_OK;
    QN_TRY(qn_vault_list(drill->vault, snapshot, &iter));
    uint64_t among = snapshot->root.entry_count / SAMPLE_FILES + 1;
    while (drill->bytes < SAMPLE_SIZE && (err = qn_tree_iter_next(iter, &entry)) == QN_OK) {
        if (entry.type != QN_ENTRY_FILE || qn_prng_below(&drill->prng, among) != 0)
            continue;
        err = restore_one(drill, &entry);
        if (err == QN_ERR_CLOSED)
            worst = err;
        else if (err != QN_OK && worst == QN_OK)
            worst = QN_ERR_CORRUPT;
        if (worst == QN_ERR_CLOSED)
            break;
    }
    qn_tree_iter_free(iter);
    return worst;
}

static enum qn_err latest(struct qn_job_run *run, struct qn_vault *vault, qn_snapshot_vec *all)
{
    char plan[QN_NAME_SIZE_MAX + 1];
    struct qn_span text;
    if (!args_text(qn_buf_view(&run->job->args), "plan", QN_NAME_SIZE_MAX, &text))
        return QN_ERR_INVALID;
    snprintf(plan, sizeof(plan), "%.*s", (int)text.size, (const char *)text.data);
    QN_TRY(qn_vault_snapshots(vault, plan, NULL, NULL, all));
    return all->count == 0 ? QN_ERR_NOTFOUND : QN_OK;
}

static void pack_counts(const struct drill *drill, const struct qn_snapshot_name *snapshot,
                        struct qn_buf *out)
{
    qn_pack_map(out, 5);
    qn_pack_cstr(out, "bytes");
    qn_pack_u64(out, drill->bytes);
    qn_pack_cstr(out, "compared");
    qn_pack_u64(out, drill->compared);
    qn_pack_cstr(out, "differing");
    qn_pack_u64(out, drill->differing);
    qn_pack_cstr(out, "files");
    qn_pack_u64(out, drill->files);
    qn_pack_cstr(out, "snapshot");
    qn_pack_bin(out, QN_SPAN_OF(snapshot->bytes));
}

enum qn_err qn_job_drill(struct qn_job_run *run, struct qn_vault *vault, struct qn_buf *out)
{
    struct drill drill = {.run = run, .vault = vault, .file = -1};
    qn_snapshot_vec all = {0};
    (void)args_u64(qn_buf_view(&run->job->args), "seed", &drill.prng.state);
    struct qn_snapshot_name tried = {0};
    enum qn_err err = latest(run, vault, &all);
    if (err == QN_OK) {
        tried = all.items[all.count - 1].name;
        err = walk(&drill, &all.items[all.count - 1].snapshot);
    }
    qn_snapshots_deinit(&all);
    if (err == QN_OK && drill.differing > 0)
        err = QN_ERR_CORRUPT;
    if (err == QN_OK)
        pack_counts(&drill, &tried, out);
    return err;
}
