/* Inside what goes to other sites. remote.c: a person's request that is forwarded. remote_ask.c: a
 * question of this site's own. remote_search.c: one about names of files. remote_line.c:
 * connections to sites, who gets one. remote_head.c: what of the heads goes on, both ways. */
#pragma once

#include "base/vec.h"
#include "http/body.h"
#include "http/reply.h"
#include "people/audit.h"
#include "serve/remote.h"
#include "serve/serve_private.h"

enum call_state {
    CALL_WAITING, /* for a line */
    CALL_HEAD,    /* sent; the answer's head is awaited */
    CALL_BODY,    /* the answer's content */
    CALL_DONE,    /* answered or refused; nothing more is done but to be freed */
};

/* What wants a line: embedded first in who does. */
struct call;
struct line;
struct call_ops {
    void (*begin)(struct call *call, struct line *line); /* it got one */
    /* False: nothing to do now, or `call` is gone from its line. */
    bool (*step)(struct call *call);
    void (*line_ended)(struct call *call); /* whose line is NULL by then */
    void (*line_written)(struct call *call);
    void (*offline)(struct call *call); /* there is no line for it, and there will be none */
};
struct call {
    const struct call_ops *ops;
    struct qn_remote *remote;
    char site[QN_NAME_SIZE_MAX + 1];
    struct line *line; /* NULL: WAITING or DONE */
    enum call_state state;
    uint64_t deadline_ms; /* WAITING; of a question: all of it */
    bool was_resent;      /* once is enough */
};

struct forward {
    struct call call;
    struct qn_web_request *web;
    struct folder_path path;
    enum qn_right right;
    bool has_body; /* of the request */
    bool is_body_sent;
    bool is_read;    /* nothing is changed by it */
    bool is_noted;   /* in the audit trail */
    bool keeps_line; /* the other site keeps it */
    struct qn_http_body body;
};

struct line {
    uint64_t tag;
    char site[QN_NAME_SIZE_MAX + 1];
    struct qn_stream *stream; /* NULL: it is being connected */
    struct call *call;        /* NULL: free */
    bool was_used;
    uint64_t since_ms; /* it is free */
    struct qn_buf in;
    size_t in_at;
};

struct qn_remote {
    struct qn_serve *serve;
    struct qn_stream_host *host;
    QN_VEC(struct line *) lines;
    QN_VEC(struct call *) waiting; /* the first come first */
    QN_VEC(struct question *) questions;
    uint64_t last_tag;
    bool is_closing;
    void (*on_closed)(void *context);
    void *closed_context;
};

/* ---- remote_ask.c ---- */
void questions_check_time(struct qn_remote *remote, uint64_t now_ms);
void questions_end(struct qn_remote *remote); /* all are told QN_ERR_CLOSED */

/* ---- remote_line.c ---- */
void line_wait(struct call *call); /* for one; maybe from inside */
void line_forget(struct call *call);
void line_release(struct line *line); /* its request is through, and it is good for another */
void line_drop(struct line *line);
struct qn_span line_in(const struct line *line);
void line_set_reading(struct line *line);

/* ---- remote_head.c ---- */
/* QN_ERR_LIMIT: it is too long. */
enum qn_err QN_CHECKED forward_write_head(const struct forward *forward, struct qn_buf *out);
/* Starts the answer with what of that head goes on. */
void forward_answer_head(struct forward *forward, unsigned status, const struct qn_http_head *head);
/* For the trail of this site: false after a refusal, because it does not take it. */
bool forward_note(struct forward *forward, const char *result);
const char *forward_result(unsigned status);
