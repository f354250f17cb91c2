/* The content of a file, as an attachment: never as a page of this site. */
#include <stdio.h>

#include "base/assert.h"
#include "http/condition.h"
#include "serve/api_file.h"

#define READ_SIZE ((size_t)256 * 1024)

static void read_on(struct api *api);

static void came(void *context, enum qn_err err, struct qn_span bytes)
{
    struct api_file *file = context;
    if (!api_file_settle(file))
        return;
    if (err != QN_OK || bytes.size == 0) { /* the file is shorter than it said */
        qn_web_cut(file->api->request);
        return;
    }
    file->offset += bytes.size;
    file->left -= bytes.size < file->left ? bytes.size : file->left;
    qn_buf_append_span(&file->api->out, bytes);
    api_push(file->api);
    read_on(file->api);
}

static void read_on(struct api *api)
{
    struct api_file *file = api->file;
    if (file->call != NULL || api->is_whole || api->out.size > QN_API_OUT_HIGH)
        return;
    if (file->left == 0) {
        api_end_stream(api);
        return;
    }
    size_t size = file->left < READ_SIZE ? (size_t)file->left : READ_SIZE;
    file->call = file->folder->ops->read(file->file, file->offset, size, came, file);
}

static struct qn_span last_name(struct qn_span path)
{
    size_t at = path.size;
    while (at > 0 && path.data[at - 1] != '/')
        at--;
    return qn_span_from(path, at);
}

static void put_field(struct qn_buf *head, const char *name, const char *value)
{
    enum qn_err err = qn_http_answer_field(head, name, qn_span_str(value));
    QN_ASSERT(err == QN_OK); /* of ours, or an ETag */
}

static void put_range(struct qn_buf *head, const struct qn_http_range *range, uint64_t size)
{
    char text[96];
    (void)snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)range->first,
                   (unsigned long long)(range->first + range->size - 1), (unsigned long long)size);
    put_field(head, "Content-Range", text);
}

/* Several ranges at once are answered with all of it, which the client must understand. */
static void start(struct api_file *file, const struct qn_entry_info *entry,
                  const struct qn_http_ranges *ranges)
{
    struct api *api = file->api;
    bool is_part = ranges->count == 1;
    file->offset = is_part ? ranges->items[0].first : 0;
    file->left = is_part ? ranges->items[0].size : entry->size;
    struct qn_buf *head = qn_web_head(api->request, is_part ? 206 : 200, file->left);
    put_field(head, "Content-Type", "application/octet-stream");
    put_field(head, "Accept-Ranges", "bytes");
    put_field(head, "ETag", entry->etag);
    qn_http_answer_date(head, "Last-Modified", entry->modified_ns / 1000000000);
    qn_http_answer_attachment(head, last_name(api->rest));
    if (is_part)
        put_range(head, &ranges->items[0], entry->size);
    qn_web_head_end(api->request);
    api->is_answered = api->is_streamed = true;
    if (qn_web_asked(api->request)->method == QN_HTTP_HEAD)
        file->left = 0;
    api->on_room = read_on;
    read_on(api);
}

static void refuse_range(struct api *api, uint64_t size)
{
    char text[48];
    (void)snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);
    struct qn_buf *head = qn_web_head(api->request, 416, 0);
    put_field(head, "Content-Range", text);
    qn_web_head_end(api->request);
    api->is_answered = api->is_streamed = true;
    api_end_stream(api);
}

static void opened(void *context, enum qn_err err, struct qn_folder_file *opened_file,
                   const struct qn_entry_info *entry)
{
    struct api_file *file = context;
    file->file = err == QN_OK ? opened_file : NULL;
    if (!api_file_settle(file))
        return;
    struct api *api = file->api;
    if (err == QN_ERR_EXISTS) {
        api_refuse(api, 409, "is-directory", api->rest);
        return;
    }
    if (err != QN_OK) {
        api_refuse_folder(api, err, api->rest);
        return;
    }
    struct qn_http_state state = {.exists = true,
                                  .etag = qn_span_str(entry->etag),
                                  .modified_s = entry->modified_ns / 1000000000};
    struct qn_http_ranges ranges;
    if (!api_judge(api, &state, entry->etag))
        return;
    if (qn_http_ranges_read(qn_web_asked(api->request), &state, entry->size, &ranges) != QN_OK)
        refuse_range(api, entry->size);
    else
        start(file, entry, &ranges);
}

void api_download(struct api *api)
{
    QN_AUTO_BUF struct qn_buf none;
    qn_buf_init(&none, 1);
    if (api_query(api, "zip", &none) != QN_ERR_NOTFOUND) {
        api_zip(api);
        return;
    }
    struct api_file *file = api_file_new(api, QN_RIGHT_READ);
    if (file == NULL || !api_note_read(api, "read"))
        return;
    file->call = file->folder->ops->open(file->folder, api->rest, opened, file);
}
