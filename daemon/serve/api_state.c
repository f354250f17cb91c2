/* The state of the site, and what there is for the person. */
#include "proto/items.h"
#include "serve/api_private.h"
#include "words/alert_words.h"
#include "words/error_words.h"

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

#define ALERT_TEXT_MAX 4096 /* names, and a detail, in it */

static struct qn_alert_view view_of(const struct api *api, struct qn_span item)
{
    struct qn_alert_view view = {
        .code = qn_map_text(item, "code"),
        .severity = qn_map_text(item, "severity"),
        .object = qn_map_text(item, "object"),
        .detail = qn_map_text(item, "detail"),
        .count = qn_map_u64(item, "count"),
        .now_ms = api->host->wall_ms(api->host->context),
    };
    view.has_time = qn_map_has_u64(item, "time", &view.time_ms);
    if (qn_alert_is_refusal(&view)) {
        const struct qn_error_words *words = qn_error_words(view.object);
        view.shown = (words != NULL ? words : &qn_error_words_unknown)->text;
    }
    return view;
}

typedef void alert_words_fn(const struct qn_alert_view *view, const struct qn_tongue *tongue,
                            struct qn_buf *out);

static void show_words(struct api *api, const char *key, const struct qn_alert_view *view,
                       alert_words_fn *words)
{
    const struct qn_tongue *tongue = qn_web_tongue(api->request);
    struct qn_alert_view said = *view;
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, ALERT_TEXT_MAX);
    if (said.shown != NULL)
        said.shown = tongue->say(said.shown);
    words(&said, tongue, &text);
    qn_buf_printf(&api->out, ",\"%s\":", key);
    qn_json_text(&api->out, qn_buf_view(&text));
}

static void show_alerts(struct api *api, struct qn_span status)
{
    struct qn_span list = {0};
    struct qn_items walk = {0};
    const char *between = "";
    if (qn_map_find(status, "alerts", &list))
        walk = qn_items(list);
    qn_buf_append_str(&api->out, "\"alerts\":[");
    while (qn_items_next(&walk)) {
        struct qn_alert_view view = view_of(api, walk.value);
        qn_buf_printf(&api->out, "%s{", between);
        qn_json_members(&api->out, walk.value, alert);
        show_words(api, "text", &view, qn_alert_text);
        show_words(api, "action", &view, qn_alert_action);
        qn_buf_append_u8(&api->out, '}');
        between = ",";
    }
    qn_buf_append_u8(&api->out, ']');
}

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
        show_alerts(api, answer->data);
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
    if (api_right(api, QN_THING_COLLECTION, collection) < QN_RIGHT_READ)
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
    {.key = "name", .kind = QN_JSON_VALUE},      {.key = "records", .kind = QN_JSON_VALUE},
    {.key = "conflicts", .kind = QN_JSON_VALUE}, {.key = "in_sync", .kind = QN_JSON_VALUE},
    {.key = "incomplete", .kind = QN_JSON_MARK}, {.key = NULL},
};

static void show_collection(struct api *api, struct qn_span item)
{
    enum qn_right right = api_right(api, QN_THING_COLLECTION, qn_map_text(item, "name"));
    if (right == QN_RIGHT_NONE)
        return;
    next_item(api);
    qn_buf_append_u8(&api->out, '{');
    qn_json_members(&api->out, item, collection_shape);
    qn_buf_printf(&api->out, ",\"right\":\"%s\"}", qn_right_name(right));
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
    qn_buf_printf(&api->out, ",\"right\":\"%s\"}", qn_right_name(right));
}

void api_folders(struct api *api)
{
    qn_buf_append_u8(&api->out, '[');
    api->host->each_folder(api->host->context, show_folder, api);
    qn_buf_append_u8(&api->out, ']');
    api_answer(api, 200, NULL);
}
