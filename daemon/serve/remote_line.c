/* Connections to other sites, kept between requests, and who gets one. */
#include "base/assert.h"
#include "base/mem.h"
#include "serve/remote_private.h"

/* In which the other site takes nothing of what it is sent: it is gone. */
#define UNACKED_MS 10000

static struct line *find(const struct qn_remote *remote, uint64_t tag)
{
    qn_vec_each (&remote->lines, slot)
        if ((*slot)->tag == tag)
            return *slot;
    return NULL;
}

static struct line *line_new(struct qn_remote *remote, const char *site)
{
    struct line *line = QN_NEW(struct line);
    line->tag = ++remote->last_tag;
    strcpy(line->site, site);
    qn_buf_init(&line->in, QN_WEB_IN_MAX);
    qn_vec_push(&remote->lines, line);
    return line;
}

/* Nothing is in it any more. */
static void line_free(struct qn_remote *remote, struct line *line)
{
    for (size_t i = 0; i < remote->lines.count; i++)
        if (remote->lines.items[i] == line)
            qn_vec_remove(&remote->lines, i);
    qn_stream_abort(line->stream);
    qn_buf_deinit(&line->in);
    qn_free(line);
}

struct qn_span line_in(const struct line *line)
{
    return qn_span_from(qn_buf_view(&line->in), line->in_at);
}

/* ---- who gets one ---- */

struct counted {
    size_t lines, connecting, waiting;
};

static struct counted count(const struct qn_remote *remote, const char *site)
{
    struct counted counted = {0};
    qn_vec_each (&remote->lines, slot)
        if (strcmp((*slot)->site, site) == 0) {
            counted.lines++;
            counted.connecting += (*slot)->stream == NULL;
        }
    qn_vec_each (&remote->waiting, slot)
        counted.waiting += strcmp((*slot)->site, site) == 0;
    return counted;
}

static struct line *find_free(const struct qn_remote *remote, const char *site)
{
    qn_vec_each (&remote->lines, slot)
        if ((*slot)->stream != NULL && (*slot)->call == NULL && strcmp((*slot)->site, site) == 0)
            return *slot;
    return NULL;
}

static struct call *first_waiting(const struct qn_remote *remote, const char *site)
{
    qn_vec_each (&remote->waiting, slot)
        if (strcmp((*slot)->site, site) == 0)
            return *slot;
    return NULL;
}

void line_forget(struct call *call)
{
    struct qn_remote *remote = call->remote;
    for (size_t i = 0; i < remote->waiting.count; i++)
        if (remote->waiting.items[i] == call) {
            qn_vec_remove(&remote->waiting, i);
            return;
        }
}

static void give(struct line *line, struct call *call)
{
    line_forget(call);
    line->call = call;
    call->line = line;
    call->ops->begin(call, line);
}

static bool connect_one(struct qn_remote *remote, const char *site)
{
    const struct qn_serve_host *host = remote->serve->options.host;
    if (remote->serve->is_stopping)
        return false;
    struct line *line = line_new(remote, site);
    if (host->dial(host->context, site, line->tag))
        return true;
    line_free(remote, line);
    return false;
}

/* As many as there are requests that wait, up to the limit. */
static void connect_more(struct qn_remote *remote, const char *site)
{
    struct counted counted = count(remote, site);
    while (counted.connecting < counted.waiting && counted.lines < QN_WEB_LINES_MAX &&
           connect_one(remote, site)) {
        counted.connecting++;
        counted.lines++;
    }
}

/* There is no line to that site, and none on its way. */
static void refuse_waiting(struct qn_remote *remote, const char *site)
{
    struct call *call;
    while (count(remote, site).lines == 0 && (call = first_waiting(remote, site)) != NULL)
        call->ops->offline(call);
}

void line_wait(struct call *call)
{
    struct qn_remote *remote = call->remote;
    struct line *line = find_free(remote, call->site);
    if (line != NULL) {
        give(line, call);
        return;
    }
    call->state = CALL_WAITING;
    call->deadline_ms = serve_now_ms(remote->serve) + QN_WEB_LINE_TIME_MAX_MS;
    qn_vec_push(&remote->waiting, call);
    connect_more(remote, call->site);
    refuse_waiting(remote, call->site);
}

void line_release(struct line *line)
{
    struct qn_remote *remote = line->call->remote;
    line->call->line = NULL;
    line->call = NULL;
    line->was_used = true;
    line->since_ms = serve_now_ms(remote->serve);
    line_set_reading(line); /* the last content may have waited for room until now */
    struct call *next = first_waiting(remote, line->site);
    if (next != NULL)
        give(line, next);
}

void line_drop(struct line *line)
{
    struct qn_remote *remote = line->call->remote;
    char site[QN_NAME_SIZE_MAX + 1];
    memcpy(site, line->site, sizeof(site));
    line->call->line = NULL;
    line_free(remote, line);
    connect_more(remote, site);
    refuse_waiting(remote, site);
}

/* ---- what streams tell ---- */

/* Content that the person has no room for waits, and with it the end of the connection, which may
 * be right behind it. Of a head more is needed in any case. */
void line_set_reading(struct line *line)
{
    bool waits = line->call != NULL && line->call->state == CALL_BODY;
    qn_stream_pause(line->stream, waits && line_in(line).size > 0);
}

static bool fill(struct line *line)
{
    struct qn_buf *in = &line->in;
    qn_buf_consume(in, line->in_at);
    line->in_at = 0;
    size_t before = in->size, size = 1;
    while (in->size < QN_WEB_IN_MAX && size > 0) {
        size_t room = QN_WEB_IN_MAX - in->size;
        size = qn_stream_read(line->stream, qn_buf_reserve(in, room), room);
        in->size += size;
    }
    return in->size > before;
}

/* A site says something only when it was asked. */
static void end_unasked(struct qn_remote *remote, struct line *line)
{
    serve_log(remote->serve, QN_SERVE_LOG_DEBUG, "%s answers without having been asked",
              line->site);
    line_free(remote, line);
}

static void on_readable(void *context, uint64_t tag)
{
    struct qn_remote *remote = context;
    struct line *line = find(remote, tag);
    while (line != NULL && fill(line)) {
        if (line->call == NULL) {
            end_unasked(remote, line);
            return;
        }
        while (line != NULL && line->call != NULL && line->call->ops->step(line->call))
            line = find(remote, tag);
        line = find(remote, tag);
        if (line != NULL && line_in(line).size >= QN_WEB_IN_MAX)
            break;
    }
    if (line != NULL)
        line_set_reading(line);
}

static void on_written(void *context, uint64_t tag)
{
    const struct line *line = find(context, tag);
    if (line != NULL && line->call != NULL)
        line->call->ops->line_written(line->call);
}

static void on_down(void *context, uint64_t tag, enum qn_err reason, const char *detail)
{
    struct qn_remote *remote = context;
    struct line *line = find(remote, tag);
    if (line == NULL)
        return;
    struct call *call = line->call;
    line->stream = NULL; /* it ended by itself */
    bool was_used = line->was_used;
    if (call != NULL) {
        serve_log(remote->serve, QN_SERVE_LOG_DEBUG, "the connection to %s ended: %s", line->site,
                  detail);
        call->line = NULL;
        call->was_resent |= !was_used;
    }
    line_free(remote, line);
    if (call != NULL)
        call->ops->line_ended(call);
}

void qn_serve_dialled(struct qn_serve *serve, uint64_t token, struct qn_stream *take_stream)
{
    struct qn_remote *remote = serve->remote;
    struct line *line = find(remote, token);
    if (line == NULL || remote->is_closing) {
        qn_stream_abort(take_stream);
        return;
    }
    if (take_stream == NULL) {
        char site[QN_NAME_SIZE_MAX + 1];
        memcpy(site, line->site, sizeof(site));
        line_free(remote, line);
        refuse_waiting(remote, site);
        return;
    }
    line->stream = take_stream;
    line->since_ms = serve_now_ms(serve);
    qn_stream_move(take_stream, remote->host, line->tag);
    struct call *next = first_waiting(remote, line->site);
    if (next != NULL)
        give(line, next);
}

/* ---- life ---- */

struct qn_remote *remote_new(struct qn_serve *serve)
{
    struct qn_remote *remote = QN_NEW(struct qn_remote);
    struct qn_stream_host_options options = {
        .unacked_time_max_ms = UNACKED_MS,
        .callbacks = {.on_readable = on_readable, .on_written = on_written, .on_down = on_down},
        .context = remote};
    remote->serve = serve;
    enum qn_err err = qn_stream_host_new(serve->options.loop, &options, &remote->host);
    QN_ASSERT(err == QN_OK); /* it has no keys that could be wrong */
    return remote;
}

static void on_host_closed(void *context)
{
    struct qn_remote *remote = context;
    void (*on_closed)(void *context) = remote->on_closed;
    void *closed_context = remote->closed_context;
    qn_vec_free(&remote->lines);
    qn_vec_free(&remote->waiting);
    qn_vec_free(&remote->questions);
    qn_free(remote);
    on_closed(closed_context);
}

void remote_close(struct qn_remote *remote, void (*on_closed)(void *context), void *context)
{
    remote->is_closing = true;
    questions_end(remote);
    QN_ASSERT(remote->waiting.count == 0);
    remote->on_closed = on_closed;
    remote->closed_context = context;
    while (remote->lines.count > 0)
        line_free(remote, remote->lines.items[0]);
    qn_stream_host_close(remote->host, on_host_closed, remote);
}

static void drop_idle(struct qn_remote *remote, uint64_t now_ms)
{
    for (size_t i = remote->lines.count; i-- > 0;) {
        struct line *line = remote->lines.items[i];
        if (line->stream != NULL && line->call == NULL &&
            now_ms >= line->since_ms + QN_WEB_LINE_IDLE_MS)
            line_free(remote, line);
    }
}

bool remote_is_busy(const struct qn_remote *remote)
{
    return remote->questions.count > 0 || remote->lines.count > 0;
}

void remote_tick(struct qn_remote *remote, uint64_t now_ms)
{
    drop_idle(remote, now_ms);
    questions_check_time(remote, now_ms);
    for (size_t i = remote->waiting.count; i-- > 0;)
        if (i < remote->waiting.count && now_ms >= remote->waiting.items[i]->deadline_ms)
            remote->waiting.items[i]->ops->offline(remote->waiting.items[i]);
}
