#include "app/backup_view.h"

#include <stdio.h>

#include "core/args.h"
#include "proto/pack.h"

#define BATCH_SIZE (120 * 1024)

enum qn_err qn_backup_view_refuse(struct backup_view *view, enum qn_err err, const char *code,
                                  struct qn_span object)
{
    qn_view_refuse(view->view, err, code, object);
    return err;
}

/* ---- lists of answers: several items a frame ---- */

void qn_backup_batch_start(struct backup_view *view)
{
    qn_buf_init(&view->batch, BATCH_SIZE + 2 * QN_XATTR_SIZE_MAX + 8 * QN_PATH_SIZE_MAX);
    view->count = 0;
}

static enum qn_err batch_flush(struct backup_view *view)
{
    if (view->count == 0)
        return QN_OK;
    struct qn_buf *out;
    QN_TRY(qn_view_begin(view->view, &out));
    qn_pack_array(out, view->count);
    qn_pack_raw(out, qn_buf_view(&view->batch));
    qn_buf_reset(&view->batch);
    view->count = 0;
    return qn_view_end(view->view);
}

enum qn_err qn_backup_batch_added(struct backup_view *view)
{
    view->count++;
    QN_TRY(qn_buf_status(&view->batch));
    return view->batch.size >= BATCH_SIZE ? batch_flush(view) : QN_OK;
}

void qn_backup_batch_end(struct backup_view *view, enum qn_err err)
{
    QN_AUTO_BUF struct qn_buf item;
    if (err == QN_OK)
        err = batch_flush(view);
    qn_buf_deinit(&view->batch);
    qn_buf_init(&item, 16);
    qn_pack_nil(&item);
    if (err == QN_OK)
        qn_view_finish(view->view, qn_buf_view(&item));
    else
        qn_view_refuse(view->view, err, qn_snapshot_code(err), qn_span_str(""));
}

void qn_backup_view_add_entry(const struct qn_entry *entry, struct qn_buf *out)
{
    struct qn_buf packed;
    qn_buf_init(&packed, QN_ENTRY_SIZE_MAX);
    qn_entry_pack(entry, qn_span(NULL, 0), &packed);
    qn_pack_bin(out, qn_buf_view(&packed));
    qn_buf_deinit(&packed);
}

static const struct {
    const char *command, *args;
    void (*run)(struct backup_view *view);
} commands[] = {
    {"backup.ls", "from name path recursive snapshot store", qn_backup_view_ls},
    {"backup.find", "from name pattern", qn_backup_view_find},
    {"backup.held", "from name", qn_backup_view_list},
    {"backup.diff", "a b from name", qn_backup_view_diff},
    {"backup.restore", "from name paths snapshot store", qn_backup_view_restore},
};

static void run_command(struct backup_view *view, struct qn_span command)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!qn_span_eq_str(command, commands[i].command))
            continue;
        if (args_are_only(view->args, commands[i].args))
            commands[i].run(view);
        else
            qn_backup_view_refuse(view, QN_ERR_INVALID, "bad-request", command);
        return;
    }
    qn_backup_view_refuse(view, QN_ERR_NOTFOUND, "unknown-command", command);
}

/* The vault of this site, or the copy at the site that `from` names. */
static enum qn_err open_place(struct backup_view *view)
{
    struct qn_jobs *jobs = qn_view_jobs(view->view);
    struct qn_span from;
    char site[QN_NAME_SIZE_MAX + 1];
    if (args_value(view->args, "from").size == 0)
        return qn_jobs_vault(jobs, &view->place.vault);
    if (!args_text(view->args, "from", QN_NAME_SIZE_MAX, &from))
        return QN_ERR_INVALID;
    snprintf(site, sizeof(site), "%.*s", (int)from.size, (const char *)from.data);
    QN_TRY(
        qn_jobs_copy(jobs, site, &qn_view_progress(view->view)->is_cancelled, &view->place.copy));
    view->place.vault = qn_copy_vault_of(view->place.copy);
    return QN_OK;
}

/* Why the place could not be opened. */
static const char *open_code(enum qn_err err)
{
    if (err == QN_ERR_HELD)
        return "recovering";
    return err == QN_ERR_BUSY ? "vault-busy" : "vault-failed";
}

void qn_backup_view_run(struct qn_view *raw)
{
    const struct qn_view_task *task = qn_view_task(raw);
    struct backup_view view = {
        .view = raw, .args = qn_buf_view(&task->args), .place = {.view = raw}};
    enum qn_err err = open_place(&view);
    if (err != QN_OK)
        qn_backup_view_refuse(&view, err, open_code(err),
                              qn_span_str(err == QN_ERR_HELD ? "" : qn_err_name(err)));
    else
        run_command(&view, qn_buf_view(&task->command));
    qn_copy_vault_close(view.place.copy);
}
