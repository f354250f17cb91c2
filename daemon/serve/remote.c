/* A forwarded request: from the person's connection to the other site's, and its answer back. */
#include "serve/remote.h"

#include "base/mem.h"
#include "serve/remote_private.h"

#define QUEUE_HIGH ((size_t)256 * 1024) /* of a body on its way: the person is not read then */

/* ---- is it ours? ---- */

static const char *home_of(const struct qn_web_request *web, struct qn_span folder)
{
    const struct qn_serve_host *host = qn_web_host(web);
    const char *site;
    bool is_online;
    bool is_elsewhere =
        host->elsewhere != NULL && host->elsewhere(host->context, folder, &site, &is_online);
    return is_elsewhere ? site : NULL;
}

static enum qn_right right_of(const struct qn_web_request *web, struct qn_span folder)
{
    const struct qn_people *people = qn_web_people(web);
    return people == NULL ? QN_RIGHT_NONE
                          : qn_people_right(people, qn_web_person(web), QN_THING_FOLDER, folder);
}

/* What may not be seen is not there: that is answered where it is not. */
bool remote_takes(struct qn_web_request *web)
{
    struct folder_path path;
    return qn_web_asked(web)->method != QN_HTTP_OPTIONS &&
           peer_folder_path(qn_buf_view(&web->path), &path) &&
           right_of(web, path.folder) != QN_RIGHT_NONE && home_of(web, path.folder) != NULL;
}

/* ---- the beginning ---- */

static struct forward *forward_of(struct call *call)
{
    return (struct forward *)call; /* its first member */
}

static bool is_reading(const struct qn_http_head *head)
{
    return head->method == QN_HTTP_GET || head->method == QN_HTTP_HEAD ||
           head->method == QN_HTTP_PROPFIND;
}

/* Programs look at single names all the time: that is nobody's business. */
static bool is_noted_before(const struct forward *forward)
{
    const struct qn_http_head *head = qn_web_asked(forward->web);
    const struct qn_http_header *depth = qn_http_header(head, "Depth");
    return head->method != QN_HTTP_PROPFIND || (depth != NULL && qn_span_eq_str(depth->value, "1"));
}

static bool is_trail_open(const struct forward *forward)
{
    const struct qn_serve_host *host = qn_web_host(forward->web);
    return host->note_state == NULL || host->note_state(host->context) == QN_OK;
}

static const struct call_ops forward_ops;

static struct forward *forward_new(struct qn_web_request *web)
{
    const struct qn_http_head *head = qn_web_asked(web);
    struct forward *forward = QN_NEW(struct forward);
    forward->call.ops = &forward_ops;
    forward->call.remote = web->connection->serve->remote;
    forward->web = web;
    (void)peer_folder_path(qn_buf_view(&web->path), &forward->path); /* remote_takes saw to it */
    forward->right = right_of(web, forward->path.folder);
    strncpy(forward->call.site, home_of(web, forward->path.folder), QN_NAME_SIZE_MAX);
    forward->has_body = web->has_body;
    forward->is_read = is_reading(head);
    qn_web_set_state(web, forward);
    return forward;
}

static bool wants_content(const struct forward *forward)
{
    const struct folder_path *path = &forward->path;
    bool is_list = path->is_api && (qn_span_has_prefix(path->rest, qn_span_str("list")) ||
                                    qn_span_eq_str(path->rest, "search"));
    return qn_web_asked(forward->web)->method != QN_HTTP_PROPFIND && !is_list;
}

/* Before anything is sent; what cannot be noted is not done. */
static const char *fault_of(struct forward *forward, unsigned *ret_status)
{
    *ret_status = 403;
    if (forward->right == QN_RIGHT_LIST && wants_content(forward)) {
        (void)forward_note(forward, "denied");
        return "list-only";
    }
    if (!forward->is_read && forward->right != QN_RIGHT_WRITE) {
        (void)forward_note(forward, "denied");
        return "read-only";
    }
    *ret_status = 503;
    bool is_open = forward->is_read ? !is_noted_before(forward) || forward_note(forward, "ok")
                                    : is_trail_open(forward);
    return is_open ? NULL : "audit-failed";
}

static void on_start(struct qn_web_request *web)
{
    struct forward *forward = forward_new(web);
    unsigned status;
    const char *fault = fault_of(forward, &status);
    if (fault == NULL) {
        line_wait(&forward->call);
        return;
    }
    forward->call.state = CALL_DONE;
    qn_web_refuse(web, status, fault, "");
}

static void on_line(struct call *call, struct line *line)
{
    struct forward *forward = forward_of(call);
    QN_AUTO_BUF struct qn_buf head;
    qn_buf_init(&head, QN_HTTP_HEAD_SIZE_MAX);
    forward->call.state = CALL_HEAD;
    if (forward_write_head(forward, &head) != QN_OK) {
        forward->call.state = CALL_DONE;
        qn_web_refuse(forward->web, 431, "head-too-long", "");
        line_release(line);
        return;
    }
    /* a line that is given has nothing queued; one that has just ended tells by on_down */
    (void)!qn_stream_send(line->stream, qn_buf_view(&head), qn_span(NULL, 0));
    if (forward->has_body)
        qn_web_want_body(forward->web);
}

/* ---- the end ---- */

static void note_end(struct forward *forward, const char *result)
{
    if (!forward->is_read && !forward->is_noted)
        (void)forward_note(forward, result);
}

/* Nothing of the answer was sent. */
static void refuse_offline(struct call *call)
{
    struct forward *forward = forward_of(call);
    line_forget(&forward->call);
    forward->call.state = CALL_DONE;
    note_end(forward, "site-offline");
    answer_offline(forward->web, forward->call.site);
}

static bool may_be_resent(const struct forward *forward)
{
    return forward->is_read && !forward->has_body && !forward->call.was_resent;
}

static void line_ended(struct call *call)
{
    struct forward *forward = forward_of(call);
    if (forward->call.state == CALL_HEAD && may_be_resent(forward)) {
        forward->call.was_resent = true;
        line_wait(&forward->call);
    } else if (forward->call.state == CALL_HEAD) {
        refuse_offline(call);
    } else if (forward->call.state == CALL_BODY) {
        forward->call.state = CALL_DONE;
        note_end(forward, "site-offline");
        qn_web_cut(forward->web);
    }
}

/* The answer makes no sense. */
static void break_off(struct forward *forward)
{
    bool was_begun = forward->call.state == CALL_BODY;
    struct line *line = forward->call.line;
    serve_log(forward->call.remote->serve, QN_SERVE_LOG_WARNING,
              "an answer of %s about a folder cannot be understood", forward->call.site);
    forward->call.state = CALL_DONE;
    note_end(forward, "refused");
    line_drop(line);
    if (was_begun)
        qn_web_cut(forward->web);
    else
        qn_web_refuse(forward->web, 502, "bad-answer", forward->call.site);
}

/* The whole answer is here. A body that is still on its way would stand before the next request. */
static void finish(struct forward *forward)
{
    struct line *line = forward->call.line;
    bool is_line_good = forward->keeps_line && line_in(line).size == 0 &&
                        (!forward->has_body || forward->is_body_sent);
    forward->call.state = CALL_DONE;
    qn_web_finish(forward->web);
    if (is_line_good)
        line_release(line);
    else
        line_drop(line);
}

static void on_end(struct qn_web_request *web, bool is_complete)
{
    struct forward *forward = qn_web_state(web);
    note_end(forward, "site-offline"); /* whether it was done nobody here knows */
    line_forget(&forward->call);
    if (forward->call.line != NULL)
        line_drop(forward->call.line);
    qn_free(forward);
}

/* ---- the body, going ---- */

static void send_or_drop(struct forward *forward, struct qn_span head, struct qn_span body)
{
    struct line *line = forward->call.line;
    if (qn_stream_send(line->stream, head, body) == QN_OK)
        return;
    line_drop(line); /* the limit of the queue, which the pause stays far below; or it has ended */
    line_ended(&forward->call);
}

static void on_body(struct qn_web_request *web, struct qn_span piece)
{
    struct forward *forward = qn_web_state(web);
    QN_AUTO_BUF struct qn_buf line;
    qn_buf_init(&line, 64);
    if (forward->call.line == NULL)
        return; /* answered already */
    bool is_chunked = qn_web_asked(web)->is_chunked;
    if (is_chunked)
        qn_http_chunk_line(&line, piece.size);
    send_or_drop(forward, qn_buf_view(&line), piece);
    if (is_chunked && forward->call.line != NULL)
        send_or_drop(forward, qn_span_str("\r\n"), qn_span(NULL, 0));
    if (forward->call.line != NULL && qn_stream_queued(forward->call.line->stream) > QUEUE_HIGH)
        qn_web_pause_body(web, true);
}

static void on_body_end(struct qn_web_request *web)
{
    struct forward *forward = qn_web_state(web);
    forward->is_body_sent = true;
    if (forward->call.line != NULL && qn_web_asked(web)->is_chunked)
        send_or_drop(forward, qn_span_str(QN_HTTP_CHUNK_END), qn_span(NULL, 0));
}

static void line_written(struct call *call)
{
    const struct forward *forward = forward_of(call);
    if (qn_stream_queued(forward->call.line->stream) <= QUEUE_HIGH / 2)
        qn_web_pause_body(forward->web, false);
}

/* ---- the answer, coming ---- */

static void begin_answer(struct forward *forward, unsigned status, const struct qn_http_head *head)
{
    bool is_head = qn_web_asked(forward->web)->method == QN_HTTP_HEAD;
    forward->keeps_line = head->keeps_alive;
    note_end(forward, forward_result(status));
    forward_answer_head(forward, status, head);
    forward->call.state = CALL_BODY;
    if (is_head || !qn_http_reply_has_body(status, head))
        finish(forward);
    else
        qn_http_body_start(&forward->body, head);
}

/* What no site says of a folder, and would mean something else coming from this one. */
static bool is_strange(unsigned status)
{
    return status == 101 || status == 401 || (status >= 300 && status < 400 && status != 304);
}

static bool step_head(struct forward *forward)
{
    struct line *line = forward->call.line;
    struct qn_http_head head;
    unsigned status;
    size_t size;
    bool is_head = qn_web_asked(forward->web)->method == QN_HTTP_HEAD;
    struct qn_span bytes = line_in(line);
    if (bytes.size == 0)
        return false;
    enum qn_err err = qn_http_reply_read(bytes, is_head, &status, &head, &size);
    if (err == QN_ERR_HELD)
        return false;
    if (err != QN_OK || is_strange(status)) {
        break_off(forward);
        return false;
    }
    line->in_at += size;
    if (status >= 200)
        begin_answer(forward, status, &head);
    return true;
}

static bool step_body(struct forward *forward)
{
    struct line *line = forward->call.line;
    struct qn_span bytes = line_in(line), piece;
    size_t room = qn_web_room(forward->web), used = 0;
    if (room == 0 || bytes.size == 0)
        return false;
    bytes.size = bytes.size < room ? bytes.size : room;
    if (qn_http_body_take(&forward->body, bytes, &used, &piece) != QN_OK) {
        break_off(forward);
        return false;
    }
    qn_web_send(forward->web, piece);
    line->in_at += used;
    if (qn_http_body_is_done(&forward->body)) {
        finish(forward);
        return false;
    }
    return used > 0;
}

static bool step(struct call *call)
{
    struct forward *forward = forward_of(call);
    switch (forward->call.state) {
    case CALL_HEAD:
        return step_head(forward) && forward->call.line != NULL;
    case CALL_BODY:
        return step_body(forward);
    case CALL_WAITING:
    case CALL_DONE:
        return false;
    }
    return false;
}

static const struct call_ops forward_ops = {
    .begin = on_line,
    .step = step,
    .line_ended = line_ended,
    .line_written = line_written,
    .offline = refuse_offline,
};

static void on_room(struct qn_web_request *web)
{
    struct forward *forward = qn_web_state(web);
    while (forward->call.line != NULL && step(&forward->call))
        ;
    if (forward->call.line != NULL)
        line_set_reading(forward->call.line);
}

const struct qn_web_handler remote_handler = {
    .start = on_start, .body = on_body, .body_end = on_body_end, .room = on_room, .end = on_end};
