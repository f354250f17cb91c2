/* A run of a plan: its commands, then the walk, with their output among the files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/job_commands.h"
#include "app/site_store.h"
#include "core/args.h"
#include "os/os.h"
#include "proto/pack.h"

#define PATHS_MAX QN_SNAPSHOT_PATHS_MAX

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

static void pack_count(struct qn_buf *out, const char *key, uint64_t value)
{
    qn_pack_cstr(out, key);
    qn_pack_u64(out, value);
}

static void pack_counts(const struct qn_job_outcome *outcome, struct qn_buf *out)
{
    const struct qn_backup_counts *counts = &outcome->counts;
    qn_pack_map(out, 9);
    pack_count(out, "bytes", counts->bytes);
    pack_count(out, "bytes_new", counts->bytes_new);
    pack_count(out, "bytes_read", counts->bytes_read);
    pack_count(out, "bytes_stored", counts->bytes_stored);
    pack_count(out, "errors", counts->errors + outcome->command_errors);
    pack_count(out, "files_changed", counts->files_changed);
    pack_count(out, "files_new", counts->files_new);
    pack_count(out, "files_unchanged", counts->files_unchanged);
    qn_pack_cstr(out, "name");
    qn_pack_bin(out, QN_SPAN_OF(outcome->name.bytes));
}

static void on_report(void *context, const char *what, struct qn_span path, int errno_value)
{
    struct qn_job_run *run = context;
    if (strcmp(what, "stream") == 0)
        qn_job_commands_tell(run->commands, path);
    else
        qn_job_on_report(run, what, path, errno_value);
}

static enum qn_err read_stream(void *context, size_t index, uint8_t *out, size_t size,
                               size_t *ret_size)
{
    struct qn_job_run *run = context;
    return qn_job_commands_read(run->commands, index, out, size, ret_size);
}

static enum qn_err put_store(void *context, struct qn_backup *backup)
{
    const struct qn_job_run *run = context;
    return qn_site_store_put(qn_jobs_store(run->jobs), backup);
}

static enum qn_err backup_with(struct qn_job_run *run, struct qn_vault *vault,
                               const struct qn_jobs_options *jobs, const struct paths *paths,
                               const struct qn_exclude *exclude)
{
    struct qn_span args = qn_buf_view(&run->job->args);
    struct qn_backup_options options = {
        .plan = run->commands->plan,
        .site = jobs->site,
        .walk = {.paths = paths->items,
                 .path_count = paths->count,
                 .exclude = exclude,
                 .reader_socket = jobs->reader_socket},
        .streams = run->commands->paths,
        .stream_count = run->commands->config.stream_count,
        .read_stream = read_stream,
        .now_ms = qn_os_wall_ms(),
        .clock_ms = clock_ms,
        .progress = &run->progress,
        .on_report = on_report,
        .on_pack = qn_job_on_pack,
        .on_snapshot = qn_job_on_snapshot,
        .put_store = jobs->store != NULL ? put_store : NULL,
        .context = run,
    };
    if (!args_u64(args, "partial_every_ms", &options.partial_every_ms))
        return QN_ERR_INVALID;
    struct qn_job_outcome *outcome = &run->outcome;
    return qn_vault_backup(vault, &options, &outcome->name, &outcome->counts);
}

static enum qn_err walk(struct qn_job_run *run, struct qn_vault *vault,
                        const struct qn_jobs_options *jobs)
{
    struct qn_span args = qn_buf_view(&run->job->args);
    struct paths *paths = QN_NEW(struct paths);
    struct qn_exclude *exclude = qn_exclude_new();
    enum qn_err err = take_paths(args, paths);
    if (err == QN_OK)
        err = take_exclude(args, exclude);
    if (err == QN_OK)
        err = backup_with(run, vault, jobs, paths, exclude);
    qn_exclude_free(exclude);
    qn_buf_deinit(&paths->text);
    qn_free(paths);
    return err;
}

enum qn_err qn_job_backup(struct qn_job_run *run, struct qn_vault *vault,
                          const struct qn_jobs_options *jobs, struct qn_buf *out)
{
    struct qn_span plan;
    if (!args_text(qn_buf_view(&run->job->args), "plan", QN_NAME_SIZE_MAX, &plan))
        return QN_ERR_INVALID;
    run->commands = qn_job_commands_new(run, jobs->site, plan);
    enum qn_err err = qn_job_commands_before(run->commands);
    if (err == QN_OK)
        err = walk(run, vault, jobs);
    qn_job_commands_after(run->commands, err);
    qn_job_commands_free(run->commands);
    run->commands = NULL;
    if (err == QN_OK)
        pack_counts(&run->outcome, out);
    return err;
}
