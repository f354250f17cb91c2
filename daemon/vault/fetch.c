#include "vault/fetch.h"

#include "vault/hints.h"
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

/* The index, else what places say, else the index when all directories are in it. */
static enum qn_err find(struct qn_fetcher *fetcher, const struct qn_chunk_id *id,
                        struct qn_index_row *ret_row)
{
    struct qn_hints *hints = fetcher->vault->hints;
    enum qn_err err = qn_index_get(fetcher->view, id, ret_row);
    if (err != QN_ERR_NOTFOUND || hints == NULL)
        return err;
    if (qn_hints_find(hints, id, ret_row) == QN_OK)
        return QN_OK;
    qn_fetcher_rest(fetcher);
    QN_TRY(qn_hints_complete(hints));
    return qn_index_get(fetcher->view, id, ret_row);
}

enum qn_err qn_fetch_find(struct qn_fetcher *fetcher, enum qn_blob_kind kind,
                          const struct qn_chunk_id *id, uint64_t raw_size,
                          struct qn_index_row *ret_row)
{
    struct qn_index_row row;
    QN_TRY(find(fetcher, id, &row));
    bool is_other = row.blob.kind != kind || (raw_size != 0 && row.blob.raw_size != raw_size);
    if (is_other || row.blob.raw_size > QN_BLOB_SIZE_MAX || row.blob.stored_size > QN_BLOB_SIZE_MAX)
        return QN_ERR_CORRUPT;
    *ret_row = row;
    return QN_OK;
}

/* ---- bytes of a pack, from the pool or the source ---- */

static void read_all(struct qn_fetcher *fetcher, struct qn_pack_read *reads, size_t count)
{
    struct qn_pack_source *source = &fetcher->vault->source;
    if (source->read_all != NULL) {
        source->read_all(source->context, reads, count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        reads[i].err = source->read(source->context, reads[i].name, reads[i].offset, reads[i].size,
                                    reads[i].out);
}

static bool is_started(const struct qn_fetcher *fetcher, bool is_local)
{
    return fetcher->started == fetcher->pack.number && fetcher->is_started_local == is_local;
}

static enum qn_err take_head(struct qn_fetcher *fetcher, bool is_local, const uint8_t *head)
{
    enum qn_pack_kind kind;
    fetcher->started = 0;
    QN_TRY(qn_unpacker_start(fetcher->unpacker, qn_span(head, QN_PACK_HEAD_SIZE), &kind));
    fetcher->started = fetcher->pack.number;
    fetcher->is_started_local = is_local;
    return QN_OK;
}

/* Bytes of a pack, and its head before them if it is not known. */
static enum qn_err read_local(struct qn_fetcher *fetcher, size_t offset, size_t size)
{
    uint8_t head[QN_PACK_HEAD_SIZE];
    const struct qn_pack_name *name = &fetcher->pack.name;
    struct qn_pool *pool = fetcher->vault->pool;
    if (!is_started(fetcher, true)) {
        QN_TRY(qn_pool_read(pool, name, 0, sizeof(head), head));
        QN_TRY(take_head(fetcher, true, head));
    }
    return qn_pool_read(pool, name, offset, size, fetcher->sealed);
}

/* The source reads ahead, which is what many chunks need. */
static enum qn_err read_in_order(struct qn_fetcher *fetcher, size_t offset, size_t size)
{
    uint8_t head[QN_PACK_HEAD_SIZE];
    const struct qn_pack_name *name = &fetcher->pack.name;
    const struct qn_pack_source *source = &fetcher->vault->source;
    if (!is_started(fetcher, false)) {
        QN_TRY(source->read(source->context, name, 0, sizeof(head), head));
        QN_TRY(take_head(fetcher, false, head));
    }
    return source->read(source->context, name, offset, size, fetcher->sealed);
}

/* Few chunks: the head comes beside them, and the line is waited for once. */
static enum qn_err read_at_once(struct qn_fetcher *fetcher, size_t offset, size_t size)
{
    uint8_t head[QN_PACK_HEAD_SIZE];
    const struct qn_pack_name *name = &fetcher->pack.name;
    struct qn_pack_read reads[2] = {
        {.name = name, .offset = offset, .size = size, .out = fetcher->sealed},
        {.name = name, .size = sizeof(head), .out = head}};
    bool is_known = is_started(fetcher, false);
    read_all(fetcher, reads, is_known ? 1 : 2);
    QN_TRY(reads[0].err);
    QN_TRY(reads[1].err);
    return is_known ? QN_OK : take_head(fetcher, false, head);
}

static size_t end_of(const struct qn_fetch *chunk)
{
    return chunk->row.blob.offset + qn_blob_span_size(&chunk->row.blob);
}

/* Reads from the first to the last chunk that is still wanted, and opens those. */
static enum qn_err read_run(struct qn_fetcher *fetcher, const struct qn_fetch *chunks, size_t count,
                            bool is_local)
{
    size_t offset = chunks[0].row.blob.offset, end = end_of(&chunks[count - 1]);
    if (end <= offset || end - offset > SCRATCH_SIZE_MAX)
        return QN_ERR_CORRUPT;
    make_room(&fetcher->sealed, &fetcher->sealed_size, end - offset);
    if (is_local)
        return read_local(fetcher, offset, end - offset);
    return qn_hints_is_hint(fetcher->pack.number) ? read_at_once(fetcher, offset, end - offset)
                                                  : read_in_order(fetcher, offset, end - offset);
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
    if (qn_hints_is_hint(number)) {
        qn_hints_pack(fetcher->vault->hints, number, &fetcher->pack);
        return QN_OK;
    }
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

/* Where the index has it, when all directories are in it. */
static enum qn_err find_in_index(struct qn_fetcher *fetcher, struct qn_fetch *chunk)
{
    struct qn_blob wanted = chunk->row.blob;
    qn_fetcher_rest(fetcher);
    QN_TRY(qn_hints_complete(fetcher->vault->hints));
    QN_TRY(qn_index_get(fetcher->view, &wanted.id, &chunk->row));
    bool is_same =
        chunk->row.blob.kind == wanted.kind && chunk->row.blob.raw_size == wanted.raw_size;
    return is_same ? QN_OK : QN_ERR_CORRUPT;
}

/* Places that are not true any more, or a holder that gives something else. One after the other:
 * the index may have them in several packs. */
static void look_again(struct qn_fetcher *fetcher, struct qn_fetch *chunks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (chunks[i].err == QN_OK)
            continue;
        enum qn_err err = find_in_index(fetcher, &chunks[i]);
        if (err == QN_OK)
            qn_fetch_run(fetcher, &chunks[i], 1);
        else
            chunks[i].err = err;
    }
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
    if (qn_hints_is_hint(fetcher->pack.number)) {
        look_again(fetcher, chunks, count);
        return;
    }
    err = mend(fetcher, chunks, count);
    if (err == QN_OK)
        (void)try_run(fetcher, chunks, count, true);
    else if (is_local && may_have_chunks(err))
        (void)try_run(fetcher, chunks, count, false);
}

/* ---- a chunk with its places ---- */

struct beside {
    struct qn_index_row row;
    struct qn_index_pack pack;
    uint8_t head[QN_PACK_HEAD_SIZE];
    uint8_t *sealed;
};

/* Two reads: the head of its pack and the blob. */
static void begin_beside(struct qn_fetcher *fetcher, const struct qn_index_row *row,
                         struct beside *beside, struct qn_pack_read *reads)
{
    size_t size = qn_blob_span_size(&row->blob);
    beside->row = *row;
    qn_hints_pack(fetcher->vault->hints, row->pack, &beside->pack);
    beside->sealed = qn_alloc(size);
    reads[0] = (struct qn_pack_read){
        .name = &beside->pack.name, .size = sizeof(beside->head), .out = beside->head};
    reads[1] = (struct qn_pack_read){.name = &beside->pack.name,
                                     .offset = row->blob.offset,
                                     .size = size,
                                     .out = beside->sealed};
}

static enum qn_err open_beside(struct qn_fetcher *fetcher, const struct beside *beside,
                               const struct qn_pack_read *reads, uint8_t *out)
{
    QN_TRY(reads[0].err);
    QN_TRY(reads[1].err);
    fetcher->pack = beside->pack;
    QN_TRY(take_head(fetcher, false, beside->head));
    return qn_unpacker_blob(fetcher->unpacker, &beside->row.blob,
                            qn_span(beside->sealed, reads[1].size), fetcher->mac, out);
}

static enum qn_err end_beside(struct qn_fetcher *fetcher, struct beside *beside,
                              const struct qn_pack_read *reads, uint8_t *out)
{
    enum qn_err err = open_beside(fetcher, beside, reads, out);
    qn_free(beside->sealed);
    return err;
}

/* A chunk of a list at a holder, and its places, which whoever goes on from there needs next: at
 * once. Not everything comes by the way: what did not is left to the usual one. */
static void fetch_both(struct qn_fetcher *fetcher, struct qn_fetch *chunk,
                       const struct qn_index_row *places)
{
    struct beside beside[2];
    struct qn_pack_read reads[4];
    begin_beside(fetcher, &chunk->row, &beside[0], &reads[0]);
    begin_beside(fetcher, places, &beside[1], &reads[2]);
    read_all(fetcher, reads, 4);
    QN_AUTO_FREE uint8_t *plain = qn_alloc(places->blob.raw_size);
    chunk->err = end_beside(fetcher, &beside[0], &reads[0], chunk->out);
    if (end_beside(fetcher, &beside[1], &reads[2], plain) == QN_OK)
        qn_hints_add(fetcher->vault->hints, qn_span(plain, places->blob.raw_size));
}

enum qn_err qn_fetch_chunk(struct qn_fetcher *fetcher, enum qn_blob_kind kind,
                           const struct qn_chunk_id *id, struct qn_buf *out)
{
    struct qn_hints *hints = fetcher->vault->hints;
    struct qn_fetch chunk = {.err = QN_ERR_NOTFOUND};
    struct qn_index_row places;
    QN_TRY(qn_fetch_find(fetcher, kind, id, 0, &chunk.row));
    make_room(&fetcher->plain, &fetcher->plain_size, chunk.row.blob.raw_size);
    chunk.out = fetcher->plain;
    if (hints != NULL && qn_hints_is_hint(chunk.row.pack) && qn_hints_take(hints, id, &places))
        fetch_both(fetcher, &chunk, &places);
    if (chunk.err != QN_OK)
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
