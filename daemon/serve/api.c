/* Which part of the API a path belongs to, and the life of a request. */
#include "serve/api.h"

#include "base/mem.h"
#include "serve/api_file.h"
#include "serve/api_private.h"

#define OUT_SIZE_MAX                                                                               \
    ((size_t)16 * 1024 * 1024) /* one item of an answer in JSON, and what waits                    \
                                */

#define GET    (1U << QN_HTTP_GET | 1U << QN_HTTP_HEAD)
#define PUT    (1U << QN_HTTP_PUT)
#define PATCH  (1U << QN_HTTP_PATCH)
#define POST   (1U << QN_HTTP_POST)
#define DELETE (1U << QN_HTTP_DELETE)

/* A '*' of a pattern is one name, '+' one or more, which may have slashes. A record whose key no
 * path can name ("a//b") is `record`, with its key in the query. */
static const struct route {
    const char *pattern;
    unsigned methods;
    void (*run)(struct api *api);
} routes[] = {
    {"session", POST, api_sign_in},
    {"session", DELETE, api_sign_out},
    {"me", GET, api_me},
    {"status", GET, api_status},
    {"conflicts", GET, api_conflicts},
    {"collections", GET, api_collections},
    {"collections/*/records", GET, api_records},
    {"collections/*/trash", GET, api_trash},
    {"collections/*/trash", DELETE, api_trash_empty},
    {"collections/*/trash/+", POST, api_record_restore},
    {"collections/*/records/+/history", GET, api_history},
    {"collections/*/records/+/resolve", POST, api_record_resolve},
    {"collections/*/records/+", GET, api_record},
    {"collections/*/records/+", PUT | PATCH | DELETE, api_record_change},
    {"collections/*/record/history", GET, api_history},
    {"collections/*/record/resolve", POST, api_record_resolve},
    {"collections/*/record", GET, api_record},
    {"collections/*/record", PUT | PATCH | DELETE, api_record_change},
    {"search", GET, api_search},
    {"folders", GET, api_folders},
    {"folders/*/search", GET, api_search_folder},
    {"folders/*/list", GET, api_list},
    {"folders/*/list/+", GET, api_list},
    {"folders/*/files", GET, api_download},
    {"folders/*/files/+", GET, api_download},
    {"folders/*/files/+", PUT, api_upload},
    {"folders/*/files/+", POST, api_file_do},
    {"folders/*/files/+", DELETE, api_file_delete},
};

struct match {
    struct qn_span thing, rest; /* what '*' and '+' stand for */
};

static struct qn_span name_at(struct qn_span path)
{
    const uint8_t *slash = path.size == 0 ? NULL : memchr(path.data, '/', path.size);
    return qn_span(path.data, slash == NULL ? path.size : (size_t)(slash - path.data));
}

static bool ends_with(struct qn_span text, struct qn_span tail)
{
    return text.size > tail.size && qn_span_eq(qn_span_from(text, text.size - tail.size), tail);
}

/* `tail` is the pattern behind the '+'. */
static bool match_rest(struct qn_span path, const char *tail, struct match *match)
{
    struct qn_span end = qn_span_str(tail);
    if (path.size == 0 || (end.size > 0 && !ends_with(path, end)))
        return false;
    match->rest = qn_span(path.data, path.size - end.size);
    return true;
}

static bool matches(const char *pattern, struct qn_span path, struct match *match)
{
    *match = (struct match){0};
    while (*pattern != '\0') {
        size_t size = strcspn(pattern, "/");
        struct qn_span name = name_at(path);
        if (*pattern == '+')
            return match_rest(path, pattern + 1, match);
        if (*pattern == '*')
            match->thing = name;
        else if (!qn_span_eq(name, qn_span(pattern, size)))
            return false;
        pattern += size + (pattern[size] == '/');
        path = qn_span_from(path, name.size + 1);
    }
    return path.size == 0;
}

static const struct route *find(struct qn_span path, enum qn_http_method method,
                                struct match *match, bool *ret_is_path)
{
    *ret_is_path = false;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!matches(routes[i].pattern, path, match))
            continue;
        *ret_is_path = true;
        if ((routes[i].methods & 1U << method) != 0)
            return &routes[i];
    }
    return NULL;
}

static struct api *api_new(struct qn_web_request *request)
{
    struct api *api = QN_NEW(struct api);
    api->request = request;
    api->host = qn_web_host(request);
    api->person = qn_web_person(request);
    qn_buf_init(&api->body, QN_API_BODY_SIZE_MAX);
    qn_buf_init(&api->out, OUT_SIZE_MAX);
    qn_buf_init(&api->key, QN_HTTP_PATH_SIZE_MAX);
    qn_buf_init(&api->listing.last, QN_KEY_SIZE_MAX);
    qn_buf_init(&api->write.fields, 2 * QN_API_BODY_SIZE_MAX);
    qn_web_set_state(request, api);
    return api;
}

static void api_free(struct api *api)
{
    api_cancel(api);
    if (api->door_token != 0)
        qn_web_door(api->request)->forget(qn_web_door(api->request)->context, api->door_token);
    api_file_free(api->file);
    if (api->body.data != NULL)
        explicit_bzero(api->body.data, api->body.capacity); /* it may have been a password */
    qn_buf_deinit(&api->body);
    qn_buf_deinit(&api->out);
    qn_buf_deinit(&api->key);
    qn_buf_deinit(&api->listing.last);
    qn_buf_deinit(&api->write.fields);
    qn_free(api);
}

/* The key of a record from the path or, where that is not there, from the query. */
static void take_rest(struct api *api, const struct match *match)
{
    api->thing = match->thing;
    api->rest = match->rest;
    qn_buf_append_span(&api->key, match->rest);
    if (match->rest.size == 0 && api_query(api, "key", &api->key) != QN_OK)
        qn_buf_reset(&api->key);
}

static void start_at(struct qn_web_request *request, struct qn_span path)
{
    struct match match;
    bool is_path;
    struct api *api = api_new(request);
    const struct route *route = find(path, qn_web_asked(request)->method, &match, &is_path);
    if (route == NULL) {
        api_refuse(api, is_path ? 405 : 404, is_path ? "method-not-allowed" : "not-found",
                   qn_span_str(""));
        return;
    }
    take_rest(api, &match);
    route->run(api);
}

static void start(struct qn_web_request *request)
{
    start_at(request, qn_web_path(request));
}

/* What follows the prefix of its route is nothing. */
static void start_session(struct qn_web_request *request)
{
    if (qn_web_path(request).size == 0)
        start_at(request, qn_span_str("session"));
    else
        start_at(request, qn_span_str("")); /* nothing */
}

static void body(struct qn_web_request *request, struct qn_span piece)
{
    struct api *api = qn_web_state(request);
    if (api->is_answered)
        return;
    if (api->file != NULL) {
        api_upload_body(api, piece);
        return;
    }
    qn_buf_append_span(&api->body, piece);
    if (qn_buf_status(&api->body) != QN_OK)
        api_refuse(api, 413, "value-too-large", qn_span_str(""));
}

static void body_end(struct qn_web_request *request)
{
    struct api *api = qn_web_state(request);
    if (!api->is_answered && api->on_body != NULL)
        api->on_body(api);
}

static void room(struct qn_web_request *request)
{
    struct api *api = qn_web_state(request);
    api_push(api);
    if (api->on_room != NULL && !api->is_whole && api->out.size <= QN_API_OUT_HIGH)
        api->on_room(api);
}

static void end(struct qn_web_request *request, bool is_complete)
{
    api_leave_change(qn_web_state(request));
    api_free(qn_web_state(request));
}

const struct qn_web_handler qn_api_handler = {
    .start = start,
    .body = body,
    .body_end = body_end,
    .room = room,
    .end = end,
};

const struct qn_web_handler qn_api_session_handler = {
    .start = start_session,
    .body = body,
    .body_end = body_end,
    .room = room,
    .end = end,
};
