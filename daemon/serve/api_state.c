/* The state of the site, and what there is for the person. */
#include "proto/items.h"
#include "serve/api_private.h"

/* ---- state ---- */

static const struct qn_json_shape alert[] = {
    {.key = "severity", .kind = QN_JSON_VALUE},
    {.key = "code", .kind = QN_JSON_VALUE},
    {.key = "object", .kind = QN_JSON_VALUE},
    {.key = "count", .kind = QN_JSON_VALUE},
    {.key = "time", .kind = QN_JSON_TIME},
    {.key = "detail", .kind = QN_JSON_VALUE},
    {.key = NULL},
};

static const struct qn_json_shape alerts[] = {
    {.key = "alerts", .kind = QN_JSON_OBJECTS, .inner = alert},
    {.key = NULL},
};

/* What anybody of the group may know: who can be reached. */
static const struct qn_json_shape few_site[] = {
    {.key = "name", .kind = QN_JSON_VALUE},
    {.key = "state", .kind = QN_JSON_VALUE},
    {.key = "last_contact", .kind = QN_JSON_TIME},
    {.key = NULL},
};

static const struct qn_json_shape few[] = {
    {.key = "site", .kind = QN_JSON_VALUE},
    {.key = "group", .kind = QN_JSON_VALUE},
    {.key = "version", .kind = QN_JSON_VALUE},
    {.key = "state", .kind = QN_JSON_VALUE},
    {.key = "sites", .kind = QN_JSON_OBJECTS, .inner = few_site},
    {.key = NULL},
};

static void show_status(struct api *api, const struct qn_serve_answer *answer)
{
    if (answer->kind == QN_SERVE_ERROR) {
        api_refuse_error(api, answer);
        return;
    }
    bool is_operator = api_is_operator(api);
    qn_buf_append_u8(&api->out, '{');
    qn_json_members(&api->out, answer->data, is_operator ? qn_json_status : few);
    if (is_operator) {
        qn_buf_append_u8(&api->out, ',');
        qn_json_members(&api->out, answer->data, alerts);
    }
    qn_buf_append_u8(&api->out, '}');
    api_answer(api, 200, NULL);
}

void api_status(struct api *api)
{
    struct qn_buf args;
    api_args(&args, 0);
    api_command(api, "status", &args, show_status);
}

/* ---- lists of what the person may see ---- */

/* Before each item of a list, whose first one starts the answer. */
static void next_item(struct api *api)
{
    if (api->listing.count == 0)
        api_start_stream(api, "application/json");
    qn_buf_append_str(&api->out, api->listing.count++ == 0 ? "[" : ",\n");
}

static void end_list(struct api *api)
{
    if (api->listing.count == 0)
        api_start_stream(api, "application/json");
    qn_buf_append_str(&api->out, api->listing.count == 0 ? "[]\n" : "]\n");
    api_end_stream(api);
}

static void show_list(struct api *api, const struct qn_serve_answer *answer,
                      void (*show)(struct api *api, struct qn_span item))
{
    switch (answer->kind) {
    case QN_SERVE_DATA:
        show(api, answer->data);
        api_push(api);
        break;
    case QN_SERVE_END:
        end_list(api);
        break;
    case QN_SERVE_ERROR:
        api_refuse_error(api, answer);
        break;
    }
}

static void show_conflict(struct api *api, struct qn_span item)
{
    struct qn_span collection = qn_map_text(item, "collection");
    if (api_right(api, QN_THING_COLLECTION, collection) == QN_RIGHT_NONE)
        return;
    next_item(api);
    qn_json_object(&api->out, item, qn_json_conflict);
}

static void show_conflicts(struct api *api, const struct qn_serve_answer *answer)
{
    show_list(api, answer, show_conflict);
}

void api_conflicts(struct api *api)
{
    struct qn_buf args;
    api_args(&args, 0);
    api_command(api, "conflict.list", &args, show_conflicts);
}

static const struct qn_json_shape collection_shape[] = {
    {.key = "name", .kind = QN_JSON_VALUE},
    {.key = "records", .kind = QN_JSON_VALUE},
    {.key = "conflicts", .kind = QN_JSON_VALUE},
    {.key = "in_sync", .kind = QN_JSON_VALUE},
    {.key = NULL},
};

static const char *right_word(enum qn_right right)
{
    return right == QN_RIGHT_WRITE ? "write" : "read";
}

static void show_collection(struct api *api, struct qn_span item)
{
    enum qn_right right = api_right(api, QN_THING_COLLECTION, qn_map_text(item, "name"));
    if (right == QN_RIGHT_NONE)
        return;
    next_item(api);
    qn_buf_append_u8(&api->out, '{');
    qn_json_members(&api->out, item, collection_shape);
    qn_buf_printf(&api->out, ",\"right\":\"%s\"}", right_word(right));
}

static void show_collections(struct api *api, const struct qn_serve_answer *answer)
{
    show_list(api, answer, show_collection);
}

void api_collections(struct api *api)
{
    struct qn_buf args;
    api_args(&args, 0);
    api_command(api, "collection.list", &args, show_collections);
}

/* ---- folders ---- */

/* Where it is, and whether it can be reached. */
static void show_place(struct api *api, struct qn_span name)
{
    const struct qn_serve_host *host = api->host;
    const char *site;
    bool is_online;
    if (host->elsewhere != NULL && host->elsewhere(host->context, name, &site, &is_online)) {
        qn_buf_append_str(&api->out, ",\"site\":");
        qn_json_text(&api->out, qn_span_str(site));
        qn_buf_printf(&api->out, ",\"state\":\"elsewhere\",\"online\":%s",
                      is_online ? "true" : "false");
        return;
    }
    bool is_here = host->folder(host->context, name) != NULL;
    qn_buf_printf(&api->out, ",\"state\":\"%s\"", is_here ? "here" : "gone");
}

static void show_folder(void *context, struct qn_span name)
{
    struct api *api = context;
    enum qn_right right = api_right(api, QN_THING_FOLDER, name);
    if (right == QN_RIGHT_NONE)
        return;
    qn_buf_append_str(&api->out, api->listing.count++ == 0 ? "{\"name\":" : ",\n{\"name\":");
    qn_json_text(&api->out, name);
    show_place(api, name);
    qn_buf_printf(&api->out, ",\"right\":\"%s\"}", right_word(right));
}

void api_folders(struct api *api)
{
    qn_buf_append_u8(&api->out, '[');
    api->host->each_folder(api->host->context, show_folder, api);
    qn_buf_append_u8(&api->out, ']');
    api_answer(api, 200, NULL);
}
