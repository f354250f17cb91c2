#include "support/dav_folder.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/vec.h"

#define LIST_PART 7 /* so that a listing has several */

struct node {
    char *path;
    bool is_directory;
    struct qn_buf content; /* with a zero byte behind it */
    unsigned version;
    int64_t modified_ns;
};

/* One that is under way, or a function of somebody else's. */
struct qn_folder_call {
    struct dav_folder *folder;
    void (*finish)(struct qn_folder_call *call);
    void (*fn)(void *context);
    void *context;
    bool is_cancelled, is_waiting; /* a list that was not asked for more */

    char *path, *to;
    bool overwrites, is_shallow;
    struct dav_folder *target;
    int64_t modified_ns;
    struct qn_folder_expect expect;
    struct qn_folder_file *file;
    struct qn_folder_upload *upload;
    uint64_t offset;
    size_t size;
    struct qn_span bytes;
    char **names; /* of a list */
    size_t name_count, name_next;
    bool has_begun;

    qn_folder_entry_fn on_entry;
    qn_folder_done_fn on_done;
    qn_folder_list_fn on_list;
    qn_folder_open_fn on_open;
    qn_folder_read_fn on_read;
    qn_folder_upload_fn on_upload;
    void (*on_space)(void *, enum qn_err, uint64_t, uint64_t);
};

struct qn_folder_file {
    struct qn_buf content;
    struct dav_folder *folder;
};

struct qn_folder_upload {
    char *path;
    struct qn_buf content;
    struct dav_folder *folder;
};

struct dav_folder {
    struct qn_folder base;
    QN_VEC(struct node *) nodes; /* by path; the folder itself is "" */
    QN_VEC(struct qn_folder_call *) queue;
    unsigned version;
    enum qn_err err;
    size_t uploads, files;
    char *race_path, *race_content;
    bool has_race;
};

#define NODE_SIZE_MAX ((size_t)64 * 1024 * 1024)

/* ---- nodes ---- */

static struct node *find(const struct dav_folder *folder, const char *path)
{
    for (size_t i = 0; i < folder->nodes.count; i++)
        if (strcmp(folder->nodes.items[i]->path, path) == 0)
            return folder->nodes.items[i];
    return NULL;
}

static struct node *add(struct dav_folder *folder, const char *path, bool is_directory)
{
    struct node *node = QN_NEW(struct node);
    node->path = qn_strdup(path);
    node->is_directory = is_directory;
    node->version = ++folder->version;
    node->modified_ns = INT64_C(1600000000000000000) + folder->version;
    qn_buf_init(&node->content, NODE_SIZE_MAX);
    qn_vec_push(&folder->nodes, node);
    return node;
}

static void node_free(struct node *node)
{
    qn_buf_deinit(&node->content);
    qn_free(node->path);
    qn_free(node);
}

static bool is_within(const char *path, const char *base)
{
    size_t size = strlen(base);
    return strncmp(path, base, size) == 0 && (path[size] == 0 || path[size] == '/');
}

static void drop(struct dav_folder *folder, const char *path)
{
    for (size_t i = folder->nodes.count; i-- > 0;)
        if (is_within(folder->nodes.items[i]->path, path)) {
            node_free(folder->nodes.items[i]);
            qn_vec_remove(&folder->nodes, i);
        }
}

static bool has_parent(const struct dav_folder *folder, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = qn_strdup(path);
    parent[slash ? slash - path : 0] = 0;
    const struct node *node = find(folder, parent);
    qn_free(parent);
    return node && node->is_directory;
}

static void set_content(struct dav_folder *folder, const char *path, struct qn_span content)
{
    struct node *node = find(folder, path);
    if (node)
        node->version = ++folder->version;
    else
        node = add(folder, path, false);
    node->modified_ns = INT64_C(1600000000000000000) + folder->version;
    qn_buf_reset(&node->content);
    qn_buf_append_span(&node->content, content);
    qn_buf_append_u8(&node->content, 0);
    node->content.size--;
}

static void describe(const struct node *node, struct qn_entry_info *ret_info)
{
    const char *slash = strrchr(node->path, '/');
    *ret_info = (struct qn_entry_info){.name = qn_span_str(slash ? slash + 1 : node->path),
                                       .is_directory = node->is_directory,
                                       .size = node->content.size,
                                       .modified_ns = node->modified_ns,
                                       .created_ns = INT64_C(1500000000000000000)};
    if (!node->is_directory)
        snprintf(ret_info->etag, sizeof(ret_info->etag), "\"v%u\"", node->version);
}

static enum qn_err check(const struct node *node, const struct qn_folder_expect *expect)
{
    struct qn_entry_info info = {.etag = ""};
    if (node)
        describe(node, &info);
    bool is_as_expected = !(expect->must_exist && !node) && !(expect->must_not_exist && node) &&
                          (expect->etag[0] == 0 || strcmp(expect->etag, info.etag) == 0);
    return is_as_expected ? QN_OK : QN_ERR_CONFLICT;
}

/* ---- calls ---- */

static char *dup_span(struct qn_span text)
{
    char *copy = qn_alloc_zero(text.size + 1);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    return copy;
}

static struct qn_folder_call *call_new(struct dav_folder *folder, struct qn_span path,
                                       void (*finish)(struct qn_folder_call *), void *context)
{
    struct qn_folder_call *call = QN_NEW(struct qn_folder_call);
    call->folder = folder;
    call->path = dup_span(path);
    call->finish = finish;
    call->context = context;
    qn_vec_push(&folder->queue, call);
    return call;
}

static void call_free(struct qn_folder_call *call)
{
    for (size_t i = 0; i < call->name_count; i++)
        qn_free(call->names[i]);
    qn_free(call->names);
    qn_free(call->path);
    qn_free(call->to);
    qn_free(call);
}

static struct dav_folder *of(struct qn_folder *base)
{
    return (struct dav_folder *)base;
}

/* The error that was ordered, once; and the race before a change. */
static enum qn_err before_change(struct qn_folder_call *call)
{
    struct dav_folder *folder = call->folder;
    enum qn_err err = folder->err;
    folder->err = QN_OK;
    if (folder->has_race) {
        folder->has_race = false;
        dav_folder_set(folder, folder->race_path, folder->race_content);
    }
    return call->is_cancelled ? QN_ERR_CLOSED : err;
}

bool dav_folder_turn(struct dav_folder *folder)
{
    for (size_t i = 0; i < folder->queue.count; i++) {
        struct qn_folder_call *call = folder->queue.items[i];
        if (call->is_waiting && !call->is_cancelled)
            continue;
        qn_vec_remove(&folder->queue, i);
        call->finish(call);
        return true;
    }
    return false;
}

static void finish_fn(struct qn_folder_call *call)
{
    void (*fn)(void *) = call->fn;
    void *context = call->context;
    call_free(call);
    fn(context);
}

void dav_folder_later(struct dav_folder *folder, void (*fn)(void *context), void *context)
{
    call_new(folder, qn_span(NULL, 0), finish_fn, context)->fn = fn;
}

static void cancel(struct qn_folder_call *call)
{
    call->is_cancelled = true;
}

/* ---- looking and reading ---- */

static void tell_entry(struct qn_folder_call *call, enum qn_err err, const struct node *node)
{
    struct qn_entry_info info;
    if (node)
        describe(node, &info);
    call->on_entry(call->context, err, err == QN_OK ? &info : NULL);
    call_free(call);
}

static void finish_stat(struct qn_folder_call *call)
{
    const struct node *node = find(call->folder, call->path);
    enum qn_err err = call->is_cancelled ? QN_ERR_CLOSED : node ? QN_OK : QN_ERR_NOTFOUND;
    tell_entry(call, err, node);
}

static struct qn_folder_call *op_stat(struct qn_folder *folder, struct qn_span path,
                                      qn_folder_entry_fn done, void *context)
{
    struct qn_folder_call *call = call_new(of(folder), path, finish_stat, context);
    call->on_entry = done;
    return call;
}

static bool is_child(const char *path, const char *base)
{
    size_t size = strlen(base);
    if (path[0] == 0 || !is_within(path, base[0] ? base : path))
        return false;
    const char *rest = base[0] ? path + size : path;
    if (base[0] && *rest++ != '/')
        return false;
    return !strchr(rest, '/');
}

static enum qn_err begin_list(struct qn_folder_call *call)
{
    const struct node *own = find(call->folder, call->path);
    if (!own || call->is_cancelled)
        return own ? QN_ERR_CLOSED : QN_ERR_NOTFOUND;
    call->names = qn_alloc_zero(call->folder->nodes.count * sizeof(char *));
    qn_vec_each (&call->folder->nodes, node)
        if (is_child((*node)->path, call->path))
            call->names[call->name_count++] = qn_strdup((*node)->path);
    call->has_begun = true;
    return QN_OK;
}

static void finish_list(struct qn_folder_call *call)
{
    struct qn_entry_info part[LIST_PART];
    size_t count = 0;
    enum qn_err err = call->is_cancelled ? QN_ERR_CLOSED : QN_OK;
    if (err == QN_OK && !call->has_begun)
        err = begin_list(call);
    while (err == QN_OK && count < LIST_PART && call->name_next < call->name_count) {
        const struct node *node = find(call->folder, call->names[call->name_next++]);
        if (node)
            describe(node, &part[count++]);
    }
    if (err != QN_OK || count == 0) {
        call->on_list(call->context, err, NULL, 0, true);
        call_free(call);
        return;
    }
    call->is_waiting = true;
    qn_vec_push(&call->folder->queue, call);
    call->on_list(call->context, QN_OK, part, count, false);
}

static struct qn_folder_call *op_list(struct qn_folder *folder, struct qn_span path,
                                      qn_folder_list_fn part, void *context)
{
    struct qn_folder_call *call = call_new(of(folder), path, finish_list, context);
    call->on_list = part;
    return call;
}

static void op_more(struct qn_folder_call *call)
{
    call->is_waiting = false;
}

static void finish_open(struct qn_folder_call *call)
{
    const struct node *node = find(call->folder, call->path);
    struct qn_entry_info info;
    struct qn_folder_file *file = NULL;
    enum qn_err err = call->is_cancelled   ? QN_ERR_CLOSED
                      : !node              ? QN_ERR_NOTFOUND
                      : node->is_directory ? QN_ERR_EXISTS
                                           : QN_OK;
    if (err == QN_OK) {
        file = QN_NEW(struct qn_folder_file);
        file->folder = call->folder;
        call->folder->files++;
        qn_buf_init(&file->content, NODE_SIZE_MAX);
        qn_buf_append_span(&file->content, qn_buf_view(&node->content));
        describe(node, &info);
    }
    call->on_open(call->context, err, file, file ? &info : NULL);
    call_free(call);
}

static struct qn_folder_call *op_open(struct qn_folder *folder, struct qn_span path,
                                      qn_folder_open_fn done, void *context)
{
    struct qn_folder_call *call = call_new(of(folder), path, finish_open, context);
    call->on_open = done;
    return call;
}

static void finish_read(struct qn_folder_call *call)
{
    enum qn_err err = call->is_cancelled ? QN_ERR_CLOSED : call->folder->err;
    struct qn_span rest = qn_span_from(qn_buf_view(&call->file->content), (size_t)call->offset);
    if (!call->is_cancelled)
        call->folder->err = QN_OK;
    if (rest.size > call->size)
        rest.size = call->size;
    call->on_read(call->context, err, err == QN_OK ? rest : qn_span(NULL, 0));
    call_free(call);
}

static struct qn_folder_call *op_read(struct qn_folder_file *file, uint64_t offset, size_t size,
                                      qn_folder_read_fn done, void *context)
{
    struct qn_folder_call *call = call_new(file->folder, qn_span(NULL, 0), finish_read, context);
    cr_assert_leq(size, 256 * 1024);
    call->file = file;
    call->offset = offset;
    call->size = size;
    call->on_read = done;
    return call;
}

static void op_close(struct qn_folder_file *file)
{
    file->folder->files--;
    qn_buf_deinit(&file->content);
    qn_free(file);
}

/* ---- uploads ---- */

static void finish_upload(struct qn_folder_call *call)
{
    struct dav_folder *folder = call->folder;
    const struct node *node = find(folder, call->path);
    struct qn_folder_upload *upload = NULL;
    enum qn_err err = before_change(call);
    if (err == QN_OK && !has_parent(folder, call->path))
        err = QN_ERR_STATE;
    if (err == QN_OK && node && node->is_directory)
        err = QN_ERR_EXISTS;
    if (err == QN_OK) {
        upload = QN_NEW(struct qn_folder_upload);
        upload->path = qn_strdup(call->path);
        upload->folder = folder;
        qn_buf_init(&upload->content, NODE_SIZE_MAX);
        folder->uploads++;
    }
    call->on_upload(call->context, err, upload);
    call_free(call);
}

static struct qn_folder_call *op_upload(struct qn_folder *folder, struct qn_span path,
                                        uint64_t size, qn_folder_upload_fn done, void *context)
{
    struct qn_folder_call *call = call_new(of(folder), path, finish_upload, context);
    call->on_upload = done;
    return call;
}

static void finish_write(struct qn_folder_call *call)
{
    enum qn_err err = before_change(call);
    if (err == QN_OK)
        qn_buf_append_span(&call->upload->content, call->bytes);
    call->on_done(call->context, err);
    call_free(call);
}

static struct qn_folder_call *op_write(struct qn_folder_upload *upload, struct qn_span bytes,
                                       qn_folder_done_fn done, void *context)
{
    struct qn_folder_call *call = call_new(upload->folder, qn_span(NULL, 0), finish_write, context);
    call->upload = upload;
    call->bytes = bytes;
    call->on_done = done;
    return call;
}

static void upload_free(struct qn_folder_upload *upload)
{
    upload->folder->uploads--;
    qn_buf_deinit(&upload->content);
    qn_free(upload->path);
    qn_free(upload);
}

static void finish_commit(struct qn_folder_call *call)
{
    struct qn_folder_upload *upload = call->upload;
    struct dav_folder *folder = call->folder;
    enum qn_err err = before_change(call);
    if (err == QN_OK)
        err = check(find(folder, upload->path), &call->expect);
    if (err == QN_OK) {
        set_content(folder, upload->path, qn_buf_view(&upload->content));
        if (call->modified_ns != INT64_MIN)
            find(folder, upload->path)->modified_ns = call->modified_ns;
    }
    const struct node *node = err == QN_OK ? find(folder, upload->path) : NULL;
    upload_free(upload);
    tell_entry(call, err, node);
}

static struct qn_folder_call *op_commit(struct qn_folder_upload *upload,
                                        const struct qn_folder_expect *expect,
                                        const struct qn_folder_said *said, qn_folder_entry_fn done,
                                        void *context)
{
    struct qn_folder_call *call =
        call_new(upload->folder, qn_span(NULL, 0), finish_commit, context);
    call->upload = upload;
    call->expect = *expect;
    call->modified_ns = said->modified_ns;
    call->on_entry = done;
    return call;
}

static void op_abort(struct qn_folder_upload *upload)
{
    upload_free(upload);
}

/* ---- changes ---- */

static void tell_done(struct qn_folder_call *call, enum qn_err err)
{
    call->on_done(call->context, err);
    call_free(call);
}

static void finish_make_directory(struct qn_folder_call *call)
{
    enum qn_err err = before_change(call);
    if (err == QN_OK && find(call->folder, call->path))
        err = QN_ERR_EXISTS;
    if (err == QN_OK && !has_parent(call->folder, call->path))
        err = QN_ERR_STATE;
    if (err == QN_OK)
        add(call->folder, call->path, true);
    tell_done(call, err);
}

static struct qn_folder_call *op_make_directory(struct qn_folder *folder, struct qn_span path,
                                                qn_folder_done_fn done, void *context)
{
    struct qn_folder_call *call = call_new(of(folder), path, finish_make_directory, context);
    call->on_done = done;
    return call;
}

static void finish_remove(struct qn_folder_call *call)
{
    const struct node *node = find(call->folder, call->path);
    enum qn_err err = before_change(call);
    if (err == QN_OK)
        err = node ? check(node, &call->expect) : QN_ERR_NOTFOUND;
    if (err == QN_OK)
        drop(call->folder, call->path);
    tell_done(call, err);
}

static struct qn_folder_call *op_remove(struct qn_folder *folder, struct qn_span path,
                                        const struct qn_folder_expect *expect,
                                        qn_folder_failed_fn failed, qn_folder_done_fn done,
                                        void *context)
{
    struct qn_folder_call *call = call_new(of(folder), path, finish_remove, context);
    call->expect = *expect;
    call->on_done = done;
    return call;
}

static void copy_node(struct dav_folder *folder, const struct node *node, const char *from,
                      const char *to)
{
    char *path = qn_alloc(strlen(to) + strlen(node->path) + 1);
    strcpy(path, to);
    strcat(path, node->path + strlen(from));
    if (node->is_directory)
        add(folder, path, true);
    else
        set_content(folder, path, qn_buf_view(&node->content));
    qn_free(path);
}

static enum qn_err copy_tree(struct qn_folder_call *call)
{
    struct dav_folder *folder = call->folder, *target = call->target;
    if (!find(folder, call->path))
        return QN_ERR_NOTFOUND;
    if (!has_parent(target, call->to))
        return QN_ERR_STATE;
    if (find(target, call->to) && !call->overwrites)
        return QN_ERR_EXISTS;
    drop(target, call->to);
    for (size_t i = 0, count = folder->nodes.count; i < count; i++) {
        const struct node *node = folder->nodes.items[i];
        if (strcmp(node->path, call->path) == 0 ||
            (!call->is_shallow && is_within(node->path, call->path)))
            copy_node(target, node, call->path, call->to);
    }
    return QN_OK;
}

static void finish_copy(struct qn_folder_call *call)
{
    enum qn_err err = before_change(call);
    tell_done(call, err == QN_OK ? copy_tree(call) : err);
}

static void finish_move(struct qn_folder_call *call)
{
    enum qn_err err = before_change(call);
    if (err == QN_OK)
        err = copy_tree(call);
    if (err == QN_OK)
        drop(call->folder, call->path);
    tell_done(call, err);
}

static struct qn_folder_call *op_copy(struct qn_folder *folder, struct qn_span from,
                                      const struct qn_folder_target *to, qn_folder_failed_fn failed,
                                      qn_folder_done_fn done, void *context)
{
    struct qn_folder_call *call = call_new(of(folder), from, finish_copy, context);
    call->target = of(to->folder);
    call->to = dup_span(to->path);
    call->overwrites = to->overwrites;
    call->is_shallow = to->is_shallow;
    call->on_done = done;
    return call;
}

static struct qn_folder_call *op_move(struct qn_folder *folder, struct qn_span from,
                                      const struct qn_folder_target *to, qn_folder_failed_fn failed,
                                      qn_folder_done_fn done, void *context)
{
    struct qn_folder_call *call = op_copy(folder, from, to, failed, done, context);
    call->finish = finish_move;
    return call;
}

static void finish_set_modified(struct qn_folder_call *call)
{
    struct node *node = find(call->folder, call->path);
    enum qn_err err = before_change(call);
    if (err == QN_OK && node)
        node->modified_ns = call->modified_ns;
    tell_entry(call, err == QN_OK && !node ? QN_ERR_NOTFOUND : err, node);
}

static struct qn_folder_call *op_set_modified(struct qn_folder *folder, struct qn_span path,
                                              int64_t modified_ns, qn_folder_entry_fn done,
                                              void *context)
{
    struct qn_folder_call *call = call_new(of(folder), path, finish_set_modified, context);
    call->modified_ns = modified_ns;
    call->on_entry = done;
    return call;
}

static void finish_space(struct qn_folder_call *call)
{
    call->on_space(call->context, call->is_cancelled ? QN_ERR_CLOSED : QN_OK, 1000, 2000);
    call_free(call);
}

static struct qn_folder_call *op_space(struct qn_folder *folder,
                                       void (*done)(void *, enum qn_err, uint64_t, uint64_t),
                                       void *context)
{
    struct qn_folder_call *call = call_new(of(folder), qn_span(NULL, 0), finish_space, context);
    call->on_space = done;
    return call;
}

static const struct qn_folder_ops ops = {
    .stat = op_stat,
    .list = op_list,
    .more = op_more,
    .open = op_open,
    .read = op_read,
    .close = op_close,
    .upload = op_upload,
    .write = op_write,
    .commit = op_commit,
    .abort = op_abort,
    .make_directory = op_make_directory,
    .remove = op_remove,
    .copy = op_copy,
    .move = op_move,
    .set_modified = op_set_modified,
    .space = op_space,
    .cancel = cancel,
};

/* ---- the test's side ---- */

struct dav_folder *dav_folder_new(void)
{
    struct dav_folder *folder = QN_NEW(struct dav_folder);
    folder->base.ops = &ops;
    add(folder, "", true);
    return folder;
}

void dav_folder_free(struct dav_folder *folder)
{
    cr_assert_eq(folder->queue.count, 0, "a call was left");
    cr_assert_eq(folder->uploads, 0, "an upload was left");
    cr_assert_eq(folder->files, 0, "a file was left open");
    qn_vec_each (&folder->nodes, node)
        node_free(*node);
    qn_vec_free(&folder->nodes);
    qn_vec_free(&folder->queue);
    qn_free(folder->race_path);
    qn_free(folder->race_content);
    qn_free(folder);
}

struct qn_folder *dav_folder_base(struct dav_folder *folder)
{
    return &folder->base;
}

void dav_folder_fail(struct dav_folder *folder, enum qn_err err)
{
    folder->err = err;
}

void dav_folder_set(struct dav_folder *folder, const char *path, const char *content)
{
    size_t size = strlen(path);
    if (content && path[size - 1] == '/') {
        char *name = qn_strdup(path);
        name[size - 1] = 0;
        add(folder, name, true);
        qn_free(name);
    } else if (content) {
        set_content(folder, path, qn_span_str(content));
    } else {
        drop(folder, path);
    }
}

void dav_folder_race(struct dav_folder *folder, const char *path, const char *content)
{
    qn_free(folder->race_path);
    qn_free(folder->race_content);
    folder->race_path = qn_strdup(path);
    folder->race_content = content ? qn_strdup(content) : NULL;
    folder->has_race = true;
}

const char *dav_folder_get(struct dav_folder *folder, const char *path)
{
    const struct node *node = find(folder, path);
    return node && !node->is_directory ? (const char *)node->content.data : NULL;
}

int64_t dav_folder_modified_ns(struct dav_folder *folder, const char *path)
{
    const struct node *node = find(folder, path);
    return node ? node->modified_ns : 0;
}

size_t dav_folder_uploads(const struct dav_folder *folder)
{
    return folder->uploads;
}
