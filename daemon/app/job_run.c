#include "app/job_run.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/site_store.h"
#include "base/search.h"
#include "core/args.h"
#include "os/os.h"
#include "proto/pack.h"

#define PATHS_MAX     QN_SNAPSHOT_PATHS_MAX
#define DEAD_PERCENT  10
#define PACK_ROW_SIZE (sizeof(struct qn_pack_name) + 5)
#define CATALOG_PACKS 1024 /* told at once */

void qn_job_run_init(struct qn_job_run *run, struct qn_jobs *jobs, struct qn_job *job)
{
    *run = (struct qn_job_run){.jobs = jobs, .job = job};
}

/* ---- news ---- */

static void pack_count(struct qn_buf *out, const char *key, uint64_t value)
{
    qn_pack_cstr(out, key);
    qn_pack_u64(out, value);
}

void qn_job_pack_progress(const struct qn_vault_progress *progress, struct qn_buf *out)
{
    qn_pack_map(out, 6);
    pack_count(out, "bytes_done", atomic_load(&progress->bytes_done));
    pack_count(out, "bytes_total", atomic_load(&progress->bytes_total));
    pack_count(out, "errors", atomic_load(&progress->errors));
    pack_count(out, "files_done", atomic_load(&progress->files_done));
    pack_count(out, "files_total", atomic_load(&progress->files_total));
    pack_count(out, "stored", atomic_load(&progress->bytes_stored));
}

static void tell(struct qn_job_run *run, enum qn_job_news news, enum qn_err err,
                 struct qn_buf *take_payload)
{
    struct qn_job_item item = {
        .token = run->job->token, .news = news, .err = err, .payload = *take_payload};
    qn_jobs_tell(run->jobs, &item);
}

static void tell_packs(struct qn_job_run *run, struct qn_span rows)
{
    struct qn_buf payload;
    if (rows.size == 0)
        return;
    qn_buf_init(&payload, rows.size + 64);
    qn_pack_map(&payload, 1);
    qn_pack_cstr(&payload, "packs");
    qn_pack_bin(&payload, rows);
    tell(run, QN_JOB_PACKS, QN_OK, &payload);
}

static void append_pack(const struct qn_pack_name *name, size_t size, enum qn_pack_kind kind,
                        struct qn_buf *out)
{
    qn_buf_append(out, name->bytes, sizeof(name->bytes));
    qn_buf_append_u32(out, (uint32_t)size);
    qn_buf_append_u8(out, (uint8_t)kind);
}

/* One that was just made: it can travel at once. */
static void on_pack(void *context, const struct qn_pack_name *name, size_t size,
                    enum qn_pack_kind kind)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, PACK_ROW_SIZE);
    append_pack(name, size, kind, &row);
    tell_packs(context, qn_buf_view(&row));
}

/* Unreadable files may be many: a person reads the first ones, and the count. */
static void on_report(void *context, const char *what, struct qn_span path, int errno_value)
{
    struct qn_job_run *run = context;
    if (run->problems++ >= QN_JOB_PROBLEMS_MAX)
        return;
    struct qn_buf payload;
    qn_buf_init(&payload, QN_PATH_SIZE_MAX + 256);
    qn_pack_map(&payload, 3);
    pack_count(&payload, "errno", (uint64_t)(errno_value < 0 ? 0 : errno_value));
    qn_pack_cstr(&payload, "path");
    qn_pack_bin(&payload, path);
    qn_pack_cstr(&payload, "what");
    qn_pack_cstr(&payload, what);
    tell(run, QN_JOB_PROBLEM, QN_OK, &payload);
}

void qn_job_problem(struct qn_job_run *run, const char *what, struct qn_span path)
{
    on_report(run, what, path, 0);
}

static void pack_snapshot(const struct qn_snapshot_info *info, struct qn_span live,
                          struct qn_buf *out)
{
    const struct qn_snapshot *snapshot = &info->snapshot;
    qn_pack_map(out, 8);
    pack_count(out, "bytes", snapshot->counts.bytes);
    pack_count(out, "bytes_stored", snapshot->counts.bytes_stored);
    pack_count(out, "files", snapshot->root.entry_count);
    qn_pack_cstr(out, "live");
    qn_pack_bin(out, live);
    qn_pack_cstr(out, "name");
    qn_pack_bin(out, QN_SPAN_OF(info->name.bytes));
    qn_pack_cstr(out, "partial");
    qn_pack_bool(out, snapshot->is_partial);
    qn_pack_cstr(out, "plan");
    qn_pack_cstr(out, snapshot->plan);
    pack_count(out, "time", snapshot->started_ms);
}

/* Tells of one snapshot, with its list of packs. */
static void on_snapshot(void *context, const struct qn_snapshot_name *name)
{
    struct qn_job_run *run = context;
    struct qn_vault *vault;
    struct qn_snapshot_info info = {.name = *name};
    QN_AUTO_BUF struct qn_buf sealed, live;
    qn_buf_init(&sealed, QN_SNAPSHOT_SIZE_MAX);
    qn_buf_init(&live, QN_LIVE_SIZE_MAX);
    qn_buf_init(&info.plain, QN_SNAPSHOT_SIZE_MAX);
    struct qn_buf payload;
    qn_buf_init(&payload, QN_LIVE_SIZE_MAX + 4096);
    if (qn_jobs_vault(run->jobs, &vault) == QN_OK &&
        qn_vault_snapshot_files(vault, name, &sealed, &live) == QN_OK &&
        qn_vault_snapshot_read(vault, qn_buf_view(&sealed), &info.plain, &info.snapshot) == QN_OK) {
        pack_snapshot(&info, qn_buf_view(&live), &payload);
        tell(run, QN_JOB_SNAPSHOT, QN_OK, &payload);
    } else {
        qn_buf_deinit(&payload);
        on_report(run, "snapshot", QN_SPAN_OF(name->bytes), 0);
    }
    qn_buf_deinit(&info.plain);
}

/* ---- arguments: made by the core, so they are well formed; a bug there is an INVALID ---- */

struct paths {
    const char *items[PATHS_MAX];
    size_t count;
    struct qn_buf text;
};

static int cmp_paths(const void *a, const void *b)
{
    return qn_path_cmp(qn_span_str(*(const char *const *)a), qn_span_str(*(const char *const *)b));
}

static enum qn_err take_paths(struct qn_span args, struct paths *ret_paths)
{
    struct qn_cursor cursor = qn_cursor(args_value(args, "paths"));
    size_t offsets[PATHS_MAX];
    qn_buf_init(&ret_paths->text, PATHS_MAX * (QN_PATH_SIZE_MAX + 1));
    QN_TRY(qn_cursor_array(&cursor, PATHS_MAX, &ret_paths->count));
    for (size_t i = 0; i < ret_paths->count; i++) {
        struct qn_span path;
        QN_TRY(qn_cursor_bin(&cursor, QN_PATH_SIZE_MAX, &path));
        offsets[i] = ret_paths->text.size;
        qn_buf_append_span(&ret_paths->text, path);
        qn_buf_append_u8(&ret_paths->text, 0);
    }
    for (size_t i = 0; i < ret_paths->count; i++)
        ret_paths->items[i] = (const char *)ret_paths->text.data + offsets[i];
    qsort(ret_paths->items, ret_paths->count, sizeof(ret_paths->items[0]), cmp_paths);
    return qn_buf_status(&ret_paths->text);
}

static enum qn_err take_exclude(struct qn_span args, struct qn_exclude *exclude)
{
    struct qn_cursor cursor = qn_cursor(args_value(args, "exclude"));
    size_t count = 0;
    if (args_value(args, "exclude").size > 0)
        QN_TRY(qn_cursor_array(&cursor, QN_EXCLUDE_PATTERNS_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct qn_span pattern;
        QN_TRY(qn_cursor_str(&cursor, QN_PATH_SIZE_MAX, &pattern));
        QN_TRY(qn_exclude_add(exclude, pattern));
    }
    return QN_OK;
}

/* ---- the work ---- */

static uint64_t clock_ms(void *context)
{
    (void)context;
    return qn_os_wall_ms();
}

static void on_walk_error(void *context, struct qn_span path, int errno_value)
{
    struct qn_job_run *run = context;
    atomic_fetch_add(&run->progress.errors, 1);
    on_report(run, "unreadable", path, errno_value);
}

static enum qn_err put_store(void *context, struct qn_backup *backup)
{
    const struct qn_job_run *run = context;
    return qn_site_store_put(qn_jobs_store(run->jobs), backup);
}

static void pack_backup_counts(const struct qn_snapshot_name *name,
                               const struct qn_backup_counts *counts, struct qn_buf *out)
{
    qn_pack_map(out, 9);
    pack_count(out, "bytes", counts->bytes);
    pack_count(out, "bytes_new", counts->bytes_new);
    pack_count(out, "bytes_read", counts->bytes_read);
    pack_count(out, "bytes_stored", counts->bytes_stored);
    pack_count(out, "errors", counts->errors);
    pack_count(out, "files_changed", counts->files_changed);
    pack_count(out, "files_new", counts->files_new);
    pack_count(out, "files_unchanged", counts->files_unchanged);
    qn_pack_cstr(out, "name");
    qn_pack_bin(out, QN_SPAN_OF(name->bytes));
}

static enum qn_err backup_with(struct qn_job_run *run, struct qn_vault *vault,
                               const struct qn_jobs_options *jobs, const struct paths *paths,
                               const struct qn_exclude *exclude, struct qn_buf *out)
{
    struct qn_span args = qn_buf_view(&run->job->args), plan_text;
    char plan[QN_NAME_SIZE_MAX + 1];
    struct qn_backup_options options = {
        .plan = plan,
        .site = jobs->site,
        .walk = {.paths = paths->items,
                 .path_count = paths->count,
                 .exclude = exclude,
                 .reader_socket = jobs->reader_socket,
                 .on_error = on_walk_error,
                 .context = run},
        .stream_fd = -1,
        .now_ms = qn_os_wall_ms(),
        .clock_ms = clock_ms,
        .progress = &run->progress,
        .on_report = on_report,
        .on_pack = on_pack,
        .on_snapshot = on_snapshot,
        .put_store = jobs->store != NULL ? put_store : NULL,
        .context = run,
    };
    if (!args_text(args, "plan", QN_NAME_SIZE_MAX, &plan_text) ||
        !args_u64(args, "partial_every_ms", &options.partial_every_ms))
        return QN_ERR_INVALID;
    snprintf(plan, sizeof(plan), "%.*s", (int)plan_text.size, (const char *)plan_text.data);
    struct qn_snapshot_name name;
    struct qn_backup_counts counts;
    QN_TRY(qn_vault_backup(vault, &options, &name, &counts));
    pack_backup_counts(&name, &counts, out);
    return QN_OK;
}

static enum qn_err run_backup(struct qn_job_run *run, struct qn_vault *vault,
                              const struct qn_jobs_options *jobs, struct qn_buf *out)
{
    struct qn_span args = qn_buf_view(&run->job->args);
    struct paths *paths = QN_NEW(struct paths);
    struct qn_exclude *exclude = qn_exclude_new();
    enum qn_err err = take_paths(args, paths);
    if (err == QN_OK)
        err = take_exclude(args, exclude);
    if (err == QN_OK)
        err = backup_with(run, vault, jobs, paths, exclude, out);
    qn_exclude_free(exclude);
    qn_buf_deinit(&paths->text);
    qn_free(paths);
    return err;
}

static enum qn_err forget_all(struct qn_vault *vault, struct qn_span args)
{
    struct qn_cursor cursor = qn_cursor(args_value(args, "forget"));
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, SIZE_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct qn_snapshot_name name;
        QN_TRY(qn_cursor_bytes(&cursor, name.bytes, sizeof(name.bytes)));
        enum qn_err err = qn_vault_forget(vault, &name);
        if (err != QN_OK && err != QN_ERR_NOTFOUND) /* the vault forgets partial ones by itself */
            return err;
    }
    return QN_OK;
}

static int order_of_name(const void *item, const void *key)
{
    return memcmp(item, key, sizeof(struct qn_pack_name));
}

/* Sorted names, in the arguments. */
static bool is_pinned(void *context, const struct qn_pack_name *name)
{
    struct qn_job_run *run = context;
    struct qn_cursor cursor = qn_cursor(args_value(qn_buf_view(&run->job->args), "pinned"));
    struct qn_span names;
    if (qn_cursor_bin(&cursor, SIZE_MAX, &names) != QN_OK)
        return false;
    bool is_there;
    qn_search(names.data, names.size / sizeof(*name), sizeof(*name), name, order_of_name,
              &is_there);
    return is_there;
}

static enum qn_err run_prune(struct qn_job_run *run, struct qn_vault *vault, struct qn_buf *out)
{
    struct qn_prune_options options = {.dead_percent = DEAD_PERCENT,
                                       .is_pinned = is_pinned,
                                       .progress = &run->progress,
                                       .on_pack = on_pack,
                                       .on_relist = on_snapshot,
                                       .context = run};
    struct qn_prune_counts counts;
    QN_TRY(forget_all(vault, qn_buf_view(&run->job->args)));
    QN_TRY(qn_vault_prune(vault, &options, &counts));
    qn_pack_map(out, 5);
    pack_count(out, "bytes_dead_left", counts.bytes_dead_left);
    pack_count(out, "bytes_freed", counts.bytes_freed);
    pack_count(out, "bytes_rewritten", counts.bytes_rewritten);
    pack_count(out, "packs_removed", counts.packs_removed);
    pack_count(out, "packs_rewritten", counts.packs_rewritten);
    return QN_OK;
}

static enum qn_err run_verify(struct qn_job_run *run, struct qn_vault *vault, struct qn_buf *out)
{
    struct qn_cursor cursor = qn_cursor(args_value(qn_buf_view(&run->job->args), "read_data"));
    bool reads_data;
    struct qn_verify_counts counts;
    QN_TRY(qn_cursor_bool(&cursor, &reads_data));
    QN_TRY(qn_vault_verify(vault, reads_data, &run->progress, on_report, run, &counts));
    qn_pack_map(out, 8);
    pack_count(out, "bad_chunks", counts.bad_chunks);
    pack_count(out, "bad_packs", counts.bad_packs);
    pack_count(out, "bytes", counts.bytes);
    pack_count(out, "chunks", counts.chunks);
    pack_count(out, "missing_chunks", counts.missing_chunks);
    pack_count(out, "packs", counts.packs);
    pack_count(out, "repaired", counts.repaired);
    pack_count(out, "snapshots", counts.snapshots);
    return QN_OK;
}

struct catalog {
    struct qn_job_run *run;
    struct qn_buf rows; /* packs that are not told yet */
};

static void on_known_pack(void *context, const struct qn_pack_name *name, size_t size,
                          enum qn_pack_kind kind)
{
    struct catalog *catalog = context;
    append_pack(name, size, kind, &catalog->rows);
    if (catalog->rows.size < CATALOG_PACKS * PACK_ROW_SIZE)
        return;
    tell_packs(catalog->run, qn_buf_view(&catalog->rows));
    qn_buf_reset(&catalog->rows);
}

static enum qn_err catalog_packs(struct qn_job_run *run, struct qn_vault *vault)
{
    struct catalog catalog = {.run = run};
    qn_buf_init(&catalog.rows, CATALOG_PACKS * PACK_ROW_SIZE);
    enum qn_err err = qn_vault_packs(vault, on_known_pack, &catalog);
    if (err == QN_OK)
        tell_packs(run, qn_buf_view(&catalog.rows));
    qn_buf_deinit(&catalog.rows);
    return err;
}

/* Everything that the vault has, as if it had just been made. */
static enum qn_err run_catalog(struct qn_job_run *run, struct qn_vault *vault, struct qn_buf *out)
{
    qn_snapshot_vec snapshots = {0};
    QN_TRY(catalog_packs(run, vault));
    enum qn_err err = qn_vault_snapshots(vault, NULL, on_report, run, &snapshots);
    if (err == QN_OK)
        qn_vec_each (&snapshots, info)
            on_snapshot(run, &info->name);
    qn_snapshots_deinit(&snapshots);
    qn_pack_map(out, 0);
    return err;
}

/* From a holder. The catalog that follows tells the core what is here then. */
static enum qn_err run_rebuild(struct qn_job_run *run, struct qn_vault *vault,
                               const struct qn_jobs_options *jobs, struct qn_buf *out)
{
    struct qn_span args = qn_buf_view(&run->job->args), text;
    struct qn_cursor cursor = qn_cursor(args_value(args, "data"));
    char site[QN_NAME_SIZE_MAX + 1];
    bool wants_data;
    struct qn_rebuild_counts counts;
    if (jobs->copies == NULL || !args_text(args, "site", QN_NAME_SIZE_MAX, &text))
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_bool(&cursor, &wants_data));
    snprintf(site, sizeof(site), "%.*s", (int)text.size, (const char *)text.data);
    QN_TRY(qn_copies_rebuild(jobs->copies, site, vault, wants_data, &run->progress, on_report, run,
                             &counts));
    qn_pack_map(out, 3);
    pack_count(out, "bad", counts.bad);
    pack_count(out, "packs", counts.packs);
    pack_count(out, "snapshots", counts.snapshots);
    return QN_OK;
}

static enum qn_err run_kind(struct qn_job_run *run, const struct qn_jobs_options *options,
                            struct qn_buf *out)
{
    struct qn_vault *vault;
    if (run->job->kind == QN_JOB_CATALOG && !qn_jobs_has_vault(run->jobs)) {
        qn_pack_map(out, 0);
        return QN_OK;
    }
    QN_TRY(qn_jobs_vault(run->jobs, &vault));
    switch (run->job->kind) {
    case QN_JOB_BACKUP:
        return run_backup(run, vault, options, out);
    case QN_JOB_PRUNE:
        return run_prune(run, vault, out);
    case QN_JOB_VERIFY:
        return run_verify(run, vault, out);
    case QN_JOB_DRILL:
        return qn_job_drill(run, vault, out);
    case QN_JOB_CATALOG:
        return run_catalog(run, vault, out);
    case QN_JOB_REBUILD:
        return run_rebuild(run, vault, options, out);
    }
    return QN_ERR_INVALID;
}

void qn_job_run(struct qn_job_run *run, const struct qn_jobs_options *options)
{
    struct qn_buf out;
    qn_buf_init(&out, 4096);
    enum qn_err err = run_kind(run, options, &out);
    if (err != QN_OK) {
        qn_buf_reset(&out);
        qn_pack_map(&out, 0);
    }
    tell(run, QN_JOB_DONE, err, &out);
}
