/* The life of a WebDAV request: where it goes, who may do it, how it ends. */
#include "serve/dav_private.h"

/* ---- small things ---- */

uint64_t dav_wall_ms(const struct qn_dav *dav)
{
    const struct qn_serve_host *host = dav->options.host;
    return host->wall_ms(host->context);
}

struct qn_span dav_field(const struct dav_request *dav, const char *name)
{
    const struct qn_http_header *header = qn_http_header(qn_web_asked(dav->web), name);
    return header ? header->value : qn_span(NULL, 0);
}

bool dav_has_body(const struct dav_request *dav)
{
    const struct qn_http_head *head = qn_web_asked(dav->web);
    return head->is_chunked ||
           (head->content_length != QN_HTTP_NO_LENGTH && head->content_length > 0);
}

struct qn_span dav_parent(struct qn_span path)
{
    const uint8_t *slash = path.size ? memrchr(path.data, '/', path.size) : NULL;
    return qn_span(path.data, slash ? (size_t)(slash - path.data) : 0);
}

struct qn_span dav_last(struct qn_span path)
{
    size_t parent = dav_parent(path).size;
    return qn_span_from(path, parent > 0 ? parent + 1 : 0);
}

void dav_set_info(struct dav_request *dav, const struct qn_entry_info *info)
{
    dav->info = *info;
    dav->info.name = dav->info.kept = qn_span(NULL, 0);
    dav->exists = true;
}

/* ---- life ---- */

static void note_closed(struct qn_dav *dav)
{
    if (!dav->on_closed || dav->request_count > 0)
        return;
    void (*on_closed)(void *) = dav->on_closed;
    void *context = dav->closed_context;
    qn_dav_locks_free(dav->locks);
    qn_vec_free(&dav->patching);
    qn_free(dav);
    on_closed(context);
}

void dav_leave(struct qn_dav *dav)
{
    dav->request_count--;
    note_closed(dav);
}

static void free_request(struct dav_request *dav)
{
    struct qn_dav *all = dav->dav;
    if (dav->free_own)
        dav->free_own(dav);
    for (size_t i = 0; i < dav->tagged_count; i++)
        qn_buf_deinit(&dav->tagged[i].path);
    qn_dav_xml_free(dav->xml);
    qn_buf_deinit(&dav->path);
    if (dav->folder)
        qn_folder_release(dav->folder);
    qn_free(dav);
    dav_leave(all);
}

static bool is_over(const struct dav_request *dav)
{
    return !dav->web && !dav->is_held && dav->pending == 0;
}

void dav_wait(struct dav_request *dav, struct qn_folder_call *call)
{
    dav->pending++;
    dav->call = call;
}

/* A file or an upload that the request owns is given back by its free_own. */
bool dav_resume(struct dav_request *dav)
{
    dav->pending--;
    dav->call = NULL;
    if (dav->web || dav->is_held)
        return true;
    if (is_over(dav))
        free_request(dav);
    return false;
}

void dav_hold(struct dav_request *dav)
{
    dav->is_held = true;
}

void dav_release(struct dav_request *dav)
{
    dav->is_held = false;
    if (is_over(dav))
        free_request(dav);
}

static void on_end(struct qn_web_request *web, bool is_complete)
{
    struct dav_request *dav = qn_web_state(web);
    if (!dav)
        return;
    dav->web = NULL;
    if (dav->call && !dav->is_held)
        dav->folder->ops->cancel(dav->call);
    if (is_over(dav))
        free_request(dav);
}

/* ---- where to ---- */

static const struct dav_method *method_of(enum qn_http_method method)
{
    switch (method) {
    case QN_HTTP_GET:
    case QN_HTTP_HEAD:
        return &dav_get;
    case QN_HTTP_PUT:
        return &dav_put_method;
    case QN_HTTP_DELETE:
        return &dav_delete;
    case QN_HTTP_MKCOL:
        return &dav_mkcol;
    case QN_HTTP_COPY:
        return &dav_copy;
    case QN_HTTP_MOVE:
        return &dav_move;
    case QN_HTTP_PROPFIND:
        return &dav_find;
    case QN_HTTP_PROPPATCH:
        return &dav_patch;
    case QN_HTTP_LOCK:
        return &dav_lock;
    case QN_HTTP_UNLOCK:
        return &dav_unlock;
    case QN_HTTP_OPTIONS:
    case QN_HTTP_POST:
    case QN_HTTP_PATCH:
    case QN_HTTP_UNKNOWN:
        return NULL;
    }
    return NULL;
}

/* Never 204: Finder does not mount then. */
static void answer_options(struct dav_request *dav)
{
    struct qn_buf *head = dav_head(dav, 200, 0);
    if (!head)
        return;
    dav_text_field(head, "DAV", "1, 2, 3");
    dav_text_field(head, "MS-Author-Via", "DAV");
    dav_text_field(head, "Accept-Ranges", "bytes");
    dav_text_field(head, "Allow", dav_methods(dav));
    qn_web_head_end(dav->web);
    qn_web_finish(dav->web);
}

static void split_path(struct dav_request *dav)
{
    struct qn_span path = qn_buf_view(&dav->path);
    const uint8_t *slash = path.size ? memchr(path.data, '/', path.size) : NULL;
    size_t size = slash ? (size_t)(slash - path.data) : path.size;
    dav->folder_name = qn_span(path.data, size);
    dav->inner = qn_span_from(path, size + 1);
}

/* A folder that may not be seen does not exist. */
static bool find_folder(struct dav_request *dav)
{
    const struct qn_dav_options *options = &dav->dav->options;
    split_path(dav);
    dav->right = options->right(options->context, &dav->person, dav->folder_name);
    if (dav->right != QN_RIGHT_NONE)
        dav->folder = options->host->folder(options->host->context, dav->folder_name);
    if (dav->folder) {
        qn_folder_hold(dav->folder);
        return true;
    }
    if (!dav->method->is_write)
        dav_note(dav, 404); /* a change that is refused is noted in any case */
    dav_refuse(dav, 404);
    return false;
}

/* Folders are made by the IT person: neither their list nor they themselves are changed here. A
 * copy changes the folder where it goes, which may be another one (dav_tree.c). */
static bool may_change(struct dav_request *dav)
{
    bool is_fixed = !dav->folder || (dav->inner.size == 0 && dav->method->makes_or_removes);
    bool may_write =
        dav->right == QN_RIGHT_WRITE || (dav->method == &dav_copy && dav->right >= QN_RIGHT_READ);
    if (!dav->method->is_write || (may_write && !is_fixed))
        return true;
    if (dav->method->method == QN_HTTP_MKCOL && dav->right == QN_RIGHT_WRITE)
        dav_refuse(dav, 405); /* it is there */
    else
        dav_refuse(dav, 403);
    return false;
}

/* Who may list a folder gets no content of it, nor what a HEAD tells of one. */
static bool may_read(struct dav_request *dav)
{
    if (dav->folder == NULL || dav->method != &dav_get || dav->right >= QN_RIGHT_READ)
        return true;
    dav_note(dav, 403);
    dav_refuse(dav, 403);
    return false;
}

static void go_on(struct dav_request *dav)
{
    if (dav->method->before)
        dav->method->before(dav);
    else if (dav->folder)
        dav_judge(dav);
    else
        dav->method->go(dav);
}

/* What cannot be noted is not done. */
static bool is_trail_open(const struct dav_request *dav)
{
    const struct qn_dav_options *options = &dav->dav->options;
    return !options->audit_state || options->audit_state(options->context) == QN_OK;
}

static void dispatch(struct dav_request *dav)
{
    const struct qn_http_head *head = qn_web_asked(dav->web);
    dav->method = method_of(head->method);
    if (head->method == QN_HTTP_OPTIONS) {
        answer_options(dav);
        return;
    }
    if (!dav->method || (dav->is_server_root && dav->method != &dav_find)) {
        dav_refuse(dav, 405);
        return;
    }
    if ((dav->path.size > 0 && !find_folder(dav)) || !may_change(dav) || !may_read(dav))
        return;
    if (dav->method->is_write && !is_trail_open(dav)) {
        dav_refuse(dav, 503);
        return;
    }
    if (!dav->method->takes_xml) {
        go_on(dav);
        return;
    }
    uint64_t salt;
    dav->dav->options.host->random(&salt, sizeof(salt));
    dav->xml = qn_dav_xml_new(dav->method->value_depth, salt);
    qn_web_want_body(dav->web);
}

static void start(struct qn_web_request *web, bool is_server_root)
{
    struct qn_dav *all = qn_web_dav(web);
    const struct qn_person *person = qn_web_person(web);
    if (!all) {
        qn_web_refuse(web, 404, "not-found", "");
        return;
    }
    struct dav_request *dav = QN_NEW(struct dav_request);
    dav->dav = all;
    all->request_count++;
    dav->web = web;
    dav->is_server_root = is_server_root;
    qn_buf_init(&dav->path, DAV_PATH_SIZE_MAX);
    qn_buf_append_span(&dav->path, qn_web_path(web));
    if (person)
        dav->person = *person;
    strncpy(dav->from, qn_web_from(web), sizeof(dav->from) - 1);
    qn_web_set_state(web, dav);
    if (!person && qn_web_asked(web)->method != QN_HTTP_OPTIONS)
        dav_refuse(dav, 403);
    else if (dav->path.is_over)
        dav_refuse(dav, 414);
    else
        dispatch(dav);
}

static void on_start(struct qn_web_request *web)
{
    start(web, false);
}

static void on_root_start(struct qn_web_request *web)
{
    start(web, true);
}

/* ---- the body ---- */

static void on_body(struct qn_web_request *web, struct qn_span piece)
{
    struct dav_request *dav = qn_web_state(web);
    if (dav->method == &dav_put_method)
        dav_put_body(dav, piece);
    else if (dav->xml)
        (void)!qn_dav_xml_feed(dav->xml, piece); /* an error stays, and is told at the end */
}

static void on_body_end(struct qn_web_request *web)
{
    struct dav_request *dav = qn_web_state(web);
    if (dav->method == &dav_put_method) {
        dav_put_body_end(dav);
        return;
    }
    enum qn_err err = QN_OK;
    if (!qn_dav_xml_is_empty(dav->xml))
        err = qn_dav_xml_end(dav->xml);
    else
        err = qn_dav_xml_feed(dav->xml, qn_span(NULL, 0)); /* too large in one piece, perhaps */
    if (err == QN_OK)
        go_on(dav);
    else
        dav_refuse(dav, err == QN_ERR_LIMIT ? 413 : 400);
}

static void on_room(struct qn_web_request *web)
{
    struct dav_request *dav = qn_web_state(web);
    if (dav->method == &dav_get)
        dav_get_room(dav);
    else if (dav->method == &dav_find)
        dav_find_room(dav);
}

const struct qn_web_handler qn_dav_handler = {
    .start = on_start,
    .body = on_body,
    .body_end = on_body_end,
    .room = on_room,
    .end = on_end,
};
const struct qn_web_handler qn_dav_root_handler = {
    .start = on_root_start,
    .body = on_body,
    .body_end = on_body_end,
    .room = on_room,
    .end = on_end,
};

/* ---- all requests ---- */

struct qn_dav *qn_dav_new(const struct qn_dav_options *options)
{
    struct qn_dav *dav = QN_NEW(struct qn_dav);
    const struct qn_serve_host *host = options->host;
    dav->options = *options;
    dav->locks = qn_dav_locks_new();
    if (dav_rows_load(dav) != QN_OK)
        host->log(host->context, QN_SERVE_LOG_WARNING,
                  "WebDAV: rows of locks or properties cannot be read; they are passed over");
    return dav;
}

void qn_dav_close(struct qn_dav *dav, void (*on_closed)(void *context), void *context)
{
    dav->on_closed = on_closed;
    dav->closed_context = context;
    note_closed(dav);
}

bool qn_dav_is_locked(const struct qn_dav *dav, const struct qn_person *person, struct qn_span path,
                      bool is_tree)
{
    struct qn_dav_access access = {.path = path, .is_tree = is_tree, .person = person->name};
    return dav && qn_dav_locks_blocking(dav->locks, &access, dav_wall_ms(dav)) != NULL;
}
