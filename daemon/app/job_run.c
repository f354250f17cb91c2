#include "app/job_run.h"

#include <stdio.h>

#include "base/search.h"
#include "core/args.h"
#include "os/os.h"
#include "proto/pack.h"

#define DEAD_PERCENT  10
#define DEAD_BYTES    (64 * 1024)
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

void qn_job_tell(struct qn_job_run *run, enum qn_job_news news, enum qn_err err,
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
    qn_job_tell(run, QN_JOB_PACKS, QN_OK, &payload);
}

static void append_pack(const struct qn_pack_name *name, size_t size, enum qn_pack_kind kind,
                        struct qn_buf *out)
{
    qn_buf_append(out, name->bytes, sizeof(name->bytes));
    qn_buf_append_u32(out, (uint32_t)size);
    qn_buf_append_u8(out, (uint8_t)kind);
}

/* One that was just made: it can travel at once. */
void qn_job_on_pack(void *context, const struct qn_pack_name *name, size_t size,
                    enum qn_pack_kind kind)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, PACK_ROW_SIZE);
    append_pack(name, size, kind, &row);
    tell_packs(context, qn_buf_view(&row));
}

static void pack_problem(const struct qn_job_problem *problem, struct qn_buf *out)
{
    bool is_command = problem->tail != NULL;
    qn_pack_map(out, is_command ? 5 : 3);
    pack_count(out, "errno", problem->errno_value < 0 ? 0 : (uint64_t)problem->errno_value);
    qn_pack_cstr(out, "path");
    qn_pack_bin(out, problem->path);
    if (is_command) {
        pack_count(out, "status", problem->status);
        qn_pack_cstr(out, "text");
        qn_pack_bin(out, qn_span_str(problem->tail));
    }
    qn_pack_cstr(out, "what");
    qn_pack_cstr(out, problem->what);
}

/* Unreadable files may be many: a person reads the first ones, and the count. */
void qn_job_tell_problem(struct qn_job_run *run, const struct qn_job_problem *problem)
{
    if (run->problems++ >= QN_JOB_PROBLEMS_MAX)
        return;
    struct qn_buf payload;
    qn_buf_init(&payload, QN_PATH_SIZE_MAX + QN_PROCESS_TAIL_SIZE + 256);
    pack_problem(problem, &payload);
    qn_job_tell(run, QN_JOB_PROBLEM, QN_OK, &payload);
}

void qn_job_on_report(void *context, const char *what, struct qn_span path, int errno_value)
{
    qn_job_tell_problem(
        context, &(struct qn_job_problem){.what = what, .path = path, .errno_value = errno_value});
}

void qn_job_problem(struct qn_job_run *run, const char *what, struct qn_span path)
{
    qn_job_on_report(run, what, path, 0);
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
void qn_job_on_snapshot(void *context, const struct qn_snapshot_name *name)
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
        qn_job_tell(run, QN_JOB_SNAPSHOT, QN_OK, &payload);
    } else {
        qn_buf_deinit(&payload);
        qn_job_problem(run, "snapshot", QN_SPAN_OF(name->bytes));
    }
    qn_buf_deinit(&info.plain);
}

/* ---- the work; arguments are made by the core, so they are well formed ---- */

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
                                       .dead_bytes = DEAD_BYTES,
                                       .is_pinned = is_pinned,
                                       .progress = &run->progress,
                                       .on_pack = qn_job_on_pack,
                                       .on_relist = qn_job_on_snapshot,
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
    QN_TRY(qn_vault_verify(vault, reads_data, &run->progress, qn_job_on_report, run, &counts));
    qn_pack_map(out, 9);
    pack_count(out, "bad_chunks", counts.bad_chunks);
    pack_count(out, "bad_packs", counts.bad_packs);
    pack_count(out, "bytes", counts.bytes);
    pack_count(out, "chunks", counts.chunks);
    pack_count(out, "elsewhere", counts.elsewhere);
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
    enum qn_err err = qn_vault_snapshots(vault, NULL, qn_job_on_report, run, &snapshots);
    if (err == QN_OK)
        qn_vec_each (&snapshots, info)
            qn_job_on_snapshot(run, &info->name);
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
    QN_TRY(qn_copies_rebuild(jobs->copies, site, vault, wants_data, &run->progress,
                             qn_job_on_report, run, &counts));
    qn_pack_map(out, 3);
    pack_count(out, "bad", counts.bad);
    pack_count(out, "packs", counts.packs);
    pack_count(out, "snapshots", counts.snapshots);
    return QN_OK;
}

/* What the core could not read. */
static enum qn_err run_mend(struct qn_job_run *run, struct qn_vault *vault, struct qn_buf *out)
{
    struct qn_cursor cursor = qn_cursor(args_value(qn_buf_view(&run->job->args), "packs"));
    struct qn_span names;
    struct qn_mend_counts counts;
    QN_TRY(qn_cursor_bin(&cursor, SIZE_MAX, &names));
    QN_TRY(qn_vault_mend_packs(vault, names, &run->progress, &counts));
    qn_pack_map(out, 3);
    pack_count(out, "lost", counts.lost);
    pack_count(out, "repaired", counts.repaired);
    pack_count(out, "whole", counts.whole);
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
        return qn_job_backup(run, vault, options, out);
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
    case QN_JOB_RECALL:
        return qn_job_recall(run, vault, options, out);
    case QN_JOB_MEND:
        return run_mend(run, vault, out);
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
    qn_job_tell(run, QN_JOB_DONE, err, &out);
}
