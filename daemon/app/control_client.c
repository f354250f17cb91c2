/* A connection to the control socket: its end, frames out, frames in. */
#include "app/control_impl.h"
#include "base/assert.h"

/* ---- its end ---- */

static void client_gone(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct qn_control *control = client->control;
    qn_buf_deinit(&client->in);
    qn_vec_free(&client->requests);
    qn_caller_deinit(&client->caller);
    qn_free(client);
    control_handle_gone(control);
}

void client_detach(struct client *client)
{
    struct qn_control *control = client->control;
    client->is_closing = true;
    for (size_t i = 0; i < control->clients.count; i++)
        if (control->clients.items[i] == client) {
            qn_vec_remove(&control->clients, i);
            break;
        }
    qn_vec_each (&client->requests, request) {
        request_release(request);
        control_note_end(client, request->note, "left");
        if (request->stream == NULL && request->view == NULL && control->driver != NULL)
            qn_driver_request_gone(control->driver, request->token);
    }
    client->requests.count = 0;
    control_notes_close(client);
}

void client_close(struct client *client)
{
    if (client->is_closing)
        return;
    if (client->local != NULL) {
        control_local_close(client);
        return;
    }
    client_detach(client);
    uv_close((uv_handle_t *)&client->pipe, client_gone);
}

/* ---- frames out ---- */

struct write {
    uv_write_t request;
    struct client *client;
    struct qn_buf bytes;
};

void client_reuse(struct client *client, struct qn_buf *take_frames)
{
    qn_vec_each (&client->requests, request) {
        if (request->view != NULL) {
            qn_view_give_back(request->view, take_frames);
            return;
        }
    }
    qn_buf_deinit(take_frames);
}

static void end_write(struct write *write)
{
    struct client *client = write->client;
    client->queued -= write->bytes.size;
    client_reuse(client, &write->bytes);
    qn_free(write);
}

/* libuv calls it from the loop, never from inside uv_write. */
static void on_written(uv_write_t *request, int status)
{
    struct write *write = request->data;
    struct client *client = write->client;
    end_write(write);
    if (status != 0)
        client_close(client);
    else
        client_take_turn(client);
}

void client_send_frames(struct client *client, struct qn_buf *take_frames)
{
    if (client->local != NULL) {
        control_local_send(client, take_frames);
        return;
    }
    struct write *write = QN_NEW(struct write);
    write->client = client;
    write->bytes = *take_frames;
    *take_frames = (struct qn_buf){0};
    write->request.data = write;
    uv_buf_t buf = uv_buf_init((char *)write->bytes.data, (unsigned)write->bytes.size);
    client->queued += write->bytes.size;
    if (!client->is_closing &&
        uv_write(&write->request, (uv_stream_t *)&client->pipe, &buf, 1, on_written) == 0)
        return;
    end_write(write);
    client_close(client);
}

void client_send(struct client *client, struct qn_span frame)
{
    struct qn_buf bytes;
    qn_buf_init(&bytes, 4 + frame.size);
    (void)!qn_buf_reserve(&bytes, 4 + frame.size);
    qn_buf_append_u32(&bytes, (uint32_t)frame.size);
    qn_buf_append_span(&bytes, frame);
    client_send_frames(client, &bytes);
}

/* ---- frames in ---- */

bool client_has_room(const struct client *client)
{
    return !client->is_closing && client->queued < QN_CONTROL_QUEUE_MAX &&
           (client->local == NULL || local_has_room(client));
}

/* A client that does not read its answers, or has many requests under way, is not read. */
static bool may_ask(const struct client *client)
{
    return !client->control->is_stopping && client_has_room(client) &&
           client->requests.count < QN_CONTROL_REQUESTS_MAX;
}

static void take_input(struct client *client)
{
    while (may_ask(client) && client->in.size >= 4) {
        uint32_t size = qn_read_u32(client->in.data);
        if (size == 0 || size > QN_CONTROL_FRAME_SIZE_MAX) {
            request_drop_hostile(client);
            return;
        }
        if (client->in.size < 4 + (size_t)size)
            return;
        request_take_frame(client, qn_span(client->in.data + 4, size));
        if (!client->is_closing)
            qn_buf_consume(&client->in, 4 + (size_t)size);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = handle->data;
    struct qn_control *control = client->control;
    *buf = uv_buf_init(control->chunk, sizeof(control->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    if (count < 0) {
        client_close(client);
        return;
    }
    qn_buf_append(&client->in, buf->base, (size_t)count);
    client_take_turn(client);
}

void client_set_reading(struct client *client)
{
    bool wants = may_ask(client);
    if (client->local != NULL || client->is_closing || wants == client->is_reading)
        return;
    client->is_reading = wants;
    if (!wants)
        uv_read_stop((uv_stream_t *)&client->pipe);
    else if (uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read) != 0)
        client_close(client);
}

/* What a client may do now: requests that wait in its buffer, then a slice of a stream. */
void client_take_turn(struct client *client)
{
    if (client->local != NULL) {
        local_take_turn(client);
        return;
    }
    take_input(client);
    request_run_streams(client);
    client_set_reading(client);
}

/* ---- its beginning ---- */

static void name_caller(struct client *client)
{
    int fd = -1; /* then nobody is known */
    (void)uv_fileno((uv_handle_t *)&client->pipe, &fd);
    qn_caller_of(fd, &client->caller);
}

/* Half of the places are for admins: whoever may only look keeps nobody from mending. */
static bool leaves_room(const struct client *client)
{
    const struct qn_control *control = client->control;
    size_t count = 0;
    if (control_rank(client) == QN_RANK_ADMIN)
        return true;
    qn_vec_each (&control->clients, other)
        count += control_rank(*other) < QN_RANK_ADMIN;
    return count <= QN_CONTROL_CLIENTS_MAX / 2;
}

void control_accept(struct qn_control *control)
{
    struct client *client = QN_NEW(struct client);
    client->control = control;
    client->pipe.data = client;
    qn_buf_init(&client->in, QN_CONTROL_FRAME_SIZE_MAX + 4 + sizeof(control->chunk));
    QN_ASSERT(uv_pipe_init(qn_loop_uv(control->options.loop), &client->pipe, 0) == 0);
    control->open_handles++;
    qn_vec_push(&control->clients, client);
    bool is_full = control->clients.count - control->local_count > QN_CONTROL_CLIENTS_MAX;
    if (uv_accept((uv_stream_t *)&control->listener, (uv_stream_t *)&client->pipe) != 0 ||
        is_full) {
        client_close(client);
        return;
    }
    name_caller(client);
    if (leaves_room(client))
        client_set_reading(client);
    else
        client_close(client);
}
