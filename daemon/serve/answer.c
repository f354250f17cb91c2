/* The way out: heads with the fields that every answer has, framing, whole answers. */
#include <stdio.h>
#include <strings.h>

#include "base/assert.h"
#include "base/text.h"
#include "http/condition.h"
#include "json/out.h"
#include "serve/dav.h"
#include "serve/route.h"
#include "serve/serve_private.h"

/* A chunk's line and the end of line behind it: "ffffffff\r\n" "\r\n". */
#define CHUNK_EXTRA      12
#define MESSAGE_SIZE_MAX 1024

void web_field(struct qn_buf *out, const char *name, const char *value)
{
    enum qn_err err = qn_http_answer_field(out, name, qn_span_str(value));
    QN_ASSERT(err == QN_OK); /* a text of ours */
}

uint64_t web_sent(const struct qn_web_request *request)
{
    return request->sent;
}

/* ---- the head ---- */

struct qn_buf *qn_web_head(struct qn_web_request *request, unsigned status, uint64_t size)
{
    struct connection *connection = request->connection;
    const struct qn_serve_host *host = connection->serve->options.host;
    QN_ASSERT(!request->head_started);
    request->head_started = true;
    request->status = status;
    request->size = size;
    qn_buf_reset(&request->out);
    qn_http_answer_start(&request->out, status);
    qn_http_answer_date(&request->out, "Date", (int64_t)(host->wall_ms(host->context) / 1000));
    return &request->out;
}

static bool has_content(const struct qn_web_request *request)
{
    return request->head.method != QN_HTTP_HEAD && request->status != 204 && request->status != 304;
}

/* What a handler does not say itself. Nothing that is served may be framed, sniffed, or run as a
 * page of this site unless it is the page. */
static const char *const defaults[] = {
    "Strict-Transport-Security: max-age=31536000\r\n",
    ("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
     "form-action 'none'; sandbox\r\n"),
    "X-Content-Type-Options: nosniff\r\n",
    "X-Frame-Options: DENY\r\n",
    "Referrer-Policy: no-referrer\r\n",
    "Cross-Origin-Resource-Policy: same-origin\r\n",
    "Cache-Control: private, no-cache\r\n",
};
#define DEFAULT_COUNT (sizeof(defaults) / sizeof(defaults[0]))

/* The default that a line stands in place of; DEFAULT_COUNT: none. */
static size_t default_of(struct qn_span line)
{
    const uint8_t *colon = line.size > 0 ? memchr(line.data, ':', line.size) : NULL;
    size_t size = colon != NULL ? (size_t)(colon - line.data) + 1 : 0, i = 0;
    while (i < DEFAULT_COUNT &&
           (size == 0 || strncasecmp((const char *)line.data, defaults[i], size) != 0))
        i++;
    return i;
}

static void append_defaults(struct qn_buf *out)
{
    bool is_said[DEFAULT_COUNT + 1] = {false};
    struct qn_span rest = qn_buf_view(out);
    const uint8_t *end;
    while (rest.size > 0 && (end = memchr(rest.data, '\n', rest.size)) != NULL) {
        size_t size = (size_t)(end - rest.data) + 1;
        is_said[default_of(qn_span(rest.data, size))] = true;
        rest = qn_span_from(rest, size);
    }
    for (size_t i = 0; i < DEFAULT_COUNT; i++)
        if (!is_said[i])
            qn_buf_append_str(out, defaults[i]);
}

static void append_framing(struct qn_web_request *request)
{
    struct connection *connection = request->connection;
    bool is_unknown = request->size == QN_HTTP_NO_LENGTH;
    if (request->status != 204 && request->status != 304) {
        if (!is_unknown)
            qn_http_answer_number(&request->out, "Content-Length", request->size);
        else if (!request->head.is_1_0)
            web_field(&request->out, "Transfer-Encoding", "chunked");
    }
    request->is_chunked = is_unknown && !request->head.is_1_0;
    bool ends_by_close = is_unknown && request->head.is_1_0 && has_content(request);
    if (ends_by_close || !body_may_be_discarded(request))
        connection->keeps_alive = false;
    if (!connection->keeps_alive)
        web_field(&request->out, "Connection", "close");
    else if (request->head.is_1_0)
        web_field(&request->out, "Connection", "keep-alive");
}

void qn_web_head_end(struct qn_web_request *request)
{
    struct connection *connection = request->connection;
    QN_ASSERT(request->head_started && !request->head_ended);
    request->head_ended = true;
    request->wants_room = has_content(request);
    append_defaults(&request->out);
    append_framing(request);
    qn_http_answer_end(&request->out);
    connection_later(connection);
    if (connection->stream == NULL)
        return;
    connection_set_time(connection, QN_WEB_ANSWER_TIME_MAX_MS);
    if (qn_buf_status(&request->out) != QN_OK ||
        qn_stream_send(connection->stream, qn_buf_view(&request->out), qn_span(NULL, 0)) != QN_OK)
        request->is_cut = true;
}

/* ---- the content ---- */

size_t qn_web_room(const struct qn_web_request *request)
{
    const struct connection *connection = request->connection;
    if (connection->stream == NULL || request->is_cut)
        return 0;
    size_t queued = qn_stream_queued(connection->stream);
    return queued + CHUNK_EXTRA >= QN_WEB_OUT_MAX ? 0 : QN_WEB_OUT_MAX - CHUNK_EXTRA - queued;
}

static enum qn_err send_piece(struct qn_web_request *request, struct qn_span bytes)
{
    struct qn_stream *stream = request->connection->stream;
    if (!request->is_chunked)
        return qn_stream_send(stream, bytes, qn_span(NULL, 0));
    QN_AUTO_BUF struct qn_buf line;
    qn_buf_init(&line, CHUNK_EXTRA);
    qn_http_chunk_line(&line, bytes.size);
    QN_TRY(qn_stream_send(stream, qn_buf_view(&line), bytes));
    return qn_stream_send(stream, qn_span_str("\r\n"), qn_span(NULL, 0));
}

void qn_web_send(struct qn_web_request *request, struct qn_span bytes)
{
    struct connection *connection = request->connection;
    if (connection->stream == NULL || request->is_cut || bytes.size == 0)
        return;
    QN_ASSERT(request->head_ended && !request->is_finished);
    QN_ASSERT(bytes.size <= qn_web_room(request));
    if (!has_content(request))
        return;
    if (qn_stream_queued(connection->stream) == 0)
        connection_set_time(connection, QN_WEB_ANSWER_TIME_MAX_MS);
    request->sent += bytes.size;
    request->wants_room = true;
    bool is_too_much = request->size != QN_HTTP_NO_LENGTH && request->sent > request->size;
    if (is_too_much || send_piece(request, bytes) != QN_OK)
        request->is_cut = true;
    connection_later(connection);
}

void qn_web_finish(struct qn_web_request *request)
{
    struct connection *connection = request->connection;
    connection_later(connection);
    if (connection->stream == NULL || request->is_cut)
        return;
    QN_ASSERT(request->head_ended && !request->is_finished);
    request->is_finished = true;
    if (!has_content(request))
        return;
    if (request->size != QN_HTTP_NO_LENGTH)
        request->is_cut = request->sent != request->size;
    else if (request->is_chunked &&
             qn_stream_send(connection->stream, qn_span_str(QN_HTTP_CHUNK_END), qn_span(NULL, 0)) !=
                 QN_OK)
        request->is_cut = true;
}

void qn_web_cut(struct qn_web_request *request)
{
    request->is_cut = true;
    connection_later(request->connection);
}

/* ---- whole answers ---- */

static void finish_with(struct qn_web_request *request, struct qn_span body)
{
    qn_web_head_end(request);
    qn_web_send(request, body);
    qn_web_finish(request);
}

void qn_web_answer(struct qn_web_request *request, unsigned status, const char *type,
                   struct qn_span body)
{
    struct qn_buf *head = qn_web_head(request, status, body.size);
    if (body.size > 0)
        web_field(head, "Content-Type", type);
    finish_with(request, body);
}

static bool is_api(const struct qn_web_request *request)
{
    struct qn_span path = qn_buf_view(&request->path), api = qn_span_str("api");
    return qn_span_has_prefix(path, api) && (path.size == 3 || path.data[3] == '/');
}

/* For who sees it in a browser, or in the window of a file manager. */
static void append_plain(unsigned status, struct qn_span message, const char *object,
                         struct qn_buf *out)
{
    qn_buf_printf(out, "%u: ", status);
    qn_buf_append_span(out, message);
    if (object[0] != '\0')
        qn_buf_printf(out, " (%s)", object);
    qn_buf_append_str(out, "\n");
}

static void append_refusal(const struct qn_web_request *request, unsigned status, const char *code,
                           const char *object, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, MESSAGE_SIZE_MAX);
    qn_web_message(request, code, &text);
    struct qn_span message = qn_buf_status(&text) == QN_OK ? qn_buf_view(&text) : qn_span_str(code);
    if (!qn_text_is_utf8(qn_span_str(object)))
        object = "";
    if (!is_api(request)) {
        append_plain(status, message, object, out);
        return;
    }
    qn_buf_append_str(out, "{\"error\":{\"code\":");
    qn_json_text(out, qn_span_str(code));
    qn_buf_append_str(out, ",\"message\":");
    qn_json_text(out, message);
    qn_buf_append_str(out, ",\"object\":");
    qn_json_text(out, qn_span_str(object));
    qn_buf_append_str(out, "}}\n");
}

struct refusal {
    unsigned status;
    const char *code, *object;
    const char *field, *value; /* one more; NULL: none */
};

static void refuse(struct qn_web_request *request, const struct refusal *refusal)
{
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_HTTP_HEAD_SIZE_MAX);
    append_refusal(request, refusal->status, refusal->code, refusal->object, &body);
    struct qn_buf *head = qn_web_head(request, refusal->status, body.size);
    web_field(head, "Content-Type",
              is_api(request) ? "application/json" : "text/plain; charset=utf-8");
    if (refusal->field != NULL)
        web_field(head, refusal->field, refusal->value);
    finish_with(request, qn_buf_view(&body));
}

void qn_web_refuse(struct qn_web_request *request, unsigned status, const char *code,
                   const char *object)
{
    refuse(request, &(struct refusal){.status = status, .code = code, .object = object});
}

void qn_web_refuse_with(struct qn_web_request *request, unsigned status, const char *code,
                        const char *field, const char *value)
{
    refuse(request,
           &(struct refusal){
               .status = status, .code = code, .object = "", .field = field, .value = value});
}

/* The page asks by script and shows a form of its own: the browser's would be in the way. */
static bool is_by_script(const struct qn_web_request *request)
{
    const struct qn_http_header *mode = qn_http_header(&request->head, "Sec-Fetch-Mode");
    return is_api(request) && mode != NULL && !qn_span_eq_str(mode->value, "navigate");
}

void answer_challenge(struct qn_web_request *request, const char *code)
{
    struct refusal refusal = {.status = 401, .code = code, .object = ""};
    if (!is_by_script(request)) {
        refusal.field = "WWW-Authenticate";
        refusal.value = "Basic realm=\"Quoin\", charset=\"UTF-8\"";
    }
    refuse(request, &refusal);
}

void answer_not_allowed(struct qn_web_request *request, unsigned methods)
{
    QN_AUTO_BUF struct qn_buf allow;
    qn_buf_init(&allow, 256);
    qn_route_append_methods(methods, &allow);
    qn_buf_append_u8(&allow, 0);
    refuse(request, &(struct refusal){.status = 405,
                                      .code = "method-not-allowed",
                                      .object = "",
                                      .field = "Allow",
                                      .value = (const char *)allow.data});
}

void answer_retry(struct qn_web_request *request, unsigned status, const char *code,
                  unsigned retry_s)
{
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%u", retry_s > 0 ? retry_s : 1);
    refuse(request, &(struct refusal){.status = status,
                                      .code = code,
                                      .object = "",
                                      .field = "Retry-After",
                                      .value = seconds});
}

void answer_offline(struct qn_web_request *request, const char *site)
{
    refuse(request, &(struct refusal){.status = 503,
                                      .code = "site-offline",
                                      .object = site,
                                      .field = "Retry-After",
                                      .value = "10"});
}

/* ---- what was asked ---- */

const struct qn_http_head *qn_web_asked(const struct qn_web_request *request)
{
    return &request->head;
}

struct qn_span qn_web_path(const struct qn_web_request *request)
{
    return request->rest;
}

bool qn_web_path_has_slash(const struct qn_web_request *request)
{
    return request->has_slash;
}

struct qn_span qn_web_query(const struct qn_web_request *request)
{
    return request->query;
}

const struct qn_person *qn_web_person(const struct qn_web_request *request)
{
    return request->has_person ? &request->person : NULL;
}

const char *qn_web_from(const struct qn_web_request *request)
{
    return request->connection->from;
}

const struct qn_serve_host *qn_web_host(const struct qn_web_request *request)
{
    return request->connection->serve->options.host;
}

struct qn_dav *qn_web_dav(const struct qn_web_request *request)
{
    return request->connection->serve->options.dav;
}

const struct qn_people *qn_web_people(const struct qn_web_request *request)
{
    return request->connection->serve->options.people;
}

const struct qn_serve_door *qn_web_door(const struct qn_web_request *request)
{
    return &request->connection->serve->options.door;
}

struct qn_serve *qn_web_serve(const struct qn_web_request *request)
{
    return request->connection->serve;
}

void qn_web_set_state(struct qn_web_request *request, void *state)
{
    request->state = state;
}

void *qn_web_state(const struct qn_web_request *request)
{
    return request->state;
}
