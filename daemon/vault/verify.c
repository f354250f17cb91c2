#include "base/assert.h"
#include "vault/mark.h"
#include "vault/mend.h"

/* Every pack against its name and every chunk in it against its id, on the workers; then what the
 * snapshots need against the index and what is known of the packs. */
struct verify {
    struct qn_vault *vault;
    bool reads_data;
    struct qn_vault_progress *progress;
    qn_vault_report on_report;
    void *context;
    pthread_mutex_t mutex; /* of all below, and around on_report */
    struct qn_verify_counts counts;
    struct qn_index_view *view;
    uint32_t next_pack; /* the last number that was taken */
    enum qn_err err;
    struct qn_pack_set bad, told; /* packs that are not whole, or not there; those reported */
    struct qn_pack_set elsewhere; /* packs that were left where they are */
    uint64_t lost_size;           /* of packs with bytes of files that are not there */
    /* The second half, one thread. */
    struct qn_fetcher *fetcher;
    struct qn_chunk_set lost; /* reported already */
};

struct checker {
    struct verify *verify;
    pthread_t thread;
    struct qn_unpacker *unpacker;
    struct qn_mac *mac;
    struct qn_hasher *hasher;
    qn_blob_vec blobs;
    uint8_t *pack, *raw;
};

static void count_error(struct verify *verify)
{
    if (verify->progress != NULL)
        qn_progress_add(&verify->progress->errors, 1);
}

/* With the mutex. */
static void report(struct verify *verify, const char *what, struct qn_span path)
{
    count_error(verify);
    if (verify->on_report != NULL)
        verify->on_report(verify->context, what, path, 0);
}

static void report_pack(struct verify *verify, const char *what, const struct qn_index_pack *pack)
{
    static const char digits[] = "0123456789abcdef";
    char hex[64];
    for (size_t i = 0; i < 64; i++)
        hex[i] = digits[pack->name.bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    qn_pack_set_add(&verify->told, pack->number);
    report(verify, what, qn_span(hex, sizeof(hex)));
}

/* ---- packs ---- */

/* QN_ERR_NOTFOUND: none is left. */
static enum qn_err take_pack(struct verify *verify, struct qn_index_pack *ret_pack)
{
    pthread_mutex_lock(&verify->mutex);
    enum qn_err err = verify->err;
    if (err == QN_OK && qn_progress_cancelled(verify->progress))
        err = verify->err = QN_ERR_CLOSED;
    if (err == QN_OK)
        err = qn_index_next_pack(verify->view, verify->next_pack, ret_pack);
    if (err == QN_OK)
        verify->next_pack = ret_pack->number;
    else if (err != QN_ERR_NOTFOUND && verify->err == QN_OK)
        verify->err = err;
    pthread_mutex_unlock(&verify->mutex);
    return err;
}

static enum qn_err check_name(struct checker *checker, const struct qn_index_pack *pack)
{
    struct qn_digest digest;
    QN_TRY(qn_pool_read(checker->verify->vault->pool, &pack->name, 0, pack->size, checker->pack));
    qn_hasher_start(checker->hasher);
    qn_hasher_add(checker->hasher, qn_span(checker->pack, pack->size));
    qn_hasher_finish(checker->hasher, &digest);
    bool is_same = memcmp(digest.bytes, pack->name.bytes, sizeof(digest.bytes)) == 0;
    return is_same ? QN_OK : QN_ERR_CORRUPT;
}

static enum qn_err read_directory(struct checker *checker, const struct qn_index_pack *pack)
{
    enum qn_pack_kind kind;
    size_t offset, size, trailer = pack->size - QN_PACK_TRAILER_SIZE;
    struct qn_unpacker *unpacker = checker->unpacker;
    QN_TRY(qn_unpacker_start(unpacker, qn_span(checker->pack, QN_PACK_HEAD_SIZE), &kind));
    QN_TRY(qn_unpacker_trailer(unpacker, qn_span(checker->pack + trailer, QN_PACK_TRAILER_SIZE),
                               pack->size, &offset, &size));
    return qn_unpacker_directory(unpacker, offset, qn_span(checker->pack + offset, size),
                                 &checker->blobs);
}

static bool is_blob_good(struct checker *checker, const struct qn_index_pack *pack,
                         const struct qn_blob *blob)
{
    size_t size = qn_blob_span_size(blob);
    if (blob->offset > pack->size || size > pack->size - blob->offset ||
        blob->raw_size > QN_BLOB_SIZE_MAX)
        return false;
    return qn_unpacker_blob(checker->unpacker, blob, qn_span(checker->pack + blob->offset, size),
                            checker->mac, checker->raw) == QN_OK;
}

/* *ret_bad: of the chunks. */
static enum qn_err check_blobs(struct checker *checker, const struct qn_index_pack *pack,
                               uint64_t *ret_bad)
{
    uint64_t bad = 0;
    QN_TRY(read_directory(checker, pack));
    for (size_t i = 0; i < checker->blobs.count; i++)
        bad += !is_blob_good(checker, pack, &checker->blobs.items[i]);
    *ret_bad = bad;
    return QN_OK;
}

static enum qn_err check_size(struct verify *verify, const struct qn_index_pack *pack)
{
    size_t size;
    QN_TRY(qn_pool_size(verify->vault->pool, &pack->name, &size));
    return size == pack->size && size >= QN_PACK_HEAD_SIZE + QN_PACK_TRAILER_SIZE ? QN_OK
                                                                                  : QN_ERR_CORRUPT;
}

static void note_pack(struct verify *verify, const struct qn_index_pack *pack, enum qn_err err,
                      uint64_t bad_chunks)
{
    pthread_mutex_lock(&verify->mutex);
    verify->counts.packs++;
    verify->counts.bytes += verify->reads_data ? pack->size : 0;
    verify->counts.bad_chunks += bad_chunks;
    if (err != QN_OK || bad_chunks > 0)
        qn_pack_set_add(&verify->bad, pack->number);
    if (err == QN_ERR_NOTFOUND && pack->kind == QN_PACK_DATA)
        verify->lost_size += pack->size;
    if ((err != QN_OK && err != QN_ERR_NOTFOUND) || bad_chunks > 0) {
        verify->counts.bad_packs++;
        report_pack(verify, "bad-pack", pack);
    }
    pthread_mutex_unlock(&verify->mutex);
    if (verify->progress != NULL) {
        qn_progress_add(&verify->progress->files_done, 1);
        qn_progress_add(&verify->progress->bytes_done, pack->size);
    }
}

/* Without the mutex: it may take as long as the line. */
static bool mend(struct verify *verify, const struct qn_index_pack *pack)
{
    if (qn_vault_mend(verify->vault, &pack->name) != QN_OK)
        return false;
    pthread_mutex_lock(&verify->mutex);
    verify->counts.repaired++;
    pthread_mutex_unlock(&verify->mutex);
    return true;
}

static enum qn_err check_once(struct checker *checker, const struct qn_index_pack *pack,
                              uint64_t *ret_bad_chunks)
{
    const struct verify *verify = checker->verify;
    *ret_bad_chunks = 0;
    QN_TRY(check_size(checker->verify, pack));
    if (!verify->reads_data)
        return QN_OK;
    QN_TRY(check_name(checker, pack));
    return check_blobs(checker, pack, ret_bad_chunks);
}

static void check_pack(struct checker *checker, const struct qn_index_pack *pack)
{
    struct verify *verify = checker->verify;
    uint64_t bad_chunks = 0;
    enum qn_err err = check_once(checker, pack, &bad_chunks);
    bool is_bad = (err != QN_OK && err != QN_ERR_NOTFOUND) || bad_chunks > 0;
    if (is_bad && mend(verify, pack))
        err = check_once(checker, pack, &bad_chunks);
    note_pack(verify, pack, err, bad_chunks);
}

static void *check_packs(void *context)
{
    struct checker *checker = context;
    struct qn_index_pack pack;
    while (take_pack(checker->verify, &pack) == QN_OK)
        check_pack(checker, &pack);
    return NULL;
}

static void init_checker(struct checker *checker, struct verify *verify)
{
    *checker = (struct checker){.verify = verify,
                                .unpacker = qn_unpacker_new(&verify->vault->keys),
                                .mac = qn_mac_new(QN_SPAN_OF(verify->vault->keys.id)),
                                .hasher = qn_hasher_new(),
                                .pack = qn_alloc(QN_PACK_SIZE_MAX),
                                .raw = qn_alloc(QN_BLOB_SIZE_MAX)};
}

static void deinit_checker(struct checker *checker)
{
    qn_unpacker_free(checker->unpacker);
    qn_mac_free(checker->mac);
    qn_hasher_free(checker->hasher);
    qn_vec_free(&checker->blobs);
    qn_free(checker->pack);
    qn_free(checker->raw);
}

static enum qn_err check_all_packs(struct verify *verify)
{
    struct checker checkers[QN_VAULT_WORKERS_MAX];
    unsigned count = verify->reads_data ? verify->vault->workers : 1;
    for (unsigned i = 0; i < count; i++) {
        init_checker(&checkers[i], verify);
        QN_ASSERT(pthread_create(&checkers[i].thread, NULL, check_packs, &checkers[i]) == 0);
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(checkers[i].thread, NULL);
        deinit_checker(&checkers[i]);
    }
    qn_index_view_rest(verify->view);
    return verify->err;
}

/* ---- snapshots ---- */

static void report_chunk(struct verify *verify, enum qn_err err, const struct qn_chunk_id *id,
                         struct qn_span path)
{
    if (!qn_chunk_set_add(&verify->lost, id))
        return;
    bool is_missing = err == QN_ERR_NOTFOUND || err == QN_ERR_TIMEOUT || err == QN_ERR_DENIED;
    verify->counts.missing_chunks += is_missing;
    verify->counts.bad_chunks += !is_missing && !verify->reads_data; /* else counted in its pack */
    report(verify, is_missing ? "missing-chunk" : "bad-chunk", path);
}

/* A chunk of a pack that is not whole may be whole itself, or at a holder. */
static enum qn_err fetch_anyway(struct verify *verify, const struct qn_index_row *row)
{
    QN_AUTO_FREE uint8_t *raw = qn_alloc(QN_BLOB_SIZE_MAX);
    struct qn_fetch fetch = {.row = *row, .out = raw};
    qn_fetch_run(verify->fetcher, &fetch, 1);
    return fetch.err;
}

static bool is_lost(enum qn_err err)
{
    return err == QN_ERR_NOTFOUND || err == QN_ERR_CORRUPT || err == QN_ERR_SIGNATURE ||
           err == QN_ERR_INVALID || err == QN_ERR_UNSUPPORTED || err == QN_ERR_TIMEOUT ||
           err == QN_ERR_DENIED;
}

/* Too much was lost to be brought back by the way: what holders have is proven by their proofs. */
static bool is_elsewhere(struct verify *verify, const struct qn_index_pack *pack)
{
    size_t size;
    const struct qn_vault *vault = verify->vault;
    if (!vault->has_source || verify->lost_size <= vault->verify_fetch_max ||
        pack->kind != QN_PACK_DATA || qn_pool_size(vault->pool, &pack->name, &size) == QN_OK)
        return false;
    verify->counts.elsewhere += !qn_pack_set_has(&verify->elsewhere, pack->number);
    qn_pack_set_add(&verify->elsewhere, pack->number);
    return true;
}

static enum qn_err check_pack_of(struct verify *verify, const struct qn_index_row *row)
{
    struct qn_index_pack pack;
    if (!qn_pack_set_has(&verify->bad, row->pack))
        return qn_index_get_pack(verify->view, row->pack, &pack);
    QN_TRY(qn_index_get_pack(verify->view, row->pack, &pack));
    if (is_elsewhere(verify, &pack))
        return QN_OK;
    bool is_told = qn_pack_set_has(&verify->told, row->pack);
    if (is_told && pack.state == QN_PACK_PRESENT)
        return fetch_anyway(verify, row);
    if (is_told)
        return QN_ERR_NOTFOUND;
    if (!mend(verify, &pack)) {
        if (qn_progress_cancelled(verify->progress))
            return QN_ERR_CLOSED;
        report_pack(verify, "missing-pack", &pack);
        enum qn_err err = fetch_anyway(verify, row);
        return pack.state == QN_PACK_PRESENT || err == QN_OK || !is_lost(err) ? err
                                                                              : QN_ERR_NOTFOUND;
    }
    qn_pack_set_remove(&verify->bad, row->pack);
    qn_fetcher_rest(verify->fetcher);
    return QN_OK;
}

static enum qn_err check_chunk(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                               uint64_t size, struct qn_span path)
{
    struct verify *verify = context;
    struct qn_index_row row;
    bool is_hint = kind == QN_BLOB_PLACES; /* nothing is lost with them */
    verify->counts.chunks += !is_hint;
    enum qn_err err = qn_fetch_find(verify->fetcher, kind, id, size, &row);
    if (err == QN_OK)
        err = check_pack_of(verify, &row);
    if (!is_lost(err))
        return err;
    if (!is_hint)
        report_chunk(verify, err, id, path);
    return QN_OK;
}

static void on_bad_snapshot(void *context, const char *what, struct qn_span path, int errno_value)
{
    (void)errno_value;
    report(context, what, path);
}

/* What is lost of a list was reported as a chunk; the rest of that list cannot be told. */
static enum qn_err check_snapshots(struct verify *verify)
{
    qn_snapshot_vec snapshots = {0};
    struct qn_marker marker;
    QN_TRY(qn_vault_snapshots(verify->vault, NULL, on_bad_snapshot, verify, &snapshots));
    qn_marker_init(&marker, verify->vault);
    marker.on_chunk = check_chunk;
    marker.context = verify;
    marker.progress = verify->progress;
    enum qn_err err = QN_OK;
    for (size_t i = 0; i < snapshots.count && err == QN_OK; i++) {
        verify->counts.snapshots++;
        size_t lost = verify->lost.count;
        err = qn_mark(&marker, &snapshots.items[i].snapshot);
        if (is_lost(err) && verify->lost.count == lost) /* found, but not what it should be */
            report_chunk(verify, err, &snapshots.items[i].snapshot.root.id, qn_span(NULL, 0));
        err = is_lost(err) ? QN_OK : err;
        qn_fetcher_rest(verify->fetcher);
        qn_index_view_rest(verify->view);
    }
    qn_marker_deinit(&marker);
    qn_snapshots_deinit(&snapshots);
    return err;
}

static void tell_totals(const struct verify *verify)
{
    struct qn_index_counts counts;
    if (verify->progress == NULL || qn_index_count(verify->vault->index, &counts) != QN_OK)
        return;
    atomic_store(&verify->progress->files_total, counts.packs);
    atomic_store(&verify->progress->bytes_total, counts.pack_bytes);
}

enum qn_err qn_vault_verify(struct qn_vault *vault, bool reads_data,
                            struct qn_vault_progress *progress, qn_vault_report on_report,
                            void *context, struct qn_verify_counts *ret_counts)
{
    struct verify verify = {.vault = vault,
                            .reads_data = reads_data,
                            .progress = progress,
                            .on_report = on_report,
                            .context = context,
                            .view = qn_index_view_new(vault->index),
                            .fetcher = qn_fetcher_new(vault)};
    pthread_mutex_init(&verify.mutex, NULL);
    qn_chunk_set_init(&verify.lost, QN_MARK_VISITED_MAX);
    tell_totals(&verify);
    enum qn_err err = check_all_packs(&verify);
    if (err == QN_OK)
        err = check_snapshots(&verify);
    *ret_counts = verify.counts;
    pthread_mutex_destroy(&verify.mutex);
    qn_chunk_set_deinit(&verify.lost);
    qn_pack_set_deinit(&verify.bad);
    qn_pack_set_deinit(&verify.told);
    qn_pack_set_deinit(&verify.elsewhere);
    qn_index_view_free(verify.view);
    qn_fetcher_free(verify.fetcher);
    return err;
}
