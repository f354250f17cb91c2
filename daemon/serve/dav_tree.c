/* DELETE, MKCOL, COPY and MOVE: changes of the tree. Locks and properties follow the resources;
 * once begun, all of it is done even if the client goes away. */
#include "serve/dav_private.h"

#define FAILED_SIZE_MAX ((size_t)256 * 1024) /* of the names that could not be changed */

struct changing {
    struct qn_buf failed; /* parts of a multistatus */
    size_t failed_count;
    struct qn_folder *folder; /* where it goes; held. NULL: not known yet */
    struct qn_buf to;         /* "FOLDER/x/y" */
    struct qn_span inner;     /* of it */
    bool overwrites, to_exists, is_shallow;
};

static void free_changing(struct dav_request *dav)
{
    struct changing *change = dav->own;
    qn_buf_deinit(&change->failed);
    qn_buf_deinit(&change->to);
    if (change->folder != NULL)
        qn_folder_release(change->folder);
    qn_free(change);
}

static struct changing *new_changing(struct dav_request *dav)
{
    struct changing *change = QN_NEW(struct changing);
    qn_buf_init(&change->failed, FAILED_SIZE_MAX);
    qn_buf_init(&change->to, DAV_PATH_SIZE_MAX);
    dav->own = change;
    dav->free_own = free_changing;
    return change;
}

/* ---- what could not be done ---- */

/* Beyond the limit the rest is left out: the answer is a refusal in any case. */
static void on_failed(void *context, struct qn_span path, enum qn_err err)
{
    struct dav_request *dav = context;
    struct changing *change = dav->own;
    QN_AUTO_BUF struct qn_buf full, href;
    qn_buf_init(&full, DAV_PATH_SIZE_MAX);
    qn_buf_init(&href, 4 * DAV_PATH_SIZE_MAX);
    qn_buf_append_span(&full, dav->folder_name);
    qn_buf_append_str(&full, "/");
    qn_buf_append_span(&full, path);
    dav_href(&href, qn_buf_view(&full), false);
    change->failed_count++;
    if (change->failed.size + href.size + 256 < FAILED_SIZE_MAX)
        qn_dav_multistatus_status(&change->failed, qn_buf_view(&href), dav_status_of(err), NULL);
}

static void answer_failed(struct dav_request *dav)
{
    struct changing *change = dav->own;
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, FAILED_SIZE_MAX + 1024);
    qn_dav_multistatus_start(&body);
    qn_buf_append_span(&body, qn_buf_view(&change->failed));
    qn_dav_multistatus_end(&body);
    dav_note(dav, 207);
    dav_xml_answer(dav, 207, &body);
}

static void answer_done(struct dav_request *dav, unsigned status)
{
    dav_note(dav, status);
    dav_empty(dav, status);
}

/* ---- DELETE ---- */

/* Rows that could not be stored stay: the resource is gone, and the client told that not all went
 * well.
 */
static void on_rows_deleted(void *context, enum qn_err err)
{
    struct dav_request *dav = context;
    if (err == QN_OK)
        answer_done(dav, 204);
    else
        dav_refuse_err(dav, err);
    dav_release(dav);
}

static void on_removed(void *context, enum qn_err err)
{
    struct dav_request *dav = context;
    struct changing *change = dav->own;
    if (!dav_resume(dav))
        return;
    if (change->failed_count == 0 && err == QN_OK) {
        struct dav_rows_job job = {.change = DAV_ROWS_DELETE,
                                   .from = qn_buf_view(&dav->path),
                                   .done = on_rows_deleted,
                                   .context = dav};
        dav_rows_follow(dav->dav, &job);
        return;
    }
    if (change->failed_count > 0)
        answer_failed(dav);
    else
        dav_refuse_err(dav, err);
    dav_release(dav);
}

static void go_delete(struct dav_request *dav)
{
    struct qn_folder_expect expect = dav_expect(dav);
    enum qn_dav_depth depth = QN_DAV_DEPTH_INFINITY;
    struct qn_span field = dav_field(dav, "Depth");
    if (!dav->exists) {
        dav_refuse(dav, 404);
        return;
    }
    if (field.size > 0 && (qn_dav_depth_read(field, &depth) != QN_OK ||
                           (dav->info.is_directory && depth != QN_DAV_DEPTH_INFINITY))) {
        dav_refuse(dav, 400);
        return;
    }
    new_changing(dav);
    dav_hold(dav);
    dav_wait(dav, dav->folder->ops->remove(dav->folder, dav->inner, &expect, on_failed, on_removed,
                                           dav));
}

const struct dav_method dav_delete = {.method = QN_HTTP_DELETE,
                                      .action = "delete",
                                      .is_write = true,
                                      .makes_or_removes = true,
                                      .is_tree = true,
                                      .go = go_delete};

/* ---- MKCOL ---- */

static void on_made(void *context, enum qn_err err)
{
    struct dav_request *dav = context;
    if (!dav_resume(dav))
        return;
    if (err == QN_OK)
        answer_done(dav, 201);
    else
        dav_refuse(dav, err == QN_ERR_EXISTS ? 405 : dav_status_of(err));
    dav_release(dav);
}

static void go_mkcol(struct dav_request *dav)
{
    if (dav_has_body(dav)) {
        dav_refuse(dav, 415);
        return;
    }
    if (dav->exists) {
        dav_refuse(dav, 405);
        return;
    }
    dav_hold(dav);
    dav_wait(dav, dav->folder->ops->make_directory(dav->folder, dav->inner, on_made, dav));
}

const struct dav_method dav_mkcol = {.method = QN_HTTP_MKCOL,
                                     .action = "write",
                                     .is_write = true,
                                     .makes_or_removes = true,
                                     .go = go_mkcol};

/* ---- COPY and MOVE ---- */

static bool is_copy(const struct dav_request *dav)
{
    return dav->method == &dav_copy;
}

static void on_rows_followed(void *context, enum qn_err err)
{
    struct dav_request *dav = context;
    struct changing *change = dav->own;
    if (change->failed_count > 0)
        answer_failed(dav);
    else if (err != QN_OK)
        dav_refuse_err(dav, err);
    else {
        dav_note_target(dav, qn_buf_view(&change->to));
        answer_done(dav, change->to_exists ? 204 : 201);
    }
    dav_release(dav);
}

static unsigned status_of_change(enum qn_err err)
{
    return err == QN_ERR_EXISTS ? 412 : dav_status_of(err);
}

static void on_changed(void *context, enum qn_err err)
{
    struct dav_request *dav = context;
    struct changing *change = dav->own;
    if (!dav_resume(dav))
        return;
    if (err != QN_OK && change->failed_count == 0) {
        dav_refuse(dav, status_of_change(err));
        dav_release(dav);
        return;
    }
    /* Where some stayed behind, all of the source keeps its properties. */
    bool is_move = !is_copy(dav) && change->failed_count == 0;
    struct dav_rows_job job = {.change = is_move ? DAV_ROWS_MOVE : DAV_ROWS_COPY,
                               .from = qn_buf_view(&dav->path),
                               .to = qn_buf_view(&change->to),
                               .is_shallow = change->is_shallow,
                               .done = on_rows_followed,
                               .context = dav};
    dav_rows_follow(dav->dav, &job);
}

static void change_now(struct dav_request *dav)
{
    struct changing *change = dav->own;
    const struct qn_folder_ops *ops = dav->folder->ops;
    struct qn_folder_target to = {.folder = change->folder,
                                  .path = change->inner,
                                  .overwrites = change->overwrites,
                                  .is_shallow = change->is_shallow};
    dav_hold(dav);
    if (is_copy(dav))
        dav_wait(dav, ops->copy(dav->folder, dav->inner, &to, on_failed, on_changed, dav));
    else
        dav_wait(dav, ops->move(dav->folder, dav->inner, &to, on_failed, on_changed, dav));
}

/* The target changes like a resource that is put, its parent if there was none. */
static bool may_change_target(struct dav_request *dav)
{
    struct changing *change = dav->own;
    struct qn_span to = qn_buf_view(&change->to);
    if (change->to_exists && !change->overwrites) {
        dav_refuse(dav, 412);
        return false;
    }
    return dav_check_locks(dav, to, true) &&
           (change->to_exists || dav_check_locks(dav, dav_parent(to), false));
}

static void on_target(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct dav_request *dav = context;
    struct changing *change = dav->own;
    if (!dav_resume(dav))
        return;
    change->to_exists = err == QN_OK;
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        dav_refuse_err(dav, err);
    else if (may_change_target(dav))
        change_now(dav);
}

static bool is_within(struct qn_span path, struct qn_span base)
{
    return qn_span_has_prefix(path, base) &&
           (path.size == base.size || path.data[base.size] == '/');
}

/* "F" of "F/a/b". */
static struct qn_span folder_of(struct qn_span path)
{
    const uint8_t *slash = path.size > 0 ? memchr(path.data, '/', path.size) : NULL;
    return qn_span(path.data, slash == NULL ? path.size : (size_t)(slash - path.data));
}

/* Another folder of this site, of which as much may be seen and changed as of this one. Of one of
 * another site's people this site knows their right to the folder of the request only. 502, as of
 * another server: it is not here, or nobody's business. */
static unsigned find_target(struct dav_request *dav, struct qn_span name)
{
    struct changing *change = dav->own;
    const struct qn_dav_options *options = &dav->dav->options;
    const struct qn_serve_host *host = options->host;
    enum qn_right right = dav->right;
    struct qn_folder *folder = dav->folder;
    if (!qn_span_eq(name, dav->folder_name)) {
        if (dav->person.is_from_site)
            return 502;
        right = options->right(options->context, &dav->person, name);
        folder = right == QN_RIGHT_NONE ? NULL : host->folder(host->context, name);
    }
    if (folder == NULL)
        return 502;
    change->folder = folder;
    qn_folder_hold(folder);
    return right == QN_RIGHT_WRITE ? 0 : 403;
}

static unsigned read_target(struct dav_request *dav)
{
    struct changing *change = dav->own;
    QN_AUTO_BUF struct qn_buf path;
    bool has_slash;
    struct qn_span prefix = qn_span_str("dav/");
    qn_buf_init(&path, DAV_PATH_SIZE_MAX);
    enum qn_err err = qn_dav_destination_read(dav_field(dav, "Destination"),
                                              qn_web_asked(dav->web)->host, &path, &has_slash);
    if (err != QN_OK)
        return err == QN_ERR_DENIED ? 502 : 400;
    if (!qn_span_has_prefix(qn_buf_view(&path), prefix))
        return 502;
    if (qn_name_compose(qn_span_from(qn_buf_view(&path), prefix.size), &change->to) != QN_OK)
        return 400;
    struct qn_span to = qn_buf_view(&change->to), name = folder_of(to);
    unsigned status = find_target(dav, name);
    if (status != 0)
        return status;
    change->inner = qn_span_from(to, name.size + 1);
    bool is_same = change->folder == dav->folder;
    if (change->inner.size == 0 || (is_same && is_within(dav->inner, change->inner)) ||
        (is_same && is_within(change->inner, dav->inner) && !change->is_shallow))
        return 403; /* the folder, the same, or one in the other */
    return 0;
}

static unsigned read_fields(struct dav_request *dav)
{
    struct changing *change = dav->own;
    struct qn_span overwrite = dav_field(dav, "Overwrite"), depth_field = dav_field(dav, "Depth");
    enum qn_dav_depth depth = QN_DAV_DEPTH_INFINITY;
    change->overwrites = true;
    if (overwrite.size > 0 && qn_dav_overwrite_read(overwrite, &change->overwrites) != QN_OK)
        return 400;
    if (depth_field.size > 0 && qn_dav_depth_read(depth_field, &depth) != QN_OK)
        return 400;
    bool may_be_shallow = is_copy(dav) || !dav->info.is_directory;
    if (depth == QN_DAV_DEPTH_1 || (depth == QN_DAV_DEPTH_0 && !may_be_shallow))
        return 400;
    change->is_shallow = depth == QN_DAV_DEPTH_0 && is_copy(dav);
    return read_target(dav);
}

static void go_copy_or_move(struct dav_request *dav)
{
    struct changing *change = new_changing(dav);
    unsigned status = dav->exists ? read_fields(dav) : 404;
    if (status != 0)
        dav_refuse(dav, status);
    else
        dav_wait(dav, change->folder->ops->stat(change->folder, change->inner, on_target, dav));
}

/* A copy does not change its source. */
const struct dav_method dav_copy = {.method = QN_HTTP_COPY,
                                    .action = "copy",
                                    .is_write = true,
                                    .is_unlocked = true,
                                    .go = go_copy_or_move};
const struct dav_method dav_move = {.method = QN_HTTP_MOVE,
                                    .action = "move",
                                    .is_write = true,
                                    .makes_or_removes = true,
                                    .is_tree = true,
                                    .go = go_copy_or_move};
