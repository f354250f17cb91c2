/* A connection's requests, from their head to their handler. */
#include "base/assert.h"
#include "files/names.h"
#include "serve/remote.h"
#include "serve/route.h"
#include "serve/serve_private.h"

#define BODIES_RETRY_S 10

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
    if (err == QN_OK && qn_http_path_has_long_name(qn_buf_view(&composed)))
        err = QN_ERR_LIMIT;
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

void connection_refuse(struct connection *connection, unsigned status, const char *code)
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
        connection_refuse(connection, 501, "unknown-method");
    else if (err != QN_OK)
        connection_refuse(connection, err == QN_ERR_LIMIT ? 414 : 400, "bad-path");
    else if (connection->is_peer)
        judge_peer(connection);
    else if (peer_is_forged(&request->head))
        connection_refuse(connection, 400, "bad-request");
    else
        ask_door(connection);
}

bool connection_step_head(struct connection *connection)
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
        connection_refuse(connection, refusal.status, code_of(refusal.status));
        return true;
    }
    keep_head(request, qn_span(bytes.data, size));
    connection->in_at += size;
    begin(connection);
    return true;
}

/* ---- the door's answer ---- */

/* Of the account itself. Whom another site vouches for was judged there. */
static bool is_by_password(const struct qn_web_request *request)
{
    const struct qn_person *person = &request->person;
    return request->has_person && !person->is_session && !person->is_from_site &&
           person->device[0] == '\0';
}

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
        answer_challenge(request, "sign-in");
        return;
    }
    if (found.route->needs_device && is_by_password(request)) {
        answer_challenge(request, "device-wanted");
        return;
    }
    if (body_is_one_too_many(request)) {
        connection->keeps_alive = false;
        answer_retry(request, 503, "busy", BODIES_RETRY_S);
        return;
    }
    request->rest = qn_route_rest(found.route, qn_buf_view(&request->path));
    request->handler = found.route->handler;
    if (!connection->is_peer && request->has_person && remote_takes(request))
        request->handler = &remote_handler;
    request->handler->start(request);
}

/* Credentials that are wrong are no matter where nobody need be known: the page can say so. */
bool connection_step_door(struct connection *connection)
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
