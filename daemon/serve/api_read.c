/* Records, read. */
#include "base/text.h"
#include "http/condition.h"
#include "proto/cursor.h"
#include "proto/items.h"
#include "proto/pack.h"
#include "serve/api_private.h"

/* ---- one record ---- */

bool api_record_etag(struct qn_span record, char ret_etag[API_ETAG_SIZE])
{
    uint8_t version[QN_API_VERSION_SIZE];
    struct qn_span packed;
    if (!qn_map_find(record, "version", &packed))
        return false;
    struct qn_cursor cursor = qn_cursor(packed);
    if (qn_cursor_bytes(&cursor, version, sizeof(version)) != QN_OK)
        return false;
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, API_ETAG_SIZE);
    qn_buf_append_u8(&text, '"');
    qn_text_append_hex(&text, QN_SPAN_OF(version));
    qn_buf_append(&text, "\"", 2);
    memcpy(ret_etag, text.data, API_ETAG_SIZE);
    return true;
}

static struct qn_http_state state_of(struct qn_span record, const char *etag)
{
    struct qn_span updated;
    uint64_t time_ms = 0;
    if (qn_map_find(record, "updated", &updated))
        time_ms = qn_map_u64(updated, "time");
    return (struct qn_http_state){
        .exists = true, .etag = qn_span_str(etag), .modified_s = (int64_t)(time_ms / 1000)};
}

static void show_record(struct api *api, const struct qn_serve_answer *answer)
{
    char etag[API_ETAG_SIZE];
    if (answer->kind == QN_SERVE_ERROR) {
        api_refuse_error(api, answer);
        return;
    }
    if (!api_record_etag(answer->data, etag)) {
        api_refuse(api, 500, "internal", qn_span_str(""));
        return;
    }
    struct qn_http_state state = state_of(answer->data, etag);
    if (!api_judge(api, &state, etag))
        return;
    qn_json_object(&api->out, answer->data, qn_json_record);
    api_answer(api, 200, etag);
}

static bool has_key(struct api *api)
{
    if (api->key.size > 0 && api->key.size <= QN_KEY_SIZE_MAX)
        return true;
    api_refuse(api, 422, "bad-key", qn_span_str("key"));
    return false;
}

static void ask_about_record(struct api *api, const char *command, api_answer_fn *on_answer)
{
    struct qn_buf args;
    if (!has_key(api) || !api_may(api, QN_THING_COLLECTION, api->thing, QN_RIGHT_READ) ||
        !api_note_read(api, "read"))
        return;
    api_args(&args, 2);
    api_arg(&args, "collection", api->thing);
    api_arg(&args, "key", qn_buf_view(&api->key));
    api_command(api, command, &args, on_answer);
}

void api_record(struct api *api)
{
    ask_about_record(api, "record.get", show_record);
}

/* ---- lists ---- */

static void start_list(struct api *api)
{
    if (!api->is_answered)
        api_start_stream(api, "application/json");
}

static void show_history(struct api *api, const struct qn_serve_answer *answer)
{
    if (answer->kind == QN_SERVE_ERROR) {
        api_refuse_error(api, answer);
        return;
    }
    start_list(api);
    if (answer->kind == QN_SERVE_DATA) {
        qn_buf_append_str(&api->out, api->listing.count++ == 0 ? "[" : ",\n");
        qn_json_object(&api->out, answer->data, qn_json_history);
        api_push(api);
        return;
    }
    qn_buf_append_str(&api->out, api->listing.count == 0 ? "[]\n" : "]\n");
    api_end_stream(api);
}

void api_history(struct api *api)
{
    ask_about_record(api, "record.history", show_history);
}

static void show_trash(struct api *api, const struct qn_serve_answer *answer)
{
    if (answer->kind == QN_SERVE_ERROR) {
        api_refuse_error(api, answer);
        return;
    }
    start_list(api);
    if (answer->kind == QN_SERVE_END) {
        qn_buf_append_str(&api->out, api->listing.count == 0 ? "[]\n" : "]\n");
        api_end_stream(api);
        return;
    }
    struct qn_items items = qn_items(answer->data);
    while (qn_items_next(&items)) {
        qn_buf_append_str(&api->out, api->listing.count++ == 0 ? "[" : ",\n");
        qn_json_object(&api->out, items.value, qn_json_trash);
    }
    api_push(api);
}

void api_trash(struct api *api)
{
    struct qn_buf args;
    if (!api_may(api, QN_THING_COLLECTION, api->thing, QN_RIGHT_READ) ||
        !api_note_read(api, "read"))
        return;
    api_args(&args, 1);
    api_arg(&args, "collection", api->thing);
    api_command(api, "record.trash", &args, show_trash);
}

/* One more than the limit was asked for: whether it comes tells if there are more. */
static void show_page_record(struct api *api, struct qn_span record)
{
    struct api_listing *listing = &api->listing;
    if (listing->count == listing->limit) {
        listing->has_more = true;
        return;
    }
    qn_buf_append_str(&api->out, listing->count++ == 0 ? "" : ",\n");
    if (listing->has_contents) {
        qn_json_object(&api->out, record, qn_json_record);
    } else {
        qn_buf_append_str(&api->out, "{\"key\":");
        qn_json_text(&api->out, qn_map_text(record, "key"));
        qn_buf_append_u8(&api->out, '}');
    }
    qn_buf_reset(&listing->last);
    qn_buf_append_span(&listing->last, qn_map_text(record, "key"));
}

static void show_page(struct api *api, const struct qn_serve_answer *answer)
{
    if (answer->kind == QN_SERVE_ERROR) {
        api_refuse_error(api, answer);
        return;
    }
    if (!api->is_answered) {
        start_list(api);
        qn_buf_append_str(&api->out, "{\"records\":[");
    }
    struct qn_items items = qn_items(answer->data);
    while (answer->kind == QN_SERVE_DATA && qn_items_next(&items))
        show_page_record(api, items.value);
    if (answer->kind == QN_SERVE_DATA) {
        api_push(api);
        return;
    }
    qn_buf_append_str(&api->out, "],\"next\":");
    if (api->listing.has_more)
        qn_json_text(&api->out, qn_buf_view(&api->listing.last));
    else
        qn_buf_append_str(&api->out, "null");
    qn_buf_append_str(&api->out, "}\n");
    api_end_stream(api);
}

/* A text of the query, or nil. */
static bool query_arg(struct api *api, struct qn_buf *args, const char *name)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, QN_KEY_SIZE_MAX);
    enum qn_err err = api_query(api, name, &text);
    if (err != QN_OK && err != QN_ERR_NOTFOUND) {
        api_refuse(api, 400, "bad-request", qn_span_str(name));
        return false;
    }
    qn_pack_cstr(args, name);
    if (text.size > 0)
        qn_pack_str(args, qn_buf_view(&text));
    else
        qn_pack_nil(args);
    return true;
}

void api_records(struct api *api)
{
    QN_AUTO_BUF struct qn_buf args;
    api_args(&args, 4);
    api->listing.has_contents = api_right(api, QN_THING_COLLECTION, api->thing) >= QN_RIGHT_READ;
    if (!api_may(api, QN_THING_COLLECTION, api->thing, QN_RIGHT_LIST) ||
        !api_limit(api, QN_API_RECORDS_USUAL, QN_API_RECORDS_MAX, &api->listing.limit) ||
        !query_arg(api, &args, "after"))
        return;
    api_arg(&args, "collection", api->thing);
    qn_pack_cstr(&args, "limit");
    qn_pack_u64(&args, api->listing.limit + 1);
    if (!query_arg(api, &args, "prefix") ||
        !api_note_read(api, api->listing.has_contents ? "read" : "list"))
        return;
    struct qn_buf given = args;
    args = (struct qn_buf){0};
    api_command(api, "record.list", &given, show_page);
}
