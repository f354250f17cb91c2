/* Two sessions in memory: what one has to send is fed to the other. */
#include "stream/session.h"

#include <malloc.h>

#include "support/span.h"

struct end {
    struct qn_tls *tls;
    struct qn_session *session;
    bool admits;
    size_t asked;
    enum qn_alpn alpn;
    struct qn_public_key seen;
    enum qn_err err;
};

static bool admit(void *context, enum qn_alpn alpn, const struct qn_public_key *key)
{
    struct end *end = context;
    end->asked++;
    end->alpn = alpn;
    end->seen = *key;
    return end->admits;
}

static void end_init(struct end *end, uint8_t fill, struct qn_session_options options)
{
    uint8_t seed[QN_SEED_SIZE];
    memset(seed, fill, sizeof(seed));
    *end = (struct end){.admits = true};
    options.admit = admit;
    options.context = end;
    cr_assert_eq(qn_tls_new(seed, &end->tls), QN_OK);
    end->session = qn_session_new(end->tls, &options);
}

static void end_deinit(struct end *end)
{
    qn_tls_free(end->tls); /* a session may outlive it */
    qn_session_free(end->session);
}

static size_t move(struct end *from, struct end *to)
{
    uint8_t bytes[4096];
    size_t size = qn_session_take(from->session, bytes, sizeof(bytes));
    if (size > 0)
        qn_session_feed(to->session, qn_span(bytes, size));
    return size;
}

static void shake(struct end *a, struct end *b)
{
    size_t moved = 1;
    a->err = b->err = QN_ERR_HELD;
    while (moved > 0) {
        if (a->err == QN_ERR_HELD)
            a->err = qn_session_handshake(a->session);
        moved = move(a, b);
        if (b->err == QN_ERR_HELD)
            b->err = qn_session_handshake(b->session);
        moved += move(b, a);
    }
}

static void feed_slowly(struct end *from, struct end *to)
{
    uint8_t bytes[8192];
    size_t size = qn_session_take(from->session, bytes, sizeof(bytes));
    for (size_t i = 0; i < size; i++) {
        qn_session_feed(to->session, qn_span(bytes + i, 1));
        if (to->err == QN_ERR_HELD)
            to->err = qn_session_handshake(to->session);
    }
}

static void shake_slowly(struct end *client, struct end *server)
{
    server->err = QN_ERR_HELD;
    client->err = qn_session_handshake(client->session);
    for (int i = 0; i < 3; i++) {
        feed_slowly(client, server);
        feed_slowly(server, client);
    }
}

static void pair_init(struct end *client, struct end *server, enum qn_alpn alpn, bool allows_guests)
{
    end_init(client, 1, (struct qn_session_options){.is_dialled = true, .alpn = alpn});
    end_init(server, 2, (struct qn_session_options){.allows_guests = allows_guests});
}

static void pair_deinit(struct end *client, struct end *server)
{
    end_deinit(client);
    end_deinit(server);
}

Test(session, both_learn_the_other_key_once)
{
    struct end client, server;
    pair_init(&client, &server, QN_ALPN_MEMBER, false);
    shake(&client, &server);
    cr_assert_eq(client.err, QN_OK);
    cr_assert_eq(server.err, QN_OK);
    cr_assert_eq(client.asked, 1);
    cr_assert_eq(server.asked, 1);
    cr_assert_eq(client.alpn, QN_ALPN_MEMBER);
    cr_assert_eq(server.alpn, QN_ALPN_MEMBER);
    cr_assert(qn_public_key_eq(&server.seen, qn_session_peer(server.session)));
    cr_assert(!qn_public_key_eq(&server.seen, &client.seen));
    pair_deinit(&client, &server);
}

Test(session, it_stands_also_when_each_byte_comes_alone)
{
    struct end client, server;
    pair_init(&client, &server, QN_ALPN_MEMBER, false);
    shake_slowly(&client, &server);
    cr_assert_eq(client.err, QN_OK);
    cr_assert_eq(server.err, QN_OK);
    pair_deinit(&client, &server);
}

/* Data that comes together with the last bytes of the handshake. */
Test(session, what_follows_the_handshake_at_once_is_read)
{
    struct end client, server;
    uint8_t bytes[4096];
    size_t size = 0;
    pair_init(&client, &server, QN_ALPN_MEMBER, false);
    cr_assert_eq(qn_session_handshake(client.session), QN_ERR_HELD);
    move(&client, &server);
    cr_assert_eq(qn_session_handshake(server.session), QN_ERR_HELD);
    move(&server, &client);
    cr_assert_eq(qn_session_handshake(client.session), QN_OK);
    cr_assert_eq(qn_session_write(client.session, SPAN("hello")), QN_OK);
    size = qn_session_take(client.session, bytes, sizeof(bytes));
    qn_session_feed(server.session, qn_span(bytes, size - 3));
    cr_assert_eq(qn_session_handshake(server.session), QN_OK);
    qn_session_feed(server.session, qn_span(bytes + size - 3, 3));
    cr_assert_eq(qn_session_read(server.session, bytes, sizeof(bytes), &size), QN_OK);
    assert_span_eq(qn_span(bytes, size), SPAN("hello"));
    pair_deinit(&client, &server);
}

#define MANY 100

/* Of the heap, for each of many sessions that were given so much of a hello and no more; 0 where
 * the allocator does not tell (ASan). */
static size_t cost_of_half(bool is_whole)
{
    static struct qn_session *sessions[MANY];
    struct qn_session_options options = {.admit = admit};
    uint8_t hello[4096];
    struct end client, server;
    pair_init(&client, &server, QN_ALPN_MEMBER, false);
    cr_assert_eq(qn_session_handshake(client.session), QN_ERR_HELD);
    size_t size = qn_session_take(client.session, hello, sizeof(hello)) - !is_whole;
    size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < MANY; i++) {
        uint8_t answer[4096];
        sessions[i] = qn_session_new(server.tls, &options);
        qn_session_feed(sessions[i], qn_span(hello, size));
        cr_assert_eq(qn_session_handshake(sessions[i]), QN_ERR_HELD);
        while (qn_session_take(sessions[i], answer, sizeof(answer)) > 0)
            ;
    }
    size_t cost = (mallinfo2().uordblks - before) / MANY;
    for (size_t i = 0; i < MANY; i++)
        qn_session_free(sessions[i]);
    pair_deinit(&client, &server);
    return cost;
}

Test(session, who_only_begins_costs_what_they_sent)
{
    size_t half = cost_of_half(false), whole = cost_of_half(true);
    cr_assert_lt(half, 2048, "%zu bytes", half);
    cr_assert_lt(whole, 48 * 1024, "%zu bytes", whole);
}

Test(session, exporters_are_equal_at_both_ends_and_differ_between_sessions)
{
    uint8_t exporters[2][2][QN_EXPORTER_SIZE];
    for (size_t i = 0; i < 2; i++) {
        struct end client, server;
        pair_init(&client, &server, QN_ALPN_GUEST, true);
        shake(&client, &server);
        qn_session_exporter(client.session, exporters[i][0]);
        qn_session_exporter(server.session, exporters[i][1]);
        pair_deinit(&client, &server);
    }
    assert_span_eq(QN_SPAN_OF(exporters[0][0]), QN_SPAN_OF(exporters[0][1]));
    cr_assert(!qn_span_eq(QN_SPAN_OF(exporters[0][0]), QN_SPAN_OF(exporters[1][0])));
}

Test(session, no_ticket_follows_the_handshake)
{
    struct end client, server;
    pair_init(&client, &server, QN_ALPN_MEMBER, false);
    shake(&client, &server);
    cr_assert_eq(qn_session_pending(server.session), 0);
    cr_assert_eq(qn_session_pending(client.session), 0);
    pair_deinit(&client, &server);
}

Test(session, the_server_refuses_a_key)
{
    struct end client, server;
    uint8_t byte;
    size_t size;
    pair_init(&client, &server, QN_ALPN_MEMBER, false);
    server.admits = false;
    shake(&client, &server);
    cr_assert_eq(server.err, QN_ERR_DENIED);
    cr_assert_str_eq(qn_session_detail(server.session), "the other side's key is not admitted");
    cr_assert_eq(client.err, QN_OK); /* it cannot know yet */
    cr_assert_eq(qn_session_read(client.session, &byte, 1, &size), QN_ERR_DENIED);
    cr_assert_eq(strncmp(qn_session_detail(client.session), "refused by the other side", 25), 0);
    pair_deinit(&client, &server);
}

Test(session, the_client_refuses_a_key)
{
    struct end client, server;
    pair_init(&client, &server, QN_ALPN_MEMBER, false);
    client.admits = false;
    shake(&client, &server);
    cr_assert_eq(client.err, QN_ERR_DENIED);
    cr_assert_eq(server.err, QN_ERR_DENIED);
    cr_assert_eq(server.asked, 0);
    pair_deinit(&client, &server);
}

Test(session, bulk_has_its_own_protocol_and_asks_for_the_key)
{
    struct end client, server;
    pair_init(&client, &server, QN_ALPN_BULK, true);
    shake(&client, &server);
    cr_assert_eq(client.err, QN_OK);
    cr_assert_eq(server.err, QN_OK);
    cr_assert_eq(server.asked, 1);
    cr_assert_eq(server.alpn, QN_ALPN_BULK);
    cr_assert_eq(qn_session_alpn(client.session), QN_ALPN_BULK);
    cr_assert_eq(qn_session_alpn(server.session), QN_ALPN_BULK);
    pair_deinit(&client, &server);
}

Test(session, guests_are_let_in_while_they_are_allowed)
{
    struct end client, server;
    pair_init(&client, &server, QN_ALPN_GUEST, true);
    shake(&client, &server);
    cr_assert_eq(server.err, QN_OK);
    cr_assert_eq(server.alpn, QN_ALPN_GUEST);
    cr_assert_eq(qn_session_alpn(client.session), QN_ALPN_GUEST);
    pair_deinit(&client, &server);

    pair_init(&client, &server, QN_ALPN_GUEST, false);
    shake(&client, &server);
    cr_assert_eq(server.err, QN_ERR_DENIED);
    cr_assert_eq(client.err, QN_ERR_DENIED);
    cr_assert_eq(server.asked, 0);
    pair_deinit(&client, &server);
}

Test(session, data_and_an_orderly_end)
{
    struct end client, server;
    uint8_t bytes[16];
    size_t size = 0;
    pair_init(&client, &server, QN_ALPN_MEMBER, false);
    shake(&client, &server);
    cr_assert_eq(qn_session_read(server.session, bytes, sizeof(bytes), &size), QN_ERR_HELD);
    cr_assert_eq(qn_session_write(client.session, SPAN("hello")), QN_OK);
    qn_session_close(client.session);
    move(&client, &server);
    cr_assert_eq(qn_session_read(server.session, bytes, 2, &size), QN_OK);
    assert_span_eq(qn_span(bytes, size), SPAN("he"));
    cr_assert_eq(qn_session_read(server.session, bytes, sizeof(bytes), &size), QN_OK);
    assert_span_eq(qn_span(bytes, size), SPAN("llo"));
    cr_assert_eq(qn_session_read(server.session, bytes, sizeof(bytes), &size), QN_ERR_CLOSED);
    pair_deinit(&client, &server);
}

Test(session, a_flipped_bit_ends_it)
{
    struct end client, server;
    uint8_t bytes[256];
    pair_init(&client, &server, QN_ALPN_MEMBER, false);
    shake(&client, &server);
    cr_assert_eq(qn_session_write(client.session, SPAN("hello")), QN_OK);
    size_t size = qn_session_take(client.session, bytes, sizeof(bytes));
    bytes[size - 1] ^= 1;
    qn_session_feed(server.session, qn_span(bytes, size));
    cr_assert_eq(qn_session_read(server.session, bytes, sizeof(bytes), &size), QN_ERR_INVALID);
    pair_deinit(&client, &server);
}

Test(session, garbage_is_not_tls)
{
    struct end client, server;
    pair_init(&client, &server, QN_ALPN_MEMBER, false);
    qn_session_feed(server.session, SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    cr_assert_eq(qn_session_handshake(server.session), QN_ERR_INVALID);
    cr_assert_neq(strlen(qn_session_detail(server.session)), 0);
    pair_deinit(&client, &server);
}
