/* What is in a directory, in the order of names. The folder tells it in no order: of all names only
 * the first ones behind `after` are kept, so that a directory of any size takes the memory of one
 * answer. */
#include "base/mem.h"
#include "base/search.h"
#include "serve/api_file.h"

static int by_name(const void *item, const void *key)
{
    const struct api_entry *entry = item;
    return qn_span_cmp(qn_span_str(entry->name), *(const struct qn_span *)key);
}

static void keep(struct api_file *file, const struct qn_entry_info *info)
{
    bool is_there;
    if (qn_span_cmp(info->name, qn_buf_view(&file->after)) <= 0)
        return;
    size_t at = qn_vec_search(&file->entries, &info->name, by_name, &is_there);
    if (at > file->limit)
        return;
    char *name = qn_alloc(info->name.size + 1);
    memcpy(name, info->name.data, info->name.size);
    name[info->name.size] = '\0';
    struct api_entry *entry = qn_vec_insert_slot(&file->entries, at);
    *entry = (struct api_entry){.name = name,
                                .is_directory = info->is_directory,
                                .size = info->size,
                                .modified_ns = info->modified_ns};
    memcpy(entry->etag, info->etag, sizeof(entry->etag));
    if (file->entries.count > file->limit + 1)
        qn_free(file->entries.items[--file->entries.count].name);
}

/* An etag is of a content: who may not read it could try whether it is one that he knows. */
static void show_entry(struct qn_buf *out, const struct api_entry *entry, bool may_read)
{
    qn_buf_append_str(out, "{\"name\":");
    qn_json_text(out, qn_span_str(entry->name));
    qn_buf_printf(out, ",\"directory\":%s,\"size\":%llu,\"modified\":",
                  entry->is_directory ? "true" : "false", (unsigned long long)entry->size);
    qn_json_time(out, entry->modified_ns >= 0, (uint64_t)(entry->modified_ns / 1000000));
    qn_buf_append_str(out, ",\"etag\":");
    if (may_read && entry->etag[0] != '\0')
        qn_json_text(out, qn_span_str(entry->etag));
    else
        qn_buf_append_str(out, "null");
    qn_buf_append_u8(out, '}');
}

static void show(struct api_file *file)
{
    struct qn_buf *out = &file->api->out;
    bool may_read = api_right(file->api, QN_THING_FOLDER, file->api->thing) >= QN_RIGHT_READ;
    bool has_more = file->entries.count > file->limit;
    size_t count = has_more ? file->limit : file->entries.count;
    qn_buf_append_str(out, "{\"entries\":[");
    for (size_t i = 0; i < count; i++) {
        qn_buf_append_str(out, i == 0 ? "" : ",\n");
        show_entry(out, &file->entries.items[i], may_read);
    }
    qn_buf_append_str(out, "],\"next\":");
    if (has_more)
        qn_json_text(out, qn_span_str(file->entries.items[count - 1].name));
    else
        qn_buf_append_str(out, "null");
    qn_buf_append_u8(out, '}');
    api_answer(file->api, 200, NULL);
}

static void listed(void *context, enum qn_err err, const struct qn_entry_info *entries,
                   size_t count, bool is_end)
{
    struct api_file *file = context;
    struct qn_folder_call *call = file->call;
    if (err == QN_OK && !is_end) {
        for (size_t i = 0; i < count; i++)
            keep(file, &entries[i]);
        file->folder->ops->more(call);
        return;
    }
    if (!api_file_settle(file))
        return;
    for (size_t i = 0; err == QN_OK && i < count; i++)
        keep(file, &entries[i]);
    if (err == QN_ERR_STATE)
        api_refuse(file->api, 409, "not-directory", file->api->rest);
    else if (err != QN_OK)
        api_refuse_folder(file->api, err, file->api->rest);
    else
        show(file);
}

void api_list(struct api *api)
{
    struct api_file *file = api_file_new(api, QN_RIGHT_LIST);
    if (file == NULL)
        return;
    enum qn_err err = api_query(api, "after", &file->after);
    if (err != QN_OK && err != QN_ERR_NOTFOUND) {
        api_refuse(api, 400, "bad-request", qn_span_str("after"));
        return;
    }
    if (!api_limit(api, QN_API_ENTRIES_MAX, QN_API_ENTRIES_MAX, &file->limit) ||
        !api_note_read(api, "read"))
        return;
    file->call = file->folder->ops->list(file->folder, api->rest, listed, file);
}
