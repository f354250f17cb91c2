/* Two streams of one host over 127.0.0.1. */
#include <malloc.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <uv.h>

#include "stream/stream.h"
#include "stream/stream_private.h"
#include "support/span.h"
#include "support/turns.h"

enum { CLIENT = 1, SERVER = 2 };

struct world {
    struct qn_loop *loop;
    struct qn_stream_host *host;
    struct qn_listener *listener;
    struct qn_stream *streams[3];
    bool is_up[3];
    enum qn_err down[3]; /* QN_OK: not */
    size_t reads[3];
    struct qn_buf received[3];
    bool is_closed;
};

static bool on_admit(void *context, uint64_t tag, enum qn_alpn alpn,
                     const struct qn_public_key *key)
{
    return true;
}

static void on_up(void *context, uint64_t tag)
{
    struct world *world = context;
    world->is_up[tag] = true;
}

static void on_readable(void *context, uint64_t tag)
{
    struct world *world = context;
    uint8_t bytes[1000];
    size_t size;
    world->reads[tag]++;
    while ((size = qn_stream_read(world->streams[tag], bytes, sizeof(bytes))) > 0)
        qn_buf_append(&world->received[tag], bytes, size);
}

static void on_written(void *context, uint64_t tag) {}

static void on_down(void *context, uint64_t tag, enum qn_err reason, const char *detail)
{
    struct world *world = context;
    cr_assert_eq(world->down[tag], QN_OK, "told twice");
    world->down[tag] = reason;
    world->streams[tag] = NULL;
}

static void on_connection(void *context, struct qn_listener *listener)
{
    struct world *world = context;
    cr_assert_eq(qn_stream_accept(listener, false, SERVER, &world->streams[SERVER]), QN_OK);
}

static void note_closed(void *context)
{
    struct world *world = context;
    world->is_closed = true;
}

static void world_init_alpn(struct world *world, enum qn_alpn alpn)
{
    static const uint8_t seed[QN_SEED_SIZE] = {7};
    union qn_address address = {.v4 = {.sin_family = AF_INET}};
    struct qn_stream_host_options options = {
        .seed = seed,
        .callbacks = {on_admit, on_up, on_readable, on_written, on_down, on_connection},
        .context = world,
    };
    *world = (struct world){.loop = new_loop()};
    for (size_t i = 0; i < 3; i++)
        qn_buf_init(&world->received[i], 16 * 1024 * 1024);
    address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(qn_stream_host_new(world->loop, &options, &world->host), QN_OK);
    cr_assert_eq(qn_listener_new(world->host, &address, &world->listener), QN_OK);
    cr_assert_eq(qn_listener_address(world->listener, &address), QN_OK);
    cr_assert_eq(qn_stream_dial(world->host, &address, alpn, CLIENT, &world->streams[CLIENT]),
                 QN_OK);
}

static void world_init(struct world *world)
{
    world_init_alpn(world, QN_ALPN_MEMBER);
}

static void world_up(struct world *world)
{
    world_init(world);
    turn_until(world->loop, world->is_up[CLIENT] && world->is_up[SERVER]);
}

static void world_deinit(struct world *world)
{
    for (size_t i = 0; i < 3; i++) {
        qn_stream_abort(world->streams[i]);
        qn_buf_deinit(&world->received[i]);
    }
    qn_listener_free(world->listener);
    qn_stream_host_close(world->host, note_closed, world);
    free_loop(world->loop);
    cr_assert(world->is_closed);
}

static void send_text(struct world *world, size_t from, const char *text)
{
    cr_assert_eq(qn_stream_send(world->streams[from], qn_span_str(text), qn_span(NULL, 0)), QN_OK);
}

Test(stream, nothing_may_be_sent_before_it_is_up)
{
    struct world world;
    world_init(&world);
    cr_assert_eq(qn_stream_send(world.streams[CLIENT], SPAN("x"), SPAN("y")), QN_ERR_STATE);
    world_deinit(&world);
}

Test(stream, what_is_sent_in_one_turn_leaves_together)
{
    struct world world;
    uint64_t in, out_before, out_after;
    world_up(&world);
    qn_loop_turn(world.loop);
    size_t reads_before = world.reads[SERVER];
    qn_stream_host_count(world.host, &in, &out_before);
    for (size_t i = 0; i < 1000; i++)
        send_text(&world, CLIENT, "0123456789");
    cr_assert_eq(qn_stream_queued(world.streams[CLIENT]), 10000);
    turn_until(world.loop, world.received[SERVER].size == 10000);
    turn_until(world.loop, qn_stream_queued(world.streams[CLIENT]) == 0);
    qn_stream_host_count(world.host, &in, &out_after);
    cr_assert_eq(out_after - out_before, 10000 + 22, "one record of overhead");
    cr_assert_eq(world.reads[SERVER] - reads_before, 1);
    world_deinit(&world);
}

Test(stream, the_queue_has_a_limit)
{
    struct world world;
    world_up(&world);
    uint8_t *large = qn_alloc_zero(QN_NET_QUEUE_MAX);
    struct qn_stream *client = world.streams[CLIENT];
    cr_assert_eq(qn_stream_send(client, qn_span(large, QN_NET_QUEUE_MAX), SPAN("")), QN_OK);
    cr_assert_eq(qn_stream_send(client, SPAN("x"), SPAN("")), QN_ERR_LIMIT);
    turn_until(world.loop, world.received[SERVER].size == QN_NET_QUEUE_MAX);
    turn_until(world.loop, qn_stream_queued(client) == 0);
    send_text(&world, CLIENT, "x");
    turn_until(world.loop, world.received[SERVER].size == QN_NET_QUEUE_MAX + 1);
    qn_free(large);
    world_deinit(&world);
}

/* That this many bytes of the allocator's are in use less than before. A sanitizer has another. */
static bool has_less(size_t before, size_t less)
{
#ifdef __SANITIZE_ADDRESS__
    return true;
#else
    return mallinfo2().uordblks + less <= before;
#endif
}

Test(stream, at_rest_it_holds_no_buffers_and_goes_on)
{
    struct world world;
    size_t size = 200000;
    world_up(&world);
    uint8_t *large = qn_alloc_zero(size);
    for (size_t round = 1; round <= 3; round++) {
        for (size_t side = CLIENT; side <= SERVER; side++)
            cr_assert_eq(qn_stream_send(world.streams[side], qn_span(large, size), SPAN("")),
                         QN_OK);
        qn_stream_rest(world.streams[CLIENT]); /* too early: nothing of it is lost */
        turn_until(world.loop, world.received[SERVER].size == round * size &&
                                   world.received[CLIENT].size == round * size);
        turn_until(world.loop, qn_stream_queued(world.streams[CLIENT]) == 0 &&
                                   qn_stream_queued(world.streams[SERVER]) == 0);
        size_t before = mallinfo2().uordblks;
        qn_stream_rest(world.streams[CLIENT]);
        qn_stream_rest(world.streams[SERVER]);
        cr_assert(has_less(before, 60000));
    }
    qn_free(large);
    world_deinit(&world);
}

Test(stream, a_pause_holds_what_comes_back)
{
    struct world world;
    world_up(&world);
    qn_stream_pause(world.streams[SERVER], true);
    send_text(&world, CLIENT, "held");
    turn_until(world.loop, qn_stream_queued(world.streams[CLIENT]) == 0);
    for (int i = 0; i < 100; i++)
        qn_loop_turn(world.loop);
    cr_assert_eq(world.received[SERVER].size, 0);
    qn_stream_pause(world.streams[SERVER], false);
    cr_assert_eq(world.received[SERVER].size, 0, "not from inside the call");
    turn_until(world.loop, world.received[SERVER].size == 4);
    world_deinit(&world);
}

Test(stream, what_came_before_the_end_is_read_after_a_pause)
{
    struct world world;
    world_up(&world);
    qn_stream_pause(world.streams[SERVER], true);
    send_text(&world, CLIENT, "last words");
    qn_stream_close(world.streams[CLIENT]);
    for (int i = 0; i < 100; i++)
        qn_loop_turn(world.loop);
    qn_stream_pause(world.streams[SERVER], false);
    turn_until(world.loop, world.down[SERVER] != QN_OK && world.down[CLIENT] != QN_OK);
    assert_buf_eq(&world.received[SERVER], "last words");
    world_deinit(&world);
}

Test(stream, close_sends_all_and_both_ends_are_told)
{
    struct world world;
    world_up(&world);
    uint8_t *large = qn_alloc_zero(4 * 1024 * 1024);
    cr_assert_eq(qn_stream_send(world.streams[CLIENT], qn_span(large, 4 * 1024 * 1024), SPAN("")),
                 QN_OK);
    qn_stream_close(world.streams[CLIENT]);
    qn_stream_close(world.streams[CLIENT]);
    cr_assert_eq(qn_stream_send(world.streams[CLIENT], SPAN("x"), SPAN("")), QN_ERR_STATE);
    turn_until(world.loop, world.down[CLIENT] != QN_OK && world.down[SERVER] != QN_OK);
    cr_assert_eq(world.down[CLIENT], QN_ERR_CLOSED);
    cr_assert_eq(world.down[SERVER], QN_ERR_CLOSED);
    cr_assert_eq(world.received[SERVER].size, 4 * 1024 * 1024);
    qn_free(large);
    world_deinit(&world);
}

Test(stream, an_abort_is_silent_here_and_seen_there)
{
    struct world world;
    world_up(&world);
    qn_stream_abort(world.streams[CLIENT]);
    world.streams[CLIENT] = NULL;
    turn_until(world.loop, world.down[SERVER] != QN_OK);
    cr_assert_eq(world.down[SERVER], QN_ERR_CLOSED);
    cr_assert_eq(world.down[CLIENT], QN_OK);
    world_deinit(&world);
}

static int option_of(struct qn_stream *stream, int level, int name)
{
    int fd = -1, value = -1;
    socklen_t size = sizeof(value);
    cr_assert_eq(uv_fileno((uv_handle_t *)&stream->tcp, &fd), 0);
    cr_assert_eq(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

Test(stream, a_dead_line_is_noticed_in_about_half_a_minute)
{
    struct world world;
    world_up(&world);
    for (size_t i = CLIENT; i <= SERVER; i++) {
        struct qn_stream *stream = world.streams[i];
        cr_assert_eq(option_of(stream, SOL_SOCKET, SO_KEEPALIVE), 1);
        cr_assert_eq(option_of(stream, IPPROTO_TCP, TCP_NODELAY), 1);
        cr_assert_eq(option_of(stream, IPPROTO_TCP, TCP_KEEPIDLE), 27);
        cr_assert_eq(option_of(stream, IPPROTO_TCP, TCP_KEEPINTVL), 5);
        cr_assert_eq(option_of(stream, IPPROTO_TCP, TCP_KEEPCNT), 3);
        cr_assert_eq(option_of(stream, IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
    }
    world_deinit(&world);
}

Test(stream, errors_of_the_system_have_codes)
{
    cr_assert_eq(qn_stream_err(0), QN_OK);
    cr_assert_eq(qn_stream_err(UV_EOF), QN_ERR_CLOSED);
    cr_assert_eq(qn_stream_err(UV_ECONNRESET), QN_ERR_CLOSED);
    cr_assert_eq(qn_stream_err(UV_ETIMEDOUT), QN_ERR_TIMEOUT);
    cr_assert_eq(qn_stream_err(UV_EHOSTUNREACH), QN_ERR_IO);
}

Test(stream, bulk_is_marked_at_both_ends_and_waits_outside_of_the_kernel)
{
    struct world world;
    world_init_alpn(&world, QN_ALPN_BULK);
    turn_until(world.loop, world.is_up[CLIENT] && world.is_up[SERVER]);
    for (size_t end = CLIENT; end <= SERVER; end++) {
        cr_expect_eq(option_of(world.streams[end], IPPROTO_IP, IP_TOS), 1 << 2);
        cr_expect_eq(option_of(world.streams[end], IPPROTO_TCP, TCP_NOTSENT_LOWAT),
                     QN_BULK_UNSENT_MAX);
    }
    world_deinit(&world);
    world_up(&world);
    cr_expect_eq(option_of(world.streams[CLIENT], IPPROTO_IP, IP_TOS), 0);
    world_deinit(&world);
}

Test(stream, goes_to_another_host_with_what_has_come_already)
{
    struct world world;
    struct qn_stream_host *other;
    const struct qn_stream_host_options options = {
        .unacked_time_max_ms = 5000,
        .callbacks = {NULL, NULL, on_readable, on_written, on_down, NULL},
        .context = &world,
    };
    world_up(&world);
    cr_assert_eq(qn_stream_host_new(world.loop, &options, &other), QN_OK);
    qn_stream_pause(world.streams[SERVER], true);
    send_text(&world, CLIENT, "before");
    send_text(&world, SERVER, "answer");
    turn_until(world.loop, world.received[CLIENT].size == 6);
    /* tag 0 is another place for what comes */
    world.streams[0] = world.streams[SERVER];
    world.streams[SERVER] = NULL;
    qn_stream_move(world.streams[0], other, 0);
    cr_assert_eq(option_of(world.streams[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);
    qn_stream_pause(world.streams[0], false);
    turn_until(world.loop, world.received[0].size == 6);
    send_text(&world, 0, " and after");
    turn_until(world.loop, world.received[CLIENT].size == 16);
    cr_assert_eq(world.received[SERVER].size, 0);
    qn_stream_abort(world.streams[CLIENT]);
    world.streams[CLIENT] = NULL;
    turn_until(world.loop, world.down[0] != QN_OK);
    qn_stream_host_close(other, note_closed, &world);
    turn_until(world.loop, world.is_closed);
    world_deinit(&world);
}
