#include "app/control.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "app/stream_view.h"
#include "base/assert.h"
#include "base/text.h"
#include "core/args.h"
#include "proto/pack.h"

#define ANSWER_DEPTH_MAX (QN_VALUE_DEPTH_MAX + 8)

struct request {
    uint64_t token; /* the daemon's name of it */
    uint64_t id;    /* the client's */
    struct qn_stream *stream;
};

struct client {
    uv_pipe_t pipe;
    struct qn_control *control;
    char user[QN_USER_SIZE_MAX + 1];
    struct qn_buf in;
    size_t queued; /* bytes that are being written */
    QN_VEC(struct request) requests;
    bool is_reading, is_closing;
    char chunk[64 * 1024];
};

struct qn_control {
    struct qn_control_options options;
    struct qn_driver *driver;
    char path[108];
    uv_pipe_t listener;
    struct qn_timer *again; /* a turn for all clients, outside of any step */
    QN_VEC(struct client *) clients;
    uint64_t next_token;
    size_t open_handles;
    bool is_stopping;
    void (*on_closed)(void *context);
    void *context;
};

/* ---- ends ---- */

static void handle_gone(struct qn_control *control)
{
    if (--control->open_handles > 0 || control->on_closed == NULL)
        return;
    void (*on_closed)(void *context) = control->on_closed;
    void *context = control->context;
    qn_vec_free(&control->clients);
    qn_free(control);
    on_closed(context);
}

static void client_gone(uv_handle_t *handle)
{
    struct client *client = handle->data;
    struct qn_control *control = client->control;
    qn_buf_deinit(&client->in);
    qn_vec_free(&client->requests);
    qn_free(client);
    handle_gone(control);
}

static void close_client(struct client *client)
{
    struct qn_control *control = client->control;
    if (client->is_closing)
        return;
    client->is_closing = true;
    for (size_t i = 0; i < control->clients.count; i++)
        if (control->clients.items[i] == client) {
            qn_vec_remove(&control->clients, i);
            break;
        }
    qn_vec_each (&client->requests, request) {
        qn_stream_free(request->stream);
        if (request->stream == NULL && control->driver != NULL)
            qn_driver_request_gone(control->driver, request->token);
    }
    client->requests.count = 0;
    uv_close((uv_handle_t *)&client->pipe, client_gone);
}

/* ---- answers ---- */

struct write {
    uv_write_t request;
    struct client *client;
    size_t size;
    uint8_t bytes[];
};

static void take_turn(struct client *client);

/* libuv calls it from the loop, never from inside uv_write. */
static void on_written(uv_write_t *request, int status)
{
    struct write *write = request->data;
    struct client *client = write->client;
    client->queued -= write->size;
    qn_free(write);
    if (status != 0)
        close_client(client);
    else
        take_turn(client);
}

static void send_frame(struct client *client, struct qn_span frame)
{
    struct write *write = qn_alloc(sizeof(*write) + 4 + frame.size);
    write->client = client;
    write->size = 4 + frame.size;
    write->request.data = write;
    qn_write_u32(write->bytes, (uint32_t)frame.size);
    memcpy(write->bytes + 4, frame.data, frame.size);
    uv_buf_t buf = uv_buf_init((char *)write->bytes, (unsigned)write->size);
    client->queued += write->size;
    if (!client->is_closing &&
        uv_write(&write->request, (uv_stream_t *)&client->pipe, &buf, 1, on_written) == 0)
        return;
    client->queued -= write->size;
    qn_free(write);
    close_client(client);
}

static void answer_error(struct client *client, uint64_t id, enum qn_err err, const char *code,
                         const char *object);

static void answer(struct client *client, uint64_t id, const char *type, struct qn_span data)
{
    QN_AUTO_BUF struct qn_buf frame;
    qn_buf_init(&frame, QN_CONTROL_FRAME_SIZE_MAX);
    qn_pack_map(&frame, 3);
    qn_pack_cstr(&frame, "data");
    if (data.size > 0)
        qn_pack_raw(&frame, data);
    else
        qn_pack_nil(&frame);
    qn_pack_cstr(&frame, "id");
    qn_pack_u64(&frame, id);
    qn_pack_cstr(&frame, "type");
    qn_pack_cstr(&frame, type);
    if (qn_buf_status(&frame) == QN_OK)
        send_frame(client, qn_buf_view(&frame));
    else if (strcmp(type, "end") == 0)
        answer_error(client, id, QN_ERR_LIMIT, "too-many", "");
    else
        close_client(client); /* never half an answer */
}

/* The longest beginning of a text that is whole UTF-8. */
static struct qn_span whole_text(const char *text)
{
    struct qn_span span = qn_span_str(text);
    while (span.size > 0 && !qn_text_is_utf8(span))
        span.size--;
    return span;
}

static void answer_error(struct client *client, uint64_t id, enum qn_err err, const char *code,
                         const char *object)
{
    QN_AUTO_BUF struct qn_buf frame;
    qn_buf_init(&frame, 4096);
    qn_pack_map(&frame, 5);
    qn_pack_cstr(&frame, "code");
    qn_pack_cstr(&frame, code);
    qn_pack_cstr(&frame, "err");
    qn_pack_cstr(&frame, qn_err_name(err));
    qn_pack_cstr(&frame, "id");
    qn_pack_u64(&frame, id);
    qn_pack_cstr(&frame, "object");
    qn_pack_str(&frame, whole_text(object));
    qn_pack_cstr(&frame, "type");
    qn_pack_cstr(&frame, "error");
    send_frame(client, qn_buf_view(&frame));
}

static void drop_request(struct client *client, uint64_t token)
{
    for (size_t i = 0; i < client->requests.count; i++)
        if (client->requests.items[i].token == token) {
            qn_stream_free(client->requests.items[i].stream);
            qn_vec_remove(&client->requests, i);
            return;
        }
}

void qn_control_reply(struct qn_control *control, uint64_t token, const struct qn_effect *reply)
{
    qn_vec_each (&control->clients, slot) {
        struct client *client = *slot;
        qn_vec_each (&client->requests, request) {
            if (request->token != token || request->stream != NULL)
                continue;
            uint64_t id = request->id;
            if (reply->reply != QN_REPLY_DATA) {
                drop_request(client, token);
                qn_timer_set(control->again, 0); /* not now: a step runs */
            }
            if (reply->reply == QN_REPLY_ERROR)
                answer_error(client, id, reply->err, reply->code, reply->object);
            else
                answer(client, id, reply->reply == QN_REPLY_DATA ? "data" : "end",
                       qn_span(reply->bytes, reply->size));
            return;
        }
    }
}

/* One slice of one stream; false when it has ended. */
static bool run_stream(struct client *client, struct request *request)
{
    QN_AUTO_BUF struct qn_buf data;
    struct qn_refusal refusal;
    bool is_end = false;
    uint64_t id = request->id;
    qn_buf_init(&data, QN_CONTROL_FRAME_SIZE_MAX - 512);
    if (qn_stream_next(request->stream, client->control->driver, &data, &is_end, &refusal) !=
        QN_OK) {
        answer_error(client, id, refusal.err, refusal.code, refusal.object);
        return false;
    }
    if (is_end) {
        answer(client, id, "end", qn_buf_view(&data));
        return false;
    }
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&data));
    struct qn_span item;
    while (qn_cursor_skip(&cursor, ANSWER_DEPTH_MAX, &item) == QN_OK)
        answer(client, id, "data", item);
    return true;
}

static bool has_room(const struct client *client)
{
    return !client->is_closing && client->queued < QN_CONTROL_QUEUE_MAX;
}

/* A slice of the first stream, if the client reads: others want the loop too. */
static void run_streams(struct client *client)
{
    for (size_t i = 0; i < client->requests.count && has_room(client); i++) {
        struct request *request = &client->requests.items[i];
        if (request->stream == NULL)
            continue;
        uint64_t token = request->token;
        if (!run_stream(client, request))
            drop_request(client, token);
        qn_timer_set(client->control->again, 0);
        return;
    }
}

/* ---- requests ---- */

static void answer_status(struct client *client, uint64_t id, struct qn_span args)
{
    QN_AUTO_BUF struct qn_buf data;
    struct qn_health health;
    if (!args_are_only(args, "")) {
        answer_error(client, id, QN_ERR_INVALID, "bad-request", "status");
        return;
    }
    qn_buf_init(&data, QN_CONTROL_FRAME_SIZE_MAX - 512);
    qn_driver_health(client->control->driver, &health);
    qn_core_status(qn_driver_core(client->control->driver), &health, &data);
    if (qn_buf_status(&data) == QN_OK)
        answer(client, id, "end", qn_buf_view(&data));
    else
        answer_error(client, id, QN_ERR_LIMIT, "too-many", "status");
}

static void answer_log_level(struct client *client, uint64_t id, struct qn_span args)
{
    struct qn_span word;
    char text[16] = "";
    if (args_are_only(args, "level") && args_text(args, "level", sizeof(text) - 1, &word))
        memcpy(text, word.data, word.size);
    if (qn_log_level_parse(text, &client->control->options.log->level))
        answer(client, id, "end", qn_span(NULL, 0));
    else
        answer_error(client, id, QN_ERR_INVALID, "bad-request", "level");
}

static void start_stream(struct client *client, uint64_t id, struct qn_span command,
                         struct qn_span args)
{
    struct qn_refusal refusal;
    struct qn_stream *stream;
    if (qn_stream_open(client->control->driver, command, args, &stream, &refusal) != QN_OK) {
        answer_error(client, id, refusal.err, refusal.code, refusal.object);
        return;
    }
    qn_vec_push(
        &client->requests,
        ((struct request){.token = ++client->control->next_token, .id = id, .stream = stream}));
}

static void handle(struct client *client, uint64_t id, struct qn_span command, struct qn_span args)
{
    struct qn_control *control = client->control;
    if (qn_span_eq_str(command, "status")) {
        answer_status(client, id, args);
    } else if (qn_span_eq_str(command, "log.level")) {
        answer_log_level(client, id, args);
    } else if (qn_stream_knows(command)) {
        start_stream(client, id, command, args);
    } else {
        uint64_t token = ++control->next_token;
        qn_vec_push(&client->requests, ((struct request){.token = token, .id = id}));
        qn_driver_request(control->driver, token, command, args, qn_span_str(client->user));
    }
}

/* {"args": map, "cmd": text, "id": u64}, exactly. */
static enum qn_err read_request(struct qn_span frame, uint64_t *ret_id, struct qn_span *ret_command,
                                struct qn_span *ret_args)
{
    struct qn_cursor cursor = qn_cursor(frame);
    struct qn_span key;
    size_t count;
    QN_TRY(qn_cursor_map(&cursor, 3, &count));
    QN_TRY(qn_cursor_str(&cursor, 8, &key));
    if (count != 3 || !qn_span_eq_str(key, "args"))
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_skip(&cursor, QN_VALUE_DEPTH_MAX + 8, ret_args));
    QN_TRY(qn_cursor_str(&cursor, 8, &key));
    if (!qn_span_eq_str(key, "cmd"))
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_str(&cursor, 64, ret_command));
    QN_TRY(qn_cursor_str(&cursor, 8, &key));
    if (!qn_span_eq_str(key, "id"))
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_u64(&cursor, ret_id));
    return qn_cursor_finish(&cursor);
}

static void drop_hostile(struct client *client)
{
    qn_log_note(client->control->options.log, "bad-request", QN_ERR_INVALID, client->user);
    close_client(client);
}

static void take_frame(struct client *client, struct qn_span frame)
{
    uint64_t id;
    struct qn_span command, args;
    if (read_request(frame, &id, &command, &args) != QN_OK) {
        drop_hostile(client);
        return;
    }
    handle(client, id, command, args);
}

/* A client that does not read its answers, or has many requests under way, is not read. */
static bool may_ask(const struct client *client)
{
    return !client->control->is_stopping && has_room(client) &&
           client->requests.count < QN_CONTROL_REQUESTS_MAX;
}

static void take_input(struct client *client)
{
    while (may_ask(client) && client->in.size >= 4) {
        uint32_t size = qn_read_u32(client->in.data);
        if (size == 0 || size > QN_CONTROL_FRAME_SIZE_MAX) {
            drop_hostile(client);
            return;
        }
        if (client->in.size < 4 + (size_t)size)
            return;
        take_frame(client, qn_span(client->in.data + 4, size));
        if (!client->is_closing)
            qn_buf_consume(&client->in, 4 + (size_t)size);
    }
}

/* ---- libuv ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct client *client = handle->data;
    *buf = uv_buf_init(client->chunk, sizeof(client->chunk));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    if (count < 0) {
        close_client(client);
        return;
    }
    qn_buf_append(&client->in, buf->base, (size_t)count);
    take_turn(client);
}

static void set_reading(struct client *client)
{
    bool wants = may_ask(client);
    if (client->is_closing || wants == client->is_reading)
        return;
    client->is_reading = wants;
    if (!wants)
        uv_read_stop((uv_stream_t *)&client->pipe);
    else if (uv_read_start((uv_stream_t *)&client->pipe, on_alloc, on_read) != 0)
        close_client(client);
}

/* What a client may do now: requests that wait in its buffer, then a slice of a stream. */
static void take_turn(struct client *client)
{
    take_input(client);
    run_streams(client);
    set_reading(client);
}

static void on_again(void *context)
{
    struct qn_control *control = context;
    for (size_t i = control->clients.count; i-- > 0;) /* one may end in its own turn */
        take_turn(control->clients.items[i]);
}

/* Who is at the other end, as the kernel says. */
static void name_user(struct client *client)
{
    struct ucred cred;
    socklen_t size = sizeof(cred);
    int fd;
    snprintf(client->user, sizeof(client->user), "?");
    if (uv_fileno((uv_handle_t *)&client->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0)
        return;
    char memory[4096];
    struct passwd entry, *found = NULL;
    getpwuid_r(cred.uid, &entry, memory, sizeof(memory), &found);
    if (found != NULL && qn_text_is_printable(qn_span_str(entry.pw_name)) &&
        strlen(entry.pw_name) < sizeof(client->user))
        strcpy(client->user, entry.pw_name);
    else
        snprintf(client->user, sizeof(client->user), "%u", cred.uid);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct qn_control *control = listener->data;
    if (status != 0 || control->is_stopping)
        return;
    struct client *client = QN_NEW(struct client);
    client->control = control;
    client->pipe.data = client;
    qn_buf_init(&client->in, QN_CONTROL_FRAME_SIZE_MAX + 4 + sizeof(client->chunk));
    QN_ASSERT(uv_pipe_init(qn_loop_uv(control->options.loop), &client->pipe, 0) == 0);
    control->open_handles++;
    qn_vec_push(&control->clients, client);
    bool is_full = control->clients.count > QN_CONTROL_CLIENTS_MAX;
    if (uv_accept(listener, (uv_stream_t *)&client->pipe) != 0 || is_full) {
        close_client(client);
        return;
    }
    name_user(client);
    set_reading(client);
}

static enum qn_err set_access(const struct qn_control_options *options)
{
    if (chmod(options->path, 0660) != 0)
        return QN_ERR_IO;
    if (options->group[0] == '\0')
        return QN_OK;
    struct stat status;
    struct group *group = getgrnam(options->group);
    if (group != NULL && stat(options->path, &status) == 0 && status.st_gid == group->gr_gid)
        return QN_OK; /* the service may not even try to change it */
    if (group == NULL || chown(options->path, (uid_t)-1, group->gr_gid) != 0) {
        qn_log(options->log, QN_LOG_ERROR,
               "the control socket cannot be given to the group %s; see [control] group",
               options->group);
        return QN_ERR_DENIED;
    }
    return QN_OK;
}

enum qn_err qn_control_new(const struct qn_control_options *options,
                           struct qn_control **ret_control)
{
    if (strlen(options->path) >= sizeof(((struct qn_control *)0)->path)) {
        qn_log(options->log, QN_LOG_ERROR,
               "%s is too long for a socket: choose a shorter state directory", options->path);
        return QN_ERR_LIMIT;
    }
    struct qn_control *control = QN_NEW(struct qn_control);
    control->options = *options;
    strcpy(control->path, options->path);
    control->options.path = control->path;
    unlink(control->path); /* the directory's lock is held: whoever left it is gone */
    QN_ASSERT(uv_pipe_init(qn_loop_uv(options->loop), &control->listener, 0) == 0);
    control->listener.data = control;
    control->again = qn_timer_new(options->loop, on_again, control);
    control->open_handles = 1;
    *ret_control = control;
    int code = uv_pipe_bind(&control->listener, control->path);
    if (code != 0) {
        qn_log(options->log, QN_LOG_ERROR, "%s: %s", control->path, uv_strerror(code));
        return QN_ERR_IO;
    }
    return set_access(&control->options);
}

enum qn_err qn_control_start(struct qn_control *control, struct qn_driver *driver)
{
    control->driver = driver;
    int code = uv_listen((uv_stream_t *)&control->listener, 32, on_connection);
    if (code == 0)
        return QN_OK;
    qn_log(control->options.log, QN_LOG_ERROR, "%s: %s", control->path, uv_strerror(code));
    return QN_ERR_IO;
}

static void listener_gone(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

void qn_control_stop(struct qn_control *control)
{
    control->is_stopping = true;
    unlink(control->path);
    for (size_t i = control->clients.count; i-- > 0;)
        set_reading(control->clients.items[i]);
}

void qn_control_close(struct qn_control *control, void (*on_closed)(void *context), void *context)
{
    control->on_closed = on_closed;
    control->context = context;
    control->driver = NULL;
    qn_timer_free(control->again);
    unlink(control->path);
    while (control->clients.count > 0)
        close_client(control->clients.items[control->clients.count - 1]);
    uv_close((uv_handle_t *)&control->listener, listener_gone);
}
