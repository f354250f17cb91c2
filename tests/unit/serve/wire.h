/* A connection by quoin-web/1 of which the test has one end: the other belongs to whoever is
 * tested. */
#pragma once

#include "stream/stream.h"
#include "support/turns.h"

struct wire {
    struct qn_loop *loop;
    struct qn_stream_host *host, *other_host; /* the other end leaves it */
    struct qn_listener *listener;
    struct qn_stream *stream, *other;
    bool is_up, is_other_up, is_down;
    unsigned closed;
    struct qn_buf received;
};

/* Gives the other end, which is up, and the key that this end has proved. */
struct qn_stream *wire_init(struct wire *wire, struct qn_loop *loop, struct qn_public_key *ret_key);
void wire_deinit(struct wire *wire);
void wire_say(struct wire *wire, const char *text);
void wire_cut(struct wire *wire);
/* Whether that stands at the end of what was received. */
bool wire_has(const struct wire *wire, const char *end);
