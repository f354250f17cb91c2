/* What clients ask: who answers, and the answers (docs/control.md). */
#include "app/control_impl.h"
#include "app/new_name.h"
#include "base/text.h"
#include "core/args.h"
#include "proto/pack.h"

#define ANSWER_DEPTH_MAX (QN_VALUE_DEPTH_MAX + 8)

/* ---- answers ---- */

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
        client_send(client, qn_buf_view(&frame));
    else if (strcmp(type, "end") == 0)
        answer_error(client, id, QN_ERR_LIMIT, "too-many", "");
    else
        client_close(client); /* never half an answer */
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
    client_send(client, qn_buf_view(&frame));
}

void request_release(struct request *request)
{
    qn_stream_free(request->stream);
    if (request->view != NULL)
        qn_view_free(request->view);
}

static void drop_request(struct client *client, uint64_t token)
{
    for (size_t i = 0; i < client->requests.count; i++)
        if (client->requests.items[i].token == token) {
            request_release(&client->requests.items[i]);
            qn_vec_remove(&client->requests, i);
            return;
        }
}

void qn_control_reply(struct qn_control *control, uint64_t token, const struct qn_effect *reply)
{
    qn_vec_each (&control->clients, slot) {
        struct client *client = *slot;
        qn_vec_each (&client->requests, request) {
            if (request->token != token || request->stream != NULL || request->view != NULL)
                continue;
            uint64_t id = request->id;
            if (reply->reply != QN_REPLY_DATA) {
                control_note_end(client, request->note,
                                 reply->reply == QN_REPLY_ERROR ? reply->code : "ok");
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

/* What a view has ready, as its thread made it; false when it has ended. */
static bool run_view(struct client *client, struct request *request, bool *ret_waits)
{
    struct qn_buf frames;
    struct qn_refusal refusal;
    bool is_end;
    if (qn_view_next(request->view, &frames, &is_end, ret_waits, &refusal) != QN_OK) {
        answer_error(client, request->id, refusal.err, refusal.code, refusal.object);
        return false;
    }
    if (frames.size > 0)
        client_send_frames(client, &frames);
    return !is_end;
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

/* A slice of the first stream, if the client reads: others want the loop too. */
void request_run_streams(struct client *client)
{
    for (size_t i = 0; i < client->requests.count && client_has_room(client); i++) {
        struct request *request = &client->requests.items[i];
        if (request->stream == NULL && request->view == NULL)
            continue;
        uint64_t token = request->token;
        bool waits = false;
        bool goes_on =
            request->view != NULL ? run_view(client, request, &waits) : run_stream(client, request);
        if (!goes_on)
            drop_request(client, token);
        else if (waits)
            continue;
        qn_timer_set(client->control->again, 0);
        return;
    }
}

/* ---- requests ---- */

static void answer_status(struct client *client, uint64_t id, struct qn_span args)
{
    if (!args_are_only(args, "")) {
        answer_error(client, id, QN_ERR_INVALID, "bad-request", "status");
        return;
    }
    QN_AUTO_BUF struct qn_buf data;
    struct qn_health health;
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
    if (qn_log_level_parse(text, &client->control->options.log->level)) {
        control_note_end(client, control_note_new(client, qn_span_str("log.level"), args), "ok");
        answer(client, id, "end", qn_span(NULL, 0));
    } else {
        answer_error(client, id, QN_ERR_INVALID, "bad-request", "level");
    }
}

static void answer_serve(struct client *client, uint64_t id, struct qn_span command,
                         struct qn_span args)
{
    struct qn_https *const *https = client->control->options.https;
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, QN_CONTROL_FRAME_SIZE_MAX - 512);
    if (!args_are_only(args, "")) {
        answer_error(client, id, QN_ERR_INVALID, "bad-request", "serve");
        return;
    }
    enum qn_err err = QN_ERR_NOTFOUND;
    if (https != NULL && *https != NULL)
        err = qn_span_eq_str(command, "serve.status") ? qn_https_status(*https, &data)
                                                      : qn_https_authority(*https, &data);
    if (err == QN_OK)
        answer(client, id, "end", qn_buf_view(&data));
    else
        answer_error(client, id, err, "no-authority", "");
}

/* Before anything is shown. */
static void note_reading(struct client *client, struct qn_span command, struct qn_span args)
{
    control_note_end(client, control_note_new(client, command, args), "ok");
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
    note_reading(client, command, args);
    qn_vec_push(
        &client->requests,
        ((struct request){.token = ++client->control->next_token, .id = id, .stream = stream}));
}

static void start_view(struct client *client, uint64_t id, struct qn_span command,
                       struct qn_span args)
{
    struct qn_refusal refusal;
    struct qn_view *view;
    struct qn_view_ask ask = {.id = id,
                              .command = command,
                              .args = args,
                              .caller =
                                  control_rank(client) < QN_RANK_ADMIN ? &client->caller : NULL};
    if (qn_view_open(client->control->options.views, &ask, &view, &refusal) != QN_OK) {
        answer_error(client, id, refusal.err, refusal.code, refusal.object);
        return;
    }
    note_reading(client, command, args);
    qn_vec_push(&client->requests,
                ((struct request){.token = ++client->control->next_token, .id = id, .view = view}));
}

/* False after a refusal. */
static bool may_ask_for(struct client *client, uint64_t id, struct qn_span command,
                        struct qn_span args)
{
    struct qn_refusal refusal;
    if (control_judge(client, command, args, &refusal) == QN_OK)
        return true;
    answer_error(client, id, refusal.err, refusal.code, refusal.object);
    return false;
}

/* False after a refusal. */
static bool has_fine_name(struct client *client, uint64_t id, struct qn_span command,
                          struct qn_span args)
{
    struct qn_refusal refusal;
    const struct qn_control *control = client->control;
    const struct qn_people *people =
        control->options.staff != NULL ? qn_staff_people(control->options.staff) : NULL;
    if (qn_new_name_check(qn_driver_core(control->driver), people, command, args, &refusal) ==
        QN_OK)
        return true;
    answer_error(client, id, refusal.err, refusal.code, refusal.object);
    return false;
}

void client_start_request(struct client *client, uint64_t id, struct qn_span command,
                          struct qn_span args)
{
    struct qn_control *control = client->control;
    if (!may_ask_for(client, id, command, args) || !has_fine_name(client, id, command, args))
        return;
    if (qn_span_eq_str(command, "status")) {
        answer_status(client, id, args);
    } else if (qn_span_eq_str(command, "log.level")) {
        answer_log_level(client, id, args);
    } else if (qn_span_eq_str(command, "serve.status") ||
               qn_span_eq_str(command, "serve.authority")) {
        answer_serve(client, id, command, args);
    } else if (qn_stream_knows(command)) {
        start_stream(client, id, command, args);
    } else if (control->options.views != NULL && qn_view_knows(command)) {
        start_view(client, id, command, args);
    } else if (control->options.staff != NULL && qn_staff_knows(command)) {
        uint64_t token = ++control->next_token;
        qn_vec_push(&client->requests, ((struct request){.token = token, .id = id}));
        qn_staff_order(control->options.staff, token, command, args,
                       qn_span_str(client->caller.user));
    } else {
        uint64_t token = ++control->next_token;
        struct control_note *note = control_note_new(client, command, args);
        qn_vec_push(&client->requests, ((struct request){.token = token, .id = id, .note = note}));
        qn_driver_request(control->driver, token, command, args, qn_span_str(client->caller.user));
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

void request_drop_hostile(struct client *client)
{
    qn_log_note(client->control->options.log, "bad-request", QN_ERR_INVALID, client->caller.user);
    client_close(client);
}

void request_take_frame(struct client *client, struct qn_span frame)
{
    uint64_t id;
    struct qn_span command, args;
    if (read_request(frame, &id, &command, &args) != QN_OK) {
        request_drop_hostile(client);
        return;
    }
    client_start_request(client, id, command, args);
}
