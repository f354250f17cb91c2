#include "app/stream_view.h"

#include <stdio.h>

#include "app/audit_view.h"
#include "app/history_view.h"
#include "app/record_view.h"
#include "core/args.h"
#include "proto/pack.h"

enum kind {
    KIND_GET,
    KIND_LIST,
    KIND_TRASH,
    KIND_HISTORY,
    KIND_CONFLICTS,
    KIND_AUDIT,
    KIND_AUDIT_ROWS,
};

static const struct {
    const char *command, *args;
    enum kind kind;
    bool needs_collection, needs_key;
} commands[] = {
    {"record.get", "collection key", KIND_GET, true, true},
    {"record.list", "after collection limit prefix", KIND_LIST, true, false},
    {"record.trash", "collection", KIND_TRASH, true, false},
    {"record.history", "collection key", KIND_HISTORY, true, true},
    {"conflict.list", "collection", KIND_CONFLICTS, false, false},
    {"audit.read", "after since user", KIND_AUDIT, false, false},
    {"audit.rows", "", KIND_AUDIT_ROWS, false, false},
};

struct source { /* a collection to read from */
    struct qn_coll_id id;
    char name[QN_NAME_SIZE_MAX + 8];
};

struct qn_stream {
    enum kind kind;
    QN_VEC(struct source) sources;
    size_t at; /* the source that is being read */
    struct qn_buf key, prefix, after;
    uint64_t left; /* of the limit */
    struct qn_history *history;
    struct qn_audit_view *audit;
};

bool qn_stream_knows(struct qn_span command)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (qn_span_eq_str(command, commands[i].command))
            return true;
    return false;
}

void qn_stream_free(struct qn_stream *stream)
{
    if (stream == NULL)
        return;
    qn_vec_free(&stream->sources);
    qn_buf_deinit(&stream->key);
    qn_buf_deinit(&stream->prefix);
    qn_buf_deinit(&stream->after);
    qn_history_view_free(stream->history);
    qn_audit_view_free(stream->audit);
    qn_free(stream);
}

static enum qn_err refuse(struct qn_refusal *refusal, enum qn_err err, const char *code,
                          struct qn_span object)
{
    refusal->err = err;
    refusal->code = code;
    snprintf(refusal->object, sizeof(refusal->object), "%.*s", (int)object.size,
             (const char *)object.data);
    return err;
}

static enum qn_err add_source(struct qn_stream *stream, const struct qn_core *core,
                              struct qn_span name, struct qn_refusal *refusal)
{
    const struct qn_coll_id *id = qn_core_collection(core, name);
    if (id == NULL)
        return refuse(refusal, QN_ERR_NOTFOUND, "collection-unknown", name);
    if (qn_core_is_folder(core, name))
        return refuse(refusal, QN_ERR_STATE, "is-folder", name);
    struct source *source = qn_vec_push_slot(&stream->sources);
    source->id = *id;
    snprintf(source->name, sizeof(source->name), "%.*s", (int)name.size, (const char *)name.data);
    return QN_OK;
}

static void add_all_sources(struct qn_stream *stream, const struct qn_core *core)
{
    struct qn_coll_view *views;
    size_t count = qn_core_collections(core, &views);
    for (size_t i = 0; i < count; i++) {
        struct source *source = qn_vec_push_slot(&stream->sources);
        source->id = views[i].id;
        snprintf(source->name, sizeof(source->name), "%s", views[i].name);
    }
    qn_free(views);
}

/* Text or, if it may be left out, nil. */
static enum qn_err take_text(struct qn_span args, const char *name, bool is_needed,
                             struct qn_buf *out, const char *code, struct qn_refusal *refusal)
{
    struct qn_span text;
    if (!is_needed && args_value(args, name).size == 0)
        return QN_OK;
    if (!args_text(args, name, QN_KEY_SIZE_MAX, &text))
        return refuse(refusal, QN_ERR_INVALID, code, qn_span_str(name));
    qn_buf_append_span(out, text);
    return QN_OK;
}

static enum qn_err take_limit(struct qn_stream *stream, struct qn_span args,
                              struct qn_refusal *refusal)
{
    stream->left = UINT64_MAX;
    if (args_value(args, "limit").size == 0 || args_u64(args, "limit", &stream->left))
        return QN_OK;
    return refuse(refusal, QN_ERR_INVALID, "bad-request", qn_span_str("limit"));
}

static enum qn_err fill(struct qn_stream *stream, const struct qn_core *core, struct qn_span args,
                        bool needs_collection, bool needs_key, struct qn_refusal *refusal)
{
    QN_AUTO_BUF struct qn_buf name;
    qn_buf_init(&name, QN_KEY_SIZE_MAX);
    QN_TRY(take_text(args, "collection", needs_collection, &name, "bad-request", refusal));
    if (args_value(args, "collection").size > 0)
        QN_TRY(add_source(stream, core, qn_buf_view(&name), refusal));
    else
        add_all_sources(stream, core);
    if (needs_key)
        QN_TRY(take_text(args, "key", true, &stream->key, "bad-key", refusal));
    QN_TRY(take_text(args, "after", false, &stream->after, "bad-request", refusal));
    QN_TRY(take_text(args, "prefix", false, &stream->prefix, "bad-request", refusal));
    return take_limit(stream, args, refusal);
}

/* The site's own, also before it has joined a group. */
static enum qn_err fill_audit(struct qn_stream *stream, struct qn_span args,
                              struct qn_refusal *refusal)
{
    struct qn_audit_view_options options = {.is_raw = stream->kind == KIND_AUDIT_ROWS};
    bool is_good =
        (args_value(args, "since").size == 0 || args_u64(args, "since", &options.since_ms)) &&
        (args_value(args, "after").size == 0 || args_u64(args, "after", &options.after_seq)) &&
        (args_value(args, "user").size == 0 ||
         args_text(args, "user", QN_USER_SIZE_MAX, &options.user));
    if (!is_good || options.after_seq == UINT64_MAX)
        return refuse(refusal, QN_ERR_INVALID, "bad-request", qn_span_str("since"));
    stream->audit = qn_audit_view_new(&options);
    return QN_OK;
}

static bool is_audit(enum kind kind)
{
    return kind == KIND_AUDIT || kind == KIND_AUDIT_ROWS;
}

enum qn_err qn_stream_open(const struct qn_driver *driver, struct qn_span command,
                           struct qn_span args, struct qn_stream **ret_stream,
                           struct qn_refusal *refusal)
{
    const struct qn_core *core = qn_driver_core(driver);
    size_t i = 0;
    while (!qn_span_eq_str(command, commands[i].command))
        i++;
    if (!args_are_only(args, commands[i].args))
        return refuse(refusal, QN_ERR_INVALID, "bad-request", command);
    if (!is_audit(commands[i].kind) && qn_core_group(core) == NULL)
        return refuse(refusal, QN_ERR_STATE, "joining", qn_span_str(""));
    struct qn_stream *stream = QN_NEW(struct qn_stream);
    stream->kind = commands[i].kind;
    qn_buf_init(&stream->key, QN_KEY_SIZE_MAX);
    qn_buf_init(&stream->prefix, QN_KEY_SIZE_MAX);
    qn_buf_init(&stream->after, QN_KEY_SIZE_MAX);
    if (stream->kind == KIND_HISTORY)
        stream->history = qn_history_view_new();
    enum qn_err err = is_audit(stream->kind)
                          ? fill_audit(stream, args, refusal)
                          : fill(stream, core, args, commands[i].needs_collection,
                                 commands[i].needs_key, refusal);
    if (err != QN_OK)
        qn_stream_free(stream);
    else
        *ret_stream = stream;
    return err;
}

/* ---- slices ---- */

struct slice {
    struct qn_stream *stream;
    const struct qn_core *core;
    struct qn_kv *kv;
    const struct source *source;
    struct qn_buf items;
    size_t count, looked_at;
    struct qn_buf at; /* the key that is looked at, for a refusal */
};

static bool is_shown(struct qn_span key, const struct qn_record *record)
{
    return !qn_span_eq_str(key, QN_KEY_COLLECTION) && qn_record_is_live(qn_record_state(record));
}

static enum qn_err next_key(struct slice *slice, struct qn_span *ret_key, struct qn_record *record)
{
    struct qn_stream *stream = slice->stream;
    struct qn_span after = qn_buf_view(&stream->after);
    if (stream->kind == KIND_LIST)
        return qn_read_next(slice->kv, &slice->source->id, after, qn_buf_view(&stream->prefix),
                            ret_key, record);
    enum qn_err err;
    do { /* past what is damaged */
        QN_TRY(qn_read_next_in(slice->kv,
                               stream->kind == KIND_TRASH ? QN_TABLE_TRASH : QN_TABLE_CONF,
                               &slice->source->id, after, ret_key));
        err = qn_read_record(slice->kv, &slice->source->id, *ret_key, record);
        after = *ret_key;
    } while (err == QN_ERR_DAMAGED);
    bool is_fit = stream->kind != KIND_TRASH || qn_record_state(record) == QN_RECORD_TRASHED;
    return err == QN_ERR_NOTFOUND || !is_fit ? QN_ERR_CORRUPT : err; /* what an index names */
}

static void add_item(struct slice *slice, struct qn_span key, const struct qn_record *record)
{
    struct qn_buf *out = &slice->items;
    if (slice->stream->kind == KIND_LIST) {
        if (!is_shown(key, record))
            return;
        qn_view_record(slice->core, slice->source->name, key, record, false, out);
    } else if (slice->stream->kind == KIND_TRASH) {
        qn_view_trashed(slice->core, key, record, out);
    } else {
        qn_pack_map(out, 3);
        qn_pack_cstr(out, "collection");
        qn_pack_cstr(out, slice->source->name);
        qn_pack_cstr(out, "fields");
        qn_view_conflict_fields(record, out);
        qn_pack_cstr(out, "key");
        qn_pack_str(out, key);
    }
    slice->count++;
    slice->stream->left--;
}

/* QN_ERR_NOTFOUND: this source has no more. */
static enum qn_err fill_slice(struct slice *slice)
{
    struct qn_stream *stream = slice->stream;
    while (slice->looked_at < QN_SLICE_RECORDS && slice->items.size < QN_SLICE_SIZE &&
           stream->left > 0) {
        QN_AUTO_RECORD struct qn_record record = {0};
        struct qn_span key;
        QN_TRY(next_key(slice, &key, &record));
        qn_buf_reset(&slice->at);
        qn_buf_append_span(&slice->at, key);
        size_t before = slice->items.size;
        add_item(slice, key, &record);
        if (slice->items.is_over && slice->count > 1) { /* it opens the next slice instead */
            qn_buf_truncate(&slice->items, before);
            slice->items.is_over = false;
            slice->count--;
            stream->left++;
            return QN_OK;
        }
        slice->looked_at++;
        qn_buf_reset(&stream->after);
        qn_buf_append_span(&stream->after, key);
    }
    return QN_OK;
}

static enum qn_err next_items(struct slice *slice, struct qn_buf *out, bool *ret_is_end)
{
    struct qn_stream *stream = slice->stream;
    enum qn_err err = QN_ERR_NOTFOUND;
    if (stream->at < stream->sources.count && stream->left > 0) {
        slice->source = &stream->sources.items[stream->at];
        err = fill_slice(slice);
    }
    if (err == QN_ERR_NOTFOUND) {
        stream->at++;
        qn_buf_reset(&stream->after);
    } else if (err != QN_OK) {
        return err;
    }
    QN_TRY(qn_buf_status(&slice->items));
    *ret_is_end = slice->count == 0 && (stream->at >= stream->sources.count || stream->left == 0);
    if (*ret_is_end)
        return QN_OK;
    if (stream->kind != KIND_CONFLICTS && slice->count > 0)
        qn_pack_array(out, slice->count);
    qn_buf_append_span(out, qn_buf_view(&slice->items));
    return qn_buf_status(out);
}

static enum qn_err get_record(struct slice *slice, struct qn_buf *out)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    struct qn_span key = qn_buf_view(&slice->stream->key);
    QN_TRY(qn_read_record(slice->kv, &slice->source->id, key, &record));
    if (!is_shown(key, &record))
        return QN_ERR_NOTFOUND;
    qn_view_record(slice->core, slice->source->name, key, &record, true, out);
    return qn_buf_status(out);
}

static enum qn_err run(struct slice *slice, struct qn_buf *out, bool *ret_is_end)
{
    const struct qn_stream *stream = slice->stream;
    if (stream->sources.count > 0)
        slice->source = &stream->sources.items[0];
    switch (stream->kind) {
    case KIND_GET:
        *ret_is_end = true;
        return get_record(slice, out);
    case KIND_LIST:
    case KIND_TRASH:
    case KIND_CONFLICTS:
        return next_items(slice, out, ret_is_end);
    case KIND_HISTORY:
        return qn_history_view_next(stream->history, slice->core, slice->kv, &slice->source->id,
                                    qn_buf_view(&stream->key), out, ret_is_end);
    case KIND_AUDIT:
    case KIND_AUDIT_ROWS:
        return qn_audit_view_next(stream->audit, slice->kv, out, ret_is_end);
    }
    return QN_ERR_INVALID;
}

enum qn_err qn_stream_next(struct qn_stream *stream, const struct qn_driver *driver,
                           struct qn_buf *out, bool *ret_is_end, struct qn_refusal *refusal)
{
    struct slice slice = {.stream = stream, .core = qn_driver_core(driver)};
    qn_buf_init(&slice.items, QN_CONTROL_FRAME_SIZE_MAX - 1024);
    qn_buf_init(&slice.at, QN_KEY_SIZE_MAX);
    qn_buf_append_span(&slice.at, qn_buf_view(&stream->key));
    enum qn_err err = qn_store_read_begin(qn_driver_store(driver), &slice.kv);
    if (err == QN_OK) {
        err = run(&slice, out, ret_is_end);
        qn_store_read_end(qn_driver_store(driver));
    }
    qn_buf_deinit(&slice.items);
    QN_AUTO_BUF struct qn_buf at = slice.at;
    if (err == QN_OK)
        return QN_OK;
    const char *code = err == QN_ERR_NOTFOUND  ? "record-not-found"
                       : err == QN_ERR_LIMIT   ? "record-too-large"
                       : err == QN_ERR_DAMAGED ? "record-damaged"
                                               : "store-failed";
    return refuse(refusal, err, code, qn_buf_view(&at));
}
