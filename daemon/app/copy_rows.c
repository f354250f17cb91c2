#include "app/copy_rows.h"

#include <string.h>

#include "core/args.h"
#include "proto/pack.h"

static void row_deinit(struct qn_copy_row *row)
{
    qn_buf_deinit(&row->sealed);
    qn_buf_deinit(&row->info.plain);
}

void qn_copy_rows_deinit(qn_copy_row_vec *rows)
{
    qn_vec_each (rows, row)
        row_deinit(row);
    qn_vec_free(rows);
}

/* ---- one page ---- */

static void pack_digest(struct qn_buf *out, const char *key, const struct qn_digest *digest)
{
    qn_pack_cstr(out, key);
    if (digest == NULL)
        qn_pack_nil(out);
    else
        qn_pack_bin(out, QN_SPAN_OF(digest->bytes));
}

/* ask->data is to be released in any case. `list` NULL: lists, else the names of that one. */
static enum qn_err ask_page(const struct qn_copy_rows_options *options,
                            const struct qn_digest *list, const struct qn_digest *after,
                            struct qn_copies_ask *ask)
{
    *ask = (struct qn_copies_ask){.command = list == NULL ? "vault.lists" : "vault.names"};
    qn_buf_init(&ask->args, 512);
    qn_pack_map(&ask->args, list == NULL ? 2 : 3);
    pack_digest(&ask->args, "after", after);
    if (list != NULL)
        pack_digest(&ask->args, "list", list);
    qn_pack_cstr(&ask->args, "site");
    qn_pack_cstr(&ask->args, options->site);
    qn_copies_begin(options->copies, ask);
    enum qn_err err = qn_copies_wait(options->copies, ask, options->is_cancelled);
    if (options->code != NULL)
        *options->code = ask->code;
    return err;
}

static enum qn_err read_page(const struct qn_copies_ask *ask, struct qn_span *ret_body,
                             bool *ret_is_last)
{
    struct qn_span data = qn_buf_view(&ask->data);
    struct qn_cursor body = qn_cursor(args_value(data, "body")),
                     last = qn_cursor(args_value(data, "last"));
    QN_TRY(qn_cursor_bin(&body, QN_CONTROL_FRAME_SIZE_MAX, ret_body));
    return qn_cursor_bool(&last, ret_is_last);
}

/* ---- lists ---- */

struct rows {
    const struct qn_copy_rows_options *options;
    qn_copy_row_vec *out;
    struct qn_digest last; /* list */
    bool has_last;
    size_t seen;
    uint64_t bad;
};

static bool is_known(const qn_copy_row_vec *rows, const struct qn_snapshot_name *name)
{
    qn_vec_each (rows, row)
        if (memcmp(&row->info.name, name, sizeof(*name)) == 0)
            return true;
    return false;
}

/* Only what bears its name and opens under our keys. */
static enum qn_err open_row(const struct rows *rows, struct qn_span sealed, struct qn_copy_row *row)
{
    struct qn_snapshot_name name;
    qn_snapshot_name_of(sealed, &name);
    if (memcmp(&name, &row->info.name, sizeof(name)) != 0)
        return QN_ERR_SIGNATURE;
    qn_buf_append_span(&row->sealed, sealed);
    QN_TRY(qn_buf_status(&row->sealed));
    return qn_vault_snapshot_read(rows->options->vault, qn_buf_view(&row->sealed), &row->info.plain,
                                  &row->info.snapshot);
}

static void take_row(struct rows *rows, struct qn_span sealed, struct qn_copy_row *row)
{
    const char *plan = rows->options->plan;
    if (is_known(rows->out, &row->info.name))
        return;
    qn_buf_init(&row->sealed, QN_SNAPSHOT_SIZE_MAX);
    qn_buf_init(&row->info.plain, QN_SNAPSHOT_SIZE_MAX);
    enum qn_err err = open_row(rows, sealed, row);
    bool is_wanted = err == QN_OK && (plan == NULL || strcmp(plan, row->info.snapshot.plan) == 0);
    rows->bad += err != QN_OK;
    if (is_wanted)
        qn_vec_push(rows->out, *row);
    else
        row_deinit(row);
}

/* [list id, snapshot name, received wall ms, locked until, name count, sealed snapshot] */
static enum qn_err read_row(struct rows *rows, struct qn_cursor *cursor)
{
    struct qn_copy_row row = {0};
    struct qn_span sealed;
    uint64_t received_ms;
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 6, &count));
    if (count != 6)
        return QN_ERR_CORRUPT;
    QN_TRY(qn_cursor_bytes(cursor, row.list.bytes, sizeof(row.list.bytes)));
    QN_TRY(qn_cursor_bytes(cursor, row.info.name.bytes, sizeof(row.info.name.bytes)));
    QN_TRY(qn_cursor_u64(cursor, &received_ms));
    QN_TRY(qn_cursor_u64(cursor, &row.locked_ms));
    QN_TRY(qn_cursor_u64(cursor, &row.name_count));
    QN_TRY(qn_cursor_bin(cursor, QN_SNAPSHOT_SIZE_MAX, &sealed));
    if (rows->has_last && memcmp(&rows->last, &row.list, sizeof(row.list)) >= 0)
        return QN_ERR_CORRUPT;
    if (++rows->seen > QN_COPY_ROWS_MAX)
        return QN_ERR_LIMIT;
    rows->last = row.list;
    rows->has_last = true;
    take_row(rows, sealed, &row);
    return QN_OK;
}

static enum qn_err read_rows(struct rows *rows, struct qn_span body, size_t *ret_count)
{
    struct qn_cursor cursor = qn_cursor(body);
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, QN_COPY_ROWS_MAX, &count));
    for (size_t i = 0; i < count; i++)
        QN_TRY(read_row(rows, &cursor));
    *ret_count = count;
    return qn_cursor_finish(&cursor);
}

static enum qn_err next_rows(struct rows *rows, bool *ret_is_last)
{
    struct qn_copies_ask ask;
    struct qn_span body;
    size_t count = 0;
    enum qn_err err = ask_page(rows->options, NULL, rows->has_last ? &rows->last : NULL, &ask);
    if (err == QN_OK) {
        err = read_page(&ask, &body, ret_is_last);
        if (err == QN_OK)
            err = read_rows(rows, body, &count);
        if (err == QN_OK ? count == 0 && !*ret_is_last : err == QN_ERR_INVALID)
            err = QN_ERR_CORRUPT;
    }
    qn_buf_deinit(&ask.data);
    return err;
}

enum qn_err qn_copy_rows(const struct qn_copy_rows_options *options, qn_copy_row_vec *out,
                         uint64_t *ret_bad)
{
    struct rows rows = {.options = options, .out = out};
    enum qn_err err = QN_OK;
    for (bool is_last = false; !is_last && err == QN_OK;)
        err = next_rows(&rows, &is_last);
    *ret_bad = rows.bad;
    if (err != QN_OK)
        qn_copy_rows_deinit(out);
    return err;
}

/* ---- names ---- */

static enum qn_err take_names(const struct qn_copy_row *row, struct qn_span body,
                              struct qn_buf *out)
{
    const size_t size = sizeof(struct qn_pack_name);
    if (body.size % size != 0 || out->size / size + body.size / size > row->name_count)
        return QN_ERR_CORRUPT;
    for (size_t at = 0; at < body.size; at += size) {
        if (out->size > 0 && memcmp(out->data + out->size - size, body.data + at, size) >= 0)
            return QN_ERR_CORRUPT;
        qn_buf_append(out, body.data + at, size);
    }
    return qn_buf_status(out);
}

static enum qn_err next_names(const struct qn_copy_rows_options *options,
                              const struct qn_copy_row *row, struct qn_buf *out, bool *ret_is_last)
{
    struct qn_copies_ask ask;
    struct qn_digest after;
    struct qn_span body;
    bool has_after = out->size > 0;
    if (has_after)
        memcpy(&after, out->data + out->size - sizeof(after), sizeof(after));
    enum qn_err err = ask_page(options, &row->list, has_after ? &after : NULL, &ask);
    if (err == QN_OK)
        err = read_page(&ask, &body, ret_is_last);
    if (err == QN_OK)
        err = body.size == 0 && !*ret_is_last ? QN_ERR_CORRUPT : take_names(row, body, out);
    qn_buf_deinit(&ask.data);
    return err;
}

enum qn_err qn_copy_row_names(const struct qn_copy_rows_options *options,
                              const struct qn_copy_row *row, struct qn_buf *out)
{
    enum qn_err err = QN_OK;
    if (row->name_count > QN_LIVE_SIZE_MAX / sizeof(struct qn_pack_name))
        return QN_ERR_LIMIT;
    qn_buf_reset(out);
    for (bool is_last = false; !is_last && err == QN_OK;)
        err = next_names(options, row, out, &is_last);
    if (err == QN_OK && out->size != row->name_count * sizeof(struct qn_pack_name))
        err = QN_ERR_CORRUPT;
    return err;
}
