/* Commands from inside the daemon (serve): a client without a socket, with one request, that goes
 * the same way as those of connections. */
#include "app/control_impl.h"
#include "proto/cursor.h"

#define ANSWER_DEPTH_MAX (QN_VALUE_DEPTH_MAX + 8)
#define WORD_SIZE_MAX    160

struct local {
    uint64_t token;
    struct qn_buf command, args;
    bool is_started, is_paused, is_in_turn, is_refused;
    QN_VEC(struct qn_buf) frames; /* whole frames with their lengths, that wait */
    size_t at;                    /* what of the first of them was told */
    void (*answer)(void *context, const struct qn_serve_answer *answer);
    void *context;
};

/* ---- life ---- */

static void free_frames(struct client *client)
{
    struct local *local = client->local;
    qn_vec_each (&local->frames, frames)
        qn_buf_deinit(frames);
    qn_vec_free(&local->frames);
}

static void local_free(struct client *client)
{
    struct local *local = client->local;
    free_frames(client);
    qn_buf_deinit(&local->command);
    qn_buf_deinit(&local->args);
    qn_vec_free(&client->requests);
    qn_caller_deinit(&client->caller);
    qn_free(local);
    qn_free(client);
}

void control_local_close(struct client *client)
{
    client_detach(client);
    client->control->local_count--;
    if (!client->local->is_in_turn)
        local_free(client);
}

static struct client *local_find(struct qn_control *control, uint64_t token)
{
    qn_vec_each (&control->clients, client)
        if ((*client)->local != NULL && (*client)->local->token == token)
            return *client;
    return NULL;
}

uint64_t qn_control_ask(struct qn_control *control, const char *command, struct qn_span args,
                        struct qn_span user,
                        void (*answer)(void *context, const struct qn_serve_answer *answer),
                        void *context)
{
    struct client *client = QN_NEW(struct client);
    struct local *local = client->local = QN_NEW(struct local);
    size_t size = user.size < QN_USER_SIZE_MAX ? user.size : QN_USER_SIZE_MAX;
    client->control = control;
    memcpy(client->caller.user, user.data, size);
    local->token = ++control->next_token;
    local->answer = answer;
    local->context = context;
    local->is_refused = control->local_count >= QN_WEB_COMMANDS_MAX;
    qn_buf_init(&local->command, WORD_SIZE_MAX);
    qn_buf_append_str(&local->command, command);
    qn_buf_init(&local->args, QN_CONTROL_FRAME_SIZE_MAX);
    qn_buf_append_span(&local->args, args);
    control->local_count++;
    qn_vec_push(&control->clients, client);
    qn_control_wake(control);
    return local->token;
}

void qn_control_pause(struct qn_control *control, uint64_t token, bool is_paused)
{
    struct client *client = local_find(control, token);
    if (client == NULL || client->local->is_paused == is_paused)
        return;
    client->local->is_paused = is_paused;
    qn_control_wake(control);
}

void qn_control_cancel(struct qn_control *control, uint64_t token)
{
    struct client *client = local_find(control, token);
    if (client != NULL)
        client_close(client);
}

bool local_has_room(const struct client *client)
{
    return !client->local->is_paused;
}

/* ---- answers ---- */

/* Told in a turn: here a step of the core may run. */
void control_local_send(struct client *client, struct qn_buf *take_frames)
{
    client->queued += take_frames->size;
    qn_vec_push(&client->local->frames, *take_frames);
    *take_frames = (struct qn_buf){0};
    if (client->control->driver != NULL)
        qn_control_wake(client->control);
}

struct words {
    char type[8], code[64], err[32], object[WORD_SIZE_MAX * 4];
};

static enum qn_err read_word(struct qn_cursor *cursor, char *out, size_t room)
{
    struct qn_span text;
    QN_TRY(qn_cursor_str(cursor, room - 1, &text));
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return QN_OK;
}

static enum qn_err read_field(struct qn_cursor *cursor, struct words *words,
                              struct qn_serve_answer *answer)
{
    struct qn_span key, skipped;
    QN_TRY(qn_cursor_str(cursor, 8, &key));
    if (qn_span_eq_str(key, "data"))
        return qn_cursor_skip(cursor, ANSWER_DEPTH_MAX, &answer->data);
    if (qn_span_eq_str(key, "type"))
        return read_word(cursor, words->type, sizeof(words->type));
    if (qn_span_eq_str(key, "code"))
        return read_word(cursor, words->code, sizeof(words->code));
    if (qn_span_eq_str(key, "err"))
        return read_word(cursor, words->err, sizeof(words->err));
    if (qn_span_eq_str(key, "object"))
        return read_word(cursor, words->object, sizeof(words->object));
    return qn_cursor_skip(cursor, ANSWER_DEPTH_MAX, &skipped);
}

/* A frame of control_request.c's own making. */
static void read_frame(struct qn_span frame, struct words *words, struct qn_serve_answer *answer)
{
    struct qn_cursor cursor = qn_cursor(frame);
    size_t count = 0;
    *words = (struct words){.code = "internal", .err = "state"};
    *answer = (struct qn_serve_answer){.kind = QN_SERVE_ERROR};
    enum qn_err err = qn_cursor_map(&cursor, 5, &count);
    for (size_t i = 0; i < count && err == QN_OK; i++)
        err = read_field(&cursor, words, answer);
    if (err == QN_OK && strcmp(words->type, "data") == 0)
        answer->kind = QN_SERVE_DATA;
    else if (err == QN_OK && strcmp(words->type, "end") == 0)
        answer->kind = QN_SERVE_END;
    answer->err = qn_err_from_name(words->err);
    answer->code = words->code;
    answer->object = words->object;
}

/* The next frame; false: none is left. */
static bool next_frame(struct client *client, struct qn_span *ret_frame)
{
    struct local *local = client->local;
    while (local->frames.count > 0) {
        struct qn_buf *first = &local->frames.items[0];
        if (local->at < first->size) {
            uint32_t size = qn_read_u32(first->data + local->at);
            *ret_frame = qn_span(first->data + local->at + 4, size);
            local->at += 4 + (size_t)size;
            return true;
        }
        client->queued -= first->size;
        client_reuse(client, first);
        qn_vec_remove(&local->frames, 0);
        local->at = 0;
    }
    return false;
}

static void tell(struct client *client)
{
    struct local *local = client->local;
    struct qn_span frame;
    while (!client->is_closing && !local->is_paused && next_frame(client, &frame)) {
        struct words words;
        struct qn_serve_answer answer;
        read_frame(frame, &words, &answer);
        if (answer.kind != QN_SERVE_DATA)
            client_close(client); /* freed behind the turn */
        local->answer(local->context, &answer);
    }
}

static void refuse(struct client *client)
{
    static const struct qn_serve_answer busy = {
        .kind = QN_SERVE_ERROR, .err = QN_ERR_BUSY, .code = "busy", .object = ""};
    struct local *local = client->local;
    client_close(client);
    local->answer(local->context, &busy);
}

static void start(struct client *client)
{
    struct local *local = client->local;
    if (local->is_started)
        return;
    local->is_started = true;
    if (local->is_refused)
        refuse(client);
    else
        client_start_request(client, 1, qn_buf_view(&local->command), qn_buf_view(&local->args));
}

void local_take_turn(struct client *client)
{
    client->local->is_in_turn = true;
    start(client);
    tell(client);
    if (!client->is_closing)
        request_run_streams(client);
    tell(client);
    client->local->is_in_turn = false;
    if (client->is_closing)
        local_free(client);
}
