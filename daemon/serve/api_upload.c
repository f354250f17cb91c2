/* PUT of a file. Nothing is visible before the whole content is there and durable; what the request
 * expects to be there is judged again in the moment of the change.
 *
 *   stat ── judge ── upload ── want body ── (piece ── write)* ── end ── commit ── 201, 204
 */
#include "files/names.h"
#include "http/condition.h"
#include "serve/api_file.h"

/* Two wrote at once without naming a version: the other's is beside it. */
static void note_kept(const struct api *api, struct qn_span name)
{
    QN_AUTO_BUF struct qn_buf path;
    struct qn_span parent, last;
    qn_name_split(api->rest, &parent, &last);
    qn_buf_init(&path, api->rest.size + name.size + 1);
    qn_buf_append_span(&path, parent);
    qn_buf_append_str(&path, parent.size > 0 ? "/" : "");
    qn_buf_append_span(&path, name);
    api_note_target(api, qn_buf_view(&path));
}

static void committed(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct api_file *file = context;
    if (!api_file_settle(file))
        return;
    if (err != QN_OK) {
        api_refuse_folder(file->api, err, file->api->rest);
        return;
    }
    api_end_change(file->api);
    if (entry->kept.size > 0)
        note_kept(file->api, entry->kept);
    api_answer_empty(file->api, file->is_new ? 201 : 204, entry->etag);
}

/* The body may have taken its time: the right may be gone, or somebody have locked the file. */
static bool may_still_write(struct api_file *file)
{
    struct api *api = file->api;
    return api_may(api, QN_THING_FOLDER, api->thing, QN_RIGHT_WRITE) &&
           !api_file_is_locked(file, api->rest, false);
}

static void commit(struct api_file *file)
{
    struct qn_folder_upload *upload = file->upload;
    if (!may_still_write(file))
        return; /* the upload goes with the request */
    const struct qn_folder_said said = {.modified_ns = file->modified_ns};
    file->upload = NULL; /* gone afterwards, either way */
    api_begin_change(file->api, "write");
    file->call = file->folder->ops->commit(upload, &file->expect, &said, committed, file);
}

static void written(void *context, enum qn_err err)
{
    struct api_file *file = context;
    if (!api_file_settle(file))
        return;
    if (err != QN_OK) {
        api_refuse_folder(file->api, err, file->api->rest);
        return;
    }
    qn_buf_reset(&file->piece);
    if (file->is_ended)
        commit(file);
    else
        qn_web_pause_body(file->api->request, false);
}

void api_upload_body(struct api *api, struct qn_span piece)
{
    struct api_file *file = api->file;
    if (file->upload == NULL || piece.size == 0)
        return;
    qn_buf_append_span(&file->piece, piece);
    if (qn_buf_status(&file->piece) != QN_OK) {
        api_refuse(api, 500, "internal", qn_span_str(""));
        return;
    }
    qn_web_pause_body(api->request, true);
    if (file->call == NULL)
        file->call =
            file->folder->ops->write(file->upload, qn_buf_view(&file->piece), written, file);
}

static void ended(struct api *api)
{
    struct api_file *file = api->file;
    file->is_ended = true;
    if (file->call == NULL && file->upload != NULL)
        commit(file);
}

static void ready(void *context, enum qn_err err, struct qn_folder_upload *upload)
{
    struct api_file *file = context;
    file->upload = err == QN_OK ? upload : NULL;
    if (!api_file_settle(file))
        return;
    if (err != QN_OK) {
        api_refuse_folder(file->api, err, file->api->rest);
        return;
    }
    file->api->on_body = ended;
    qn_web_want_body(file->api->request);
}

static void looked(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct api_file *file = context;
    if (!api_file_settle(file))
        return;
    struct api *api = file->api;
    if (err != QN_OK && err != QN_ERR_NOTFOUND) {
        api_refuse_folder(api, err, api->rest);
        return;
    }
    if (err == QN_OK && entry->is_directory) {
        api_refuse(api, 409, "is-directory", api->rest);
        return;
    }
    if (!api_file_expect(file, err == QN_OK ? entry : NULL))
        return;
    uint64_t length = qn_web_asked(api->request)->content_length;
    file->call = file->folder->ops->upload(
        file->folder, api->rest, length == QN_HTTP_NO_LENGTH ? UINT64_MAX : length, ready, file);
}

/* Seconds since 1970, as rclone and others say them. */
static int64_t modified_ns(const struct qn_http_head *head)
{
    const struct qn_http_header *header = qn_http_header(head, "X-OC-Mtime");
    int64_t seconds = 0;
    if (header == NULL || header->value.size == 0 || header->value.size > 10)
        return INT64_MIN;
    for (size_t i = 0; i < header->value.size; i++) {
        uint8_t byte = header->value.data[i];
        if (byte == '.' && i > 0)
            break;
        if (byte < '0' || byte > '9')
            return INT64_MIN;
        seconds = seconds * 10 + (byte - '0');
    }
    return seconds <= INT64_MAX / 1000000000 ? seconds * 1000000000 : INT64_MIN;
}

void api_upload(struct api *api)
{
    const struct qn_http_head *head = qn_web_asked(api->request);
    if (head->content_length == QN_HTTP_NO_LENGTH && !head->is_chunked) {
        api_refuse(api, 411, "length-wanted", qn_span_str(""));
        return;
    }
    struct api_file *file = api_file_new(api, QN_RIGHT_WRITE);
    if (file == NULL || api_file_is_locked(file, api->rest, false))
        return;
    file->modified_ns = modified_ns(head);
    file->call = file->folder->ops->stat(file->folder, api->rest, looked, file);
}
