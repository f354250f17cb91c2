/* Answers on their way out. */
#include <stdio.h>

#include "base/assert.h"
#include "serve/api_private.h"

#define DEVICE_AGE       "; Max-Age=34560000" /* 400 days: more no browser keeps */
#define MESSAGE_SIZE_MAX 1024

/* A text of ours, or one that was checked to be printable. */
static void put_field(struct qn_buf *head, const char *name, const char *value)
{
    enum qn_err err = qn_http_answer_field(head, name, qn_span_str(value));
    QN_ASSERT(err == QN_OK);
}

void api_refuse(struct api *api, unsigned status, const char *code, struct qn_span object)
{
    char text[QN_KEY_SIZE_MAX + 1];
    if (api->is_answered) {
        if (!api->is_whole)
            qn_web_cut(api->request);
        return;
    }
    api->is_answered = api->is_whole = true;
    api_cancel(api);
    qn_buf_reset(&api->out);
    (void)snprintf(text, sizeof(text), "%.*s", (int)(object.size < 256 ? object.size : 255),
                   object.size > 0 ? (const char *)object.data : "");
    qn_web_refuse(api->request, status, code, text);
    api_note(api, "refused", code);
}

static void start_head(struct api *api, unsigned status, uint64_t size, const char *type,
                       const char *etag)
{
    struct qn_buf *head = qn_web_head(api->request, status, size);
    QN_ASSERT(!api->is_answered);
    api->is_answered = api->is_streamed = true;
    if (type != NULL)
        put_field(head, "Content-Type", type);
    if (etag != NULL)
        put_field(head, "ETag", etag);
    qn_web_head_end(api->request);
}

void api_answer(struct api *api, unsigned status, const char *etag)
{
    qn_buf_append_u8(&api->out, '\n');
    if (qn_buf_status(&api->out) != QN_OK) {
        api_refuse(api, 500, "record-too-large", qn_span_str(""));
        return;
    }
    start_head(api, status, api->out.size, "application/json", etag);
    api_end_stream(api);
}

void api_refuse_retry(struct api *api, unsigned status, const char *code, unsigned retry_s)
{
    QN_AUTO_BUF struct qn_buf message;
    qn_buf_init(&message, MESSAGE_SIZE_MAX);
    qn_web_message(api->request, code, &message);
    qn_buf_reset(&api->out);
    qn_buf_append_str(&api->out, "{\"error\":{\"code\":");
    qn_json_text(&api->out, qn_span_str(code));
    qn_buf_append_str(&api->out, ",\"message\":");
    qn_json_text(&api->out, qn_buf_view(&message));
    qn_buf_append_str(&api->out, ",\"object\":\"\"}}\n");
    struct qn_buf *head = qn_web_head(api->request, status, api->out.size);
    api->is_answered = api->is_streamed = true;
    put_field(head, "Content-Type", "application/json");
    qn_http_answer_number(head, "Retry-After", retry_s > 0 ? retry_s : 1);
    qn_web_head_end(api->request);
    api_note(api, "refused", code);
    api_end_stream(api);
}

/* "__Host-": only over TLS, for this host alone; no page of another site sends it along. */
static void put_cookie(struct qn_buf *head, const char *name, const char *value, const char *age)
{
    char text[QN_DOOR_SECRET_SIZE + 128];
    (void)snprintf(text, sizeof(text), "%s=%.*s; Path=/; Secure; HttpOnly; SameSite=Strict%s", name,
                   QN_DOOR_SECRET_SIZE, value, age);
    put_field(head, "Set-Cookie", text);
}

void api_answer_cookie(struct api *api, unsigned status, const char *cookie, const char *device)
{
    struct qn_buf *head = qn_web_head(api->request, status, api->out.size);
    api->is_answered = api->is_streamed = true;
    if (api->out.size > 0)
        put_field(head, "Content-Type", "application/json");
    put_field(head, "Cache-Control", "no-store");
    put_cookie(head, QN_DOOR_COOKIE, cookie, cookie[0] == '\0' ? "; Max-Age=0" : "");
    if (device[0] != '\0')
        put_cookie(head, QN_DOOR_DEVICE_COOKIE, device, DEVICE_AGE);
    qn_web_head_end(api->request);
    api_end_stream(api);
}

void api_answer_empty(struct api *api, unsigned status, const char *etag)
{
    qn_buf_reset(&api->out);
    start_head(api, status, 0, NULL, etag);
    api_end_stream(api);
}

void api_start_stream(struct api *api, const char *type)
{
    start_head(api, 200, QN_HTTP_NO_LENGTH, type, NULL);
}

/* Whoever makes more waits while the client has not taken what there is. */
static void set_pause(struct api *api)
{
    bool is_full = api->out.size > QN_API_OUT_HIGH;
    if (!api->has_command || is_full == api->is_paused)
        return;
    api->is_paused = is_full;
    api->host->pause(api->host->context, api->command, is_full);
}

void api_push(struct api *api)
{
    if (!api->is_streamed)
        return;
    if (qn_buf_status(&api->out) != QN_OK) {
        api->is_streamed = false;
        api->is_whole = true;
        qn_web_cut(api->request);
        return;
    }
    size_t room = qn_web_room(api->request);
    size_t size = api->out.size < room ? api->out.size : room;
    if (size > 0)
        qn_web_send(api->request, qn_span(api->out.data, size));
    qn_buf_consume(&api->out, size);
    set_pause(api);
    if (api->is_whole && api->out.size == 0) {
        api->is_streamed = false;
        qn_web_finish(api->request);
    }
}

void api_end_stream(struct api *api)
{
    api->is_whole = true;
    api_push(api);
}
