/* Records, changed. Whoever says what they have seen (If-Match and the like) does not write over
 * anything else: the condition is judged against the record, and the write takes along the version
 * that it was judged by, which the store compares in the transaction of the write.
 *
 *   PUT     body ── record.get ── judge ── record.put ── record.get ── 200, 201
 *   DELETE          record.get ── judge ── record.delete ── 204
 */
#include "base/text.h"
#include "http/condition.h"
#include "json/in.h"
#include "proto/cursor.h"
#include "proto/items.h"
#include "proto/pack.h"
#include "serve/api_private.h"

static bool is_delete(const struct api *api)
{
    return qn_web_asked(api->request)->method == QN_HTTP_DELETE;
}

static void record_args(const struct api *api, size_t count, struct qn_buf *ret_args)
{
    api_args(ret_args, count);
    api_arg(ret_args, "collection", api->thing);
}

/* ---- the end: the record as it is now ---- */

static void shown(struct api *api, const struct qn_serve_answer *answer)
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
    qn_json_object(&api->out, answer->data, qn_json_record);
    api_answer(api, api->write.is_new ? 201 : 200, etag);
}

static void show_now(struct api *api, const struct qn_serve_answer *answer)
{
    struct qn_buf args;
    if (answer->kind == QN_SERVE_ERROR) {
        api_refuse_error(api, answer);
        return;
    }
    api_end_change(api);
    record_args(api, 2, &args);
    api_arg(&args, "key", qn_buf_view(&api->key));
    api_command(api, "record.get", &args, shown);
}

static void deleted(struct api *api, const struct qn_serve_answer *answer)
{
    if (answer->kind == QN_SERVE_ERROR) {
        api_refuse_error(api, answer);
        return;
    }
    api_end_change(api);
    api_answer_empty(api, 204, NULL);
}

/* ---- the change ---- */

/* The right to write, and a key that can be one. Asked again when the body is there: it may have
 * taken its time, and the right be gone. */
static bool may_change(struct api *api)
{
    if (!api_may(api, QN_THING_COLLECTION, api->thing, QN_RIGHT_WRITE))
        return false;
    if (api->key.size > 0 && api->key.size <= QN_KEY_SIZE_MAX)
        return true;
    api_refuse(api, 422, "bad-key", qn_span_str("key"));
    return false;
}

static void pack_expected(const struct api *api, struct qn_buf *args)
{
    const struct api_write *write = &api->write;
    qn_pack_cstr(args, "if");
    if (!write->has_expected)
        qn_pack_nil(args);
    else
        qn_pack_bin(args, qn_span(write->version, write->is_new ? 0 : sizeof(write->version)));
}

static void change(struct api *api)
{
    struct qn_buf args;
    if (!may_change(api))
        return;
    api_begin_change(api, is_delete(api) ? "delete" : "write");
    record_args(api, is_delete(api) ? 3 : 4, &args);
    if (!is_delete(api)) {
        qn_pack_cstr(&args, "fields");
        qn_pack_raw(&args, qn_buf_view(&api->write.fields));
    }
    pack_expected(api, &args);
    api_arg(&args, "key", qn_buf_view(&api->key));
    if (is_delete(api))
        api_command(api, "record.delete", &args, deleted);
    else
        api_command(api, "record.put", &args, show_now);
}

static bool read_version(struct qn_span record, uint8_t version[QN_API_VERSION_SIZE])
{
    struct qn_span packed;
    if (!qn_map_find(record, "version", &packed))
        return false;
    struct qn_cursor cursor = qn_cursor(packed);
    return qn_cursor_bytes(&cursor, version, QN_API_VERSION_SIZE) == QN_OK;
}

static bool is_not_there(const struct qn_serve_answer *answer)
{
    return answer->kind == QN_SERVE_ERROR && answer->code != NULL &&
           strcmp(answer->code, "record-not-found") == 0;
}

/* What is there before the change. */
static void seen(struct api *api, const struct qn_serve_answer *answer)
{
    char etag[API_ETAG_SIZE] = "";
    struct api_write *write = &api->write;
    write->is_new = is_not_there(answer);
    if (answer->kind == QN_SERVE_ERROR && !write->is_new) {
        api_refuse_error(api, answer);
        return;
    }
    if (!write->is_new &&
        (!api_record_etag(answer->data, etag) || !read_version(answer->data, write->version))) {
        api_refuse(api, 500, "internal", qn_span_str(""));
        return;
    }
    struct qn_span updated;
    struct qn_http_state state = {.exists = !write->is_new, .etag = qn_span_str(etag)};
    if (!write->is_new && qn_map_find(answer->data, "updated", &updated))
        state.modified_s = (int64_t)(qn_map_u64(updated, "time") / 1000);
    write->has_expected = api_has_condition(api);
    if (!api_judge(api, &state, etag))
        return;
    if (write->is_new && is_delete(api))
        api_refuse_error(api, answer);
    else
        change(api);
}

static void look(struct api *api)
{
    struct qn_buf args;
    record_args(api, 2, &args);
    api_arg(&args, "key", qn_buf_view(&api->key));
    api_command(api, "record.get", &args, seen);
}

static void take_fields(struct api *api)
{
    json_t *object = api_body_object(api, "fields");
    if (object == NULL)
        return;
    json_t *fields = json_object_get(object, "fields");
    if (json_is_object(fields))
        qn_json_pack(fields, &api->write.fields);
    json_decref(object);
    if (api->write.fields.size == 0)
        api_refuse(api, 400, "bad-request", qn_span_str("fields"));
    else
        look(api);
}

void api_record_change(struct api *api)
{
    if (!may_change(api))
        return;
    if (is_delete(api))
        look(api);
    else
        api_want_json(api, take_fields);
}

/* ---- conflicts and the trash ---- */

static bool has_text(json_t *object, const char *name, struct qn_span *ret_text)
{
    json_t *member = json_object_get(object, name);
    if (!json_is_string(member))
        return false;
    *ret_text = qn_span(json_string_value(member), json_string_length(member));
    return true;
}

static void resolve(struct api *api, json_t *object)
{
    struct qn_span field, site;
    json_t *value = json_object_get(object, "value"), *take = json_object_get(object, "take");
    bool takes = has_text(object, "take", &site);
    if (!has_text(object, "field", &field) || (value != NULL) == (take != NULL) ||
        (take != NULL && !takes)) {
        api_refuse(api, 400, "bad-request", qn_span_str("field, and take or value"));
        return;
    }
    struct qn_buf args;
    api_begin_change(api, "write");
    record_args(api, 4, &args);
    api_arg(&args, "field", field);
    api_arg(&args, "key", qn_buf_view(&api->key));
    if (takes) {
        api_arg(&args, "take", site);
    } else {
        qn_pack_cstr(&args, "value");
        qn_json_pack(value, &args);
    }
    api_command(api, "conflict.resolve", &args, show_now);
}

static void take_resolution(struct api *api)
{
    json_t *object = api_body_object(api, "field take value");
    if (object == NULL)
        return;
    if (may_change(api))
        resolve(api, object);
    json_decref(object);
}

void api_record_resolve(struct api *api)
{
    if (may_change(api))
        api_want_json(api, take_resolution);
}

static void restore(struct api *api)
{
    struct qn_buf args;
    json_t *object = api_body_object(api, "");
    if (object == NULL)
        return;
    json_decref(object);
    if (!may_change(api))
        return;
    api_begin_change(api, "write");
    record_args(api, 2, &args);
    api_arg(&args, "key", qn_buf_view(&api->key));
    api_command(api, "record.restore", &args, show_now);
}

void api_record_restore(struct api *api)
{
    if (may_change(api))
        api_want_json(api, restore);
}

#define DAYS_MAX 36500

/* Nil if they are not asked for; false after a refusal. */
static bool pack_days(struct api *api, struct qn_buf *args)
{
    QN_AUTO_BUF struct qn_buf text;
    uint64_t days = 0;
    qn_buf_init(&text, 8);
    enum qn_err err = api_query(api, "older", &text);
    if (err == QN_ERR_NOTFOUND) {
        qn_pack_nil(args);
        return true;
    }
    for (size_t i = 0; i < text.size && err == QN_OK; i++) {
        bool is_digit = text.data[i] >= '0' && text.data[i] <= '9';
        err = is_digit ? QN_OK : QN_ERR_INVALID;
        days = days * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (err != QN_OK || text.size == 0 || days > DAYS_MAX) {
        api_refuse(api, 400, "bad-request", qn_span_str("older"));
        return false;
    }
    qn_pack_u64(args, days);
    return true;
}

static void emptied(struct api *api, const struct qn_serve_answer *answer)
{
    if (answer->kind == QN_SERVE_DATA)
        return; /* how far it is */
    if (answer->kind == QN_SERVE_ERROR) {
        api_refuse_error(api, answer);
        return;
    }
    api_end_change(api);
    qn_json_object(&api->out, answer->data, qn_json_emptied);
    api_answer(api, 200, NULL);
}

/* It cannot be undone, so it takes more than the right to write. */
void api_trash_empty(struct api *api)
{
    QN_AUTO_BUF struct qn_buf args;
    api_args(&args, 2);
    api_arg(&args, "collection", api->thing);
    qn_pack_cstr(&args, "older_days");
    if (!api_may(api, QN_THING_COLLECTION, api->thing, QN_RIGHT_WRITE))
        return;
    if (!api_is_operator(api)) {
        api_refuse(api, 403, "for-operators", api->thing);
        return;
    }
    if (!pack_days(api, &args))
        return;
    struct qn_buf given = args;
    args = (struct qn_buf){0};
    api_begin_change(api, "delete");
    api_command(api, "record.empty-trash", &given, emptied);
}
