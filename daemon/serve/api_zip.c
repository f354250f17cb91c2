/* A directory as a ZIP, streamed: one object after the other, from a stack of paths. What cannot be
 * read is not silently left out: the last entry of the archive names it.
 *
 *   next ── directory ── list* ── (its entries on the stack) ── next
 *        ── file ── open ── read* ── next
 *        ── nothing left ── the names of what is missing ── the archive's directory
 */
#include "base/assert.h"
#include "base/mem.h"
#include "serve/api_file.h"

#define READ_SIZE    ((size_t)256 * 1024)
#define MISSING_NAME "NOT-INCLUDED.txt"

static void next(struct api *api);

static void cut(struct api_file *file)
{
    file->api->is_whole = true;
    file->api->is_streamed = false;
    qn_web_cut(file->api->request);
}

static void note_missing(struct api_file *file, struct qn_span path, enum qn_err err)
{
    qn_buf_append_span(&file->missing, path);
    qn_buf_printf(&file->missing, " (%s)\r\n", qn_err_name(err));
}

/* Behind the path of the directory that is being packed. */
static struct qn_span inner_path(const struct api_file *file, const struct api_entry *entry)
{
    return qn_span_from(qn_span_str(entry->name), file->base_size);
}

static void push(struct api_file *file, struct qn_span parent, const struct qn_entry_info *info)
{
    size_t size = parent.size + 1 + info->name.size;
    char *name = qn_alloc(size + 1);
    size_t at = 0;
    if (parent.size > 0) {
        memcpy(name, parent.data, parent.size);
        name[parent.size] = '/';
        at = parent.size + 1;
    }
    if (info->name.size > 0)
        memcpy(name + at, info->name.data, info->name.size);
    name[at + info->name.size] = '\0';
    file->walk_size += at + info->name.size + 1;
    qn_vec_push(&file->walk, ((struct api_entry){.name = name,
                                                 .is_directory = info->is_directory,
                                                 .size = info->size,
                                                 .modified_ns = info->modified_ns}));
}

/* ---- a directory: entries.items[0] is the object that is being packed ---- */

static struct api_entry *now(struct api_file *file)
{
    return &file->entries.items[0];
}

static void listed(void *context, enum qn_err err, const struct qn_entry_info *entries,
                   size_t count, bool is_end)
{
    struct api_file *file = context;
    bool is_over = err != QN_OK || is_end;
    struct qn_folder_call *call = file->call;
    if (is_over && !api_file_settle(file))
        return;
    struct qn_span parent = qn_span_str(now(file)->name);
    /* one more than may wait is enough to know that it is too much */
    bool may_push = err == QN_OK && file->api != NULL;
    for (size_t i = 0; may_push && i < count && file->walk_size <= QN_API_WALK_SIZE_MAX; i++)
        push(file, parent, &entries[i]);
    if (!is_over) {
        file->folder->ops->more(call);
        return;
    }
    if (err != QN_OK && !file->api->is_answered) { /* the one that was asked for */
        if (err == QN_ERR_STATE)
            api_refuse(file->api, 409, "not-directory", file->api->rest);
        else
            api_refuse_folder(file->api, err, file->api->rest);
        return;
    }
    if (err != QN_OK)
        note_missing(file, parent, err);
    if (file->walk_size > QN_API_WALK_SIZE_MAX)
        cut(file);
    else
        next(file->api);
}

static void start_directory(struct api_file *file)
{
    file->call = file->folder->ops->list(file->folder, qn_span_str(now(file)->name), listed, file);
}

/* ---- a file ---- */

static void read_on(struct api_file *file);

static void came(void *context, enum qn_err err, struct qn_span bytes)
{
    struct api_file *file = context;
    if (!api_file_settle(file))
        return;
    if (err != QN_OK || bytes.size == 0 || bytes.size > file->left) {
        cut(file); /* its size was told already */
        return;
    }
    file->offset += bytes.size;
    file->left -= bytes.size;
    qn_zip_content(file->zip, bytes);
    qn_buf_append_span(&file->api->out, bytes);
    next(file->api);
}

static void read_on(struct api_file *file)
{
    size_t size = file->left < READ_SIZE ? (size_t)file->left : READ_SIZE;
    file->call = file->folder->ops->read(file->file, file->offset, size, came, file);
}

/* The archive's entry ends. */
static bool end_entry(struct api_file *file)
{
    if (file->file != NULL)
        file->folder->ops->close(file->file);
    file->file = NULL;
    return qn_zip_entry_end(file->zip, &file->api->out) == QN_OK;
}

static bool start_entry(struct api_file *file, struct qn_span path, uint64_t size,
                        int64_t modified_ns, bool is_directory)
{
    struct qn_zip_entry entry = {.path = path,
                                 .is_directory = is_directory,
                                 .size = size,
                                 .modified_s = modified_ns / 1000000000};
    return qn_zip_entry(file->zip, &entry, &file->api->out) == QN_OK;
}

static void opened(void *context, enum qn_err err, struct qn_folder_file *opened_file,
                   const struct qn_entry_info *info)
{
    struct api_file *file = context;
    file->file = err == QN_OK ? opened_file : NULL;
    if (!api_file_settle(file))
        return;
    if (err != QN_OK) {
        note_missing(file, qn_span_str(now(file)->name), err);
        next(file->api);
        return;
    }
    if (!start_entry(file, inner_path(file, now(file)), info->size, info->modified_ns, false)) {
        cut(file);
        return;
    }
    file->offset = 0;
    file->left = info->size;
    next(file->api);
}

/* ---- one after the other ---- */

static void take_top(struct api_file *file)
{
    if (file->entries.count > 0)
        qn_free(file->entries.items[--file->entries.count].name);
    struct api_entry top = file->walk.items[--file->walk.count];
    file->walk_size -= strlen(top.name) + 1;
    qn_vec_push(&file->entries, top);
}

static bool end_archive(struct api_file *file)
{
    struct qn_span lines = qn_buf_view(&file->missing);
    if (!file->is_ending && lines.size > 0) {
        if (!start_entry(file, qn_span_str(MISSING_NAME), lines.size, 0, false))
            return false;
        qn_zip_content(file->zip, lines);
        qn_buf_append_span(&file->api->out, lines);
        if (!end_entry(file))
            return false;
    }
    file->is_ending = true;
    if (!qn_zip_end(file->zip, &file->api->out))
        file->api->is_whole = true;
    return true;
}

/* One step; false: it waits, or is over. */
static bool step(struct api_file *file)
{
    if (file->file != NULL && file->left > 0) {
        read_on(file);
        return false;
    }
    if (file->file != NULL)
        return end_entry(file) || (cut(file), false);
    if (file->walk.count == 0)
        return end_archive(file) || (cut(file), false);
    take_top(file);
    if (!now(file)->is_directory) {
        file->call =
            file->folder->ops->open(file->folder, qn_span_str(now(file)->name), opened, file);
        return false;
    }
    if (!start_entry(file, inner_path(file, now(file)), 0, now(file)->modified_ns, true) ||
        !end_entry(file)) {
        cut(file);
        return false;
    }
    start_directory(file);
    return false;
}

static void start_answer(struct api *api)
{
    QN_AUTO_BUF struct qn_buf name;
    qn_buf_init(&name, QN_HTTP_PATH_SIZE_MAX);
    struct qn_span path = api->rest.size > 0 ? api->rest : api->thing;
    size_t at = path.size;
    while (at > 0 && path.data[at - 1] != '/')
        at--;
    qn_buf_append_span(&name, qn_span_from(path, at));
    qn_buf_append_str(&name, ".zip");
    struct qn_buf *head = qn_web_head(api->request, 200, QN_HTTP_NO_LENGTH);
    enum qn_err err = qn_http_answer_field(head, "Content-Type", qn_span_str("application/zip"));
    QN_ASSERT(err == QN_OK);
    qn_http_answer_attachment(head, qn_buf_view(&name));
    qn_web_head_end(api->request);
    api->is_answered = api->is_streamed = true;
    api->on_room = next;
}

static void next(struct api *api)
{
    struct api_file *file = api->file;
    if (!api->is_answered)
        start_answer(api);
    if (qn_web_asked(api->request)->method == QN_HTTP_HEAD) {
        qn_buf_reset(&api->out);
        api_end_stream(api);
        return;
    }
    while (file->call == NULL && !api->is_whole && api->out.size <= QN_API_OUT_HIGH && step(file))
        ;
    if (api->is_streamed)
        api_push(api);
}

void api_zip(struct api *api)
{
    struct api_file *file = api_file_new(api, QN_RIGHT_READ);
    if (file == NULL || !api_note_read(api, "read"))
        return;
    file->zip = qn_zip_new();
    file->base_size = api->rest.size + (api->rest.size > 0);
    struct qn_entry_info top = {.name = api->rest, .is_directory = true};
    push(file, qn_span(NULL, 0), &top);
    take_top(file);
    start_directory(file);
}
