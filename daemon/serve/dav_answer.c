/* Answers that more than one method gives. */
#include "base/assert.h"
#include "base/text.h"
#include "dav/names.h"
#include "serve/dav_private.h"

void dav_text_field(struct qn_buf *head, const char *name, const char *value)
{
    enum qn_err err = qn_http_answer_field(head, name, qn_span_str(value));
    QN_ASSERT(err == QN_OK); /* a text of ours */
}

struct qn_buf *dav_head(struct dav_request *dav, unsigned status, uint64_t size)
{
    return dav->web ? qn_web_head(dav->web, status, size) : NULL;
}

void dav_href(struct qn_buf *out, struct qn_span path, bool is_collection)
{
    qn_buf_append_str(out, DAV_PREFIX);
    qn_http_path_encode(path, out);
    if (is_collection && path.size > 0)
        qn_buf_append_str(out, "/");
}

/* A name that Windows cannot show is kept as it is, and said once, when it is made. */
static void report_name(struct dav_request *dav, struct qn_span path)
{
    const struct qn_serve_host *host = dav->dav->options.host;
    if (qn_name_fault(dav_last(path)) == QN_NAME_FINE || !qn_text_is_printable(path))
        return;
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, DAV_PATH_SIZE_MAX + 128);
    qn_buf_append_str(&text, "WebDAV: Windows cannot show the name of ");
    qn_buf_append_span(&text, path);
    qn_buf_append_u8(&text, 0);
    if (!text.is_over)
        host->log(host->context, QN_SERVE_LOG_WARNING, (const char *)text.data);
}

static const char *code_of(unsigned status)
{
    switch (status) {
    case 200:
    case 201:
    case 204:
    case 207:
        return "ok";
    case 400:
        return "bad-request";
    case 403:
        return "denied";
    case 404:
        return "not-found";
    case 412:
        return "changed";
    case 423:
        return "locked";
    case 507:
        return "disk-full";
    default:
        return "refused";
    }
}

/* The list of folders is nobody's data. */
static enum qn_err note_of(struct dav_request *dav, const char *action, struct qn_span path,
                           unsigned status)
{
    const struct qn_dav_options *options = &dav->dav->options;
    QN_AUTO_BUF struct qn_buf object;
    qn_buf_init(&object, DAV_PATH_SIZE_MAX + 16);
    if (!options->audit || path.size == 0)
        return QN_OK;
    qn_buf_append_str(&object, "folder:");
    qn_buf_append_span(&object, path);
    struct qn_audit_what what = {.actor = qn_span_str(dav->person.name),
                                 .device = qn_span_str(qn_person_device(&dav->person)),
                                 .address = qn_span_str(dav->from),
                                 .action = action,
                                 .object = qn_buf_view(&object),
                                 .result = code_of(status)};
    return options->audit(options->context, &what);
}

static enum qn_err note(struct dav_request *dav, unsigned status)
{
    return note_of(dav, dav->method->action, qn_buf_view(&dav->path), status);
}

void dav_note_target(struct dav_request *dav, struct qn_span path)
{
    (void)!note_of(dav, "write", path, 201);
}

/* It is done: if the trail does not take it any more, the next one is refused. */
void dav_note(struct dav_request *dav, unsigned status)
{
    if (status == 201)
        report_name(dav, qn_buf_view(&dav->path));
    (void)!note(dav, status);
}

bool dav_note_read(struct dav_request *dav)
{
    if (note(dav, 200) == QN_OK)
        return true;
    dav_refuse(dav, 503);
    return false;
}

#define METHODS                                                                                    \
    "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, COPY, MOVE, PROPFIND, PROPPATCH, LOCK, UNLOCK"

const char *dav_methods(const struct dav_request *dav)
{
    return dav->is_server_root ? "OPTIONS, GET, HEAD, PROPFIND" : METHODS;
}

/* Of words/web_words.c: what people are told. */
static const char *web_code(const struct dav_request *dav, unsigned status)
{
    switch (status) {
    case 400:
    case 415:
    case 422:
        return "bad-request";
    case 403:
        return dav->right == QN_RIGHT_WRITE  ? "not-allowed"
               : dav->right == QN_RIGHT_LIST ? "list-only"
                                             : "read-only";
    case 404:
        return dav->folder ? "path-unknown" : "not-found";
    case 409:
        return "no-parent";
    case 412:
        return "precondition";
    case 413:
        return "value-too-large";
    case 414:
        return "target-too-long";
    case 423:
        return "locked";
    case 502: /* RFC 4918, 9.8.5: what a copy or move names is not at this site */
        return "other-site";
    case 503:
    case 504:
        return "busy";
    case 507:
        return "disk-full";
    default:
        return status < 500 ? "method-not-allowed" : "file-failed";
    }
}

void dav_refuse(struct dav_request *dav, unsigned status)
{
    if (dav->method && dav->method->is_write)
        dav_note(dav, status);
    if (!dav->web)
        return;
    const char *code = web_code(dav, status);
    if (status == 405)
        qn_web_refuse_with(dav->web, status, code, "Allow", dav_methods(dav));
    else if (status == 503)
        qn_web_refuse_with(dav->web, status, code, "Retry-After", "10");
    else
        qn_web_refuse(dav->web, status, code, "");
}

unsigned dav_status_of(enum qn_err err)
{
    switch (err) {
    case QN_OK:
        return 200;
    case QN_ERR_NOTFOUND:
        return 404;
    case QN_ERR_EXISTS:
    case QN_ERR_CONFLICT:
        return 412;
    case QN_ERR_DENIED:
        return 403;
    case QN_ERR_STATE:
        return 409;
    case QN_ERR_INVALID:
        return 400;
    case QN_ERR_NOSPACE:
        return 507;
    case QN_ERR_LIMIT:
    case QN_ERR_BUSY:
    case QN_ERR_CLOSED:
        return 503;
    case QN_ERR_TIMEOUT:
        return 504;
    case QN_ERR_SIGNATURE:
    case QN_ERR_HELD:
    case QN_ERR_CORRUPT:
    case QN_ERR_IO:
    case QN_ERR_EXPIRED:
    case QN_ERR_UNSUPPORTED:
    case QN_ERR_CRYPTO:
    case QN_ERR_COMMAND:
    case QN_ERR_DAMAGED:
        return 500;
    }
    return 500;
}

void dav_refuse_err(struct dav_request *dav, enum qn_err err)
{
    dav_refuse(dav, dav_status_of(err));
}

void dav_xml_answer(struct dav_request *dav, unsigned status, const struct qn_buf *body)
{
    if (dav->web)
        qn_web_answer(dav->web, status, QN_DAV_XML_TYPE, qn_buf_view(body));
}

void dav_refuse_condition(struct dav_request *dav, unsigned status, const char *condition,
                          struct qn_span path)
{
    QN_AUTO_BUF struct qn_buf body, href;
    qn_buf_init(&body, 64 * 1024);
    qn_buf_init(&href, 4 * DAV_PATH_SIZE_MAX);
    if (path.size > 0)
        dav_href(&href, path, false);
    qn_dav_error_body(&body, condition, qn_buf_view(&href));
    if (dav->method->is_write)
        dav_note(dav, status);
    dav_xml_answer(dav, status, &body);
}

void dav_empty(struct dav_request *dav, unsigned status)
{
    if (!dav_head(dav, status, 0))
        return;
    qn_web_head_end(dav->web);
    qn_web_finish(dav->web);
}
