/* A connection: its life, its states, its time. */

#include "base/assert.h"
#include "base/mem.h"
#include "serve/serve_private.h"

#define KEPT_SIZE     2048 /* of an empty buffer */
#define REST_AFTER_MS 1000

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
    connection->is_resting = false;
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
        return connection_step_head(connection);
    case CONNECTION_DOOR:
        return connection_step_door(connection);
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

/* What is used up of `in` goes; one that is empty keeps no more memory than a head needs, for there
 * may be a thousand. */
static void drop_used(struct connection *connection)
{
    struct qn_buf *in = &connection->in;
    qn_buf_consume(in, connection->in_at);
    connection->in_at = 0;
    if (in->size == 0 && in->capacity > KEPT_SIZE)
        qn_buf_deinit(in);
    if (in->data == NULL)
        qn_buf_init(in, QN_WEB_IN_MAX);
}

void connection_pump(struct connection *connection)
{
    QN_ASSERT(!connection->is_pumping);
    qn_node_remove(&connection->later);
    connection->is_pumping = true;
    while (connection->stream != NULL && step(connection))
        ;
    connection->is_pumping = false;
    if (connection->stream == NULL) {
        end_gone(connection);
        return;
    }
    set_reading(connection);
    if (connection_in(connection).size == 0)
        drop_used(connection);
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

/* Fills `in`, by way of a buffer that all connections share, so that each holds what came and no
 * more; false: nothing came, or there is no room. */
static bool fill(struct connection *connection)
{
    struct qn_buf *in = &connection->in;
    uint8_t *shared = connection->serve->read_buffer;
    drop_used(connection);
    size_t before = in->size, size = 1;
    while (in->size < QN_WEB_IN_MAX && size > 0) {
        size = qn_stream_read(connection->stream, shared, QN_WEB_IN_MAX - in->size);
        qn_buf_append(in, shared, size);
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

bool connection_rest(struct connection *connection, uint64_t now_ms)
{
    bool is_waiting = connection->state == CONNECTION_HEAD && connection->stream != NULL &&
                      connection_in(connection).size == 0 &&
                      qn_stream_queued(connection->stream) == 0;
    if (!is_waiting || connection->is_resting || now_ms < connection->since_ms + REST_AFTER_MS)
        return false;
    qn_stream_rest(connection->stream);
    qn_buf_deinit(&connection->in);
    qn_buf_init(&connection->in, QN_WEB_IN_MAX);
    connection->in_at = 0;
    request_deinit(&connection->request);
    request_init(&connection->request, connection);
    return connection->is_resting = true;
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
    connection_refuse(connection, 408, "too-slow");
    connection_later(connection);
}
