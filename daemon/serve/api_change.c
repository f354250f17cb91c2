/* Files and directories: made, moved, copied, removed. */
#include <jansson.h>

#include "files/names.h"
#include "serve/api_file.h"
#include "serve/dav.h"

static void failed(void *context, struct qn_span path, enum qn_err err)
{
    struct api_file *file = context;
    if (file->first_err == QN_OK)
        file->first_err = err;
}

static void finish(struct api_file *file, enum qn_err err, unsigned status)
{
    if (!api_file_settle(file))
        return;
    if (err == QN_OK)
        err = file->first_err;
    if (err != QN_OK) {
        api_refuse_folder(file->api, err, file->api->rest);
        return;
    }
    api_end_change(file->api);
    api_answer_empty(file->api, status, NULL);
}

static void made(void *context, enum qn_err err)
{
    finish(context, err, 201);
}

/* ---- what WebDAV knows of the files follows, also when the client has left ---- */

static void followed(void *context, enum qn_err err)
{
    struct api_file *file = context;
    if (file->api != NULL && file->first_err == QN_OK && file->full_to.size > 0)
        api_note_target(file->api, qn_buf_view(&file->to));
    finish(file, err, file->done_status);
}

static void follow(struct api_file *file, enum qn_dav_moved change, unsigned status)
{
    file->call = NULL;
    file->is_following = true;
    file->done_status = status;
    qn_dav_follow(file->dav, change, qn_buf_view(&file->full), qn_buf_view(&file->full_to),
                  followed, file);
}

/* A path that cannot be composed is refused by the folder. */
static void keep_full(const struct api *api, struct qn_span path, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf raw;
    qn_buf_init(&raw, out->size_max);
    qn_buf_append_span(&raw, api->thing);
    qn_buf_append_u8(&raw, '/');
    qn_buf_append_span(&raw, path);
    qn_buf_reset(out);
    if (qn_name_compose(qn_buf_view(&raw), out) != QN_OK)
        qn_buf_reset(out);
}

static void copied(void *context, enum qn_err err)
{
    struct api_file *file = context;
    if (err != QN_OK && file->first_err == QN_OK)
        finish(file, err, 0); /* nothing was done */
    else
        follow(file, QN_DAV_COPIED, 201);
}

/* Where some stayed behind, all of the source keeps its properties. */
static void moved(void *context, enum qn_err err)
{
    struct api_file *file = context;
    if (err != QN_OK)
        copied(file, err);
    else
        follow(file, QN_DAV_MOVED, 201);
}

static void removed(void *context, enum qn_err err)
{
    struct api_file *file = context;
    if (err != QN_OK || file->first_err != QN_OK)
        finish(file, err, 0);
    else
        follow(file, QN_DAV_REMOVED, 204);
}

/* ---- POST ---- */

/* What may stand in a URL may stand here, and no other; in the form in which locks know it. */
static bool take_to(struct api_file *file, json_t *object)
{
    QN_AUTO_BUF struct qn_buf encoded, path;
    bool ends;
    json_t *to = json_object_get(object, "to");
    qn_buf_init(&encoded, (size_t)3 * QN_HTTP_PATH_SIZE_MAX);
    qn_buf_init(&path, QN_HTTP_PATH_SIZE_MAX);
    if (!json_is_string(to))
        return false;
    qn_http_path_encode(qn_span(json_string_value(to), json_string_length(to)), &encoded);
    return qn_buf_status(&encoded) == QN_OK &&
           qn_http_path_decode(qn_buf_view(&encoded), &path, &ends) == QN_OK &&
           qn_name_compose(qn_buf_view(&path), &file->to) == QN_OK && file->to.size > 0;
}

static void move_or_copy(struct api_file *file, bool is_move)
{
    const struct qn_folder_ops *ops = file->folder->ops;
    struct qn_span from = file->api->rest, to = qn_buf_view(&file->to);
    struct qn_folder_target target = {.folder = file->folder, .path = to};
    if ((is_move && api_file_is_locked(file, from, true)) || api_file_is_locked(file, to, true))
        return;
    keep_full(file->api, from, &file->full);
    keep_full(file->api, to, &file->full_to);
    api_begin_change(file->api, is_move ? "move" : "copy");
    if (is_move)
        file->call = ops->move(file->folder, from, &target, failed, moved, file);
    else
        file->call = ops->copy(file->folder, from, &target, failed, copied, file);
}

static void make_directory(struct api_file *file)
{
    api_begin_change(file->api, "write");
    file->call = file->folder->ops->make_directory(file->folder, file->api->rest, made, file);
}

static void run(struct api_file *file, json_t *object)
{
    const char *word = json_string_value(json_object_get(object, "do"));
    bool is_move = word != NULL && strcmp(word, "move") == 0;
    bool is_copy = word != NULL && strcmp(word, "copy") == 0;
    bool makes = word != NULL && strcmp(word, "make-directory") == 0;
    bool has_to = json_object_get(object, "to") != NULL;
    if ((!is_move && !is_copy && !makes) || (makes && has_to))
        api_refuse(file->api, 400, "bad-request", qn_span_str("do"));
    else if (!makes && !take_to(file, object))
        api_refuse(file->api, 422, "bad-name", qn_span_str("to"));
    else if (makes && api_file_is_locked(file, file->api->rest, false))
        return;
    else if (makes)
        make_directory(file);
    else
        move_or_copy(file, is_move);
}

static void take_body(struct api *api)
{
    json_t *object = api_body_object(api, "do to");
    if (object == NULL)
        return;
    struct api_file *file = api_file_new(api, QN_RIGHT_WRITE);
    if (file != NULL)
        run(file, object);
    json_decref(object);
}

void api_file_do(struct api *api)
{
    if (api_may(api, QN_THING_FOLDER, api->thing, QN_RIGHT_WRITE))
        api_want_json(api, take_body);
}

/* ---- DELETE ---- */

static void remove_now(struct api_file *file)
{
    api_begin_change(file->api, "delete");
    keep_full(file->api, file->api->rest, &file->full);
    file->call = file->folder->ops->remove(file->folder, file->api->rest, &file->expect, failed,
                                           removed, file);
}

static void looked(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct api_file *file = context;
    if (!api_file_settle(file))
        return;
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        api_refuse_folder(file->api, err, file->api->rest);
    else if (!api_file_expect(file, err == QN_OK ? entry : NULL))
        return;
    else if (err == QN_ERR_NOTFOUND)
        api_refuse_folder(file->api, err, file->api->rest);
    else
        remove_now(file);
}

void api_file_delete(struct api *api)
{
    struct api_file *file = api_file_new(api, QN_RIGHT_WRITE);
    if (file != NULL && !api_file_is_locked(file, api->rest, true))
        file->call = file->folder->ops->stat(file->folder, api->rest, looked, file);
}
