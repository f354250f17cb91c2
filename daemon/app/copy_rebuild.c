#include "app/copy_rows.h"

struct rebuild {
    const struct qn_copy_rows_options *options;
    struct qn_vault_progress *progress;
    qn_vault_report on_report;
    void *context;
    struct qn_rebuild_counts counts;
};

static void report(struct rebuild *rebuild, const char *what, const struct qn_copy_row *row)
{
    rebuild->counts.bad++;
    if (rebuild->on_report != NULL)
        rebuild->on_report(rebuild->context, what, QN_SPAN_OF(row->info.name.bytes), 0);
}

static bool is_wrong(enum qn_err err)
{
    return err == QN_ERR_CORRUPT || err == QN_ERR_SIGNATURE || err == QN_ERR_LIMIT ||
           err == QN_ERR_INVALID || err == QN_ERR_UNSUPPORTED;
}

/* One snapshot that is not right does not keep the others back. */
static enum qn_err take_over(struct rebuild *rebuild, const struct qn_copy_row *row)
{
    QN_AUTO_BUF struct qn_buf live;
    qn_buf_init(&live, QN_LIVE_SIZE_MAX);
    enum qn_err err = qn_copy_row_names(rebuild->options, row, &live);
    if (err == QN_OK)
        err =
            qn_vault_adopt(rebuild->options->vault, qn_buf_view(&row->sealed), qn_buf_view(&live));
    if (err == QN_OK)
        rebuild->counts.snapshots++;
    if (!is_wrong(err))
        return err;
    report(rebuild, "bad-snapshot", row);
    return QN_OK;
}

static enum qn_err take_over_all(struct rebuild *rebuild)
{
    qn_copy_row_vec rows = {0};
    enum qn_err err = qn_copy_rows(rebuild->options, &rows, &rebuild->counts.bad);
    for (size_t i = 0; i < rows.count && err == QN_OK; i++)
        err = take_over(rebuild, &rows.items[i]);
    qn_copy_rows_deinit(&rows);
    return err;
}

enum qn_err qn_copies_rebuild(struct qn_copies *copies, const char *site, struct qn_vault *vault,
                              bool wants_data, struct qn_vault_progress *progress,
                              qn_vault_report on_report, void *context,
                              struct qn_rebuild_counts *ret_counts)
{
    struct qn_copy_rows_options options = {.copies = copies,
                                           .site = site,
                                           .vault = vault,
                                           .is_cancelled =
                                               progress == NULL ? NULL : &progress->is_cancelled};
    struct rebuild rebuild = {
        .options = &options, .progress = progress, .on_report = on_report, .context = context};
    uint64_t lost = 0;
    enum qn_err err = take_over_all(&rebuild);
    if (err == QN_OK)
        err = qn_vault_complete(vault, wants_data, progress, on_report, context,
                                &rebuild.counts.packs, &lost);
    rebuild.counts.bad += lost;
    *ret_counts = rebuild.counts;
    return err;
}
