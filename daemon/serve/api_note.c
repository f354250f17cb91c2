/* The one place where the API tells the audit trail. A reading is noted before it is answered, and
 * refused if the trail does not take it; a change is noted when it is done, a refusal with its
 * code. */
#include "people/audit.h"
#include "serve/api_private.h"

static void append_object(const struct api *api, struct qn_buf *out)
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
    struct qn_span inner = is_collection ? qn_buf_view(&api->key) : api->rest;
    if (inner.size > 0)
        qn_buf_append_u8(out, '/');
    qn_buf_append_span(out, inner);
}

static enum qn_err note_of(const struct api *api, const char *action, struct qn_span object,
                           const char *result)
{
    const struct qn_person *person = api->person;
    struct qn_audit_what what = {
        .actor = qn_span_str(person == NULL ? "" : person->name),
        .device = qn_span_str(person == NULL ? "" : qn_person_device(person)),
        .address = qn_span_str(qn_web_from(api->request)),
        .action = action,
        .object = object,
        .result = result,
    };
    return api->host->note(api->host->context, &what);
}

static enum qn_err note(const struct api *api, const char *action, const char *result)
{
    QN_AUTO_BUF struct qn_buf object;
    bool is_refusal = strcmp(action, "refused") == 0;
    qn_buf_init(&object, 2 * QN_HTTP_PATH_SIZE_MAX);
    if (api->host->note == NULL || (is_refusal && api->person == NULL))
        return QN_OK;
    append_object(api, &object);
    return note_of(api, action, qn_buf_view(&object), result);
}

bool api_note_read(struct api *api, const char *action)
{
    if (note(api, action, "ok") == QN_OK)
        return true;
    api_refuse(api, 503, "audit-failed", qn_span_str(""));
    return false;
}

void api_note(const struct api *api, const char *action, const char *result)
{
    (void)note(api, action,
               result); /* what is done is done; the trail keeps and tells its trouble */
}

void api_begin_change(struct api *api, const char *action)
{
    api->change = action;
}

void api_end_change(struct api *api)
{
    api_note(api, api->change, "ok");
    api->change = NULL;
}

void api_leave_change(struct api *api)
{
    if (api->change != NULL && !api->is_answered)
        api_note(api, api->change, "left");
    api->change = NULL;
}

void api_note_target(const struct api *api, struct qn_span to)
{
    QN_AUTO_BUF struct qn_buf object;
    qn_buf_init(&object, 2 * QN_HTTP_PATH_SIZE_MAX);
    if (api->host->note == NULL)
        return;
    qn_buf_append_str(&object, "folder:");
    qn_buf_append_span(&object, api->thing);
    qn_buf_append_u8(&object, '/');
    qn_buf_append_span(&object, to);
    (void)note_of(api, "write", qn_buf_view(&object), "ok");
}
