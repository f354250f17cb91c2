/* The one place where the API tells the audit trail. A reading is noted before it is answered, and
 * refused if the trail does not take it; a change is noted when it is done, a refusal with its
 * code. */
#include "people/audit.h"
#include "serve/api_private.h"

/* `inner`: the key, or the path in the folder. */
static void append_object(const struct api *api, struct qn_span inner, struct qn_buf *out)
{
    struct qn_span path = qn_web_path(api->request);
    bool is_collection = qn_span_has_prefix(path, qn_span_str("collections/"));
    bool is_folder = qn_span_has_prefix(path, qn_span_str("folders/"));
    if (!is_collection && !is_folder) {
        qn_buf_append_span(out, path);
        return;
    }
    qn_buf_append_str(out, is_collection ? "collection:" : "folder:");
    qn_buf_append_span(out, api->thing);
    if (inner.size > 0)
        qn_buf_append_u8(out, '/');
    qn_buf_append_span(out, inner);
}

static enum qn_err note(const struct api *api, struct qn_span inner, const char *action,
                        const char *result)
{
    QN_AUTO_BUF struct qn_buf object = {0};
    if (api->host->note == NULL)
        return QN_OK;
    qn_buf_init(&object, 2 * QN_HTTP_PATH_SIZE_MAX);
    append_object(api, inner, &object);
    const struct qn_person *person = api->person;
    struct qn_audit_what what = {
        .actor = qn_span_str(person == NULL ? "" : person->name),
        .device = qn_span_str(person == NULL ? "" : qn_person_device(person)),
        .address = qn_span_str(qn_web_from(api->request)),
        .action = action,
        .object = qn_buf_view(&object),
        .result = result,
    };
    return api->host->note(api->host->context, &what);
}

static struct qn_span inner_of(const struct api *api)
{
    bool is_collection = qn_span_has_prefix(qn_web_path(api->request), qn_span_str("collections/"));
    return is_collection ? qn_buf_view(&api->key) : api->rest;
}

bool api_note_read(struct api *api, const char *action)
{
    if (note(api, inner_of(api), action, "ok") == QN_OK)
        return true;
    api_refuse(api, 503, "audit-failed", qn_span_str(""));
    return false;
}

void api_note(const struct api *api, const char *action, const char *result)
{
    /* what is done is done; the trail keeps and tells its trouble */
    (void)note(api, inner_of(api), action, result);
}

void api_note_path(const struct api *api, struct qn_span path, const char *action)
{
    (void)note(api, path, action, "ok");
}
