#include "support/fake_web.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "serve/dav.h"
#include "people/audit.h"

struct qn_web_request {
    struct fake_web *web;
    struct qn_http_head head;
    struct qn_buf text, path;
    struct qn_span query, body;
    void *state;
    bool wants_body, is_paused, has_ended_body;
};

/* ---- what was asked ---- */

const struct qn_http_head *qn_web_asked(const struct qn_web_request *request)
{
    return &request->head;
}

struct qn_span qn_web_path(const struct qn_web_request *request)
{
    return qn_buf_view(&request->path);
}

struct qn_span qn_web_query(const struct qn_web_request *request)
{
    return request->query;
}

const struct qn_person *qn_web_person(const struct qn_web_request *request)
{
    return request->web->person.name[0] == '\0' ? NULL : &request->web->person;
}

const char *qn_web_from(const struct qn_web_request *request)
{
    return "192.0.2.1";
}

const struct qn_serve_host *qn_web_host(const struct qn_web_request *request)
{
    return &request->web->host;
}

struct qn_dav *qn_web_dav(const struct qn_web_request *request)
{
    return request->web->dav;
}

const struct qn_people *qn_web_people(const struct qn_web_request *request)
{
    return request->web->people;
}

const struct qn_serve_door *qn_web_door(const struct qn_web_request *request)
{
    return &request->web->door;
}

void qn_web_set_state(struct qn_web_request *request, void *state)
{
    request->state = state;
}

void *qn_web_state(const struct qn_web_request *request)
{
    return request->state;
}

/* ---- the body ---- */

void qn_web_want_body(struct qn_web_request *request)
{
    request->wants_body = true;
}

void qn_web_pause_body(struct qn_web_request *request, bool is_paused)
{
    request->is_paused = is_paused;
}

/* ---- the answer ---- */

struct qn_buf *qn_web_head(struct qn_web_request *request, unsigned status, uint64_t size)
{
    struct fake_web *web = request->web;
    cr_assert_eq(web->status, 0, "a second answer");
    web->status = status;
    qn_http_answer_start(&web->answer, status);
    if (size != QN_HTTP_NO_LENGTH)
        qn_http_answer_number(&web->answer, "Content-Length", size);
    return &web->answer;
}

void qn_web_head_end(struct qn_web_request *request)
{
    qn_http_answer_end(&request->web->answer);
    request->web->head_size = request->web->answer.size;
}

size_t qn_web_room(const struct qn_web_request *request)
{
    return request->web->sends > 0 ? 0 : request->web->room;
}

void qn_web_send(struct qn_web_request *request, struct qn_span bytes)
{
    struct fake_web *web = request->web;
    cr_assert(web->head_size > 0 && !web->is_finished && !web->is_cut);
    cr_assert_leq(bytes.size, qn_web_room(request));
    qn_buf_append_span(&web->answer, bytes);
    web->sends++;
}

void qn_web_finish(struct qn_web_request *request)
{
    cr_assert(!request->web->is_finished && request->web->head_size > 0);
    request->web->is_finished = true;
}

void qn_web_refuse(struct qn_web_request *request, unsigned status, const char *code,
                   const char *object)
{
    (void)qn_web_head(request, status, QN_HTTP_NO_LENGTH);
    qn_web_head_end(request);
    qn_buf_printf(&request->web->answer, "%s %s", code, object);
    request->web->is_finished = true;
}

void qn_web_refuse_with(struct qn_web_request *request, unsigned status, const char *code,
                        const char *field, const char *value)
{
    struct qn_buf *head = qn_web_head(request, status, QN_HTTP_NO_LENGTH);
    cr_assert_eq(qn_http_answer_field(head, field, qn_span_str(value)), QN_OK);
    qn_web_head_end(request);
    qn_buf_append_str(&request->web->answer, code);
    request->web->is_finished = true;
}

void qn_web_answer(struct qn_web_request *request, unsigned status, const char *type,
                   struct qn_span body)
{
    struct qn_buf *head = qn_web_head(request, status, body.size);
    cr_assert_eq(qn_http_answer_field(head, "Content-Type", qn_span_str(type)), QN_OK);
    qn_web_head_end(request);
    qn_buf_append_span(&request->web->answer, body);
    request->web->is_finished = true;
}

void qn_web_cut(struct qn_web_request *request)
{
    request->web->is_cut = true;
}

/* ---- the host ---- */

static uint64_t command(void *context, const char *name, struct qn_span args, struct qn_span user,
                        void (*answer)(void *answer_context, const struct qn_serve_answer *answer),
                        void *answer_context)
{
    struct fake_web *web = context;
    struct fake_command *slot = qn_vec_push_slot(&web->commands);
    *slot = (struct fake_command){
        .answer = answer, .context = answer_context, .token = web->commands.count};
    cr_assert(qn_span_eq_str(user, web->person.name));
    (void)snprintf(slot->name, sizeof(slot->name), "%s", name);
    qn_buf_init(&slot->args, args.size);
    qn_buf_append_span(&slot->args, args);
    return slot->token;
}

static void pause(void *context, uint64_t token, bool is_paused)
{
    struct fake_web *web = context;
    web->commands.items[token - 1].is_paused = is_paused;
}

static void cancel(void *context, uint64_t token)
{
    struct fake_web *web = context;
    web->commands.items[token - 1].is_over = true;
}

static struct qn_folder *folder(void *context, struct qn_span name)
{
    struct fake_web *web = context;
    return qn_span_eq_str(name, "docs") ? web->folder : NULL;
}

static void each_folder(void *context, void (*each)(void *, struct qn_span), void *each_context)
{
    each(each_context, qn_span_str("docs"));
    each(each_context, qn_span_str("secret"));
}

static enum qn_err note(void *context, const struct qn_audit_what *what)
{
    struct fake_web *web = context;
    memcpy(web->note_before, web->note, sizeof(web->note));
    (void)snprintf(web->note, sizeof(web->note), "%.*s %.*s %s %.*s %s", (int)what->actor.size,
                   (const char *)what->actor.data, (int)what->device.size,
                   (const char *)what->device.data, what->action, (int)what->object.size,
                   (const char *)what->object.data, what->result);
    return web->note_err;
}

/* Three days after a time of 1,000,000. */
static uint64_t wall_ms(void *context)
{
    return 1000000 + UINT64_C(3) * 86400 * 1000;
}

void fake_web_init(struct fake_web *web, const struct qn_web_handler *handler)
{
    *web = (struct fake_web){.handler = handler, .room = 1 << 20};
    web->host = (struct qn_serve_host){.context = web,
                                       .command = command,
                                       .pause = pause,
                                       .cancel = cancel,
                                       .folder = folder,
                                       .each_folder = each_folder,
                                       .note = note,
                                       .wall_ms = wall_ms};
    qn_buf_init(&web->answer, 64 << 20);
}

static void end_request(struct fake_web *web)
{
    struct qn_web_request *request = web->request;
    if (request == NULL)
        return;
    web->request = NULL;
    web->handler->end(request, web->is_finished);
    qn_buf_deinit(&request->text);
    qn_buf_deinit(&request->path);
    qn_free(request);
}

void fake_web_leave(struct fake_web *web)
{
    end_request(web);
    qn_vec_each (&web->commands, slot)
        cr_assert(slot->is_over, "%s goes on for nobody", slot->name);
}

void fake_web_deinit(struct fake_web *web)
{
    fake_web_leave(web);
    qn_vec_each (&web->commands, slot)
        qn_buf_deinit(&slot->args);
    qn_vec_free(&web->commands);
    qn_buf_deinit(&web->answer);
}

static struct qn_web_request *request_new(struct fake_web *web, const char *line,
                                          const char *fields, const char *body)
{
    struct qn_web_request *request = QN_NEW(struct qn_web_request);
    struct qn_http_refusal refusal = {0};
    struct qn_http_target target;
    size_t size;
    bool ends;
    request->web = web;
    qn_buf_init(&request->text, 65536);
    qn_buf_init(&request->path, QN_HTTP_PATH_SIZE_MAX);
    qn_buf_printf(&request->text, "%s HTTP/1.1\r\nHost: a\r\n%s", line, fields);
    if (body != NULL && strstr(fields, "chunked") == NULL)
        qn_buf_printf(&request->text, "Content-Length: %zu\r\n", strlen(body));
    qn_buf_append_str(&request->text, "\r\n");
    cr_assert_eq(qn_http_head_read(qn_buf_view(&request->text), &request->head, &size, &refusal),
                 QN_OK, "%s: %s", line, refusal.why == NULL ? "" : refusal.why);
    cr_assert_eq(qn_http_target_split(request->head.target, &target), QN_OK);
    cr_assert_eq(qn_http_path_decode(target.path, &request->path, &ends), QN_OK);
    request->query = target.query;
    request->body = qn_span_str(body == NULL ? "" : body);
    return request;
}

void fake_web_ask(struct fake_web *web, const char *line, const char *fields, const char *body)
{
    fake_web_leave(web);
    qn_buf_reset(&web->answer);
    web->head_size = web->status = 0;
    web->is_finished = web->is_cut = web->is_ended = false;
    web->sends = 0;
    web->request = request_new(web, line, fields, body);
    web->handler->start(web->request);
    fake_web_turn(web);
}

/* In small pieces, as they may come. */
static bool give_body(struct fake_web *web)
{
    struct qn_web_request *request = web->request;
    if (!request->wants_body || request->is_paused || request->has_ended_body)
        return false;
    size_t size = request->body.size < 7 ? request->body.size : 7;
    if (size > 0) {
        struct qn_span piece = qn_span(request->body.data, size);
        request->body = qn_span_from(request->body, size);
        web->handler->body(request, piece);
    } else {
        request->has_ended_body = true;
        web->handler->body_end(request);
    }
    return true;
}

void fake_web_turn(struct fake_web *web)
{
    bool moved = true;
    while (moved && web->request != NULL && !web->is_finished && !web->is_cut) {
        moved = give_body(web);
        if (web->sends > 0) {
            web->sends = 0;
            web->handler->room(web->request);
            moved = true;
        }
    }
}

void fake_web_drive(struct fake_web *web, bool (*drive)(void *context), void *context)
{
    while (!web->is_finished && !web->is_cut && drive(context))
        fake_web_turn(web);
}

struct fake_command *fake_web_command(struct fake_web *web, const char *name)
{
    cr_assert_gt(web->commands.count, 0, "no command was asked: %u %.*s", web->status,
                 (int)fake_web_content(web).size, (const char *)fake_web_content(web).data);
    struct fake_command *slot = &web->commands.items[web->commands.count - 1];
    cr_assert(!slot->is_over, "%s is over", slot->name);
    cr_assert_str_eq(slot->name, name);
    return slot;
}

static void tell(struct fake_web *web, const struct qn_serve_answer *answer)
{
    struct fake_command slot = web->commands.items[web->commands.count - 1];
    cr_assert(!slot.is_over);
    web->commands.items[web->commands.count - 1].is_over = answer->kind != QN_SERVE_DATA;
    slot.answer(slot.context, answer);
    fake_web_turn(web);
}

void fake_web_data(struct fake_web *web, struct qn_span data)
{
    tell(web, &(struct qn_serve_answer){.kind = QN_SERVE_DATA, .data = data});
}

void fake_web_end(struct fake_web *web, struct qn_span data)
{
    tell(web, &(struct qn_serve_answer){.kind = QN_SERVE_END, .data = data});
}

void fake_web_error(struct fake_web *web, const char *code)
{
    tell(web, &(struct qn_serve_answer){.kind = QN_SERVE_ERROR, .code = code, .object = "it"});
}

struct qn_span fake_web_content(const struct fake_web *web)
{
    return qn_span_from(qn_buf_view(&web->answer), web->head_size);
}

bool fake_web_has_field(const struct fake_web *web, const char *line)
{
    QN_AUTO_BUF struct qn_buf wanted;
    qn_buf_init(&wanted, 1024);
    qn_buf_printf(&wanted, "\r\n%s\r\n", line);
    return web->head_size > 0 &&
           memmem(web->answer.data, web->head_size, wanted.data, wanted.size) != NULL;
}
