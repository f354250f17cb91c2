/* The table of files: "file/NAME/path" -> how the file was and its digest. A row is a claim that
 * stat confirms or not; one that is lost or old costs an ETag its form, never a content.
 */
#include "base/mem.h"
#include "base/vec.h"
#include "crypto/digest.h"
#include "base/text.h"
#include "files/local_impl.h"

#define MOVE_ROWS_MAX 256 /* in one put */

/* A path that is too long for a key is there by its digest, behind an empty name. */
static void append_key(const struct local *folder, struct qn_span path, struct qn_buf *out)
{
    qn_buf_printf(out, "file/%s/", folder->name);
    if (out->size + path.size <= QN_LOCAL_KEY_SIZE_MAX) {
        qn_buf_append_span(out, path);
        return;
    }
    struct qn_digest digest;
    QN_DIGEST(&digest, path);
    qn_buf_append_u8(out, '/');
    qn_text_append_hex(out, qn_digest_view(&digest));
}

struct search {
    struct qn_span key;
    struct row *ret_row;
    bool is_found;
};

static bool take_row(void *context, struct qn_span key, struct qn_span value)
{
    struct search *search = context;
    if (qn_span_eq(key, search->key))
        search->is_found = row_unpack(value, search->ret_row);
    return false;
}

bool rows_get(const struct local *folder, struct qn_span path, struct row *ret_row)
{
    if (folder->rows == NULL)
        return false;
    QN_AUTO_BUF struct qn_buf key;
    qn_buf_init(&key, QN_LOCAL_KEY_SIZE_MAX);
    append_key(folder, path, &key);
    if (qn_buf_status(&key) != QN_OK)
        return false;
    struct search search = {.key = qn_buf_view(&key), .ret_row = ret_row};
    enum qn_err err =
        folder->rows->read(folder->rows->context, search.key, search.key, take_row, &search);
    return err == QN_OK && search.is_found;
}

void call_read_row(struct qn_folder_call *call)
{
    call->has_row = rows_get(call->folder, qn_buf_view(&call->path), &call->row);
}

static void on_stored(void *context, enum qn_err err)
{
    struct qn_folder_call *call = context;
    call->stored(call, err);
}

void rows_put(struct qn_folder_call *call, struct qn_span path, const struct row *row,
              void (*stored)(struct qn_folder_call *, enum qn_err))
{
    rows_put_in(call, call->folder, path, row, stored);
}

void rows_put_in(struct qn_folder_call *call, const struct local *folder, struct qn_span path,
                 const struct row *row, void (*stored)(struct qn_folder_call *, enum qn_err))
{
    uint8_t value[ROW_SIZE_MAX];
    size_t size = row == NULL ? 0 : row_pack(row, value);
    QN_AUTO_BUF struct qn_buf key;
    const struct qn_local *rows = folder->rows;
    qn_buf_init(&key, QN_LOCAL_KEY_SIZE_MAX);
    append_key(folder, path, &key);
    if (rows == NULL || qn_buf_status(&key) != QN_OK) {
        stored(call, QN_ERR_LIMIT);
        return;
    }
    const struct qn_local_row put = {
        .key = qn_buf_view(&key),
        .value = qn_span(value, size),
        .is_gone = row == NULL,
    };
    call->stored = stored;
    rows->put(rows->context, &put, 1, on_stored, call);
}

/* ---- all rows below a path ---- */
struct rows_walk {
    struct qn_folder_call *call;
    void (*stored)(struct qn_folder_call *, enum qn_err);
    struct qn_buf from, to, next; /* keys' beginnings; where to go on */
    bool goes;                    /* nothing takes their place */
    QN_VEC(struct qn_buf) keys;
    QN_VEC(struct qn_buf) values;
};

static struct qn_buf copy_of(struct qn_span bytes)
{
    struct qn_buf copy;
    qn_buf_init(&copy, bytes.size);
    qn_buf_append_span(&copy, bytes);
    return copy;
}

static bool gather(void *context, struct qn_span key, struct qn_span value)
{
    struct rows_walk *walk = context;
    if (walk->keys.count == MOVE_ROWS_MAX)
        return false;
    qn_vec_push(&walk->keys, copy_of(key));
    qn_vec_push(&walk->values, copy_of(value));
    qn_buf_reset(&walk->next);
    qn_buf_append_span(&walk->next, key);
    qn_buf_append_u8(&walk->next, 0); /* the first key behind it */
    return true;
}

static void clear(struct rows_walk *walk)
{
    qn_vec_each (&walk->keys, key)
        qn_buf_deinit(key);
    qn_vec_each (&walk->values, value)
        qn_buf_deinit(value);
    walk->keys.count = walk->values.count = 0;
}

static void walk_end(struct rows_walk *walk, enum qn_err err)
{
    struct qn_folder_call *call = walk->call;
    void (*stored)(struct qn_folder_call *, enum qn_err) = walk->stored;
    clear(walk);
    qn_vec_free(&walk->keys);
    qn_vec_free(&walk->values);
    qn_buf_deinit(&walk->from);
    qn_buf_deinit(&walk->to);
    qn_buf_deinit(&walk->next);
    qn_free(walk);
    stored(call, err);
}

static void walk_go_on(void *context, enum qn_err err);

/* A row under its new key, and without its old one. A key that became too long is left out. */
static void put_batch(struct rows_walk *walk)
{
    const struct qn_local *rows = walk->call->folder->rows;
    QN_VEC(struct qn_local_row) puts = {0};
    QN_VEC(struct qn_buf) fresh = {0};
    for (size_t i = 0; i < walk->keys.count; i++) {
        struct qn_span key = qn_buf_view(&walk->keys.items[i]);
        qn_vec_push(&puts, ((struct qn_local_row){.key = key, .is_gone = true}));
        size_t rest = key.size - walk->from.size;
        if (walk->goes || walk->to.size + rest > QN_LOCAL_KEY_SIZE_MAX)
            continue;
        struct qn_buf moved;
        qn_buf_init(&moved, QN_LOCAL_KEY_SIZE_MAX);
        qn_buf_append_span(&moved, qn_buf_view(&walk->to));
        qn_buf_append_span(&moved, qn_span_from(key, walk->from.size));
        qn_vec_push(&fresh, moved);
        qn_vec_push(&puts, ((struct qn_local_row){.key = qn_buf_view(&moved),
                                                  .value = qn_buf_view(&walk->values.items[i])}));
    }
    rows->put(rows->context, puts.items, puts.count, walk_go_on, walk);
    qn_vec_each (&fresh, moved)
        qn_buf_deinit(moved);
    qn_vec_free(&fresh);
    qn_vec_free(&puts);
}

static void walk_go_on(void *context, enum qn_err err)
{
    struct rows_walk *walk = context;
    const struct qn_local *rows = walk->call->folder->rows;
    clear(walk);
    if (err == QN_OK && rows == NULL)
        err = QN_ERR_CLOSED; /* the folder was freed meanwhile */
    if (err == QN_OK)
        err = rows->read(rows->context, qn_buf_view(&walk->from), qn_buf_view(&walk->next), gather,
                         walk);
    if (err != QN_OK || walk->keys.count == 0)
        walk_end(walk, err);
    else
        put_batch(walk);
}

void rows_move(struct qn_folder_call *call, struct qn_span from, const struct rows_place *to,
               void (*stored)(struct qn_folder_call *, enum qn_err))
{
    struct local *folder = call->folder;
    if (folder->rows == NULL) {
        stored(call, QN_OK);
        return;
    }
    struct rows_walk *walk = QN_NEW(struct rows_walk);
    walk->call = call;
    walk->stored = stored;
    walk->goes = to == NULL;
    qn_buf_init(&walk->from, QN_LOCAL_KEY_SIZE_MAX + 8192);
    qn_buf_init(&walk->to, QN_LOCAL_KEY_SIZE_MAX + 8192);
    qn_buf_init(&walk->next, QN_LOCAL_KEY_SIZE_MAX + 1);
    qn_buf_printf(&walk->from, "file/%s/", folder->name);
    qn_buf_append_span(&walk->from, from);
    qn_buf_append_u8(&walk->from, '/');
    if (to != NULL) {
        qn_buf_printf(&walk->to, "file/%s/", to->folder->name);
        qn_buf_append_span(&walk->to, to->path);
        qn_buf_append_u8(&walk->to, '/');
    }
    if (walk->from.size > QN_LOCAL_KEY_SIZE_MAX) {
        walk_end(walk, QN_OK); /* nothing can be below it */
        return;
    }
    qn_buf_append_span(&walk->next, qn_buf_view(&walk->from));
    walk_go_on(walk, QN_OK);
}
