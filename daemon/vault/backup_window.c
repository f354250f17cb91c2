#include "base/assert.h"
#include "vault/backup_private.h"

/* ---- content ---- */

static void reset_level(struct qn_content_level *level)
{
    qn_buf_reset(&level->items);
    level->count = 0;
    level->size = 0;
}

static void reset_content(struct qn_content_builder *content)
{
    for (size_t i = 0; i <= QN_CONTENT_DEPTH_MAX; i++)
        reset_level(&content->levels[i]);
}

static enum qn_err add_item(struct qn_backup *backup, size_t depth, const struct qn_chunk_id *id,
                            uint64_t size);

/* A full level becomes one item of the next. */
static enum qn_err close_level(struct qn_backup *backup, size_t depth)
{
    struct qn_content_level *level = &backup->window.content.levels[depth];
    struct qn_chunk_id id;
    QN_TRY(qn_pipeline_put(backup->pipeline, QN_BLOB_MANIFEST, qn_buf_view(&level->items), &id));
    uint64_t size = level->size;
    reset_level(level);
    return add_item(backup, depth + 1, &id, size);
}

static enum qn_err add_item(struct qn_backup *backup, size_t depth, const struct qn_chunk_id *id,
                            uint64_t size)
{
    if (depth > QN_CONTENT_DEPTH_MAX)
        return QN_ERR_LIMIT;
    struct qn_content_level *level = &backup->window.content.levels[depth];
    qn_content_item_pack(id, size, &level->items);
    level->count++;
    level->size += size;
    return level->count == QN_MANIFEST_ITEMS_MAX ? close_level(backup, depth) : QN_OK;
}

static bool is_top(const struct qn_content_builder *content, size_t depth)
{
    for (size_t i = depth + 1; i <= QN_CONTENT_DEPTH_MAX; i++) {
        if (content->levels[i].count > 0)
            return false;
    }
    return content->levels[depth].count <= QN_CONTENT_DIRECT_MAX;
}

/* The view is valid until the next item. */
static enum qn_err finish_content(struct qn_backup *backup, struct qn_content *ret_content)
{
    struct qn_content_builder *content = &backup->window.content;
    size_t depth = 0;
    for (; !is_top(content, depth); depth++) {
        if (depth == QN_CONTENT_DEPTH_MAX)
            return QN_ERR_LIMIT;
        if (content->levels[depth].count > 0)
            QN_TRY(close_level(backup, depth));
    }
    *ret_content = (struct qn_content){.depth = (unsigned)depth,
                                       .items = qn_buf_view(&content->levels[depth].items)};
    return QN_OK;
}

/* ---- the list ---- */

/* What cannot be stored is named and left out; the run goes on. */
static enum qn_err add_to_list(struct qn_backup *backup, const struct qn_entry *entry)
{
    enum qn_err err = qn_tree_builder_add(backup->tree, entry);
    if (err != QN_ERR_INVALID && err != QN_ERR_LIMIT)
        return err;
    qn_backup_report(backup, "unreadable", entry->path, 0);
    return QN_OK;
}

/* ---- the rings ---- */

void qn_window_init(struct qn_backup *backup)
{
    struct qn_window *window = &backup->window;
    window->pieces = qn_alloc_zero(QN_WINDOW_PIECES * sizeof(*window->pieces));
    window->entries = qn_alloc_zero(QN_WINDOW_ENTRIES * sizeof(*window->entries));
    for (size_t i = 0; i <= QN_CONTENT_DEPTH_MAX; i++)
        qn_buf_init(&window->content.levels[i].items, QN_BLOB_SIZE_MAX);
}

void qn_window_deinit(struct qn_backup *backup)
{
    struct qn_window *window = &backup->window;
    for (size_t i = 0; window->entries != NULL && i < QN_WINDOW_ENTRIES; i++)
        qn_entry_copy_deinit(&window->entries[i]);
    for (size_t i = 0; i <= QN_CONTENT_DEPTH_MAX; i++)
        qn_buf_deinit(&window->content.levels[i].items);
    qn_free(window->pieces);
    qn_free(window->entries);
}

static enum qn_err end_entry(struct qn_backup *backup)
{
    struct qn_window *window = &backup->window;
    struct qn_entry_copy *waiting = &window->entries[window->entry_first];
    enum qn_err err = QN_OK;
    if (waiting->entry.type == QN_ENTRY_FILE && waiting->entry.content.items.size == 0)
        err = finish_content(backup, &waiting->entry.content);
    if (err == QN_OK)
        err = add_to_list(backup, &waiting->entry);
    reset_content(&window->content);
    window->size -= waiting->bytes.size;
    window->entry_first = (window->entry_first + 1) % QN_WINDOW_ENTRIES;
    window->entry_count--;
    return err;
}

static enum qn_err take_piece(struct qn_backup *backup, const struct qn_piece *piece)
{
    switch (piece->kind) {
    case QN_PIECE_CHUNK:
        return add_item(backup, 0, &piece->slot.id, piece->size);
    case QN_PIECE_HOLE:
        return add_item(backup, 0, NULL, piece->size);
    case QN_PIECE_RESTART:
        reset_content(&backup->window.content);
        return QN_OK;
    case QN_PIECE_END:
        return end_entry(backup);
    }
    return QN_ERR_STATE;
}

static bool is_ready(const struct qn_piece *piece)
{
    return piece->kind != QN_PIECE_CHUNK ||
           atomic_load_explicit(&piece->slot.is_done, memory_order_acquire);
}

/* Takes the piece at the head, if it is ready or `waits`. *ret_is_taken. */
static enum qn_err take_head(struct qn_backup *backup, bool waits, bool *ret_is_taken)
{
    struct qn_window *window = &backup->window;
    *ret_is_taken = false;
    if (window->piece_count == 0)
        return QN_OK;
    struct qn_piece *piece = &window->pieces[window->piece_first];
    if (!is_ready(piece)) {
        if (!waits)
            return QN_OK;
        QN_TRY(qn_pipeline_wait(backup->pipeline, &piece->slot));
    }
    QN_TRY(take_piece(backup, piece));
    window->piece_first = (window->piece_first + 1) % QN_WINDOW_PIECES;
    window->piece_count--;
    *ret_is_taken = true;
    return QN_OK;
}

static bool is_full(const struct qn_window *window)
{
    return window->piece_count == QN_WINDOW_PIECES || window->entry_count == QN_WINDOW_ENTRIES ||
           window->size >= QN_WINDOW_SIZE;
}

/* Room for one more of everything; whatever is ready is taken on the way. */
static enum qn_err make_room(struct qn_backup *backup)
{
    bool is_taken;
    do {
        QN_TRY(take_head(backup, is_full(&backup->window), &is_taken));
    } while (is_taken);
    return QN_OK;
}

static struct qn_piece *push(struct qn_window *window, enum qn_piece_kind kind, uint64_t size)
{
    QN_ASSERT(window->piece_count < QN_WINDOW_PIECES);
    size_t last = (window->piece_first + window->piece_count++) % QN_WINDOW_PIECES;
    window->pieces[last].kind = kind;
    window->pieces[last].size = size;
    return &window->pieces[last];
}

enum qn_err qn_window_chunk(struct qn_backup *backup, struct qn_span raw)
{
    QN_TRY(make_room(backup));
    struct qn_piece *piece = push(&backup->window, QN_PIECE_CHUNK, raw.size);
    return qn_pipeline_submit(backup->pipeline, backup->slab, QN_BLOB_DATA, raw, &piece->slot);
}

enum qn_err qn_window_hole(struct qn_backup *backup, uint64_t size)
{
    QN_TRY(make_room(backup));
    push(&backup->window, QN_PIECE_HOLE, size);
    return QN_OK;
}

enum qn_err qn_window_restart(struct qn_backup *backup)
{
    QN_TRY(make_room(backup));
    push(&backup->window, QN_PIECE_RESTART, 0);
    return QN_OK;
}

/* ---- entries ---- */

static enum qn_err wait_in_line(struct qn_backup *backup, const struct qn_entry *entry)
{
    struct qn_window *window = &backup->window;
    size_t last = (window->entry_first + window->entry_count) % QN_WINDOW_ENTRIES;
    enum qn_err err = qn_entry_copy_set(&window->entries[last], entry);
    if (err == QN_ERR_LIMIT) {
        qn_backup_report(backup, "unreadable", entry->path, 0);
        push(window, QN_PIECE_RESTART, 0);
        return QN_OK;
    }
    window->entry_count++;
    window->size += window->entries[last].bytes.size;
    push(window, QN_PIECE_END, 0);
    return err;
}

enum qn_err qn_window_end(struct qn_backup *backup, const struct qn_entry *entry, bool has_pieces)
{
    QN_TRY(make_room(backup));
    if (backup->window.piece_count == 0 && !has_pieces)
        return add_to_list(backup, entry); /* nothing is waiting: nothing is copied */
    return wait_in_line(backup, entry);
}

enum qn_err qn_window_drain(struct qn_backup *backup)
{
    bool is_taken;
    do {
        QN_TRY(take_head(backup, true, &is_taken));
    } while (is_taken);
    return QN_OK;
}
