#include <stdlib.h>

#include "vault/prune_private.h"

#define DROP_RANGES 16 /* rows of removed packs go in so many transactions */

static bool is_cancelled(const struct qn_prune *prune)
{
    return qn_progress_cancelled(prune->options->progress);
}

/* ---- packs ---- */

static enum qn_err load_packs(struct qn_prune *prune)
{
    QN_TRY(qn_index_marks(prune->view, &prune->run, &prune->number_max));
    prune->packs = qn_alloc_zero(((size_t)prune->number_max + 1) * sizeof(*prune->packs));
    struct qn_index_pack pack = {0};
    enum qn_err err;
    while ((err = qn_index_next_pack(prune->view, pack.number, &pack)) == QN_OK) {
        if (pack.number > prune->number_max)
            return QN_ERR_CORRUPT;
        const struct qn_prune_options *options = prune->options;
        prune->packs[pack.number] = (struct qn_prune_pack){
            .size = pack.size,
            .is_known = true,
            .is_present = pack.state == QN_PACK_PRESENT,
            .is_kept =
                options->is_pinned != NULL && options->is_pinned(options->context, &pack.name),
            .has_mark = pack.dead_run != 0,
            .was_marked = pack.dead_run != 0 && pack.dead_run <= prune->run,
        };
    }
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static struct qn_prune_pack *pack_of(struct qn_prune *prune, uint32_t number)
{
    bool is_known = number <= prune->number_max && prune->packs[number].is_known;
    return is_known ? &prune->packs[number] : NULL;
}

/* ---- passes: what is alive ---- */

static enum qn_err mark_live(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                             uint64_t size, struct qn_span path)
{
    struct qn_prune *prune = context;
    (void)kind, (void)size, (void)path;
    if (id->bytes[0] < prune->first || id->bytes[0] > prune->last)
        return QN_OK;
    if (qn_chunk_set_add(&prune->live, id) || qn_chunk_set_has(&prune->live, id))
        return QN_OK;
    return QN_ERR_LIMIT; /* the pass is too wide */
}

static bool is_unreadable(enum qn_err err)
{
    return err == QN_ERR_NOTFOUND || err == QN_ERR_CORRUPT || err == QN_ERR_SIGNATURE ||
           err == QN_ERR_INVALID;
}

/* What a snapshot needs that cannot be walked is not known: all its packs stay as they are. */
static enum qn_err keep_packs_of(struct qn_prune *prune, const struct qn_snapshot_name *name)
{
    QN_AUTO_BUF struct qn_buf live;
    qn_buf_init(&live, QN_LIVE_SIZE_MAX);
    QN_TRY(qn_vault_read_live(prune->vault, name, &live));
    for (size_t at = 0; at < live.size; at += sizeof(struct qn_pack_name)) {
        struct qn_pack_name pack_name;
        struct qn_index_pack pack;
        memcpy(&pack_name, live.data + at, sizeof(pack_name));
        enum qn_err err = qn_index_find_pack(prune->view, &pack_name, &pack);
        if (err == QN_OK && pack_of(prune, pack.number) != NULL)
            prune->packs[pack.number].is_kept = true;
        else if (err != QN_ERR_NOTFOUND)
            return err == QN_OK ? QN_ERR_CORRUPT : err;
    }
    return QN_OK;
}

static enum qn_err mark_all(struct qn_prune *prune)
{
    qn_chunk_set_clear(&prune->live);
    qn_chunk_set_clear(&prune->marker.visited);
    for (size_t i = 0; i < prune->snapshots.count; i++) {
        if (is_cancelled(prune))
            return QN_ERR_CLOSED;
        const struct qn_snapshot_info *info = &prune->snapshots.items[i];
        enum qn_err err = qn_mark(&prune->marker, &info->snapshot);
        if (is_unreadable(err)) {
            prune->are_walked.items[i] = false;
            err = keep_packs_of(prune, &info->name);
        }
        QN_TRY(err);
    }
    return QN_OK;
}

/* So wide that the ids of all rows would just fit, since they are spread evenly. */
static unsigned width_for(struct qn_prune *prune)
{
    struct qn_index_counts counts;
    if (qn_index_count(prune->vault->index, &counts) != QN_OK || counts.chunks == 0)
        return 256;
    qn_chunk_set_reserve(&prune->live, counts.chunks);
    uint64_t width = (uint64_t)prune->live.count_max * 256 * 15 / 16 / counts.chunks;
    return width > 256 ? 256 : width < 1 ? 1 : (unsigned)width;
}

enum qn_err qn_prune_passes(struct qn_prune *prune, qn_prune_fn fn, void *context)
{
    if (prune->is_marked)
        return fn(prune, context);
    unsigned width = width_for(prune);
    for (unsigned first = 0; first < 256;) {
        prune->first = first;
        prune->last = first + width > 256 ? 255 : first + width - 1;
        enum qn_err err = mark_all(prune);
        if (err == QN_ERR_LIMIT && width > 1) {
            width /= 2;
            continue;
        }
        QN_TRY(err);
        QN_TRY(fn(prune, context));
        first = prune->last + 1;
        prune->is_marked = width == 256;
    }
    return QN_OK;
}

static enum qn_err weigh_row(void *context, const struct qn_index_row *row)
{
    struct qn_prune *prune = context;
    struct qn_prune_pack *pack = pack_of(prune, row->pack);
    if (pack == NULL)
        return QN_OK;
    uint32_t size = (uint32_t)qn_blob_span_size(&row->blob);
    if (qn_chunk_set_has(&prune->live, &row->blob.id))
        pack->live += size;
    else
        pack->garbage += size;
    return QN_OK;
}

static enum qn_err weigh(struct qn_prune *prune, void *context)
{
    (void)context;
    return qn_index_scan(prune->view, (uint8_t)prune->first, (uint8_t)prune->last, weigh_row,
                         prune);
}

/* ---- which packs are written anew ---- */

struct candidate {
    uint32_t number;
    uint32_t live, garbage;
};

/* The most garbage for what has to be written first. */
static int by_worth(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    uint64_t first = (uint64_t)x->garbage * ((uint64_t)y->live + 1);
    uint64_t second = (uint64_t)y->garbage * ((uint64_t)x->live + 1);
    return (first < second) - (first > second);
}

static uint64_t tolerated(const struct qn_prune_options *options, uint64_t total)
{
    uint64_t part = total / 100 * options->dead_percent;
    return part > options->dead_bytes ? part : options->dead_bytes;
}

static void choose(struct qn_prune *prune)
{
    QN_VEC(struct candidate) candidates = {0};
    uint64_t total = 0, garbage = 0;
    for (uint32_t i = 1; i <= prune->number_max; i++) {
        const struct qn_prune_pack *pack = &prune->packs[i];
        if (!pack->is_known || pack->live == 0)
            continue;
        total += pack->size;
        garbage += pack->garbage;
        if (pack->garbage > 0 && !pack->is_kept && pack->is_present)
            qn_vec_push(&candidates, ((struct candidate){i, pack->live, pack->garbage}));
    }
    if (candidates.count > 0)
        qsort(candidates.items, candidates.count, sizeof(*candidates.items), by_worth);
    for (size_t i = 0; i < candidates.count && garbage > tolerated(prune->options, total); i++) {
        qn_pack_set_add(&prune->moved, candidates.items[i].number);
        garbage -= candidates.items[i].garbage;
        total -= candidates.items[i].garbage;
    }
    prune->counts.bytes_dead_left = garbage;
    qn_vec_free(&candidates);
}

/* ---- marks and removal ---- */

static enum qn_err write_mark(struct qn_prune *prune, struct qn_index_batch *batch, uint32_t number)
{
    const struct qn_prune_pack *state = &prune->packs[number];
    if (state->is_dead == state->has_mark)
        return QN_OK;
    struct qn_index_pack pack;
    QN_TRY(qn_index_get_pack(prune->view, number, &pack));
    pack.dead_run = state->is_dead ? prune->run + 1 : 0;
    return qn_index_set_pack(batch, &pack);
}

static enum qn_err write_marks(struct qn_prune *prune)
{
    struct qn_index_batch *batch;
    QN_TRY(qn_index_begin(prune->vault->index, &batch));
    for (uint32_t i = 1; i <= prune->number_max; i++) {
        enum qn_err err = prune->packs[i].is_known ? write_mark(prune, batch, i) : QN_OK;
        if (err != QN_OK) {
            qn_index_abort(batch);
            return err;
        }
    }
    return qn_index_commit(batch);
}

/* Dead before the last completed run, or not there any more at all. */
static bool is_removed(void *context, uint32_t number)
{
    struct qn_prune *prune = context;
    const struct qn_prune_pack *pack = pack_of(prune, number);
    return pack != NULL && pack->is_dead && (pack->was_marked || !pack->is_present);
}

static enum qn_err drop_rows(struct qn_prune *prune)
{
    for (unsigned i = 0; i < DROP_RANGES; i++) {
        struct qn_index_batch *batch;
        const unsigned width = 256 / DROP_RANGES;
        QN_TRY(qn_index_begin(prune->vault->index, &batch));
        enum qn_err err = qn_index_drop_rows(batch, (uint8_t)(i * width),
                                             (uint8_t)(i * width + width - 1), is_removed, prune);
        if (err != QN_OK) {
            qn_index_abort(batch);
            return err;
        }
        QN_TRY(qn_index_commit(batch));
    }
    return QN_OK;
}

static enum qn_err drop_packs(struct qn_prune *prune, struct qn_index_batch *batch,
                              qn_pack_name_vec *ret_files)
{
    for (uint32_t i = 1; i <= prune->number_max; i++) {
        struct qn_index_pack pack;
        if (!is_removed(prune, i))
            continue;
        QN_TRY(qn_index_get_pack(prune->view, i, &pack));
        QN_TRY(qn_index_drop_pack(batch, i));
        qn_vec_push(ret_files, pack.name);
        prune->counts.packs_removed += prune->packs[i].is_present;
        prune->counts.bytes_freed += prune->packs[i].is_present ? pack.size : 0;
    }
    return qn_index_set_run(batch, prune->run + 1);
}

/* Not made durable, which would be a sync for nearly every file: what a power cut brings back is
 * found like what a crash leaves. */
static enum qn_err remove_files(struct qn_prune *prune, const qn_pack_name_vec *files)
{
    for (size_t i = 0; i < files->count; i++)
        QN_TRY(qn_pool_remove(prune->vault->pool, &files->items[i]));
    return QN_OK;
}

/* The index forgets them first: a crash in between leaves files, which are found and marked anew.
 */
static enum qn_err remove_packs(struct qn_prune *prune)
{
    struct qn_index_batch *batch;
    qn_pack_name_vec files = {0};
    QN_TRY(drop_rows(prune));
    qn_index_view_rest(prune->view);
    QN_TRY(qn_index_begin(prune->vault->index, &batch));
    enum qn_err err = drop_packs(prune, batch, &files);
    if (err != QN_OK)
        qn_index_abort(batch);
    else
        err = qn_index_commit(batch);
    if (err == QN_OK)
        err = qn_index_sync(prune->vault->index); /* before what it no longer names is gone */
    if (err == QN_OK)
        err = remove_files(prune, &files);
    qn_vec_free(&files);
    return err;
}

/* ---- the run ---- */

static void find_dead(struct qn_prune *prune)
{
    for (uint32_t i = 1; i <= prune->number_max; i++) {
        struct qn_prune_pack *pack = &prune->packs[i];
        bool is_empty = pack->live == 0 || qn_pack_set_has(&prune->moved, i);
        pack->is_dead = pack->is_known && is_empty && !pack->is_kept;
    }
}

struct bad_snapshots {
    struct qn_prune *prune;
    enum qn_err err;
};

/* One that cannot even be opened is told by the name of its file. */
static void on_bad_snapshot(void *context, const char *what, struct qn_span path, int errno_value)
{
    struct bad_snapshots *bad = context;
    struct qn_snapshot_name name;
    (void)what, (void)errno_value;
    if (bad->err == QN_OK)
        bad->err = qn_snapshot_name_parse(path, &name);
    if (bad->err == QN_OK)
        bad->err = keep_packs_of(bad->prune, &name);
}

static enum qn_err load_snapshots(struct qn_prune *prune)
{
    struct bad_snapshots bad = {.prune = prune};
    QN_TRY(qn_vault_snapshots(prune->vault, NULL, on_bad_snapshot, &bad, &prune->snapshots));
    for (size_t i = 0; i < prune->snapshots.count; i++)
        qn_vec_push(&prune->are_walked, true);
    return bad.err;
}

static enum qn_err run(struct qn_prune *prune)
{
    QN_TRY(load_packs(prune));
    QN_TRY(load_snapshots(prune));
    QN_TRY(qn_prune_passes(prune, weigh, NULL));
    qn_index_view_rest(prune->view);
    choose(prune);
    QN_TRY(qn_prune_move(prune));
    find_dead(prune);
    QN_TRY(qn_prune_relist(prune));
    QN_TRY(write_marks(prune));
    return remove_packs(prune);
}

enum qn_err qn_vault_prune(struct qn_vault *vault, const struct qn_prune_options *options,
                           struct qn_prune_counts *ret_counts)
{
    struct qn_prune prune = {.vault = vault, .options = options};
    qn_vault_begin(vault);
    prune.view = qn_index_view_new(vault->index);
    qn_marker_init(&prune.marker, vault);
    prune.marker.on_chunk = mark_live;
    prune.marker.context = &prune;
    prune.marker.progress = options->progress;
    qn_chunk_set_init(&prune.live, vault->prune_live_max);
    enum qn_err err = run(&prune);
    *ret_counts = prune.counts;
    qn_chunk_set_deinit(&prune.live);
    qn_marker_deinit(&prune.marker);
    qn_index_view_free(prune.view);
    qn_pack_set_deinit(&prune.moved);
    qn_snapshots_deinit(&prune.snapshots);
    qn_vec_free(&prune.are_walked);
    qn_free(prune.packs);
    return qn_vault_end(vault, err);
}
