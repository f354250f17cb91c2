/* The copy of this site's vault at one holder, as a vault of its own: nothing of the local vault is
 * used, so that it may be empty, damaged or busy, and nothing that a holder says gets into it. */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/copy_rows.h"
#include "os/os.h"

#define READERS 8 /* that wait for the line side by side */

struct qn_copy_vault {
    struct qn_copies *copies;
    char *site;
    char dir[4096];
    const atomic_bool *is_cancelled;
    struct qn_copy_source *source;
    struct qn_vault *vault;
    qn_copy_row_vec rows;                   /* of the last qn_copy_vault_snapshots */
    QN_VEC(struct qn_snapshot_name) hinted; /* of them: read by their places so far */
    bool is_distrusted;
    const char *code; /* of the core's last answer about lists */
};

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static enum qn_err remove_all(const char *dir)
{
    if (nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return qn_os_err(errno);
    return QN_OK;
}

/* Made again when it cannot be used: there is nothing in it that cannot be had once more. */
static enum qn_err open_vault(const struct qn_copy_vault_options *options,
                              struct qn_copy_vault *copy)
{
    struct qn_pack_source source = qn_copy_source_view(copy->source);
    struct qn_vault_options vault = {.dir = copy->dir,
                                     .master = options->master,
                                     .epoch = options->epoch,
                                     .level = 1,
                                     .readers = READERS,
                                     .map_size = options->map_size,
                                     .source = &source};
    enum qn_err err = qn_vault_open(&vault, &copy->vault);
    if (err == QN_OK || err == QN_ERR_BUSY || err == QN_ERR_CLOSED)
        return err;
    QN_TRY(remove_all(copy->dir));
    return qn_vault_open(&vault, &copy->vault);
}

enum qn_err qn_copy_vault_open(const struct qn_copy_vault_options *options,
                               struct qn_copy_vault **ret_copy)
{
    struct qn_copy_vault *copy = QN_NEW(struct qn_copy_vault);
    copy->copies = options->copies;
    copy->site = qn_strdup(options->site);
    copy->is_cancelled = options->is_cancelled;
    copy->source = qn_copy_source_new(options->copies, options->site, options->is_cancelled);
    snprintf(copy->dir, sizeof(copy->dir), "%s/copies", options->state_dir);
    enum qn_err err = qn_os_make_dir(copy->dir, 0700);
    /* a name has no slash, and this is not one of dots alone */
    snprintf(copy->dir, sizeof(copy->dir), "%s/copies/of-%s", options->state_dir, options->site);
    if (strchr(options->site, '/') != NULL)
        err = QN_ERR_INVALID;
    if (err == QN_OK)
        err = open_vault(options, copy);
    if (err != QN_OK)
        qn_copy_vault_close(copy);
    else
        *ret_copy = copy;
    return err;
}

void qn_copy_vault_close(struct qn_copy_vault *copy)
{
    if (copy == NULL)
        return;
    if (copy->is_distrusted && copy->vault != NULL)
        (void)!remove_all(copy->dir); /* while it is locked; what is left is found wrong again */
    qn_vault_close(copy->vault);
    qn_copy_source_free(copy->source);
    qn_copy_rows_deinit(&copy->rows);
    qn_vec_free(&copy->hinted);
    qn_free(copy->site);
    qn_free(copy);
}

struct qn_vault *qn_copy_vault_of(struct qn_copy_vault *copy)
{
    return copy->vault;
}

void qn_copy_vault_distrust(struct qn_copy_vault *copy)
{
    copy->is_distrusted = true;
}

void qn_copy_vault_traffic(struct qn_copy_vault *copy, struct qn_copy_traffic *ret_traffic)
{
    qn_copy_source_traffic(copy->source, ret_traffic);
}

static struct qn_copy_rows_options rows_of(struct qn_copy_vault *copy, const char *plan)
{
    return (struct qn_copy_rows_options){.copies = copy->copies,
                                         .site = copy->site,
                                         .plan = plan,
                                         .vault = copy->vault,
                                         .is_cancelled = copy->is_cancelled,
                                         .code = &copy->code};
}

const char *qn_copy_vault_code(const struct qn_copy_vault *copy)
{
    return copy->code;
}

/* The rows keep what the spans of their snapshots borrow from; these are for whoever chooses. */
static enum qn_err add_info(struct qn_copy_vault *copy, const struct qn_copy_row *row,
                            qn_snapshot_vec *out)
{
    struct qn_snapshot_info info = {.name = row->info.name};
    qn_buf_init(&info.plain, QN_SNAPSHOT_SIZE_MAX);
    enum qn_err err =
        qn_vault_snapshot_read(copy->vault, qn_buf_view(&row->sealed), &info.plain, &info.snapshot);
    if (err == QN_OK)
        qn_vec_push(out, info);
    else
        qn_buf_deinit(&info.plain);
    return err;
}

enum qn_err qn_copy_vault_snapshots(struct qn_copy_vault *copy, const char *plan,
                                    qn_snapshot_vec *out)
{
    struct qn_copy_rows_options options = rows_of(copy, plan);
    uint64_t bad = 0;
    enum qn_err err = QN_OK;
    qn_copy_rows_deinit(&copy->rows);
    copy->hinted.count = 0;
    QN_TRY(qn_copy_rows(&options, &copy->rows, &bad));
    for (size_t i = 0; i < copy->rows.count && err == QN_OK; i++)
        err = add_info(copy, &copy->rows.items[i], out);
    if (bad > 0)
        qn_copies_note(copy->copies, "copy-strange", QN_ERR_SIGNATURE, copy->site);
    if (err != QN_OK)
        qn_snapshots_deinit(out);
    else
        qn_snapshots_sort(out);
    return err;
}

static const struct qn_copy_row *find_row(const struct qn_copy_vault *copy,
                                          const struct qn_snapshot_name *name)
{
    qn_vec_each (&copy->rows, row)
        if (memcmp(&row->info.name, name, sizeof(*name)) == 0)
            return row;
    return NULL;
}

uint64_t qn_copy_vault_locked_until(const struct qn_copy_vault *copy,
                                    const struct qn_snapshot_name *name)
{
    const struct qn_copy_row *row = find_row(copy, name);
    return row == NULL ? 0 : row->locked_ms;
}

/* Its list, and the directories of all its packs. */
static enum qn_err adopt_whole(struct qn_copy_vault *copy, const struct qn_copy_row *row)
{
    struct qn_copy_rows_options options = rows_of(copy, NULL);
    QN_AUTO_BUF struct qn_buf live;
    qn_buf_init(&live, QN_LIVE_SIZE_MAX);
    QN_TRY(qn_copy_row_names(&options, row, &live));
    return qn_vault_adopt(copy->vault, qn_buf_view(&row->sealed), qn_buf_view(&live));
}

/* What the places did not find. On a thread that reads, while the owner's waits. */
static enum qn_err complete(void *context)
{
    struct qn_copy_vault *copy = context;
    enum qn_err err = QN_OK;
    for (size_t i = 0; i < copy->hinted.count && err == QN_OK; i++) {
        const struct qn_copy_row *row = find_row(copy, &copy->hinted.items[i]);
        err = row == NULL ? QN_ERR_NOTFOUND : adopt_whole(copy, row);
    }
    return err;
}

enum qn_err qn_copy_vault_adopt(struct qn_copy_vault *copy, const struct qn_snapshot_name *name)
{
    const struct qn_copy_row *row = find_row(copy, name);
    if (row == NULL)
        return QN_ERR_NOTFOUND;
    enum qn_err err = qn_vault_hint(copy->vault, &row->info.snapshot, complete, copy);
    if (err == QN_ERR_NOTFOUND)
        return adopt_whole(copy, row);
    if (err == QN_OK)
        qn_vec_push(&copy->hinted, *name);
    return err;
}
