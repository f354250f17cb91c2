#include "vault/fetch.h"

#include "vault/mend.h"
#include "vault/vault_private.h"

/* A run as it lies in a pack. */
#define SCRATCH_SIZE_MAX (QN_FETCH_RANGE_MAX + QN_BLOB_SIZE_MAX + 4096)

struct qn_fetcher {
    struct qn_vault *vault;
    struct qn_index_view *view;
    struct qn_unpacker *unpacker;
    struct qn_mac *mac;
    struct qn_index_pack pack; /* number 0: none */
    uint32_t started;          /* number of the pack that the unpacker is about; 0: none */
    bool is_started_local;     /* its head came from the pool */
    uint8_t *sealed, *plain;   /* grown to what was needed so far, at most SCRATCH_SIZE_MAX */
    size_t sealed_size, plain_size;
};

static void make_room(uint8_t **bytes, size_t *size, size_t wanted)
{
    if (*size >= wanted)
        return;
    qn_free(*bytes);
    *bytes = qn_alloc(wanted);
    *size = wanted;
}

struct qn_fetcher *qn_fetcher_new(struct qn_vault *vault)
{
    struct qn_fetcher *fetcher = QN_NEW(struct qn_fetcher);
    fetcher->vault = vault;
    fetcher->view = qn_index_view_new(vault->index);
    fetcher->unpacker = qn_unpacker_new(&vault->keys);
    fetcher->mac = qn_mac_new(QN_SPAN_OF(vault->keys.id));
    return fetcher;
}

void qn_fetcher_free(struct qn_fetcher *fetcher)
{
    if (fetcher == NULL)
        return;
    qn_index_view_free(fetcher->view);
    qn_unpacker_free(fetcher->unpacker);
    qn_mac_free(fetcher->mac);
    qn_free(fetcher->sealed);
    qn_free(fetcher->plain);
    qn_free(fetcher);
}

/* What is remembered of a pack goes too: its state may change meanwhile. */
void qn_fetcher_rest(struct qn_fetcher *fetcher)
{
    qn_index_view_rest(fetcher->view);
    fetcher->pack.number = 0;
}

enum qn_err qn_fetch_find(struct qn_fetcher *fetcher, enum qn_blob_kind kind,
                          const struct qn_chunk_id *id, uint64_t raw_size,
                          struct qn_index_row *ret_row)
{
    struct qn_index_row row;
    QN_TRY(qn_index_get(fetcher->view, id, &row));
    bool is_other = row.blob.kind != kind || (raw_size != 0 && row.blob.raw_size != raw_size);
    if (is_other || row.blob.raw_size > QN_BLOB_SIZE_MAX || row.blob.stored_size > QN_BLOB_SIZE_MAX)
        return QN_ERR_CORRUPT;
    *ret_row = row;
    return QN_OK;
}

/* ---- bytes of a pack, from the pool or the source ---- */

static enum qn_err read_bytes(struct qn_fetcher *fetcher, bool is_local, size_t offset, size_t size,
                              uint8_t *out)
{
    const struct qn_pack_name *name = &fetcher->pack.name;
    if (is_local)
        return qn_pool_read(fetcher->vault->pool, name, offset, size, out);
    struct qn_pack_source *source = &fetcher->vault->source;
    return source->read(source->context, name, offset, size, out);
}

static enum qn_err start_pack(struct qn_fetcher *fetcher, bool is_local)
{
    if (fetcher->started == fetcher->pack.number && fetcher->is_started_local == is_local)
        return QN_OK;
    uint8_t head[QN_PACK_HEAD_SIZE];
    enum qn_pack_kind kind;
    fetcher->started = 0;
    QN_TRY(read_bytes(fetcher, is_local, 0, sizeof(head), head));
    QN_TRY(qn_unpacker_start(fetcher->unpacker, QN_SPAN_OF(head), &kind));
    fetcher->started = fetcher->pack.number;
    fetcher->is_started_local = is_local;
    return QN_OK;
}

static size_t end_of(const struct qn_fetch *chunk)
{
    return chunk->row.blob.offset + qn_blob_span_size(&chunk->row.blob);
}

/* Reads from the first to the last chunk that is still wanted, and opens those. */
static enum qn_err read_run(struct qn_fetcher *fetcher, const struct qn_fetch *chunks, size_t count,
                            bool is_local)
{
    QN_TRY(start_pack(fetcher, is_local));
    size_t offset = chunks[0].row.blob.offset, end = end_of(&chunks[count - 1]);
    if (end <= offset || end - offset > SCRATCH_SIZE_MAX)
        return QN_ERR_CORRUPT;
    make_room(&fetcher->sealed, &fetcher->sealed_size, end - offset);
    return read_bytes(fetcher, is_local, offset, end - offset, fetcher->sealed);
}

static void open_run(struct qn_fetcher *fetcher, struct qn_fetch *chunks, size_t count)
{
    size_t first = chunks[0].row.blob.offset;
    for (size_t i = 0; i < count; i++) {
        if (chunks[i].err == QN_OK)
            continue;
        const struct qn_blob *blob = &chunks[i].row.blob;
        struct qn_span bytes =
            qn_span(fetcher->sealed + (blob->offset - first), qn_blob_span_size(blob));
        chunks[i].err =
            qn_unpacker_blob(fetcher->unpacker, blob, bytes, fetcher->mac, chunks[i].out);
    }
}

/* True: all are there. */
static bool try_run(struct qn_fetcher *fetcher, struct qn_fetch *chunks, size_t count,
                    bool is_local)
{
    enum qn_err err = read_run(fetcher, chunks, count, is_local);
    if (err == QN_OK)
        open_run(fetcher, chunks, count);
    bool is_whole = true;
    for (size_t i = 0; i < count; i++) {
        if (err != QN_OK && chunks[i].err != QN_OK)
            chunks[i].err = err;
        is_whole &= chunks[i].err == QN_OK;
    }
    return is_whole;
}

static enum qn_err know_pack(struct qn_fetcher *fetcher, uint32_t number)
{
    if (fetcher->pack.number == number)
        return QN_OK;
    fetcher->pack.number = 0;
    return qn_index_get_pack(fetcher->view, number, &fetcher->pack);
}

/* Not: a holder that cannot be reached now. */
static bool is_bad(const struct qn_fetch *chunks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum qn_err err = chunks[i].err;
        if (err == QN_ERR_SIGNATURE || err == QN_ERR_CORRUPT || err == QN_ERR_NOTFOUND ||
            err == QN_ERR_INVALID || err == QN_ERR_IO)
            return true;
    }
    return false;
}

/* The rows of what is still wanted, as they are now; false: not all in one pack any more. */
static bool find_again(struct qn_fetcher *fetcher, struct qn_fetch *chunks, size_t count)
{
    uint32_t pack = chunks[0].row.pack;
    for (size_t i = 0; i < count; i++) {
        struct qn_blob blob = chunks[i].row.blob;
        if (chunks[i].err == QN_OK)
            continue;
        if (qn_fetch_find(fetcher, blob.kind, &blob.id, blob.raw_size, &chunks[i].row) != QN_OK ||
            chunks[i].row.pack != pack)
            return false;
        if (i > 0 && chunks[i].row.blob.offset < end_of(&chunks[i - 1]))
            return false;
    }
    return true;
}

/* A copy of the pack takes its place: the rows of one that a holder only said to have may have been
 * wrong. */
static enum qn_err mend(struct qn_fetcher *fetcher, struct qn_fetch *chunks, size_t count)
{
    QN_TRY(qn_vault_mend(fetcher->vault, &fetcher->pack.name));
    qn_fetcher_rest(fetcher);
    fetcher->started = 0;
    if (!find_again(fetcher, chunks, count))
        return QN_ERR_STATE;
    return know_pack(fetcher, chunks[0].row.pack);
}

/* Whether a copy that could not take the pack's place may still give single chunks. */
static bool may_have_chunks(enum qn_err err)
{
    return err != QN_ERR_NOTFOUND && err != QN_ERR_TIMEOUT && err != QN_ERR_CLOSED &&
           err != QN_ERR_STATE;
}

void qn_fetch_run(struct qn_fetcher *fetcher, struct qn_fetch *chunks, size_t count)
{
    enum qn_err err = know_pack(fetcher, chunks[0].row.pack);
    for (size_t i = 0; i < count; i++)
        chunks[i].err = err == QN_OK ? QN_ERR_NOTFOUND : err;
    if (err != QN_OK)
        return;
    bool is_local = fetcher->pack.state == QN_PACK_PRESENT;
    bool has_source = fetcher->vault->has_source;
    if (!is_local && !has_source)
        return;
    if (try_run(fetcher, chunks, count, is_local) || !has_source || !is_bad(chunks, count))
        return;
    err = mend(fetcher, chunks, count);
    if (err == QN_OK)
        (void)try_run(fetcher, chunks, count, true);
    else if (is_local && may_have_chunks(err))
        (void)try_run(fetcher, chunks, count, false);
}

enum qn_err qn_fetch_chunk(struct qn_fetcher *fetcher, enum qn_blob_kind kind,
                           const struct qn_chunk_id *id, struct qn_buf *out)
{
    struct qn_fetch chunk = {0};
    QN_TRY(qn_fetch_find(fetcher, kind, id, 0, &chunk.row));
    make_room(&fetcher->plain, &fetcher->plain_size, chunk.row.blob.raw_size);
    chunk.out = fetcher->plain;
    qn_fetch_run(fetcher, &chunk, 1);
    QN_TRY(chunk.err);
    qn_buf_append(out, chunk.out, chunk.row.blob.raw_size);
    return qn_buf_status(out);
}

enum qn_err qn_fetch_tree(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                          struct qn_buf *out)
{
    return qn_fetch_chunk(context, kind, id, out);
}

/* ---- contents ---- */

struct content_walk {
    struct qn_fetcher *fetcher;
    qn_content_fn fn;
    qn_manifest_fn on_manifest;
    void *context;
};

static enum qn_err walk_items(const struct content_walk *walk, const struct qn_content *content);

static enum qn_err walk_manifest(const struct content_walk *walk,
                                 const struct qn_content_item *item, unsigned depth)
{
    if (walk->on_manifest != NULL)
        QN_TRY(walk->on_manifest(walk->context, &item->id));
    QN_AUTO_BUF struct qn_buf plain;
    qn_buf_init(&plain, QN_BLOB_SIZE_MAX);
    QN_TRY(qn_fetch_chunk(walk->fetcher, QN_BLOB_MANIFEST, &item->id, &plain));
    struct qn_content below = {.depth = depth - 1, .items = qn_buf_view(&plain)};
    QN_TRY(qn_content_check(&below, QN_MANIFEST_ITEMS_MAX, item->size));
    return walk_items(walk, &below);
}

/* No deeper than QN_CONTENT_DEPTH_MAX: entries were checked, and it falls by one each time. */
static enum qn_err walk_items(const struct content_walk *walk, const struct qn_content *content)
{
    struct qn_content_item item;
    for (size_t at = 0; at < content->items.size;) {
        QN_TRY(qn_content_item_read(content->items, &at, &item));
        if (content->depth == 0)
            QN_TRY(walk->fn(walk->context, &item));
        else
            QN_TRY(walk_manifest(walk, &item, content->depth));
    }
    return QN_OK;
}

enum qn_err qn_fetch_content(struct qn_fetcher *fetcher, const struct qn_content *content,
                             qn_content_fn fn, qn_manifest_fn on_manifest, void *context)
{
    struct content_walk walk = {
        .fetcher = fetcher, .fn = fn, .on_manifest = on_manifest, .context = context};
    if (content->depth > QN_CONTENT_DEPTH_MAX)
        return QN_ERR_CORRUPT;
    return walk_items(&walk, content);
}
