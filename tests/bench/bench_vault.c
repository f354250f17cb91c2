/* A vault against a seeded tree: the first backup, one without a change, a restore to nowhere, a
 * verification with all data, a prune after everything was forgotten but the last. Prints JSON.
 *
 *   bench_vault [--scale F] [--dir D] [--pack-size BYTES] [--level L] [--keep]
 *
 * Scale 1 is 1 GiB: 20,000 small files, 200 of 1 to 4 MiB, 2 of 150 MiB; half of it text that
 * shrinks well, half noise.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/prng.h"
#include "vault/vault.h"

struct bench {
    double scale;
    char dir[512], source[600], vault_dir[600];
    struct qn_vault_options options;
    struct qn_vault *vault;
    struct qn_prng prng;
    uint64_t now_ms, restored_bytes, restored_files;
};

static void die(const char *what, enum qn_err err)
{
    fprintf(stderr, "bench_vault: %s: %s (%s)\n", what, qn_err_name(err), strerror(errno));
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Memory of its own, as the kernel counts it; of the whole run: the highest. */
static long status_kib(const char *field)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, field, strlen(field)) == 0)
            value = strtol(line + strlen(field) + 1, NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return value;
}

/* ---- the tree ---- */

static void fill_text(struct bench *bench, uint8_t *bytes, size_t size)
{
    static const char *const words[] = {"resident ",   "care ",    "plan ",   "2026-",   "invoice ",
                                        "meal ",       "night ",   "visit ",  "doctor ", "room ",
                                        "the ",        "of ",      "and ",    "a ",      "\n",
                                        "medication ", "0012345 ", "family ", "note: ",  "\t"};
    for (size_t at = 0; at < size;) {
        uint64_t draw = qn_prng_next(&bench->prng);
        for (int i = 0; i < 6 && at < size; i++, draw >>= 8) {
            const char *word = words[draw % 20];
            size_t length = strlen(word) < size - at ? strlen(word) : size - at;
            memcpy(bytes + at, word, length);
            at += length;
        }
        if (at < size)
            bytes[at++] = (uint8_t)(draw & 0x7f);
    }
}

static void fill_noise(struct bench *bench, uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += 8) {
        uint64_t draw = qn_prng_next(&bench->prng);
        memcpy(bytes + at, &draw, size - at < 8 ? size - at : 8);
    }
}

static void write_file(struct bench *bench, const char *name, size_t size, bool is_text)
{
    static uint8_t piece[1 << 20];
    char path[800];
    snprintf(path, sizeof(path), "%s/%s", bench->source, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    for (size_t done = 0; fd >= 0 && done < size;) {
        size_t some = size - done < sizeof(piece) ? size - done : sizeof(piece);
        is_text ? fill_text(bench, piece, some) : fill_noise(bench, piece, some);
        if (write(fd, piece, some) != (ssize_t)some)
            die(path, QN_ERR_IO);
        done += some;
    }
    if (fd < 0)
        die(path, QN_ERR_IO);
    close(fd);
}

static void make_dir(const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        die(path, QN_ERR_IO);
}

static void make_tree(struct bench *bench)
{
    char name[128], path[800];
    size_t small = (size_t)(20000 * bench->scale), medium = (size_t)(200 * bench->scale);
    make_dir(bench->source);
    for (size_t i = 0; i < small; i++) {
        if (i % 100 == 0) {
            snprintf(path, sizeof(path), "%s/s%zu", bench->source, i / 100);
            make_dir(path);
        }
        snprintf(name, sizeof(name), "s%zu/file-%zu.txt", i / 100, i);
        write_file(bench, name, 200 + qn_prng_below(&bench->prng, 24000), i % 2 == 0);
    }
    for (size_t i = 0; i < medium; i++) {
        snprintf(name, sizeof(name), "medium-%zu.bin", i);
        write_file(bench, name, (1 << 20) + qn_prng_below(&bench->prng, 3 << 20), i % 2 == 0);
    }
    size_t large = (size_t)(150.0 * 1024 * 1024 * (bench->scale < 1 ? bench->scale : 1));
    write_file(bench, "large-0.sql", large, true);
    write_file(bench, "large-1.img", large, false);
}

/* ---- jobs ---- */

static void open_vault(struct bench *bench)
{
    enum qn_err err = qn_vault_open(&bench->options, &bench->vault);
    if (err != QN_OK)
        die("open", err);
}

static double run_backup(struct bench *bench, const char *label, bool is_last)
{
    const char *paths[] = {bench->source};
    struct qn_backup_options options = {.plan = "bench",
                                        .site = "bench",
                                        .walk = {.paths = paths, .path_count = 1},
                                        .now_ms = bench->now_ms += 1000};
    struct qn_snapshot_name name;
    struct qn_backup_counts counts;
    double start = seconds();
    enum qn_err err = qn_vault_backup(bench->vault, &options, &name, &counts);
    double spent = seconds() - start;
    if (err != QN_OK)
        die(label, err);
    uint64_t files = counts.files_new + counts.files_changed + counts.files_unchanged;
    printf("\"%s\":{\"s\":%.3f,\"files\":%llu,\"files_per_s\":%.0f,\"mb\":%.1f,\"mb_per_s\":%.1f,"
           "\"mb_read\":%.1f,\"mb_stored\":%.1f,\"rss_anon_kib\":%ld}%s",
           label, spent, (unsigned long long)files, (double)files / spent,
           (double)counts.bytes / 1e6, (double)counts.bytes / 1e6 / spent,
           (double)counts.bytes_read / 1e6, (double)counts.bytes_stored / 1e6,
           status_kib("RssAnon:"), is_last ? "" : ",");
    return spent;
}

static enum qn_err on_entry(void *context, const struct qn_entry *entry)
{
    struct bench *bench = context;
    bench->restored_files += entry->type == QN_ENTRY_FILE;
    return QN_OK;
}

static enum qn_err on_bytes(void *context, const uint8_t *bytes, size_t size)
{
    struct bench *bench = context;
    (void)bytes;
    bench->restored_bytes += size;
    return QN_OK;
}

static enum qn_err on_end(void *context, enum qn_err err)
{
    (void)context;
    return err;
}

static void run_restore(struct bench *bench)
{
    qn_snapshot_vec snapshots = {0};
    enum qn_err err = qn_vault_snapshots(bench->vault, NULL, NULL, NULL, &snapshots);
    double start = seconds();
    if (err == QN_OK)
        err = qn_vault_restore(
            bench->vault, &(struct qn_restore_options){.snapshot = &snapshots.items[0].snapshot,
                                                       .on_entry = on_entry,
                                                       .on_bytes = on_bytes,
                                                       .on_entry_end = on_end,
                                                       .context = bench});
    double spent = seconds() - start;
    if (err != QN_OK)
        die("restore", err);
    printf("\"restore\":{\"s\":%.3f,\"files\":%llu,\"mb_per_s\":%.1f,\"rss_anon_kib\":%ld},", spent,
           (unsigned long long)bench->restored_files, (double)bench->restored_bytes / 1e6 / spent,
           status_kib("RssAnon:"));
    qn_snapshots_deinit(&snapshots);
}

static void run_verify(struct bench *bench, bool reads_data, const char *label)
{
    struct qn_verify_counts counts;
    double start = seconds();
    enum qn_err err = qn_vault_verify(bench->vault, reads_data, NULL, NULL, NULL, &counts);
    double spent = seconds() - start;
    if (err != QN_OK || counts.bad_chunks + counts.missing_chunks + counts.bad_packs > 0)
        die(label, err);
    printf("\"%s\":{\"s\":%.3f,\"packs\":%llu,\"chunks\":%llu},", label, spent,
           (unsigned long long)counts.packs, (unsigned long long)counts.chunks);
}

static void run_prune(struct bench *bench)
{
    qn_snapshot_vec snapshots = {0};
    enum qn_err err = qn_vault_snapshots(bench->vault, NULL, NULL, NULL, &snapshots);
    for (size_t i = 0; err == QN_OK && i + 1 < snapshots.count; i++)
        err = qn_vault_forget(bench->vault, &snapshots.items[i].name);
    qn_snapshots_deinit(&snapshots);
    struct qn_prune_options options = {.dead_percent = 10};
    struct qn_prune_counts counts;
    double start = seconds();
    if (err == QN_OK)
        err = qn_vault_prune(bench->vault, &options, &counts);
    if (err != QN_OK)
        die("prune", err);
    printf("\"prune\":{\"s\":%.3f},", seconds() - start);
}

static void run_reopen(struct bench *bench)
{
    qn_vault_close(bench->vault);
    double start = seconds();
    open_vault(bench);
    printf("\"open\":{\"s\":%.3f},", seconds() - start);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static void parse(struct bench *bench, int argc, char **argv, bool *ret_keeps)
{
    static uint8_t master[QN_MASTER_KEY_SIZE] = {1};
    bench->options = (struct qn_vault_options){.master = master,
                                               .epoch = 1,
                                               .pack_size = 4 << 20,
                                               .level = 3,
                                               .map_size = (uint64_t)1 << 30};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--keep") == 0)
            *ret_keeps = true;
        else if (strcmp(argv[i], "--scale") == 0)
            bench->scale = strtod(value, NULL), i++;
        else if (strcmp(argv[i], "--dir") == 0)
            snprintf(bench->dir, sizeof(bench->dir), "%s", value), i++;
        else if (strcmp(argv[i], "--pack-size") == 0)
            bench->options.pack_size = strtoull(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--level") == 0)
            bench->options.level = (int)strtol(value, NULL, 10), i++;
        else
            die(argv[i], QN_ERR_INVALID);
    }
}

static void place(struct bench *bench)
{
    if (bench->dir[0] == '\0') {
        const char *base = getenv("TMPDIR");
        snprintf(bench->dir, sizeof(bench->dir), "%s/quoin-bench-XXXXXX", base ? base : "/tmp");
        if (mkdtemp(bench->dir) == NULL)
            die(bench->dir, QN_ERR_IO);
    }
    make_dir(bench->dir);
    snprintf(bench->source, sizeof(bench->source), "%s/source", bench->dir);
    snprintf(bench->vault_dir, sizeof(bench->vault_dir), "%s/vault", bench->dir);
    bench->options.dir = bench->vault_dir;
    if (access(bench->source, F_OK) != 0)
        make_tree(bench);
}

int main(int argc, char **argv)
{
    struct bench bench = {.scale = 1, .prng = {.state = 42}, .now_ms = 1};
    bool keeps = false;
    parse(&bench, argc, argv, &keeps);
    place(&bench);
    nftw(bench.vault_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    open_vault(&bench);
    printf("{\"bench\":\"vault\",\"scale\":%.3f,", bench.scale);
    run_backup(&bench, "first", false);
    run_backup(&bench, "second", false);
    run_restore(&bench);
    run_verify(&bench, false, "verify");
    run_verify(&bench, true, "verify_data");
    run_prune(&bench);
    run_reopen(&bench);
    run_backup(&bench, "third", true);
    printf("}\n");
    qn_vault_close(bench.vault);
    if (!keeps)
        nftw(bench.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
