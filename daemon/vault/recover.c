#include "vault/vault_private.h"

#define PAGE_NAMES  4096 /* of the pool, compared with the index at a time */
#define BATCH_PACKS 1024 /* that wait for the index, at most */
#define KEYS_TRIED  8

struct qn_taker {
    struct qn_vault *vault;
    struct qn_unpacker *unpacker;
    qn_blob_vec blobs;
    uint8_t *bytes;
    size_t size;
    QN_VEC(struct qn_index_addition) additions; /* own their blobs */
    size_t rows, rows_max;
};

struct qn_taker *qn_taker_new(struct qn_vault *vault)
{
    struct qn_taker *taker = QN_NEW(struct qn_taker);
    taker->vault = vault;
    taker->rows_max = QN_INDEX_ADD_ROWS;
    taker->unpacker = qn_unpacker_new(&vault->keys);
    return taker;
}

static void drop_additions(struct qn_taker *taker)
{
    qn_vec_each (&taker->additions, it) {
        union {
            const void *in;
            void *out;
        } blobs = {.in = it->blobs};
        qn_free(blobs.out);
    }
    taker->additions.count = taker->rows = 0;
}

void qn_taker_free(struct qn_taker *taker)
{
    if (taker == NULL)
        return;
    drop_additions(taker);
    qn_vec_free(&taker->additions);
    qn_unpacker_free(taker->unpacker);
    qn_vec_free(&taker->blobs);
    qn_free(taker->bytes);
    qn_free(taker);
}

/* ---- one pack ---- */

static enum qn_err read_at(struct qn_taker *taker, const struct qn_pack_name *name, bool is_local,
                           size_t offset, size_t size)
{
    if (taker->size < size) {
        qn_free(taker->bytes);
        taker->bytes = qn_alloc(size);
        taker->size = size;
    }
    struct qn_vault *vault = taker->vault;
    if (is_local)
        return qn_pool_read(vault->pool, name, offset, size, taker->bytes);
    return vault->source.read(vault->source.context, name, offset, size, taker->bytes);
}

static enum qn_err size_of(struct qn_taker *taker, const struct qn_pack_name *name, bool is_local,
                           size_t *ret_size)
{
    struct qn_vault *vault = taker->vault;
    if (is_local)
        return qn_pool_size(vault->pool, name, ret_size);
    if (!vault->has_source || vault->source.size == NULL)
        return QN_ERR_NOTFOUND;
    return vault->source.size(vault->source.context, name, ret_size);
}

static enum qn_err read_directory(struct qn_taker *taker, const struct qn_pack_name *name,
                                  bool is_local, size_t pack_size)
{
    size_t offset, size;
    QN_TRY(read_at(taker, name, is_local, pack_size - QN_PACK_TRAILER_SIZE, QN_PACK_TRAILER_SIZE));
    QN_TRY(qn_unpacker_trailer(taker->unpacker, qn_span(taker->bytes, QN_PACK_TRAILER_SIZE),
                               pack_size, &offset, &size));
    QN_TRY(read_at(taker, name, is_local, offset, size));
    return qn_unpacker_directory(taker->unpacker, offset, qn_span(taker->bytes, size),
                                 &taker->blobs);
}

/* As far as the blobs' headers are whole. */
static enum qn_err scan_blobs(struct qn_taker *taker, const struct qn_pack_name *name,
                              bool is_local, size_t pack_size)
{
    QN_TRY(read_at(taker, name, is_local, 0, pack_size));
    size_t offset = QN_PACK_HEAD_SIZE;
    struct qn_blob blob;
    taker->blobs.count = 0;
    while (taker->blobs.count < QN_PACK_BLOBS_MAX &&
           qn_unpacker_scan(taker->unpacker, qn_span(taker->bytes, pack_size), &offset, &blob) ==
               QN_OK)
        qn_vec_push(&taker->blobs, blob);
    return QN_OK;
}

static bool is_damage(enum qn_err err)
{
    return err == QN_ERR_SIGNATURE || err == QN_ERR_CORRUPT || err == QN_ERR_LIMIT ||
           err == QN_ERR_INVALID;
}

static enum qn_err read_blobs(struct qn_taker *taker, const struct qn_pack_name *name,
                              bool is_local, struct qn_index_pack *pack)
{
    size_t size;
    QN_TRY(size_of(taker, name, is_local, &size));
    if (size < QN_PACK_HEAD_SIZE + QN_PACK_TRAILER_SIZE || size > QN_PACK_SIZE_MAX)
        return QN_ERR_CORRUPT;
    pack->size = (uint32_t)size;
    QN_TRY(read_at(taker, name, is_local, 0, QN_PACK_HEAD_SIZE));
    QN_TRY(
        qn_unpacker_start(taker->unpacker, qn_span(taker->bytes, QN_PACK_HEAD_SIZE), &pack->kind));
    enum qn_err err = read_directory(taker, name, is_local, size);
    return is_damage(err) ? scan_blobs(taker, name, is_local, size) : err;
}

enum qn_err qn_taker_flush(struct qn_taker *taker)
{
    enum qn_err err = QN_OK;
    pthread_mutex_lock(&taker->vault->taking);
    if (taker->additions.count > 0)
        err = qn_index_add(taker->vault->index, taker->additions.items, taker->additions.count,
                           false);
    pthread_mutex_unlock(&taker->vault->taking);
    drop_additions(taker);
    return err;
}

enum qn_err qn_take_up(struct qn_taker *taker, const struct qn_pack_name *name, bool is_local)
{
    struct qn_index_addition addition = {
        .pack = {.name = *name, .state = is_local ? QN_PACK_PRESENT : QN_PACK_ELSEWHERE}};
    QN_TRY(read_blobs(taker, name, is_local, &addition.pack));
    addition.count = taker->blobs.count;
    addition.blobs = qn_memdup(taker->blobs.items, addition.count * sizeof(struct qn_blob));
    qn_vec_push(&taker->additions, addition);
    taker->rows += addition.count;
    bool is_much = taker->rows >= taker->rows_max || taker->additions.count >= BATCH_PACKS;
    return is_much ? qn_taker_flush(taker) : QN_OK;
}

/* ---- many packs ---- */

/* Several takers share a list: those of packs at a holder wait for the line most of the time. */
struct crew {
    struct qn_vault *vault;
    const struct qn_pack_name *names;
    const bool *is_local;
    size_t count, takers;
    pthread_mutex_t mutex; /* of what follows */
    size_t next;
    enum qn_err err;
};

/* False: none is left, or it failed elsewhere. */
static bool next_of(struct crew *crew, size_t *ret_i)
{
    pthread_mutex_lock(&crew->mutex);
    bool has_more = crew->err == QN_OK && crew->next < crew->count;
    if (has_more)
        *ret_i = crew->next++;
    pthread_mutex_unlock(&crew->mutex);
    return has_more;
}

/* What these keys do not open, or nobody has, is passed over: it may be put right later. */
static void *take_up_some(void *context)
{
    struct crew *crew = context;
    struct qn_taker *taker = qn_taker_new(crew->vault);
    enum qn_err err = QN_OK;
    taker->rows_max = QN_INDEX_ADD_ROWS / crew->takers; /* so many rows wait in all of them */
    for (size_t i; err == QN_OK && next_of(crew, &i);) {
        err = qn_take_up(taker, &crew->names[i], crew->is_local[i]);
        if (err == QN_ERR_UNSUPPORTED || err == QN_ERR_NOTFOUND || is_damage(err))
            err = QN_OK;
    }
    if (err == QN_OK)
        err = qn_taker_flush(taker);
    qn_taker_free(taker);
    pthread_mutex_lock(&crew->mutex);
    if (crew->err == QN_OK)
        crew->err = err;
    pthread_mutex_unlock(&crew->mutex);
    return NULL;
}

/* One is enough for the disk. */
static size_t takers_for(const bool *is_local, size_t count)
{
    size_t elsewhere = 0;
    for (size_t i = 0; i < count; i++)
        elsewhere += !is_local[i];
    return elsewhere == 0 ? 1 : elsewhere < QN_VAULT_WORKERS_MAX ? elsewhere : QN_VAULT_WORKERS_MAX;
}

static enum qn_err take_up_all(struct qn_vault *vault, const struct qn_pack_name *names,
                               size_t count, const bool *is_local)
{
    struct crew crew = {.vault = vault,
                        .names = names,
                        .is_local = is_local,
                        .count = count,
                        .takers = takers_for(is_local, count)};
    pthread_t threads[QN_VAULT_WORKERS_MAX];
    size_t started = 0;
    pthread_mutex_init(&crew.mutex, NULL);
    while (started + 1 < crew.takers &&
           pthread_create(&threads[started], NULL, take_up_some, &crew) == 0)
        started++;
    take_up_some(&crew);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&crew.mutex);
    return crew.err;
}

enum qn_err qn_vault_take_up_list(struct qn_vault *vault, struct qn_span names)
{
    QN_VEC(struct qn_pack_name) unknown = {0};
    QN_VEC(bool) is_local = {0};
    struct qn_index_view *view = qn_index_view_new(vault->index);
    enum qn_err err = QN_OK;
    for (size_t at = 0; at < names.size && err == QN_OK; at += sizeof(struct qn_pack_name)) {
        struct qn_pack_name name;
        struct qn_index_pack pack;
        size_t size;
        memcpy(&name, names.data + at, sizeof(name));
        err = qn_index_find_pack(view, &name, &pack);
        if (err == QN_OK)
            continue;
        err = err == QN_ERR_NOTFOUND ? QN_OK : err;
        qn_vec_push(&unknown, name);
        qn_vec_push(&is_local, qn_pool_size(vault->pool, &name, &size) == QN_OK);
    }
    qn_index_view_free(view);
    if (err == QN_OK)
        err = take_up_all(vault, unknown.items, unknown.count, is_local.items);
    qn_vec_free(&unknown);
    qn_vec_free(&is_local);
    return err;
}

/* ---- pool against index ---- */

struct reconciler {
    struct qn_vault *vault;
    struct qn_index_view *view;
    bool has_known; /* a name of the index that is not behind the pool's yet */
    struct qn_pack_name known;
    uint32_t number;
    QN_VEC(struct qn_pack_name) orphans;
    QN_VEC(bool) are_local;
    QN_VEC(struct qn_index_pack) changed;
};

static enum qn_err next_known(struct reconciler *r, const struct qn_pack_name *after)
{
    enum qn_err err = qn_index_next_name(r->view, after, &r->known, &r->number);
    r->has_known = err == QN_OK;
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static enum qn_err note_state(struct reconciler *r, enum qn_pack_state state)
{
    struct qn_index_pack pack;
    QN_TRY(qn_index_get_pack(r->view, r->number, &pack));
    if (pack.state == state || (state == QN_PACK_MISSING && pack.state == QN_PACK_ELSEWHERE))
        return QN_OK;
    pack.state = state;
    qn_vec_push(&r->changed, pack);
    return QN_OK;
}

/* All that the index has before `name` (NULL: all the rest) is missing in the pool. */
static enum qn_err pass_missing(struct reconciler *r, const struct qn_pack_name *name)
{
    while (r->has_known && (name == NULL || memcmp(&r->known, name, sizeof(*name)) < 0)) {
        QN_TRY(note_state(r, QN_PACK_MISSING));
        struct qn_pack_name before = r->known;
        QN_TRY(next_known(r, &before));
    }
    return QN_OK;
}

static enum qn_err compare(struct reconciler *r, const struct qn_pack_name *name)
{
    QN_TRY(pass_missing(r, name));
    if (!r->has_known || memcmp(&r->known, name, sizeof(*name)) != 0) {
        qn_vec_push(&r->orphans, *name);
        qn_vec_push(&r->are_local, true);
        return QN_OK;
    }
    QN_TRY(note_state(r, QN_PACK_PRESENT));
    return next_known(r, name);
}

static enum qn_err write_changed(struct reconciler *r)
{
    if (r->changed.count == 0)
        return QN_OK;
    struct qn_index_batch *batch;
    QN_TRY(qn_index_begin(r->vault->index, &batch));
    qn_vec_each (&r->changed, pack) {
        enum qn_err err = qn_index_set_pack(batch, pack);
        if (err != QN_OK) {
            qn_index_abort(batch);
            return err;
        }
    }
    return qn_index_commit(batch);
}

static enum qn_err compare_all(struct reconciler *r)
{
    QN_AUTO_FREE struct qn_pack_name *page = qn_alloc(PAGE_NAMES * sizeof(*page));
    struct qn_pack_name last;
    size_t count = PAGE_NAMES;
    for (bool is_first = true; count == PAGE_NAMES; is_first = false) {
        QN_TRY(qn_pool_list(r->vault->pool, is_first ? NULL : &last, PAGE_NAMES, page, &count));
        for (size_t i = 0; i < count; i++)
            QN_TRY(compare(r, &page[i]));
        if (count > 0)
            last = page[count - 1];
    }
    return pass_missing(r, NULL);
}

static enum qn_err reconcile(struct reconciler *r)
{
    QN_TRY(next_known(r, NULL));
    QN_TRY(compare_all(r));
    qn_index_view_rest(r->view);
    QN_TRY(write_changed(r));
    return take_up_all(r->vault, r->orphans.items, r->orphans.count, r->are_local.items);
}

/* ---- a lost index ---- */

static enum qn_err take_up_listed(struct qn_vault *vault)
{
    qn_snapshot_vec snapshots = {0};
    QN_TRY(qn_vault_snapshots(vault, NULL, NULL, NULL, &snapshots));
    enum qn_err err = QN_OK;
    for (size_t i = snapshots.count; i > 0 && err == QN_OK; i--) {
        QN_AUTO_BUF struct qn_buf live;
        qn_buf_init(&live, QN_LIVE_SIZE_MAX);
        if (qn_vault_read_live(vault, &snapshots.items[i - 1].name, &live) == QN_OK)
            err = qn_vault_take_up_list(vault, qn_buf_view(&live));
    }
    qn_snapshots_deinit(&snapshots);
    return err;
}

enum qn_err qn_vault_reconcile(struct qn_vault *vault, bool is_new)
{
    if (is_new)
        QN_TRY(take_up_listed(vault));
    struct reconciler r = {.vault = vault, .view = qn_index_view_new(vault->index)};
    enum qn_err err = reconcile(&r);
    qn_index_view_free(r.view);
    qn_vec_free(&r.orphans);
    qn_vec_free(&r.are_local);
    qn_vec_free(&r.changed);
    return err;
}

/* ---- keys ---- */

/* A damaged head says nothing about the keys: a few packs are tried. */
enum qn_err qn_vault_check_keys(struct qn_vault *vault)
{
    struct qn_pack_name names[KEYS_TRIED];
    size_t count, refused = 0;
    QN_TRY(qn_pool_list(vault->pool, NULL, KEYS_TRIED, names, &count));
    struct qn_unpacker *unpacker = qn_unpacker_new(&vault->keys);
    for (size_t i = 0; i < count; i++) {
        uint8_t head[QN_PACK_HEAD_SIZE];
        enum qn_pack_kind kind;
        if (qn_pool_read(vault->pool, &names[i], 0, sizeof(head), head) != QN_OK)
            continue;
        enum qn_err err = qn_unpacker_start(unpacker, QN_SPAN_OF(head), &kind);
        if (err == QN_OK)
            break;
        refused += err == QN_ERR_SIGNATURE;
        if (i + 1 == count && refused > 0) {
            qn_unpacker_free(unpacker);
            return QN_ERR_SIGNATURE;
        }
    }
    qn_unpacker_free(unpacker);
    return QN_OK;
}
