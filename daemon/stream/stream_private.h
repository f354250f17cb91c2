/* What the files of the stream share. Loop thread. */
#pragma once

#include <uv.h>

#include "stream/node.h"
#include "stream/stream.h"

struct qn_stream_host {
    struct qn_loop *loop;
    struct qn_tls *tls;
    struct qn_stream_callbacks callbacks;
    void *context;
    uv_idle_t tending; /* active while a stream is in `to_tend`, so that the loop does not wait */
    struct qn_node to_tend;
    size_t handle_count; /* `tending`, listeners and streams that libuv has not let go */
    void (*on_closed)(void *context);
    void *closed_context;
    uint64_t bytes_in, bytes_out;
    unsigned unacked_time_max_ms;
    char error[96];
    uint8_t read_buffer[QN_STREAM_READ_SIZE]; /* of whichever stream reads now */
};

enum qn_stream_state {
    QN_STREAM_CONNECTING,
    QN_STREAM_SHAKING,
    QN_STREAM_UP,
    QN_STREAM_DRAINING,
    QN_STREAM_SHUT,
    QN_STREAM_CLOSED,
};

struct qn_stream {
    uv_tcp_t tcp;
    uv_connect_t connecting;
    uv_shutdown_t shutting;
    struct qn_stream_host *host;
    struct qn_session *session;
    uint64_t tag;
    enum qn_stream_state state;
    bool is_paused;
    bool wants_reading;    /* on_readable is due in the next turn */
    enum qn_err failure;   /* found by qn_stream_read, told after on_readable */
    struct qn_node node;   /* in host->to_tend */
    struct qn_buf filling; /* plaintext that is queued */
    struct qn_buf leaving; /* plaintext that is being encrypted, from `left` on */
    size_t left;
    size_t flight;  /* ciphertext in libuv's hands */
    size_t at_once; /* ciphertext that the kernel took in the last flush */
};

struct qn_listener {
    uv_tcp_t tcp;
    struct qn_stream_host *host;
};

/* QN_OK for 0. Notes the words of anything else for qn_stream_host_error. */
enum qn_err QN_CHECKED qn_stream_host_note(struct qn_stream_host *host, int status);
void qn_stream_host_release(struct qn_stream_host *host); /* one handle is gone */

void qn_stream_tend_later(struct qn_stream *stream);
void qn_stream_tend(struct qn_stream *stream); /* what is due: reading, then writing */
void qn_stream_flush(struct qn_stream *stream);
/* Sends what the session still has to say, closes and tells the owner. */
void qn_stream_end(struct qn_stream *stream, enum qn_err reason, const char *detail);
void qn_stream_end_by_system(struct qn_stream *stream, int status);
enum qn_err QN_CHECKED qn_stream_err(int status);
