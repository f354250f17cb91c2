/* What all requests about files have in common. */
#include "serve/api_file.h"

#include "base/mem.h"
#include "http/condition.h"
#include "serve/dav.h"

#define FULL_SIZE_MAX (QN_HTTP_PATH_SIZE_MAX + QN_NAME_SIZE_MAX + 2)

void api_entries_free(struct api_entry *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        qn_free(items[i].name);
    qn_free(items);
}

static void release(struct api_file *file)
{
    const struct qn_folder_ops *ops = file->folder->ops;
    if (file->file != NULL)
        ops->close(file->file);
    if (file->upload != NULL)
        ops->abort(file->upload);
    api_entries_free(file->entries.items, file->entries.count);
    api_entries_free(file->walk.items, file->walk.count);
    qn_zip_free(file->zip);
    qn_buf_deinit(&file->after);
    qn_buf_deinit(&file->to);
    qn_buf_deinit(&file->piece);
    qn_buf_deinit(&file->missing);
    qn_buf_deinit(&file->full);
    qn_buf_deinit(&file->full_to);
    qn_folder_release(file->folder);
    qn_free(file);
}

void api_file_free(struct api_file *file)
{
    if (file == NULL)
        return;
    file->api = NULL;
    if (file->call != NULL)
        file->folder->ops->cancel(file->call);
    else if (!file->is_following)
        release(file);
}

bool api_file_settle(struct api_file *file)
{
    file->call = NULL;
    file->is_following = false;
    if (file->api != NULL)
        return true;
    release(file);
    return false;
}

struct api_file *api_file_new(struct api *api, enum qn_right wanted)
{
    if (!api_may(api, QN_THING_FOLDER, api->thing, wanted))
        return NULL;
    struct qn_folder *folder = api->host->folder(api->host->context, api->thing);
    if (folder == NULL) {
        api_refuse(api, 404, "folder-unknown", api->thing);
        return NULL;
    }
    struct api_file *file = QN_NEW(struct api_file);
    file->api = api;
    file->folder = folder;
    qn_folder_hold(folder);
    file->dav = qn_web_dav(api->request);
    file->modified_ns = INT64_MIN;
    qn_buf_init(&file->after, QN_HTTP_PATH_SIZE_MAX);
    qn_buf_init(&file->to, QN_HTTP_PATH_SIZE_MAX);
    qn_buf_init(&file->piece, QN_API_BODY_SIZE_MAX);
    qn_buf_init(&file->missing, QN_API_MISSING_SIZE_MAX);
    qn_buf_init(&file->full, FULL_SIZE_MAX);
    qn_buf_init(&file->full_to, FULL_SIZE_MAX);
    api->file = file;
    return file;
}

static const struct {
    enum qn_err err;
    unsigned status;
    const char *code;
} meanings[] = {
    {QN_ERR_NOTFOUND, 404, "path-unknown"},
    {QN_ERR_EXISTS, 409, "name-taken"},
    {QN_ERR_CONFLICT, 412, "changed"},
    {QN_ERR_DENIED, 403, "not-allowed"},
    {QN_ERR_STATE, 409, "no-parent"},
    {QN_ERR_NOSPACE, 507, "disk-full"},
    {QN_ERR_INVALID, 422, "bad-name"},
    {QN_ERR_LIMIT, 503, "busy"},
    {QN_ERR_BUSY, 503, "busy"},
    {QN_ERR_CLOSED, 503, "folder-gone"},
};

void api_refuse_folder(struct api *api, enum qn_err err, struct qn_span object)
{
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (meanings[i].err == err) {
            api_refuse(api, meanings[i].status, meanings[i].code, object);
            return;
        }
    api_refuse(api, 500, "file-failed", object);
}

bool api_file_expect(struct api_file *file, const struct qn_entry_info *entry)
{
    struct qn_http_state state = {.exists = entry != NULL, .etag = qn_span(NULL, 0)};
    if (entry != NULL) {
        state.etag = qn_span_str(entry->etag);
        state.modified_s = entry->modified_ns / 1000000000;
    }
    file->is_new = entry == NULL;
    if (!api_judge(file->api, &state, entry == NULL ? NULL : entry->etag))
        return false;
    if (!api_has_condition(file->api))
        return true;
    file->expect.must_exist = entry != NULL;
    file->expect.must_not_exist = entry == NULL;
    if (entry != NULL)
        memcpy(file->expect.etag, entry->etag, sizeof(file->expect.etag));
    return true;
}

bool api_file_is_locked(struct api_file *file, struct qn_span path, bool is_tree)
{
    struct api *api = file->api;
    const struct qn_dav *dav = qn_web_dav(api->request);
    QN_AUTO_BUF struct qn_buf full;
    qn_buf_init(&full, api->thing.size + 1 + path.size);
    qn_buf_append_span(&full, api->thing);
    qn_buf_append_str(&full, path.size > 0 ? "/" : "");
    qn_buf_append_span(&full, path);
    if (!qn_dav_is_locked(dav, api->person, qn_buf_view(&full), is_tree))
        return false;
    api_refuse(api, 423, "locked", path);
    return true;
}
