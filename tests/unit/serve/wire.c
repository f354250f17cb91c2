#include "wire.h"

static bool on_admit(void *context, uint64_t tag, enum qn_alpn alpn,
                     const struct qn_public_key *key)
{
    return alpn == QN_ALPN_WEB;
}

static void on_up(void *context, uint64_t tag)
{
    ((struct wire *)context)->is_up = true;
}

static void on_other_up(void *context, uint64_t tag)
{
    ((struct wire *)context)->is_other_up = true;
}

static void on_readable(void *context, uint64_t tag)
{
    struct wire *wire = context;
    uint8_t bytes[4096];
    size_t size;
    while ((size = qn_stream_read(wire->stream, bytes, sizeof(bytes))) > 0)
        qn_buf_append(&wire->received, bytes, size);
}

static void nothing(void *context, uint64_t tag) {}

static void on_down(void *context, uint64_t tag, enum qn_err reason, const char *detail)
{
    struct wire *wire = context;
    wire->is_down = true;
    wire->stream = NULL;
}

static void on_connection(void *context, struct qn_listener *listener)
{
    struct wire *wire = context;
    cr_assert_eq(qn_stream_accept(listener, false, 2, &wire->other), QN_OK);
}

static struct qn_stream_host *new_host(struct wire *wire, uint8_t seed_byte,
                                       struct qn_stream_callbacks callbacks)
{
    uint8_t seed[QN_SEED_SIZE] = {seed_byte};
    struct qn_stream_host *host;
    struct qn_stream_host_options options = {.seed = seed, .callbacks = callbacks, .context = wire};
    cr_assert_eq(qn_stream_host_new(wire->loop, &options, &host), QN_OK);
    return host;
}

struct qn_stream *wire_init(struct wire *wire, struct qn_loop *loop, struct qn_public_key *ret_key)
{
    union qn_address address = {.v4 = {.sin_family = AF_INET}};
    address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *wire = (struct wire){.loop = loop};
    qn_buf_init(&wire->received, 16 * 1024 * 1024);
    wire->host = new_host(
        wire, 7,
        (struct qn_stream_callbacks){on_admit, on_up, on_readable, nothing, on_down, NULL});
    wire->other_host = new_host(wire, 8,
                                (struct qn_stream_callbacks){on_admit, on_other_up, nothing,
                                                             nothing, on_down, on_connection});
    cr_assert_eq(qn_listener_new(wire->other_host, &address, &wire->listener), QN_OK);
    cr_assert_eq(qn_listener_address(wire->listener, &address), QN_OK);
    cr_assert_eq(qn_stream_dial(wire->host, &address, QN_ALPN_WEB, 1, &wire->stream), QN_OK);
    turn_until(loop, wire->is_up && wire->is_other_up);
    *ret_key = *qn_stream_peer(wire->other);
    return wire->other;
}

static void on_closed(void *context)
{
    ((struct wire *)context)->closed++;
}

/* The other end was moved away, or aborted, before. */
void wire_deinit(struct wire *wire)
{
    qn_stream_abort(wire->stream);
    qn_listener_free(wire->listener);
    qn_stream_host_close(wire->host, on_closed, wire);
    qn_stream_host_close(wire->other_host, on_closed, wire);
    turn_until(wire->loop, wire->closed == 2);
    qn_buf_deinit(&wire->received);
}

void wire_say(struct wire *wire, const char *text)
{
    cr_assert_eq(qn_stream_send(wire->stream, qn_span_str(text), qn_span(NULL, 0)), QN_OK);
}

void wire_cut(struct wire *wire)
{
    qn_stream_abort(wire->stream);
    wire->stream = NULL;
}

bool wire_has(const struct wire *wire, const char *end)
{
    size_t size = strlen(end);
    return wire->received.size >= size &&
           memcmp(wire->received.data + wire->received.size - size, end, size) == 0;
}
