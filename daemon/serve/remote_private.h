/* Inside the forwarding of requests. remote.c: a request's life. remote_line.c: connections to
 * sites, who gets one. remote_head.c: what of the heads goes on, both ways. */
#pragma once

#include "base/vec.h"
#include "http/body.h"
#include "http/reply.h"
#include "people/audit.h"
#include "serve/remote.h"
#include "serve/serve_private.h"

enum forward_state {
    FORWARD_WAITING, /* for a line */
    FORWARD_HEAD,    /* sent; the answer's head is awaited */
    FORWARD_BODY,    /* the answer's content */
    FORWARD_DONE,    /* answered or refused; nothing more is done but to be freed */
};

struct forward {
    struct qn_remote *remote;
    struct qn_web_request *web;
    struct folder_path path;
    enum qn_right right;
    char site[QN_NAME_SIZE_MAX + 1];
    struct line *line; /* NULL: WAITING or DONE */
    enum forward_state state;
    uint64_t deadline_ms; /* WAITING */
    bool has_body;        /* of the request */
    bool is_body_sent;
    bool is_read;    /* nothing is changed by it */
    bool is_noted;   /* in the audit trail */
    bool was_resent; /* once is enough */
    bool keeps_line; /* the other site keeps it */
    struct qn_http_body body;
};

struct line {
    uint64_t tag;
    char site[QN_NAME_SIZE_MAX + 1];
    struct qn_stream *stream; /* NULL: it is being connected */
    struct forward *forward;  /* NULL: free */
    bool was_used;
    uint64_t since_ms; /* it is free */
    struct qn_buf in;
    size_t in_at;
};

struct qn_remote {
    struct qn_serve *serve;
    struct qn_stream_host *host;
    QN_VEC(struct line *) lines;
    QN_VEC(struct forward *) waiting; /* the first come first */
    uint64_t last_tag;
    bool is_closing;
    void (*on_closed)(void *context);
    void *closed_context;
};

/* ---- remote.c ---- */
void forward_begin(struct forward *forward, struct line *line); /* it got one */
/* False: nothing to do now, or `forward` is gone from its line. */
bool forward_step(struct forward *forward);
void forward_line_ended(struct forward *forward); /* whose line is NULL by then */
void forward_line_written(struct forward *forward);
void forward_refuse_offline(struct forward *forward);

/* ---- remote_line.c ---- */
void line_wait(struct forward *forward); /* for one; maybe from inside */
void line_forget(struct forward *forward);
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
