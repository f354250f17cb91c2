/* What the person may see, searched. */
#include "people/account.h"
#include "proto/items.h"
#include "proto/pack.h"
#include "serve/api_private.h"

#define LIMIT_USUAL 20
#define LIMIT_MAX   100

static const struct qn_json_shape record_hit[] = {
    {.key = "kind", .kind = QN_JSON_VALUE},
    {.key = "collection", .kind = QN_JSON_VALUE},
    {.key = "key", .kind = QN_JSON_VALUE},
    {.key = "text", .kind = QN_JSON_VALUE},
    {.key = NULL},
};

static const struct qn_json_shape file_hit[] = {
    {.key = "kind", .kind = QN_JSON_VALUE},
    {.key = "folder", .kind = QN_JSON_VALUE},
    {.key = "path", .kind = QN_JSON_VALUE},
    {.key = "text", .kind = QN_JSON_VALUE},
    {.key = NULL},
};

/* The index was asked for what may be seen; that is looked at once more where it goes out. */
static bool may_see(const struct api *api, struct qn_span hit, bool is_record)
{
    return is_record ? api_right(api, QN_THING_COLLECTION, qn_map_text(hit, "collection")) >=
                           QN_RIGHT_READ
                     : api_right(api, QN_THING_FOLDER, qn_map_text(hit, "folder")) != QN_RIGHT_NONE;
}

static bool is_kind(struct qn_span item, const char *kind)
{
    return qn_span_eq_str(qn_map_text(item, "kind"), kind);
}

/* False: it is not for this person. */
static bool show_hit(struct api *api, struct qn_span hit)
{
    bool is_record = is_kind(hit, "record");
    if (!may_see(api, hit, is_record))
        return false;
    qn_json_object(&api->out, hit, is_record ? record_hit : file_hit);
    return true;
}

/* What may be missing: `end` is that of the command. */
static void show_rest(struct api *api, struct qn_span end)
{
    struct qn_span sites;
    qn_buf_printf(&api->out,
                  "\"indexing\":%s,\"silent\":", qn_map_bool(end, "indexing") ? "true" : "false");
    if (qn_map_find(end, "silent", &sites))
        qn_json_value(&api->out, sites);
    else
        qn_buf_append_str(&api->out, "[]");
    qn_buf_append_u8(&api->out, '}');
}

/* ---- all at once ---- */

static void gather_hit(struct api *api, struct qn_span hit)
{
    size_t before = api->out.size;
    qn_buf_append_str(&api->out, api->listing.count == 0 ? "" : ",\n");
    if (show_hit(api, hit))
        api->listing.count++;
    else
        qn_buf_truncate(&api->out, before);
}

static void gather(struct api *api, const struct qn_serve_answer *answer)
{
    switch (answer->kind) {
    case QN_SERVE_DATA:
        gather_hit(api, answer->data);
        break;
    case QN_SERVE_END:
        qn_buf_append_str(&api->out, "],");
        show_rest(api, answer->data);
        api_answer(api, 200, NULL);
        break;
    case QN_SERVE_ERROR:
        api_refuse_error(api, answer);
        break;
    }
}

/* ---- a line each, as they come ---- */

static const struct qn_json_shape asked_site[] = {
    {.key = "kind", .kind = QN_JSON_VALUE},
    {.key = "site", .kind = QN_JSON_VALUE},
    {.key = NULL},
};

/* The head waits for the first of them: a question that is refused has a status of its own. */
static void start_lines(struct api *api)
{
    if (!api->is_answered)
        api_start_stream(api, "application/x-ndjson");
}

static void show_line(struct api *api, struct qn_span item)
{
    start_lines(api);
    if (is_kind(item, "asked") || is_kind(item, "answered"))
        qn_json_object(&api->out, item, asked_site);
    else if (!show_hit(api, item))
        return;
    qn_buf_append_u8(&api->out, '\n');
    api_push(api);
}

static void show_lines(struct api *api, const struct qn_serve_answer *answer)
{
    switch (answer->kind) {
    case QN_SERVE_DATA:
        show_line(api, answer->data);
        break;
    case QN_SERVE_END:
        start_lines(api);
        qn_buf_append_str(&api->out, "{\"kind\":\"end\",");
        show_rest(api, answer->data);
        qn_buf_append_u8(&api->out, '\n');
        api_end_stream(api);
        break;
    case QN_SERVE_ERROR:
        api_refuse_error(api, answer);
        break;
    }
}

/* ---- the question ---- */

static void pack_granted(const struct api *api, enum qn_thing thing, struct qn_buf *args)
{
    const struct qn_account *account =
        qn_people_find(qn_web_people(api->request), qn_span_str(api->person->name));
    QN_AUTO_BUF struct qn_buf names;
    size_t count = 0;
    /* of a record its content is found, of a file its name */
    enum qn_right least = thing == QN_THING_COLLECTION ? QN_RIGHT_READ : QN_RIGHT_LIST;
    qn_buf_init(&names, QN_API_BODY_SIZE_MAX);
    for (size_t i = 0; account != NULL && i < account->grants.count; i++) {
        const struct qn_grant *grant = &account->grants.items[i];
        if (grant->thing != thing || api_right(api, thing, qn_span_str(grant->name)) < least)
            continue;
        qn_pack_cstr(&names, grant->name);
        count++;
    }
    qn_pack_array(args, count);
    qn_pack_raw(args, qn_buf_view(&names));
}

static bool has_query(const struct api *api, const char *name)
{
    QN_AUTO_BUF struct qn_buf value;
    qn_buf_init(&value, 16);
    return api_query(api, name, &value) != QN_ERR_NOTFOUND;
}

/* `folder` empty: in all that was granted. */
static void pack_scope(const struct api *api, struct qn_span folder, struct qn_buf *args)
{
    qn_pack_cstr(args, "collections");
    if (folder.size > 0)
        qn_pack_array(args, 0);
    else
        pack_granted(api, QN_THING_COLLECTION, args);
    qn_pack_cstr(args, "folders");
    if (folder.size > 0) {
        qn_pack_array(args, 1);
        qn_pack_str(args, folder);
    } else {
        pack_granted(api, QN_THING_FOLDER, args);
    }
}

static void search(struct api *api, struct qn_span folder)
{
    QN_AUTO_BUF struct qn_buf words;
    uint64_t limit;
    struct qn_buf args;
    bool is_by_line = has_query(api, "lines");
    qn_buf_init(&words, QN_HTTP_PATH_SIZE_MAX);
    if (api_query(api, "q", &words) != QN_OK) {
        api_refuse(api, 400, "bad-request", qn_span_str("q"));
        return;
    }
    if (!api_limit(api, LIMIT_USUAL, LIMIT_MAX, &limit) || !api_note_read(api, "search"))
        return;
    api_args(&args, 5);
    pack_scope(api, folder, &args);
    qn_pack_cstr(&args, "limit");
    qn_pack_u64(&args, limit);
    qn_pack_cstr(&args, "sites");
    qn_pack_bool(&args, is_by_line);
    api_arg(&args, "words", qn_buf_view(&words));
    if (!is_by_line)
        qn_buf_append_str(&api->out, "{\"results\":[");
    api_command(api, "search", &args, is_by_line ? show_lines : gather);
}

void api_search(struct api *api)
{
    search(api, qn_span(NULL, 0));
}

/* Also for people of other sites, who have no account here: theirs has judged them, and the door
 * whether it shares the folder. */
void api_search_folder(struct api *api)
{
    if (api_may(api, QN_THING_FOLDER, api->thing, QN_RIGHT_LIST))
        search(api, api->thing);
}
