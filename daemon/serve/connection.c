/* A connection: its life, and the heads that come in. */
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "files/names.h"
#include "serve/remote.h"
#include "serve/route.h"
#include "serve/serve_private.h"

/* ---- requests ---- */

static void request_init(struct qn_web_request *request, struct connection *connection)
{
    *request = (struct qn_web_request){.connection = connection};
    qn_buf_init(&request->head_bytes, QN_HTTP_HEAD_SIZE_MAX);
    qn_buf_init(&request->path, QN_HTTP_PATH_SIZE_MAX);
    qn_buf_init(&request->out, QN_WEB_HEAD_FIELDS_MAX);
}

static void request_deinit(struct qn_web_request *request)
{
    qn_buf_deinit(&request->head_bytes);
    qn_buf_deinit(&request->path);
    qn_buf_deinit(&request->out);
}

/* For the next one on the connection; memory is kept. */
static void request_reset(struct qn_web_request *request)
{
    struct qn_buf head_bytes = request->head_bytes, path = request->path, out = request->out;
    qn_buf_reset(&head_bytes);
    qn_buf_reset(&path);
    qn_buf_reset(&out);
    *request = (struct qn_web_request){
        .connection = request->connection, .head_bytes = head_bytes, .path = path, .out = out};
}

void request_tell_end(struct qn_web_request *request, bool is_complete)
{
    const struct qn_web_handler *handler = request->handler;
    request->handler = NULL;
    if (handler != NULL && handler->end != NULL)
        handler->end(request, is_complete);
}

/* ---- life ---- */

struct connection *connection_new(struct qn_serve *serve, uint64_t tag)
{
    struct connection *connection = QN_NEW(struct connection);
    connection->serve = serve;
    connection->tag = tag;
    connection->since_ms = serve_now_ms(serve);
    qn_node_init(&connection->later);
    qn_buf_init(&connection->in, QN_WEB_IN_MAX);
    request_init(&connection->request, connection);
    connection_set_time(connection, QN_WEB_HEAD_TIME_MAX_MS);
    return connection;
}

static void connection_free(struct connection *connection)
{
    QN_ASSERT(connection->stream == NULL && !connection->is_pumping);
    qn_node_remove(&connection->later);
    request_deinit(&connection->request);
    qn_buf_deinit(&connection->in);
    serve_forget(connection);
    qn_free(connection);
}

void connection_set_time(struct connection *connection, uint64_t time_ms)
{
    connection->deadline_ms =
        time_ms == UINT64_MAX ? UINT64_MAX : serve_now_ms(connection->serve) + time_ms;
}

void connection_abort(struct connection *connection)
{
    qn_stream_abort(connection->stream);
    connection_gone(connection);
}

void connection_later(struct connection *connection)
{
    if (connection->is_pumping || !qn_node_is_alone(&connection->later))
        return;
    qn_node_append(&connection->serve->to_pump, &connection->later);
    qn_timer_set(connection->serve->later, 0);
}

bool connection_is_idle(const struct connection *connection)
{
    return connection->state <= CONNECTION_HEAD;
}

bool connection_gives_way(const struct connection *connection)
{
    return connection_is_idle(connection) || connection->state >= CONNECTION_DISCARD ||
           !connection->request.has_person;
}

struct qn_span connection_in(const struct connection *connection)
{
    return qn_span_from(qn_buf_view(&connection->in), connection->in_at);
}

/* ---- a head ---- */

static void move_span(struct qn_span *span, const uint8_t *from, const uint8_t *to)
{
    if (span->size > 0)
        span->data = to + (span->data - from);
}

/* The head outlives what it was read from. */
static void keep_head(struct qn_web_request *request, struct qn_span bytes)
{
    struct qn_http_head *head = &request->head;
    qn_buf_append_span(&request->head_bytes, bytes);
    QN_ASSERT(!request->head_bytes.is_over);
    const uint8_t *to = request->head_bytes.data;
    move_span(&head->target, bytes.data, to);
    move_span(&head->host, bytes.data, to);
    for (size_t i = 0; i < head->header_count; i++) {
        move_span(&head->headers[i].name, bytes.data, to);
        move_span(&head->headers[i].value, bytes.data, to);
    }
}

/* In normal form C, so that a name is the same bytes from every client (W17). */
static enum qn_err compose(struct qn_buf *path)
{
    struct qn_buf composed;
    qn_buf_init(&composed, QN_HTTP_PATH_SIZE_MAX);
    enum qn_err err = qn_name_compose(qn_buf_view(path), &composed);
    if (err != QN_OK) {
        qn_buf_deinit(&composed);
        return err;
    }
    qn_buf_deinit(path);
    *path = composed;
    return QN_OK;
}

/* "*" is the server as a whole: its root. */
static enum qn_err read_target(struct qn_web_request *request)
{
    struct qn_http_target target = {.path = qn_span_str("/")};
    if (!qn_span_eq_str(request->head.target, "*"))
        QN_TRY(qn_http_target_split(request->head.target, &target));
    else if (request->head.method != QN_HTTP_OPTIONS)
        return QN_ERR_INVALID;
    request->query = target.query;
    QN_TRY(qn_http_path_decode(target.path, &request->path, &request->has_slash));
    if (qn_name_is_ascii(qn_buf_view(&request->path)))
        return QN_OK;
    return compose(&request->path);
}

static void refuse_and_close(struct connection *connection, unsigned status, const char *code)
{
    connection->keeps_alive = false;
    connection->state = CONNECTION_RUN;
    qn_web_refuse(&connection->request, status, code, "");
}

static const char *code_of(unsigned status)
{
    switch (status) {
    case 414:
        return "target-too-long";
    case 431:
        return "head-too-long";
    case 501:
        return "unknown-method";
    case 505:
        return "http-version";
    default:
        return "bad-request";
    }
}

static void on_verdict(void *context, enum qn_door_verdict verdict, const struct qn_person *person,
                       unsigned retry_s)
{
    struct connection *connection = context;
    connection->door_token = 0;
    connection->has_verdict = true;
    connection->verdict = verdict;
    connection->retry_s = retry_s;
    connection->request.has_person = verdict == QN_DOOR_PERSON && person != NULL;
    if (connection->request.has_person)
        connection->request.person = *person;
    connection_later(connection);
}

static void ask_door(struct connection *connection)
{
    const struct qn_serve_door *door = &connection->serve->options.door;
    connection->state = CONNECTION_DOOR;
    connection->has_verdict = false;
    connection_set_time(connection, UINT64_MAX);
    if (door->ask == NULL) {
        on_verdict(connection, QN_DOOR_NOBODY, NULL, 0);
        return;
    }
    uint64_t token = door->ask(door->context, &connection->request.head, connection->from,
                               on_verdict, connection);
    connection->door_token = connection->has_verdict ? 0 : token;
}

static void judge_peer(struct connection *connection)
{
    connection->state = CONNECTION_RUN; /* if it is refused */
    connection_set_time(connection, UINT64_MAX);
    if (!peer_judge(connection))
        return;
    connection->state = CONNECTION_DOOR;
    connection->verdict = QN_DOOR_PERSON;
    connection->has_verdict = true;
}

/* A whole head is there. */
static void begin(struct connection *connection)
{
    struct qn_web_request *request = &connection->request;
    connection->serve->request_count++;
    connection->keeps_alive = request->head.keeps_alive && !connection->serve->is_stopping;
    body_start(request);
    enum qn_err err = read_target(request);
    if (request->head.method == QN_HTTP_UNKNOWN)
        refuse_and_close(connection, 501, "unknown-method");
    else if (err != QN_OK)
        refuse_and_close(connection, err == QN_ERR_LIMIT ? 414 : 400, "bad-path");
    else if (connection->is_peer)
        judge_peer(connection);
    else if (peer_is_forged(&request->head))
        refuse_and_close(connection, 400, "bad-request");
    else
        ask_door(connection);
}

static bool step_head(struct connection *connection)
{
    struct qn_web_request *request = &connection->request;
    struct qn_http_refusal refusal = {0};
    struct qn_span bytes = connection_in(connection);
    size_t size = 0;
    if (bytes.size == 0)
        return false;
    enum qn_err err = qn_http_head_read(bytes, &request->head, &size, &refusal);
    if (err == QN_ERR_HELD)
        return false;
    if (err != QN_OK) {
        request->head = (struct qn_http_head){.method = QN_HTTP_GET};
        refuse_and_close(connection, refusal.status, code_of(refusal.status));
        return true;
    }
    keep_head(request, qn_span(bytes.data, size));
    connection->in_at += size;
    begin(connection);
    return true;
}

/* ---- the door's answer ---- */

static void start_handler(struct connection *connection)
{
    struct qn_web_request *request = &connection->request;
    struct qn_route_found found = qn_route_find(&connection->serve->options.routes,
                                                qn_buf_view(&request->path), request->head.method);
    if (found.route == NULL && found.methods == 0) {
        qn_web_refuse(request, 404, "not-found", "");
        return;
    }
    if (found.route == NULL) {
        answer_not_allowed(request, found.methods);
        return;
    }
    if (found.route->needs_person && !request->has_person) {
        answer_challenge(request);
        return;
    }
    request->rest = qn_route_rest(found.route, qn_buf_view(&request->path));
    request->handler = found.route->handler;
    if (!connection->is_peer && request->has_person && remote_takes(request))
        request->handler = &remote_handler;
    request->handler->start(request);
}

/* Credentials that are wrong are no matter where nobody need be known: the page can say so. */
static bool step_door(struct connection *connection)
{
    struct qn_web_request *request = &connection->request;
    if (!connection->has_verdict)
        return false;
    connection->state = CONNECTION_RUN;
    switch (connection->verdict) {
    case QN_DOOR_PERSON:
    case QN_DOOR_NOBODY:
    case QN_DOOR_WRONG:
        start_handler(connection);
        break;
    case QN_DOOR_THROTTLED:
        answer_retry(request, 429, "throttled", connection->retry_s);
        break;
    case QN_DOOR_FORBIDDEN:
        qn_web_refuse(request, 403, "foreign-origin", "");
        break;
    case QN_DOOR_MISDIRECTED:
        connection->keeps_alive = false;
        qn_web_refuse(request, 421, "foreign-host", "");
        break;
    case QN_DOOR_BUSY:
        answer_retry(request, 503, "busy", connection->retry_s);
        break;
    }
    return true;
}

/* ---- the end of a request ---- */

static void start_closing(struct connection *connection)
{
    connection->state = CONNECTION_CLOSING;
    connection_set_time(connection, QN_WEB_CLOSE_TIME_MAX_MS);
    if (connection->stream != NULL)
        qn_stream_close(connection->stream);
}

static void next_request(struct connection *connection)
{
    request_reset(&connection->request);
    connection->state = CONNECTION_HEAD;
    connection->is_reused = true;
    connection->since_ms = serve_now_ms(connection->serve);
    uint64_t kept_ms = connection->is_peer ? QN_WEB_LINE_KEPT_MS : QN_WEB_KEPT_TIME_MAX_MS;
    connection_set_time(connection,
                        connection_in(connection).size > 0 ? QN_WEB_HEAD_TIME_MAX_MS : kept_ms);
}

static bool step_discard(struct connection *connection)
{
    enum qn_err err = body_discard(&connection->request);
    if (err == QN_ERR_HELD)
        return false;
    if (err == QN_OK)
        next_request(connection);
    else
        start_closing(connection);
    return true;
}

static void end_request(struct connection *connection)
{
    struct qn_web_request *request = &connection->request;
    request_tell_end(request, true);
    if (connection->stream == NULL)
        return;
    if (!connection->keeps_alive || connection->serve->is_stopping) {
        start_closing(connection);
    } else if (request->body_done) {
        next_request(connection);
    } else {
        connection->state = CONNECTION_DISCARD;
        connection_set_time(connection, QN_WEB_BODY_TIME_MAX_MS);
    }
}

static bool step_run(struct connection *connection)
{
    struct qn_web_request *request = &connection->request;
    if (request->is_cut) {
        qn_stream_abort(connection->stream);
        connection->stream = NULL;
        return true;
    }
    if (request->is_finished && qn_stream_queued(connection->stream) == 0) {
        end_request(connection);
        return true;
    }
    if (request->is_finished || request->handler == NULL)
        return false;
    if (body_step(request))
        return true;
    if (!request->wants_room || qn_web_room(request) < QN_WEB_ROOM_LOW)
        return false;
    request->wants_room = false;
    if (request->handler->room == NULL)
        return false;
    request->handler->room(request);
    return true;
}

/* ---- moving ---- */

static bool step(struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_HEAD:
        return step_head(connection);
    case CONNECTION_DOOR:
        return step_door(connection);
    case CONNECTION_RUN:
        return step_run(connection);
    case CONNECTION_DISCARD:
        return step_discard(connection);
    case CONNECTION_SHAKING:
    case CONNECTION_CLOSING:
        return false;
    }
    return false;
}

static void end_gone(struct connection *connection)
{
    const struct qn_serve_door *door = &connection->serve->options.door;
    if (connection->door_token != 0)
        door->forget(door->context, connection->door_token);
    connection->door_token = 0;
    connection->is_pumping = true;
    request_tell_end(&connection->request, false);
    connection->is_pumping = false;
    connection_free(connection);
}

/* A client that sends faster than its handler takes is not read; nor one whose buffer is full of
 * requests to come. */
static void set_reading(struct connection *connection)
{
    if (connection->state != CONNECTION_CLOSING && connection->state != CONNECTION_SHAKING)
        qn_stream_pause(connection->stream, connection_in(connection).size >= QN_WEB_IN_MAX);
}

void connection_pump(struct connection *connection)
{
    QN_ASSERT(!connection->is_pumping);
    qn_node_remove(&connection->later);
    connection->is_pumping = true;
    while (connection->stream != NULL && step(connection))
        ;
    connection->is_pumping = false;
    if (connection->stream == NULL)
        end_gone(connection);
    else
        set_reading(connection);
}

/* ---- what the stream tells ---- */

void connection_on_up(struct connection *connection)
{
    connection->state = CONNECTION_HEAD;
    connection_set_time(connection, QN_WEB_HEAD_TIME_MAX_MS);
}

static void note_input(struct connection *connection, size_t size)
{
    struct qn_web_request *request = &connection->request;
    bool is_first = connection_in(connection).size == size;
    if (connection->state == CONNECTION_HEAD && connection->is_reused && is_first) {
        connection_set_time(connection, QN_WEB_HEAD_TIME_MAX_MS);
    } else if (connection->state == CONNECTION_RUN && request->wants_body) {
        request->step_left -= size < request->step_left ? size : request->step_left;
        if (request->step_left == 0) {
            request->step_left = QN_WEB_BODY_STEP;
            connection_set_time(connection, QN_WEB_BODY_TIME_MAX_MS);
        }
    }
}

/* Fills `in`; false: nothing came, or there is no room. */
static bool fill(struct connection *connection)
{
    struct qn_buf *in = &connection->in;
    if (connection->in_at > 0) {
        qn_buf_consume(in, connection->in_at);
        connection->in_at = 0;
    }
    size_t before = in->size, size = 1;
    while (in->size < QN_WEB_IN_MAX && size > 0) {
        size_t room = QN_WEB_IN_MAX - in->size;
        uint8_t *out = qn_buf_reserve(in, room);
        size = qn_stream_read(connection->stream, out, room);
        in->size += size;
    }
    if (in->size == before)
        return false;
    note_input(connection, in->size - before);
    return true;
}

/* What is paused keeps the rest in the session. */
void connection_on_readable(struct connection *connection)
{
    struct qn_serve *serve = connection->serve;
    uint64_t tag = connection->tag;
    while (fill(connection)) {
        connection_pump(connection);
        if (serve_find(serve, tag) != connection || connection->stream == NULL ||
            connection_in(connection).size >= QN_WEB_IN_MAX)
            return;
    }
}

void connection_on_written(struct connection *connection)
{
    if (connection->state == CONNECTION_RUN && connection->request.head_started)
        connection_set_time(connection, QN_WEB_ANSWER_TIME_MAX_MS);
    connection_pump(connection);
}

/* The end of the request is told from here, since it is the loop that calls. */
void connection_gone(struct connection *connection)
{
    connection->stream = NULL;
    connection_later(connection);
}

/* ---- time ---- */

static bool is_late(struct connection *connection, uint64_t now_ms)
{
    struct qn_web_request *request = &connection->request;
    if (now_ms < connection->deadline_ms)
        return false;
    if (connection->state != CONNECTION_RUN)
        return true;
    /* only what the client owes counts: something of the body, or to take some of the answer */
    bool owes_body = request->wants_body && !request->body_done && !request->is_body_paused &&
                     connection_in(connection).size == 0 && !request->is_finished;
    return owes_body || qn_stream_queued(connection->stream) > 0;
}

void connection_check_time(struct connection *connection, uint64_t now_ms)
{
    struct qn_web_request *request = &connection->request;
    if (connection->stream == NULL || !is_late(connection, now_ms))
        return;
    bool is_half_head = connection->state == CONNECTION_HEAD && connection_in(connection).size > 0;
    if (!is_half_head) {
        connection_abort(connection);
        return;
    }
    request->head = (struct qn_http_head){.method = QN_HTTP_GET};
    connection_set_time(connection, QN_WEB_CLOSE_TIME_MAX_MS);
    refuse_and_close(connection, 408, "too-slow");
    connection_later(connection);
}
