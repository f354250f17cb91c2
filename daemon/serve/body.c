/* The way of a request's body to its handler. */
#include "serve/serve_private.h"

void body_start(struct qn_web_request *request)
{
    const struct qn_http_head *head = &request->head;
    bool is_empty = head->content_length == QN_HTTP_NO_LENGTH || head->content_length == 0;
    request->has_body = head->is_chunked || !is_empty;
    request->body_done = !request->has_body;
    request->step_left = QN_WEB_BODY_STEP;
    if (request->has_body)
        qn_http_body_start(&request->body, head);
}

/* Takes what of the body is in the buffer, without using it up. */
static enum qn_err next_piece(struct qn_web_request *request, size_t *ret_used,
                              struct qn_span *ret_piece)
{
    *ret_piece = qn_span(NULL, 0);
    QN_TRY(
        qn_http_body_take(&request->body, connection_in(request->connection), ret_used, ret_piece));
    request->body_done = qn_http_body_is_done(&request->body);
    return *ret_used > 0 || request->body_done ? QN_OK : QN_ERR_HELD;
}

static void broken(struct qn_web_request *request)
{
    request->connection->keeps_alive = false;
    if (request->head_started) {
        request->is_cut = true;
        return;
    }
    /* The engine answers in its place: a handler that still waits for something (a write under way)
     * must not answer again. */
    request_tell_end(request, false);
    qn_web_refuse(request, 400, "bad-body", "");
}

static bool give_piece(struct qn_web_request *request)
{
    struct qn_span piece;
    size_t used = 0;
    enum qn_err err = next_piece(request, &used, &piece);
    if (err == QN_ERR_HELD)
        return false;
    if (err != QN_OK) {
        broken(request);
        return true;
    }
    if (piece.size > 0)
        request->handler->body(request, piece);
    request->connection->in_at += used;
    return true;
}

bool body_step(struct qn_web_request *request)
{
    if (!request->wants_body || request->is_body_paused || request->body_end_told)
        return false;
    if (!request->body_done)
        return give_piece(request);
    request->body_end_told = true;
    if (request->handler->body_end != NULL)
        request->handler->body_end(request);
    return true;
}

enum qn_err body_discard(struct qn_web_request *request)
{
    while (!request->body_done) {
        struct qn_span piece;
        size_t used = 0;
        QN_TRY(next_piece(request, &used, &piece));
        request->connection->in_at += used;
        request->step_left += piece.size; /* from here on: what was read over */
        if (request->step_left > QN_WEB_DISCARD_MAX + QN_WEB_BODY_STEP)
            return QN_ERR_LIMIT;
    }
    return QN_OK;
}

/* ---- how many at once ---- */

static bool is_on_its_way(const struct connection *connection)
{
    return connection != NULL && connection->state == CONNECTION_RUN &&
           connection->request.has_body && !connection->request.body_done;
}

bool body_is_one_too_many(const struct qn_web_request *request)
{
    const struct connection *own = request->connection;
    size_t of_person = 0, from_address = 0;
    if (!request->has_body)
        return false;
    for (size_t i = 0; i < QN_WEB_CONNECTIONS_MAX; i++) {
        const struct connection *other = own->serve->connections[i];
        if (other == own || !is_on_its_way(other))
            continue;
        of_person += request->has_person && other->request.has_person &&
                     strcmp(request->person.name, other->request.person.name) == 0;
        from_address += !own->is_peer && !other->is_peer &&
                        serve_is_same_client(&own->address, &other->address);
    }
    return of_person >= QN_WEB_BODIES_PERSON_MAX || from_address >= QN_WEB_BODIES_ADDRESS_MAX;
}

/* A client that waits for 100 Continue may send its body or not: nobody can know. */
bool body_may_be_discarded(const struct qn_web_request *request)
{
    if (request->body_done)
        return true;
    if (request->head.expects_continue && !request->has_sent_continue)
        return false;
    return request->head.is_chunked || request->body.left <= QN_WEB_DISCARD_MAX;
}

void qn_web_want_body(struct qn_web_request *request)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct connection *connection = request->connection;
    if (request->wants_body || connection->stream == NULL)
        return;
    request->wants_body = true;
    bool is_awaited = request->head.expects_continue && !request->head.is_1_0 &&
                      !request->head_started && !request->body_done;
    if (is_awaited && connection_in(connection).size == 0 &&
        qn_stream_send(connection->stream, qn_span(go_on, sizeof(go_on) - 1), qn_span(NULL, 0)) !=
            QN_OK)
        request->is_cut = true;
    request->has_sent_continue = true;
    connection_set_time(connection, QN_WEB_BODY_TIME_MAX_MS);
    connection_later(connection);
}

void qn_web_pause_body(struct qn_web_request *request, bool is_paused)
{
    if (request->is_body_paused == is_paused)
        return;
    request->is_body_paused = is_paused;
    connection_set_time(request->connection, QN_WEB_BODY_TIME_MAX_MS);
    connection_later(request->connection);
}
