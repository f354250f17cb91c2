/* The snapshots of a run: partial ones while it goes on, the whole one at its end. */
#include <stdlib.h>

#include "vault/backup_private.h"

#define CLOCK_ENTRIES 64 /* the clock is looked at once for so many */

uint64_t qn_backup_now(const struct qn_backup *backup)
{
    const struct qn_backup_options *options = backup->options;
    return options->clock_ms == NULL ? options->now_ms : options->clock_ms(options->context);
}

static void copy_name(char *out, const char *text)
{
    size_t size = strnlen(text, QN_NAME_SIZE_MAX);
    memcpy(out, text, size);
    out[size] = '\0';
}

static void describe(struct qn_backup *backup, const struct qn_tree_root *root, bool is_partial,
                     struct qn_snapshot *out)
{
    uint64_t packs;
    *out = (struct qn_snapshot){.started_ms = backup->options->now_ms,
                                .ended_ms = qn_backup_now(backup),
                                .sequence = backup->sequence,
                                .is_partial = is_partial,
                                .root = *root,
                                .store = backup->store,
                                .places = qn_buf_view(&backup->places),
                                .places_run = backup->places.size > 0 ? backup->places_run : 0,
                                .paths = qn_buf_view(&backup->paths)};
    qn_pipeline_counts(backup->pipeline, &backup->counts.bytes_new, &backup->counts.bytes_stored,
                       &packs);
    out->counts = backup->counts;
    copy_name(out->plan, backup->options->plan);
    copy_name(out->site, backup->options->site);
}

static enum qn_err forget_obsolete(struct qn_backup *backup)
{
    qn_vec_each (&backup->obsolete, name) {
        enum qn_err err = qn_vault_forget(backup->vault, name);
        if (err != QN_OK && err != QN_ERR_NOTFOUND)
            return err;
    }
    backup->obsolete.count = 0;
    return QN_OK;
}

static int name_cmp(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct qn_pack_name));
}

/* Every pack that the snapshot needs, ascending. */
static enum qn_err list_packs(struct qn_backup *backup, qn_pack_name_vec *packs)
{
    QN_TRY(qn_pipeline_live(backup->pipeline, packs));
    if (backup->places_packs.count == 0)
        return QN_OK;
    qn_vec_each (&backup->places_packs, name)
        qn_vec_push(packs, *name);
    qsort(packs->items, packs->count, sizeof(*packs->items), name_cmp);
    size_t count = 1;
    for (size_t i = 1; i < packs->count; i++)
        if (name_cmp(&packs->items[count - 1], &packs->items[i]) != 0)
            packs->items[count++] = packs->items[i];
    packs->count = count;
    return QN_OK;
}

enum qn_err qn_backup_snapshot(struct qn_backup *backup, bool is_partial,
                               struct qn_tree_root *ret_root, struct qn_snapshot_name *ret_name)
{
    qn_pack_name_vec packs = {0};
    struct qn_snapshot snapshot;
    QN_TRY(qn_window_drain(backup));
    QN_TRY(qn_tree_builder_finish(backup->tree, ret_root));
    QN_TRY(qn_pipeline_flush(backup->pipeline));
    if (!is_partial)
        QN_TRY(qn_backup_places(backup, ret_root));
    describe(backup, ret_root, is_partial, &snapshot);
    enum qn_err err = list_packs(backup, &packs);
    if (err == QN_OK)
        err = qn_vault_commit(backup->vault, &snapshot, packs.items, packs.count, ret_name);
    qn_vec_free(&packs);
    QN_TRY(err);
    backup->sequence++;
    const struct qn_backup_options *options = backup->options;
    if (options->on_snapshot != NULL)
        options->on_snapshot(options->context, ret_name);
    return forget_obsolete(backup);
}

/* The list so far is the beginning of the new one: its leaves come out the same and are known. */
static enum qn_err begin_anew(struct qn_backup *backup, const struct qn_tree_root *root)
{
    qn_tree_builder_free(backup->tree);
    backup->tree = qn_tree_builder_new(qn_backup_put_tree_chunk, backup);
    struct qn_tree_iter *iter = qn_tree_iter_new(root, qn_fetch_tree, backup->fetcher);
    struct qn_entry entry;
    enum qn_err err;
    while ((err = qn_tree_iter_next(iter, &entry)) == QN_OK) {
        err = qn_tree_builder_add(backup->tree, &entry);
        if (err != QN_OK)
            break;
    }
    qn_tree_iter_free(iter);
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

enum qn_err qn_backup_maybe_partial(struct qn_backup *backup)
{
    const struct qn_backup_options *options = backup->options;
    bool is_looked = backup->entries_seen % CLOCK_ENTRIES == 0;
    if (options->partial_every_ms == 0 || options->clock_ms == NULL || !is_looked)
        return QN_OK;
    uint64_t now_ms = qn_backup_now(backup);
    if (now_ms < backup->partial_last_ms + options->partial_every_ms)
        return QN_OK;
    struct qn_tree_root root;
    struct qn_snapshot_name name;
    QN_TRY(qn_backup_snapshot(backup, true, &root, &name));
    qn_vec_push(&backup->obsolete, name);
    qn_fetcher_rest(backup->fetcher);
    QN_TRY(begin_anew(backup, &root));
    backup->partial_last_ms = qn_backup_now(backup);
    return QN_OK;
}
