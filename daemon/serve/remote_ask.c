/* A question of this site's own to another one, for a person: a GET whose answer is awaited whole.
 */
#include <stdio.h>

#include "base/mem.h"
#include "serve/remote_private.h"

struct question {
    struct call call;
    struct qn_buf head, content;
    struct qn_http_body body;
    unsigned status;
    uint64_t end_ms; /* by when it is answered, or given up */
    bool keeps_line;
    qn_serve_reply_fn *done;
    void *context;
};

static struct question *question_of(struct call *call)
{
    return (struct question *)call; /* its first member */
}

/* ---- the end ---- */

static void forget(struct question *question)
{
    struct qn_remote *remote = question->call.remote;
    for (size_t i = 0; i < remote->questions.count; i++)
        if (remote->questions.items[i] == question) {
            qn_vec_remove(&remote->questions, i);
            return;
        }
}

/* It has no line any more. */
static void tell(struct question *question, enum qn_err err)
{
    forget(question);
    question->done(question->context, err, question->status, qn_buf_view(&question->content));
    qn_buf_deinit(&question->head);
    qn_buf_deinit(&question->content);
    qn_free(question);
}

static void finish(struct question *question)
{
    struct line *line = question->call.line;
    question->call.state = CALL_DONE;
    if (question->keeps_line && line_in(line).size == 0)
        line_release(line);
    else
        line_drop(line);
    tell(question, QN_OK);
}

/* The answer makes no sense, or is too long, or does not come. */
static void give_up(struct question *question, enum qn_err err)
{
    question->call.state = CALL_DONE;
    line_forget(&question->call);
    if (question->call.line != NULL)
        line_drop(question->call.line);
    tell(question, err);
}

/* ---- what lines tell ---- */

static void on_line(struct call *call, struct line *line)
{
    call->state = CALL_HEAD;
    /* a line that is given has nothing queued; one that has just ended tells by on_down */
    (void)!qn_stream_send(line->stream, qn_buf_view(&question_of(call)->head), qn_span(NULL, 0));
}

static bool step_head(struct question *question)
{
    struct line *line = question->call.line;
    struct qn_http_head head;
    size_t size;
    struct qn_span bytes = line_in(line);
    if (bytes.size == 0)
        return false;
    enum qn_err err = qn_http_reply_read(bytes, false, &question->status, &head, &size);
    if (err == QN_ERR_HELD)
        return false;
    if (err != QN_OK) {
        give_up(question, QN_ERR_INVALID);
        return false;
    }
    line->in_at += size;
    if (question->status < 200)
        return true;
    question->keeps_line = head.keeps_alive;
    question->call.state = CALL_BODY;
    if (qn_http_reply_has_body(question->status, &head)) {
        qn_http_body_start(&question->body, &head);
        return true;
    }
    finish(question);
    return false;
}

static bool step_body(struct question *question)
{
    struct qn_span bytes = line_in(question->call.line), piece;
    size_t used = 0;
    if (bytes.size == 0)
        return false;
    if (qn_http_body_take(&question->body, bytes, &used, &piece) != QN_OK) {
        give_up(question, QN_ERR_INVALID);
        return false;
    }
    question->call.line->in_at += used;
    qn_buf_append_span(&question->content, piece);
    if (question->content.is_over)
        give_up(question, QN_ERR_LIMIT);
    else if (qn_http_body_is_done(&question->body))
        finish(question);
    else
        return used > 0;
    return false;
}

static bool step(struct call *call)
{
    struct question *question = question_of(call);
    if (call->state == CALL_HEAD)
        return step_head(question);
    return call->state == CALL_BODY && step_body(question);
}

static void line_ended(struct call *call)
{
    if (call->state == CALL_HEAD && !call->was_resent) {
        call->was_resent = true;
        line_wait(call);
        return;
    }
    give_up(question_of(call), QN_ERR_CLOSED);
}

static void line_written(struct call *call) {}

static void offline(struct call *call)
{
    give_up(question_of(call), QN_ERR_CLOSED);
}

static const struct call_ops question_ops = {
    .begin = on_line,
    .step = step,
    .line_ended = line_ended,
    .line_written = line_written,
    .offline = offline,
};

/* ---- the beginning ---- */

static enum qn_err write_head(const struct qn_serve_question *what, struct qn_buf *out)
{
    qn_buf_append_str(out, "GET ");
    qn_buf_append_span(out, what->target);
    qn_buf_append_str(out, " HTTP/1.1\r\n");
    QN_TRY(qn_http_answer_field(out, "Host", qn_span_str("localhost")));
    QN_TRY(qn_http_answer_field(out, REMOTE_PERSON, what->person));
    QN_TRY(qn_http_answer_field(out, REMOTE_RIGHT, qn_span_str("read")));
    qn_http_answer_end(out);
    return qn_buf_status(out);
}

void qn_serve_ask(struct qn_serve *serve, const struct qn_serve_question *what,
                  qn_serve_reply_fn *done, void *context)
{
    struct qn_remote *remote = serve->remote;
    struct question *question = QN_NEW(struct question);
    question->call.ops = &question_ops;
    question->call.remote = remote;
    strncpy(question->call.site, what->site, QN_NAME_SIZE_MAX);
    question->end_ms = serve_now_ms(serve) + QN_WEB_ASK_TIME_MAX_MS;
    question->done = done;
    question->context = context;
    qn_buf_init(&question->head, QN_HTTP_HEAD_SIZE_MAX);
    qn_buf_init(&question->content, QN_WEB_ASK_SIZE_MAX);
    qn_vec_push(&remote->questions, question);
    bool is_full = remote->is_closing || remote->questions.count > QN_WEB_ASKS_MAX;
    if (is_full || write_head(what, &question->head) != QN_OK) {
        give_up(question, QN_ERR_BUSY);
        return;
    }
    serve_keep_time(serve);
    line_wait(&question->call);
}

void questions_check_time(struct qn_remote *remote, uint64_t now_ms)
{
    for (size_t i = remote->questions.count; i-- > 0;)
        if (i < remote->questions.count && now_ms >= remote->questions.items[i]->end_ms)
            give_up(remote->questions.items[i], QN_ERR_TIMEOUT);
}

void questions_end(struct qn_remote *remote)
{
    while (remote->questions.count > 0)
        give_up(remote->questions.items[0], QN_ERR_CLOSED);
}
