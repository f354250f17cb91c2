#include "vault/mend.h"

#include "base/text.h"
#include "vault/vault_private.h"

#define PIECE_SIZE  ((size_t)1024 * 1024)
#define HOLDERS_MAX 16

struct tried {
    struct qn_pack_name name;
    enum qn_err err;
    uint64_t at_ms; /* 0: none */
};

struct qn_mender {
    struct qn_vault *vault;
    pthread_mutex_t mutex;
    struct tried tried[QN_MEND_TRIED_MAX]; /* a ring */
    size_t next;
};

struct qn_mender *qn_mender_new(struct qn_vault *vault)
{
    struct qn_mender *mender = QN_NEW(struct qn_mender);
    mender->vault = vault;
    pthread_mutex_init(&mender->mutex, NULL);
    return mender;
}

void qn_mender_free(struct qn_mender *mender)
{
    if (mender == NULL)
        return;
    pthread_mutex_destroy(&mender->mutex);
    qn_free(mender);
}

/* ---- a copy ---- */

static enum qn_err read_pieces(const struct qn_pack_source *source, const struct qn_pack_name *name,
                               uint8_t *out, size_t size)
{
    for (size_t at = 0; at < size; at += PIECE_SIZE) {
        size_t piece = size - at < PIECE_SIZE ? size - at : PIECE_SIZE;
        QN_TRY(source->read(source->context, name, at, piece, out + at));
    }
    return QN_OK;
}

static enum qn_err fetch_once(struct qn_vault *vault, const struct qn_pack_name *name)
{
    const struct qn_pack_source *source = &vault->source;
    size_t size;
    QN_TRY(source->size(source->context, name, &size));
    if (size == 0 || size > QN_PACK_SIZE_MAX)
        return QN_ERR_LIMIT;
    uint8_t *bytes = qn_alloc(size);
    enum qn_err err = read_pieces(source, name, bytes, size);
    if (err == QN_OK)
        err = qn_vault_repair(vault, name, qn_span(bytes, size));
    qn_free(bytes);
    return err;
}

/* A holder that gives other bytes does not keep those of an honest one away. */
static enum qn_err fetch_whole(struct qn_vault *vault, const struct qn_pack_name *name)
{
    const struct qn_pack_source *source = &vault->source;
    enum qn_err err = QN_ERR_NOTFOUND;
    for (size_t i = 0; i < HOLDERS_MAX; i++) {
        err = fetch_once(vault, name);
        bool is_wrong = err == QN_ERR_SIGNATURE || err == QN_ERR_CORRUPT || err == QN_ERR_LIMIT;
        if (!is_wrong || source->another == NULL || !source->another(source->context, name))
            break;
    }
    return err;
}

/* Whether the file in the pool is what its name says. */
static bool is_whole(struct qn_vault *vault, const struct qn_pack_name *name)
{
    struct qn_digest digest;
    size_t size;
    if (qn_pool_size(vault->pool, name, &size) != QN_OK || size == 0 || size > QN_PACK_SIZE_MAX)
        return false;
    uint8_t *bytes = qn_alloc(size);
    enum qn_err err = qn_pool_read(vault->pool, name, 0, size, bytes);
    if (err == QN_OK)
        QN_DIGEST(&digest, qn_span(bytes, size));
    qn_free(bytes);
    return err == QN_OK && memcmp(digest.bytes, name->bytes, sizeof(name->bytes)) == 0;
}

/* ---- not again and again ---- */

static bool was_tried(const struct qn_mender *mender, const struct qn_pack_name *name,
                      uint64_t now_ms, enum qn_err *ret_err)
{
    for (size_t i = 0; i < QN_MEND_TRIED_MAX; i++) { /* the last outcome first */
        size_t at = (mender->next + QN_MEND_TRIED_MAX - 1 - i) % QN_MEND_TRIED_MAX;
        const struct tried *tried = &mender->tried[at];
        if (tried->at_ms == 0 || memcmp(&tried->name, name, sizeof(*name)) != 0 ||
            now_ms - tried->at_ms >= QN_MEND_AGAIN_MS)
            continue;
        *ret_err = tried->err;
        return true;
    }
    return false;
}

static void remember(struct qn_mender *mender, const struct qn_pack_name *name, uint64_t now_ms,
                     enum qn_err err)
{
    mender->tried[mender->next] = (struct tried){.name = *name, .err = err, .at_ms = now_ms};
    mender->next = (mender->next + 1) % QN_MEND_TRIED_MAX;
}

/* Whether it was never here, so that fetching it mends nothing. */
static bool is_elsewhere(struct qn_vault *vault, const struct qn_pack_name *name,
                         struct qn_index_pack *ret_pack)
{
    struct qn_index_view *view = qn_index_view_new(vault->index);
    enum qn_err err = qn_index_find_pack(view, name, ret_pack);
    qn_index_view_free(view);
    return err == QN_OK && ret_pack->state == QN_PACK_ELSEWHERE;
}

/* No holder has it: what a backup finds is not stored by it any more. */
static enum qn_err note_missing(struct qn_vault *vault, struct qn_index_pack *pack)
{
    struct qn_index_batch *batch;
    pack->state = QN_PACK_MISSING;
    QN_TRY(qn_index_begin(vault->index, &batch));
    enum qn_err err = qn_index_set_pack(batch, pack);
    if (err == QN_OK)
        return qn_index_commit(batch);
    qn_index_abort(batch);
    return err;
}

static enum qn_err mend(struct qn_mender *mender, const struct qn_pack_name *name)
{
    struct qn_vault *vault = mender->vault;
    enum qn_err err;
    bool was = was_tried(mender, name, qn_os_boot_ms(), &err);
    if (was && err != QN_OK)
        return err;
    if (is_whole(vault, name))
        return was ? QN_OK : QN_ERR_STATE;
    struct qn_index_pack pack;
    bool was_elsewhere = is_elsewhere(vault, name, &pack);
    err = fetch_whole(vault, name);
    if (was_elsewhere && err == QN_ERR_NOTFOUND)
        QN_TRY(note_missing(vault, &pack));
    if (err == QN_ERR_CLOSED) /* who asked gave up: it says nothing of the pack */
        return err;
    remember(mender, name, qn_os_boot_ms() + 1, err);
    if (vault->source.mended != NULL && !(was_elsewhere && err == QN_OK))
        vault->source.mended(vault->source.context, name, err);
    return err;
}

enum qn_err qn_vault_mend(struct qn_vault *vault, const struct qn_pack_name *name)
{
    if (!vault->has_source || vault->source.size == NULL)
        return QN_ERR_UNSUPPORTED;
    pthread_mutex_lock(&vault->mender->mutex);
    enum qn_err err = mend(vault->mender, name);
    pthread_mutex_unlock(&vault->mender->mutex);
    return err;
}

/* ---- all that is missing ---- */

static bool is_lost(enum qn_err err)
{
    return err == QN_ERR_NOTFOUND || err == QN_ERR_SIGNATURE || err == QN_ERR_CORRUPT ||
           err == QN_ERR_LIMIT || err == QN_ERR_UNSUPPORTED;
}

static enum qn_err mend_known(struct qn_vault *vault, const struct qn_pack_name *name,
                              struct qn_mend_counts *counts)
{
    struct qn_index_view *view = qn_index_view_new(vault->index);
    struct qn_index_pack pack;
    enum qn_err err = qn_index_find_pack(view, name, &pack);
    qn_index_view_free(view);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    err = qn_vault_mend(vault, name);
    counts->repaired += err == QN_OK;
    counts->whole += err == QN_ERR_STATE;
    counts->lost += is_lost(err) && err != QN_ERR_UNSUPPORTED;
    return err == QN_ERR_STATE || (is_lost(err) && err != QN_ERR_UNSUPPORTED) ? QN_OK : err;
}

enum qn_err qn_vault_mend_packs(struct qn_vault *vault, struct qn_span names,
                                struct qn_vault_progress *progress,
                                struct qn_mend_counts *ret_counts)
{
    *ret_counts = (struct qn_mend_counts){0};
    for (size_t at = 0; at + QN_DIGEST_SIZE <= names.size; at += QN_DIGEST_SIZE) {
        struct qn_pack_name name;
        if (qn_progress_cancelled(progress))
            return QN_ERR_CLOSED;
        memcpy(name.bytes, names.data + at, sizeof(name.bytes));
        QN_TRY(mend_known(vault, &name, ret_counts));
    }
    return QN_OK;
}

static void report_lost(qn_vault_report on_report, void *context, const struct qn_pack_name *name)
{
    QN_AUTO_BUF struct qn_buf hex;
    qn_buf_init(&hex, 2 * sizeof(name->bytes));
    qn_text_append_hex(&hex, QN_SPAN_OF(name->bytes));
    if (on_report != NULL)
        on_report(context, "missing-pack", qn_buf_view(&hex), 0);
}

static enum qn_err next_missing(struct qn_index_view *view, bool all, struct qn_index_pack *pack)
{
    do
        QN_TRY(qn_index_next_pack(view, pack->number, pack));
    while (pack->state == QN_PACK_PRESENT || (!all && pack->kind != QN_PACK_META));
    return QN_OK;
}

static void count_pack(struct qn_vault_progress *progress, const struct qn_index_pack *pack)
{
    if (progress == NULL)
        return;
    qn_progress_add(&progress->files_done, 1);
    qn_progress_add(&progress->bytes_done, pack->size);
}

enum qn_err qn_vault_complete(struct qn_vault *vault, bool all, struct qn_vault_progress *progress,
                              qn_vault_report on_report, void *context, uint64_t *ret_fetched,
                              uint64_t *ret_lost)
{
    struct qn_index_view *view = qn_index_view_new(vault->index);
    struct qn_index_pack pack = {0};
    uint64_t fetched = 0, lost = 0;
    enum qn_err err;
    while ((err = next_missing(view, all, &pack)) == QN_OK) {
        qn_index_view_rest(view);
        err = qn_progress_cancelled(progress) ? QN_ERR_CLOSED : qn_vault_mend(vault, &pack.name);
        if (is_lost(err))
            report_lost(on_report, context, &pack.name);
        else if (err != QN_OK && err != QN_ERR_STATE)
            break;
        lost += is_lost(err);
        fetched += err == QN_OK;
        count_pack(progress, &pack);
    }
    qn_index_view_free(view);
    *ret_fetched = fetched;
    *ret_lost = lost;
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}
